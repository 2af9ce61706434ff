//! The report: tables for people, the same as JSON, and plots.

pub mod machine;

mod goals;
mod markdown;
mod plots;

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::figures::{Figure, Figures};
use goals::Goal;
use machine::Machine;

/// The results of a run.
pub struct Report {
    /// The machine that ran it.
    pub machine: Machine,
    /// The databases, in their order.
    pub kinds: Vec<String>,
    /// The name of the measurement.
    pub figures: Figures,
    /// How long the measurements took.
    pub minutes: f64,
}

/// The shape of `results.json`.
#[derive(Serialize)]
struct Results<'a> {
    machine: &'a Machine,
    minutes: f64,
    goals: Vec<Goal>,
    figures: &'a [Figure],
}

impl Report {
    /// Writes the tables, the JSON and the plots into a directory.
    pub fn write(&self, directory: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("making {}", directory.display()))?;
        let put = |name: &str, text: String| {
            let path = directory.join(name);
            // Every text in the repository ends in one line feed.
            let text = format!("{}\n", text.trim_end());
            std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
        };
        for (name, plot) in plots::all(&self.figures, &self.kinds)? {
            put(&name, plot)?;
        }
        let results = Results {
            machine: &self.machine,
            minutes: self.minutes,
            goals: goals::all(&self.figures, &self.kinds),
            figures: self.figures.all(),
        };
        put("results.json", serde_json::to_string_pretty(&results)?)?;
        put("results.md", self.markdown())
    }

    /// Returns a line for each goal that a run must meet and has missed.
    pub fn missed(&self) -> Vec<String> {
        let goals = goals::all(&self.figures, &self.kinds).into_iter();
        let missed = goals.filter(|goal| goal.is_demanded && !goal.is_met);
        missed
            .map(|goal| format!("{}: {}, and not {}", goal.about, goal.told, goal.goal))
            .collect()
    }

    /// Returns the tables as Markdown.
    pub fn markdown(&self) -> String {
        markdown::text(self)
    }
}
