//! Records that somebody has rewritten since they were read.

use super::*;

#[tokio::test]
async fn a_rewritten_record_counts_no_request_twice() {
    let followed = Followed::new().await;
    followed.write("s", "session_meta", &json!({"id": "s"}));
    followed.start("s").await;
    for turn in ["t1", "t2"] {
        followed.prompt("s", turn).await;
        followed.request("s", turn);
    }
    followed.stop("s").await;
    let requests = || {
        let kept = lock(&followed.kept);
        let rows = kept.rows.iter().zip(&kept.row_bodies);
        rows.map(|((_, turn), row)| format!("{turn}:{}", row["requests"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(requests(), ["1:1", "2:1"]);
    let rewrite = |from: &str, to: &str| {
        let path = followed.record("s");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        fs::write(&path, text.replace(from, to)).unwrap();
    };
    rewrite("said", "SAID");
    // Codex reads it at a start, also if nothing was added.
    followed.start("s").await;
    assert!(!followed.asked().is_empty());
    followed.prompt("s", "t3").await;
    followed.request("s", "t3");
    followed.stop("s").await;
    assert_eq!(requests(), ["1:1", "2:1", "3:1"]);
}

#[tokio::test]
async fn a_record_that_has_moved_goes_on() {
    let followed = Followed::new().await;
    followed.write("s", "session_meta", &json!({"id": "s"}));
    followed.start("s").await;
    followed.prompt("s", "t1").await;
    followed.request("s", "t1");
    followed.stop("s").await;
    let record = followed.record("s");
    let moved = record.with_file_name("moved-s.jsonl");
    fs::rename(&record, &moved).unwrap();
    let stop = async || {
        let (mut event, arrived) = followed.event("s", HookEvent::Stop, "");
        event.call.record = Some(moved.to_str().unwrap().into());
        followed.hooks.stop(event, arrived).await.unwrap();
        followed.settle().await;
    };
    followed.asked();
    stop().await;
    assert_eq!(followed.asked(), [""; 0]);
    followed.prompt("s", "t2").await;
    followed.request("s", "t2");
    let more = fs::read(&record).unwrap();
    let mut file = fs::File::options().append(true).open(&moved).unwrap();
    file.write_all(&more).unwrap();
    stop().await;
    assert_eq!(followed.turns_of_rows(), ["1", "2"]);
}

#[tokio::test]
async fn what_codex_reads_of_an_edited_record_at_a_start_is_compared() {
    let followed = Followed::new().await;
    let text = |name: &str| {
        format!("# Rules\n\n{name}: each change has a test that would fail without it.\n")
    };
    let head = |name: &str| Some(followed.snapshot_with("one", Some(&text(name))));
    followed.newest.send_replace(head("PINNED"));
    let files = |name: &str| {
        format!(
            "# AGENTS.md instructions for /one\n\n<INSTRUCTIONS>\n{}\n</INSTRUCTIONS>",
            text(name)
        )
    };
    followed.write("s", "session_meta", &json!({"id": "s"}));
    followed.start("s").await;
    followed.prompt("s", "t1").await;
    followed.settle().await;
    followed.request_with("s", "t1", &files("PINNED"));
    // A long answer stands behind the files.
    let long = "x".repeat(5 * 1024 * 1024 / 4);
    followed.request_with("s", "t1", &long);
    followed.stop("s").await;
    let path = followed.record("s");
    let record = fs::read_to_string(&path).unwrap();
    fs::write(&path, record.replace("PINNED", "EDITED")).unwrap();
    followed.start("s").await;
    followed.prompt("s", "t2").await;
    followed.request("s", "t2");
    followed.stop("s").await;
    let kept = lock(&followed.kept);
    let verdicts: Vec<_> = kept.row_bodies.iter().map(|row| &row["verdict"]).collect();
    assert_eq!(verdicts, ["as-pinned", "deviates"]);
}
