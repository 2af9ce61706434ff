//! `ctxpin check`: its findings, formats and exit codes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ctxpin_model::warning::Code;
use serde_json::{Value, json};

use crate::bench::{Bench, Running};

/// Creates a repository with a finding of every kind.
fn project(bench: &Bench) -> PathBuf {
    let root = bench.workspace(
        "app",
        "# Rules\n\n<!-- psst -->\n\nSee [the style](docs/style.md) and [more](docs/more.md).\n",
    );
    git(&root, &["init", "--quiet"]);
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("docs/style.md", "style\n");
    write("CLAUDE.md", "@AGENTS.md\n@gone.md\nA word\u{200b}.\n");
    write(".cursorrules", "@AGENTS.md\n@gone.md\nA word\u{200b}.\n");
    write(
        "skills/mail/SKILL.md",
        "---\nname: Mail\ndescription: Sends mail.\n---\nRun `scripts/send.py --now`, see `references/api.md`.\n",
    );
    write("skills/mail/scripts/send.py", "x\n");
    write("skills/broken/SKILL.md", "# none\n");
    write(
        ".agents/skills/mail/SKILL.md",
        "---\nname: Mail\ndescription: Sends mail too.\n---\n",
    );
    write("skills/notes/skill.md", "---\nname: notes\n---\n");
    write(".mcp.json", "{\"servers\": {}}\n");
    // A file of another tool is not a finding.
    write("GEMINI.md", "x\n");
    root
}

pub fn git(root: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    let command = command.arg("-C").arg(root).args(arguments);
    let command = command
        .env("HOME", root)
        .args(["--quiet"].iter().filter(|_| arguments[0] == "commit"));
    let said = command
        .env("GIT_AUTHOR_NAME", "a")
        .env("GIT_AUTHOR_EMAIL", "a@example.org")
        .env("GIT_COMMITTER_NAME", "a")
        .env("GIT_COMMITTER_EMAIL", "a@example.org")
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
}

const TEXT: &str = "\
.cursorrules: warning: it holds the same bytes as CLAUDE.md [same-bytes]
.mcp.json: warning: it has no `mcpServers`, so it declares nothing [servers-missing]
.agents/skills/mail/SKILL.md: warning: shadowed by skills/mail/SKILL.md [same-name]
AGENTS.md:3: warning: a comment of 13 bytes: readers do not see it, but tools that give a file whole, as Codex and opencode do, give it to their models; ctxpin's prompt leaves it out [comment-removed]
AGENTS.md:5: problem: it names docs/more.md, which does not exist [file-missing]
CLAUDE.md:2: problem: @gone.md names a file that does not exist [import-missing]
CLAUDE.md:3: problem: invisible characters (3 bytes): readers do not see them, but tools such as Claude Code, Codex and opencode give them to their models; ctxpin's prompt leaves them out [invisible-removed]
skills/broken/SKILL.md: problem: no frontmatter: the first line must be `---` [invalid]
skills/mail/SKILL.md: warning: its name is `Mail`, but its directory is `mail`; the specification requires the same name [name-directory]
skills/mail/SKILL.md:2: warning: its name `Mail` departs from the specification: a-z, 0-9 and single hyphens between them [name-form]
skills/mail/SKILL.md:5: problem: it names references/api.md, which does not exist [file-missing]
skills/notes: warning: it has no SKILL.md, but skill.md [skill-absent]
5 problems, 7 warnings
";

/// Returns an output without the directory of the test.
fn plain(text: &str, root: &Path) -> String {
    text.replace(&format!("{}/", root.display()), "")
}

