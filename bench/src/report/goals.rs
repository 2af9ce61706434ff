//! The goals, and whether the figures meet them.

use ctxpin_model::profile::Profile;
use serde::Serialize;

use crate::cases::names::{
    COMMIT, EDIT, PINS, PROMPT, PROMPT_KNOWN, ROW, first_scan, hydrating, monorepo_edit,
    monorepo_memory, one_changed, refresh_first_of, refresh_of,
};
use crate::figures::{Design, Figures};

/// A goal on one database.
#[derive(Debug, Serialize)]
pub struct Goal {
    /// The subject of the goal.
    pub about: String,
    /// The goal in words.
    pub goal: &'static str,
    /// The name of the database, or `None` if no database takes part.
    pub database: Option<String>,
    /// The measured value, in the goal's unit.
    pub measured: f64,
    /// The same for readers.
    pub told: String,
    /// Whether the goal is met.
    pub is_met: bool,
    /// Whether the run fails if it is not.
    #[serde(skip)]
    pub is_demanded: bool,
}

/// Returns the results of all goals for which there are figures: for each goal, one result per
/// database, or one if no database takes part.
pub fn all(figures: &Figures, kinds: &[String]) -> Vec<Goal> {
    let databases: Vec<_> = kinds.iter().map(|kind| Some(kind.as_str())).collect();
    let mut goals = Vec::new();
    for asked in asked() {
        for database in databases.iter().copied().chain([None]) {
            let median = |(measured, design): &Side| figures.median(database, measured, *design);
            let above = median(&asked.above);
            let below = asked.below.as_ref().map_or(Some(asked.unit_size), median);
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
    about: String,
    goal: &'static str,
    above: Side,
    /// The divisor, if the goal is a ratio.
    below: Option<Side>,
    bound: Bound,
    /// How much of the figure's unit is one of `unit`, if there is no divisor.
    unit_size: f64,
    unit: &'static str,
    is_demanded: bool,
}

impl Asked {
    fn goal(&self, database: Option<&str>, measured: f64) -> Goal {
        Goal {
            about: self.about.clone(),
            goal: self.goal,
            database: database.map(str::to_owned),
            measured,
            told: format!("{measured:.*} {}", digits(measured), self.unit),
            is_met: self.bound.is_met(measured),
            is_demanded: self.is_demanded,
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
    let soon = "at most 100 ms";
    asked.push(most(DRIFT, soon, EDIT.to_owned(), 100.0, MILLISECONDS));
    asked.extend(asked_of_monorepo());
    asked
}

/// Returns the goals for a project of 30,000 directories, which a run must meet.
fn asked_of_monorepo() -> Vec<Asked> {
    let mut asked = Vec::new();
    for profile in Profile::ALL.iter().copied() {
        let first = "first scan of 30,000 directories";
        let seen = "edit of a file below to drift visible to a watcher, median";
        let held = "memory of an agent of 30,000 directories";
        let goals = [
            most(
                first,
                "at most 2,000 ms",
                first_scan(profile),
                2_000.0,
                MILLISECONDS,
            ),
            most(
                seen,
                "at most 100 ms",
                monorepo_edit(profile),
                100.0,
                MILLISECONDS,
            ),
            most(
                held,
                "at most 64 MiB",
                monorepo_memory(profile),
                64.0,
                MEBIBYTES,
            ),
        ];
        asked.extend(goals.map(|goal| Asked {
            about: format!("{}, {profile}", goal.about),
            is_demanded: true,
            ..goal
        }));
    }
    asked
}

/// A unit of a goal: how much of the figure's unit it is, and its name.
type GoalUnit = (f64, &'static str);

const MILLISECONDS: GoalUnit = (1.0, "ms");
const MEBIBYTES: GoalUnit = (1_048_576.0, "MiB");

/// Returns a goal: a figure of ctxpin is at most `most`.
fn most(
    about: &str,
    goal: &'static str,
    measured: String,
    most: f64,
    (unit_size, unit): GoalUnit,
) -> Asked {
    Asked {
        about: about.to_owned(),
        goal,
        above: (measured, Design::Ctxpin),
        below: None,
        bound: Bound::Most(most),
        unit_size,
        unit,
        is_demanded: false,
    }
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
        about: about.to_owned(),
        goal,
        above: (measured.clone(), Design::Copying),
        below: Some((measured, Design::Ctxpin)),
        bound: Bound::Least(least),
        unit_size: 1.0,
        unit: "times less",
        is_demanded: false,
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
        about: about.to_owned(),
        goal,
        above: (above, Design::Ctxpin),
        below: Some(below),
        bound,
        unit_size: 1.0,
        unit: "times",
        is_demanded: false,
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

    #[test]
    fn a_monorepo_past_its_goals_fails_the_run() {
        let kind = Kind::sqlite();
        let kinds = [kind.name.clone()];
        let mut figures = Figures::default();
        let check = |figures: &Figures, told: &str, is_met| {
            let goal = all(figures, &kinds).pop().unwrap();
            let found = (goal.told.as_str(), goal.is_met, goal.is_demanded);
            assert_eq!(found, (told, is_met, true));
        };
        let first = first_scan(Profile::Codex);
        let of = Of::of_machine("monorepo", Unit::Milliseconds, &first);
        figures.note(&of, Design::Ctxpin, &[1.0].into_iter().collect());
        check(&figures, "1.00 ms", true);
        let held = monorepo_memory(Profile::Codex);
        let of = Of::new("monorepo", &kind, Unit::Bytes, &held);
        figures.note(
            &of,
            Design::Ctxpin,
            &[65.0 * 1_048_576.0].into_iter().collect(),
        );
        check(&figures, "65.0 MiB", false);
    }
}
