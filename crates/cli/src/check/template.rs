//! Templates of Markdown files inside a text, whose fences are as long as those around them.
//!
//! To Markdown, the first fence that closes a block inside such a template closes the template too, and the rest of it
//! is prose. Its author meant it as part of the template, so it says nothing about the files of the project.

use std::ops::Range;

/// The languages of a fence whose block may have fences of its own. One without a language may be anything.
const LANGUAGES: [&str; 5] = ["", "markdown", "md", "mdx", "text"];

/// How many blocks that are no template may be followed to the end of the text.
const UNBALANCED_MAX: usize = 50;

/// Returns a text of the same length and lines, with blanks in place of what its templates hold.
pub fn without_templates(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    for template in templates(text) {
        kept.push_str(&text[at..template.start]);
        let blanks = text[template.clone()].bytes();
        kept.extend(blanks.map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        at = template.end;
    }
    kept + &text[at..]
}

/// Returns the templates of a text: from the line behind their first fence to the one that their author meant as
/// the last, without the latter.
fn templates(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut rest = 0;
    let mut unbalanced = 0;
    while unbalanced < UNBALANCED_MAX
        && let Some((begin, fence)) = next_fence(text, rest)
    {
        match end(text, begin, &fence) {
            End::Nested { last, end } => {
                found.push(begin..last);
                rest = end;
            }
            End::Plain(end) => rest = end,
            End::Unbalanced(end) => {
                unbalanced += 1;
                rest = end;
            }
            End::Never => break,
        }
    }
    found
}

/// A line with a fence.
struct Fence<'t> {
    /// Backticks or tildes.
    mark: &'t str,
    language: &'t str,
}

impl<'t> Fence<'t> {
    fn of(line: &'t str) -> Option<Self> {
        let line = line.trim();
        let sign = line.chars().next().filter(|sign| "`~".contains(*sign))?;
        let behind = line.trim_start_matches(sign);
        let mark = &line[..line.len() - behind.len()];
        let language = behind.trim();
        (mark.len() >= 3 && !language.contains('`')).then_some(Self { mark, language })
    }

    /// Returns whether it can stand for the end of the block that another one opens.
    fn is_like(&self, other: &Self) -> bool {
        self.mark.starts_with(other.mark)
    }
}

/// Returns the first fence from an offset on, and the offset behind its line.
fn next_fence(text: &str, from: usize) -> Option<(usize, Fence<'_>)> {
    let mut at = from;
    for line in text[from..].split_inclusive('\n') {
        at += line.len();
        if let Some(fence) = Fence::of(line) {
            return Some((at, fence));
        }
    }
    None
}

/// Where a block ends.
enum End {
    /// At the fence that its author meant, with fences between, and behind that fence.
    Nested {
        last: usize,
        end: usize,
    },
    /// Behind the first fence that closes it.
    Plain(usize),
    /// As [`Self::Plain`], because the fences behind that one do not come in pairs.
    Unbalanced(usize),
    Never,
}

/// Returns the end of the block that begins at an offset behind its fence.
fn end(text: &str, begin: usize, first: &Fence) -> End {
    let is_nesting = LANGUAGES.contains(&first.language.to_lowercase().as_str());
    let mut open = 1_usize;
    let mut plain = None;
    let mut at = begin;
    while let Some((behind, fence)) = next_fence(text, at) {
        let line = text[..behind].trim_end_matches('\n');
        let before = line.rfind('\n').map_or(0, |end| end + 1);
        at = behind;
        if !fence.is_like(first) {
            continue;
        }
        if !fence.language.is_empty() {
            open += 1;
            continue;
        }
        open -= 1;
        match (plain, open) {
            (None, 0) => return End::Plain(behind),
            (None, _) if !is_nesting => return End::Plain(behind),
            (None, _) => plain = Some(behind),
            (Some(_), 0) => {
                return End::Nested {
                    last: before,
                    end: behind,
                };
            }
            (Some(_), _) => {}
        }
    }
    // An author who forgot the end of a block meant no template.
    plain.map_or(End::Never, End::Unbalanced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_template_stays_in_its_place() {
        let text = "a\n```md\né\n```sh\nb\n```\n```\nc\n";
        assert_eq!(
            without_templates(text),
            "a\n```md\n  \n     \n \n   \n```\nc\n"
        );
    }

    #[test]
    fn a_template_ends_where_its_author_meant() {
        let check = |text: &str, expected: &[&str]| {
            let found = templates(text);
            let found: Vec<_> = found.into_iter().map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{text}");
        };
        check(
            "```markdown\na\n```bash\nb\n```\nc\n```\nd\n",
            &["a\n```bash\nb\n```\nc\n"],
        );
        check(
            "```\n```sh\n```\n```\n`x`\n~~~md\n~~~sh\n~~~\ny\n~~~\n",
            &["```sh\n```\n", "~~~sh\n~~~\ny\n"],
        );
        check("```md\na\n```\nb\n```md\nc\n```\n", &[]);
        check("```sh\na\n```bash\nb\n```\nc\n```\nd\n```\n", &[]);
        check("````md\n```sh\n```\n````\nb\n", &[]);
        // The first block was never closed.
        check("```md\na\n\n```sh\nb\n```\n\nc\n", &[]);
        check("```md\na\n", &[]);
        check("a ``` b\n```a`b\n", &[]);
    }
}
