//! Evidence: what clients' own records show of the requests of a turn, compared with the turn's pin. A row holds what one
//! reading of a record found, and no text of the record.

mod check;
mod json;
mod remedy;

use std::collections::BTreeMap;

use crate::access::ActorRef;
use crate::client_version::ClientVersion;
use crate::evidence_key::{EvidenceKeyName, ForeignName};
use crate::hash::{AnyHash, BlobHash, SnapshotId};
use crate::moment::Moment;
use crate::profile::Profile;
use crate::resource::{Kind, ResourceId, explained, spelled};

pub use check::{CheckedRow, InvalidRow};
pub use remedy::Remedy;

/// The greatest size of one row as JSON, in bytes.
pub const ROW_BYTES_MAX: usize = 256 * 1024;

/// The greatest number of rows of one turn. An honest turn has one for each time that its client stopped.
pub const ROWS_MAX: usize = 64;

spelled! {
    /// The kind of a record.
    Source {
        /// Claude Code's transcript, from version 2.1.307 on.
        Transcript = "transcript",
        /// Codex's rollout, as versions 0.150 and 0.171 write it.
        Rollout = "rollout",
        /// What opencode's plugin hands over.
        Plugin = "plugin",
    }
}

impl Source {
    /// Returns the profile of the client that makes such records.
    pub fn profile(self) -> Profile {
        match self {
            Self::Transcript => Profile::ClaudeCode,
            Self::Rollout => Profile::Codex,
            Self::Plugin => Profile::Opencode,
        }
    }

    /// Returns who says what such a record says.
    pub fn witness(self) -> Witness {
        match self {
            Self::Transcript | Self::Rollout | Self::Plugin => Witness::Client,
        }
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::Transcript => "of Claude Code",
            Self::Rollout => "of Codex",
            Self::Plugin => "of opencode",
        }
    }

    /// Returns a sentence about all sources, for the API's document.
    pub fn explained() -> String {
        explained("The kind of the client's record", Self::ALL, Self::meaning)
    }
}

spelled! {
    /// Who says what a request had. A later one is the stronger.
    Witness {
        /// The client, in a record that everything can change that runs as the same user, also the model's shell.
        Client = "client",
        /// The server, which saw the request itself.
        Server = "server",
    }
}

impl Witness {
    fn meaning(self) -> &'static str {
        match self {
            Self::Client => "in a record that everything can change that runs as its user",
            Self::Server => "which saw the request itself",
        }
    }

    /// Returns a sentence about all witnesses, for the API's document.
    pub fn explained() -> String {
        explained("Who says what a request had", Self::ALL, Self::meaning)
    }
}

spelled! {
    /// What the requests of a turn gave the model, in a word. A later one is worse.
    Verdict {
        /// Every request had exactly what the pin says.
        AsPinned = "as-pinned",
        /// The turn has no pin to compare with.
        Unpinned = "unpinned",
        /// The pin is under the profile of another client.
        OtherProfile = "other-profile",
        /// The record does not hold every request whole, and nothing that it holds deviates.
        Incomplete = "incomplete",
        /// Witnesses say different things.
        Disputed = "disputed",
        /// A request had something else than the pin says.
        Deviates = "deviates",
    }
}

impl Verdict {
    fn meaning(self) -> &'static str {
        match self {
            Self::AsPinned => "if every request had exactly what the pin says",
            Self::Unpinned => "if the turn has no pin",
            Self::OtherProfile => "if the pin is under the profile of another client",
            Self::Incomplete => {
                "if the record does not hold every request whole and nothing in it deviates"
            }
            Self::Disputed => "if witnesses say different things",
            Self::Deviates => "if a request had something else",
        }
    }

    /// Returns the verdicts that a filter by this one selects. A disputed turn may deviate, so it counts there too.
    pub fn selected(self) -> &'static [Self] {
        match self {
            Self::AsPinned => &[Self::AsPinned],
            Self::Unpinned => &[Self::Unpinned],
            Self::OtherProfile => &[Self::OtherProfile],
            Self::Incomplete => &[Self::Incomplete],
            Self::Disputed => &[Self::Disputed],
            Self::Deviates => &[Self::Deviates, Self::Disputed],
        }
    }

    /// Returns a sentence about all verdicts, for the API's document.
    pub fn explained() -> String {
        explained(
            "What the requests of the turn gave the model",
            Self::ALL,
            Self::meaning,
        )
    }
}

