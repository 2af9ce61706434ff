//! Between the shapes on the wire and the model. What comes in is checked once, here, and becomes a
//! type that cannot be wrong; whatever is refused is named by its member.

pub mod agents;
pub mod audit;
pub mod chats;
pub mod contexts;
pub mod diff;
pub mod exposures;
pub mod manifest;
pub mod members;
pub mod pages;
pub mod people;
pub mod pins;
pub mod pushes;
pub mod quotas;
pub mod resources;
pub mod skills;
pub mod tools;
pub mod turns;
pub mod watches;
