//! The map of a workspace: its heads on one axis of time, and below them a lane for each chat, coloured by the head
//! at which the chat stood. Above 24 chats there is a lane for each head, as high as the number of chats there.

use std::collections::BTreeMap;
use std::time::Duration;

use askama::Template;
use askama::filters::HtmlSafe;
use ctxpin_model::agent::Head;
use ctxpin_model::chat::ChatSummary;
use ctxpin_model::history::{PinStep, StepRequest, StepStand};
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_model::moment::Moment;
use ctxpin_model::page::{IdCursor, Page};
use ctxpin_operations::history;

use super::caller::PageCaller;
use super::chats::title_of;
use super::parts::map::{Axis, Band, CROWD_STEPS, Crowd, Lane, Range, Step, has_edge, stand_words};
use super::parts::number::{Number, counted};
use super::parts::text::PathText;
use super::parts::time::Time;
use super::search::exposed_path;
use crate::api_error::ApiResult;
use crate::app::App;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The most chats that have a lane each.
const LANES_MAX: usize = 24;

/// The most moves of a chat that has a lane.
const LANE_MOVES_MAX: i64 = 40;

/// The most chats of a crowd, and the most moves of each. So the server reads at most 20,000 moves.
const CROWD_CHATS_MAX: i64 = 1_000;
const CROWD_MOVES_MAX: i64 = 20;

/// The most lanes of heads. Chats at older heads have no lane.
const CROWDS_MAX: usize = 24;

/// The map of a workspace.
#[derive(Template)]
#[template(path = "workspace_map.html")]
pub(super) struct Map {
    range: Range,
    ranges: Vec<RangeLink>,
    axis: Axis,
    lanes: Lanes,
    /// The class and the meaning of each mark of the lanes besides the colours of heads.
    legend: Vec<(&'static str, &'static str)>,
    /// What the map leaves out, in sentences.
    gaps: Vec<String>,
}

/// The lanes of a map.
enum Lanes {
    Chats(Vec<ChatLane>),
    Crowds(Vec<CrowdLane>),
}

impl Lanes {
    fn has_any(&self) -> bool {
        match self {
            Self::Chats(lanes) => !lanes.is_empty(),
            Self::Crowds(lanes) => !lanes.is_empty(),
        }
    }

    /// Returns the marks that the axis and the lanes of chats have, each with its meaning. The lane of a crowd has its
    /// name.
    fn legend(&self, axis: &Axis) -> Vec<(&'static str, &'static str)> {
        let lanes = match self {
            Self::Chats(lanes) => &lanes[..],
            Self::Crowds(_) => &[],
        };
        let bands = lanes.iter().flat_map(|lane| &lane.lane.bands);
        let mut drawn = bands.chain(&axis.0.bands);
        let has_edges = drawn.any(|band| has_edge(band.stand));
        let has = |stand| {
            let mut bands = lanes.iter().flat_map(|lane| &lane.lane.bands);
            bands.any(|band| band.stand == stand)
        };
        let has_declined = lanes.iter().any(|lane| lane.lane.declined.is_some());
        let marks = [
            (
                has_edges,
                "h1 r1",
                "a colour that comes again, first with an edge, then with a dashed one",
            ),
            (has(StepStand::Unpinned), "unpinned", "no pin"),
            (
                has(StepStand::Elsewhere),
                "elsewhere",
                "no head of this workspace: some of its changes were taken, or the pin is another workspace's",
            ),
            (has_declined, "declined", "declines the newest head"),
        ];
        let marks = marks.into_iter().filter(|(has, ..)| *has);
        marks.map(|(_, class, words)| (class, words)).collect()
    }
}

/// Times of one minute look alike.
const MINUTE: Duration = Duration::from_secs(60);

/// A link that chooses the range of the map.
struct RangeLink {
    word: &'static str,
    label: &'static str,
    is_current: bool,
}

/// The lane of a chat.
struct ChatLane {
    chat: ChatId,
    title: String,
    lane: Lane,
    /// The bands in words, the newest first.
    rows: Vec<BandRow>,
}

/// A band in words.
struct BandRow {
    stand: String,
    from: Time,
    /// `None` for the present band.
    to: Option<Time>,
    /// Whether both times are the same to a reader.
    is_brief: bool,
}

/// The lane of a head, or of the chats that stand at none.
struct CrowdLane {
    name: String,
    now: String,
    most: Number,
    crowd: Crowd,
    /// The path of the chats that had the head, and when it was pushed, if that is known.
    head: Option<(String, Time)>,
}

