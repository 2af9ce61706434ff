//! An example of each shape in JSON. A change here is a change for every client.

use ctxpin_model::resource;
use ctxpin_protocol::convert;
use ctxpin_protocol::http::agents::{
    Agent, AgentCreate, AgentCreated, Refreshed, Session, SessionOpen, TimelineHead,
};
use ctxpin_protocol::http::audit::AuditEntry;
use ctxpin_protocol::http::chats::{Chat, ChatChange, ChatCreate, ChatQuery};
use ctxpin_protocol::http::context::{Context, ContextMove, RefreshFilter};
use ctxpin_protocol::http::diff::{Diff, DiffQuery};
use ctxpin_protocol::http::exposure::{ChatExposure, Exposure, KnownHashes};
use ctxpin_protocol::http::history::{HistoryEntry, HistoryQuery};
use ctxpin_protocol::http::page::{Page, PageQuery};
use ctxpin_protocol::http::people::{
    Me, Token, TokenCreate, TokenCreated, TokenRevoke, User, UserChange, UserCreate,
};
use ctxpin_protocol::http::push::{Push, PushAnswer};
use ctxpin_protocol::http::quotas::{QuotaChange, Usage};
use ctxpin_protocol::http::resources::{Change, Resource, ResourceText};
use ctxpin_protocol::http::scan::Scan;
use ctxpin_protocol::http::skills::{Skill, SkillQuery};
use ctxpin_protocol::http::turns::{Turn, TurnBegin, TurnBegun};
use ctxpin_protocol::problem::Problem;
use ctxpin_protocol::watch::{ChatTurn, Deleted};
use serde::Serialize;
use serde::de::DeserializeOwned;

const TURN: &str = r#"{"number":3,"snapshot":"sha256:a","prompt_hash":"sha256:b","tools_snapshot":null,
"delivery":"delivered","reference":"r","started_at":"2026-01-02T03:04:05Z"}"#;

const CHAT: &str = r#"{"id":"00000000-0000-0000-0000-000000000001","title":"t","client":"c","reference":"r",
"agent_id":"00000000-0000-0000-0000-000000000002","parent_id":"00000000-0000-0000-0000-000000000003",
"mode":"delivered","policy":"manual","tools":"live","archived":false,
"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05.000001Z",
"context":{"snapshot":"sha256:a","context_hash":"sha256:b","pinned_at":"2026-01-02T03:04:05Z","dirty":true,
"dirty_since":"2026-01-02T03:04:05Z","declined":false,"error":null,"renderer":2},
"last_verdict":{"turn":7,"verdict":"deviates","witness":"client"}}"#;

const AGENT: &str = r#"{"id":"00000000-0000-0000-0000-000000000001","workspace":"w","name":null,"profile":"neutral","epoch":0,
"head":null,"mcp_settled":false,"connected":false,"created_at":"2026-01-02T03:04:05Z"}"#;

const RESOURCE: &str = r#"{"id":"0123456789abcdef","kind":"skill","source":"/w/skills/s/SKILL.md","status":"ok",
"content_hash":"sha256:a","size_bytes":12,"root":"/w","name":"s","description":"d",
"files":[{"path":"a/b.sh","content_hash":"sha256:b","size_bytes":3,"executable":true},
{"path":"big","size_bytes":999999,"executable":false,"error":"too large"}]}"#;

const USER: &str = r#"{"id":"00000000-0000-0000-0000-000000000001","name":"n","roles":["member","admin"],
"disabled":false,"created_at":"2026-01-02T03:04:05Z"}"#;

const TOKEN: &str = r#"{"id":"00000000-0000-0000-0000-000000000001","label":null,"scopes":["read","write"],
"user":"00000000-0000-0000-0000-000000000002","created_at":"2026-01-02T03:04:05Z",
"expires_at":"2027-01-02T03:04:05Z"}"#;

