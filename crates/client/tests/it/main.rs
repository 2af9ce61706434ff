//! Calls to a listener with canned responses: what a client sends, and how it reads responses.

mod calls;
mod failures;
mod listener;
mod proof;
mod streams;
