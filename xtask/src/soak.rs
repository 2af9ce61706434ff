//! `cargo xtask soak`: servers of the built program under load and faults, and the checks that
//! nothing acknowledged is lost and that no pin lies.
//!
//! A run goes in rounds. In each, agents push and holders of chats work through the client while
//! servers are killed; then everything settles and is compared with what was answered. The seed
//! repeats the choices of every caller, not how the machine interleaves them.

mod agents;
mod caller;
mod faults;
mod holders;
mod ledger;
mod servers;
mod verdict;
mod workspace;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use ctxpin_client::Client;
use ctxpin_protocol::http::agents::AgentCreate;
use ctxpin_protocol::http::people::Secret;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::command;
use crate::interrupt::Interrupt;
use crate::postgres::{self, Cluster};
use caller::Caller;
use faults::Cuts;
use holders::{Holder, Round};
use ledger::Ledger;
use servers::Servers;

/// How long the callers of one round work.
const ROUND: Duration = Duration::from_secs(30);

/// Agents of one round.
const AGENTS: usize = 4;

/// Holders of chats in one round, all working at once.
const HOLDERS: usize = 10;

/// Replicas on one PostgreSQL. SQLite has one server at a time.
const REPLICAS: usize = 3;

/// How often it is looked whether a signal came.
const INTERRUPT_LOOK: Duration = Duration::from_millis(100);

/// What to run.
#[derive(Debug, Args)]
pub struct Options {
    /// How long each database is worked on, in minutes; the checks come on top.
    #[arg(long, default_value_t = 1.0, value_parser = minutes)]
    minutes: f64,
    /// What the callers choose by; a random one, which is printed, without it.
    #[arg(long)]
    seed: Option<u64>,
    /// Which database.
    #[arg(long, value_enum, default_value_t = Databases::Both)]
    database: Databases,
}

/// The databases of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Databases {
    /// One server on SQLite.
    Sqlite,
    /// Three replicas on a private PostgreSQL that syncs to disk.
    Postgres,
    /// One after the other.
    Both,
}

/// One database under test.
struct Soak {
    name: &'static str,
    random: StdRng,
    servers: Servers,
    cluster: Option<Arc<Mutex<Cluster>>>,
    ledger: Arc<Ledger>,
    token: Secret,
    cuts: Cuts,
    rounds: u64,
    chats: Vec<Uuid>,
}

/// Builds the program and runs it on the chosen databases. True if nothing was violated.
pub fn run(root: &Path, options: &Options) -> anyhow::Result<bool> {
    let interrupt = Interrupt::listen()?;
    let program = build(root, &interrupt)?;
    let seed = options.seed.unwrap_or_else(|| rand::rng().random());
    println!("seed {seed}");
    let mut passed = true;
    if options.database != Databases::Postgres {
        passed &= run_one(&program, options, seed, None, &interrupt)?;
    }
    if options.database != Databases::Sqlite {
        let cluster = Arc::new(Mutex::new(postgres::start_durable("")?));
        passed &= run_one(&program, options, seed, Some(cluster), &interrupt)?;
    }
    Ok(passed)
}

/// Builds the program with the cargo that started us and tells where it is.
fn build(root: &Path, interrupt: &Interrupt) -> anyhow::Result<PathBuf> {
    let mut build = command::cargo(root);
    build.args(["build", "-p", "ctxpin-cli"]);
    if !command::run_shown(&mut build, interrupt)? {
        bail!("the program does not build");
    }
    // We were built into the same directory, beside it.
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
    cluster: Option<Arc<Mutex<Cluster>>>,
    interrupt: &Interrupt,
) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let time = Duration::from_secs_f64(options.minutes * 60.0);
    runtime.block_on(async {
        tokio::select! {
            passed = soak(program, time, seed, cluster) => passed,
            () = interruption(interrupt) => bail!("interrupted"),
        }
    })
}

async fn interruption(interrupt: &Interrupt) {
    while !interrupt.happened() {
        tokio::time::sleep(INTERRUPT_LOOK).await;
    }
}

/// Runs rounds on one database until `time` is over, then restarts every server and checks all
/// once more.
async fn soak(
    program: &Path,
    time: Duration,
    seed: u64,
    cluster: Option<Arc<Mutex<Cluster>>>,
) -> anyhow::Result<bool> {
    let mut soak = Soak::start(program, seed, cluster).await?;
    let began = Instant::now();
    let mut worked = Duration::ZERO;
    while worked < time {
        let length = ROUND.min(time - worked);
        soak.round(length).await?;
        worked += length;
        let (name, rounds) = (soak.name, soak.rounds);
        let state = soak.ledger.open();
        println!(
            "{name}: round {rounds}, {} s: {} kills, {} checks, {} violations",
            began.elapsed().as_secs(),
            soak.servers.kills,
            state.checks,
            state.violations.len()
        );
    }
    soak.servers.restart_all().await?;
    soak.check(&soak.chats).await?;
    for panic in soak.servers.panics()? {
        soak.ledger.open().violation(panic);
    }
    soak.report(seed, worked);
    Ok(soak.ledger.open().violations.is_empty())
}

