//! The record of a session: opening it, and reading on where an earlier reading ended.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ctxpin_evidence::reading::{Parent, Reading, parent, reviewed};
use ctxpin_model::hash::BlobHash;
use ctxpin_private_files::below;
use rustix::process::geteuid;
use serde::Deserialize;

use super::is_name;

/// The size from which a record is not read, in bytes.
const RECORD_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// After how many bytes a reading ends, at the end of a line. What it found is handed in before the next one begins.
pub(super) const PORTION_BYTES: u64 = 64 * 1024 * 1024;

/// The size of the blocks whose hashes tell whether a record was rewritten, in bytes.
pub(super) const BLOCK_BYTES: u64 = 1024 * 1024;

/// The longest first line that is searched for the parent of a record, in bytes.
const FIRST_LINE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How many records a forked session goes on from, one from the other.
const PARENTS_MAX: usize = 16;

/// How far a transcript is searched for the sessions that it was copied from, in bytes. Copies stand at its beginning.
const COPIED_BYTES_MAX: u64 = 1024 * 1024;

/// How many files are looked at to find the record of another session.
const SEARCHED_MAX: usize = 100_000;

/// Whether the server has what a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It has not: there is no record yet, or the server could not be reached.
    Not,
    /// An earlier reading has left the record as it is.
    Before,
    Now,
}

/// Where a client says that a record is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The client's home, below which it must be.
    pub home: PathBuf,
    pub path: PathBuf,
}

/// An open record.
#[derive(Debug)]
pub(super) struct Record {
    file: File,
}

/// Why a record is not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// The client has not written it yet, or writes none.
    #[error("it does not exist")]
    Missing,
    #[error("{0}")]
    Refused(io::Error),
    #[error("it has more than {RECORD_BYTES_MAX} bytes")]
    TooLong,
    #[error("its name is not that of the session")]
    OtherSession,
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Refused(error),
        }
    }
}

impl Record {
    /// Opens the record of a session or a subagent with this id, which its name must end with.
    pub fn open(place: &Place, id: &str) -> Result<Self, Unreadable> {
        let stem = place.path.file_stem().and_then(|stem| stem.to_str());
        if !stem.is_some_and(|stem| stem.ends_with(id)) {
            return Err(Unreadable::OtherSession);
        }
        Self::at(&place.home, &place.path)
    }

    fn at(home: &Path, path: &Path) -> Result<Self, Unreadable> {
        let kept = kept_elsewhere(home, path);
        let file = below::open(kept.as_deref().unwrap_or(home), path)?;
        let record = Self { file };
        match record.bytes()? <= RECORD_BYTES_MAX {
            true => Ok(record),
            false => Err(Unreadable::TooLong),
        }
    }

    /// Returns its present size, in bytes. Its client may be writing it.
    pub fn bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Returns a hash of each block before a place, from one on: the last one ends there. Returns `None` if the record is
    /// shorter.
    pub fn blocks(&self, from: usize, end: u64) -> io::Result<Option<Vec<BlobHash>>> {
        if end > self.bytes()? {
            return Ok(None);
        }
        let begin = (from as u64).saturating_mul(BLOCK_BYTES);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(begin))?;
        let mut left = file.take(end.saturating_sub(begin));
        let mut hashes = Vec::new();
        let mut block = Vec::new();
        while left.by_ref().take(BLOCK_BYTES).read_to_end(&mut block)? > 0 {
            hashes.push(BlobHash::of(&block));
            block.clear();
        }
        Ok(Some(hashes))
    }

    /// Returns the record from a place on and up to another, or up to the first line that ends behind this many bytes.
    pub fn portion(&self, from: u64, until: u64, bytes: u64) -> io::Result<impl BufRead> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(from))?;
        Ok(Portion {
            record: BufReader::new(file.take(until.saturating_sub(from))),
            left: bytes,
            is_over: false,
        })
    }

    /// Reads the records that a session goes on from, the oldest first. Those that are gone are passed over, which the
    /// reading then says of its requests.
    pub fn read_parents(&self, place: &Place, reading: &mut Reading<'_>) -> io::Result<()> {
        let mut parents = Vec::new();
        let mut next = self.parent()?;
        while let Some(parent) = next.take().filter(|_| parents.len() < PARENTS_MAX) {
            let path = beside(&place.path, &parent.session);
            let Some(record) = path.and_then(|path| Self::at(&place.home, &path).ok()) else {
                break;
            };
            next = record.parent()?;
            parents.push((record, parent.bytes));
        }
        for (record, bytes) in parents.into_iter().rev() {
            let mut file = &record.file;
            file.seek(SeekFrom::Start(0))?;
            let bytes = bytes.unwrap_or(record.bytes()?);
            reading.read_parent(&mut BufReader::new(file.take(bytes)))?;
        }
        Ok(())
    }

    /// Returns of which sessions the record has messages, because it is that of a fork.
    pub fn origin(&self, session: &str) -> io::Result<Origin> {
        if let Some(parent) = self.parent()? {
            return Ok(Origin {
                sessions: vec![parent.session],
                forked_from: parent.forked_from,
            });
        }
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        let mut sessions: Vec<String> = Vec::new();
        let (mut named, mut last) = (None, None);
        let mut is_over = self.bytes()? <= COPIED_BYTES_MAX;
        let is_other = |of: &String| of != session && is_name(of);
        for line in BufReader::new(file.take(COPIED_BYTES_MAX)).split(b'\n') {
            let Ok(line) = serde_json::from_slice::<TranscriptLine>(&line?) else {
                continue;
            };
            let forked_from = line.forked_from.map(|from| from.session_id);
            named = named.or(forked_from.filter(is_other));
            match line.request_session_id.filter(is_other) {
                Some(of) if !sessions.contains(&of) && sessions.len() < PARENTS_MAX => {
                    sessions.push(of.clone());
                    last = Some(of);
                }
                Some(of) => last = Some(of),
                // The session's own answers stand behind all copies.
                None if line.kind.as_deref() == Some("assistant") => {
                    is_over = true;
                    break;
                }
                None => {}
            }
        }
        Ok(Origin {
            sessions,
            forked_from: named.or(last.filter(|_| is_over)),
        })
    }

    fn parent(&self) -> io::Result<Option<Parent>> {
        Ok(parent(&self.first_line()?))
    }

    /// Returns whether the record is that of a review of a session.
    pub fn is_review_of(&self, session: &str) -> io::Result<bool> {
        Ok(reviewed(&self.first_line()?).as_deref() == Some(session))
    }

    fn first_line(&self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        BufReader::new(file.take(FIRST_LINE_BYTES_MAX)).read_until(b'\n', &mut line)?;
        Ok(line)
    }
}

