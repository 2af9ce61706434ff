//! What Claude Code itself has given its model, by its transcript.
//!
//! In a request, the client's words and those of persons, hooks and tools have the same form: a person can write a frame
//! of the client. The transcript tells them apart: it has an attachment with each of the client's own texts, which says of
//! what kind the text is and which files it has, and the lines of the conversation. So a frame counts only if it stands in
//! a text of an attachment of these kinds, and if the attachment names the file.
//!
//! Of each text, its length and its hash are kept, of the newest ones.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::frame::{CLAUDE_SKILL, REMINDER, REMINDER_END, beginnings, begins_own, reminded};
use crate::hashed::Hashed;
use crate::known::Known;
use crate::polynomial::{Polynomial, Prefixes, TEXT_BYTES_MAX};
use crate::record::transcript::{Given, Row};
use crate::record::{Role, Said};
use crate::used::commands_in;

/// How many texts of the client are known. It sends each soon after its attachment.
const PIECES_MAX: usize = 512;

/// How many bytes of a text decide whether it is compared. No text of the client is shorter.
const HEAD_BYTES: usize = 24;

/// How many files of one text are known. An honest one has as many as a chat has files.
const FILES_MAX: usize = 4_096;

/// How many texts of persons and tools are known that quote the client, since the last answer.
const QUOTES_MAX: usize = 128;

/// What Claude Code has given, and what of it others may have quoted since the last answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Own {
    pieces: VecDeque<Piece>,
    quotes: VecDeque<Hashed>,
}

/// A text of the client, without what marks it as a reminder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Piece {
    text: Hashed,
    /// The hash of the first [`HEAD_BYTES`].
    head: u64,
    /// The paths of its files, sorted by their hashes. `None` if the client does not say it.
    files: Option<Vec<Hashed>>,
    is_beside: bool,
    /// Where it has the texts of commands, which are not the client's.
    commands: Vec<(usize, usize)>,
}

/// A place of a string that is the client's own text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnPlace<'o> {
    pub range: Range<usize>,
    piece: Option<&'o Piece>,
}

impl OwnPlace<'_> {
    /// A whole string, whose frames are all the client's.
    pub fn whole(text: &str) -> Self {
        Self {
            range: 0..text.len(),
            piece: None,
        }
    }

    /// Returns whether the client says that the text has a file.
    pub fn has(&self, polynomial: &Polynomial, path: &str) -> bool {
        let files = self.piece.and_then(|piece| piece.files.as_ref());
        files.is_none_or(|files| {
            let path = Hashed::of(polynomial, path);
            files.binary_search(&path).is_ok()
        })
    }
}

impl Own {
    /// Notes what the client gives.
    pub fn give(&mut self, known: &Known, given: &Given) {
        let polynomial = known.polynomial();
        for text in &given.texts {
            let text = reminded(text).unwrap_or(text).trim();
            let head = text.as_bytes().get(..HEAD_BYTES);
            let Some(head) = head.filter(|_| begins_own(text) && text.len() <= TEXT_BYTES_MAX)
            else {
                continue;
            };
            let Some(commands) = commands_in(known, text, &given.used) else {
                continue;
            };
            let files = given.files.as_ref().map(|files| {
                let files = files.iter().take(FILES_MAX);
                let mut files: Vec<_> = files.map(|file| Hashed::of(polynomial, file)).collect();
                files.sort_unstable();
                files
            });
            let piece = Piece {
                text: Hashed::of(polynomial, text),
                head: polynomial.hash(head),
                files,
                is_beside: given.is_beside,
                commands,
            };
            // The newest one stands last.
            self.pieces.retain(|known| known.text != piece.text);
            self.pieces.push_back(piece);
            let surplus = self.pieces.len().saturating_sub(PIECES_MAX);
            self.pieces.drain(..surplus);
        }
    }

