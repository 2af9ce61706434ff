//! One request of a record, and what was found in it.

use ctxpin_model::client_version::ClientVersion;
use ctxpin_model::evidence::Gap;

use crate::findings::{Finding, What};
use crate::known::Known;
use crate::record::transcript::Due;

/// A request, as far as the record holds it.
#[derive(Debug, Clone)]
pub struct Request<'r> {
    /// The number of the request in its record, from 1.
    pub number: u64,
    /// A hash of the id that the record gives it, as 64 hexadecimal digits.
    pub id: String,
    /// The client's id of the turn.
    pub turn: Option<&'r str>,
    pub client_version: Option<ClientVersion>,
    /// Why it is not whole. Empty if it is.
    pub gaps: Vec<Gap>,
    /// Whether the client has compacted the conversation since the turn began. Some clients read their files anew then.
    pub is_compacted: bool,
    pub(crate) due: Due,
    /// The number of the last message of before the turn.
    pub(crate) earlier: u64,
    /// What was found in it, in its order.
    pub found: Vec<Found<'r>>,
}

impl Request<'_> {
    /// Returns the request without the texts of the conversation before the turn, if it has such: the client gave them
    /// for certain files or uses, and says nothing by them of what it has read since.
    pub(crate) fn without_earlier(&self, known: &Known) -> Option<Self> {
        let is_earlier = |found: &Found<'_>| {
            let Finding {
                what,
                is_instruction,
                ..
            } = found.finding;
            let (text, whose) = match what {
                What::Text { text, whose } if *is_instruction => (*text, *whose),
                What::Edited { text, whose, .. } => (*text, *whose),
                What::Text { .. }
                | What::Skill { .. }
                | What::List
                | What::Foreign(_)
                | What::Otherwise(_)
                | What::Withdrawn(_)
                | What::AllWithdrawn => return false,
            };
            found.message <= self.earlier && !known.is_of_due_file(text, whose)
        };
        if !self.found.iter().any(is_earlier) {
            return None;
        }
        let mut request = self.clone();
        request.found.retain(|found| !is_earlier(found));
        Some(request)
    }
}

/// A finding at its place in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'r> {
    /// The number of the message, from 0. The system prompt comes first.
    pub message: u64,
    pub finding: &'r Finding,
}
