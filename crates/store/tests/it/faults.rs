//! A permanent fault is not reported as one that may pass.

use ctxpin_operations::error::Error as OperationError;
use ctxpin_operations::people;
use ctxpin_store::error::Error;
use ctxpin_testing::databases::{TestService, create_postgres_database_of_user};
use ctxpin_testing::on_both_databases;
use ctxpin_testing::people::first_admin;

on_both_databases!(case_k4_a_permanent_fault_is_none_that_passes);

async fn case_k4_a_permanent_fault_is_none_that_passes(test: &TestService) {
    let credential = first_admin(&test.service).await;
    test.tamper("alter table users rename column name to elsewhere")
        .await;
    let failed = people::me(&test.service, credential).await;
    assert!(
        matches!(failed, Err(OperationError::Store(Error::Unexpected(_)))),
        "{failed:?}"
    );
}

/// The cause is PostgreSQL's own message, followed by what the operator can do.
#[tokio::test]
async fn case_b17_missing_rights_are_told_with_what_to_do() {
    let test = TestService::postgres_at(create_postgres_database_of_user(5).await).await;
    let credential = first_admin(&test.service).await;
    test.tamper("revoke select on users from current_user")
        .await;
    let failed = people::me(&test.service, credential).await.unwrap_err();
    let OperationError::Store(Error::Unexpected(told)) = failed else {
        panic!("{failed:?}")
    };
    assert_eq!(
        told,
        "permission denied for table users (SQLSTATE 42501); make the user the owner of \
         the database, or of the first schema in its search_path"
    );
    test.finish().await;
}
