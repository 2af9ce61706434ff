//! The pages of one chat.

pub(super) mod changes;
pub(super) mod context;
pub(super) mod diff;
pub(super) mod entry_words;
mod evidence;
pub(super) mod given_text;
mod head;
pub(super) mod history;
pub(super) mod moves;
pub(super) mod prompt;
mod question;
mod resume;
pub(super) mod settings;
mod shown;
pub(super) mod turns;
