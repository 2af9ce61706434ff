//! What evidence says, as signs that need no colour and words that name who says so.

use std::fmt;

use askama::filters::HtmlSafe;
use ctxpin_model::chat::ChatRecord;
use ctxpin_model::evidence::{LastVerdict, TurnEvidence, Verdict, Witness};

use super::number::{Number, counted};

/// A verdict with its witness, as a sign and words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    pub verdict: Verdict,
    pub witness: Witness,
}

impl Said {
    /// Returns what the evidence of a turn says.
    pub fn of(evidence: &TurnEvidence) -> Self {
        Self {
            verdict: evidence.verdict,
            witness: evidence.witness,
        }
    }

    /// Returns whether somebody should look at the turn.
    pub fn is_alarm(self) -> bool {
        match self.verdict {
            Verdict::Deviates | Verdict::Disputed => true,
            Verdict::AsPinned | Verdict::Unpinned | Verdict::OtherProfile | Verdict::Incomplete => {
                false
            }
        }
    }

    fn sign(self) -> Sign {
        match self.verdict {
            Verdict::AsPinned => Sign::Tick,
            Verdict::Deviates => Sign::Unequal,
            Verdict::Incomplete => Sign::Wave,
            Verdict::Disputed => Sign::Question,
            Verdict::OtherProfile => Sign::Barred,
            Verdict::Unpinned => Sign::Dashed,
        }
    }

    fn words(self) -> &'static str {
        match self.verdict {
            Verdict::AsPinned => "as pinned",
            Verdict::Deviates => "deviates",
            Verdict::Incomplete => "record incomplete",
            Verdict::Disputed => "disputed",
            Verdict::OtherProfile => "other profile",
            Verdict::Unpinned => "unpinned",
        }
    }

    /// Returns the end of a sentence about the turn, which begins with it.
    pub fn sentence(self) -> String {
        let told = match self.verdict {
            Verdict::AsPinned => "had what was pinned",
            Verdict::Deviates => "had something else than was pinned",
            Verdict::Incomplete => "has an incomplete record, and nothing in it deviates",
            Verdict::Disputed => "is disputed, because witnesses say different things",
            Verdict::OtherProfile => {
                "cannot be compared, because its pin follows the rules of another client"
            }
            Verdict::Unpinned => "had no pin to compare with",
        };
        let by = match self.witness {
            Witness::Client => "says the client",
            Witness::Server => "as the server saw",
        };
        format!("{told}, {by}.")
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, words, witness) = (self.sign(), self.words(), self.witness.as_str());
        let class = sign.class();
        write!(
            f,
            "<span class=\"verdict{class}\">{sign}{words} <span class=\"faint\">by {witness}</span></span>"
        )
    }
}

impl HtmlSafe for Said {}

/// The sign of something without evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unproved;

impl fmt::Display for Unproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = Sign::Dot;
        write!(
            f,
            "<span class=\"verdict none\">{sign}<span class=\"unseen\">no evidence</span></span>"
        )
    }
}

impl HtmlSafe for Unproved {}

/// The last verdict of a chat, with the way to its turn.
#[derive(Debug, Clone)]
pub(crate) struct LastSaid {
    pub said: Said,
    pub turn: i64,
    /// The page of the turn.
    pub path: String,
    /// The number of turns after it, which have no evidence.
    pub later: u64,
}

impl LastSaid {
    /// Returns the last verdict of a chat. `None` if no turn has evidence.
    pub fn of(chat: &ChatRecord) -> Option<Self> {
        let LastVerdict {
            turn,
            verdict,
            witness,
        } = chat.last_verdict?;
        Some(Self {
            said: Said { verdict, witness },
            turn,
            path: format!("/chats/{}/turns/{turn}", chat.id),
            later: u64::try_from(chat.turn_count - turn).unwrap_or(0),
        })
    }

    /// Returns the words for the turns after it.
    pub fn later_words(&self) -> Option<String> {
        let turns = counted(self.later, "later turn");
        match self.later {
            0 => None,
            1 => Some(format!("{turns} has no evidence")),
            _ => Some(format!("{turns} have no evidence")),
        }
    }
}

