//! The texts that are searched for: what the snapshots of one chat give a model, in the client's form and in ours.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use ctxpin_model::evidence_key::EvidenceKey;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::{Profile, Settings};
use ctxpin_model::resource::{Bodies, Kind, Resource, Status};
use ctxpin_model::skill::directory_name;
use ctxpin_model::snapshot::Snapshot;
use ctxpin_render::profile::{descriptions, forms, listed_skills, skill_names};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::edited::{Edited, starts};
use crate::filled::{has_places, shown_bytes};
use crate::finder::{Finder, TooLarge, WINDOW_BYTES};
use crate::polynomial::Polynomial;

/// Everything that is known of the snapshots of one chat. The snapshots are numbered as they were given, from 0.
pub struct Known {
    pub(crate) key: EvidenceKey,
    pub(crate) finder: Finder,
    pub(crate) texts: Vec<Text>,
    /// The texts that are too short to be found anywhere, by themselves.
    short: HashMap<Arc<str>, usize>,
    sources: HashMap<String, ResourceNumber>,
    /// The skills with their descriptions. Equal ones are one.
    pub(crate) described: Vec<Described>,
    described_sources: HashMap<String, Vec<usize>>,
    /// The names by which lists have skills.
    pub(crate) names: Vec<Name>,
    name_numbers: HashMap<String, usize>,
    pub(crate) snapshots: Vec<KnownSnapshot>,
    /// The versions of each instruction file of Claude Code, the oldest first, by its source.
    versions: HashMap<String, Vec<Version>>,
    /// The texts of each skill in which Claude Code fills places, with their numbers, the oldest first.
    filled: HashMap<String, Vec<(usize, Arc<str>)>>,
    /// The absolute paths below which a path is named relative to them, the longest first.
    roots: Vec<String>,
    /// The client's homes.
    homes: Vec<String>,
    digest: [u8; 32],
}

/// A text of at least one resource. Equal texts are one.
pub(crate) struct Text {
    pub bytes: u64,
    pub owners: Vec<ResourceNumber>,
}

/// An instruction file as it is on disk.
struct Version {
    content: BlobHash,
    body: Arc<[u8]>,
    /// The number of the text that the client gives of it.
    text: usize,
    /// Where the lines begin, once somebody asks.
    starts: OnceLock<Vec<usize>>,
}

/// A resource of one of the snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ResourceNumber {
    /// The number of its snapshot, in the order in which [`Known::new`] got them.
    pub snapshot: usize,
    /// The place of its resource among those that a model can get.
    pub resource: usize,
}

/// Whose text a client gives, as far as it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// It stands in no frame.
    Unsaid,
    /// That of a file whose path no snapshot has.
    File,
    /// That of a used skill whose path no snapshot has.
    Skill,
    /// That of the file in Codex's home.
    Home,
    /// That of one of the files of a project, which Codex joins.
    Project,
    /// That of the source of a resource, by the newest one.
    Source(ResourceNumber),
}

/// The folders of skills in a directory of a project.
const SKILL_FOLDERS: [&str; 5] = [
    "/.claude/skills/",
    "/.agents/skills/",
    "/.codex/skills/",
    "/.opencode/skills/",
    "/.opencode/skill/",
];

/// Where a skill is that no snapshot has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkillPlace {
    /// In a folder of skills that a pin has otherwise.
    Here,
    /// In one below the working directory, of which a scan reads some.
    Below,
}

/// A skill of at least one snapshot with one description.
pub(crate) struct Described {
    pub owners: Vec<ResourceNumber>,
    /// The description in the client's form and in ours.
    pub descriptions: [String; 2],
}

impl Described {
    /// Returns the length of the description in the client's form, in bytes.
    pub fn bytes(&self) -> u64 {
        self.descriptions[0].len() as u64
    }
}

/// A name by which a list has skills.
#[derive(Default)]
pub(crate) struct Name {
    /// The numbers of the skills with their descriptions.
    pub described: Vec<usize>,
    /// Everything that a list means by it, also what is not pinned.
    pub owners: Vec<ResourceNumber>,
}

/// What is known of one snapshot.
pub(crate) struct KnownSnapshot {
    pub profile: Profile,
    pub resources: Vec<KnownResource>,
    /// The place of each resource, by its source.
    pub places: HashMap<String, usize>,
    /// The place of the file in the client's home, if there is one.
    pub home: Option<usize>,
    /// The working directory.
    pub directory: Option<String>,
}