spelled! {
    /// Why a record does not hold a request whole.
    Gap {
        /// It names messages that the record does not hold, or the request that it goes on from is missing.
        NotHeld = "not-held",
        /// A line before it is broken or too long.
        BrokenLine = "broken-line",
        /// A message is not the one whose hash the record states.
        Changed = "changed",
        /// The client left something out on purpose.
        Cut = "cut",
        /// It asked for a summary, and the record does not hold how.
        Compaction = "compaction",
        /// It goes on from a record of another session, which was not read.
        ParentNotRead = "parent-not-read",
        /// It has more messages or findings than are kept.
        TooMuch = "too-much",
    }
}

impl Gap {
    fn meaning(self) -> &'static str {
        match self {
            Self::NotHeld => "if the record lacks a message of it",
            Self::BrokenLine => "if a line before it cannot be read",
            Self::Changed => "if a message is not the one whose hash the record states",
            Self::Cut => "if the client left something out",
            Self::Compaction => "if it asked for a summary",
            Self::ParentNotRead => "if it goes on from another session's record that was not read",
            Self::TooMuch => "if it has more than is kept",
        }
    }

    /// Returns what is missing, as a part of a sentence for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::NotHeld => "it lacks a message of a request",
            Self::BrokenLine => "a line of it cannot be read",
            Self::Changed => "a message is not the one whose hash it states",
            Self::Cut => "the client left something out",
            Self::Compaction => "the client asked for a summary, and the record does not hold how",
            Self::ParentNotRead => "it goes on from another session's record, which was not read",
            Self::TooMuch => "a request has more than is kept",
        }
    }

    /// Returns what the gaps of a turn mean for the next ones, and what to do, as sentences.
    pub fn advice(gaps: &[Self]) -> &'static str {
        let lasts = |gap: &Self| match gap {
            Self::NotHeld | Self::BrokenLine | Self::Changed | Self::ParentNotRead => true,
            Self::Cut | Self::Compaction | Self::TooMuch => false,
        };
        if gaps.iter().all(|gap| *gap == Self::Compaction) {
            "That is so at each compaction, and there is nothing to do: the requests behind it are compared again."
        } else if gaps.iter().any(lasts) {
            "What is missing stays unknown. Later turns of the session can be incomplete too; a new session begins a new record."
        } else {
            "What is missing stays unknown. The rest was compared."
        }
    }

    /// Returns a sentence about all gaps, for the API's document.
    pub fn explained() -> String {
        explained("Why a request is not whole", Self::ALL, Self::meaning)
    }
}

spelled! {
    /// What became of one resource in a request. A later one is worse.
    Outcome {
        /// It is for certain files or uses, and was not given.
        NotAskedFor = "not-asked-for",
        Given = "given",
        /// The client gave the beginning of the file, as its rules say.
        GivenUpTo = "given-up-to",
        /// It was given several times.
        Repeated = "repeated",
        /// The list of skills gave a part of the description.
        Shortened = "shortened",
        /// A text of an earlier pin, and the present one behind it.
        Superseded = "superseded",
        /// A person, a tool or the model said it, and the client did not give it.
        SeenElsewhere = "seen-elsewhere",
        /// The text has fewer than 64 bytes and does not stand in its client's frame. Rows of earlier releases have it.
        TooShort = "too-short",
        /// The client gave a file that the pin lists and does not have, because somebody chose that.
        KnownNotPinned = "known-not-pinned",
        /// The client gave a file that could not be pinned.
        KnownUnusable = "known-unusable",
        /// It should have been given, and was not, or it was taken back behind its place.
        Absent = "absent",
        /// A text of an earlier pin, without the present one behind it.
        Stale = "stale",
        /// A text of the head or of a later pin.
        Newer = "newer",
        /// A text that no snapshot has.
        Foreign = "foreign",
    }
}