/// Checks that a text reads as a shape that is written as the same text, apart from line breaks.
fn check<T: Serialize + DeserializeOwned>(text: &str) {
    let text = text.replace('\n', "");
    let shape: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    assert_eq!(serde_json::to_string(&shape).unwrap(), text);
}

#[test]
fn agents() {
    check::<Agent>(AGENT);
    check::<Agent>(
        r#"{"id":"00000000-0000-0000-0000-000000000001","workspace":"w","name":"n","profile":"codex","home":"/h","epoch":2,
"head":{"snapshot":"sha256:a","seq":1,"received_at":"2026-01-02T03:04:05Z"},"mcp_settled":true,"connected":true,
"last_push_at":"2026-01-02T03:04:05Z","created_at":"2026-01-02T03:04:05Z",
"notes":[{"source":"/w/CLAUDE.md","code":"import-missing","line":3,"detail":"a.md"},{"code":"notes-cut"}],
"refused":{"limit":"pushes","at":"2026-01-02T03:04:05Z"}}"#,
    );
    check::<TimelineHead>(
        r#"{"agent":"00000000-0000-0000-0000-000000000001","seq":1,"snapshot":"sha256:a",
"context_hash":"sha256:b","tools_hash":"sha256:c","received_at":"2026-01-02T03:04:05Z"}"#,
    );
    check::<AgentCreate>(r#"{"workspace":"w"}"#);
    check::<AgentCreate>(
        r#"{"workspace":"w","name":"n","may_refresh":true,"replaces":"same","profile":"codex","home":"/h"}"#,
    );
    check::<AgentCreated>(&format!(r#"{{"agent":{AGENT},"token":"secret"}}"#));
    check::<SessionOpen>(r#"{"process":"00000000-0000-0000-0000-000000000001"}"#);
    check::<Session>(
        r#"{"epoch":1,"head":null,"profile":"codex","limits":{"request_bytes_max":1,"upload_bytes_max":2,
"prompt_file_bytes_max":3,"skill_md_bytes_max":15,"mcp_config_bytes_max":4,"skill_file_bytes_max":5,"skill_files_max":6,
"skill_bytes_max":7,"skill_listed_max":8,"snapshot_skill_files_max":9,"snapshot_skill_bytes_max":10,
"snapshot_prompt_bytes_max":11,"snapshot_resources_max":12,"snapshot_listed_max":13,"notes_max":14,"polling_bytes_max":16,"profiles":[{"name":"codex","rules":[1]}]},
"quota_warnings":[{"limit":"agents","used":8,"quota":9}],"token_expires_at":"2027-01-02T03:04:05Z"}"#,
    );
    let older = r#"{"epoch":1,"head":null,"limits":{"request_bytes_max":1,"upload_bytes_max":2,
"prompt_file_bytes_max":3,"skill_file_bytes_max":4,"skill_files_max":5,"skill_bytes_max":6,
"snapshot_skill_files_max":7,"snapshot_skill_bytes_max":8,"snapshot_prompt_bytes_max":9,
"snapshot_resources_max":10,"snapshot_listed_max":11}}"#;
    let older: Session = serde_json::from_str(older).unwrap();
    assert_eq!(
        older.limits.notes_max, 0,
        "a server of an older release accepts no notes"
    );
    assert_eq!(
        older.limits.skill_md_bytes_max, None,
        "an older release has one limit for both"
    );
    check::<Refreshed>(r#"{"refreshed":3,"observed":1}"#);
}

