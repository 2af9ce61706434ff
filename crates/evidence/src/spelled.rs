//! The model's words in a state.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// Writes a word.
///
/// # Errors
///
/// Fails if the serializer does.
pub fn serialize<W: Display, S: Serializer>(word: &W, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(word)
}

/// Reads a word.
///
/// # Errors
///
/// Fails for an unknown word.
pub fn deserialize<'de, W, D>(deserializer: D) -> Result<W, D::Error>
where
    W: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

/// Lists of words.
pub mod list {
    use super::{Deserialize, Deserializer, Display, FromStr, Serializer};
    use serde::de::Error as _;

    /// Writes words as a list of texts.
    ///
    /// # Errors
    ///
    /// Fails if the serializer does.
    pub fn serialize<W: Display, S: Serializer>(
        words: &[W],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(words.iter().map(W::to_string))
    }

    /// Reads words from a list of texts.
    ///
    /// # Errors
    ///
    /// Fails if one is unknown.
    pub fn deserialize<'de, W, D>(deserializer: D) -> Result<Vec<W>, D::Error>
    where
        W: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let words = texts.iter().map(|text| text.parse());
        words.collect::<Result<_, _>>().map_err(D::Error::custom)
    }
}

/// Words that may be absent.
pub mod option {
    use super::{Deserialize, Deserializer, Display, FromStr, Serializer};
    use serde::de::Error as _;

    /// Writes a word, or nothing.
    ///
    /// # Errors
    ///
    /// Fails if the serializer does.
    pub fn serialize<W: Display, S: Serializer>(
        word: &Option<W>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match word {
            Some(word) => serializer.collect_str(word),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a word, or nothing.
    ///
    /// # Errors
    ///
    /// Fails for an unknown word.
    pub fn deserialize<'de, W, D>(deserializer: D) -> Result<Option<W>, D::Error>
    where
        W: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = Option::<String>::deserialize(deserializer)?;
        let word = text.map(|text| text.parse()).transpose();
        word.map_err(D::Error::custom)
    }
}