impl KnownSnapshot {
    /// Returns whether the working directory is the client's home or lies below it.
    fn is_at_home(&self) -> bool {
        let home = self.home.map(|home| &self.resources[home].source);
        let home = home.and_then(|home| home.rsplit_once('/'));
        let directory = self.directory.as_deref().unwrap_or_default();
        home.is_some_and(|(home, _)| {
            let below = directory.strip_prefix(home);
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        })
    }
}

/// An instruction file or a skill of a snapshot, or one that the snapshot lists without pinning it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownResource {
    pub kind: Kind,
    pub source: String,
    pub content: Option<BlobHash>,
    /// The numbers of its texts. Empty if no model gets a text of it.
    pub texts: Vec<usize>,
    /// Whether every request has it: an instruction file for the whole work, or a skill in the list of skills.
    pub is_due: bool,
    /// Where the client cuts it.
    pub cut_at: Option<u64>,
    /// The place among all resources of the snapshot.
    pub order: usize,
    pub standing: Standing,
}

/// Whether a snapshot pins a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Pinned,
    /// Somebody chose that it is not pinned.
    LeftOut,
    /// It cannot be pinned, because it is too large, say.
    Unusable,
    /// It cannot be pinned, because its bytes break a rule, such as that they are UTF-8.
    Invalid,
}

/// A snapshot of the chat, with the bodies of its resources.
#[derive(Debug, Clone, Copy)]
pub struct Given<'s> {
    pub snapshot: &'s Snapshot,
    pub bodies: &'s Bodies,
}