impl Outcome {
    /// Returns whether the request had something else than the pin says.
    pub fn deviates(self) -> bool {
        match self {
            Self::NotAskedFor
            | Self::Given
            | Self::GivenUpTo
            | Self::Repeated
            | Self::Shortened
            | Self::Superseded
            | Self::SeenElsewhere
            | Self::TooShort
            | Self::KnownNotPinned => false,
            Self::KnownUnusable | Self::Absent | Self::Stale | Self::Newer | Self::Foreign => true,
        }
    }

    /// Returns whether the request had another text of a snapshot than that of the pin.
    pub fn is_other_text(self) -> bool {
        matches!(self, Self::Superseded | Self::Stale | Self::Newer)
    }

    /// Returns whether the request had the text, or the beginning of it.
    pub fn has_text(self) -> bool {
        match self {
            Self::Given
            | Self::GivenUpTo
            | Self::Repeated
            | Self::Superseded
            | Self::SeenElsewhere
            | Self::KnownNotPinned
            | Self::KnownUnusable
            | Self::Stale
            | Self::Newer
            | Self::Foreign => true,
            Self::NotAskedFor | Self::Shortened | Self::TooShort | Self::Absent => false,
        }
    }

    /// Returns whether the outcome can come with the size of what was given or said.
    pub fn has_size(self) -> bool {
        self.has_text() || self == Self::Shortened
    }

    /// Returns whether the outcome can come with the number of bytes that were given. The first two always do.
    pub fn counts_bytes(self) -> bool {
        matches!(
            self,
            Self::GivenUpTo | Self::Shortened | Self::Superseded | Self::Stale | Self::Newer
        )
    }

    fn meaning(self) -> &'static str {
        match self {
            Self::NotAskedFor => "if it is for certain files or uses and was not given",
            Self::Given => "as it is pinned",
            Self::GivenUpTo => "its tool's limit, in `given_bytes`",
            Self::Repeated => "several times",
            Self::Shortened => "to `given_bytes` of the description in the list of skills",
            Self::Superseded => "if an earlier text has the present one behind it",
            Self::SeenElsewhere => "if a person, a tool or the model said it",
            Self::TooShort => "to tell, in a row of an earlier release",
            Self::KnownNotPinned => "if the pin leaves the file out by choice",
            Self::KnownUnusable => "if the file could not be pinned",
            Self::Absent => "if it was due and not given, or taken back",
            Self::Stale => "if an earlier text has no present one behind it",
            Self::Newer => "if it is of the head or a later pin",
            Self::Foreign => "if no snapshot has the text",
        }
    }

    /// Returns a sentence about all outcomes, for the API's document.
    pub fn explained() -> String {
        explained("What became of the resource", Self::ALL, Self::meaning)
    }
}

/// The worst that became of one resource in the requests of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceResult {
    /// The source of a resource of the chat's snapshots, or else the path as the client's frame names it. One line.
    pub path: Option<String>,
    /// `None` for a text that no snapshot has.
    pub kind: Option<Kind>,
    /// The hash of the file's bytes. `None` for a text that no snapshot has.
    pub content: Option<BlobHash>,
    pub outcome: Outcome,
    /// How many bytes of the file or of the description were given, for an outcome that
    /// [counts them](Outcome::counts_bytes). `None` for a text that was given whole, or not at all.
    pub given_bytes: Option<u64>,
    /// The size of the text as it was given or said, or of the description in a list of skills, in bytes. `None` without
    /// one, for a text that no snapshot has, and in a row of an earlier release.
    pub size_bytes: Option<u64>,
    /// Of a skill, whether its file was given or said, and not only its line in a list of skills. `None` for other kinds,
    /// and in a row of an earlier release.
    pub has_body: Option<bool>,
    /// Whether the text stands inside of another one that was given.
    pub is_within: bool,
    /// The number of the first request with this outcome.
    pub request: u64,
    /// Where it was found there. `None` if it was not.
    pub place: Option<Place>,
    /// What is known of a text that no snapshot has.
    pub foreign: Option<ForeignText>,
}

