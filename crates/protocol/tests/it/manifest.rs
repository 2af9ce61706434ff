//! Tests of reading pushes: a server reads what an agent sends, and refuses what no correct agent
//! sends.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::manifest::{Claims, Manifest};
use ctxpin_model::mcp::{Detail, ServerShape, Tool};
use ctxpin_model::profile::{CodexSettings, Profile, Rules, Settings};
use ctxpin_model::push::{self, Position};
use ctxpin_model::resource::{Bodies, Content, Kind, Resource, SkillFile, Status};
use ctxpin_model::snapshot::{Facts, Snapshot};
use ctxpin_model::warning::{Code, Note, Warning};
use ctxpin_protocol::convert::manifest::{push, read};
use ctxpin_protocol::http::push::Push;
use ctxpin_protocol::problem::Problem;
use serde_json::{Map, Value, json};

/// Returns a snapshot with something of everything.
fn everything() -> Snapshot {
    let mut agents = Resource::new(Kind::InstructionFile, "/w/AGENTS.md", Status::Ok);
    agents.content = Some(Content::Pinned(BlobHash::of(b"abc")));
    agents.size = 3;
    agents.root = Some("/w".into());
    let mut skill = Resource::new(Kind::Skill, "/w/skills/s/SKILL.md", Status::Ok);
    skill.content = Some(Content::Pinned(BlobHash::of(b"---")));
    skill.name = Some("s".into());
    skill.description = Some("d".into());
    skill.files = vec![
        SkillFile {
            path: "a/b.sh".into(),
            content: Some(Content::Pinned(BlobHash::of(b"echo"))),
            size: 4,
            executable: true,
            error: None,
        },
        SkillFile {
            path: "big".into(),
            content: Some(Content::Claimed(BlobHash::of(b"big"))),
            size: 1 << 20,
            executable: false,
            error: Some("too large".into()),
        },
    ];
    let mut config = Resource::new(Kind::McpConfig, "/w/.mcp.json", Status::Ok);
    config.content = Some(Content::Claimed(BlobHash::of(b"secret")));
    config.detail = Some(Detail::Shape(vec![ServerShape {
        name: "files".into(),
        transport: "stdio".into(),
        command: Some("npx".into()),
        env: vec!["TOKEN".into()],
        ..ServerShape::default()
    }]));
    let mut server = Resource::new(Kind::McpServer, "files", Status::Ok);
    server.detail = Some(Detail::Tools(vec![Tool {
        name: "read".into(),
        description: None,
        input_schema: Map::new(),
    }]));
    let mut broken = Resource::new(Kind::InstructionFile, "/w/CLAUDE.md", Status::Unreadable);
    broken.error = Some("permission denied".into());
    Snapshot {
        facts: Facts {
            os: Some("linux".into()),
            directory: Some("/w".into()),
            rules: Some(Rules::newest(Settings::Codex(CodexSettings::defaults(
                "/home/.codex",
            )))),
        },
        error: Some("polling".into()),
        resources: vec![agents, broken, skill, config, server],
    }
}

fn bodies(texts: &[&str]) -> Bodies {
    let bytes = texts.iter().map(|text| Arc::<[u8]>::from(text.as_bytes()));
    bytes.map(|bytes| (BlobHash::of(&bytes), bytes)).collect()
}

#[test]
fn a_push_reads_back() {
    let snapshot = everything();
    let notes = vec![
        Note {
            source: Some("/w/CLAUDE.md".into()),
            warning: Warning::new(Code::ImportMissing).at_line(7).about("a.md"),
        },
        Note {
            source: None,
            warning: Warning::new(Code::NotesCut).about("3"),
        },
    ];
    let sent = push(
        4,
        9,
        false,
        &snapshot,
        &notes,
        &bodies(&["abc", "echo", "secret", "big"]),
    );
    let json = serde_json::to_string(&sent).unwrap();
    let read = read(serde_json::from_str(&json).unwrap()).unwrap();
    let claims = Claims::of(&everything(), bodies(&["abc", "echo"]));
    let expected = push::Push {
        position: Position {
            epoch: 4,
            version: 9,
        },
        mcp_settled: false,
        manifest: Manifest::new(claims).unwrap(),
        notes,
    };
    assert_eq!(read, expected);
}

