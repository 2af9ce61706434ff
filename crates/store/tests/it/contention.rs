//! What is tried again when transactions meet, and for how long.

use ctxpin_store::database::Attempts;
use ctxpin_store::error::Error;

#[tokio::test]
async fn a_lost_transaction_is_tried_again_within_bounds() {
    let mut attempts = Attempts::default();
    let mut tried = 1;
    while attempts.again(&Error::Conflict).await {
        tried += 1;
    }
    assert_eq!(tried, 20, "who asked is told in the end");
    // A refusal is an answer, which another attempt would only repeat.
    assert!(!Attempts::default().again(&Error::NotFound("chat")).await);
}
