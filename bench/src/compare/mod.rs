//! Compares two builds of the product: it scans with each in turns, sends the same requests alternately to a server of
//! each build, and reports for each figure how much slower one is.
//!
//! This program alone sends the requests over HTTP, so every difference is one of the servers.

mod ratio;
mod scans;
mod side;

use std::path::PathBuf;

use anyhow::bail;
use clap::{Args, ValueEnum};

use crate::database::Kind;
use ratio::Ratio;
use side::{Figure, Side};

/// Rounds that count.
const ROUNDS: usize = 15;

/// The greatest ratio of the new time to the old one that a figure may certainly have.
const RATIO_MAX: f64 = 1.10;

/// What to compare.
#[derive(Debug, Args)]
pub struct Compare {
    /// The built program.
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// The program that it is compared with.
    #[arg(long, value_name = "FILE")]
    against: PathBuf,
    /// A PostgreSQL server, as `name=URL`; repeatable.
    #[arg(long, value_name = "NAME=URL")]
    postgres: Vec<Kind>,
    /// Compare only this.
    #[arg(long, value_enum)]
    only: Option<Part>,
}

/// A part of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Scans of a workspace.
    Scan,
    /// Requests to servers.
    Http,
}

impl Compare {
    /// Compares on each database. Returns `true` if no figure is certainly slower.
    pub async fn run(self) -> anyhow::Result<bool> {
        let mut kinds = vec![Kind::sqlite()];
        kinds.extend(self.postgres.iter().cloned());
        println!("| figure | database | before, ms | now, ms | ratio | 95 % of ratios | |");
        println!("|---|---|---|---|---|---|---|");
        let mut is_good = true;
        let is_wanted = |part| self.only.is_none_or(|only| only == part);
        if is_wanted(Part::Scan) {
            is_good &= scans::compare(&self.program, &self.against)?;
        }
        for kind in kinds.iter().filter(|_| is_wanted(Part::Http)) {
            is_good &= self.compare(kind).await?;
        }
        println!(
            "\nThe ratio is the median of {ROUNDS} rounds, with an interval of order statistics. If the whole interval \
             is above {RATIO_MAX:.2}, the figure is certainly slower."
        );
        Ok(is_good)
    }

    async fn compare(&self, kind: &Kind) -> anyhow::Result<bool> {
        let mut now = Side::start(&self.program, kind).await?;
        let mut before = Side::start(&self.against, kind).await?;
        let mut is_good = true;
        for figure in Figure::ALL {
            // The first time warms everything up, and shows whether both can do it.
            if let Err(error) = now.measure(figure).await {
                bail!("{}: {error:#}", figure.name());
            }
            if let Err(error) = before.measure(figure).await {
                println!(
                    "| {} | {} | | | | | not measured: the other program failed with \"{error:#}\" |",
                    figure.name(),
                    kind.name
                );
                continue;
            }
            let mut rounds = Vec::new();
            for round in 0..ROUNDS {
                rounds.push(if is_now_first(round) {
                    let now = now.measure(figure).await?;
                    (before.measure(figure).await?, now)
                } else {
                    let before = before.measure(figure).await?;
                    (before, now.measure(figure).await?)
                });
            }
            let ratio = Ratio::of(&rounds);
            is_good &= ratio.low <= RATIO_MAX;
            println!("| {} | {} | {ratio} |", figure.name(), kind.name);
        }
        now.stop().await?;
        before.stop().await?;
        Ok(is_good)
    }
}

/// Returns whether the new program begins a round. The order changes, because the second one finds the machine as the
/// first one left it.
fn is_now_first(round: usize) -> bool {
    round % 2 == 1
}
