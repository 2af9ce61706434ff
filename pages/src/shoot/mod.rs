//! Screenshots of the pages: an invented company at work, seen by its people at three widths in both themes.

mod company;
mod fleet;
mod payments;
mod picture;
mod quiet;
mod records;
mod workspace;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::people::Secret;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use self::company::{Company, Person};
use self::fleet::Fleet;
use self::payments::Payments;
use self::picture::Camera;
use self::quiet::Quiet;

/// The scene in which the server has ended.
const GONE: &str = "server-gone";

/// The scene in which a person has just decided, and can undo it.
const TOAST: &str = "chat-kept";

/// How often the agents of a company that stays connect.
const CONNECT_INTERVAL: Duration = Duration::from_secs(30);

/// The scenes of which the documents show pictures.
const DOCUMENTED: [&str; 5] = [
    "changes",
    "chat-drifted",
    "chat-context",
    "turn-deviating",
    "map-8",
];

/// Options of the screenshots.
#[derive(Debug, Args)]
pub struct Shoot {
    /// The built program.
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// The directory for the pictures.
    #[arg(long, value_name = "DIRECTORY")]
    into: PathBuf,
    /// Take only the scenes whose name contains this text.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Show whole pages, however long they are.
    #[arg(long)]
    whole: bool,
    /// Take only the pictures of the documents, into this directory.
    #[arg(long, value_name = "DIRECTORY")]
    documents: Option<PathBuf>,
    /// Take no picture, but keep the server running, and print the tokens of its people.
    #[arg(long)]
    stay: bool,
}

/// A page that a person looks at.
struct Scene<'c> {
    name: &'static str,
    /// The token of the person; nobody is signed in without one.
    who: Option<&'c Secret>,
    path: String,
}

impl Shoot {
    /// Plays the scenes, and takes the pictures. Returns `true`: what a picture shows is for people to judge.
    ///
    /// # Errors
    ///
    /// Fails if the server, the browser or a file does.
    pub async fn run(&self) -> anyhow::Result<bool> {
        let mut company = Company::found(&self.program).await?;
        let fleet = fleet::play(&mut company).await?;
        let quiet = quiet::play(&mut company).await?;
        let week = payments::play(&mut company).await?;
        company.happens(Duration::ZERO)?;
        let auditor = company.employ("noor", "auditor").await?;
        if self.stay {
            println!("{}", company.server.url);
            for (name, person) in [
                ("mira, with a week of work", &week.developer),
                ("jonas, for whom nothing waits", &quiet.settled),
                ("lena, for whom one change waits", &quiet.one),
                ("platform, with 2,000 chats", &fleet.team),
                ("noor, an auditor", &auditor),
                ("the admin", &company.admin),
            ] {
                println!("{}  {name}", person.token.expose());
            }
            return stay(company).await;
        }
        let scenes = scenes(&company, &week, &fleet, &quiet, &auditor).await?;
        let mut camera = Camera::new(&self.into, self.whole).await?;
        for scene in scenes.iter().filter(|scene| self.is_wanted(scene.name)) {
            company.connect().await?;
            camera.open(&company.server, scene).await?;
            match &self.documents {
                Some(into) => camera.publish(scene.name, into).await?,
                None => camera.take(scene.name).await?,
            }
        }
        if self.is_wanted(TOAST) {
            company.connect().await?;
            let declined = Scene::new(TOAST, &week.developer, format!("/chats/{}", week.drifted));
            camera.open(&company.server, &declined).await?;
            camera.decide("decline").await?;
            camera.take(TOAST).await?;
        }
        if self.is_wanted(GONE) {
            company.connect().await?;
            let chats = Scene::new(GONE, &week.developer, "/chats");
            camera.open(&company.server, &chats).await?;
            company.server.stop().await?;
            camera.wait_until_stale().await?;
            camera.take(GONE).await?;
        }
        camera.close()?;
        Ok(true)
    }

    fn is_wanted(&self, name: &str) -> bool {
        let is_shown = self.documents.is_none() || DOCUMENTED.contains(&name);
        is_shown && self.only.as_ref().is_none_or(|only| name.contains(only))
    }
}

/// Lets the agents of the company run until somebody ends this program.
async fn stay(company: Company) -> anyhow::Result<bool> {
    let mut ended = signal(SignalKind::terminate())?;
    let mut beat = tokio::time::interval(CONNECT_INTERVAL);
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            _ = ended.recv() => break,
            _ = beat.tick() => company.connect().await?,
        }
    }
    company.server.stop().await?;
    Ok(true)
}

