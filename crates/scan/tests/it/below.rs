//! The files below the working directory, which some tools give their model when it reads a file beside them: how far
//! a scan looks for them, and what it keeps of a search.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ctxpin_model::profile::Profile;
use ctxpin_scan::{Scan, Searches, scan_again};

use crate::workspace::Workspace;

/// The profiles that look below the working directory, each with the name of its files.
const PROFILES: [(Profile, &str); 2] = [
    (Profile::ClaudeCode, "CLAUDE.md"),
    (Profile::Opencode, "AGENTS.md"),
];

fn workspace(profile: Profile) -> Workspace {
    let mut w = Workspace::new();
    w.request.profile = profile;
    w
}

/// Makes `count` empty directories in one.
fn fill(directory: &Path, count: usize) {
    for index in 0..count {
        fs::create_dir_all(directory.join(format!("d{index:05}"))).unwrap();
    }
}

fn again(w: &Workspace, searches: &mut Searches) -> Scan {
    scan_again(&w.request, searches, &|| false).unwrap()
}

fn sources(w: &Workspace, found: &Scan) -> Vec<String> {
    let resources = found.snapshot.resources.iter();
    resources.map(|resource| w.show(resource)).collect()
}

#[test]
fn twelve_levels_are_searched() {
    for (profile, name) in PROFILES {
        let w = workspace(profile);
        let deep = "/d".repeat(12);
        w.write(&format!("project{deep}/{name}"), "found");
        w.check_notes(&[]);
        w.write(&format!("project{deep}/e/{name}"), "too deep");
        w.write(&format!("project/other{}/f/{name}", "/d".repeat(11)), "x");
        let found = w.check(&[&format!("ok project{deep}/{name}")]);
        let tool = match profile {
            Profile::ClaudeCode => "Claude Code",
            _ => "opencode",
        };
        let note = format!(
            "search-cut project{deep}: ctxpin looks for files of {tool} 12 directories deep, and not below this one; \
             this is true of 1 other directory"
        );
        assert_eq!(w.notes(&found), [note]);
        assert_eq!(found.snapshot.error, None, "the scan is whole");
    }
}

#[test]
fn a_directory_that_cannot_be_listed_is_told() {
    let w = workspace(Profile::ClaudeCode);
    w.write("project/open/CLAUDE.md", "found");
    w.write("project/closed/CLAUDE.md", "x");
    let closed = w.path("project/closed");
    let mut permissions = fs::metadata(&closed).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0);
    fs::set_permissions(&closed, permissions).unwrap();
    // Root lists everything.
    if rustix::process::geteuid().is_root() {
        w.check(&["ok project/closed/CLAUDE.md", "ok project/open/CLAUDE.md"]);
        return;
    }
    let found = w.check(&["ok project/open/CLAUDE.md"]);
    let note = "search-cut project/closed: it cannot be listed, so ctxpin looks for no file of Claude Code in and below it";
    assert_eq!(w.notes(&found), [note]);
}

#[test]
fn no_link_is_followed() {
    for (profile, name) in PROFILES {
        let w = workspace(profile);
        w.write(&format!("project/a/{name}"), "found");
        w.write(&format!("outside/b/{name}"), "elsewhere");
        w.link("project/a/up", "..");
        w.link("project/a/self", "self");
        w.link("project/out", "../outside");
        w.link("project/again", "a");
        let found = w.check(&[&format!("ok project/a/{name}")]);
        assert_eq!(w.notes(&found), Vec::<String>::new());
    }
}

#[test]
fn directories_that_come_and_go_disturb_no_scan() {
    for (profile, name) in PROFILES {
        let w = workspace(profile);
        for directory in ["project/a", "project/m/x", "project/z"] {
            w.write(&format!("{directory}/{name}"), "it stays");
        }
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| come_and_go(&w, name, &ended));
            for _ in 0..500 {
                let found = w.scan();
                let sources = sources(&w, &found);
                for directory in ["a", "m/x", "z"] {
                    let stays = format!("ok project/{directory}/{name}");
                    assert!(sources.contains(&stays), "{sources:?}");
                }
                assert_eq!(w.notes(&found), Vec::<String>::new());
            }
            ended.store(true, Ordering::Relaxed);
        });
    }
}

/// Makes, renames, replaces and removes directories with files until `ended`.
fn come_and_go(w: &Workspace, name: &str, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        w.write(&format!("project/b/deep/er/{name}"), "x");
        fs::rename(w.path("project/b"), w.path("project/c")).unwrap();
        w.write("project/b", "a file");
        fs::remove_dir_all(w.path("project/c")).unwrap();
        fs::remove_file(w.path("project/b")).unwrap();
    }
}

#[test]
fn each_directory_with_files_takes_one_watch() {
    for (profile, name) in PROFILES {
        let w = workspace(profile);
        fill(&w.path("project/many"), 500);
        let none = w.scan().places.len();
        for index in 0..200 {
            w.write(&format!("project/many/d{index:05}/{name}"), "x");
        }
        assert_eq!(w.scan().places.len(), none + 200);
    }
}

#[test]
fn the_search_of_a_large_project_is_kept() {
    for (profile, name) in PROFILES {
        let w = workspace(profile);
        let directory = |index| format!("project/many/d{index:05}");
        fill(&w.path("project/many"), 998);
        w.write(&format!("{}/{name}", directory(3)), "one");
        let mut searches = Searches::default();
        let known = format!("ok {}/{name}", directory(3));
        let first = again(&w, &mut searches);
        assert_eq!(sources(&w, &first), [&*known]);
        assert!(!searches.is_empty(), "1,000 directories were searched");

        // An edit needs no search, and a removal none.
        w.write(&format!("{}/{name}", directory(3)), "two");
        w.write(&format!("{}/{name}", directory(1)), "new");
        let edited = again(&w, &mut searches);
        assert_eq!(sources(&w, &edited), [&*known]);
        assert_ne!(edited.snapshot, first.snapshot);
        fs::remove_file(w.path(&format!("{}/{name}", directory(3)))).unwrap();
        assert!(again(&w, &mut searches).snapshot.resources.is_empty());
        w.write(&format!("{}/{name}", directory(3)), "three");
        assert_eq!(sources(&w, &again(&w, &mut searches)), [&*known]);

        searches.forget();
        let new = format!("ok {}/{name}", directory(1));
        assert_eq!(sources(&w, &again(&w, &mut searches)), [new, known]);
    }
}

#[test]
fn a_small_project_is_searched_each_time() {
    for (profile, name) in PROFILES {
        let w = workspace(profile);
        fill(&w.path("project/many"), 997);
        let mut searches = Searches::default();
        assert!(again(&w, &mut searches).snapshot.resources.is_empty());
        assert!(searches.is_empty());
        w.write(&format!("project/many/d00000/{name}"), "new");
        assert_eq!(again(&w, &mut searches).snapshot.resources.len(), 1);
    }
}

#[test]
fn a_cancelled_search_is_not_kept() {
    let w = workspace(Profile::ClaudeCode);
    fill(&w.path("project/many"), 1_500);
    w.write("project/many/d01400/CLAUDE.md", "found");
    let calls = std::cell::Cell::new(0);
    let cancelled = || {
        calls.set(calls.get() + 1);
        calls.get() > 1_200
    };
    let mut searches = Searches::default();
    scan_again(&w.request, &mut searches, &cancelled).unwrap_err();
    assert!(searches.is_empty());
    assert_eq!(again(&w, &mut searches).snapshot.resources.len(), 1);
}
