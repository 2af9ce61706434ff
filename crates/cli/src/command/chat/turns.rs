//! `ctxpin chat turns`.

use chrono::{DateTime, Utc};
use clap::Args;
use ctxpin_model::evidence::Gap;
use ctxpin_model::id::ChatId;
use ctxpin_protocol::http::evidence::{Findings, LastVerdict, ResourceResult, TurnEvidence};
use ctxpin_protocol::http::turns::TurnGiven;

use crate::chat_choice::{self, ChatOption};
use crate::command::{Output, PageArguments, absent, say_next};
use crate::connect::Connected;
use crate::say::{self, Failure, Hint, NextCommand, Table};

/// List the turns of a chat, newest first, or show what one of them gave to the model
#[derive(Debug, Args)]
pub struct Turns {
    /// The number of the turn to show [default: list them]
    number: Option<i64>,
    #[command(flatten)]
    chat: ChatOption,
    /// Print the prompt that the turn was given, byte for byte
    #[arg(long, requires = "number", conflicts_with = "json")]
    prompt: bool,
    #[command(flatten)]
    page: PageArguments,
    #[command(flatten)]
    output: Output,
}

impl Turns {
    /// Lists the turns, or shows one.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat or turn, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<(), Failure> {
        let client = &connected.client;
        let chat = chat_choice::chat(connected, self.chat.named()).await?;
        let Some(number) = self.number else {
            return self.list(connected, chat).await;
        };
        let hint = Hint::run(NextCommand::ChatTurns, "lists the turns of the chat");
        if self.prompt {
            let prompt = client.turn_prompt(chat, number).await;
            return say::print_bytes(&prompt.map_err(|error| absent(error, hint))?);
        }
        let turn = client.turn(chat, number).await;
        let turn = turn.map_err(|error| absent(error, hint))?;
        match self.output.json {
            true => say::print_json(&turn),
            false => {
                let heading = say::paint(say::BOLD, &format!("turn {number}"));
                say::print(&format!("{heading}\n{}", facts(&turn, say::now())))
            }
        }
    }

    async fn list(self, connected: &Connected, chat: ChatId) -> Result<(), Failure> {
        let page = connected.client.turns(chat, &self.page.query()).await?;
        if self.output.json {
            return say::print_json(&page);
        }
        if page.items.is_empty() {
            say::note("the chat has no turns yet");
            return Ok(());
        }
        let now = say::now();
        let mut table = Table::new(&["#", "when", "delivery", "snapshot", "evidence", "reference"]);
        for turn in &page.items {
            table.row([
                turn.number.to_string(),
                say::since(turn.started_at, now),
                turn.delivery.clone(),
                turn.snapshot
                    .as_deref()
                    .map_or("none".to_owned(), say::hash),
                turn.evidence.as_ref().map_or("none".to_owned(), |turn| {
                    format!("{}{}", evidence(turn), version(turn))
                }),
                turn.reference.clone().unwrap_or_default(),
            ]);
        }
        say::print(&table.text())?;
        say_next(page.next.as_deref());
        Ok(())
    }
}

