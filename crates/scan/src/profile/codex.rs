//! Codex CLI: one instruction file for each directory from the project's root to the working directory, one
//! of Codex's home, and the skills of both.
//!
//! These rules were read off Codex 0.171.0 and 0.150.0 as they ran. Where the two differ (a fallback name with
//! a slash in it), the newer one counts.

mod manifests;
mod plugins;
mod role_keys;
mod roles;
mod skills;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ctxpin_model::profile::{CodexSettings, NUMBER_MAX, Rules, Settings};
use ctxpin_model::resource::{Kind, Status};
use ctxpin_model::skill::SKILL_FILE_NAME;
use rustix::fs::FileType;
use toml::{Table, Value};

use self::manifests::PluginNames;
use self::plugins::Plugins;
use self::roles::Roles;
use self::skills::SkillMembers;
use super::skill_folder::SkillFolder;
use super::{
    IN_FOLDER, entry, excluded, forbidden, outside, passed_over, repository, skill, skills_folder,
    unread,
};
use crate::ScanError;
use crate::boundary::{Boundaries, Boundary, Reach};
use crate::directory::Directory;
use crate::gather::{Finding, Gathering};
use crate::known_files::SKILLS;
use crate::path_text::source_text;
use crate::roots::{Request, Roots};
use crate::settings::{settings, shorten};

/// The names that count before the configured ones.
const NAMES: [&str; 2] = ["AGENTS.override.md", "AGENTS.md"];

/// The folder of a project with its part of the configuration.
const FOLDER: &str = ".codex";

/// The folder of skills that several tools share, in a project and in the home.
const SHARED_FOLDER: &str = ".agents";

/// The member with the greatest number of bytes of all instruction files of a project.
const BYTES_MAX_NAME: &str = "project_doc_max_bytes";

const CONFIG_NAME: &str = "config.toml";

/// The configuration of the machine: defaults in one file, and what nobody can change in the other.
const MACHINE: &str = "/etc/codex";
const MANAGED_NAME: &str = "managed_config.toml";

/// What the machine's administrator demands.
const REQUIREMENTS_NAME: &str = "requirements.toml";

/// How deep below a folder of skills Codex looks.
const DEPTH_MAX: usize = 6;

/// The greatest number of configured names that are kept of one list.
const NAMES_MAX: usize = 32;

/// What a remark calls these lists.
const CONFIGURED: &str = "Codex's configured names";

/// Why a file of the person is left out.
const PERSONAL: &str =
    "Codex gives this file of yours to its model; it is read only with --user-roots";

/// The members of a configuration with a text for the model, or the path of one.
const TEXT_NAMES: [&str; 3] = [
    "developer_instructions",
    "instructions",
    "model_instructions_file",
];

/// The member of the requirements with a text for the model.
const REQUIRED_TEXT_NAME: &str = "additional_developer_instructions";

/// The members of a configuration that decide what is found.
#[derive(Debug, Default)]
struct Config {
    bytes_max: Option<u64>,
    fallback_names: Option<Vec<String>>,
    root_markers: Option<Vec<String>>,
    /// Whether the person trusts a directory, by its path.
    trust: BTreeMap<String, bool>,
    /// The files in which members stand whose texts the model gets.
    texts: BTreeMap<&'static str, PathBuf>,
    skills: SkillMembers,
    plugins: Plugins,
    roles: Roles,
    /// What the configuration says that ctxpin does not follow, as messages for people.
    not_followed: Vec<&'static str>,
}

/// Adds what Codex reads to a gathering: the file of its home first, then those of the project from its root
/// to the working directory, then the skills.
pub(super) fn find(
    request: &Request,
    roots: &Roots,
    boundaries: &mut Boundaries,
    gathering: &mut Gathering,
) -> Result<Rules, ScanError> {
    let home = home(request);
    let configuration = Configuration::read(request, &home, &roots.directory, gathering);
    let search = Search {
        request,
        roots,
        home,
        configuration,
    };
    search.home_file(boundaries, gathering)?;
    search.project_files(boundaries, gathering)?;
    let roles = &search.configuration.roles;
    let described = roles.add(&request.trust, gathering);
    search.texts(&described, gathering);
    search.skills(boundaries, gathering)?;
    let names = PluginNames::find(&search, boundaries, gathering);
    let Configuration {
        settings,
        skills,
        plugins,
        ..
    } = search.configuration;
    plugins.add(&search.home, gathering);
    skills::leave_out(skills, &names, &search.home, &request.home, gathering);
    names.give(gathering);
    Ok(Rules::newest(Settings::Codex(settings)))
}

