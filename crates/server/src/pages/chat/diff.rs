//! The differences of a chat as a form that takes them.

use askama::Template;
use askama::filters::HtmlSafe;
use ctxpin_model::diff::effect::{Cause, Effect, Sides};
use ctxpin_model::diff::texts::{Difference, FileDifference, Lines, Stored};
use ctxpin_model::diff::{Change, Subject, Verb};
use ctxpin_model::resource::{Content, Kind};
use ctxpin_model::treatment::Removed;
use ctxpin_operations::diffs::DiffView;

use crate::pages::parts::command::Command;
use crate::pages::parts::lines::{Gap, Layout, LinesTable};
use crate::pages::parts::number::{Size, counted};
use crate::pages::parts::sums::Sums;
use crate::pages::parts::text::Text;

/// The number of changed lines of a text above which the page folds it.
const FOLDED_LINES: u64 = 2_000;

/// A change with its difference, which is `None` if it does not fit into a response.
pub(in crate::pages) type TextChange<'v> = (Change<'v>, Option<&'v Difference>);

/// The differences with their foot.
#[derive(Template)]
#[template(path = "chat/diff.html")]
pub(in crate::pages) struct DiffForm<'v> {
    pub page_value: &'v str,
    /// The path that the form is sent to.
    pub action: String,
    pub short: &'v str,
    pub pin: Option<String>,
    pub head: Option<String>,
    pub layout: Layout,
    /// The start of the query of the links that choose the layout.
    pub views: Option<String>,
    pub entries: Vec<Entry<'v>>,
    /// Whether a form stands around the differences already.
    pub is_within: bool,
    /// The foot has the buttons that take the changes. Between two pins of the history there is nothing to take.
    pub foot: Option<Foot>,
}

/// The buttons below the differences.
pub(in crate::pages) struct Foot {
    /// The price of a move, in words.
    pub price: String,
    /// Whether the head was declined, so that this can be taken back.
    pub is_declined: bool,
}

/// A change with its differences.
pub(in crate::pages) struct Entry<'v> {
    /// The name of the change on the page.
    pub key: String,
    /// The id by which the change can be requested alone.
    pub id: Option<String>,
    /// The kind and the source, by which a form takes the change.
    pub selector: String,
    pub path: ShownPath,
    pub kind: &'static str,
    pub verb: Verb,
    verb_word: &'static str,
    pub effect: Effect,
    pub is_by_rules: bool,
    pub sums: Sums,
    /// How many bytes of the head's text no model gets.
    removed: Option<Size>,
    /// The content of the head, so that new content counts as unseen.
    seen: String,
    sentences: &'v [String],
    /// `None` if the differences do not fit into the page.
    files: Option<Vec<ShownFile<'v>>>,
}

/// A path below the working directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pages) struct ShownPath {
    whole: String,
}

impl ShownPath {
    /// Returns the path of a resource. A skill's is its directory, and the facts have words instead.
    pub fn of(change: &Change<'_>, directory: Option<&str>) -> Self {
        let source = change.source();
        let below =
            directory.and_then(|directory| source.strip_prefix(directory)?.strip_prefix('/'));
        let path = below.unwrap_or(source);
        let whole = match change.subject {
            Subject::Facts => "Facts of the workspace",
            Subject::Resource(Kind::Skill) => path.strip_suffix("/SKILL.md").unwrap_or(path),
            Subject::Resource(_) => path,
        };
        let whole = whole.to_owned();
        Self { whole }
    }

    /// Returns the whole path.
    pub fn whole(&self) -> &str {
        &self.whole
    }

    /// Returns the directory with its slash, or nothing.
    fn folder(&self) -> &str {
        self.whole
            .rfind('/')
            .map_or("", |slash| &self.whole[..=slash])
    }

    fn name(&self) -> &str {
        &self.whole[self.folder().len()..]
    }
}

/// A text that differs.
struct ShownFile<'v> {
    key: String,
    /// The path below the skill's directory, or below the working directory.
    label: &'v str,
    /// Whether the change has several texts, so that each needs its name.
    is_named: bool,
    facts: Vec<String>,
    difference: &'v FileDifference,
    is_folded: bool,
    /// The query that leads to the text, if it is folded.
    load: Option<String>,
    /// The query that leads to all its lines.
    more: Option<String>,
    sums: Sums,
}

impl HtmlSafe for DiffForm<'_> {}

