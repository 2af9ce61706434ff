//! The shapes of requests, responses, problems and events between ctxpin's processes, and their
//! translation to and from the model.
//!
//! This is the only crate whose types are serialised. It knows the model and nothing else: no
//! transport, no database, no files, no clock. It says what a request may contain. What the request
//! means, and whether the caller may make it, is decided elsewhere.

#![deny(clippy::wildcard_enum_match_arm)]

pub mod control;
pub mod convert;
pub mod http;
pub mod problem;
pub mod watch;
