//! Watching real directories. Nothing here sleeps: an event that must come is waited for, and one
//! that must not come would have been delivered before the watcher answers.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use ctxpin_model::profile::Profile;
use ctxpin_scan::place::{Interest, Place};
use ctxpin_scan::signal::{Signal, WatchError, Watcher, sends_events};

use crate::workspace::{Workspace, run_in_mount_namespace, run_in_user_namespace, skill_md};

/// Far longer than any event takes.
const PATIENCE: Duration = Duration::from_secs(20);

struct Watched {
    w: Workspace,
    watcher: Watcher,
    signals: Receiver<Signal>,
}

impl Watched {
    /// A workspace whose present places are watched.
    fn new(w: Workspace) -> Self {
        let (sender, signals) = channel();
        let watcher = Watcher::new(move |signal| {
            let _ = sender.send(signal);
        });
        let mut watched = Self {
            w,
            watcher,
            signals,
        };
        assert!(watched.arm());
        assert!(!watched.arm(), "a second time there is nothing new");
        watched
    }

    fn arm(&mut self) -> bool {
        self.watcher.set_places(&self.w.scan().places).unwrap()
    }

    /// Waits for a signal, then scans and arms until nothing more is new.
    fn expect(&mut self, what: &str) {
        let signal = self.signals.recv_timeout(PATIENCE);
        assert_eq!(signal, Ok(Signal::Changed), "{what}");
        while self.arm() {}
        self.drain();
    }

    /// Checks that nothing has signalled, and that a relevant change still would.
    fn expect_nothing_before(&mut self, what: &str) {
        self.settle();
        assert!(self.signals.try_recv().is_err(), "{what}");
        fs::create_dir(self.w.path("project/.cursorrules")).unwrap();
        fs::remove_dir(self.w.path("project/.cursorrules")).unwrap();
        self.expect("something that matters");
    }

    /// Takes whatever has come up to now.
    fn drain(&mut self) {
        self.settle();
        while self.signals.try_recv().is_ok() {}
    }

    /// Waits until every event up to now has been delivered: the thread that delivers them also
    /// starts and ends watches, in turn.
    fn settle(&mut self) {
        let places = self.w.scan().places;
        let mut more = places.clone();
        more.push(Place {
            directory: self.w.path("outside"),
            interest: Interest::Names(BTreeSet::new()),
        });
        for _ in 0..2 {
            self.watcher.set_places(&more).unwrap();
            self.watcher.set_places(&places).unwrap();
        }
    }
}

#[test]
fn files_that_matter_signal() {
    let w = Workspace::with(&[("project/AGENTS.md", "a")]);
    w.skill("project/skills/a");
    w.write("project/skills/a/deep/er/file", "x");
    let mut watched = Watched::new(w);
    watched.w.write("project/AGENTS.md", "b");
    watched.expect("a file was written");
    watched.w.write("project/CLAUDE.md", "b");
    watched.expect("a file was made");
    fs::rename(
        watched.w.path("project/CLAUDE.md"),
        watched.w.path("project/x"),
    )
    .unwrap();
    watched.expect("a file was renamed");
    fs::remove_file(watched.w.path("project/AGENTS.md")).unwrap();
    watched.expect("a file was removed");
    watched.w.write("project/skills/a/deep/er/file", "y");
    watched.expect("a supporting file was written");
    watched.w.write("project/skills/a/deep/new/file", "y");
    watched.expect("a directory in a skill was made");
    watched.w.write("project/skills/a/deep/new/file", "z");
    watched.expect("a file in it was written");
}

#[test]
fn what_does_not_matter_is_silent() {
    let w = Workspace::with(&[("project/AGENTS.md", "a"), ("project/src/main.rs", "x")]);
    w.skill("project/skills/a");
    let mut watched = Watched::new(w);
    watched.w.write("project/src/main.rs", "y");
    watched.w.write("project/README.md", "y");
    watched.w.write("project/agents.txt", "y");
    watched.w.write("project/.git/index", "y");
    watched.expect_nothing_before("files of no interest");
    watched.w.scan();
    let _ = fs::read(watched.w.path("project/AGENTS.md")).unwrap();
    watched.expect_nothing_before("reading");
    assert!(!watched.arm());
    watched.expect_nothing_before("arming");
}

