//! Calls against a listener that answers canned HTTP: what is sent, and how answers are read.

mod calls;
mod failures;
mod listener;
mod proof;
mod streams;
