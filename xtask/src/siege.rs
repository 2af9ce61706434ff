//! `cargo xtask siege`: builds the program and its attackers, starts a database, and attacks.

use std::path::Path;
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::command;
use crate::interrupt::Interrupt;
use crate::postgres::{self, Cluster};

/// Options of a siege.
#[derive(Debug, Args)]
pub struct Options {
    /// Run only this attack; repeatable. An unknown name prints the list of attacks.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Attack servers on this database only.
    #[arg(long, value_enum)]
    database: Option<Database>,
    /// Duration of each attack, in seconds.
    #[arg(long, value_name = "COUNT", default_value_t = 30)]
    seconds: u64,
}

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Database {
    Sqlite,
    Postgres,
}

/// Builds, starts and attacks. Returns `true` if no limit was violated.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let interrupt = Interrupt::listen()?;
    let packages = ["ctxpin-cli", "ctxpin-siege"];
    let directory = command::build_released(root, &packages, &interrupt)?;
    let mut siege = Command::new(directory.join("ctxpin-siege"));
    siege.arg("lay");
    siege.arg("--program").arg(directory.join("ctxpin"));
    siege.arg("--seconds").arg(options.seconds.to_string());
    for attack in &options.only {
        siege.arg("--only").arg(attack);
    }
    let cluster = match options.database {
        Some(Database::Sqlite) => None,
        _ => Some(postgres::start_durable("")?),
    };
    if let Some(cluster) = &cluster {
        siege.arg("--postgres").arg(cluster.url());
    }
    if options.database == Some(Database::Postgres) {
        siege.arg("--without-sqlite");
    }
    let passed = command::run_shown(&mut siege, &interrupt)?;
    cluster.map_or(Ok(()), Cluster::stop)?;
    Ok(passed)
}
