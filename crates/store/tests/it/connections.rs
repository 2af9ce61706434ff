//! Connections that PostgreSQL ends while nobody uses them.

use ctxpin_model::access::Operation;
use ctxpin_model::id::ChatId;
use ctxpin_operations::service::Storage;
use ctxpin_store::database::{Database, Location};
use ctxpin_store::error::Error;
use ctxpin_store::grant::{Caller, Granted, object, right};
use ctxpin_testing::databases::{TestService, test_start};
use ctxpin_testing::people::first_admin;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// Ends every connection to the database but the one that asks.
async fn cut_all(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity \
         where datname = current_database() and pid <> pg_backend_pid()",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
}

#[tokio::test]
async fn connections_that_were_cut_while_idle_are_replaced_unnoticed() {
    let test = TestService::postgres().await;
    let credential = first_admin(&test.service).await;
    let Storage::Postgres { url, .. } = &test.storage else {
        panic!("a PostgreSQL database")
    };
    let location = Location::Postgres {
        url: url.clone(),
        connections_max: 4,
    };
    let database = Database::open(&location).await.unwrap();
    let caller = Caller {
        credential,
        now: test_start(),
    };
    for _ in 0..2 {
        // All four are open at once, and idle again.
        let (one, two, three, four) = tokio::join!(
            database.read(),
            database.write(),
            database.read(),
            database.write()
        );
        for transaction in [one, two, three, four] {
            transaction.unwrap().commit().await.unwrap();
        }
        cut_all(url).await;
        let chat = ChatId::from(Uuid::from_u128(1));
        let missing = database.prompt(&caller, chat, None).await;
        assert!(matches!(missing, Err(Error::NotFound(_))), "{missing:?}");
        let mut transaction = database.write().await.unwrap();
        let account: Granted<object::Account, right::Write> = transaction
            .grant_account(&caller, Operation::MeRead)
            .await
            .unwrap();
        assert!(account.own_user(&mut transaction).await.is_ok());
    }
    database.close().await;
    test.finish().await;
}
