//! The limits of a skill's files. One entry summarises the files past a limit. Its hash changes when
//! any of these files does.

use crate::hash::BlobHasher;
use crate::limits::{
    SKILL_BYTES_MAX, SKILL_FILES_MAX, SKILL_LISTED_MAX, SKILL_UNPINNED_MAX, format_bytes,
};
use crate::resource::{Content, SkillFile};

/// Returns the reason for leaving out files that are past a limit, as a message for people.
pub fn limits_reason() -> String {
    format!(
        "a skill holds at most {SKILL_FILES_MAX} files and {}, and lists at most {SKILL_UNPINNED_MAX} others",
        format_bytes(SKILL_BYTES_MAX)
    )
}

const SKILL_UNUSED: &str = "the skill is not used";

/// The number and the size of the files that can still be pinned with a skill.
#[derive(Debug)]
pub struct FileBudget {
    files: usize,
    bytes: u64,
}

impl Default for FileBudget {
    fn default() -> Self {
        Self {
            files: SKILL_FILES_MAX,
            bytes: SKILL_BYTES_MAX,
        }
    }
}

impl FileBudget {
    /// Reserves room for one file of `size` bytes. Returns false, and reserves nothing, if there is
    /// not enough.
    pub fn reserve(&mut self, size: u64) -> bool {
        let is_enough = self.files > 0 && size <= self.bytes;
        if is_enough {
            self.files -= 1;
            self.bytes -= size;
        }
        is_enough
    }
}

/// A summary of files that are left out.
#[derive(Default)]
pub struct OmittedFiles {
    first: Option<String>,
    count: usize,
    size: u64,
    hasher: BlobHasher,
}

impl OmittedFiles {
    /// Adds a file. Add files in the order of their paths: equal files in equal order give equal
    /// hashes.
    pub fn add(&mut self, path: &str, size: u64, content: Option<Content>) {
        self.first.get_or_insert_with(|| path.to_owned());
        self.count += 1;
        self.size = self.size.saturating_add(size);
        self.hasher.update(path.as_bytes());
        // No path contains NUL, so different files never give the same bytes.
        self.hasher.update(&[0, u8::from(content.is_some())]);
        self.hasher.update(&size.to_be_bytes());
        if let Some(content) = content {
            self.hasher.update(content.hash().bytes());
        }
    }

    /// Returns the number of files added.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns an entry under the path of the first file: its error gives the number of files and
    /// `reason`, its size is their sum, and its claimed hash covers their paths, sizes and known
    /// hashes. `None` if no file was added.
    pub fn entry(self, reason: &str) -> Option<SkillFile> {
        let path = self.first.clone()?;
        let error = match self.count {
            1 => format!("left out: {reason}"),
            count => format!("this and {} more are left out: {reason}", count - 1),
        };
        Some(self.entry_at(path, error))
    }

    /// Returns an entry with the given path and error, and the same size and hash.
    pub fn entry_at(self, path: String, error: String) -> SkillFile {
        SkillFile {
            path,
            content: Some(Content::Claimed(self.hasher.finish())),
            size: self.size,
            executable: false,
            error: Some(error),
        }
    }
}

/// Sorts the files of a skill by path, pins as many as the limits allow, and summarises the others in
/// one entry. Applying it to its own result changes nothing.
pub fn admit(mut files: Vec<SkillFile>) -> Vec<SkillFile> {
    files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    let mut budget = FileBudget::default();
    let is_pinned: Vec<_> = files
        .iter()
        .map(|file| file.body().is_some() && budget.reserve(file.size))
        .collect();
    let unpinned = files.iter().filter(|file| file.body().is_none()).count();
    let without_room = files.len() - unpinned - is_pinned.iter().filter(|pinned| **pinned).count();
    // The summary counts as one of the unpinned entries.
    let mut listed = match unpinned > SKILL_UNPINNED_MAX || without_room > 0 {
        true => SKILL_UNPINNED_MAX - 1,
        false => SKILL_UNPINNED_MAX,
    };
    let (mut admitted, mut place) = (Vec::with_capacity(files.len().min(SKILL_LISTED_MAX)), None);
    let mut omitted = OmittedFiles::default();
    for (file, is_pinned) in files.into_iter().zip(is_pinned) {
        let is_listed = is_pinned || file.body().is_none() && listed > 0;
        match is_listed {
            true => {
                listed -= usize::from(!is_pinned);
                admitted.push(file);
            }
            false => {
                place.get_or_insert(admitted.len());
                omitted.add(&file.path, file.size, file.content);
            }
        }
    }
    if let (Some(place), Some(summary)) = (place, omitted.entry(&limits_reason())) {
        admitted.insert(place, summary);
    }
    admitted
}

