//! One request beside a pin: what became of each resource of the pin, and of everything else that was given.

use std::collections::{HashMap, HashSet};

use ctxpin_model::evidence::{ForeignText, Outcome, Place, ResourceResult};
use ctxpin_model::evidence_key::ForeignName;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::Profile;
use ctxpin_model::resource::Kind;

use crate::findings::{Foreign, Listed, What, line};
use crate::known::{
    Described, Known, KnownResource, KnownSnapshot, ResourceNumber, SkillPlace, Standing, Whose,
};
use crate::reading::Request;
use crate::record::transcript::Files;

/// What a result is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A source, with the content of a snapshot other than the pin.
    Known(String, Option<BlobHash>),
    /// A text that no snapshot has, by its name.
    Foreign(ForeignName),
}

/// One request beside a pin.
pub struct Compared<'c> {
    known: &'c Known,
    client: Profile,
    pin: usize,
    snapshot: &'c KnownSnapshot,
    request: &'c Request<'c>,
    /// Each text that the client gave, with how often and where, by whose it is.
    given: HashMap<(usize, Whose), Count>,
    /// The same texts.
    given_texts: HashSet<usize>,
    /// The texts that stand inside of those.
    inside: HashSet<usize>,
    /// The texts that stand elsewhere.
    elsewhere: HashMap<usize, Count>,
    /// The skills of the pin that are listed, with the bytes of the description unless it is whole.
    listed: HashMap<usize, (Place, Option<u64>)>,
    /// The last place of each of these.
    listed_last: HashMap<usize, Place>,
    /// The places of all these.
    listings: HashSet<Place>,
    /// The last place at which the client says that a file is gone, by its source.
    withdrawn: HashMap<&'c str, Place>,
    /// The last place at which the client says that all files are gone.
    all_withdrawn: Option<Place>,
    /// The texts of which the client shows edited lines, with the last place and the bytes.
    edited: HashMap<(usize, Whose), (Place, u64)>,
    has_list: bool,
    /// The last place of a text of each resource of the pin, by its source.
    present: HashMap<&'c str, Place>,
    /// The last of these places that is of an instruction file.
    newest: Option<Place>,
    /// The last message in which Codex gives its files, or says that there are none.
    block: Option<u64>,
    /// The places of the files of the pin that Codex joins, with their orders in the snapshot.
    joined: Vec<(Place, usize)>,
}

#[derive(Debug, Clone, Copy)]
struct Count {
    count: usize,
    first: Place,
    last: Place,
    /// How many of them are in the last message.
    in_last: usize,
}

impl Count {
    fn add(count: Option<Self>, place: Place) -> Self {
        Self {
            count: count.map_or(0, |count| count.count) + 1,
            first: count.map_or(place, |count| count.first),
            last: place,
            in_last: count
                .filter(|count| count.last.message == place.message)
                .map_or(0, |count| count.in_last)
                + 1,
        }
    }
}

impl<'c> Compared<'c> {
    /// Compares a request with the pin of a number.
    pub fn new(known: &'c Known, client: Profile, pin: usize, request: &'c Request<'c>) -> Self {
        let mut compared = Self {
            known,
            client,
            pin,
            snapshot: &known.snapshots[pin],
            request,
            given: HashMap::new(),
            given_texts: HashSet::new(),
            inside: HashSet::new(),
            elsewhere: HashMap::new(),
            listed: HashMap::new(),
            listed_last: HashMap::new(),
            withdrawn: HashMap::new(),
            all_withdrawn: None,
            edited: HashMap::new(),
            listings: HashSet::new(),
            has_list: false,
            present: HashMap::new(),
            newest: None,
            block: None,
            joined: Vec::new(),
        };
        for (place, what, is_instruction) in compared.places() {
            compared.note(place, what, is_instruction);
        }
        for text in &compared.given_texts {
            compared.inside.extend(known.finder.inside(*text));
        }
        for (number, resource) in compared.snapshot.resources.iter().enumerate() {
            if let Some(last) = compared.last(number) {
                compared.present.insert(&resource.source, last);
                if resource.kind == Kind::InstructionFile {
                    compared.newest = compared.newest.max(Some(last));
                }
            }
        }
        compared
    }

    /// Returns whether nobody can tell if the client chose to give no instruction files to the subagent.
    pub fn may_lack_files(&self) -> bool {
        self.request.due.files == Files::Unsaid && !self.has_files()
    }

