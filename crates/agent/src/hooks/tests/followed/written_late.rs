//! What a client writes later than it tells of an end, and what it hands over without a word of the end.

use std::process::{Child, Command, Stdio};

use super::*;
use crate::process_stat::ProcessStat;

#[tokio::test]
async fn what_a_client_writes_behind_the_end_of_a_turn_is_handed_in() {
    let followed = Followed::new().await;
    followed.write("s", "session_meta", &json!({"id": "s"}));
    followed.start("s").await;
    followed.prompt("s", "t1").await;
    followed.request("s", "t1");
    followed.stop("s").await;
    assert_eq!(followed.rows(), 1);
    followed.request("s", "t1");
    followed.until(|kept| kept.rows.len() == 2).await;
    followed.prompt("s", "t2").await;
    followed.request("s", "t2");
    followed.stop("s").await;
    assert_eq!(followed.turns_of_rows(), ["1", "1", "2"]);
}

/// A client of which nothing is known but that it runs, until it ends.
struct Running(Child);

impl Running {
    fn begin() -> Self {
        let mut client = Command::new("cat");
        client.stdin(Stdio::piped());
        Self(client.spawn().unwrap())
    }

    fn process(&self) -> ClientProcess {
        let stat = ProcessStat::read(self.0.id()).unwrap();
        ClientProcess {
            pid: self.0.id(),
            began: stat.began().unwrap(),
            began_ms: 0,
        }
    }

    fn end(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Returns the sessions of opencode with a session that has a turn.
async fn prompted() -> Followed {
    let followed = Followed::of(Profile::Opencode).await;
    followed.start("s").await;
    followed.prompt("s", "t1").await;
    followed.settle().await;
    followed
}

#[tokio::test]
async fn what_a_plugin_handed_over_is_handed_in_when_its_client_has_ended() {
    let followed = prompted().await;
    let client = Running::begin();
    let process = client.process();
    let given = followed.gives_line("s", system("t1", 1), Some(&process));
    given.await.unwrap();
    followed.settle().await;
    assert_eq!(followed.rows(), 0);
    client.end();
    followed.until(|kept| kept.rows.len() == 1).await;
    // On a busy machine, it has ended before the plugin's word comes.
    let given = followed.gives_line("s", system("t1", 2), Some(&process));
    given.await.unwrap();
    followed.until(|kept| kept.rows.len() == 2).await;
}

#[tokio::test]
async fn what_is_left_out_holds_nothing_up() {
    let followed = prompted().await;
    let client = Running::begin();
    let process = client.process();
    let given = followed.gives_line("s", system("t1", 1), Some(&process));
    given.await.unwrap();
    let given = followed.gives_line("s", "{}".into(), Some(&process));
    given.await.unwrap_err();
    client.end();
    followed.until(|kept| kept.rows.len() == 1).await;
}

#[tokio::test]
async fn what_a_plugin_handed_over_waits_for_its_turn() {
    let followed = Followed::of(Profile::Opencode).await;
    followed.start("s").await;
    // The server takes no push for a while, such as on a full disk.
    let mut ends = Vec::new();
    for turn in ["t1", "t2"] {
        let (end, ended) = oneshot::channel();
        let scan: Fresh = Box::pin(async { ended.await.ok() });
        followed.prompt_with("s", turn, Some(scan)).await;
        let given = followed.gives_line("s", system(turn, 1), None);
        given.await.unwrap();
        ends.push(end);
    }
    let [first, second] = ends.try_into().unwrap();
    let _ = first.send(followed.snapshot("one"));
    // The reading behind the first prompt ends before the second turn is recorded.
    followed.settle_but(2).await;
    assert_eq!(lock(&followed.kept).turns.len(), 1);
    let _ = second.send(followed.snapshot("one"));
    followed.settle().await;
    followed.stop("s").await;
    assert_eq!(followed.turns_of_rows(), ["1", "2"]);
    assert_eq!(followed.held_requests("s"), 0);
}
