//! What holds for every snapshot, and the hashing vectors that other languages share.

mod admission;
mod canonical;
mod changes;
mod compose;
mod sample;
mod skill;
mod texts;
mod vectors;
