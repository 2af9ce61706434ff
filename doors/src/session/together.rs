//! Several prompts to one process of a tool, which reads its files at its start, and again if it compacts or clears the
//! session.

use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::compare::{Asked, differences_of};
use super::place::{ANSWER_TIME_MAX, Place, write};
use super::prompts::{SAY, revision};

/// The prompts, whether the files change before each, and the number of the files that the tool has read for it.
const STEPS: [(&str, bool, usize); 6] = [
    (SAY, false, 0),
    (SAY, true, 0),
    (COMPACT, false, 0),
    (SAY, false, 1),
    (CLEAR, true, 2),
    (SAY, false, 2),
];

const COMPACT: &str = "/compact";
const CLEAR: &str = "/clear";

/// Gives the prompts, and returns each difference. Only Claude Code takes them from a program.
pub async fn differences(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let sessions = place.sessions;
    let client = sessions.client;
    let mut command = place.command_of_tool();
    if !client.converse(&mut command, &sessions.standin.url()) {
        return Ok(Vec::new());
    }
    place.watch()?;
    let mut files = vec![revision(client.instruction_places(), 0)];
    write(&place.project(), &files[0])?;
    let mut process = Process::start(command)?;
    let mut asked = Vec::new();
    for (question, is_edited, read) in STEPS {
        if is_edited {
            files.push(revision(client.instruction_places(), files.len()));
            write(&place.project(), &files[files.len() - 1])?;
        }
        let session = process.ask(question).await?;
        let received = sessions.standin.take()?;
        let is_turn = question == SAY;
        let new = Asked::new(client, &files[..=read], session, read, received);
        asked.push(Asked { is_turn, ..new });
    }
    process.end().await?;
    differences_of(place, &files, &asked).await
}

/// A process that takes prompts as lines of JSON.
pub struct Process {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts the tool with a command.
    pub fn start(command: Command) -> anyhow::Result<Self> {
        let mut process = tokio::process::Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let input = process.stdin.take().context("its input is a pipe")?;
        let output = process.stdout.take().context("its output is a pipe")?;
        Ok(Self {
            process,
            input,
            output: BufReader::new(output).lines(),
        })
    }

    /// Gives a prompt, and returns the session that answers.
    pub async fn ask(&mut self, question: &str) -> anyhow::Result<String> {
        let content = json!([{ "type": "text", "text": question }]);
        let prompt = json!({ "type": "user", "message": { "role": "user", "content": content } });
        self.input
            .write_all(format!("{prompt}\n").as_bytes())
            .await?;
        self.input.flush().await?;
        self.answer().await
    }

    /// Waits for the next answer, and returns the session that gives it.
    pub async fn answer(&mut self) -> anyhow::Result<String> {
        let answer = timeout(ANSWER_TIME_MAX, self.result()).await;
        answer.context("the tool does not answer")?
    }

    async fn result(&mut self) -> anyhow::Result<String> {
        loop {
            let line = self.output.next_line().await?;
            let line: Value = serde_json::from_str(&line.context("the tool has ended")?)?;
            if line["type"] == "result" {
                let session = line["session_id"].as_str();
                return Ok(session.context("the tool names no session")?.to_owned());
            }
        }
    }

    /// Ends the tool, and waits for that.
    pub async fn end(self) -> anyhow::Result<()> {
        let Self {
            mut process, input, ..
        } = self;
        drop(input);
        let ended = timeout(ANSWER_TIME_MAX, process.wait()).await;
        ended.context("the tool does not end")??;
        Ok(())
    }
}
