//! The sentences of warning codes.

use ctxpin_model::warning::Code;
use ctxpin_protocol::http::resources::Note;

use super::Viewpoint;

/// The most lines that a sentence names.
const LINES_SHOWN_MAX: usize = 8;

/// Returns a note with its place, as one line.
pub fn noted(note: &Note, viewpoint: &Viewpoint) -> String {
    let said = warning(&note.code, note.detail.as_deref());
    let Some(source) = &note.source else {
        return said;
    };
    let line = note.line.map_or(String::new(), |line| format!(":{line}"));
    match viewpoint.is_here(source) {
        true => said,
        false => format!("{}{line}: {said}", viewpoint.path(source)),
    }
}

/// Returns the sentence of a warning. A code of a later release is returned as it is.
pub fn warning(code: &str, detail: Option<&str>) -> String {
    let Ok(known) = code.parse::<Code>() else {
        return match detail {
            Some(detail) => format!("{code}: {}", super::line(detail)),
            None => code.to_owned(),
        };
    };
    sentence(known, &super::line(detail.unwrap_or_default()))
}

/// Returns the sentence of several warnings of one code and file, which are about so many bytes together. Returns `None` if
/// each is told by itself.
pub fn together(code: Code, bytes: u64, lines: &[u64]) -> Option<String> {
    let count = lines.len();
    let lines = shown(lines);
    let comments =
        format!("{count} comments of {bytes} bytes together ({lines}): readers do not see them");
    if code == Code::CommentRemoved {
        Some(format!(
            "{comments}, but tools that give a file whole, as Codex and opencode do, give them to their models; ctxpin's prompt leaves them out"
        ))
    } else if code == Code::CommentHidden {
        Some(format!("{comments}, but a model does"))
    } else if code == Code::InvisibleRemoved {
        Some(format!(
            "invisible characters ({bytes} bytes together, {lines}): readers do not see them, but tools such as Claude Code, Codex and opencode give them to their models; ctxpin's prompt leaves them out"
        ))
    } else if code == Code::ImportUnpinned {
        Some(format!(
            "ctxpin by its own rules does not follow {count} imports ({lines}), so the files are not pinned; `ctxpin source add` pins Markdown files, and the profile claude-code those that Claude Code gives"
        ))
    } else {
        None
    }
}

/// Returns numbers of lines for a sentence.
fn shown(lines: &[u64]) -> String {
    let mut lines = lines.to_vec();
    lines.dedup();
    let (first, rest) = lines.split_at(lines.len().min(LINES_SHOWN_MAX));
    let first: Vec<_> = first.iter().map(u64::to_string).collect();
    let more = match rest.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let lines = if lines.len() == 1 { "line" } else { "lines" };
    format!("{lines} {}{more}", first.join(", "))
}

fn sentence(code: Code, detail: &str) -> String {
    match code {
        Code::CommentKept => {
            "a comment stays because code depends on it: readers do not see it, but a model does"
                .into()
        }
        Code::CommentUnclosed => {
            format!(
                "a comment is opened and never closed: readers do not see {detail} bytes from here on, but a model does"
            )
        }
        Code::CommentHidden => {
            format!("a comment of {detail} bytes: readers do not see it, but a model does")
        }
        Code::InvisibleMarked => {
            format!(
                "code depends on an invisible character ({detail}): ctxpin's prompt has U+FFFD in its place, and tools that read the file give it as it is"
            )
        }
        Code::DefinitionUnused => {
            format!("nothing refers to [{detail}]: readers do not see it, but a model does")
        }
        Code::ElementHidden => {
            format!("<{detail}> is hidden from readers; a model sees its content")
        }
        Code::NameMissing => "it has no `name`; ctxpin uses the name of its directory".into(),
        Code::NameUnfit => {
            format!(
                "its name `{detail}` is unusable; ctxpin uses the name of its directory, unless the tool goes by such names (Codex, opencode)"
            )
        }
        Code::NameForm => {
            format!(
                "its name `{detail}` departs from the specification: a-z, 0-9 and single hyphens between them"
            )
        }
        Code::NameDirectory => {
            format!("{detail}; the specification requires the same name")
        }
        Code::DescriptionLong => {
            format!("its description has {detail} characters; the prompt has the first 1024")
        }
        Code::ValueUnquoted => {
            format!("`{detail}` must be quoted to be valid YAML; ctxpin reads it as if it were")
        }
        Code::FieldTwice => format!("`{detail}` occurs twice; ctxpin uses the last one"),
        Code::FieldForm => {
            format!("`{detail}` departs from the specification; ctxpin does not use it")
        }
        Code::ServersMissing => "it has no `mcpServers`, so it declares nothing".into(),
        Code::ImportMissing => match detail
            .chars()
            .last()
            .filter(|mark| ".,;:!?)]}\"'*`".contains(*mark))
        {
            Some('`') => {
                format!(
                    "@{detail} names a file that does not exist; the backtick belongs to its name"
                )
            }
            Some(mark) => {
                format!("@{detail} names a file that does not exist; `{mark}` belongs to its name")
            }
            None => format!("@{detail} names a file that does not exist"),
        },
        Code::ImportOutside => format!("@{detail} names a file that a scan may not read"),
        Code::ImportIgnored => format!("Claude Code does not follow @{detail}"),
        Code::ImportUnpinned => {
            // Other kinds of sources are not Markdown files that a person imports.
            let advice = match detail.ends_with(".md") || detail.ends_with(".mdc") {
                true => {
                    "; `ctxpin source add` pins it, and so does the profile claude-code if Claude Code gives it"
                }
                false => "; the profile claude-code pins it if Claude Code gives it",
            };
            format!(
                "ctxpin by its own rules does not follow @{detail}, so the file is not pinned{advice}"
            )
        }
        Code::SkillAbsent => detail.to_owned(),
        Code::NameCase => format!("ctxpin does not read it under this name, only as {detail}"),
        Code::OtherTool => {
            format!("found but not read: {detail}; `ctxpin source add FILE` reads a Markdown file")
        }
        Code::SourceEmpty => format!("this source gives nothing: {detail}"),
        Code::LinkAsText => {
            format!(
                "it holds only the path {detail}: it looks like a link that git could not create"
            )
        }
        Code::FileLeftOut => format!("it names {detail}, which is not part of the skill"),
        Code::RootLeftOut | Code::SearchCut | Code::ScanIncomplete => detail.to_owned(),
        Code::NotesCut => format!("{detail} more are not shown"),
        Code::Invalid | Code::Unreadable | Code::Oversize | Code::Excluded | Code::SameName => {
            detail.to_owned()
        }
        Code::SameBytes => format!("it holds the same bytes as {detail}"),
        Code::CodexCut | Code::FileUnpinned => detail.to_owned(),
        Code::FileMissing => format!("it names {detail}, which does not exist"),
        Code::FileElsewhere => format!("it names {detail}"),
        Code::ByteOrderMark => {
            let but = match detail.is_empty() {
                true => String::new(),
                false => format!("; {detail}"),
            };
            format!(
                "it begins with a byte order mark, which readers do not see{but}; save it without"
            )
        }
        Code::CommentRemoved => {
            format!(
                "a comment of {detail} bytes: readers do not see it, but tools that give a file whole, as Codex and opencode do, give it to their models; ctxpin's prompt leaves it out"
            )
        }
        Code::InvisibleRemoved => {
            format!(
                "invisible characters ({detail} bytes): readers do not see them, but tools such as Claude Code, Codex and opencode give them to their models; ctxpin's prompt leaves them out"
            )
        }
    }
}
