//! What a client writes later than it tells of an end, and what it hands over without a word of the end.

use std::process::{Command, Stdio};

use ctxpin_protocol::control::ClientProcess;

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
    let turns: Vec<_> = lock(&followed.kept)
        .rows
        .iter()
        .map(|(_, turn)| turn.clone())
        .collect();
    assert_eq!(turns, ["1", "1", "2"]);
}

#[tokio::test]
async fn what_a_plugin_handed_over_is_handed_in_when_its_client_has_ended() {
    let followed = Followed::of(Profile::Opencode).await;
    followed.start("s").await;
    followed.prompt("s", "t1").await;
    followed.settle().await;
    let mut client = Command::new("cat");
    client.stdin(Stdio::piped());
    let mut client = client.spawn().unwrap();
    let stat = ProcessStat::read(client.id()).unwrap();
    let (mut event, arrived) = followed.event("s", HookEvent::Given, "");
    event.call.given = Some(system(1));
    event.call.process = Some(ClientProcess {
        pid: client.id(),
        began: stat.began().unwrap(),
        began_ms: 0,
    });
    followed.hooks.given(event, arrived).await.unwrap();
    followed.settle().await;
    assert_eq!(followed.rows(), 0);
    client.kill().unwrap();
    followed.until(|kept| kept.rows.len() == 1).await;
    client.wait().unwrap();
}
