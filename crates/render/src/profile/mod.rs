//! What a tool gives its model of a snapshot: which files, in which order and form, cut where. Each tool has
//! a module.

mod claude_code;
mod codex;
mod collation;
mod neutral;
mod opencode;

use ctxpin_model::claude_code::skill_text;
use ctxpin_model::hash::BlobHash;
use ctxpin_model::on_demand::{Coming, in_order};
use ctxpin_model::profile::{Settings, SkillListing};
use ctxpin_model::resource::{Applies, Bodies, Kind, Resource, Status};
use ctxpin_model::skill::directory_name;
use ctxpin_model::snapshot::Snapshot;

use crate::renderer::Renderer;
use crate::{prompt, treat};

/// What a tool gives its model of a snapshot by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effective {
    /// The text with the instruction files, exactly as a request of the tool has it. Empty if it has none.
    pub text: String,
    /// The resources that reach the model, in its order: first the instruction files, then the skills.
    pub given: Vec<Given>,
    /// The resources that do not, in the snapshot's order.
    pub left_out: Vec<LeftOut>,
    /// The greatest number of bytes that the tool gives of the files that count towards its limit, if it has
    /// one.
    pub bytes_max: Option<u64>,
}

/// A resource that reaches the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub kind: Kind,
    pub source: String,
    /// The hash of the whole file.
    pub content: Option<BlobHash>,
    /// How many bytes of the text come from it. For a skill, how many bytes its name and its description have.
    pub bytes: u64,
    /// Where the tool cuts the file, as an offset in it.
    pub cut_at: Option<u64>,
    /// Whether its bytes count towards the tool's limit.
    pub counts: bool,
    /// How many bytes the prompt of a pin has of it, if that is another text because it is sanitised or left out.
    /// Blanks at the end do not count.
    pub delivered_bytes: Option<u64>,
}

/// An instruction file or the line of a skill that a tool gives its model when it reads certain files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnDemand {
    pub source: String,
    /// What the model gets, exactly as a request of the tool has it. If the tool cuts it, without what it says of that.
    pub text: String,
}

/// The texts of a resource as a model can get them, without what stands around them.
#[derive(Debug, Clone, PartialEq)]
pub struct Forms<'s> {
    pub resource: &'s Resource,
    /// What the tool gives of it by itself. Empty if it gives nothing. Of a skill, what a model reads when it uses the
    /// skill.
    pub given: String,
    /// What a prompt of ctxpin has of it, or its answer to somebody who reads the skill. Empty if it has nothing.
    pub delivered: String,
    /// Where the tool cuts the file, as an offset in it.
    pub cut_at: Option<u64>,
}

impl<'s> Forms<'s> {
    fn whole(
        resource: &'s Resource,
        given: impl Into<String>,
        delivered: impl Into<String>,
    ) -> Self {
        Self {
            resource,
            given: given.into(),
            delivered: delivered.into(),
            cut_at: None,
        }
    }
}

/// A resource that does not reach the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub kind: Kind,
    pub source: String,
    /// Why, as a message for people.
    pub reason: String,
    /// Where the tool's limit cuts the file, if nothing of it is given because of that.
    pub cut_at: Option<u64>,
    /// How many bytes the tool gives of it when the model reads certain files. `None` if it then gives nothing either.
    pub on_demand_bytes: Option<u64>,
}

impl Effective {
    /// Returns whether the bytes of a given resource are in the sum: those that the tool limits or, if it limits none,
    /// all.
    pub fn counts(&self, given: &Given) -> bool {
        given.counts || self.bytes_max.is_none()
    }
}

/// Returns what the tool of the snapshot's profile gives its model. `bodies` has the bodies of the snapshot's
/// resources.
pub fn effective(snapshot: &Snapshot, bodies: &Bodies) -> Effective {
    let mut effective = match &snapshot.facts.rules {
        None => neutral::effective(snapshot, bodies),
        Some(rules) => match &rules.settings {
            Settings::ClaudeCode(settings) => claude_code::effective(snapshot, bodies, settings),
            Settings::Codex(settings) => codex::effective(snapshot, bodies, settings),
            Settings::Opencode(settings) => opencode::effective(snapshot, bodies, settings),
        },
    };
    let unused = snapshot
        .resources
        .iter()
        .filter(|resource| resource.status != Status::Ok);
    let unused = unused.map(|resource| {
        let reason = resource.error.clone();
        left_out(
            resource,
            reason.unwrap_or_else(|| resource.status.to_string()),
        )
    });
    effective.left_out.extend(unused);
    let place = |left_out: &LeftOut| {
        let is_it = |resource: &Resource| {
            resource.kind == left_out.kind && resource.source == left_out.source
        };
        snapshot.resources.iter().position(is_it)
    };
    effective.left_out.sort_by_cached_key(place);
    effective
}

