//! The guides in docs/guides, followed with the real tools: as a reader who copies one block after the other into a
//! shell, and compares what it prints.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use regex::Regex;
use similar::TextDiff;
use tokio::time::sleep;

use crate::client::Client;
use crate::process;
use crate::standin::Standin;

/// The longest run of a block. A loaded machine starts a tool slowly.
const BLOCK_TIME_MAX: Duration = Duration::from_secs(180);

/// The longest wait until a block prints what the guide says. A reader is slower than what a hook leaves to be done
/// behind its back.
const SHOWN_TIME_MAX: Duration = Duration::from_secs(30);

/// The pause between two tries.
const TRY_PAUSE: Duration = Duration::from_millis(500);

/// What begins the blocks that change nothing, so that they can be tried again.
const READING: [&str; 4] = [
    "ctxpin chat list",
    "ctxpin chat show",
    "ctxpin chat turns",
    "ctxpin exposure",
];

/// The guide of a tool, and what it is followed with.
pub struct Guide<'a> {
    pub client: Client,
    /// The program of the tool.
    pub program: &'a Path,
    /// The built ctxpin.
    pub ctxpin: &'a Path,
    pub standin: &'a Standin,
}

/// Commands that a reader copies, and what the guide says that they print.
#[derive(Debug, PartialEq, Eq)]
struct Block<'a> {
    commands: &'a str,
    shown: Option<&'a str>,
}

/// A clean home, in which the two programs are on the path.
struct Reader<'a> {
    guide: &'a Guide<'a>,
    base: PathBuf,
    _directory: tempfile::TempDir,
}

impl Guide<'_> {
    /// Follows the guide, and returns each difference.
    pub async fn follow(&self) -> anyhow::Result<Vec<String>> {
        let reader = Reader::new(self)?;
        let followed = reader.follow().await;
        let end = Block {
            commands: "ctxpin down",
            shown: None,
        };
        // A guide ends what it starts, if it was followed to its end.
        let _ = reader.run(&end).await;
        followed
    }
}

impl<'a> Reader<'a> {
    fn new(guide: &'a Guide<'a>) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let base = directory.path().canonicalize()?;
        let [home, programs] = ["home", "programs"].map(|name| base.join(name));
        fs::create_dir(&home)?;
        fs::create_dir(&programs)?;
        symlink(guide.ctxpin.canonicalize()?, programs.join("ctxpin"))?;
        symlink(
            guide.program.canonicalize()?,
            programs.join(guide.client.command()),
        )?;
        guide.client.settle_session(&home, &guide.standin.url())?;
        fs::write(base.join("working"), home.as_os_str().as_encoded_bytes())?;
        Ok(Self {
            guide,
            base,
            _directory: directory,
        })
    }

    async fn follow(&self) -> anyhow::Result<Vec<String>> {
        let client = self.guide.client;
        let blocks = blocks(client.guide());
        let mut differences = Vec::new();
        for block in &blocks {
            differences.extend(self.try_block(block).await?);
        }
        let count = blocks.len();
        println!("the guide of {}: {count} blocks", client.name());
        Ok(differences)
    }

    /// Runs a block, and returns how what it prints differs from the guide.
    async fn try_block(&self, block: &Block<'_>) -> anyhow::Result<Option<String>> {
        let is_reading = READING.iter().any(|read| block.commands.starts_with(read));
        let until = Instant::now() + SHOWN_TIME_MAX;
        loop {
            let printed = self.run(block).await;
            let printed = printed.with_context(|| block.commands.to_owned())?;
            let Some(shown) = block.shown else {
                return Ok(None);
            };
            let home = self.base.join("home");
            let home = home.to_str().context("the home is not UTF-8")?;
            let shown = comparable(shown)?;
            let printed = comparable(&printed.replace(home, "/home/you"))?;
            if shown == printed {
                return Ok(None);
            }
            if !is_reading || Instant::now() > until {
                let diff = TextDiff::from_lines(&shown, &printed);
                let diff = diff.unified_diff().header("guide", "printed").to_string();
                return Ok(Some(format!("{}\n{diff}", block.commands)));
            }
            sleep(TRY_PAUSE).await;
        }
    }

    /// Runs a block where the one before it ended, and returns what a terminal would show.
    async fn run(&self, block: &Block<'_>) -> anyhow::Result<String> {
        let home = self.base.join("home");
        let mut shell = process::clean(Path::new("/bin/bash"), &home, &home);
        let place = self.base.join("working");
        let script = format!(
            "exec 2>&1\ncd \"$(cat '{0}')\"\n{1}\npwd > '{0}'",
            place.display(),
            block.commands
        );
        let path = format!(
            "{}/programs:/usr/local/bin:/usr/bin:/bin",
            self.base.display()
        );
        shell
            .args(["-euo", "pipefail", "-c", &script])
            .env("PATH", path);
        let url = self.guide.standin.url();
        self.guide.client.reach(&mut shell, &url);
        process::answer(shell, BLOCK_TIME_MAX).await
    }
}

