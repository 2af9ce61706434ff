//! `ctxpin chat verify`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use ctxpin_model::evidence::{Outcome, Remedy, Verdict};
use ctxpin_protocol::http::chats::Chat;
use ctxpin_protocol::http::turns::{Turn, TurnGiven};
use serde_json::json;

use super::settings;
use crate::chat_choice::{self, ChatArgument};
use crate::command::Output;
use crate::connect::Connected;
use crate::pages::each_item;
use crate::say::{self, Failure};

/// Check what the model was really given, in all turns of a chat
///
/// Exits with 0 if every turn is as pinned, 3 if one deviates or is disputed, 4 if the evidence of one is not
/// enough (incomplete, or about a pin of another profile), and 5 if one has no evidence or no pin, or there are no
/// turns. The lowest code that fits wins.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    chat: ChatArgument,
    #[command(flatten)]
    output: Output,
}

/// What all turns of a chat come to. A later one counts less than an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Finding {
    Deviates,
    NotEnough,
    NoEvidence,
    AsPinned,
}

impl Finding {
    /// Returns what a turn comes to.
    fn of(turn: &Turn) -> Self {
        let verdict = turn.evidence.as_ref();
        let verdict = verdict.and_then(|evidence| evidence.verdict.parse::<Verdict>().ok());
        match verdict {
            Some(Verdict::AsPinned) => Self::AsPinned,
            Some(Verdict::Deviates | Verdict::Disputed) => Self::Deviates,
            Some(Verdict::Incomplete | Verdict::OtherProfile) => Self::NotEnough,
            Some(Verdict::Unpinned) | None => Self::NoEvidence,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Deviates => "deviates",
            Self::NotEnough => "incomplete",
            Self::NoEvidence => "none",
            Self::AsPinned => "as-pinned",
        }
    }

    fn exit_code(self) -> u8 {
        match self {
            Self::AsPinned => 0,
            Self::Deviates => 3,
            Self::NotEnough => 4,
            Self::NoEvidence => 5,
        }
    }
}

/// The turns of a chat, by what they come to.
#[derive(Debug, Default)]
struct Found {
    turns: BTreeMap<Finding, Turns>,
}

/// Turns that come to the same.
#[derive(Debug, Default)]
struct Turns {
    count: u64,
    /// The numbers of the newest, at most [`NAMED_MAX`].
    newest: Vec<i64>,
}

impl Found {
    fn add(&mut self, turn: &Turn) {
        let turns = self.turns.entry(Finding::of(turn)).or_default();
        turns.count += 1;
        if turns.newest.len() < NAMED_MAX {
            turns.newest.push(turn.number);
        }
    }

    fn worst(&self) -> Finding {
        let worst = self.turns.keys().next();
        worst.copied().unwrap_or(Finding::NoEvidence)
    }

    fn newest(&self, finding: Finding) -> Option<i64> {
        self.turns.get(&finding)?.newest.first().copied()
    }

    fn text(&self) -> String {
        if self.turns.is_empty() {
            return "the chat has no turns yet\n".to_owned();
        }
        let line = |(finding, turns): (&Finding, &Turns)| {
            let newest: Vec<_> = turns.newest.iter().map(i64::to_string).collect();
            let more = match turns.count > NAMED_MAX as u64 {
                true => ", ...",
                false => "",
            };
            let count = say::counted(turns.count, "turn");
            format!(
                "{:12}{count}: {}{more}\n",
                finding.word(),
                newest.join(", ")
            )
        };
        self.turns.iter().map(line).collect()
    }
}

/// Returns what to do about the last turn of a chat, if it deviates.
fn advice(chat: &Chat, turn: &TurnGiven) -> Vec<String> {
    if !settings::is_observed(chat) {
        return vec!["if the client reads the workspace by itself, switch that off".to_owned()];
    }
    let results = turn
        .findings
        .iter()
        .flat_map(|findings| &findings.resources);
    let results = results.filter_map(|result| {
        let outcome = result.outcome.parse::<Outcome>().ok()?;
        Some((result.path.as_deref(), outcome))
    });
    let words = |remedy| {
        match remedy {
        Remedy::TakeAway => {
            "the client gave a text that no snapshot has: take its file away, or add it with `ctxpin source add`".to_owned()
        }
        Remedy::Mend => {
            let profile = chat.client.as_deref().unwrap_or("TOOL");
            format!("the client gave what cannot be pinned: `ctxpin scan --profile {profile}` says why")
        }
        Remedy::LetGive => {
            "the client did not give a text that was due: look for a variable, an option or a setting that has it leave \
             files out"
                .to_owned()
        }
        Remedy::NewSession => {
            "the conversation goes on with an earlier text, which a resumption does not take back: begin a new session"
                .to_owned()
        }
        Remedy::ReadAnew => settings::taken_by_client(chat, "the present files"),
    }
    };
    Remedy::of(results).into_iter().map(words).collect()
}

