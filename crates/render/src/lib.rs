//! Makes what a model reads from a snapshot: the prompt, a skill, the tools.
//!
//! This crate is pure, total and deterministic. The same snapshot gives the same bytes on every machine
//! and in every release, because model providers cache prompts by their bytes. So this crate knows no
//! clock, locale, file, database or chat, it iterates over no map of varying order, and no content of a
//! workspace makes it fail.
//!
//! [`renderer::Renderer`] names the version of the bytes. An older renderer is frozen in a module with its
//! number, such as [`renderer_1`], because pins name it.

pub mod estimate;
pub mod parts;
pub mod profile;
pub mod prompt;
pub mod renderer;
pub mod renderer_1;
pub mod review;
pub mod sanitise;
pub mod tools;
pub mod treat;
pub mod treated;
