//! A skill: a directory with a `SKILL.md`, and everything in it that belongs to it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use ctxpin_model::limits::{
    PROMPT_FILE_BYTES_MAX, SKILL_BYTES_MAX, SKILL_DEPTH_MAX, SKILL_FILE_BYTES_MAX, SKILL_FILES_MAX,
};
use ctxpin_model::resource::{Content, Kind, SkillFile, Status};
use ctxpin_model::skill::{self, SKILL_FILE_NAME};
use rustix::fs::FileType;

use crate::ScanError;
use crate::file::{NO_MEMORY, await_target, oversize};
use crate::gather::{Finding, Gathering, source_text};
use crate::read::{
    Boundary, Directory, LISTING_MAX, Located, Outcome, Reach, Reading, Refused, is_skill_part,
    no_regular_file,
};

/// Reads the skill at a name in a directory of skills, if there is one.
pub(crate) fn find(
    boundary: &Boundary,
    container: &Directory,
    name: &OsStr,
    root: &Path,
    gathering: &mut Gathering,
) -> Result<(), ScanError> {
    let lexical = container.path.join(name);
    let source = lexical.join(SKILL_FILE_NAME);
    let refused = match boundary.locate(container, name) {
        Located::Absent | Located::File(_) => return Ok(()),
        Located::Directory(path) => {
            match path
                .strip_prefix(&boundary.directory.path)
                .map(|path| boundary.directory.descend(path))
            {
                Ok(Ok(directory)) => {
                    // A linked skill stands under its target's path, unless only the link has the
                    // name that the skill goes by.
                    let renamed = path.file_name() != Some(name);
                    let source = if renamed {
                        source
                    } else {
                        path.join(SKILL_FILE_NAME)
                    };
                    return read(directory, &source, root, gathering);
                }
                Ok(Err(error)) => Refused::failed(&error),
                Err(_) => return Ok(()),
            }
        }
        Located::Refused(refused) => refused,
    };
    await_target(boundary, &lexical, gathering);
    // Something else than a directory is no skill, and neither is a directory without its file.
    let leads_to_skill = match &refused.target {
        Some(target) => target.join(SKILL_FILE_NAME).symlink_metadata().is_ok(),
        None => refused.status == Status::Unreadable,
    };
    if leads_to_skill {
        let mut finding = Finding::refused(Kind::Skill, &source, root, refused);
        finding.identity = finding.identity.map(|target| target.join(SKILL_FILE_NAME));
        gathering.add(finding);
    }
    Ok(())
}

/// Reads the skill in a directory, which bounds everything that belongs to it. Without a
/// `SKILL.md` there is none, and it is waited for.
pub(crate) fn read(
    directory: Directory,
    source: &Path,
    root: &Path,
    gathering: &mut Gathering,
) -> Result<(), ScanError> {
    gathering.go_on()?;
    let path = directory.path.clone();
    let boundary = Boundary {
        directory,
        reach: Reach::Skill,
    };
    let name = OsStr::new(SKILL_FILE_NAME);
    let outcome = boundary.read(&boundary.directory, name, PROMPT_FILE_BYTES_MAX);
    if matches!(outcome, Outcome::Absent) || !boundary.directory.spells(name) {
        gathering.places.names(&path, &[name]);
        return Ok(());
    }
    let mut finding = Finding::new(Kind::Skill, source, root);
    let mut bytes = None;
    match outcome {
        Outcome::Read(reading) => {
            finding.note(&reading);
            judge(&mut finding, &reading);
            bytes = reading.bytes.map(|bytes| (reading.hash, bytes));
        }
        Outcome::Refused(refused) => finding.refuse(refused.status, refused.reason),
        Outcome::Absent => return Ok(()),
    }
    finding.identity = Some(path.join(SKILL_FILE_NAME));
    let mut walk = Walk::default();
    walk.directory(&boundary.directory, Path::new(""), 0, gathering);
    add_files(&mut finding, &boundary, walk, gathering)?;
    if let (Status::Ok, Some((hash, bytes))) = (finding.resource.status, bytes) {
        match gathering.hold(hash, bytes) {
            Some(content) => finding.resource.content = Some(content),
            None => finding.refuse(Status::Excluded, NO_MEMORY),
        }
    }
    gathering.add(finding);
    Ok(())
}

