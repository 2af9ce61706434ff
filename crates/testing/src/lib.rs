//! What tests of several crates share: a service on each database, people and agents to call it,
//! and workspaces made of words. Only ever a dev-dependency.
//!
//! Both databases always run. PostgreSQL is found through `CTXPIN_TEST_POSTGRES`, which
//! `cargo xtask test` sets; without it a test fails and says so, for a database that is skipped
//! silently proves nothing.

pub mod chats;
pub mod databases;
pub mod people;
pub mod proofs;
pub mod workspace;
