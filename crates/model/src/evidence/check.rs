//! The check of a row that comes from outside.

use super::{Outcome, ROW_BYTES_MAX, ResourceResult, Row, Verdict};
use crate::limits::{SOURCE_BYTES_MAX, format_bytes};
use crate::resource::Kind;

/// The greatest number in a row, which every reader of JSON keeps exactly.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// A row whose parts fit together and have their bounds, with its canonical JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRow {
    row: Row,
    json: String,
}

impl CheckedRow {
    /// Returns the row.
    pub fn row(&self) -> &Row {
        &self.row
    }

    /// Returns the row as canonical JSON.
    pub fn json(&self) -> &str {
        &self.json
    }
}

/// The error of a row that no reading can have made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{member}`: {reason}")]
pub struct InvalidRow {
    /// The path of the member that is wrong, such as `resources[3].path`.
    pub member: String,
    /// The rule that it breaks, for people.
    pub reason: String,
}

impl InvalidRow {
    fn new(member: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            member: member.into(),
            reason: reason.into(),
        }
    }
}

impl Row {
    /// Checks that the parts of the row fit together, and that each has its bound. What a row says of a record cannot be
    /// checked.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidRow`] with the first part that does not fit.
    pub fn checked(self) -> Result<CheckedRow, InvalidRow> {
        self.check_counts()?;
        self.check_verdict()?;
        for (index, result) in self.resources.iter().enumerate() {
            let at = |invalid: InvalidRow| {
                InvalidRow::new(
                    format!("resources[{index}].{}", invalid.member),
                    invalid.reason,
                )
            };
            self.check_result(result).map_err(at)?;
        }
        let json = self.canonical_json();
        if json.len() > ROW_BYTES_MAX {
            let most = format_bytes(ROW_BYTES_MAX as u64);
            let reason = format!(
                "the row has more than {most}; leave out resources, and count them in `left_out`"
            );
            return Err(InvalidRow::new("resources", reason));
        }
        Ok(CheckedRow { row: self, json })
    }

    fn check_counts(&self) -> Result<(), InvalidRow> {
        for (member, number) in [("requests", self.requests), ("left_out", self.left_out)] {
            check_number(member, number)?;
        }
        if self.requests == 0 {
            return Err(InvalidRow::new(
                "requests",
                "a row is about at least one request",
            ));
        }
        if self.whole > self.requests {
            return Err(InvalidRow::new(
                "whole",
                "more requests are whole than there are",
            ));
        }
        if self.gaps.is_empty() != (self.whole == self.requests) {
            let reason = "it says why requests are not whole, and is empty if all are";
            return Err(InvalidRow::new("gaps", reason));
        }
        if !self.gaps.is_sorted_by(|before, next| before < next) {
            let reason = "each reason occurs once, in the order of the document";
            return Err(InvalidRow::new("gaps", reason));
        }
        match self.first_different {
            Some(number) => check_request("first_different", number),
            None => Ok(()),
        }
    }

    fn check_verdict(&self) -> Result<(), InvalidRow> {
        let deviates = |result: &ResourceResult| result.outcome.deviates();
        let is_whole = self.whole == self.requests;
        let reason = match self.verdict {
            Verdict::Disputed => Some("only several rows together are disputed"),
            Verdict::Deviates if self.first_different.is_none() => {
                Some("a row that deviates names the first request in `first_different`")
            }
            Verdict::Deviates => None,
            _ if self.first_different.is_some() => {
                Some("only a row that deviates has `first_different`")
            }
            Verdict::AsPinned if !is_whole => {
                Some("not all requests are whole, so it is `incomplete`")
            }
            Verdict::AsPinned if self.resources.iter().any(deviates) => {
                Some("a resource deviates, so the row does")
            }
            Verdict::Incomplete if is_whole => {
                Some("all requests are whole, so it is not `incomplete`")
            }
            Verdict::Unpinned | Verdict::OtherProfile if !self.resources.is_empty() => {
                Some("without a pin to compare with, the row has no resources")
            }
            Verdict::AsPinned | Verdict::Incomplete | Verdict::Unpinned | Verdict::OtherProfile => {
                None
            }
        };
        match reason {
            Some(reason) => Err(InvalidRow::new("verdict", reason)),
            None => Ok(()),
        }
    }

