//! Compares what was found in the requests of a turn with the pin that the turn is stamped with.

use std::collections::BTreeMap;

use ctxpin_model::client_version::ClientVersion;
use ctxpin_model::evidence::{
    self, Gap, Outcome, ROW_BYTES_MAX, ResourceResult, Row, Source, Verdict,
};
use ctxpin_model::resource::Kind;
use sha2::{Digest as _, Sha256};

use crate::compared::{Compared, Subject};
use crate::known::{Known, Standing};
use crate::reading::Request;

/// The greatest size of the resources of one row, as JSON, in bytes. Worse ones come first. The rest of a row is small.
const RESOURCES_BYTES_MAX: usize = ROW_BYTES_MAX - 32 * 1024;

/// The requests of one turn, while they are read.
pub struct Turn<'k> {
    known: &'k Known,
    source: Source,
    pin: Option<usize>,
    client_version: Option<ClientVersion>,
    ids: Sha256,
    requests: u64,
    whole: u64,
    gaps: Vec<Gap>,
    first_different: Option<u64>,
    results: BTreeMap<Subject, ResourceResult>,
}

impl<'k> Turn<'k> {
    /// Begins a turn. `pin` is the number of the snapshot that the turn is stamped with, or `None` without one.
    pub fn new(known: &'k Known, source: Source, pin: Option<usize>) -> Self {
        Self {
            known,
            source,
            pin: pin.filter(|pin| *pin < known.snapshots.len()),
            client_version: None,
            ids: Sha256::new(),
            requests: 0,
            whole: 0,
            gaps: Vec::new(),
            first_different: None,
            results: BTreeMap::new(),
        }
    }

    /// Adds a request of the turn.
    pub fn add(&mut self, request: &Request<'_>) {
        self.ids.update(&request.id);
        self.client_version = request.client_version.or(self.client_version);
        self.requests += 1;
        let pin = self.pin.filter(|pin| self.is_same_profile(*pin));
        let client = self.source.profile();
        let compared = pin.map(|pin| Compared::new(self.known, client, pin, request));
        let may_lack_files = compared.as_ref().is_some_and(Compared::may_lack_files);
        let lacking = may_lack_files.then_some(Gap::Cut);
        let gaps: Vec<_> = request.gaps.iter().copied().chain(lacking).collect();
        self.whole += u64::from(gaps.is_empty());
        self.gaps.extend(&gaps);
        self.gaps.sort_unstable();
        self.gaps.dedup();
        let Some(compared) = compared else {
            return;
        };
        let results = compared.results();
        // What is missing of a request may have a text, or replace one. The request for a summary has all messages.
        let is_known = gaps.iter().all(|gap| *gap == Gap::Compaction);
        let is_certain = |outcome| is_known || !matches!(outcome, Outcome::Absent | Outcome::Stale);
        let differs = |outcome: Outcome| outcome.deviates() && is_certain(outcome);
        for (subject, result) in results {
            if differs(result.outcome) {
                self.first_different.get_or_insert(request.number);
            }
            match self.results.get_mut(&subject) {
                Some(known) => {
                    let has_body = known.has_body.max(result.has_body);
                    // The place of a skill's text says more than that of its line in a list.
                    let is_body = result.has_body == Some(true) && known.has_body != Some(true);
                    if (result.outcome, is_body) > (known.outcome, false) {
                        *known = result;
                    }
                    known.has_body = has_body;
                }
                None => {
                    self.results.insert(subject, result);
                }
            }
        }
    }

    fn is_same_profile(&self, pin: usize) -> bool {
        self.known.snapshots[pin].profile == self.source.profile()
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let is_whole = self.whole == self.requests && self.requests > 0;
        match self.pin {
            None => Verdict::Unpinned,
            Some(pin) if !self.is_same_profile(pin) => Verdict::OtherProfile,
            Some(_) if self.first_different.is_some() => Verdict::Deviates,
            Some(_) if !is_whole => Verdict::Incomplete,
            Some(_) => Verdict::AsPinned,
        }
    }

    /// Returns whether the requests show that the client has read the snapshot: they are whole, nothing contradicts, and
    /// they have everything that was due, which is at least one text.
    pub(crate) fn is_shown(&self) -> bool {
        let Some(pin) = self.pin.filter(|_| self.verdict() == Verdict::AsPinned) else {
            return false;
        };
        let due = self.known.snapshots[pin].resources.iter();
        let due = due.filter(|due| due.is_due && due.standing == Standing::Pinned);
        let mut has_text = false;
        for resource in due {
            let subject = Subject::Known(resource.source.clone(), resource.content);
            match self.results.get(&subject).map(|result| result.outcome) {
                Some(
                    Outcome::Given | Outcome::GivenUpTo | Outcome::Repeated | Outcome::Shortened,
                ) => has_text = true,
                // Nothing of it reaches a model, or the client gives no list of skills.
                None => {}
                Some(Outcome::NotAskedFor) if resource.kind == Kind::Skill => {}
                Some(_) => return false,
            }
        }
        has_text
    }

    /// Returns what the requests say together.
    pub fn row(self) -> Row {
        let verdict = self.verdict();
        let mut resources: Vec<_> = self.results.into_values().collect();
        evidence::sort(&mut resources);
        let mut bytes = 0;
        let fitting = resources.iter().take_while(|result| {
            bytes += result.json_bytes();
            bytes <= RESOURCES_BYTES_MAX
        });
        let kept = fitting.count();
        let left_out = (resources.len() - kept) as u64;
        resources.truncate(kept);
        Row {
            source: self.source,
            client_version: self.client_version,
            key: <[u8; 32]>::from(self.ids.finalize()).into(),
            verdict,
            requests: self.requests,
            whole: self.whole,
            gaps: self.gaps,
            first_different: self.first_different,
            resources,
            left_out,
        }
    }
}
