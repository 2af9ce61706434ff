//! The effect of a change on a model.

use std::collections::BTreeSet;

use super::{Change, Subject, Verb};
use crate::hash::BlobHash;
use crate::mode::Mode;
use crate::resource::{Applies, Content, Kind, Resource, Status, spelled};
use crate::treatment::{TreatedSnapshot, Treatment, Treatments};

spelled! {
    /// The part of a model's context that a change affects, from the weakest to the strongest.
    Effect {
        /// No model gets anything different.
        None = "none",
        Tools = "tools",
        /// The text or the files of a skill, which a model reads on request.
        Skill = "skill",
        /// An instruction file that a model gets with certain files only. No prompt has it.
        OnDemand = "on_demand",
        Prompt = "prompt",
    }
}

impl Effect {
    /// Returns whether a request to a model begins otherwise now, so that the provider's cache of the old beginning
    /// is lost. The tools stand there too.
    pub fn loses_cache(self) -> bool {
        match self {
            Self::Prompt | Self::Tools => true,
            Self::None | Self::Skill | Self::OnDemand => false,
        }
    }
}

spelled! {
    /// The cause of a change, if it is not the workspace.
    Cause {
        /// Different rules read the same bytes now.
        Rules = "rules",
    }
}

/// The treatments of the pin's and of the head's resources.
#[derive(Debug, Clone, Copy)]
pub struct Sides<'t> {
    pub pinned: &'t Treatments,
    pub head: &'t Treatments,
    /// The version of the renderer of the pin's prompt, whose treatments are compared.
    pub renderer: i64,
    /// The mode of the chat. The client of an observed chat reads the bytes themselves, so each of them counts.
    pub mode: Mode,
}

impl<'t> Sides<'t> {
    /// Returns the treatments of two snapshots. A missing snapshot has none.
    pub fn of(
        pinned: Option<&'t TreatedSnapshot>,
        head: Option<&'t TreatedSnapshot>,
        renderer: i64,
        mode: Mode,
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
            mode,
        }
    }
}

/// The parts of an instruction file or a skill that a model gets.
#[derive(PartialEq)]
struct Given<'s> {
    /// The path of a file, or the name and the description of a skill.
    line: [Option<&'s str>; 2],
    /// When a file is given, and whose it is for a tool that says that.
    applies: Option<&'s Applies>,
    imported_by: Option<&'s str>,
    /// The hash of the text. `None` if the treatment is not known.
    text: Option<BlobHash>,
    /// The pinned files of a skill.
    files: Vec<(&'s str, BlobHash, bool)>,
}

/// Returns the strongest effect of some changes, which is [`Effect::None`] without changes.
pub fn strongest(changes: &[Change<'_>], sides: Sides<'_>) -> Effect {
    let effects = changes.iter().map(|change| change.effect(sides));
    effects.max().unwrap_or(Effect::None)
}

impl Change<'_> {
    /// Returns the effect of this change, which is never [`Effect::None`] in an observed chat. A text whose treatment
    /// is not known counts as different.
    pub fn effect(&self, sides: Sides<'_>) -> Effect {
        let effect = self.treated_effect(sides);
        if effect != Effect::None || !sides.mode.is_observed() {
            return effect;
        }
        let mut resources = self.pinned.into_iter().chain(self.head);
        match self.subject {
            Subject::Resource(Kind::Skill) => Effect::Skill,
            Subject::Resource(_) if resources.all(|one| one.applies.is_some()) => Effect::OnDemand,
            Subject::Resource(_) | Subject::Facts => Effect::Prompt,
        }
    }

    /// Returns the effect of this change on a model that gets the treated texts.
    fn treated_effect(&self, sides: Sides<'_>) -> Effect {
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
        let pinned = self.pinned.filter(|_| is_given.0);
        let head = self.head.filter(|_| is_given.1);
        let mut sides_given = pinned.into_iter().chain(head);
        let on_text = match sides_given.all(|resource| resource.applies.is_some()) {
            true => Effect::OnDemand,
            false => Effect::Prompt,
        };
        let (Some(pinned), Some(head)) = (pinned, head) else {
            return match is_given {
                (false, false) => Effect::None,
                _ => on_text,
            };
        };
        if self.verb == Verb::Moved {
            return on_text;
        }
        let pinned = given_of(pinned, sides.pinned.of(pinned, sides.renderer));
        let head = given_of(head, sides.head.of(head, sides.renderer));
        let is_text_same = pinned.text.is_some() && pinned.text == head.text;
        let is_place_same = pinned.line == head.line
            && pinned.applies == head.applies
            && pinned.imported_by == head.imported_by;
        match (kind, is_place_same, is_text_same) {
            (_, false, _) => on_text,
            (Kind::Skill, true, true) if pinned.files == head.files => Effect::None,
            (Kind::Skill, true, _) => Effect::Skill,
            (_, true, true) => Effect::None,
            (_, true, false) => on_text,
        }
    }

    /// Returns the cause of this change, if it is not the workspace: the bytes are the same, but their
    /// status, name or description differs.
    pub fn cause(&self) -> Option<Cause> {
        let (pinned, head) = (self.pinned?, self.head?);
        // The rules did not decide about excluded resources, which depend on others, or unread ones.
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

/// Returns whether a prompt leaves out an instruction file because its text is empty.
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
        applies: resource.applies.as_ref(),
        imported_by: resource.imported_by.as_deref(),
        text: treatment.map(|treatment| treatment.given),
        files,
    }
}

/// Returns whether no file of a skill has changed. A skill whose files were not read counts as
/// unchanged.
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
