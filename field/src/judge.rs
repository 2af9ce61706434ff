//! Whether a prompt loses text inside code, by another parser of Markdown than the sanitiser's.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ctxpin_render::renderer::Renderer;
use ctxpin_render::treat;
use markdown::mdast::Node;
use markdown::{ParseOptions, to_mdast};

use crate::corpus::File;

/// Returns the files that lose text inside code, each with the first code that is no longer whole.
pub fn lost(files: &[File]) -> Vec<(PathBuf, String)> {
    let lost = files.iter().filter_map(|file| {
        let before = String::from_utf8_lossy(&file.bytes).replace("\r\n", "\n");
        let treated = treat::instruction_file(&file.bytes, Renderer::CURRENT);
        first_lost(&before, &treated.text).map(|code| (file.path.clone(), code))
    });
    lost.collect()
}

/// Returns the first code of `before` that is not in `after`. Invisible characters and blanks at
/// the end of a line may be missing.
fn first_lost(before: &str, after: &str) -> Option<String> {
    let remaining: BTreeSet<_> = codes(after).iter().map(|code| visible(code)).collect();
    let whole = visible(after);
    codes(before).into_iter().find(|code| {
        let code = visible(code);
        let is_there = |line: &str| whole.contains(line.trim());
        // The two parsers may differ in where code ends; then the lines of the code must still be
        // in the prompt.
        !remaining.contains(&code) && !code.lines().all(is_there)
    })
}

/// Returns the contents of fenced, indented and inline code, in the order of the text.
fn codes(text: &str) -> Vec<String> {
    let mut codes = Vec::new();
    if let Ok(tree) = to_mdast(text, &ParseOptions::gfm()) {
        collect(&tree, &mut codes);
    }
    codes
}

fn collect(node: &Node, codes: &mut Vec<String>) {
    match node {
        Node::Code(code) => codes.push(code.value.clone()),
        Node::InlineCode(code) => codes.push(code.value.clone()),
        _ => {}
    }
    for child in node.children().into_iter().flatten() {
        collect(child, codes);
    }
}

fn visible(text: &str) -> String {
    let is_hidden = |c: char| {
        matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
    };
    text.chars().filter(|c| !is_hidden(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_comment_in_code_is_noticed() {
        assert_eq!(first_lost("a `<!-- b -->` c", "a `<!-- b -->` c"), None);
        assert_eq!(
            first_lost("a `<!-- b -->` c", "a `` c").as_deref(),
            Some("<!-- b -->")
        );
        let fenced = "```\nx <!-- y -->\nz\n```\n";
        assert_eq!(
            first_lost(fenced, "```\nx \nz\n```\n").as_deref(),
            Some("x <!-- y -->\nz")
        );
        assert_eq!(
            first_lost("<!-- gone -->\n\n    kept\n", "\n    kept\n"),
            None
        );
    }
}
