//! The text of a resource: rendered, raw, or with what ctxpin's prompt leaves out.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use ctxpin_operations::contexts::{RemovalReason, ReviewedText, TextPiece};

use crate::attachment::attachment;
use crate::pages::parts::markdown::Markdown;
use crate::pages::parts::number::Size;
use crate::pages::parts::room::TextRoom;
use crate::pages::parts::short_id::ShortId;
use crate::pages::parts::text::{LongText, PathText, Text};

/// The text of a resource.
#[derive(Template)]
#[template(path = "chat/shown.html")]
pub(super) struct Shown {
    name: String,
    /// The part of the query that chooses the resource, if the path does not.
    query: Option<String>,
    form: Form,
    size: Size,
    removed: Option<Size>,
    /// `None` if the server has none of the file's bytes.
    file: Option<StoredFile>,
    /// As much of the text as the page shows.
    pieces: Vec<TextPiece>,
    /// How much the page shows of a text that is too long for it, and the path of the whole text.
    cut: Option<(Size, String)>,
}

/// The most pieces of a text that the page shows. A text may consist of removed characters and others in turn.
const PIECES_MAX: usize = 2_000;

/// A file whose bytes the server has.
struct StoredFile {
    hash: ShortId,
    /// The path of its bytes.
    download: String,
    /// The path of the search for the chats that had it.
    exposure: String,
}

/// The form of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Rendered,
    Raw,
    Removed,
}

impl Form {
    const ALL: [Self; 3] = [Self::Rendered, Self::Raw, Self::Removed];

    /// Reads the form of a query. A text is raw unless it says otherwise.
    pub fn of(word: Option<&str>) -> Self {
        match word {
            Some("rendered") => Self::Rendered,
            Some("removed") => Self::Removed,
            _ => Self::Raw,
        }
    }

    /// Returns what the page calls it.
    fn label(self) -> &'static str {
        match self {
            Self::Rendered => "Rendered",
            Self::Raw => "Raw",
            Self::Removed => "With what is left out",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Rendered => "rendered",
            Self::Raw => "raw",
            Self::Removed => "removed",
        }
    }
}

impl HtmlSafe for Shown {}

impl Shown {
    /// Returns the text of a resource in a form. `path` is that of the text: below it are the whole text and its bytes.
    pub fn new(
        name: String,
        (form, query): (Form, Option<String>),
        path: String,
        text: ReviewedText,
    ) -> Self {
        let ReviewedText { resource, pieces } = text;
        // Nobody misses the blanks, such as the last line end.
        let is_missed = |reason: &RemovalReason| !matches!(reason, RemovalReason::Blank);
        let removed = pieces
            .iter()
            .filter(|piece| piece.removed.as_ref().is_some_and(is_missed));
        let removed: usize = removed.map(|piece| piece.text.len()).sum();
        let mut room = TextRoom::new();
        let is_long = pieces.len() > PIECES_MAX;
        let pieces = pieces.into_iter().take(PIECES_MAX);
        let pieces = pieces.map(|piece| {
            let text = room.take(&piece.text).to_owned();
            let is_whole = text.len() == piece.text.len();
            TextPiece {
                text,
                original: piece.original.filter(|_| is_whole),
                removed: piece.removed,
            }
        });
        let pieces: Vec<_> = pieces.collect();
        let shown: usize = pieces.iter().map(|piece| piece.text.len()).sum();
        Self {
            name,
            query,
            form,
            size: Size(resource.size),
            removed: (removed > 0).then_some(Size(removed as u64)),
            file: resource.body().map(|hash| StoredFile {
                hash: ShortId::of_hash(hash, "hash"),
                download: format!("{path}/download"),
                exposure: format!("/search?q={hash}"),
            }),
            pieces,
            cut: (is_long || room.is_cut()).then(|| (Size(shown as u64), format!("{path}/raw"))),
        }
    }

    /// Returns the size of the whole text.
    pub fn bytes(&self) -> u64 {
        self.size.0
    }

    /// Returns the text as it is in the workspace.
    fn original(&self) -> String {
        let pieces = self.pieces.iter();
        pieces.map(TextPiece::in_file).collect()
    }
}

/// Returns why a piece of text is removed, in words.
fn reason_words(reason: &RemovalReason) -> &'static str {
    match reason {
        RemovalReason::Comment => "A comment: readers do not see it, so it is removed",
        RemovalReason::Invisible => "Invisible, so it is removed",
        RemovalReason::Blank => "A blank that nobody sees, so it is removed",
    }
}

/// Returns a text as it is in the file.
pub(super) fn plain(text: &ReviewedText) -> Response {
    let pieces = text.pieces.iter();
    let text: String = pieces.map(TextPiece::in_file).collect();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    ([(CONTENT_TYPE, plain)], text).into_response()
}

/// Returns a response that a browser saves under the name at the end of a path. It shows none of it: nobody knows
/// what the file is.
pub(super) fn saved(path: &str, bytes: Vec<u8>) -> Response {
    let binary = HeaderValue::from_static("application/octet-stream");
    let headers = [
        (CONTENT_TYPE, binary),
        (CONTENT_DISPOSITION, attachment(path)),
    ];
    (headers, bytes).into_response()
}
