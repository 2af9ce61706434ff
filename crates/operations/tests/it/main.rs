//! Tests of the operations, below the transport and above the tables, on both databases.

mod thread;
