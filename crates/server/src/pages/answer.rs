//! The answer to a write: the script gets a sentence with the way back, a browser without it gets the page.

use askama::Template;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::done::saying;
use super::fields::Fields;
use super::form::Wants;
use super::frame::html;
use super::parts::command::Command;
use super::parts::text::PathText;
use crate::api_error::ApiResult;

/// What a write has done.
#[derive(Template)]
#[template(path = "toast.html")]
pub(crate) struct Toast {
    /// A sentence, such as "Took AGENTS.md."
    pub done: String,
    pub undo: Option<Undo>,
    pub page_value: String,
    /// The address at which the page of the form says what was done, also when it is loaded again. `None` if the page
    /// stays as it is.
    pub address: Option<String>,
}

/// The form that undoes a write.
pub(crate) struct Undo {
    pub way: Way,
    /// The path that the form is sent to.
    pub action: String,
    /// The names and values of its fields.
    pub fields: Vec<(&'static str, String)>,
    /// The command that does the same.
    pub command: String,
}

/// Whether a form undoes a write, or does again what was undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Undo,
    Redo,
}

impl Way {
    /// Reads which way a form goes that a toast has offered. `None` if it is another form.
    pub fn of_form(fields: &Fields) -> Option<Self> {
        Self::of(fields.get("way"))
    }

    /// Returns the way of the form that takes back what a form did.
    pub fn back(form: Option<Self>) -> Self {
        form.map_or(Self::Undo, Self::opposite)
    }

    /// Returns a sentence about what a form did, which begins with its way.
    pub fn told(form: Option<Self>, done: &str) -> String {
        match form {
            None => done.to_owned(),
            Some(way) => format!("{}. {done}", way.done()),
        }
    }

    /// Returns what a form of this way has done, in a word.
    pub fn done(self) -> &'static str {
        match self {
            Self::Undo => "Undone",
            Self::Redo => "Redone",
        }
    }

    /// Reads the verb of a form. `None` if it does something else.
    pub fn of(verb: Option<&str>) -> Option<Self> {
        [Self::Undo, Self::Redo]
            .into_iter()
            .find(|way| Some(way.verb()) == verb)
    }

    /// Returns what a form calls it.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Undo => "undo",
            Self::Redo => "redo",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Undo => "Undo",
            Self::Redo => "Redo",
        }
    }

    pub fn opposite(self) -> Self {
        match self {
            Self::Undo => Self::Redo,
            Self::Redo => Self::Undo,
        }
    }
}

impl Undo {
    /// Returns whether the key of *Undo* presses it. Pressed twice, that key must not do again what it undid.
    pub fn has_key(&self) -> bool {
        self.way == Way::Undo
    }

    /// Returns the button that copies the command.
    pub fn copy(&self) -> Command {
        Command::new(self.way.label(), &*self.command)
    }
}

impl Toast {
    /// Answers a write. A browser without the script goes to `page`, which shows the result and the sentence.
    pub fn answer(&self, wants: Wants, page: &str) -> ApiResult<Response> {
        match wants {
            Wants::Fragment => html(self),
            Wants::Page => Ok(saying(see_other(page), &self.done)),
        }
    }
}

/// Answers a write after which another page is to be shown.
pub(crate) fn elsewhere(wants: Wants, page: &str) -> Response {
    match wants {
        // The script follows the header. It would fetch the page twice after a redirect.
        Wants::Fragment => (StatusCode::OK, [(LOCATION, location(page))]).into_response(),
        Wants::Page => see_other(page),
    }
}

/// Returns a redirect to a page of this server.
pub(crate) fn see_other(page: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, location(page))]).into_response()
}

/// Returns a path as a header. Anything else leads to the first page.
fn location(page: &str) -> HeaderValue {
    HeaderValue::from_str(page).unwrap_or(HeaderValue::from_static("/"))
}
