//! Problems in words for a person.

use ctxpin_model::hash::HASH_PREFIX;
use ctxpin_protocol::problem::{Problem, ProblemName};
use serde_json::Value;

use crate::api_error::sentence;

/// What a problem says to a person.
#[derive(Debug)]
pub(crate) struct Told {
    pub detail: String,
    /// The field of the form that the problem is about.
    pub field: Option<String>,
    /// Whether the page shows what is not so any more.
    pub is_stale: bool,
}

/// Returns what the pages call a field of a form. `None` for one that nobody sees: what is wrong with it says the
/// sentence alone.
fn label(field: &str) -> Option<&'static str> {
    Some(match field {
        "title" => "Title",
        "agent" | "workspace" => "Workspace",
        "policy" => "When the workspace changes",
        "label" => "Label",
        "scope" => "It may",
        "name" => "Name",
        "role" => "Roles",
        "profile" => "Profile",
        "home" => "Home of the tool",
        "actor" => "Who",
        "object" => "Object",
        "since" => "From the day",
        "until" => "To the day",
        _ => return None,
    })
}

impl Told {
    /// Returns what the form calls the field that is wrong, if a person sees it.
    pub fn label(&self) -> Option<&'static str> {
        label(self.field.as_deref()?)
    }

    /// Puts a problem into words.
    pub fn new(problem: &Problem) -> Self {
        let is_stale = problem.name() == Some(ProblemName::PreconditionFailed);
        let field = problem.members.get("member").and_then(Value::as_str);
        let of_field = field.and_then(|field| {
            let rest = problem.detail.strip_prefix(&format!("`{field}`: "))?;
            Some(sentence(rest))
        });
        Self {
            detail: match (is_stale, of_field) {
                (true, _) => STALE.to_owned(),
                (false, Some(reason)) => reason,
                (false, None) if problem.detail == NO_AGENT => NO_WORKSPACE.to_owned(),
                (false, None) => with_short_hashes(&problem.detail),
            },
            field: field.map(str::to_owned),
            is_stale,
        }
    }
}

/// What a person hears who decided about something that is not so any more.
pub(super) const STALE: &str =
    "The workspace or the pin changed while you were reading. Nothing was moved.";

/// What the API says of an agent that it does not have, and what the pages say, which show an agent as its workspace.
const NO_AGENT: &str = "There is no such agent.";
const NO_WORKSPACE: &str = "There is no such workspace.";

/// The digits of a hash that the pages show.
const SHORT_HASH_DIGITS: usize = 12;

/// Cuts the hashes in a text to the digits that people compare.
fn with_short_hashes(text: &str) -> String {
    let mut parts = text.split(HASH_PREFIX);
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_digit = |byte: &u8| byte.is_ascii_hexdigit();
        let digits = part.bytes().take_while(|byte| is_digit(byte)).count();
        let kept = match digits {
            64 => &part[..SHORT_HASH_DIGITS],
            _ => &part[..digits],
        };
        short.push_str(match digits {
            64 => "",
            _ => HASH_PREFIX,
        });
        short.push_str(kept);
        short.push_str(&part[digits..]);
    }
    short
}

#[cfg(test)]
mod tests {
    use ctxpin_operations::error::Error;
    use ctxpin_protocol::convert::members::InvalidMember;

    use super::*;
    use crate::api_error::ApiError;
    use crate::pages::fields::incomplete;

    #[test]
    fn people_read_short_hashes_and_the_names_of_fields() {
        let hash = format!("sha256:{}", "ab".repeat(32));
        let check = |text: &str, expected: &str| assert_eq!(with_short_hashes(text), expected);
        check(&format!("the pin is {hash}"), "the pin is abababababab");
        check(
            "sha256:ab is no hash: sha256:",
            "sha256:ab is no hash: sha256:",
        );
        let invalid = InvalidMember::new("workspace", "it must not be empty");
        let told = Told::new(&invalid.into());
        assert_eq!(told.field.as_deref(), Some("workspace"));
        assert_eq!(told.label(), Some("Workspace"));
        assert_eq!(told.detail, "It must not be empty.");
        let gone = ApiError::from(Error::NotFound("agent"));
        assert_eq!(Told::new(gone.problem()).detail, NO_WORKSPACE);
        let told = Told::new(&incomplete("head").into());
        assert_eq!(told.label(), None);
        assert_eq!(
            told.detail,
            "The form is not complete; load the page again."
        );
    }
}
