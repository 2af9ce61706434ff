//! Collects what the roots contribute: each resource once, in order, with the bytes that it needs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use ctxpin_model::admission::{SHADOWED, admit};
use ctxpin_model::hash::BlobHash;
use ctxpin_model::limits::{ERROR_BYTES_MAX, cut};
use ctxpin_model::profile::Profile;
use ctxpin_model::resource::{Bodies, Content, Kind, Resource, Status};
use ctxpin_model::skill::directory_name;
use ctxpin_model::snapshot::{Facts, Snapshot};
use ctxpin_model::warning::{Code, NOTES_MAX, Note, Warning};

use crate::barred_names::barred;
use crate::boundary::{Admitting, Boundary, Common, Reach};
use crate::directory::Directory;
use crate::imports::{self, Import};
use crate::path_text::source_text;
use crate::place::Places;
use crate::project::LeftOut;
use crate::reader::{Reader, Reading};
use crate::refused::Refused;
use crate::resolve::USED_UP;
use crate::searches::Searches;
use crate::unused::{Unfollowed, Unused};
use crate::{Scan, ScanError};

/// The greatest number of bytes of frontmatter that one scan parses. A thousand skills at the limit of one
/// frontmatter would take seconds; the largest known collection has a tenth of this.
pub(crate) const FRONTMATTERS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A resource with the identity of its file.
#[derive(Debug)]
pub(crate) struct Finding {
    pub resource: Resource,
    /// The canonical path of the file, or the target of a refused link. Two findings of the same kind and
    /// identity are one resource that was reached by two ways.
    pub identity: Option<PathBuf>,
    /// Why it is not used, as far as a type says it.
    unused: Option<Unused>,
}

impl Finding {
    /// Makes a resource at a path, not yet read. If the path cannot be a source, the resource is `invalid`
    /// and stays so.
    pub fn new(kind: Kind, path: &Path, root: &Path) -> Self {
        let (source, unfit) = source_text(path);
        let mut resource = Resource::new(kind, source, Status::Ok);
        resource.root = Some(source_text(root).0);
        if let Some(reason) = unfit {
            resource.status = Status::Invalid;
            resource.error = Some(reason.to_owned());
        }
        Self {
            resource,
            identity: None,
            unused: None,
        }
    }

    /// Makes a resource that was found at a path and refused.
    pub fn refused(kind: Kind, path: &Path, root: &Path, refused: Refused) -> Self {
        let mut finding = Self::new(kind, path, root);
        finding.refuse(refused.status, refused.reason);
        finding.identity = refused.target;
        finding
    }

    /// Demotes the resource, unless it is demoted already. The first reason stays.
    pub fn refuse(&mut self, status: Status, reason: impl Into<String>) {
        if self.resource.status == Status::Ok {
            let reason = reason.into();
            self.resource.demote(status, cut(&reason, ERROR_BYTES_MAX));
        }
    }

    /// Demotes the resource as [`Self::refuse`] does, and says why in a type too.
    pub fn refuse_as(&mut self, unused: Unused, status: Status, reason: impl Into<String>) {
        if self.resource.status == Status::Ok {
            self.unused = Some(unused);
        }
        self.refuse(status, reason);
    }

    /// Demotes the resource as [`Self::refuse`] does, for a reason of ctxpin's own: the tool of a profile gives the file to
    /// its model all the same.
    pub fn refuse_here(&mut self, profile: Profile, status: Status, reason: &str) {
        match profile {
            Profile::Neutral => self.refuse(status, reason),
            Profile::ClaudeCode | Profile::Codex | Profile::Opencode => {
                let reason = format!("the tool gives it to its model, but {reason}");
                self.refuse_as(Unused::Unread, status, reason);
            }
        }
    }

    /// Demotes the resource because the tool does not give it to its model, whatever else is said of it.
    pub fn withhold(&mut self, reason: &str) {
        self.unused = None;
        let reason = cut(reason, ERROR_BYTES_MAX);
        self.resource.demote(Status::Excluded, reason);
    }