impl Soak {
    async fn start(
        program: &Path,
        seed: u64,
        cluster: Option<Arc<Mutex<Cluster>>>,
    ) -> anyhow::Result<Self> {
        let (name, count) = match cluster {
            Some(_) => ("PostgreSQL", REPLICAS),
            None => ("SQLite", 1),
        };
        let url = cluster.as_ref().map(|cluster| {
            let cluster = cluster.lock();
            let cluster = cluster.unwrap_or_else(std::sync::PoisonError::into_inner);
            cluster.url().to_owned()
        });
        let servers = Servers::start(program, count, url).await?;
        println!("{name}: {count} of {} are ready", program.display());
        Ok(Self {
            name,
            random: StdRng::seed_from_u64(seed),
            token: servers.token()?,
            servers,
            cluster,
            ledger: Arc::default(),
            cuts: Cuts::default(),
            rounds: 0,
            chats: Vec::new(),
        })
    }

    /// Load and faults for `length`, then the checks of the round's chats and of all agents.
    async fn round(&mut self, length: Duration) -> anyhow::Result<()> {
        self.rounds += 1;
        let agents = self.create_agents().await?;
        let round = Arc::new(Round {
            number: self.rounds,
            agents: agents.iter().map(|(agent, _)| *agent).collect(),
            chats: Mutex::default(),
        });
        let deadline = Instant::now() + length;
        let mut work = self.callers(&agents, &round, deadline)?;
        let seeds: [u64; 2] = [self.random.random(), self.random.random()];
        let trouble = async {
            match &self.cluster {
                Some(cluster) => faults::trouble(Arc::clone(cluster), seeds[0], deadline).await,
                None => Ok(Cuts::default()),
            }
        };
        let kill = faults::kill(&mut self.servers, seeds[1], deadline);
        let (cuts, ()) = tokio::try_join!(trouble, kill)?;
        self.cuts.cuts += cuts.cuts;
        self.cuts.outages += cuts.outages;
        // A server that was starting while its database was away has ended.
        self.servers.await_all().await?;
        while let Some(ended) = work.join_next().await {
            ended.context("a caller failed")?;
        }
        let chats: Vec<Uuid> = {
            let state = self.ledger.open();
            let known = state.chats.keys().copied();
            known.filter(|chat| !self.chats.contains(chat)).collect()
        };
        if chats.is_empty() {
            bail!("no chat was created in round {}", self.rounds);
        }
        self.check(&chats).await?;
        self.chats.extend(chats);
        Ok(())
    }

    async fn create_agents(&mut self) -> anyhow::Result<Vec<(Uuid, Secret)>> {
        let client = self.client()?;
        let mut agents = Vec::new();
        for number in 1..=AGENTS {
            let request = AgentCreate {
                workspace: format!("w-{}-{number}", self.rounds),
                name: None,
                may_refresh: false,
                replaces: None,
            };
            let created = client.agent_create(&request).await?;
            let mut state = self.ledger.open();
            state.agents.entry(created.agent.id).or_default();
            agents.push((created.agent.id, created.token));
        }
        Ok(agents)
    }

    /// Starts the agents and holders of a round.
    fn callers(
        &mut self,
        agents: &[(Uuid, Secret)],
        round: &Arc<Round>,
        deadline: Instant,
    ) -> anyhow::Result<JoinSet<()>> {
        let mut work = JoinSet::new();
        for (agent, token) in agents {
            let caller = self.caller(token)?;
            work.spawn(agents::run(caller, *agent, deadline));
        }
        let token = self.token.clone();
        for number in 1..=HOLDERS {
            let holder = Holder::new(self.caller(&token)?, Arc::clone(round), number);
            work.spawn(holder.run(deadline));
        }
        Ok(work)
    }

    fn caller(&mut self, token: &Secret) -> anyhow::Result<Caller> {
        let addresses = self.servers.addresses()?;
        let seed = self.random.random();
        Ok(Caller::new(&addresses, token, &self.ledger, seed)?)
    }

    /// A client of a replica at random.
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

    /// Prints the figures.
    fn report(&self, seed: u64, worked: Duration) {
        let state = self.ledger.open();
        println!(
            "\n{}, seed {seed}, {} s of load:",
            self.name,
            worked.as_secs()
        );
        println!(
            "{:<12} {:>12} {:>8} {:>8}",
            "operation", "acknowledged", "unknown", "refused"
        );
        let mut total = ledger::Tally::default();
        for (kind, tally) in &state.operations {
            print_tally(kind, tally);
            total.acknowledged += tally.acknowledged;
            total.unknown += tally.unknown;
            total.refused += tally.refused;
        }
        print_tally("all", &total);
        let problems: Vec<String> = state
            .problems
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        println!("refusals: {}", problems.join(", "));
        println!(
            "faults: {} kills, {} restarts ({} after a server had ended by itself), {} cuts of all connections, {} outages of the database",
            self.servers.kills,
            self.servers.restarts,
            self.servers.ended,
            self.cuts.cuts,
            self.cuts.outages
        );
        println!(
            "checked: {} rounds, {} chats, {} agents, {} comparisons, {} violations",
            self.rounds,
            state.chats.len(),
            state.agents.len(),
            state.checks,
            state.violations.len()
        );
        if !state.violations.is_empty() {
            println!("errors in the servers' logs:");
            for line in self.servers.errors(20) {
                println!("  {line}");
            }
            println!("seed {seed} repeats the choices: --seed {seed}");
        }
    }
}

fn print_tally(kind: &str, tally: &ledger::Tally) {
    println!(
        "{kind:<12} {:>12} {:>8} {:>8}",
        tally.acknowledged, tally.unknown, tally.refused
    );
}

/// Reads a number of minutes: more than none, at most a week.
fn minutes(text: &str) -> Result<f64, String> {
    let minutes: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
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