impl Known {
    /// Takes the snapshots of a chat: its pins, the oldest first, and then heads of its agent that are none of them, the
    /// oldest first.
    ///
    /// # Errors
    ///
    /// Fails if the texts of all snapshots together are too large.
    pub fn new(key: EvidenceKey, given: &[Given<'_>]) -> Result<Self, TooLarge> {
        let mut builder = Builder::default();
        let snapshots: Vec<_> = given
            .iter()
            .enumerate()
            .map(|(number, given)| builder.add(number, *given))
            .collect();
        let Builder {
            texts,
            owners,
            described,
            described_sources,
            names,
            name_numbers,
            mut roots,
            mut homes,
            numbers,
            versions,
            filled,
            ..
        } = builder;
        let finder = Finder::new(&key, &texts)?;
        roots.sort_by_key(|root| std::cmp::Reverse(root.len()));
        roots.dedup();
        homes.sort();
        homes.dedup();
        let digest = Digested {
            key: &key,
            texts: &texts,
            owners: &owners,
            snapshots: &snapshots,
            described: &described,
            names: &name_numbers,
            roots: &roots,
        };
        let digest = digest.hash();
        let short = numbers.into_iter();
        let short = short.filter(|(text, _)| text.len() < WINDOW_BYTES);
        let short = short.collect();
        let mut sources = HashMap::new();
        for (snapshot, known) in snapshots.iter().enumerate() {
            for (source, resource) in &known.places {
                let resource = *resource;
                sources.insert(source.clone(), ResourceNumber { snapshot, resource });
            }
        }
        let texts = texts.iter().zip(owners);
        Ok(Self {
            texts: texts
                .map(|(text, owners)| Text {
                    bytes: text.len() as u64,
                    owners,
                })
                .collect(),
            key,
            finder,
            short,
            sources,
            described,
            described_sources,
            names,
            name_numbers,
            snapshots,
            versions,
            filled,
            roots,
            homes,
            digest,
        })
    }

    /// Returns a hash of everything on which findings depend, which tells whether they are about these texts.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Returns the number of a text that is too short to be found anywhere, by the text itself.
    pub(crate) fn short(&self, text: &str, whose: Whose) -> Option<usize> {
        let number = self.short.get(text).copied();
        number.filter(|number| self.is_text_of(*number, whose))
    }

    /// Returns the hashes that nobody without the owner's key can make collide.
    pub(crate) fn polynomial(&self) -> &Polynomial {
        self.finder.polynomial()
    }

    /// Returns the newest snapshot that has a resource of this source.
    pub(crate) fn source(&self, source: &str) -> Option<ResourceNumber> {
        self.sources.get(source).copied()
    }

    /// Returns the version of an instruction file that a note about it shows, by the number of its text, and whether the
    /// note shows all of it. Of several versions with the lines that are shown, the newest one counts.
    pub(crate) fn version(&self, note: &Edited<'_>, steps: &mut u64) -> Option<(usize, bool)> {
        let mut shown = None;
        for version in self.versions.get(note.path)?.iter().rev() {
            let Ok(file) = std::str::from_utf8(&version.body) else {
                continue;
            };
            let starts = version.starts.get_or_init(|| starts(file));
            match note.is_of(file, starts, steps) {
                Some(true) => return Some((version.text, true)),
                Some(false) => shown = shown.or(Some((version.text, false))),
                None => {}
            }
        }
        shown
    }

    /// Returns the number of the text of a skill that a client shows with its places filled. Of several that fit, the one
    /// with the most between its places counts, and of these the newest.
    pub(crate) fn filled(&self, source: &str, shown: &str, steps: &mut u64) -> Option<usize> {
        let texts = self.filled.get(source)?.iter();
        let fitting = texts.filter_map(|(number, text)| {
            *steps += (text.len() + shown.len()) as u64;
            Some((shown_bytes(text, shown)?, *number))
        });
        let best = fitting.max_by_key(|(bytes, _)| *bytes);
        best.map(|(_, number)| number)
    }

    /// Returns the newest snapshot that has a resource at a path relative to the working directory.
    pub(crate) fn source_below(&self, path: &str) -> Option<ResourceNumber> {
        self.snapshots.iter().rev().find_map(|snapshot| {
            let directory = snapshot.directory.as_deref()?.trim_end_matches('/');
            self.source(&format!("{directory}/{path}"))
        })
    }

    /// Returns the number of a name by which lists have skills.
    pub(crate) fn name(&self, name: &str) -> Option<usize> {
        self.name_numbers.get(name).copied()
    }

    /// Returns whether the requests of two snapshots have the same texts and the same skills, of the same sources.
    pub(crate) fn has_same_due(&self, one: usize, other: usize) -> bool {
        let due = |number: usize| {
            let resources = self.snapshots[number].resources.iter().enumerate();
            let due = resources
                .filter(|(_, resource)| resource.is_due && resource.standing == Standing::Pinned);
            due.map(move |(place, resource)| {
                let owner = ResourceNumber {
                    snapshot: number,
                    resource: place,
                };
                let texts = match resource.kind {
                    Kind::Skill => &[],
                    _ => &resource.texts[..],
                };
                (&resource.source, texts, self.described_as(owner))
            })
            .collect::<HashSet<_>>()
        };
        due(one) == due(other)
    }

    /// Returns the number of the described skill that a resource is, if it is one.
    pub(crate) fn described_as(&self, owner: ResourceNumber) -> Option<usize> {
        let numbers = self.described(&self.resource(owner).source).iter();
        let mut numbers = numbers.copied();
        numbers.find(|number| self.described[*number].owners.contains(&owner))
    }

    /// Returns the numbers of the described skills of a source.
    pub(crate) fn described(&self, source: &str) -> &[usize] {
        let numbers = self.described_sources.get(source);
        numbers.map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns whether a text that a client gives counts for a resource that has it.
    pub(crate) fn counts_for(&self, whose: Whose, owner: ResourceNumber) -> bool {
        let resource = self.resource(owner);
        let snapshot = &self.snapshots[owner.snapshot];
        let is_file = resource.kind == Kind::InstructionFile;
        let is_home = snapshot.home == Some(owner.resource);
        match whose {
            Whose::Unsaid => true,
            Whose::File => is_file,
            Whose::Skill => resource.kind == Kind::Skill,
            Whose::Home => is_file && is_home,
            Whose::Project => is_file && (!is_home || snapshot.is_at_home()),
            Whose::Source(named) => self.resource(named).source == resource.source,
        }
    }

    /// Returns the resources for which a text counts that a client gives.
    pub(crate) fn owners(
        &self,
        text: usize,
        whose: Whose,
    ) -> impl DoubleEndedIterator<Item = ResourceNumber> {
        let owners = self.texts[text].owners.iter().copied();
        owners.filter(move |owner| self.counts_for(whose, *owner))
    }

    /// Returns whether a text that a client gives counts for a resource.
    pub(crate) fn is_text_of(&self, text: usize, whose: Whose) -> bool {
        self.owners(text, whose).next().is_some()
    }

    /// Returns whether a text that a client gives is that of an instruction file that every request has.
    pub(crate) fn is_of_due_file(&self, text: usize, whose: Whose) -> bool {
        let owners = self.owners(text, whose);
        let mut owners = owners.map(|owner| self.resource(owner));
        owners.any(|owner| owner.kind == Kind::InstructionFile && owner.is_due)
    }

    /// Returns where a skill of an unknown source is. Returns `None` if it is none of the project and of the person: the
    /// clients have skills of their own, and plugins bring some.
    pub(crate) fn unknown_skill(&self, path: &str) -> Option<SkillPlace> {
        let is_visible = |below: &str| !below.starts_with('.');
        directory_name(path)?;
        let is_personal = self.homes.iter().any(|home| {
            let below = path.strip_prefix(home.as_str());
            let below = below.and_then(|below| below.strip_prefix("/skills/"));
            below.is_some_and(is_visible)
        });
        if is_personal {
            return Some(SkillPlace::Here);
        }
        let (at, below) = SKILL_FOLDERS.iter().find_map(|folder| {
            let at = path.rfind(folder)?;
            Some((at, &path[at + folder.len()..]))
        })?;
        let root = &path[..at];
        if !is_visible(below) {
            return None;
        }
        let mut around = self.homes.iter().filter_map(|home| home.rsplit_once('/'));
        if around.any(|(around, _)| around == root) {
            return Some(SkillPlace::Here);
        }
        let directories = self.snapshots.iter().map(|snapshot| &snapshot.directory);
        let mut directories = directories.flatten().map(|path| path.trim_end_matches('/'));
        directories.find_map(|directory| match directory.strip_prefix(root) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Some(SkillPlace::Here),
            _ => {
                let rest = root.strip_prefix(directory)?;
                rest.starts_with('/').then_some(SkillPlace::Below)
            }
        })
    }

    /// Returns whether a number is that of a resource.
    pub(crate) fn has(&self, number: ResourceNumber) -> bool {
        let snapshot = self.snapshots.get(number.snapshot);
        snapshot.is_some_and(|snapshot| number.resource < snapshot.resources.len())
    }

    pub(crate) fn resource(&self, number: ResourceNumber) -> &KnownResource {
        &self.snapshots[number.snapshot].resources[number.resource]
    }

    /// Returns a path below a root of the snapshots, without the root. Returns the last name of another path, and of a skill
    /// the name of its directory too.
    pub(crate) fn relative<'p>(&self, path: &'p str) -> &'p str {
        let below = self.roots.iter().find_map(|root| {
            let below = path.strip_prefix(root.trim_end_matches('/'))?;
            below.strip_prefix('/')
        });
        let last = || {
            let path = path.trim_end_matches('/');
            let directory = directory_name(path).map_or(0, |name| name.len() + "/".len());
            let name = path.rsplit('/').next().unwrap_or_default();
            &path[path.len() - name.len() - directory..]
        };
        below.unwrap_or_else(last)
    }
}

