//! The differences of a chat as a form that takes them.

use askama::Template;
use askama::filters::HtmlSafe;
use ctxpin_model::diff::effect::{Cause, Effect, Sides};
use ctxpin_model::diff::texts::{Difference, FileDifference, Lines, Stored};
use ctxpin_model::diff::{Change, Subject, Verb};
use ctxpin_model::hash::{BlobHash, HASH_PREFIX};
use ctxpin_model::resource::{Kind, ResourceId};
use ctxpin_model::treatment::Removed;
use ctxpin_operations::diffs::{DiffRequest, DiffView};
use ctxpin_protocol::convert::members::InvalidMember;

use super::entry_words::LastEntry;
use crate::pages::parts::command::Command;
use crate::pages::parts::lines::{Gap, Layout, LinesTable, weight};
use crate::pages::parts::number::{Number, Size, counted};
use crate::pages::parts::room::{ITEMS_MAX, ListRoom};
use crate::pages::parts::sums::Sums;
use crate::pages::parts::text::{PathText, Text};
use crate::pages::typed::Typed;

/// The number of changed lines of a text above which the page folds it.
const FOLDED_LINES: u64 = 2_000;

/// The most bytes of lines that a page of several changes shows. It folds the texts after these, so a page of hundreds
/// of texts is light, and the reader opens the others.
const SHOWN_BYTES_MAX: usize = 96 * 1024;

/// The most texts of changes that a page shows or folds.
const TEXTS_MAX: usize = 1_000;

/// The most bytes of lines of a change that is requested alone.
const ALONE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The digits of a change's id that a page of hundreds of changes has. Nobody finds another change with the same ones.
const CHANGE_DIGITS: usize = 16;

/// The part of a comparison that a query asks for.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::pages) struct Part {
    /// The only change.
    pub resource: Option<ResourceId>,
    with_all_lines: bool,
    /// The number of the only text to return as a fragment.
    text: Option<usize>,
    /// The unchanged lines to return as a fragment.
    gap: Option<Gap>,
}

impl Part {
    /// Reads the values of a query: the id of a change, `all` for all lines, the number of a text, and the numbers
    /// of unchanged lines.
    ///
    /// # Errors
    ///
    /// Fails if an id or a number is malformed.
    pub fn read(
        file: Option<&str>,
        lines: Option<&str>,
        text: Option<usize>,
        gap: Option<&str>,
    ) -> Result<Self, InvalidMember> {
        let unknown = |_| InvalidMember::new("file", "this is not the id of a resource");
        let malformed = |_| InvalidMember::new("gap", "it must be two numbers of lines");
        Ok(Self {
            resource: file.map(|id| id.parse().map_err(unknown)).transpose()?,
            with_all_lines: lines == Some("all"),
            text,
            gap: gap.map(|gap| gap.parse().map_err(malformed)).transpose()?,
        })
    }

    /// Returns the request that compares this part.
    pub fn request(&self) -> DiffRequest {
        DiffRequest {
            resource: self.resource,
            with_words: true,
            with_all_lines: self.with_all_lines,
            ..DiffRequest::default()
        }
    }
}

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
    /// The form as it was sent before, if it was sent in vain.
    pub typed: Typed,
    /// The start of the links that choose the layout.
    pub views: String,
    pub entries: Vec<Entry<'v>>,
    /// Whether a form stands around the differences already.
    pub is_within: bool,
    /// Whether the files are the rows of the page, through which keys go.
    pub has_rows: bool,
    /// What happened last to the chat, if the differences are those that it has not taken.
    pub last: Option<LastEntry>,
    /// The foot has the buttons that take the changes. Between two pins of the history there is nothing to take.
    pub foot: Option<Foot>,
}

/// The buttons below the differences.
pub(in crate::pages) struct Foot {
    /// The price of a move, in words.
    pub price: String,
    /// Whether the head was declined, so that this can be taken back.
    pub is_declined: bool,
    /// Whether the changes can be taken. Only the client takes those of an observed chat.
    pub may_take: bool,
    /// When the client of an observed chat takes them.
    pub next_reading: &'static str,
    /// The command by which the client of an observed chat takes them.
    pub resume: Option<String>,
}

/// A change with its differences.
pub(in crate::pages) struct Entry<'v> {
    /// The name of the change on the page.
    pub key: String,
    /// The id by which the change can be requested alone.
    pub id: Option<String>,
    /// The id of the change, which tells it from a later one of the same resource, with the kind and the source by
    /// which a form takes it.
    choice: String,
    pub path: ShownPath,
    pub kind: &'static str,
    pub verb: Verb,
    verb_word: &'static str,
    pub effect: Effect,
    pub is_by_rules: bool,
    pub sums: Sums,
    /// How many bytes of the head's text ctxpin's prompt leaves out.
    removed: Option<Size>,
    /// The id of the change, so that a later one of the same resource counts as unseen.
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

