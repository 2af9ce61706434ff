//! The soak: it runs servers of the built program under load and faults, and checks that nothing
//! acknowledged is lost and that no pin lies. `cargo xtask soak` builds the program and starts the soak.
//!
//! A run has rounds. In each, agents push and holders of chats work through the client while servers are
//! killed. When the faults are over, the soak compares the servers' data with the responses. The seed
//! repeats the choices of every caller, but not how the machine interleaves them.

mod agents;
mod bystander;
mod caller;
mod clocks;
mod disk;
mod faults;
mod holders;
mod ledger;
mod network;
mod outage;
mod pause;
mod people;
mod report;
mod round;
mod servers;
mod service;
mod sql;
mod succession;
mod verdict;
mod watchers;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use ctxpin_client::Client;
use ctxpin_protocol::http::people::Secret;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

use caller::Caller;
use clocks::Clocks;
use ledger::Ledger;
use outage::Subject;
use report::{Counted, Figures};
use servers::Servers;
use service::Service;

/// The longest that the callers of one round work.
const ROUND_MAX: Duration = Duration::from_secs(60);

/// Replicas on one PostgreSQL. SQLite has one server at a time.
const REPLICAS: usize = 3;

/// Put servers under load, kill them repeatedly, and check that no acknowledged write is lost and
/// that every pin holds the pushed content.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask soak", bin_name = "cargo xtask soak")]
struct Options {
    /// Time under load for each database, in minutes; the checks take extra time.
    #[arg(long, default_value_t = 1.0, value_parser = minutes)]
    minutes: f64,
    /// The seed of the callers' choices [default: a random one, which is printed].
    #[arg(long)]
    seed: Option<u64>,
    /// The databases to run on.
    #[arg(long, value_enum, default_value_t = Databases::Both)]
    database: Databases,
    /// Write the figures to this file as a Markdown table.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// The databases of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Databases {
    /// One server on SQLite.
    Sqlite,
    /// Three replicas on a private PostgreSQL that syncs to disk and has a standby.
    Postgres,
    /// Both, one after the other.
    Both,
}

/// One database under test.
struct Soak {
    name: &'static str,
    random: StdRng,
    servers: Servers,
    service: Option<Arc<Service>>,
    ledger: Arc<Ledger>,
    token: Secret,
    rounds: u64,
    chats: Vec<Uuid>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo xtask soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the program on the chosen databases. Returns `true` if there was no violation.
fn run(options: &Options) -> anyhow::Result<bool> {
    let program = program()?;
    let seed = options.seed.unwrap_or_else(|| rand::rng().random());
    println!("seed {seed}");
    let mut passed = true;
    let mut databases = Vec::new();
    if options.database != Databases::Postgres {
        let (figures, sound) = run_one(&program, options, seed, false)?;
        passed &= sound;
        databases.push(figures);
    }
    if options.database != Databases::Sqlite {
        let (figures, sound) = run_one(&program, options, seed, true)?;
        passed &= sound;
        databases.push(figures);
    }
    if let Some(path) = &options.report {
        report::write(path, seed, &databases)?;
    }
    Ok(passed)
}

/// Returns the program under test, from the directory of this program.
fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program")?;
    let program = own.with_file_name("ctxpin");
    if !program.is_file() {
        bail!("{} was not built", program.display());
    }
    Ok(program)
}

fn run_one(
    program: &Path,
    options: &Options,
    seed: u64,
    is_postgres: bool,
) -> anyhow::Result<(Figures, bool)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let time = Duration::from_secs_f64(options.minutes * 60.0);
    runtime.block_on(async {
        tokio::select! {
            done = soak(program, time, seed, is_postgres) => done,
            signal = interruption() => {
                signal?;
                bail!("interrupted")
            }
        }
    })
}

/// Waits for Ctrl-C or SIGTERM, so that the soak stops the processes that it started.
async fn interruption() -> anyhow::Result<()> {
    let (mut int, mut term) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    tokio::select! {
        _ = int.recv() => {}
        _ = term.recv() => {}
    }
    Ok(())
}

/// Runs rounds on one database until `time` is over, then restarts every server and checks
/// everything once more. Returns the figures, and whether there was no violation.
async fn soak(
    program: &Path,
    time: Duration,
    seed: u64,
    is_postgres: bool,
) -> anyhow::Result<(Figures, bool)> {
    let service = match is_postgres {
        true => Some(Arc::new(Service::start().await?)),
        false => None,
    };
    let mut soak = Soak::start(program, seed, service).await?;
    let token = soak.token.clone();
    let (caller, addresses) = (soak.caller(&token)?, soak.servers.addresses()?);
    let (program, port) = (soak.servers.program(), soak.servers.proxy_port);
    let mut subject = Subject::start(program, caller, &addresses, port).await?;
    tokio::try_join!(soak.work(time), subject.run(time))?;
    soak.finish(&mut subject).await?;
    let figures = soak.figures(time);
    figures.print(seed);
    let state = soak.ledger.open();
    if !state.violations.is_empty() {
        println!("errors in the servers' logs:");
        for line in soak.servers.errors(20) {
            println!("  {line}");
        }
        println!("--seed {seed} repeats the choices of this run");
    }
    Ok((figures, state.violations.is_empty()))
}

