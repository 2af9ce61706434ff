//! The measurements, by subject.

mod edits;
mod http;
mod monorepo;
mod moves;
pub mod names;
mod program;
mod pushes;
mod reads;
mod replicas;
pub mod scan;
mod storage;
mod watchers;

use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;

use crate::database::Kind;
use crate::figures::Figures;

/// A subject of the measurements, with a module of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// Pushes, with chats that are pinned already and with chats that they hydrate.
    Pushes,
    /// Refresh, rebind and rollback of one chat.
    Moves,
    /// The size of pins and workspaces on disk.
    Storage,
    /// A chat's context, lists of chats, diffs.
    Reads,
    /// Prompts over HTTP, and start-up.
    Http,
    /// Several servers on one PostgreSQL.
    Replicas,
    /// Thousands of watches and one push.
    Watchers,
    /// A scan of a workspace.
    Scan,
    /// Scans and agents of a project of 30,000 directories.
    Monorepo,
    /// The time from an edit on disk until a watcher sees drift.
    Edits,
    /// Memory and the size of the program.
    Program,
}

/// A run under way.
pub struct Run {
    /// The built program.
    pub program: PathBuf,
    /// The databases, in the order in which they are measured.
    pub kinds: Vec<Kind>,
    /// The measured figures.
    pub figures: Figures,
    /// Whether counts are small, to try a case out.
    pub quick: bool,
}

impl Run {
    /// Measures one subject on every database that it concerns.
    pub async fn measure(&mut self, case: Case) -> anyhow::Result<()> {
        if case == Case::Scan {
            eprintln!("scan");
            return scan::run(self);
        }
        if case == Case::Monorepo {
            eprintln!("monorepo");
            return monorepo::run(self).await;
        }
        for kind in self.kinds.clone() {
            let begun = Instant::now();
            match case {
                Case::Pushes => pushes::run(self, &kind).await?,
                Case::Moves => moves::run(self, &kind).await?,
                Case::Storage => storage::run(self, &kind).await?,
                Case::Reads => reads::run(self, &kind).await?,
                Case::Http => http::run(self, &kind).await?,
                Case::Replicas => replicas::run(self, &kind).await?,
                Case::Watchers => watchers::run(self, &kind).await?,
                Case::Edits => edits::run(self, &kind).await?,
                Case::Program => program::run(self, &kind).await?,
                Case::Scan | Case::Monorepo => {}
            }
            let took = begun.elapsed().as_secs_f64();
            eprintln!("{case:?} on {} took {took:.1} s", kind.name);
        }
        Ok(())
    }

    /// Returns the count, or a tenth of it in a quick run.
    fn count(&self, count: usize) -> usize {
        if self.quick {
            (count / 10).max(2)
        } else {
            count
        }
    }
}