/// Returns the word for a kind of change's subject.
pub(in crate::pages) fn kind_word(subject: Subject) -> &'static str {
    match subject {
        Subject::Facts => "facts",
        Subject::Resource(Kind::InstructionFile) => "instruction file",
        Subject::Resource(Kind::Skill) => "skill",
        Subject::Resource(Kind::McpConfig) => "MCP configuration",
        Subject::Resource(Kind::McpServer) => "MCP server",
    }
}

/// Returns the word for a change of a resource.
pub(in crate::pages) fn verb_word(verb: Verb) -> &'static str {
    match verb {
        Verb::Added => "new",
        Verb::Removed => "gone",
        Verb::Modified => "changed",
        Verb::Moved => "moved",
    }
}

/// Returns the entries of a comparison. One that is requested alone is never folded. `loads` is the start of the
/// query by which the page can be asked for one change and for all lines of a text.
pub(in crate::pages) fn entries<'v>(
    view: &'v DiffView,
    changes: &[TextChange<'v>],
    directory: Option<&str>,
    is_alone: bool,
    loads: Option<&str>,
) -> Vec<Entry<'v>> {
    let sides = view.sides();
    let entries = changes.iter().map(|(change, difference)| {
        let resource = change.head.or(change.pinned);
        let id = resource.map(|resource| resource.id().to_string());
        let key = format!("c{}", id.as_deref().unwrap_or("-facts"));
        let path = ShownPath::of(change, directory);
        let content = resource.and_then(|resource| resource.content);
        let content = content.map(Content::hash).map(|hash| hash.hex());
        let content = content.as_deref().unwrap_or("-");
        Entry {
            seen: format!("{}@{}", path.whole, content.get(..16).unwrap_or(content)),
            selector: format!("{} {}", change.subject.as_str(), change.source()),
            kind: kind_word(change.subject),
            verb: change.verb,
            verb_word: verb_word(change.verb),
            effect: change.effect(sides),
            removed: removed(change, sides),
            is_by_rules: change.cause() == Some(Cause::Rules),
            sums: difference.map(Sums::of).unwrap_or_default(),
            sentences: difference.map_or(&[], |difference| &difference.sentences),
            files: difference.map(|difference| {
                let loads = loads.zip(id.as_deref());
                let loads = loads.map(|(start, id)| format!("{start}file={id}"));
                files(change, difference, &key, is_alone, loads.as_deref())
            }),
            path,
            id,
            key,
        }
    });
    entries.collect()
}

/// Returns how many bytes of comments and invisible characters the renderer removes from the head's text, if there
/// are any. Nobody misses the blanks.
fn removed(change: &Change<'_>, sides: Sides<'_>) -> Option<Size> {
    let treatment = sides.head.of(change.head?, sides.renderer)?;
    let Removed {
        comment, invisible, ..
    } = treatment.removed;
    let bytes = comment + invisible;
    (bytes > 0).then_some(Size(bytes))
}

fn files<'v>(
    change: &Change<'v>,
    difference: &'v Difference,
    key: &str,
    is_alone: bool,
    loads: Option<&str>,
) -> Vec<ShownFile<'v>> {
    let is_named = change.subject == Subject::Resource(Kind::Skill);
    let sides = [change.head, change.pinned].map(|side| side.map(|side| side.source.as_str()));
    let directories = sides.map(|source| source.and_then(|source| source.rsplit_once('/')));
    let below = |path: &'v str| {
        let mut directories = directories.iter().flatten();
        let below = directories.find_map(|(directory, _)| path.strip_prefix(directory));
        below.map_or(path, |below| below.trim_start_matches('/'))
    };
    let files = difference.files.iter().enumerate();
    let files = files.map(|(index, difference)| {
        let label = difference.head.as_ref().or(difference.pinned.as_ref());
        let sums = Sums(difference.line_counts());
        ShownFile {
            key: match index {
                0 => key.to_owned(),
                _ => format!("{key}-{index}"),
            },
            label: label.map_or("", |label| below(label)),
            is_named,
            facts: facts(difference),
            is_folded: !is_alone && sums.lines() > FOLDED_LINES,
            load: loads.map(|load| format!("{load}#{key}")),
            more: loads.map(|load| format!("{load}&lines=all&text={index}")),
            difference,
            sums,
        }
    });
    files.collect()
}