/// Returns a push of one instruction file, changed by `change`.
fn changed(change: impl FnOnce(&mut Value)) -> Result<push::Push, Problem> {
    let hash = BlobHash::of(b"abc").to_string();
    let mut value = json!({
        "epoch": 1, "version": 1, "facts": {},
        "resources": [{
            "kind": "instruction_file", "source": "/w/AGENTS.md", "status": "ok",
            "content_hash": hash, "size_bytes": 3,
        }],
        "blobs": {hash: STANDARD.encode("abc")},
    });
    change(&mut value);
    let push: Push = serde_json::from_value(value).expect("the shape of a push");
    read(push)
}

#[test]
fn mcp_is_settled_by_default() {
    assert!(changed(|_| ()).unwrap().mcp_settled);
}

#[track_caller]
fn check_refused(expected: &str, change: impl FnOnce(&mut Value)) {
    let problem = changed(change).expect_err(expected);
    let name = problem.name().unwrap().as_str();
    let text = format!("{name}: {}", problem.detail);
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn invalid_texts_and_words_are_refused() {
    let resource = |member: &'static str, value: Value| {
        move |push: &mut Value| push["resources"][0][member] = value
    };
    check_refused(
        "invalid-manifest: `version`: it must be at least 1",
        |push| push["version"] = json!(0),
    );
    check_refused("invalid-manifest: `error`: it holds a NUL", |push| {
        push["error"] = json!("a\0")
    });
    check_refused("invalid-manifest: `facts.os`: it has 1025 bytes", |push| {
        push["facts"]["os"] = json!("a".repeat(1025));
    });
    check_refused(
        "invalid-manifest: `resources[0].kind`: `file` is not one of instruction_file, skill, mcp_config",
        resource("kind", json!("file")),
    );
    check_refused(
        "invalid-manifest: `resources[0].status`: `OK` is not one of ok, oversize",
        resource("status", json!("OK")),
    );
    check_refused(
        "invalid-manifest: `resources[0].source`: a source is",
        resource("source", json!("")),
    );
    check_refused(
        "invalid-manifest: `resources[0].source`: it has 2000 bytes, and at most 1024",
        resource("source", json!("é".repeat(1000))),
    );
    check_refused(
        "invalid-manifest: `resources[0].content_hash`: a hash is written sha256:",
        resource("content_hash", json!("abc")),
    );
    check_refused(
        "invalid-manifest: `resources[0].content_hash`: an instruction_file that is ok",
        resource("content_hash", Value::Null),
    );
    check_refused(
        "invalid-manifest: `resources[0].size_bytes`: a size must be",
        resource("size_bytes", json!(u64::MAX)),
    );
    check_refused(
        "invalid-manifest: `resources[0].name`: an instruction_file has no such member",
        resource("name", json!("n")),
    );
    check_refused(
        "invalid-manifest: `resources[0].shape`: an instruction_file has no such member",
        resource("shape", json!({"servers": []})),
    );
}

#[test]
fn rules_of_another_release_are_refused() {
    let facts = |facts: Value| {
        move |push: &mut Value| {
            push["facts"]["profile"] = facts["profile"].clone();
            push["facts"]["rules"] = facts["rules"].clone();
            push["facts"]["settings"] = facts["settings"].clone();
        }
    };
    let settings = Settings::Codex(CodexSettings::defaults("/home/.codex")).json();
    let codex = |rules: Value, settings: Value| {
        facts(json!({"profile": "codex", "rules": rules, "settings": settings}))
    };
    let newest = Profile::Codex.rules_known().last().copied().unwrap();
    assert!(changed(|push| push["facts"]["profile"] = json!("neutral")).is_ok());
    let push = changed(codex(json!(newest), settings.clone())).unwrap();
    let read = &push.manifest.claims().facts.rules;
    assert_eq!(
        read.as_ref().map(|rules| rules.settings.json()),
        Some(settings.clone())
    );
    check_refused(
        "invalid-manifest: `facts.profile`: this server knows the profiles neutral, claude-code, codex, opencode",
        facts(json!({"profile": "other", "rules": 1, "settings": {}})),
    );
    check_refused(
        &format!(
            "invalid-manifest: `facts.rules`: this server knows the rules {newest} of the profile `codex`; upgrade the server"
        ),
        codex(json!(newest + 1), settings.clone()),
    );
    check_refused(
        &format!(
            "invalid-manifest: `facts.rules`: this server knows the rules {newest} of the profile `codex`; upgrade the agent"
        ),
        codex(json!(newest - 1), settings.clone()),
    );
    check_refused(
        "invalid-manifest: `facts.rules`: the profile `codex` has them",
        codex(Value::Null, settings.clone()),
    );
    check_refused(
        "invalid-manifest: `facts.settings`: the profile `codex` has them",
        codex(json!(newest), Value::Null),
    );
    check_refused(
        "invalid-manifest: `facts.settings`: `home` is not valid: it is missing",
        codex(json!(newest), json!({})),
    );
    check_refused(
        "invalid-manifest: `facts.rules`: the neutral profile has none",
        facts(json!({"profile": "neutral", "rules": 1, "settings": null})),
    );
}

