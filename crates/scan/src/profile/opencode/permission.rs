//! opencode's permissions for skills. Its model is not told of a skill that it may not load.

use ctxpin_model::profile::SkillPermission;
use indexmap::IndexMap;
use serde::Deserialize;

/// The permission that a model needs to load a skill, and the tool with which it does.
const SKILL: &str = "skill";

/// What configurations say of permissions, in their order, which counts.
#[derive(Debug, Default)]
pub struct Permissions {
    rules: IndexMap<String, Rule>,
    /// Whether `tools` gives the model the tool for skills. `None` if it does not say so.
    has_tool: Option<bool>,
}

/// The members of a configuration.
#[derive(Deserialize)]
struct Members {
    permission: Option<Permission>,
    tools: Option<IndexMap<String, bool>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Permission {
    Everything(Action),
    Each(IndexMap<String, Rule>),
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Rule {
    Everything(Action),
    Patterns(IndexMap<String, Action>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Ask,
    Allow,
    Deny,
}

impl Permissions {
    /// Reads the permissions of a configuration, which is JSON.
    ///
    /// # Errors
    ///
    /// Fails if they have another type, with a message that quotes nothing.
    pub fn parse(json: &str) -> Result<Self, String> {
        let members: Members = serde_json::from_str(json).map_err(|_| {
            "is not valid: `permission` or `tools` has a value of another type".to_owned()
        })?;
        let rules = match members.permission {
            None => IndexMap::new(),
            Some(Permission::Everything(action)) => {
                [("*".to_owned(), Rule::Everything(action))].into()
            }
            Some(Permission::Each(rules)) => rules,
        };
        let tools = members.tools.unwrap_or_default();
        Ok(Self {
            rules,
            has_tool: tools.get(SKILL).copied(),
        })
    }

    /// Takes what another layer says. What both have keeps its place.
    pub fn change(&mut self, other: Self) {
        for (name, rule) in other.rules {
            match (self.rules.get_mut(&name), rule) {
                (Some(Rule::Patterns(patterns)), Rule::Patterns(more)) => patterns.extend(more),
                (_, rule) => drop(self.rules.insert(name, rule)),
            }
        }
        self.has_tool = other.has_tool.or(self.has_tool);
    }

    /// Returns what decides about skills, of which the last that matches counts. A person who is asked has the skill in
    /// the list.
    pub fn of_skills(&self) -> Vec<SkillPermission> {
        let mut permissions = Vec::new();
        let mut add = |pattern: &str, action: Action| {
            permissions.push(SkillPermission {
                pattern: pattern.to_owned(),
                is_denied: action == Action::Deny,
            });
        };
        // `tools` is an older form, which comes before the permissions.
        let is_named = self.rules.contains_key(SKILL);
        if let Some(has_tool) = self.has_tool.filter(|_| !is_named) {
            add(
                "*",
                if has_tool {
                    Action::Allow
                } else {
                    Action::Deny
                },
            );
        }
        for (name, rule) in &self.rules {
            if !SkillPermission::is_match(name, SKILL) {
                continue;
            }
            match rule {
                Rule::Everything(action) => add("*", *action),
                Rule::Patterns(patterns) => {
                    patterns
                        .iter()
                        .for_each(|(pattern, action)| add(pattern, *action));
                }
            }
        }
        // Everything is allowed before the first rule.
        let first = permissions
            .iter()
            .position(|permission| permission.is_denied);
        permissions.split_off(first.unwrap_or(permissions.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what layers say together, the last one last, as `pattern` or `!pattern` for a denied one.
    fn check(layers: &[&str], expected: &str) {
        let mut permissions = Permissions::default();
        for layer in layers {
            permissions.change(Permissions::parse(layer).unwrap());
        }
        let shown = permissions.of_skills().into_iter().map(|permission| {
            let sign = if permission.is_denied { "!" } else { "" };
            format!("{sign}{}", permission.pattern)
        });
        assert_eq!(shown.collect::<Vec<_>>().join(" "), expected, "{layers:?}");
    }

    #[test]
    fn layers_are_merged_in_their_order() {
        // Each was seen in the requests of opencode 1.18.33.
        check(&["{}"], "");
        check(
            &[r#"{"permission": {"skill": {"*": "allow", "in-*": "deny"}}}"#],
            "!in-*",
        );
        check(
            &[r#"{"permission": {"skill": {"in-*": "deny", "*": "allow"}}}"#],
            "!in-* *",
        );
        check(&[r#"{"permission": {"skill": "deny"}}"#], "!*");
        check(&[r#"{"permission": {"skill": {"in-*": "ask"}}}"#], "");
        check(&[r#"{"permission": "deny"}"#], "!*");
        check(
            &[r#"{"permission": {"*": "deny", "skill": "allow"}}"#],
            "!* *",
        );
        check(
            &[r#"{"permission": {"skill": "allow", "*": "deny"}}"#],
            "!*",
        );
        check(
            &[r#"{"permission": {"sk*": {"alpha": "deny"}, "edit": "deny"}}"#],
            "!alpha",
        );
        check(&[r#"{"tools": {"skill": false, "read": true}}"#], "!*");
        let [deny, alpha] = [
            r#"{"permission": {"skill": "deny"}}"#,
            r#"{"permission": {"skill": {"alpha": "allow"}}}"#,
        ];
        check(&[deny, alpha], "");
        check(&[alpha, deny], "!*");
        check(&[r#"{"permission": "deny"}"#, alpha], "!* alpha");
        check(&[r#"{"tools": {"skill": false}}"#, alpha], "");
        let denied = r#"{"permission": {"skill": {"*": "deny", "alpha": "allow"}}}"#;
        check(&[denied], "!* alpha");
        let allowed = r#"{"permission": {"skill": {"*": "allow"}}}"#;
        check(&[denied, allowed], "");
        check(
            &[r#"{"permission": {"skill": {"in-*": "deny"}}}"#, allowed],
            "!in-* *",
        );
    }

    #[test]
    fn another_type_is_refused() {
        for text in [
            r#"{"permission": {"skill": {"alpha": "never"}}}"#,
            r#"{"permission": ["deny"]}"#,
            r#"{"tools": {"skill": "no"}}"#,
        ] {
            assert!(Permissions::parse(text).is_err(), "{text}");
        }
    }
}