impl ResourceResult {
    /// Returns whether the requests had the text, and not only its name in a list of skills.
    pub fn had_text(&self) -> bool {
        // A text that was taken back has a place.
        let is_taken_back = self.outcome == Outcome::Absent && self.place.is_some();
        self.has_body.unwrap_or(self.outcome.has_text()) || self.is_within || is_taken_back
    }

    /// Returns the resource and its content, if the requests had that text of a snapshot.
    pub fn text_had(&self) -> Option<(ResourceId, BlobHash)> {
        let id = ResourceId::of(self.kind?, self.path.as_deref()?);
        let content = self.content.filter(|_| self.had_text())?;
        Some((id, content))
    }
}

/// A text that no snapshot has, without the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignText {
    /// The length of the text, in bytes.
    pub bytes: u64,
    /// The names of the text under the owner's key, as it was given and with a line end behind it, which clients cut.
    pub names: [ForeignName; 2],
}

/// A place in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The number of the message. The system prompt is 0.
    pub message: u64,
    /// The number of the string in the message.
    pub string: u32,
    /// The place in the string, in bytes.
    pub at: u64,
}

/// What one reading of a record says about a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub source: Source,
    /// The version of the client that made the requests, the last one that the record names.
    pub client_version: Option<ClientVersion>,
    /// A hash of the ids of the requests.
    pub key: AnyHash,
    pub verdict: Verdict,
    pub requests: u64,
    /// How many of the requests the record holds whole.
    pub whole: u64,
    /// Why the others are not whole, each reason once.
    pub gaps: Vec<Gap>,
    /// The number of the first request that deviates.
    pub first_different: Option<u64>,
    /// The worst outcomes first, and then by path.
    pub resources: Vec<ResourceResult>,
    /// How many resources are left out, because the row would be too large.
    pub left_out: u64,
}

impl Row {
    /// Returns the part of the row that goes into what all rows of the turn say together.
    pub fn summary(&self) -> RowSummary {
        RowSummary {
            witness: self.source.witness(),
            verdict: self.verdict,
            requests: self.requests,
            whole: self.whole,
            first_different: self.first_different,
            client_version: self.client_version,
        }
    }

    /// Returns the hashes of the contents of snapshots of which the requests had no text.
    pub fn lacks(&self) -> impl Iterator<Item = [u8; 32]> {
        let lacked = self.resources.iter().filter(|result| !result.had_text());
        let contents = lacked.filter_map(|result| result.content);
        contents.map(|content| *content.bytes())
    }

    /// Returns the hashes and the names of the texts that the requests had.
    pub fn texts(&self) -> impl Iterator<Item = [u8; 32]> {
        let had = self.resources.iter().filter(|result| result.had_text());
        had.flat_map(|result| {
            let names = result.foreign.iter().flat_map(|foreign| foreign.names);
            let names = names.map(|name| *name.bytes());
            result
                .content
                .map(|content| *content.bytes())
                .into_iter()
                .chain(names)
        })
    }
}

/// A row as a client hands it in.
#[derive(Debug, Clone)]
pub struct HandedIn {
    /// The name of the key under which the row names texts.
    pub owner_key: EvidenceKeyName,
    pub row: CheckedRow,
    /// The head that the requests show where nobody has confirmed the turn's pin. The row is compared with it.
    pub shows: Option<SnapshotId>,
}

/// The parts of a row from which a turn has what all its rows say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowSummary {
    pub witness: Witness,
    pub verdict: Verdict,
    pub requests: u64,
    /// How many of the requests the record holds whole.
    pub whole: u64,
    /// The number of the first request that deviates.
    pub first_different: Option<u64>,
    /// The version of the client that made the requests.
    pub client_version: Option<ClientVersion>,
}

impl RowSummary {
    /// Returns whether the row holds all of its requests.
    pub fn is_whole(&self) -> bool {
        self.whole == self.requests && self.requests > 0
    }
}

