//! Files and directories that only their owner may use: a database, a token, a lock, the state of an agent.
//!
//! Created files have the mode 0600 and created directories 0700, whatever the umask is. Existing ones can
//! be checked for their owner and mode ([`exposure`]). A file is replaced as a whole ([`file::replace`]),
//! and a [`lock`] ends with the process that holds it.
//!
//! This crate does not know the content of the files, except of those with a [`token`], nor how a caller reports an
//! error.

pub mod below;
pub mod directory;
pub mod exposure;
pub mod file;
pub mod lock;
pub mod remedy;
pub mod token;
