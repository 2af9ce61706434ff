//! The search for chats by their titles and ids.

use crate::id::ChatId;

/// The fewest digits at the end of an id that name it.
const ENDING_DIGITS_MIN: usize = 4;

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
            title: folded(text.trim()),
            digits: None,
        }
    }

    /// Searches for chats whose titles contain `text`, or whose ids end with it. A part of 8 digits finds an id
    /// anywhere.
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
        id.ends_with(digits) || (digits.len() >= PART_DIGITS_MIN && id.contains(digits))
    }
}

/// Returns a text in which letters that differ only in case are equal. The detour through upper case makes `ß` equal
/// to `ss`, and all forms of sigma equal.
fn folded(text: &str) -> String {
    let upper = text.chars().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).collect()
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
        check("0000", "", false);
        let nothing = ChatSearch::by_title("a").finds(Uuid::nil().into(), None);
        assert!(!nothing);
    }

    #[test]
    fn ids_are_found_by_their_end_and_by_a_long_part() {
        let id: ChatId = "0192f0c1-1111-7abc-8def-0123456789ab".parse().unwrap();
        let check = |search: &str, expected: bool| {
            let found = ChatSearch::by_title_or_id(search).finds(id, Some("A title"));
            assert_eq!(found, expected, "{search}");
        };
        check("89ab", true);
        check("89AB", true);
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