/// Returns whether Codex's home exists, or a file in the working directory that only Codex reads.
pub(super) fn is_used(request: &Request) -> bool {
    let directory = &request.directory;
    home(request).is_dir() || directory.join(FOLDER).is_dir() || directory.join(NAMES[0]).is_file()
}

/// Returns the canonical path of Codex's home, as far as it exists.
fn home(request: &Request) -> PathBuf {
    let named = match &request.tool.home {
        Some(home) => home.clone(),
        None => request.home.join(FOLDER),
    };
    named.canonicalize().unwrap_or(named)
}

/// The configuration in force.
struct Configuration {
    settings: CodexSettings,
    /// The directories whose instruction files count, from the project's root to the working directory.
    chain: Vec<PathBuf>,
    /// The directory for which the person said that the project is not trusted.
    untrusted: Option<PathBuf>,
    /// The files in which members stand whose texts the model gets.
    texts: BTreeMap<&'static str, PathBuf>,
    skills: SkillMembers,
    plugins: Plugins,
    roles: Roles,
}

impl Configuration {
    /// Reads all layers. Of a member that several set, the last counts: the machine's defaults, the person's
    /// file, the project's files from its root to the working directory, and what the machine's administrator
    /// fixed. The project's files count only if the person trusts the project, and they do not decide where
    /// its root is. Only the person's file turns skills off.
    fn read(request: &Request, home: &Path, working: &Path, gathering: &mut Gathering) -> Self {
        let mut layer = |directory: &Path, name: &str| layer(request, directory, name, gathering);
        let mut config = layer(Path::new(MACHINE), CONFIG_NAME);
        let mut own = layer(home, CONFIG_NAME);
        let rules = std::mem::take(&mut own.skills.rules);
        config.change(own);
        let managed = layer(Path::new(MACHINE), MANAGED_NAME);
        let managed_markers = managed.root_markers.clone();
        let markers = managed_markers.or(config.root_markers.take());
        let mut settings = CodexSettings::defaults(source_text(home).0);
        settings.root_markers = markers.unwrap_or(settings.root_markers);
        let chain = chain(working, &settings.root_markers);
        let repository = repository::main_root(working);
        let trust = Trusting {
            said: &config.trust,
            working,
            root: chain.first().map(PathBuf::as_path),
            repository: repository.as_deref(),
        };
        let untrusted = trust.untrusted().map(Path::to_owned);
        let trusted = chain.iter().filter(|directory| trust.counts(directory));
        let trusted: Vec<_> = trusted.collect();
        for directory in trusted {
            config.change(layer(&directory.join(FOLDER), CONFIG_NAME));
        }
        config.change(managed);
        let requirements = layer(Path::new(MACHINE), REQUIREMENTS_NAME);
        config.texts.extend(requirements.texts);
        if let Some(bytes_max) = config.bytes_max {
            settings.bytes_max = bytes_max.min(NUMBER_MAX);
        }
        settings.fallback_names = config
            .fallback_names
            .unwrap_or_default()
            .into_iter()
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty() && !name.contains(['/', '\\']))
            .collect();
        for names in [&mut settings.fallback_names, &mut settings.root_markers] {
            shorten(names, NAMES_MAX, CONFIGURED, gathering);
        }
        Self {
            settings,
            chain,
            untrusted,
            texts: config.texts,
            plugins: config.plugins,
            roles: config.roles,
            skills: SkillMembers {
                rules,
                ..config.skills
            },
        }
    }
}

