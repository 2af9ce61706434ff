//! What travels between ctxpin's processes: the shapes of requests, answers, problems and events,
//! and their translation to and from the model.
//!
//! This is the only crate whose types serialise themselves. It knows the model and nothing else: no
//! transport, no database, no files, no clock. A shape says what may be written; what a caller may
//! do, and what it means, is decided elsewhere.

#![deny(clippy::wildcard_enum_match_arm)]

pub mod control;
pub mod convert;
pub mod http;
pub mod problem;
pub mod watch;
