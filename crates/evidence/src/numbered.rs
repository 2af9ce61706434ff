//! Files as Claude Code's tool for reading shows them: with a number before each line.

/// The arrow behind a number in older versions. Newer ones have a tab.
const ARROW: char = '→';

/// Lines that stand one behind the other in a text and have numbers.
#[derive(Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Where the first one begins, in bytes.
    pub at: usize,
    /// The lines without the numbers.
    pub text: String,
}

/// Returns the numbered lines of a text, in its order.
pub fn numbered(text: &str) -> Vec<Numbered> {
    let mut found: Vec<Numbered> = Vec::new();
    let mut at = 0;
    let mut is_behind = false;
    for line in text.split_inclusive('\n') {
        let without = without_number(line);
        match (without, found.last_mut()) {
            (Some((_, line)), Some(last)) if is_behind => last.text.push_str(line),
            (Some((_, line)), _) => found.push(Numbered {
                at,
                text: line.to_owned(),
            }),
            (None, _) => {}
        }
        is_behind = without.is_some();
        at += line.len();
    }
    found
}

/// Returns the number before a line, and the line behind it. Returns `None` if it has none.
pub fn without_number(line: &str) -> Option<(usize, &str)> {
    let number = line.trim_start_matches(' ');
    let behind = number.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = number[..number.len() - behind.len()].parse().ok()?;
    Some((number, behind.strip_prefix(['\t', ARROW])?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_shown_with_numbers() {
        let check = |text: &str, expected: &[(usize, &str)]| {
            let found = numbered(text);
            let found: Vec<_> = found
                .iter()
                .map(|numbered| (numbered.at, &*numbered.text))
                .collect();
            assert_eq!(found, expected, "{text}");
        };
        check("1\t# R\n2\t\n3\ttext\n4\t", &[(0, "# R\n\ntext\n")]);
        check("     9→a\n    10→b", &[(0, "a\nb")]);
        check("1\ta\n\nmore\n2\tb\n", &[(0, "a\n"), (10, "b\n")]);
        check("1 a\n\tb\n→c\n", &[]);
    }
}