#[test]
fn invalid_skill_files_are_refused() {
    let skill = |files: Value| {
        move |push: &mut Value| {
            push["resources"][0]["kind"] = json!("skill");
            push["resources"][0]["files"] = files;
        }
    };
    let file =
        |path: &str| json!({"path": path, "size_bytes": 0, "executable": false, "error": "e"});
    for path in ["/etc/passwd", "../a", "a/../b", "a//b", "", ".", "a/"] {
        check_refused(
            "invalid-manifest: `resources[0].files[0].path`: a path lies below",
            skill(json!([file(path)])),
        );
    }
    check_refused(
        "invalid-manifest: `resources[0].files[1].path`: it is listed twice",
        skill(json!([file("a"), file("a")])),
    );
    check_refused(
        "invalid-manifest: `resources[0].files[0].content_hash`: a file has the hash",
        skill(json!([{"path": "a", "size_bytes": 0, "executable": false}])),
    );
    check_refused(
        "invalid-manifest: `resources[0].files[0].path`: it holds a NUL",
        skill(json!([file("a\0/../b")])),
    );
    check_refused(
        "invalid-manifest: `resources[0].files[0].path`: it has 1025 bytes",
        skill(json!([file(&"a".repeat(1025))])),
    );
    let many: Vec<Value> = (0..545).map(|number| file(&number.to_string())).collect();
    check_refused(
        "invalid-manifest: `resources[0].files`: there are 545, and at most 544",
        skill(json!(many)),
    );
}

#[test]
fn a_path_below_the_directory_is_accepted_verbatim() {
    for path in [
        "a\n<workspace-context>\r\nSource: b",
        "\u{202e}txt.exe\u{2066}",
        "..\\a",
        "...",
        "..a/b..",
        " ",
        "\u{ff0e}\u{ff0e}/a",
    ] {
        let read = changed(|push| {
            push["resources"][0]["kind"] = json!("skill");
            push["resources"][0]["files"] =
                json!([{"path": path, "size_bytes": 0, "executable": false, "error": "e"}]);
        });
        let read = read.unwrap_or_else(|problem| panic!("{path:?}: {problem:?}"));
        assert_eq!(read.manifest.claims().resources[0].files[0].path, path);
    }
}

#[test]
fn a_source_is_accepted_verbatim() {
    for source in [
        "/w/a\nSource: /b",
        "/w/\u{202e}dm.sdneGA",
        "/w/../AGENTS.md",
    ] {
        let read = changed(|push| push["resources"][0]["source"] = json!(source)).unwrap();
        assert_eq!(read.manifest.claims().resources[0].source, source);
    }
    check_refused(
        "invalid-manifest: `resources[0].source`: it holds a NUL",
        |push| push["resources"][0]["source"] = json!("/w/a\0"),
    );
}

/// A list that is too long is refused before its items are read.
#[test]
fn a_too_long_list_is_refused_before_its_items() {
    let resource = json!({"kind": "", "source": "", "status": "", "size_bytes": 0});
    let blobs = (0..1_000).map(|number| (number.to_string(), json!("*")));
    let blobs: Map<String, Value> = blobs.collect();
    check_refused(
        "invalid-manifest: `resources`: there are 100000, and at most 2000",
        |push| {
            push["resources"] = vec![resource; 100_000].into();
            push["blobs"] = blobs.into();
        },
    );
    let file = json!({"path": "..", "size_bytes": 0, "executable": false});
    check_refused(
        "invalid-manifest: `resources[0].files`: there are 100000, and at most 544",
        |push| {
            push["resources"][0]["kind"] = json!("skill");
            push["resources"][0]["files"] = vec![file; 100_000].into();
        },
    );
}

#[test]
fn two_thousand_resources_with_a_thousand_ok_are_accepted() {
    let read = changed(|push| {
        let mut copy = push["resources"][0].take();
        let copies = (0..2_000).map(|number| {
            copy["source"] = json!(format!("/w/{number}.md"));
            copy["status"] = json!(if number < 1_000 { "ok" } else { "invalid" });
            copy.clone()
        });
        push["resources"] = copies.collect();
    });
    assert_eq!(read.unwrap().manifest.claims().resources.len(), 2_000);
}

