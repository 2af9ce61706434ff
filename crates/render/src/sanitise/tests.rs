use ctxpin_model::treatment::Removed;
use proptest::prelude::*;

use super::*;
use crate::renderer::Renderer;
use crate::treat;
use crate::treated::Fate;

/// Texts with what is left of each, which stays as it is, treated again.
fn check(cases: &[(&str, &str)]) {
    for (input, expected) in cases {
        assert_eq!(text(input).text, *expected, "{input:?}");
        assert_eq!(text(expected).text, *expected, "again: {input:?}");
    }
}

/// A text that stays as it is, but for the line end behind it.
fn check_stays(texts: &[&str]) {
    for input in texts {
        assert_eq!(text(input).text, input.trim_end_matches('\n'), "{input:?}");
    }
}

fn codes(input: &str) -> Vec<(Code, Option<u64>, Option<String>)> {
    let warnings = text(input).warnings.into_iter();
    warnings
        .map(|warning| (warning.code, warning.line, warning.detail))
        .collect()
}

#[test]
fn plain_text_stays() {
    check_stays(&[
        "",
        " a",
        "# Title\n\n\tindented <b>bold</b> &lt; \\\n    code: a < b && c > d\n\n- é 中文 🙂 می\u{200C}خواهم\n- <workspace>, yes\n",
        "Source: /a\nsource: b\n  Source : c\n",
        "a --> b <!- c -->\n",
        "a\u{A0}\n\u{3000}b\u{3000}\n",
    ]);
}

#[test]
fn comments_in_code_stay() {
    check_stays(&[
        "Marker: `<!-- shots -->`",
        "x\n\n    select(.body | startswith(\"<!-- shots -->\"))\n",
        "```html\n<!-- BAD -->\n\n\n<a>  \n<!-- GOOD -->\n```\n",
        "~~~\n<!-- a -->\n~~~\n",
        "- item\n\n  ```\n  <!-- a -->\n\n\n  b  \n  ```\n",
        "> ```\n> <!-- a -->\n> ```\n",
        "1. a\n\n        <!-- in a list -->\n",
        "```\nnever closed\n<!-- a -->\n\n\nb",
        "`<?php echo 1 ?>` and `<!DOCTYPE html>`, `<![CDATA[x]]>`",
        "``<!-- ` -->``",
        "| `<!-- a -->` |\n|---|\n| b |\n",
        "<pre>\nlog</script>\n\n```html\n<!-- keep me -->\n```\n\n</pre>\n",
        "a | b\n--|--\n    x = \"<!-- kept? -->\"\n",
    ]);
}

#[test]
fn what_only_looks_like_a_comment_stays() {
    check_stays(&[
        "# Docs\n\nPages begin with `<!-- toc`.\n\n## Must\n\n- Never push to main.\n\n```mermaid\ngraph LR\n  Edit --> Check\n```\n",
        "Pages begin with <!-- toc.\n\n## Must\n\nA --> B\n",
        "\\<!-- shown -->",
        "<a title=\"<!-- shown -->\">x</a>\n",
    ]);
}

#[test]
fn comments_that_nobody_sees_go() {
    check(&[
        ("a<!-- x -->b", "ab"),
        ("a <!-- x\ny --> b", "a  b"),
        ("a <!-- x -->", "a"),
        ("a\n<!-- x -->\nb", "a\n\nb"),
        ("a\n\n<!-- x\n\ny -->\n\nb", "a\n\nb"),
        ("<!-- x -->\n# T\n", "# T"),
        ("<!-- x --> rest", " rest"),
        ("- a\n  <!-- x -->\n- b", "- a\n\n- b"),
        ("> a\n> <!-- x\n> y -->\n> b", "> a\n>\n> b"),
        ("a <!--> b <!---> c <!----> d", "a  b  c  d"),
        ("<!-- a --!> b -->", " b -->"),
        (
            "a <?php b ?> c <!DOCTYPE x> d <![CDATA[ e ]]> f",
            "a  c  d  f",
        ),
        ("<div>\n<!-- a -->\ntext\n</div>", "<div>\n\ntext\n</div>"),
        (
            "<pre>\na  \n\n\n<!-- x -->b\n</pre>",
            "<pre>\na  \n\n\nb\n</pre>",
        ),
        ("| a | <!-- x --> |\n|---|---|", "| a |  |\n|---|---|"),
        ("`a` <!-- x --> `<!-- b -->`", "`a`  `<!-- b -->`"),
        ("<!-- only this -->\n\n", ""),
    ]);
}

