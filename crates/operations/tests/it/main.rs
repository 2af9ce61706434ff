//! Tests of the operations, below the transport and above the tables, on both databases.

mod audit;
mod chats;
mod concurrency;
mod costs;
mod diffs;
mod drift;
mod exposure;
mod ingest;
mod model;
mod outcome;
mod partial;
mod people;
mod permissions;
mod pins;
mod possession;
mod pushes;
mod race;
mod reach;
mod rebind;
mod replacing;
mod scene;
mod sessions;
mod skills;
mod thread;
mod turns;
mod watches;
