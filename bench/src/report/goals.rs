//! The goals, and whether the figures meet them.

use serde::Serialize;

use crate::cases::names::{
    COMMIT, EDIT, PINS, PROMPT, PROMPT_KNOWN, ROW, hydrating, one_changed, refresh_first_of,
    refresh_of,
};
use crate::figures::{Design, Figures};

/// A goal on one database.
#[derive(Debug, Serialize)]
pub struct Goal {
    /// The subject of the goal.
    pub about: &'static str,
    /// The goal in words.
    pub goal: &'static str,
    /// The name of the database.
    pub database: String,
    /// The measured value, in the goal's unit.
    pub measured: f64,
    /// The same for readers.
    pub told: String,
    /// Whether the goal is met.
    pub is_met: bool,
}

/// Returns the results of all goals for which there are figures: for each goal, one result per
/// database.
pub fn all(figures: &Figures, kinds: &[String]) -> Vec<Goal> {
    let mut goals = Vec::new();
    for asked in asked() {
        for database in kinds {
            let median = |(measured, design): &Side| figures.median(database, measured, *design);
            let above = median(&asked.above);
            let below = asked.below.as_ref().map_or(Some(1.0), median);
            if let (Some(above), Some(below)) = (above, below) {
                goals.push(asked.goal(database, above / below));
            }
        }
    }
    goals
}

/// A measurement of one design.
type Side = (String, Design);

/// The goal in words.
struct Asked {
    about: &'static str,
    goal: &'static str,
    above: Side,
    /// The divisor, if the goal is a ratio.
    below: Option<Side>,
    bound: Bound,
    unit: &'static str,
}

impl Asked {
    fn goal(&self, database: &str, measured: f64) -> Goal {
        Goal {
            about: self.about,
            goal: self.goal,
            database: database.to_owned(),
            measured,
            told: format!("{measured:.*} {}", digits(measured), self.unit),
            is_met: self.bound.is_met(measured),
        }
    }
}

/// Returns every goal, in the order of the page.
fn asked() -> Vec<Asked> {
    let mut asked = asked_of_writes();
    asked.push(less(
        STORAGE,
        "at least 300 times smaller",
        PINS.to_owned(),
        300.0,
    ));
    asked.push(against(
        PROMPT_ROW,
        "at least 0.7 times",
        PROMPT.to_owned(),
        (ROW.to_owned(), Design::Limit),
        Bound::Least(0.7),
    ));
    asked.push(against(
        KNOWN,
        "more, because it reads no body",
        PROMPT_KNOWN.to_owned(),
        (PROMPT.to_owned(), Design::Ctxpin),
        Bound::Least(1.0),
    ));
    asked.push(Asked {
        about: DRIFT,
        goal: "at most 100 ms",
        above: (EDIT.to_owned(), Design::Ctxpin),
        below: None,
        bound: Bound::Most(100.0),
        unit: "ms",
    });
    asked
}

fn asked_of_writes() -> Vec<Asked> {
    let (few, many) = (one_changed(10), one_changed(10_000));
    let few = (few, Design::Ctxpin);
    let commit = || (COMMIT.to_owned(), Design::Limit);
    let (kept, first) = (refresh_of(50), refresh_first_of(50));
    let (level, twice) = (Bound::Most(1.3), Bound::Most(2.0));
    let (at_most_2, least_20) = ("at most 2 times", "at least 20 times faster");
    vec![
        less(
            HYDRATE,
            "at least 100 times faster",
            hydrating(1_000),
            100.0,
        ),
        against(PUSH_FLAT, "at most 1.3 times", many.clone(), few, level),
        less(PUSH_MARKING, "at least 10 times faster", many, 10.0),
        less(REFRESH_COPY, least_20, kept.clone(), 20.0),
        against(REFRESH_COMMIT, at_most_2, kept, commit(), twice),
        less(FIRST_COPY, least_20, first.clone(), 20.0),
        against(FIRST_COMMIT, at_most_2, first, commit(), twice),
    ]
}

/// Returns a goal: the baseline takes at least `least` times what ctxpin takes.
fn less(about: &'static str, goal: &'static str, measured: String, least: f64) -> Asked {
    Asked {
        about,
        goal,
        above: (measured.clone(), Design::Copying),
        below: Some((measured, Design::Ctxpin)),
        bound: Bound::Least(least),
        unit: "times less",
    }
}

/// Returns a goal for the ratio of two figures.
fn against(
    about: &'static str,
    goal: &'static str,
    above: String,
    below: Side,
    bound: Bound,
) -> Asked {
    Asked {
        about,
        goal,
        above: (above, Design::Ctxpin),
        below: Some(below),
        bound,
        unit: "times",
    }
}

const HYDRATE: &str = "first push that hydrates 1,000 chats of 50 files, against copying";
const PUSH_FLAT: &str = "push of one changed file, 10,000 chats against 10";
const PUSH_MARKING: &str = "push of one changed file with 10,000 chats, against marking them";
const REFRESH_COPY: &str = "refresh of 50 files, against copying";
const REFRESH_COMMIT: &str = "refresh of 50 files, against a bare commit of one row";
const FIRST_COPY: &str = "first refresh to a head, which renders its prompt, against copying";
const FIRST_COMMIT: &str = "first refresh to a head, against a bare commit of one row";
const STORAGE: &str = "storage of 1,000 pins of 50 files, against copying";
const PROMPT_ROW: &str = "throughput of `GET prompt`, against one read by primary key";
const KNOWN: &str = "throughput of `GET prompt` answered 304, against sending it";
const DRIFT: &str = "edit of a file to drift visible to a watcher, median";

/// The bound that a figure must keep.
#[derive(Debug, Clone, Copy)]
enum Bound {
    Least(f64),
    Most(f64),
}

impl Bound {
    fn is_met(self, measured: f64) -> bool {
        match self {
            Self::Least(least) => measured >= least,
            Self::Most(most) => measured <= most,
        }
    }
}

/// Returns how many digits after the point to show.
fn digits(value: f64) -> usize {
    match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Kind;
    use crate::figures::{Of, Unit};

    #[test]
    fn a_goal_is_told_once_both_sides_were_measured() {
        let kind = Kind::sqlite();
        let mut figures = Figures::default();
        let of = Of::new("moves", &kind, Unit::Milliseconds, &refresh_of(50));
        figures.note(&of, Design::Ctxpin, &[2.0].into_iter().collect());
        let kinds = [kind.name.clone()];
        assert_eq!(all(&figures, &kinds).len(), 0);
        figures.note(&of, Design::Copying, &[30.0].into_iter().collect());
        let of = Of::new("moves", &kind, Unit::Milliseconds, COMMIT);
        figures.note(&of, Design::Limit, &[1.0].into_iter().collect());
        let told: Vec<_> = all(&figures, &kinds)
            .into_iter()
            .map(|goal| (goal.told, goal.is_met))
            .collect();
        let expected = [("15.0 times less", false), ("2.00 times", true)];
        assert_eq!(told, expected.map(|(told, met)| (told.to_owned(), met)));
    }
}
