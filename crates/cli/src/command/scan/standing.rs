//! What tools do with a file: whether they give it, under which name, or why not.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ctxpin_model::profile::Profile;
use ctxpin_model::resource::Kind;
use ctxpin_model::skill::SKILL_FILE_NAME;
use ctxpin_model::warning::Code;
use ctxpin_protocol::http::scan::{Effective as Shape, FileInTool};
use ctxpin_render::profile::Effective;
use ctxpin_scan::{Scan as Found, Unfollowed};

use super::effective::{self, Gives, real_paths};
use crate::command::absolute::absolute_in_real_directory;
use crate::say::{self, Failure, Table, Viewpoint};

/// What a tool does with a file.
pub struct Standing {
    gives: Gives,
    /// The place of the file among what is given, from 1, and what of it is.
    given: Option<(usize, Shape)>,
    /// Why it is not given, or by which link it is.
    reason: Option<String>,
}

impl Standing {
    fn without_place(gives: Gives, reason: impl Into<String>) -> Self {
        Self {
            gives,
            given: None,
            reason: Some(reason.into()),
        }
    }

    /// Returns the standing in words, without the reason.
    fn words(&self) -> String {
        match (self.gives, &self.given) {
            (_, Some((place, given))) => format!("yes: #{place}, {}", say::size(given.bytes)),
            (Gives::Unpinned | Gives::Yes, None) => "yes, but in no pin".to_owned(),
            (Gives::OnDemand, None) => "on demand".to_owned(),
            (Gives::No, None) => "no".to_owned(),
        }
    }

    /// Returns the reason behind these words.
    fn reason(&self) -> Option<&str> {
        let reason = self.reason.as_deref()?;
        Some(reason.strip_prefix("on demand, ").unwrap_or(reason))
    }

    fn cut_at(&self) -> Option<u64> {
        self.given.as_ref().and_then(|(_, given)| given.cut_at)
    }

    /// Returns the wire shape for the tool of a profile.
    pub fn shape(self, profile: Profile) -> FileInTool {
        let (place, effective) = self.given.unzip();
        FileInTool {
            profile: profile.to_string(),
            gives: self.gives.as_str().to_owned(),
            place,
            effective,
            reason: self.reason,
        }
    }
}