#[test]
fn a_missing_root_is_watched_for_step_by_step() {
    let mut w = Workspace::new();
    w.request.user_roots = true;
    w.declare("project/later/on/skills");
    fs::remove_dir(w.path("home")).unwrap();
    let mut watched = Watched::new(w);
    for path in [
        "home",
        "home/.claude",
        "project/later",
        "project/later/on",
        "project/later/on/skills",
    ] {
        fs::create_dir(watched.w.path(path)).unwrap();
        watched.expect(path);
    }
    fs::create_dir(watched.w.path("project/later/on/skills/x")).unwrap();
    watched.expect("a skill's directory");
    watched
        .w
        .write("project/later/on/skills/x/SKILL.md", skill_md("x"));
    watched.expect("its file");
    watched.w.write("home/.claude/CLAUDE.md", "mine");
    watched.expect("a user's file");
    watched.w.check(&[
        "ok home/.claude/CLAUDE.md",
        "ok project/later/on/skills/x/SKILL.md",
    ]);
}

#[test]
fn a_directory_that_was_replaced_is_watched_anew() {
    let w = Workspace::new();
    w.skill("project/skills/a");
    let mut watched = Watched::new(w);
    for round in 0..3 {
        fs::remove_dir_all(watched.w.path("project/skills")).unwrap();
        watched.w.skill("project/skills/a");
        watched.expect("it was replaced");
        watched
            .w
            .write("project/skills/a/SKILL.md", format!("{round}"));
        watched.expect("its file was written");
        fs::rename(
            watched.w.path("project/skills"),
            watched.w.path("project/old"),
        )
        .unwrap();
        watched.expect("it was moved away");
        fs::rename(
            watched.w.path("project/old"),
            watched.w.path("project/skills"),
        )
        .unwrap();
        watched.expect("it was moved back");
        watched
            .w
            .write("project/skills/a/SKILL.md", format!("again {round}"));
        watched.expect("its file was written again");
    }
}

#[test]
fn targets_of_links_are_watched() {
    let mut w = Workspace::with(&[
        ("project/docs/rules.md", "a"),
        ("project/two/AGENTS.md", "a"),
    ]);
    w.link("project/AGENTS.md", "docs/rules.md");
    w.link("project/CLAUDE.md", "docs/later.md");
    w.link("project/.cursorrules", "docs/chain.md");
    w.link("project/docs/chain.md", "end.md");
    w.skill("project/vendor/pdf");
    w.link("project/skills/pdf", "../vendor/pdf");
    w.link("project/source", "docs");
    w.declare("project/source");
    let mut watched = Watched::new(w);
    watched.w.write("project/docs/rules.md", "b");
    watched.expect("a file that is linked to");
    watched.w.write("project/docs/later.md", "b");
    watched.expect("what a dangling link leads to");
    watched.w.write("project/docs/end.md", "b");
    watched.expect("what a link to a dangling link leads to");
    watched.w.write("project/vendor/pdf/new", "b");
    watched.expect("a file of a linked skill");
    fs::remove_file(watched.w.path("project/source")).unwrap();
    watched.w.link("project/source", "two");
    watched.expect("a source that is a link");
    watched.w.write("project/two/AGENTS.md", "c");
    watched.expect("a file behind it");
}

