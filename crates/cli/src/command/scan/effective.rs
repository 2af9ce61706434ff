//! What a tool gives its model: which files, in which order, cut where, and what it leaves out.

use std::path::Path;

use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::scan::{Effective as Shape, NotEffective};
use ctxpin_render::estimate;
use ctxpin_render::profile::{Effective, Given, effective};
use ctxpin_scan::Scan as Found;

use crate::command::absolute::absolute;
use crate::say::{self, Failure, Table, Viewpoint};

/// Said of a file that a tool does not look at.
const NOT_LOOKED_AT: &str = "no: it does not look at it";

/// Returns the wire shapes of what reaches the model.
pub fn shapes(effective: &Effective) -> Vec<Shape> {
    let given = effective.given.iter();
    given
        .map(|given| Shape {
            kind: given.kind.to_string(),
            source: given.source.clone(),
            content_hash: given.content.map(|hash| hash.to_string()),
            bytes: given.bytes,
            cut_at: given.cut_at,
        })
        .collect()
}

/// Returns the wire shapes of what does not reach the model.
pub fn reasons(effective: &Effective) -> Vec<NotEffective> {
    let left_out = effective.left_out.iter();
    left_out
        .map(|left_out| NotEffective {
            kind: left_out.kind.to_string(),
            source: left_out.source.clone(),
            reason: left_out.reason.clone(),
        })
        .collect()
}

/// Returns the report of one profile, for people.
pub fn report(found: &Found, effective: &Effective, viewpoint: &Viewpoint) -> String {
    let mut text = String::new();
    if let Some(error) = &found.snapshot.error {
        let label = say::paint(say::WARNING, "not the whole context:");
        text += &format!("{label} {}\n\n", say::text(error));
    }
    match effective.given.is_empty() {
        true => text += "nothing here reaches the model\n",
        false => text += &given(effective, viewpoint),
    }
    if !effective.left_out.is_empty() {
        text += "\nnot given to the model:\n";
        for left_out in &effective.left_out {
            let (source, reason) = (
                viewpoint.path(&left_out.source),
                say::line(&left_out.reason),
            );
            text += &format!("  {source}: {reason}\n");
        }
    }
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
        let counts = given.counts || effective.bytes_max.is_none();
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
            format!("{}{}", viewpoint.path(&given.source), cut(given)),
        ]);
    }
    table.text()
}

fn cut(given: &Given) -> String {
    match given.cut_at {
        Some(cut_at) => format!(" (cut at byte {cut_at})"),
        None => String::new(),
    }
}

/// Returns a table with a row for each file and a column for each profile.
pub fn compared(scans: &[(Profile, Found)]) -> String {
    let viewpoint = Viewpoint::here();
    let effective: Vec<_> = scans.iter().map(|(_, found)| of(found)).collect();
    let mut sources: Vec<&str> = Vec::new();
    for effective in &effective {
        let given = effective.given.iter().map(|given| given.source.as_str());
        let left_out = effective.left_out.iter();
        let left_out = left_out.map(|left_out| left_out.source.as_str());
        for source in given.chain(left_out) {
            if !sources.contains(&source) {
                sources.push(source);
            }
        }
    }
    let names = scans.iter().map(|(profile, _)| profile.as_str());
    let mut table = Table::new(&names.chain(["source"]).collect::<Vec<_>>());
    for source in sources {
        let cells = effective.iter().map(|effective| {
            standing(effective, source).unwrap_or_else(|| NOT_LOOKED_AT.to_owned())
        });
        table.row(cells.chain([viewpoint.path(source)]));
    }
    table.text()
}

/// Returns, for each profile, whether its tool gives a file to its model.
///
/// # Errors
///
/// Fails if the path cannot be made absolute.
pub fn who(scans: &[(Profile, Found)], file: &Path) -> Result<String, Failure> {
    let path = absolute(file)?;
    // Some tools list a file under its own name, others under the name of a link's target.
    let directory = path
        .parent()
        .and_then(|directory| directory.canonicalize().ok());
    let own = directory
        .zip(path.file_name())
        .map(|(directory, name)| directory.join(name));
    let target = path.canonicalize().ok();
    let sources: Vec<_> = own.into_iter().chain(target).collect();
    let sources: Vec<_> = sources.iter().map(|path| path.to_string_lossy()).collect();
    let mut table = Table::new(&["tool", "gives it"]);
    for (profile, found) in scans {
        let effective = of(found);
        let mut standings = sources
            .iter()
            .filter_map(|source| standing(&effective, source));
        let standing = standings.next().unwrap_or_else(|| NOT_LOOKED_AT.to_owned());
        table.row([profile.as_str(), &standing]);
    }
    Ok(table.text())
}

fn of(found: &Found) -> Effective {
    effective(&found.snapshot, &found.bodies)
}

/// Returns what a tool does with a file: its place among what is given, or why it is not. Returns `None` if the
/// tool does not look at it.
fn standing(effective: &Effective, source: &str) -> Option<String> {
    let place = effective
        .given
        .iter()
        .position(|given| given.source == source);
    if let Some((place, given)) = place.zip(place.map(|place| &effective.given[place])) {
        let (number, size) = (place + 1, say::size(given.bytes));
        return Some(format!("no. {number}, {size}{}", cut(given)));
    }
    let mut left_out = effective.left_out.iter();
    let left_out = left_out.find(|left_out| left_out.source == source)?;
    Some(format!("no: {}", left_out.reason))
}