/// Returns the entries of a comparison. One that is requested alone is not folded. `loads` is the start of the
/// query by which the page can be asked for one change and for all lines of a text.
pub(in crate::pages) fn entries<'v>(
    view: &'v DiffView,
    changes: &[TextChange<'v>],
    directory: Option<&str>,
    is_alone: bool,
    loads: Option<&str>,
) -> Vec<Entry<'v>> {
    let sides = view.sides();
    let mut room = Room::new(is_alone);
    let entries = changes.iter().map(|(change, difference)| {
        let resource = change.head.or(change.pinned);
        let id = resource.map(|resource| resource.id().to_string());
        let key = format!("c{}", id.as_deref().unwrap_or("-facts"));
        let path = ShownPath::of(change, directory);
        let seen = change_digits(view, change);
        Entry {
            choice: format!("{seen} {} {}", change.subject.as_str(), change.source()),
            seen,
            kind: kind_word(change.subject),
            verb: change.verb,
            verb_word: verb_word(change.verb),
            effect: change.effect(sides),
            removed: removed(change, sides),
            is_by_rules: change.cause() == Some(Cause::Rules),
            sums: difference.map(Sums::of).unwrap_or_default(),
            sentences: difference.map_or(&[], |difference| &difference.sentences),
            files: difference
                .filter(|difference| room.has_texts(difference.files.len()))
                .map(|difference| {
                    let loads = loads.zip(id.as_deref());
                    let loads = loads.map(|(start, id)| format!("{start}file={id}"));
                    files(change, difference, &key, &mut room, loads.as_deref())
                }),
            path,
            id,
            key,
        }
    });
    entries.collect()
}

/// Returns the digits that tell a change from others.
fn change_digits(view: &DiffView, change: &Change<'_>) -> String {
    let id = view.id_of(change).map(|id| id.to_string());
    let mut digits = id.unwrap_or_default();
    digits.truncate(CHANGE_DIGITS);
    digits
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
    room: &mut Room,
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
            is_folded: room.folds(difference, sums),
            load: loads.map(|load| format!("{load}&text={index}#{key}")),
            more: loads.map(|load| format!("{load}&lines=all&text={index}")),
            difference,
            sums,
        }
    });
    files.collect()
}

/// The room that a page has for lines and texts.
struct Room {
    left: usize,
    texts: usize,
    is_alone: bool,
    is_empty: bool,
}

impl Room {
    fn new(is_alone: bool) -> Self {
        Self {
            left: match is_alone {
                true => ALONE_BYTES_MAX,
                false => SHOWN_BYTES_MAX,
            },
            texts: TEXTS_MAX,
            is_alone,
            is_empty: true,
        }
    }

    /// Returns whether the page shows the texts of a change: all, if they fit.
    fn has_texts(&mut self, count: usize) -> bool {
        let left = self.texts.checked_sub(count);
        self.texts = left.unwrap_or(0);
        self.is_alone || left.is_some()
    }

    /// Returns whether the page folds a text: if it is very long, or if the room is used up. The first text is shown
    /// even if it needs more than the room, because its table has a limit of its own.
    fn folds(&mut self, difference: &FileDifference, sums: Sums) -> bool {
        let Lines::Hunks(hunks) = &difference.lines else {
            return false;
        };
        if !self.is_alone && sums.lines() > FOLDED_LINES {
            return true;
        }
        let is_first = std::mem::take(&mut self.is_empty);
        let left = self.left.checked_sub(weight(hunks));
        self.left = left.unwrap_or(0);
        left.is_none() && !is_first
    }
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
                "The text is too large to compare here: {pinned} before, {head} after."
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
    /// Returns the texts of a change, or the part of them that is asked for.
    pub fn of(entries: &'v [Entry<'_>], layout: Layout, part: Part) -> Self {
        let Part { text, gap, .. } = part;
        let files = entries.iter().flat_map(|entry| &entry.files).flatten();
        let files = files.enumerate();
        let files = files.filter(|(index, file)| match text {
            Some(text) => text == *index,
            None => !file.is_folded,
        });
        let tables = files.filter_map(|(_, file)| file.table(&layout));
        Self {
            tables: tables
                .map(|table| LinesTable { only: gap, ..table })
                .collect(),
        }
    }
}

/// Returns the digits of a hash that tell it from others.
fn digits(hash: Option<&str>) -> &str {
    let digits = hash.unwrap_or("-");
    let digits = digits.strip_prefix(HASH_PREFIX).unwrap_or(digits);
    digits.get(..12).unwrap_or(digits)
}