#[test]
fn the_manifest_of_a_plugin_behind_a_dangling_link_is_awaited() {
    let mut w = Workspace::new();
    w.request.profile = Profile::Codex;
    w.skill("project/.agents/skills/a");
    w.link("project/.codex-plugin", "meta");
    w.link("project/.agents/.claude-plugin/plugin.json", "../near.json");
    let mut watched = Watched::new(w);
    let name = |watched: &Watched| {
        let found = watched.w.scan();
        let mut skills = found.snapshot.skills();
        skills.next().and_then(|skill| skill.name.clone()).unwrap()
    };
    assert_eq!(name(&watched), "a");
    fs::create_dir(watched.w.path("project/meta")).unwrap();
    watched.expect("the folder of a manifest");
    watched
        .w
        .write("project/meta/plugin.json", "{\"name\":\"far\"}");
    watched.expect("a manifest in it");
    assert_eq!(name(&watched), "far:a");
    watched
        .w
        .write("project/.agents/near.json", "{\"name\":\"near\"}");
    watched.expect("a manifest that is a link");
    assert_eq!(name(&watched), "near:a");
}

#[test]
fn places_that_are_gone_are_no_longer_watched() {
    let w = Workspace::new();
    w.skill("project/skills/a");
    let mut watched = Watched::new(w);
    let mut places = watched.w.scan().places;
    places.retain(|place| place.directory == watched.w.path("project"));
    assert!(!watched.watcher.set_places(&places).unwrap());
    watched.w.write("project/skills/a/SKILL.md", "x");
    for directory in ["outside", "home"].map(|path| watched.w.path(path)) {
        let mut more = places.clone();
        let interest = Interest::All;
        more.push(Place {
            directory,
            interest,
        });
        watched.watcher.set_places(&more).unwrap();
    }
    assert!(
        watched.signals.try_recv().is_err(),
        "a place that was given up"
    );
    assert!(watched.arm());
    watched.w.write("project/skills/a/SKILL.md", "y");
    watched.expect("a place that was taken up again");
}

#[test]
fn what_cannot_be_watched_is_tried_again() {
    let w = Workspace::with(&[("project/AGENTS.md", "a")]);
    w.link("project/later", "later");
    let mut watched = Watched::new(w);
    let mut places = watched.w.scan().places;
    places.push(Place {
        directory: watched.w.path("project/later"),
        interest: Interest::All,
    });
    for _ in 0..2 {
        let failed = watched.watcher.set_places(&places).unwrap_err();
        assert!(failed.to_string().contains("cannot be watched"), "{failed}");
    }
    // The other places are watched meanwhile.
    watched.w.write("project/AGENTS.md", "b");
    let signal = watched.signals.recv_timeout(PATIENCE);
    assert_eq!(signal, Ok(Signal::Changed));
    fs::remove_file(watched.w.path("project/later")).unwrap();
    fs::create_dir(watched.w.path("project/later")).unwrap();
    assert!(watched.watcher.set_places(&places).unwrap());
    // Late events of the removal and of the creation each have it watched once more.
    let mut newly = (0..3).map(|_| watched.watcher.set_places(&places).unwrap());
    assert!(newly.any(|newly| !newly));
}

#[test]
fn settings_behind_links_are_awaited() {
    let settings = [
        (
            Profile::Codex,
            "project/.codex",
            "config.toml",
            "project_doc_max_bytes = 1",
            "project_doc_max_bytes = 2",
        ),
        (
            Profile::ClaudeCode,
            "project/.claude",
            "settings.json",
            "{}",
            "{\"claudeMdExcludes\": [\"x\"]}",
        ),
        (
            Profile::Opencode,
            "project/.opencode",
            "opencode.json",
            "{}",
            "{\"instructions\": [\"x\"]}",
        ),
    ];
    for (profile, folder, name, first, next) in settings {
        let mut w = Workspace::new();
        w.request.profile = profile;
        w.link(folder, "folder");
        let trust = format!(
            "[projects.\"{}\"]\ntrust_level = \"trusted\"",
            w.text("project")
        );
        w.write("home/.codex/config.toml", trust);
        let mut watched = Watched::new(w);
        let path = |name: &str| watched.w.path(&format!("project/folder/{name}"));
        let (folder, end) = (path(""), path("end"));
        fs::create_dir(&folder).unwrap();
        watched.expect("the folder");
        std::os::unix::fs::symlink("one", folder.join(name)).unwrap();
        watched.expect("a dangling link");
        std::os::unix::fs::symlink("end", folder.join("one")).unwrap();
        watched.expect("what it leads to, which is one too");
        fs::write(&end, first).unwrap();
        watched.expect("the file that both lead to");
        let before = watched.w.scan().snapshot.facts;
        fs::write(&end, next).unwrap();
        watched.expect("another text of it");
        assert_ne!(watched.w.scan().snapshot.facts, before, "{profile}");
    }
}

