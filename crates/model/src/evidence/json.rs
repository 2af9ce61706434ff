//! Rows as canonical JSON (RFC 8785), which is stored.

use serde_json::{Map, Value, json};

use super::{ForeignText, Place, ResourceResult, Row};
use crate::hash::{AnyHash, BlobHash};

impl Row {
    /// Returns the row as canonical JSON. Equal rows have equal bytes.
    pub fn canonical_json(&self) -> String {
        let resources: Vec<_> = self.resources.iter().map(ResourceResult::json).collect();
        let gaps: Vec<_> = self.gaps.iter().map(|gap| gap.as_str()).collect();
        let mut row = json!({
            "source": self.source.as_str(), "key": self.key.hex(), "verdict": self.verdict.as_str(),
            "requests": self.requests, "whole": self.whole, "gaps": gaps, "resources": resources,
            "left_out": self.left_out,
        });
        if let Value::Object(members) = &mut row {
            let different = self.first_different.map(Value::from);
            let version = self.client_version.map(|version| version.as_str().into());
            let optional = [("first_different", different), ("client_version", version)];
            let present = optional.into_iter();
            let present = present.filter_map(|(name, value)| Some((name.to_owned(), value?)));
            members.extend(present);
        }
        serde_jcs::to_string(&row).expect("a JSON value always has a canonical form")
    }

    /// Parses the result of [`Self::canonical_json`], of this release or another, and skips unknown members. Returns
    /// `None` if the bytes are not a row.
    pub fn from_canonical_json(bytes: &[u8]) -> Option<Self> {
        let row: Value = serde_json::from_slice(bytes).ok()?;
        let number = |name: &str| row.get(name)?.as_u64();
        let word = |name: &str| row.get(name)?.as_str();
        let list = |name: &str| row.get(name)?.as_array();
        let gaps = list("gaps")?.iter();
        let resources = list("resources")?.iter();
        Some(Self {
            source: word("source")?.parse().ok()?,
            client_version: word("client_version").and_then(|version| version.parse().ok()),
            key: AnyHash::from(digits(row.get("key")?)?),
            verdict: word("verdict")?.parse().ok()?,
            requests: number("requests")?,
            whole: number("whole")?,
            gaps: gaps
                .map(|gap| gap.as_str()?.parse().ok())
                .collect::<Option<_>>()?,
            first_different: number("first_different"),
            resources: resources.map(result).collect::<Option<_>>()?,
            left_out: number("left_out")?,
        })
    }
}

impl ResourceResult {
    /// Returns how many bytes the result takes in a row as JSON.
    pub fn json_bytes(&self) -> usize {
        self.json().to_string().len() + 1
    }

    fn json(&self) -> Value {
        let mut members = Map::new();
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                members.insert(name.into(), value);
            }
        };
        add("path", self.path.clone().map(Value::from));
        add("kind", self.kind.map(|kind| kind.as_str().into()));
        add("content", self.content.map(|content| content.hex().into()));
        add("outcome", Some(self.outcome.as_str().into()));
        add("given_bytes", self.given_bytes.map(Value::from));
        add("size_bytes", self.size_bytes.map(Value::from));
        add("body", self.has_body.map(Value::from));
        add("within", self.is_within.then_some(true.into()));
        add("request", Some(self.request.into()));
        let place = self
            .place
            .map(|place| json!([place.message, place.string, place.at]));
        add("place", place);
        if let Some(foreign) = &self.foreign {
            let names = foreign.names.map(|name| name.to_string());
            add("bytes", Some(foreign.bytes.into()));
            add("names", Some(json!(names)));
        }
        Value::Object(members)
    }
}

fn result(value: &Value) -> Option<ResourceResult> {
    let word = |name: &str| value.get(name)?.as_str();
    let number = |name: &str| value.get(name)?.as_u64();
    let place = |value: &Value| {
        let number = |at: usize| value.get(at)?.as_u64();
        Some(Place {
            message: number(0)?,
            string: number(1)?.try_into().ok()?,
            at: number(2)?,
        })
    };
    let names = value.get("names").and_then(Value::as_array);
    let names = names.and_then(|names| {
        let [first, second] = &names[..] else {
            return None;
        };
        Some([first, second].map(|name| name.as_str().unwrap_or_default().parse().ok()))
    });
    let foreign = match (names, number("bytes")) {
        (Some([first, second]), Some(bytes)) => Some(ForeignText {
            bytes,
            names: [first?, second?],
        }),
        _ => None,
    };
    Some(ResourceResult {
        path: word("path").map(str::to_owned),
        kind: word("kind").and_then(|kind| kind.parse().ok()),
        content: value.get("content").and_then(digits).map(BlobHash::from),
        outcome: word("outcome")?.parse().ok()?,
        given_bytes: number("given_bytes"),
        size_bytes: number("size_bytes"),
        has_body: value.get("body").and_then(Value::as_bool),
        is_within: value
            .get("within")
            .and_then(Value::as_bool)
            .unwrap_or_default(),
        request: number("request")?,
        place: value.get("place").and_then(place),
        foreign,
    })
}

/// Reads 64 hexadecimal digits.
fn digits(value: &Value) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(value.as_str()?, &mut bytes).ok()?;
    Some(bytes)
}
