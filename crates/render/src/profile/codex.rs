//! Codex CLI: one message with the file of its home, and the project's files cut at a number of bytes.

use std::path::Path;

use ctxpin_model::profile::CodexSettings;
use ctxpin_model::resource::{Bodies, Kind, Resource, Status};
use ctxpin_model::snapshot::Snapshot;

use super::{Effective, Forms, Given, LeftOut, left_out, listed, whole, with_skills};
use crate::renderer::Renderer;
use crate::treated::Fate;
use crate::{prompt, sanitise, treat};

/// What separates the file of the home from those of the project.
const SEPARATOR: &str = "\n\n--- project-doc ---\n\n";

/// The element around the files.
const TAG: &str = "INSTRUCTIONS";

/// What separates two files of the project.
const BETWEEN: &str = "\n\n";

/// The mark at the beginning of a text file that some editors write.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns the message that Codex begins a session with, and its list of skills. A blank file gives nothing,
/// and counts for nothing.
pub(super) fn effective(
    snapshot: &Snapshot,
    bodies: &Bodies,
    settings: &CodexSettings,
) -> Effective {
    let mut effective = Effective {
        bytes_max: Some(settings.bytes_max),
        ..Effective::default()
    };
    let mut personal = None;
    let mut project = Vec::new();
    for (file, share) in shares(snapshot, bodies, settings) {
        match share {
            Share::Personal(text) => {
                effective.given.push(Given {
                    delivered_bytes: Some(0),
                    ..whole(file, &text, "")
                });
                personal = Some(text);
            }
            Share::Project { body, kept, text } => {
                let cut_at = (kept < body.len()).then_some(kept as u64);
                effective.given.push(Given {
                    cut_at,
                    counts: true,
                    ..whole(file, &text, &sanitised(body, kept))
                });
                project.push(text);
            }
            Share::Nothing { reason, cut_at } => effective.left_out.push(LeftOut {
                cut_at,
                ..left_out(file, reason)
            }),
        }
    }
    let directory = snapshot.facts.directory.as_deref().unwrap_or_default();
    effective.text = message(directory, personal, &project);
    for skill in skills(snapshot) {
        match is_unreadable(skill, bodies) {
            true => effective.left_out.push(left_out(
                skill,
                "Codex does not read a SKILL.md that begins with a byte order mark",
            )),
            false => effective.given.push(listed(skill)),
        }
    }
    effective
}

/// Returns the prompt of a pin: the project's files as Codex gives them, but sanitised, and the list of skills.
pub(super) fn delivered(snapshot: &Snapshot, bodies: &Bodies, settings: &CodexSettings) -> String {
    let shares = shares(snapshot, bodies, settings).into_iter();
    let project = shares.filter_map(|(_, share)| match share {
        Share::Project { body, kept, .. } => Some(sanitised(body, kept)),
        Share::Personal(_) | Share::Nothing { .. } => None,
    });
    let project: Vec<_> = project.filter(|text| !text.is_empty()).collect();
    let directory = snapshot.facts.directory.as_deref().unwrap_or_default();
    let text = message(&sanitise::line(directory), None, &project);
    let list = prompt::skills(skills(snapshot).into_iter());
    with_skills(text, list)
}

/// Returns a description as the list of skills has it: in one line, with one blank between two words.
pub(super) fn described(description: &str) -> String {
    let words: Vec<_> = description.split_whitespace().collect();
    words.join(" ")
}

/// Returns the forms of the instruction files. A prompt of ctxpin leaves out the file of Codex's home.
pub(super) fn forms<'s>(
    snapshot: &'s Snapshot,
    bodies: &Bodies,
    settings: &CodexSettings,
) -> Vec<Forms<'s>> {
    let shares = shares(snapshot, bodies, settings).into_iter();
    let forms = shares.map(|(file, share)| match share {
        Share::Personal(text) => Forms::whole(file, text, ""),
        Share::Project { body, kept, text } => Forms {
            cut_at: (kept < body.len()).then_some(kept as u64),
            ..Forms::whole(file, text, sanitised(body, kept))
        },
        Share::Nothing { cut_at, .. } => Forms {
            cut_at,
            ..Forms::whole(file, "", "")
        },
    });
    forms.collect()
}

/// Sanitises a file that Codex cuts after `kept` bytes. The whole file decides what is a comment, so that a cut
/// within one does not show the rest of it.
fn sanitised(body: &[u8], kept: usize) -> String {
    let text = String::from_utf8_lossy(body);
    let treated = treat::instruction_file(body, Renderer::CURRENT);
    let given: String = match kept < body.len() {
        false => treated.text,
        true => {
            let pieces = treated.pieces.iter();
            let pieces = pieces.take_while(|piece| piece.range.start < kept);
            let given = pieces.map(|piece| match piece.fate {
                Fate::Kept => {
                    let end = text.floor_char_boundary(piece.range.end.min(kept));
                    text.get(piece.range.start..end).unwrap_or_default()
                }
                Fate::Replaced(put) => put,
                Fate::Gone(_) => "",
            });
            given.collect()
        }
    };
    sanitise::escaped(&given, &[TAG])
}

