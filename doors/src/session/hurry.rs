//! A machine that is busy: ten sessions at once, and a prompt whose hook ends before it has told anything.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::Value;

use super::compare::{Asked, differences_of, recorded};
use super::place::{ANSWER_TIME_MAX, More, Place, write};
use super::prompts::{SAY, revision};
use crate::client::{Client, From};
use crate::process;

/// How many sessions begin at once.
const SESSIONS: usize = 10;

/// The prompts to one session: whether the hook of each is there.
const STEPS: [bool; 3] = [true, false, true];

/// Runs the sessions, and returns each difference.
pub async fn differences(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let client = place.sessions.client;
    let files = vec![revision(client.instruction_places(), 0)];
    write(&place.project(), &files[0])?;
    place.watch()?;
    let mut asked = Vec::new();
    // Without its requests, nobody knows that there was a turn. The first prompt has opencode make its database: ten that
    // make it at once get into each other's way.
    let steps = match has_record(place) {
        true => &STEPS[..],
        false => &STEPS[..1],
    };
    for has_hook in steps {
        let hidden = match has_hook {
            true => None,
            false => Some(hide(place)?),
        };
        let from = asked.first();
        let from = from.map(|asked: &Asked| From::Resume(asked.session.clone()));
        let session = place.ask(from.as_ref(), SAY, &More::default()).await?;
        let received = place.sessions.standin.take()?;
        asked.push(Asked::new(client, &files, session, 0, received));
        if let Some((settings, text)) = hidden {
            fs::write(settings, text)?;
        }
    }
    let mut differences = differences_of(place, &files, &asked).await?;
    differences.extend(at_once(place).await?);
    Ok(differences)
}

/// Returns whether the tool keeps a record of its requests.
fn has_record(place: &Place<'_>) -> bool {
    let client = place.sessions.client;
    client.writes_record() && client.has_evidence(place.sessions.version)
}

/// Takes the hook of prompts out of the tool's settings. Returns their path and their text.
fn hide(place: &Place<'_>) -> anyhow::Result<(PathBuf, String)> {
    let settings = match place.sessions.client {
        Client::Codex => ".codex/hooks.json",
        Client::ClaudeCode | Client::Opencode => ".claude/settings.json",
    };
    let settings = place.base().join("home").join(settings);
    let text = fs::read_to_string(&settings)?;
    let mut hidden: Value = serde_json::from_str(&text)?;
    let hooks = hidden["hooks"].as_object_mut();
    hooks
        .and_then(|hooks| hooks.remove("UserPromptSubmit"))
        .context("prompts have no hook")?;
    fs::write(&settings, hidden.to_string())?;
    Ok((settings, text))
}

/// Begins all sessions at once, and returns which have no turn, or one that is not as pinned.
async fn at_once(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let (client, url) = (place.sessions.client, place.sessions.standin.url());
    let answers = (0..SESSIONS).map(|_| {
        let mut command = place.command_of_tool();
        client.go_on(&mut command, &url, SAY, None);
        tokio::spawn(process::answer(command, ANSWER_TIME_MAX))
    });
    let mut differences = Vec::new();
    for answer in answers.collect::<Vec<_>>() {
        let session = client.session(&answer.await??);
        let session = session.context("the tool names no session")?;
        // What opencode's plugin hands over may come behind the end of opencode.
        let is_needed = has_record(place);
        let turns = recorded(place, &session, &[is_needed]).await?;
        let verdicts = turns.iter().map(|turn| &turn["evidence"]["verdict"]);
        let is_so = |verdict: &Value| *verdict == "as-pinned" || !is_needed;
        if turns.len() != 1 || !verdicts.clone().all(is_so) {
            differences.push(format!("a session of {SESSIONS} has the turns {turns:?}"));
        }
    }
    place.sessions.standin.take()?;
    Ok(differences)
}