#[test]
fn everything_is_told_and_problems_fail() {
    let bench = Bench::new();
    let root = project(&bench);
    let said = bench.run(&root, &["check"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    let mut lines: Vec<_> = plain(&said.out, &root).lines().map(str::to_owned).collect();
    let mut expected: Vec<_> = TEXT.lines().map(str::to_owned).collect();
    lines.sort();
    expected.sort();
    assert_eq!(lines, expected);
    // Printed paths are relative to the current directory.
    let said = bench.run(&root.join("skills"), &["check", ".."]);
    assert_eq!(said.code, Some(1));
    assert!(!bench.data().exists(), "a check keeps nothing");
}

#[test]
fn json_and_workflow_commands_tell_the_same() {
    let bench = Bench::new();
    let root = project(&bench);
    let said = bench.run(&root, &["check", "--json"]);
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (told["problems"].clone(), told["warnings"].clone()),
        (json!(5), json!(7))
    );
    let missing = json!({
        "level": "problem", "code": "file-missing", "path": "AGENTS.md", "line": 5,
        "detail": "docs/more.md", "message": "it names docs/more.md, which does not exist",
    });
    assert!(
        told["findings"].as_array().unwrap().contains(&missing),
        "{told:#}"
    );
    assert_eq!(
        said.out,
        bench.run(&root, &["check", "--format", "json"]).out
    );
    let github = bench.run(&root, &["check", "--format", "github"]);
    assert_eq!(github.code, Some(1));
    let expected = "::error file=AGENTS.md,line=5,title=file-missing::it names docs/more.md, which does not exist\n";
    assert!(github.out.contains(expected), "{}", github.out);
    assert!(
        github
            .out
            .contains("::warning file=.mcp.json,title=servers-missing::")
    );
}

#[test]
fn a_file_is_checked_where_it_lies() {
    let bench = Bench::new();
    let root = project(&bench);
    let said = bench.run(&root, &["check", "CLAUDE.md"]);
    let expected = "CLAUDE.md:2: problem: @gone.md names a file that does not exist [import-missing]\n\
                    CLAUDE.md:3: problem: invisible characters (3 bytes): readers do not see them, but tools such as Claude Code, Codex and opencode give them to their models; ctxpin's prompt leaves them out [invisible-removed]\n\
                    2 problems, 0 warnings\n";
    assert_eq!((said.code, said.out.as_str()), (Some(1), expected));
    // Several files, as a git hook names them, one of which no tool reads by itself.
    fs::write(root.join("docs/fine.md"), "fine\n").unwrap();
    let said = bench.run(&root, &["check", "docs/fine.md", ".mcp.json", ".mcp.json"]);
    assert_eq!(said.code, Some(0));
    assert!(
        said.out.ends_with("0 problems, 1 warning\n"),
        "{}",
        said.out
    );
    let said = bench.run(&root, &["check", "docs/fine.md"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "no problems found\n")
    );
}

#[test]
fn warnings_count_when_asked_and_exceptions_do_not() {
    let bench = Bench::new();
    let root = bench.workspace("app", "<!-- psst -->\n");
    fs::create_dir(root.join(".git")).unwrap();
    assert_eq!(bench.run(&root, &["check"]).code, Some(0));
    assert_eq!(bench.run(&root, &["check", "--strict"]).code, Some(1));
    let except = "[[check.except]]\ncode = \"comment-removed\"\npath = \"AGENTS.md\"\n";
    fs::write(root.join(".ctxpin.toml"), except).unwrap();
    assert_eq!(
        bench.ok(&root, &["check", "--strict"]),
        "no problems found\n"
    );
    fs::write(
        root.join(".ctxpin.toml"),
        "[[check.except]]\ncode = \"commentary\"\n",
    )
    .unwrap();
    let error = bench.fails(&root, &["check"], 2);
    assert!(
        error.contains("no code `commentary`") && error.contains("docs/check.md"),
        "{error}"
    );
}

#[test]
fn only_findings_since_a_commit_are_reported() {
    let bench = Bench::new();
    let root = project(&bench);
    git(&root, &["add", "--all"]);
    git(&root, &["commit", "--message", "first"]);
    let since = |revision: &str| bench.run(&root, &["check", "--since", revision]);
    let nothing = "no problems found\n";
    assert_eq!(
        (since("HEAD").code, since("HEAD").out.as_str()),
        (Some(0), nothing)
    );
    // Lines move, and there is another finding of an old kind.
    fs::write(
        root.join("AGENTS.md"),
        "# Rules\n\nBe kind.\n\n<!-- psst -->\n\nSee [more](docs/more.md) and [most](docs/most.md).\n",
    )
    .unwrap();
    let said = since("HEAD");
    let expected = "AGENTS.md:7: problem: it names docs/most.md, which does not exist [file-missing]\n\
                    1 problem, 0 warnings\n";
    assert_eq!((said.code, said.out.as_str()), (Some(1), expected));
    // Deleting a file breaks links to it in unchanged files.
    fs::remove_file(root.join("docs/style.md")).unwrap();
    fs::write(root.join("CLAUDE.md"), "[style](docs/style.md)\n").unwrap();
    let said = since("HEAD");
    assert!(
        said.out
            .contains("CLAUDE.md:1: problem: it names docs/style.md"),
        "{}",
        said.out
    );
    // The repository is unchanged.
    let status = Command::new("git")
        .arg("-C")
        .arg(&root)
        .args(["status", "--short"])
        .output();
    let status = String::from_utf8(status.unwrap().stdout).unwrap();
    assert_eq!(status, " M AGENTS.md\n M CLAUDE.md\n D docs/style.md\n");
}

#[test]
fn a_directory_that_is_new_has_no_new_findings_of_those_above() {
    let bench = Bench::new();
    let root = bench.workspace("app", "See [more](docs/more.md).\n");
    git(&root, &["init", "--quiet"]);
    git(&root, &["add", "--all"]);
    git(&root, &["commit", "-m", "first"]);
    fs::create_dir_all(root.join("pack/age")).unwrap();
    let check = |path: &str| bench.run(&root, &["check", "--since", "HEAD", path]);
    assert_eq!(check("pack/age").code, Some(0));
    fs::write(root.join("pack/AGENTS.md"), "Or [less](docs/less.md).\n").unwrap();
    for path in ["pack/age", "pack/AGENTS.md"] {
        let said = check(path);
        assert_eq!(said.code, Some(1));
        assert!(
            said.out.starts_with("pack/AGENTS.md:1: problem"),
            "{said:#?}"
        );
        assert_eq!(said.out.matches("problem: ").count(), 1, "{said:#?}");
    }
}

#[test]
fn a_file_that_was_cut_before_has_no_new_finding() {
    let bench = Bench::new();
    let root = bench.workspace("app", &"x".repeat(40_000));
    git(&root, &["init", "--quiet"]);
    git(&root, &["add", "--all"]);
    git(&root, &["commit", "-m", "first"]);
    fs::write(root.join("AGENTS.md"), "x".repeat(40_001)).unwrap();
    let said = bench.run(&root, &["check", "--since", "HEAD"]);
    assert_eq!(said.out, "no problems found\n", "{said:#?}");
}

#[test]
fn no_program_of_a_repository_runs() {
    let bench = Bench::new();
    let root = bench.workspace("app", "x\n");
    git(&root, &["init", "--quiet"]);
    git(&root, &["add", "--all"]);
    git(&root, &["commit", "-m", "first"]);
    let hooks = root.join(".husky");
    fs::create_dir(&hooks).unwrap();
    let hook = hooks.join("post-index-change");
    fs::write(&hook, "#!/bin/sh\ntouch ran\n").unwrap();
    fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).unwrap();
    git(&root, &["config", "core.hooksPath", ".husky"]);
    git(&root, &["config", "core.fsmonitor", "touch ran; false"]);
    for arguments in [
        &["check"][..],
        &["check", "--since", "HEAD"],
        &["check", "--staged"],
    ] {
        let said = bench.run(&root, arguments);
        assert_eq!(said.code, Some(0), "{said:#?}");
        assert!(!root.join("ran").exists());
    }
}

