//! The rail: one sign for a pin and the head of its workspace. A filled dot is the pin, a ring the head, and
//! a tick stands for each head in between.

use std::fmt;

use askama::filters::HtmlSafe;
use ctxpin_model::agent::is_connected;
use ctxpin_model::chat::ChatSummary;
use ctxpin_model::moment::Moment;

use super::number::counted;

/// The most heads between pin and head that have a tick each. More are a number.
const TICKS_MAX: u64 = 5;

/// The width of a digit on the rail, in pixels.
const DIGIT_WIDTH: u64 = 8;

/// What is wrong with a chat whose pin may lack something of the workspace.
pub(crate) const SCAN_INCOMPLETE: &str = "scan incomplete";

/// Where the pin stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    /// At the head, or there is no head.
    Clean,
    Drifted,
    Declined,
    Unpinned,
    /// The pin has no workspace to follow: it was deleted, or the chat was unbound.
    Unbound,
    /// The chat is archived, so nobody is asked about its drift.
    Archived,
}

impl Stand {
    /// Returns the stand of a chat's pin.
    pub fn of(line: &ChatSummary) -> Self {
        match (&line.chat.pin, line.chat.drift()) {
            (None, _) => Self::Unpinned,
            (Some(_), _) if line.chat.archived_at.is_some() => Self::Archived,
            (Some(_), _) if line.chat.agent.is_none() => Self::Unbound,
            (Some(_), None) => Self::Clean,
            (Some(_), Some(drift)) if drift.declined => Self::Declined,
            (Some(_), Some(_)) => Self::Drifted,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Drifted => "drifted",
            Self::Declined => "declined",
            Self::Unpinned => "unpinned",
            Self::Unbound => "unbound",
            Self::Archived => "archived",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Clean => "Clean",
            Self::Drifted => "Behind",
            Self::Declined => "Declined",
            Self::Unpinned => "Unpinned",
            Self::Unbound => "No workspace",
            Self::Archived => "Archived",
        }
    }
}

/// The rail of a chat, as an SVG element of 64 by 16 pixels, or of 200 by 24.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rail {
    pub stand: Stand,
    /// How many heads the pin is behind. `None` if it equals no head.
    pub behind: Option<u64>,
    /// Whether the agent has not answered for a while. The chat may also have none.
    pub is_away: bool,
    /// What is wrong, in two words: the notch. `None` if nothing is.
    pub notch: Option<&'static str>,
    /// Whether the pin records what the client read.
    pub is_observed: bool,
    pub is_large: bool,
    /// What the sign says of an agent, which has no pin: its state.
    pub of_agent: Option<&'static str>,
}

impl Rail {
    /// Returns the small rail of a chat.
    pub fn of(line: &ChatSummary, now: Moment) -> Self {
        let pin = line.chat.pin.as_ref();
        let stand = Stand::of(line);
        Self {
            stand,
            behind: line.heads_behind(),
            is_away: stand == Stand::Unbound || is_away(line, now),
            notch: pin
                .and_then(|pin| pin.error.as_ref())
                .map(|_| SCAN_INCOMPLETE),
            is_observed: line.chat.mode.is_observed(),
            is_large: false,
            of_agent: None,
        }
    }

    /// Returns the rail for a page's head.
    pub fn large(self) -> Self {
        Self {
            is_large: true,
            ..self
        }
    }

    /// Returns how many heads there are between the pin and the head.
    fn between(&self) -> u64 {
        self.behind.unwrap_or_default().saturating_sub(1)
    }

    /// Returns how many heads the pin is behind, if that is known, with the number on the rail if there is one.
    fn by_heads(&self) -> String {
        let heads = self.behind.map(|behind| counted(behind, "head"));
        match (heads, self.between()) {
            (None, _) => String::new(),
            (Some(heads), 0..=TICKS_MAX) => format!(" by {heads}"),
            (Some(heads), between) => format!(" by {heads}, {between} in between"),
        }
    }