    /// Returns whether the client gave an instruction file that every request of a session has.
    fn has_files(&self) -> bool {
        let mut given = self.places().filter(|(_, _, is_given)| *is_given);
        given.any(|(_, what, _)| match what {
            What::Text { text, whose } => self.known.is_of_due_file(*text, *whose),
            _ => false,
        })
    }

    fn note(&mut self, place: Place, what: &What, is_instruction: bool) {
        match what {
            What::Text { text, whose } if is_instruction => {
                let given = self.given.get(&(*text, *whose)).copied();
                self.given.insert((*text, *whose), Count::add(given, place));
                self.given_texts.insert(*text);
                if self.client == Profile::Codex {
                    let owners = self.of_pin(self.known.owners(*text, *whose));
                    let order = owners.map(|resource| resource.order).max();
                    self.joined.extend(order.map(|order| (place, order)));
                }
                if let Whose::Home | Whose::Project = whose {
                    self.block = Some(place.message);
                }
            }
            What::Text { text, .. } => {
                let said = self.elsewhere.get(text).copied();
                self.elsewhere.insert(*text, Count::add(said, place));
            }
            What::Skill { described, given } => {
                let owners = self.known.described[*described].owners.iter();
                let mut owners = owners.filter(|owner| owner.snapshot == self.pin);
                if let Some(owner) = owners.next() {
                    self.listings.insert(place);
                    self.listed_last.insert(owner.resource, place);
                    self.listed.entry(owner.resource).or_insert((place, *given));
                }
            }
            What::Withdrawn(number) => {
                let source = &self.known.resource(*number).source;
                self.withdrawn.insert(source, place);
            }
            What::AllWithdrawn => {
                self.all_withdrawn = Some(place);
                self.block = Some(place.message);
            }
            What::Edited { text, whose, bytes } => {
                self.edited.insert((*text, *whose), (place, *bytes));
            }
            What::List => self.has_list = true,
            // Its frame names a path unless it is that of Codex's files.
            What::Foreign(foreign) if self.client == Profile::Codex && foreign.path.is_none() => {
                self.block = Some(place.message);
            }
            What::Foreign(_) | What::Otherwise(_) => {}
        }
    }

