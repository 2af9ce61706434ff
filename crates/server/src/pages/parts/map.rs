//! The map of a workspace: its heads on one axis of time, and a lane for each chat, coloured by the head at which
//! the chat stood.

use std::fmt;
use std::time::Duration;

use askama::filters::HtmlSafe;
use ctxpin_model::moment::Moment;

/// The number of ticks of the axis.
const TICKS: u32 = 7;

/// The number of colours of heads.
const COLOURS: i64 = 6;

/// The share of the width, in percent, from which a band has room for a number.
const NUMBER_WIDTH_MIN: f64 = 3.0;

/// A range of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub from: Moment,
    pub to: Moment,
}

/// A time from which on a lane shows a head, or `None` for no head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub at: Moment,
    pub head: Option<i64>,
}

/// A lane of the map: bands that begin with each step and end with the next.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub range: Range,
    /// The steps, oldest first.
    pub steps: Vec<Step>,
}

/// The lane of the heads, with the days of the range.
#[derive(Debug, Clone)]
pub(crate) struct Axis(pub Lane);

/// A part of a lane, in percent of the range.
struct Band {
    start: f64,
    width: f64,
    head: Option<i64>,
}

impl Range {
    fn seconds(self) -> f64 {
        let length = self.to.utc() - self.from.utc();
        length.num_seconds().max(1) as f64
    }

    /// Returns the place of a time in the range, in percent.
    fn place(self, at: Moment) -> f64 {
        let since = (at.utc() - self.from.utc()).num_seconds() as f64;
        (100.0 * since / self.seconds()).clamp(0.0, 100.0)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = "%Y-%m-%dT%H:%M:%SZ";
        let (from, to) = (self.from.utc().format(form), self.to.utc().format(form));
        write!(f, "{from}/{to}")
    }
}

impl HtmlSafe for Range {}

impl Lane {
    fn bands(&self) -> Vec<Band> {
        let ends = self.steps.iter().skip(1).map(|step| step.at);
        let ends = ends.chain([self.range.to]);
        let bands = self.steps.iter().zip(ends).map(|(step, end)| {
            let (start, end) = (self.range.place(step.at), self.range.place(end));
            Band {
                start,
                width: end - start,
                head: step.head,
            }
        });
        bands.filter(|band| band.width > 0.0).collect()
    }

    fn words(&self) -> String {
        let words = self.bands().into_iter().map(|band| match band.head {
            Some(head) => format!(
                "head {head} from {:.0} to {:.0} percent of the range",
                band.start,
                band.start + band.width
            ),
            None => "no head".to_owned(),
        });
        words.collect::<Vec<_>>().join(", ")
    }

    /// Writes the bands at a height.
    fn write_bands(&self, f: &mut fmt::Formatter<'_>, y: u32) -> fmt::Result {
        for Band { start, width, head } in self.bands() {
            let Some(head) = head else {
                write!(
                    f,
                    "<rect class=\"unpinned\" x=\"{start:.1}%\" y=\"{y}\" width=\"{width:.1}%\" height=\"16\" rx=\"3\"/>"
                )?;
                continue;
            };
            let colour = head.rem_euclid(COLOURS);
            write!(
                f,
                "<rect class=\"h{colour}\" x=\"{start:.1}%\" y=\"{y}\" width=\"{width:.1}%\" height=\"16\" rx=\"3\"><title>Head {head}</title></rect>"
            )?;
            if width > NUMBER_WIDTH_MIN {
                let (x, y) = (start + 0.5, y + 12);
                write!(f, "<text x=\"{x:.1}%\" y=\"{y}\">{head}</text>")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.words();
        write!(f, "<svg height=\"26\" role=\"img\" aria-label=\"{words}\">")?;
        self.write_bands(f, 5)?;
        f.write_str("</svg>")
    }
}

impl HtmlSafe for Lane {}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(lane) = self;
        let words = lane.words();
        write!(f, "<svg height=\"44\" role=\"img\" aria-label=\"{words}\">")?;
        let step = Duration::from_secs_f64(lane.range.seconds() / f64::from(TICKS));
        let is_short = step < Duration::from_secs(24 * 60 * 60);
        for tick in 0..TICKS {
            let at = lane.range.from.after(step * tick);
            let x = lane.range.place(at);
            let form = if is_short { "%a %H:%M" } else { "%-d %b" };
            let day = at.utc().format(form);
            write!(
                f,
                "<line class=\"grid\" x1=\"{x:.2}%\" y1=\"16\" x2=\"{x:.2}%\" y2=\"20\"/>\
                 <text class=\"when\" x=\"{x:.2}%\" y=\"12\">{day}</text>"
            )?;
        }
        lane.write_bands(f, 24)?;
        f.write_str("</svg>")
    }
}

impl HtmlSafe for Axis {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_unix_micros(seconds * 1_000_000).unwrap()
    }

    #[test]
    fn a_band_lasts_until_the_next_step() {
        let range = Range {
            from: at(1_000),
            to: at(2_000),
        };
        let step = |seconds, head| Step {
            at: at(seconds),
            head,
        };
        let check = |steps: &[Step], expected: &str| {
            let steps = steps.to_vec();
            assert_eq!(Lane { range, steps }.words(), expected);
        };
        check(&[], "");
        check(
            &[step(0, Some(1)), step(1_250, Some(2))],
            "head 1 from 0 to 25 percent of the range, head 2 from 25 to 100 percent of the range",
        );
        // What ended before the range is not in it.
        check(
            &[step(0, Some(1)), step(500, None), step(1_500, Some(3))],
            "no head, head 3 from 50 to 100 percent of the range",
        );
    }
}
