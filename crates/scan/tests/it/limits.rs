//! Every row of the table of limits, from both sides.

use ctxpin_model::hash::BlobHash;
use ctxpin_model::resource::{Content, Status};

use crate::workspace::{Workspace, skill_md};

fn statuses(w: &Workspace) -> Vec<Status> {
    w.scan()
        .snapshot
        .resources
        .iter()
        .map(|resource| resource.status)
        .collect()
}

fn padded_skill(name: &str, size: usize) -> String {
    let text = skill_md(name);
    let rest = size - text.len();
    text + &"x".repeat(rest)
}

#[test]
fn prompt_files_have_64_kib() {
    let w = Workspace::new();
    for (size, status) in [(65_536, "ok"), (65_537, "oversize")] {
        w.write("project/AGENTS.md", "x".repeat(size));
        w.write("project/.mcp.json", format!("{{}}{}", " ".repeat(size - 2)));
        w.write("project/skills/a/SKILL.md", padded_skill("a", size));
        let found = w.check(&[
            &format!("{status} project/AGENTS.md"),
            &format!("{status} project/skills/a/SKILL.md"),
            &format!("{status} project/.mcp.json"),
        ]);
        let file = &found.snapshot.resources[0];
        assert_eq!(file.size, size as u64);
        assert_eq!(
            file.content.unwrap().hash(),
            BlobHash::of("x".repeat(size).as_bytes())
        );
    }
    let found = w.scan();
    let error = "it has 65537 bytes; at most 65536 are allowed";
    assert_eq!(w.error(&found, "project/AGENTS.md"), error);
}

#[test]
fn ten_mebibytes_are_hashed_and_not_kept() {
    let w = Workspace::new();
    let bytes = "0123456789abcdef".repeat(10 * 65_536);
    w.write("project/AGENTS.md", &bytes);
    let found = w.check(&["oversize project/AGENTS.md"]);
    let file = &found.snapshot.resources[0];
    assert_eq!(file.size, 10 * 1024 * 1024);
    assert_eq!(
        file.content,
        Some(Content::Claimed(BlobHash::of(bytes.as_bytes())))
    );
    // Far above, the beginning is hashed and the size is still the real one.
    let file = std::fs::File::create(w.path("project/AGENTS.md")).unwrap();
    file.set_len(20 * 1024 * 1024 * 1024).unwrap();
    let found = w.check(&["oversize project/AGENTS.md"]);
    let file = &found.snapshot.resources[0];
    assert_eq!(file.size, 20 * 1024 * 1024 * 1024);
    let beginning = vec![0; 16 * 1024 * 1024];
    assert_eq!(
        file.content,
        Some(Content::Claimed(BlobHash::of(&beginning)))
    );
}

#[test]
fn a_supporting_file_has_512_kib() {
    let w = Workspace::new();
    w.skill("project/skills/a");
    w.write("project/skills/a/fits", vec![1; 524_288]);
    w.write("project/skills/a/large", vec![1; 524_289]);
    let found = w.check(&["ok project/skills/a/SKILL.md"]);
    let files = &found.snapshot.resources[0].files;
    assert!(files[0].body().is_some() && files[0].error.is_none());
    assert_eq!(
        files[1].content,
        Some(Content::Claimed(BlobHash::of(&vec![1; 524_289])))
    );
    let error = "it has 524289 bytes; at most 524288 are allowed";
    assert_eq!(files[1].error.as_deref(), Some(error));
    assert_eq!(files[1].size, 524_289);
}

#[test]
fn a_skill_has_512_files() {
    let w = Workspace::new();
    w.skill("project/skills/a");
    for index in 0..512 {
        w.write(&format!("project/skills/a/{index:03}"), "x");
    }
    w.check(&["ok project/skills/a/SKILL.md"]);
    w.write("project/skills/a/one-more", "x");
    let found = w.check(&["oversize project/skills/a/SKILL.md"]);
    let error = w.error(&found, "project/skills/a/SKILL.md");
    assert_eq!(error, "it has 513 files; at most 512 are allowed");
    assert_eq!(found.snapshot.resources[0].files.len(), 512);
    assert!(found.bodies.is_empty());
}

#[test]
fn a_skill_has_16_mib() {
    let w = Workspace::new();
    w.skill("project/skills/a");
    for index in 0..32_u8 {
        w.write(
            &format!("project/skills/a/{index:02}"),
            vec![index; 524_288],
        );
    }
    // One that is too large by itself is not part of it.
    w.write("project/skills/a/large", vec![0; 600_000]);
    w.check(&["ok project/skills/a/SKILL.md"]);
    w.write("project/skills/a/one-more", "x");
    let found = w.check(&["oversize project/skills/a/SKILL.md"]);
    let error = w.error(&found, "project/skills/a/SKILL.md");
    assert_eq!(
        error,
        "its files have 16777217 bytes; at most 16777216 are allowed"
    );
}