    /// Records the hash and the size of what was read. Only [`Gathering::hold`] adds the bytes to the
    /// snapshot.
    pub fn note(&mut self, reading: &Reading) {
        self.resource.content = Some(Content::Claimed(reading.hash));
        self.resource.size = reading.size;
        self.identity = Some(reading.path.clone());
    }

    fn is_sound(&self) -> bool {
        !matches!(self.resource.status, Status::Invalid | Status::Unreadable)
    }
}

/// What the roots have contributed so far.
pub(crate) struct Gathering<'a> {
    pub places: Places,
    pub reader: Reader,
    pub common: Rc<Common>,
    /// Whose rules decide.
    pub profile: Profile,
    /// How many more bytes of frontmatter may be parsed.
    frontmatter_left: usize,
    /// The canonical paths of the folders of skills that were scanned.
    containers: HashSet<PathBuf>,
    /// The number of findings that each of them added.
    listed: HashMap<Way, usize>,
    /// The directories that were read as a skill, with whether reading one again under another name could
    /// change the result.
    skills: HashMap<PathBuf, bool>,
    /// The reasons why directories are no skills, by canonical path.
    pub no_skills: HashMap<PathBuf, String>,
    findings: Vec<Option<Finding>>,
    by_identity: HashMap<(Kind, PathBuf), usize>,
    bodies: Bodies,
    remarks: BTreeSet<String>,
    notes: Vec<Note>,
    unfollowed: Vec<Unfollowed>,
    /// The number of notes past the limit.
    notes_more: usize,
    /// How often a finding was added, including those that were there already.
    additions: usize,
    /// Files of other tools, by directory.
    other_tools: Vec<(PathBuf, Vec<&'static str>)>,
    cancelled: &'a dyn Fn() -> bool,
    home: &'a Path,
    pub searches: &'a mut Searches,
}

/// How a tool uses the skills of one name. A lower one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SkillRank {
    /// The list at the start has it.
    Listed,
    /// Its frontmatter keeps it out of the list.
    Hidden,
    /// It is listed with certain files.
    ForFiles,
}

/// A folder of skills, with the boundary of the links in it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Way {
    path: PathBuf,
    boundary: PathBuf,
    reach: Reach,
}

impl Way {
    fn to(path: &Path, boundary: &Boundary) -> Self {
        Self {
            path: path.to_owned(),
            boundary: boundary.directory.path.clone(),
            reach: boundary.reach,
        }
    }
}

impl<'a> Gathering<'a> {
    pub fn new(
        cancelled: &'a dyn Fn() -> bool,
        home: &'a Path,
        profile: Profile,
        common: Rc<Common>,
        searches: &'a mut Searches,
    ) -> Self {
        Self {
            places: Places::default(),
            reader: Reader::default(),
            common,
            profile,
            frontmatter_left: FRONTMATTERS_BYTES_MAX,
            containers: HashSet::new(),
            listed: HashMap::new(),
            skills: HashMap::new(),
            no_skills: HashMap::new(),
            findings: Vec::new(),
            by_identity: HashMap::new(),
            bodies: Bodies::new(),
            remarks: BTreeSet::new(),
            notes: Vec::new(),
            unfollowed: Vec::new(),
            notes_more: 0,
            additions: 0,
            other_tools: Vec::new(),
            cancelled,
            home,
            searches,
        }
    }

    /// Fails if the caller has cancelled the scan.
    pub fn go_on(&self) -> Result<(), ScanError> {
        if (self.cancelled)() {
            return Err(ScanError::Cancelled);
        }
        Ok(())
    }

    /// Adds a message to the snapshot's error that says why the scan is incomplete.
    pub fn remark(&mut self, remark: String) {
        self.remarks.insert(remark);
    }