    /// Returns those of some resources that are the pin's.
    fn of_pin(
        &self,
        owners: impl Iterator<Item = ResourceNumber>,
    ) -> impl Iterator<Item = &'c KnownResource> {
        let (known, pin) = (self.known, self.pin);
        let owners = owners.filter(move |owner| owner.snapshot == pin);
        owners.map(|owner| known.resource(owner))
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
    pub fn results(&self) -> Vec<(Subject, ResourceResult)> {
        let mut results = Vec::new();
        for (number, resource) in self.snapshot.resources.iter().enumerate() {
            if let Some((outcome, place)) = self.pinned(number, resource) {
                let (subject, mut result) = self.result(resource, outcome, place);
                result.given_bytes = match outcome {
                    Outcome::GivenUpTo => resource.cut_at,
                    Outcome::Shortened => self.listed.get(&number).and_then(|(_, bytes)| *bytes),
                    _ => None,
                };
                let sized = place.filter(|_| outcome.has_size());
                result.size_bytes = sized.and_then(|place| self.size(number, resource, place));
                result.has_body = (resource.kind == Kind::Skill).then(|| {
                    let body = self.body(number, resource);
                    body.is_some_and(|(outcome, _)| outcome.has_text())
                });
                results.push((subject, result));
            }
        }
        results.extend(self.other_texts());
        results.extend(self.edited_texts());
        results.extend(self.said_texts());
        for (place, what, _) in self.places() {
            match what {
                What::Foreign(foreign) => results.extend(self.foreign(foreign, place)),
                What::Skill { described, .. } => {
                    let skill = &self.known.described[*described];
                    results.extend(self.listed_otherwise(skill, place));
                }
                What::Otherwise(listed) => results.extend(self.otherwise(listed, place)),
                What::Text { .. }
                | What::List
                | What::Withdrawn(_)
                | What::AllWithdrawn
                | What::Edited { .. } => {}
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
            size_bytes: None,
            has_body: None,
            is_within,
            request: self.request.number,
            place,
            foreign: None,
        };
        (subject, result)
    }

    /// Returns what became of a text or a description of this size.
    fn sized(
        &self,
        resource: &KnownResource,
        outcome: Outcome,
        place: Place,
        bytes: u64,
    ) -> (Subject, ResourceResult) {
        let (subject, result) = self.result(resource, outcome, Some(place));
        let size_bytes = Some(bytes);
        let has_body = (resource.kind == Kind::Skill).then_some(true);
        (
            subject,
            ResourceResult {
                size_bytes,
                has_body,
                ..result
            },
        )
    }

    /// Returns the size of what stands at a place: a text of a resource of the pin, or its description in a list.
    fn size(&self, number: usize, resource: &KnownResource, place: Place) -> Option<u64> {
        if let Some((_, bytes)) = self.listed.get(&number).filter(|(at, _)| *at == place) {
            let described = self.known.described_as(ResourceNumber {
                snapshot: self.pin,
                resource: number,
            });
            return bytes.or(described.map(|number| self.known.described[number].bytes()));
        }
        let mut texts = resource.texts.iter();
        let text = texts.find(|text| {
            let is_given = self
                .counts(**text, number)
                .any(|(_, count)| count.first == place);
            is_given
                || self
                    .elsewhere
                    .get(text)
                    .is_some_and(|said| said.first == place)
        });
        text.map(|text| self.known.texts[*text].bytes)
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
        let body = self.body(number, resource);
        match (is_skill, resource.is_due) {
            (true, _) => {
                let listed = self.listed(number, resource);
                // Of a skill that is listed and used, the place of its text says more.
                Some(body.filter(|body| body.0 >= listed.0).unwrap_or(listed))
            }
            (false, false) => body,
            (false, true) if self.request.due.files == Files::Never && !self.has_files() => body,
            (false, true) => match body? {
                (Outcome::NotAskedFor | Outcome::SeenElsewhere, _) => Some((Outcome::Absent, None)),
                given => Some(given),
            },
        }
    }

    /// Returns what became of the text of a resource.
    fn body(&self, number: usize, resource: &KnownResource) -> Option<(Outcome, Option<Place>)> {
        if resource.texts.is_empty() {
            return None;
        }
        let counts = resource.texts.iter();
        let counts: Vec<_> = counts
            .flat_map(|text| {
                let counts = self.counts(*text, number);
                counts.map(move |(whose, count)| (*text, whose, count))
            })
            .collect();
        let count: usize = counts.iter().map(|(_, _, count)| count.count).sum();
        let Some(first) = counts.iter().map(|(_, _, count)| count.first).min() else {
            let mut elsewhere = resource.texts.iter();
            let elsewhere = elsewhere.find_map(|text| self.elsewhere.get(text));
            return Some(match elsewhere {
                Some(said) => (Outcome::SeenElsewhere, Some(said.first)),
                None => (Outcome::NotAskedFor, None),
            });
        };
        // Resources with equal texts are given one time each.
        let shared = counts
            .iter()
            .map(|(text, whose, _)| self.of_pin(self.known.owners(*text, *whose)).count());
        let mut given = counts.iter();
        let is_gone = given.all(|(_, whose, count)| self.is_gone(resource, *whose, count.last));
        let outcome = match resource.cut_at {
            _ if is_gone => Outcome::Absent,
            _ if resource.is_due && Some(count) > shared.max() => Outcome::Repeated,
            Some(_) => Outcome::GivenUpTo,
            None => Outcome::Given,
        };
        Some((outcome, Some(first)))
    }

    /// Returns whether what the client gave of a resource of the pin up to a place is taken back behind it: the client says
    /// that the file is gone, or Codex has given its files anew.
    fn is_gone(&self, resource: &KnownResource, whose: Whose, last: Place) -> bool {
        let is_joined = matches!(whose, Whose::Home | Whose::Project);
        let is_before = |block| last.message < block;
        is_joined && self.block.is_some_and(is_before)
            || self.is_withdrawn(resource.kind, &resource.source, last)
    }

    /// Returns how often and where the client gave a text of a resource of the pin, by whose it says that it is. What it gave as
    /// the text of another one does not count.
    fn counts(&self, text: usize, resource: usize) -> impl Iterator<Item = (Whose, Count)> {
        let owner = ResourceNumber {
            snapshot: self.pin,
            resource,
        };
        let source = self.known.source(&self.known.resource(owner).source);
        let whose = [
            Whose::Unsaid,
            Whose::File,
            Whose::Skill,
            Whose::Home,
            Whose::Project,
        ];
        let whose = whose.into_iter().chain(source.map(Whose::Source));
        let whose = whose.filter(move |whose| self.known.counts_for(*whose, owner));
        whose.filter_map(move |whose| {
            let count = self.given.get(&(text, whose)).copied()?;
            let is_its = whose != Whose::Project || self.is_among(text, owner, count.in_last);
            is_its.then_some((whose, count))
        })
    }

    /// Returns whether a file is among the first ones of the project with an equal text. Codex joins them without their paths,
    /// so as many of them count as the text stands there times.
    fn is_among(&self, text: usize, file: ResourceNumber, times: usize) -> bool {
        let order = self.known.resource(file).order;
        let owners = self.of_pin(self.known.owners(text, Whose::Project));
        owners.filter(|owner| owner.order < order).count() < times
    }

    /// Returns the last place of a text of a resource of the pin.
    fn last(&self, number: usize) -> Option<Place> {
        let texts = self.snapshot.resources[number].texts.iter();
        let counts = texts.flat_map(|text| self.counts(*text, number));
        counts.map(|(_, count)| count.last).max()
    }

    /// Returns what the lists of skills have of a skill of the pin.
    fn listed(&self, number: usize, skill: &KnownResource) -> (Outcome, Option<Place>) {
        match self.listed.get(&number) {
            Some((place, None)) => (Outcome::Given, Some(*place)),
            Some((place, Some(_))) => (Outcome::Shortened, Some(*place)),
            None if !skill.is_due => (Outcome::NotAskedFor, None),
            // A subagent without the means to use a skill gets no list.
            None if !self.has_list && !self.request.due.has_list => (Outcome::NotAskedFor, None),
            None => (Outcome::Absent, None),
        }
    }

    /// Returns what a listed skill of other snapshots is, if no skill of the pin stands there.
    fn listed_otherwise(
        &self,
        skill: &Described,
        place: Place,
    ) -> Option<(Subject, ResourceResult)> {
        let earlier = skill.owners.iter().rfind(|owner| owner.snapshot < self.pin);
        let resource = self.known.resource(*earlier.or(skill.owners.first())?);
        let outcome = match earlier {
            _ if self.is_listed_behind(resource, place) => Outcome::Superseded,
            Some(_) => Outcome::Stale,
            None => Outcome::Newer,
        };
        if self.listings.contains(&place) {
            return None;
        }
        let (subject, result) = self.sized(resource, outcome, place, skill.bytes());
        let has_body = Some(false);
        Some((subject, ResourceResult { has_body, ..result }))
    }

    /// Returns what a listed skill is whose description no snapshot has of it.
    fn otherwise(&self, listed: &Listed, place: Place) -> Option<(Subject, ResourceResult)> {
        let resource = match listed {
            Listed::Source(number) => {
                let newest = self.known.resource(*number);
                let pinned = self.snapshot.places.get(&newest.source);
                pinned.map_or(newest, |place| &self.snapshot.resources[*place])
            }
            Listed::Name(name) => self.meant(*name)?,
            Listed::Unknown { path, place: at } => {
                let outcome = match at {
                    SkillPlace::Here => Outcome::Foreign,
                    SkillPlace::Below => Outcome::KnownNotPinned,
                };
                return Some(self.unknown_skill(path, outcome, place));
            }
        };
        let outcome = match resource.standing {
            Standing::Unusable | Standing::Invalid => Outcome::KnownUnusable,
            Standing::LeftOut => Outcome::KnownNotPinned,
            // A fork has the list of a session whose snapshots are those of another chat.
            Standing::Pinned if self.is_listed_behind(resource, place) => return None,
            Standing::Pinned => Outcome::Foreign,
        };
        let (subject, result) = self.result(resource, outcome, Some(place));
        // Whatever the client read there, it is not the content of the snapshot.
        let content = None;
        Some((subject, ResourceResult { content, ..result }))
    }

    /// Returns the resource of the pin that a list means by a name alone. Returns `None` if the pin has none that the list
    /// should have: Claude Code's own skills and commands may have the name too.
    fn meant(&self, name: usize) -> Option<&'c KnownResource> {
        let meant = self.of_pin(self.known.names[name].owners.iter().copied());
        let rank = |resource: &&KnownResource| match resource.standing {
            // It stands in place of the one that is due.
            Standing::Unusable | Standing::Invalid => 0,
            Standing::Pinned => 1,
            Standing::LeftOut => 2,
        };
        let meant =
            meant.filter(|resource| resource.standing != Standing::Pinned || resource.is_due);
        meant.min_by_key(rank)
    }