impl Map {
    /// Reads the moves of the workspace's chats, and draws the map. `heads` and `chats` are the newest ones. Returns
    /// `None` if there is no head to draw.
    ///
    /// # Errors
    ///
    /// Fails if the token may not read.
    pub async fn read(
        app: &App,
        caller: &PageCaller,
        agent: AgentId,
        heads: &[Head],
        chats: &Page<ChatSummary, IdCursor>,
        range: Option<&str>,
    ) -> ApiResult<Option<Self>> {
        let Some(first) = heads.last() else {
            return Ok(None);
        };
        let now = app.now();
        let choice = RangeChoice::of(range, first.received_at, now);
        let from = choice.from(first.received_at, now);
        let range = Range { from, to: now };
        let is_crowd = chats.next.is_some() || chats.items.len() > LANES_MAX;
        let (chats_max, moves_max) = match is_crowd {
            true => (CROWD_CHATS_MAX, CROWD_MOVES_MAX),
            false => (LANES_MAX as i64, LANE_MOVES_MAX),
        };
        let request = StepRequest {
            agent,
            chats_max,
            moves_max,
        };
        let steps = history::steps(&app.service, caller.credential, request).await?;
        let by_chat = by_chat(&steps);
        let lanes = match is_crowd {
            true => Lanes::Crowds(crowds(range, heads, &by_chat)),
            false => Lanes::Chats(
                chats
                    .items
                    .iter()
                    .map(|line| ChatLane::new(line, range, &by_chat))
                    .collect(),
            ),
        };
        let mut gaps = Vec::new();
        if is_crowd && by_chat.len() as i64 == CROWD_CHATS_MAX {
            let chats = Number(CROWD_CHATS_MAX.unsigned_abs());
            gaps.push(format!("Only the newest {chats} chats are counted."));
        }
        let is_cut = |steps: &Vec<Step>| {
            steps.len() as i64 == moves_max && steps.first().is_some_and(|step| step.at > from)
        };
        if by_chat.values().any(is_cut) {
            gaps.push(format!(
                "Of each chat, only the last {moves_max} moves are drawn."
            ));
        }
        if first.seq > 1 && first.received_at > from {
            gaps.push(format!("Heads before {} are not drawn.", first.seq));
        }
        let of_head = |head: &Head| Step {
            at: head.received_at,
            stand: StepStand::Head(head.seq),
        };
        let heads: Vec<_> = heads.iter().rev().map(of_head).collect();
        let axis = Axis(Lane {
            range,
            bands: range.bands(&heads),
            declined: None,
        });
        Ok(Some(Self {
            range,
            ranges: choice.links(first.received_at, now),
            legend: lanes.legend(&axis),
            axis,
            lanes,
            gaps,
        }))
    }
}

impl HtmlSafe for Map {}

/// How much of the past a map shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RangeChoice {
    Day,
    Week,
    Month,
    /// From the first head that the map draws.
    All,
}

impl RangeChoice {
    const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::All];

    /// Reads the word of a URL. Without one that is known, the map shows the last week, or all of a younger workspace.
    fn of(word: Option<&str>, first: Moment, now: Moment) -> Self {
        let named = Self::ALL.into_iter();
        let mut named = named.filter(|choice| Some(choice.word()) == word);
        match Self::Week.is_within(first, now) {
            true => named.next().unwrap_or(Self::Week),
            false => named.next().unwrap_or(Self::All),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::All => "all",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Day => "24 hours",
            Self::Week => "7 days",
            Self::Month => "30 days",
            Self::All => "All",
        }
    }

    /// Returns when the range begins. `first` is the time of the first head.
    fn from(self, first: Moment, now: Moment) -> Moment {
        match self {
            Self::Day => now.before(DAY),
            Self::Week => now.before(7 * DAY),
            Self::Month => now.before(30 * DAY),
            Self::All => first,
        }
    }

    /// Returns whether the range begins after the first head, so that it shows less than all.
    fn is_within(self, first: Moment, now: Moment) -> bool {
        self.from(first, now) > first
    }

    /// Returns the links to all ranges that show less than all, to all, and to this one. A link alone chooses nothing.
    fn links(self, first: Moment, now: Moment) -> Vec<RangeLink> {
        let shown = Self::ALL.into_iter().filter(|choice| {
            *choice == Self::All || *choice == self || choice.is_within(first, now)
        });
        let links = shown.map(|choice| RangeLink {
            word: choice.word(),
            label: choice.label(),
            is_current: choice == self,
        });
        let links: Vec<_> = links.collect();
        if links.len() > 1 { links } else { Vec::new() }
    }
}

