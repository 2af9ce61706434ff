//! Warnings: what a person should know of a resource that is used all the same.

use serde_json::{Map, Value};

use crate::limits::cut;
use crate::resource::spelled;

/// Most warnings of one resource that are told.
pub const WARNINGS_MAX: usize = 50;

/// Longest detail of a warning, in bytes of UTF-8.
pub const DETAIL_BYTES_MAX: usize = 300;

spelled! {
    /// What is warned of. The spellings are stable: people write them into exceptions.
    Code {
        /// A comment stays, because without it something else would become code, or would not be.
        CommentKept = "comment-kept",
        /// A comment is opened and never closed, so that readers miss the rest. Detail: how many bytes.
        CommentUnclosed = "comment-unclosed",
        /// A comment that readers do not see and a model does, since it reads the file whole. Detail: how
        /// many bytes.
        CommentHidden = "comment-hidden",
        /// Something visible stands for an invisible character, because without either something else
        /// would become code, or would not be. Detail: the character, as `U+200B`.
        InvisibleMarked = "invisible-marked",
        /// A definition of a link or footnote that nothing refers to. Detail: its label.
        DefinitionUnused = "definition-unused",
        /// An element that is not shown. Detail: its tag.
        ElementHidden = "element-hidden",
        /// The skill has no name of its own, so that it goes by its directory's.
        NameMissing = "name-missing",
        /// The skill's own name cannot be used, so that it goes by its directory's. Detail: its own.
        NameUnfit = "name-unfit",
        /// The skill's name is not formed as the specification asks. Detail: the name.
        NameForm = "name-form",
        /// The skill's name is not its directory's. Detail: the directory's.
        NameDirectory = "name-directory",
        /// The description is cut in the prompt. Detail: how many characters it has.
        DescriptionLong = "description-long",
        /// A value holds a bare `: ` and was read as if it were quoted. Detail: its key.
        ValueUnquoted = "value-unquoted",
        /// A field stands twice; the last one counts. Detail: its key.
        FieldTwice = "field-twice",
        /// A field that ctxpin does not use is not what the specification says. Detail: its key.
        FieldForm = "field-form",
        /// An MCP configuration declares nothing: it has no `mcpServers`.
        ServersMissing = "servers-missing",
        /// An import names a file that is not there. Detail: the import as it is written.
        ImportMissing = "import-missing",
        /// An import names a file that may not be read from here. Detail: the import.
        ImportOutside = "import-outside",
        /// An import names a file that is not pinned and could be. Detail: the import.
        ImportUnpinned = "import-unpinned",
        /// Something in a folder of skills is no skill. Detail: its name and why.
        SkillAbsent = "skill-absent",
        /// A file would be read if its name was spelt otherwise. Detail: how.
        NameCase = "name-case",
        /// Files of other tools that are not read. Detail: their paths.
        OtherTool = "other-tool",
        /// A declared source that gives nothing. Detail: why.
        SourceEmpty = "source-empty",
        /// A file that holds nothing but the path of another one, as where git cannot make a link.
        LinkAsText = "link-as-text",
        /// A skill names a file of its own that is left out. Detail: its path.
        FileLeftOut = "file-left-out",
        /// A directory that is not scanned although it lies above the working directory. Detail: why.
        RootLeftOut = "root-left-out",
        /// There are more notes than are told. Detail: how many.
        NotesCut = "notes-cut",
        /// A resource that breaks a rule and is not used. Detail: its error.
        Invalid = "invalid",
        /// A resource that cannot be read. Detail: its error.
        Unreadable = "unreadable",
        /// A resource that is too large to be used. Detail: its error.
        Oversize = "oversize",
        /// A resource that is left out of the snapshot. Detail: its error.
        Excluded = "excluded",
        /// A skill that another one of its name goes before. Detail: its error.
        SameName = "same-name",
        /// An instruction file that holds the bytes of another one. Detail: the other one.
        SameBytes = "same-bytes",
        /// A file of a skill that is not pinned with it. Detail: its path and why.
        FileUnpinned = "file-unpinned",
        /// A file that a text names and that is not there. Detail: its path as it is written.
        FileMissing = "file-missing",
        /// A comment that a model is not given. Detail: how many bytes.
        CommentRemoved = "comment-removed",
        /// Characters without shape, or that turn the direction of others. Detail: how many bytes.
        InvisibleRemoved = "invisible-removed",
    }
}

/// Something that a person should know of a workspace, which only whoever sees its files can tell. It is
/// in no snapshot and in no hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The file or directory that it is about: an absolute path.
    pub source: Option<String>,
    /// What there is to know.
    pub warning: Warning,
}

/// Most notes of one workspace that are told.
pub const NOTES_MAX: usize = 200;

/// One warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What is warned of.
    pub code: Code,
    /// The line of the file, from 1.
    pub line: Option<u64>,
    /// What [`Code`] says of it, at most [`DETAIL_BYTES_MAX`] bytes.
    pub detail: Option<String>,
}

impl Warning {
    /// A warning of a whole file.
    pub fn new(code: Code) -> Self {
        Self {
            code,
            line: None,
            detail: None,
        }
    }

    /// The same, of a line.
    pub fn at_line(self, line: u64) -> Self {
        Self {
            line: Some(line),
            ..self
        }
    }

    /// The same, with a detail, which is cut if it is too long.
    pub fn about(self, detail: impl AsRef<str>) -> Self {
        Self {
            detail: Some(cut(detail.as_ref(), DETAIL_BYTES_MAX).to_owned()),
            ..self
        }
    }
}

/// The number of the line of `text`, from 1, that the byte `at` stands in.
pub fn line_of(text: &str, at: usize) -> u64 {
    let before = &text.as_bytes()[..at.min(text.len())];
    before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1
}

/// Where the lines of a text end, for whoever asks for many places in it.
#[derive(Debug)]
pub struct Lines(Vec<usize>);

impl Lines {
    /// Those of `text`, which is gone through once.
    pub fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// As [`line_of`].
    pub fn line_of(&self, at: usize) -> u64 {
        self.0.partition_point(|end| *end < at) as u64 + 1
    }
}

/// Warnings as JSON text: a list of objects with `code`, `line` and `detail`.
pub fn to_json(warnings: &[Warning]) -> String {
    let values: Vec<Value> = warnings.iter().map(|w| to_object(w).into()).collect();
    Value::Array(values).to_string()
}

/// Notes as JSON text: as [`to_json`], with `source` besides.
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

/// Reads what [`notes_to_json`] wrote, as [`from_json`] does.
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

/// Reads what [`to_json`] wrote, in this release or another: a code that is not known is passed over.
/// `None` if the text is no such list.
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
        let lines = Lines::of(text);
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
