//! Renders one file of a snapshot for a model.

use std::borrow::Cow;

use ctxpin_model::hash::BlobHash;
use ctxpin_model::markdown::{self, Mention, PartKind};
use ctxpin_model::resource::Kind;
use ctxpin_model::skill::{self as skill_md, Dialect};
use ctxpin_model::treatment::Treatment;
use ctxpin_model::warning::{Code, WARNINGS_MAX, Warning, line_of};

use crate::renderer::Renderer;
use crate::renderer_1;
use crate::sanitise;
use crate::treated::Treated;

/// Sanitises the body of an instruction file for a prompt. Bytes that are not UTF-8 become U+FFFD.
pub fn instruction_file(body: &[u8], renderer: Renderer) -> Treated {
    let text = String::from_utf8_lossy(body);
    match renderer {
        Renderer::First => renderer_1::sanitise::treated(&text),
        Renderer::Second => sanitise::text(&text),
    }
}

/// Sanitises a `SKILL.md`, which a model reads alone and whole, with its frontmatter. Bytes that are not
/// UTF-8 become U+FFFD.
pub fn skill(skill_md: &[u8], renderer: Renderer) -> Treated {
    let text = String::from_utf8_lossy(skill_md);
    match renderer {
        Renderer::First => renderer_1::sanitise::treated(&text),
        Renderer::Second => sanitise::alone(&text),
    }
}

/// Returns the treatment of the body of a resource that reaches the context, with all warnings that follow
/// from its bytes alone.
pub fn treatment(kind: Kind, body: &[u8], renderer: Renderer) -> Treatment {
    let (treated, more) = match kind {
        Kind::Skill => (skill(body, renderer), skill_warnings(body)),
        Kind::InstructionFile | Kind::McpConfig | Kind::McpServer => (
            instruction_file(body, renderer),
            unseen(&String::from_utf8_lossy(body)),
        ),
    };
    let mut warnings = treated.warnings.clone();
    warnings.extend(more);
    warnings.sort_by_key(|warning| warning.line);
    warnings.truncate(WARNINGS_MAX);
    Treatment {
        given: BlobHash::of(treated.text.as_bytes()),
        removed: treated.removed(),
        warnings,
    }
}

fn skill_warnings(body: &[u8]) -> Vec<Warning> {
    // The directory only gives a replacement for the name, and no warning contains it.
    let mut warnings = skill_md::parse(body, "any", None, Dialect::Own).warnings;
    let text = String::from_utf8_lossy(body);
    let text = unix(&text);
    let hidden = markdown::parts(&text).into_iter();
    let hidden = hidden.filter(|part| part.kind == PartKind::Hidden);
    warnings.extend(hidden.take(WARNINGS_MAX).map(|part| {
        let warning = Warning::new(Code::CommentHidden);
        let warning = warning.at_line(line_of(&text, part.range.start));
        warning.about(part.range.len().to_string())
    }));
    warnings.extend(unseen(&text));
    warnings
}

/// Warns of what stays in a Markdown text although no reader sees it: unused definitions and hidden
/// elements.
fn unseen(text: &str) -> Vec<Warning> {
    let text = unix(text);
    let mentions = markdown::mentions(&text);
    let warning = |code: Code, mention: &Mention| {
        let warning = Warning::new(code).at_line(line_of(&text, mention.at));
        warning.about(&mention.text)
    };
    let unused = mentions.unused.iter().take(WARNINGS_MAX);
    let unused = unused.map(|mention| warning(Code::DefinitionUnused, mention));
    let concealed = mentions.concealed.iter().take(WARNINGS_MAX);
    let concealed = concealed.map(|mention| warning(Code::ElementHidden, mention));
    unused.chain(concealed).collect()
}

/// Returns a text with the line ends that [`markdown`] requires.
fn unix(text: &str) -> Cow<'_, str> {
    match text.contains('\r') {
        true => text.replace("\r\n", "\n").replace('\r', "\n").into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, body: &str, expected: &[&str]) {
        let treatment = treatment(kind, body.as_bytes(), Renderer::CURRENT);
        let warnings = treatment.warnings.iter().map(|warning| {
            let line = warning.line.unwrap_or_default();
            let detail = warning.detail.as_deref().unwrap_or("-");
            format!("{} {line} {detail}", warning.code)
        });
        assert_eq!(warnings.collect::<Vec<_>>(), expected, "{body}");
    }

    #[test]
    fn everything_that_bytes_give_reason_for_is_warned_of() {
        check(Kind::InstructionFile, "# Rules\n\nBe kind.\n", &[]);
        check(
            Kind::InstructionFile,
            "a\r\n\r\n[//]: # (psst)\r\n\r\n<p hidden>psst</p>\r\n\r\n<!-- open\r\n",
            &[
                "definition-unused 3 //",
                "element-hidden 5 p",
                "comment-unclosed 7 10",
            ],
        );
        check(
            Kind::Skill,
            "---\nname: A\ndescription: d\nlicense: [x]\n---\nSay `<!-- x -->`.\n<!-- psst -->\n",
            &[
                "name-form 2 A",
                "field-form 4 license",
                "comment-hidden 7 13",
            ],
        );
    }
}
