//! The figures of a run: a table for each database, and all of them as Markdown.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use crate::ledger::{Delays, State, Tally};

/// The figures of one database: what each is, and its value.
pub struct Figures {
    /// The database, as a heading.
    pub name: String,
    rows: Vec<(String, String)>,
}

/// The counts that are not in the ledger.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// For how long there was load.
    pub worked: Duration,
    pub rounds: u64,
    /// Servers that were killed.
    pub kills: u64,
    /// Servers that ended by themselves before they served.
    pub ended_starting: u64,
    /// Servers that ended by themselves while they served.
    pub ended_serving: u64,
    /// Whether it is PostgreSQL, which has faults of its own.
    pub is_postgres: bool,
}

impl Figures {
    /// Returns the figures of a run on one database.
    pub fn of(name: &str, counted: &Counted, state: &State) -> Self {
        let mut figures = Self {
            name: name.to_owned(),
            rows: Vec::new(),
        };
        figures.add_load(counted, state);
        figures.add_faults(counted, state);
        figures.add(
            "delay of events, without faults: p50, p99, longest",
            delays(&state.delays_quiet),
        );
        figures.add(
            "delay of events, under faults: p50, p99, longest",
            delays(&state.delays_faults),
        );
        figures.add(
            "agents, chats",
            format!("{}, {}", state.agents.len(), state.chats.len()),
        );
        figures.add("comparisons", number(state.checks));
        figures.add("violations", number(state.violations.len() as u64));
        figures
    }

    fn add(&mut self, what: &str, value: impl Into<String>) {
        self.rows.push((what.to_owned(), value.into()));
    }

    fn add_load(&mut self, counted: &Counted, state: &State) {
        self.add("seconds of load", number(counted.worked.as_secs()));
        self.add("rounds", number(counted.rounds));
        let mut total = Tally::default();
        for tally in state.operations.values() {
            total.acknowledged += tally.acknowledged;
            total.unknown += tally.unknown;
            total.refused += tally.refused;
        }
        self.add("requests acknowledged", number(total.acknowledged));
        self.add("requests unknown", number(total.unknown));
        self.add("requests refused", number(total.refused));
        for (kind, tally) in &state.operations {
            self.add(&format!("acknowledged: {kind}"), number(tally.acknowledged));
        }
        for (problem, count) in &state.problems {
            self.add(&format!("refused: {problem}"), number(*count));
        }
    }

    fn add_faults(&mut self, counted: &Counted, state: &State) {
        let faults = &state.faults;
        self.add("servers killed", number(counted.kills));
        let starting = "servers that ended by themselves, starting";
        self.add(starting, number(counted.ended_starting));
        let serving = "servers that ended by themselves, serving";
        self.add(serving, number(counted.ended_serving));
        if counted.is_postgres {
            let longest = seconds(faults.pause_longest);
            self.add(
                "replicas paused (longest)",
                format!("{} ({longest})", faults.pauses),
            );
            let locked = "of them in a transaction that held locks";
            self.add(locked, number(faults.pauses_with_locks));
            let held_up = "longest wait at another replica meanwhile";
            self.add(held_up, seconds(faults.held_up_longest));
            self.add("cuts of all connections", number(faults.cuts));
            self.add(
                "cuts of the listening connections",
                number(faults.listener_cuts),
            );
            self.add("PostgreSQL stopped and started", number(faults.outages));
            self.add(
                "failovers of PostgreSQL to its standby",
                number(faults.failovers),
            );
            self.add(
                "deadlocks that PostgreSQL resolved",
                faults.deadlocks.to_string(),
            );
        }
        self.add("jumps of a server's clock", number(faults.jumps));
        let longest = seconds(faults.network_loss_longest);
        let losses = format!("{} ({longest})", faults.network_losses);
        self.add("losses of an agent's network (longest)", losses);
        self.add("full disks", number(faults.full_disks));
        self.add(
            "rights ended while their holders wrote",
            number(faults.revocations),
        );
    }

    /// Prints the counts of a run.
    pub fn print(&self, seed: u64) {
        println!("\n{}, seed {seed}:", self.name);
        let width = self
            .rows
            .iter()
            .map(|(what, _)| what.len())
            .max()
            .unwrap_or(0);
        for (what, value) in &self.rows {
            println!("{what:<width$}  {value:>12}");
        }
    }

    fn value(&self, what: &str) -> &str {
        let row = self.rows.iter().find(|(other, _)| other == what);
        row.map_or("", |(_, value)| value)
    }
}

/// Writes the figures of all databases as one Markdown table.
pub fn write(path: &Path, seed: u64, databases: &[Figures]) -> anyhow::Result<()> {
    let text = markdown(seed, databases);
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

fn markdown(seed: u64, databases: &[Figures]) -> String {
    let mut text = format!("| `--seed {seed}` |");
    for figures in databases {
        let _ = write!(text, " {} |", figures.name);
    }
    text.push_str("\n|---|");
    databases.iter().for_each(|_| text.push_str("---:|"));
    text.push('\n');
    let mut known: Vec<&str> = Vec::new();
    // The database with the most rows gives the order. Rows that only another database has follow.
    let mut ordered: Vec<&Figures> = databases.iter().collect();
    ordered.sort_by_key(|figures| std::cmp::Reverse(figures.rows.len()));
    for (what, _) in ordered.iter().flat_map(|figures| &figures.rows) {
        if !known.contains(&what.as_str()) {
            known.push(what);
        }
    }
    for what in known {
        let _ = write!(text, "| {what} |");
        for figures in databases {
            let _ = write!(text, " {} |", figures.value(what));
        }
        text.push('\n');
    }
    text
}

fn delays(delays: &Delays) -> String {
    let at = |percent| milliseconds(delays.percentile(percent));
    format!(
        "{}, {}, {} ({})",
        at(50),
        at(99),
        at(100),
        number(delays.count() as u64)
    )
}

fn milliseconds(time: Duration) -> String {
    format!(
        "{} ms",
        number(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    )
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Returns a number with commas between its thousands.
fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn the_table_has_a_column_for_each_database() {
        let figures = |name: &str, rows: &[(&str, &str)]| Figures {
            name: name.to_owned(),
            rows: rows
                .iter()
                .map(|(what, value)| ((*what).into(), (*value).into()))
                .collect(),
        };
        let table = markdown(
            7,
            &[
                figures("A", &[("kills", "1")]),
                figures("B", &[("cuts", "2"), ("kills", "3")]),
            ],
        );
        let expected =
            "| `--seed 7` | A | B |\n|---|---:|---:|\n| cuts |  | 2 |\n| kills | 1 | 3 |\n";
        assert_eq!(table, expected);
    }
}
