//! Properties of every snapshot, and the hashing vectors for other languages.

mod admission;
mod canonical;
mod changes;
mod compose;
mod sample;
mod skill;
mod texts;
mod vectors;
