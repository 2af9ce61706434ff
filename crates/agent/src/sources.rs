//! The declared sources. Every agent scans the sources of the machine's operator. A user declares further
//! sources through the control socket, and they survive a restart.

use std::path::{Path, PathBuf};

use ctxpin_model::limits::SOURCE_BYTES_MAX;
use ctxpin_private_files::exposure::{Demand, Exposure};
use ctxpin_protocol::control::{DeclaredBy, Source};
use ctxpin_scan::roots::{Declared, Request, check_source};
use ctxpin_scan::trust::Trust;
use serde::{Deserialize, Serialize};

use crate::error::AgentError;
use crate::state_directory::{ListKind, read, replace_list};

/// The file in which the machine's operator configures every agent.
pub const OPERATOR_CONFIG: &str = "/etc/ctxpin/agent.toml";

/// The file with the user's sources, in the state directory.
const FILE_NAME: &str = "sources.json";

/// Maximum number of sources that a user may declare. Every scan reads each of them.
const SOURCES_MAX: usize = 200;

const LIST: ListKind = ListKind {
    what: "a list of declared sources",
    remedy: "repair it, or move it away and declare the sources again with `ctxpin source add`",
};

/// The operator's configuration, in TOML. All paths are absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Operator {
    /// Directories below which anybody may declare sources.
    pub allow_roots: Vec<PathBuf>,
    /// Sources of every agent, in order, before those that a user declares. They are allowed as well.
    pub sources: Vec<PathBuf>,
    /// Directories that every agent reads with everything below them, although they belong to other users.
    pub trust_roots: Vec<PathBuf>,
}

/// The user's sources as JSON in their file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserSources {
    /// Absolute paths, in their order.
    sources: Vec<PathBuf>,
}

impl Operator {
    /// Reads the operator's configuration. If the file is missing, it is empty.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read, is longer than 1 MiB, is not such a configuration, or does not
    /// belong to the operator alone: its owner must be root or the user who reads it, and others must not
    /// be able to write to it.
    pub fn read(path: &Path) -> Result<Self, AgentError> {
        let Some((bytes, metadata)) = read(path)? else {
            return Ok(Self::default());
        };
        let demand = Demand::only_the_group_writes().or_roots();
        if let Some(exposure) = Exposure::of(&metadata, demand) {
            return Err(AgentError::State {
                path: path.to_owned(),
                reason: no_operators(exposure),
            });
        }
        let corrupt = |reason| AgentError::Corrupt {
            path: path.to_owned(),
            what: "an operator's configuration of agents",
            reason,
            remedy: "it may set `allow_roots`, `sources` and `trust_roots`, lists of absolute paths",
        };
        let text = str::from_utf8(&bytes).map_err(|error| corrupt(error.to_string()))?;
        let operator: Self = toml::from_str(text).map_err(|error| {
            let begin = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = bytes[..begin].iter().filter(|b| **b == b'\n').count() + 1;
            corrupt(format!("line {line}: {}", error.message()))
        })?;
        let of_sources = operator.allow_roots.iter().chain(&operator.sources);
        let mut paths = of_sources.chain(&operator.trust_roots);
        match paths.find(|path| !path.is_absolute()) {
            Some(relative) => Err(corrupt(format!("{} is not absolute", relative.display()))),
            None => Ok(operator),
        }
    }

    /// Adds what the operator allows, trusts and declares to a scan request.
    pub fn apply(&self, request: &mut Request) {
        self.vouch(&mut request.trust);
        let allowed = self.allow_roots.iter().chain(&self.sources);
        request.allowed.extend(allowed.cloned());
        request.sources.splice(0..0, self.declared());
    }

    /// Adds the directories that the operator trusts.
    pub fn vouch(&self, trust: &mut Trust) {
        trust.roots.extend(self.trust_roots.iter().cloned());
    }

    fn declared(&self) -> impl Iterator<Item = Declared> {
        let path = |path: &PathBuf| Declared { path: path.clone() };
        self.sources.iter().map(path)
    }
}

/// Reads the sources that a user declared to the agent of a state directory, in order. Returns none if
/// there is no such agent.
///
/// # Errors
///
/// Fails if the list cannot be read.
pub fn declared(state_directory: &Path) -> Result<Vec<Declared>, AgentError> {
    Ok(Sources::open(state_directory, Operator::default())?.declared())
}

/// The declared sources of a running agent.
#[derive(Debug)]
pub(crate) struct Sources {
    state_directory: PathBuf,
    operator: Operator,
    user: UserSources,
}

impl Sources {
    /// Reads the sources that were declared before.
    pub fn open(state_directory: &Path, operator: Operator) -> Result<Self, AgentError> {
        let path = state_directory.join(FILE_NAME);
        let user: UserSources = LIST.read(&path)?;
        if let Some(relative) = user.sources.iter().find(|path| !path.is_absolute()) {
            let reason = format!("{} is not absolute", relative.display());
            return Err(LIST.corrupt(&path, reason));
        }
        Ok(Self {
            state_directory: state_directory.to_owned(),
            operator,
            user,
        })
    }

