//! The outcome of an operation, as a caller sees it.

use ctxpin_model::access::Refusal;
use ctxpin_operations::error::{Error, Result};
use ctxpin_store::error::Error as StoreError;

/// The outcome of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The caller may not do it.
    Forbidden(Refusal),
    /// The object does not exist for the caller.
    NotFound,
    /// The token is not valid.
    Unauthenticated,
    /// The caller may do the operation, but the request was refused.
    Refused,
}

impl Outcome {
    /// Returns the outcome of a result.
    pub fn of<T>(result: &Result<T>) -> Self {
        match result {
            Ok(_) => Self::Done,
            Err(Error::NotFound(_) | Error::Store(StoreError::NotFound(_))) => Self::NotFound,
            Err(Error::Store(StoreError::Forbidden(refusal))) => Self::Forbidden(*refusal),
            Err(Error::Store(StoreError::Unauthenticated)) => Self::Unauthenticated,
            Err(_) => Self::Refused,
        }
    }
}
