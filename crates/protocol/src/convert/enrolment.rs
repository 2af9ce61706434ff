//! Enrolment.

use ctxpin_model::enrolment::{EnrolmentCode, MalformedEnrolmentCode};
use ctxpin_model::hash::BlobHash;

use super::members::{InvalidMember, hash};
use crate::http::enrolment::AgentEnrol;

/// Reads a request to exchange a code. Returns the code and the hash of the agent's secret.
///
/// # Errors
///
/// Fails if the code or the hash is malformed.
pub fn agent_enrol(enrol: &AgentEnrol) -> Result<(EnrolmentCode, [u8; 32]), InvalidMember> {
    let malformed = |error: MalformedEnrolmentCode| InvalidMember::new("code", error.to_string());
    let code = enrol.code.expose().parse().map_err(malformed)?;
    let secret_hash: BlobHash = hash("secret_hash", &enrol.secret_hash)?;
    Ok((code, *secret_hash.bytes()))
}
