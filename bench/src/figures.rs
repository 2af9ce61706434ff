//! The figures of a run. The cases measure them, and the reports print them.

use serde::Serialize;

use crate::database::Kind;
use crate::measure::{Samples, Summary};

/// The unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Milliseconds,
    Bytes,
    RequestsPerSecond,
    Count,
}

/// The design that a figure belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Design {
    Ctxpin,
    /// Rows copied into each chat, and drift marked in each chat.
    Copying,
    /// The lower limit.
    Limit,
}

impl Design {
    /// Returns the name for readers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ctxpin => "ctxpin",
            Self::Copying => "copying",
            Self::Limit => "limit",
        }
    }
}

/// One measured figure of a subject.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// The group it belongs to: figures of one group and quantity are compared.
    pub subject: &'static str,
    /// The name of the measurement.
    pub measured: String,
    /// Over which quantity it grows, where it does.
    pub size: Option<f64>,
    /// The measured design.
    pub design: Design,
    /// The name of the database, or `None` if no database takes part.
    pub database: Option<String>,
    pub unit: Unit,
    /// The samples in short.
    pub summary: Summary,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub struct Figures {
    all: Vec<Figure>,
}

/// The subject of a figure.
#[derive(Debug, Clone)]
pub struct Of {
    subject: &'static str,
    measured: String,
    size: Option<f64>,
    database: Option<String>,
    unit: Unit,
}

impl Of {
    /// Names a measurement on a database.
    pub fn new(subject: &'static str, kind: &Kind, unit: Unit, measured: &str) -> Self {
        Self {
            database: Some(kind.name.clone()),
            ..Self::of_machine(subject, unit, measured)
        }
    }

    /// Names a measurement without a database.
    pub fn of_machine(subject: &'static str, unit: Unit, measured: &str) -> Self {
        Self {
            subject,
            measured: measured.to_owned(),
            size: None,
            database: None,
            unit,
        }
    }

    /// Sets the quantity over which the measured value grows.
    pub fn at(self, size: usize) -> Self {
        Self {
            size: Some(size as f64),
            ..self
        }
    }
}

impl Figures {
    /// Records the samples, if there are any.
    pub fn note(&mut self, of: &Of, design: Design, samples: &Samples) {
        let Some(summary) = samples.summary() else {
            return;
        };
        let figure = Figure {
            subject: of.subject,
            measured: of.measured.clone(),
            size: of.size,
            design,
            database: of.database.clone(),
            unit: of.unit,
            summary,
        };
        eprintln!("    {}", line(&figure));
        self.all.push(figure);
    }

    /// Returns all figures, in the order in which they were measured.
    pub fn all(&self) -> &[Figure] {
        &self.all
    }

    /// Returns the median of a figure, if it was measured.
    pub fn median(&self, database: Option<&str>, measured: &str, design: Design) -> Option<f64> {
        self.find(database, measured, design)
            .map(|figure| figure.summary.median)
    }

    /// Returns a figure, if it was measured.
    pub fn find(&self, database: Option<&str>, measured: &str, design: Design) -> Option<&Figure> {
        self.all.iter().find(|figure| {
            figure.database.as_deref() == database
                && figure.measured == measured
                && figure.design == design
        })
    }
}

/// Returns a figure in one line.
fn line(figure: &Figure) -> String {
    let Summary {
        median,
        quartile_low,
        quartile_high,
        count,
        ..
    } = figure.summary;
    let unit = match figure.unit {
        Unit::Milliseconds => "ms",
        Unit::Bytes => "bytes",
        Unit::RequestsPerSecond => "requests/s",
        Unit::Count => "",
    };
    let database = figure.database.as_deref().unwrap_or("any");
    let design = figure.design.name();
    format!(
        "{:<60} {design:<8} {database:<22} {median:>12.3} {unit} ({quartile_low:.3} to {quartile_high:.3}, {count})",
        figure.measured
    )
}
