//! Retries of transactions that lose against others.

use ctxpin_store::database::Attempts;
use ctxpin_store::error::Error;

#[tokio::test]
async fn a_lost_transaction_is_retried_within_bounds() {
    let mut attempts = Attempts::default();
    let mut tried = 1;
    while attempts.pause_before_retry(&Error::Conflict).await {
        tried += 1;
    }
    assert_eq!(tried, 20, "the error is returned in the end");
    // A retry would return the same.
    assert!(
        !Attempts::default()
            .pause_before_retry(&Error::NotFound("chat"))
            .await
    );
}
