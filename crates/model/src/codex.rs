//! What Codex reads of a skill besides its `SKILL.md`.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::skill::strict_yaml;

/// The file in a skill's directory that says how Codex offers the skill: the folder and the name in it.
pub const OFFER_NAMES: [&str; 2] = ["agents", "openai.yaml"];

/// The members of the file. One of another type makes the whole file count for nothing.
#[derive(Deserialize)]
struct Offer {
    policy: Option<Policy>,
    #[serde(rename = "interface")]
    _interface: Option<Interface>,
    #[serde(rename = "dependencies")]
    _dependencies: Option<Dependencies>,
}

#[derive(Deserialize)]
struct Policy {
    /// A truth value, which stands in no quotes.
    allow_implicit_invocation: Option<Value>,
    #[serde(default)]
    products: Vec<Product>,
}

/// A known member that stands twice makes the whole file count for nothing, an unknown one does not.
#[derive(Deserialize)]
struct Interface {
    #[serde(rename = "display_name")]
    _display_name: Option<IgnoredAny>,
    #[serde(rename = "short_description")]
    _short_description: Option<IgnoredAny>,
    #[serde(rename = "icon_small")]
    _icon_small: Option<IgnoredAny>,
    #[serde(rename = "icon_large")]
    _icon_large: Option<IgnoredAny>,
    #[serde(rename = "brand_color")]
    _brand_color: Option<IgnoredAny>,
    #[serde(rename = "default_prompt")]
    _default_prompt: Option<String>,
}

#[derive(Deserialize)]
struct Dependencies {
    #[serde(rename = "tools")]
    _tools: Option<Vec<Tool>>,
}

#[derive(Deserialize)]
struct Tool {
    #[serde(rename = "type")]
    _type: Option<IgnoredAny>,
    #[serde(rename = "value")]
    _value: Option<IgnoredAny>,
    #[serde(rename = "description")]
    _description: Option<IgnoredAny>,
    #[serde(rename = "transport")]
    _transport: Option<IgnoredAny>,
    #[serde(rename = "command")]
    _command: Option<IgnoredAny>,
    #[serde(rename = "url")]
    _url: Option<IgnoredAny>,
}

#[derive(PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Product {
    #[serde(alias = "CHATGPT")]
    Chatgpt,
    #[serde(alias = "CODEX")]
    Codex,
    #[serde(alias = "ATLAS")]
    Atlas,
}

/// Returns why the file keeps a skill out of the list that Codex's model gets, as a message for people. `None` if it does
/// not, or cannot be read.
pub fn unoffered(offer: &[u8]) -> Option<&'static str> {
    let text = str::from_utf8(offer).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let policy = strict_yaml::<Offer>(text)?.policy?;
    let is_for_others = !policy.products.is_empty() && !policy.products.contains(&Product::Codex);
    match policy.allow_implicit_invocation {
        Some(Value::Bool(false)) => Some(
            "`allow_implicit_invocation` in its agents/openai.yaml is false, so Codex does not list it to its model",
        ),
        None | Some(Value::Bool(true) | Value::Null) => is_for_others.then_some(
            "`products` in its agents/openai.yaml does not name Codex, which does not list it",
        ),
        Some(Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(offer: impl AsRef<[u8]>, expected: Option<&str>) {
        let offer = offer.as_ref();
        let reason = unoffered(offer);
        let shown = String::from_utf8_lossy(offer);
        match (reason, expected) {
            (None, None) => {}
            (Some(reason), Some(expected)) => assert!(reason.contains(expected), "{shown}"),
            other => panic!("{shown}: {other:?}"),
        }
    }

    #[test]
    fn a_policy_keeps_a_skill_out_of_the_list() {
        // Each was seen in a request of Codex 0.171.0 and 0.150.0.
        let hidden = [
            "policy:\n  allow_implicit_invocation: false\n",
            "policy: {allow_implicit_invocation: FALSE}",
            "\u{feff}policy:\r\n  allow_implicit_invocation: False\r\n",
            "policy: {allow_implicit_invocation: !!bool false}",
            "policy: {allow_implicit_invocation: false, other: 1}\nother: 3\n",
            "interface: {display_name: 7, brand_color: zz}\npolicy: {allow_implicit_invocation: false}",
            "dependencies: {tools: [{}]}\npolicy: {allow_implicit_invocation: false}",
            "other: 1\nother: 2\npolicy: {allow_implicit_invocation: false}",
            "other: [{x: 1, x: 2}]\npolicy: {allow_implicit_invocation: false}",
            "policy: {allow_implicit_invocation: false, other: 1, other: 2}",
            "interface: {x: 1, x: 2}\npolicy: {allow_implicit_invocation: false}",
            "dependencies: {x: 1, x: 2, tools: [{foo: a, foo: b}]}\npolicy: {allow_implicit_invocation: false}",
        ];
        for offer in hidden {
            check(offer, Some("allow_implicit_invocation"));
        }
        check("policy: {products: [chatgpt]}", Some("products"));
        check("policy: {products: [atlas]}", Some("products"));
        for offer in [
            "",
            "policy: null",
            "policy: {allow_implicit_invocation: true}",
            "policy: {allow_implicit_invocation: ~}",
            "policy: {allow_implicit_invocation: \"false\"}",
            "policy: {allow_implicit_invocation: no}",
            "policy: {allow_implicit_invocation: off}",
            "policy: {allow_implicit_invocation: 0}",
            "policy: {allow_implicit_invocation: false, allow_implicit_invocation: true}",
            "policy: {allow_implicit_invocation: false}\nother: [",
            "policy: {allow_implicit_invocation: false}\n---\nx: 1\n",
            "policy: {allow_implicit_invocation: false, products: 7}",
            "interface: 7\npolicy: {allow_implicit_invocation: false}",
            "interface: {default_prompt: [a]}\npolicy: {allow_implicit_invocation: false}",
            "dependencies: x\npolicy: {allow_implicit_invocation: false}",
            "dependencies: {tools: 3}\npolicy: {allow_implicit_invocation: false}",
            "policy: {allow_implicit_invocation: false}\npolicy: {allow_implicit_invocation: false}",
            "interface: {}\ninterface: {}\npolicy: {allow_implicit_invocation: false}",
            "interface: {icon_small: a, icon_small: b}\npolicy: {allow_implicit_invocation: false}",
            "dependencies: {tools: [{type: a, type: b}]}\npolicy: {allow_implicit_invocation: false}",
            "policy: {products: []}",
            "policy: {products: [atlas], allow_implicit_invocation: 0}",
            "policy: {products: [codex, atlas]}",
            "policy: {products: [CODEX]}",
            "policy: {products: [x]}",
        ] {
            check(offer, None);
        }
        check(b"policy: {allow_implicit_invocation: false} # \xff", None);
    }
}
