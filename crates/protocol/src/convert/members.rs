//! Single members of a request: texts, words, hashes, sizes and lists.

use std::fmt::Display;
use std::str::FromStr;

use ctxpin_model::hash::MalformedHash;
use ctxpin_model::limits::{CHOSEN_NAME_CHARS_MAX, count_fault, cut, text_fault};
use ctxpin_model::resource::UnknownWord;

use crate::problem::{Problem, ProblemName};

/// The greatest number that every reader of JSON keeps exactly (RFC 8259, section 6).
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// The most bytes of a member's path in a problem. The caller chooses the names in it.
pub const MEMBER_BYTES_MAX: usize = 200;

/// The error of a member that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{member}`: {reason}")]
pub struct InvalidMember {
    /// The path of the member, such as `resources[3].source`.
    pub member: String,
    /// The rule that it breaks, for people.
    pub reason: String,
}

impl InvalidMember {
    /// Returns the error of a member. A long path is cut.
    pub fn new(member: impl Display, reason: impl Into<String>) -> Self {
        Self {
            member: cut(&member.to_string(), MEMBER_BYTES_MAX).to_owned(),
            reason: reason.into(),
        }
    }

    /// Returns the problem of this name, with the member's path in `member`.
    pub fn problem(self, name: ProblemName) -> Problem {
        Problem::new(name, self.to_string()).with("member", self.member)
    }
}

impl From<InvalidMember> for Problem {
    fn from(invalid: InvalidMember) -> Self {
        invalid.problem(ProblemName::InvalidRequest)
    }
}

/// Returns a text of at most `bytes_max` bytes without NUL, which PostgreSQL cannot store.
///
/// # Errors
///
/// Fails if the text is longer or holds a NUL.
pub fn text(member: impl Display, text: String, bytes_max: usize) -> Result<String, InvalidMember> {
    if let Some(reason) = text_fault(&text, bytes_max) {
        return Err(InvalidMember::new(member, reason));
    }
    Ok(text)
}

/// Returns a name that a person or a client gives to something: 1 to [`CHOSEN_NAME_CHARS_MAX`]
/// characters, not all of them blank, and no control characters.
///
/// # Errors
///
/// Fails for any other text.
pub fn chosen_name(member: impl Display, text: String) -> Result<String, InvalidMember> {
    let chars = text.chars().count();
    let reason = if text.trim().is_empty() {
        "it must not be empty".to_owned()
    } else if chars > CHOSEN_NAME_CHARS_MAX {
        format!("it has {chars} characters; shorten it to at most {CHOSEN_NAME_CHARS_MAX}")
    } else if text.chars().any(char::is_control) {
        "it must not hold control characters".to_owned()
    } else {
        return Ok(text);
    };
    Err(InvalidMember::new(member, reason))
}

/// Reads a word.
///
/// # Errors
///
/// Fails if the word is unknown. The reason lists the known ones.
pub fn word<W: FromStr<Err = UnknownWord>>(
    member: impl Display,
    text: &str,
) -> Result<W, InvalidMember> {
    text.parse()
        .map_err(|unknown: UnknownWord| InvalidMember::new(member, unknown.to_string()))
}

/// Reads a list of words.
///
/// # Errors
///
/// Fails if a word is unknown. The reason lists the known ones.
pub fn words<W: FromStr<Err = UnknownWord>, S: FromIterator<W>>(
    member: &str,
    texts: &[String],
) -> Result<S, InvalidMember> {
    texts.iter().map(|text| word(member, text)).collect()
}

/// Reads a hash.
///
/// # Errors
///
/// Fails if the text is not `sha256:` and 64 lower-case hexadecimal digits.
pub fn hash<H: FromStr<Err = MalformedHash>>(
    member: impl Display,
    text: &str,
) -> Result<H, InvalidMember> {
    text.parse()
        .map_err(|malformed: MalformedHash| InvalidMember::new(member, malformed.to_string()))
}

/// Returns a size that every reader of JSON keeps exactly.
///
/// # Errors
///
/// Fails if it is greater than [`NUMBER_MAX`].
pub fn size(member: impl Display, size: u64) -> Result<u64, InvalidMember> {
    match size <= NUMBER_MAX {
        true => Ok(size),
        false => Err(InvalidMember::new(
            member,
            format!("a size must be at most {NUMBER_MAX}"),
        )),
    }
}

/// Checks the number of items in a list.
///
/// # Errors
///
/// Fails if it is greater than `count_max`.
pub fn count(member: impl Display, count: usize, count_max: usize) -> Result<(), InvalidMember> {
    match count_fault(count, count_max) {
        None => Ok(()),
        Some(reason) => Err(InvalidMember::new(member, reason)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ctxpin_model::hash::BlobHash;
    use ctxpin_model::resource::Status;

    #[test]
    fn chosen_names() {
        let check = |text: &str, ok: bool| {
            assert_eq!(
                chosen_name("title", text.to_owned()).is_ok(),
                ok,
                "{text:?}"
            );
        };
        check("a", true);
        check("ü b", true);
        check(&"ü".repeat(CHOSEN_NAME_CHARS_MAX), true);
        check(&"ü".repeat(CHOSEN_NAME_CHARS_MAX + 1), false);
        check("", false);
        check(" ", false);
        check("a\nb", false);
        check("a\0", false);
    }

    #[test]
    fn errors_name_their_member() {
        let errors = [
            text("error", "a\0b".to_owned(), 10).unwrap_err(),
            text("error", "abc".to_owned(), 2).unwrap_err(),
            word::<Status>("status", "fine").unwrap_err(),
            hash::<BlobHash>("head", "sha1:00").unwrap_err(),
            size("size_bytes", u64::MAX).unwrap_err(),
            count("files", 3, 2).unwrap_err(),
        ];
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "`error`: it holds a NUL character, which no text may",
                "`error`: it has 3 bytes, and at most 2 are taken",
                "`status`: `fine` is not one of ok, oversize, unreadable, invalid, excluded",
                "`head`: a hash is written sha256: followed by 64 lower-case hexadecimal digits",
                "`size_bytes`: a size must be at most 9007199254740991",
                "`files`: there are 3, and at most 2 are taken",
            ]
        );
        let problem = Problem::from(errors[0].clone());
        assert_eq!(problem.name(), Some(ProblemName::InvalidRequest));
        assert_eq!(problem.members["member"], "error");
    }
}
