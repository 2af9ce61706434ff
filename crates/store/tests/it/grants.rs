//! A grant is valid in its own transaction only, and a newer schema is not written.

use ctxpin_model::access::Operation;
use ctxpin_model::id::{ChatId, TokenId};
use ctxpin_model::token::Token;
use ctxpin_store::database::{Database, Storage};
use ctxpin_store::error::Error;
use ctxpin_store::grant::{Caller, Granted, object, right};
use ctxpin_testing::databases::{TestService, test_start};
use ctxpin_testing::people::first_admin;
use sqlx::{Connection, Executor, SqliteConnection};
use uuid::Uuid;

async fn opened() -> (TestService, Database, Caller, Storage) {
    let test = TestService::sqlite().await;
    let credential = first_admin(&test.service).await;
    let storage = Storage::Sqlite(test.sqlite_path().expect("a SQLite file"));
    let database = Database::open(&storage).await.unwrap();
    (
        test,
        database,
        Caller {
            credential,
            now: test_start(),
        },
        storage,
    )
}

#[tokio::test]
async fn a_grant_of_another_transaction_is_refused() {
    let (_test, database, caller, _) = opened().await;
    let mut one = database.read().await.unwrap();
    let account: Granted<object::Account, right::Metadata> =
        one.grant_account(&caller, Operation::MeRead).await.unwrap();
    assert!(account.own_user(&mut one).await.is_ok());
    let mut other = database.read().await.unwrap();
    let error = account.own_user(&mut other).await.unwrap_err();
    assert!(matches!(error, Error::Unexpected(_)), "{error}");
}

#[tokio::test]
async fn a_forged_token_opens_nothing() {
    let (_test, database, caller, _) = opened().await;
    let forged = Token::new(caller.credential.id, [7; 32]).credential();
    let unknown = Token::new(TokenId::from(Uuid::from_u128(1)), [7; 32]).credential();
    for credential in [forged, unknown] {
        let caller = Caller {
            credential,
            ..caller
        };
        let mut transaction = database.read().await.unwrap();
        let chat = ChatId::from(Uuid::from_u128(1));
        let refused = transaction
            .grant_chat(&caller, Operation::ChatRead, chat)
            .await;
        assert!(matches!(refused, Err(Error::Unauthenticated)));
        assert!(matches!(
            database.prompt(&caller, chat, None).await,
            Err(Error::Unauthenticated)
        ));
    }
}

#[tokio::test]
async fn a_newer_schema_is_read_but_not_written() {
    let (_test, database, caller, storage) = opened().await;
    let Storage::Sqlite(path) = &storage else {
        panic!("a SQLite file")
    };
    let mut raw = SqliteConnection::connect(&format!("sqlite://{}", path.display()))
        .await
        .unwrap();
    raw.execute(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (9999, 'of a later release', 1, x'00', 0)",
    )
    .await
    .unwrap();
    let mut reading = database.read().await.unwrap();
    let read: Result<Granted<object::Account, right::Metadata>, _> =
        reading.grant_account(&caller, Operation::ChatList).await;
    assert!(read.is_ok());
    let sighting = database.sight_account(&caller, Operation::ChatCreate).await;
    let mut writing = database.write().await.unwrap();
    let written = writing
        .grant_account_sighted(&caller, &sighting.unwrap())
        .await;
    assert!(matches!(
        written,
        Err(Error::SchemaNewer { found: 9999, .. })
    ));
    drop(writing);
    let error = Database::open(&storage).await.err().unwrap().to_string();
    assert!(error.contains("9999"), "{error}");
}
