//! Enrolment.

use ctxpin_model::enrolment::{EnrolRequest, MalformedEnrolmentCode};
use ctxpin_model::hash::BlobHash;
use ctxpin_model::profile::Profile;

use super::agents::read_profile;
use super::members::{InvalidMember, hash};
use crate::http::enrolment::AgentEnrol;

/// Reads a request to exchange a code.
///
/// # Errors
///
/// Fails if the code, the hash or the profile is malformed.
pub fn agent_enrol(enrol: &AgentEnrol) -> Result<EnrolRequest, InvalidMember> {
    let malformed = |error: MalformedEnrolmentCode| InvalidMember::new("code", error.to_string());
    let code = enrol.code.expose().parse().map_err(malformed)?;
    let secret_hash: BlobHash = hash("secret_hash", &enrol.secret_hash)?;
    let profile = enrol.profile.as_deref();
    Ok(EnrolRequest {
        code,
        secret_hash: *secret_hash.bytes(),
        profile: profile.map_or(Ok(Profile::Neutral), read_profile)?,
    })
}