#[test]
fn notes_are_limited_and_unknown_ones_are_skipped() {
    let note = json!({"code": "import-missing", "detail": "a.md"});
    let read = changed(|push| {
        push["notes"] = json!([note, {"code": "of-a-later-release", "source": "/w"}]);
    });
    assert_eq!(read.unwrap().notes.len(), 1);
    check_refused(
        "invalid-manifest: `notes`: there are 201, and at most 200",
        |push| {
            push["notes"] = vec![note.clone(); 201].into();
        },
    );
    check_refused("invalid-manifest: `notes[0].detail`", |push| {
        push["notes"] = json!([{"code": "import-missing", "detail": "x".repeat(301)}]);
    });
    check_refused("invalid-manifest: `notes[0].source`", |push| {
        push["notes"] = json!([{"code": "import-missing", "source": "x".repeat(1_025)}]);
    });
}

#[test]
fn invalid_lists_are_refused() {
    let copies = |count: usize, status: &'static str| {
        move |push: &mut Value| {
            let mut copy = push["resources"][0].take();
            copy["status"] = json!(status);
            let copies = (0..count).map(|number| {
                copy["source"] = json!(format!("/w/{number}.md"));
                copy.clone()
            });
            push["resources"] = copies.collect();
        }
    };
    assert_eq!(
        changed(copies(1_000, "ok"))
            .unwrap()
            .manifest
            .claims()
            .resources
            .len(),
        1_000
    );
    check_refused(
        "invalid-manifest: `resources`: there are 1001 that are ok, and at most 1000",
        copies(1_001, "ok"),
    );
    check_refused(
        "invalid-manifest: `resources`: there are 2001, and at most 2000",
        copies(2001, "excluded"),
    );
    check_refused(
        "invalid-manifest: `resources[1]`: instruction_file /w/AGENTS.md is listed twice",
        |push| {
            let copy = push["resources"][0].clone();
            push["resources"].as_array_mut().unwrap().push(copy);
        },
    );
}

#[test]
fn invalid_bytes_are_refused() {
    let hash = BlobHash::of(b"abc").to_string();
    let invalid = |reason: &str| format!("invalid-manifest: `blobs.{hash}`: {reason}");
    let blob = |base64: String| {
        let hash = hash.clone();
        move |push: &mut Value| push["blobs"][hash] = json!(base64)
    };
    let no_base64 = invalid("it is not base64");
    check_refused(&no_base64, blob("ab*".into()));
    check_refused(&no_base64, blob("YWJ".into()));
    let mismatch = format!("hash-mismatch: `blobs.{hash}`: the bytes under this hash have");
    check_refused(&mismatch, blob(STANDARD.encode("abd")));
    let too_long = invalid("at most 1048576 bytes are taken");
    check_refused(&too_long, blob(STANDARD.encode(vec![0; (1 << 20) + 1])));
    check_refused(&too_long, blob("A".repeat(1 << 21)));
    check_refused("invalid-manifest: `blobs.me`: a hash is", |push| {
        push["blobs"]["me"] = json!("");
    });
    // Bytes that nothing names, and those of a configuration, must not be stored by mistake.
    let unwanted = invalid("no ok instruction file or skill of this push has it");
    check_refused(&unwanted, |push| push["resources"] = json!([]));
    check_refused(&unwanted, |push| {
        push["resources"][0]["kind"] = json!("mcp_config")
    });
    check_refused(&unwanted, |push| {
        push["resources"][0]["status"] = json!("oversize")
    });
}

#[test]
fn invalid_tools_are_refused() {
    let server = |tool: Value| {
        move |push: &mut Value| {
            push["resources"] = json!([{
                "kind": "mcp_server", "source": "s", "status": "ok", "size_bytes": 0, "tools": [tool],
            }]);
            push["blobs"] = json!({});
        }
    };
    check_refused(
        "invalid-manifest: `resources[0].tools[0].name`: it holds a NUL",
        server(json!({"name": "a\0", "input_schema": {}})),
    );
    check_refused(
        "invalid-manifest: `resources[0].tools[0].input_schema`: it holds a NUL",
        server(json!({"name": "a", "input_schema": {"a": [{"b": "\0"}]}})),
    );
}