/// The sessions of which a record has messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// Those that the client names, in the order in which their messages begin.
    pub sessions: Vec<String>,
    /// The one that the session was forked from, if the record shows it.
    pub forked_from: Option<String>,
}

/// A line of a transcript of Claude Code. A fork names the session that made each answer that it has copied. If a person
/// has branched within a session, the copies also name that one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TranscriptLine {
    #[serde(rename = "type")]
    kind: Option<String>,
    request_session_id: Option<String>,
    forked_from: Option<ForkedFrom>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForkedFrom {
    session_id: String,
}

/// Returns the directory of a client's records, if the user has made it a link. Some keep the records on another disk.
fn kept_elsewhere(home: &Path, path: &Path) -> Option<PathBuf> {
    let first = path.strip_prefix(home).ok()?.components().next()?;
    let records = home.join(first);
    let metadata = fs::symlink_metadata(&records).ok()?;
    let is_own = metadata.uid() == geteuid().as_raw();
    (metadata.is_symlink() && is_own && records != path).then_some(records)
}

/// Finds the record of another session. Records lie in a directory for each day, in one for each month and year.
fn beside(record: &Path, session: &str) -> Option<PathBuf> {
    let sessions = record.ancestors().nth(4)?;
    let mut directories = vec![(sessions.to_owned(), 0)];
    let mut searched = 0;
    let end = format!("{session}.jsonl");
    while let Some((directory, depth)) = directories.pop() {
        for entry in fs::read_dir(directory).ok()?.flatten() {
            searched += 1;
            if searched > SEARCHED_MAX {
                return None;
            }
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && depth < 3 {
                directories.push((entry.path(), depth + 1));
            } else if entry
                .file_name()
                .as_encoded_bytes()
                .ends_with(end.as_bytes())
            {
                return Some(entry.path());
            }
        }
    }
    None
}

/// A part of a record that ends with a line.
struct Portion<R> {
    record: R,
    left: u64,
    is_over: bool,
}

