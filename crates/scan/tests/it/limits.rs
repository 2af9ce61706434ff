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
fn prompt_files_have_1_mib_and_configurations_64_kib() {
    let w = Workspace::new();
    const MIB: usize = 1_048_576;
    for (more, status) in [(0, "ok"), (1, "oversize")] {
        w.write("project/AGENTS.md", "x".repeat(MIB + more));
        w.write(
            "project/.mcp.json",
            format!("{{}}{}", " ".repeat(65_534 + more)),
        );
        w.write("project/skills/a/SKILL.md", padded_skill("a", MIB + more));
        let found = w.check(&[
            &format!("{status} project/AGENTS.md"),
            &format!("{status} project/skills/a/SKILL.md"),
            &format!("{status} project/.mcp.json"),
        ]);
        let file = &found.snapshot.resources[0];
        assert_eq!(file.size, (MIB + more) as u64);
        let bytes = "x".repeat(MIB + more);
        let expected = match more {
            0 => BlobHash::of(bytes.as_bytes()),
            _ => too_large(bytes.as_bytes()),
        };
        assert_eq!(file.content.unwrap().hash(), expected);
    }
    let found = w.scan();
    let error = "it has 1048577 bytes; at most 1048576 are allowed";
    assert_eq!(w.error(&found, "project/AGENTS.md"), error);
    let error = "it has 65537 bytes; at most 65536 are allowed";
    assert_eq!(w.error(&found, "project/.mcp.json"), error);
}

/// Returns the hash that identifies a file that is too large: the hash of its size and its first 64
/// KiB.
fn too_large(bytes: &[u8]) -> BlobHash {
    let size = (bytes.len() as u64).to_be_bytes();
    BlobHash::of(&[&size[..], &bytes[..64 * 1024]].concat())
}

#[test]
fn ten_mebibytes_are_told_by_their_size_and_beginning() {
    let w = Workspace::new();
    let bytes = "0123456789abcdef".repeat(10 * 65_536);
    w.write("project/AGENTS.md", &bytes);
    let found = w.check(&["oversize project/AGENTS.md"]);
    let file = &found.snapshot.resources[0];
    assert_eq!(file.size, 10 * 1024 * 1024);
    let expected = too_large(bytes.as_bytes());
    assert_eq!(file.content, Some(Content::Claimed(expected)));
    // The reported size is always the real one.
    let file = std::fs::File::create(w.path("project/AGENTS.md")).unwrap();
    file.set_len(20 * 1024 * 1024 * 1024).unwrap();
    let found = w.check(&["oversize project/AGENTS.md"]);
    let file = &found.snapshot.resources[0];
    assert_eq!(file.size, 20 * 1024 * 1024 * 1024);
    let size = (20_u64 * 1024 * 1024 * 1024).to_be_bytes();
    let expected = BlobHash::of(&[&size[..], &[0; 64 * 1024]].concat());
    assert_eq!(file.content, Some(Content::Claimed(expected)));
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
        Some(Content::Claimed(too_large(&vec![1; 524_289])))
    );
    let error = "it has 524289 bytes; at most 524288 are allowed";
    assert_eq!(files[1].error.as_deref(), Some(error));
    assert_eq!(files[1].size, 524_289);
}

/// The files of the first resource: how many are pinned, and the errors of the others.
fn files(w: &Workspace) -> (usize, Vec<(String, String)>) {
    let found = w.check(&["ok project/skills/a/SKILL.md"]);
    let files = &found.snapshot.resources[0].files;
    let pinned = files.iter().filter(|file| file.body().is_some()).count();
    let others = files.iter().filter(|file| file.body().is_none());
    let told = others.map(|file| (file.path.clone(), file.error.clone().unwrap()));
    (pinned, told.collect())
}

const PAST: &str = "a skill holds at most 512 files and 16 MiB, and lists at most 32 others";