impl<'c> Scene<'c> {
    fn new(name: &'static str, who: &'c Person, path: impl Into<String>) -> Self {
        Self {
            name,
            who: Some(&who.token),
            path: path.into(),
        }
    }
}

/// Returns the scenes of a running server, in the order of a walk.
async fn scenes<'c>(
    company: &'c Company,
    week: &'c Payments,
    fleet: &'c Fleet,
    quiet: &'c Quiet,
    auditor: &'c Person,
) -> anyhow::Result<Vec<Scene<'c>>> {
    let mira = &week.developer;
    let chat = |chat: ChatId, tab: &str| format!("/chats/{chat}{tab}");
    let of_mira = |name, path: String| Scene::new(name, mira, path);
    Ok(vec![
        Scene {
            name: "sign-in",
            who: None,
            path: "/sign-in".to_owned(),
        },
        of_mira("changes", "/".to_owned()),
        Scene::new("changes-0", &quiet.settled, "/"),
        Scene::new("changes-1", &quiet.one, "/"),
        Scene::new("changes-40", &fleet.team, "/"),
        of_mira("change", change(mira).await?),
        of_mira("change-decided", decided()),
        of_mira("chats", "/chats".to_owned()),
        Scene::new("chats-2000", &fleet.team, "/chats"),
        of_mira("chat-new", "/chats/new".to_owned()),
        of_mira("chat-clean", chat(week.clean, "")),
        of_mira("chat-drifted", chat(week.drifted, "?view=unified")),
        of_mira("chat-drifted-split", chat(week.drifted, "?view=split")),
        of_mira("chat-declined", chat(week.declined, "")),
        of_mira("chat-unpinned", chat(week.unpinned, "")),
        of_mira("chat-failed", chat(week.failed, "")),
        of_mira("chat-away", chat(week.away, "")),
        of_mira("chat-observed", chat(week.observed, "")),
        of_mira("chat-deviating", chat(week.deviating, "")),
        of_mira("chats-deviating", "/chats?show=deviates".to_owned()),
        of_mira("turns-deviating", chat(week.deviating, "/turns")),
        of_mira("turn-deviating", chat(week.deviating, "/turns/4")),
        Scene::new("turn-of-another", auditor, chat(week.deviating, "/turns/4")),
        of_mira("chat-delete", chat(week.drifted, "/delete")),
        of_mira("chat-context", chat(week.drifted, "/context")),
        of_mira("chat-prompt", chat(week.drifted, "/prompt")),
        of_mira("chat-turns", chat(week.drifted, "/turns")),
        of_mira("chat-history", chat(week.drifted, "/history")),
        of_mira("chat-history-declined", chat(week.declined, "/history")),
        of_mira(
            "chat-compare",
            chat(week.drifted, "/history/compare?from=1&to=2"),
        ),
        of_mira("chat-settings", chat(week.drifted, "/settings")),
        Scene::new("chat-of-another", auditor, chat(week.drifted, "")),
        Scene::new("chats-of-others", auditor, "/chats"),
        of_mira("workspaces", "/workspaces".to_owned()),
        of_mira("workspace-refused", format!("/workspaces/{}", week.refused)),
        of_mira("map-8", format!("/workspaces/{}", week.workspace)),
        Scene::new(
            "map-600",
            &fleet.team,
            format!("/workspaces/{}", fleet.checkout),
        ),
        of_mira("search", "/search".to_owned()),
        of_mira("search-results", exposed(week).await?),
        of_mira("settings", "/settings".to_owned()),
        of_mira("sign-ins", "/settings/sessions".to_owned()),
        Scene::new("audit", &company.admin, "/settings/audit"),
        Scene::new("users", &company.admin, "/settings/users"),
        of_mira("not-here", chat(ChatId::from(Uuid::nil()), "")),
    ])
}

/// Returns the page of the change that concerns the most chats.
async fn change(person: &Person) -> anyhow::Result<String> {
    let changes = person.client.pending_changes(&Default::default()).await?;
    let most = changes.items.iter().max_by_key(|change| change.chat_count);
    let most = most.context("nothing waits")?;
    Ok(format!("/changes/{}", most.id))
}

/// Returns the page of a change that was just taken for three chats.
fn decided() -> String {
    format!("/changes/{}?taken=3", "0".repeat(32))
}

/// Returns the search for the instructions that a chat is pinned to.
async fn exposed(week: &Payments) -> anyhow::Result<String> {
    let context = week.developer.client.context(week.drifted).await?;
    let found = context.resources.into_iter();
    let mut found = found.filter(|resource| resource.source.ends_with("/AGENTS.md"));
    let hash = found.next().and_then(|resource| resource.content_hash);
    Ok(format!("/search?q={}", hash.context("no instructions")?))
}
