//! Faults of the database: a permanent one is not reported as transient, and its cause says what to do.

use ctxpin_operations::error::Error as OperationError;
use ctxpin_operations::people;
use ctxpin_store::error::Error;
use ctxpin_testing::databases::{TestService, create_postgres_database_of_user};
use ctxpin_testing::on_both_databases;
use ctxpin_testing::people::first_admin;

on_both_databases!(case_k4_a_permanent_fault_is_not_transient);

async fn case_k4_a_permanent_fault_is_not_transient(test: &TestService) {
    let credential = first_admin(&test.service).await;
    test.tamper("alter table users rename column name to elsewhere")
        .await;
    let failed = people::me(&test.service, credential).await;
    assert!(
        matches!(failed, Err(OperationError::Store(Error::Unexpected(_)))),
        "{failed:?}"
    );
}

/// The cause is PostgreSQL's own message, followed by advice for the operator.
#[tokio::test]
async fn case_b17_missing_rights_come_with_advice() {
    let test = TestService::postgres_at(create_postgres_database_of_user(5).await).await;
    let credential = first_admin(&test.service).await;
    test.tamper("revoke select on users from current_user")
        .await;
    let failed = people::me(&test.service, credential).await.unwrap_err();
    let OperationError::Store(Error::Unexpected(cause)) = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(
        cause,
        "permission denied for table users (SQLSTATE 42501); make the user the owner of \
         the database, or of the first schema in its search_path"
    );
    test.finish().await;
}
