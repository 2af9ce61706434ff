//! Search by content: the chats and turns that had a text in force.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use ctxpin_model::exposure::{Exposure, PinnedExposure};
use ctxpin_model::hash::{BlobHash, HASH_PREFIX};
use ctxpin_model::id::ChatId;
use ctxpin_model::moment::Moment;
use ctxpin_operations::exposures;
use serde::Deserialize;

use super::answer::see_other;
use super::caller::PageCaller;
use super::frame::{Frame, Place, html};
use super::parts::number::counted;
use super::parts::short_id::ShortId;
use super::parts::text::Text;
use super::parts::time::Time;
use crate::api_error::ApiResult;
use crate::app::App;
use crate::params::QueryParams;

/// The most chats that the page lists.
const CHATS_SHOWN_MAX: usize = 200;

/// The page of a search.
#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    frame: Frame,
    query: String,
    /// `None` if nothing was searched for.
    found: Option<Found>,
    /// Whether the text is neither a hash nor an id.
    is_unreadable: bool,
}

/// What had a content in force.
struct Found {
    hash: ShortId,
    counts: String,
    rows: Vec<Row>,
    has_more: bool,
}

/// A chat that had a content in force.
struct Row {
    chat: ChatId,
    short_id: ShortId,
    source: String,
    turns: String,
    from: Time,
    until: Option<Time>,
}

/// The query of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchQuery {
    q: Option<String>,
}

/// Shows the page. An id leads to its chat.
pub(crate) async fn page(
    State(app): State<App>,
    caller: PageCaller,
    QueryParams(query): QueryParams<SearchQuery>,
) -> ApiResult<Response> {
    let text = query.q.as_deref().unwrap_or_default().trim();
    if let Ok(chat) = text.parse::<ChatId>() {
        return Ok(see_other(&format!("/chats/{chat}")));
    }
    let hash = content_hash(text);
    let frame = Frame::read(&app, &caller, Place::Search, "Search").await?;
    let mut found = None;
    if let Some(hash) = hash {
        let exposure = exposures::read(&app.service, caller.credential, hash).await?;
        found = Some(Found::new(hash, &exposure, frame.now));
    }
    html(&SearchPage {
        query: text.to_owned(),
        is_unreadable: hash.is_none() && !text.is_empty(),
        found,
        frame,
    })
}

/// Reads a hash, with or without its prefix.
fn content_hash(text: &str) -> Option<BlobHash> {
    let text = text.to_ascii_lowercase();
    match text.starts_with(HASH_PREFIX) {
        true => text.parse().ok(),
        false => format!("{HASH_PREFIX}{text}").parse().ok(),
    }
}

impl Found {
    fn new(hash: BlobHash, exposure: &Exposure, now: Moment) -> Self {
        let mut chats: Vec<_> = exposure.chats.iter().map(|period| period.chat).collect();
        chats.sort_unstable();
        chats.dedup();
        let periods = exposure.chats.iter().take(CHATS_SHOWN_MAX);
        Self {
            hash: ShortId::of_hash(hash, "hash"),
            counts: format!(
                "{} and {}",
                counted(chats.len() as u64, "chat"),
                counted(exposure.turns.len() as u64, "turn")
            ),
            rows: periods
                .map(|period| Row::new(period, exposure, now))
                .collect(),
            has_more: exposure.chats.len() > CHATS_SHOWN_MAX,
        }
    }
}

impl Row {
    fn new(period: &PinnedExposure, exposure: &Exposure, now: Moment) -> Self {
        let is_in = |at: Moment| period.from <= at && period.until.is_none_or(|until| at < until);
        let turns = exposure.turns.iter();
        let turns = turns.filter(|turn| turn.chat == period.chat && is_in(turn.started_at));
        let numbers: Vec<_> = turns.map(|turn| turn.number).collect();
        let source = match &period.path {
            Some(path) => format!("{} of {}", path, period.source),
            None => period.source.clone(),
        };
        Self {
            chat: period.chat,
            short_id: ShortId::of_id(period.chat, "chat's id"),
            source,
            turns: match (numbers.iter().min(), numbers.iter().max()) {
                (Some(first), Some(last)) if first != last => format!("turns {first} to {last}"),
                (Some(first), _) => format!("turn {first}"),
                (None, _) => "no turn".to_owned(),
            },
            from: Time::clock(period.from, now),
            until: period.until.map(|until| Time::clock(until, now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read_as_people_copy_them() {
        let hash = BlobHash::of(b"abc");
        for text in [hash.to_string(), hash.hex(), hash.hex().to_uppercase()] {
            assert_eq!(content_hash(&text), Some(hash), "{text}");
        }
        assert_eq!(content_hash("abc"), None);
    }
}
