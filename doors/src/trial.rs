//! One comparison: a tool in a generated workspace, and what ctxpin says about it.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use ctxpin_render::profile::{Effective, effective, on_demand};
use ctxpin_scan::roots::Request;
use ctxpin_scan::trust::Trust;
use ctxpin_scan::{Scan, scan};
use similar::TextDiff;
use tokio::time::timeout;

use crate::cases::Counts;
use crate::client::{Client, Server};
use crate::generate;
use crate::process;
use crate::standin::Standin;
use crate::workspace::{HOME, PLACE, Workspace};

/// The longest wait for a tool. A loaded machine starts one slowly.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);

/// How often a tool is asked again if its answer differs.
const REPETITIONS_MAX: u32 = 4;

/// What is in ctxpin's reason for a file that the tool gives its model and a scan may not read.
const GIVEN_UNREAD: &str = " gives it to its model, but ";

/// How many characters of a line are printed.
const LINE_SHOWN_MAX: usize = 200;

/// A tool to compare.
pub struct Trial<'a> {
    client: Client,
    version: &'a str,
    program: &'a Path,
    /// A server of the tool, which answers faster than a process for each question.
    server: Option<Server>,
    standin: &'a Standin,
    /// What the workspaces had in which the tool answered.
    pub counts: Counts,
}

/// The result of a comparison.
#[derive(Debug)]
pub enum Outcome {
    /// The instruction texts are equal, byte for byte, and so are the lists of skills.
    Equal,
    /// The tool gave something else at first, and the same when it was asked again with the same files.
    EqualAgain,
    Different,
    /// The tool failed, or did not end within its time.
    Unanswered(anyhow::Error),
}

/// What a tool gives its model.
struct Texts {
    /// The text with the instruction files.
    due: String,
    /// What comes with the file that the model reads.
    on_demand: Vec<String>,
    /// The list of skills. `None` if it is not compared.
    skills: Option<Vec<String>>,
}

/// What the tool gave and what ctxpin says.
struct Sides {
    said: String,
    given: String,
    said_skills: Vec<String>,
    given_skills: Vec<String>,
}

impl Sides {
    fn are_equal(&self) -> bool {
        self.said == self.given && self.said_skills == self.given_skills
    }

    fn print(&self) {
        let diff = TextDiff::from_lines(&self.given, &self.said);
        let diff = diff.unified_diff().header("the tool", "ctxpin").to_string();
        for line in diff.lines() {
            println!("{}", line.chars().take(LINE_SHOWN_MAX).collect::<String>());
        }
        let [given, said] = [&self.given_skills, &self.said_skills].map(|list| borrowed(list));
        for change in TextDiff::from_slices(&given, &said).iter_all_changes() {
            let line: String = change.value().chars().take(LINE_SHOWN_MAX).collect();
            println!("skill {} {line}", change.tag());
        }
    }
}

impl<'a> Trial<'a> {
    /// Prepares comparisons of a tool. If `is_served`, a server of the tool answers, if the tool has one.
    ///
    /// # Errors
    ///
    /// Fails if the server does not start.
    pub async fn new(
        client: Client,
        version: &'a str,
        program: &'a Path,
        standin: &'a Standin,
        is_served: bool,
    ) -> anyhow::Result<Self> {
        let mut trial = Self {
            client,
            version,
            program,
            server: None,
            standin,
            counts: Counts::default(),
        };
        if is_served {
            trial.server = trial.serve().await?;
        }
        Ok(trial)
    }

    async fn serve(&self) -> anyhow::Result<Option<Server>> {
        let url = self.standin.url();
        let server = timeout(ANSWER_TIME_MAX, self.client.serve(self.program, &url)).await;
        server.context("the tool's server did not start")?
    }

    /// Compares both sides in the workspace of a seed. Prints what both say if they differ, or if `is_shown`. A tool
    /// whose answer differs is asked again, at most [`REPETITIONS_MAX`] times.
    ///
    /// # Errors
    ///
    /// Fails if the workspace cannot be made or scanned, or a server that gave no answer does not start anew.
    pub async fn run(&mut self, seed: u64, is_shown: bool) -> anyhow::Result<Outcome> {
        let mut workspace = generate::workspace(self.client, seed);
        self.client.age(&mut workspace, self.version);
        let directory = tempfile::tempdir_in(PLACE)?;
        let base = directory.path().canonicalize()?;
        workspace.make(&base, self.client.reads_backwards())?;
        if is_shown {
            workspace.print();
        }
        let found = self.scan(&base, &workspace)?;
        let effective = effective(&found.snapshot, &found.bodies);
        let said = Self::said(&base, &workspace, &found, &effective);
        let first = match self.given(&base, &workspace, self.server.as_ref()).await {
            Ok(given) => self.sides(&found, &effective, &said, &given),
            Err(error) => return self.unanswered(error).await,
        };
        self.counts.add(&workspace);
        if is_shown {
            println!("given by ctxpin's account: {:#?}", effective.given);
            println!("left out: {:#?}", effective.left_out);
        }
        if is_shown || !first.are_equal() {
            println!("the workspace {seed}:");
            first.print();
        }
        if first.are_equal() {
            return Ok(Outcome::Equal);
        }
        // Some tools look files up at the same time, and take them as they come. A server may remember what it found.
        for _ in 0..REPETITIONS_MAX {
            match self.given(&base, &workspace, None).await {
                Ok(given) if self.sides(&found, &effective, &said, &given).are_equal() => {
                    return Ok(Outcome::EqualAgain);
                }
                Ok(_) => {}
                Err(error) => return self.unanswered(error).await,
            }
        }
        Ok(Outcome::Different)
    }

