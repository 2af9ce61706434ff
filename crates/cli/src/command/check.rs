//! `ctxpin check`: findings about a workspace.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use ctxpin_model::warning::{Code, Level};
use ctxpin_scan::trust::Trust;
use serde::Serialize;

use super::trust::TrustRoots;
use crate::check::{Before, Checked, Exceptions, Finding, Staged, findings, project_root};
use crate::home::home_directory;
use crate::say::{self, Failure, Viewpoint};
use crate::stop;

/// Check a workspace for files that a chat cannot use and text that people cannot see
///
/// Run it in continuous integration and in git hooks. It reports unused files with the reason, and
/// everything that a reviewer should know before a merge: missing imports and files, hidden
/// comments and characters, two skills with the same name, equal files.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 no problems, 1 problems (with --strict also warnings), 2 usage.\n\
                  A file `.ctxpin.toml` in the project's root makes exceptions; docs/check.md lists \
                  the codes."
)]
pub struct Check {
    /// Directories, each with the directories above it up to the root of its project, and single
    /// files
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    /// Count warnings as problems
    #[arg(long)]
    strict: bool,
    /// Report only findings that are new since this commit
    // What begins with a hyphen is no commit, and its refusal says so.
    #[arg(long, value_name = "REV", allow_hyphen_values = true)]
    since: Option<String>,
    /// Check what the next commit would have, and not the work tree
    #[arg(long)]
    staged: bool,
    #[command(flatten)]
    trust: TrustRoots,
    /// The format of the output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each finding, for people
    Text,
    /// One JSON object, for programs
    Json,
    /// Workflow commands; GitHub shows the findings beside the lines
    Github,
}

/// All findings, as `--format json` prints them.
#[derive(Debug, Serialize)]
struct Told {
    findings: Vec<ToldFinding>,
    problems: usize,
    warnings: usize,
    /// The number of files, skills and servers that were scanned.
    resources: usize,
}

#[derive(Debug, Clone, Serialize)]
struct ToldFinding {
    level: &'static str,
    code: &'static str,
    /// Relative to the project's root if the path lies there, else absolute.
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    message: String,
}

/// The note if the scan found no resources.
const NOTHING: &str = "there is nothing to check here: no AGENTS.md, CLAUDE.md, .claude/CLAUDE.md, .claude/rules, CLAUDE.local.md, AGENTS.override.md, .cursorrules or .mcp.json, here or above up to the project's root, and no AGENTS.md, CLAUDE.md or SKILL.md below; name the folder that holds some";

impl Check {
    /// Checks the paths and prints the findings. The exit code is 1 if there are problems.
    ///
    /// # Errors
    ///
    /// Fails if a path cannot be scanned, if the exceptions or the commit cannot be read, or if the command
    /// is stopped while it checks out a commit.
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let home = home_directory(false)?;
        let trust = self.trust.get()?;
        let root = self.root(&home, &trust)?;
        let (checked, exceptions) = match self.since.is_some() || self.staged {
            // This leaves a directory behind if nobody drops it.
            true => {
                let stopped = stop::on_signal()?;
                tokio::select! {
                    found = self.found(&root, &home, &trust) => found?,
                    () = stopped.cancelled() => return Err(Failure::new("stopped before the check was complete")),
                }
            }
            false => self.found(&root, &home, &trust).await?,
        };
        let mut found = checked.findings;
        found.retain(|finding| !exceptions.cover(finding, &root));
        let told = told(&found, &root, checked.resources);
        match if self.json { Format::Json } else { self.format } {
            Format::Text => say::print(&text(&found, &told))?,
            Format::Json => say::print_json(&told)?,
            Format::Github => say::print(&github(&found, &told))?,
        }
        if told.resources == 0 && told.findings.is_empty() {
            say::note(NOTHING);
        }
        let is_wrong = told.problems > 0 || (self.strict && told.warnings > 0);
        Ok(ExitCode::from(u8::from(is_wrong)))
    }

    /// Returns the findings, those of `--since` alone, and the exceptions from them.
    async fn found(
        &self,
        root: &Path,
        home: &Path,
        trust: &Trust,
    ) -> Result<(Checked, Exceptions), Failure> {
        let (mut checked, exceptions) = match self.staged {
            false => {
                let exceptions = Exceptions::read(root, trust)?;
                (findings(&self.paths, home, trust)?, exceptions)
            }
            true => {
                let staged = Staged::read(root).await?;
                let exceptions = Exceptions::read(staged.project(), trust)?;
                let checked = staged.findings(root, &self.paths, home, trust).await?;
                (checked, exceptions)
            }
        };
        if self.is_whole(root) {
            for exception in exceptions.of_nothing(&checked.findings, root) {
                say::note(&format!("{exception} excepts nothing"));
            }
        }
        if let Some(revision) = &self.since {
            let before = Before::read(revision, root, &self.paths, home, trust).await?;
            checked.findings = before.subtract(checked.findings, root);
        }
        Ok((checked, exceptions))
    }

    /// Returns whether the project's root is checked, and so most of what an exception can be about.
    fn is_whole(&self, root: &Path) -> bool {
        let mut paths = self.paths.iter();
        paths.any(|path| path.canonicalize().is_ok_and(|path| path == root))
    }

    /// Returns the root of the project, which must be the same for all paths.
    fn root(&self, home: &Path, trust: &Trust) -> Result<PathBuf, Failure> {
        let roots = self
            .paths
            .iter()
            .map(|path| project_root(path, home, trust));
        let roots = roots.collect::<Result<Vec<_>, _>>()?;
        let root = roots.first().cloned().unwrap_or_default();
        match roots.into_iter().find(|other| *other != root) {
            None => Ok(root),
            Some(other) => Err(Failure::usage(format!(
                "{} and {} are two projects; check them one by one",
                say::path(&root),
                say::path(&other)
            ))),
        }
    }
}

