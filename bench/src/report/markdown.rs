//! `results.md`.

use std::fmt::Write as _;

use crate::figures::{Design, Figure, Unit};

use super::{Report, goals, plots};

/// Bytes of a kibibyte.
const KIB: f64 = 1024.0;

/// Returns the whole page.
pub fn text(report: &Report) -> String {
    let mut text = String::from("# Results\n\n");
    text.push_str(
        "`cargo xtask bench` writes this page; [README.md](README.md) says how to read it.\n",
    );
    text.push_str(&machine(report));
    text.push_str(&goals_table(report));
    text.push_str(&tables(report));
    text.push_str("\n## Plots\n");
    for (name, title) in plots::names() {
        let _ = write!(text, "\n![{title}]({name})\n");
    }
    text
}

fn machine(report: &Report) -> String {
    let machine = &report.machine;
    let databases: Vec<_> = machine
        .databases
        .iter()
        .map(|(name, version)| format!("{name}: {version}"))
        .collect();
    format!(
        "\n| machine | |\n|---|---|\n| processor | {}, {} cores |\n| memory | {:.0} GiB |\n\
         | kernel | {} |\n| databases | {} |\n| measured in | {:.1} minutes |\n",
        machine.processor,
        machine.cores,
        machine.memory_gibibytes,
        machine.kernel,
        databases.join("; "),
        report.minutes,
    )
}

fn goals_table(report: &Report) -> String {
    let mut text = String::from(
        "\n## Goals\n\n| work | goal | database | measured | met |\n|---|---|---|---|---|\n",
    );
    for goal in goals::all(&report.figures, &report.kinds) {
        let met = if goal.is_met { "yes" } else { "**no**" };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {met} |",
            goal.about,
            goal.goal,
            goal.database.as_deref().unwrap_or("none"),
            goal.told
        );
    }
    text.push_str(
        "\nThe statements of ctxpin check permissions and write history and audit log; those of the \
         baseline do neither.\n",
    );
    text
}

/// Returns a table for each subject, in the order in which they were measured.
fn tables(report: &Report) -> String {
    let mut subjects: Vec<&str> = Vec::new();
    for figure in report.figures.all() {
        if !subjects.contains(&figure.subject) {
            subjects.push(figure.subject);
        }
    }
    let mut text = String::new();
    for subject in subjects {
        let _ = write!(
            text,
            "\n## {}\n\n| what | database | ctxpin | copying | limit | copying / ctxpin | ctxpin / limit |\n\
             |---|---|---|---|---|---|---|\n",
            capitalised(subject)
        );
        let figures = report.figures.all().iter();
        let of_subject: Vec<_> = figures.filter(|figure| figure.subject == subject).collect();
        let mut told: Vec<(&str, Option<&str>)> = Vec::new();
        for figure in &of_subject {
            let row = (figure.measured.as_str(), figure.database.as_deref());
            if !told.contains(&row) {
                told.push(row);
                text.push_str(&table_row(&of_subject, row));
            }
        }
    }
    text
}

/// Returns the row of one measurement on one database, with the designs side by side.
fn table_row(figures: &[&Figure], (measured, database): (&str, Option<&str>)) -> String {
    let find = |design| {
        figures.iter().find(|figure| {
            figure.measured == measured
                && figure.database.as_deref() == database
                && figure.design == design
        })
    };
    let sides = [Design::Ctxpin, Design::Copying, Design::Limit].map(find);
    let cell = |side: Option<&&Figure>| side.map(|figure| cell(figure)).unwrap_or_default();
    let ratio = |above: Option<&&Figure>, below: Option<&&Figure>| match (above, below) {
        (Some(above), Some(below)) => {
            format!("{:.2}", above.summary.median / below.summary.median)
        }
        _ => String::new(),
    };
    format!(
        "| {measured} | {} | {} | {} | {} | {} | {} |\n",
        database.unwrap_or("none"),
        cell(sides[0]),
        cell(sides[1]),
        cell(sides[2]),
        ratio(sides[1], sides[0]),
        ratio(sides[0], sides[2]),
    )
}

/// Returns the median, with the quartiles if there are several samples.
fn cell(figure: &Figure) -> String {
    let summary = figure.summary;
    let median = amount(summary.median, figure.unit);
    if summary.count == 1 {
        return median;
    }
    let low = amount(summary.quartile_low, figure.unit);
    let high = amount(summary.quartile_high, figure.unit);
    let mut text = format!("{median} ({low} to {high})");
    if figure.unit == Unit::Milliseconds && summary.count >= 50 {
        let _ = write!(text, ", p99 {}", amount(summary.percentile_99, figure.unit));
    }
    text
}

/// Returns an amount for readers, with three significant digits.
fn amount(value: f64, unit: Unit) -> String {
    let (value, unit) = match unit {
        Unit::Milliseconds if value >= 1_000.0 => (value / 1_000.0, "s"),
        Unit::Milliseconds if value < 1.0 => (value * 1_000.0, "µs"),
        Unit::Milliseconds => (value, "ms"),
        Unit::Bytes if value >= KIB * KIB => (value / (KIB * KIB), "MiB"),
        Unit::Bytes if value >= KIB => (value / KIB, "KiB"),
        Unit::Bytes => (value, "B"),
        Unit::RequestsPerSecond => (value, "/s"),
        Unit::Count => return format!("{value:.0}"),
    };
    let digits = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}")
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_digits_and_a_fitting_unit() {
        for (value, unit, expected) in [
            (0.0123, Unit::Milliseconds, "12.3 µs"),
            (1.234, Unit::Milliseconds, "1.23 ms"),
            (4321.0, Unit::Milliseconds, "4.32 s"),
            (512.0, Unit::Bytes, "512 B"),
            (3.0 * KIB * KIB, Unit::Bytes, "3.00 MiB"),
            (1234.5, Unit::RequestsPerSecond, "1234 /s"),
        ] {
            assert_eq!(amount(value, unit), expected);
        }
    }
}
