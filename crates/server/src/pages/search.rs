//! The search: workspaces by their names, and chats by their titles and ids, and by what they had in force: a text, a
//! context, a snapshot, or a version of a workspace, which is the snapshot of one of its heads.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::agent::Head;
use ctxpin_model::chat::ChatFilter;
use ctxpin_model::chat_search::{ChatSearch, name_contains};
use ctxpin_model::exposure::{ChatExposure, ExposedPeriod, ExposedTurns, HashKind, KnownHash};
use ctxpin_model::hash::{AnyHash, HashBeginning};
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_model::moment::Moment;
use ctxpin_model::page::{ListPart, PageRequest};
use ctxpin_operations::{agents, chats, exposures};
use ctxpin_protocol::convert::members::chosen_name;
use ctxpin_protocol::convert::pages::page_request;
use serde::Deserialize;
use url::form_urlencoded;
use uuid::Uuid;

use super::answer::see_other;
use super::caller::PageCaller;
use super::chat::settings::{WORKSPACES_MAX, WorkspaceChoice, tell_apart};
use super::chats::{ChatRow, RowEnd};
use super::frame::{Frame, Place, html};
use super::parts::command::Command;
use super::parts::number::counted;
use super::parts::rail::Stand;
use super::parts::short_id::ShortId;
use super::parts::text::Text;
use super::parts::time::Time;
use crate::api_error::ApiResult;
use crate::app::App;
use crate::params::QueryParams;

/// The most workspaces that a search shows.
const WORKSPACES_SHOWN_MAX: usize = 20;

/// The most periods that the page shows of one chat.
const PERIODS_SHOWN_MAX: usize = 5;

/// The page of a search.
#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    query: String,
    /// Whether something was searched for.
    is_asked: bool,
    /// Those of the workspaces to choose from that have such a name.
    named_workspaces: Vec<WorkspaceChoice>,
    /// The chats with such a title or id.
    named: Vec<ChatRow>,
    more_named: Option<String>,
    /// The hashes that begin so, if there are several.
    hashes: Vec<Hash>,
    has_more_hashes: bool,
    /// What the one hash was in force in.
    exposed: Option<Exposed>,
    /// The workspaces whose versions can be shown.
    workspaces: Vec<WorkspaceChoice>,
    /// The versions of the chosen workspace.
    versions: Option<Versions>,
}

/// The versions of a workspace, newest first.
struct Versions {
    agent: AgentId,
    workspace: String,
    /// Whether the list begins with the latest.
    is_first: bool,
    rows: Vec<Version>,
    next: Option<String>,
}

/// A head of a workspace.
struct Version {
    seq: i64,
    snapshot: ShortId,
    /// The path of the chats that had it in force.
    path: String,
    at: Time,
}

/// A hash to choose.
struct Hash {
    kind: HashKind,
    hash: String,
}

/// The chats that had something in force.
struct Exposed {
    /// What the hash is the hash of. `None` if the server knows no such hash.
    kind: Option<HashKind>,
    hash: ShortId,
    rows: Vec<Row>,
    next: Option<String>,
    is_first: bool,
}

/// A chat that had something in force.
struct Row {
    chat: ChatId,
    title: String,
    workspace: Option<String>,
    short_id: ShortId,
    /// The turns that had it in force.
    turns: Option<String>,
    /// Whether it had the content by the tools of its turns alone.
    is_by_tools: bool,
    /// The turns whose requests really had the content, by their evidence, and the page of the first.
    given: Option<(String, String)>,
    /// The turns that were as pinned, by evidence that does not list it, and the page of the first.
    unlisted: Option<(String, String)>,
    is_archived: bool,
    periods: Vec<Period>,
    more_periods: usize,
}

/// A period in which a chat's pin held something.
struct Period {
    place: Option<String>,
    from: Time,
    until: Option<Time>,
}

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchQuery {
    q: Option<String>,
    /// Where the list of chats with such a title continues.
    titles: Option<String>,
    /// Where the list of chats that had it in force continues.
    cursor: Option<String>,
    /// The workspace whose versions are shown.
    agent: Option<Uuid>,
    /// The number of the head below which they continue.
    before: Option<i64>,
}

