//! Markdown as HTML that does nothing: markup of the text is left out, images are their descriptions, and a link
//! leads to `http` or `https` or nowhere.

use std::fmt;

use askama::filters::HtmlSafe;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::text::{Text, Words};

/// A Markdown text.
pub(crate) struct Markdown<'t>(pub &'t str);

impl fmt::Display for Markdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
        let mut writer = Writer::default();
        for event in Parser::new_ext(self.0, options) {
            writer.event(f, &event)?;
        }
        Ok(())
    }
}

impl HtmlSafe for Markdown<'_> {}

/// The state of writing.
#[derive(Default)]
struct Writer {
    /// Whether each open link was written as an element.
    links: Vec<bool>,
    /// The levels of the present heading and of those above it.
    headings: Vec<HeadingLevel>,
    is_table_head: bool,
    words: Words,
}

impl Writer {
    fn event(&mut self, f: &mut fmt::Formatter<'_>, event: &Event<'_>) -> fmt::Result {
        match event {
            Event::Start(tag) => self.start(f, tag),
            Event::End(tag) => self.end(f, *tag),
            Event::Text(text) => self.words.write(f, text),
            Event::Code(code) => {
                f.write_str("<code>")?;
                self.words.write(f, code)?;
                f.write_str("</code>")
            }
            Event::SoftBreak => {
                self.words.end();
                f.write_str("\n")
            }
            Event::HardBreak => {
                self.words.end();
                f.write_str("<br>")
            }
            Event::Rule => f.write_str("<hr>"),
            Event::TaskListMarker(true) => f.write_str("☑ "),
            Event::TaskListMarker(false) => f.write_str("☐ "),
            Event::FootnoteReference(name) => {
                f.write_str("[")?;
                self.words.write(f, name)?;
                f.write_str("]")
            }
            Event::InlineMath(text) | Event::DisplayMath(text) => self.words.write(f, text),
            // Markup is not shown here. The raw text has it.
            Event::Html(_) | Event::InlineHtml(_) => Ok(()),
        }
    }

    fn start(&mut self, f: &mut fmt::Formatter<'_>, tag: &Tag<'_>) -> fmt::Result {
        match tag {
            Tag::Paragraph => f.write_str("<p>"),
            Tag::Heading { level, .. } => {
                self.headings.retain(|above| above < level);
                self.headings.push(*level);
                write!(f, "<{}>", heading(self.headings.len()))
            }
            Tag::BlockQuote(_) => f.write_str("<blockquote>"),
            Tag::CodeBlock(_) | Tag::MetadataBlock(_) => f.write_str("<pre>"),
            Tag::List(None) => f.write_str("<ul>"),
            Tag::List(Some(first)) => write!(f, "<ol start=\"{first}\">"),
            Tag::Item => f.write_str("<li>"),
            Tag::Table(_) => f.write_str("<table>"),
            Tag::TableHead => {
                self.is_table_head = true;
                f.write_str("<thead><tr>")
            }
            Tag::TableRow => f.write_str("<tr>"),
            Tag::TableCell => write!(f, "<{}>", self.cell()),
            Tag::Emphasis => f.write_str("<em>"),
            Tag::Strong => f.write_str("<strong>"),
            Tag::Strikethrough => f.write_str("<s>"),
            Tag::Link { dest_url, .. } => {
                let leads = dest_url.starts_with("https://") || dest_url.starts_with("http://");
                self.links.push(leads);
                match leads {
                    true => write!(
                        f,
                        "<a href=\"{}\" rel=\"noreferrer noopener nofollow\">",
                        Text(dest_url)
                    ),
                    false => Ok(()),
                }
            }
            Tag::FootnoteDefinition(name) => {
                f.write_str("<p>[")?;
                self.words.write(f, name)?;
                f.write_str("] ")
            }
            Tag::Image { .. }
            | Tag::HtmlBlock
            | Tag::DefinitionList
            | Tag::DefinitionListTitle
            | Tag::DefinitionListDefinition
            | Tag::Superscript
            | Tag::Subscript => Ok(()),
        }
    }

