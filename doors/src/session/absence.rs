//! Sessions while there is no server, while it hangs, and while the process that watches hangs and is killed before it has
//! read what they wrote down. The tool must go on and answer as always, and once everything is there again, the turns and
//! their evidence must be as if nothing had happened.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::time::sleep;

use super::compare::{Asked, differences_of};
use super::place::{More, Place, write};
use super::prompts::revision;
use super::speed::signal;
use crate::client::From;
use crate::standin::READ;

/// The longest wait for a process of ctxpin to be ready.
const READY_TIME_MAX: Duration = Duration::from_secs(60);

/// The pause between two looks at what a process says.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// What is missing while a prompt is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Nothing,
    /// The server takes connections and says nothing.
    Answers,
    Server,
    /// The process that watches hangs from the tool's first request on, and is then killed.
    Watcher,
}

/// The prompts: what is missing, and whether the files change before.
const STEPS: [(Missing, bool); 7] = [
    (Missing::Nothing, false),
    (Missing::Answers, true),
    (Missing::Nothing, false),
    (Missing::Server, true),
    (Missing::Nothing, false),
    (Missing::Watcher, false),
    (Missing::Nothing, true),
];

/// A process of ctxpin that ends with this value.
struct Running {
    process: Child,
    log: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Running {
    /// Starts a process, and waits until it says some words. `number` tells its log from others.
    async fn start(
        place: &Place<'_>,
        number: usize,
        arguments: &[&str],
        words: &str,
    ) -> anyhow::Result<Self> {
        let log = place.base().join(format!("{}-{number}.log", arguments[0]));
        let mut command = place.command_of_ctxpin();
        command
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(File::create(&log)?);
        let running = Self {
            process: command.spawn()?,
            log,
        };
        let until = Instant::now() + READY_TIME_MAX;
        while !running.said()?.contains(words) {
            if Instant::now() > until {
                bail!("ctxpin {arguments:?} is not ready: {}", running.said()?);
            }
            sleep(LOOK_PAUSE).await;
        }
        Ok(running)
    }

    fn said(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(&self.log)?)
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        signal(&self.process.id().to_string(), name)
    }
}

/// A server and an agent, each in a process of its own.
struct Halves<'p> {
    place: &'p Place<'p>,
    url: String,
    token: PathBuf,
    server: Option<Running>,
    watcher: Option<Running>,
    /// How many processes were started.
    started: usize,
}

/// Runs the sessions, and returns each difference.
pub async fn differences(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let sessions = place.sessions;
    let client = sessions.client;
    let mut files = vec![revision(client.instruction_places(), 0)];
    write(&place.project(), &files[0])?;
    let mut halves = Halves::start(place).await?;
    let mut asked = Vec::new();
    let mut differences = Vec::new();
    let mut session: Option<String> = None;
    for (number, (missing, is_edited)) in STEPS.into_iter().enumerate() {
        if is_edited {
            files.push(revision(client.instruction_places(), files.len()));
            write(&place.project(), &files[files.len() - 1])?;
        }
        if missing == Missing::Watcher {
            // What it has not told the server yet ends with it.
            differences.extend(differences_of(place, &files, &asked).await?);
        }
        halves.miss(missing)?;
        // One session goes on through most steps, and two others begin without a server and behind that.
        let from = session.clone().filter(|_| !(3..=4).contains(&number));
        let from = from.map(From::Resume);
        let question = format!("{READ}{}", place.notes());
        let id = place
            .ask(from.as_ref(), &question, &More::default())
            .await?;
        session.get_or_insert(id.clone());
        let received = sessions.standin.take()?;
        let new = Asked::new(client, &files, id, files.len() - 1, received);
        // What opencode's plugin hands over is kept in no file, and it may end before its plugin has done so.
        let may_be_lost = missing != Missing::Nothing && !client.writes_record();
        asked.push(Asked { may_be_lost, ..new });
        halves.complete(missing).await?;
    }
    differences.extend(differences_of(place, &files, &asked).await?);
    halves.server = None;
    let hook = place.hook()?;
    let told = ["SessionStart", "UserPromptSubmit"].map(|event| place.call(&hook, event, 0));
    let is_told = told.map(|told| told.map(|(_, said)| said.contains("does not respond yet")));
    let [start, prompt] = is_told;
    if !start? || prompt? {
        differences.push("the person is not told once that the server does not respond".to_owned());
    }
    Ok(differences)
}

impl<'p> Halves<'p> {
    async fn start(place: &'p Place<'p>) -> anyhow::Result<Self> {
        let name = place.sessions.client.name();
        let mut halves = Self {
            place,
            url: "http://127.0.0.1:0".to_owned(),
            token: place.base().join("agent-token"),
            server: None,
            watcher: None,
            started: 0,
        };
        halves.serve().await?;
        let said = halves.server.as_ref().context("it was started")?.said()?;
        let mut lines = said.lines();
        let url = lines.find_map(|line| line.strip_prefix("serving "));
        halves.url = url.context("the server names no address")?.to_owned();
        let admin = place.base().join("server/admin-token");
        place.ask_server(&halves.url, &admin)?;
        let token = halves.token.to_string_lossy();
        let create = [
            "agent",
            "create",
            "--workspace",
            "project",
            "--profile",
            name,
        ];
        place.ctxpin_of_server(&[&create[..], &["--write-token", &token]].concat())?;
        halves.watch().await?;
        place.install()?;
        Ok(halves)
    }

    /// Starts the server, at the same address each time.
    async fn serve(&mut self) -> anyhow::Result<()> {
        let data = self.place.base().join("server");
        let listen = self.url.trim_start_matches("http://");
        let data = data.to_string_lossy();
        let serve = ["serve", "--listen", listen, "--data-dir", &data];
        // The server answers only after it has written the token.
        self.started += 1;
        let words = "/api/v1/openapi.json";
        let running = Running::start(self.place, self.started, &serve, words);
        self.server = Some(running.await?);
        Ok(())
    }

    /// Starts the process that watches.
    async fn watch(&mut self) -> anyhow::Result<()> {
        let name = self.place.sessions.client.name();
        let token = self.token.to_string_lossy();
        let run = ["agent", "run", "--profile", name, "--server", &self.url];
        let run = [&run[..], &["--token-file", &token]].concat();
        self.started += 1;
        let running = Running::start(self.place, self.started, &run, " is open; ");
        self.watcher = Some(running.await?);
        Ok(())
    }

    /// Takes something away.
    fn miss(&mut self, missing: Missing) -> anyhow::Result<()> {
        match missing {
            Missing::Nothing => {}
            Missing::Answers => self
                .server
                .as_ref()
                .context("it was started")?
                .signal("-STOP")?,
            Missing::Server => self.server = None,
            Missing::Watcher => {
                let watcher = self.watcher.as_ref().context("it was started")?;
                let pid = watcher.process.id().to_string();
                let hangs = move || signal(&pid, "-STOP");
                self.place.sessions.standin.meanwhile(hangs)?;
            }
        }
        Ok(())
    }

    /// Brings back what was missing.
    async fn complete(&mut self, missing: Missing) -> anyhow::Result<()> {
        match missing {
            Missing::Nothing => Ok(()),
            Missing::Answers => self
                .server
                .as_ref()
                .context("it was started")?
                .signal("-CONT"),
            Missing::Server => self.serve().await,
            Missing::Watcher => {
                self.watcher = None;
                self.watch().await
            }
        }
    }
}