impl Soak {
    async fn start(
        program: &Path,
        seed: u64,
        service: Option<Arc<Service>>,
    ) -> anyhow::Result<Self> {
        let (name, count) = match service {
            Some(_) => ("PostgreSQL", REPLICAS),
            None => ("SQLite", 1),
        };
        let url = service.as_ref().map(|service| service.url().to_owned());
        let mut servers = Servers::start(program, count, url).await?;
        servers.clocks = Some(Clocks::new(servers.directory())?);
        println!("{name}: {count} of {} are ready", program.display());
        Ok(Self {
            name,
            random: StdRng::seed_from_u64(seed),
            token: servers.token()?,
            servers,
            service,
            ledger: Arc::default(),
            rounds: 0,
            chats: Vec::new(),
        })
    }

    /// Runs rounds until `time` is over.
    async fn work(&mut self, time: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        let (count, length) = rounds_of(time);
        for number in 1..=count {
            // In every other round clocks jump, and times give no order. A single round is one of these.
            let is_clock_moved = number % 2 == 0 || count == 1;
            self.round(length, is_clock_moved).await?;
            let state = self.ledger.open();
            println!(
                "{}: round {number} of {count}, {} s: {} kills, {} comparisons, {} violations",
                self.name,
                began.elapsed().as_secs(),
                self.servers.kills,
                state.checks,
                state.violations.len()
            );
        }
        Ok(())
    }

    fn caller(&mut self, token: &Secret) -> anyhow::Result<Caller> {
        let addresses = self.servers.addresses()?;
        let seed = self.random.random();
        Ok(Caller::new(&addresses, token, &self.ledger, seed)?)
    }

    /// Returns a client of a random replica.
    fn client(&mut self) -> anyhow::Result<Client> {
        let addresses = self.servers.addresses()?;
        let index = self.random.random_range(0..addresses.len());
        Ok(Client::new(addresses[index].clone(), self.token.clone())?)
    }

    async fn check(&self, chats: &[Uuid]) -> anyhow::Result<()> {
        let addresses = self.servers.addresses()?;
        let address = addresses.last().context("there is no server")?;
        let client = Client::new(address.clone(), self.token.clone())?;
        verdict::check(&client, &self.ledger, chats).await
    }

    /// Runs the comparisons at the end, after it has restarted every server.
    async fn finish(&mut self, subject: &mut Subject) -> anyhow::Result<()> {
        let ended = self.servers.ended_serving;
        self.ledger.open().check(ended == 0, || {
            format!("{ended} servers ended by themselves while they served")
        });
        self.servers.restart_all().await?;
        self.check(&self.chats).await?;
        subject.check().await?;
        for panic in self.servers.panics()? {
            self.ledger.open().violation(panic);
        }
        if let Some(service) = &self.service {
            faults::count_deadlocks(service, &self.ledger).await?;
        }
        let seed = self.random.random();
        let service = self.service.as_deref();
        disk::run(self.servers.program(), service, &self.ledger, seed).await
    }

    fn figures(&self, worked: Duration) -> Figures {
        let counted = Counted {
            worked,
            rounds: self.rounds,
            kills: self.servers.kills,
            ended_starting: self.servers.ended_starting,
            ended_serving: self.servers.ended_serving,
            is_postgres: self.service.is_some(),
        };
        Figures::of(self.name, &counted, &self.ledger.open())
    }
}

/// Returns the number of rounds that fill `time`, and the length of each.
fn rounds_of(time: Duration) -> (u32, Duration) {
    let mut count = 1;
    while time / count > ROUND_MAX {
        count += 1;
    }
    (count, time / count)
}

/// Parses a number of minutes, above 0 and at most a week.
fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| "it is not a number".to_owned())?;
    if minutes > 0.0 && minutes <= 10_080.0 {
        Ok(minutes)
    } else {
        Err("it must be more than 0 and at most 10080".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_fill_the_time() {
        let seconds = Duration::from_secs;
        assert_eq!(rounds_of(seconds(30)), (1, seconds(30)));
        assert_eq!(rounds_of(seconds(60)), (1, seconds(60)));
        assert_eq!(rounds_of(seconds(90)), (2, seconds(45)));
        assert_eq!(rounds_of(seconds(240)), (4, seconds(60)));
    }

    #[test]
    fn minutes_are_bounded() {
        let cases = [
            ("1", Some(1.0)),
            ("0.5", Some(0.5)),
            ("0", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("soon", None),
        ];
        for (text, expected) in cases {
            assert_eq!(minutes(text).ok(), expected, "{text}");
        }
    }
}
