//! Counts of statements, round trips, rows and bytes: what an operation costs on any machine.

use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering};

/// The work that a database was given since it was opened, over all its connections. Subtract an earlier
/// value to get the work in between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Statements that read or write data. Beginning and ending a transaction do not count.
    pub statements: u64,
    /// Waits for a response: to one statement, to several that were sent together, to the beginning of a
    /// transaction or to its commit. A rollback does not wait.
    pub round_trips: u64,
    /// Rows that statements inserted, updated or deleted, without those that a foreign key cascaded to.
    pub rows_written: u64,
    /// Bytes of the values that were bound to the statements.
    pub bytes_sent: u64,
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            statements: self.statements - earlier.statements,
            round_trips: self.round_trips - earlier.round_trips,
            rows_written: self.rows_written - earlier.rows_written,
            bytes_sent: self.bytes_sent - earlier.bytes_sent,
        }
    }
}

/// The counters behind [`Counts`]. They order nothing, so relaxed additions are enough.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    statements: AtomicU64,
    round_trips: AtomicU64,
    rows_written: AtomicU64,
    bytes_sent: AtomicU64,
}

impl Counters {
    pub fn read(&self) -> Counts {
        Counts {
            statements: self.statements.load(Ordering::Relaxed),
            round_trips: self.round_trips.load(Ordering::Relaxed),
            rows_written: self.rows_written.load(Ordering::Relaxed),
            bytes_sent: self.bytes_sent.load(Ordering::Relaxed),
        }
    }

    /// Counts the beginning or the commit of a transaction.
    pub fn round_trip(&self) {
        self.round_trips.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a statement and its round trip; `bytes` is the size of its values.
    pub fn statement(&self, bytes: u64) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.bytes_sent.fetch_add(bytes, Ordering::Relaxed);
        self.round_trip();
    }

    /// Counts statements that were sent together with one that is already counted.
    pub fn further_statements(&self, count: u64) {
        self.statements.fetch_add(count, Ordering::Relaxed);
    }

    pub fn rows_written(&self, count: u64) {
        self.rows_written.fetch_add(count, Ordering::Relaxed);
    }
}