/// Shows the page. A whole id leads to its chat or its workspace.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    QueryParams(query): QueryParams<SearchQuery>,
) -> ApiResult<Response> {
    let text = query.q.as_deref().unwrap_or_default().trim().to_owned();
    if let Some(path) = object_of(&app, &caller, &text).await {
        return Ok(see_other(&path));
    }
    let frame = Frame::read(&app, &caller, Place::Search, "Search").await?;
    let mut page = SearchPage {
        is_asked: !text.is_empty(),
        query: text,
        named_workspaces: Vec::new(),
        named: Vec::new(),
        more_named: None,
        hashes: Vec::new(),
        has_more_hashes: false,
        exposed: None,
        workspaces: Vec::new(),
        versions: None,
        frame,
    };
    if page.is_asked {
        let text = chosen_name("q", page.query.clone())?;
        // The list that goes on is shown alone.
        if query.cursor.is_none() {
            page.find_named(&app, &caller, &text, query.titles.as_deref())
                .await?;
        }
        if query.titles.is_none()
            && let Ok(beginning) = text.parse()
        {
            page.find_exposed(&app, &caller, &beginning, query.cursor.as_deref())
                .await?;
        }
    }
    let chosen = query.agent.map(AgentId::from).filter(|_| !page.is_asked);
    page.find_workspaces(&app, &caller, chosen, &query).await?;
    if let Some(agent) = chosen {
        page.find_versions(&app, &caller, agent, query.before)
            .await?;
    }
    html(&page)
}

/// Returns the path of the object with this id, if the caller may read it.
async fn object_of(app: &App, caller: &PageCaller, text: &str) -> Option<String> {
    let id: Uuid = text.parse().ok().filter(|_| text.contains('-'))?;
    let (service, credential) = (&app.service, caller.credential);
    if chats::read(service, credential, id.into()).await.is_ok() {
        return Some(format!("/chats/{id}"));
    }
    let agent = agents::read(service, credential, id.into()).await;
    agent.is_ok().then(|| format!("/workspaces/{id}"))
}

impl SearchPage {
    /// Returns the path of a page of the same search.
    fn path(&self, list: &str, cursor: Uuid) -> String {
        let query: String = form_urlencoded::byte_serialize(self.query.as_bytes()).collect();
        format!("/search?q={query}&{list}={cursor}")
    }

    /// Finds the chats with such a title or id.
    async fn find_named(
        &mut self,
        app: &App,
        caller: &PageCaller,
        text: &str,
        cursor: Option<&str>,
    ) -> ApiResult<()> {
        let filter = ChatFilter {
            search: Some(ChatSearch::by_title_or_id(text)),
            ..ChatFilter::default()
        };
        let asked = page_request(cursor, None)?;
        let found = chats::summaries(&app.service, caller.credential, &filter, &asked).await?;
        let rows = found.items.iter();
        self.named = rows.map(|line| ChatRow::new(line, &self.frame)).collect();
        self.more_named = found.next.map(|next| self.path("titles", next));
        Ok(())
    }

    /// Finds the hashes that begin so. If there is one, it finds the chats that had it in force.
    async fn find_exposed(
        &mut self,
        app: &App,
        caller: &PageCaller,
        beginning: &HashBeginning,
        cursor: Option<&str>,
    ) -> ApiResult<()> {
        let asked = page_request(cursor, None)?;
        let known = exposures::hashes(&app.service, caller.credential, beginning).await?;
        let (kind, hash): (_, AnyHash) = match (&known.items[..], beginning.whole()) {
            ([one], _) => (Some(one.kind), one.hash),
            ([], Some(whole)) => (None, whole),
            (several, _) => {
                self.hashes = several.iter().map(Hash::new).collect();
                self.has_more_hashes = !known.is_complete;
                return Ok(());
            }
        };
        let found = exposures::chats(&app.service, caller.credential, hash, &asked).await?;
        let now = self.frame.now;
        self.exposed = Some(Exposed {
            kind,
            hash: ShortId::of_hash(hash, "hash"),
            rows: found.items.iter().map(|chat| Row::new(chat, now)).collect(),
            next: found.next.map(|next| self.path("cursor", next)),
            is_first: cursor.is_none(),
        });
        Ok(())
    }

    /// Reads the workspaces to choose from, and finds those with such a name.
    async fn find_workspaces(
        &mut self,
        app: &App,
        caller: &PageCaller,
        chosen: Option<AgentId>,
        query: &SearchQuery,
    ) -> ApiResult<()> {
        let newest = PageRequest::newest(WORKSPACES_MAX);
        let agents = agents::list(&app.service, caller.credential, &newest).await?;
        let is_first_page = query.cursor.is_none() && query.titles.is_none();
        if self.is_asked && is_first_page {
            let named = agents.items.iter();
            let named = named.filter(|agent| name_contains(&agent.workspace, &self.query));
            let named = named.map(|agent| WorkspaceChoice::new(agent, None));
            self.named_workspaces = tell_apart(named.take(WORKSPACES_SHOWN_MAX).collect());
        }
        let choices = agents.items.iter();
        let choices = choices.map(|agent| WorkspaceChoice::new(agent, chosen));
        self.workspaces = tell_apart(choices.collect());
        Ok(())
    }

