//! Sessions in a container that begins with the process that watches and ends with the tool's answer. What the process has not
//! told the server by then, it must tell at its next start.

use std::process::Command;

use super::compare::{Asked, differences_of};
use super::halves::{Halves, WATCHES};
use super::place::{More, Place, write};
use super::prompts::revision;
use crate::client::From;
use crate::standin::READ;

/// What the first process of a container does. The kernel ends all others with it.
const FIRST: &str = r#"
ctxpin=$1 profile=$2 server=$3 token=$4 log=$5 words=$6
shift 6
"$ctxpin" agent run --profile "$profile" --server "$server" --token-file "$token" 2> "$log" > /dev/null &
until grep -qF "$words" "$log"; do sleep 0.05; done
"$@"
exit $?
"#;

/// The prompts, each in a container of its own: whether the files change before, and whether the first session goes on.
const STEPS: [(bool, bool); 4] = [(false, false), (true, true), (false, false), (true, true)];

/// Runs the sessions, and returns each difference.
pub async fn differences(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let sessions = place.sessions;
    let client = sessions.client;
    let mut files = vec![revision(client.instruction_places(), 0)];
    write(&place.project(), &files[0])?;
    let mut halves = Halves::begin(place).await?;
    let mut asked: Vec<Asked> = Vec::new();
    for (is_edited, goes_on) in STEPS {
        if is_edited {
            files.push(revision(client.instruction_places(), files.len()));
            write(&place.project(), &files[files.len() - 1])?;
        }
        let first = asked.first().filter(|_| goes_on);
        let from = first.map(|asked| From::Resume(asked.session.clone()));
        let question = format!("{READ}{}", place.notes());
        let contained = |command| contained(&halves, &command);
        let id = place
            .ask_by(contained, from.as_ref(), &question, &More::default())
            .await?;
        let received = sessions.standin.take()?;
        let new = Asked::new(client, &files, id, files.len() - 1, received);
        // What opencode's plugin hands over is kept in no file, and ends with the container.
        let may_be_lost = !client.writes_record();
        asked.push(Asked { may_be_lost, ..new });
    }
    halves.watch().await?;
    differences_of(place, &files, &asked).await
}

/// Returns the command that runs another one in a container with the process that watches.
fn contained(halves: &Halves<'_>, command: &Command) -> Command {
    let sessions = halves.place.sessions;
    let mut container = halves.place.command_of_container();
    container
        .args(["--user", "--map-current-user", "--pid", "--mount-proc"])
        .args(["--fork", "--kill-child", "--", "/bin/sh", "-c", FIRST, "sh"])
        .arg(sessions.ctxpin)
        .args([sessions.client.name(), &halves.url])
        .arg(&halves.token)
        .arg(halves.place.base().join("container.log"))
        .arg(WATCHES)
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => container.env(name, value),
            None => container.env_remove(name),
        };
    }
    container
}
