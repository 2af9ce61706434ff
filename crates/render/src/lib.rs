//! What a model reads, made from a snapshot: the prompt, a skill, the tools.
//!
//! This crate is pure, total and deterministic: the same snapshot gives the same bytes on every
//! machine and for ever, because a model provider's prompt cache is kept by those bytes. So it must
//! not know a clock, a locale, a file, a database or a chat, it never goes through a map whose order
//! could vary, and nothing that a workspace holds can make it fail.
//!
//! [`renderer::Renderer`] names the version of the bytes. An older renderer is frozen in a module with its
//! number, such as [`renderer_1`], because pins name it.

pub mod estimate;
pub mod prompt;
pub mod renderer;
pub mod renderer_1;
pub mod review;
pub mod sanitise;
pub mod tools;
pub mod treat;
pub mod treated;
