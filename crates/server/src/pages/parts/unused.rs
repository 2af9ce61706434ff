//! What a snapshot does not use, each with its reason and what to do about it.

use askama::Template;
use askama::filters::HtmlSafe;
use ctxpin_model::context::ContextView;
use ctxpin_model::resource::{Resource, Status};

use super::glyph::Glyph;
use super::number::Number;
use super::resource_name::name_from;
use super::room::ListRoom;
use super::text::{PathText, Text};

/// The most resources that a page lists as not used.
const SHOWN_MAX: usize = 200;

/// What is not used, as a list with a title.
#[derive(Template)]
#[template(path = "parts/unused.html")]
pub(crate) struct UnusedList {
    shown: Vec<Unused>,
    /// How many there are.
    pub count: Number,
    /// How many there are besides those in `shown`.
    more: Number,
    /// The command that lists all of them.
    command: &'static str,
}

impl HtmlSafe for UnusedList {}

/// A resource that is not used, and why.
pub(crate) struct Unused {
    name: String,
    glyph: Glyph,
    reason: String,
    cure: String,
}

/// Who takes the changes of a chat, as the reader of a page needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taker {
    Reader,
    /// The owner of a chat that the reader may only see.
    Owner,
    /// The reader, who owns the chat, with a token that may write.
    Writer,
    /// The client of an observed chat, with the words for when it takes them.
    Client(&'static str),
}

impl Taker {
    /// Returns the end of a sentence that says what to do about `changes`.
    fn takes(self, changes: &str) -> String {
        match self {
            Self::Reader => format!("take {changes}."),
            Self::Owner => format!("ask the chat's owner to take {changes}."),
            Self::Writer => format!("sign in with a token that may write, and take {changes}."),
            Self::Client(when) => format!("the client takes {changes} {when}."),
        }
    }
}

/// What a mended resource becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cure {
    /// A change of the workspace that the chat can take.
    Chat,
    /// A change that the workspace has already.
    Mended(Taker),
    /// A part of the workspace's next push.
    Workspace,
}

impl UnusedList {
    /// Returns as many of `all` as fit a page. `command` lists all.
    pub fn new(all: Vec<Unused>, command: &'static str) -> Self {
        let count = all.len();
        let mut room = ListRoom::new(SHOWN_MAX);
        let shown = all.into_iter();
        let shown = shown.take_while(|one| room.takes(one.name.len() + one.reason.len()));
        let shown: Vec<_> = shown.collect();
        Self {
            more: Number((count - shown.len()) as u64),
            count: Number(count as u64),
            shown,
            command,
        }
    }
}

impl Unused {
    /// Returns what the error of a scan says: why the scan is incomplete.
    pub fn of_scan(error: &str, cure: Cure) -> Self {
        Self {
            name: "The scan is incomplete".to_owned(),
            glyph: Glyph::Failed,
            reason: error.trim_end_matches('.').to_owned(),
            cure: cure.scan(),
        }
    }

    /// Returns why a resource is not used, and what to do. Its name begins below the directory `below`.
    pub fn new(resource: &Resource, below: Option<&str>, cure: Cure) -> Self {
        let reason = resource.error.as_deref().unwrap_or("No reason is known");
        let glyph = match resource.status {
            Status::Ok | Status::Excluded => Glyph::Unused,
            Status::Oversize | Status::Unreadable | Status::Invalid => Glyph::Failed,
        };
        let (reason, cure) = match resource.status {
            Status::Ok => ("The pin does not have it", cure.mend()),
            _ if matches!(cure, Cure::Mended(_)) => (reason, cure.mend()),
            Status::Excluded => (reason, excluded_cure(reason).to_owned()),
            Status::Oversize => (reason, "Make it smaller, or split it.".to_owned()),
            Status::Unreadable => (reason, "Check that the agent may read it.".to_owned()),
            Status::Invalid => (reason, cure.mend()),
        };
        Self {
            name: name_from(&resource.source, below).to_owned(),
            glyph,
            reason: reason.to_owned(),
            cure,
        }
    }
}

impl Cure {
    /// Returns what a mended scan of a chat's pin becomes.
    pub fn of_pin(view: &ContextView, taker: Taker) -> Self {
        let is_mended = view.head.as_ref().is_some_and(|head| head.error.is_none());
        match is_mended && !view.changes().is_empty() {
            true => Self::Mended(taker),
            false => Self::Chat,
        }
    }

    /// Returns what to do about a scan that is incomplete.
    pub fn scan(self) -> String {
        match self {
            Self::Chat => {
                "What it missed is not in the pin. Mend that in the workspace; then it is a change that the chat can take.".to_owned()
            }
            Self::Mended(taker) => format!(
                "What it missed is not in the pin. The newest scan of the workspace is complete: {}",
                taker.takes("the changes")
            ),
            Self::Workspace => {
                "What it missed is not in the push. Mend that in the workspace; the agent then pushes it.".to_owned()
            }
        }
    }

    /// Returns what to do about what the workspace itself cannot use.
    fn mend(self) -> String {
        match self {
            Self::Chat => {
                "Mend it in the workspace; then it is a change that the chat can take.".to_owned()
            }
            Self::Mended(taker) => format!(
                "The workspace can use it by now: {}",
                taker.takes("the change")
            ),
            Self::Workspace => "Mend it in the workspace; the agent then pushes it.".to_owned(),
        }
    }
}

/// Returns what to do about a resource that another one or a limit keeps out.
fn excluded_cure(reason: &str) -> &'static str {
    if reason.starts_with("shadowed by ") {
        "Rename one of the two, or delete it."
    } else if reason.starts_with("same bytes as ") {
        "Nothing is lost: a model gets the text once."
    } else {
        ""
    }
}
