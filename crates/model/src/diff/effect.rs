//! What a change means to a model.

use std::collections::BTreeSet;

use super::{Change, Subject, Verb};
use crate::hash::BlobHash;
use crate::resource::{Content, Kind, Resource, Status, spelled};
use crate::treatment::{TreatedSnapshot, Treatment, Treatments};

spelled! {
    /// What of that which a model is given differs by a change; the later ones are the stronger.
    Effect {
        /// Nothing: only what no model is given.
        None = "none",
        /// The tools.
        Tools = "tools",
        /// What it reads of a skill on request.
        Skill = "skill",
        /// The prompt.
        Prompt = "prompt",
    }
}

spelled! {
    /// Why something differs, where it is not the workspace that changed.
    Cause {
        /// The same bytes are read by other rules now.
        Rules = "rules",
    }
}

/// What is known of the bodies on both sides of a change.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'t> {
    /// The treatments of the pin's resources.
    pub pinned: &'t Treatments,
    /// The treatments of the head's resources.
    pub head: &'t Treatments,
    /// The number of the renderer of the pin's prompt, under which both are compared.
    pub renderer: i64,
}

impl<'t> Sides<'t> {
    /// Returns what is known of two snapshots. Of one that is missing nothing is.
    pub fn of(
        pinned: Option<&'t TreatedSnapshot>,
        head: Option<&'t TreatedSnapshot>,
        renderer: i64,
    ) -> Self {
        static NONE: Treatments = Treatments::NONE;
        let treatments = |side: Option<&'t TreatedSnapshot>| match side {
            Some(side) => &side.treatments,
            None => &NONE,
        };
        Self {
            pinned: treatments(pinned),
            head: treatments(head),
            renderer,
        }
    }
}

/// What a model is given of an instruction file or a skill.
#[derive(PartialEq)]
struct Given<'s> {
    /// Where it stands in the prompt: a file under its path, a skill under its name.
    line: [Option<&'s str>; 2],
    /// Its text. `None` if that has not been worked out.
    text: Option<BlobHash>,
    /// A skill's files, as far as their bytes are there.
    files: Vec<(&'s str, BlobHash, bool)>,
}

/// Returns the strongest effect of some changes; without any, none.
pub fn strongest(changes: &[Change<'_>], sides: Sides<'_>) -> Effect {
    let effects = changes.iter().map(|change| change.effect(sides));
    effects.max().unwrap_or(Effect::None)
}

impl Change<'_> {
    /// Returns what of that which a model is given differs. Where a text has not been worked out yet,
    /// it counts as different.
    pub fn effect(&self, sides: Sides<'_>) -> Effect {
        let Subject::Resource(kind) = self.subject else {
            return Effect::Prompt;
        };
        if !kind.is_context() {
            return Effect::Tools;
        }
        let given = |resource: Option<&Resource>, treatments: &Treatments| {
            let usable = resource.filter(|resource| resource.status == Status::Ok);
            usable.is_some_and(|resource| {
                let treatment = treatments.of(resource, sides.renderer);
                !is_left_out(resource, treatment)
            })
        };
        let is_given = (
            given(self.pinned, sides.pinned),
            given(self.head, sides.head),
        );
        let (Some(pinned), Some(head), (true, true)) = (self.pinned, self.head, is_given) else {
            return match is_given {
                (false, false) => Effect::None,
                _ => Effect::Prompt,
            };
        };
        if self.verb == Verb::Moved {
            return Effect::Prompt;
        }
        let pinned = given_of(pinned, sides.pinned.of(pinned, sides.renderer));
        let head = given_of(head, sides.head.of(head, sides.renderer));
        let is_text_same = pinned.text.is_some() && pinned.text == head.text;
        match (kind, pinned.line == head.line, is_text_same) {
            (_, false, _) => Effect::Prompt,
            (Kind::Skill, true, true) if pinned.files == head.files => Effect::None,
            (Kind::Skill, true, _) => Effect::Skill,
            (_, true, true) => Effect::None,
            (_, true, false) => Effect::Prompt,
        }
    }

    /// Returns why it differs, where it is not the workspace that changed: the same bytes could not be
    /// used before and can now, or the other way round, or bear another name or description.
    pub fn cause(&self) -> Option<Cause> {
        let (pinned, head) = (self.pinned?, self.head?);
        // What is excluded gave way to something else, and what is unreadable was not read.
        let is_judged =
            |resource: &Resource| !matches!(resource.status, Status::Excluded | Status::Unreadable);
        let is_same = pinned.content.map(Content::hash)? == head.content.map(Content::hash)?
            && pinned.source == head.source
            && have_same_files(pinned, head);
        let is_judged_otherwise = pinned.status != head.status
            || pinned.name != head.name
            || pinned.description != head.description;
        let is_by_rules = is_same && is_judged_otherwise && is_judged(pinned) && is_judged(head);
        is_by_rules.then_some(Cause::Rules)
    }
}

/// Whether a file leaves no trace in a prompt: nothing remains of it.
fn is_left_out(resource: &Resource, treatment: Option<&Treatment>) -> bool {
    resource.kind == Kind::InstructionFile
        && treatment.is_some_and(|treatment| treatment.given == BlobHash::of(b""))
}

fn given_of<'s>(resource: &'s Resource, treatment: Option<&Treatment>) -> Given<'s> {
    let line = match resource.kind {
        Kind::Skill => [resource.name.as_deref(), resource.description.as_deref()],
        Kind::InstructionFile | Kind::McpConfig | Kind::McpServer => {
            [Some(resource.source.as_str()), None]
        }
    };
    let files = resource.files.iter().filter_map(|file| {
        let body = file.body()?;
        Some((file.path.as_str(), body, file.executable))
    });
    let mut files: Vec<_> = files.collect();
    files.sort_unstable();
    Given {
        line,
        text: treatment.map(|treatment| treatment.given),
        files,
    }
}

/// Whether no file of a skill has changed. Of one that held too many to be read none is known.
fn have_same_files(pinned: &Resource, head: &Resource) -> bool {
    let files = |resource: &Resource| -> BTreeSet<_> {
        let files = resource.files.iter();
        let known = files.map(|file| {
            let hash = file.content.map(Content::hash);
            (file.path.clone(), hash, file.executable)
        });
        known.collect()
    };
    let is_unread = |resource: &Resource| {
        let mut files = resource.files.iter();
        !resource.files.is_empty() && files.all(|file| file.content.is_none())
    };
    is_unread(pinned) || is_unread(head) || files(pinned) == files(head)
}
