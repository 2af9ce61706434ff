//! The parts that pages are made of. Each writes HTML in which every text from outside is escaped.

pub(crate) mod command;
pub(crate) mod conditions;
pub(crate) mod glyph;
pub(crate) mod held_text;
pub(crate) mod lines;
pub(crate) mod map;
pub(crate) mod markdown;
pub(crate) mod number;
pub(crate) mod outcome;
pub(crate) mod pager;
pub(crate) mod rail;
pub(crate) mod resource_name;
pub(crate) mod resource_tree;
pub(crate) mod room;
pub(crate) mod short_id;
pub(crate) mod sums;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod unused;
pub(crate) mod verdict;
pub(crate) mod word_choice;
