//! Whole agents on real directories, against a server that is played in a few lines.

mod agent;
mod control;
mod once;
mod played_server;
mod pushing;
mod readiness;
mod sessions;
mod sources;