#[test]
fn pushes() {
    check::<Push>(r#"{"epoch":1,"version":2,"facts":{},"resources":[],"blobs":{}}"#);
    check::<Push>(
        r#"{"epoch":1,"version":2,"facts":{},"resources":[],"notes":[{"code":"notes-cut","detail":"7"}],"blobs":{}}"#,
    );
    check::<Push>(
        r#"{"epoch":1,"version":2,"error":"e","mcp_settled":false,"facts":{"os":"linux","directory":"/w"},
"resources":[{"kind":"instruction_file","source":"/w/AGENTS.md","status":"ok","content_hash":"sha256:a",
"size_bytes":4,"root":"/w"},
{"kind":"skill","source":"/w/skills/s/SKILL.md","status":"invalid","error":"e","size_bytes":1,"name":"s",
"description":"d","files":[{"path":"a","content_hash":"sha256:b","size_bytes":3,"executable":true}]},
{"kind":"mcp_config","source":"/w/.mcp.json","status":"ok","content_hash":"sha256:c","size_bytes":9,
"shape":{"servers":[{"name":"s","transport":"stdio","command":"npx","env":["TOKEN"],"headers":[]},
{"name":"h","transport":"http","host":"example.org","env":[],"headers":["Authorization"]}]}},
{"kind":"mcp_server","source":"s","status":"ok","size_bytes":0,
"tools":[{"name":"t","description":"d","input_schema":{"type":"object"}}]}],
"blobs":{"sha256:a":"YWJj"}}"#,
    );
    check::<PushAnswer>(r#"{"accepted":true,"snapshot":"sha256:a","seq":3,"hydrated":2}"#);
    check::<PushAnswer>(
        r#"{"accepted":false,"reason":"not newer","snapshot":null,"seq":null,"hydrated":0}"#,
    );
    check::<Scan>(&format!(
        r#"{{"snapshot":"sha256:a","context_hash":"sha256:b","tools_hash":"sha256:c","error":"e",
"facts":{{"os":"linux"}},"resources":[{RESOURCE}]}}"#
    ));
}

