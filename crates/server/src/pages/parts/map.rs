//! The drawings of the map of a workspace: bands of time in the colours of heads, marks of declined heads, and
//! crowds of chats.

use std::fmt;
use std::time::Duration;

use askama::filters::HtmlSafe;
use ctxpin_model::history::StepStand;
use ctxpin_model::moment::Moment;

/// The most ticks of the axis, whose labels have room on a phone if every second one is shown.
const TICKS_MAX: i64 = 7;

const HOUR: i64 = 60 * 60;

const DAY: i64 = 24 * HOUR;

/// The steps between ticks, in seconds. Ticks are at whole multiples, so that their labels have no rest. Steps of more
/// days are multiples of the last one.
const STEPS: [i64; 15] = [
    60,
    2 * 60,
    5 * 60,
    10 * 60,
    15 * 60,
    30 * 60,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    4 * DAY,
    7 * DAY,
];

/// How far from both ends of the axis, in percent, a label has room.
const LABEL_MARGIN: f64 = 5.0;

/// The number of colours of heads, and of edges. A head looks like none of the 17 before it.
const COLOURS: i64 = 6;
const EDGES: i64 = 3;

/// The share of the width, in percent, from which a band has room for a number.
const NUMBER_WIDTH_MIN: f64 = 3.0;

/// The share of the width, in percent, from which a band has room for two words, also on a phone.
const WORDS_WIDTH_MIN: f64 = 20.0;

/// The share of the width, in percent, below which nobody sees a band. So the most bands of a lane are bounded.
const BAND_WIDTH_MIN: f64 = 0.1;

/// The least share of the width, in percent, of the present band. A head that was just pushed can be seen.
const NOW_WIDTH_MIN: f64 = 0.6;

/// The width of the mark of a head on the axis that had no time for a band, and the least distance of two labels of
/// such heads, in percent.
const BRIEF_WIDTH: f64 = 0.4;
const BRIEF_LABEL_WIDTH: f64 = 8.0;

/// The number of steps in which a crowd is counted.
pub(crate) const CROWD_STEPS: usize = 80;

/// The height of a crowd of all chats, in pixels.
const CROWD_HEIGHT: f64 = 36.0;

/// A range of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    pub from: Moment,
    pub to: Moment,
}

/// A time from which on a lane shows a stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub at: Moment,
    pub stand: StepStand,
}

/// A part of a lane under one stand, within the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Band {
    pub from: Moment,
    pub to: Moment,
    pub stand: StepStand,
}

/// A lane of the map: bands that begin with each step and end with the next.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub range: Range,
    pub bands: Vec<Band>,
    /// From when on the chat declines a head, and the number of the head.
    pub declined: Option<(Moment, i64)>,
}

/// The lane of the heads, with the days of the range.
#[derive(Debug, Clone)]
pub(crate) struct Axis(pub Lane);

