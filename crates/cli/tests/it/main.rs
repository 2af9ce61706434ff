//! The program as a person runs it: real processes, a real server on a free port, a home and a data
//! directory of their own.

mod bench;
mod check;
mod halves;
mod hostile;
mod life;
mod processes;
mod secrets;
mod session;
mod sessions;
mod settings;
mod terminal;
mod together;
mod trust;