/// Returns what the tool of the snapshot's profile gives its model when it reads a file as the first one, besides what every
/// request holds. `path` is the absolute path of the file. `bodies` has the bodies of the snapshot's resources.
pub fn on_demand(snapshot: &Snapshot, bodies: &Bodies, path: &str) -> Vec<OnDemand> {
    let files = conditional(snapshot).into_iter();
    let coming = files.filter_map(|file| Coming::with(file, path));
    let coming = in_order(coming.collect());
    let settings = snapshot.facts.settings();
    let mut room = match settings {
        Some(Settings::ClaudeCode(settings)) => Some(claude_code::Room::new(snapshot, settings)),
        Some(Settings::Codex(_) | Settings::Opencode(_)) | None => None,
    };
    let mut for_files = skills_for_files(snapshot, bodies);
    for_files.retain(|skill| Coming::with(skill, path).is_some());
    let files = coming.iter();
    let given = files.filter_map(|file| {
        let body = bodies.get(&file.body()?)?;
        let text = match settings {
            Some(Settings::ClaudeCode(settings)) if file.kind == Kind::Skill => {
                let (come, matched) = (&coming, &for_files);
                claude_code::listed_on_demand(snapshot, bodies, settings, file, come, matched)
            }
            Some(Settings::ClaudeCode(_)) => room.as_mut()?.next(file, body),
            Some(Settings::Opencode(_)) => opencode::on_demand(file, body),
            Some(Settings::Codex(_)) | None => neutral::on_demand(file, body, Renderer::CURRENT),
        };
        let source = file.source.clone();
        text.map(|text| OnDemand { source, text })
    });
    let mut given: Vec<_> = given.collect();
    if let Some(Settings::ClaudeCode(settings)) = settings {
        given.extend(for_files.iter().filter_map(|skill| {
            let body = bodies.get(&skill.body()?)?;
            let text = claude_code::listed_for_file(skill, body, settings)?;
            let source = skill.source.clone();
            Some(OnDemand { source, text })
        }));
        given.sort_by_cached_key(|given| claude_code::place(&given.source));
    }
    given
}

/// Returns the skills of the start whose frontmatter may say for which files they are.
pub fn skills_to_ask(snapshot: &Snapshot) -> impl Iterator<Item = &Resource> {
    let is_asked = match snapshot.facts.settings() {
        Some(Settings::ClaudeCode(_)) => true,
        Some(Settings::Codex(_) | Settings::Opencode(_)) | None => false,
    };
    let skills = snapshot.skills().filter(move |_| is_asked);
    skills.filter(|skill| skill.applies.is_none())
}

/// Returns the skills that the prompt lists from the beginning and the snapshot's tool only with certain files, each with
/// these files. Only Claude Code has such skills. `bodies` has the bodies of [`skills_to_ask`].
pub fn skills_for_files(snapshot: &Snapshot, bodies: &Bodies) -> Vec<Resource> {
    match snapshot.facts.settings() {
        Some(Settings::ClaudeCode(settings)) => {
            claude_code::skills_for_files(snapshot, bodies, settings)
        }
        Some(Settings::Codex(_) | Settings::Opencode(_)) | None => Vec::new(),
    }
}

/// Returns the instruction files and then the skills that the tool of the snapshot's profile gives its model with certain
/// files only, in its order. By Codex's own rules there are none.
pub fn conditional(snapshot: &Snapshot) -> Vec<&Resource> {
    let files = snapshot.instruction_files().chain(snapshot.skills());
    let mut files: Vec<_> = files.filter(|file| file.applies.is_some()).collect();
    match snapshot.facts.settings() {
        Some(Settings::Opencode(_)) => opencode::sort_on_demand(&mut files),
        Some(Settings::ClaudeCode(_)) => claude_code::sort_on_demand(&mut files),
        Some(Settings::Codex(_)) | None => {}
    }
    files
}