/// The most turns of a kind that are named, the newest ones.
const NAMED_MAX: usize = 10;

impl Verify {
    /// Prints how many turns come to what. The exit code is that of the worst.
    ///
    /// # Errors
    ///
    /// Fails if there is no such chat, or the server refuses.
    pub async fn run(self, connected: &Connected) -> Result<ExitCode, Failure> {
        let chat = chat_choice::chat(connected, self.chat.named()).await?;
        let mut found = Found::default();
        let read = async |page: &_| connected.client.turns(chat, page).await;
        each_item(read, |turn| found.add(&turn)).await?;
        let worst = found.worst();
        match self.output.json {
            true => {
                let turns = found.turns.iter();
                let turns: serde_json::Map<_, _> = turns
                    .map(|(finding, turns)| {
                        let told = json!({ "count": turns.count, "newest": turns.newest });
                        (finding.word().to_owned(), told)
                    })
                    .collect();
                say::print_json(&json!({ "verdict": worst.word(), "turns": turns }))?;
            }
            false => {
                say::print(&found.text())?;
                if let Some(newest) = found.newest(Finding::Deviates) {
                    say::note(&format!(
                        "`ctxpin chat turns {newest} --chat {chat}` shows what differs"
                    ));
                    // A later turn that is as pinned needs none.
                    if found.newest(Finding::AsPinned) < Some(newest) {
                        let turn = connected.client.turn(chat, newest).await?;
                        let chat = connected.client.chat(chat).await?;
                        advice(&chat, &turn)
                            .iter()
                            .for_each(|words| say::note(words));
                    }
                }
            }
        }
        Ok(ExitCode::from(worst.exit_code()))
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use ctxpin_protocol::http::evidence::TurnEvidence;

    use super::*;

    fn turn(number: i64, verdict: Option<&str>) -> Turn {
        Turn {
            number,
            snapshot: None,
            believed_snapshot: None,
            pin_seq: None,
            prompt_hash: None,
            tools_snapshot: None,
            delivery: "observed".to_owned(),
            reference: None,
            started_at: DateTime::UNIX_EPOCH,
            evidence: verdict.map(|verdict| TurnEvidence {
                verdict: verdict.to_owned(),
                witness: "client".to_owned(),
                requests: 1,
                client_version: None,
            }),
        }
    }

    fn found(verdicts: &[Option<&str>]) -> Found {
        let mut found = Found::default();
        for (verdict, number) in verdicts.iter().zip(1..) {
            found.add(&turn(number, *verdict));
        }
        found
    }

    #[test]
    fn the_worst_turn_decides() {
        let check = |verdicts: &[Option<&str>], expected: u8| {
            assert_eq!(
                found(verdicts).worst().exit_code(),
                expected,
                "{verdicts:?}"
            );
        };
        check(&[], 5);
        check(&[Some("as-pinned")], 0);
        check(&[Some("as-pinned"), None], 5);
        check(&[Some("as-pinned"), Some("unpinned")], 5);
        check(&[Some("as-pinned"), None, Some("incomplete")], 4);
        check(&[None, Some("other-profile")], 4);
        check(&[Some("incomplete"), Some("disputed")], 3);
        check(&[Some("deviates"), None, Some("as-pinned")], 3);
        // A verdict of a newer server says nothing to this command.
        check(&[Some("as-pinned"), Some("novel")], 5);
    }

    #[test]
    fn the_turns_are_named() {
        let verdicts = [Some("as-pinned"); 12]
            .into_iter()
            .chain([None, Some("deviates")]);
        let verdicts: Vec<_> = verdicts.collect();
        assert_eq!(
            found(&verdicts).text(),
            "deviates    1 turn: 14\nnone        1 turn: 13\n\
             as-pinned   12 turns: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...\n"
        );
    }
}
