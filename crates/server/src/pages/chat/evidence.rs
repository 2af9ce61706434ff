//! What the evidence of a turn says: the verdict, who says so, and what became of each resource.

use askama::Template;
use askama::filters::HtmlSafe;
use ctxpin_model::diff::Subject;
use ctxpin_model::evidence::{
    EvidenceView, ForeignText, Gap, Outcome, ResourceResult, Source, TurnEvidence,
};
use ctxpin_model::held_text::HeldText;

use crate::pages::parts::held_text::{holder, text_path};
use crate::pages::parts::number::{Number, Size, counted};
use crate::pages::parts::outcome::Became;
use crate::pages::parts::resource_name::resource_name;
use crate::pages::parts::room::{ITEMS_MAX, ListRoom};
use crate::pages::parts::short_id::ShortId;
use crate::pages::parts::text::{PathText, Text};
use crate::pages::parts::verdict::Said;

/// The evidence of a turn.
#[derive(Template)]
#[template(path = "chat/evidence.html")]
pub(super) struct Evidence {
    said: Said,
    /// How many requests there were, in which records they are, and which version of the client made them.
    requests: String,
    /// The number of the first request that differs.
    first_different: Option<Number>,
    /// Why the record does not hold each request whole.
    gaps: Vec<&'static str>,
    /// What that means for the next turns, and what to do.
    gaps_advice: &'static str,
    results: Vec<ResultRow>,
    foreign: Vec<ForeignRow>,
    /// How many resources there are besides those of the two lists.
    more: Number,
    /// Whether the rows left nothing out.
    is_complete: bool,
}

/// What became of a resource.
struct ResultRow {
    became: Became,
    name: String,
    /// The path, if the name does not say it.
    path: Option<String>,
    details: Vec<String>,
    /// The path of the text, if the caller may read it and the server has it.
    text: Option<String>,
    /// The search for the content.
    search: Option<String>,
}

/// A text that no snapshot has.
struct ForeignRow {
    became: Became,
    path: Option<String>,
    size: Size,
    request: Number,
    name: ShortId,
}

impl Evidence {
    /// Returns what the rows of a turn say together. `held` are the texts that the server has, and `None` if the caller may
    /// not read them.
    pub fn new(
        turn: &TurnEvidence,
        view: &EvidenceView,
        path: &str,
        held: Option<&[HeldText]>,
    ) -> Self {
        let mut room = ListRoom::new(ITEMS_MAX);
        let all = view.resources.len();
        let shown = view.resources.iter();
        let shown =
            shown.take_while(|result| room.takes(result.path.as_ref().map_or(0, String::len)));
        let (mut results, mut foreign) = (Vec::new(), Vec::new());
        for result in shown {
            match &result.foreign {
                Some(text) => foreign.push(ForeignRow::new(result, text)),
                None => results.push(ResultRow::new(result, path, held)),
            }
        }
        let mut sources: Vec<_> = view.rows.iter().map(|row| row.source).collect();
        sources.sort_unstable();
        sources.dedup();
        let sources: Vec<_> = sources.into_iter().map(source_words).collect();
        Self {
            said: Said::of(turn),
            requests: requests_words(turn, &sources),
            first_different: view.first_different.map(Number),
            gaps: view.gaps.iter().map(|gap| gap.words()).collect(),
            gaps_advice: Gap::advice(&view.gaps),
            more: Number((all - results.len() - foreign.len()) as u64),
            results,
            foreign,
            is_complete: view.is_complete,
        }
    }
}

impl HtmlSafe for Evidence {}

impl ResultRow {
    fn new(result: &ResourceResult, turn: &str, held: Option<&[HeldText]>) -> Self {
        let path = result.path.as_deref().unwrap_or_default();
        let name = match result.kind {
            Some(kind) => resource_name(Subject::Resource(kind), path),
            None => path.to_owned(),
        };
        let mut details = details(result);
        let had = result.text_had().zip(held);
        let text = had.and_then(|(had, held)| {
            let mut held = held.iter();
            held.find(|text| (text.id(), text.content) == had)
        });
        let is_other = result.outcome.is_other_text();
        match text {
            Some(held) if is_other => details.push(format!("that of {}", holder(held))),
            None if is_other && had.is_some() => {
                details.push(
                    "no pin and no head around the turn has it, so the server cannot show it"
                        .to_owned(),
                );
            }
            _ => {}
        }
        Self {
            became: Became(result.outcome),
            path: (path != name).then(|| path.to_owned()),
            name,
            details,
            text: text.map(|held| text_path(turn, held)),
            search: result.content.map(|content| format!("/search?q={content}")),
        }
    }
}

/// Returns what is known of a result, as parts of a sentence.
pub(super) fn details(result: &ResourceResult) -> Vec<String> {
    let meaning = Became(result.outcome).meaning();
    let mut details: Vec<_> = meaning.map(str::to_owned).into_iter().collect();
    if result.is_within {
        details.push("it stands inside of another text that was given".to_owned());
    }
    details.extend(result.given_bytes.map(|bytes| match result.outcome {
        Outcome::GivenUpTo => format!("up to byte {}", Number(bytes)),
        _ => format!("{} of it", Size(bytes)),
    }));
    details.extend(result.size_bytes.map(|bytes| Size(bytes).to_string()));
    if result.outcome.deviates() {
        details.push(format!("first in request {}", Number(result.request)));
    }
    details
}

impl ForeignRow {
    fn new(result: &ResourceResult, text: &ForeignText) -> Self {
        Self {
            became: Became(result.outcome),
            path: result.path.clone(),
            size: Size(text.bytes),
            request: Number(result.request),
            name: ShortId::of_hash(text.names[0], "name"),
        }
    }
}

fn requests_words(turn: &TurnEvidence, sources: &[&str]) -> String {
    let requests = counted(turn.requests, "request");
    let requests = format!("{requests} in {}", sources.join(" and "));
    match turn.client_version {
        Some(version) => format!("{requests}, version {version}"),
        None => requests,
    }
}

fn source_words(source: Source) -> &'static str {
    match source {
        Source::Transcript => "Claude Code's transcript",
        Source::Rollout => "Codex's rollout",
        Source::Plugin => "what opencode's plugin handed over",
    }
}
