//! Tests of the whole server, through real connections.

mod astray;
mod bodies;
mod browser;
mod budget;
mod document;
mod failover;
mod flows;
mod frames;
mod hostile;
mod keyboard;
mod live;
mod open_pages;
mod pages;
mod permissions;
mod proof;
mod protocols;
mod quotas;
mod raw;
mod run;
mod server;
mod sign_in;
mod slow;
mod strangers;
mod thread;
mod watch;
