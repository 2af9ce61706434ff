//! The handlers, by noun. Each reads the request, calls one operation and returns its result.
//! `routes.rs` lists them with the cache policy, the body limit and the deadline of each.

pub(crate) mod agents;
pub(crate) mod audit;
pub(crate) mod chats;
pub(crate) mod contexts;
pub(crate) mod enrolment;
pub(crate) mod evidence;
pub(crate) mod exposures;
pub(crate) mod health;
pub(crate) mod history;
pub(crate) mod instructions;
pub(crate) mod pending_changes;
pub(crate) mod people;
pub(crate) mod prompts;
pub(crate) mod quotas;
pub(crate) mod sessions;
pub(crate) mod sign_in;
pub(crate) mod skills;
pub(crate) mod tools;
pub(crate) mod turns;
pub(crate) mod watches;

use axum::http::StatusCode;

/// Returns the status of a request that made something, or found that it is there already.
pub(crate) fn created_or_ok(is_new: bool) -> StatusCode {
    match is_new {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    }
}
