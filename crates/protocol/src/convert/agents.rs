//! Agents and their heads.

use ctxpin_model::agent::{
    self, AgentRecord, AgentRequest, Head as HeadRecord, Replaces, SessionRequest, UnknownReplaces,
};
use ctxpin_model::id::AgentId;
use ctxpin_model::limits::{FACT_BYTES_MAX, POLLING_BYTES_MAX};
use ctxpin_model::moment::Moment;
use ctxpin_model::profile::Profile;

use super::members::{InvalidMember, chosen_name, text};
use super::quotas::{refused, warning};
use super::resources::limits;
use crate::http::agents::{Agent, AgentCreate, Head, Session, SessionOpen, TimelineHead};

/// Returns the wire shape of an agent, without its notes. `now` decides whether it counts as connected.
pub fn agent(agent: &AgentRecord, now: Moment) -> Agent {
    Agent {
        id: agent.id.uuid(),
        workspace: agent.workspace.clone(),
        name: Some(agent.name.clone()).filter(|name| !name.is_empty()),
        epoch: agent.epoch,
        profile: agent.profile.to_string(),
        home: agent.home.clone(),
        head: agent.head.map(head),
        mcp_settled: agent.mcp_settled,
        connected: agent.is_connected(now),
        polling: agent.polling.clone(),
        last_push_at: agent.last_push_at.map(Moment::utc),
        created_at: agent.created_at.utc(),
        notes: Vec::new(),
        refused: agent.refused.map(refused),
        token_expires_at: agent.token_expires_at.map(Moment::utc),
        token_revoked_at: agent.token_revoked_at.map(Moment::utc),
    }
}

/// Returns the wire shape of a head.
pub fn head(head: HeadRecord) -> Head {
    Head {
        snapshot: head.snapshot.to_string(),
        seq: head.seq,
        received_at: head.received_at.utc(),
    }
}

/// Returns the wire shape of a head in the timeline of `agent`.
pub fn timeline_head(agent: AgentId, head: HeadRecord) -> TimelineHead {
    TimelineHead {
        agent: agent.uuid(),
        seq: head.seq,
        snapshot: head.snapshot.to_string(),
        context_hash: head.hashes.context.to_string(),
        tools_hash: head.hashes.tools.to_string(),
        received_at: head.received_at.utc(),
    }
}

/// Returns the wire shape of a session. `request_bytes_max` is the greatest size of a request's body.
pub fn session(session: &agent::Session, request_bytes_max: u64) -> Session {
    Session {
        agent_id: Some(session.agent.uuid()),
        epoch: session.epoch,
        head: session.head.map(head),
        profile: session.profile.to_string(),
        limits: limits(request_bytes_max),
        quota_warnings: session.warnings.iter().map(warning).collect(),
        token_expires_at: session.token_expires_at.map(Moment::utc),
    }
}

/// Reads a request to open a session.
///
/// # Errors
///
/// Fails if the reason for polling is empty or too long, or holds NUL.
pub fn session_request(open: SessionOpen) -> Result<SessionRequest, InvalidMember> {
    let polling = open.polling.map(|reason| {
        if reason.is_empty() || reason.len() > POLLING_BYTES_MAX || reason.contains('\0') {
            let expected = format!("it must have 1 to {POLLING_BYTES_MAX} bytes and no NUL");
            return Err(InvalidMember::new("polling", expected));
        }
        Ok(reason)
    });
    Ok(SessionRequest {
        process: open.process.into(),
        polling: polling.transpose()?,
    })
}

/// Reads a request to create an agent.
///
/// # Errors
///
/// Fails if a name is not valid, `replaces` is neither an id nor `same`, or the profile or the home is not valid.
pub fn agent_request(create: AgentCreate) -> Result<AgentRequest, InvalidMember> {
    let name = create
        .name
        .map(|name| chosen_name("name", name))
        .transpose()?;
    let profile = create
        .profile
        .map_or(Ok(Profile::Neutral), |text| read_profile(&text))?;
    let home = create.home.map(|text| home(profile, text)).transpose()?;
    Ok(AgentRequest {
        workspace: chosen_name("workspace", create.workspace)?,
        name: name.unwrap_or_default(),
        may_refresh: create.may_refresh,
        replaces: create.replaces.as_deref().map(replaces).transpose()?,
        profile,
        home,
    })
}

/// Reads the profile of an agent.
///
/// # Errors
///
/// Fails if no agent of this release has it.
pub(super) fn read_profile(text: &str) -> Result<Profile, InvalidMember> {
    profile_named("profile", text, |known| {
        format!("this server has agents of the profiles {known} alone; a newer one may have others")
    })
}

/// Reads the name of a profile. `reason` says what to do about another name than the known ones.
///
/// # Errors
///
/// Fails if this release has no such profile.
pub(super) fn profile_named(
    member: &'static str,
    text: &str,
    reason: impl FnOnce(&str) -> String,
) -> Result<Profile, InvalidMember> {
    text.parse().map_err(|_| {
        let known = Profile::ALL.iter().map(|profile| profile.as_str());
        let known: Vec<_> = known.collect();
        InvalidMember::new(member, reason(&known.join(", ")))
    })
}

/// Reads the directory of a tool's settings, which is on the agent's machine.
fn home(profile: Profile, home: String) -> Result<String, InvalidMember> {
    if profile == Profile::Neutral {
        return Err(InvalidMember::new("home", "the neutral profile has none"));
    }
    if !home.starts_with('/') {
        return Err(InvalidMember::new("home", "it must be an absolute path"));
    }
    text("home", home, FACT_BYTES_MAX)
}

fn replaces(text: &str) -> Result<Replaces, InvalidMember> {
    let unknown = |error: UnknownReplaces| InvalidMember::new("replaces", error.to_string());
    text.parse().map_err(unknown)
}
