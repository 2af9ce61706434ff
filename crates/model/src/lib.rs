//! The domain types of ctxpin, and the rules between them. ARCHITECTURE.md lists the words that they
//! define.
//!
//! This crate is pure: no async, no files, no SQL, no wire formats and no clock. Every rule is a
//! function of its arguments, including the time, so it can be read and tested alone. Import each type
//! by its module's path; there are no re-exports.

#![deny(clippy::wildcard_enum_match_arm)]

pub mod access;
pub mod admission;
pub mod agent;
pub mod audit;
pub mod browser;
pub mod canonical;
pub mod chat;
pub mod chat_search;
pub mod claude_code;
pub mod client_event;
pub mod client_version;
pub mod codex;
pub mod compose;
pub mod context;
pub mod delivery;
pub mod diff;
pub mod door;
pub mod drift;
pub mod enrolment;
pub mod evidence;
pub mod evidence_key;
pub mod exposure;
pub mod file_path;
pub mod glob;
pub mod hash;
pub mod held_text;
pub mod history;
pub mod id;
pub mod limits;
pub mod manifest;
pub mod markdown;
pub mod mcp;
pub mod mode;
pub mod moment;
pub mod offered_tools;
pub mod on_demand;
pub mod page;
pub mod pass;
pub mod pending_change;
pub mod pin;
pub mod pin_move;
pub mod policy;
pub mod profile;
pub mod proof;
pub mod push;
pub mod quota;
pub mod reading;
pub mod resource;
pub mod skill;
pub mod skill_taken;
pub mod snapshot;
pub mod token;
pub mod tools_mode;
pub mod treatment;
pub mod turn;
pub mod user;
pub mod warning;
pub mod watch;