#[test]
fn a_directory_that_may_not_be_listed_keeps_no_other_from_being_watched() {
    let w = Workspace::with(&[("project/AGENTS.md", "a"), ("closed/x", "x")]);
    w.forbid("closed");
    let mode = |mode| fs::set_permissions(w.path("closed"), fs::Permissions::from_mode(mode));
    mode(0o311).unwrap();
    let closed = Place {
        directory: w.path("closed"),
        interest: Interest::Names(["CLAUDE.md".into()].into()),
    };
    let (sender, signals) = channel();
    let mut watcher = Watcher::new(move |signal| {
        let _ = sender.send(signal);
    });
    let mut places = w.scan().places;
    places.push(closed);
    assert!(watcher.set_places(&places).unwrap());
    // No scan is due for it again and again.
    assert!(!watcher.set_places(&places).unwrap());
    w.write("project/AGENTS.md", "b");
    assert_eq!(signals.recv_timeout(PATIENCE), Ok(Signal::Changed));
    mode(0o711).unwrap();
    assert!(watcher.set_places(&places).unwrap(), "it may be listed now");
}

/// Where [`at_the_limit`] finds a project.
const LIMIT_VARIABLE: &str = "CTXPIN_TEST_WATCH_LIMIT";

/// The number of watches that a user namespace allows.
const LIMIT_FILE: &str = "/proc/sys/user/max_inotify_watches";

#[test]
fn at_the_systems_limit_the_rest_is_watched_later() {
    let w = Workspace::new();
    for directory in ["project/a", "project/b", "project/c"] {
        fs::create_dir(w.path(directory)).unwrap();
    }
    let prepare = format!("echo 2 > {LIMIT_FILE}");
    run_in_user_namespace(
        &prepare,
        &w.base,
        "signals::at_the_limit",
        (LIMIT_VARIABLE, &w.path("project")),
    );
}

#[test]
#[ignore = "at_the_systems_limit_the_rest_is_watched_later starts it where the limit can be set"]
fn at_the_limit() {
    let project = std::env::var_os(LIMIT_VARIABLE).expect("a project");
    let project = std::path::PathBuf::from(project);
    let places = ["a", "b", "c"].map(|name| Place {
        directory: project.join(name),
        interest: Interest::All,
    });
    let (sender, signals) = channel();
    let mut watcher = Watcher::new(move |signal| {
        let _ = sender.send(signal);
    });
    let limit = watcher.set_places(&places).unwrap_err();
    assert!(matches!(limit, WatchError::Limit), "{limit}");
    assert!(limit.is_failure(), "a snapshot tells it");
    assert!(
        limit
            .to_string()
            .contains("raise fs.inotify.max_user_watches"),
        "{limit}"
    );
    fs::write(project.join("a/AGENTS.md"), "x").unwrap();
    let signal = signals.recv_timeout(PATIENCE);
    assert_eq!(signal, Ok(Signal::Changed), "the others are watched");
    fs::write(LIMIT_FILE, "3").unwrap();
    assert!(watcher.set_places(&places).unwrap());
    assert!(!watcher.set_places(&places).unwrap());
}