/// What Codex gives of an instruction file.
enum Share<'b> {
    /// The file of its home, without blanks around it.
    Personal(String),
    /// The first bytes of a file of the project.
    Project {
        body: &'b [u8],
        kept: usize,
        /// These bytes as text.
        text: String,
    },
    Nothing {
        /// Why, as a message for people.
        reason: String,
        /// Where Codex cuts the file, if something of it is lost.
        cut_at: Option<u64>,
    },
}

/// Returns what Codex gives of each instruction file, in its order.
fn shares<'s, 'b>(
    snapshot: &'s Snapshot,
    bodies: &'b Bodies,
    settings: &CodexSettings,
) -> Vec<(&'s Resource, Share<'b>)> {
    let mut shares = Vec::new();
    let mut left = settings.bytes_max;
    let files = snapshot.resources.iter();
    let files = files.filter(|r| r.kind == Kind::InstructionFile && r.applies.is_none());
    for file in files {
        let is_personal = file.root.as_deref() == Some(&settings.home);
        if file.status != Status::Ok {
            // Codex gives it, and what it takes of the limit is lost to the files behind it.
            left = left.saturating_sub(if is_personal { 0 } else { file.size });
            continue;
        }
        let Some(body) = file.body().and_then(|body| bodies.get(&body)) else {
            continue;
        };
        let share = match is_personal {
            true => Share::Personal(String::from_utf8_lossy(body).trim().to_owned()),
            false => project_share(body, left, settings.bytes_max),
        };
        if let Share::Project { kept, .. } = &share {
            left -= *kept as u64;
        }
        shares.push((file, share));
    }
    shares
}

/// Returns what Codex gives of a file of the project if so many of its bytes are left.
fn project_share(body: &[u8], left: u64, bytes_max: u64) -> Share<'_> {
    let is_blank = String::from_utf8_lossy(body).trim().is_empty();
    if left == 0 {
        return Share::Nothing {
            reason: format!("the {bytes_max} bytes are used up by the files above"),
            cut_at: (!is_blank).then_some(0),
        };
    }
    let kept = usize::try_from(left).map_or(body.len(), |left| left.min(body.len()));
    let text = String::from_utf8_lossy(&body[..kept]).into_owned();
    if !text.trim().is_empty() {
        return Share::Project { body, kept, text };
    }
    let cut_at = (kept < body.len() && !is_blank).then_some(kept as u64);
    Share::Nothing {
        reason: match cut_at {
            Some(cut_at) => format!("it is blank up to byte {cut_at}, where Codex cuts it"),
            None => "it is blank".to_owned(),
        },
        cut_at,
    }
}

/// Returns the skills in the order in which Codex lists them.
fn skills(snapshot: &Snapshot) -> Vec<&Resource> {
    let mut skills: Vec<_> = snapshot.skills().collect();
    skills.sort_by_key(|skill| (is_personal(skill, snapshot), skill.name.clone()));
    skills
}

/// Returns the skills that Codex lists, in its order.
pub(super) fn listed_skills<'s>(snapshot: &'s Snapshot, bodies: &Bodies) -> Vec<&'s Resource> {
    let mut skills = skills(snapshot);
    skills.retain(|skill| !is_unreadable(skill, bodies));
    skills
}

/// Returns whether Codex does not read the SKILL.md, because it begins with a byte order mark.
fn is_unreadable(skill: &Resource, bodies: &Bodies) -> bool {
    let body = skill.body().and_then(|body| bodies.get(&body));
    body.is_some_and(|body| body.starts_with(BYTE_ORDER_MARK))
}

/// Returns whether a skill lies in none of the directories above the working directory. Codex lists the
/// project's skills before those.
fn is_personal(skill: &Resource, snapshot: &Snapshot) -> bool {
    let root = skill.root.as_deref().map(Path::new);
    let working = snapshot.facts.directory.as_deref().map(Path::new);
    !root
        .zip(working)
        .is_some_and(|(root, working)| working.starts_with(root))
}

/// Returns the message, which is empty without any file. It names the directory only if the project has a
/// file.
fn message(directory: &str, personal: Option<String>, project: &[String]) -> String {
    let joined = project.join(BETWEEN);
    let (about, text) = match (personal, project.is_empty()) {
        (None, true) => return String::new(),
        (Some(personal), true) => (String::new(), personal),
        (None, false) => (format!(" for {directory}"), joined),
        (Some(personal), false) => (
            format!(" for {directory}"),
            format!("{personal}{SEPARATOR}{joined}"),
        ),
    };
    format!("# AGENTS.md instructions{about}\n\n<{TAG}>\n{text}\n</{TAG}>")
}
