//! What a model reads, checked as a whole.

mod golden;
mod hostile;
mod profile;
mod same_context;
mod sample;
mod tools;