    fn words(&self) -> String {
        if let Some(state) = self.of_agent {
            return state.to_owned();
        }
        let mut words = self.stand.word().to_owned();
        words += &match self.stand {
            Stand::Drifted => self.by_heads(),
            Stand::Declined => format!(", behind{}", self.by_heads()),
            Stand::Clean | Stand::Unpinned | Stand::Unbound | Stand::Archived => String::new(),
        };
        if self.is_observed {
            words += ", observed";
        }
        if let Some(notch) = self.notch {
            words = format!("{words}, {notch}");
        }
        if self.is_away && self.stand != Stand::Unbound {
            words += ", agent gone";
        }
        words
    }
}

/// Returns whether a chat's agent has pushed, and not answered for a while.
pub(crate) fn is_away(line: &ChatSummary, now: Moment) -> bool {
    line.chat.head.is_some() && !is_connected(line.agent_seen_at, now)
}

/// The measures of a rail, in pixels.
struct Measures {
    width: u64,
    height: u64,
    middle: u64,
    pin: f64,
    ring: u64,
    left: u64,
    right: u64,
    notch: u64,
}

const SMALL: Measures = Measures {
    width: 64,
    height: 16,
    middle: 8,
    pin: 4.0,
    ring: 5,
    left: 8,
    right: 56,
    notch: 3,
};

const LARGE: Measures = Measures {
    width: 200,
    height: 24,
    middle: 12,
    pin: 6.0,
    ring: 8,
    left: 12,
    right: 186,
    notch: 4,
};

impl fmt::Display for Rail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let m = if self.is_large { LARGE } else { SMALL };
        let (y, left, right) = (m.middle, m.left, m.right);
        let is_apart = matches!(self.stand, Stand::Drifted | Stand::Declined);
        let ring = if is_apart { right } else { left };
        // Nothing is at the right of a large rail without a way.
        let width = if self.is_large && !is_apart && !self.is_away {
            m.height
        } else {
            m.width
        };
        let away = if self.is_away { " away" } else { "" };
        write!(
            f,
            "<svg class=\"rail sign {}{away}\" width=\"{}\" height=\"{}\" role=\"img\" aria-label=\"{}\">",
            self.stand.class(),
            width,
            m.height,
            self.words()
        )?;
        if is_apart {
            self.write_way(f, &m)?;
        } else if self.is_away {
            let start = left + m.ring + 2;
            write!(
                f,
                "<line class=\"track\" x1=\"{start}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\"/>"
            )?;
        }
        // An eye that is at the head stands for both.
        if is_apart || self.stand == Stand::Unpinned || !self.is_observed {
            write!(
                f,
                "<circle class=\"head\" cx=\"{ring}\" cy=\"{y}\" r=\"{}\"/>",
                m.ring
            )?;
        }
        if self.stand != Stand::Unpinned {
            if self.is_observed {
                write_eye(f, &m)?;
            }
            let is_full = is_apart && !self.is_observed;
            let radius = if is_full { m.pin } else { m.pin - 1.5 };
            write!(
                f,
                "<circle class=\"pin\" cx=\"{left}\" cy=\"{y}\" r=\"{radius}\"/>"
            )?;
        }
        if self.notch.is_some() {
            let n = m.notch;
            let start = ring - n;
            write!(
                f,
                "<path class=\"notch\" d=\"M{start} 0h{}l-{n} {}z\"/>",
                2 * n,
                n + 3
            )?;
        }
        f.write_str("</svg>")
    }
}

/// Writes an open eye around the pin of an observed chat, which looks on.
fn write_eye(f: &mut fmt::Formatter<'_>, m: &Measures) -> fmt::Result {
    let (half, width) = (m.ring + 2, 2 * (m.ring + 2));
    let (start, lid) = (m.left - half, m.middle + 2);
    write!(
        f,
        "<path class=\"head\" d=\"M{start} {}q{half} -{lid} {width} 0q-{half} {lid} -{width} 0z\"/>",
        m.middle
    )
}

