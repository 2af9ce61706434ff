//! Tests of the baseline on both databases.

use super::Baseline;
use crate::database::Kind;
use crate::repository::Repository;

/// Names the PostgreSQL server on which tests make databases.
const POSTGRES_VARIABLE: &str = "CTXPIN_TEST_POSTGRES";

async fn copies_marks_and_refreshes(kind: Kind) {
    let baseline = Baseline::open(&kind).await.expect("its tables are made");
    let count = async |of: &str| {
        let sql = format!("select cast(count(*) as bigint) from {of}");
        baseline.pool.number(&sql).await.expect("a count")
    };
    let mut repository = Repository::new("/w", 2);
    let agent = baseline.agent().await.expect("an agent");
    let chats = baseline.chats(agent, 3).await.expect("chats");
    let push = async |repository: &Repository| {
        let pushed = baseline.push(agent, repository).await;
        pushed.expect("a push is taken");
    };
    let dirty = "chats where dirty_since is not null";

    push(&repository).await;
    assert_eq!(count("agent_resources").await, 2);
    assert_eq!(count("chat_resources").await, 6);
    assert_eq!(count(dirty).await, 0);

    repository.change(1);
    push(&repository).await;
    assert_eq!(count("chat_resources").await, 6);
    assert_eq!(count(dirty).await, 3);
    let differing = "chat_resources c join agent_resources r on r.source = c.source \
         where r.body <> c.body and r.hash <> c.hash";
    assert_eq!(count(differing).await, 3);

    let refreshed = baseline.refresh(chats[0], agent).await;
    refreshed.expect("a refresh is taken");
    assert_eq!(count("chat_resources").await, 6);
    assert_eq!(count(dirty).await, 2);
    assert_eq!(count(differing).await, 2);

    let cleaned = baseline.clean(agent, &repository).await;
    cleaned.expect("the marks come off");
    push(&repository).await;
    assert_eq!(count(dirty).await, 0);
    baseline.finish().await.expect("it is removed");
}

#[tokio::test]
async fn on_sqlite() {
    copies_marks_and_refreshes(Kind::sqlite()).await;
}

#[tokio::test]
async fn on_postgres() {
    let url = std::env::var(POSTGRES_VARIABLE).unwrap_or_else(|_| {
        panic!("{POSTGRES_VARIABLE} names no server: run `cargo xtask test`");
    });
    let kind = format!("PostgreSQL={url}").parse();
    copies_marks_and_refreshes(kind.expect("a name and a URL")).await;
}
