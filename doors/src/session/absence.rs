//! Sessions while there is no server, while it hangs, and while the process that watches hangs and is killed before it has
//! read what they wrote down. The tool must go on and answer as always, and once everything is there again, the turns and
//! their evidence must be as if nothing had happened.

use anyhow::Context as _;

use super::compare::{Asked, differences_of};
use super::halves::Halves;
use super::place::{More, Place, write};
use super::prompts::revision;
use super::speed::signal;
use crate::client::From;
use crate::standin::READ;

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

/// Runs the sessions, and returns each difference.
pub async fn differences(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let sessions = place.sessions;
    let client = sessions.client;
    let mut files = vec![revision(client.instruction_places(), 0)];
    write(&place.project(), &files[0])?;
    let mut halves = Halves::begin(place).await?;
    halves.watch().await?;
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
        miss(&mut halves, missing)?;
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
        complete(&mut halves, missing).await?;
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

/// Takes something away.
fn miss(halves: &mut Halves<'_>, missing: Missing) -> anyhow::Result<()> {
    match missing {
        Missing::Nothing => Ok(()),
        Missing::Answers => {
            let server = halves.server.as_ref().context("it was started")?;
            server.signal("-STOP")
        }
        Missing::Server => {
            halves.server = None;
            Ok(())
        }
        Missing::Watcher => {
            let pid = halves.watcher.as_ref().context("it was started")?.pid();
            let hangs = move || signal(&pid, "-STOP");
            halves.place.sessions.standin.meanwhile(hangs)
        }
    }
}

/// Brings back what was missing.
async fn complete(halves: &mut Halves<'_>, missing: Missing) -> anyhow::Result<()> {
    match missing {
        Missing::Nothing => Ok(()),
        Missing::Answers => {
            let server = halves.server.as_ref().context("it was started")?;
            server.signal("-CONT")
        }
        Missing::Server => halves.serve().await,
        Missing::Watcher => {
            halves.watcher = None;
            halves.watch().await
        }
    }
}