/// Summarises the files of an unused skill in one entry. An existing summary stays as it is.
pub(crate) fn summarise(mut files: Vec<SkillFile>) -> Vec<SkillFile> {
    if files.len() == 1 && files[0].body().is_none() && files[0].error.is_some() {
        return files;
    }
    files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    let mut omitted = OmittedFiles::default();
    for file in files {
        omitted.add(&file.path, file.size, file.content);
    }
    omitted.entry(SKILL_UNUSED).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::BlobHash;

    fn file(path: &str, size: u64) -> SkillFile {
        SkillFile {
            path: path.into(),
            content: Some(Content::Pinned(BlobHash::of(path.as_bytes()))),
            size,
            executable: false,
            error: None,
        }
    }

    fn unpinned(path: &str) -> SkillFile {
        SkillFile {
            content: None,
            error: Some("a FIFO".into()),
            ..file(path, 1)
        }
    }

    /// Admits the files twice. Compares the number of pinned and of unpinned entries, and the path and
    /// the beginning of the error of the summary.
    fn check(files: Vec<SkillFile>, pinned: usize, listed: usize, line: Option<(&str, &str)>) {
        let admitted = admit(files);
        assert_eq!(admit(admitted.clone()), admitted);
        assert!(admitted.is_sorted_by_key(|file| file.path.clone()));
        let count = admitted.iter().filter(|file| file.body().is_some()).count();
        assert_eq!((count, admitted.len() - count), (pinned, listed));
        let is_summary = |file: &&SkillFile| {
            let error = file.error.as_deref().unwrap_or_default();
            error.contains("left out")
        };
        let found = admitted.iter().find(is_summary);
        let found = found.map(|file| (file.path.as_str(), file.error.as_deref().unwrap()));
        let reason =
            line.map(|(path, more)| (path, format!("{more}left out: {}", limits_reason())));
        assert_eq!(
            found,
            reason.as_ref().map(|(path, error)| (*path, error.as_str()))
        );
    }

    #[test]
    fn the_first_512_by_path_are_pinned() {
        let many = |count: usize| (0..count).rev().map(|n| file(&format!("{n:04}"), 1));
        check(many(512).collect(), 512, 0, None);
        check(many(513).collect(), 512, 1, Some(("0512", "")));
        check(
            many(600).collect(),
            512,
            1,
            Some(("0512", "this and 87 more are ")),
        );
        // Unpinned files take no room of pinned ones.
        let with_unpinned = many(513).chain([unpinned("0000a"), unpinned("z")]);
        check(with_unpinned.collect(), 512, 3, Some(("0512", "")));
    }

    #[test]
    fn a_file_that_fits_is_pinned_after_one_that_does_not() {
        let files = vec![
            file("a", SKILL_BYTES_MAX - 2),
            file("b", 3),
            file("c", 2),
            file("d", 1),
        ];
        check(files, 2, 1, Some(("b", "this and 1 more are ")));
    }

    #[test]
    fn at_most_32_entries_are_unpinned() {
        let many = |count: usize| (0..count).map(|n| unpinned(&format!("{n:04}")));
        check(many(32).collect(), 0, 32, None);
        check(
            many(33).collect(),
            0,
            32,
            Some(("0031", "this and 1 more are ")),
        );
        check(
            many(9_999).collect(),
            0,
            32,
            Some(("0031", "this and 9967 more are ")),
        );
        let both = many(40).chain((0..600).map(|n| file(&format!("p{n:03}"), 1)));
        check(
            both.collect(),
            512,
            32,
            Some(("0031", "this and 96 more are ")),
        );
    }

    #[test]
    fn the_files_of_an_unused_skill_become_one_entry() {
        let line = summarise(vec![file("b", 2), file("a", 1)]);
        assert_eq!(line.len(), 1);
        assert_eq!((line[0].path.as_str(), line[0].size), ("a", 3));
        let error = "this and 1 more are left out: the skill is not used";
        assert_eq!(line[0].error.as_deref(), Some(error));
        assert_eq!(summarise(line.clone()), line);
        assert_eq!(summarise(Vec::new()), []);
        // The hash changes with any of the files.
        let mut other = vec![file("a", 1), file("b", 2)];
        other[1].content = Some(Content::Claimed(BlobHash::of(b"other")));
        assert_ne!(summarise(other), line);
        assert_eq!(summarise(vec![file("a", 1), file("b", 2)]), line);
    }
}