/// Judges a `SKILL.md` by the Agent Skills specification.
fn judge(finding: &mut Finding, reading: &Reading) {
    let Some(bytes) = &reading.bytes else {
        return finding.refuse(Status::Oversize, oversize(reading.size));
    };
    let directory = skill::directory_name(&finding.resource.source).unwrap_or_default();
    let read = skill::read(bytes, directory);
    finding.resource.name = read.name;
    finding.resource.description = read.description;
    if let Some(refusal) = read.refusal {
        finding.refuse(Status::Invalid, refusal);
    }
}

/// What lies in a skill's directory, found without opening a file.
#[derive(Default)]
struct Walk {
    entries: Vec<Entry>,
    visited: usize,
    /// Set if there was more than is looked at.
    is_cut: bool,
    /// Why the skill's own directory could not be listed.
    failed: Option<Refused>,
}

struct Entry {
    /// Below the skill's directory.
    path: PathBuf,
    what: What,
}

enum What {
    File { size: u64 },
    Link,
    Refused(Refused),
}

impl Walk {
    fn directory(
        &mut self,
        directory: &Directory,
        below: &Path,
        depth: usize,
        gathering: &mut Gathering,
    ) {
        gathering.places.all(&directory.path);
        let listing = match directory.list() {
            Ok(listing) => listing,
            Err(error) if depth == 0 => {
                self.failed = Some(Refused::failed(&error));
                return;
            }
            Err(error) => {
                return self.add(below.to_owned(), What::Refused(Refused::failed(&error)));
            }
        };
        self.is_cut |= !listing.whole;
        for name in &listing.names {
            if !is_skill_part(name) || (depth == 0 && name == SKILL_FILE_NAME) {
                continue;
            }
            self.visited += 1;
            if self.visited > LISTING_MAX {
                self.is_cut = true;
                return;
            }
            self.entry(directory, name, below, depth, gathering);
        }
    }

    fn entry(
        &mut self,
        directory: &Directory,
        name: &OsStr,
        below: &Path,
        depth: usize,
        gathering: &mut Gathering,
    ) {
        let path = below.join(name);
        let stat = match directory.entry(name) {
            Ok(Some(stat)) => stat,
            Ok(None) => return,
            Err(error) => return self.add(path, What::Refused(Refused::failed(&error))),
        };
        let what = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => What::File {
                size: u64::try_from(stat.st_size).unwrap_or(0),
            },
            FileType::Symlink => What::Link,
            FileType::Directory if depth == SKILL_DEPTH_MAX => What::Refused(Refused::invalid(
                format!("it lies deeper than {SKILL_DEPTH_MAX} directories"),
            )),
            FileType::Directory => match directory.descend(Path::new(name)) {
                Ok(child) => return self.directory(&child, &path, depth + 1, gathering),
                Err(error) => What::Refused(Refused::failed(&error)),
            },
            other => What::Refused(no_regular_file(other)),
        };
        self.add(path, what);
    }

    fn add(&mut self, path: PathBuf, what: What) {
        self.entries.push(Entry { path, what });
    }

    /// Why there are too many files, or too large ones together, to read them at all.
    fn excess(&self) -> Option<String> {
        if self.is_cut {
            return Some(format!(
                "it has more than {LISTING_MAX} entries; at most {SKILL_FILES_MAX} files are allowed"
            ));
        }
        if self.entries.len() > SKILL_FILES_MAX {
            let count = self.entries.len();
            return Some(format!(
                "it has {count} files; at most {SKILL_FILES_MAX} are allowed"
            ));
        }
        let sizes = self.entries.iter().map(|entry| match entry.what {
            What::File { size } if size <= SKILL_FILE_BYTES_MAX => size,
            _ => 0,
        });
        too_large(sizes.sum())
    }
}

