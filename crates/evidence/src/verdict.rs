//! Compares what was found in the requests of a turn with the pin that the turn is stamped with.

use std::collections::{BTreeMap, HashMap, HashSet};

use ctxpin_model::client_version::ClientVersion;
use ctxpin_model::evidence::{
    self, ForeignText, Gap, Outcome, Place, ROW_BYTES_MAX, ResourceResult, Row, Source, Verdict,
};
use ctxpin_model::evidence_key::ForeignName;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::Profile;
use ctxpin_model::resource::Kind;
use sha2::{Digest as _, Sha256};

use crate::finder::WINDOW_BYTES;
use crate::findings::{Foreign, What, line};
use crate::known::{Known, KnownResource, KnownSnapshot, ResourceNumber, Standing};
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

/// What a result is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// A source, with the content of a snapshot other than the pin.
    Known(String, Option<BlobHash>),
    /// A text that no snapshot has, by its name.
    Foreign(ForeignName),
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
        self.whole += u64::from(request.gaps.is_empty());
        self.gaps.extend(&request.gaps);
        self.gaps.sort_unstable();
        self.gaps.dedup();
        let Some(pin) = self.pin.filter(|pin| self.is_same_profile(*pin)) else {
            return;
        };
        let compared = Compared::new(self.known, self.source.profile(), pin, request);
        let results = compared.results();
        // What is missing of a request may have a text, or replace one. The request for a summary has all messages.
        let mut gaps = request.gaps.iter();
        let is_known = gaps.all(|gap| *gap == Gap::Compaction);
        let is_certain = |outcome| is_known || !matches!(outcome, Outcome::Absent | Outcome::Stale);
        let differs = |outcome: Outcome| outcome.deviates() && is_certain(outcome);
        for (subject, result) in results {
            if differs(result.outcome) {
                self.first_different.get_or_insert(request.number);
            }
            match self.results.get_mut(&subject) {
                Some(known) if known.outcome >= result.outcome => {}
                Some(known) => *known = result,
                None => {
                    self.results.insert(subject, result);
                }
            }
        }
    }

    fn is_same_profile(&self, pin: usize) -> bool {
        self.known.snapshots[pin].profile == self.source.profile()
    }

    /// Returns what the requests say together.
    pub fn row(self) -> Row {
        let is_whole = self.whole == self.requests && self.requests > 0;
        let verdict = match self.pin {
            None => Verdict::Unpinned,
            Some(pin) if !self.is_same_profile(pin) => Verdict::OtherProfile,
            Some(_) if self.first_different.is_some() => Verdict::Deviates,
            Some(_) if !is_whole => Verdict::Incomplete,
            Some(_) => Verdict::AsPinned,
        };
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

/// One request beside a pin.
struct Compared<'c> {
    known: &'c Known,
    client: Profile,
    pin: usize,
    snapshot: &'c KnownSnapshot,
    request: &'c Request<'c>,
    /// Each text that the client gave, with how often and where.
    given: HashMap<usize, Count>,
    /// The texts that stand inside of those.
    inside: HashSet<usize>,
    /// The texts that stand elsewhere, with the first place.
    elsewhere: HashMap<usize, Place>,
    /// The skills of the pin that are listed, with the bytes of the description unless it is whole.
    listed: HashMap<usize, (Place, Option<u64>)>,
    /// The last place of each of these.
    listed_last: HashMap<usize, Place>,
    /// The places of all these.
    listings: HashSet<Place>,
    /// The last place at which the client says that a file is gone, by its source.
    withdrawn: HashMap<&'c str, Place>,
    has_list: bool,
    /// The last place of a text of each file of the pin that every request has, by its source.
    present: HashMap<&'c str, Place>,
    /// The last of these places.
    newest: Option<Place>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    count: usize,
    first: Place,
    last: Place,
}

impl<'c> Compared<'c> {
    fn new(known: &'c Known, client: Profile, pin: usize, request: &'c Request<'c>) -> Self {
        let mut compared = Self {
            known,
            client,
            pin,
            snapshot: &known.snapshots[pin],
            request,
            given: HashMap::new(),
            inside: HashSet::new(),
            elsewhere: HashMap::new(),
            listed: HashMap::new(),
            listed_last: HashMap::new(),
            withdrawn: HashMap::new(),
            listings: HashSet::new(),
            has_list: false,
            present: HashMap::new(),
            newest: None,
        };
        for (place, what, is_instruction) in compared.places() {
            compared.note(place, what, is_instruction);
        }
        for text in compared.given.keys() {
            compared.inside.extend(known.finder.inside(*text));
        }
        let due = compared.snapshot.resources.iter();
        let due = due.filter(|file| file.is_due && file.kind == Kind::InstructionFile);
        for file in due {
            let places = file
                .texts
                .iter()
                .filter_map(|text| compared.given.get(text));
            if let Some(last) = places.map(|count| count.last).max() {
                compared.present.insert(&file.source, last);
            }
        }
        compared.newest = compared.present.values().max().copied();
        compared
    }

