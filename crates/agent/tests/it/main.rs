//! Whole agents on real directories, against a fake server of a few lines.

mod agent;
mod control;
mod fake_server;
mod once;
mod pushing;
mod readiness;
mod sessions;
mod sources;
