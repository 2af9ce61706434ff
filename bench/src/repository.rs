//! The content of a workspace: instruction files of 4 KiB that do not compress.

use std::sync::Arc;

use ctxpin_model::hash::BlobHash;
use ctxpin_model::resource::{Bodies, Content, Kind, Resource, Status};
use ctxpin_model::snapshot::{Facts, Snapshot};
use rand::RngExt as _;

/// Bytes of one body.
pub const BODY_BYTES: usize = 4_096;

/// A workspace's files under a directory.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The directory of the files.
    pub directory: String,
    /// Its files, in their order.
    pub files: Vec<File>,
}

/// One instruction file.
#[derive(Debug, Clone)]
pub struct File {
    /// Its path below the directory.
    pub path: String,
    /// The hash of its bytes.
    pub hash: BlobHash,
    pub bytes: Arc<[u8]>,
}

/// Returns a new random text of [`BODY_BYTES`]: bytes in hexadecimal, 64 to a line. Instruction
/// files are text too, but this text does not compress, because nothing in it repeats.
pub fn body() -> Vec<u8> {
    let mut random = rand::rng();
    let mut text = String::with_capacity(BODY_BYTES + 65);
    while text.len() < BODY_BYTES {
        let bytes: [u8; 32] = random.random();
        text.push_str(&hex::encode(bytes));
        text.push('\n');
    }
    text.truncate(BODY_BYTES);
    text.into_bytes()
}

impl Repository {
    /// Returns a repository of `count` files in a directory.
    pub fn new(directory: &str, count: usize) -> Self {
        let mut repository = Self {
            directory: directory.to_owned(),
            files: Vec::new(),
        };
        for index in 0..count {
            let bytes: Arc<[u8]> = body().into();
            repository.files.push(File {
                path: format!("rules/{index:03}.md"),
                hash: BlobHash::of(&bytes),
                bytes,
            });
        }
        repository
    }

    /// Returns the same files in another directory.
    pub fn at(&self, directory: &str) -> Self {
        Self {
            directory: directory.to_owned(),
            files: self.files.clone(),
        }
    }

    /// Changes the content of one file.
    pub fn change(&mut self, index: usize) {
        let bytes: Arc<[u8]> = body().into();
        let file = &mut self.files[index];
        file.hash = BlobHash::of(&bytes);
        file.bytes = bytes;
    }

    /// Returns the path of a file.
    pub fn source(&self, file: &File) -> String {
        format!("{}/{}", self.directory, file.path)
    }

    /// Returns the snapshot that an agent's scan gives, with the hash of every body.
    pub fn found(&self) -> Snapshot {
        let resources = self.files.iter().map(|file| {
            let source = self.source(file);
            let mut resource = Resource::new(Kind::InstructionFile, source, Status::Ok);
            resource.content = Some(Content::Pinned(file.hash));
            resource.size = file.bytes.len() as u64;
            resource.root = Some(self.directory.clone());
            resource
        });
        Snapshot {
            facts: Facts {
                os: Some("linux".to_owned()),
                directory: Some(self.directory.clone()),
                rules: None,
            },
            error: None,
            resources: resources.collect(),
        }
    }

    /// Returns the bytes that go with a push to a server whose head is `before`.
    pub fn bodies_since(&self, before: Option<&Self>) -> Bodies {
        let known = |file: &File| {
            before.is_some_and(|before| before.files.iter().any(|known| known.hash == file.hash))
        };
        let new = self.files.iter().filter(|file| !known(file));
        new.map(|file| (file.hash, file.bytes.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_texts_of_their_size_and_differ() {
        let (one, other) = (body(), body());
        assert_eq!(one.len(), BODY_BYTES);
        assert!(std::str::from_utf8(&one).is_ok());
        assert_ne!(one, other);
    }

    #[test]
    fn only_what_is_new_travels() {
        let before = Repository::new("/w", 3);
        let mut after = before.clone();
        after.change(1);
        let bodies = after.bodies_since(Some(&before));
        assert_eq!(bodies.keys().collect::<Vec<_>>(), [&after.files[1].hash]);
        assert_eq!(after.bodies_since(None).len(), 3);
    }
}
