//! Tests of records: those of real clients, planted ones, and hostile ones.

mod bounds;
mod edited;
mod planted;
mod quoted;
mod real;
mod resumed;
mod said;
mod scene;
mod secrets;
mod skills;
mod turns;
mod unconfirmed;
mod whose;
