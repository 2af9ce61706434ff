//! Plots, as SVG: how the figures grow.

use anyhow::{Context as _, anyhow};
use plotters::prelude::*;

use crate::cases::names::{
    PUSH_HYDRATING, PUSH_PINNED, REFRESH, REFRESH_FIRST, REPLICAS_KNOWN, REPLICAS_PROMPT,
    REPLICAS_TURN,
};
use crate::figures::{Design, Figure, Figures};

/// Size of a plot.
const SIZE: (u32, u32) = (860, 520);

/// One colour for each database.
const COLOURS: [RGBColor; 3] = [
    RGBColor(0, 90, 181),
    RGBColor(200, 60, 20),
    RGBColor(30, 130, 60),
];

/// A plot of one group of figures.
struct Plot {
    name: &'static str,
    subject: &'static str,
    title: &'static str,
    across: &'static str,
    upwards: &'static str,
    /// Whether both axes are logarithmic; else both are linear and begin at zero.
    is_logarithmic: bool,
}

const PLOTS: [Plot; 7] = [
    Plot {
        name: "push-by-chats.svg",
        subject: PUSH_PINNED,
        title: "Push of one changed file of 50",
        across: "pinned chats",
        upwards: "milliseconds",
        is_logarithmic: true,
    },
    Plot {
        name: "hydrate-by-chats.svg",
        subject: PUSH_HYDRATING,
        title: "First push of 50 files",
        across: "chats that it hydrates",
        upwards: "milliseconds",
        is_logarithmic: true,
    },
    Plot {
        name: "refresh-by-files.svg",
        subject: REFRESH,
        title: "Refresh of one chat, prompt kept",
        across: "files of the workspace",
        upwards: "milliseconds",
        is_logarithmic: true,
    },
    Plot {
        name: "first-refresh-by-files.svg",
        subject: REFRESH_FIRST,
        title: "First refresh to a head, which renders its prompt",
        across: "files of the workspace",
        upwards: "milliseconds",
        is_logarithmic: true,
    },
    Plot {
        name: "prompt-by-servers.svg",
        subject: REPLICAS_PROMPT,
        title: "GET prompt, 200 KiB",
        across: "servers on one PostgreSQL",
        upwards: "requests per second",
        is_logarithmic: false,
    },
    Plot {
        name: "known-prompt-by-servers.svg",
        subject: REPLICAS_KNOWN,
        title: "GET prompt, answered 304",
        across: "servers on one PostgreSQL",
        upwards: "requests per second",
        is_logarithmic: false,
    },
    Plot {
        name: "turn-by-servers.svg",
        subject: REPLICAS_TURN,
        title: "POST turn, one commit each",
        across: "servers on one PostgreSQL",
        upwards: "requests per second",
        is_logarithmic: false,
    },
];

/// Returns the names of the plots' files, with their titles.
pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
    PLOTS.iter().map(|plot| (plot.name, plot.title))
}

/// Returns every plot for which there are figures, with its file's name.
pub fn all(figures: &Figures, kinds: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let mut plots = Vec::new();
    for plot in &PLOTS {
        let lines = lines(plot, figures, kinds);
        if !lines.is_empty() {
            let drawn = draw(plot, &lines).map_err(|error| anyhow!("{error}"));
            plots.push((
                plot.name.to_owned(),
                drawn.with_context(|| plot.name)? + "\n",
            ));
        }
    }
    Ok(plots)
}

/// One line of a plot.
struct Line {
    name: String,
    colour: RGBColor,
    /// The product's line is full and its points are discs, the baseline's is dashed with rings.
    is_ours: bool,
    points: Vec<Point>,
}

/// A median with its quartiles.
#[derive(Clone, Copy)]
struct Point {
    across: f64,
    low: f64,
    median: f64,
    high: f64,
}

fn lines(plot: &Plot, figures: &Figures, kinds: &[String]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (kind, colour) in kinds.iter().zip(COLOURS.iter().cycle()) {
        for design in [Design::Ctxpin, Design::Copying] {
            let is_of_line = |figure: &&Figure| {
                figure.subject == plot.subject
                    && figure.design == design
                    && figure.database.as_ref() == Some(kind)
            };
            let points = figures.all().iter().filter(is_of_line);
            let points = points.filter_map(|figure| {
                Some(Point {
                    across: figure.size?,
                    low: figure.summary.quartile_low,
                    median: figure.summary.median,
                    high: figure.summary.quartile_high,
                })
            });
            let points: Vec<_> = points.collect();
            if !points.is_empty() {
                lines.push(Line {
                    name: format!("{}, {kind}", design.name()),
                    colour: *colour,
                    is_ours: design == Design::Ctxpin,
                    points,
                });
            }
        }
    }
    lines
}

