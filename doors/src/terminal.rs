//! A tool's terminal interface, as a person uses it. The terminal is that of `script`, which Debian always has.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use regex::Regex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

/// The interface has settled if it wrote nothing for so long.
const QUIET_TIME: Duration = Duration::from_millis(800);

/// The same when it opens: a tool shows its interface before it takes keys.
const OPENING_QUIET_TIME: Duration = Duration::from_secs(4);

/// The longest wait until it settles.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(60);

/// The longest wait until the tool ends.
const END_TIME_MAX: Duration = Duration::from_secs(30);

/// The longest wait until a tool shows what is typed.
const SHOWN_TIME_MAX: Duration = Duration::from_secs(10);

/// How often a line is typed.
const TYPED_MAX: usize = 6;

const ENTER: &[u8] = b"\r";
/// Ctrl-U, which empties a line in all of these tools.
const DELETE_LINE: &[u8] = b"\x15";

/// How much of the screen is told if something fails, in characters.
const TOLD_CHARACTERS: usize = 1_500;

/// What tools ask a terminal, and what it answers: where the cursor is, what it can do, and its two colours.
const ANSWERS: [(&[u8], &[u8]); 4] = [
    (b"\x1b[6n", b"\x1b[1;1R"),
    (b"\x1b[c", b"\x1b[?62;c"),
    (b"\x1b]10;?", b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\"),
    (b"\x1b]11;?", b"\x1b]11;rgb:0000/0000/0000\x1b\\"),
];

/// A running tool in a terminal. It ends with this value.
pub struct Terminal {
    process: Child,
    keys: Arc<Mutex<ChildStdin>>,
    /// Everything that the tool wrote.
    screen: watch::Receiver<Vec<u8>>,
}

impl Terminal {
    /// Starts a tool, and waits until its interface has settled. `command` is `script`, in the tool's directory and with
    /// its environment.
    pub async fn open(
        mut command: Command,
        program: &Path,
        arguments: &[&str],
    ) -> anyhow::Result<Self> {
        let quoted = |word: &str| format!("'{}'", word.replace('\'', r"'\''"));
        let program = program.to_string_lossy();
        let words = std::iter::once(&*program).chain(arguments.iter().copied());
        let words: Vec<_> = words.map(quoted).collect();
        let line = format!("stty rows 40 cols 120; exec {}", words.join(" "));
        command
            .env("TERM", "xterm-256color")
            .args(["-qefc", &line, "/dev/null"]);
        let mut process = tokio::process::Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("starting script")?;
        let keys = process.stdin.take().context("its input is a pipe")?;
        let keys = Arc::new(Mutex::new(keys));
        let output = process.stdout.take().context("its output is a pipe")?;
        let (written, screen) = watch::channel(Vec::new());
        tokio::spawn(show(output, written, Arc::clone(&keys)));
        let mut opened = Self {
            process,
            keys,
            screen,
        };
        let is_drawn = |screen: &Vec<u8>| !screen.is_empty();
        let drawn = timeout(SETTLE_TIME_MAX, opened.screen.wait_for(is_drawn)).await;
        let drawn = drawn.map(|drawn| drawn.map(drop));
        drawn.context("the tool shows nothing")??;
        opened.quiet(OPENING_QUIET_TIME).await?;
        Ok(opened)
    }

    /// Types a line, and presses Enter once the tool shows it. Waits until the interface has settled.
    pub async fn enter(&mut self, line: &str) -> anyhow::Result<()> {
        self.type_in(line).await?;
        self.press(ENTER).await?;
        self.settle().await
    }

    /// Types a line. A tool that shows its interface may not take keys yet, so a line that it does not show is typed again.
    async fn type_in(&mut self, line: &str) -> anyhow::Result<()> {
        for _ in 0..TYPED_MAX {
            let before = self.screen.borrow().len();
            self.press(line.as_bytes()).await?;
            let is_shown = |screen: &Vec<u8>| {
                let shown = without_blanks(&words(&screen[before..]));
                shown.contains(&without_blanks(line))
            };
            let shown = timeout(SHOWN_TIME_MAX, self.screen.wait_for(is_shown)).await;
            if let Ok(shown) = shown.map(|shown| shown.map(drop)) {
                shown.context("the tool has ended")?;
                return self.settle().await;
            }
            self.press(DELETE_LINE).await?;
            self.settle().await?;
        }
        bail!("the tool does not show what is typed: {}", self.text());
    }

    async fn press(&self, keys: &[u8]) -> anyhow::Result<()> {
        let mut input = self.keys.lock().await;
        input.write_all(keys).await?;
        Ok(input.flush().await?)
    }

    /// Waits until the tool has written nothing for a while.
    pub async fn settle(&mut self) -> anyhow::Result<()> {
        self.quiet(QUIET_TIME).await
    }

    async fn quiet(&mut self, time: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        while let Ok(changed) = timeout(time, self.screen.changed()).await {
            changed.with_context(|| format!("the tool has ended: {}", self.text()))?;
            if began.elapsed() > SETTLE_TIME_MAX {
                bail!("the tool does not settle: {}", self.text());
            }
        }
        Ok(())
    }

    /// Gives the order to end, and waits for it.
    pub async fn end(mut self, order: &str) -> anyhow::Result<()> {
        self.type_in(order).await?;
        self.press(ENTER).await?;
        let ended = timeout(END_TIME_MAX, self.process.wait()).await;
        ended.with_context(|| format!("the tool does not end: {}", self.text()))??;
        Ok(())
    }

    /// Returns the last words that the tool wrote.
    pub fn text(&self) -> String {
        let text = words(&self.screen.borrow());
        let skipped = text.chars().count().saturating_sub(TOLD_CHARACTERS);
        text.chars().skip(skipped).collect()
    }
}

/// Returns what a tool wrote without the controls of the terminal.
fn words(written: &[u8]) -> String {
    static CONTROLS: LazyLock<Regex> = LazyLock::new(|| {
        let title = r"\x1b\][^\x07\x1b]*(\x07|\x1b\\)";
        let sequence = r"\x1b\[[0-9:;?<>=$]*[a-zA-Z]";
        let controls = format!("{title}|{sequence}|\\x1b.|[[:cntrl:] ]+");
        Regex::new(&controls).expect("the expression is valid")
    });
    let written = String::from_utf8_lossy(written);
    CONTROLS.replace_all(&written, " ").into_owned()
}

fn without_blanks(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Shows what the tool writes, and answers what it asks of a terminal.
async fn show(
    mut output: ChildStdout,
    written: watch::Sender<Vec<u8>>,
    keys: Arc<Mutex<ChildStdin>>,
) {
    let mut buffer = [0; 16_384];
    let mut asked = [0; ANSWERS.len()];
    while let Ok(length @ 1..) = output.read(&mut buffer).await {
        written.send_modify(|screen| screen.extend_from_slice(&buffer[..length]));
        for (asked, (question, answer)) in asked.iter_mut().zip(ANSWERS) {
            let times = count(&written.borrow(), question);
            for _ in *asked..times {
                // A tool that has ended takes no answer.
                let _ = keys.lock().await.write_all(answer).await;
            }
            *asked = times;
        }
    }
}

fn count(text: &[u8], part: &[u8]) -> usize {
    text.windows(part.len())
        .filter(|window| *window == part)
        .count()
}