#[test]
fn chats() {
    check::<Page<Chat>>(&format!(r#"{{"items":[{CHAT}],"next":"c"}}"#));
    check::<Page<Chat>>(r#"{"items":[],"next":null}"#);
    check::<Chat>(
        r#"{"id":"00000000-0000-0000-0000-000000000001","title":null,"agent_id":null,"mode":"delivered","policy":"manual",
"tools":"live","archived":true,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z",
"context":{"snapshot":null,"context_hash":null,"pinned_at":null,"dirty":false,"dirty_since":null,
"declined":false,"error":null,"renderer":null}}"#,
    );
    check::<ChatCreate>("{}");
    check::<ChatCreate>(
        r#"{"client":"c","reference":"r","agent_id":"00000000-0000-0000-0000-000000000001",
"parent_id":"00000000-0000-0000-0000-000000000002","title":"t","mode":"observed","policy":"manual","tools":"pinned"}"#,
    );
    check::<ChatChange>("{}");
    check::<ChatChange>(r#"{"title":null,"agent_id":null}"#);
    check::<ChatChange>(
        r#"{"title":"t","archived":true,"agent_id":"00000000-0000-0000-0000-000000000001",
"parent_id":"00000000-0000-0000-0000-000000000002","mode":"delivered","policy":"additive","tools":"live"}"#,
    );
    check::<ChatQuery>(
        r#"{"agent":"00000000-0000-0000-0000-000000000001","dirty":true,"archived":false,"client":"c",
"reference":"r","cursor":"x","limit":3}"#,
    );
    check::<HistoryQuery>(r#"{"cursor":"x","limit":3}"#);
    check::<PageQuery>(r#"{"cursor":"x","limit":3}"#);
}

#[test]
fn contexts() {
    check::<Context>(&format!(
        r#"{{"snapshot":"sha256:a","context_hash":"sha256:b","pinned_at":"2026-01-02T03:04:05Z","dirty":true,
"dirty_since":"2026-01-02T03:04:05Z","declined":true,"error":"e","renderer":1,
"agent_refused":{{"limit":"content_bytes","at":"2026-01-02T03:04:05Z"}},
"head":{{"snapshot":"sha256:c","seq":2,"received_at":"2026-01-02T03:04:05Z"}},"resources":[{RESOURCE}],
"changes":[{{"kind":"facts","source":"","change":"modified","effect":"prompt"}}],"effect":"prompt",
"latest_renderer":2,"notices":null,"policy":"manual",
"tools_differ":false,
"quota_warnings":[{{"limit":"chats","used":8,"quota":9}}]}}"#
    ));
    check::<Resource>(RESOURCE);
    check::<ResourceText>(
        r#"{"id":"0123456789abcdef","kind":"mcp_config","source":"/w/.mcp.json","status":"ok","size_bytes":12,
"shape":{"servers":[]},"warnings":[{"code":"comment-kept","line":3},{"code":"name-form","detail":"A"}],
"removed":{"comment":1,"invisible":2,"blank":3},"body":null}"#,
    );
    check::<Change>(&format!(
        r#"{{"kind":"skill","source":"/w/skills/s/SKILL.md","change":"modified","effect":"skill","cause":"rules",
"pinned":{RESOURCE},"head":{RESOURCE}}}"#
    ));
    check::<Diff>(
        r#"{"pinned":"sha256:a","head":null,"changes":[{"kind":"skill","source":"/w/skills/s/SKILL.md",
"change":"removed","effect":"none","text":"-a\n"}]}"#,
    );
    check::<Diff>(
        r#"{"pinned":"sha256:a","head":"sha256:b","changes":[{"kind":"skill","source":"/w/skills/s/SKILL.md",
"change":"modified","effect":"skill","id":"0123456789abcdef","pinned_bytes":1,"head_bytes":2,"more":true},
{"kind":"skill","source":"/w/skills/t/SKILL.md","change":"modified","effect":"skill","sentences":["s"],"files":[
{"pinned":"a","head":null,"binary":true},
{"pinned":null,"head":"b","too_large":{"pinned":null,"head":{"content_hash":"sha256:c","size_bytes":3}}},
{"pinned":"c","head":"c","line_ends":"l","hunks":[{"pinned_start":1,"pinned_lines":1,"head_start":1,"head_lines":1,
"lines":[{"kind":"removed","text":"a"},{"kind":"added","text":"b","words":[[0,1]],"unended":true}]}]}]}]}"#,
    );
    check::<DiffQuery>(r#"{"from":1,"to":2,"resource":"0123456789abcdef","hunks":true}"#);
    check::<ContextMove>("{}");
    check::<ContextMove>(r#"{"render":true}"#);
    check::<ContextMove>(
        r#"{"head":"sha256:a","sources":["/w/AGENTS.md",{"kind":"skill","source":"/s"}]}"#,
    );
    check::<ContextMove>(r#"{"mode":"append","decline":"sha256:a","snapshot":"sha256:b"}"#);
    check::<RefreshFilter>(
        r#"{"agent_id":"00000000-0000-0000-0000-000000000001","content_hash":"sha256:a"}"#,
    );
    check::<HistoryEntry>(
        r#"{"kind":"move","seq":2,"snapshot":null,"context_hash":null,"agent_id":null,"reason":"clear","renderer":null,"mcp_settled":true,
"actor":{"kind":"user","id":"00000000-0000-0000-0000-000000000001","name":"n","door":"api"},
"at":"2026-01-02T03:04:05Z"}"#,
    );
}

#[test]
fn skills_and_turns() {
    check::<Skill>(
        r#"{"name":"s","description":"d","source":"/w/skills/s/SKILL.md","content_hash":"sha256:a",
"files":[{"path":"a","content_hash":"sha256:b","size_bytes":3,"executable":false}],"body":"---"}"#,
    );
    check::<SkillQuery>(r#"{"raw":true}"#);
    check::<Turn>(TURN);
    check::<Turn>(
        r#"{"number":1,"snapshot":null,"prompt_hash":null,"tools_snapshot":null,"delivery":"observed",
"started_at":"2026-01-02T03:04:05Z"}"#,
    );
    check::<TurnBegin>("{}");
    check::<TurnBegin>(r#"{"reference":"r","delivery":"observed"}"#);
    check::<TurnBegun>(
        r#"{"number":1,"snapshot":"sha256:a","prompt_hash":"sha256:b","tools_snapshot":"sha256:c",
"delivery":"delivered","started_at":"2026-01-02T03:04:05Z","prompt":"p","prompt_tokens":1,"notices":null,
"skills":[{"name":"s","description":"d","source":"/w/skills/s/SKILL.md","content_hash":"sha256:a"}],
"tools":[{"name":"s__t","server":"s","tool":"t","description":"d","input_schema":{}}],"notice":"n"}"#,
    );
    check::<TurnBegun>(
        r#"{"number":1,"snapshot":"sha256:a","prompt_hash":"sha256:b","tools_snapshot":"sha256:c",
"delivery":"delivered","started_at":"2026-01-02T03:04:05Z","notices":null,"notice":"n"}"#,
    );
}