fn too_large(bytes: u64) -> Option<String> {
    (bytes > SKILL_BYTES_MAX)
        .then(|| format!("its files have {bytes} bytes; at most {SKILL_BYTES_MAX} are allowed"))
}

fn add_files(
    finding: &mut Finding,
    boundary: &Boundary,
    walk: Walk,
    gathering: &mut Gathering,
) -> Result<(), ScanError> {
    let excess = walk.excess();
    if let Some(failed) = walk.failed {
        finding.refuse(failed.status, failed.reason);
    }
    let mut files = Vec::new();
    for entry in walk.entries {
        gathering.go_on()?;
        let file = match excess {
            Some(_) => Some(unread(entry)),
            None => read_file(finding, boundary, entry, gathering),
        };
        files.extend(file);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.truncate(SKILL_FILES_MAX);
    // Files may have grown since they were listed, and a link's size was not known.
    let pinned = files.iter().filter(|file| file.body().is_some());
    let excess = excess.or_else(|| too_large(pinned.map(|file| file.size).sum()));
    if let Some(reason) = excess {
        finding.refuse(Status::Oversize, reason);
    }
    if finding.resource.status != Status::Ok {
        claim(&mut files);
    }
    finding.resource.files = files;
    Ok(())
}

/// A skill that is not used pins nothing.
fn claim(files: &mut [SkillFile]) {
    for file in files {
        file.content = file.content.map(|content| Content::Claimed(content.hash()));
    }
}

fn unread(entry: Entry) -> SkillFile {
    let (path, unfit) = source_text(&entry.path);
    let (size, error) = match entry.what {
        What::File { size } => (size, None),
        What::Link => (0, None),
        What::Refused(refused) => (0, Some(refused.reason)),
    };
    SkillFile {
        path,
        content: None,
        size,
        executable: false,
        error: unfit.map(str::to_owned).or(error),
    }
}

/// Reads one supporting file; `None` if it has gone.
fn read_file(
    finding: &mut Finding,
    boundary: &Boundary,
    entry: Entry,
    gathering: &mut Gathering,
) -> Option<SkillFile> {
    let is_link = matches!(entry.what, What::Link);
    if matches!(entry.what, What::Refused(_)) {
        return Some(unread(entry));
    }
    let parent = entry.path.parent().unwrap_or(Path::new(""));
    let name = entry.path.file_name()?;
    let outcome = match boundary.directory.descend(parent) {
        Ok(directory) => boundary.read(&directory, name, SKILL_FILE_BYTES_MAX),
        Err(error) => Outcome::Refused(Refused::failed(&error)),
    };
    let reading = match outcome {
        Outcome::Absent => return None,
        Outcome::Read(reading) => reading,
        Outcome::Refused(mut refused) => {
            if is_link
                && refused
                    .target
                    .as_ref()
                    .is_some_and(|target| target.is_dir())
            {
                refused.reason = "a link to a directory is not followed".to_owned();
            }
            let what = What::Refused(refused);
            return Some(unread(Entry { what, ..entry }));
        }
    };
    let mut file = unread(entry);
    file.size = reading.size;
    file.executable = reading.executable;
    file.content = Some(Content::Claimed(reading.hash));
    match reading.bytes {
        None => {
            let size = reading.size;
            file.error = Some(format!(
                "it has {size} bytes; at most {SKILL_FILE_BYTES_MAX} are allowed"
            ));
        }
        Some(bytes) if file.error.is_none() && finding.resource.status == Status::Ok => {
            match gathering.hold(reading.hash, bytes) {
                Some(content) => file.content = Some(content),
                None => finding.refuse(Status::Excluded, NO_MEMORY),
            }
        }
        Some(_) => {}
    }
    Some(file)
}
