//! `cargo xtask test`: every check of the repository, one after the other, each named with its
//! result. A failed check does not hide the next one; a signal ends the run.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::interrupt::Interrupt;
use crate::postgres::{Server, VARIABLE};
use crate::{command, tidy};

/// One step that was run.
struct Step {
    name: &'static str,
    passed: bool,
    took: Duration,
}

/// The steps of a run so far.
struct Run<'a> {
    root: &'a Path,
    interrupt: Interrupt,
    steps: Vec<Step>,
    tally: Tally,
}

/// How many tests have passed and failed, over all programs of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    /// Counts the results in a line of `cargo test`, if it is the last line of a test program:
    /// `test result: ok. 3 passed; 0 failed; ...`.
    fn hear(&mut self, line: &str) {
        let Some(counts) = line.strip_prefix("test result: ") else {
            return;
        };
        let count = |word: &str| -> u64 {
            let before = counts.split(word).next().unwrap_or_default();
            let number = before.rsplit([' ', ';']).find(|part| !part.is_empty());
            number.and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        self.passed += count(" passed");
        self.failed += count(" failed");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Runs format, lints, house rules and tests. True if all passed. `cargo_arguments` are passed on
/// to `cargo test`.
pub fn run(root: &Path, cargo_arguments: &[String]) -> anyhow::Result<bool> {
    let mut run = Run {
        root,
        interrupt: Interrupt::listen()?,
        steps: Vec::new(),
        tally: Tally::default(),
    };
    run.cargo("format", &["fmt", "--all", "--check"]);
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    run.cargo("lints", &clippy);
    run.step("tidy", "cargo xtask tidy", |run| tidy::run(run.root));

    let mut server = None;
    run.step("postgres", "find or start a server for the tests", |run| {
        let started = Server::find_or_start()?;
        println!("{}", started.description());
        server = Some(started);
        Ok(!run.interrupt.happened())
    });
    match &server {
        Some(server) => {
            let arguments = test_arguments(cargo_arguments);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            run.tests(&arguments, server.url());
        }
        None => println!("\nThe tests did not run, because they need both databases."),
    }
    drop(server);

    println!("\n{}", summary(&run.steps, run.interrupt.happened()));
    println!("{}", run.tally);
    Ok(run.steps.iter().all(|step| step.passed) && !run.interrupt.happened())
}

impl Run<'_> {
    /// Runs one step, prints its name before and its result after. After a signal it runs nothing.
    fn step(
        &mut self,
        name: &'static str,
        line: &str,
        work: impl FnOnce(&Self) -> anyhow::Result<bool>,
    ) {
        if self.interrupt.happened() {
            return;
        }
        println!("\n== {name}: {line}");
        let start = Instant::now();
        let passed = work(self).unwrap_or_else(|error| {
            println!("{error:#}");
            false
        });
        let took = start.elapsed();
        println!("== {name}: {}, {}", result(passed), seconds(took));
        self.steps.push(Step { name, passed, took });
    }

    /// Runs a step that is a call of cargo.
    fn cargo(&mut self, name: &'static str, arguments: &[&str]) {
        let mut command = self.cargo_command(arguments);
        let line = format!("cargo {}", arguments.join(" "));
        self.step(name, &line, |run| {
            command::run_shown(&mut command, &run.interrupt)
        });
    }

    /// Runs the tests with the URL of the PostgreSQL server. They write no golden file. It is a failure too if no test ran.
    fn tests(&mut self, arguments: &[&str], server: &str) {
        let mut command = self.cargo_command(arguments);
        command.env(VARIABLE, server).env("INSTA_UPDATE", "no");
        let line = format!("cargo {}", arguments.join(" "));
        let mut tally = Tally::default();
        self.step("tests", &line, |run| {
            let passed = command::run_heard(&mut command, &run.interrupt, |line| tally.hear(line))?;
            if tally == Tally::default() {
                println!("no test was run");
            }
            Ok(passed && tally.passed > 0)
        });
        self.tally = tally;
    }

    fn cargo_command(&self, arguments: &[&str]) -> Command {
        let mut command = command::cargo(self.root);
        command.args(arguments);
        command
    }
}

/// The arguments of `cargo test`. All crates are tested even if one fails, unlike cargo's default. Cargo
/// ignores `--package` beside `--workspace`, so `--workspace` is left out if the caller chooses packages.
fn test_arguments(given: &[String]) -> Vec<String> {
    let chooses = |argument: &String| {
        argument.starts_with("-p") || argument == "--package" || argument.starts_with("--package=")
    };
    let for_cargo = given.split(|argument| argument == "--").next();
    let mut arguments = vec!["test".to_owned()];
    if !for_cargo.unwrap_or_default().iter().any(chooses) {
        arguments.push("--workspace".to_owned());
    }
    let keep_going = "--no-fail-fast".to_owned();
    if !given.contains(&keep_going) {
        arguments.push(keep_going);
    }
    arguments.extend_from_slice(given);
    arguments
}

/// Returns one line for the whole run.
fn summary(steps: &[Step], interrupted: bool) -> String {
    let all_passed = steps.iter().all(|step| step.passed);
    let verdict = match (interrupted, all_passed) {
        (true, _) => "INTERRUPTED",
        (false, true) => "ok",
        (false, false) => "FAILED",
    };
    let parts: Vec<String> = steps
        .iter()
        .map(|step| {
            let mark = if step.passed { "" } else { " FAILED" };
            format!("{}{mark} {}", step.name, seconds(step.took))
        })
        .collect();
    format!("{verdict}: {}", parts.join(", "))
}

fn result(passed: bool) -> &'static str {
    if passed { "ok" } else { "FAILED" }
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_passed_on_and_a_chosen_package_replaces_the_workspace() {
        let cases = [
            (vec![], "test --workspace --no-fail-fast"),
            (
                vec!["some_name"],
                "test --workspace --no-fail-fast some_name",
            ),
            (vec!["-p", "one", "name"], "test --no-fail-fast -p one name"),
            (vec!["--package=one"], "test --no-fail-fast --package=one"),
            (vec!["-pone", "--no-fail-fast"], "test -pone --no-fail-fast"),
            (
                vec!["name", "--", "-p", "x"],
                "test --workspace --no-fail-fast name -- -p x",
            ),
        ];
        for (given, expected) in cases {
            let given: Vec<String> = given.into_iter().map(str::to_owned).collect();
            assert_eq!(test_arguments(&given).join(" "), expected);
        }
    }

    #[test]
    fn the_tally_counts_over_all_programs() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test passed_by ... ok",
            "test result: ok. 588 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.5s",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ] {
            tally.hear(line);
        }
        assert_eq!(tally.to_string(), "590 passed, 1 failed");
    }

    #[test]
    fn the_summary_is_one_line_that_names_what_failed() {
        let step = |name, passed| Step {
            name,
            passed,
            took: Duration::from_millis(1_250),
        };
        let passed = [step("format", true), step("tests", true)];
        assert_eq!(summary(&passed, false), "ok: format 1.2 s, tests 1.2 s");
        let failed = [step("format", false), step("tests", true)];
        assert_eq!(
            summary(&failed, false),
            "FAILED: format FAILED 1.2 s, tests 1.2 s"
        );
        assert_eq!(summary(&passed[..1], true), "INTERRUPTED: format 1.2 s");
    }
}