#[test]
fn all_skills_have_64_mib_and_4096_files() {
    let w = Workspace::new();
    for skill in 0..5_u8 {
        w.skill(&format!("project/skills/s{skill}"));
        for file in 0..32_u8 {
            let bytes = vec![skill * 32 + file; if skill < 4 { 524_288 } else { 1 }];
            w.write(&format!("project/skills/s{skill}/{file}"), bytes);
        }
    }
    let mut expected = [Status::Ok; 5];
    expected[4] = Status::Excluded;
    assert_eq!(statuses(&w), expected);
    let w = Workspace::new();
    for skill in 0..9 {
        w.skill(&format!("project/skills/s{skill}"));
        for file in 0..if skill < 8 { 512 } else { 1 } {
            w.write(&format!("project/skills/s{skill}/{file}"), "x");
        }
    }
    let mut expected = [Status::Ok; 9];
    expected[8] = Status::Excluded;
    assert_eq!(statuses(&w), expected);
}

#[test]
fn prompts_have_2_mib_and_smaller_ones_still_fit() {
    let w = Workspace::new();
    for index in 0..33 {
        let name = format!("s{index:02}");
        w.write(
            &format!("project/skills/{name}/SKILL.md"),
            padded_skill(&name, 65_000),
        );
    }
    w.skill("project/skills/small");
    let found = statuses(&w);
    assert_eq!(
        found.iter().filter(|status| **status == Status::Ok).count(),
        33
    );
    assert_eq!(&found[31..], [Status::Ok, Status::Excluded, Status::Ok]);
}

#[test]
fn a_snapshot_has_500_resources() {
    let w = Workspace::new();
    for index in 0..501 {
        w.skill(&format!("project/skills/s{index:03}"));
    }
    let found = w.scan();
    let resources = &found.snapshot.resources;
    assert_eq!(resources.len(), 501);
    assert!(
        resources[..500]
            .iter()
            .all(|resource| resource.status == Status::Ok)
    );
    assert_eq!(resources[500].status, Status::Excluded);
    assert_eq!(found.bodies.len(), 500);
    assert_eq!(found.snapshot.error, None);
}

#[test]
fn a_snapshot_lists_2000_resources() {
    let w = Workspace::new();
    for index in 0..2_001 {
        w.write(&format!("project/skills/s{index:04}/SKILL.md"), "x");
    }
    let found = w.scan();
    assert_eq!(found.snapshot.resources.len(), 2_000);
    assert!(found.snapshot.error.unwrap().starts_with("1 more"));
}

#[test]
fn a_listing_has_10000_entries() {
    let w = Workspace::new();
    std::fs::create_dir_all(w.path("project/skills")).unwrap();
    for index in 0..10_001 {
        std::fs::write(w.path(&format!("project/skills/{index}")), "").unwrap();
    }
    let folder = w.text("project/skills");
    let error = w.scan().snapshot.error;
    assert_eq!(
        error,
        Some(format!("only 10000 entries of {folder} were looked at"))
    );
}

#[test]
fn depth_is_16() {
    let w = Workspace::new();
    w.skill("project/skills/a");
    let deepest = "d/".repeat(16);
    w.write(&format!("project/skills/a/{deepest}file"), "in");
    w.write(&format!("project/skills/a/{deepest}d/file"), "out");
    let found = w.check(&["ok project/skills/a/SKILL.md"]);
    let files = &found.snapshot.resources[0].files;
    assert_eq!(files.len(), 2);
    assert_eq!(files[0].path, format!("{deepest}d"));
    assert_eq!(
        files[0].error.as_deref(),
        Some("it lies deeper than 16 directories")
    );
    assert_eq!(files[1].path, format!("{deepest}file"));
    assert!(files[1].body().is_some());
}

#[test]
fn a_source_has_1024_bytes() {
    let mut w = Workspace::new();
    let deep = format!("project/{}", vec!["d".repeat(200); 5].join("/"));
    w.write(&format!("{deep}/{}/AGENTS.md", "e".repeat(100)), "x");
    w.request.directory = w.path(&format!("{deep}/{}", "e".repeat(100)));
    let found = w.scan();
    let resource = found.snapshot.resources.last().unwrap();
    assert_eq!(resource.status, Status::Invalid);
    assert_eq!(
        resource.error.as_deref(),
        Some("its path is longer than 1,024 bytes")
    );
    assert_eq!(resource.source.len(), 1024);
}

#[test]
fn an_edit_of_what_is_too_large_shows() {
    let w = Workspace::new();
    w.write("project/skills/a/SKILL.md", padded_skill("a", 70_000));
    let before = w.check(&["oversize project/skills/a/SKILL.md"]);
    let edited = padded_skill("a", 69_999) + "y";
    w.write("project/skills/a/SKILL.md", &edited);
    let after = w.check(&["oversize project/skills/a/SKILL.md"]);
    assert_eq!(
        after.snapshot.resources[0].content,
        Some(Content::Claimed(BlobHash::of(edited.as_bytes())))
    );
    assert_ne!(
        after.snapshot.addresses().id,
        before.snapshot.addresses().id
    );
}
