//! Warnings about resources and workspaces, for people. A warning never prevents a resource's use.

use serde_json::{Map, Value};

use crate::limits::cut;
use crate::resource::spelled;

/// The greatest number of warnings that are reported of one resource.
pub const WARNINGS_MAX: usize = 50;

/// The greatest length of a warning's detail, in bytes of UTF-8.
pub const DETAIL_BYTES_MAX: usize = 300;

spelled! {
    /// The reason of a warning, and what its detail holds. The spellings are stable, because people
    /// write them into exceptions.
    Code {
        /// A comment stays in the prompt, because removing it would turn code into prose, or prose into
        /// code.
        CommentKept = "comment-kept",
        /// A comment is not closed, so readers do not see the rest. Detail: its number of bytes.
        CommentUnclosed = "comment-unclosed",
        /// A comment that readers do not see but a model does, because it reads the whole file. Detail:
        /// its number of bytes.
        CommentHidden = "comment-hidden",
        /// A visible mark replaces an invisible character, because removing the character would turn
        /// code into prose, or prose into code. Detail: the character, as `U+200B`.
        InvisibleMarked = "invisible-marked",
        /// A definition of a link or footnote to which nothing refers. Detail: its label.
        DefinitionUnused = "definition-unused",
        /// An element that a browser does not show. Detail: its tag.
        ElementHidden = "element-hidden",
        /// The skill has no name, so it has its directory's.
        NameMissing = "name-missing",
        /// The skill's name is unusable, so it has its directory's. Detail: the unusable name.
        NameUnfit = "name-unfit",
        /// The skill's name does not have the form that the specification demands. Detail: the name.
        NameForm = "name-form",
        /// The skill's name differs from its directory's. Detail: the directory's.
        NameDirectory = "name-directory",
        /// The prompt shortens the description. Detail: its number of characters.
        DescriptionLong = "description-long",
        /// A value needs quotes and has none. It was read as if it had them. Detail: its key.
        ValueUnquoted = "value-unquoted",
        /// A field occurs twice, and the last one counts. Detail: its key.
        FieldTwice = "field-twice",
        /// A field that ctxpin does not use breaks the specification. Detail: its key.
        FieldForm = "field-form",
        /// An MCP configuration has no `mcpServers`.
        ServersMissing = "servers-missing",
        /// An import names a file that does not exist. Detail: the import.
        ImportMissing = "import-missing",
        /// An import names a file that must not be read from here. Detail: the import.
        ImportOutside = "import-outside",
        /// Claude Code does not follow an import although the file exists. Detail: the import, and why.
        ImportIgnored = "import-ignored",
        /// An import names a file that could be pinned but is not. Detail: the import.
        ImportUnpinned = "import-unpinned",
        /// An entry of a folder of skills is not a skill. Detail: its name and why.
        SkillAbsent = "skill-absent",
        /// A file is ignored because of the case of its name. Detail: the required spelling.
        NameCase = "name-case",
        /// Files of other tools, which are ignored. Detail: their paths.
        OtherTool = "other-tool",
        /// A declared source has no resources. Detail: why.
        SourceEmpty = "source-empty",
        /// A file contains only the path of another, as when git cannot create a link.
        LinkAsText = "link-as-text",
        /// A skill refers to one of its files that is left out. Detail: its path.
        FileLeftOut = "file-left-out",
        /// A directory above the working directory is not scanned. Detail: why.
        RootLeftOut = "root-left-out",
        /// The scan did not look for files in or below a directory. Detail: why.
        SearchCut = "search-cut",
        /// The scan does not list all that the workspace gives. Detail: why.
        ScanIncomplete = "scan-incomplete",
        /// There are more notes than are reported. Detail: their number.
        NotesCut = "notes-cut",
        /// A resource breaks a rule and is not used. Detail: its error.
        Invalid = "invalid",
        /// A resource cannot be read. Detail: its error.
        Unreadable = "unreadable",
        /// A resource is too large to be used. Detail: its error.
        Oversize = "oversize",
        /// A resource is left out of the snapshot. Detail: its error.
        Excluded = "excluded",
        /// Another skill of the same name takes precedence. Detail: the error.
        SameName = "same-name",
        /// An instruction file has the same bytes as another. Detail: the other one.
        SameBytes = "same-bytes",
        /// Codex gives its model only the beginning of an instruction file, or nothing of it. Detail: where it
        /// cuts the file, and why.
        CodexCut = "codex-cut",
        /// A file of a skill is not pinned. Detail: its path and why.
        FileUnpinned = "file-unpinned",
        /// A text names a file that does not exist. Detail: its path as the text writes it.
        FileMissing = "file-missing",
        /// A text names a file that does not exist there, but elsewhere in the project. Detail: its path as the text
        /// writes it, and the other one.
        FileElsewhere = "file-elsewhere",
        /// A text begins with a byte order mark. Detail: which tools pass over the file.
        ByteOrderMark = "byte-order-mark",
        /// A comment is removed from the prompt. Detail: its number of bytes.
        CommentRemoved = "comment-removed",
        /// Invisible characters, or ones that change the direction of text, are removed from the
        /// prompt. Detail: their number of bytes.
        InvisibleRemoved = "invisible-removed",
    }
}

