//! Finds HTML elements that their own tag hides from readers.

use super::tag_name;

/// At this offset or beyond, in any unit, an element is outside of the page.
const FAR_OUT: f64 = -900.0;

/// Returns whether an opening tag hides its element, by `hidden` or by a style.
pub(super) fn is_concealed(tag: &str) -> bool {
    let Some(name) = tag_name(tag).filter(|_| !tag.starts_with("</")) else {
        return false;
    };
    let attributes = attributes(&tag["<".len() + name.len()..]);
    attributes.iter().any(|(name, value)| match name.as_str() {
        "hidden" => true,
        "style" => is_hiding(value),
        _ => false,
    })
}

/// Returns the attributes in a tag's text after its name, with names in lower case (HTML Living
/// Standard, 13.2.5.32).
fn attributes(tag: &str) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    let is_between = |c: char| c.is_ascii_whitespace() || c == '/' || c == '>';
    let mut rest = tag.trim_start_matches(is_between);
    while !rest.is_empty() {
        let end = rest.find(|c: char| is_between(c) || c == '=');
        // A `=` at the beginning is the first character of a name.
        let end = end.map_or(rest.len(), |end| end.max(1));
        let name = rest.get(..end).unwrap_or(rest).to_ascii_lowercase();
        rest = rest.get(end..).unwrap_or_default();
        let mut value = "";
        if let Some(after) = rest.trim_ascii_start().strip_prefix('=') {
            let after = after.trim_ascii_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            let (open, close) = match quote {
                Some(quote) => (1, after[1..].find(quote).map(|close| close + 1)),
                None => (0, after.find(|c: char| c.is_ascii_whitespace() || c == '>')),
            };
            let close = close.unwrap_or(after.len());
            value = &after[open..close];
            rest = after.get(close + open..).unwrap_or_default();
        }
        found.push((name, value));
        rest = rest.trim_start_matches(is_between);
    }
    found
}

/// Returns whether a style hides its element.
fn is_hiding(style: &str) -> bool {
    let style = style.to_ascii_lowercase();
    let declarations = style.split(';').filter_map(|declaration| {
        let (name, value) = declaration.split_once(':')?;
        let value = value.trim().trim_end_matches("!important").trim_end();
        Some((name.trim(), value))
    });
    let (mut is_clipped, mut is_empty) = (false, false);
    for (name, value) in declarations {
        let number = number(value);
        let is_hidden = match name {
            "display" => value == "none",
            "visibility" => matches!(value, "hidden" | "collapse"),
            "content-visibility" => value == "hidden",
            "font-size" | "opacity" | "zoom" => number == Some(0.0),
            "color" => value == "transparent",
            "left" | "right" | "top" | "bottom" | "text-indent" | "margin" | "margin-left"
            | "margin-top" => number.is_some_and(|number| number <= FAR_OUT),
            "clip" => value.starts_with("rect(0"),
            "clip-path" => matches!(value, "inset(50%)" | "inset(100%)" | "circle(0)"),
            "transform" => value == "scale(0)",
            _ => false,
        };
        if is_hidden {
            return true;
        }
        match name {
            "overflow" | "overflow-x" | "overflow-y" => {
                is_clipped |= matches!(value, "hidden" | "clip");
            }
            "height" | "max-height" | "width" | "max-width" => is_empty |= number == Some(0.0),
            _ => {}
        }
    }
    is_clipped && is_empty
}

/// Returns the number at the beginning of a value, without its unit.
fn number(value: &str) -> Option<f64> {
    let end = value.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+'));
    value[..end.unwrap_or(value.len())].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_elements_are_found() {
        for tag in [
            "<div hidden>",
            "<div\nhidden\n>",
            "<div class='a' HIDDEN=until-found>",
            "<p style=\"Display : none\">",
            "<p style=display:none>",
            "<p style='color: red; visibility:hidden'>",
            "<p style=\"font-size:0\">",
            "<p style=\"font-size: 0px !important\">",
            "<p style=\"opacity:0.0;\">",
            "<p style=\"height:0;overflow:hidden\">",
            "<p style=\"overflow: hidden; max-width: 0em\">",
            "<p style=\"position:absolute;left:-9999px\">",
            "<p style=\"text-indent:-1000em\">",
            "<p style=\"clip: rect(0,0,0,0)\">",
        ] {
            assert!(is_concealed(tag), "{tag}");
        }
        for tag in [
            "<div>",
            "</div hidden>",
            "<p class=hidden>",
            "<p title=\"hidden\">",
            "<p title='a hidden b' data-hidden>",
            "<p title=\"display:none\">",
            "<p style=\"font-size:0.8em;opacity:0.5;left:-2px\">",
            "<p style=\"height:0\">",
            "<p style=\"overflow:hidden;height:10px\">",
            "<p style>",
            "<p =",
            "<p style='",
        ] {
            assert!(!is_concealed(tag), "{tag}");
        }
    }
}
