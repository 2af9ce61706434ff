//! The head of a chat's pages: its title, its rail, one sentence, and the tabs.

use askama::Template;
use askama::filters::HtmlSafe;
use ctxpin_model::access::Operation;
use ctxpin_model::chat::ChatSummary;
use ctxpin_model::context::ContextView;
use ctxpin_model::delivery::Delivery;
use ctxpin_model::id::ChatId;
use ctxpin_model::moment::Moment;
use ctxpin_model::reading::next_reading;
use ctxpin_model::resource::Status;
use ctxpin_operations::{chats, contexts};
use ctxpin_protocol::problem::ProblemName;

use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::pages::PageCaller;
use crate::pages::chats::title_of;
use crate::pages::frame::{Frame, Place};
use crate::pages::parts::command::{Command, chat_command};
use crate::pages::parts::number::{Number, counted};
use crate::pages::parts::rail::{Rail, Stand};
use crate::pages::parts::short_id::{ShortId, last_digits};
use crate::pages::parts::text::{PathText, Text};
use crate::pages::parts::time::Time;
use crate::pages::parts::unused::Taker;
use crate::pages::parts::verdict::LastSaid;
use crate::pages::typed::Typed;
use crate::params::PathParams;

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
        let is_archived = view.chat.archived_at.is_some();
        let pinned = view.pinned.iter().flat_map(|pinned| &pinned.resources);
        match self {
            // An archived chat shows no drift.
            Self::Changes if is_archived => Some(0),
            Self::Changes => Some(view.changes().len() as u64),
            Self::Context => Some(pinned.filter(|one| one.status == Status::Ok).count() as u64),
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
    /// The title that somebody gave it, or nothing.
    own_title: String,
    /// The form that renames the chat.
    typed: Typed,
    rename: Command,
    archive: Command,
    pub delete: Command,
    /// How many pins and turns go with the chat if it is deleted.
    pub pins: String,
    pub turns: String,
    page_value: String,
    /// Whether the caller may change the chat, move its pin, and delete it.
    pub may_change: bool,
    pub may_move: bool,
    pub may_delete: bool,
    client: Option<String>,
    /// The name of the owner, if the chat is another user's.
    owner: Option<String>,
    short_id: ShortId,
    /// The page of the chat from which this one was forked or for which it works, and the last digits of its id.
    parent: Option<(String, String)>,
    agent: Option<String>,
    workspace: Option<String>,
    policy: &'static str,
    tools: &'static str,
    /// Whether a turn gets other tools than the pinned ones.
    tools_differ: bool,
    is_archived: bool,
    rail: Rail,
    pub snapshot: Option<String>,
    /// The pinned snapshot, and since when.
    pin: Option<(ShortId, Time)>,
    /// Whether the client may have read other files than the pinned ones.
    is_unconfirmed: bool,
    drifted: Option<Time>,
    /// Whether the drift began because the pin moved, and not because the workspace did.
    is_ahead: bool,
    pub change_count: String,
    /// Whether the page shows the changes, so that no link leads to them.
    is_on_changes: bool,
    /// When the agent answered last, if it has gone.
    gone: Option<Time>,
    tabs: Vec<TabLink>,
    /// Whether the agent's last push was refused.
    is_refused: bool,
    /// Whether the pin records what the client read, so that no request chooses it.
    pub is_observed: bool,
    /// When the client of an observed chat reads its files anew.
    next_reading: &'static str,
    /// Whether the last turn of a delivered chat was only observed.
    was_observed: bool,
    /// `None` if no turn has evidence.
    last_said: Option<LastSaid>,
    next: Option<Next>,
}

/// The sensible next thing to do with a chat, as the one button of its head.
enum Next {
    Unarchive,
    Link {
        label: &'static str,
        path: String,
        /// The operation for which the link leads there.
        needs: Operation,
    },
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