    /// Reads the versions of a workspace.
    async fn find_versions(
        &mut self,
        app: &App,
        caller: &PageCaller,
        agent: AgentId,
        before: Option<i64>,
    ) -> ApiResult<()> {
        let (service, credential) = (&app.service, caller.credential);
        let asked = PageRequest {
            part: ListPart::after(before),
            ..page_request(None, None)?
        };
        let read = agents::read(service, credential, agent).await?;
        let heads = agents::heads(service, credential, agent, &asked).await?;
        let now = self.frame.now;
        self.versions = Some(Versions {
            agent,
            is_first: before.is_none(),
            workspace: read.workspace.clone(),
            rows: heads
                .items
                .iter()
                .map(|head| Version::new(head, now))
                .collect(),
            next: heads
                .next
                .map(|next| format!("/search?agent={agent}&before={next}")),
        });
        Ok(())
    }

    /// Returns whether there was a search and it found nothing, not even a hash that was never in force.
    fn has_nothing(&self) -> bool {
        let is_unknown =
            |found: &Exposed| found.rows.is_empty() && found.kind.is_none() && found.is_first;
        self.is_asked
            && self.named_workspaces.is_empty()
            && self.named.is_empty()
            && self.more_named.is_none()
            && self.hashes.is_empty()
            && self.exposed.as_ref().is_none_or(is_unknown)
    }

    /// Returns whether the text has the form of a hash or of its beginning.
    fn is_hash(&self) -> bool {
        self.query.parse::<HashBeginning>().is_ok()
    }
}

impl Exposed {
    /// Returns whether the evidence of a turn leaves open whether the content was given.
    fn has_unlisted(&self) -> bool {
        self.kind == Some(HashKind::Content) && self.rows.iter().any(|row| row.unlisted.is_some())
    }
}

/// Returns the path of the chats that had a head in force.
pub(super) fn exposed_path(head: &Head) -> String {
    format!("/search?q={}", head.snapshot)
}

impl Version {
    fn new(head: &Head, now: Moment) -> Self {
        Self {
            seq: head.seq,
            snapshot: ShortId::of_snapshot(head.snapshot),
            path: exposed_path(head),
            at: Time::clock(head.received_at, now),
        }
    }
}

impl Hash {
    fn new(known: &KnownHash) -> Self {
        Self {
            kind: known.kind,
            hash: known.hash.to_string(),
        }
    }
}

impl Row {
    fn new(exposed: &ChatExposure, now: Moment) -> Self {
        let periods = exposed.periods.iter().take(PERIODS_SHOWN_MAX);
        let title = exposed.title.clone();
        let linked = |turns: ExposedTurns| {
            let path = format!("/chats/{}/turns/{}", exposed.chat, turns.first);
            (turns_named(turns), path)
        };
        Self {
            chat: exposed.chat,
            title: title.unwrap_or_else(|| "Untitled".to_owned()),
            workspace: exposed.workspace.clone(),
            short_id: ShortId::of_id(exposed.chat, "chat's id"),
            turns: exposed.turns.map(turns_named),
            is_by_tools: exposed.periods.is_empty() && exposed.turns.is_some(),
            given: exposed.given.map(linked),
            unlisted: exposed.unlisted.map(linked),
            is_archived: exposed.is_archived,
            periods: periods.map(|period| Period::new(period, now)).collect(),
            more_periods: exposed.periods.len().saturating_sub(PERIODS_SHOWN_MAX),
        }
    }
}

fn turns_named(turns: ExposedTurns) -> String {
    match turns.count {
        1 => format!("turn {}", turns.first),
        count => format!(
            "{}, {} to {}",
            counted(count, "turn"),
            turns.first,
            turns.last
        ),
    }
}

impl Period {
    fn new(period: &ExposedPeriod, now: Moment) -> Self {
        let place = period.place.as_ref();
        Self {
            place: place.map(|place| match &place.path {
                Some(path) => format!("{} of {}", path, place.source),
                None => place.source.clone(),
            }),
            from: Time::clock(period.from, now),
            until: period.until.map(|until| Time::clock(until, now)),
        }
    }
}
