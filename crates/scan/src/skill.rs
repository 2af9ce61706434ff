//! Reads a skill: a directory with a `SKILL.md` and its supporting files.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ctxpin_model::limits::{
    SKILL_DEPTH_MAX, SKILL_FILE_BYTES_MAX, SKILL_MD_BYTES_MAX, format_bytes,
};
use ctxpin_model::profile::Profile;
use ctxpin_model::resource::{Applies, Content, Kind, SkillFile, Status};
use ctxpin_model::skill::files::{FileBudget, OmittedFiles, admit, limits_reason};
use ctxpin_model::skill::{self, Dialect, SKILL_FILE_NAME};
use ctxpin_model::skill_taken::Taken;
use ctxpin_model::warning::{Code, Warning, line_of};
use rustix::fs::FileType;

use crate::ScanError;
use crate::boundary::{Boundary, Located, Outcome};
use crate::directory::{Directory, LISTING_MAX};
use crate::elsewhere;
use crate::file::{await_target, oversize};
use crate::gather::{FRONTMATTERS_BYTES_MAX, Finding, Gathering};
use crate::known_files::is_skill_part;
use crate::path_text::source_text;
use crate::reader::Reading;
use crate::refused::{Refused, no_regular_file};
use crate::unused::Unused;

/// The file that marks a Python environment.
const ENVIRONMENT_NAME: &str = "pyvenv.cfg";

/// The file that marks a cache, and its beginning (bford.info/cachedir).
const CACHE_TAG_NAME: &str = "CACHEDIR.TAG";
const CACHE_TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// Reads the skill of a name in a folder of skills, if there is one.
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
        Located::Absent => return Ok(()),
        Located::File(_) => {
            elsewhere::no_skill(boundary, container, name, gathering);
            return Ok(());
        }
        Located::Directory(path) => {
            match boundary.descend(&path) {
                Ok(directory) => {
                    // A linked skill is listed under its target's path, unless the link has another
                    // name, because the skill goes by that.
                    let renamed = path.file_name() != Some(name);
                    let source = if renamed {
                        source
                    } else {
                        path.join(SKILL_FILE_NAME)
                    };
                    let additions = gathering.additions();
                    read(directory, &source, root, gathering)?;
                    if gathering.additions() == additions {
                        elsewhere::no_skill(boundary, container, name, gathering);
                    }
                    return Ok(());
                }
                Err(error) => Refused::failed(&error),
            }
        }
        Located::Refused(refused) => refused,
    };
    await_target(boundary, &lexical, gathering);
    // An entry is a skill only if it leads to a directory with the file. Otherwise a note reports it.
    let leads_to_skill = match &refused.target {
        Some(target) => target.join(SKILL_FILE_NAME).symlink_metadata().is_ok(),
        None => refused.status == Status::Unreadable,
    };
    if !leads_to_skill {
        if is_skill_part(name) {
            gathering.note(
                &lexical,
                Warning::new(Code::SkillAbsent).about(refused.reason),
            );
        }
    } else {
        let mut finding = Finding::refused(Kind::Skill, &source, root, refused);
        finding.identity = finding.identity.map(|target| target.join(SKILL_FILE_NAME));
        gathering.add(finding);
    }
    Ok(())
}

/// Reads the skill in a directory, which is the boundary of its links. If there is no `SKILL.md`, watches
/// for one.
pub(crate) fn read(
    directory: Directory,
    source: &Path,
    root: &Path,
    gathering: &mut Gathering,
) -> Result<(), ScanError> {
    read_for(directory, source, root, None, gathering)
}