    /// Returns who takes the chat's changes.
    pub fn taker(&self) -> Taker {
        match (self.is_observed, self.may_move) {
            (true, _) => Taker::Client(self.next_reading),
            (false, true) => Taker::Reader,
            (false, false) if self.owner.is_some() => Taker::Owner,
            (false, false) => Taker::Writer,
        }
    }

    /// Returns whether the button of the head is the only primary one. The foot of a diff has another.
    fn has_primary(&self) -> bool {
        let has_foot = self.is_on_changes && self.drifted.is_some();
        !has_foot || self.is_observed || !self.may_change
    }

    /// Returns whether a turn gets other tools than the pinned ones.
    pub fn tools_differ(&self) -> bool {
        self.tools_differ
    }

    /// Leaves out the button, for the page to which it leads.
    pub fn without_next(self) -> Self {
        Self { next: None, ..self }
    }

    fn new(line: &ChatSummary, view: &ContextView, tab: Tab, frame: &Frame) -> Self {
        let now: Moment = frame.now;
        let chat = &line.chat;
        let pin = chat.pin.as_ref();
        let rail = Rail::of(line, now).large();
        let id = chat.id.to_string();
        let short = last_digits(&id).to_owned();
        let is_archived = chat.archived_at.is_some();
        let may = |operation| frame.may_on(operation, chat.owner);
        let may_change = may(Operation::ChatChange);
        let may_move = may(Operation::PinMove);
        let seen = Tab::ALL.into_iter();
        let seen = seen.filter(|other| *other != Tab::Prompt || may(Operation::PromptRead));
        let tabs = seen.map(|other| {
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
            rename: Command::new("Rename", format!("ctxpin chat set {short} --title=TITLE"))
                .filled("title=--title=TITLE"),
            archive: match is_archived {
                true => Command::new("Unarchive", chat_command("unarchive", &short)),
                false => Command::new("Archive", chat_command("archive", &short)),
            },
            delete: Command::new("Delete the chat", chat_command("delete", &short)),
            pins: counted(u64::try_from(chat.pin_seq).unwrap_or(0), "pin"),
            turns: counted(u64::try_from(chat.turn_count).unwrap_or(0), "turn"),
            short,
            title: title_of(line),
            own_title: chat.title.clone().unwrap_or_default(),
            typed: frame.typed(&format!("/chats/{id}")).with("title"),
            page_value: frame.page_value().to_owned(),
            may_change,
            may_move,
            may_delete: may(Operation::ChatDelete),
            client: chat.client.clone(),
            owner: frame
                .is_of_other(chat.owner)
                .then(|| line.owner_name.clone()),
            short_id: ShortId::of_id(chat.id, "chat's id"),
            parent: chat.parent.map(|parent| {
                let parent = parent.to_string();
                let short = last_digits(&parent).to_owned();
                (format!("/chats/{parent}"), short)
            }),
            agent: chat.agent.map(|agent| agent.to_string()),
            workspace: line.workspace.clone(),
            policy: chat.policy.as_str(),
            tools: chat.tools.as_str(),
            tools_differ: view.chat.tools_differ() && !chat.mode.is_observed(),
            is_archived,
            snapshot: pin.map(|pin| pin.pin.snapshot.to_string()),
            pin: pin.map(|pin| {
                let since = Time::clock(pin.pinned_at, now);
                (ShortId::of_snapshot(pin.pin.snapshot), since)
            }),
            is_unconfirmed: pin.is_some_and(|pin| pin.unconfirmed),
            drifted: match rail.stand {
                Stand::Drifted | Stand::Declined => {
                    chat.drift().map(|drift| Time::span(drift.since, now))
                }
                Stand::Clean | Stand::Unpinned | Stand::Unbound | Stand::Archived => None,
            },
            is_ahead: chat.first_other_at.is_none(),
            change_count: counted(view.changes().len() as u64, "change"),
            is_on_changes: tab == Tab::Changes,
            gone: line
                .agent_seen_at
                .filter(|_| rail.is_away)
                .map(|at| Time::clock(at, now)),
            is_refused: chat.agent_refused.is_some(),
            is_observed: chat.mode.is_observed(),
            next_reading: next_reading(chat.client.as_deref()),
            was_observed: !chat.mode.is_observed()
                && line.last_delivery == Some(Delivery::Observed),
            last_said: LastSaid::of(chat),
            next: Next::of(line, &rail, tab).filter(|next| match next {
                Next::Unarchive => may_change,
                Next::Link { needs, .. } => may(*needs),
            }),
            rail,
            id: chat.id,
        }
    }
}

impl Next {
    /// Returns the next thing to do. `None` if there is none, or if the page has the button for it.
    fn of(line: &ChatSummary, rail: &Rail, tab: Tab) -> Option<Self> {
        let chat = &line.chat;
        let id = chat.id.to_string();
        let link = |other: Tab, label, needs| {
            let (_, path) = other.link();
            let path = format!("/chats/{id}{path}");
            (other != tab).then_some(Self::Link { label, path, needs })
        };
        if chat.archived_at.is_some() {
            return Some(Self::Unarchive);
        }
        if let Some(last) = LastSaid::of(chat).filter(|last| last.said.is_alarm()) {
            return Some(Self::Link {
                label: "See what differs",
                path: last.path,
                needs: Operation::TurnRead,
            });
        }
        match rail.stand {
            // Nobody decides about changes that they do not see. Their tab has a foot with the decision.
            Stand::Drifted => link(Tab::Changes, "See the changes", Operation::ContextRead),
            Stand::Declined => link(Tab::Changes, "See what was declined", Operation::DiffRead),
            Stand::Unbound | Stand::Unpinned if chat.agent.is_none() => Some(Self::Link {
                label: "Bind to a workspace",
                path: format!("/chats/{id}/settings"),
                needs: Operation::ChatChange,
            }),
            Stand::Unpinned => link(Tab::Changes, "See what it waits for", Operation::ChatChange),
            Stand::Clean if rail.notch.is_some() => (tab != Tab::Context).then(|| Self::Link {
                label: "Show what is missing",
                path: format!("/chats/{id}/context#unused"),
                needs: Operation::ContextRead,
            }),
            Stand::Clean if rail.is_away => link(
                Tab::Changes,
                "See how to start its agent",
                Operation::ChatChange,
            ),
            Stand::Clean if chat.mode.is_observed() => link(
                Tab::Context,
                "See what the client reads",
                Operation::ContextRead,
            ),
            Stand::Clean | Stand::Unbound | Stand::Archived => {
                link(Tab::Prompt, "Read the prompt", Operation::PromptRead)
            }
        }
    }
}

/// Reads the id of a chat in a path.
///
/// # Errors
///
/// Returns `not-found` if the text is no id.
pub(super) fn chat_id(path: &PathParams) -> ApiResult<ChatId> {
    path.id("chat").map_err(|_: ApiError| {
        ApiError::new(
            ProblemName::NotFound,
            "There is no chat of this id, or you may not see it.",
        )
    })
}

/// Reads the number of a turn in a path.
///
/// # Errors
///
/// Returns `not-found` if it is no number.
pub(super) fn turn_number(path: &PathParams) -> ApiResult<i64> {
    path.id("number")
        .map_err(|_: ApiError| ApiError::new(ProblemName::NotFound, "The chat has no such turn."))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ctxpin_model::access::{Actor, Roles, Scopes};
    use ctxpin_model::agent::{Head, PushRefused};
    use ctxpin_model::chat::{ChatRecord, PinState};
    use ctxpin_model::drift::Hashes;
    use ctxpin_model::evidence::{LastVerdict, Verdict, Witness};
    use ctxpin_model::hash::{BlobHash, ContextHash, SnapshotId, ToolsHash};
    use ctxpin_model::mode::Mode;
    use ctxpin_model::pin::{Pin, Rendered};
    use ctxpin_model::policy::Policy;
    use ctxpin_model::quota::{Limit, Stock};
    use ctxpin_model::tools_mode::ToolsMode;
    use uuid::Uuid;

    use super::*;
    use crate::pages::caller::Choices;

    fn now() -> Moment {
        Moment::from_unix_micros(1_795_788_000_000_000).unwrap()
    }

    fn before(minutes: u64) -> Moment {
        now().before(Duration::from_secs(60 * minutes))
    }

    fn hashes(text: &str) -> Hashes {
        Hashes {
            context: ContextHash::of(text.as_bytes()),
            tools: ToolsHash::of(b""),
        }
    }

    fn head(text: &str) -> Head {
        Head {
            seq: 4,
            snapshot: SnapshotId::of(text.as_bytes()),
            hashes: hashes(text),
            received_at: before(20),
        }
    }

    fn pin(text: &str) -> PinState {
        PinState {
            pin: Pin {
                snapshot: SnapshotId::of(text.as_bytes()),
                hashes: hashes(text),
                prompt: Rendered {
                    prompt: BlobHash::of(text.as_bytes()),
                    renderer: 2,
                },
            },
            pinned_at: before(60),
            unconfirmed: false,
            error: None,
        }
    }

    /// Returns a chat whose pin is what its workspace has.
    fn clean() -> ChatSummary {
        let chat = ChatRecord {
            id: Uuid::from_u128(1).into(),
            owner: Uuid::from_u128(2).into(),
            client: Some("claude-code".into()),
            reference: None,
            title: Some("Split the payment step".into()),
            agent: Some(Uuid::from_u128(3).into()),
            parent: None,
            archived_at: None,
            mode: Mode::Delivered,
            policy: Policy::Manual,
            tools: ToolsMode::Live,
            declined: None,
            pin_seq: 1,
            pin: Some(pin("one")),
            turn_count: 0,
            last_verdict: None,
            created_at: before(60),
            updated_at: before(60),
            head: Some(head("one")),
            head_settled: true,
            first_other_at: None,
            made_at: None,
            head_prompt: None,
            agent_refused: None,
        };
        ChatSummary {
            chat,
            owner_name: "lena".into(),
            workspace: Some("shop".into()),
            agent_seen_at: Some(now()),
            pinned_seq: Some(4),
            last_turn_at: None,
            last_delivery: None,
        }
    }

    fn drifted() -> ChatSummary {
        let mut line = clean();
        line.chat.head = Some(head("two"));
        line.chat.first_other_at = Some(before(20));
        line.pinned_seq = Some(2);
        line
    }

    fn said(verdict: Verdict) -> Option<LastVerdict> {
        Some(LastVerdict {
            turn: 7,
            verdict,
            witness: Witness::Client,
        })
    }

    /// Returns the head of a chat on a tab, without the menu and the tabs.
    fn shown(line: &ChatSummary, tab: Tab, is_owner: bool) -> String {
        let view = ContextView {
            chat: line.chat.clone(),
            pinned: None,
            head: None,
            tells_bodies: is_owner,
            latest_renderer: 2,
        };
        let (id, roles) = match is_owner {
            true => (line.chat.owner, Roles::all()),
            false => (Uuid::from_u128(9).into(), "auditor".parse().unwrap()),
        };
        let mut frame = Frame::anonymous("A chat", Choices::default(), now());
        frame.actor = Some(Actor::User {
            id,
            roles,
            token: Uuid::nil().into(),
            scopes: Scopes::all(),
        });
        let head = ChatHead::new(line, &view, tab, &frame).render().unwrap();
        let (before_menu, rest) = head.split_once("  <details class=\"menu").unwrap();
        let (_, rest) = rest.split_once("</details>").unwrap();
        let (rest, _) = rest.split_once("<nav class=\"tabs\"").unwrap();
        let (_, button) = before_menu.split_once("</div>").unwrap();
        format!("{}{}", button.trim_start_matches('\n'), rest)
    }

    /// Writes the head of a chat in every state.
    #[test]
    fn each_state_has_one_sentence_and_one_next_thing() {
        let with = |mut line: ChatSummary, change: fn(&mut ChatSummary)| {
            change(&mut line);
            line
        };
        let states = [
            ("clean", clean()),
            ("drifted", drifted()),
            (
                "declined",
                with(drifted(), |line| line.chat.declined = Some(hashes("two"))),
            ),
            (
                "drifted from pins that the workspace never had",
                with(drifted(), |line| line.chat.first_other_at = None),
            ),
            (
                "unpinned, before the first push",
                with(clean(), |line| {
                    (line.chat.pin, line.chat.head) = (None, None)
                }),
            ),
            (
                "unpinned, without a workspace",
                with(clean(), |line| {
                    (line.chat.pin, line.chat.head, line.chat.agent) = (None, None, None);
                    line.workspace = None;
                }),
            ),
            (
                "pinned, without a workspace",
                with(clean(), |line| {
                    (line.chat.head, line.chat.agent) = (None, None);
                    line.workspace = None;
                }),
            ),
            (
                "error",
                with(clean(), |line| {
                    let pin = line.chat.pin.as_mut().unwrap();
                    pin.error = Some("a file cannot be read".into());
                }),
            ),
            (
                "agent gone",
                with(clean(), |line| line.agent_seen_at = Some(before(90))),
            ),
            (
                "drifted, agent gone",
                with(drifted(), |line| line.agent_seen_at = Some(before(90))),
            ),
            (
                "push refused",
                with(clean(), |line| {
                    line.chat.agent_refused = Some(PushRefused {
                        limit: Limit::Stock(Stock::Agents),
                        at: before(5),
                    });
                }),
            ),
            (
                "observed",
                with(clean(), |line| line.chat.mode = Mode::Observed),
            ),
            (
                "observed and drifted",
                with(drifted(), |line| line.chat.mode = Mode::Observed),
            ),
            (
                "observed turns",
                with(clean(), |line| {
                    line.chat.turn_count = 7;
                    line.last_turn_at = Some(before(10));
                    line.last_delivery = Some(Delivery::Observed);
                }),
            ),
            (
                "as pinned",
                with(clean(), |line| {
                    line.chat.turn_count = 7;
                    line.chat.last_verdict = said(Verdict::AsPinned);
                }),
            ),
            (
                "incomplete, and later turns without evidence",
                with(clean(), |line| {
                    line.chat.turn_count = 9;
                    line.chat.last_verdict = said(Verdict::Incomplete);
                }),
            ),
            (
                "observed, drifted and deviating",
                with(drifted(), |line| {
                    line.chat.mode = Mode::Observed;
                    line.chat.turn_count = 7;
                    line.chat.last_verdict = said(Verdict::Deviates);
                }),
            ),
            (
                "archived",
                with(drifted(), |line| line.chat.archived_at = Some(before(10))),
            ),
        ];
        let mut heads = String::new();
        for (name, line) in &states {
            heads += &format!("## {name}\n{}\n", shown(line, Tab::Turns, true));
        }
        heads += &format!(
            "## for an auditor\n{}",
            shown(&drifted(), Tab::Turns, false)
        );
        insta::with_settings!({
            snapshot_path => "../../../tests/golden/pages",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!("chat-heads", heads) });
    }

    #[test]
    fn the_page_that_has_the_button_has_no_other() {
        let check = |line: &ChatSummary, tab, expected: bool| {
            let has_button = shown(line, tab, true).contains("primary");
            assert_eq!(has_button, expected, "{:?} {tab:?}", line.chat);
        };
        check(&drifted(), Tab::Changes, false);
        check(&drifted(), Tab::History, true);
        check(&clean(), Tab::Changes, true);
        check(&clean(), Tab::Prompt, false);
        let mut archived = drifted();
        archived.chat.archived_at = Some(before(10));
        check(&archived, Tab::Changes, true);
        check(&archived, Tab::History, true);
        let mut deviating = drifted();
        deviating.chat.last_verdict = said(Verdict::Deviates);
        check(&deviating, Tab::Changes, false);
        check(&deviating, Tab::Turns, true);
    }
}
