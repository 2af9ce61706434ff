//! Several directories with one server, and processes that end and return.

use std::fs;

use crate::bench::{Bench, assert_says};

#[test]
fn directories_share_a_server_that_outlives_whoever_started_it() {
    let bench = Bench::new();
    let first = bench.workspace("first", "First.\n");
    let second = bench.workspace("second", "Second.\n");
    bench.ok(&first, &["up", "--detach"]);
    bench.ok(&second, &["up", "--detach"]);
    let server = |name: &str| {
        let file = fs::read_to_string(bench.data().join("server.json")).unwrap();
        let file: serde_json::Value = serde_json::from_str(&file).unwrap();
        file[name].clone()
    };
    let url = server("url");
    assert_says(&bench.ok(&first, &["chat", "list"]), &["first", "second"]);
    assert_says(&bench.ok(&second, &["prompt"]), &["Second."]);
    let inside = second.join("deep");
    fs::create_dir(&inside).unwrap();
    assert_says(&bench.ok(&inside, &["prompt"]), &["Second."]);

    // The process with the server is killed, and the other one takes the server over.
    let leader = bench.pid(&first).as_raw_nonzero().get();
    assert_eq!(server("pid"), leader);
    let history = bench.json(&second, &["chat", "history"]);
    let mut watch = bench.start(&second, &["watch", "--json"]);
    watch.until(|line| line.contains("\"ready\"").then_some(()));
    bench.kill(&first);
    fs::write(second.join("AGENTS.md"), "Changed.\n").unwrap();
    watch.until(|line| line.contains("\"dirty\":true").then_some(()));
    assert_eq!(server("url"), url);
    assert_eq!(server("pid"), bench.pid(&second).as_raw_nonzero().get());
    assert_eq!(bench.json(&second, &["chat", "history"]), history);

    // It starts again, and finds all data.
    let up = bench.ok(&first, &["up", "--detach"]);
    assert_says(
        &up,
        &["\"first\"", url.as_str().unwrap().trim_end_matches('/')],
    );
    assert_eq!(
        bench.json(&first, &["chat", "history"])["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let down = bench.ok(&first, &["down"]);
    assert_eq!(down.matches("stopped watching").count(), 2, "{down}");
}

/// Blocks the file that says where the server is, as a full disk does, and takes it over.
#[test]
fn a_server_is_taken_over_before_its_file_can_be_written() {
    let bench = Bench::new();
    let first = bench.workspace("first", "First.\n");
    let second = bench.workspace("second", "Second.\n");
    bench.ok(&first, &["up", "--detach"]);
    bench.ok(&second, &["up", "--detach"]);
    let file = bench.data().join("server.json");
    let kept = fs::read(&file).unwrap();
    let mut watch = bench.start(&second, &["watch", "--json"]);
    watch.until(|line| line.contains("\"ready\"").then_some(()));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    bench.kill(&first);
    fs::write(second.join("AGENTS.md"), "Changed.\n").unwrap();
    watch.until(|line| line.contains("\"dirty\":true").then_some(()));

    fs::remove_dir(&file).unwrap();
    let leader = bench.pid(&second).as_raw_nonzero().get();
    bench.ok(&first, &["up", "--detach"]);
    let server = fs::read(&file).unwrap();
    assert_ne!(server, kept);
    let server: serde_json::Value = serde_json::from_slice(&server).unwrap();
    assert_eq!(server["pid"], leader);
}

#[test]
fn nothing_is_lost_when_everything_is_killed() {
    let bench = Bench::new();
    let app = bench.workspace("app", "one\n");
    bench.ok(&app, &["up", "--detach"]);
    fs::write(app.join("AGENTS.md"), "two\n").unwrap();
    bench.ok(&app, &["agent", "resync"]);
    bench.ok(&app, &["chat", "refresh"]);
    let before = (
        bench.json(&app, &["chat", "show"]),
        bench.ok(&app, &["prompt"]),
    );
    bench.kill(&app);
    bench.fails(&app, &["chat", "show"], 1);
    bench.ok(&app, &["up", "--detach"]);
    let after = (
        bench.json(&app, &["chat", "show"]),
        bench.ok(&app, &["prompt"]),
    );
    assert_eq!(after, before);
}

#[test]
fn a_directory_is_watched_once() {
    let bench = Bench::new();
    let app = bench.workspace("app", "one\n");
    let mut up = bench.start(&app, &["up", "--no-user-roots"]);
    up.until(|line| line.contains("Ctrl-C").then_some(()));
    let again = bench.run(&app, &["up"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_says(&again.err, &["already runs", "nothing was started"]);
    let other = bench.workspace("other", "x\n");
    let refused = bench.fails(
        &other,
        &["up", "--database", "postgres://127.0.0.1:1/none"],
        1,
    );
    assert_says(&refused, &["another database", "hint: "]);
    let missing = bench.fails(&app, &["up", "nowhere"], 1);
    assert_says(&missing, &["nowhere"]);
    assert_eq!(up.terminate(), Some(0));
    assert_eq!(bench.ok(&app, &["down"]), "nothing is running\n");
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let bench = Bench::new();
    let app = bench.workspace("app", "one\n");
    for arguments in [&["up"][..], &["up", "--detach"]] {
        let address = ["--database", "postgres://nobody@127.0.0.1:1/none"];
        let said = bench.fails(&app, &[arguments, &address].concat(), 1);
        assert_says(&said, &["error: the server stopped"]);
    }
}

#[test]
fn an_agent_that_the_server_lost_is_replaced() {
    let bench = Bench::new();
    let app = bench.workspace("app", "one\n");
    bench.ok(&app, &["up", "--detach"]);
    let old = bench.json(&app, &["chat", "show"]);
    bench.ok(&app, &["down"]);
    fs::remove_dir_all(bench.data().join("servers")).unwrap();
    assert_says(
        &bench.ok(&app, &["up", "--detach"]),
        &["\"app\"", "pinned to"],
    );
    let new = bench.json(&app, &["chat", "show"]);
    assert_ne!(new["agent_id"], old["agent_id"]);
    assert_eq!(
        new["context"]["context_hash"],
        old["context"]["context_hash"]
    );
}

#[test]
fn an_agent_is_reached_though_its_directory_is_gone() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let elsewhere = bench.workspace("elsewhere", "y\n");
    bench.ok(&app, &["up", "--detach"]);
    fs::remove_dir_all(&app).unwrap();
    let status = ["agent", "status", "--dir", app.to_str().unwrap()];
    assert_says(&bench.ok(&elsewhere, &status), &["agent on ", "app"]);
    let status = ["agent", "status", "--dir", "nowhere"];
    let refused = bench.fails(&elsewhere, &status, 1);
    assert_says(&refused, &["no agent runs on ", "nowhere", "hint: "]);
    bench.ok(&elsewhere, &["down"]);
}