impl Config {
    /// Reads the members of the file at a path.
    ///
    /// # Errors
    ///
    /// Fails if the text is no TOML, or if a member has another type. The message quotes nothing of the file,
    /// which may hold secrets.
    fn parse(text: &str, path: &Path) -> Result<Self, String> {
        let table: Table = toml::from_str(text).map_err(|_| "is not valid TOML".to_owned())?;
        let unfit = |name: &str, type_: &str| format!("is not valid: `{name}` is not {type_}");
        let names = |name: &str| {
            let names = table.get(name).map(|value| value.clone().try_into());
            names
                .transpose()
                .map_err(|_| unfit(name, "a list of texts"))
        };
        let bytes_max = table.get(BYTES_MAX_NAME).map(|value| {
            let number = value.as_integer().and_then(|number| number.try_into().ok());
            number.ok_or_else(|| unfit(BYTES_MAX_NAME, "a number of bytes"))
        });
        let projects = table.get("projects").and_then(Value::as_table);
        let trust = projects
            .into_iter()
            .flatten()
            .filter_map(|(path, project)| {
                let level = project.get("trust_level").and_then(Value::as_str)?;
                Some((path.clone(), level == "trusted"))
            });
        Ok(Self {
            bytes_max: bytes_max.transpose()?,
            skills: SkillMembers::parse(table.get("skills"))
                .map_err(|(name, type_)| unfit(name, type_))?,
            fallback_names: names("project_doc_fallback_filenames")?,
            root_markers: names("project_root_markers")?,
            trust: trust.collect(),
            plugins: Plugins::parse(&table),
            roles: Roles::parse(&table).map_err(|(name, type_)| unfit(name, type_))?,
            not_followed: not_followed(&table),
            texts: texts_of(path)
                .iter()
                .copied()
                .filter(|name| table.contains_key(*name))
                .map(|name| (name, path.to_owned()))
                .collect(),
        })
    }

    /// Takes the members that another layer sets.
    fn change(&mut self, other: Self) {
        let Self {
            bytes_max,
            fallback_names,
            root_markers,
            trust,
            texts,
            skills,
            plugins,
            roles,
            not_followed: _,
        } = other;
        self.plugins.change(plugins);
        self.roles.change(roles);
        self.skills.is_listed = skills.is_listed.or(self.skills.is_listed);
        self.bytes_max = bytes_max.or(self.bytes_max);
        self.fallback_names = fallback_names.or(self.fallback_names.take());
        self.root_markers = root_markers.or(self.root_markers.take());
        self.trust.extend(trust);
        self.texts.extend(texts);
    }
}

/// Reads a file of the configuration, and watches for it. One that cannot be read counts as empty, and the
/// snapshot's error says so.
fn layer(request: &Request, directory: &Path, name: &str, gathering: &mut Gathering) -> Config {
    let path = directory.join(name);
    gathering.places.awaited(&path);
    if !directory.is_dir() {
        return Config::default();
    }
    let read = settings(directory, name, &request.trust).and_then(|bytes| {
        let Some(bytes) = bytes else {
            return Ok(Config::default());
        };
        let text = str::from_utf8(&bytes).map_err(|_| "is not UTF-8".to_owned())?;
        Config::parse(text, &path)
    });
    for remark in read.iter().flat_map(|config| &config.not_followed) {
        gathering.remark(format!("{} {remark}", source_text(&path).0));
    }
    let mut config = read.unwrap_or_else(|reason| {
        let path = source_text(&path).0;
        gathering.remark(format!("{path} {reason}; Codex does not start with it"));
        Config::default()
    });
    config.roles = config.roles.of_file(&path);
    config
}

/// Returns the names of a file's members with a text for the model.
fn texts_of(path: &Path) -> &'static [&'static str] {
    match path.ends_with(REQUIREMENTS_NAME) {
        true => &[REQUIRED_TEXT_NAME],
        false => &TEXT_NAMES,
    }
}

