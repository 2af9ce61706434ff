//! The changes between a pin and a head, one line each.

use ctxpin_protocol::http::resources::Change;

use crate::say::{self, Viewpoint};

/// Width of the longest word for a change, and of the longest kind.
const CHANGE_WIDTH: usize = "modified".len();
const KIND_WIDTH: usize = "instruction_file".len();

/// Returns an indented line for each change.
pub fn lines(changes: &[Change], viewpoint: &Viewpoint) -> String {
    changes
        .iter()
        .map(|change| format!("  {}\n", line(change, viewpoint)))
        .collect()
}

/// Returns the line of a change: its type, the kind and the path of the resource, and why it cannot
/// be used, if so.
pub fn line(change: &Change, viewpoint: &Viewpoint) -> String {
    let style = match change.change.as_str() {
        "added" => say::ADDED,
        "removed" => say::REMOVED,
        _ => say::WARNING,
    };
    let verb = format!("{:CHANGE_WIDTH$}", say::line(&change.change));
    let kind = say::line(&change.kind);
    let mut text = format!("{}  {kind:KIND_WIDTH$}", say::paint(style, &verb));
    if !change.source.is_empty() {
        text += &format!("  {}", viewpoint.path(&change.source));
    }
    if let Some(head) = &change.head
        && head.status != "ok"
    {
        let reason = head.error.as_deref().unwrap_or("no reason given");
        text += &format!(" (now {}: {})", say::line(&head.status), say::line(reason));
    }
    match change.effect.as_str() {
        "none" => text += " (no effect on a model)",
        "on_demand" => text += " (given with certain files only)",
        _ => {}
    }
    if change.cause.as_deref() == Some("rules") {
        text += " (the same bytes, read by newer rules)";
    }
    text.trim_end().to_owned()
}
