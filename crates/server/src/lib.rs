//! The HTTP server.
//!
//! A handler reads a request, calls one operation and writes its result as a response. This crate knows
//! no SQL, no tables and no workspace files, and makes no decision about data or permissions.

mod admin_token;
mod api;
mod api_error;
mod app;
mod attachment;
pub mod authority;
mod body;
mod budget;
mod callers;
mod data_files;
mod events;
mod identify;
mod json_body;
pub mod limits;
mod preconditions;

mod metrics;
mod observe;
mod page_session;
mod pages;
mod params;
mod request_memory;
pub mod route_policy;
pub mod routes;
pub mod run;