/// The folders of commands, below the root of a project or of Claude Code's home.
const COMMAND_FOLDERS: [&str; 2] = ["/.claude/commands/", "/commands/"];

/// The end of a command's file.
const COMMAND: &str = ".md";

/// Returns the name by which Claude Code lists a command: the folders around its file, with colons.
fn command_name(resource: &Resource) -> Option<String> {
    let root = resource.root.as_deref()?.trim_end_matches('/');
    let below = resource.source.strip_prefix(root)?;
    let mut folders = COMMAND_FOLDERS.iter();
    let command = folders.find_map(|folder| below.strip_prefix(folder))?;
    Some(command.strip_suffix(COMMAND)?.replace('/', ":"))
}

/// Everything on which the findings in a record depend.
struct Digested<'d> {
    key: &'d EvidenceKey,
    texts: &'d [Arc<str>],
    owners: &'d [Vec<ResourceNumber>],
    snapshots: &'d [KnownSnapshot],
    described: &'d [Described],
    names: &'d HashMap<String, usize>,
    roots: &'d [String],
}

impl Digested<'_> {
    /// Returns the hash. Each text is hashed by itself and each list begins with its length, so different things are
    /// different bytes.
    fn hash(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.key.hash_base().to_le_bytes());
        digest.update(self.key.name().bytes());
        digest.update(self.roots.len().to_le_bytes());
        for root in self.roots {
            add_text(&mut digest, root);
        }
        digest.update(self.texts.len().to_le_bytes());
        for (text, owners) in self.texts.iter().zip(self.owners) {
            add_text(&mut digest, text);
            digest.update(owners.len().to_le_bytes());
            for owner in owners {
                add_number(&mut digest, *owner);
            }
        }
        digest.update(self.snapshots.len().to_le_bytes());
        for snapshot in self.snapshots {
            digest.update(snapshot.resources.len().to_le_bytes());
            for resource in &snapshot.resources {
                add_text(&mut digest, &resource.source);
                let content = resource.content.map(|content| *content.bytes());
                digest.update(content.unwrap_or_default());
            }
        }
        digest.update(self.described.len().to_le_bytes());
        for skill in self.described {
            digest.update(skill.owners.len().to_le_bytes());
            for owner in &skill.owners {
                add_number(&mut digest, *owner);
            }
            for description in &skill.descriptions {
                add_text(&mut digest, description);
            }
        }
        let mut names: Vec<_> = self.names.iter().collect();
        names.sort();
        for (name, number) in names {
            add_text(&mut digest, name);
            digest.update(number.to_le_bytes());
        }
        digest.finalize().into()
    }
}

