//! opencode's permissions for skills. Its model is not told of a skill that it may not load. Those of the agent with which a
//! session begins count behind those of every agent.

use std::collections::BTreeMap;

use ctxpin_model::profile::SkillPermission;
use ctxpin_model::skill::frontmatter_as;
use indexmap::IndexMap;
use serde::Deserialize;

/// The permission that a model needs to load a skill, and the tool with which it does.
const SKILL: &str = "skill";

/// The agent with which a session begins unless a configuration says otherwise.
const AGENT: &str = "build";

/// What configurations say of permissions.
#[derive(Debug, Default)]
pub struct Permissions {
    of_all: Rules,
    of_agent: BTreeMap<String, Rules>,
    /// The same under the older name, which counts more.
    of_mode: BTreeMap<String, Rules>,
    /// The agent with which sessions begin, if a configuration names one.
    default_agent: Option<String>,
    /// The agent with which sessions begin.
    agent: Option<String>,
}

/// What configurations say of the permissions of one agent or of all, in their order, which counts.
#[derive(Debug, Clone, Default)]
struct Rules {
    rules: IndexMap<String, Rule>,
    /// What `tools` says of all agents, an older form that gives way to the rules of every configuration.
    tools: IndexMap<String, Rule>,
}

/// The members of a configuration.
#[derive(Deserialize)]
struct Members {
    #[serde(flatten)]
    of_all: RuleMembers,
    agent: Option<BTreeMap<String, RuleMembers>>,
    mode: Option<BTreeMap<String, RuleMembers>>,
    default_agent: Option<String>,
}

#[derive(Deserialize)]
struct RuleMembers {
    permission: Option<Permission>,
    tools: Option<IndexMap<String, bool>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Permission {
    Everything(Action),
    Each(IndexMap<String, Rule>),
}

#[derive(Debug, Clone, Deserialize)]
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
            "is not valid: `permission`, `tools`, `agent`, `mode` or `default_agent` has a value of another type"
                .to_owned()
        })?;
        let of_each = |agents: Option<BTreeMap<String, RuleMembers>>| {
            let agents = agents.into_iter().flatten();
            agents
                .map(|(name, members)| (name, Rules::of(members).with_tools()))
                .collect()
        };
        Ok(Self {
            of_all: Rules::of(members.of_all),
            of_agent: of_each(members.agent),
            of_mode: of_each(members.mode),
            default_agent: members.default_agent,
            agent: None,
        })
    }

    /// Reads those of an agent that a Markdown file describes, in its frontmatter. Returns `None` if the file has one that
    /// cannot be read.
    pub fn of_markdown(agent: &str, text: &str) -> Option<Self> {
        let mut permissions = Self::default();
        let text = text.trim_start_matches('\u{feff}');
        if text.starts_with("---") {
            let members: RuleMembers = frontmatter_as(text)?;
            let rules = Rules::of(members).with_tools();
            permissions.of_agent.insert(agent.to_owned(), rules);
        }
        Some(permissions)
    }

    /// Returns what a configuration names as the agent with which a session begins. An empty name is none.
    pub fn default_agent(&self) -> Option<&str> {
        self.default_agent.as_deref()
    }

    /// Begins sessions with an agent.
    pub fn begin_with(&mut self, agent: String) {
        self.agent = Some(agent);
    }

    /// Takes what another layer says. What both have keeps its place.
    pub fn change(&mut self, other: Self) {
        self.of_all.change(other.of_all);
        for (own, other) in [
            (&mut self.of_agent, other.of_agent),
            (&mut self.of_mode, other.of_mode),
        ] {
            for (name, rules) in other {
                own.entry(name).or_default().change(rules);
            }
        }
        self.default_agent = other.default_agent.or(self.default_agent.take());
        self.agent = other.agent.or(self.agent.take());
    }

    /// Returns what decides about skills, as [`Self::of`] does.
    pub fn of_skills(&self) -> Vec<SkillPermission> {
        self.of(SKILL)
    }

    /// Returns whether a model does not get a tool. If only some of its uses are denied, it does.
    pub fn turn_off(&self, tool: &str) -> bool {
        let permissions = self.of(tool);
        let last = permissions.last();
        last.is_some_and(|last| last.is_denied && last.pattern == "*")
    }

    /// Returns what decides about the names that a tool takes, of which the last that matches counts. A model knows a name
    /// although a person is asked about it.
    pub fn of(&self, tool: &str) -> Vec<SkillPermission> {
        let agent = self.agent.as_deref().unwrap_or(AGENT);
        let mut of_agent = self.of_agent.get(agent).cloned().unwrap_or_default();
        of_agent.change(self.of_mode.get(agent).cloned().unwrap_or_default());
        let mut permissions = self.of_all.clone().about(tool);
        permissions.extend(of_agent.about(tool));
        // Everything is allowed before the first rule.
        let first = permissions
            .iter()
            .position(|permission| permission.is_denied);
        permissions.split_off(first.unwrap_or(permissions.len()))
    }
}

