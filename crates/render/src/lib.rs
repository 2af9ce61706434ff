//! What a model reads, made from a snapshot: the prompt, a skill, the tools.
//!
//! This crate is pure, total and deterministic: the same snapshot gives the same bytes on every
//! machine and for ever, because a model provider's prompt cache is kept by those bytes. So it must
//! not know a clock, a locale, a file, a database or a chat, it never goes through a map whose order
//! could vary, and nothing that a workspace holds can make it fail.

pub mod estimate;
pub mod prompt;
pub mod sanitise;
pub mod skill;
pub mod tools;

/// The version of the rendering. It is raised by every change that gives other bytes for some
/// snapshot, because rendered prompts are kept by context hash and this number.
pub const RENDERER_VERSION: i32 = 1;
