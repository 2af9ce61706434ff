//! Records that a client writes later than it tells of an end.

use super::*;

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
