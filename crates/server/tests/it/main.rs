//! Tests of the whole server, through real connections.

mod bodies;
mod document;
mod protocols;
mod run;
mod server;
mod thread;
mod watch;