impl<R: BufRead> io::Read for Portion<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let here = self.fill_buf()?;
        let count = here.len().min(buffer.len());
        buffer[..count].copy_from_slice(&here[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Portion<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self.is_over {
            true => Ok(&[]),
            false => self.record.fill_buf(),
        }
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u64);
        // A reader of lines takes a line end together with what is before it, and nothing behind it.
        let mut ends_line = || {
            let here = self.record.fill_buf().ok();
            here.is_some_and(|here| count > 0 && here.get(count - 1) == Some(&b'\n'))
        };
        self.is_over = self.left == 0 && ends_line();
        self.record.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::hooks::NAME_BYTES_MAX;

    #[test]
    fn a_fork_names_the_sessions_that_it_has_messages_of() {
        let check = |text: &str, sessions: &[&str], forked_from: Option<&str>| {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("own.jsonl");
            fs::write(&path, text).unwrap();
            let record = Record::at(home.path(), &path).unwrap();
            let origin = record.origin("own").unwrap();
            assert_eq!(origin.sessions, sessions, "{text}");
            assert_eq!(origin.forked_from.as_deref(), forked_from, "{text}");
        };
        let copied =
            |of: &str| format!("{{\"type\":\"assistant\",\"requestSessionId\":\"{of}\"}}\n");
        let own = "{\"type\":\"assistant\"}\n";
        check("", &[], None);
        check("{}\nnothing\n", &[], None);
        check(&[copied("a"), copied("a")].concat(), &["a"], Some("a"));
        // The nearest one has the last answer.
        let two = [copied("b"), copied("a"), copied("b")].concat();
        check(&two, &["b", "a"], Some("b"));
        // What stands behind an own answer is no copy.
        let behind = [&copied("a"), own, &copied("b")].concat();
        check(&behind, &["a"], Some("a"));
        check(&[own, &copied("a")].concat(), &[], None);
        let branched = "{\"type\":\"user\",\"forkedFrom\":{\"sessionId\":\"c\"}}\n";
        check(&[branched, &copied("a")].concat(), &["a"], Some("c"));
        // Behind what is searched, there may be copies of a nearer one.
        let long = format!("{{\"text\":\"{}\"}}\n", "x".repeat(1 << 20));
        check(&[&copied("a"), &*long].concat(), &["a"], None);
        check(&[&copied("a"), own, &long].concat(), &["a"], Some("a"));
        check(&copied(&"n".repeat(NAME_BYTES_MAX + 1)), &[], None);

        let numbers: Vec<_> = (0..PARENTS_MAX).map(|number| number.to_string()).collect();
        let names: Vec<_> = numbers.iter().map(String::as_str).collect();
        let many: String = names.iter().copied().chain(["more"]).map(copied).collect();
        check(&many, &names, Some("more"));

        let forked = r#"{"type":"session_meta","payload":{"id":"own","forked_from_id":"a"}}"#;
        check(&format!("{forked}\n"), &["a"], Some("a"));
        let based = r#"{"type":"session_meta","payload":{"id":"own","forked_from_id":"a","history_base":{"thread_id":"b"}}}"#;
        check(&format!("{based}\n"), &["b"], Some("a"));
    }

    #[test]
    fn a_portion_ends_where_the_record_did() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("own.jsonl");
        fs::write(&path, "one\ntwo\n").unwrap();
        let record = Record::at(home.path(), &path).unwrap();
        let until = record.bytes().unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"three\n").unwrap();
        let mut read = String::new();
        let mut portion = record.portion(4, until, 100).unwrap();
        portion.read_to_string(&mut read).unwrap();
        assert_eq!(read, "two\n");
    }

    #[test]
    fn records_may_lie_behind_a_link_of_the_user() {
        let base = tempfile::tempdir().unwrap();
        let (home, elsewhere) = (base.path().join("home"), base.path().join("elsewhere"));
        fs::create_dir_all(elsewhere.join("w")).unwrap();
        fs::create_dir_all(&home).unwrap();
        fs::write(elsewhere.join("w/own.jsonl"), "one\n").unwrap();
        symlink("../elsewhere", home.join("projects")).unwrap();
        symlink("w", elsewhere.join("linked")).unwrap();
        let open = |path: &str| Record::at(&home, &home.join(path)).map(|_| ());
        open("projects/w/own.jsonl").unwrap();
        for refused in [
            "projects/linked/own.jsonl",
            "projects/../../own",
            "projects",
        ] {
            assert!(open(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn blocks_tell_every_change() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("own.jsonl");
        let block = usize::try_from(BLOCK_BYTES).unwrap();
        let blocks = |bytes: &[u8], from: usize, end: usize| {
            fs::write(&path, bytes).unwrap();
            let record = Record::at(home.path(), &path).unwrap();
            record.blocks(from, end as u64).unwrap()
        };
        let text = vec![b'x'; 2 * block + 1];
        let all = blocks(&text, 0, text.len()).unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(blocks(&text, 1, text.len()).unwrap(), all[1..]);
        assert_eq!(blocks(&text, 0, block).unwrap(), all[..1]);
        assert_eq!(blocks(&text, 0, 0).unwrap(), []);
        assert_eq!(blocks(&text, 0, text.len() + 1), None);
        for (place, changed) in [(0, 0), (block - 1, 0), (block, 1), (2 * block, 2)] {
            let mut text = text.clone();
            text[place] = b'y';
            let blocks = blocks(&text, 0, text.len()).unwrap();
            let differ = (0..3).filter(|number| blocks[*number] != all[*number]);
            assert_eq!(differ.collect::<Vec<_>>(), [changed]);
        }
    }

    #[test]
    fn a_portion_ends_with_a_line() {
        let check = |left: u64, capacity: usize, expected: &str| {
            let text = "one\ntwo\nthree\n";
            let mut portion = Portion {
                record: BufReader::with_capacity(capacity, text.as_bytes()),
                left,
                is_over: false,
            };
            let mut read = String::new();
            while portion.read_line(&mut read).unwrap() > 0 {}
            assert_eq!(read, expected, "{left} {capacity}");
        };
        for capacity in [1, 3, 4, 100] {
            check(1, capacity, "one\n");
            check(4, capacity, "one\n");
            check(5, capacity, "one\ntwo\n");
            check(100, capacity, "one\ntwo\nthree\n");
        }
    }
}
