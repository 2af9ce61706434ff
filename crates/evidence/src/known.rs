//! The texts that are searched for: what the snapshots of one chat give a model, in the client's form and in ours.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ctxpin_model::evidence_key::EvidenceKey;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::{Profile, Settings};
use ctxpin_model::resource::{Bodies, Kind, Status};
use ctxpin_model::snapshot::Snapshot;
use ctxpin_render::profile::{descriptions, forms, listed_skills, skill_names};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::finder::{Finder, TooLarge, WINDOW_BYTES};

/// Everything that is known of the snapshots of one chat. The snapshots are numbered as they were given, from 0.
pub struct Known {
    pub(crate) key: EvidenceKey,
    pub(crate) finder: Finder,
    pub(crate) texts: Vec<Text>,
    /// The texts that are too short to be found anywhere, by themselves, with the sources that have them.
    short: HashMap<Arc<str>, (usize, HashSet<String>)>,
    sources: HashMap<String, ResourceNumber>,
    /// The descriptions of skills, by the skill's name.
    pub(crate) skills: HashMap<String, Vec<Skill>>,
    pub(crate) snapshots: Vec<KnownSnapshot>,
    /// The absolute paths below which a path is named relative to them, the longest first.
    roots: Vec<String>,
    digest: [u8; 32],
}

/// A text of at least one resource. Equal texts are one.
pub(crate) struct Text {
    pub bytes: u64,
    pub owners: Vec<ResourceNumber>,
}

/// A resource of one of the snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceNumber {
    /// The number of its snapshot, in the order in which [`Known::new`] got them.
    pub snapshot: usize,
    /// The place of its resource among those that a model can get.
    pub resource: usize,
}

/// A skill of a snapshot.
pub(crate) struct Skill {
    pub number: ResourceNumber,
    /// The description in the client's form and in ours.
    pub descriptions: [String; 2],
}

/// What is known of one snapshot.
pub(crate) struct KnownSnapshot {
    pub profile: Profile,
    pub resources: Vec<KnownResource>,
    /// The place of each resource, by its source.
    pub places: HashMap<String, usize>,
    /// The place of the file in the client's home, if there is one.
    pub home: Option<usize>,
}

/// An instruction file or a skill of a snapshot, or an instruction file that the snapshot lists without pinning it.
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
    /// Whether the client puts something in place of words of the text, so that it cannot be found.
    pub is_template: bool,
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
}

/// A snapshot of the chat, with the bodies of its resources.
#[derive(Debug, Clone, Copy)]
pub struct Given<'s> {
    pub snapshot: &'s Snapshot,
    pub bodies: &'s Bodies,
}

impl Known {
    /// Takes the snapshots of a chat: its pins, the oldest first, and then the head if it is none of them.
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
            skills,
            mut roots,
            numbers,
            ..
        } = builder;
        let finder = Finder::new(&key, &texts)?;
        roots.sort_by_key(|root| std::cmp::Reverse(root.len()));
        roots.dedup();
        let digest = Digested {
            key: &key,
            texts: &texts,
            owners: &owners,
            snapshots: &snapshots,
            skills: &skills,
            roots: &roots,
        };
        let digest = digest.hash();
        let resource =
            |owner: &ResourceNumber| &snapshots[owner.snapshot].resources[owner.resource];
        let short = numbers.into_iter();
        let short = short.filter(|(text, _)| text.len() < WINDOW_BYTES);
        let short = short.map(|(text, number)| {
            let sources = owners[number].iter();
            let sources = sources.map(|owner| resource(owner).source.clone());
            (text, (number, sources.collect()))
        });
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
            skills,
            snapshots,
            roots,
            digest,
        })
    }

    /// Returns a hash of everything on which findings depend, which tells whether they are about these texts.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Returns the number of a text that is too short to be found anywhere, by the text itself and by a source that has
    /// it. Without a source, any has it.
    pub(crate) fn short(&self, text: &str, source: Option<&str>) -> Option<usize> {
        let (number, sources) = self.short.get(text)?;
        let is_it = source.is_none_or(|source| sources.contains(source));
        is_it.then_some(*number)
    }

    /// Returns the newest snapshot that has a resource of this source.
    pub(crate) fn source(&self, source: &str) -> Option<ResourceNumber> {
        self.sources.get(source).copied()
    }

    /// Returns whether a number is that of a resource.
    pub(crate) fn has(&self, number: ResourceNumber) -> bool {
        let snapshot = self.snapshots.get(number.snapshot);
        snapshot.is_some_and(|snapshot| number.resource < snapshot.resources.len())
    }

    pub(crate) fn resource(&self, number: ResourceNumber) -> &KnownResource {
        &self.snapshots[number.snapshot].resources[number.resource]
    }

    /// Returns a path below a root of the snapshots, without the root. Returns the last name of another path.
    pub(crate) fn relative<'p>(&self, path: &'p str) -> &'p str {
        let below = self.roots.iter().find_map(|root| {
            let below = path.strip_prefix(root.trim_end_matches('/'))?;
            below.strip_prefix('/')
        });
        let last = || path.trim_end_matches('/').rsplit('/').next();
        below.or_else(last).unwrap_or_default()
    }
}

