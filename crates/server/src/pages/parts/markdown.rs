//! Markdown as HTML that does nothing: markup of the text is left out, images are their descriptions, and a link
//! leads to `http` or `https` or nowhere.

use std::fmt;

use askama::filters::HtmlSafe;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::text::Text;

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
    is_table_head: bool,
}

impl Writer {
    fn event(&mut self, f: &mut fmt::Formatter<'_>, event: &Event<'_>) -> fmt::Result {
        match event {
            Event::Start(tag) => self.start(f, tag),
            Event::End(tag) => self.end(f, *tag),
            Event::Text(text) => write!(f, "{}", Text(text)),
            Event::Code(code) => write!(f, "<code>{}</code>", Text(code)),
            Event::SoftBreak => f.write_str("\n"),
            Event::HardBreak => f.write_str("<br>"),
            Event::Rule => f.write_str("<hr>"),
            Event::TaskListMarker(true) => f.write_str("☑ "),
            Event::TaskListMarker(false) => f.write_str("☐ "),
            Event::FootnoteReference(name) => write!(f, "[{}]", Text(name)),
            Event::InlineMath(text) | Event::DisplayMath(text) => write!(f, "{}", Text(text)),
            // Markup is not shown here. The raw text has it.
            Event::Html(_) | Event::InlineHtml(_) => Ok(()),
        }
    }

    fn start(&mut self, f: &mut fmt::Formatter<'_>, tag: &Tag<'_>) -> fmt::Result {
        match tag {
            Tag::Paragraph => f.write_str("<p>"),
            Tag::Heading { level, .. } => write!(f, "<{}>", heading(*level)),
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
            Tag::FootnoteDefinition(name) => write!(f, "<p>[{}] ", Text(name)),
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
            TagEnd::Heading(level) => writeln!(f, "</{}>", heading(level)),
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

/// Returns the element of a heading. The page has a first level and a second one of its own.
fn heading(level: HeadingLevel) -> &'static str {
    match level {
        HeadingLevel::H1 => "h4",
        HeadingLevel::H2 => "h5",
        HeadingLevel::H3 | HeadingLevel::H4 | HeadingLevel::H5 | HeadingLevel::H6 => "h6",
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
            "<h4>Rules</h4>\n<p>Be <em>kind</em>.</p>",
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
