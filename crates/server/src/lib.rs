//! The server: HTTP translated into operations, and their answers into HTTP.
//!
//! It reads a request, asks one operation, and tells what came of it. It knows no SQL, no tables
//! and no workspace files, decides nothing about data, and does not know who may do what: a
//! handler that does more than translate is in the wrong place.

mod admin_token;
mod api;
mod api_error;
mod app;
pub mod authority;
mod body;
mod budget;
mod callers;
mod conditions;
mod data_files;
mod events;
mod identify;
mod json_body;
pub mod limits;

mod metrics;
mod observe;
mod params;
mod request_memory;
pub mod route;
pub mod router;
pub mod run;
