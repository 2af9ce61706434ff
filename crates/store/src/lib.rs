//! The one crate that knows SQL. It offers facts, locks and writes on SQLite and PostgreSQL, and decides
//! nothing: `ctxpin-model` decides, and `ctxpin-operations` puts the steps in order.
//!
//! Every access to an object goes through a [`grant`]. This crate knows nothing of HTTP, of rendering or of
//! a workspace's files.

#![deny(clippy::missing_errors_doc)]

pub mod agents;
pub mod audit;
pub mod blobs;
mod chat_parts;
mod chat_snapshots;
mod chat_times;
pub mod chats;
mod connections;
pub mod counts;
pub mod database;
pub mod deed;
pub mod enrolment_codes;
pub mod error;
pub mod evidence;
pub mod exposed_chats;
pub mod exposure;
pub mod fault;
pub mod grant;
pub mod held_texts;
pub mod history;
pub mod kept;
pub mod last_used;
pub mod migrations;
mod pages;
pub mod passes;
pub mod pending_changes;
pub mod pins;
mod pools;
mod query;
mod resource_columns;
mod rules;
pub mod sealed;
mod session;
pub mod snapshots;
mod together;
pub mod tokens;
pub mod topic;
pub mod treatments;
pub mod turns;
pub mod usage;
pub mod users;
mod values;
pub mod wake;