/// Reads the skill in a directory, as [`read`] does. With a working directory, it is for the files below its root, and
/// is listed once for each root.
pub(crate) fn read_for(
    directory: Directory,
    source: &Path,
    root: &Path,
    working: Option<&Path>,
    gathering: &mut Gathering,
) -> Result<(), ScanError> {
    gathering.go_on()?;
    let path = directory.path.clone();
    let is_usable = source_text(source).1.is_none()
        && source
            .parent()
            .and_then(Path::file_name)
            .and_then(OsStr::to_str)
            .is_some_and(skill::is_usable_name);
    if working.is_none() && !gathering.begin_skill(&path, is_usable) {
        return Ok(());
    }
    let boundary = Boundary::of_skill(directory, Rc::clone(&gathering.common));
    let name = OsStr::new(SKILL_FILE_NAME);
    let reader = &mut gathering.reader;
    let outcome = boundary.read(&boundary.directory, name, SKILL_MD_BYTES_MAX, reader);
    if matches!(outcome, Outcome::Absent) || !boundary.directory.spells(name) {
        gathering.places.names(&path, &[name]);
        return Ok(());
    }
    let mut finding = Finding::new(Kind::Skill, source, root);
    let below = source_text(root).0;
    finding.resource.applies = working.map(|_| Applies::to(below, Vec::new()));
    let mut bytes = None;
    match outcome {
        Outcome::Read(reading) => {
            finding.note(&reading);
            judge(&mut finding, &reading, working, gathering);
            bytes = reading.bytes.map(|bytes| (reading.hash, bytes));
        }
        Outcome::Refused(refused) => {
            let target = refused.target.filter(|_| refused.status == Status::Invalid);
            match target.is_some_and(|target| target.is_file()) {
                true => finding.refuse_here(gathering.profile, refused.status, &refused.reason),
                false => finding.refuse(refused.status, refused.reason),
            }
        }
        Outcome::Absent => return Ok(()),
    }
    finding.identity = working.is_none().then(|| path.join(SKILL_FILE_NAME));
    let mut walk = Walk::new(&boundary);
    walk.directory(&boundary.directory, Path::new(""), 0, gathering);
    if let Some((_, bytes)) = bytes
        .as_ref()
        .filter(|_| finding.resource.status == Status::Ok)
    {
        note_left_out(source, bytes, &walk, gathering);
    }
    add_files(&mut finding, &boundary, walk, gathering)?;
    elsewhere::link_as_text(&boundary, &boundary.directory, name, gathering);
    if let (Status::Ok, Some((hash, bytes))) = (finding.resource.status, bytes) {
        finding.resource.content = Some(gathering.hold(hash, bytes));
    }
    if working.is_none() {
        gathering.end_skill(&path, finding.resource.status, is_usable);
    }
    gathering.add(finding);
    Ok(())
}

/// Reads the name and the description of a `SKILL.md`, and refuses it if they are unusable.
fn judge(
    finding: &mut Finding,
    reading: &Reading,
    working: Option<&Path>,
    gathering: &mut Gathering,
) {
    let bytes_max = gathering.profile.skill_md_bytes_max();
    if let Some(bytes_max) = bytes_max.filter(|bytes_max| reading.size > *bytes_max) {
        let reason = format!("the tool passes over a SKILL.md with more than {bytes_max} bytes");
        return finding.refuse(Status::Excluded, reason);
    }
    let Some(bytes) = &reading.bytes else {
        let reason = oversize(reading.size, SKILL_MD_BYTES_MAX);
        return finding.refuse_here(gathering.profile, Status::Oversize, &reason);
    };
    if !gathering.may_parse(skill::frontmatter_bytes(bytes)) {
        let most = format_bytes(FRONTMATTERS_BYTES_MAX as u64);
        let reason = format!("one scan parses at most {most} of frontmatter");
        return finding.refuse(Status::Excluded, reason);
    }
    let directory = skill::directory_name(&finding.resource.source).unwrap_or_default();
    let profile = gathering.profile;
    let dialect = profile.skill_dialect();
    let read = skill::parse(bytes, directory, profile.described_by_text(bytes), dialect);
    let goes_by_name =
        matches!(dialect, Dialect::Codex | Dialect::Opencode) && read.refusal.is_none();
    if goes_by_name
        && read
            .warnings
            .iter()
            .any(|warning| warning.code == Code::NameUnfit)
    {
        gathering.remark(format!(
            "{profile} lists the skill {} by a name that ctxpin does not take, and ctxpin by its directory",
            finding.resource.source
        ));
    }
    let working = working.map(|working| source_text(working).0);
    finding.resource.name = read.name.map(|name| match &finding.resource.applies {
        None => name,
        Some(files) => skill::scoped_name(&name, &files.below, working.as_deref()),
    });
    finding.resource.description = read.description;
    match (read.refusal, gathering.profile.takes_skill(bytes)) {
        (Some(refusal), Taken::Listed) => {
            finding.refuse_here(gathering.profile, Status::Invalid, &refusal);
        }
        (Some(refusal), Taken::Unknown) if gathering.profile != Profile::Neutral => {
            let reason = format!("{refusal}; the tool may give it to its model all the same");
            finding.refuse_as(Unused::Unread, Status::Invalid, reason);
        }
        (Some(refusal), _) => finding.refuse(Status::Invalid, refusal),
        (None, Taken::PassedOver(reason)) => finding.refuse(Status::Excluded, reason),
        (None, Taken::Listed | Taken::Hidden | Taken::Unknown) => {}
    }
}

