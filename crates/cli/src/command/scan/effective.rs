//! What a tool gives its model: which files, in which order, cut where, and what it leaves out.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ctxpin_model::profile::Profile;
use ctxpin_model::resource::Kind;
use ctxpin_model::skill::SKILL_FILE_NAME;
use ctxpin_model::warning::Code;
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

/// Returns the report of one profile, for people. `notes` are those on the workspace.
pub fn report(found: &Found, effective: &Effective, notes: &str, viewpoint: &Viewpoint) -> String {
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

fn cut(cut_at: Option<u64>) -> String {
    match cut_at {
        Some(cut_at) => format!(" (cut at byte {cut_at})"),
        None => String::new(),
    }
}

/// Returns a table with a row for each file and a column for each profile. The reasons stand below it, so that it fits into
/// a narrow terminal.
pub fn compared(scans: &[(Profile, Found)]) -> String {
    let viewpoint = Viewpoint::here();
    let tools: Vec<_> = scans.iter().map(Tool::of).collect();
    let mut sources: Vec<&str> = Vec::new();
    for source in tools.iter().flat_map(Tool::sources) {
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    let names = scans.iter().map(|(profile, _)| profile.as_str());
    let mut table = Table::new(&std::iter::once("source").chain(names).collect::<Vec<_>>());
    let mut footnotes = Footnotes::default();
    for source in sources {
        let own = PathBuf::from(source);
        let file = Named {
            target: own.canonicalize().ok(),
            own,
        };
        let cells = tools
            .iter()
            .map(|tool| footnotes.words(&tool.standing_of(&file)));
        table.row(std::iter::once(viewpoint.path(source)).chain(cells));
    }
    table.text() + &footnotes.text()
}

/// The reasons below a table, each once, by their numbers.
#[derive(Default)]
struct Footnotes(Vec<String>);

impl Footnotes {
    /// Returns what a tool does with a file in a few words.
    fn words(&mut self, tool: &FileInTool) -> String {
        let (words, reason) = match (&tool.effective, tool.place, &tool.reason) {
            (Some(given), Some(place), _) => {
                let words = format!("no. {place}, {}", say::size(given.bytes));
                (words, given.cut_at.map(|at| format!("cut at byte {at}")))
            }
            (_, _, reason) => ("no".to_owned(), reason.clone()),
        };
        match reason {
            Some(reason) => format!("{words} [{}]", self.number(reason)),
            None => words,
        }
    }

    fn number(&mut self, reason: String) -> usize {
        let known = self.0.iter().position(|known| *known == reason);
        1 + known.unwrap_or_else(|| {
            self.0.push(reason);
            self.0.len() - 1
        })
    }

    fn text(&self) -> String {
        let lines = self.0.iter().zip(1..);
        let lines: String = lines
            .map(|(reason, number)| format!("[{number}] {}\n", say::line(reason)))
            .collect();
        match lines.is_empty() {
            true => lines,
            false => format!("\n{lines}"),
        }
    }
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
    let file = Named {
        target: own.canonicalize().ok(),
        own,
    };
    let tools = scans.iter().map(Tool::of);
    Ok(tools.map(|tool| tool.standing_of(&file)).collect())
}

/// A file by its own name, and by that of the file that it links to. Some tools list a link under its name, others under
/// that of its target.
struct Named {
    own: PathBuf,
    target: Option<PathBuf>,
}

impl Named {
    fn names(&self) -> impl Iterator<Item = &Path> {
        let names = std::iter::once(&self.own).chain(&self.target);
        names.map(PathBuf::as_path)
    }

    /// Returns whether the file lies in the directory of a `SKILL.md`.
    fn belongs_to(&self, skill: &Path) -> bool {
        let directory = skill.parent().filter(|_| skill.ends_with(SKILL_FILE_NAME));
        let real = directory.and_then(|directory| directory.canonicalize().ok());
        let mut directories = directory.map(Path::to_owned).into_iter().chain(real);
        directories.any(|directory| self.names().any(|name| name.starts_with(&directory)))
    }
}

/// What the tool of a profile does with files.
struct Tool<'f> {
    profile: Profile,
    found: &'f Found,
    effective: Effective,
    /// The listed files by the paths that their own lead to.
    real: HashMap<PathBuf, String>,
}

impl<'f> Tool<'f> {
    fn of((profile, found): &'f (Profile, Found)) -> Self {
        let mut tool = Self {
            profile: *profile,
            found,
            effective: of(found),
            real: HashMap::new(),
        };
        let sources = tool.sources().rev();
        let real = sources
            .filter_map(|source| Some((Path::new(source).canonicalize().ok()?, source.to_owned())));
        tool.real = real.collect();
        tool
    }

    /// Returns the paths of the listed files, first those that are given.
    fn sources(&self) -> impl DoubleEndedIterator<Item = &str> {
        let given = self.effective.given.iter();
        let given = given.map(|given| given.source.as_str());
        let left_out = self.effective.left_out.iter();
        given.chain(left_out.map(|left_out| left_out.source.as_str()))
    }

    /// Returns what the tool does with a file: its place among what is given, or why it is not.
    fn standing_of(&self, file: &Named) -> FileInTool {
        let standing = |source: &str| standing(self.profile, &self.effective, source);
        let mut names = file.names();
        let named = names.find_map(|name| standing(&name.to_string_lossy()));
        // What leads to the same file.
        let link = || standing(self.real.get(file.target.as_ref()?)?);
        let skill = || {
            let mut sources = self.sources();
            let skill = sources.find(|source| file.belongs_to(Path::new(source)))?;
            Some(self.of_skill(skill, standing(skill)?.place))
        };
        // A folder that is not read is listed as a whole.
        let folder = || {
            let folders = file.names().flat_map(|name| name.ancestors().skip(1));
            let mut folders = folders.map(Path::to_string_lossy);
            folders.find_map(|folder| standing(&folder))
        };
        let listed = named.or_else(link).or_else(skill).or_else(folder);
        listed.unwrap_or_else(|| self.unlisted(file))
    }

    /// Returns what the tool does with a file of a skill.
    fn of_skill(&self, skill: &str, place: Option<usize>) -> FileInTool {
        let skill = Viewpoint::here().path(skill);
        let reason = match place {
            Some(place) => {
                format!(
                    "it belongs to {skill} (no. {place}), and the model reads it if it wants to"
                )
            }
            None => format!("it belongs to {skill}, which the model does not get"),
        };
        without_place(self.profile, reason)
    }

    /// Returns why a file is not listed.
    fn unlisted(&self, file: &Named) -> FileInTool {
        let mut notes = self.found.notes.iter();
        let cut = notes.find(|note| {
            let below = note.source.as_deref();
            let is_below = |below: &str| file.names().any(|name| name.starts_with(below));
            note.warning.code == Code::SearchCut && below.is_some_and(is_below)
        });
        let mut resources = self.found.snapshot.resources.iter();
        let declares_servers = resources.any(|resource| {
            resource.kind == Kind::McpConfig
                && file.names().any(|name| name == Path::new(&resource.source))
        });
        let reason = match cut {
            _ if declares_servers => {
                "it declares MCP servers, of which a model gets the tools".to_owned()
            }
            Some(cut) => format!(
                "ctxpin did not look there: {}",
                cut.warning.detail.as_deref().unwrap_or_default()
            ),
            None => "it is none of its instructions and skills".to_owned(),
        };
        without_place(self.profile, reason)
    }
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

/// Returns what a tool does with a file that it lists under this path. Returns `None` if it lists none.
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
    Some(without_place(profile, left_out.reason.clone()))
}

fn without_place(profile: Profile, reason: String) -> FileInTool {
    FileInTool {
        profile: profile.to_string(),
        place: None,
        effective: None,
        reason: Some(reason),
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