/// The cell of a row with the last verdict of its chat, which leads to the turn.
#[derive(Debug, Clone)]
pub(crate) struct Proof(pub Option<LastSaid>);

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(last) = &self.0 else {
            return write!(f, "<span class=\"proof\">{Unproved}</span>");
        };
        let LastSaid {
            said,
            turn,
            path,
            later,
        } = last;
        write!(
            f,
            "<a class=\"proof\" href=\"{path}\"><span class=\"unseen\">turn {turn} </span>{said}"
        )?;
        if let Some(words) = last.later_words() {
            write!(
                f,
                " <span class=\"faint\" title=\"{words}\">+{}<span class=\"unseen\">, {words}</span></span>",
                Number(*later)
            )?;
        }
        f.write_str("</a>")
    }
}

impl HtmlSafe for Proof {}

/// A sign of 16 by 16 pixels. Its form tells it from the others, in grey too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Tick,
    Unequal,
    Wave,
    Question,
    Barred,
    Dashed,
    Dot,
}

impl Sign {
    pub fn class(self) -> &'static str {
        match self {
            Self::Tick => " is-clean",
            Self::Unequal | Self::Question => " is-wrong",
            Self::Wave | Self::Barred | Self::Dashed | Self::Dot => "",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Tick => "M3 8.5l3.5 3.5 6.5-8",
            Self::Unequal => "M3 6h10M3 10h10M11 2.5l-6 11",
            Self::Wave => "M2.5 9.5c1.5-4 4-4 5.5-1.5s4 2.5 5.5-1.5",
            Self::Question => "M5.5 5.5a2.5 2.5 0 1 1 3.5 2.4c-.7.3-1 .8-1 1.6v.5M8 12.5v1",
            Self::Barred => "M13 8a5 5 0 1 1-10 0 5 5 0 0 1 10 0zM4.5 11.5l7-7",
            Self::Dashed => "M13 8a5 5 0 1 1-10 0 5 5 0 0 1 10 0z",
            Self::Dot => "M8 7.5v1",
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dashes = match self {
            Self::Dashed => " stroke-dasharray=\"2.5 2.2\"",
            Self::Tick | Self::Unequal | Self::Wave | Self::Question | Self::Barred | Self::Dot => {
                ""
            }
        };
        let path = self.path();
        write!(
            f,
            "<svg width=\"16\" height=\"16\" aria-hidden=\"true\"><path d=\"{path}\"{dashes}/></svg>"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_verdict_has_a_form_and_words_of_its_own_and_names_its_witness() {
        let said = |verdict: &Verdict| Said {
            verdict: *verdict,
            witness: Witness::Client,
        };
        let all: Vec<_> = Verdict::ALL.iter().map(said).collect();
        let forms: BTreeSet<_> = all.iter().map(|said| said.sign().to_string()).collect();
        let words: BTreeSet<_> = all.iter().map(|said| said.words()).collect();
        assert_eq!((forms.len(), words.len()), (all.len(), all.len()));
        assert!(!forms.contains(&Sign::Dot.to_string()));
        for said in all {
            let html = said.to_string();
            assert!(html.contains(">by client</span>"), "{html}");
            let sentence = said.sentence();
            assert!(sentence.ends_with(", says the client."), "{sentence}");
        }
    }

    #[test]
    fn turns_after_the_verdict_are_told() {
        let check = |later, expected: Option<&str>| {
            let last = LastSaid {
                said: Said {
                    verdict: Verdict::AsPinned,
                    witness: Witness::Client,
                },
                turn: 3,
                path: "/chats/1/turns/3".to_owned(),
                later,
            };
            assert_eq!(last.later_words().as_deref(), expected);
            let cell = Proof(Some(last)).to_string();
            assert_eq!(cell.contains(&format!(">+{later}<")), later > 0, "{cell}");
        };
        check(0, None);
        check(1, Some("1 later turn has no evidence"));
        check(4, Some("4 later turns have no evidence"));
    }
}
