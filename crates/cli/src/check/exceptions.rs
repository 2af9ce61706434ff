//! The findings that a project excepts in its `.ctxpin.toml`.

use std::path::Path;

use ctxpin_model::warning::Code;
use ctxpin_scan::trust::Trust;
use glob::{MatchOptions, Pattern};
use serde::Deserialize;

use super::Finding;
use crate::say::{self, Failure};

/// The name of the file in the project's root.
const FILE_NAME: &str = ".ctxpin.toml";

/// `*` and `?` do not match a slash, so only `**` crosses folders. A leading point is an ordinary
/// character.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// The settings of a project.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    check: Check,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Check {
    except: Vec<Written>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    code: String,
    #[serde(default = "everywhere")]
    path: String,
}

fn everywhere() -> String {
    "**".to_owned()
}

/// The findings that a project excepts, by code and path.
#[derive(Debug, Default)]
pub struct Exceptions(Vec<Exception>);

#[derive(Debug)]
struct Exception {
    code: Code,
    pattern: Pattern,
}

impl Exception {
    fn covers(&self, finding: &Finding, root: &Path) -> bool {
        let path = finding.path.strip_prefix(root).unwrap_or(&finding.path);
        self.code == finding.code && self.pattern.matches_path_with(path, OPTIONS)
    }
}

impl Exceptions {
    /// Reads the exceptions of the project at `root`. There are none if the project has no such
    /// file.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is invalid.
    pub fn read(root: &Path, trust: &Trust) -> Result<Self, Failure> {
        let path = root.join(FILE_NAME);
        let failed = |reason: String| Failure::usage(say::path(&path)).because(reason);
        let Some(bytes) = ctxpin_scan::settings(root, FILE_NAME, trust).map_err(failed)? else {
            return Ok(Self::default());
        };
        let text = str::from_utf8(&bytes).map_err(|_| failed("it is not UTF-8".to_owned()))?;
        let settings: Settings = toml::from_str(text).map_err(|error| {
            let begin = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text[..begin].matches('\n').count() + 1;
            failed(format!("line {line}: {}", error.message()))
        })?;
        let read = settings.check.except.into_iter().map(|written| {
            let code = written.code.parse().map_err(|_| {
                failed(format!(
                    "there is no code `{}`; docs/check.md lists them",
                    written.code
                ))
            })?;
            if let Some(rest) = ["/", "./"]
                .iter()
                .find_map(|start| written.path.strip_prefix(start))
            {
                return Err(failed(format!(
                    "`{}`: a path begins at the project's root without a slash: `{rest}`",
                    written.path
                )));
            }
            let pattern = Pattern::new(&written.path)
                .map_err(|error| failed(format!("`{}`: {}", written.path, error.msg)))?;
            Ok(Exception { code, pattern })
        });
        read.collect::<Result<_, _>>().map(Self)
    }

    /// Returns whether a finding below `root` is excepted.
    pub fn cover(&self, finding: &Finding, root: &Path) -> bool {
        self.0
            .iter()
            .any(|exception| exception.covers(finding, root))
    }

    /// Returns the names of the exceptions that cover none of the findings.
    pub fn of_nothing(&self, findings: &[Finding], root: &Path) -> impl Iterator<Item = String> {
        let exceptions = self.0.iter();
        let unused = exceptions.filter(|exception| {
            let mut findings = findings.iter();
            !findings.any(|finding| exception.covers(finding, root))
        });
        unused.map(|exception| {
            let (code, path) = (exception.code, exception.pattern.as_str());
            format!("the exception of {FILE_NAME} with the code {code} and the path {path}")
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn exceptions_are_by_code_and_path() {
        let root = tempfile::tempdir().unwrap();
        let covers = |toml: &str, code: &str, path: &str| {
            fs::write(root.path().join(FILE_NAME), toml).unwrap();
            let finding = Finding {
                path: root.path().join(path),
                line: None,
                code: code.parse().unwrap(),
                detail: None,
            };
            Exceptions::read(root.path(), &Trust::of_process())
                .unwrap()
                .cover(&finding, root.path())
        };
        let toml = "[[check.except]]\ncode = \"file-missing\"\npath = \"skills/*/SKILL.md\"\n\
                    [[check.except]]\ncode = \"name-form\"\n\
                    [[check.except]]\ncode = \"same-bytes\"\npath = \"**/AGENTS.md\"\n";
        assert!(covers(toml, "file-missing", "skills/a/SKILL.md"));
        assert!(!covers(toml, "file-missing", "skills/a/b/SKILL.md"));
        assert!(!covers(toml, "file-missing", "AGENTS.md"));
        assert!(!covers(toml, "invalid", "skills/a/SKILL.md"));
        assert!(covers(toml, "name-form", ".agents/skills/a/SKILL.md"));
        assert!(covers(toml, "same-bytes", "AGENTS.md"));
        assert!(covers(toml, "same-bytes", "a/b/AGENTS.md"));
        assert!(!covers("", "name-form", "a"));
    }

    #[test]
    fn an_invalid_exception_is_named_in_the_failure() {
        let root = tempfile::tempdir().unwrap();
        let refused = |toml: &str, expected: &str| {
            fs::write(root.path().join(FILE_NAME), toml).unwrap();
            let failure = Exceptions::read(root.path(), &Trust::of_process()).unwrap_err();
            assert!(format!("{failure:?}").contains(expected), "{failure:?}");
        };
        refused(
            "[[check.except]]\ncode = \"no-such\"\n",
            "no code `no-such`",
        );
        refused("[check]\nexcepts = []\n", "line 2");
        refused(
            "[[check.except]]\ncode = \"invalid\"\npath = \"a[\"\n",
            "`a[`",
        );
        refused("x", "line 1");
        let rooted = "[[check.except]]\ncode = \"invalid\"\npath = \"/docs/**\"\n";
        refused(rooted, "without a slash: `docs/**`");
        refused(&rooted.replace("\"/", "\"./"), "without a slash: `docs/**`");
    }

    #[test]
    fn what_is_no_plain_file_of_the_project_is_refused() {
        let outside = tempfile::tempdir().unwrap();
        let other = outside.path().join("other.toml");
        fs::write(&other, "").unwrap();
        let refused = |make: &dyn Fn(&Path), expected: &str| {
            let root = tempfile::tempdir().unwrap();
            make(&root.path().join(FILE_NAME));
            let failure = Exceptions::read(root.path(), &Trust::of_process()).unwrap_err();
            assert!(format!("{failure:?}").contains(expected), "{failure:?}");
        };
        refused(&|path| symlink("/dev/zero", path).unwrap(), "escapes");
        refused(&|path| symlink(&other, path).unwrap(), "escapes");
        refused(&|path| fs::create_dir(path).unwrap(), "a directory");
        refused(&|path| symlink("gone", path).unwrap(), "dangling");
        refused(&|path| fs::write(path, [0xFF]).unwrap(), "not UTF-8");
        refused(
            &|path| fs::write(path, vec![b' '; 2 << 20]).unwrap(),
            "at most",
        );
        let fifo = |path: &Path| {
            let made = Command::new("mkfifo").arg(path).status().unwrap();
            assert!(made.success());
        };
        refused(&fifo, "a FIFO");
    }

    #[test]
    fn a_link_in_the_project_is_followed() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("other.toml"), "x").unwrap();
        symlink("other.toml", root.path().join(FILE_NAME)).unwrap();
        let failure = Exceptions::read(root.path(), &Trust::of_process()).unwrap_err();
        assert!(format!("{failure:?}").contains("line 1"), "{failure:?}");
    }
}