#[test]
fn a_flood_of_events_keeps_nobody_waiting() {
    let w = Workspace::with(&[("project/AGENTS.md", "x")]);
    let (entered, is_in) = channel();
    let (release, released) = channel::<()>();
    // The thread that takes in events is kept, as by somebody who writes without end.
    let mut watcher = Watcher::new(move |_| {
        let _ = entered.send(());
        let _ = released.recv();
    });
    let place = |path: &str| Place {
        directory: w.path(path),
        interest: Interest::All,
    };
    assert!(watcher.set_places(&[place("project")]).unwrap());
    w.write("project/AGENTS.md", "y");
    is_in.recv_timeout(PATIENCE).unwrap();
    let both = [place("project"), place("outside")];
    for _ in 0..2 {
        let flooded = watcher.set_places(&both);
        assert!(matches!(flooded, Err(WatchError::Flooded)), "{flooded:?}");
    }
    drop(release);
    // The last request holds once the flood of events is over.
    let end = Instant::now() + PATIENCE;
    while watcher.set_places(&both).is_err() {
        assert!(Instant::now() < end, "it is over");
    }
}

#[test]
fn whether_events_come_is_heard() {
    let w = Workspace::new();
    assert!(sends_events(&w.base, PATIENCE));
    assert!(!w.path("probe").exists(), "nothing is left behind");
}

/// Where [`on_an_overlay`] finds one.
const OVERLAY_VARIABLE: &str = "CTXPIN_TEST_OVERLAY";

#[test]
fn an_overlay_sends_events() {
    let w = Workspace::new();
    for path in ["lower/project", "upper", "work", "merged"] {
        fs::create_dir_all(w.path(path)).unwrap();
    }
    w.write("lower/project/AGENTS.md", "x");
    let mount = "cd \"$1\" && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged";
    // Where it cannot run, only the types of file systems are compared, in `file_system::tests`.
    run_in_mount_namespace(
        mount,
        &w.base,
        "signals::on_an_overlay",
        (OVERLAY_VARIABLE, &w.path("merged/project")),
    );
}

#[test]
#[ignore = "an_overlay_sends_events starts it where there is one"]
fn on_an_overlay() {
    let directory = std::env::var_os(OVERLAY_VARIABLE).expect("an overlay");
    let directory = std::path::PathBuf::from(directory).canonicalize().unwrap();
    let (sender, signals) = channel();
    let mut watcher = Watcher::new(move |signal| {
        let _ = sender.send(signal);
    });
    let place = Place {
        directory: directory.clone(),
        interest: Interest::All,
    };
    assert!(
        watcher.set_places(&[place]).unwrap(),
        "it is not taken for silent"
    );
    // A file of the lower layer, which this copies up.
    fs::write(directory.join("AGENTS.md"), "y").unwrap();
    assert_eq!(signals.recv_timeout(PATIENCE), Ok(Signal::Changed));
}

#[test]
fn what_opencode_reads_is_watched() {
    let mut w = Workspace::with(&[("project/AGENTS.md", "a")]);
    w.repository("project/.git");
    w.request.profile = Profile::Opencode;
    w.request.user_roots = true;
    let mut watched = Watched::new(w);
    for (path, text) in [
        (
            "project/opencode.json",
            r#"{"instructions": ["docs/*.md"]}"#,
        ),
        ("project/docs/a.md", "listed"),
        ("project/docs/a.md", "listed, and changed"),
        (
            "project/.opencode/opencode.json",
            r#"{"instructions": ["b.md"]}"#,
        ),
        ("project/b.md", "listed too"),
        ("home/.config/opencode/AGENTS.md", "mine"),
        ("home/.config/opencode/opencode.json", "{}"),
        ("home/.opencode/opencode.json", "{}"),
    ] {
        watched.w.write(path, text);
        watched.expect(path);
    }
    for folder in [
        "project/.opencode/skill",
        "project/.agents/skills",
        "home/.claude/skills",
    ] {
        let name = folder.replace(['/', '.'], "");
        watched
            .w
            .write(&format!("{folder}/{name}/SKILL.md"), skill_md(&name));
        watched.expect(folder);
    }
    watched.w.check(&[
        "ok home/.config/opencode/AGENTS.md",
        "ok project/AGENTS.md",
        "ok project/docs/a.md",
        "ok project/b.md",
        "ok home/.claude/skills/homeclaudeskills/SKILL.md",
        "ok project/.agents/skills/projectagentsskills/SKILL.md",
        "ok project/.opencode/skill/projectopencodeskill/SKILL.md",
    ]);
}
