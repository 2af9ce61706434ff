//! Attacks on the built server while a neighbour works with it. The siege checks that the neighbour gets
//! responses in time, and that the server's memory stays bounded. `cargo xtask siege` builds both programs
//! and runs it.
//!
//! It speaks HTTP by itself and knows nothing of the product's code, so that it can do what no honest
//! client does.

mod api;
mod attacks;
mod database;
mod disk;
mod frames;
mod neighbour;
mod server;
mod verdict;

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use attacks::{Attack, Means, Tally};
use database::Kind;
use neighbour::Neighbour;
use server::Server;
use verdict::Observed;

/// How long the neighbour is measured before an attack.
const UNDISTURBED: Duration = Duration::from_secs(5);

/// How long the neighbour works before the measurement, so that everything is warm.
const WARM_UP: Duration = Duration::from_secs(2);

/// Attacks on the server of ctxpin.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Attack servers, one after the other.
    Lay(Lay),
    /// Run the attacker with the options from standard input; a siege starts this by itself.
    Attack,
}

/// Options of a siege.
#[derive(Debug, Args)]
struct Lay {
    /// The built program.
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// A PostgreSQL server on which the siege may create databases. Without it, the siege attacks
    /// only SQLite.
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Leave SQLite out.
    #[arg(long, requires = "postgres")]
    without_sqlite: bool,
    /// Run only this attack; repeatable.
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Attack>,
    /// Duration of each attack, in seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.task {
        Task::Lay(lay) => run(lay.run(), false),
        Task::Attack => run(attack(), true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ctxpin-siege: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(
    work: impl Future<Output = anyhow::Result<bool>>,
    on_one_core: bool,
) -> anyhow::Result<bool> {
    raise_open_files()?;
    let mut runtime = match on_one_core {
        true => {
            let mut first = CpuSet::new();
            first.set(0);
            sched_setaffinity(None, &first).context("staying on one core")?;
            tokio::runtime::Builder::new_current_thread()
        }
        false => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime
        .enable_all()
        .build()
        .context("starting the runtime")?;
    runtime.block_on(work)
}

/// Raises the limit of open files. Each of thousands of sockets needs one, here and in the server,
/// which inherits the limit.
fn raise_open_files() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("raising the number of open files")
}

/// Runs the attack that standard input describes, and prints its result.
async fn attack() -> anyhow::Result<bool> {
    let mut given = String::new();
    std::io::stdin().read_to_string(&mut given)?;
    let means: Means = serde_json::from_str(&given).context("reading the options of the attack")?;
    let tally = attacks::run(&means).await;
    println!("{}", serde_json::to_string(&tally)?);
    Ok(true)
}

impl Lay {
    async fn run(self) -> anyhow::Result<bool> {
        let mut kinds = Vec::new();
        if !self.without_sqlite {
            kinds.push(Kind::Sqlite);
        }
        kinds.extend(self.postgres.clone().map(Kind::Postgres));
        println!("{}", verdict::HEAD);
        let mut is_good = true;
        for kind in &kinds {
            for attack in Attack::value_variants() {
                if self.only.is_empty() || self.only.contains(attack) {
                    is_good &= self
                        .attack(*attack, kind)
                        .await
                        .with_context(|| format!("{} on {}", attack.name(), kind.name()))?;
                }
            }
        }
        println!("\n{}", verdict::LIMITS);
        Ok(is_good)
    }

    /// Runs one attack on a new server. Returns `true` if no limit was violated.
    async fn attack(&self, attack: Attack, kind: &Kind) -> anyhow::Result<bool> {
        let fresh = kind.fresh().await?;
        let server = Server::start(&self.program, &fresh, attack.server_options()).await?;
        let admin = server.admin()?;
        let neighbour = Neighbour::move_in(&admin).await?;
        let means = attacks::prepare(attack, &admin, Duration::from_secs(self.seconds)).await?;
        neighbour.work(WARM_UP).await;
        let undisturbed = neighbour.work(UNDISTURBED).await;
        ensure!(
            undisturbed.failures.is_empty(),
            "the neighbour fails without an attack: {:?}",
            undisturbed.failures
        );
        server.forget_peak()?;
        let time = Duration::from_secs(self.seconds);
        let directory = fresh.directory();
        let (tally, disturbed, syncs) = tokio::join!(
            spawn(&means),
            neighbour.work(time),
            disk::syncs(directory, time)
        );
        let observed = Observed {
            undisturbed,
            disturbed,
            syncs: syncs?,
            peak_bytes: server.peak_bytes().unwrap_or(u64::MAX),
        };
        println!("{}", observed.row(&attack.name(), kind.name(), &tally?));
        server.stop().await?;
        fresh.remove().await?;
        Ok(observed.violations().is_empty())
    }
}

/// Runs an attack in a process of its own and returns its result. The tokens go through a pipe,
/// where other users cannot see them.
async fn spawn(means: &Means) -> anyhow::Result<Tally> {
    let own = std::env::current_exe().context("finding this program")?;
    let mut child = Command::new(own)
        .arg("attack")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("starting the attacker")?;
    let mut stdin = child.stdin.take().context("it was piped")?;
    stdin.write_all(&serde_json::to_vec(means)?).await?;
    drop(stdin);
    let output = child.wait_with_output().await?;
    ensure!(output.status.success(), "the attacker failed");
    serde_json::from_slice(&output.stdout).context("reading the result of the attack")
}