/// The severity of a warning for people who check a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something does not work as it is written.
    Problem,
    /// It works, but people should know of it.
    Warning,
}

impl Code {
    /// Returns the severity of a warning of this code.
    pub fn level(self) -> Level {
        match self {
            Self::CommentUnclosed
            | Self::ImportMissing
            | Self::LinkAsText
            | Self::Invalid
            | Self::Unreadable
            | Self::Oversize
            | Self::Excluded
            | Self::ScanIncomplete
            | Self::FileMissing
            | Self::InvisibleRemoved => Level::Problem,
            Self::CommentKept
            | Self::CommentHidden
            | Self::InvisibleMarked
            | Self::DefinitionUnused
            | Self::ElementHidden
            | Self::NameMissing
            | Self::NameUnfit
            | Self::NameForm
            | Self::NameDirectory
            | Self::DescriptionLong
            | Self::ValueUnquoted
            | Self::FieldTwice
            | Self::FieldForm
            | Self::ServersMissing
            | Self::ImportOutside
            | Self::ImportIgnored
            | Self::ImportUnpinned
            | Self::SkillAbsent
            | Self::NameCase
            | Self::OtherTool
            | Self::SourceEmpty
            | Self::FileLeftOut
            | Self::RootLeftOut
            | Self::SearchCut
            | Self::NotesCut
            | Self::SameName
            | Self::SameBytes
            | Self::CodexCut
            | Self::FileUnpinned
            | Self::FileElsewhere
            | Self::ByteOrderMark
            | Self::CommentRemoved => Level::Warning,
        }
    }
}

/// A warning about a workspace, from the agent that sees its files. It is part of no snapshot and no
/// hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The absolute path of the file or directory concerned.
    pub source: Option<String>,
    pub warning: Warning,
}

/// The greatest number of notes that are reported of one workspace.
pub const NOTES_MAX: usize = 200;

/// A warning for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub code: Code,
    /// The line of the file, counted from 1. `None` if the warning concerns the whole file.
    pub line: Option<u64>,
    /// The detail that [`Code`] describes, at most [`DETAIL_BYTES_MAX`] bytes.
    pub detail: Option<String>,
}

impl Warning {
    /// Makes a warning about a whole file, without a detail.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            line: None,
            detail: None,
        }
    }

    /// Sets the line.
    pub fn at_line(self, line: u64) -> Self {
        Self {
            line: Some(line),
            ..self
        }
    }

    /// Sets the detail, and cuts it if it is too long.
    pub fn about(self, detail: impl AsRef<str>) -> Self {
        Self {
            detail: Some(cut(detail.as_ref(), DETAIL_BYTES_MAX).to_owned()),
            ..self
        }
    }
}