#[test]
fn exposures() {
    check::<KnownHashes>(r#"{"items":[{"kind":"context","hash":"sha256:a"}],"complete":true}"#);
    check::<ChatExposure>(
        r#"{"chat_id":"00000000-0000-0000-0000-000000000001","title":"t","workspace":"w","archived":false,
"periods":[{"kind":"skill","source":"/w/skills/s/SKILL.md","path":"a","from_seq":1,"from":"2026-01-02T03:04:05Z","until":null}],
"turns":{"count":2,"first":1,"last":3},"unlisted":{"count":1,"first":3,"last":3}}"#,
    );
    check::<ChatExposure>(
        r#"{"chat_id":"00000000-0000-0000-0000-000000000001","archived":true,"periods":[
{"from_seq":1,"from":"2026-01-02T03:04:05Z","until":"2026-01-02T03:04:06Z"}],"turns":null}"#,
    );
    check::<Exposure>(
        r#"{"chats":[{"chat_id":"00000000-0000-0000-0000-000000000001","kind":"skill",
"source":"/w/skills/s/SKILL.md","path":"a","from_seq":1,"from":"2026-01-02T03:04:05Z","until":"2026-01-02T03:04:06Z"},
{"chat_id":"00000000-0000-0000-0000-000000000001","kind":"instruction_file","source":"/w/AGENTS.md",
"from_seq":3,"from":"2026-01-02T03:04:07Z","until":null}],
"turns":[{"chat_id":"00000000-0000-0000-0000-000000000001","number":4,
"started_at":"2026-01-02T03:04:05Z","by_tools":false}]}"#,
    );
}