/// The chats that stood at one head, counted in steps of equal length over the range.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    pub stand: StepStand,
    /// The number at the end of each step.
    pub counts: [u64; CROWD_STEPS],
    /// The number of chats that fill the height.
    pub all: u64,
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

    /// Returns the bands of steps, the oldest first, as far as they lie in the range.
    pub fn bands(self, steps: &[Step]) -> Vec<Band> {
        let ends = steps.iter().skip(1).map(|step| step.at).chain([self.to]);
        let bands = steps.iter().zip(ends).map(|(step, end)| Band {
            from: step.at.max(self.from),
            to: end.min(self.to),
            stand: step.stand,
        });
        bands.filter(|band| band.from < band.to).collect()
    }

    /// Returns the end of each of [`CROWD_STEPS`] steps. The last one is the end of the range.
    pub fn step_ends(self) -> impl Iterator<Item = Moment> {
        let step = self.seconds() / CROWD_STEPS as f64;
        (1..=CROWD_STEPS).map(move |number| match number {
            CROWD_STEPS => self.to,
            number => self
                .from
                .after(Duration::from_secs_f64(step * number as f64)),
        })
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

impl Range {
    /// Returns the ticks of the axis, and whether they are less than a day apart.
    fn ticks(self) -> (Vec<Moment>, bool) {
        let (from, to) = (self.from.utc().timestamp(), self.to.utc().timestamp());
        let is_few = |step: &i64| (to - from) / step <= TICKS_MAX;
        let weeks = (2..).map(|weeks| weeks * 7 * DAY);
        let mut steps = STEPS.into_iter().chain(weeks);
        let step = steps.find(is_few).unwrap_or(DAY);
        let first = from + (-from).rem_euclid(step);
        let ticks = (0..=TICKS_MAX).map(|tick| first + tick * step);
        let ticks = ticks.take_while(|at| *at <= to);
        let ticks = ticks.filter_map(|at| Moment::from_unix_micros(at * 1_000_000));
        (ticks.collect(), step < DAY)
    }
}

/// Returns a stand in words.
pub(crate) fn stand_words(stand: StepStand) -> String {
    match stand {
        StepStand::Unpinned => "No pin".to_owned(),
        StepStand::Elsewhere => "No head of this workspace".to_owned(),
        StepStand::Head(head) => format!("Head {head}"),
    }
}

/// Returns whether a stand is drawn with an edge, because its colour has come before.
pub(crate) fn has_edge(stand: StepStand) -> bool {
    matches!(stand, StepStand::Head(head) if edge(head) > 0)
}

/// Returns the number of the edge of a head. Each goes with all colours in turn.
fn edge(head: i64) -> i64 {
    head.div_euclid(COLOURS).rem_euclid(EDGES)
}

/// Returns the class in which a stand is drawn.
fn class(stand: StepStand) -> String {
    match stand {
        StepStand::Unpinned => "unpinned".to_owned(),
        StepStand::Elsewhere => "elsewhere".to_owned(),
        StepStand::Head(head) => {
            let (colour, edge) = (head.rem_euclid(COLOURS), edge(head));
            match edge {
                0 => format!("h{colour}"),
                edge => format!("h{colour} r{edge}"),
            }
        }
    }
}

impl Lane {
    /// Returns what a lane shows, for those who do not see it. The table beside the map has the times.
    fn words(&self) -> String {
        let mut words: Vec<_> = self.bands.iter().map(|band| band.stand).collect();
        words.dedup();
        let words = words.into_iter().map(stand_words).enumerate();
        let inner = words.map(|(index, words)| match index {
            0 => words,
            _ => words.to_lowercase(),
        });
        let mut words: Vec<_> = inner.collect();
        if let Some((_, head)) = self.declined {
            words.push(format!("declines head {head}"));
        }
        words.join(", then ")
    }

    /// Writes the bands at a height.
    fn write_bands(&self, f: &mut fmt::Formatter<'_>, y: u32) -> fmt::Result {
        for band in &self.bands {
            let (mut start, end) = (self.range.place(band.from), self.range.place(band.to));
            if band.to == self.range.to {
                start = start.min(end - NOW_WIDTH_MIN);
            }
            let width = end - start;
            if width < BAND_WIDTH_MIN {
                continue;
            }
            let (class, words) = (class(band.stand), stand_words(band.stand));
            let from = band.from.utc().format("%a %-d %b %H:%M UTC");
            write!(
                f,
                "<rect class=\"{class}\" x=\"{start:.1}%\" y=\"{y}\" width=\"{width:.1}%\" height=\"16\" rx=\"3\"><title>{words}, from {from}</title></rect>"
            )?;
            let (x, y) = (start + 0.5, y + 12);
            match band.stand {
                StepStand::Head(head) if width > NUMBER_WIDTH_MIN => {
                    write!(f, "<text x=\"{x:.1}%\" y=\"{y}\">{head}</text>")?;
                }
                StepStand::Unpinned if width > WORDS_WIDTH_MIN => {
                    write!(f, "<text x=\"{x:.1}%\" y=\"{y}\">no pin</text>")?;
                }
                StepStand::Elsewhere if width > WORDS_WIDTH_MIN => {
                    write!(f, "<text x=\"{x:.1}%\" y=\"{y}\">no head</text>")?;
                }
                StepStand::Head(_) | StepStand::Unpinned | StepStand::Elsewhere => {}
            }
        }
        if let Some((at, head)) = self.declined {
            let start = self.range.place(at);
            let (width, y) = (100.0 - start, y + 18);
            let at = at.utc().format("%a %-d %b %H:%M UTC");
            write!(
                f,
                "<rect class=\"declined\" x=\"{start:.1}%\" y=\"{y}\" width=\"{width:.1}%\" height=\"3\"><title>Declined: head {head}, from {at}</title></rect>"
            )?;
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

/// The words of a lane are numbers and ours.
impl HtmlSafe for Lane {}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(lane) = self;
        let labels = self.labels();
        let height = if labels.is_empty() { 44 } else { 56 };
        write!(
            f,
            "<svg height=\"{height}\" role=\"img\" aria-label=\"The heads of the workspace\">"
        )?;
        let (ticks, is_short) = lane.range.ticks();
        let mut has_time = false;
        for at in ticks {
            let x = lane.range.place(at);
            if !(LABEL_MARGIN..=100.0 - LABEL_MARGIN).contains(&x) {
                continue;
            }
            has_time = true;
            let (form, tick) = match is_short {
                true => ("%a %H:%M", "clock"),
                false => ("%-d %b", "day"),
            };
            let at = at.utc();
            let (words, date) = (at.format(form), at.format("%Y-%m-%dT%H:%M:%SZ"));
            write!(
                f,
                "<line class=\"grid\" x1=\"{x:.2}%\" y1=\"16\" x2=\"{x:.2}%\" y2=\"20\"/>\
                 <text class=\"when\" x=\"{x:.2}%\" y=\"12\" data-at=\"{date}\" data-tick=\"{tick}\">{words}</text>"
            )?;
        }
        if !has_time {
            let from = lane.range.from.utc();
            let (words, date) = (from.format("%a %H:%M"), from.format("%Y-%m-%dT%H:%M:%SZ"));
            write!(
                f,
                "<text class=\"when first\" x=\"0\" y=\"12\" data-at=\"{date}\" data-tick=\"clock\">{words}</text>"
            )?;
        }
        lane.write_bands(f, 24)?;
        self.write_brief(f, &labels)?;
        f.write_str("</svg>")
    }
}

/// The numbers of heads that lie close together on the axis.
struct BriefHeads {
    /// Where the first of them is, in percent.
    x: f64,
    first: i64,
    last: i64,
}

impl Axis {
    /// Returns the bands that have no room for their number.
    fn brief(&self) -> impl Iterator<Item = (&Band, i64)> {
        let Self(lane) = self;
        lane.bands.iter().filter_map(|band| {
            let (x, end) = (lane.range.place(band.from), lane.range.place(band.to));
            let is_brief = end - x <= NUMBER_WIDTH_MIN;
            match band.stand {
                StepStand::Head(head) if is_brief => Some((band, head)),
                StepStand::Head(_) | StepStand::Unpinned | StepStand::Elsewhere => None,
            }
        })
    }

    /// Returns the numbers of these bands, which a lane can have. Those that are close together are one label.
    fn labels(&self) -> Vec<BriefHeads> {
        let mut labels: Vec<BriefHeads> = Vec::new();
        for (band, head) in self.brief() {
            let x = self.0.range.place(band.from);
            match labels.last_mut() {
                Some(label) if x - label.x < BRIEF_LABEL_WIDTH => label.last = head,
                _ => labels.push(BriefHeads {
                    x,
                    first: head,
                    last: head,
                }),
            }
        }
        labels
    }

    /// Writes a mark for each head that had no time for a band, and the numbers below.
    fn write_brief(&self, f: &mut fmt::Formatter<'_>, labels: &[BriefHeads]) -> fmt::Result {
        for (band, _) in self.brief() {
            let (class, words) = (class(band.stand), stand_words(band.stand));
            let x = self.0.range.place(band.from);
            // The present band is always wide enough to be seen.
            if band.to < self.0.range.to && self.0.range.place(band.to) - x < BRIEF_WIDTH {
                write!(
                    f,
                    "<rect class=\"{class}\" x=\"{x:.1}%\" y=\"24\" width=\"{BRIEF_WIDTH}%\" height=\"16\"><title>{words}</title></rect>"
                )?;
            }
        }
        for BriefHeads { x, first, last } in labels {
            let late = if *x > 100.0 - 2.0 * BRIEF_LABEL_WIDTH {
                " late"
            } else {
                ""
            };
            write!(
                f,
                "<text class=\"brief{late}\" x=\"{x:.1}%\" y=\"53\">{first}"
            )?;
            if first != last {
                write!(f, "–{last}")?;
            }
            f.write_str("</text>")?;
        }
        Ok(())
    }
}

impl HtmlSafe for Axis {}

impl Crowd {
    /// Returns the number of chats that stand here at the end of the range.
    pub fn now(&self) -> u64 {
        self.counts[CROWD_STEPS - 1]
    }

    /// Returns the most chats that stood here at once.
    pub fn most(&self) -> u64 {
        self.counts.iter().copied().max().unwrap_or(0)
    }
}

impl fmt::Display for Crowd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (class, words, now) = (class(self.stand), stand_words(self.stand), self.now());
        write!(
            f,
            "<svg height=\"36\" viewBox=\"0 0 {CROWD_STEPS} 36\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"{words}: {now} of {} now, at most {}\"><path class=\"{class}\" d=\"",
            self.all,
            self.most()
        )?;
        let mut before = 0;
        for (index, count) in self.counts.iter().copied().enumerate() {
            if count == before {
                continue;
            }
            let height = CROWD_HEIGHT * count as f64 / self.all.max(1) as f64;
            // Few of many are still to be seen.
            let top = CROWD_HEIGHT - height.max(1.0);
            // Nothing is drawn where nobody is: an outline along the ground would look like a chat.
            match (before, count) {
                (0, _) => write!(f, "M{index} 36V{top:.1}")?,
                (_, 0) => write!(f, "H{index}V36z")?,
                (_, _) => write!(f, "H{index}V{top:.1}")?,
            }
            before = count;
        }
        if before > 0 {
            write!(f, "H{CROWD_STEPS}V36z")?;
        }
        f.write_str("\"/></svg>")
    }
}