/// Returns one of these files as a chat gives it: in the tool's form, but sanitised by a renderer. A skill is the line of
/// the list of skills. `None` if nothing of it is for a model.
pub fn delivered_on_demand(
    snapshot: &Snapshot,
    file: &Resource,
    body: &[u8],
    renderer: Renderer,
) -> Option<String> {
    match snapshot.facts.settings() {
        Some(Settings::ClaudeCode(settings)) if file.kind == Kind::Skill => {
            claude_code::delivered_skill(file, body, settings)
        }
        _ if file.kind == Kind::Skill => prompt::skill(file),
        Some(Settings::ClaudeCode(_)) => claude_code::delivered_on_demand(file, body, renderer),
        Some(Settings::Opencode(_)) => opencode::delivered_on_demand(file, body, renderer),
        Some(Settings::Codex(_)) | None => neutral::on_demand(file, body, renderer),
    }
}

/// Returns the forms of the instruction files and then of the skills that have a body, each in the snapshot's order; by
/// Codex's rules, only those of the files for the whole work. `bodies` has the bodies of the snapshot's resources.
pub fn forms<'s>(snapshot: &'s Snapshot, bodies: &Bodies) -> Vec<Forms<'s>> {
    let settings = snapshot.facts.settings();
    let mut forms = match settings {
        None => neutral::forms(snapshot, bodies),
        Some(Settings::ClaudeCode(_)) => claude_code::forms(snapshot, bodies),
        Some(Settings::Codex(settings)) => codex::forms(snapshot, bodies, settings),
        Some(Settings::Opencode(_)) => opencode::forms(snapshot, bodies),
    };
    let skills = snapshot.skills().filter_map(|skill| {
        let body = bodies.get(&skill.body()?)?;
        let whole = String::from_utf8_lossy(body);
        let given = match settings {
            Some(Settings::ClaudeCode(_)) => skill_text(body),
            Some(Settings::Opencode(_)) => opencode::skill_text(body),
            Some(Settings::Codex(_)) | None => whole.trim().to_owned(),
        };
        let delivered = treat::skill(body, Renderer::CURRENT).text;
        Some(Forms::whole(skill, given, delivered))
    });
    forms.extend(skills);
    forms
}

/// Returns the skills that the list of the snapshot's tool has. `bodies` has the bodies of the snapshot's resources.
pub fn listed_skills<'s>(snapshot: &'s Snapshot, bodies: &Bodies) -> Vec<&'s Resource> {
    match snapshot.facts.settings() {
        None => snapshot.skills().collect(),
        Some(Settings::ClaudeCode(settings)) => {
            claude_code::listed_skills(snapshot, bodies, settings)
        }
        Some(Settings::Codex(_)) => codex::listed_skills(snapshot, bodies),
        Some(Settings::Opencode(settings)) => opencode::skills(snapshot, settings),
    }
}

/// Returns the names by which lists of skills have a skill: that of ctxpin, and that of the snapshot's tool if it is
/// another one. Claude Code names a skill by its directory.
pub fn skill_names<'s>(snapshot: &Snapshot, skill: &'s Resource) -> Vec<&'s str> {
    let own = skill.name.as_deref();
    let listed = match snapshot.facts.settings() {
        Some(Settings::ClaudeCode(_)) => directory_name(&skill.source),
        Some(Settings::Codex(_) | Settings::Opencode(_)) | None => None,
    };
    let listed = listed.filter(|listed| Some(*listed) != own);
    own.into_iter().chain(listed).collect()
}

/// Returns the description of a skill as the list of skills of the snapshot's tool has it, and as ctxpin's has it. The
/// tool may cut it. `bodies` has the bodies of the snapshot's resources.
pub fn descriptions(snapshot: &Snapshot, bodies: &Bodies, skill: &Resource) -> [String; 2] {
    let description = skill.description.as_deref().unwrap_or_default();
    let body = skill.body().and_then(|body| bodies.get(&body));
    let settings = snapshot.facts.settings();
    if let Some(Settings::ClaudeCode(settings)) = settings
        && claude_code::listing(skill, settings) == Some(SkillListing::NameOnly)
    {
        return [const { String::new() }; 2];
    }
    let own = prompt::description(&match settings {
        Some(Settings::ClaudeCode(_)) => {
            claude_code::with_when(description, body.map(|body| &**body))
        }
        Some(Settings::Codex(_) | Settings::Opencode(_)) | None => description.into(),
    });
    let listed = match settings {
        None => own.clone(),
        Some(Settings::ClaudeCode(_)) => claude_code::described(description, body),
        Some(Settings::Codex(_)) => codex::described(description),
        Some(Settings::Opencode(_)) => description.to_owned(),
    };
    [listed, own]
}