#[test]
fn a_skill_has_512_files() {
    let w = Workspace::new();
    w.skill("project/skills/a");
    for index in 0..512 {
        w.write(&format!("project/skills/a/{index:03}"), "x");
    }
    // What is too large by itself takes no place.
    w.write("project/skills/a/000-large", vec![0; 600_000]);
    let large = "it has 600000 bytes; at most 524288 are allowed";
    assert_eq!(files(&w), (512, vec![("000-large".into(), large.into())]));
    w.write("project/skills/a/one-more", "x");
    w.write("project/skills/a/two-more", "x");
    let (pinned, told) = files(&w);
    assert_eq!((pinned, told.len()), (512, 2));
    let error = format!("this and 1 more are left out: {PAST}");
    assert_eq!(told[1], ("one-more".into(), error));
    // A change of what is left out shows.
    let line = |w: &Workspace| w.scan().snapshot.resources[0].files.last().cloned();
    let before = line(&w);
    assert_eq!(line(&w), before);
    w.write("project/skills/a/two-more", "xy");
    assert_ne!(line(&w), before);
}

#[test]
fn a_skill_has_16_mib() {
    let w = Workspace::new();
    w.skill("project/skills/a");
    for index in 0..31_u8 {
        w.write(
            &format!("project/skills/a/{index:02}"),
            vec![index; 524_288],
        );
    }
    w.write("project/skills/a/large", vec![0; 524_287]);
    assert_eq!(files(&w), (32, vec![]));
    // One byte is left: what is larger is left out, and what is smaller still fits.
    w.write("project/skills/a/m", "12");
    w.write("project/skills/a/n", "1");
    assert_eq!(
        files(&w),
        (33, vec![("m".into(), format!("left out: {PAST}"))])
    );
}

#[test]
fn a_directory_that_a_program_made_is_one_line() {
    let w = Workspace::new();
    w.skill("project/skills/a");
    w.write("project/skills/a/run.py", "x");
    w.write("project/skills/a/venv/pyvenv.cfg", "home = /usr\n");
    for index in 0..513 {
        w.write(&format!("project/skills/a/venv/lib/{index}.py"), "");
    }
    let tag = "Signature: 8a477f597d28d172789f06886806bc55\n# made by a build\n";
    w.write("project/skills/a/out/target/CACHEDIR.TAG", tag);
    w.write("project/skills/a/other/CACHEDIR.TAG", "no signature");
    let expected = vec![
        (
            "out/target".into(),
            "left out with 1 file: it is a cache".into(),
        ),
        (
            "venv".into(),
            "left out with 514 files: it is a Python environment".into(),
        ),
    ];
    assert_eq!(files(&w), (2, expected));
    // Another package shows, and what Python compiles on the way does not.
    let id = |w: &Workspace| w.scan().snapshot.addresses().id;
    let before = id(&w);
    w.write("project/skills/a/venv/lib/__pycache__/a.pyc", "x");
    assert_eq!(id(&w), before);
    w.write("project/skills/a/venv/lib/more.py", "x");
    assert_ne!(id(&w), before);
    // The skill's own directory is a skill, whatever lies in it.
    w.write("project/skills/a/pyvenv.cfg", "x");
    assert_eq!(files(&w).0, 3);
}

