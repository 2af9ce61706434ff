//! Finds what one root contributes: its instruction files, its skills and its MCP configuration. It looks
//! at fixed places, and descends into nothing else.

use std::ffi::OsStr;
use std::path::Path;
use std::rc::Rc;

use ctxpin_model::resource::{Kind, Status};
use ctxpin_model::skill::SKILL_FILE_NAME;
use ctxpin_model::warning::{Code, Warning};

use crate::ScanError;
use crate::boundary::{Boundaries, Boundary, Located, Reach};
use crate::directory::{Directory, LISTING_MAX};
use crate::gather::{Finding, Gathering};
use crate::known_files::{
    AGENT_FOLDERS, FileClass, INSTRUCTION_FILES, MCP_CONFIG_NAME, SKILLS, UNKNOWN_FILE, classify,
    holds_skills, is_skill,
};
use crate::refused::Refused;
use crate::roots::{Origin, Root, Standing};
use crate::unused::Unused;
use crate::{elsewhere, file, skill};

/// Adds what a root contributes to a gathering.
pub(crate) fn root(
    root: &Root,
    boundaries: &mut Boundaries,
    gathering: &mut Gathering,
) -> Result<(), ScanError> {
    gathering.go_on()?;
    if root.named != root.path {
        watch_name(&root.named, gathering);
    }
    let additions = gathering.additions();
    match &root.standing {
        Standing::Missing => {
            gathering.places.awaited(&root.path);
            if root.origin == Origin::Declared {
                let warning = Warning::new(Code::SourceEmpty).about("it does not exist");
                gathering.note(&root.named, warning);
            }
        }
        Standing::Refused(refused) => add_refused(root, refused.clone(), gathering),
        Standing::File(reach) => {
            gathering.places.path(&root.path);
            single(root, *reach, boundaries, gathering)?;
        }
        Standing::Directory { boundary, reach } => {
            let below = root.path.strip_prefix(boundary).unwrap_or(Path::new(""));
            let opened = boundaries.at(boundary, *reach).and_then(|boundary| {
                let directory = boundary.directory.descend(below)?;
                directory.searchable()?;
                Ok((boundary, directory))
            });
            match opened {
                Ok((boundary, directory)) => {
                    let contributor = Contributor {
                        root,
                        boundary,
                        directory,
                    };
                    if root.is_named_alone() {
                        contributor.contribute_as_named(gathering)?;
                    } else {
                        contributor.contribute(gathering)?;
                    }
                    if root.origin == Origin::Declared && gathering.additions() == additions {
                        let warning =
                            Warning::new(Code::SourceEmpty).about("nothing was found in it");
                        gathering.note(&root.named, warning);
                    }
                }
                Err(error) => {
                    gathering.places.path(&root.path);
                    add_refused(root, Refused::failed(&error), gathering);
                }
            }
        }
    }
    Ok(())
}

/// Watches the name of a root that is a link, because the link may change its target.
fn watch_name(named: &Path, gathering: &mut Gathering) {
    let parent = named.parent().and_then(|parent| parent.canonicalize().ok());
    if let (Some(parent), Some(name)) = (parent, named.file_name()) {
        gathering.places.names(&parent, &[name]);
    }
}

fn add_refused(root: &Root, refused: Refused, gathering: &mut Gathering) {
    let kind = match classify(&root.named) {
        FileClass::Skill => Kind::Skill,
        FileClass::McpConfig => Kind::McpConfig,
        FileClass::Instruction | FileClass::Other => Kind::InstructionFile,
    };
    // Under the declared name, because the target must not be revealed.
    gathering.add(Finding::refused(kind, &root.named, &root.named, refused));
}

/// Adds what a root contributes that is one file.
fn single(
    root: &Root,
    reach: Reach,
    boundaries: &mut Boundaries,
    gathering: &mut Gathering,
) -> Result<(), ScanError> {
    let (Some(parent), Some(name)) = (root.path.parent(), root.path.file_name()) else {
        return Ok(());
    };
    let boundary = match boundaries.at(parent, reach) {
        Ok(boundary) => boundary,
        Err(error) => {
            add_refused(root, Refused::failed(&error), gathering);
            return Ok(());
        }
    };
    let directory = &boundary.directory;
    let kind = match classify(&root.named) {
        FileClass::Instruction => Kind::InstructionFile,
        FileClass::McpConfig => Kind::McpConfig,
        FileClass::Skill if name == SKILL_FILE_NAME => {
            let held = directory.descend(Path::new(""));
            let held =
                held.map(|directory| skill::read(directory, &root.path, &root.path, gathering));
            return held.unwrap_or_else(|error| {
                add_refused(root, Refused::failed(&error), gathering);
                Ok(())
            });
        }
        FileClass::Skill => {
            let reason = format!("the link leads to a file that is not named {SKILL_FILE_NAME}");
            add_refused(root, Refused::invalid(reason), gathering);
            return Ok(());
        }
        FileClass::Other => {
            add_refused(root, Refused::invalid(UNKNOWN_FILE), gathering);
            return Ok(());
        }
    };
    let finding = file::read(kind, &boundary, directory, name, &root.path, gathering);
    finding
        .into_iter()
        .for_each(|finding| gathering.add(finding));
    Ok(())
}