fn add_text(digest: &mut Sha256, text: &str) {
    digest.update(BlobHash::of(text.as_bytes()).bytes());
}

fn add_number(digest: &mut Sha256, number: ResourceNumber) {
    digest.update(number.snapshot.to_le_bytes());
    digest.update(number.resource.to_le_bytes());
}

/// What [`Known::new`] gathers.
#[derive(Default)]
struct Builder {
    texts: Vec<Arc<str>>,
    owners: Vec<Vec<ResourceNumber>>,
    numbers: HashMap<Arc<str>, usize>,
    described: Vec<Described>,
    described_numbers: HashMap<(String, [String; 2]), usize>,
    described_sources: HashMap<String, Vec<usize>>,
    names: Vec<Name>,
    name_numbers: HashMap<String, usize>,
    versions: HashMap<String, Vec<Version>>,
    filled: HashMap<String, Vec<(usize, Arc<str>)>>,
    roots: Vec<String>,
    homes: Vec<String>,
}

impl Builder {
    fn add(&mut self, number: usize, given: Given<'_>) -> KnownSnapshot {
        let Given { snapshot, bodies } = given;
        let settings = snapshot.facts.settings();
        let home = settings.map(Settings::home);
        self.roots.extend(snapshot.facts.directory.clone());
        self.roots.extend(home.map(str::to_owned));
        self.homes
            .extend(home.map(|home| home.trim_end_matches('/').to_owned()));
        let roots = snapshot.resources.iter();
        self.roots
            .extend(roots.filter_map(|resource| resource.root.clone()));
        let listed = listed_skills(snapshot, bodies);
        let listed: HashSet<&str> = listed.iter().map(|skill| skill.source.as_str()).collect();
        let orders = snapshot.resources.iter().enumerate();
        let orders: HashMap<_, _> = orders
            .map(|(order, resource)| ((resource.kind, resource.source.as_str()), order))
            .collect();
        let order = |resource: &Resource| orders[&(resource.kind, resource.source.as_str())];
        let mut resources = Vec::new();
        for forms in forms(snapshot, bodies) {
            let resource = forms.resource;
            let owner = ResourceNumber {
                snapshot: number,
                resource: resources.len(),
            };
            let mut texts = [&forms.given, &forms.delivered]
                .map(|text| self.text(text, &owner))
                .into_iter()
                .flatten()
                .collect::<Vec<_>>();
            texts.dedup();
            let is_noted =
                settings.is_some_and(|settings| settings.profile() == Profile::ClaudeCode);
            if is_noted && resource.kind == Kind::InstructionFile {
                self.version(resource, bodies, &texts);
            }
            let is_skill = resource.kind == Kind::Skill;
            if let Some(text) = texts.first().filter(|_| is_noted && is_skill) {
                self.fillable(&resource.source, *text);
            }
            let is_due = match is_skill {
                true => listed.contains(resource.source.as_str()),
                false => resource.applies.is_none(),
            };
            if is_skill {
                let descriptions = descriptions(snapshot, bodies, resource);
                let described = self.described(&resource.source, descriptions, owner);
                // One below the working directory never has the name of its directory alone.
                let is_below = resource.applies.is_some();
                let names = skill_names(snapshot, resource).into_iter();
                for name in names.take(if is_below { 1 } else { usize::MAX }) {
                    self.name(name, owner, Some(described));
                }
            }
            resources.push(KnownResource {
                kind: resource.kind,
                source: resource.source.clone(),
                content: resource.body(),
                texts,
                is_due,
                cut_at: forms.cut_at,
                order: order(resource),
                standing: Standing::Pinned,
            });
        }
        let unpinned = snapshot.resources.iter();
        let unpinned = unpinned.filter(|resource| {
            let is_text = matches!(resource.kind, Kind::InstructionFile | Kind::Skill);
            is_text && resource.status != Status::Ok
        });
        for resource in unpinned {
            let owner = ResourceNumber {
                snapshot: number,
                resource: resources.len(),
            };
            if resource.kind == Kind::Skill {
                let command = command_name(resource);
                let name = skill_names(snapshot, resource).pop();
                if let Some(name) = command.as_deref().or(name) {
                    self.name(name, owner, None);
                }
            }
            resources.push(KnownResource {
                kind: resource.kind,
                source: resource.source.clone(),
                content: None,
                texts: Vec::new(),
                is_due: false,
                cut_at: None,
                order: order(resource),
                standing: match resource.status {
                    Status::Excluded => Standing::LeftOut,
                    Status::Invalid => Standing::Invalid,
                    Status::Ok | Status::Oversize | Status::Unreadable => Standing::Unusable,
                },
            });
        }
        let is_at_home = |resource: &KnownResource| {
            let directory = resource.source.rsplit_once('/');
            let home = home.map(|home| home.trim_end_matches('/'));
            let is_file = resource.kind == Kind::InstructionFile;
            is_file && home.is_some() && directory.map(|(directory, _)| directory) == home
        };
        let places = resources.iter().enumerate();
        KnownSnapshot {
            profile: snapshot.facts.profile_rules().profile,
            home: resources.iter().position(is_at_home),
            places: places
                .map(|(place, resource)| (resource.source.clone(), place))
                .collect(),
            resources,
            directory: snapshot.facts.directory.clone(),
        }
    }

