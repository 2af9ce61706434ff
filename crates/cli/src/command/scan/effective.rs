//! What a tool gives its model: which files, in which order, cut where, and what it leaves out.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::scan::{Effective as Shape, NotEffective, ToolScan};
use ctxpin_render::estimate;
use ctxpin_render::profile::{Effective, Given, LeftOut, effective};
use ctxpin_scan::Scan as Found;

use crate::say::{self, Table, Viewpoint};

/// Whether a tool gives a file to its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gives {
    No,
    /// When the model reads certain files, or wants it.
    OnDemand,
    /// Although no pin holds it.
    Unpinned,
    Yes,
}

impl Gives {
    /// Returns the word of the wire shapes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::OnDemand => "on-demand",
            Self::Unpinned => "unpinned",
            Self::Yes => "yes",
        }
    }

    /// Returns whether a tool gives what is not in the text of the start.
    pub fn of(found: &Found, left_out: &LeftOut) -> Self {
        let key = (left_out.kind, left_out.source.clone());
        match left_out.on_demand_bytes {
            _ if found.unused.get(&key).is_some_and(|why| why.is_given()) => Self::Unpinned,
            Some(_) => Self::OnDemand,
            None => Self::No,
        }
    }
}

/// Returns what a tool gives its model of a scan.
pub fn of(found: &Found) -> Effective {
    effective(&found.snapshot, &found.bodies)
}

/// Returns the paths of the given files, by the paths that these lead to. Of two, the first counts.
pub fn real_paths(effective: &Effective) -> HashMap<PathBuf, &str> {
    let given = effective.given.iter().rev();
    let sources = given.map(|given| given.source.as_str());
    let real = sources.filter_map(|source| Some((Path::new(source).canonicalize().ok()?, source)));
    real.collect()
}

/// Returns the wire shapes of what reaches the model.
pub fn shapes(effective: &Effective) -> Vec<Shape> {
    effective.given.iter().map(shape).collect()
}

/// Returns the wire shape of what reaches the model.
pub fn shape(given: &Given) -> Shape {
    Shape {
        kind: given.kind.to_string(),
        source: given.source.clone(),
        content_hash: given.content.map(|hash| hash.to_string()),
        bytes: given.bytes,
        cut_at: given.cut_at,
        delivered_bytes: given.delivered_bytes,
    }
}

/// Returns the wire shapes of what does not reach the model.
pub fn reasons(found: &Found, effective: &Effective) -> Vec<NotEffective> {
    let left_out = effective.left_out.iter();
    left_out
        .map(|left_out| NotEffective {
            kind: left_out.kind.to_string(),
            source: left_out.source.clone(),
            gives: Gives::of(found, left_out).as_str().to_owned(),
            reason: left_out.reason.clone(),
        })
        .collect()
}

/// Returns the wire shapes of what the tools of several profiles give their models.
pub fn tools(scans: &[(Profile, Found)]) -> Vec<ToolScan> {
    let tools = scans.iter().map(|(profile, found)| {
        let effective = of(found);
        ToolScan {
            profile: profile.to_string(),
            effective: shapes(&effective),
            not_effective: reasons(found, &effective),
        }
    });
    tools.collect()
}

/// Returns the report of one profile, for people. `notes` are those on the workspace.
pub fn report(found: &Found, effective: &Effective, notes: &str, viewpoint: &Viewpoint) -> String {
    let mut text = String::new();
    if let Some(error) = &found.snapshot.error {
        let label = say::paint(say::WARNING, "not the whole context:");
        text += &format!("{label} {}\n\n", say::text(error));
    }
    let gives = |left_out: &LeftOut| Gives::of(found, left_out);
    let mut left_out = effective.left_out.iter();
    text += &match effective.given.is_empty() {
        false => given(effective, viewpoint),
        true if left_out.any(|left_out| gives(left_out) != Gives::No) => {
            "nothing that a pin holds reaches the model at the start\n".to_owned()
        }
        true => "nothing here reaches the model\n".to_owned(),
    };
    text += &other_texts(effective, viewpoint);
    text += &left_out_texts(found, effective, viewpoint);
    text += notes;
    let addresses = found.snapshot.addresses();
    text += &format!("\nsnapshot      {}\n", addresses.id);
    text += &format!("context hash  {}\n", addresses.context_hash);
    text
}

/// Returns the table of what reaches the model, with the running sum of the bytes that the tool limits.
fn given(effective: &Effective, viewpoint: &Viewpoint) -> String {
    let sum = match effective.bytes_max {
        Some(bytes_max) => format!("of {}", say::size(bytes_max)),
        None => "sum".to_owned(),
    };
    let mut table = Table::new(&["no", "kind", "size", "about tokens", &sum, "source"]);
    let mut bytes = 0;
    for (index, given) in effective.given.iter().enumerate() {
        let counts = effective.counts(given);
        bytes += if counts { given.bytes } else { 0 };
        let sum = if counts {
            say::size(bytes)
        } else {
            "-".to_owned()
        };
        table.row([
            (index + 1).to_string(),
            given.kind.to_string(),
            say::size(given.bytes),
            estimate::tokens(given.bytes).to_string(),
            sum,
            format!("{}{}", viewpoint.path(&given.source), cut(given.cut_at)),
        ]);
    }
    table.text()
}

/// Returns which files a chat's prompt has in another text than the tool gives, because ctxpin sanitises them or leaves
/// them out.
fn other_texts(effective: &Effective, viewpoint: &Viewpoint) -> String {
    let others = effective.given.iter().filter_map(|given| {
        let source = viewpoint.path(&given.source);
        Some(match given.delivered_bytes? {
            0 => format!("  {source}: left out\n"),
            bytes => format!("  {source}: sanitised, {}\n", say::size(bytes)),
        })
    });
    let others: String = others.collect();
    match others.is_empty() {
        true => others,
        false => format!("\ndifferent in a chat's prompt:\n{others}"),
    }
}

/// Returns what is not in the text of the start, under headings that say whether the tool gives it.
fn left_out_texts(found: &Found, effective: &Effective, viewpoint: &Viewpoint) -> String {
    let real = real_paths(effective);
    let mut groups = [const { String::new() }; 4];
    for left_out in &effective.left_out {
        let target = Path::new(&left_out.source).canonicalize().ok();
        let other = target.and_then(|target| real.get(&target));
        let (group, reason) = match (Gives::of(found, left_out), other) {
            (Gives::No, Some(other)) => {
                (0, format!("as {}, by a link", viewpoint.path(other)).into())
            }
            (Gives::Unpinned, _) => (1, say::line(&left_out.reason)),
            (Gives::OnDemand, _) => (2, say::line(&left_out.reason)),
            (Gives::No | Gives::Yes, _) => (3, say::line(&left_out.reason)),
        };
        groups[group] += &format!("  {}: {reason}\n", viewpoint.path(&left_out.source));
    }
    let headings = [
        "given under another name",
        "given, but in no pin",
        "given later",
        "not given to the model",
    ];
    let groups = headings.iter().zip(groups);
    let groups = groups.filter(|(_, lines)| !lines.is_empty());
    groups
        .map(|(heading, lines)| format!("\n{heading}:\n{lines}"))
        .collect()
}

/// Returns where a file is cut, as the end of a line.
pub fn cut(cut_at: Option<u64>) -> String {
    match cut_at {
        Some(cut_at) => format!(" (cut at byte {cut_at})"),
        None => String::new(),
    }
}