/// Returns a table with a row for each file and a column for each profile. The reasons stand below it, so that it fits into
/// a narrow terminal.
pub fn compared(scans: &[(Profile, Found)]) -> String {
    let viewpoint = Viewpoint::here();
    let effective: Vec<_> = scans
        .iter()
        .map(|(_, found)| effective::of(found))
        .collect();
    let tools = scans.iter().zip(&effective);
    let tools: Vec<_> = tools
        .map(|((_, found), effective)| Tool::of(found, effective))
        .collect();
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
        let file = Named::at(PathBuf::from(source));
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
    fn words(&mut self, standing: &Standing) -> String {
        let cut = standing.cut_at().map(|at| format!("cut at byte {at}"));
        let reasons = [cut, standing.reason().map(str::to_owned)];
        let reasons: Vec<_> = reasons.into_iter().flatten().collect();
        let words = standing.words();
        match reasons.is_empty() {
            false => format!("{words} [{}]", self.number(reasons.join("; "))),
            true => words,
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

/// Returns, for each profile, what its tool does with a file.
///
/// # Errors
///
/// Fails if there is no such file.
pub fn who(scans: &[(Profile, Found)], file: &Path) -> Result<Vec<(Profile, Standing)>, Failure> {
    let own = absolute_in_real_directory(file)?;
    if let Err(error) = own.symlink_metadata() {
        let shown = say::path(&file);
        return Err(Failure::usage(format!("{shown} cannot be found")).because(error));
    }
    let file = Named::at(own);
    let standings = scans.iter().map(|(profile, found)| {
        let effective = effective::of(found);
        (*profile, Tool::of(found, &effective).standing_of(&file))
    });
    Ok(standings.collect())
}

/// Returns the table of what each tool does with a file.
pub fn who_table(standings: &[(Profile, Standing)]) -> String {
    let mut table = Table::new(&["tool", "gives it"]);
    for (profile, standing) in standings {
        let mut words = standing.words() + &effective::cut(standing.cut_at());
        if let Some(reason) = standing.reason() {
            let sign = if standing.given.is_some() { "," } else { ":" };
            words += &format!("{sign} {}", say::line(reason));
        }
        table.row([profile.as_str(), &words]);
    }
    table.text()
}

/// A file by its own name, and by that of the file that it links to. Some tools list a link under its name, others under
/// that of its target.
struct Named {
    own: PathBuf,
    target: Option<PathBuf>,
}

impl Named {
    fn at(own: PathBuf) -> Self {
        let target = own.canonicalize().ok();
        Self { own, target }
    }

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

    /// Returns what the file at another path is to this one, to which it leads too.
    fn relation(&self, other: &str) -> String {
        let shown = Viewpoint::here().path(other);
        match &self.target {
            Some(target) if Path::new(other) == target => format!("as {shown}, to which it links"),
            Some(target) if *target == self.own => format!("as {shown}, a link to it"),
            _ => format!("as {shown}, a link to the same file"),
        }
    }
}

/// What a tool does with files.
struct Tool<'f> {
    found: &'f Found,
    effective: &'f Effective,
    /// The given files by the paths that their own lead to.
    real: HashMap<PathBuf, &'f str>,
    /// The same of the other listed files.
    real_left_out: HashMap<PathBuf, &'f str>,
}

impl<'f> Tool<'f> {
    fn of(found: &'f Found, effective: &'f Effective) -> Self {
        let left_out = effective.left_out.iter().rev();
        let left_out = left_out.map(|left_out| left_out.source.as_str());
        let real_left_out =
            left_out.filter_map(|source| Some((Path::new(source).canonicalize().ok()?, source)));
        Self {
            found,
            effective,
            real: real_paths(effective),
            real_left_out: real_left_out.collect(),
        }
    }

    /// Returns the paths of the listed files, first those that are given.
    fn sources(&self) -> impl Iterator<Item = &'f str> {
        let given = self.effective.given.iter();
        let given = given.map(|given| given.source.as_str());
        let left_out = self.effective.left_out.iter();
        given.chain(left_out.map(|left_out| left_out.source.as_str()))
    }

    /// Returns what the tool does with a file: its place among what is given, or why it is not.
    fn standing_of(&self, file: &Named) -> Standing {
        let named = self.listed(&file.own.to_string_lossy());
        let (given, named) = match named {
            Some(standing) if standing.gives != Gives::No => (Some(standing), None),
            named => (None, named),
        };
        let link = || {
            let other = *self.real.get(file.target.as_ref()?)?;
            let mut standing = self.listed(other)?;
            standing.reason = Some(file.relation(other));
            Some(standing)
        };
        let left_out = || self.listed(self.real_left_out.get(file.target.as_ref()?)?);
        let skill = || {
            let skill = self
                .sources()
                .find(|source| file.belongs_to(Path::new(source)))?;
            Some(of_skill(skill, self.listed(skill)?))
        };
        // A folder that is not read is listed as a whole.
        let folder = || {
            let mut folders = file.names().flat_map(|name| name.ancestors().skip(1));
            folders.find_map(|folder| {
                let linked = || self.listed(self.real_left_out.get(folder)?);
                self.listed(&folder.to_string_lossy()).or_else(linked)
            })
        };
        let listed = given.or_else(link).or(named).or_else(left_out);
        let listed = listed.or_else(skill).or_else(folder);
        listed.unwrap_or_else(|| self.unlisted(file))
    }

    /// Returns what the tool does with a file that it lists under this path. Returns `None` if it lists none.
    fn listed(&self, source: &str) -> Option<Standing> {
        let mut given = self.effective.given.iter().zip(1..);
        if let Some((given, place)) = given.find(|(given, _)| given.source == source) {
            return Some(Standing {
                gives: Gives::Yes,
                given: Some((place, effective::shape(given))),
                reason: None,
            });
        }
        let mut left_out = self.effective.left_out.iter();
        let left_out = left_out.find(|left_out| left_out.source == source)?;
        let gives = Gives::of(self.found, left_out);
        Some(Standing::without_place(gives, left_out.reason.as_str()))
    }

    /// Returns why a file is not listed.
    fn unlisted(&self, file: &Named) -> Standing {
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
        let mut unfollowed = self.found.unfollowed.iter();
        let unfollowed = unfollowed.find(|import| file.names().any(|name| name == import.path));
        let reason = match cut {
            _ if declares_servers => {
                "it declares MCP servers, of which a model gets the tools".to_owned()
            }
            Some(cut) => format!(
                "ctxpin did not look there: {}",
                cut.warning.detail.as_deref().unwrap_or_default()
            ),
            None => match unfollowed {
                Some(import) => unfollowed_reason(import),
                None => "it is none of its instructions and skills".to_owned(),
            },
        };
        Standing::without_place(Gives::No, reason)
    }
}

/// Says which import of a file a tool does not follow, and why.
fn unfollowed_reason(import: &Unfollowed) -> String {
    let source = Viewpoint::here().path(&import.source);
    let line = import.line.map_or(String::new(), |line| format!(":{line}"));
    format!(
        "its import in {source}{line} is not followed: {}",
        import.reason
    )
}

/// Returns what a tool does with a file that belongs to a skill.
fn of_skill(skill: &str, standing: Standing) -> Standing {
    let shown = Viewpoint::here().path(skill);
    let wanted = "and the model reads it if it wants to";
    match (standing.gives, standing.given) {
        (Gives::No, _) => {
            let reason = format!("it belongs to {shown}, which the model does not get");
            Standing::without_place(Gives::No, reason)
        }
        (_, Some((place, _))) => {
            let reason = format!("it belongs to {shown} (#{place}), {wanted}");
            Standing::without_place(Gives::OnDemand, reason)
        }
        (_, None) => {
            let reason = format!("it belongs to {shown}, {wanted}");
            Standing::without_place(Gives::OnDemand, reason)
        }
    }
}