#[test]
fn people() {
    check::<User>(USER);
    check::<UserCreate>(r#"{"name":"n","roles":[]}"#);
    check::<UserChange>(r#"{"name":"n","roles":["auditor"],"disabled":true}"#);
    check::<TokenCreate>("{}");
    check::<TokenCreate>(
        r#"{"label":"l","scopes":["read"],"expires_at":"2027-01-02T03:04:05Z",
"user":"00000000-0000-0000-0000-000000000001"}"#,
    );
    check::<TokenCreated>(&format!(r#"{{"token":{TOKEN},"secret":"s"}}"#));
    check::<Me>(&format!(r#"{{"user":{USER},"token":{TOKEN}}}"#));
    check::<AuditEntry>(
        r#"{"id":"00000000-0000-0000-0000-000000000001","actor":{"kind":"system"},
"action":"token_create","object":{"kind":"user","id":"00000000-0000-0000-0000-000000000002"},"outcome":"done","at":"2026-01-02T03:04:05Z","count":3}"#,
    );
    check::<AuditEntry>(
        r#"{"id":"00000000-0000-0000-0000-000000000001","actor":{"kind":"user","id":"00000000-0000-0000-0000-000000000002"},
"token":"00000000-0000-0000-0000-000000000003","action":"token_create_for",
"object":{"kind":"token","id":"00000000-0000-0000-0000-000000000004"},"outcome":"done","at":"2026-01-02T03:04:05Z","count":1,
"new_token":{"id":"00000000-0000-0000-0000-000000000004","user":"00000000-0000-0000-0000-000000000005",
"scopes":["read"],"expires_at":"2027-01-02T03:04:05Z"}}"#,
    );
    check::<Token>(
        r#"{"id":"00000000-0000-0000-0000-000000000001","label":null,"scopes":[],
"user":"00000000-0000-0000-0000-000000000002","agent_id":"00000000-0000-0000-0000-000000000003",
"created_at":"2026-01-02T03:04:05Z","made_by":{"token":"00000000-0000-0000-0000-000000000004",
"user":"00000000-0000-0000-0000-000000000005","name":"n"}}"#,
    );
    check::<TokenRevoke>("{}");
    check::<TokenRevoke>(r#"{"children":true}"#);
}

#[test]
fn quotas() {
    check::<Usage>(
        r#"{"user":"00000000-0000-0000-0000-000000000001",
"content_bytes":{"used":1,"quota":2,"is_default":true},"agents":{"used":1,"quota":2,"is_default":false},
"chats":{"used":1,"quota":2,"is_default":true},"tokens":{"used":1,"quota":2,"is_default":true}}"#,
    );
    check::<QuotaChange>(r#"{"content_bytes":null,"agents":1}"#);
    check::<QuotaChange>(r#"{"chats":null,"tokens":2}"#);
}

#[test]
fn problems_and_events() {
    check::<Problem>(
        r#"{"type":"urn:ctxpin:problem:missing-blobs","title":"t","status":409,"detail":"d",
"missing":["sha256:a"],"more":1}"#,
    );
    check::<ChatTurn>(&format!(
        r#"{{"chat_id":"00000000-0000-0000-0000-000000000001","turn":{TURN}}}"#
    ));
    check::<Deleted>(r#"{"id":"00000000-0000-0000-0000-000000000001"}"#);
}

#[test]
fn unknown_members_of_a_response_are_ignored() {
    let text = AGENT.replacen('{', r#"{"colour":"green","#, 1);
    serde_json::from_str::<Agent>(&text).unwrap();
}

#[test]
fn unknown_members_of_a_request_are_errors() {
    fn check<T: DeserializeOwned>(text: &str, expected: &str) {
        let error = serde_json::from_str::<T>(text)
            .err()
            .map(|error| error.to_string());
        let error = error.unwrap_or_else(|| panic!("{text} was accepted"));
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    check::<ContextMove>(r#"{"source":["/a"]}"#, "unknown field `source`");
    check::<ChatChange>(r#"{"agent":null}"#, "unknown field `agent`");
    check::<ChatChange>(r#"{"archived":null}"#, "invalid type: null");
    check::<ChatQuery>(r#"{"drity":true}"#, "unknown field `drity`");
    check::<RefreshFilter>(r#"{"agent_id":null}"#, "invalid type: null");
    check::<AgentCreate>(r#"{"workspace":"w","owner":"o"}"#, "unknown field `owner`");
    check::<Push>(
        r#"{"epoch":1,"version":1,"facts":{}}"#,
        "missing field `resources`",
    );
    check::<TokenCreate>(r#"{"scope":["read"]}"#, "unknown field `scope`");
}

#[test]
fn a_secret_is_not_printed() {
    let text = format!(r#"{{"token":{TOKEN},"secret":"hidden"}}"#);
    let created: TokenCreated = serde_json::from_str(&text).unwrap();
    assert!(!format!("{created:?}").contains("hidden"));
    assert_eq!(created.secret.expose(), "hidden");
}

#[test]
fn what_a_tool_puts_before_a_name_is_not_compared_with_the_directory() {
    let check = |name: &str, expected: &[&str]| {
        let mut skill = resource::Resource::new(
            resource::Kind::Skill,
            "/w/skills/pdf/SKILL.md",
            resource::Status::Ok,
        );
        skill.name = Some(name.to_owned());
        let told = convert::resources::resource(&skill, None).warnings;
        let codes: Vec<_> = told.iter().map(|warning| warning.code.as_str()).collect();
        assert_eq!(codes, expected, "{name}");
    };
    check("pdf", &[]);
    check("a kit:pdf", &[]);
    check("a kit:tools", &["name-directory"]);
    check("my-pdf", &["name-directory"]);
}