impl Rail {
    /// Writes the way to the head, with the ticks of the heads in between. It leaves room for their number, if that stands
    /// there in their place.
    fn write_way(&self, f: &mut fmt::Formatter<'_>, m: &Measures) -> fmt::Result {
        let between = self.between();
        let (y, end) = (m.middle, m.right - m.ring);
        let write_line = |f: &mut fmt::Formatter<'_>, from, to| {
            write!(
                f,
                "<line class=\"way\" x1=\"{from}\" y1=\"{y}\" x2=\"{to}\" y2=\"{y}\"/>"
            )
        };
        if between > TICKS_MAX {
            let x = (m.left + m.right) / 2;
            let digits = between.to_string().len() as u64;
            let half = (digits * DIGIT_WIDTH).div_ceil(2) + 2;
            write_line(f, m.left, x.saturating_sub(half).max(m.left))?;
            write_line(f, (x + half).min(end), end)?;
            return write!(
                f,
                "<text class=\"number\" x=\"{x}\" y=\"{y}.5\" dy=\"4\">{between}</text>"
            );
        }
        write_line(f, m.left, end)?;
        let half = if self.is_large { 6 } else { 4 };
        let start = m.left + half;
        for tick in 1..=between {
            let x = start + (end - start) * tick / (between + 1);
            write!(
                f,
                "<line class=\"tick\" x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{}\"/>",
                y - half,
                y + half
            )?;
        }
        Ok(())
    }
}

impl HtmlSafe for Rail {}

#[cfg(test)]
mod tests {
    use super::*;

    fn rail(stand: Stand, behind: u64) -> Rail {
        Rail {
            stand,
            behind: Some(behind),
            is_away: false,
            notch: None,
            is_observed: false,
            is_large: false,
            of_agent: None,
        }
    }

    #[test]
    fn words_stand_beside_the_sign() {
        let check = |rail: Rail, expected: &str| {
            let svg = rail.to_string();
            assert!(svg.contains(&format!("aria-label=\"{expected}\"")), "{svg}");
        };
        check(rail(Stand::Clean, 0), "Clean");
        check(rail(Stand::Drifted, 3), "Behind by 3 heads");
        let of_some = |stand| Rail {
            behind: None,
            ..rail(stand, 0)
        };
        check(of_some(Stand::Drifted), "Behind");
        check(of_some(Stand::Declined), "Declined, behind");
        let observed = Rail {
            is_observed: true,
            ..rail(Stand::Drifted, 1)
        };
        check(observed, "Behind by 1 head, observed");
        assert!(
            observed
                .to_string()
                .contains("<path class=\"head\" d=\"M1 8q7 -10 14 0q-7 10 -14 0z\"/>")
        );
        let broken = Rail {
            notch: Some(SCAN_INCOMPLETE),
            is_away: true,
            ..rail(Stand::Declined, 1)
        };
        check(
            broken,
            "Declined, behind by 1 head, scan incomplete, agent gone",
        );
        check(rail(Stand::Unpinned, 0).large(), "Unpinned");
        let unbound = Rail {
            is_away: true,
            ..rail(Stand::Unbound, 0)
        };
        check(unbound, "No workspace");
        assert!(unbound.to_string().contains("class=\"track\""));
        let connected = Rail {
            of_agent: Some("connected"),
            ..rail(Stand::Clean, 0)
        };
        check(connected, "connected");
    }

    #[test]
    fn a_tick_stands_for_each_head_in_between() {
        let check = |behind, ticks: usize, number: Option<&str>| {
            let svg = rail(Stand::Drifted, behind).to_string();
            assert_eq!(svg.matches("class=\"tick\"").count(), ticks, "{svg}");
            let found = number.is_some_and(|number| svg.contains(&format!(">{number}</text>")));
            assert_eq!(found, number.is_some(), "{svg}");
        };
        check(1, 0, None);
        check(3, 2, None);
        check(6, 5, None);
        check(7, 0, Some("6"));
        // The number is that of the words, and no line strikes it through.
        let svg = rail(Stand::Drifted, 12).to_string();
        assert!(
            svg.contains("aria-label=\"Behind by 12 heads, 11 in between\""),
            "{svg}"
        );
        assert!(
            svg.contains("x1=\"8\" y1=\"8\" x2=\"22\" y2=\"8\""),
            "{svg}"
        );
        assert!(
            svg.contains("x1=\"42\" y1=\"8\" x2=\"51\" y2=\"8\""),
            "{svg}"
        );
    }
}