#[test]
fn a_comment_stays_if_code_depends_on_it() {
    for (input, line) in [
        // It ends a list, so that what follows is code.
        ("- a\n\n<!-- x -->\n\n    <b>\n", 3),
        ("<!-- x -->    b", 1),
        ("a\n\n<!-- x --> ```\nb\n", 3),
        // Without it another comment would begin.
        ("<!<!-- x -->-- y -->", 1),
    ] {
        let treated = text(input);
        let expected = vec![(Code::CommentKept, Some(line), None)];
        assert_eq!(codes(input), expected, "{input:?}: {:?}", treated.text);
        assert!(treated.text.contains("<!-- x -->"), "{input:?}");
        assert_eq!(text(&treated.text).text, treated.text, "{input:?}");
    }
    // One that must stay keeps no other.
    let treated = text("<!-- a -->\n\n- b\n\n<!-- c -->\n\n    d\n\n<!-- e -->\n\nf\n");
    assert_eq!(treated.text, "- b\n\n<!-- c -->\n\n    d\n\nf");
    let many = "<!-- a -->\n\n- b\n\n<!-- c -->\n\n    d\n\n".repeat(40);
    let treated = text(&many);
    assert_eq!(treated.text.matches("<!-- c -->").count(), 40);
    assert_eq!(treated.text.matches("<!-- a -->").count(), 0);
}

#[test]
fn an_opener_that_is_never_closed_stays() {
    let unclosed =
        |line, bytes: &str| vec![(Code::CommentUnclosed, Some(line), Some(bytes.into()))];
    let input = "# T\n\n<!-- open\n\n\nb  \n```\nc\n";
    check_stays(&[input]);
    assert_eq!(codes(input), unclosed(3, "22"));
    // Markdown ends the block with the list, a browser goes on to the next end.
    let input = "- <!-- open\n\nshown to nobody\n\n<!-- next -->\n\nz\n";
    assert_eq!(codes(input), unclosed(1, "41"));
    let input = "<div>\n<!-- open\n\nb\n";
    check_stays(&[input]);
    assert_eq!(codes(input), unclosed(2, "13"));
    // In a paragraph it opens nothing, and everybody sees it.
    assert_eq!(codes("a <!-- b\n\nc\n"), []);
}

#[test]
fn blanks_are_folded_outside_of_code() {
    check(&[
        ("\n \n  a  \n\n\t\nb\t\n\n", "  a\n\nb"),
        (" \n\t\n", ""),
        ("a  \nb", "a  \nb"),
        ("a  \n\nb", "a\n\nb"),
        ("a\\  \nb", "a\\  \nb"),
        ("a\\ \nb\\\t\nc", "a\\ \nb\\\t\nc"),
        ("# a  \n", "# a"),
        ("- a  \n\n\n\n- b", "- a\n\n- b"),
        ("a `b  \n c`  ", "a `b  \n c`"),
        ("a <!-- x -->  \nb", "a   \nb"),
        ("a  <!-- x -->\nb", "a\nb"),
        ("    a\n\n\n    b\n\n\n\nc", "    a\n\n\n    b\n\nc"),
    ]);
}

#[test]
fn lines_end_in_one_way() {
    check(&[
        ("a\r\nb\rc\n\rd", "a\nb\nc\n\nd"),
        ("```\r\n<!-- a -->\r\n```\r\n", "```\n<!-- a -->\n```"),
        ("a\u{2028}b\u{B}c\u{2029}", "a b c"),
        ("a \u{2028}b\u{85}\nc", "a b\nc"),
    ]);
}