/// Returns the moves of each chat, the oldest first.
fn by_chat(steps: &[PinStep]) -> BTreeMap<ChatId, Vec<Step>> {
    let mut by_chat: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for PinStep { chat, at, stand } in steps.iter().copied() {
        by_chat.entry(chat).or_default().push(Step { at, stand });
    }
    by_chat
}

impl ChatLane {
    fn new(line: &ChatSummary, range: Range, by_chat: &BTreeMap<ChatId, Vec<Step>>) -> Self {
        let chat = &line.chat;
        let steps = by_chat.get(&chat.id).map_or(&[][..], Vec::as_slice);
        let bands = range.bands(steps);
        let is_declined = chat.drift().is_some_and(|drift| drift.declined);
        let declined = chat.head.filter(|_| is_declined);
        let mut rows: Vec<_> = bands.iter().map(|band| BandRow::new(band, range)).collect();
        rows.extend(declined.map(|head| BandRow {
            stand: format!("Declines head {}", head.seq),
            from: Time::clock(head.received_at, range.to),
            to: None,
            is_brief: false,
        }));
        rows.reverse();
        Self {
            chat: chat.id,
            title: title_of(line),
            lane: Lane {
                range,
                bands,
                declined: declined.map(|head| (head.received_at, head.seq)),
            },
            rows,
        }
    }
}

impl BandRow {
    fn new(band: &Band, range: Range) -> Self {
        Self {
            stand: stand_words(band.stand),
            from: Time::clock(band.from, range.to),
            to: (band.to < range.to).then(|| Time::clock(band.to, range.to)),
            is_brief: band.to < range.to && band.to < band.from.after(MINUTE),
        }
    }
}

/// Returns a lane for each stand of a chat in the range, the newest head first.
fn crowds(range: Range, heads: &[Head], by_chat: &BTreeMap<ChatId, Vec<Step>>) -> Vec<CrowdLane> {
    let mut counts: BTreeMap<StepStand, [u64; CROWD_STEPS]> = BTreeMap::new();
    for steps in by_chat.values() {
        let mut stand = None;
        let mut later = steps.iter().peekable();
        for (index, end) in range.step_ends().enumerate() {
            while let Some(step) = later.next_if(|step| step.at <= end) {
                stand = Some(step.stand);
            }
            if let Some(stand) = stand {
                counts.entry(stand).or_insert([0; CROWD_STEPS])[index] += 1;
            }
        }
    }
    let lanes = counts.into_iter().rev().take(CROWDS_MAX);
    let lanes = lanes.map(|(stand, counts)| {
        let crowd = Crowd {
            stand,
            counts,
            all: by_chat.len() as u64,
        };
        let head = heads.iter().find(|head| StepStand::Head(head.seq) == stand);
        CrowdLane {
            name: stand_words(stand),
            now: counted(crowd.now(), "chat"),
            most: Number(crowd.most()),
            crowd,
            head: head.map(|head| {
                let pushed = Time::clock(head.received_at, range.to);
                (exposed_path(head), pushed)
            }),
        }
    });
    lanes.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_fits_the_age_of_the_workspace() {
        let now = Moment::from_unix_micros(1_795_788_000_000_000).unwrap();
        let check = |minutes: u64, word: Option<&str>, expected: &str| {
            let first = now.before(Duration::from_secs(60 * minutes));
            let choice = RangeChoice::of(word, first, now);
            let links = choice.links(first, now).into_iter();
            let links = links.map(|link| match link.is_current {
                true => format!("[{}]", link.label),
                false => link.label.to_owned(),
            });
            assert_eq!(links.collect::<Vec<_>>().join(" "), expected, "{minutes}");
            choice.from(first, now)
        };
        let (hour, day) = (60, 24 * 60);
        let from = check(30, None, "");
        assert_eq!(from, now.before(Duration::from_secs(30 * 60)));
        check(30, Some("7d"), "[7 days] All");
        check(25 * hour, None, "24 hours [All]");
        check(25 * hour, Some("24h"), "[24 hours] All");
        check(7 * day, None, "24 hours [All]");
        let from = check(8 * day, None, "24 hours [7 days] All");
        assert_eq!(from, now.before(7 * DAY));
        check(40 * day, Some("all"), "24 hours 7 days 30 days [All]");
        check(40 * day, Some("year"), "24 hours [7 days] 30 days All");
    }
}
