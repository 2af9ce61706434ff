//! The workspaces that the agents push: a few files out of a small set of names and texts, so that
//! the same content comes back, in the same workspace and in others.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctxpin_model::hash::BlobHash;
use ctxpin_protocol::http::push::{Facts, ManifestResource, Push};
use rand::RngExt as _;
use rand::rngs::StdRng;

/// Every file that a workspace may have, in the order in which it is pushed.
const NAMES: [&str; 6] = [
    "/w/AGENTS.md",
    "/w/CLAUDE.md",
    "/w/.cursorrules",
    "/w/style.md",
    "/w/tests.md",
    "/w/skills/review/SKILL.md",
];

/// How many texts each file may have.
const TEXTS: usize = 4;

/// The content of a snapshot: for each source the hash of its bytes.
pub type Listing = BTreeMap<String, String>;

/// A workspace at one moment: for each file of [`NAMES`] the number of its text, if it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace([Option<usize>; NAMES.len()]);

impl Workspace {
    /// Returns two to six files at random.
    pub fn draw(random: &mut StdRng) -> Self {
        let mut files = [None; NAMES.len()];
        let wanted = random.random_range(2..=NAMES.len());
        while files.iter().flatten().count() < wanted {
            let file = random.random_range(0..NAMES.len());
            files[file] = Some(random.random_range(0..TEXTS));
        }
        Self(files)
    }

    /// Returns the content that the snapshot must have.
    pub fn listing(&self) -> Listing {
        self.texts()
            .map(|(name, text)| (name.to_owned(), BlobHash::of(text.as_bytes()).to_string()))
            .collect()
    }

    /// Returns a push of the workspace, with all bytes or with none.
    pub fn push(&self, epoch: i64, version: i64, with_bytes: bool) -> Push {
        let resources = self.texts().map(|(name, text)| resource(name, &text));
        let blobs = self.texts().filter(|_| with_bytes).map(|(_, text)| {
            let hash = BlobHash::of(text.as_bytes()).to_string();
            (hash, STANDARD.encode(text))
        });
        Push {
            epoch,
            version,
            error: None,
            mcp_settled: None,
            facts: Facts {
                os: Some("linux".to_owned()),
                directory: Some("/w".to_owned()),
                ..Facts::default()
            },
            resources: resources.collect(),
            notes: Vec::new(),
            blobs: blobs.collect(),
        }
    }

    fn texts(&self) -> impl Iterator<Item = (&'static str, String)> {
        let chosen = NAMES.iter().zip(self.0).enumerate();
        chosen.filter_map(|(file, (name, text))| Some((*name, text_of(file, text?))))
    }
}

/// Returns the resource of a file with that text.
pub fn resource(name: &str, text: &str) -> ManifestResource {
    let is_skill = name.ends_with("SKILL.md");
    ManifestResource {
        kind: if is_skill {
            "skill"
        } else {
            "instruction_file"
        }
        .to_owned(),
        source: name.to_owned(),
        status: "ok".to_owned(),
        error: None,
        content_hash: Some(BlobHash::of(text.as_bytes()).to_string()),
        size_bytes: text.len() as u64,
        root: Some("/w".to_owned()),
        name: is_skill.then(|| "review".to_owned()),
        description: is_skill.then(|| "Reviews a change.".to_owned()),
        files: Vec::new(),
        tools: Vec::new(),
        shape: None,
        applies: None,
        imported_by: None,
    }
}

/// Returns the text of a file. Its beginning occurs in no other text.
fn text_of(file: usize, text: usize) -> String {
    let marker = marker(file, text);
    if NAMES[file].ends_with("SKILL.md") {
        format!(
            "---\nname: review\ndescription: Reviews a change.\n---\n{marker} Read the whole change.\n"
        )
    } else {
        format!("{marker} Keep functions short.\n\nSay why, not what.\n")
    }
}

fn marker(file: usize, text: usize) -> String {
    format!("Rule {file}.{text}:")
}

/// Returns the hashes of the instruction files in a prompt. It finds each text by its beginning.
pub fn hashes_in(prompt: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (file, name) in NAMES.iter().enumerate() {
        for text in (0..TEXTS).filter(|_| !name.ends_with("SKILL.md")) {
            if prompt.contains(&marker(file, text)) {
                // A text with the right beginning and another rest matches no listing.
                let whole = text_of(file, text);
                let is_whole = prompt.contains(whole.trim_end());
                let hash = BlobHash::of(whole.as_bytes()).to_string();
                found.insert(if is_whole {
                    hash
                } else {
                    format!("part of {hash}")
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn a_drawn_workspace_has_two_to_six_files_and_pushes_their_bytes() {
        let mut random = StdRng::seed_from_u64(7);
        for _ in 0..100 {
            let workspace = Workspace::draw(&mut random);
            let listing = workspace.listing();
            assert!((2..=6).contains(&listing.len()), "{listing:?}");
            let push = workspace.push(1, 1, true);
            let claimed = push.resources.iter().map(|resource| {
                let hash = resource.content_hash.clone().expect("it has bytes");
                (resource.source.clone(), hash)
            });
            assert_eq!(claimed.collect::<Listing>(), listing);
            assert!(listing.values().all(|hash| push.blobs.contains_key(hash)));
            assert!(workspace.push(1, 1, false).blobs.is_empty());
        }
    }

    #[test]
    fn a_prompt_is_read_for_the_texts_in_it() {
        let (first, second) = (text_of(0, 1), text_of(3, 2));
        let hash = |text: &str| BlobHash::of(text.as_bytes()).to_string();
        let whole = hashes_in(&format!("# head\n{first}\n---\n{second}"));
        assert_eq!(whole, [hash(&first), hash(&second)].into());
        let cut = hashes_in("Rule 0.1: Keep functions");
        assert_eq!(cut, [format!("part of {}", hash(&first))].into());
    }
}