/// Returns the blocks of a page for a shell. A block of plain text behind one is what it prints.
fn blocks(page: &str) -> Vec<Block<'_>> {
    let rests = page.split("\n```sh\n").skip(1);
    let blocks = rests.filter_map(|rest| {
        let (commands, rest) = rest.split_once("\n```\n")?;
        let shown = rest.strip_prefix("\n```text\n");
        let shown = shown.and_then(|shown| Some(shown.split_once("\n```")?.0));
        Some(Block { commands, shown })
    });
    blocks.collect()
}

/// Returns a text without what differs between two readers: ids, hashes, times, ports, the length of a path in a
/// prompt, and the width of columns.
fn comparable(text: &str) -> anyhow::Result<String> {
    let words = Regex::new(concat!(
        r"(?<id>\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?:[0-9a-f]{64}|[0-9a-f]{12}|[0-9a-f]{8})\b",
        r"|\b(?:ses|msg)_[0-9A-Za-z]+\b)",
        r"|(?<time>\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC(?: \([^)]*\))?|\bjust now\b|\b\d+ (?:second|minute)s? ago\b)",
        r"|(?<port>\b127\.0\.0\.1:\d+\b)",
        r"|(?<size>\b\d+ B, about \d+ tokens\b)",
    ))?;
    let text = words.replace_all(text, |found: &regex::Captures<'_>| {
        let names = ["id", "time", "port", "size"];
        let name = names.into_iter().find(|name| found.name(name).is_some());
        name.unwrap_or_default().to_uppercase()
    });
    let lines = text.lines().map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.join(" ") + "\n"
    });
    let lines: String = lines.collect();
    Ok(lines.trim().to_owned() + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_text_behind_commands_is_what_they_print() {
        let page = "# Page\n\n```sh\none\n```\n\n```text\n1\n2\n```\n\nWords.\n\n```sh\ntwo\nthree\n```\n\nWords.\n\n```text\nno\n```\n";
        let shown = Some("1\n2");
        let [first, second] = ["one", "two\nthree"];
        let expected = [
            Block {
                commands: first,
                shown,
            },
            Block {
                commands: second,
                shown: None,
            },
        ];
        assert_eq!(blocks(page), expected);
    }

    #[test]
    fn what_differs_between_two_readers_is_not_compared() {
        let one = "ID        WHEN\n2262ee79  2026-11-28 11:06:46 UTC (2 seconds ago)  given\n";
        let other = "ID     WHEN\n123af3bf  2026-11-29 01:00:00 UTC (just now)  given";
        let [one, other] = [one, other].map(|text| comparable(text).unwrap());
        assert_eq!(one, other);
        assert_eq!(one, "ID WHEN\nID TIME given\n");
        assert_ne!(one, comparable("ID WHEN\nID TIME absent\n").unwrap());
    }

    #[test]
    fn every_tool_has_a_guide_that_installs_and_uninstalls() {
        for client in Client::ALL {
            let blocks = blocks(client.guide());
            for command in ["ctxpin hook install ", "ctxpin hook uninstall "] {
                let command = format!("{command}{}", client.name());
                let found = blocks
                    .iter()
                    .filter(|block| block.commands.contains(&command));
                assert_eq!(found.count(), 1, "{command}");
            }
            let shown = blocks.iter().filter(|block| block.shown.is_some());
            assert!(shown.count() > 4, "{}", client.name());
        }
    }
}