/// Returns the facts of a turn for people.
fn facts(given: &TurnGiven, now: DateTime<Utc>) -> String {
    let turn = &given.turn;
    let mut facts = vec![
        ("began", say::since(turn.started_at, now)),
        ("delivery", turn.delivery.clone()),
    ];
    if let Some(reference) = &turn.reference {
        facts.push(("reference", say::line(reference).into_owned()));
    }
    let pinned = turn.snapshot.as_deref().map(say::hash);
    let pinned = match (pinned, turn.believed_snapshot.as_deref()) {
        (Some(pinned), Some(believed)) => format!(
            "{pinned}, as its evidence shows; it began with {}, unconfirmed",
            say::hash(believed)
        ),
        (Some(pinned), None) => pinned,
        (None, _) => "no, so the prompt was empty".to_owned(),
    };
    facts.push(("pinned", pinned));
    if let (Some(hash), Some(size), Some(tokens), Some(renderer)) = (
        &turn.prompt_hash,
        given.prompt_size_bytes,
        given.prompt_tokens,
        given.renderer,
    ) {
        let prompt = format!(
            "{}, {}, about {tokens} tokens, renderer {renderer}",
            say::hash(hash),
            say::size(size)
        );
        facts.push(("prompt", prompt));
    }
    let listed = |names: Vec<&str>| match names[..] {
        [] => "none".to_owned(),
        _ => say::line(&names.join(", ")).into_owned(),
    };
    if let Some(skills) = &given.skills {
        let names = skills.iter().map(|skill| skill.name.as_str());
        facts.push(("skills", listed(names.collect())));
    }
    if let Some(tools) = &given.tools {
        let names = tools.iter().map(|tool| tool.name.as_str());
        facts.push(("tools", listed(names.collect())));
    }
    if let Some(turn) = &turn.evidence {
        let requests = match turn.requests {
            1 => "1 request".to_owned(),
            many => format!("{many} requests"),
        };
        let fact = format!("{}, {requests}{}", evidence(turn), version(turn));
        facts.push(("evidence", fact));
    }
    if let Some(findings) = &given.findings {
        if let Some(number) = findings.first_different {
            facts.push((
                "differs",
                format!("first in request {number} of the record"),
            ));
        }
        if !findings.gaps.is_empty() {
            facts.push(("incomplete", incomplete(&findings.gaps)));
        }
    }
    let lines = facts.into_iter();
    let lines = lines.map(|(name, fact)| format!("  {name:11}{fact}\n"));
    let found = given.findings.as_ref().map(found);
    lines.chain(found).collect()
}

/// Returns why a record is incomplete, and what to do. A gap of a newer release stands as the API names it.
fn incomplete(gaps: &[String]) -> String {
    let known: Vec<_> = gaps.iter().filter_map(|gap| gap.parse().ok()).collect();
    let words = |name: &String| {
        let known: Result<Gap, _> = name.parse();
        known.map_or_else(
            |_| say::line(name).into_owned(),
            |gap| gap.words().to_owned(),
        )
    };
    let words: Vec<_> = gaps.iter().map(words).collect();
    format!("{}. {}", words.join("; "), Gap::advice(&known))
}

/// Returns a verdict with its witness.
pub(super) fn evidence(evidence: &TurnEvidence) -> String {
    said(&evidence.verdict, &evidence.witness)
}

/// Returns the version of the client behind a verdict, if it is known.
fn version(evidence: &TurnEvidence) -> String {
    let version = evidence.client_version.as_ref();
    let version = version.map(|version| format!(", version {}", say::line(version)));
    version.unwrap_or_default()
}

/// Returns the last verdict of a chat with its witness.
pub(super) fn last_verdict(last: &LastVerdict) -> String {
    said(&last.verdict, &last.witness)
}

fn said(verdict: &str, witness: &str) -> String {
    format!("{verdict} (says the {witness})")
}

/// Returns what the evidence says of each resource, the worst first.
fn found(findings: &Findings) -> String {
    let mut text = String::new();
    if !findings.resources.is_empty() {
        let mut table = Table::new(&["outcome", "kind", "size", "request", "source"]);
        for result in &findings.resources {
            table.row([
                outcome(result),
                result.kind.clone().unwrap_or_default(),
                size(result).map(say::size).unwrap_or_default(),
                result.request.to_string(),
                result
                    .path
                    .clone()
                    .unwrap_or_else(|| "(no path)".to_owned()),
            ]);
        }
        text += &format!("\n{}", table.text());
    }
    if !findings.complete {
        text += "\nThese are not all resources: the evidence leaves some out.\n";
    }
    text
}

/// Returns the size of what was given, if the row has it.
fn size(result: &ResourceResult) -> Option<u64> {
    let foreign = result.foreign.as_ref();
    foreign
        .map(|foreign| foreign.size_bytes)
        .or(result.size_bytes)
}

fn outcome(result: &ResourceResult) -> String {
    match (result.given_bytes, result.within) {
        (Some(bytes), _) if ["given-up-to", "shortened"].contains(&&*result.outcome) => {
            format!("{} {bytes} bytes", result.outcome)
        }
        (Some(bytes), _) => format!("{}, {bytes} bytes of it", result.outcome),
        (None, true) => format!("{}, within another text", result.outcome),
        (None, false) => result.outcome.clone(),
    }
}

#[cfg(test)]
mod tests {
    use ctxpin_protocol::http::evidence::ForeignText;
    use ctxpin_protocol::http::skills::SkillEntry;
    use ctxpin_protocol::http::turns::Turn;

    use super::*;