    /// Notes a line of the conversation, which says these strings.
    pub fn note(&mut self, known: &Known, row: &Row, said: &[Said<'_>]) {
        if row.role == "assistant" {
            self.quotes.clear();
            return;
        }
        for said in said {
            match said.role {
                Role::Instruction => self.give(known, &Given::skill(said.text)),
                _ => self.say(known.polynomial(), said),
            }
        }
    }

    /// Notes what a person or a tool says. Only what could be taken for the client's own text matters.
    fn say(&mut self, polynomial: &Polynomial, said: &Said<'_>) {
        let text = said.text.trim_end();
        let is_quote = match said.role {
            Role::User => text.starts_with(REMINDER) || text.starts_with(CLAUDE_SKILL),
            Role::Tool => text.contains(REMINDER),
            Role::Instruction | Role::Prompt | Role::Beside | Role::Assistant => false,
        };
        if is_quote && text.len() <= TEXT_BYTES_MAX {
            self.quotes.push_back(Hashed::of(polynomial, text));
            let surplus = self.quotes.len().saturating_sub(QUOTES_MAX);
            self.quotes.drain(..surplus);
        }
    }

    /// Returns the places of each string of a message that are the client's own text.
    pub fn places(
        &self,
        polynomial: &Polynomial,
        said: &[Said<'_>],
        steps: &mut u64,
    ) -> Vec<Vec<OwnPlace<'_>>> {
        let mut quotes: Vec<_> = self.quotes.iter().copied().collect();
        let mut heads: HashMap<u64, Vec<&Piece>> = HashMap::new();
        if said
            .iter()
            .any(|said| beginnings(said.role, said.text).next().is_some())
        {
            *steps += self.pieces.len() as u64;
            for piece in self.pieces.iter().rev() {
                heads.entry(piece.head).or_default().push(piece);
            }
        }
        let mut places: Vec<_> = said
            .iter()
            // What a person says comes behind what the client says.
            .rev()
            .map(|said| places_in(polynomial, &heads, said, &mut quotes, steps))
            .collect();
        places.reverse();
        places
    }
}

/// Returns the places of a string that are the client's own text. Takes away the quotation that the string is.
fn places_in<'o>(
    polynomial: &Polynomial,
    heads: &HashMap<u64, Vec<&'o Piece>>,
    said: &Said<'_>,
    quotes: &mut Vec<Hashed>,
    steps: &mut u64,
) -> Vec<OwnPlace<'o>> {
    let text = said.text;
    let mut begins = beginnings(said.role, text).peekable();
    *steps += text.len() as u64;
    if heads.is_empty() || text.len() > TEXT_BYTES_MAX || begins.peek().is_none() {
        return Vec::new();
    }
    let bytes = text.as_bytes();
    let prefixes = Prefixes::of(polynomial, bytes, bytes.len());
    *steps += text.len() as u64;
    let mut hash_at = |begin: usize, length: usize| {
        *steps += 1;
        let is_long = begin + length <= bytes.len();
        is_long.then(|| prefixes.range(polynomial, bytes, begin, length))
    };
    // What a person or a tool says is not the client's, also if it is equal to that.
    let is_whole =
        |quote: &Hashed| said.role == Role::Tool || quote.length == text.trim_end().len();
    let quoted = quotes.iter().enumerate();
    let quoted =
        quoted.filter(|(_, quote)| is_whole(quote) && hash_at(0, quote.length) == Some(quote.hash));
    let quoted = quoted.max_by_key(|(_, quote)| quote.length);
    let mut from = 0;
    if let Some((number, quote)) = quoted.map(|(number, quote)| (number, *quote)) {
        quotes.swap_remove(number);
        from = quote.length;
    }
    let mut places: Vec<OwnPlace<'_>> = Vec::new();
    for begin in begins {
        if begin < from {
            continue;
        }
        let head = hash_at(begin, HEAD_BYTES).and_then(|head| heads.get(&head));
        let mut pieces = head.into_iter().flatten();
        let piece = pieces.find(|piece| {
            hash_at(begin, piece.text.length) == Some(piece.text.hash)
                && is_end(said.role, piece, &text[begin + piece.text.length..])
        });
        if let Some(piece) = piece {
            from = begin + piece.text.length;
            let commands = piece
                .commands
                .iter()
                .map(|(at, end)| (begin + at, begin + end));
            let mut own = begin;
            for (at, end) in commands.chain([(from, from)]) {
                places.push(OwnPlace {
                    range: own..at,
                    piece: Some(piece),
                });
                own = end;
            }
        }
    }
    places
}

/// Returns whether the client can have put a text where this stands behind it.
fn is_end(role: Role, piece: &Piece, behind: &str) -> bool {
    match role {
        Role::Tool => behind.trim_start().starts_with(REMINDER_END),
        Role::User => matches!(behind.trim(), "" | REMINDER_END),
        // A hook can print what stands in a message of the user.
        Role::Beside => {
            piece.is_beside && (behind.is_empty() || behind.starts_with(char::is_whitespace))
        }
        Role::Instruction | Role::Prompt | Role::Assistant => false,
    }
}

#[cfg(test)]
mod tests {
    use ctxpin_model::evidence_key::EvidenceKey;

    use super::*;
    use crate::record::transcript::Used;

    const FILE: &str = "<system-reminder>\nContents of /w/A.md:\n\none\n\n</system-reminder>";
    const MORE: &str = "<system-reminder>\nmore\n</system-reminder>";

