//! Tests of the JSON shapes, and of reading pushes.

mod manifest;
mod shapes;