/// Returns sentences about a text whose lines cannot be shown, or do not say everything.
fn facts(file: &FileDifference) -> Vec<String> {
    let mut facts = Vec::from_iter(file.line_ends.clone());
    match &file.lines {
        Lines::Hunks(_) => {}
        Lines::Binary => facts.push("The file is not text.".to_owned()),
        Lines::TooLarge { pinned, head } => {
            let size = |side: &Option<Stored>| match side {
                Some(stored) => Size(stored.size).to_string(),
                None => "nothing".to_owned(),
            };
            let (pinned, head) = (size(pinned), size(head));
            facts.push(format!(
                "The text is too large to compare here: {pinned} in the pin, {head} in the workspace."
            ));
        }
    }
    facts
}

impl<'v> ShownFile<'v> {
    fn table(&self, layout: &Layout) -> Option<LinesTable<'_>> {
        let Lines::Hunks(hunks) = &self.difference.lines else {
            return None;
        };
        (!hunks.is_empty()).then_some(LinesTable {
            hunks,
            layout: *layout,
            key: &self.key,
            label: self.label,
            more: self.more.as_deref(),
            only: None,
        })
    }

    fn changed_lines(&self) -> String {
        counted(self.sums.lines(), "changed line")
    }
}

/// The tables of a change's texts, as the script puts them into the page.
#[derive(Template)]
#[template(path = "chat/texts.html")]
pub(in crate::pages) struct Texts<'v> {
    tables: Vec<LinesTable<'v>>,
}

impl<'v> Texts<'v> {
    /// Returns the texts of a change, or with `text` the one of that number, of which with `only` just a gap.
    pub fn of(
        entries: &'v [Entry<'_>],
        layout: Layout,
        text: Option<usize>,
        only: Option<Gap>,
    ) -> Self {
        let files = entries.iter().flat_map(|entry| &entry.files).flatten();
        let files = files.enumerate();
        let files = files.filter(|(index, _)| text.is_none_or(|text| text == *index));
        let tables = files.filter_map(|(_, file)| file.table(&layout));
        Self {
            tables: tables.map(|table| LinesTable { only, ..table }).collect(),
        }
    }
}

impl<'v> DiffForm<'v> {
    fn sums(&self) -> Sums {
        Sums(self.entries.iter().map(|entry| entry.sums.0).sum())
    }

    fn count(&self) -> String {
        counted(self.entries.len() as u64, "change")
    }

    /// Returns the button that copies the command of an action. `verb` is what follows `ctxpin chat`.
    fn command(&self, label: &'static str, verb: &str) -> Command {
        let (verb, options) = verb.split_once(' ').unwrap_or((verb, ""));
        let command = format!("ctxpin chat {verb} {} {options}", self.short);
        Command::new(label, command.trim_end())
    }

    fn is_single(&self) -> bool {
        self.entries.len() == 1
    }

    /// Returns what the page compares. Two pages of equal versions show the same differences.
    fn version(&self) -> String {
        let digits = |hash: &Option<String>| {
            let digits = hash.as_deref().unwrap_or("-");
            let digits = digits.strip_prefix("sha256:").unwrap_or(digits);
            digits.get(..12).unwrap_or(digits).to_owned()
        };
        let (pin, head) = (digits(&self.pin), digits(&self.head));
        format!("{pin}..{head}.{}", self.layout.word())
    }

    /// Returns whether the tree shows the folder of an entry: only if the previous entry is in another folder.
    fn begins_folder(&self, index: &usize) -> bool {
        let folder = self.entries[*index].path.folder();
        let before = index
            .checked_sub(1)
            .map(|before| self.entries[before].path.folder());
        !folder.is_empty() && before != Some(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lie_below_the_directory() {
        let check = |subject, source: &str, expected: (&str, &str)| {
            let Subject::Resource(kind) = subject else {
                return;
            };
            let resource = ctxpin_model::resource::Resource::new(
                kind,
                source,
                ctxpin_model::resource::Status::Ok,
            );
            let change = Change {
                subject,
                verb: Verb::Modified,
                pinned: None,
                head: Some(&resource),
            };
            let path = ShownPath::of(&change, Some("/srv/shop"));
            assert_eq!((path.folder(), path.name()), expected);
        };
        let file = Subject::Resource(Kind::InstructionFile);
        check(file, "/srv/shop/AGENTS.md", ("", "AGENTS.md"));
        check(file, "/srv/shop/api/AGENTS.md", ("api/", "AGENTS.md"));
        check(
            file,
            "/srv/shopping/AGENTS.md",
            ("/srv/shopping/", "AGENTS.md"),
        );
        let skill = Subject::Resource(Kind::Skill);
        check(skill, "/srv/shop/skills/pdf/SKILL.md", ("skills/", "pdf"));
    }
}
