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
use ctxpin_model::page::{IdCursor, Page};
use ctxpin_operations::history;

use super::caller::PageCaller;
use super::chats::title_of;
use super::parts::map::{Axis, Band, CROWD_STEPS, Crowd, Lane, Range, Step, stand_words};
use super::parts::number::{Number, counted};
use super::parts::text::Text;
use super::parts::time::Time;
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
}

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
}

/// The lane of a head, or of the chats that stand at none.
struct CrowdLane {
    name: String,
    now: String,
    most: Number,
    crowd: Crowd,
    /// When the head was pushed, if that is known.
    pushed: Option<Time>,
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
        let word = range.unwrap_or("7d");
        let from = match word {
            "24h" => now.before(DAY),
            "30d" => now.before(30 * DAY),
            "all" => first.received_at,
            _ => now.before(7 * DAY),
        };
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
        Ok(Some(Self {
            range,
            ranges: RangeLink::all(word),
            axis: Axis(Lane {
                range,
                bands: range.bands(&heads),
                declined: None,
            }),
            lanes,
            gaps,
        }))
    }
}

impl HtmlSafe for Map {}

impl RangeLink {
    fn all(current: &str) -> Vec<Self> {
        let links = [
            ("24h", "24 hours"),
            ("7d", "7 days"),
            ("30d", "30 days"),
            ("all", "All"),
        ];
        let links = links.map(|(word, label)| Self {
            word,
            label,
            is_current: word == current,
        });
        links.into()
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
            pushed: head.map(|head| Time::clock(head.received_at, range.to)),
        }
    });
    lanes.collect()
}
