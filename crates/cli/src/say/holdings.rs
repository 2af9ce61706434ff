//! The content of a pin, and the part of it that ctxpin's prompt leaves out.

use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::context::Context;
use ctxpin_protocol::http::resources::Removed;

use super::count::counted;
use super::time::size;

/// Returns how many bytes of the pinned instruction files ctxpin's prompt leaves out, in words. Returns
/// `None` unless a file contains a comment or an invisible character, because blanks alone are not
/// worth a line.
pub fn removed(context: &Context) -> Option<String> {
    let removed: Vec<Removed> = context
        .resources
        .iter()
        .filter(|resource| resource.kind == "instruction_file" && resource.applies.is_none())
        .filter_map(|resource| resource.removed)
        .filter(|removed| removed.comment + removed.invisible > 0)
        .collect();
    // The prompt of a tool's rules does not say where a file begins.
    let is_shown = context.profile.as_deref().unwrap_or_default() == Profile::Neutral.as_str();
    let shown = if is_shown {
        "; `ctxpin prompt --removed` shows it"
    } else {
        ""
    };
    (!removed.is_empty()).then(|| {
        format!(
            "{} in {}{shown}",
            removed_bytes(&removed),
            counted(removed.len(), "file")
        )
    })
}

/// Returns the bytes removed from all these files, by reason.
pub fn removed_bytes(removed: &[Removed]) -> String {
    let sum = |bytes: fn(&Removed) -> u64| removed.iter().map(bytes).sum::<u64>();
    let sums = [
        (sum(|removed| removed.comment), "comments"),
        (sum(|removed| removed.invisible), "invisible characters"),
        (sum(|removed| removed.blank), "blanks"),
    ];
    let told = sums.iter().filter(|(bytes, _)| *bytes > 0);
    let told: Vec<_> = told
        .map(|(bytes, what)| format!("{} of {what}", size(*bytes)))
        .collect();
    told.join(", ")
}

/// Returns how many resources of each kind a pin holds, and how many of them are not used.
pub fn holdings(context: &Context) -> String {
    let count = |kind: &str| {
        let resources = context.resources.iter();
        resources
            .filter(|resource| resource.kind == kind && resource.status == "ok")
            .count()
    };
    let unused = context
        .resources
        .iter()
        .filter(|resource| resource.status != "ok");
    let mut text = format!(
        "{}, {}",
        counted(count("instruction_file"), "instruction file"),
        counted(count("skill"), "skill")
    );
    match count("mcp_config") {
        0 => {}
        configs => text += &format!(", {}", counted(configs, "MCP configuration")),
    }
    match unused.count() {
        0 => text,
        unused => format!("{text}; {unused} not used"),
    }
}