/// The most directories of one file that a reason names.
const WAYS_SHOWN_MAX: usize = 3;

/// Returns when a file is given that is not for the whole work.
fn condition(applies: &Applies) -> String {
    let mut ways = applies.ways().map(|(below, globs)| match globs.is_empty() {
        true => below.to_owned(),
        false => format!("{below} that matches {}", globs.join(", ")),
    });
    let shown: Vec<_> = ways.by_ref().take(WAYS_SHOWN_MAX).collect();
    let shown = shown.join(", or below ");
    match ways.count() {
        0 => format!("on demand, with a file below {shown}"),
        more => format!("on demand, with a file below {shown}, or below {more} more"),
    }
}

/// Returns the prompt of a pin of this snapshot. Under the neutral profile, that is [`prompt::render`]. Under a tool's
/// profile, it is what the tool gives its model of the instruction files with every request, in its order and form and
/// cut where it cuts, but sanitised, and then the list of skills. For Codex, the text leaves out the files of the tool's
/// home, because Codex gives these itself wherever its other files come from. Claude Code and opencode can be kept from
/// giving any file. `bodies` has those of [`Snapshot::rendered_resources`].
pub fn delivered(snapshot: &Snapshot, bodies: &Bodies) -> String {
    match &snapshot.facts.rules {
        None => prompt::render(snapshot, bodies),
        Some(rules) => match &rules.settings {
            Settings::ClaudeCode(settings) => claude_code::delivered(snapshot, bodies, settings),
            Settings::Opencode(settings) => opencode::delivered(snapshot, bodies, settings),
            Settings::Codex(settings) => codex::delivered(snapshot, bodies, settings),
        },
    }
}

fn left_out(resource: &Resource, reason: impl Into<String>) -> LeftOut {
    LeftOut {
        kind: resource.kind,
        source: resource.source.clone(),
        reason: reason.into(),
        cut_at: None,
        on_demand_bytes: None,
    }
}

/// Returns an instruction file that is given as `text` when the model reads certain files.
fn given_later(file: &Resource, applies: &Applies, text: &str) -> LeftOut {
    LeftOut {
        on_demand_bytes: Some(text.len() as u64),
        ..left_out(file, condition(applies))
    }
}

/// Returns the number of bytes of a file in the prompt of a pin, if its text there is another one than the tool's.
fn delivered_bytes(text: &str, delivered: &str) -> Option<u64> {
    let is_same = text.trim_end() == delivered.trim_end();
    (!is_same).then_some(delivered.len() as u64)
}

/// Returns an instruction file that is given as `text`, without a cut or a limit. The prompt of a pin has it as
/// `delivered`.
fn whole(file: &Resource, text: &str, delivered: &str) -> Given {
    Given {
        delivered_bytes: delivered_bytes(text, delivered),
        kind: file.kind,
        source: file.source.clone(),
        content: file.body(),
        bytes: text.len() as u64,
        cut_at: None,
        counts: false,
    }
}

/// Returns a prompt of the instruction files' text and the list of skills, each of which may be missing.
fn with_skills(files: String, list: Option<String>) -> String {
    let files = (!files.is_empty()).then(|| files + "\n");
    let elements: Vec<_> = files.into_iter().chain(list).collect();
    elements.join("\n")
}

/// Returns a skill as the list of skills names it.
fn listed(skill: &Resource) -> Given {
    let texts = [&skill.name, &skill.description].into_iter().flatten();
    Given {
        kind: skill.kind,
        source: skill.source.clone(),
        content: skill.body(),
        bytes: texts.map(|text| text.len() as u64).sum(),
        cut_at: None,
        counts: false,
        delivered_bytes: None,
    }
}