    fn check_result(&self, result: &ResourceResult) -> Result<(), InvalidRow> {
        if let Some(path) = &result.path {
            check_path(path)?;
        }
        match result.kind {
            Some(Kind::InstructionFile | Kind::Skill) | None => {}
            Some(Kind::McpConfig | Kind::McpServer) => {
                let reason = "only instruction files and skills reach a model as texts";
                return Err(InvalidRow::new("kind", reason));
            }
        }
        if result.content.is_some() && (result.kind.is_none() || result.path.is_none()) {
            let reason = "a text of a snapshot has a kind and a path";
            return Err(InvalidRow::new("content_hash", reason));
        }
        if result.foreign.is_some() && result.content.is_some() {
            return Err(InvalidRow::new("names", "a text of a snapshot has no name"));
        }
        let reason = match (result.given_bytes, result.outcome) {
            (None, Outcome::GivenUpTo | Outcome::Shortened) => {
                Some("`given-up-to` and `shortened` have it")
            }
            (Some(_), outcome) if !outcome.counts_bytes() => {
                Some("a text that was given whole or not at all does not have it")
            }
            (Some(_), Outcome::GivenUpTo | Outcome::Shortened) | (None, _) => None,
            // Claude Code shows lines of a file that was edited.
            (Some(_), _) if result.content.is_some() => None,
            (Some(_), _) => Some("only a text of a snapshot has it"),
        };
        if let Some(reason) = reason {
            return Err(InvalidRow::new("given_bytes", reason));
        }
        if result.size_bytes.is_some() && (!result.outcome.has_size() || result.foreign.is_some()) {
            let reason =
                "only what was given or said has it, and a text of no snapshot has it in `foreign`";
            return Err(InvalidRow::new("size_bytes", reason));
        }
        if result.has_body.is_some() && result.kind != Some(Kind::Skill) {
            return Err(InvalidRow::new("body", "only a skill is listed"));
        }
        if result.is_within && result.outcome != Outcome::Absent {
            return Err(InvalidRow::new(
                "within",
                "only an `absent` text stands within another",
            ));
        }
        check_request("request", result.request)?;
        let place = result.place.iter();
        let numbers =
            place.flat_map(|place| [("place.message", place.message), ("place.at", place.at)]);
        let bytes = result
            .foreign
            .iter()
            .map(|foreign| ("bytes", foreign.bytes));
        let given = result.given_bytes.map(|given| ("given_bytes", given));
        let size = result.size_bytes.map(|size| ("size_bytes", size));
        for (member, number) in numbers.chain(bytes).chain(given).chain(size) {
            check_number(member, number)?;
        }
        Ok(())
    }
}

fn check_path(path: &str) -> Result<(), InvalidRow> {
    let is_line = !path.is_empty() && !path.contains(char::is_control);
    if !is_line || path.len() > SOURCE_BYTES_MAX {
        let reason = format!("a path is one line of 1 to {SOURCE_BYTES_MAX} bytes");
        return Err(InvalidRow::new("path", reason));
    }
    Ok(())
}

fn check_request(member: &str, number: u64) -> Result<(), InvalidRow> {
    if number == 0 {
        return Err(InvalidRow::new(member, "requests are numbered from 1"));
    }
    check_number(member, number)
}

fn check_number(member: &str, number: u64) -> Result<(), InvalidRow> {
    match number <= NUMBER_MAX {
        true => Ok(()),
        false => Err(InvalidRow::new(
            member,
            format!("a number is at most {NUMBER_MAX}"),
        )),
    }
}