#[test]
fn invisible_characters_are_removed_everywhere() {
    check(&[
        ("a\0\u{1B}[1m\u{7F}\u{9B}b\tc", "a[1mb\tc"),
        (
            "\u{FEFF}a\u{AD}\u{200B}\u{200D}\u{200E}\u{202E}\u{2066}\u{3164}b",
            "ab",
        ),
        (
            "a\u{FE00}\u{E0100}\u{E01EF}\u{FFF9}\u{1D173}\u{180F}b",
            "ab",
        ),
        ("a\u{E0001}\u{E0068}\u{E0069}\u{E007F}b", "ab"),
        ("`a\u{200B}b`\n\n    c\u{202E}d", "`ab`\n\n    cd"),
        ("\u{FEFF}```\n<!-- a -->\n```", "```\n<!-- a -->\n```"),
    ]);
}

#[test]
fn joiners_stay_where_writing_needs_them() {
    check_stays(&[
        "Sign with \u{1F469}\u{200D}\u{1F47B}. Name: \u{DC1}\u{DCA}\u{200D}\u{DBB}\u{DD3}",
        "\u{1F3F3}\u{FE0F}\u{200D}\u{1F308} \u{1F469}\u{1F3FD}\u{200D}\u{1F4BB} \u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}",
        "\u{2764}\u{FE0F}\u{200D}\u{1F525} \u{1F43B}\u{200D}\u{2744}\u{FE0F} \u{1F9D1}\u{200D}\u{1F91D}\u{200D}\u{1F9D1}",
        "\u{915}\u{94D}\u{200D}\u{937} \u{995}\u{9CD}\u{200D}",
        "می\u{200C}خواهم",
    ]);
    check(&[
        ("a\u{200D}b", "ab"),
        (
            "\u{1F469}\u{200D}a \u{1F469}\u{200D}",
            "\u{1F469}a \u{1F469}",
        ),
        (
            "\u{1F469}\u{200D}\u{200D}\u{1F47B}",
            "\u{1F469}\u{200D}\u{1F47B}",
        ),
        ("\u{DCA}\u{200D}\u{200D}", "\u{DCA}\u{200D}"),
        ("\u{1F469}\u{200D}<!-- x -->\u{1F47B}", "\u{1F469}\u{1F47B}"),
    ]);
}

#[test]
fn variation_selectors_and_flags_stay_where_they_mean_something() {
    let scotland = "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}";
    check(&[
        (
            "☀\u{FE0F} 1\u{FE0F}\u{20E3} ☀\u{FE0E}",
            "☀\u{FE0F} 1\u{FE0F}\u{20E3} ☀\u{FE0E}",
        ),
        ("☀\u{FE0F}\u{FE0E}\u{FE0F}", "☀\u{FE0F}"),
        ("☀\u{200B}\u{FE0F}", "☀\u{FE0F}"),
        ("\u{FE0F}a\u{FE0F} \u{FE0F}\n\u{FE0F}<\u{FE0F}b", "a\n<b"),
        (scotland, scotland),
        (
            &format!("{scotland}\u{E0061}\u{E007F}!"),
            &format!("{scotland}!"),
        ),
        (
            &format!("{scotland}{scotland}"),
            &format!("{scotland}{scotland}"),
        ),
        ("🏴\u{E0067}\u{E0062}\u{E0073}", "🏴"),
        ("🏴\u{E0067}\u{E0062}\u{E007F}", "🏴"),
        ("🏴\u{E0067}\u{E0062}\u{E0073}x\u{E007F}", "🏴x"),
        (
            "🏴\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E0061}\u{E007F}",
            "🏴",
        ),
        ("🙂\u{E0067}\u{E0062}\u{E0073}\u{E007F}", "🙂"),
    ]);
}

#[test]
fn variation_selectors_stay_where_a_form_is_chosen() {
    check_stays(&[
        "葛\u{E0100}城市 葛\u{E0101}飾区 \u{2000B}\u{E0102}",
        "\u{1820}\u{180B}\u{1821}\u{180C}\u{1822}\u{180D}\u{1880}\u{180F}",
        "0\u{FE00} \u{2229}\u{FE00} 万\u{FE02} \u{3001}\u{FE01} \u{1000}\u{FE00}",
    ]);
    check(&[
        ("a\u{E0100}b\u{E0120} あ\u{E0100}", "ab あ"),
        // Only one for each, so that they say nothing more.
        ("葛\u{E0100}\u{E0101}\u{E0102}", "葛\u{E0100}"),
        ("葛\u{E0100}\u{FE0F}", "葛\u{E0100}"),
        ("\u{1820}\u{180B}\u{180C}", "\u{1820}\u{180B}"),
        (
            "葛\u{180B} \u{1820}\u{E0100} \u{1820}\u{180E}",
            "葛 \u{1820} \u{1820}",
        ),
        (
            "1\u{FE00} a\u{FE01} 万\u{FE03} \u{2229}\u{FE05}",
            "1 a 万 \u{2229}",
        ),
    ]);
}

