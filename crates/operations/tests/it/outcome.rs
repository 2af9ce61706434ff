//! What came of an operation, as far as a caller may know.

use ctxpin_model::access::Refusal;
use ctxpin_operations::error::{Error, Result};
use ctxpin_store::error::Error as StoreError;

/// What came of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// The caller may not do it.
    Forbidden(Refusal),
    /// There is no such thing for the caller.
    NotFound,
    /// The token opens nothing.
    Unauthenticated,
    /// The caller may, but it was refused for what was asked.
    Refused,
}

impl Outcome {
    /// The outcome of a result.
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