/// Returns the number of the line, counted from 1, that contains the byte offset `at` of `text`.
pub fn line_of(text: &str, at: usize) -> u64 {
    let before = &text.as_bytes()[..at.min(text.len())];
    before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1
}

/// The offsets of the line ends of a text, to look up the lines of many offsets.
#[derive(Debug)]
pub struct LineStarts(Vec<usize>);

impl LineStarts {
    /// Finds the line ends of `text`.
    pub fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// Returns the same as [`line_of`].
    pub fn line_of(&self, at: usize) -> u64 {
        self.0.partition_point(|end| *end < at) as u64 + 1
    }
}

/// Returns warnings as JSON text: a list of objects with `code`, `line` and `detail`.
pub fn to_json(warnings: &[Warning]) -> String {
    let values: Vec<Value> = warnings.iter().map(|w| to_object(w).into()).collect();
    Value::Array(values).to_string()
}

/// Returns notes as JSON text: a list as of [`to_json`], with `source` in each object.
pub fn notes_to_json(notes: &[Note]) -> String {
    let values = notes.iter().map(|note| {
        let mut object = to_object(&note.warning);
        if let Some(source) = &note.source {
            object.insert("source".into(), source.clone().into());
        }
        object.into()
    });
    Value::Array(values.collect()).to_string()
}

/// Parses the result of [`notes_to_json`], with the rules of [`from_json`].
pub fn notes_from_json(text: &str) -> Option<Vec<Note>> {
    let value: Value = serde_json::from_str(text).ok()?;
    let notes = value.as_array()?.iter().filter_map(|value| {
        Some(Note {
            source: value
                .get("source")
                .and_then(Value::as_str)
                .map(str::to_owned),
            warning: from_value(value)?,
        })
    });
    Some(notes.collect())
}

/// Parses the result of [`to_json`], of this release or another, and skips unknown codes. Returns
/// `None` if the text is not a JSON list.
pub fn from_json(text: &str) -> Option<Vec<Warning>> {
    let value: Value = serde_json::from_str(text).ok()?;
    let warnings = value.as_array()?.iter();
    Some(warnings.filter_map(from_value).collect())
}

fn to_object(warning: &Warning) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("code".into(), warning.code.as_str().into());
    if let Some(line) = warning.line {
        object.insert("line".into(), line.into());
    }
    if let Some(detail) = &warning.detail {
        object.insert("detail".into(), detail.clone().into());
    }
    object
}

fn from_value(value: &Value) -> Option<Warning> {
    Some(Warning {
        code: value.get("code")?.as_str()?.parse().ok()?,
        line: value.get("line").and_then(Value::as_u64),
        detail: value
            .get("detail")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_read_back() {
        let warnings = [
            Warning::new(Code::CommentKept).at_line(7),
            Warning::new(Code::NameUnfit).about("é".repeat(200)),
        ];
        assert_eq!(warnings[1].detail.as_ref().unwrap().len(), DETAIL_BYTES_MAX);
        assert_eq!(from_json(&to_json(&warnings)).unwrap(), warnings);
        let later = r#"[{"code":"of-a-later-release"},{"code":"comment-kept","line":7}]"#;
        assert_eq!(from_json(later).unwrap(), warnings[..1]);
        assert_eq!(from_json("{}"), None);
        assert_eq!(from_json("["), None);
        let notes = [
            Note {
                source: Some("/w/a".into()),
                warning: warnings[0].clone(),
            },
            Note {
                source: None,
                warning: Warning::new(Code::NotesCut).about("7"),
            },
        ];
        assert_eq!(notes_from_json(&notes_to_json(&notes)).unwrap(), notes);
    }

    #[test]
    fn lines_are_counted_from_one() {
        let text = "a\nb\n\nc";
        let lines = LineStarts::of(text);
        let check = |at, expected| {
            assert_eq!(line_of(text, at), expected);
            assert_eq!(lines.line_of(at), expected);
        };
        check(0, 1);
        check(1, 1);
        check(2, 2);
        check(5, 4);
        check(99, 4);
    }
}
