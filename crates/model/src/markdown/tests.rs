use proptest::prelude::*;

use super::*;

/// Compares the parts of a text, each shown as its kind and its bytes.
fn check(text: &str, expected: &[(PartKind, &str)]) {
    let parts = parts(text);
    let found: Vec<_> = parts
        .iter()
        .map(|part| (part.kind, &text[part.range.clone()]))
        .collect();
    assert_eq!(found, expected, "{text:?}");
}

use PartKind::{Code, HardBreak, Hidden, Preformatted, Unclosed};

#[test]
fn code_is_found_in_every_form() {
    check("a `b` ``c ` d``", &[(Code, "`b`"), (Code, "``c ` d``")]);
    check("```js\nx\n\n\ny\n```\nz", &[(Code, "```js\nx\n\n\ny\n```")]);
    check("~~~\nx\n```\n~~~~\nz", &[(Code, "~~~\nx\n```\n~~~~")]);
    check("a\n\n    b\n\n    c\n\nd", &[(Code, "b\n\n    c\n")]);
    check("- a\n\n      b\n", &[(Code, "b\n")]);
    check("- ```\n  x\n  ```\n", &[(Code, "```\n  x\n  ```")]);
    check("> ```\n> x\n> ```\n", &[(Code, "```\n> x\n> ```")]);
    check("```\nnever closed\n\n", &[(Code, "```\nnever closed\n\n")]);
    check("`a\nb`", &[(Code, "`a\nb`")]);
    // An indented line within a paragraph is not code.
    check("a\n      b", &[]);
    check("`open", &[]);
}

#[test]
fn hidden_markup_is_found() {
    check("a <!-- b --> c", &[(Hidden, "<!-- b -->")]);
    check("<!-- a\n\n# b -->\nc", &[(Hidden, "<!-- a\n\n# b -->")]);
    check(
        "a <!--> b <!---> c <!----> d",
        &[(Hidden, "<!-->"), (Hidden, "<!--->"), (Hidden, "<!---->")],
    );
    check("<!-- a --!> b -->", &[(Hidden, "<!-- a --!>")]);
    check("x <!-- a --!> b -->", &[(Hidden, "<!-- a --!>")]);
    check("x <?php a ?> y", &[(Hidden, "<?php a ?>")]);
    check("<!DOCTYPE html>\n", &[(Hidden, "<!DOCTYPE html>")]);
    check(
        "x <![CDATA[ a > b ]]> y",
        &[(Hidden, "<![CDATA[ a > b ]]>")],
    );
    check("<div>\n<!-- a -->\n</div>\n", &[(Hidden, "<!-- a -->")]);
    check("<div>\n</ a>b\n</div>\n", &[(Hidden, "</ a>")]);
    check("- <!-- a\n  b -->\n  c", &[(Hidden, "<!-- a\n  b -->")]);
    check("> <!-- a\n> b --> c", &[(Hidden, "<!-- a\n> b -->")]);
    check("| a | <!-- b --> |\n|---|---|\n", &[(Hidden, "<!-- b -->")]);
}

#[test]
fn visible_text_is_not_hidden() {
    check("a `<!-- b -->`", &[(Code, "`<!-- b -->`")]);
    check("    <!-- b -->\n", &[(Code, "<!-- b -->\n")]);
    check("\\<!-- b -->", &[]);
    check("a <!-- b\n\nc -->", &[]);
    check("a --> b, c <- d", &[]);
    check("<a title=\"<!-- b -->\">\n", &[]);
    check("<div title='>'\nx=\"<!-- b -->\">\n", &[]);
    check("<div>\n<textarea><!-- b --></textarea>\n</div>", &[]);
}

#[test]
fn an_unclosed_opener_is_found() {
    check(
        "<!-- a\n\n```\nb\n```\n",
        &[(Unclosed, "<!-- a\n\n```\nb\n```\n")],
    );
    check("<div>\n<!-- a\n\nb -->\n", &[(Unclosed, "<!-- a\n")]);
    check("- <!-- a\n\nb", &[(Unclosed, "<!-- a\n\n")]);
    check("<? a", &[(Unclosed, "<? a")]);
    check("<div>\n<script>\n<!-- a\n", &[]);
}

#[test]
fn significant_blanks_are_found() {
    check("a  \nb\\\nc  ", &[(HardBreak, "  \n")]);
    check(
        "<pre>\na  \n\n<!-- b -->\n</pre>\n",
        &[
            (Preformatted, "<pre>\na  \n\n"),
            (Hidden, "<!-- b -->"),
            (Preformatted, "\n</pre>\n"),
        ],
    );
    check(
        "<script>\n<!-- a -->\n</script>",
        &[(Preformatted, "<script>\n<!-- a -->\n</script>")],
    );
}

#[test]
fn any_closing_tag_ends_a_block() {
    for (open, close) in [
        ("<pre>", "</script>"),
        ("<script src=x>", "</pre>"),
        ("<STYLE", "</textarea>"),
        ("<textarea>", "</Style>"),
        ("<pre>", "</PRE>"),
    ] {
        let block = format!("{open}\nlog{close}\n");
        let text = format!("{block}\n```html\n<!-- shown -->\n```\n\n</pre>\n");
        let code = "```html\n<!-- shown -->\n```";
        check(&text, &[(Preformatted, &block), (Code, code)]);
        let quoted = format!("> {open}\n> log{close}\n> `x`\n");
        let parts = parts(&quoted);
        assert_eq!(
            &quoted[parts.last().unwrap().range.clone()],
            "`x`",
            "{quoted}"
        );
    }
    check(
        "<pre>\n</script >\n\n`x`\n",
        &[(Preformatted, "<pre>\n</script >\n\n`x`\n")],
    );
    check(
        "a <script>b</script>  \n`c`",
        &[(HardBreak, "  \n"), (Code, "`c`")],
    );
    check("<title>\n</pre>\n\n`x`", &[(Code, "`x`")]);
}