fn told(found: &[Finding], root: &Path, resources: usize) -> Told {
    let findings: Vec<_> = found
        .iter()
        .map(|finding| told_finding(finding, root))
        .collect();
    let problems = found
        .iter()
        .filter(|finding| finding.code.level() == Level::Problem);
    let problems = problems.count();
    Told {
        warnings: findings.len() - problems,
        problems,
        findings,
        resources,
    }
}

fn told_finding(finding: &Finding, root: &Path) -> ToldFinding {
    let path = finding.path.strip_prefix(root).unwrap_or(&finding.path);
    let path = match path.as_os_str().is_empty() {
        true => ".".into(),
        false => path.to_string_lossy().into_owned(),
    };
    // The project's location is private and differs between machines.
    let below = format!("{}/", root.to_string_lossy());
    let detail = finding
        .detail
        .as_ref()
        .map(|detail| detail.replace(&below, ""));
    ToldFinding {
        level: match finding.code.level() {
            Level::Problem => "problem",
            Level::Warning => "warning",
        },
        code: finding.code.as_str(),
        path,
        line: finding.line,
        message: say::warning(finding.code.as_str(), detail.as_deref()),
        detail,
    }
}

/// Folds findings about the comments, the invisible characters and the unpinned imports of a file into the first one of
/// each code, whose message then names the lines of all.
fn folded<'f>(found: &'f [Finding], told: &[ToldFinding]) -> Vec<(&'f Finding, ToldFinding)> {
    let mut lines: Vec<(&Finding, ToldFinding)> = Vec::new();
    let mut of_file: HashMap<(&Path, Code), (usize, u64, Vec<u64>)> = HashMap::new();
    for (finding, told) in found.iter().zip(told) {
        let bytes = match finding.code == Code::ImportUnpinned {
            true => Some(0),
            false => finding.detail.as_ref().and_then(|bytes| bytes.parse().ok()),
        };
        if let (Some(bytes), Some(line)) = (bytes, finding.line) {
            let known = of_file.entry((&finding.path, finding.code));
            let (at, sum, places) = known.or_insert((lines.len(), 0, Vec::new()));
            *sum += bytes;
            places.push(line);
            if places.len() > 1
                && let Some(message) = say::warnings(finding.code, *sum, places)
            {
                lines[*at].1.message = message;
                continue;
            }
        }
        lines.push((finding, told.clone()));
    }
    lines
}

fn text(found: &[Finding], told: &Told) -> String {
    let viewpoint = Viewpoint::here();
    let mut text = String::new();
    for (finding, told) in &folded(found, &told.findings) {
        let path = match viewpoint.is_here(&finding.path.to_string_lossy()) {
            true => ".".to_owned(),
            false => viewpoint.path(&finding.path.to_string_lossy()),
        };
        let line = told.line.map_or(String::new(), |line| format!(":{line}"));
        let style = match finding.code.level() {
            Level::Problem => say::REMOVED,
            Level::Warning => say::WARNING,
        };
        let level = say::paint(style, told.level);
        let code = say::paint(say::FAINT, &format!("[{}]", told.code));
        text += &format!("{path}{line}: {level}: {} {code}\n", told.message);
    }
    let counts = match (told.problems, told.warnings) {
        (0, 0) if told.resources == 0 => say::paint(say::WARNING, "nothing was checked"),
        (0, 0) => say::paint(say::GOOD, "no problems found"),
        (problems, warnings) => format!(
            "{}, {}",
            say::counted(problems as u64, "problem"),
            say::counted(warnings as u64, "warning")
        ),
    };
    text + &counts + "\n"
}

/// Returns the findings as workflow commands (docs.github.com, "Workflow commands for GitHub Actions").
fn github(found: &[Finding], told: &Told) -> String {
    let mut text = String::new();
    for (finding, told) in &folded(found, &told.findings) {
        let command = match finding.code.level() {
            Level::Problem => "error",
            Level::Warning => "warning",
        };
        let line = told
            .line
            .map_or(String::new(), |line| format!(",line={line}"));
        let (path, title) = (property(&told.path), property(told.code));
        let message = escaped(&told.message);
        text += &format!("::{command} file={path}{line},title={title}::{message}\n");
    }
    text
}

/// Escapes the characters that end a message.
fn escaped(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// Escapes the characters that end a property.
fn property(text: &str) -> String {
    escaped(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workflow_command_is_one_line() {
        let finding = Finding {
            path: "/w/a,b:c\n.md".into(),
            line: Some(3),
            code: Code::Invalid,
            detail: Some("50% of it\r\n::error::x".into()),
        };
        let found = [finding];
        let text = github(&found, &told(&found, "/w".as_ref(), 1));
        let expected =
            "::error file=a%2Cb%3Ac%0A.md,line=3,title=invalid::50%25 of it\\r\\n::error::x\n";
        assert_eq!(text, expected);
    }
}
