//! The shapes as JSON, and pushes as a server reads them.

mod manifest;
mod shapes;