    fn end(&mut self, f: &mut fmt::Formatter<'_>, tag: TagEnd) -> fmt::Result {
        match tag {
            TagEnd::Paragraph | TagEnd::FootnoteDefinition => f.write_str("</p>\n"),
            TagEnd::Heading(_) => writeln!(f, "</{}>", heading(self.headings.len())),
            TagEnd::BlockQuote(_) => f.write_str("</blockquote>\n"),
            TagEnd::CodeBlock | TagEnd::MetadataBlock(_) => f.write_str("</pre>\n"),
            TagEnd::List(false) => f.write_str("</ul>\n"),
            TagEnd::List(true) => f.write_str("</ol>\n"),
            TagEnd::Item => f.write_str("</li>\n"),
            TagEnd::Table => f.write_str("</tbody></table>\n"),
            TagEnd::TableHead => {
                self.is_table_head = false;
                f.write_str("</tr></thead><tbody>\n")
            }
            TagEnd::TableRow => f.write_str("</tr>\n"),
            TagEnd::TableCell => write!(f, "</{}>", self.cell()),
            TagEnd::Emphasis => f.write_str("</em>"),
            TagEnd::Strong => f.write_str("</strong>"),
            TagEnd::Strikethrough => f.write_str("</s>"),
            TagEnd::Link => match self.links.pop() {
                Some(true) => f.write_str("</a>"),
                _ => Ok(()),
            },
            TagEnd::Image
            | TagEnd::HtmlBlock
            | TagEnd::DefinitionList
            | TagEnd::DefinitionListTitle
            | TagEnd::DefinitionListDefinition
            | TagEnd::Superscript
            | TagEnd::Subscript => Ok(()),
        }
    }

    fn cell(&self) -> &'static str {
        match self.is_table_head {
            true => "th",
            false => "td",
        }
    }
}

/// Returns the element of a heading below those around it. The page has a first level and a second one of its
/// own, and no level is left out: readers who go through a page by its headings would miss one.
fn heading(depth: usize) -> &'static str {
    match depth {
        0 | 1 => "h3",
        2 => "h4",
        3 => "h5",
        _ => "h6",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_html() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Markdown(text).to_string().trim_end(), expected);
        };
        check(
            "# Rules\n\nBe *kind*.",
            "<h3>Rules</h3>\n<p>Be <em>kind</em>.</p>",
        );
        check(
            "## a\n#### b\n## c\n# d",
            "<h3>a</h3>\n<h4>b</h4>\n<h3>c</h3>\n<h3>d</h3>",
        );
        check("- a\n- [x] b", "<ul><li>a</li>\n<li>☑ b</li>\n</ul>");
        check(
            "```sh\ncargo <test>\n```",
            "<pre>cargo &lt;test&gt;\n</pre>",
        );
        check(
            "|a|\n|-|\n|b|",
            "<table><thead><tr><th>a</th></tr></thead><tbody>\n<tr><td>b</td></tr>\n</tbody></table>",
        );
        check(
            "[x](https://a.example/?b=1&c=2)",
            "<p><a href=\"https://a.example/?b=1&amp;c=2\" rel=\"noreferrer noopener nofollow\">x</a></p>",
        );
        check(
            "---\nname: x\n---\ntext",
            "<pre>name: x\n</pre>\n<p>text</p>",
        );
    }

    #[test]
    fn elements_do_not_end_a_word() {
        let part = "A".repeat(100);
        assert_eq!(
            Markdown(&format!("{part}{part}*{part}*`{part}`\n{part}")).to_string(),
            format!("<p>{part}{part}<em><wbr>{part}</em><code><wbr>{part}</code>\n{part}</p>\n")
        );
    }

    #[test]
    fn what_could_act_is_left_out() {
        for hostile in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,x)",
            "![x](https://a.example/x.png)",
            "<a href=\"javascript:alert(1)\">x</a>",
            "[x](https://a.example/\"onclick=\"alert)",
            "<div onclick=\"alert(1)\">\n\nx\n\n</div>",
        ] {
            let html = Markdown(hostile).to_string();
            for never in [
                "<script",
                "<img",
                "javascript:",
                "data:",
                "onclick=\"",
                "<div",
            ] {
                assert!(!html.contains(never), "{hostile}: {html}");
            }
        }
    }
}