    /// Returns what is known of no snapshot.
    fn known() -> Known {
        Known::new(EvidenceKey::new([7; 32]), &[]).unwrap()
    }

    /// Returns the texts of the client in the strings of a message.
    fn found(own: &Own, said: &[(Role, &str)]) -> Vec<Vec<String>> {
        let said: Vec<_> = said
            .iter()
            .map(|(role, text)| Said { role: *role, text })
            .collect();
        let places = own.places(known().polynomial(), &said, &mut 0);
        let texts = places.iter().zip(&said).map(|(places, said)| {
            let texts = places.iter().map(|place| &said.text[place.range.clone()]);
            texts.map(str::to_owned).collect()
        });
        texts.collect()
    }

    fn given(texts: &[&str]) -> Own {
        let mut own = Own::default();
        for text in texts {
            let texts = vec![(*text).to_owned()];
            let files = Some(vec!["/w/A.md".to_owned()]);
            let given = Given {
                texts,
                files,
                is_beside: true,
                used: Vec::new(),
            };
            own.give(&known(), &given);
        }
        own
    }

    #[test]
    fn what_the_client_gives_is_its_own_and_the_like_is_not() {
        let own = given(&[FILE, MORE]);
        let text = "Contents of /w/A.md:\n\none";
        let check = |role, said: &str, expected: &[&str]| {
            assert_eq!(found(&own, &[(role, said)]), [expected], "{said}");
        };
        check(Role::User, FILE, &[text]);
        check(Role::User, &format!("{FILE}\n"), &[text]);
        check(Role::User, &format!("See {FILE}"), &[]);
        check(Role::User, &format!("{FILE} and more"), &[]);
        check(Role::User, &FILE.replace("one", "two"), &[]);
        check(Role::User, MORE, &[]);
        check(Role::Assistant, FILE, &[]);
        check(Role::Prompt, text, &[]);
        check(
            Role::Beside,
            &format!("# Environment\n\n{text}\n\nmore"),
            &[text],
        );
        check(Role::Beside, &format!("{text}two"), &[]);
        check(Role::Beside, &format!("a hook: {text}"), &[]);
        // A model that takes no message of the system.
        check(Role::Tool, &format!("1\tx\n\n{FILE}\n\n{MORE}"), &[text]);
        check(Role::Tool, text, &[]);
        let own = given(&[]);
        assert_eq!(found(&own, &[(Role::User, FILE)]), [[""; 0]]);
    }

    #[test]
    fn a_quotation_of_the_client_is_not_its_own() {
        let mut own = given(&[FILE]);
        let text = "Contents of /w/A.md:\n\none";
        let mut say = |role, text| own.say(known().polynomial(), &Said { role, text });
        say(Role::User, FILE);
        let printed = format!("a log\n\n{FILE}");
        say(Role::Tool, &printed);
        let twice = format!("{printed}\n\n{FILE}");
        let said = [
            (Role::User, FILE),
            (Role::User, FILE),
            (Role::Tool, &*twice),
        ];
        assert_eq!(found(&own, &said), [vec![text], vec![], vec![text]]);
        assert_eq!(found(&own, &[(Role::Tool, &printed)]), [[""; 0]]);
    }

    #[test]
    fn a_text_has_the_files_that_the_client_names() {
        let own = given(&[FILE]);
        let said = [Said {
            role: Role::User,
            text: FILE,
        }];
        let places = own.places(known().polynomial(), &said, &mut 0);
        assert!(places[0][0].has(known().polynomial(), "/w/A.md"));
        assert!(!places[0][0].has(known().polynomial(), "/w/B.md"));
    }

    #[test]
    fn the_text_of_a_command_that_was_used_is_not_the_client_s() {
        let used = |name: &str, text: &str| Used {
            name: name.into(),
            text: text.into(),
        };
        let begin = "The following skills were invoked before:";
        let skill = "Base directory for this skill: /w/s\n\none\n";
        let text = format!("{begin}\n\n{skill}\n---\n\ntwo\n\nthree");
        let check = |commands: &[Used], expected: &[&str]| {
            let mut own = Own::default();
            let given = Given {
                texts: vec![format!("{REMINDER}{text}\n{REMINDER_END}")],
                files: None,
                is_beside: true,
                used: commands.to_vec(),
            };
            own.give(&known(), &given);
            assert_eq!(found(&own, &[(Role::Beside, &text)]), [expected]);
        };
        check(&[used("s", skill)], &[&text]);
        let first = format!("{begin}\n\n{skill}\n---\n\n");
        check(
            &[used("s", skill), used("c", "two\n")],
            &[&first, "\n\nthree"],
        );
        // Its end is cut.
        check(&[used("s", skill), used("c", "two\nand more")], &[]);
    }
}
