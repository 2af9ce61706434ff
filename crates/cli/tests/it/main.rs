//! Tests of the program as a user runs it: real processes, a real server on a free port, and a
//! separate home and data directory.

mod bench;
mod check;
mod check_states;
mod check_tools;
mod copied_commands;
mod enrolment;
mod halves;
mod hook_settings;
mod hooks;
mod hostile;
mod life;
mod page;
mod plugin_records;
mod private_sessions;
mod processes;
mod records;
mod secrets;
mod session;
mod sessions;
mod settings;
mod standings;
mod terminal;
mod together;
mod trust;
mod walkthrough;
