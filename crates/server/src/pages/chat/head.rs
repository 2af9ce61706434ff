//! The head of a chat's pages: its title, its rail, one sentence, and the tabs.

use askama::Template;
use askama::filters::HtmlSafe;
use ctxpin_model::chat::ChatSummary;
use ctxpin_model::context::ContextView;
use ctxpin_model::id::ChatId;
use ctxpin_model::moment::Moment;
use ctxpin_operations::{chats, contexts};
use ctxpin_protocol::problem::ProblemName;

use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::chats::title_of;
use crate::pages::frame::{Frame, Place};
use crate::pages::parts::command::Command;
use crate::pages::parts::number::{Number, counted};
use crate::pages::parts::rail::{Rail, Stand};
use crate::pages::parts::short_id::{ShortId, last_digits};
use crate::pages::parts::text::Text;
use crate::pages::parts::time::Time;

/// A tab of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tab {
    Changes,
    Context,
    Prompt,
    Turns,
    History,
}

impl Tab {
    const ALL: [Self; 5] = [
        Self::Changes,
        Self::Context,
        Self::Prompt,
        Self::Turns,
        Self::History,
    ];

    /// Returns the label of the tab, and its path below the chat's.
    fn link(self) -> (&'static str, &'static str) {
        match self {
            Self::Changes => ("Changes", ""),
            Self::Context => ("Context", "/context"),
            Self::Prompt => ("Prompt", "/prompt"),
            Self::Turns => ("Turns", "/turns"),
            Self::History => ("History", "/history"),
        }
    }

    fn count(self, view: &ContextView) -> Option<u64> {
        let pinned = view.pinned.iter().flat_map(|pinned| &pinned.resources);
        match self {
            Self::Changes => Some(view.changes().len() as u64),
            Self::Context => Some(pinned.count() as u64),
            Self::Prompt => None,
            Self::Turns => u64::try_from(view.chat.turn_count).ok(),
            Self::History => u64::try_from(view.chat.pin_seq).ok(),
        }
    }
}

/// A link to a tab.
struct TabLink {
    label: &'static str,
    path: String,
    is_current: bool,
    count: Option<Number>,
}

/// The head of a chat's page.
#[derive(Template)]
#[template(path = "chat/head.html")]
pub(super) struct ChatHead {
    pub id: ChatId,
    /// The last digits of the id, by which commands find the chat.
    pub short: String,
    pub title: String,
    page_value: String,
    client: Option<String>,
    short_id: ShortId,
    agent: Option<String>,
    workspace: Option<String>,
    policy: &'static str,
    is_archived: bool,
    rail: Rail,
    pub snapshot: Option<String>,
    pub head: Option<String>,
    /// The pinned snapshot, and since when.
    pin: Option<(ShortId, Time)>,
    drifted: Option<Time>,
    pub change_count: String,
    /// When the agent answered last, if it has gone.
    gone: Option<Time>,
    tabs: Vec<TabLink>,
    take_all: Command,
    /// Whether the head has the button that takes all changes, because the page has no other.
    has_button: bool,
}

impl HtmlSafe for ChatHead {}

/// A chat as its pages show it.
pub(super) struct ChatPage {
    pub frame: Frame,
    pub head: ChatHead,
    pub view: ContextView,
    pub line: ChatSummary,
}

/// Reads what every page of a chat shows.
///
/// # Errors
///
/// Fails if the caller may not see the chat.
pub(super) async fn read(
    app: &App,
    caller: &PageCaller,
    chat: ChatId,
    tab: Tab,
) -> ApiResult<ChatPage> {
    let line = chats::summary(&app.service, caller.credential, chat).await?;
    let view = contexts::read(&app.service, caller.credential, chat).await?;
    let (label, _) = tab.link();
    let title = format!("{} · {label}", title_of(&line));
    let frame = Frame::read(app, caller, Place::Chats, title).await?;
    let watched = [Some(chat.uuid()), line.chat.agent.map(|agent| agent.uuid())];
    let frame = frame.watching(watched.into_iter().flatten());
    let head = ChatHead::new(&line, &view, tab, &frame);
    Ok(ChatPage {
        frame,
        head,
        view,
        line,
    })
}

impl ChatHead {
    /// Returns whether the chat's agent has gone.
    pub fn is_away(&self) -> bool {
        self.rail.is_away
    }

    fn new(line: &ChatSummary, view: &ContextView, tab: Tab, frame: &Frame) -> Self {
        let now: Moment = frame.now;
        let chat = &line.chat;
        let pin = chat.pin.as_ref();
        let rail = Rail::of(line, now).large();
        let id = chat.id.to_string();
        let tabs = Tab::ALL.into_iter().map(|other| {
            let (label, path) = other.link();
            TabLink {
                label,
                path: format!("/chats/{id}{path}"),
                is_current: other == tab,
                count: other.count(view).map(Number),
            }
        });
        Self {
            tabs: tabs.collect(),
            take_all: Command::new(
                "Take all",
                format!("ctxpin chat refresh {}", last_digits(&id)),
            ),
            short: last_digits(&id).to_owned(),
            title: title_of(line),
            page_value: frame.page_value().to_owned(),
            client: chat.client.clone(),
            short_id: ShortId::of_id(chat.id, "chat's id"),
            agent: chat.agent.map(|agent| agent.to_string()),
            workspace: line.workspace.clone(),
            policy: chat.policy.as_str(),
            is_archived: chat.archived_at.is_some(),
            snapshot: pin.map(|pin| pin.pin.snapshot.to_string()),
            head: chat.head.map(|head| head.snapshot.to_string()),
            pin: pin.map(|pin| {
                let since = Time::clock(pin.pinned_at, now);
                (ShortId::of_snapshot(pin.pin.snapshot), since)
            }),
            drifted: chat.drift().map(|drift| Time::ago(drift.since, now)),
            change_count: counted(view.changes().len() as u64, "change"),
            gone: line
                .agent_seen_at
                .filter(|_| rail.is_away)
                .map(|at| Time::clock(at, now)),
            has_button: rail.stand == Stand::Drifted && tab != Tab::Changes,
            rail,
            id: chat.id,
        }
    }
}

/// Reads the id of a chat in a path.
///
/// # Errors
///
/// Returns `not-found` if the text is no id.
pub(super) fn chat_id(path: &crate::params::PathParams) -> ApiResult<ChatId> {
    path.id("chat").map_err(|_: ApiError| {
        ApiError::new(
            ProblemName::NotFound,
            "There is no chat of this id, or you may not see it.",
        )
    })
}