    /// Returns the sources of a scan, in order.
    pub fn declared(&self) -> Vec<Declared> {
        let user = self.user.sources.iter();
        let user = user.map(|path| Declared { path: path.clone() });
        self.operator.declared().chain(user).collect()
    }

    /// Returns every source and who declared it, in order.
    pub fn list(&self) -> Vec<Source> {
        let listed = |declared_by| {
            move |path: &PathBuf| Source {
                path: path.to_string_lossy().into_owned(),
                declared_by,
            }
        };
        let operators = self
            .operator
            .sources
            .iter()
            .map(listed(DeclaredBy::Operator));
        let users = self.user.sources.iter().map(listed(DeclaredBy::User));
        operators.chain(users).collect()
    }

    /// Declares a source after the others, if a scan of `request` would accept it. Returns its path in the
    /// list, and whether it is new there.
    pub fn add(&mut self, request: &Request, path: &Path) -> Result<(PathBuf, bool), String> {
        let path = normalized(path)?;
        let path = check_source(request, &path).map_err(|error| error.to_string())?;
        if let Some(known) = self.find(&path) {
            return Ok((known.to_owned(), false));
        }
        if self.user.sources.len() >= SOURCES_MAX {
            return Err(format!(
                "{SOURCES_MAX} sources are declared, which is the most; remove one first"
            ));
        }
        let mut sources = self.user.sources.clone();
        sources.push(path.clone());
        self.keep(sources)?;
        Ok((path, true))
    }

    /// Removes a source of the user. Returns its path in the list.
    pub fn remove(&mut self, path: &Path) -> Result<PathBuf, String> {
        let path = normalized(path)?;
        let known = self.find(&path).map(Path::to_owned);
        let Some(known) = known else {
            return Err(format!(
                "{} is not declared; `ctxpin source list` shows what is",
                path.display()
            ));
        };
        let mut sources = self.user.sources.clone();
        sources.retain(|source| *source != known);
        if sources.len() == self.user.sources.len() {
            return Err(format!(
                "{} was declared by this machine's operator, who alone can remove it",
                known.display()
            ));
        }
        self.keep(sources)?;
        Ok(known)
    }

    /// Returns the declared path that equals this one, or leads to the same place.
    pub fn find(&self, path: &Path) -> Option<&Path> {
        let all = || self.user.sources.iter().chain(&self.operator.sources);
        let same = all().find(|source| *source == path);
        let found = same.or_else(|| {
            let real = path.canonicalize().ok()?;
            all().find(|source| source.canonicalize().is_ok_and(|source| source == real))
        });
        found.map(PathBuf::as_path)
    }

    /// Replaces the list.
    fn keep(&mut self, sources: Vec<PathBuf>) -> Result<(), String> {
        let user = UserSources { sources };
        replace_list(&self.state_directory.join(FILE_NAME), &user)?;
        self.user = user;
        Ok(())
    }
}

/// Returns a path in the form of the list: absolute, in UTF-8, without `.` and doubled `/`.
fn normalized(path: &Path) -> Result<PathBuf, String> {
    let shown = path.display();
    if !path.is_absolute() {
        return Err(format!("{shown} is not an absolute path"));
    }
    if path.as_os_str().len() > SOURCE_BYTES_MAX {
        return Err(format!(
            "the path is longer than the {SOURCE_BYTES_MAX} bytes that a source may have"
        ));
    }
    match path.to_str() {
        None => Err(format!("{shown} is not UTF-8, which a source must be")),
        Some(text) if text.contains('\0') => Err("a path holds no NUL character".into()),
        Some(_) => Ok(path.components().collect()),
    }
}

/// Returns why others than the operator control a file, and what to do about it.
fn no_operators(exposure: Exposure) -> String {
    match exposure {
        Exposure::ForeignOwner { owner, .. } => format!(
            "it belongs to the user {owner}, who could allow and trust anything in everybody's name; `chown root` it"
        ),
        _ => "everybody may write it; `chmod o-w` it".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn finding_07_an_operators_file_is_the_operators_alone() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("agent.toml");
        fs::write(&path, "").unwrap();
        let read_with = |mode| {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            Operator::read(&path)
        };
        for mode in [0o644, 0o664, 0o600] {
            assert_eq!(read_with(mode).unwrap(), Operator::default(), "{mode:o}");
        }
        for mode in [0o646, 0o666] {
            let error = read_with(mode).unwrap_err().to_string();
            assert!(
                error.contains("everybody may write it; `chmod o-w` it"),
                "{error}"
            );
        }
        let foreign = no_operators(Exposure::ForeignOwner { owner: 8, own: 7 });
        assert!(foreign.contains("the user 8") && foreign.contains("`chown root` it"));
    }
}