impl<'v> DiffForm<'v> {
    /// Shows differences about which nothing is to be decided.
    pub fn compared(
        diff: &DiffView,
        layout: Layout,
        views: String,
        entries: Vec<Entry<'v>>,
    ) -> Self {
        Self {
            page_value: "",
            action: String::new(),
            short: "",
            pin: diff.pinned().map(|id| id.to_string()),
            head: diff.head().map(|id| id.to_string()),
            layout,
            typed: Typed::default(),
            is_within: false,
            has_rows: true,
            views,
            entries,
            last: None,
            foot: None,
        }
    }

    fn sums(&self) -> Sums {
        Sums(self.entries.iter().map(|entry| entry.sums.0).sum())
    }

    fn count(&self) -> String {
        counted(self.entries.len() as u64, "change")
    }

    /// Returns the changes that the page shows.
    fn shown(&self) -> &[Entry<'v>] {
        let mut room = ListRoom::new(ITEMS_MAX);
        let shown = self.entries.iter();
        let shown = shown.take_while(|entry| room.takes(entry.path.whole.len()));
        &self.entries[..shown.count()]
    }

    /// Returns how many changes the page leaves out.
    fn more(&self) -> Number {
        Number((self.entries.len() - self.shown().len()) as u64)
    }

    /// Returns the button that copies the command which takes the chosen changes.
    fn command_of_chosen(&self) -> Command {
        self.command("Take the chosen", "refresh --source=PATH")
            .filled("source=--source=PATH")
    }

    /// Returns the button that copies the command of an action, which decides about the head on the page and no later
    /// one. `verb` is what follows `ctxpin chat`.
    fn command(&self, label: &'static str, verb: &str) -> Command {
        let (verb, options) = verb.split_once(' ').unwrap_or((verb, ""));
        let (short, head) = (self.short, digits(self.head.as_deref()));
        let command = format!("ctxpin chat {verb} {short} --head {head} {options}");
        Command::new(label, command.trim_end())
    }

    fn is_single(&self) -> bool {
        self.entries.len() == 1
    }

    /// Returns whether some of the changes can be chosen and taken.
    fn may_take(&self) -> bool {
        self.foot.as_ref().is_some_and(|foot| foot.may_take)
    }

    /// Returns whether each change has a box in the tree, from which the script also reads the id of the change.
    fn has_boxes(&self) -> bool {
        self.may_take() && !self.is_single()
    }

    /// Returns whether the form that was sent in vain had ticks on another diff than this one.
    fn is_another(&self) -> bool {
        let sent = self.typed.clone().with("source");
        let is_other = |name, now: &Option<String>| {
            let now = now.as_deref().unwrap_or_default();
            sent.value(name, now) != now
        };
        is_other("pin", &self.pin) || is_other("head", &self.head)
    }

    /// Returns what the page shows. Two pages of equal versions show the same differences from the same pin with the same
    /// decision about them, maybe to another head.
    fn version(&self) -> String {
        let pin = digits(self.pin.as_deref());
        let entries = self.entries.iter();
        let shown = entries.flat_map(|entry| [&entry.choice].into_iter().chain(entry.sentences));
        let shown: Vec<_> = shown.map(String::as_str).collect();
        let shown = BlobHash::of(shown.join("\n").as_bytes()).to_string();
        let decision = self.last.as_ref().and_then(|last| last.decision);
        let decision = decision.map_or_else(String::new, |number| format!(".{number}"));
        let (shown, layout) = (digits(Some(&shown)), self.layout.word());
        format!("{pin}..{shown}.{layout}{decision}")
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
    use ctxpin_model::diff::lines::{Hunk, Line, LineKind};

    use super::*;

    /// Returns a new text of lines of 1,000 bytes.
    fn text(lines: usize) -> FileDifference {
        let line = Line {
            kind: LineKind::Added,
            text: "x".repeat(1_000),
            words: Vec::new(),
            is_ended: true,
        };
        let hunk = Hunk {
            pinned_start: 0,
            pinned_lines: 0,
            head_start: 1,
            head_lines: lines,
            lines: vec![line; lines],
        };
        FileDifference {
            pinned: None,
            head: Some("AGENTS.md".to_owned()),
            line_ends: None,
            lines: Lines::Hunks(vec![hunk]),
        }
    }

    #[test]
    fn texts_beyond_the_room_are_folded() {
        let check = |is_alone, lines: &[usize], expected: &[bool]| {
            let mut room = Room::new(is_alone);
            let texts: Vec<_> = lines.iter().map(|lines| text(*lines)).collect();
            let folded: Vec<_> = texts
                .iter()
                .map(|text| room.folds(text, Sums(text.line_counts())))
                .collect();
            assert_eq!(folded, expected, "{lines:?}");
        };
        check(
            false,
            &[30, 30, 25, 50, 1],
            &[false, false, false, true, true],
        );
        check(false, &[300, 1], &[false, true]);
        check(false, &[2_001, 1], &[true, false]);
        check(true, &[300, 2_001, 1], &[false, true, true]);
        check(true, &[2_001, 1], &[false, true]);
    }

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
