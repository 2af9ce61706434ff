//! Whether an agent of the server and this process have the same profile, and the same rules of it.

use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::agents::Session;

use crate::error::AgentError;

/// Checks that the session's agent has this profile, and that the server knows the rules by which this release
/// scans.
///
/// # Errors
///
/// Fails if one of both is not so. The error says what to change or to upgrade.
pub(super) fn require_profile(profile: Profile, session: &Session) -> Result<(), AgentError> {
    let refused = |reason: String| Err(AgentError::Profile { reason });
    let known = &session.limits.profiles;
    let known = known.iter().find(|known| known.name == profile.as_str());
    let newest = profile.rules_known().last();
    match (known, newest) {
        (None, Some(_)) => refused(format!(
            "the server does not know the profile `{profile}`; upgrade the server"
        )),
        (Some(known), Some(newest)) if !known.rules.contains(newest) => {
            let which = match known.rules.iter().all(|version| version < newest) {
                true => "the server",
                false => "this `ctxpin`",
            };
            let versions: Vec<_> = known.rules.iter().map(u32::to_string).collect();
            refused(format!(
                "the server knows the rules {} of the profile `{profile}`, and this `ctxpin` follows {newest}; upgrade {which}",
                versions.join(", ")
            ))
        }
        _ if session.profile != profile.as_str() => refused(format!(
            "the agent is of the profile `{agent}`, and this process follows `{profile}`; start it with `--profile {agent}`, or create an agent with `--profile {profile}`",
            agent = session.profile
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use ctxpin_protocol::convert::resources::limits;
    use ctxpin_protocol::http::agents::KnownProfile;

    use super::*;

    fn session(agent: &str, known: &[(&str, &[u32])]) -> Session {
        let known = known.iter().map(|(name, rules)| KnownProfile {
            name: (*name).into(),
            rules: rules.to_vec(),
        });
        let mut limits = limits(1);
        limits.profiles = known.collect();
        Session {
            agent_id: None,
            epoch: 1,
            head: None,
            profile: agent.into(),
            limits,
            quota_warnings: Vec::new(),
            token_expires_at: None,
        }
    }

    fn check(profile: Profile, session: &Session, expected: &str) {
        let reason = match require_profile(profile, session) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        assert_eq!(reason, expected);
    }

    #[test]
    fn an_agent_needs_a_server_that_knows_its_profile_and_its_rules() {
        let (neutral, codex) = (Profile::Neutral, Profile::Codex);
        let newest = codex.rules_known().last().copied().unwrap();
        let present: &[_] = &[("neutral", &[][..]), ("codex", &[newest])];
        check(neutral, &session("neutral", &[]), "");
        check(neutral, &session("neutral", present), "");
        check(codex, &session("codex", present), "");
        check(
            codex,
            &session("neutral", &[]),
            "the server does not know the profile `codex`; upgrade the server",
        );
        check(
            codex,
            &session("codex", &[("codex", &[newest + 1, newest + 2])]),
            &format!(
                "the server knows the rules {}, {} of the profile `codex`, and this `ctxpin` follows {newest}; upgrade this `ctxpin`",
                newest + 1,
                newest + 2
            ),
        );
        check(
            codex,
            &session("codex", &[("codex", &[newest - 1])]),
            &format!(
                "the server knows the rules {} of the profile `codex`, and this `ctxpin` follows {newest}; upgrade the server",
                newest - 1
            ),
        );
        check(
            neutral,
            &session("codex", present),
            "the agent is of the profile `codex`, and this process follows `neutral`; start it with `--profile codex`, or create an agent with `--profile neutral`",
        );
    }
}
