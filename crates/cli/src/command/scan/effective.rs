//! What a tool gives its model: which files, in which order, cut where, and what it leaves out.

use std::path::{Path, PathBuf};

use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::scan::{Effective as Shape, FileInTool, NotEffective, ToolScan};
use ctxpin_render::estimate;
use ctxpin_render::profile::{Effective, Given, effective};
use ctxpin_scan::Scan as Found;

use crate::command::absolute::absolute_in_real_directory;
use crate::say::{self, Failure, Table, Viewpoint};

/// Returns the wire shapes of what reaches the model.
pub fn shapes(effective: &Effective) -> Vec<Shape> {
    effective.given.iter().map(shape).collect()
}

fn shape(given: &Given) -> Shape {
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

/// Returns the wire shapes of what the tools of several profiles give their models.
pub fn tools(scans: &[(Profile, Found)]) -> Vec<ToolScan> {
    let tools = scans.iter().map(|(profile, found)| {
        let effective = of(found);
        ToolScan {
            profile: profile.to_string(),
            effective: shapes(&effective),
            not_effective: reasons(&effective),
        }
    });
    tools.collect()
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
    text += &other_texts(effective, viewpoint);
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

fn cut(cut_at: Option<u64>) -> String {
    match cut_at {
        Some(cut_at) => format!(" (cut at byte {cut_at})"),
        None => String::new(),
    }
}

/// Returns a table with a row for each file and a column for each profile.
pub fn compared(scans: &[(Profile, Found)]) -> String {
    let viewpoint = Viewpoint::here();
    let effective: Vec<_> = scans
        .iter()
        .map(|(profile, found)| (*profile, of(found)))
        .collect();
    let mut sources: Vec<&str> = Vec::new();
    for (_, effective) in &effective {
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
    let mut table = Table::new(&std::iter::once("source").chain(names).collect::<Vec<_>>());
    for source in sources {
        let cells = effective.iter().map(|(profile, effective)| {
            let standing = standing(*profile, effective, source);
            words(&standing.unwrap_or_else(|| not_looked_at(*profile)))
        });
        table.row(std::iter::once(viewpoint.path(source)).chain(cells));
    }
    table.text()
}

/// Returns, for each profile, whether its tool gives a file to its model.
///
/// # Errors
///
/// Fails if there is no such file.
pub fn who(scans: &[(Profile, Found)], file: &Path) -> Result<Vec<FileInTool>, Failure> {
    let own = absolute_in_real_directory(file)?;
    if let Err(error) = own.symlink_metadata() {
        let shown = say::path(&file);
        return Err(Failure::usage(format!("{shown} cannot be found")).because(error));
    }
    // Some tools list a file under its own name, others under the name of a link's target.
    let target = own.canonicalize().ok();
    let sources: Vec<_> = std::iter::once(own).chain(target).collect();
    // A folder that is not read is listed as a whole.
    let folders = sources.iter().flat_map(|path| path.ancestors().skip(1));
    let sources = sources.iter().map(PathBuf::as_path).chain(folders);
    let sources: Vec<_> = sources.map(Path::to_string_lossy).collect();
    let tools = scans.iter().map(|(profile, found)| {
        let effective = of(found);
        let mut named = sources.iter();
        let standing = named.find_map(|source| standing(*profile, &effective, source));
        standing.unwrap_or_else(|| not_looked_at(*profile))
    });
    Ok(tools.collect())
}

/// Returns the table of what each tool does with a file.
pub fn who_table(tools: &[FileInTool]) -> String {
    let mut table = Table::new(&["tool", "gives it"]);
    for tool in tools {
        table.row([tool.profile.as_str(), &words(tool)]);
    }
    table.text()
}

fn of(found: &Found) -> Effective {
    effective(&found.snapshot, &found.bodies)
}

/// Returns what a tool does with a file: its place among what is given, or why it is not. Returns `None` if the
/// tool does not look at it.
fn standing(profile: Profile, effective: &Effective, source: &str) -> Option<FileInTool> {
    let mut given = effective.given.iter().zip(1..);
    if let Some((given, place)) = given.find(|(given, _)| given.source == source) {
        return Some(FileInTool {
            profile: profile.to_string(),
            place: Some(place),
            effective: Some(shape(given)),
            reason: None,
        });
    }
    let mut left_out = effective.left_out.iter();
    let left_out = left_out.find(|left_out| left_out.source == source)?;
    Some(FileInTool {
        reason: Some(left_out.reason.clone()),
        ..not_looked_at(profile)
    })
}

fn not_looked_at(profile: Profile) -> FileInTool {
    FileInTool {
        profile: profile.to_string(),
        place: None,
        effective: None,
        reason: Some("it does not look at it".to_owned()),
    }
}

/// Returns what a tool does with a file, in words.
fn words(tool: &FileInTool) -> String {
    match (&tool.effective, tool.place, &tool.reason) {
        (Some(given), Some(place), _) => {
            format!(
                "no. {place}, {}{}",
                say::size(given.bytes),
                cut(given.cut_at)
            )
        }
        (_, _, reason) => format!("no: {}", reason.as_deref().unwrap_or_default()),
    }
}