type Failure = Box<dyn std::error::Error>;

fn draw(plot: &Plot, lines: &[Line]) -> Result<String, Failure> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let across_max = points().map(|point| point.across).fold(1.0, f64::max);
    let low = points().map(|point| point.low).fold(f64::MAX, f64::min);
    let high = points().map(|point| point.high).fold(0.0, f64::max);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut builder = ChartBuilder::on(&area);
        builder
            .caption(plot.title, ("sans-serif", 20))
            .margin(14)
            .margin_right(30)
            .x_label_area_size(46)
            .y_label_area_size(74);
        if plot.is_logarithmic {
            let across = (0.8..across_max * 1.25).log_scale();
            let upwards = (low / 2.0..high * 2.0).log_scale();
            let mut chart = builder.build_cartesian_2d(across, upwards)?;
            chart
                .configure_mesh()
                .x_desc(plot.across)
                .y_desc(plot.upwards)
                .label_style(("sans-serif", 13))
                .light_line_style(RGBColor(242, 242, 242))
                .x_label_formatter(&number)
                .y_label_formatter(&number)
                .draw()?;
            series(&mut chart, lines)?;
        } else {
            let across = 0.5..across_max + 0.5;
            let mut chart = builder.build_cartesian_2d(across, 0.0..high * 1.25)?;
            chart
                .configure_mesh()
                .x_desc(plot.across)
                .y_desc(plot.upwards)
                .label_style(("sans-serif", 13))
                .light_line_style(RGBColor(242, 242, 242))
                .x_labels(across_max as usize + 1)
                .x_label_formatter(&number)
                .y_label_formatter(&number)
                .draw()?;
            series(&mut chart, lines)?;
        }
        area.present()?;
    }
    Ok(svg)
}

fn series<'a, X, Y>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
    lines: &[Line],
) -> Result<(), Failure>
where
    X: plotters::coord::ranged1d::Ranged<ValueType = f64>,
    Y: plotters::coord::ranged1d::Ranged<ValueType = f64>,
{
    for line in lines {
        let (colour, is_ours) = (line.colour, line.is_ours);
        let medians = || line.points.iter().map(|point| (point.across, point.median));
        let whiskers = line.points.iter().map(|point| {
            let ends = vec![(point.across, point.low), (point.across, point.high)];
            PathElement::new(ends, colour.stroke_width(1))
        });
        chart.draw_series(whiskers)?;
        let disc = if is_ours {
            colour.filled()
        } else {
            colour.stroke_width(2)
        };
        chart.draw_series(medians().map(|at| Circle::new(at, 4, disc)))?;
        let legend = move |(x, y)| {
            let width = if is_ours { 3 } else { 1 };
            PathElement::new(vec![(x, y), (x + 24, y)], colour.stroke_width(width))
        };
        if is_ours {
            let full = LineSeries::new(medians(), colour.stroke_width(2));
            chart.draw_series(full)?.label(&line.name).legend(legend);
        } else {
            let dashed = DashedLineSeries::new(medians(), 7, 5, colour.stroke_width(2));
            chart.draw_series(dashed)?.label(&line.name).legend(legend);
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font(("sans-serif", 13))
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(160, 160, 160))
        .draw()?;
    Ok(())
}

/// Returns a number on an axis, without needless digits.
fn number(value: &f64) -> String {
    if *value >= 1.0 {
        format!("{value:.0}")
    } else {
        format!("{value}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Kind;
    use crate::figures::{Of, Unit};

    #[test]
    fn every_group_with_figures_is_drawn_with_its_lines() {
        let kind = Kind::sqlite();
        let kinds = [kind.name.clone()];
        let mut figures = Figures::default();
        assert!(all(&figures, &kinds).expect("nothing to draw").is_empty());
        for plot in &PLOTS {
            for size in [1, 10, 1_000] {
                let of = Of::new(plot.subject, &kind, Unit::Milliseconds, "something").at(size);
                let samples = [size as f64, 2.0, 0.5].into_iter().collect();
                figures.note(&of, Design::Ctxpin, &samples);
                figures.note(&of, Design::Copying, &samples);
            }
        }
        let drawn = all(&figures, &kinds).expect("they can be drawn");
        assert_eq!(drawn.len(), PLOTS.len());
        for ((name, svg), plot) in drawn.iter().zip(&PLOTS) {
            assert_eq!(name, plot.name);
            for text in ["ctxpin, SQLite", "copying, SQLite", plot.across, plot.title] {
                assert!(svg.contains(text), "{name} lacks {text}");
            }
        }
    }
}
