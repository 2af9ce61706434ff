//! The merge keys of YAML, as Claude Code reads them.

use std::fmt::{Formatter, Result as FmtResult};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The key that gives the keys of other mappings.
const KEY: &str = "<<";

/// A value in which each key `<<` has given its keys, also one in quotes. The keys of a mapping itself count, then those that
/// came first. What is neither a mapping nor in a list of mappings gives none.
pub(super) struct Merged(pub Value);

impl<'de> Deserialize<'de> for Merged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Merging).map(Self)
    }
}

struct Merging;

impl<'de> Visitor<'de> for Merging {
    type Value = Value;

    fn expecting(&self, f: &mut Formatter) -> FmtResult {
        f.write_str("a value of YAML")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Merged(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Value, A::Error> {
        let mut own = Map::new();
        let mut given = Vec::new();
        while let Some((key, Merged(value))) = mapping.next_entry::<String, _>()? {
            match (key.as_str(), value) {
                (KEY, Value::Array(values)) => given.extend(values),
                (KEY, value) => given.push(value),
                (_, value) => drop(own.insert(key, value)),
            }
        }
        for value in given {
            if let Value::Object(members) = value {
                for (key, value) in members {
                    own.entry(key).or_insert(value);
                }
            }
        }
        Ok(own.into())
    }
}
