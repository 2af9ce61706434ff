//! Compares the code with `testdata/hashing/*.json`. `docs/hashing.md` describes a vector.
//! `INSTA_UPDATE=always` rewrites the expected values. The comparison is our own, because a vector also holds its
//! snapshot, which is written by hand, and other programs read the file.

use std::path::{Path, PathBuf};

use ctxpin_model::canonical;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::mcp::{Detail, ServerShape, Tool};
use ctxpin_model::profile::{ClaudeCodeSettings, CodexSettings, Rules, Settings};
use ctxpin_model::resource::{Also, Applies, Content, Resource, SkillFile};
use ctxpin_model::snapshot::{Facts, Snapshot};
use serde_json::{Map, Value, json};

/// The greatest size, in bytes, of an encoding in a vector. For larger ones it has the hash only.
const ENCODING_SHOWN_MAX: usize = 4_096;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/hashing")
}

#[test]
fn every_vector_holds() {
    let updates = std::env::var_os("INSTA_UPDATE").is_some_and(|value| value == "always");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).expect("the vectors are there") {
        let path = entry.expect("a folder can be listed").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        check(&path, updates);
        seen += 1;
    }
    assert!(seen >= 10, "only {seen} vectors were found");
}

fn check(path: &Path, updates: bool) {
    let name = path.display();
    let text = std::fs::read_to_string(path).expect("a vector can be read");
    let mut vector: Value = serde_json::from_str(&text).expect("a vector is JSON");
    let snapshot = snapshot(&vector["snapshot"]);
    let found = expected(&snapshot);
    if updates {
        vector["expected"] = found;
        let text = serde_json::to_string_pretty(&vector).expect("a value is JSON") + "\n";
        std::fs::write(path, text).expect("a vector can be written");
    } else {
        assert_eq!(vector["expected"], found, "{name}");
    }
}

/// Returns the encodings and the hashes of a snapshot, as JSON.
fn expected(snapshot: &Snapshot) -> Value {
    let addresses = snapshot.addresses();
    let shown = |bytes: Vec<u8>| {
        let shown = (bytes.len() <= ENCODING_SHOWN_MAX).then(|| hex::encode(&bytes));
        json!({ "bytes": bytes.len(), "hex": shown })
    };
    let resources = snapshot.resources.iter().map(|resource| {
        let detail = resource.detail.as_ref().map(Detail::canonical_json);
        json!({
            "id": resource.id().to_string(),
            "content_hash": resource.content.map(|content| content.hash().to_string()),
            "detail": detail.as_deref().map(String::from_utf8_lossy),
            "detail_hash": detail.map(|json| BlobHash::of(&json).to_string()),
        })
    });
    json!({
        "snapshot_id": addresses.id.to_string(),
        "context_hash": addresses.context_hash.to_string(),
        "tools_hash": addresses.tools_hash.to_string(),
        "encodings": {
            "snapshot": shown(canonical::snapshot(snapshot)),
            "context": shown(canonical::context(snapshot)),
            "tools": shown(canonical::tools(snapshot)),
        },
        "resources": resources.collect::<Vec<_>>(),
    })
}

fn snapshot(value: &Value) -> Snapshot {
    let facts = value.get("facts").cloned().unwrap_or_default();
    Snapshot {
        facts: Facts {
            os: text(&facts, "os"),
            directory: text(&facts, "directory"),
            rules: facts.get("rules").map(|version| rules(version, &facts)),
        },
        error: text(value, "error"),
        resources: list(value, "resources").iter().map(resource).collect(),
    }
}

fn rules(version: &Value, facts: &Value) -> Rules {
    let settings = &facts["settings"];
    let names = |key: &str| list(settings, key).iter().map(word).collect();
    let home = word(&settings["home"]);
    let settings = match word(&facts["profile"]).as_str() {
        "claude-code" => Settings::ClaudeCode(ClaudeCodeSettings {
            home,
            excludes: names("claudeMdExcludes"),
            instruction_files: word(&settings["instructionFiles"]).parse().expect("a word"),
            is_disabled: settings["CLAUDE_CODE_DISABLE_CLAUDE_MDS"] == true,
            allows_external_imports: settings["hasClaudeMdExternalIncludesApproved"] == true,
            ..ClaudeCodeSettings::defaults("")
        }),
        _ => Settings::Codex(CodexSettings {
            home,
            bytes_max: settings["project_doc_max_bytes"]
                .as_u64()
                .expect("a number"),
            fallback_names: names("project_doc_fallback_filenames"),
            root_markers: names("project_root_markers"),
        }),
    };
    Rules {
        version: serde_json::from_value(version.clone()).expect("a version"),
        settings,
    }
}

fn word(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn resource(value: &Value) -> Resource {
    let word = |key: &str| text(value, key).unwrap_or_else(|| panic!("no {key} in {value}"));
    let kind = word("kind").parse().expect("a kind");
    let status = word("status").parse().expect("a status");
    Resource {
        error: text(value, "error"),
        content: content(value),
        size: size(value),
        name: text(value, "name"),
        description: text(value, "description"),
        root: text(value, "root"),
        detail: detail(value),
        files: list(value, "files").iter().map(file).collect(),
        applies: value.get("applies").map(applies),
        imported_by: text(value, "imported_by"),
        ..Resource::new(kind, word("source"), status)
    }
}

fn applies(value: &Value) -> Applies {
    let globs = |value| list(value, "globs").iter().map(word).collect();
    let also = list(value, "also").iter().map(|also| Also {
        below: word(&also["below"]),
        globs: globs(also),
        behind: text(also, "behind"),
    });
    Applies {
        below: word(&value["below"]),
        globs: globs(value),
        also: also.collect(),
    }
}

fn file(value: &Value) -> SkillFile {
    SkillFile {
        path: text(value, "path").expect("a file has a path"),
        content: content(value),
        size: size(value),
        executable: value.get("executable").is_some_and(|flag| flag == true),
        error: text(value, "error"),
    }
}

fn content(value: &Value) -> Option<Content> {
    let hash = |text: String| text.parse().expect("a hash");
    let body = text(value, "body").map(|body| Content::Pinned(BlobHash::of(body.as_bytes())));
    let pinned = || text(value, "pinned").map(|text| Content::Pinned(hash(text)));
    let claimed = || text(value, "claimed").map(|text| Content::Claimed(hash(text)));
    body.or_else(pinned).or_else(claimed)
}

fn detail(value: &Value) -> Option<Detail> {
    if value.get("shape").is_some() {
        return Some(Detail::Shape(
            list(value, "shape").iter().map(server).collect(),
        ));
    }
    value.get("tools")?;
    Some(Detail::Tools(
        list(value, "tools").iter().map(tool).collect(),
    ))
}

fn server(value: &Value) -> ServerShape {
    let names = |key: &str| {
        let names = list(value, key).iter();
        names
            .map(|name| name.as_str().expect("a name").to_owned())
            .collect()
    };
    ServerShape {
        name: text(value, "name").expect("a server has a name"),
        transport: text(value, "transport").expect("a server has a transport"),
        command: text(value, "command"),
        host: text(value, "host"),
        env: names("env"),
        headers: names("headers"),
    }
}

fn tool(value: &Value) -> Tool {
    let schema: Option<&Map<_, _>> = value.get("input_schema").and_then(Value::as_object);
    Tool {
        name: text(value, "name").expect("a tool has a name"),
        description: text(value, "description"),
        input_schema: schema.expect("a tool has a schema").clone(),
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

fn size(value: &Value) -> u64 {
    value.get("size").and_then(Value::as_u64).unwrap_or(0)
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