#[test]
fn an_invisible_character_that_code_depends_on_becomes_visible() {
    // As readers see it, nothing of this is code and the comment is hidden.
    check(&[(
        "\u{200B}```\n<!-- evil -->\n\u{200B}```\n",
        "\u{FFFD}```\n\n\u{FFFD}```",
    )]);
    // As readers see it, this is code.
    check(&[(
        "`\u{200B}`` <!-- shown --> `",
        "`\u{FFFD}`` <!-- shown --> `",
    )]);
    assert_eq!(text("a\u{200B}b").text, "ab");
    // Others of the same text go.
    check(&[
        (
            "soft\u{AD}hyphen and zero\u{200B}width\n\n\u{200B}```\nx\n```\n",
            "softhyphen and zerowidth\n\n\u{FFFD}```\nx\n```",
        ),
        (
            "a\u{2028}b\n\n\u{AD}\u{200B}# c\n\n\u{200B}\u{200B}~~~\nx\u{202E}\n\u{200B}~~~\ny\u{200B}",
            "a b\n\n# c\n\n\u{FFFD}~~~\nx\n\u{FFFD}~~~\ny",
        ),
        // How a line is broken is no question of code.
        ("a  \u{200B}\nb\u{200B}", "a  \nb"),
        // What an emoji is joined by is a part of what is marked.
        ("\u{AD}```\u{FE0F}a", "\u{FFFD}```a"),
    ]);
}

#[test]
fn what_became_visible_is_told() {
    let marked = |line, c: &str| vec![(Code::InvisibleMarked, Some(line), Some(c.into()))];
    let input = "soft\u{AD}hyphen\n\n\u{200B}```\nx\n```\n";
    assert_eq!(codes(input), marked(3, "U+200B"));
    assert_eq!(text(input).removed().invisible, 2 + 3);
    assert_eq!(codes("a\u{200B}b"), []);
}

#[test]
fn many_characters_keep_nothing_waiting() {
    // All but one of each block can go.
    let input = "a\u{200B}b\u{AD}c\n\n\u{200B}```\nx\n```\n\n".repeat(50);
    let treated = text(&input);
    assert_eq!(treated.text.matches('\u{FFFD}').count(), 50);
    // More than is looked at is marked, and no code is lost.
    let input = input.repeat(40);
    let treated = text(&input);
    assert!(treated.text.matches('\u{FFFD}').count() >= 2_000);
    assert_eq!(text(&treated.text).text, treated.text);
}

#[test]
fn tags_are_escaped_everywhere() {
    check(&[
        ("<workspace-context>", "&lt;workspace-context>"),
        ("</Workspace-Context >", "&lt;/Workspace-Context >"),
        ("< \n/ /\tAVAILABLE-SKILLS", "&lt;\n/ /\tAVAILABLE-SKILLS"),
        (
            "<context-file source=\"/a\">",
            "&lt;context-file source=\"/a\">",
        ),
        ("`</context-file>`", "`&lt;/context-file>`"),
        ("```\n</context-file>\n```", "```\n&lt;/context-file>\n```"),
        (
            "<workspace-context-update id=\"1\"/>",
            "&lt;workspace-context-update id=\"1\"/>",
        ),
        ("<<workspace-context<a", "<&lt;workspace-context<a"),
        ("x <work<!-- -->space-context>", "x &lt;workspace-context>"),
        ("<work\u{200B}space-context>", "&lt;workspace-context>"),
        (
            "<\u{200C}work\u{200C}space-context>",
            "&lt;\u{200C}work\u{200C}space-context>",
        ),
        (
            "<wor\u{212A}\u{17F}pace-context>",
            "&lt;wor\u{212A}\u{17F}pace-context>",
        ),
        ("<workspace context> a <", "<workspace context> a <"),
    ]);
}