    fn unknown_skill(
        &self,
        path: &str,
        outcome: Outcome,
        place: Place,
    ) -> (Subject, ResourceResult) {
        let result = ResourceResult {
            path: Some(path.to_owned()),
            kind: Some(Kind::Skill),
            content: None,
            outcome,
            given_bytes: None,
            size_bytes: None,
            has_body: None,
            is_within: false,
            request: self.request.number,
            place: Some(place),
            foreign: None,
        };
        (Subject::Known(path.to_owned(), None), result)
    }

    /// Returns whether a list behind a place has the pin's skill of the same source. A resumed session lists a changed
    /// skill once more.
    fn is_listed_behind(&self, skill: &KnownResource, place: Place) -> bool {
        let present = self.snapshot.places.get(&skill.source);
        let present = present.and_then(|present| self.listed_last.get(present));
        present.is_some_and(|present| *present > place)
    }

    /// Returns whether a text of the pin stands behind a place and replaces what stands there under a source, or the client
    /// says there that the file is gone.
    fn is_replaced(&self, kind: Kind, source: &str, place: Place) -> bool {
        let is_replaced = match (self.client, kind) {
            // Its message replaces all that came before.
            (Profile::Codex, Kind::InstructionFile) => {
                let newest = self.newest.map(|newest| newest.message);
                newest.max(self.block) > Some(place.message)
            }
            _ => {
                let present = self.present.get(source);
                present.is_some_and(|present| *present > place)
            }
        };
        is_replaced || self.is_withdrawn(kind, source, place)
    }

