//! Declared sources: those of the control socket, before and after a restart, and those of the operator.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use ctxpin_agent::control::Client;
use ctxpin_agent::error::AgentError;
use ctxpin_agent::report::Report;
use ctxpin_protocol::control::DeclaredBy;
use ctxpin_scan::trust::Trust;

use crate::agent::{PATIENCE, Workspace};
use crate::fake_server::FakeServer;

async fn listed(control: &Client, base: &Path) -> Vec<String> {
    let sources = control.source_list().await.unwrap();
    let base = format!("{}/", base.display());
    let path = |path: &str| path.strip_prefix(&base).unwrap_or(path).to_owned();
    let sources = sources.iter();
    sources
        .map(|s| match s.declared_by {
            DeclaredBy::Operator => format!("operator {}", path(&s.path)),
            DeclaredBy::User => path(&s.path),
        })
        .collect()
}

#[tokio::test]
async fn sources_are_declared_and_survive_a_restart() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    fs::write(w.path("project/docs/style.md"), "style").unwrap();
    fs::create_dir(w.path("project/rules")).unwrap();
    fs::write(w.path("project/rules/AGENTS.md"), "rules").unwrap();
    let mut agent = w.start();
    agent.pushed(1).await;
    let control = agent.control.clone();
    let rules = control.source_add(&w.path("project/rules/")).await.unwrap();
    assert!(rules.changed);
    agent.pushed(2).await;
    let style = w.path("project/docs/style.md");
    assert!(control.source_add(&style).await.unwrap().changed);
    agent.pushed(3).await;
    let sources = [
        "project/AGENTS.md",
        "project/rules/AGENTS.md",
        "project/docs/style.md",
    ];
    assert_eq!(server.sources(&w.base), sources);
    let again = control.source_add(&w.path("project/./rules")).await;
    assert!(!again.unwrap().changed);
    let shown = control.source_show(&w.path("project/rules")).await.unwrap();
    assert_eq!(shown.resources.len(), 1);
    assert_eq!(shown.resources[0].status, "ok");
    agent.shut_down().await;

    let kept = w.path("state/sources.json");
    assert_eq!(
        fs::metadata(&kept).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let mut agent = w.start();
    agent.until(|r| matches!(r, Report::Started { .. })).await;
    let control = agent.control.clone();
    let resynced = control.resync(PATIENCE, None).await.unwrap();
    assert_eq!((resynced.seq, resynced.resources), (3, 3));
    let expected = ["project/rules", "project/docs/style.md"];
    assert_eq!(listed(&control, &w.base).await, expected);
    // Remove it by another path to the same place.
    symlink(w.path("project/rules"), w.path("project/link")).unwrap();
    let removed = control
        .source_remove(&w.path("project/link"))
        .await
        .unwrap();
    assert_eq!(removed.path, w.path("project/rules").to_str().unwrap());
    agent.pushed(4).await;
    assert_eq!(server.sources(&w.base), [sources[0], sources[2]]);
    agent.shut_down().await;
}

#[tokio::test]
async fn what_is_no_source_is_refused() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    fs::write(w.path("project/main.rs"), "x").unwrap();
    let mut agent = w.start();
    agent.pushed(1).await;
    let control = agent.control.clone();
    for (path, expected) in [
        (w.path("outside"), "--allow-root"),
        (w.path("project/../outside"), "--allow-root"),
        (w.path("project/main.rs"), "must be named"),
        ("docs".into(), "not an absolute path"),
        ("/".into(), "--allow-root"),
        (format!("/{}", "x".repeat(2_000)).into(), "longer than"),
    ] {
        let error = control.source_add(&path).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{}: {error}", path.display());
    }
    for answer in [
        control
            .source_remove(&w.path("project/docs"))
            .await
            .map(drop),
        control.source_show(&w.path("project/docs")).await.map(drop),
    ] {
        let error = answer.unwrap_err().to_string();
        assert!(error.contains("not declared"), "{error}");
    }
    assert!(control.source_list().await.unwrap().is_empty());
    assert!(!w.path("state/sources.json").exists());
    agent.shut_down().await;
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_left_alone() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    w.start().shut_down().await;
    for text in ["", "{\"sources\":[\"/a\"", "[]", "{\"sources\":[\"a\"]}"] {
        fs::write(w.path("state/sources.json"), text).unwrap();
        let error = w.fail().await;
        assert!(matches!(error, AgentError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("ctxpin source add"), "{error}");
        let left = fs::read_to_string(w.path("state/sources.json")).unwrap();
        assert_eq!(left, text);
    }
}

#[tokio::test]
async fn the_operator_declares_for_everyone() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    for path in ["outside/all", "outside/some"] {
        fs::create_dir(w.path(path)).unwrap();
        fs::write(w.path(path).join("AGENTS.md"), path).unwrap();
    }
    let (all, some) = (w.path("outside/all"), w.path("outside/some"));
    let config = format!("allow_roots = [{some:?}]\nsources = [{all:?}]\n");
    fs::write(w.path("agent.toml"), config).unwrap();
    let mut agent = w.start();
    agent.pushed(1).await;
    let control = agent.control.clone();
    control.source_add(&some).await.unwrap();
    agent.pushed(2).await;
    let expected = ["operator outside/all", "outside/some"];
    assert_eq!(listed(&control, &w.base).await, expected);
    let sources = [
        "project/AGENTS.md",
        "outside/all/AGENTS.md",
        "outside/some/AGENTS.md",
    ];
    assert_eq!(server.sources(&w.base), sources);
    let error = control.source_remove(&all).await.unwrap_err().to_string();
    assert!(error.contains("operator"), "{error}");
    agent.shut_down().await;
}

#[tokio::test]
async fn an_operators_mistake_is_named() {
    let server = FakeServer::start().await;
    let w = Workspace::new(&server);
    for (text, expected) in [
        ("# x\nallow_root = []\n", "line 2: unknown field"),
        ("sources = [", "line 1"),
        ("sources = \"/a\"\n", "line 1"),
        ("sources = [\"a\"]\n", "a is not absolute"),
        ("trust_roots = [\"b\"]\n", "b is not absolute"),
    ] {
        fs::write(w.path("agent.toml"), text).unwrap();
        let error = w.fail().await.to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// The user who runs the test owns the workspace, but the agent scans it for another user.
#[tokio::test]
async fn finding_07_the_operator_trusts_for_everyone() {
    let server = FakeServer::start().await;
    let mut w = Workspace::new(&server);
    w.settings.trust = Trust::of(4_242, None);
    let project = w.path("project");
    let error = w.fail().await.to_string();
    let line = format!("trust_roots = [{project:?}]");
    assert!(error.contains(&format!("the line `{line}`")), "{error}");
    assert!(matches!(w.fail().await, AgentError::Directory(_)));
    fs::write(w.path("agent.toml"), line).unwrap();
    let mut agent = w.start();
    agent.pushed(1).await;
    assert_eq!(server.sources(&w.base), ["project/AGENTS.md"]);
    agent.shut_down().await;
    // A configuration that everybody can write to does not count.
    fs::set_permissions(w.path("agent.toml"), Permissions::from_mode(0o666)).unwrap();
    let error = w.fail().await.to_string();
    assert!(
        error.contains("everybody may write it; `chmod o-w` it"),
        "{error}"
    );
}
