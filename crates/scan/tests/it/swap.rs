//! What was checked is what is read, also while somebody swaps files and links.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::workspace::{Workspace, skill_md};

/// Scans made against a thread that swaps as fast as it can.
const SCANS: usize = 2_000;

#[test]
fn a_swapped_link_never_leads_outside() {
    let w = Workspace::with(&[
        ("outside/secret/SKILL.md", "SECRET"),
        ("outside/secret/CLAUDE.md", "SECRET"),
        ("project/real/CLAUDE.md", "real"),
        ("project/real.md", "real"),
    ]);
    w.write("project/skills/a/SKILL.md", skill_md("a"));
    w.write("project/skills/a/data", "data");
    let ended = AtomicBool::new(false);
    let (mut read, mut refused) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| swap_until(&w, &ended));
        for _ in 0..SCANS {
            let found = w.scan();
            for bytes in found.bodies.values() {
                assert!(!bytes.windows(6).any(|window| window == b"SECRET"));
            }
            assert!(!format!("{:?}", found.snapshot).contains("SECRET"));
            let of_agents = |r: &&ctxpin_model::resource::Resource| r.source.ends_with(".md");
            for resource in found.snapshot.resources.iter().filter(of_agents) {
                match resource.body() {
                    Some(_) => read += 1,
                    None => refused += 1,
                }
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert!(
        read > 0 && refused > 0,
        "both were met: {read} and {refused}"
    );
}

/// Puts a file, a link inside and a link outside under the same names in turn, each by a rename,
/// so that there is always one.
fn swap_until(w: &Workspace, ended: &AtomicBool) {
    let project = w.path("project");
    let staged = w.path("project/staged");
    let mut turn = 0;
    while !ended.load(Ordering::Relaxed) {
        for (name, inside, outside) in [
            ("AGENTS.md", "real.md", "outside/secret/SKILL.md"),
            (".claude", "real", "outside/secret"),
            ("skills/a/data", "SKILL.md", "outside/secret/SKILL.md"),
        ] {
            let target = if turn % 2 == 0 {
                inside.into()
            } else {
                w.path(outside)
            };
            if turn % 3 == 0 && name != ".claude" {
                fs::write(&staged, "plain").unwrap();
            } else {
                symlink(target, &staged).unwrap();
            }
            fs::rename(&staged, project.join(name)).unwrap();
        }
        turn += 1;
    }
}
