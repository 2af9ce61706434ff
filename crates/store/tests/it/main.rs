//! Tests of what both databases must share and what their grants refuse.

mod grants;
mod schema;