    fn note(&mut self, place: Place, what: &What, is_instruction: bool) {
        match what {
            What::Text(text) if is_instruction => {
                let first = Count {
                    count: 0,
                    first: place,
                    last: place,
                };
                let count = self.given.entry(*text).or_insert(first);
                count.count += 1;
                count.last = place;
            }
            What::Text(text) => {
                self.elsewhere.entry(*text).or_insert(place);
            }
            What::Skill { number, given } if number.snapshot == self.pin => {
                self.listings.insert(place);
                self.listed_last.insert(number.resource, place);
                self.listed
                    .entry(number.resource)
                    .or_insert((place, *given));
            }
            What::Withdrawn(number) => {
                let source = &self.known.resource(*number).source;
                self.withdrawn.insert(source, place);
            }
            What::List => self.has_list = true,
            What::Skill { .. } | What::Foreign(_) | What::Renamed(_) => {}
        }
    }

    fn places(&self) -> impl Iterator<Item = (Place, &'c What, bool)> + use<'c> {
        self.request.found.iter().map(|found| {
            let place = Place {
                message: found.message,
                string: found.finding.string,
                at: found.finding.at,
            };
            (place, &found.finding.what, found.finding.is_instruction)
        })
    }

    /// Returns what became of each resource of the pin, and of everything else that was given.
    fn results(&self) -> Vec<(Subject, ResourceResult)> {
        let mut results = Vec::new();
        for (number, resource) in self.snapshot.resources.iter().enumerate() {
            if let Some((outcome, place)) = self.pinned(number, resource) {
                let (subject, mut result) = self.result(resource, outcome, place);
                result.given_bytes = match outcome {
                    Outcome::GivenUpTo => resource.cut_at,
                    Outcome::Shortened => self.listed.get(&number).and_then(|(_, bytes)| *bytes),
                    _ => None,
                };
                results.push((subject, result));
            }
        }
        results.extend(self.other_texts());
        for (place, what, _) in self.places() {
            match what {
                What::Foreign(foreign) => results.extend(self.foreign(foreign, place)),
                What::Skill { number, .. } => {
                    results.extend(self.listed_otherwise(*number, place));
                }
                What::Renamed(number) => {
                    let resource = self.known.resource(*number);
                    // A fork has the list of a session whose snapshots are those of another chat.
                    if !self.is_listed_behind(resource, place) {
                        results.push(self.result(resource, Outcome::Foreign, Some(place)));
                    }
                }
                What::Text(_) | What::List | What::Withdrawn(_) => {}
            }
        }
        results
    }

    fn result(
        &self,
        resource: &KnownResource,
        outcome: Outcome,
        place: Option<Place>,
    ) -> (Subject, ResourceResult) {
        let is_within = outcome == Outcome::Absent && self.is_within(resource);
        let content = resource.content;
        let subject = Subject::Known(resource.source.clone(), content);
        let result = ResourceResult {
            path: Some(line(&resource.source)),
            kind: Some(resource.kind),
            content,
            outcome,
            given_bytes: None,
            is_within,
            request: self.request.number,
            place,
            foreign: None,
        };
        (subject, result)
    }

    /// Returns whether a text of a resource stands inside of one that was given.
    fn is_within(&self, resource: &KnownResource) -> bool {
        let mut texts = resource.texts.iter();
        texts.any(|text| self.inside.contains(text))
    }

    /// Returns what became of a resource of the pin, or `None` if no model gets anything of it.
    fn pinned(&self, number: usize, resource: &KnownResource) -> Option<(Outcome, Option<Place>)> {
        if resource.standing != Standing::Pinned {
            return None;
        }
        let is_skill = resource.kind == Kind::Skill;
        let body = self.body(resource);
        match (is_skill, resource.is_due) {
            (true, true) => {
                let listed = self.listed(number);
                Some(body.filter(|body| body.0 > listed.0).unwrap_or(listed))
            }
            (true, false) | (false, false) => body,
            (false, true) => match body? {
                (Outcome::NotAskedFor | Outcome::SeenElsewhere, _) => {
                    let bytes = resource
                        .texts
                        .iter()
                        .map(|text| self.known.texts[*text].bytes);
                    let is_short = bytes.max() < Some(WINDOW_BYTES as u64);
                    let outcome = match is_short {
                        true => Outcome::TooShort,
                        false => Outcome::Absent,
                    };
                    Some((outcome, None))
                }
                given => Some(given),
            },
        }
    }

    /// Returns what became of the text of a resource.
    fn body(&self, resource: &KnownResource) -> Option<(Outcome, Option<Place>)> {
        if resource.texts.is_empty() {
            return None;
        }
        let counts = resource.texts.iter();
        let counts: Vec<_> = counts
            .filter_map(|text| Some((text, self.given.get(text)?)))
            .collect();
        let count: usize = counts.iter().map(|(_, count)| count.count).sum();
        let Some(first) = counts.iter().map(|(_, count)| count.first).min() else {
            let mut elsewhere = resource.texts.iter();
            let elsewhere = elsewhere.find_map(|text| self.elsewhere.get(text));
            return Some(match elsewhere {
                Some(place) => (Outcome::SeenElsewhere, Some(*place)),
                None => (Outcome::NotAskedFor, None),
            });
        };
        // Resources with equal texts are given one time each.
        let owners = counts
            .iter()
            .flat_map(|(text, _)| &self.known.texts[**text].owners);
        let shared = owners.filter(|owner| owner.snapshot == self.pin).count();
        let outcome = match resource.cut_at {
            _ if resource.is_due && count > shared => Outcome::Repeated,
            Some(_) => Outcome::GivenUpTo,
            None => Outcome::Given,
        };
        Some((outcome, Some(first)))
    }

    /// Returns what the list of skills has of a skill of the pin.
    fn listed(&self, number: usize) -> (Outcome, Option<Place>) {
        match self.listed.get(&number) {
            Some((place, None)) => (Outcome::Given, Some(*place)),
            Some((place, Some(_))) => (Outcome::Shortened, Some(*place)),
            // A client without the means to use a skill gives no list.
            None if !self.has_list => (Outcome::NotAskedFor, None),
            None => (Outcome::Absent, None),
        }
    }

    /// Returns what a listed skill of another snapshot is, if no skill of the pin stands there.
    fn listed_otherwise(
        &self,
        number: ResourceNumber,
        place: Place,
    ) -> Option<(Subject, ResourceResult)> {
        let resource = self.known.resource(number);
        let outcome = match number.snapshot < self.pin {
            true if self.is_listed_behind(resource, place) => Outcome::Superseded,
            true => Outcome::Stale,
            false => Outcome::Newer,
        };
        let is_pinned = self.listings.contains(&place);
        (!is_pinned).then(|| self.result(resource, outcome, Some(place)))
    }

    /// Returns whether a list behind a place has the pin's skill of the same source. A resumed session lists a changed
    /// skill once more.
    fn is_listed_behind(&self, skill: &KnownResource, place: Place) -> bool {
        let present = self.snapshot.places.get(&skill.source);
        let present = present.and_then(|present| self.listed_last.get(present));
        present.is_some_and(|present| *present > place)
    }

    /// Returns whether a file of the pin stands behind a place and replaces what stands there under a source, or the client
    /// says there that the file is gone.
    fn is_replaced(&self, source: &str, place: Place) -> bool {
        match self.client {
            // Its message replaces all that came before.
            Profile::Codex => {
                let newest = self.newest;
                newest.is_some_and(|newest| newest.message > place.message)
            }
            Profile::ClaudeCode | Profile::Opencode | Profile::Neutral => {
                let ends = [self.present.get(source), self.withdrawn.get(source)];
                ends.into_iter().flatten().any(|end| *end > place)
            }
        }
    }

    /// Returns the texts that the client gave and the pin does not have.
    fn other_texts(&self) -> Vec<(Subject, ResourceResult)> {
        let mut results = Vec::new();
        for (text, count) in &self.given {
            let owners = &self.known.texts[*text].owners;
            if owners.iter().any(|owner| owner.snapshot == self.pin) {
                continue;
            }
            let earlier = owners
                .iter()
                .rfind(|owner| owner.snapshot < self.pin)
                .copied();
            let Some(owner) = earlier.or(owners.first().copied()) else {
                continue;
            };
            let resource = self.known.resource(owner);
            let outcome = match earlier {
                None => Outcome::Newer,
                // What was given for a file or a use stays, and nothing replaces it.
                Some(_) if !resource.is_due || resource.kind == Kind::Skill => Outcome::Superseded,
                Some(_) if self.is_replaced(&resource.source, count.last) => Outcome::Superseded,
                Some(_) => Outcome::Stale,
            };
            results.push(self.result(resource, outcome, Some(count.first)));
        }
        results
    }

    /// Returns what a text is that no snapshot has.
    fn foreign(&self, foreign: &Foreign, place: Place) -> Option<(Subject, ResourceResult)> {
        let named = foreign.source.map(|number| self.known.resource(number));
        let home = self.snapshot.home.filter(|_| foreign.is_home);
        let home = home.map(|home| &self.snapshot.resources[home]);
        let named = named.or(home);
        let source = named.map(|resource| resource.source.as_str());
        let pinned = source.and_then(|source| self.snapshot.places.get(source));
        let pinned = pinned.map(|place| &self.snapshot.resources[*place]);
        let outcome = match pinned.map(|resource| resource.standing) {
            Some(Standing::LeftOut) => Outcome::KnownNotPinned,
            Some(Standing::Unusable) => Outcome::KnownUnusable,
            _ if self.is_replaced(source.unwrap_or_default(), place) => Outcome::Superseded,
            Some(Standing::Pinned) if pinned.is_some_and(|skill| skill.is_template) => return None,
            Some(Standing::Pinned) | None => Outcome::Foreign,
        };
        let result = ResourceResult {
            path: source.map(line).or_else(|| foreign.path.clone()),
            kind: named.map(|resource| resource.kind),
            content: None,
            outcome,
            given_bytes: None,
            is_within: false,
            request: self.request.number,
            place: Some(place),
            foreign: Some(ForeignText {
                bytes: foreign.bytes,
                names: [foreign.name, foreign.name_with_line_end],
            }),
        };
        Some((Subject::Foreign(foreign.name), result))
    }
}
