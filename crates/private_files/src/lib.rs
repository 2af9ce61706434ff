//! Files and directories that only their owner may use: a database, a token, a lock, the state of an agent.
//!
//! Everything that is created here has the mode 0600 or 0700, whatever the umask allows. What is there already
//! can be checked for its owner and its mode ([`exposure`]). A file is replaced as a whole ([`file::replace`]),
//! and a [`lock`] ends with the process that holds it.
//!
//! This crate knows neither what the files hold nor what a caller tells a person about them.

pub mod directory;
pub mod exposure;
pub mod file;
pub mod lock;