    #[test]
    fn a_turn_says_what_it_gave() {
        let began = DateTime::UNIX_EPOCH;
        let turn = Turn {
            number: 7,
            snapshot: Some(format!("sha256:{}", "a".repeat(64))),
            believed_snapshot: None,
            pin_seq: Some(3),
            prompt_hash: Some(format!("sha256:{}", "b".repeat(64))),
            tools_snapshot: None,
            delivery: "delivered".to_owned(),
            reference: Some("message-7\u{1b}".to_owned()),
            started_at: began,
            evidence: None,
        };
        let skill = |name: &str| SkillEntry {
            name: name.to_owned(),
            description: String::new(),
            source: String::new(),
            content_hash: String::new(),
        };
        let given = TurnGiven {
            turn,
            prompt_size_bytes: Some(2_252),
            prompt_tokens: Some(563),
            renderer: Some(2),
            skills: Some(vec![skill("pdf"), skill("triage")]),
            tools: Some(Vec::new()),
            findings: None,
        };
        let expected = "  began      1970-01-01 00:00:00 UTC (just now)\n  delivery   delivered\n  reference  message-7\\u{1b}\n  \
             pinned     aaaaaaaaaaaa\n  prompt     bbbbbbbbbbbb, 2.2 KiB, about 563 tokens, renderer 2\n  \
             skills     pdf, triage\n  tools      none\n";
        assert_eq!(facts(&given, began), expected);
        let mut proved = given.clone();
        proved.turn.evidence = Some(TurnEvidence {
            verdict: "deviates".to_owned(),
            witness: "client".to_owned(),
            requests: 3,
            client_version: Some("2.1.332\u{1b}".to_owned()),
        });
        let result = |outcome: &str, path: &str| ResourceResult {
            path: Some(path.to_owned()),
            kind: Some("instruction_file".to_owned()),
            content_hash: None,
            outcome: outcome.to_owned(),
            given_bytes: (outcome == "given-up-to").then_some(32_768),
            size_bytes: (outcome == "given-up-to").then_some(32_770),
            body: None,
            within: outcome == "absent",
            request: 2,
            place: None,
            foreign: (outcome == "foreign").then(|| ForeignText {
                size_bytes: 2_252,
                names: [String::new(), String::new()],
            }),
        };
        proved.findings = Some(Findings {
            first_different: Some(2),
            gaps: vec!["not-held".to_owned(), "of-later".to_owned()],
            resources: vec![
                result("foreign", "rules\u{1b}.md"),
                result("absent", "/w/a.md"),
                result("given-up-to", "/w/AGENTS.md"),
            ],
            complete: false,
            rows: Vec::new(),
        });
        let expected = format!(
            "{expected}  evidence   deviates (says the client), 3 requests, version 2.1.332\\u{{1b}}\n  \
             differs    first in request 2 of the record\n  \
             incomplete it lacks a message of a request; of-later. What is missing stays unknown. Later turns of the \
             session can be incomplete too; a new session begins a new record.\n\n\
             OUTCOME                      KIND              SIZE     REQUEST  SOURCE\n\
             foreign                      instruction_file  2.2 KiB  2        rules\\u{{1b}}.md\n\
             absent, within another text  instruction_file           2        /w/a.md\n\
             given-up-to 32768 bytes      instruction_file  32 KiB   2        /w/AGENTS.md\n\n\
             These are not all resources: the evidence leaves some out.\n"
        );
        assert_eq!(facts(&proved, began), expected);
        let mut shown = given.clone();
        shown.turn.believed_snapshot = Some(format!("sha256:{}", "c".repeat(64)));
        let line = "pinned     aaaaaaaaaaaa, as its evidence shows; it began with cccccccccccc, unconfirmed\n";
        assert!(facts(&shown, began).contains(line));
        let unpinned = Turn {
            snapshot: None,
            prompt_hash: None,
            ..given.turn
        };
        let unpinned = TurnGiven {
            turn: unpinned,
            prompt_size_bytes: None,
            prompt_tokens: None,
            renderer: None,
            skills: None,
            tools: None,
            findings: None,
        };
        let expected = "  began      1970-01-01 00:00:00 UTC (just now)\n  delivery   delivered\n  reference  message-7\\u{1b}\n  \
             pinned     no, so the prompt was empty\n";
        assert_eq!(facts(&unpinned, began), expected);
    }
}
