//! What a model reads, checked as a whole.

mod claude_code;
mod golden;
mod hostile;
mod profile;
mod same_context;
mod sample;
mod tools;
