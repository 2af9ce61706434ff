//! The translation between wire shapes and the model.
//!
//! A request is checked here, once, and becomes a type whose values are always valid. An error
//! names the invalid member.

pub mod agents;
pub mod audit;
pub mod bulk_moves;
pub mod chats;
pub mod contexts;
pub mod diff;
pub mod enrolment;
pub mod evidence;
pub mod exposures;
pub mod history;
pub mod instructions;
pub mod manifest;
pub mod members;
pub mod pages;
pub mod pending_changes;
pub mod people;
pub mod pins;
pub mod pushes;
pub mod quotas;
pub mod refusals;
pub mod resources;
pub mod skills;
pub mod tools;
pub mod turns;
pub mod watches;
