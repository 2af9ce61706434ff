//! What a database is asked for, counted as it happens: what an operation costs whatever the
//! machine.

use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering};

/// What was asked of a database so far, over all its connections. The difference of two is what
/// came in between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Statements that read or write data; beginning and ending a transaction is none.
    pub statements: u64,
    /// Times that somebody waited for an answer: a statement, several that were sent together, the
    /// beginning of a transaction or its commit. To give one up waits for nothing.
    pub round_trips: u64,
    /// Rows that were inserted, changed or deleted by name; not those that a foreign key took along.
    pub rows_written: u64,
    /// Bytes of the values that went with the statements.
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

/// The counters behind [`Counts`]. They order nothing, so that relaxed additions are enough.
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

    /// The beginning or the commit of a transaction.
    pub fn round_trip(&self) {
        self.round_trips.fetch_add(1, Ordering::Relaxed);
    }

    /// A statement with values of that many bytes.
    pub fn statement(&self, bytes: u64) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.bytes_sent.fetch_add(bytes, Ordering::Relaxed);
        self.round_trip();
    }

    /// Statements that went along with one that is counted already.
    pub fn further_statements(&self, count: u64) {
        self.statements.fetch_add(count, Ordering::Relaxed);
    }

    pub fn rows_written(&self, count: u64) {
        self.rows_written.fetch_add(count, Ordering::Relaxed);
    }
}