    /// Forgets what the tool asked, and starts its server anew: what it still does belongs to no other workspace.
    async fn unanswered(&mut self, error: anyhow::Error) -> anyhow::Result<Outcome> {
        if self.server.take().is_some() {
            self.server = self.serve().await?;
        }
        self.standin.take()?;
        Ok(Outcome::Unanswered(error))
    }

    /// Returns what the tool gave and what ctxpin says, as far as they can be equal.
    fn sides(&self, found: &Scan, effective: &Effective, said: &Texts, given: &Texts) -> Sides {
        let unread = effective.left_out.iter();
        let unread = unread.filter(|file| file.reason.contains(GIVEN_UNREAD));
        let unread: Vec<_> = unread.map(|file| file.source.as_str()).collect();
        let listed = given.skills.as_deref().unwrap_or_default();
        let [said_skills, given_skills] = self.client.lists(found, effective, listed);
        let unread_skills = self.client.unread_skills(found);
        let [said, given] =
            [said, given].map(|texts| self.comparable(texts, &unread, &unread_skills));
        Sides {
            said,
            given,
            said_skills,
            given_skills,
        }
    }

    /// Returns both texts as one, without what cannot be equal.
    fn comparable(&self, texts: &Texts, unread: &[&str], unread_skills: &[String]) -> String {
        let due = self.client.comparable(&texts.due, unread);
        let is_read = |text: &&String| {
            let mut unread = unread.iter();
            !unread.any(|path| {
                let begins = [
                    format!("Contents of {path}:"),
                    format!("Instructions from: {path}\n"),
                ];
                begins.iter().any(|begin| text.starts_with(begin))
            })
        };
        // Beside a skill that ctxpin does not see, another one has its directory before the name.
        let is_seen = |text: &&String| {
            let line = text.strip_prefix("- ").unwrap_or_default();
            let name = line.split([' ', '\n']).next().unwrap_or_default();
            let name = name.trim_end_matches(':').rsplit(':').next();
            !unread_skills
                .iter()
                .any(|unread| Some(unread.as_str()) == name)
        };
        let on_demand = texts.on_demand.iter().filter(is_read).filter(is_seen);
        // An older version may write other blanks behind a text, and give again what every request holds.
        let is_newest = self.client.versions().first() == Some(&self.version);
        let is_new = |text: &&String| {
            let header = text.split(":\n").next().unwrap_or_default();
            is_newest || !texts.due.contains(&format!("{header} ("))
        };
        let on_demand = on_demand.filter(is_new).map(|text| match is_newest {
            true => text.as_str(),
            false => text.trim_end(),
        });
        let on_demand: Vec<_> = on_demand.collect();
        format!("{due}\n\n--- on demand ---\n\n{}", on_demand.join("\n\n"))
    }

    /// Scans as ctxpin does.
    fn scan(&self, base: &Path, workspace: &Workspace) -> anyhow::Result<Scan> {
        let (working, home) = (base.join(&workspace.working), base.join(HOME));
        let mut request = Request::project(working, home, Trust::of_process());
        request.profile = self.client.profile();
        request.user_roots = true;
        request.allowed = vec![base.to_owned()];
        Ok(scan(&request, &|| false)?)
    }

    /// Returns what ctxpin says of a scan.
    fn said(base: &Path, workspace: &Workspace, found: &Scan, effective: &Effective) -> Texts {
        let wanted = workspace.wanted.iter().flat_map(|wanted| {
            let wanted = base.join(wanted);
            on_demand(&found.snapshot, &found.bodies, &wanted.to_string_lossy())
        });
        Texts {
            due: effective.text.clone(),
            on_demand: wanted.map(|given| given.text).collect(),
            skills: None,
        }
    }

    /// Returns what the tool gives its model in its first request, and in the last one with the file that the
    /// model reads.
    async fn given(
        &self,
        base: &Path,
        workspace: &Workspace,
        server: Option<&Server>,
    ) -> anyhow::Result<Texts> {
        let working = base.join(&workspace.working);
        let wanted = workspace.wanted.as_ref().map(|wanted| base.join(wanted));
        match server {
            Some(server) => server.ask(base, &working, wanted.as_deref()).await?,
            None => self.start(base, &working, wanted.as_deref()).await?,
        }
        let requests = self.standin.take()?;
        let home = base.join(HOME);
        // A server knows the home under another path.
        let text = |text: &str| match server {
            None => text.to_owned(),
            Some(server) => {
                text.replace(&*server.home().to_string_lossy(), &home.to_string_lossy())
            }
        };
        let first = requests.first();
        let first = &first.context("the tool asked its model nothing")?.body;
        let last = requests.last();
        let on_demand = last.map(|last| self.client.on_demand(&last.body));
        let on_demand = on_demand.into_iter().flatten();
        let skills = self.client.skills(first);
        let skills = skills.map(|skills| skills.iter().map(|path| text(path)).collect());
        Ok(Texts {
            due: text(&self.client.instructions(first)),
            on_demand: on_demand.map(|given| text(&given)).collect(),
            skills,
        })
    }

    /// Starts the tool for one question.
    async fn start(
        &self,
        base: &Path,
        working: &Path,
        wanted: Option<&Path>,
    ) -> anyhow::Result<()> {
        let mut command = process::clean(self.program, working, &base.join(HOME));
        let url = self.standin.url();
        self.client.ask(&mut command, base, &url, wanted)?;
        process::answer(command, ANSWER_TIME_MAX).await?;
        Ok(())
    }
}

fn borrowed(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}