#[test]
fn what_cannot_be_checked_is_a_fault_of_the_call() {
    let bench = Bench::new();
    let root = project(&bench);
    let error = bench.fails(&root, &["check", "nowhere"], 2);
    assert!(error.contains("does not exist"), "{error}");
    let error = bench.fails(&root, &["check", "--since", "no-such-revision"], 2);
    assert!(error.contains("no commit `no-such-revision`"), "{error}");
    let error = bench.fails(&root, &["check", "--since=--upload-pack=x"], 2);
    assert!(error.contains("no commit"), "{error}");
    let other = bench.workspace("other", "x\n");
    let error = bench.fails(&root, &["check", ".", other.to_str().unwrap()], 2);
    assert!(error.contains("two projects"), "{error}");
    let error = bench.fails(&other, &["check", "--since", "HEAD"], 2);
    assert!(error.contains("no commit"), "{error}");
    bench.fails(&root, &["check", "--json", "--format", "text"], 2);
}

#[test]
fn what_lies_in_a_named_directory_is_checked() {
    let bench = Bench::new();
    let root = bench.workspace("app", "x\n");
    git(&root, &["init", "--quiet"]);
    fs::create_dir_all(root.join("brand/sk")).unwrap();
    fs::write(root.join("brand/sk/SKILL.md"), "---\nname: sk\n---\n").unwrap();
    for path in ["brand/sk", "brand/sk/SKILL.md"] {
        let said = bench.run(&root, &["check", path]);
        assert_eq!(said.code, Some(1), "{path}: {said:#?}");
        assert!(
            said.out.contains("brand/sk/SKILL.md: problem"),
            "{path}: {said:#?}"
        );
    }
    // So is what lies in a directory, whatever the project has, and at any depth.
    let said = bench.run(&root, &["check", "brand"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert_eq!(said.out.matches("brand/sk/SKILL.md: problem").count(), 1);
    fs::create_dir_all(root.join("plugins/own")).unwrap();
    fs::rename(root.join("brand"), root.join("plugins/own/brand")).unwrap();
    let said = bench.run(&root, &["check", "plugins"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    // One that leads nowhere is a problem of its own.
    std::os::unix::fs::symlink("gone", root.join("plugins/own/SKILL.md")).unwrap();
    let said = bench.run(&root, &["check", "plugins"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    let problem = "plugins/own/SKILL.md: problem: ";
    assert!(said.out.contains(problem), "{said:#?}");
    fs::remove_file(root.join("plugins/own/SKILL.md")).unwrap();
    // No tool finds it from the root, but it is all there is without the AGENTS.md.
    let said = bench.run(&root, &["check"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    fs::remove_file(root.join("AGENTS.md")).unwrap();
    let said = bench.run(&root, &["check"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    fs::rename(root.join("plugins/own/brand"), root.join("brand")).unwrap();
    let said = bench.run(&root, &["check", "brand"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert!(said.out.contains("brand/sk/SKILL.md: problem"), "{said:#?}");
}

#[test]
fn a_directory_without_resources_is_not_reported_as_clean() {
    let bench = Bench::new();
    let root = bench.workspace("app", "x\n");
    git(&root, &["init", "--quiet"]);
    let said = bench.run(&root, &["check"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "no problems found\n")
    );
    fs::remove_file(root.join("AGENTS.md")).unwrap();
    let said = bench.run(&root, &["check"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "nothing was checked\n")
    );
    assert!(said.err.contains("no AGENTS.md, CLAUDE.md"), "{said:#?}");
    assert_eq!(bench.json(&root, &["check"])["resources"], 0);
    // A finding about a file of one tool alone is something.
    fs::write(root.join("AGENTS.override.md"), "x".repeat(40_000)).unwrap();
    let said = bench.run(&root, &["check"]);
    assert!(said.out.contains("[codex-cut]"), "{said:#?}");
    assert!(!said.err.contains("nothing to check"), "{said:#?}");
}

#[test]
fn what_codex_alone_reads_is_checked() {
    let bench = Bench::new();
    let root = bench.workspace("over", "");
    fs::remove_file(root.join("AGENTS.md")).unwrap();
    git(&root, &["init", "--quiet"]);
    fs::write(root.join("AGENTS.override.md"), "x".repeat(40_000)).unwrap();
    let said = bench.run(&root, &["check"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let cut = "Codex cuts it at byte 32768 of 40000";
    assert!(said.out.contains(cut), "{said:#?}");
}

#[test]
fn what_a_scan_does_not_list_is_a_problem() {
    let bench = Bench::new();
    let root = bench.workspace("app", "Ours.\n");
    let skills = root.join(".agents/skills");
    for index in 0..2_010 {
        let skill = skills.join(format!("s{index}"));
        fs::create_dir_all(&skill).unwrap();
        let text = format!("---\nname: s{index}\ndescription: d\n---\n");
        fs::write(skill.join("SKILL.md"), text).unwrap();
    }
    let said = bench.run(&root, &["check", "--json"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    let found: Value = serde_json::from_str(&said.out).unwrap();
    let findings = found["findings"].as_array().unwrap().iter();
    let cut = findings.filter(|finding| finding["code"] == "scan-incomplete");
    let mut cut: Vec<_> = cut
        .map(|finding| finding["message"].as_str().unwrap())
        .collect();
    cut.sort_unstable();
    let skills = skills.parent().unwrap().parent().unwrap();
    let codex = format!(
        "with the rules of codex: only 2000 directories of the skills of {} were looked at",
        skills.display()
    );
    let expected = [
        "11 more resources were found than the 2000 that a snapshot lists",
        &codex,
        "with the rules of opencode: only 2000 directories of the skills of .agents/skills were looked at",
    ];
    assert_eq!(cut, expected);
}

#[test]
fn every_code_has_its_section() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/check.md");
    let page = fs::read_to_string(page).unwrap();
    let mut told: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("#### "))
        .collect();
    let mut codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    told.sort_unstable();
    codes.sort_unstable();
    assert_eq!(told, codes);
}

/// Returns a directory of another user. Root gives a directory away; for an ordinary user, `/` belongs to
/// root.
fn somebody_elses(bench: &Bench) -> PathBuf {
    if !rustix::process::geteuid().is_root() {
        return "/".into();
    }
    let theirs = bench.workspace("theirs", "See docs/gone.md.\n");
    std::os::unix::fs::chown(&theirs, Some(2_001), None).unwrap();
    theirs
}

#[test]
fn finding_07_somebody_elses_directory_is_trusted_by_name() {
    let bench = Bench::new();
    let mine = bench.workspace("mine", "x\n");
    let theirs = somebody_elses(&bench);
    let path = theirs.to_str().unwrap();
    let advice = format!("have it scanned with `--trust-root {path}`");
    for (command, code) in [(["scan", path], 1), (["check", path], 2), (["up", path], 1)] {
        let error = bench.fails(&mine, &command, code);
        assert!(error.contains("and not to you"), "{error}");
        assert!(error.contains(&advice), "{error}");
    }
    for command in ["scan", "check"] {
        let said = bench.run(&mine, &[command, path, "--trust-root", path]);
        assert!(!said.err.contains("and not to you"), "{said:?}");
        // Relative to the current directory.
        let said = bench.run(&theirs, &[command, "--trust-root", "."]);
        assert!(!said.err.contains("and not to you"), "{said:?}");
        let mut named = bench.command(&mine, &[command, path]);
        named.env("CTXPIN_TRUST_ROOT", format!("/nowhere:{path}:"));
        let said = named.output().unwrap();
        let error = String::from_utf8(said.stderr).unwrap();
        assert!(!error.contains("and not to you"), "{error}");
    }
}

/// A repository can name programs in its configuration, which may come with it from somebody else.
#[test]
fn no_filter_of_a_repository_runs_for_an_earlier_commit() {
    let bench = Bench::new();
    let root = bench.workspace("app", "See [more](docs/more.md).\n");
    fs::write(root.join("skill.md"), "x\n").unwrap();
    git(&root, &["init", "--quiet"]);
    git(&root, &["add", "--all"]);
    git(&root, &["commit", "-m", "first"]);
    let ran = root.join(".git/ran");
    let run = format!("touch '{}'; cat", ran.display());
    // Each kind is chosen for some files. A name may have any character.
    for (name, key, pattern) in [
        ("a.b=c", "smudge", "AGENTS.md"),
        ("process", "process", "skill.md"),
    ] {
        git(&root, &["config", &format!("filter.{name}.{key}"), &run]);
        git(
            &root,
            &["config", &format!("filter.{name}.required"), "true"],
        );
        let attributes = root.join(".git/info/attributes");
        let more = fs::read_to_string(&attributes).unwrap_or_default();
        fs::write(attributes, format!("{more}{pattern} filter={name}\n")).unwrap();
    }
    let said = bench.run(&root, &["check", "--since", "HEAD"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(!ran.exists());
}

/// The repository may be private, so the checkout is readable for its user only. It is deleted when the
/// command ends.
#[test]
fn a_checkout_is_private_and_goes() {
    let bench = Bench::new();
    let root = project(&bench);
    git(&root, &["add", "--all"]);
    git(&root, &["commit", "--quiet", "--message", "all"]);
    // A `git` that reports the directory of the checkout and then does not end.
    let bin = root.join("bin");
    fs::create_dir(&bin).unwrap();
    let script = "#!/bin/sh\n\
                  case \"$*\" in *checkout-index*)\n\
                  for last; do :; done\n\
                  directory=$(dirname \"${last#--prefix=}\")\n\
                  echo \"mode $(stat -c %a \"$directory\") $directory\" >&9\n\
                  exec tail -f /dev/null\n\
                  esac\n\
                  PATH=${PATH#*:} exec git \"$@\"\n";
    fs::write(bin.join("git"), script).unwrap();
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let program = bench.command(&root, &["check", "--since", "HEAD"]);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "umask 0; exec \"$0\" \"$@\" 9>&2"])
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(&root)
        .envs(
            program
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("PATH", path);
    let mut check = Running::errors_of(&mut shell);
    let told = check.until(|line| line.strip_prefix("mode ").map(str::to_owned));
    let (mode, directory) = told.split_once(' ').unwrap();
    assert_eq!(mode, "700");
    assert!(Path::new(directory).exists());
    assert_eq!(check.terminate(), Some(1));
    assert!(!Path::new(directory).exists());
}
