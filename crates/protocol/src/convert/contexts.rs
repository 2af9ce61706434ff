//! The pin of a chat and its drift.

use ctxpin_model::context::ContextView;
use ctxpin_model::diff::effect::strongest;
use ctxpin_model::quota::QuotaWarning;

use super::agents::head;
use super::chats::context_brief;
use super::quotas::warning;
use super::resources::{change_within, resource_within};
use crate::http::context::Context;

/// Returns the wire shape of a chat's context, with its owner's quota warnings.
pub fn context(view: &ContextView, warnings: &[QuotaWarning]) -> Context {
    let tells_bodies = view.tells_bodies;
    let sides = view.sides();
    let pinned = view.pinned.iter().flat_map(|pinned| &pinned.resources);
    let changes = view.changes();
    Context {
        pin: context_brief(&view.chat),
        head: view.chat.head.map(head),
        resources: pinned
            .map(|pinned| {
                let treatment = sides.pinned.of(pinned, sides.renderer);
                resource_within(pinned, treatment, tells_bodies)
            })
            .collect(),
        profile: view.pinned.as_ref().map(|pinned| {
            let rules = pinned.facts.profile_rules();
            rules.profile.to_string()
        }),
        changes: changes
            .iter()
            .map(|differs| change_within(differs, sides, tells_bodies))
            .collect(),
        effect: strongest(&changes, sides).to_string(),
        latest_renderer: view.latest_renderer,
        notices: None,
        policy: view.chat.policy.to_string(),
        tools_differ: view.chat.tools_differ(),
        quota_warnings: warnings.iter().map(warning).collect(),
    }
}