/// A row as it is stored, without its resources.
#[derive(Debug, Clone)]
pub struct EvidenceRecord {
    pub key: AnyHash,
    pub source: Source,
    pub summary: RowSummary,
    /// The owner's key under which foreign texts are named.
    pub owner_key: EvidenceKeyName,
    /// The size of the row as JSON.
    pub size_bytes: u64,
    pub by: ActorRef,
    pub at: Moment,
}

/// What the rows of a turn say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TurnEvidence {
    pub verdict: Verdict,
    /// The witness whose rows decided.
    pub witness: Witness,
    pub requests: u64,
    /// The version of the client, from the newest row that names one.
    pub client_version: Option<ClientVersion>,
}

/// What the evidence says of the newest turn of a chat that has any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LastVerdict {
    /// The number of the turn. Later turns have no evidence.
    pub turn: i64,
    pub verdict: Verdict,
    /// The witness whose rows decided.
    pub witness: Witness,
}

/// The rows of a turn, and what they say together about each resource.
#[derive(Debug, Clone)]
pub struct EvidenceView {
    /// The rows, oldest first.
    pub rows: Vec<EvidenceRecord>,
    /// The number of the first request that deviates, in the record of its row.
    pub first_different: Option<u64>,
    /// Why requests are not whole, each reason once.
    pub gaps: Vec<Gap>,
    /// The worst of each resource in the rows of the witness who decided, the worst outcomes first.
    pub resources: Vec<ResourceResult>,
    /// Whether these are all resources.
    pub is_complete: bool,
}

/// Merges the rows of one turn, oldest first. Returns `None` without rows.
///
/// The rows of the strongest witness with a whole row decide, and of these the worst. If whole rows of another witness say
/// otherwise, the verdict is disputed.
pub fn together(rows: &[RowSummary]) -> Option<TurnEvidence> {
    let witness = deciding(rows)?;
    let own = rows.iter().filter(|row| row.witness == witness);
    let verdict = own.clone().map(|row| row.verdict).max()?;
    let is_whole = |row: &&RowSummary| row.is_whole();
    let others = rows.iter().filter(is_whole);
    let others = others.filter(|row| row.witness != witness);
    let others = others.map(|row| row.verdict).max();
    let is_disputed =
        own.clone().any(RowSummary::is_whole) && others.is_some_and(|other| other != verdict);
    Some(TurnEvidence {
        verdict: match is_disputed {
            true => Verdict::Disputed,
            false => verdict,
        },
        witness,
        requests: own.map(|row| row.requests).fold(0, u64::saturating_add),
        client_version: rows.iter().rev().find_map(|row| row.client_version),
    })
}

/// Returns the witness whose rows decide: the strongest with a whole row, or else the strongest. `None` without rows.
pub fn deciding(rows: &[RowSummary]) -> Option<Witness> {
    let whole = rows.iter().filter(|row| row.is_whole());
    let strongest = whole.map(|row| row.witness).max();
    strongest.or_else(|| rows.iter().map(|row| row.witness).max())
}

/// Returns the worst of each resource in several rows, the worst outcomes first, and then by path.
pub fn worst_of(rows: Vec<Row>) -> Vec<ResourceResult> {
    let mut worst: BTreeMap<_, ResourceResult> = BTreeMap::new();
    for result in rows.into_iter().flat_map(|row| row.resources) {
        let name = result.foreign.as_ref().map(|foreign| foreign.names[0]);
        let subject = (result.path.clone(), result.content, name);
        match worst.get_mut(&subject) {
            Some(known) if known.outcome >= result.outcome => {}
            Some(known) => *known = result,
            None => drop(worst.insert(subject, result)),
        }
    }
    let mut worst: Vec<_> = worst.into_values().collect();
    sort(&mut worst);
    worst
}

/// Puts the worst outcomes first, and sorts equal ones by path.
pub fn sort(results: &mut [ResourceResult]) {
    results.sort_by(|a, b| (b.outcome, &a.path, &a.content).cmp(&(a.outcome, &b.path, &b.content)));
}

#[cfg(test)]
mod tests;
