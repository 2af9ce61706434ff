//! JSON of a line, of bounded size.

use serde::Deserialize;
use serde_json::Value;

use super::{Role, Said};

/// The greatest number of values in one line. A line of many small values takes many times its length in memory.
const VALUES_MAX: usize = 250_000;

/// Returns the `type` of the line's object, without keeping anything else of the line.
pub fn kind(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Kind {
        #[serde(rename = "type")]
        kind: String,
    }
    let kind: Kind = serde_json::from_slice(line).ok()?;
    Some(kind.kind)
}

/// Parses a line. Returns `None` if it is no JSON or has too many values.
pub fn parse(line: &[u8]) -> Option<Value> {
    let mut is_text = false;
    let mut is_escaped = false;
    let mut values = 1;
    for byte in line {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b',' | b'[' | b'{' if !is_text => values += 1,
            _ => {}
        }
    }
    if values > VALUES_MAX {
        return None;
    }
    serde_json::from_slice(line).ok()
}

/// Adds all strings of a value.
pub fn strings<'v>(value: &'v Value, role: Role, said: &mut Vec<Said<'v>>) {
    match value {
        Value::String(text) => said.push(Said { role, text }),
        Value::Array(values) => values.iter().for_each(|value| strings(value, role, said)),
        Value::Object(members) => {
            members
                .values()
                .for_each(|value| strings(value, role, said));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_bounded_number_of_values() {
        let list = |count: usize| format!("[{}1]", "1,".repeat(count - 1));
        assert!(parse(list(VALUES_MAX - 1).as_bytes()).is_some());
        assert!(parse(list(VALUES_MAX).as_bytes()).is_none());
        let text = format!("[\"\\\"{}\"]", ",".repeat(VALUES_MAX));
        assert!(parse(text.as_bytes()).is_some());
        assert!(parse(b"{\"a\": ").is_none());
    }
}