/// Returns what a configuration says that ctxpin does not follow.
fn not_followed(table: &Table) -> Vec<&'static str> {
    let permissions = table.get("default_permissions").and_then(Value::as_str);
    // The names of Codex's own begin with a colon.
    let has_permissions = permissions.is_some_and(|name| !name.starts_with(':'));
    let permissions = has_permissions.then_some(
        "has `default_permissions`, which ctxpin does not follow; they can keep the project's files and skills from \
         Codex's model",
    );
    let profile = table.get("profile").filter(|profile| profile.is_str());
    let profile =
        profile.map(|_| "has `profile`, which ctxpin does not follow; newer versions of Codex do not start with it");
    permissions.into_iter().chain(profile).collect()
}

/// Whom the person trusts, and where a session stands.
struct Trusting<'a> {
    /// Whether a directory is trusted, by its path.
    said: &'a BTreeMap<String, bool>,
    working: &'a Path,
    /// The project's root.
    root: Option<&'a Path>,
    /// The root of the repository: of a worktree, that of the main one.
    repository: Option<&'a Path>,
}

impl Trusting<'_> {
    fn said(&self, directory: &Path) -> Option<bool> {
        self.said.get(directory.to_string_lossy().as_ref()).copied()
    }

    /// Returns the directory for which the project is not trusted. What is said of the working directory decides, then
    /// what is said of the repository, if its git directory is its own: nothing is said of a submodule's.
    fn untrusted(&self) -> Option<&Path> {
        let repository = self.repository.filter(|root| root.join(".git").is_dir());
        let mut places = [Some(self.working), repository].into_iter().flatten();
        let decisive = places.find(|place| self.said(place).is_some())?;
        (self.said(decisive) == Some(false)).then_some(decisive)
    }

    /// Returns whether the configuration of a directory of the project counts. What is said of it decides, then what is
    /// said of the project's root, then of the repository's. If the working directory is not trusted, none does.
    fn counts(&self, directory: &Path) -> bool {
        let root = || self.root.and_then(|root| self.said(root));
        let repository = || self.repository.and_then(|root| self.said(root));
        let is_trusted = self.said(directory).or_else(root).or_else(repository);
        is_trusted == Some(true) && self.said(self.working) != Some(false)
    }
}

/// Returns the directories from the project's root to the working directory. Without a root, that is the
/// working directory alone.
fn chain(working: &Path, markers: &[String]) -> Vec<PathBuf> {
    let is_root = |directory: &Path| {
        let mut markers = markers.iter();
        markers.any(|marker| fs::metadata(directory.join(marker)).is_ok())
    };
    let above: Vec<_> = working.ancestors().collect();
    let root = above.iter().position(|directory| is_root(directory));
    let chain = above[..=root.unwrap_or(0)].iter().rev();
    chain.map(|directory| directory.to_path_buf()).collect()
}

/// What decides where Codex looks.
struct Search<'a> {
    request: &'a Request,
    roots: &'a Roots,
    home: PathBuf,
    configuration: Configuration,
}

