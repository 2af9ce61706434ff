//! The settings: the caller's tokens and usage, and for admins the users and the audit log.

use ctxpin_model::access::{Role, Roles};

pub(super) mod audit;
pub(super) mod tokens;
pub(super) mod usage;
pub(super) mod users;

/// A page of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tab {
    Tokens,
    Usage,
    Users,
    Audit,
}

/// A link to a page of the settings.
struct TabLink {
    label: &'static str,
    path: &'static str,
    is_current: bool,
}

/// Returns the links of the pages that somebody with these roles may see.
fn tabs(current: Tab, roles: Roles) -> Vec<TabLink> {
    let is_admin = roles.has(Role::Admin);
    let all = [
        (Tab::Tokens, "Tokens", "/settings", true),
        (Tab::Usage, "Usage", "/settings/usage", true),
        (Tab::Users, "Users", "/settings/users", is_admin),
        (
            Tab::Audit,
            "Audit log",
            "/settings/audit",
            is_admin || roles.has(Role::Auditor),
        ),
    ];
    let seen = all.into_iter().filter(|(_, _, _, is_seen)| *is_seen);
    let links = seen.map(|(tab, label, path, _)| TabLink {
        label,
        path,
        is_current: tab == current,
    });
    links.collect()
}
