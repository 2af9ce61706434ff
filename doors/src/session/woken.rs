//! Work that goes on behind a turn, a subagent's or a command's: its end wakes the session, and the requests that follow
//! belong to the turn, whose evidence was handed in before.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use super::compare::{Asked, differences_of, recorded};
use super::place::{Place, write};
use super::prompts::revision;
use super::together::Process;
use crate::standin::{DELEGATE_BEHIND, READ, RUN, RUN_BEHIND};

/// The longest wait for the evidence of the requests behind a turn.
const ADDED_TIME_MAX: Duration = Duration::from_secs(30);

/// The pause between two looks at it.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// Starts work behind turns, and edits a file before it ends. Returns each difference. Only Claude Code wakes a session.
pub async fn differences(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let sessions = place.sessions;
    let client = sessions.client;
    let mut command = place.command_of_tool();
    let wakes = client.converse(&mut command, &sessions.standin.url());
    if !wakes || !client.has_evidence(sessions.version) {
        return Ok(Vec::new());
    }
    command.args(["--allowedTools", "Bash"]);
    place.watch()?;
    let mut files = vec![revision(client.instruction_places(), 0)];
    write(&place.project(), &files[0])?;
    let mut process = Process::start(command)?;
    let (mut asked, mut differences) = (Vec::new(), Vec::new());
    for (number, work) in [DELEGATE_BEHIND, RUN_BEHIND].into_iter().enumerate() {
        let sign = place.base().join(format!("sign-{number}"));
        let awaited = format!("until [ -e '{}' ]; do sleep 0.1; done", sign.display());
        let question = match work {
            RUN_BEHIND => format!("{work}{awaited}"),
            _ => format!("{work}{RUN}{awaited}"),
        };
        let session = process.ask(&question).await?;
        recorded(place, &session, &vec![true; number + 1]).await?;
        files.push(revision(client.instruction_places(), files.len()));
        write(&place.project(), &files[files.len() - 1])?;
        fs::write(&sign, "")?;
        process.answer().await?;
        let received = sessions.standin.take()?;
        let new = Asked::new(client, &files[..=0], session.clone(), 0, received);
        differences.extend(added(place, &session, number, new.requests.len()).await?);
        asked.push(new);
    }
    // The prompt behind it is a turn of its own.
    let session = process.ask(&format!("{READ}{}", place.notes())).await?;
    let received = sessions.standin.take()?;
    asked.push(Asked::new(client, &files[..=0], session, 0, received));
    process.end().await?;
    differences.extend(differences_of(place, &files, &asked).await?);
    Ok(differences)
}

/// Waits for the evidence of so many requests of a turn, and returns what is missing.
async fn added(
    place: &Place<'_>,
    session: &str,
    number: usize,
    requests: usize,
) -> anyhow::Result<Option<String>> {
    let until = Instant::now() + ADDED_TIME_MAX;
    loop {
        let turns = place.turns(session)?;
        let rows = turns.get(number).map(|turn| &turn["findings"]["rows"]);
        let rows = rows.and_then(Value::as_array).into_iter().flatten();
        let count: u64 = rows.filter_map(|row| row["requests"].as_u64()).sum();
        if count == requests as u64 {
            return Ok(None);
        }
        if Instant::now() > until {
            let turn = number + 1;
            return Ok(Some(format!(
                "the evidence of the turn {turn} has {count} of its {requests} requests"
            )));
        }
        sleep(LOOK_PAUSE).await;
    }
}