/// Notes each directory that is left out although the `SKILL.md` names something in it.
fn note_left_out(source: &Path, skill_md: &[u8], walk: &Walk, gathering: &mut Gathering) {
    let Ok(text) = str::from_utf8(skill_md) else {
        return;
    };
    let left_out = walk.entries.iter().filter_map(|entry| match entry.what {
        What::LeftOut { .. } => entry.path.to_str(),
        _ => None,
    });
    let mut left_out: HashSet<_> = left_out.collect();
    if left_out.is_empty() {
        return;
    }
    let is_between = |c: char| c.is_whitespace() || "\"'`()<>[]{},;=".contains(c);
    for word in text.split(is_between) {
        let path = word.strip_prefix("./").unwrap_or(word);
        let slashes = path.match_indices('/').take(SKILL_DEPTH_MAX + 1);
        let mut directories = slashes
            .filter(|(at, _)| at + 1 < path.len())
            .map(|(at, _)| &path[..at]);
        // Each directory is noted once.
        if directories.any(|directory| left_out.remove(directory)) {
            let at = word.as_ptr() as usize - text.as_ptr() as usize;
            let warning = Warning::new(Code::FileLeftOut).at_line(line_of(text, at));
            gathering.note(source, warning.about(word));
        }
    }
}

/// A walk through a skill's directory. It lists the entries and reads no file.
struct Walk<'b> {
    boundary: &'b Boundary,
    entries: Vec<Entry>,
    visited: usize,
    /// The number of counted entries of directories that are left out.
    counted: usize,
    /// Whether there are more entries than the walk looks at.
    is_cut: bool,
    /// The reason why the skill's own directory cannot be listed.
    failed: Option<Refused>,
}

struct Entry {
    /// The path below the skill's directory.
    path: PathBuf,
    what: What,
}

enum What {
    File {
        size: u64,
    },
    Link,
    Refused(Refused),
    /// A directory that is marked as made by a program.
    LeftOut {
        files: OmittedFiles,
        /// Whether `files` has all files of the directory.
        is_whole: bool,
        mark: &'static str,
    },
}

impl<'b> Walk<'b> {
    fn new(boundary: &'b Boundary) -> Self {
        Self {
            boundary,
            entries: Vec::new(),
            visited: 0,
            counted: 0,
            is_cut: false,
            failed: None,
        }
    }

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
                Ok(child) => match self.mark(&child, gathering) {
                    None => return self.directory(&child, &path, depth + 1, gathering),
                    Some(mark) => {
                        let marks = [ENVIRONMENT_NAME, CACHE_TAG_NAME];
                        gathering.places.names(&child.path, &marks);
                        let mut files = OmittedFiles::default();
                        let is_whole = self.count(&child, &path, depth + 1, &mut files);
                        What::LeftOut {
                            files,
                            is_whole,
                            mark,
                        }
                    }
                },
                Err(error) => What::Refused(Refused::failed(&error)),
            },
            other => What::Refused(no_regular_file(other)),
        };
        self.add(path, what);
    }

    /// Returns what a directory is if a program has made and marked it.
    fn mark(&self, directory: &Directory, gathering: &mut Gathering) -> Option<&'static str> {
        let is_file = |name: &str| {
            let entry = directory.entry(OsStr::new(name));
            matches!(entry, Ok(Some(stat)) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
        };
        if is_file(ENVIRONMENT_NAME) {
            return Some("a Python environment");
        }
        let tag = OsStr::new(CACHE_TAG_NAME);
        let begin = match is_file(CACHE_TAG_NAME) {
            true => gathering.begin_of(self.boundary, directory, tag, CACHE_TAG.len() as u64),
            false => Vec::new(),
        };
        (begin == CACHE_TAG).then_some("a cache")
    }

    /// Adds the names and sizes of the files of a directory that is left out. Returns whether these are all.
    fn count(
        &mut self,
        directory: &Directory,
        below: &Path,
        depth: usize,
        files: &mut OmittedFiles,
    ) -> bool {
        let Ok(listing) = directory.list() else {
            return false;
        };
        let mut is_whole = listing.whole;
        for name in listing.names.iter().filter(|name| is_skill_part(name)) {
            self.counted += 1;
            if self.counted > LISTING_MAX {
                return false;
            }
            let Ok(Some(stat)) = directory.entry(name) else {
                continue;
            };
            let path = below.join(name);
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => {
                    let size = u64::try_from(stat.st_size).unwrap_or(0);
                    files.add(&source_text(&path).0, size, None);
                }
                FileType::Directory if depth == SKILL_DEPTH_MAX => is_whole = false,
                FileType::Directory => {
                    if let Ok(child) = directory.descend(Path::new(name)) {
                        is_whole &= self.count(&child, &path, depth + 1, files);
                    }
                }
                _ => {}
            }
        }
        is_whole
    }

    fn add(&mut self, path: PathBuf, what: What) {
        self.entries.push(Entry { path, what });
    }
}

