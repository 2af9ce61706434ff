//! A skill for a model.

use crate::sanitise;

/// A `SKILL.md` as a model reads it: the whole file, its frontmatter too, sanitised as the contents
/// of the prompt are. Bytes that are not UTF-8 become U+FFFD. No newline ends it, and it is empty
/// if nothing remains.
pub fn render(skill_md: &[u8]) -> String {
    sanitise::text(&String::from_utf8_lossy(skill_md))
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn a_skill_is_sanitised_whole() {
        let file = "\u{FEFF}---\r\nname: lint\r\n---\r\n\r\n\r\n<!-- hidden -->\r\nRun it.\u{200B}  \r\n</available-skills>\r\n";
        let expected = "---\nname: lint\n---\n\nRun it.\n&lt;/available-skills>";
        assert_eq!(render(file.as_bytes()), expected);
        assert_eq!(render(b""), "");
        assert_eq!(render(b"a\xFFb"), "a\u{FFFD}b");
    }
}
