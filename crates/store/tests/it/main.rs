//! Tests of what both databases must share, of what grants refuse, and of connections that are lost.

mod connections;
mod grants;
mod schema;