#[test]
fn a_table_ends_before_code() {
    let row = "x = \"<!-- shown -->\"\n";
    for before in [
        "a | b\n--|--\n    ",
        "a | `b`\n--|--\n    ",
        "a | b\n--|--\n1 | 2\n    ",
        "|a|\n|-|\n\t",
        "> a | b\n> --|--\n>     ",
        "> > a | b\n>>--|--\n>>     ",
        "- a | b\n  --|--\n      ",
        "12. a | b\n    --|--\n        ",
        "- > a | b\n  > --|--\n  >     ",
        "> - a | b\n>   --|--\n>       ",
        "-     a\n\n  a | b\n  --|--\n      ",
        "[^1]: a | b\n    --|--\n        ",
    ] {
        let text = format!("{before}{row}");
        let parts = parts(&text);
        let last = parts.last().unwrap();
        assert_eq!(
            (last.kind, &text[last.range.clone()]),
            (Code, row),
            "{text}: {parts:?}"
        );
        assert!(!parts.iter().any(|part| part.kind == Hidden), "{text}");
    }
    check(
        "`a` | b\n--|--\n`1` | <!-- 2 -->\n    `3`\n4 | `5`\n",
        &[
            (Code, "`a`"),
            (Code, "`1`"),
            (Hidden, "<!-- 2 -->"),
            (Code, "`3`\n"),
            (Code, "`5`"),
        ],
    );
    // A smaller indentation is not code.
    for row in [
        "a | b\n--|--\n   <!-- x -->",
        "- a | b\n  --|--\n     <!-- x -->",
        "> a | b\n> --|--\n>    <!-- x -->",
    ] {
        check(row, &[(Hidden, "<!-- x -->")]);
    }
    // Each of these tables ends the one before it.
    let many = "a | b\n--|--\n    `x <!-- y -->`\n".repeat(20);
    let shown = parts(&many).into_iter().filter(|part| part.kind == Code);
    assert_eq!(shown.count(), 20);
}

#[test]
fn mentions_are_found() {
    let text = "[a](x/y.md#z) ![b](<p q.png> \"t\") [c] <https://a.b> `run x`\n\n[c]: d.md\n[//]: # (unseen)\n\nt[^1]\n\n[^1]: used\n[^2]: not used\n\n<div hidden>\n<p style=\"Display : none\">\n<p class=hidden>\n";
    let found = mentions(text);
    let texts = |mentions: &[Mention]| -> Vec<String> {
        mentions.iter().map(|found| found.text.clone()).collect()
    };
    assert_eq!(texts(&found.links), ["x/y.md#z", "p q.png", "d.md"]);
    assert_eq!(texts(&found.spans), ["run x"]);
    assert_eq!(texts(&found.unused), ["//", "^2"]);
    assert_eq!(texts(&found.concealed), ["div", "p"]);
    assert_eq!(&text[found.unused[0].at..][..4], "[//]");
    let text = "> <div>\n> <p\n> hidden>\n\na <b\nstyle='opacity:0'>c</b>\n";
    let found = mentions(text).concealed;
    let places: Vec<_> = found.iter().map(|found| &text[found.at..][..2]).collect();
    assert_eq!(places, ["<p", "<b"], "{found:?}");
}

#[test]
fn code_in_a_label_is_that_of_its_link() {
    let text = "`a` [`b`](x.md) ![`c`](y.png) [![`d`](z.png) `e`](v.md) [`f`][r] [`r`] [the `g` file][r] `h` [`i`]\n\n[r]: w.md\n[`r`]: u.md\n";
    let found = mentions(text);
    let spans: Vec<_> = found.spans.iter().map(|span| span.text.as_str()).collect();
    // The last one is in brackets, but refers to nothing.
    assert_eq!(spans, ["a", "h", "i"]);
    assert_eq!(found.links.len(), 7, "{:?}", found.links);
}

proptest! {
    #[test]
    fn parts_are_disjoint_and_in_order(
        pieces in prop::collection::vec(prop::sample::select(&[
            "<!--", "-->", "--!>", "<?", "?>", "<!D", ">", "<div>", "</div>", "<pre>", "</pre>", "<script>",
            "`", "```", "~~~", "\n", "\n\n", "    ", "  ", "- ", "> ", "| ", "a", "é", "\\", "</ ", "<![CDATA[", "]]>",
            "<a b=\"", "\"", "[^1]: ", "[a]: b", "---",
        ][..]), 0..30)
    ) {
        let text = pieces.concat();
        let mut end = 0;
        for part in parts(&text) {
            prop_assert!(end <= part.range.start, "{:?}: {:?}", text, part);
            prop_assert!(part.range.start < part.range.end, "{:?}: {:?}", text, part);
            prop_assert!(text.get(part.range.clone()).is_some(), "{:?}: {:?}", text, part);
            end = part.range.end;
        }
        let _ = mentions(&text);
    }
}
