//! The reason of a refusal, as members of a problem.

use ctxpin_model::access::Refusal;

use crate::problem::Problem;

/// The member with the reason of a refusal.
pub const REASON: &str = "reason";

/// The reason of a refusal for want of a scope, which another token may have.
pub const SCOPE_MISSING: &str = "scope-missing";

/// The reason of a refusal of what only the owner may do.
pub const NOT_OWNER: &str = "not-owner";

/// Adds the reason of a refusal to a problem, and the scope or the role that is missing.
pub fn with_refusal(problem: Problem, refusal: Refusal) -> Problem {
    let (reason, missing) = match refusal {
        Refusal::UserNeeded => ("user-needed", None),
        Refusal::AgentNeeded => ("agent-needed", None),
        Refusal::ScopeMissing(scope) | Refusal::RevokesWider(scope) => {
            (SCOPE_MISSING, Some(("scope", scope.as_str())))
        }
        Refusal::RoleMissing(role) => ("role-missing", Some(("role", role.as_str()))),
        Refusal::NotOwner => (NOT_OWNER, None),
        Refusal::MayNotRefresh => ("may-not-refresh", None),
    };
    let problem = problem.with(REASON, reason);
    match missing {
        Some((member, word)) => problem.with(member, word),
        None => problem,
    }
}
