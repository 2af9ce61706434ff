//! The benchmark: it compares the product with the obvious design and with lower limits, on the
//! same databases, in turns, in one run. `cargo xtask bench` builds it, starts the databases and
//! runs it.
//!
//! It measures operations in process, and everything else through processes of the built program.
//! It checks results only as far as needed to know that it measured the right thing; the tests
//! check the rest.

mod baseline;
mod cases;
mod compare;
mod database;
mod figures;
mod limits;
mod measure;
mod program;
mod report;
mod repository;
mod scene;
mod sql;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use cases::{Case, Run};
use database::Kind;
use figures::Figures;

/// The benchmark of ctxpin.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Measure and write the tables and plots.
    Measure(Measure),
    /// Compare two builds of the program.
    Compare(compare::Compare),
    /// Serve the limits of an HTTP response; a measurement starts this by itself.
    Limits(limits::Serve),
}

/// Options of a measurement.
#[derive(Debug, Args)]
struct Measure {
    /// The built program.
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// A PostgreSQL server, as `name=URL`; repeatable.
    #[arg(long, value_name = "NAME=URL")]
    postgres: Vec<Kind>,
    /// The directory for the report. Without it, the figures are only printed.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Measure only this subject.
    #[arg(long, value_enum)]
    only: Option<Case>,
    /// Use small counts, to check that everything runs.
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ctxpin-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the task. Returns `false` if it printed a slower figure of a comparison, or a goal that was missed and must not
/// be.
fn run(task: Task) -> anyhow::Result<bool> {
    raise_open_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism()?.get())
        .enable_all()
        .build()
        .context("starting the runtime")?;
    match task {
        Task::Measure(measure) => runtime.block_on(async {
            // Runs on a thread of the runtime that polls its own I/O, like the handlers of a
            // server.
            tokio::spawn(measure.run()).await?
        }),
        Task::Compare(compare) => runtime.block_on(async { tokio::spawn(compare.run()).await? }),
        Task::Limits(serve) => runtime.block_on(serve.run()).map(|()| true),
    }
}

/// Raises the limit of open files. Each of thousands of watches needs one, here and in the server,
/// which inherits the limit.
fn raise_open_files() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("raising the number of open files")
}

impl Measure {
    async fn run(self) -> anyhow::Result<bool> {
        let begun = Instant::now();
        let mut kinds = vec![Kind::sqlite()];
        kinds.extend(self.postgres);
        let machine = report::machine::read(&kinds).await?;
        let mut run = Run {
            program: self.program,
            kinds,
            figures: Figures::default(),
            quick: self.quick,
        };
        let cases = Case::value_variants().iter().copied();
        for case in cases.filter(|case| self.only.is_none_or(|only| only == *case)) {
            run.measure(case).await?;
        }
        let report = report::Report {
            machine,
            kinds: run.kinds.iter().map(|kind| kind.name.clone()).collect(),
            figures: run.figures,
            minutes: begun.elapsed().as_secs_f64() / 60.0,
        };
        match self.output {
            Some(directory) => report.write(&directory)?,
            None => println!("{}", report.markdown()),
        }
        let missed = report.missed();
        for line in &missed {
            eprintln!("missed: {line}");
        }
        Ok(missed.is_empty())
    }
}
