//! Tests of the two schemas, of grants, of transactions that lose against others, of lost connections, of
//! faults, and of databases with unusual settings.

mod connections;
mod contention;
mod faults;
mod grants;
mod schema;
mod settings;
