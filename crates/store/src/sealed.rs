//! Bodies for an operation whose caller may not read them. The operation renders, composes and compares
//! them, and gets only hashes, sizes and answers out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ctxpin_model::compose::Inseparable;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::history::PinChanges;
use ctxpin_model::moment::Moment;
use ctxpin_model::pending_change::PendingChanges;
use ctxpin_model::snapshot::Addresses;

/// A value that says what bodies contain: bodies, a snapshot or a rendered prompt. An operation computes with
/// it, and the result is sealed as well or is [`Disclosable`]. An operation cannot open a sealed value. It can
/// only have the store write it.
///
/// ```compile_fail
/// # use ctxpin_store::sealed::Sealed;
/// fn leak(prompt: &Sealed<String>) -> String {
///     prompt.disclose(String::clone)
/// }
/// ```
#[derive(Clone)]
pub struct Sealed<T>(T);

impl<T> Sealed<T> {
    pub(crate) fn content(&self) -> &T {
        &self.0
    }

    /// Computes another sealed value.
    pub fn map<U>(self, compute: impl FnOnce(T) -> U) -> Sealed<U> {
        Sealed(compute(self.0))
    }

    /// Puts two sealed values together.
    pub fn zip<U>(self, other: Sealed<U>) -> Sealed<(T, U)> {
        Sealed((self.0, other.0))
    }

    /// Computes something that does not say what bodies contain.
    pub fn disclose<U: Disclosable>(&self, compute: impl FnOnce(&T) -> U) -> U {
        compute(&self.0)
    }
}

impl<T, U> Sealed<(T, U)> {
    /// Takes a pair apart.
    pub fn unzip(self) -> (Sealed<T>, Sealed<U>) {
        (Sealed(self.0.0), Sealed(self.0.1))
    }
}

impl<T> Sealed<Option<T>> {
    /// Returns the sealed value, or `None` if there is none.
    pub fn transpose(self) -> Option<Sealed<T>> {
        self.0.map(Sealed)
    }
}

impl<T, E: Disclosable> Sealed<Result<T, E>> {
    /// Returns the sealed value.
    ///
    /// # Errors
    ///
    /// Returns the error if the value is one.
    pub fn transpose(self) -> Result<Sealed<T>, E> {
        self.0.map(Sealed)
    }
}

impl<T> From<T> for Sealed<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

/// A value that does not say what bodies contain, such as a hash, a size or the answer to a question. Only this
/// module implements it.
pub trait Disclosable: listed::Listed {}

impl<T: listed::Listed> Disclosable for T {}

mod listed {
    pub trait Listed {}
}

macro_rules! disclosable {
    ($($type:ty),+ $(,)?) => {$(
        impl listed::Listed for $type {}
    )+};
}

disclosable!(
    bool,
    u64,
    BlobHash,
    // When something was pushed.
    Moment,
    Addresses,
    // It names resources and their hashes, as a chat's context does for every caller who may see it.
    PendingChanges,
    // It names resources likewise. The lines are counted where the caller may read bodies.
    PinChanges,
    // It repeats what the caller asked for, or names profiles.
    Inseparable,
);

impl<T: Disclosable> listed::Listed for Vec<T> {}
impl<T: Disclosable> listed::Listed for Option<T> {}
impl<T: Disclosable> listed::Listed for BTreeSet<T> {}
impl<T: Disclosable, U: Disclosable> listed::Listed for BTreeMap<T, U> {}