/// A root that is a directory.
struct Contributor<'a> {
    root: &'a Root,
    boundary: Rc<Boundary>,
    directory: Directory,
}

/// The target of a name that should be a directory.
enum Step {
    Absent,
    Directory(Directory),
    Refused(Refused),
}

impl Contributor<'_> {
    fn contribute(&self, gathering: &mut Gathering) -> Result<(), ScanError> {
        let top_names = INSTRUCTION_FILES
            .iter()
            .filter(|(folder, _)| folder.is_none());
        let mut names: Vec<_> = top_names.map(|(_, name)| *name).collect();
        names.extend(AGENT_FOLDERS);
        names.extend([SKILLS, MCP_CONFIG_NAME]);
        names.extend(elsewhere::top_names());
        gathering.places.names(&self.directory.path, &names);
        let folders = AGENT_FOLDERS.map(|name| (name, self.step(&self.directory, name, gathering)));
        self.instruction_files(&folders, gathering)?;
        self.skills(&folders, gathering)?;
        if self.root.origin != Origin::Ancestor {
            gathering.go_on()?;
            let finding = self.file(Kind::McpConfig, &self.directory, MCP_CONFIG_NAME, gathering);
            finding
                .into_iter()
                .for_each(|finding| gathering.add(finding));
        }
        if self.root.origin != Origin::User {
            elsewhere::misspelt(&self.directory, gathering);
            elsewhere::other_tools(&self.directory, gathering);
        }
        Ok(())
    }

    /// Adds what a directory contributes that a person named. It may itself be a skill. If it contributes
    /// nothing as [`Self::contribute`] sees it, it may be a folder of skills of any name.
    fn contribute_as_named(&self, gathering: &mut Gathering) -> Result<(), ScanError> {
        let name = OsStr::new(SKILL_FILE_NAME);
        gathering.places.names(&self.directory.path, &[name]);
        if is_skill(&self.directory) {
            let directory = self.directory.descend(Path::new(""));
            let source = self.directory.path.join(name);
            return match directory {
                Ok(directory) => skill::read(directory, &source, &self.root.path, gathering),
                Err(error) => {
                    add_refused(self.root, Refused::failed(&error), gathering);
                    Ok(())
                }
            };
        }
        let additions = gathering.additions();
        self.contribute(gathering)?;
        if gathering.additions() > additions {
            return Ok(());
        }
        gathering.places.all(&self.directory.path);
        match self.directory.descend(Path::new("")) {
            Ok(directory) if holds_skills(&directory) => {
                self.container(Step::Directory(directory), Path::new(""), gathering)
            }
            _ => Ok(()),
        }
    }

    /// Enters a directory, through a link if that is allowed.
    fn step(&self, from: &Directory, name: &str, gathering: &mut Gathering) -> Step {
        let name = OsStr::new(name);
        let located = self.boundary.locate(from, name);
        if matches!(located, Located::Absent) || !from.spells(name) {
            return Step::Absent;
        }
        match located {
            Located::Absent => Step::Absent,
            Located::File(_) => {
                elsewhere::link_as_text(&self.boundary, from, name, gathering);
                Step::Absent
            }
            Located::Refused(refused) => {
                file::await_target(&self.boundary, &from.path.join(name), gathering);
                Step::Refused(refused)
            }
            Located::Directory(path) => match self.boundary.descend(&path) {
                Ok(directory) => Step::Directory(directory),
                Err(error) => Step::Refused(Refused::failed(&error)),
            },
        }
    }

    fn file(
        &self,
        kind: Kind,
        directory: &Directory,
        name: &str,
        gathering: &mut Gathering,
    ) -> Option<Finding> {
        let name = OsStr::new(name);
        file::read(
            kind,
            &self.boundary,
            directory,
            name,
            &self.root.path,
            gathering,
        )
    }

    fn instruction_files(
        &self,
        folders: &[(&str, Step)],
        gathering: &mut Gathering,
    ) -> Result<(), ScanError> {
        let mut found: Vec<Finding> = Vec::new();
        for (folder, name) in INSTRUCTION_FILES {
            gathering.go_on()?;
            let finding = match folder {
                None => self.file(Kind::InstructionFile, &self.directory, name, gathering),
                Some(folder) => match folders.iter().find(|(known, _)| *known == folder) {
                    Some((_, Step::Directory(directory))) => {
                        gathering.places.names(&directory.path, &[name]);
                        self.file(Kind::InstructionFile, directory, name, gathering)
                    }
                    Some((_, Step::Refused(refused))) => {
                        self.behind(Kind::InstructionFile, refused, folder, name)
                    }
                    _ => None,
                },
            };
            found.extend(finding);
        }
        exclude_equal(&mut found);
        found.sort_by(|a, b| a.resource.source.cmp(&b.resource.source));
        found.into_iter().for_each(|finding| gathering.add(finding));
        Ok(())
    }

    fn skills(&self, folders: &[(&str, Step)], gathering: &mut Gathering) -> Result<(), ScanError> {
        let own = self.step(&self.directory, SKILLS, gathering);
        self.container(own, Path::new(SKILLS), gathering)?;
        for (folder, step) in folders {
            let below = Path::new(folder).join(SKILLS);
            match step {
                Step::Absent => {}
                Step::Directory(directory) => {
                    gathering.places.names(&directory.path, &[SKILLS]);
                    let container = self.step(directory, SKILLS, gathering);
                    self.container(container, &below, gathering)?;
                }
                Step::Refused(refused) => {
                    let finding = self.behind(Kind::Skill, refused, folder, SKILLS);
                    finding
                        .into_iter()
                        .for_each(|finding| gathering.add(finding));
                }
            }
        }
        if self.root.path.file_name() == Some(OsStr::new(SKILLS)) {
            let step = match self.directory.descend(Path::new("")) {
                Ok(directory) => Step::Directory(directory),
                Err(error) => Step::Refused(Refused::failed(&error)),
            };
            self.container(step, Path::new(""), gathering)?;
        }
        Ok(())
    }

    /// Adds the skills of one folder of skills, by their names.
    fn container(
        &self,
        step: Step,
        below: &Path,
        gathering: &mut Gathering,
    ) -> Result<(), ScanError> {
        let refused = match step {
            Step::Absent => return Ok(()),
            Step::Refused(refused) => refused,
            Step::Directory(directory) => {
                gathering.places.all(&directory.path);
                if !gathering.begin_container(&directory.path, &self.boundary) {
                    return Ok(());
                }
                let additions = gathering.additions();
                match directory.list() {
                    Ok(listing) => {
                        if !listing.whole {
                            gathering.remark(format!(
                                "only {LISTING_MAX} entries of {} were looked at",
                                directory.path.display()
                            ));
                        }
                        for name in &listing.names {
                            skill::find(
                                &self.boundary,
                                &directory,
                                name,
                                &self.root.path,
                                gathering,
                            )?;
                        }
                        gathering.end_container(&directory.path, &self.boundary, additions);
                        return Ok(());
                    }
                    Err(error) => Refused::failed(&error),
                }
            }
        };
        let path = self.directory.path.join(below);
        gathering.add(Finding::refused(
            Kind::Skill,
            &path,
            &self.root.path,
            refused,
        ));
        Ok(())
    }

    /// Returns a refused resource for an entry behind a folder that must not be entered. Returns `None`
    /// if the target has no such entry.
    fn behind(&self, kind: Kind, refused: &Refused, folder: &str, name: &str) -> Option<Finding> {
        let mut refused = refused.clone();
        refused.reason = format!("{folder}: {}", refused.reason);
        refused.target = match refused.target {
            Some(target) => {
                let target = target.join(name);
                let real = target.canonicalize().unwrap_or(target);
                Some(real).filter(|target| target.exists())
            }
            None if refused.status == Status::Unreadable => None,
            None => return None,
        };
        if refused.status != Status::Unreadable && refused.target.is_none() {
            return None;
        }
        let path = self.directory.path.join(folder).join(name);
        Some(Finding::refused(kind, &path, &self.root.path, refused))
    }
}

/// Excludes an instruction file if one before it has the same bytes.
fn exclude_equal(found: &mut [Finding]) {
    for index in 1..found.len() {
        let (before, rest) = found.split_at_mut(index);
        let file = &mut rest[0];
        let body = file.resource.body();
        let equal = before.iter().find(|other| {
            body.is_some() && other.resource.body() == body && other.identity != file.identity
        });
        if let Some(equal) = equal {
            let reason = format!("same bytes as {}", equal.resource.source);
            file.refuse_as(Unused::SameBytes, Status::Excluded, reason);
        }
    }
}