#[test]
fn all_skills_have_64_mib_and_4096_files() {
    let w = Workspace::new();
    for skill in 0..5_u8 {
        w.skill(&format!("project/skills/s{skill}"));
        for file in 0..32_u8 {
            let bytes = vec![skill * 32 + file; if skill < 4 { 520_000 } else { 100_000 }];
            w.write(&format!("project/skills/s{skill}/{file}"), bytes);
        }
    }
    let mut expected = [Status::Ok; 5];
    expected[4] = Status::Excluded;
    assert_eq!(statuses(&w), expected);
    let w = Workspace::new();
    for skill in 0..9 {
        w.skill(&format!("project/skills/s{skill}"));
        for file in 0..if skill < 8 { 511 } else { 0 } {
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
    w.write("project/AGENTS.md", "a".repeat(1_048_576));
    w.write("project/.claude/CLAUDE.md", "c".repeat(1_048_000));
    w.write("project/.cursorrules", "x".repeat(600));
    w.write("project/CLAUDE.md", "y".repeat(500));
    w.check(&[
        "ok project/.claude/CLAUDE.md",
        "ok project/.cursorrules",
        "excluded project/AGENTS.md",
        "ok project/CLAUDE.md",
    ]);
    // The body of a skill does not stand in the prompt.
    std::fs::remove_file(w.path("project/AGENTS.md")).unwrap();
    for index in 0..3 {
        let name = format!("s{index}");
        let path = format!("project/skills/{name}/SKILL.md");
        w.write(&path, padded_skill(&name, 1_000_000));
    }
    assert_eq!(statuses(&w), [Status::Ok; 6]);
}

#[test]
fn a_snapshot_has_1000_resources_that_are_used() {
    let w = Workspace::new();
    for index in 0..1_001 {
        w.skill(&format!("project/skills/s{index:04}"));
    }
    for index in 0..50 {
        w.write(
            &format!("project/skills/a{index:04}/SKILL.md"),
            "no frontmatter",
        );
    }
    let found = w.scan();
    let resources = &found.snapshot.resources;
    assert_eq!(resources.len(), 1_051);
    let is_ok = |resource: &&ctxpin_model::resource::Resource| resource.status == Status::Ok;
    assert!(resources[50..1_050].iter().all(|resource| is_ok(&resource)));
    assert_eq!(resources[1_050].status, Status::Excluded);
    assert_eq!(found.bodies.len(), 1_000);
    assert_eq!(found.snapshot.error, None);
}

#[test]
fn what_one_limit_leaves_out_counts_for_no_other() {
    let w = Workspace::new();
    for index in 0..40 {
        let name = format!("a{index:03}");
        let text = skill_md(&name).replace("Does", &"d".repeat(60_000));
        w.write(&format!("project/skills/{name}/SKILL.md"), text);
    }
    for index in 0..968 {
        w.skill(&format!("project/skills/b{index:03}"));
    }
    let found = statuses(&w);
    let used = found.iter().filter(|status| **status == Status::Ok).count();
    assert_eq!(used, 1_000);
    // Of the large ones as many as fit, of the small ones the rest.
    let large = found[..40]
        .iter()
        .filter(|status| **status == Status::Ok)
        .count();
    assert!((30..40).contains(&large), "{large}");
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
fn one_file_is_read_once_and_a_scan_has_512_mib() {
    let w = Workspace::new();
    w.write("project/docs/large.bin", vec![0; 500_000]);
    w.skill("project/skills/a");
    // 300 names of one file have 150 MB, which are read as one.
    for index in 0..300 {
        let name = w.path(&format!("project/skills/a/{index:03}.bin"));
        std::fs::hard_link(w.path("project/docs/large.bin"), name).unwrap();
    }
    let found = w.check(&["ok project/skills/a/SKILL.md"]);
    assert_eq!(found.bodies.len(), 2);
    for index in 0..40 {
        let skill = format!("project/skills/b{index:02}");
        w.skill(&skill);
        // A skill's own share is not more than 16 MiB, in 32 files that are no name of another one.
        for file in 0..32 {
            let path = w.path(&format!("{skill}/{file}"));
            std::fs::File::create(path)
                .unwrap()
                .set_len(524_288)
                .unwrap();
        }
    }
    w.skill("project/skills/z");
    let found = w.scan();
    let unread = found.snapshot.resources.iter().flat_map(|r| &r.files);
    let reason = "one scan reads at most 512 MiB";
    let unread = unread.filter(|file| file.error.as_deref() == Some(reason));
    assert!(unread.count() > 0);
    let last = found.snapshot.resources.last().unwrap();
    assert_eq!(last.source, w.text("project/skills/z/SKILL.md"));
    assert_eq!(last.status, Status::Ok, "what is small still fits");
}

#[test]
fn finding_15_a_file_of_511_names_is_read_once() {
    let w = Workspace::new();
    w.write("project/big/a/zero.bin", vec![0; 500_000]);
    w.write("project/big/a/SKILL.md", skill_md("a"));
    for index in 0..511 {
        w.link(&format!("project/big/a/l{index:03}"), "zero.bin");
    }
    // By 40 names these have 10 GB, past every limit of a scan.
    for index in 0..40 {
        w.link(&format!("project/skills/s{index:02}"), "../big/a");
    }
    let found = w.check(&["ok project/skills/s00/SKILL.md"]);
    assert_eq!(found.bodies.len(), 2);
    // A scan never reads the whole of a file that is too large: it reads 32 MiB of these 8 GiB.
    for index in 0..511 {
        let path = w.path(&format!("project/skills/large/{index:03}"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::File::create(path)
            .unwrap()
            .set_len(16 * 1024 * 1024)
            .unwrap();
    }
    w.write("project/skills/large/SKILL.md", skill_md("large"));
    let found = w.check(&[
        "ok project/skills/large/SKILL.md",
        "ok project/skills/s00/SKILL.md",
    ]);
    let last = found.snapshot.resources[0].files.last().unwrap();
    let error = last.error.as_deref().unwrap();
    assert!(!error.contains("512 MiB"), "{error}");
}

#[test]
fn finding_15_a_scan_parses_so_much_frontmatter() {
    let w = Workspace::new();
    let comment = "# What nobody needs.\n".repeat(3_000);
    for index in 0..300 {
        let text = format!("---\ndescription: x\n{comment}---\n");
        w.write(&format!("project/skills/s{index:03}/SKILL.md"), text);
    }
    w.skill("project/skills/z");
    let found = w.scan();
    let reason = "one scan parses at most 16 MiB of frontmatter";
    let skills = found.snapshot.resources.iter();
    let unparsed = skills.filter(|skill| skill.error.as_deref() == Some(reason));
    assert_eq!(unparsed.count(), 34);
    let last = found.snapshot.resources.last().unwrap();
    assert_eq!(last.source, w.text("project/skills/z/SKILL.md"));
    assert_eq!(last.status, Status::Ok, "what is short is still parsed");
}

#[test]
fn finding_15_the_links_of_a_scan_lead_over_so_many_names() {
    let w = Workspace::new();
    let deep = "d/".repeat(120);
    for skill in ["a", "b"] {
        let directory = format!("project/skills/{skill}");
        w.skill(&directory);
        w.write(&format!("{directory}/{deep}a/x"), "x");
        for link in 0..400 {
            let way = format!("{deep}{}a/x", "a/../".repeat(60));
            w.link(&format!("{directory}/l{link:03}"), way);
        }
    }
    let found = w.scan();
    let error = found.snapshot.error.as_deref().unwrap_or_default();
    let told = "the links of this scan lead over too many names: not all of them were followed";
    assert!(error.contains(told), "{error}");
    let unread = found.snapshot.resources.iter().flat_map(|r| &r.files);
    let unread = unread.filter(|file| {
        let error = file.error.as_deref().unwrap_or_default();
        error.contains("lead over too many names")
    });
    assert!(unread.count() > 0);
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
    w.write("project/skills/a/SKILL.md", padded_skill("a", 1_100_000));
    let before = w.check(&["oversize project/skills/a/SKILL.md"]);
    let edited = padded_skill("a", 1_100_000).replacen('x', "y", 1);
    w.write("project/skills/a/SKILL.md", &edited);
    let after = w.check(&["oversize project/skills/a/SKILL.md"]);
    assert_eq!(
        after.snapshot.resources[0].content,
        Some(Content::Claimed(too_large(edited.as_bytes())))
    );
    let id = |found: &ctxpin_scan::Scan| found.snapshot.addresses().id;
    assert_ne!(id(&after), id(&before));
    // One more byte anywhere shows too.
    w.write("project/skills/a/SKILL.md", edited + "x");
    let longer = w.check(&["oversize project/skills/a/SKILL.md"]);
    assert_ne!(id(&longer), id(&after));
}
