//! A person at the terminal interface of a tool: opens it, gives prompts and orders, resumes and forks. A file changes
//! between each of these and the next prompt.

use std::time::Instant;

use anyhow::{Context as _, ensure};

use super::compare::{Asked, differences_of};
use super::place::{ANSWER_TIME_MAX, Files, Place, write};
use super::prompts::revision;
use super::search::Search;
use crate::client::Event;
use crate::standin::Received;
use crate::terminal::Terminal;

/// Plays the events with a prompt behind each, and returns each difference.
///
/// When a tool reads its files differs between events and versions. What its requests have is what it has read, and the
/// turn must be pinned to that.
pub async fn differences(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let client = place.sessions.client;
    client.settle_terminal(&place.base().join("home"), &place.project())?;
    place.watch()?;
    let mut files = Vec::new();
    let asked = play(place, &mut files).await;
    for arguments in client.interface().leave {
        // A version without such a command leaves nothing behind.
        place.command_of_tool().args(*arguments).output()?;
    }
    differences_of(place, &files, &asked?).await
}

/// Plays the events, and returns what the prompts were. Adds the files of the project, each time that they change.
async fn play(place: &Place<'_>, files: &mut Vec<Files>) -> anyhow::Result<Vec<Asked>> {
    let sessions = place.sessions;
    let client = sessions.client;
    let interface = client.interface();
    let mut asked = Vec::new();
    let mut terminal: Option<Terminal> = None;
    for event in interface.events {
        change(place, files, matches!(event, Event::Open(_)))?;
        match (event, &mut terminal) {
            (Event::Open(arguments), running) => {
                if let Some(running) = running.take() {
                    running.end(interface.end).await?;
                }
                let mut command = place.command_of_terminal();
                client.reach(&mut command, &sessions.standin.url());
                *running = Some(Terminal::open(command, sessions.program, arguments).await?);
            }
            (Event::Order(order), Some(terminal)) => terminal.enter(order).await?,
            (Event::Choose(order), Some(terminal)) => {
                terminal.enter(order).await?;
                terminal.enter("").await?;
            }
            (Event::Nothing, _) | (_, None) => {}
        }
        let terminal = terminal.as_mut().context("a tool is opened first")?;
        // What an order asks of the model is no turn.
        sessions.standin.take()?;
        change(place, files, false)?;
        let question = format!("Say something behind {event}.");
        let received = give(place, terminal, &question).await?;
        let session = client.session_of(&received[0]);
        let session = session.context("a request names no session")?;
        let search = Search { client, files };
        let read = match client.may_read_behind(event) {
            true => search.newest_shown(&received[0].body),
            false => search.newest(&received[0].body),
        };
        let read = read.with_context(|| format!("no file is given behind {event}"))?;
        println!("  behind {event}: the files {read} of {}", files.len() - 1);
        let mut new = Asked::new(client, files, session, read, received);
        // Without a call of a tool, nothing is read within a turn.
        for (pin, _) in &mut new.requests {
            *pin = read;
        }
        asked.push(new);
    }
    if let Some(terminal) = terminal {
        terminal.end(interface.end).await?;
    }
    Ok(asked)
}

/// Changes the instruction file, and with it the skill if the tool is about to open: Codex lists the skills when it is given
/// a first prompt, opencode those of its start.
fn change(place: &Place<'_>, files: &mut Vec<Files>, with_skill: bool) -> anyhow::Result<()> {
    let (file, skills) = place.sessions.client.instruction_places();
    let mut changed = revision((file, skills), files.len());
    if let Some(present) = files.last().filter(|_| !with_skill) {
        let skill = present.iter().filter(|(path, _)| *path != file);
        changed.extend(skill.map(|(path, text)| (path.clone(), text.clone())));
    }
    write(&place.project(), &changed)?;
    files.push(changed);
    Ok(())
}

/// Gives a prompt, and returns the requests with it. Others ask for a title and the like.
async fn give(
    place: &Place<'_>,
    terminal: &mut Terminal,
    question: &str,
) -> anyhow::Result<Vec<Received>> {
    let standin = place.sessions.standin;
    terminal.enter(question).await?;
    let began = Instant::now();
    let mut received = Vec::new();
    while received.is_empty() {
        ensure!(
            began.elapsed() < ANSWER_TIME_MAX,
            "the tool asks nothing: {}",
            terminal.text()
        );
        terminal.settle().await?;
        let is_answered = |received: &Received| {
            let tools = received.body["tools"].as_array();
            let said = place.sessions.client.said(&received.body);
            tools.is_some_and(|tools| !tools.is_empty())
                && said.iter().any(|said| said.text == question)
        };
        received.extend(standin.take()?.into_iter().filter(is_answered));
    }
    Ok(received)
}