impl Search<'_> {
    /// Adds the first instruction file of Codex's home that can be read and is not blank.
    fn home_file(
        &self,
        boundaries: &mut Boundaries,
        gathering: &mut Gathering,
    ) -> Result<(), ScanError> {
        gathering.go_on()?;
        let Ok(boundary) = boundaries.at(&self.home, Reach::Personal) else {
            gathering.places.awaited(&self.home);
            return Ok(());
        };
        let directory = &boundary.directory;
        gathering.places.names(&directory.path, &NAMES);
        for name in NAMES {
            let Some(finding) = entry(&boundary, directory, name, &self.home, gathering) else {
                continue;
            };
            if gathering.is_blank(&finding) {
                continue;
            }
            let is_unreadable = finding.resource.status == Status::Unreadable;
            gathering.add(self.personal(finding));
            if !is_unreadable {
                break;
            }
        }
        Ok(())
    }

    /// Leaves a finding of the home out, unless the caller wants the person's files too. Its hash and its size
    /// stay here as well.
    fn personal(&self, finding: Finding) -> Finding {
        match self.request.user_roots || finding.resource.status == Status::Unreadable {
            true => finding,
            false => unread(
                finding.resource.kind,
                &finding.resource.source,
                &self.home,
                PERSONAL,
            ),
        }
    }

    /// Adds the instruction files of the project. Codex gives none of them if the person does not trust the project, or if
    /// there is a name that it cannot look at.
    fn project_files(
        &self,
        boundaries: &mut Boundaries,
        gathering: &mut Gathering,
    ) -> Result<(), ScanError> {
        let mut found = Vec::new();
        let mut failure = None;
        for directory in &self.configuration.chain {
            gathering.go_on()?;
            let file = self.project_file(directory, boundaries, gathering);
            let unreadable = file.as_ref().map(|file| &file.resource);
            let unreadable = unreadable.filter(|file| file.status == Status::Unreadable);
            let unreadable = unreadable.map(|file| file.source.clone());
            failure = failure.or_else(|| self.failure(directory)).or(unreadable);
            found.extend(file);
        }
        let untrusted = self.configuration.untrusted.as_ref().map(|directory| {
            let directory = source_text(directory).0;
            format!("your Codex does not trust {directory} (`trust_level`), and so gives its model no file of the project")
        });
        let failure = failure.map(|path| {
            format!("Codex cannot look at {path}, and so gives its model no file of the project")
        });
        let reason = untrusted.or(failure);
        for mut file in found {
            let is_unreadable = file.resource.status == Status::Unreadable;
            if let Some(reason) = reason.as_ref().filter(|_| !is_unreadable) {
                file.withhold(reason);
            }
            gathering.add(file);
        }
        Ok(())
    }

    /// Adds the files of the configuration with texts for the model, and those that describe roles.
    fn texts(&self, roles: &BTreeMap<PathBuf, Vec<String>>, gathering: &mut Gathering) {
        let mut files: BTreeMap<&Path, Vec<&str>> = BTreeMap::new();
        for path in roles.keys() {
            files.entry(path).or_default();
        }
        for (name, path) in &self.configuration.texts {
            files.entry(path).or_default().push(name);
        }
        for (path, names) in files {
            let texts = format!("what `{}` in it says", names.join("`, `"));
            let texts = Some(texts).filter(|_| !names.is_empty());
            let roles = roles.get(path).map(|names| roles::described(names));
            let given: Vec<_> = texts.into_iter().chain(roles).collect();
            let reason = format!(
                "Codex gives its model {}, but no pin holds that",
                given.join(" and ")
            );
            let source = source_text(path).0;
            let root = path.parent().unwrap_or(path);
            gathering.add(excluded(Kind::InstructionFile, &source, root, &reason));
        }
    }

    /// Returns the first of the names in a directory that Codex looks at and is neither there nor missing, such as a link
    /// that leads to itself.
    fn failure(&self, directory: &Path) -> Option<String> {
        let paths = self.names();
        let mut paths = paths.iter().map(|name| directory.join(name));
        paths.find_map(|path| match fs::metadata(&path) {
            Ok(found) => found.is_file().then_some(None),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(_) => Some(Some(source_text(&path).0)),
        })?
    }

    /// Returns the names of the project's instruction files.
    fn names(&self) -> Vec<&str> {
        let names = self.configuration.settings.fallback_names.iter();
        NAMES.into_iter().chain(names.map(String::as_str)).collect()
    }

    /// Returns the instruction file of a directory: the first of the names that is a file, even if it is blank.
    fn project_file(
        &self,
        directory: &Path,
        boundaries: &mut Boundaries,
        gathering: &mut Gathering,
    ) -> Option<Finding> {
        let names = self.names();
        gathering.places.names(directory, &names);
        let Some((boundary, held)) = self.held(directory, boundaries) else {
            let is_file = |name: &&&str| directory.join(name).is_file();
            let path = directory.join(names.iter().find(is_file)?);
            let source = source_text(&path).0;
            let reason = outside("Codex gives it to its model", directory);
            let found = forbidden(&path, directory);
            return found.or_else(|| {
                let kind = Kind::InstructionFile;
                Some(unread(kind, &source, directory, &reason))
            });
        };
        let mut names = names.iter();
        names.find_map(|name| entry(&boundary, &held, name, directory, gathering))
    }

    /// Opens a directory of the project. Returns `None` if it lies outside of what a scan may read.
    fn held(
        &self,
        directory: &Path,
        boundaries: &mut Boundaries,
    ) -> Option<(Rc<Boundary>, Directory)> {
        let (place, reach) = self.roots.readable(directory)?;
        let boundary = boundaries.at(&place, reach).ok()?;
        let held = boundary.descend(directory).ok()?;
        Some((boundary, held))
    }

    /// Adds the skills of the project, then those of the person.
    fn skills(
        &self,
        boundaries: &mut Boundaries,
        gathering: &mut Gathering,
    ) -> Result<(), ScanError> {
        for directory in &self.configuration.chain {
            let Some((boundary, held)) = self.held(directory, boundaries) else {
                for folder in [FOLDER, SHARED_FOLDER] {
                    let skills = directory.join(folder).join(SKILLS);
                    if skills.is_dir() {
                        let source = source_text(&skills).0;
                        let reason = outside(IN_FOLDER, directory);
                        gathering.add(unread(Kind::Skill, &source, directory, &reason));
                    }
                }
                continue;
            };
            for folder in [FOLDER, SHARED_FOLDER] {
                gathering
                    .places
                    .awaited(&directory.join(folder).join(SKILLS));
                let path = [folder, SKILLS];
                let container = skills_folder(&boundary, &held, directory, &path, gathering);
                if let Some(container) = container {
                    self.container(&boundary, container, directory, true, gathering)?;
                }
            }
        }
        let of_machine = Path::new(MACHINE).join(SKILLS);
        gathering.places.awaited(&of_machine);
        if of_machine.is_dir() {
            let source = source_text(&of_machine).0;
            let reason = "Codex lists the machine's skills in it to its model, but they belong to no project";
            let finding = excluded(Kind::Skill, &source, Path::new(MACHINE), reason);
            gathering.add(finding);
        }
        let shared = self.request.home.join(SHARED_FOLDER);
        for folder in [&self.home, &shared] {
            gathering.places.awaited(&folder.join(SKILLS));
            let boundary = folder.canonicalize().ok();
            let boundary = boundary.and_then(|path| boundaries.at(&path, Reach::Personal).ok());
            let Some(boundary) = boundary else {
                continue;
            };
            let held = &boundary.directory;
            if let Some(container) = skills_folder(&boundary, held, folder, &[SKILLS], gathering) {
                let is_used = self.request.user_roots;
                self.container(&boundary, container, folder, is_used, gathering)?;
            }
        }
        Ok(())
    }

    /// Adds the skills in a folder of skills and in the directories below it.
    fn container(
        &self,
        boundary: &Boundary,
        container: Directory,
        root: &Path,
        is_used: bool,
        gathering: &mut Gathering,
    ) -> Result<(), ScanError> {
        let folder = SkillFolder {
            boundary,
            depth_max: DEPTH_MAX,
            sees_hidden: false,
            name: root,
            root,
        };
        let path = container.path.clone();
        folder.visit(container, path, gathering, |directory, _, _, gathering| {
            if !has_skill(&directory) {
                return Ok(());
            }
            let source = directory.path.join(SKILL_FILE_NAME);
            if let Some(reason) = skills::unlisted(&directory, gathering) {
                let source = source_text(&source).0;
                gathering.add(passed_over(Kind::Skill, &source, root, reason));
                return Ok(());
            }
            let reason = (!is_used).then_some(PERSONAL);
            skill(directory, &source, root, reason, gathering)
        })
    }
}

/// Returns whether a directory has a `SKILL.md` of its own. Codex takes no link for one.
fn has_skill(directory: &Directory) -> bool {
    let entry = directory.entry(OsStr::new(SKILL_FILE_NAME));
    let mode = entry.ok().flatten().map(|stat| stat.st_mode);
    mode.is_some_and(|mode| FileType::from_raw_mode(mode) == FileType::RegularFile)
}