impl HtmlSafe for Crowd {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_unix_micros(seconds * 1_000_000).unwrap()
    }

    fn range() -> Range {
        Range {
            from: at(1_000),
            to: at(2_000),
        }
    }

    fn lane(steps: &[(i64, StepStand)]) -> Lane {
        let steps = steps.iter().map(|(seconds, stand)| Step {
            at: at(*seconds),
            stand: *stand,
        });
        Lane {
            range: range(),
            bands: range().bands(&steps.collect::<Vec<_>>()),
            declined: None,
        }
    }

    #[test]
    fn a_band_lasts_until_the_next_step() {
        let check = |steps: &[(i64, StepStand)], expected: &[(i64, i64)]| {
            let bands = lane(steps).bands.into_iter();
            let bands = bands.map(|band| (band.from, band.to)).collect::<Vec<_>>();
            let expected = expected.iter().map(|(from, to)| (at(*from), at(*to)));
            assert_eq!(bands, expected.collect::<Vec<_>>());
        };
        let (one, two) = (StepStand::Head(1), StepStand::Head(2));
        check(&[], &[]);
        check(&[(0, one), (1_250, two)], &[(1_000, 1_250), (1_250, 2_000)]);
        // What ended before the range is not in it.
        check(
            &[(0, one), (500, StepStand::Unpinned), (1_500, two)],
            &[(1_000, 1_500), (1_500, 2_000)],
        );
        check(&[(2_500, one)], &[]);
    }

    #[test]
    fn a_lane_says_where_the_pin_stood() {
        let mut lane = lane(&[
            (1_000, StepStand::Unpinned),
            (1_250, StepStand::Head(1)),
            (1_500, StepStand::Elsewhere),
        ]);
        assert_eq!(
            lane.words(),
            "No pin, then head 1, then no head of this workspace"
        );
        let svg = lane.to_string();
        assert!(
            svg.contains("class=\"h1\" x=\"25.0%\" y=\"5\" width=\"25.0%\""),
            "{svg}"
        );
        assert!(!svg.contains("class=\"declined\""), "{svg}");
        lane.declined = Some((at(1_750), 2));
        let svg = lane.to_string();
        assert!(
            svg.contains("class=\"declined\" x=\"75.0%\" y=\"23\" width=\"25.0%\""),
            "{svg}"
        );
        assert!(lane.words().ends_with("then declines head 2"));
    }

    #[test]
    fn a_tick_is_at_the_time_that_its_label_says() {
        let check = |seconds: i64, expected: &[&str]| {
            // Sat 28 Nov 2026, 11:37:41 UTC.
            let to = 1_795_865_861;
            let lane = Lane {
                range: Range {
                    from: at(to - seconds),
                    to: at(to),
                },
                bands: Vec::new(),
                declined: None,
            };
            let svg = Axis(lane).to_string();
            let ticks: Vec<_> = svg.split("data-at=\"").skip(1).collect();
            let words = ticks.iter().map(|tick| tick.split(['>', '<']).nth(1));
            let words: Vec<_> = words.map(Option::unwrap_or_default).collect();
            assert_eq!(words, expected, "{seconds}: {svg}");
            for (tick, words) in ticks.iter().zip(words) {
                let (date, _) = tick.split_once('"').unwrap();
                let time = words.split_once(' ').filter(|_| words.contains(':'));
                let time = time.map_or("00:00", |(_, time)| time);
                assert!(date.ends_with(&format!("T{time}:00Z")), "{date} {words}");
            }
        };
        let minutes = ["33", "34", "35", "36", "37"].map(|minute| format!("Sat 11:{minute}"));
        check(5 * 60, &minutes.each_ref().map(String::as_str));
        let hours = [
            "Fri 16:00",
            "Fri 20:00",
            "Sat 00:00",
            "Sat 04:00",
            "Sat 08:00",
        ];
        check(DAY, &hours);
        let days = [
            "22 Nov", "23 Nov", "24 Nov", "25 Nov", "26 Nov", "27 Nov", "28 Nov",
        ];
        check(7 * DAY, &days);
        let weeks = ["22 Oct", "29 Oct", "5 Nov", "12 Nov", "19 Nov", "26 Nov"];
        check(40 * DAY, &weeks);
    }

    #[test]
    fn no_head_looks_like_one_of_the_heads_before_it() {
        for first in 1..40 {
            let heads = (first..first + COLOURS * EDGES).map(StepStand::Head);
            let classes: BTreeSet<_> = heads.map(class).collect();
            assert_eq!(classes.len(), 18, "{first}");
        }
        assert_eq!(class(StepStand::Head(5)), "h5");
        assert_eq!(class(StepStand::Head(11)), "h5 r1");
        assert_eq!(class(StepStand::Head(17)), "h5 r2");
        assert_eq!(class(StepStand::Head(23)), "h5");
    }

    #[test]
    fn bands_that_nobody_sees_are_not_drawn() {
        let steps: Vec<_> = (0..10_000)
            .map(|index| (1_000 + index / 10, StepStand::Head(index)))
            .collect();
        let svg = lane(&steps).to_string();
        assert!(svg.matches("<rect").count() <= 1_000, "{}", svg.len());
    }

    #[test]
    fn the_axis_of_a_young_workspace_has_a_time() {
        let range = Range {
            from: at(1_000),
            to: at(1_020),
        };
        let axis = Axis(Lane {
            range,
            ..lane(&[(1_000, StepStand::Head(1))])
        });
        let svg = axis.to_string();
        assert_eq!(svg.matches("data-tick").count(), 1, "{svg}");
        assert!(svg.contains("class=\"when first\" x=\"0\""), "{svg}");
    }

    #[test]
    fn a_head_that_lived_shortly_has_its_number_on_the_axis() {
        let axis = |steps: &[(i64, StepStand)]| Axis(lane(steps)).to_string();
        let svg = axis(&[
            (1_000, StepStand::Head(1)),
            (1_500, StepStand::Head(2)),
            (1_501, StepStand::Head(3)),
        ]);
        assert!(
            svg.contains("class=\"brief\" x=\"50.0%\" y=\"53\">2</text>"),
            "{svg}"
        );
        assert!(
            svg.contains("<rect class=\"h2\" x=\"50.0%\" y=\"24\" width=\"0.4%\""),
            "{svg}"
        );
        assert_eq!(svg.matches("class=\"brief\"").count(), 1, "{svg}");
        let close: Vec<_> = (0..10)
            .map(|head| (1_500 + head, StepStand::Head(head)))
            .collect();
        assert!(axis(&close).contains(">0–8</text>"), "{}", axis(&close));
        // The newest head too, which was just pushed.
        let new = axis(&[(1_000, StepStand::Head(1)), (1_999, StepStand::Head(2))]);
        assert!(
            new.contains("class=\"brief late\" x=\"99.9%\" y=\"53\">2</text>"),
            "{new}"
        );
        assert_eq!(new.matches("<rect").count(), 2, "{new}");
    }

    #[test]
    fn a_crowd_is_as_high_as_it_is_large() {
        let crowd = Crowd {
            stand: StepStand::Head(7),
            counts: std::array::from_fn(|index| match index {
                ..40 => 0,
                40..79 => 300,
                _ => 600,
            }),
            all: 600,
        };
        let svg = crowd.to_string();
        assert!(
            svg.contains("class=\"h1 r1\" d=\"M40 36V18.0H79V0.0H80V36z\""),
            "{svg}"
        );
        assert!(svg.contains("Head 7: 600 of 600 now, at most 600"), "{svg}");
        let nobody = Crowd {
            counts: [0; CROWD_STEPS],
            ..crowd
        };
        assert!(nobody.to_string().contains("d=\"\"/>"), "{nobody}");
        let left = Crowd {
            counts: std::array::from_fn(|index| u64::from(index == 3 || index == 9)),
            all: 1,
            ..nobody
        };
        let twice = "d=\"M3 36V0.0H4V36zM9 36V0.0H10V36z\"";
        assert!(left.to_string().contains(twice), "{left}");
        assert_eq!(range().step_ends().last(), Some(range().to));
    }
}