fn add_files(
    finding: &mut Finding,
    boundary: &Boundary,
    walk: Walk<'_>,
    gathering: &mut Gathering,
) -> Result<(), ScanError> {
    if let Some(failed) = walk.failed {
        finding.refuse(failed.status, failed.reason);
    }
    if walk.is_cut {
        let path = boundary.directory.path.display();
        gathering.remark(format!(
            "only {LISTING_MAX} entries of {path} were looked at"
        ));
    }
    let mut entries = walk.entries;
    entries.sort_by(|a, b| {
        a.path
            .as_os_str()
            .as_encoded_bytes()
            .cmp(b.path.as_os_str().as_encoded_bytes())
    });
    let (mut budget, mut past) = (FileBudget::default(), OmittedFiles::default());
    let mut files = Vec::new();
    for entry in entries {
        gathering.go_on()?;
        // A file past the limits cannot be pinned, so it is not read.
        if let What::File { size } = entry.what
            && size <= SKILL_FILE_BYTES_MAX
            && !budget.reserve(size)
        {
            past.add(&source_text(&entry.path).0, size, None);
            continue;
        }
        files.extend(read_file(finding, boundary, entry, gathering));
    }
    files.extend(past.entry(&limits_reason()));
    // Files may have grown since they were listed, and a link's size was not known.
    files = admit(files);
    finding.resource.files = files;
    if let (status, Some(error)) = (finding.resource.status, finding.resource.error.clone())
        && status != Status::Ok
    {
        finding.resource.demote(status, error);
    }
    Ok(())
}

fn unread(entry: Entry) -> SkillFile {
    let (path, unfit) = source_text(&entry.path);
    let (size, error) = match entry.what {
        What::File { size } => (size, None),
        What::Link => (0, None),
        What::Refused(refused) => (0, Some(refused.reason)),
        What::LeftOut {
            files,
            is_whole,
            mark,
        } => {
            let count = files.count();
            let at_least = if is_whole { "" } else { "at least " };
            let noun = if count == 1 { "file" } else { "files" };
            let error = format!("left out with {at_least}{count} {noun}: it is {mark}");
            return files.entry_at(path, error);
        }
    };
    SkillFile {
        path,
        content: None,
        size,
        executable: false,
        error: unfit.map(str::to_owned).or(error),
    }
}

/// Reads one supporting file. Returns `None` if it no longer exists.
fn read_file(
    finding: &Finding,
    boundary: &Boundary,
    entry: Entry,
    gathering: &mut Gathering,
) -> Option<SkillFile> {
    let is_link = matches!(entry.what, What::Link);
    if matches!(entry.what, What::Refused(_) | What::LeftOut { .. }) {
        return Some(unread(entry));
    }
    let parent = entry.path.parent().unwrap_or(Path::new(""));
    let name = entry.path.file_name()?;
    let outcome = match boundary.directory.descend(parent) {
        Ok(directory) => boundary.read(
            &directory,
            name,
            SKILL_FILE_BYTES_MAX,
            &mut gathering.reader,
        ),
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
        None => file.error = Some(oversize(reading.size, SKILL_FILE_BYTES_MAX)),
        Some(bytes) if file.error.is_none() && finding.resource.status == Status::Ok => {
            file.content = Some(gathering.hold(reading.hash, bytes));
        }
        Some(_) => {}
    }
    Some(file)
}
