//! A session whose record has 200 MB: the tool must go on as always, the hooks must not read what they need not, and what is
//! said of the turns must be true.

use std::fs::File;
use std::io::{BufWriter, Write as _};

use anyhow::Context as _;

use super::compare::{Asked, differences_of};
use super::place::{More, Place, write};
use super::prompts::revision;
use crate::client::From;
use crate::standin::READ;

/// The number of lines that are written into the record, each of a million bytes.
const LINES: usize = 200;

/// Runs the session, and returns each difference.
pub async fn differences(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let sessions = place.sessions;
    let client = sessions.client;
    if !client.writes_record() {
        return Ok(Vec::new());
    }
    let mut files = vec![revision(client.instruction_places(), 0)];
    write(&place.project(), &files[0])?;
    place.watch()?;
    let mut asked: Vec<Asked> = Vec::new();
    for _ in 0..3 {
        let from = asked
            .last()
            .map(|asked| From::Resume(asked.session.clone()));
        let question = format!("{READ}{}", place.notes());
        let id = place
            .ask(from.as_ref(), &question, &More::default())
            .await?;
        let received = sessions.standin.take()?;
        let new = Asked::new(client, &files, id, files.len() - 1, received);
        asked.push(new);
        if asked.len() == 1 {
            lengthen(place, &asked[0].session)?;
            files.push(revision(client.instruction_places(), files.len()));
            write(&place.project(), &files[files.len() - 1])?;
        }
    }
    differences_of(place, &files, &asked).await
}

/// Writes long lines into the record of a session, which mean nothing to its tool.
fn lengthen(place: &Place<'_>, session: &str) -> anyhow::Result<()> {
    let record = place.record(session)?;
    let record = File::options().append(true).open(record);
    let mut record = BufWriter::new(record.context("opening the record")?);
    let line = format!(
        "{{\"type\":\"padding\",\"text\":\"{}\"}}\n",
        "x".repeat(1_000_000)
    );
    for _ in 0..LINES {
        record.write_all(line.as_bytes())?;
    }
    record.flush()?;
    Ok(())
}
