//! The search for chats by their titles and ids.

use crate::id::ChatId;

/// The fewest digits at the end of an id, or among its last 8, that name it.
const ENDING_DIGITS_MIN: usize = 4;

/// The digits at the end of an id that people see.
const SHOWN_DIGITS: usize = 8;

/// The fewest digits inside an id that name it. Fewer occur in many ids, because ids of one time begin alike.
const PART_DIGITS_MIN: usize = 8;

/// A search for chats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatSearch {
    /// The part of the title, folded.
    title: String,
    /// The digits of the id, without hyphens and in lower case. `None` if the search is for titles alone, or its text
    /// is no part of an id.
    digits: Option<String>,
}

impl ChatSearch {
    /// Searches for chats whose titles contain `text`. Case does not matter, in any script.
    pub fn by_title(text: &str) -> Self {
        Self {
            title: folded(text),
            digits: None,
        }
    }

    /// Searches for chats whose titles contain `text`, or the last 8 digits of whose ids contain it. A part of 8
    /// digits finds an id anywhere.
    pub fn by_title_or_id(text: &str) -> Self {
        let digits = text.trim().replace('-', "").to_ascii_lowercase();
        let is_part = digits.len() >= ENDING_DIGITS_MIN
            && digits.len() <= 32
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        Self {
            digits: is_part.then_some(digits),
            ..Self::by_title(text)
        }
    }

    /// Returns whether the search finds a chat.
    pub fn finds(&self, id: ChatId, title: Option<&str>) -> bool {
        title.is_some_and(|title| folded(title).contains(&self.title)) || self.finds_id(id)
    }

    fn finds_id(&self, id: ChatId) -> bool {
        let Some(digits) = &self.digits else {
            return false;
        };
        let id = id.uuid().simple().to_string();
        let (_, shown) = id.split_at(id.len() - SHOWN_DIGITS);
        let is_shown = shown.contains(digits) || id.ends_with(digits);
        is_shown || (digits.len() >= PART_DIGITS_MIN && id.contains(digits))
    }
}

/// Returns whether a name contains a text, whatever the case of the letters and the number of blanks between words.
pub fn name_contains(name: &str, text: &str) -> bool {
    folded(name).contains(&folded(text))
}

/// Returns a text without blanks around it, with one between its words, in which letters that differ only in case are
/// equal. The detour through upper case makes `ß` equal to `ss`, and all forms of sigma equal.
fn folded(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    let upper: String = words
        .join(" ")
        .chars()
        .flat_map(char::to_uppercase)
        .collect();
    upper.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn titles_are_found_whatever_their_case() {
        let check = |search: &str, title: &str, expected: bool| {
            let found = ChatSearch::by_title(search).finds(Uuid::nil().into(), Some(title));
            assert_eq!(found, expected, "{search} in {title}");
        };
        check("PAYMENT", "Split the payment step", true);
        check(" split ", "Split the payment step", true);
        check("überweisung", "ÜBERWEISUNG", true);
        check("STRASSE", "Straße sperren", true);
        check("οδός", "ΟΔΌΣ", true);
        check("дом", "ДОМ", true);
        check("payments", "Split the payment step", false);
        check("the  payment\tstep", "Split the payment step", true);
        check("the payment", "Split the\u{a0} payment step", true);
        check("0000", "", false);
        let nothing = ChatSearch::by_title("a").finds(Uuid::nil().into(), None);
        assert!(!nothing);
    }

    #[test]
    fn ids_are_found_by_a_part_of_what_is_shown_and_by_a_long_part() {
        let id: ChatId = "0192f0c1-1111-7abc-8def-0123456789ab".parse().unwrap();
        let check = |search: &str, expected: bool| {
            let found = ChatSearch::by_title_or_id(search).finds(id, Some("A title"));
            assert_eq!(found, expected, "{search}");
        };
        check("89ab", true);
        check("89AB", true);
        check("4567", true);
        check("6789", true);
        check("3456", false);
        check("0123456789ab", true);
        check("8def-0123456789ab", true);
        check("0192f0c1", true);
        check("f0c1-1111", true);
        check("9ab", false);
        check("1111", false);
        check("0192f0c2", false);
        check("title", true);
        assert!(!ChatSearch::by_title("89ab").finds(id, Some("A title")));
    }
}