impl Rules {
    fn of(members: RuleMembers) -> Self {
        let rules = match members.permission {
            None => IndexMap::new(),
            Some(Permission::Everything(action)) => {
                [("*".to_owned(), Rule::Everything(action))].into()
            }
            Some(Permission::Each(rules)) => rules,
        };
        let tools = members.tools.unwrap_or_default().into_iter();
        let tools = tools.map(|(name, is_given)| {
            let action = match is_given {
                true => Action::Allow,
                false => Action::Deny,
            };
            (name, Rule::Everything(action))
        });
        Self {
            rules,
            tools: tools.collect(),
        }
    }

    /// Returns the rules with those of `tools` before them. opencode does this with each description of an agent by itself,
    /// but with the tools of all agents when it has read everything.
    fn with_tools(self) -> Self {
        let mut rules = self.tools;
        rules.extend(self.rules);
        Self {
            rules,
            tools: IndexMap::new(),
        }
    }

    fn change(&mut self, other: Self) {
        for (name, rule) in other.rules {
            match (self.rules.get_mut(&name), rule) {
                (Some(Rule::Patterns(patterns)), Rule::Patterns(more)) => patterns.extend(more),
                (_, rule) => drop(self.rules.insert(name, rule)),
            }
        }
        self.tools.extend(other.tools);
    }

    fn about(self, tool: &str) -> Vec<SkillPermission> {
        let mut permissions = Vec::new();
        let mut add = |pattern: &str, action: Action| {
            permissions.push(SkillPermission {
                pattern: pattern.to_owned(),
                is_denied: action == Action::Deny,
            });
        };
        for (name, rule) in &self.with_tools().rules {
            if !SkillPermission::is_match(name, tool) {
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
        permissions
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
        if let Some(agent) = permissions.default_agent() {
            permissions.begin_with(agent.to_owned());
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
    fn the_agent_of_a_session_has_its_own() {
        // Each was seen in the requests of opencode 1.18.33.
        let build =
            r#"{"agent": {"build": {"permission": {"skill": {"one": "deny"}}, "model": 7}}}"#;
        check(&[build], "!one");
        check(
            &[build, r#"{"permission": {"skill": {"*": "allow"}}}"#],
            "!one",
        );
        check(&[r#"{"permission": {"skill": "deny"}}"#, build], "!* !one");
        check(
            &[r#"{"agent": {"build": {"tools": {"skill": false}}}}"#],
            "!*",
        );
        check(
            &[r#"{"mode": {"build": {"permission": {"skill": {"two": "deny"}}}}}"#],
            "!two",
        );
        // `tools` of an agent is a permission of that very layer.
        let no_tool = r#"{"agent": {"build": {"tools": {"skill": false}}}}"#;
        let some = r#"{"agent": {"build": {"permission": {"skill": {"t*": "allow"}}}}}"#;
        let all = r#"{"agent": {"build": {"permission": {"skill": "allow"}}}}"#;
        check(&[some, no_tool], "!*");
        check(&[all, no_tool], "!*");
        check(&[no_tool, all], "");
        check(
            &[r#"{"agent": {"build": {"tools": {"*": false, "skill": true}}}}"#],
            "!* *",
        );
        let plan = r#"{"default_agent": "plan", "agent": {"plan": {"permission": {"skill": {"two": "deny"}}}}}"#;
        check(&[plan], "!two");
        check(&[build, plan], "!two");
        check(&[plan, r#"{"default_agent": "build"}"#], "");
    }

    #[test]
    fn another_type_is_refused() {
        for text in [
            r#"{"permission": {"skill": {"alpha": "never"}}}"#,
            r#"{"permission": ["deny"]}"#,
            r#"{"tools": {"skill": "no"}}"#,
            r#"{"agent": {"build": {"permission": 1}}}"#,
            r#"{"default_agent": ["plan"]}"#,
        ] {
            assert!(Permissions::parse(text).is_err(), "{text}");
        }
    }
}