/// Everything on which the findings in a record depend.
struct Digested<'d> {
    key: &'d EvidenceKey,
    texts: &'d [Arc<str>],
    owners: &'d [Vec<ResourceNumber>],
    snapshots: &'d [KnownSnapshot],
    skills: &'d HashMap<String, Vec<Skill>>,
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
            }
        }
        let mut skills: Vec<_> = self.skills.iter().collect();
        skills.sort_by_key(|(name, _)| *name);
        digest.update(skills.len().to_le_bytes());
        for (name, skills) in skills {
            add_text(&mut digest, name);
            digest.update(skills.len().to_le_bytes());
            for skill in skills {
                add_number(&mut digest, skill.number);
                for description in &skill.descriptions {
                    add_text(&mut digest, description);
                }
            }
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
    skills: HashMap<String, Vec<Skill>>,
    roots: Vec<String>,
}

impl Builder {
    fn add(&mut self, number: usize, given: Given<'_>) -> KnownSnapshot {
        let Given { snapshot, bodies } = given;
        let settings = snapshot.facts.settings();
        let home = settings.map(Settings::home);
        self.roots.extend(snapshot.facts.directory.clone());
        self.roots.extend(home.map(str::to_owned));
        let roots = snapshot.resources.iter();
        self.roots
            .extend(roots.filter_map(|resource| resource.root.clone()));
        let listed = listed_skills(snapshot, bodies);
        let listed: HashSet<&str> = listed.iter().map(|skill| skill.source.as_str()).collect();
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
            let is_skill = resource.kind == Kind::Skill;
            let is_due = match is_skill {
                true => listed.contains(resource.source.as_str()),
                false => resource.applies.is_none(),
            };
            if is_skill && is_due {
                for name in skill_names(snapshot, resource) {
                    self.skills.entry(name.to_owned()).or_default().push(Skill {
                        number: owner,
                        descriptions: descriptions(snapshot, bodies, resource),
                    });
                }
            }
            resources.push(KnownResource {
                kind: resource.kind,
                source: resource.source.clone(),
                content: resource.body(),
                texts,
                is_due,
                cut_at: forms.cut_at,
                is_template: is_skill && (forms.given.contains('$') || forms.given.contains("!`")),
                standing: Standing::Pinned,
            });
        }
        let unpinned = snapshot.resources.iter();
        let unpinned = unpinned.filter(|resource| {
            resource.kind == Kind::InstructionFile && resource.status != Status::Ok
        });
        resources.extend(unpinned.map(|resource| KnownResource {
            kind: resource.kind,
            source: resource.source.clone(),
            content: None,
            texts: Vec::new(),
            is_due: false,
            cut_at: None,
            is_template: false,
            standing: match resource.status {
                Status::Excluded => Standing::LeftOut,
                Status::Ok | Status::Oversize | Status::Unreadable | Status::Invalid => {
                    Standing::Unusable
                }
            },
        }));
        let is_at_home = |resource: &KnownResource| {
            let directory = resource.source.rsplit_once('/');
            let home = home.map(|home| home.trim_end_matches('/'));
            home.is_some() && directory.map(|(directory, _)| directory) == home
        };
        let places = resources.iter().enumerate();
        KnownSnapshot {
            profile: snapshot.facts.profile_rules().profile,
            home: resources.iter().position(is_at_home),
            places: places
                .map(|(place, resource)| (resource.source.clone(), place))
                .collect(),
            resources,
        }
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