    /// Keeps a version of an instruction file that gives a text.
    fn version(&mut self, file: &Resource, bodies: &Bodies, texts: &[usize]) {
        let Some(content) = file.body() else { return };
        let (Some(body), Some(text)) = (bodies.get(&content), texts.first()) else {
            return;
        };
        let versions = self.versions.entry(file.source.clone()).or_default();
        versions.retain(|version| version.content != content);
        versions.push(Version {
            content,
            body: Arc::clone(body),
            text: *text,
            starts: OnceLock::new(),
        });
    }

    /// Keeps the text of a skill if the client fills places in it.
    fn fillable(&mut self, source: &str, number: usize) {
        let text = &self.texts[number];
        if has_places(text) {
            let texts = self.filled.entry(source.to_owned()).or_default();
            texts.retain(|(known, _)| *known != number);
            texts.push((number, Arc::clone(text)));
        }
    }

    /// Returns the number of a skill with its description, which is a new one for a new description.
    fn described(
        &mut self,
        source: &str,
        descriptions: [String; 2],
        owner: ResourceNumber,
    ) -> usize {
        let key = (source.to_owned(), descriptions);
        if let Some(number) = self.described_numbers.get(&key) {
            self.described[*number].owners.push(owner);
            return *number;
        }
        let number = self.described.len();
        self.described.push(Described {
            owners: vec![owner],
            descriptions: key.1.clone(),
        });
        let of_source = self.described_sources.entry(source.to_owned());
        of_source.or_default().push(number);
        self.described_numbers.insert(key, number);
        number
    }

    fn name(&mut self, name: &str, owner: ResourceNumber, described: Option<usize>) {
        let number = *self
            .name_numbers
            .entry(name.to_owned())
            .or_insert(self.names.len());
        if number == self.names.len() {
            self.names.push(Name::default());
        }
        let name = &mut self.names[number];
        name.owners.push(owner);
        name.described
            .extend(described.filter(|described| !name.described.contains(described)));
    }

    /// Returns the number of a text, which is a new one for a new text. Blanks at its ends do not count, because
    /// clients cut some of them.
    fn text(&mut self, text: &str, owner: &ResourceNumber) -> Option<usize> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let number = match self.numbers.get(text) {
            Some(number) => *number,
            None => {
                let text: Arc<str> = text.into();
                self.numbers.insert(Arc::clone(&text), self.texts.len());
                self.texts.push(text);
                self.owners.push(Vec::new());
                self.texts.len() - 1
            }
        };
        let owners = &mut self.owners[number];
        if owners.last() != Some(owner) {
            owners.push(*owner);
        }
        Some(number)
    }
}