    /// Returns whether the model has read the pin's text of a source behind a place, if not every request has the text. A model
    /// that edits such a file knows what it has now, and a client does not give it again.
    fn is_read_behind(&self, source: &str, place: Place) -> bool {
        let present = self.snapshot.places.get(source);
        let present = present.map(|present| &self.snapshot.resources[*present]);
        let is_on_demand = |file: &&KnownResource| file.kind == Kind::Skill || !file.is_due;
        let texts = present.filter(is_on_demand).map(|file| &file.texts);
        let mut said = texts
            .into_iter()
            .flatten()
            .filter_map(|text| self.elsewhere.get(text));
        said.any(|said| said.last > place)
    }

    /// Returns whether the client says behind a place that what stands there under a source is gone.
    fn is_withdrawn(&self, kind: Kind, source: &str, place: Place) -> bool {
        let all = self.all_withdrawn.filter(|_| kind == Kind::InstructionFile);
        let ends = [all.as_ref(), self.withdrawn.get(source)];
        ends.into_iter().flatten().any(|end| *end > place)
    }

    /// Returns the texts that the client gave and the pin does not have.
    fn other_texts(&self) -> Vec<(Subject, ResourceResult)> {
        let texts = self.given.iter();
        let results = texts.filter_map(|((text, whose), count)| {
            let (resource, outcome) = self.other_text(*text, *whose, count.last)?;
            let bytes = self.known.texts[*text].bytes;
            Some(self.sized(resource, outcome, count.first, bytes))
        });
        results.collect()
    }

    /// Returns the texts of which the client gave edited lines alone and which the pin does not have.
    fn edited_texts(&self) -> Vec<(Subject, ResourceResult)> {
        let texts = self.edited.iter();
        let texts = texts.filter(|(of, _)| !self.given.contains_key(of));
        let results = texts.filter_map(|((text, whose), (place, bytes))| {
            let (resource, outcome) = self.other_text(*text, *whose, *place)?;
            let (subject, result) = self.sized(resource, outcome, *place, *bytes);
            let given_bytes = Some(*bytes);
            Some((
                subject,
                ResourceResult {
                    given_bytes,
                    ..result
                },
            ))
        });
        results.collect()
    }