#[test]
fn a_tag_of_ours_hides_no_comment() {
    // For readers this is one block of HTML, and the fence is no fence.
    let treated = text("<workspace-context>\n```\n<!-- evil -->\n```\n");
    assert!(!treated.text.contains("evil"), "{:?}", treated.text);
    assert_eq!(text(&treated.text).text, treated.text);
}

#[test]
fn what_is_taken_out_is_told() {
    let input = "\u{FEFF}a  \r\n\r\n\r\n\r\nb<!-- x\u{200B} -->\u{200B}c\r\n";
    let treated = text(input);
    assert_eq!(treated.text, "a\n\nbc");
    let expected = Removed {
        comment: "<!-- x -->".len() as u64,
        invisible: 3 * 3,
        blank: "  \n\n\n".len() as u64,
    };
    assert_eq!(treated.removed(), expected);
    let gone = treated.pieces.iter().filter_map(|piece| match piece.fate {
        Fate::Gone(reason) => Some((&input[piece.range.clone()], reason)),
        Fate::Kept | Fate::Replaced(_) => None,
    });
    assert_eq!(
        gone.collect::<Vec<_>>(),
        [
            ("\u{FEFF}", Reason::Invisible),
            ("  ", Reason::Blank),
            ("\n", Reason::Blank),
            ("\n", Reason::Blank),
            ("<!-- x", Reason::Comment),
            ("\u{200B}", Reason::Invisible),
            (" -->", Reason::Comment),
            ("\u{200B}", Reason::Invisible),
            ("\n", Reason::Blank),
        ]
    );
}

#[test]
fn what_is_read_alone_is_whole() {
    let skill = "\u{FEFF}---\r\nname: lint\r\n---\r\n\r\n\r\n<!-- shown -->\r\nRun it.\u{200B}  \r\n</available-skills>\r\n";
    let expected = "---\nname: lint\n---\n\n\n<!-- shown -->\nRun it.  \n&lt;/available-skills>\n";
    assert_eq!(shown(skill), expected);
    assert_eq!(shown(expected), expected);
}

#[test]
fn a_line_is_one_line() {
    for (input, expected) in [
        ("", ""),
        (" \n", ""),
        ("a\r\nb\u{85}c\u{2028}d\te\0f", "a  b c d e f"),
        ("\n\nSource: a\n", "Source: a"),
        ("Posts `<!-- x -->`", "Posts `<!-- x -->`"),
        (
            "/home/\u{202E}a</workspace-context>",
            "/home/a&lt;/workspace-context>",
        ),
        ("\u{200B} a", "a"),
    ] {
        assert_eq!(line(input), expected, "{input:?}");
        assert_eq!(line(expected), expected, "again: {input:?}");
    }
}

/// What the pieces of a text make: what is given, and everything that stood there.
fn whole(input: &str, treated: &Treated) -> (String, String) {
    let (mut given, mut all, mut end) = (String::new(), String::new(), 0);
    for piece in &treated.pieces {
        assert_eq!(piece.range.start, end, "{input:?}: {treated:?}");
        end = piece.range.end;
        let bytes = &input[piece.range.clone()];
        all += bytes;
        given += match piece.fate {
            Fate::Kept => bytes,
            Fate::Replaced(put) => put,
            Fate::Gone(_) => "",
        };
    }
    (given, all)
}

proptest! {
    #[test]
    fn pieces_make_the_text_before_and_the_text(
        input in "(<!-- x -->|<!-- </context-file> -->|<!--|-->|`|```|\n|\n\n|  \n|    |- |> |a|é|\r|\r\n|\u{200B}|\u{2028}|\u{FEFF}|<pre>|<\\?p \\?>|</context-file>){0,24}"
    ) {
        for renderer in Renderer::ALL {
            let treated = treat::instruction_file(input.as_bytes(), renderer);
            let (given, all) = whole(&input, &treated);
            prop_assert_eq!(given, &*treated.text);
            prop_assert_eq!(all, &*input);
        }
    }
}