    /// Adds a note about a path.
    pub fn note(&mut self, path: &Path, warning: Warning) {
        self.add_note(Note {
            source: Some(source_text(path).0),
            warning,
        });
    }

    /// Notes an import of a file that the tool does not follow. `written` is its path as the file has it.
    pub fn unfollowed(&mut self, written: &str, import: Unfollowed) {
        let detail = format!("{written}: {}", import.reason);
        self.add_note(Note {
            source: Some(import.source.clone()),
            warning: Warning {
                line: import.line,
                ..Warning::new(Code::ImportIgnored).about(detail)
            },
        });
        if self.unfollowed.len() < NOTES_MAX {
            self.unfollowed.push(import);
        }
    }

    /// Adds a note, once. Notes are no part of the snapshot.
    pub fn add_note(&mut self, note: Note) {
        match self.notes.len() < NOTES_MAX {
            true if self.notes.contains(&note) => {}
            true => self.notes.push(note),
            false => self.notes_more += 1,
        }
    }

    /// Notes a repository that is not used as the project.
    pub fn leave_out(&mut self, left_out: &LeftOut) {
        self.notes.push(left_out.note());
        self.remarks.extend(left_out.remark());
    }

    /// Notes the files of other tools in a directory, by their paths below it.
    pub fn other_tools(&mut self, directory: &Path, found: &[&'static str]) {
        self.other_tools
            .push((directory.to_owned(), found.to_vec()));
    }

    /// Returns whether the folder of skills at a canonical path must be scanned. It contributes the same
    /// again if a link led to it before.
    pub fn begin_container(&mut self, path: &Path, boundary: &Boundary) -> bool {
        let way = Way::to(path, boundary);
        if let Some(additions) = self.listed.get(&way) {
            self.additions += additions;
            return false;
        }
        self.containers.insert(path.to_owned());
        // The number is not known yet, but a folder may be reached from within itself.
        self.listed.insert(way, 0);
        true
    }

    /// Records how many findings a folder of skills added since there were `additions`.
    pub fn end_container(&mut self, path: &Path, boundary: &Boundary, additions: usize) {
        let added = self.additions - additions;
        self.listed.insert(Way::to(path, boundary), added);
    }

    /// Returns whether a directory must be read as a skill. `is_usable` says whether its name is usable. A
    /// directory is read again only if it had no usable name before and has one now.
    pub fn begin_skill(&mut self, path: &Path, is_usable: bool) -> bool {
        let is_new = match self.skills.get(path) {
            None => true,
            Some(is_open) => *is_open && is_usable,
        };
        if !is_new {
            self.additions += 1;
        }
        is_new
    }

    /// Records that a directory was read as a skill.
    pub fn end_skill(&mut self, path: &Path, status: Status, is_usable: bool) {
        let is_open = status == Status::Invalid && !is_usable;
        self.skills.insert(path.to_owned(), is_open);
    }

    /// Returns how often a finding was added. If the number has not changed, a root contributed nothing.
    pub fn additions(&self) -> usize {
        self.additions
    }

    /// Returns the first bytes of a file inside the boundary. Returns none if it cannot be read.
    pub fn begin_of(
        &mut self,
        boundary: &Boundary,
        directory: &Directory,
        name: &OsStr,
        bytes_max: u64,
    ) -> Vec<u8> {
        boundary.begin(directory, name, bytes_max, &mut self.reader)
    }

    /// Returns whether the scan may parse this many more bytes of frontmatter, and counts them.
    pub fn may_parse(&mut self, bytes: usize) -> bool {
        let left = self.frontmatter_left.checked_sub(bytes);
        self.frontmatter_left = left.unwrap_or(self.frontmatter_left);
        left.is_some()
    }

    /// Returns the bytes of a finding, if the snapshot has them.
    pub fn body(&self, finding: &Finding) -> Option<Arc<[u8]>> {
        let body = finding.resource.body();
        body.and_then(|body| self.bodies.get(&body)).cloned()
    }

    /// Returns whether a finding holds a text of nothing but white space.
    pub fn is_blank(&self, finding: &Finding) -> bool {
        let bytes = self.body(finding);
        bytes.is_some_and(|bytes| String::from_utf8_lossy(&bytes).trim().is_empty())
    }

    /// Adds bytes to the snapshot.
    pub fn hold(&mut self, hash: BlobHash, bytes: Arc<[u8]>) -> Content {
        self.bodies.insert(hash, bytes);
        Content::Pinned(hash)
    }

    /// Adds a finding. If two findings are one resource, the first sound one stays.
    pub fn add(&mut self, finding: Finding) {
        self.additions += 1;
        let Some(identity) = finding.identity.clone() else {
            return self.findings.push(Some(finding));
        };
        let key = (finding.resource.kind, identity);
        if let Some(&index) = self.by_identity.get(&key) {
            let present = self.findings[index].as_ref();
            if present.is_some_and(Finding::is_sound) {
                return;
            }
            if finding.is_sound() {
                self.findings[index] = None;
            }
        }
        self.by_identity.insert(key, self.findings.len());
        self.findings.push(Some(finding));
    }

    /// Returns the names of the directories of the skills that a tool lists at the start, by the rank of each `SKILL.md`. Of
    /// one that was not read, only the tool knows more.
    pub fn listed_skills(&self, rank: impl Fn(&[u8]) -> SkillRank) -> HashSet<String> {
        let skills = self.findings.iter().flatten();
        let skills = skills.filter(|finding| finding.resource.kind == Kind::Skill);
        let listed = skills.filter(|finding| match finding.resource.status {
            Status::Ok => {
                let body = self.body(finding);
                body.is_none_or(|body| rank(&body) == SkillRank::Listed)
            }
            _ => finding.unused.is_some_and(Unused::is_given),
        });
        let names = listed.filter_map(|finding| directory_name(&finding.resource.source));
        names.map(str::to_owned).collect()
    }

    /// Leaves out the skills that give way to others of their name: those whose `SKILL.md` has a higher rank than that of
    /// another one. Of those with the rank [`SkillRank::ForFiles`], the first one stays.
    pub fn give_way(&mut self, rank: impl Fn(&[u8]) -> SkillRank, reason: &str) {
        let mut of_name: BTreeMap<String, Vec<(SkillRank, usize)>> = BTreeMap::new();
        for (index, finding) in self.findings.iter().enumerate() {
            let skill = finding.as_ref().map(|finding| &finding.resource);
            let skill = skill.filter(|r| r.kind == Kind::Skill && r.status == Status::Ok);
            let Some((name, body)) = skill.and_then(|r| Some((r.name.clone()?, r.body()?))) else {
                continue;
            };
            let rank = self.bodies.get(&body).map(|body| rank(body));
            let rank = rank.unwrap_or(SkillRank::Listed);
            of_name.entry(name).or_default().push((rank, index));
        }
        for ranked in of_name.into_values() {
            let Some(&(best, first)) = ranked.iter().min() else {
                continue;
            };
            let gives_way = |(rank, index): &(SkillRank, usize)| {
                *rank > best || best == SkillRank::ForFiles && *index != first
            };
            for (_, index) in ranked.into_iter().filter(gives_way) {
                if let Some(finding) = &mut self.findings[index] {
                    finding.refuse(Status::Excluded, reason);
                }
            }
        }
    }

    /// Returns the canonical paths of the `SKILL.md` files of the sound skills.
    pub fn skill_files(&self) -> Vec<PathBuf> {
        let findings = self.findings.iter().flatten();
        let skills = findings.filter(|finding| {
            finding.resource.kind == Kind::Skill && finding.resource.status == Status::Ok
        });
        let files = skills.filter_map(|skill| skill.identity.clone());
        files.collect()
    }

    /// Gives skills other names.
    pub fn name_skills(&mut self, name: impl Fn(&Resource) -> Option<String>) {
        let findings = self.findings.iter_mut().flatten();
        for skill in findings.filter(|finding| finding.resource.kind == Kind::Skill) {
            if let Some(name) = name(&skill.resource) {
                skill.resource.name = Some(name);
            }
        }
    }

    /// Leaves out the skills for which there is a reason, whatever else is said of them.
    pub fn leave_out_skills(&mut self, reason: impl Fn(&Resource) -> Option<&'static str>) {
        let findings = self.findings.iter_mut().flatten();
        for finding in findings.filter(|finding| finding.resource.kind == Kind::Skill) {
            if let Some(reason) = reason(&finding.resource) {
                finding.withhold(reason);
            }
        }
    }

    /// Applies the limits of a snapshot, and drops the bytes that it does not store.
    pub fn finish(mut self, facts: Facts, admitting: &Admitting) -> Scan {
        let mut sources = HashSet::new();
        let mut resources = Vec::new();
        let mut identities = HashSet::new();
        let mut unused = HashMap::new();
        for finding in std::mem::take(&mut self.findings).into_iter().flatten() {
            let resource = finding.resource;
            // A folder of skills behind a refused link, which was scanned under its own root.
            let is_elsewhere = resource.status == Status::Invalid
                && finding
                    .identity
                    .as_ref()
                    .is_some_and(|path| self.containers.contains(path));
            if is_elsewhere || !sources.insert((resource.kind, resource.source.clone())) {
                continue;
            }
            identities.extend(finding.identity);
            // The limits may still leave out what is sound.
            let sound = (resource.status == Status::Ok).then_some(Unused::NoRoom);
            if let Some(why) = finding.unused.or(sound) {
                unused.insert((resource.kind, resource.source.clone()), why);
            }
            resources.push(resource);
        }
        let remark = admit(&mut resources);
        self.say_what_else_is_listed(&mut resources, &mut unused);
        let is_used = |resource: &&Resource| resource.status == Status::Ok;
        for used in resources.iter().filter(is_used) {
            unused.remove(&(used.kind, used.source.clone()));
        }
        let used: HashSet<_> = resources.iter().flat_map(Resource::stored).collect();
        self.bodies.retain(|hash, _| used.contains(hash));
        identities.extend(
            resources
                .iter()
                .map(|resource| PathBuf::from(&resource.source)),
        );
        // The neutral profile names imports, because some tools follow them.
        let judged = resources.iter().filter(|_| facts.rules.is_none());
        for resource in judged {
            self.judge_imports(resource, &identities, admitting);
        }
        if self.common.resolver.is_used_up() {
            self.remark(format!("{USED_UP}: not all of them were followed"));
        }
        let remarks: Vec<_> = std::mem::take(&mut self.remarks)
            .into_iter()
            .chain(remark)
            .collect();
        let error = cut(&remarks.join("; "), ERROR_BYTES_MAX).to_owned();
        let notes = self.notes(&identities);
        Scan {
            snapshot: Snapshot {
                facts,
                error: Some(error).filter(|error| !error.is_empty()),
                resources,
            },
            bodies: self.bodies,
            notes,
            places: self.places.finish(),
            unused,
            unfollowed: self.unfollowed,
        }
    }

    /// Says of a skill that gives way to another one of its name whether the tool lists both.
    fn say_what_else_is_listed(
        &self,
        resources: &mut [Resource],
        unused: &mut HashMap<(Kind, String), Unused>,
    ) {
        let lists_both = |skill: &Resource, other: &str| match self.profile {
            Profile::Neutral | Profile::Opencode => None,
            Profile::Codex => Some("Codex lists both"),
            // It names a skill by its directory.
            Profile::ClaudeCode => (directory_name(&skill.source) != directory_name(other))
                .then_some("Claude Code lists both, by their directories"),
        };
        for skill in resources.iter_mut().filter(|r| r.kind == Kind::Skill) {
            let error = skill.error.as_deref();
            let other = error.and_then(|error| error.strip_prefix(SHADOWED));
            let Some(both) = other.map(|other| lists_both(skill, other)) else {
                continue;
            };
            let is_listed = both.is_some();
            let key = (skill.kind, skill.source.clone());
            unused.insert(key, Unused::Shadowed { is_listed });
            if let Some(more) = both {
                let error = format!("{}; {more}", error.unwrap_or_default());
                skill.error = Some(cut(&error, ERROR_BYTES_MAX).to_owned());
            }
        }
    }

    /// Notes the imports of a used instruction file that give no resource.
    fn judge_imports(
        &mut self,
        resource: &Resource,
        found: &HashSet<PathBuf>,
        admitting: &Admitting,
    ) {
        let is_read = resource.kind == Kind::InstructionFile && resource.reaches_context();
        let body = resource.body().filter(|_| is_read);
        let body = body.and_then(|body| self.bodies.get(&body)).cloned();
        let Some(Ok(text)) = body.as_deref().map(str::from_utf8) else {
            return;
        };
        for import in imports::find(text) {
            self.judge_import(&resource.source, &import, found, admitting);
        }
    }

    /// Notes an import whose target is not among the resources.
    fn judge_import(
        &mut self,
        from: &str,
        import: &Import,
        found: &HashSet<PathBuf>,
        admitting: &Admitting,
    ) {
        if self.common.resolver.is_used_up() {
            return;
        }
        let target = imports::target(&import.path, from, self.home);
        // The part of the way that both paths share is canonical.
        let shared = Path::new(from).parent().unwrap_or(Path::new("/"));
        let shared = shared.components().zip(target.components());
        let shared = shared.take_while(|(one, other)| one == other).count();
        let base: PathBuf = target.components().take(shared).collect();
        let real = self
            .common
            .resolver
            .resolve(&base, target.strip_prefix(&base).unwrap_or(&target));
        let is_found = |path: &Path| found.contains(path);
        if is_found(&target) || real.as_deref().is_ok_and(is_found) {
            return;
        }
        let may_be_read = |path: &Path| {
            admitting
                .admits(path)
                .is_some_and(|(_, _, below)| barred(below).is_none())
        };
        // The scan does not look for anything outside.
        let code = match real {
            _ if !may_be_read(&target) => Code::ImportOutside,
            Ok(real) if !may_be_read(&real) => Code::ImportOutside,
            Ok(real) if real.is_file() => Code::ImportUnpinned,
            _ => Code::ImportMissing,
        };
        let warning = Warning::new(code).at_line(import.line).about(&import.path);
        self.note(Path::new(from), warning);
    }

    /// Returns the notes in the order in which they were added, within the limit.
    fn notes(&mut self, found: &HashSet<PathBuf>) -> Vec<Note> {
        let found: BTreeSet<_> = found.iter().collect();
        for (directory, paths) in std::mem::take(&mut self.other_tools) {
            let is_read = |path: &&&str| {
                let real = self.common.resolver.resolve(&directory, Path::new(path));
                let path = real.unwrap_or_else(|_| directory.join(path));
                // The paths below a path follow it in the order.
                let mut behind = found.range::<PathBuf, _>(&path..);
                behind.next().is_some_and(|found| found.starts_with(&path))
            };
            let paths: Vec<_> = paths
                .iter()
                .filter(|path| !is_read(path))
                .copied()
                .collect();
            if !paths.is_empty() {
                let warning = Warning::new(Code::OtherTool).about(paths.join(", "));
                self.note(&directory, warning);
            }
        }
        let mut notes = std::mem::take(&mut self.notes);
        let all = notes.len() + self.notes_more;
        if all > NOTES_MAX {
            let more = all - (NOTES_MAX - 1);
            notes.truncate(NOTES_MAX - 1);
            notes.push(Note {
                source: None,
                warning: Warning::new(Code::NotesCut).about(more.to_string()),
            });
        }
        notes
    }
}