    /// Returns the resource of a text whose last place is `last`, and what the text is. Returns `None` if the pin has it.
    fn other_text(
        &self,
        text: usize,
        whose: Whose,
        last: Place,
    ) -> Option<(&'c KnownResource, Outcome)> {
        let owners: Vec<_> = self.known.owners(text, whose).collect();
        if owners.iter().any(|owner| owner.snapshot == self.pin) {
            return None;
        }
        let earlier = owners.iter().rfind(|owner| owner.snapshot < self.pin);
        let resource = self.known.resource(*earlier.or(owners.first())?);
        let outcome = match earlier {
            _ if self.is_replaced(resource.kind, &resource.source, last) => Outcome::Superseded,
            Some(_) if self.is_read_behind(&resource.source, last) => Outcome::Superseded,
            Some(_) => Outcome::Stale,
            None => Outcome::Newer,
        };
        Some((resource, outcome))
    }

    /// Returns the texts that somebody else said and the pin does not have, each once for each file that had it.
    fn said_texts(&self) -> Vec<(Subject, ResourceResult)> {
        let mut results = Vec::new();
        for (text, count) in &self.elsewhere {
            let owners = &self.known.texts[*text].owners;
            let is_pinned = owners.iter().any(|owner| owner.snapshot == self.pin);
            if is_pinned || self.given_texts.contains(text) {
                continue;
            }
            let said = owners.iter().map(|owner| {
                let resource = self.known.resource(*owner);
                let bytes = self.known.texts[*text].bytes;
                self.sized(resource, Outcome::SeenElsewhere, count.first, bytes)
            });
            results.extend(said);
        }
        results
    }

    /// Returns what a text is that no snapshot has.
    fn foreign(&self, foreign: &Foreign, place: Place) -> Option<(Subject, ResourceResult)> {
        let named = foreign.source.map(|number| self.known.resource(number));
        let home = self.snapshot.home.filter(|_| foreign.is_home);
        let home = home.map(|home| &self.snapshot.resources[home]);
        let named = named
            .or(home)
            .or_else(|| self.unusable_here(foreign, place));
        let source = named.map(|resource| resource.source.as_str());
        let kind = named.map_or(Kind::InstructionFile, |resource| resource.kind);
        let pinned = source.and_then(|source| self.snapshot.places.get(source));
        let pinned = pinned.map(|place| &self.snapshot.resources[*place]);
        let outcome = match pinned.map(|resource| resource.standing) {
            Some(Standing::LeftOut) => Outcome::KnownNotPinned,
            Some(Standing::Unusable | Standing::Invalid) => Outcome::KnownUnusable,
            None if foreign.is_below => Outcome::KnownNotPinned,
            _ if self.is_replaced(kind, source.unwrap_or_default(), place) => Outcome::Superseded,
            Some(Standing::Pinned) | None => Outcome::Foreign,
        };
        let result = ResourceResult {
            path: source.map(line).or_else(|| foreign.path.clone()),
            kind: named.map(|resource| resource.kind),
            content: None,
            outcome,
            given_bytes: None,
            size_bytes: None,
            has_body: None,
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

    /// Returns the file of the project that cannot be pinned and that stands at a place in Codex's message, which joins the
    /// files without a path: the first one behind the pinned file before that place.
    fn unusable_here(&self, foreign: &Foreign, place: Place) -> Option<&'c KnownResource> {
        if self.client != Profile::Codex || foreign.is_home || foreign.path.is_some() {
            return None;
        }
        let before = self.joined.partition_point(|(joined, _)| *joined < place);
        let before = before.checked_sub(1).map(|before| self.joined[before]);
        let before = before
            .filter(|(joined, _)| (joined.message, joined.string) == (place.message, place.string));
        let home = self.snapshot.home;
        let home = home.map(|home| self.snapshot.resources[home].source.as_str());
        let unusable = self.snapshot.resources.iter().filter(|file| {
            let is_unusable = match file.standing {
                // Codex gives bytes that are not UTF-8 in a way that can be seen.
                Standing::Invalid => foreign.is_lossy,
                Standing::Unusable => true,
                Standing::Pinned | Standing::LeftOut => false,
            };
            let is_behind = before.is_none_or(|(_, order)| file.order > order);
            let is_project = Some(file.source.as_str()) != home;
            file.kind == Kind::InstructionFile && is_unusable && is_behind && is_project
        });
        unusable.min_by_key(|file| file.order)
    }
}
