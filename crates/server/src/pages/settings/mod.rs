//! The settings: the caller's tokens, sign-ins and usage, and for admins the users and the audit log.

use ctxpin_model::access::Operation;

use crate::pages::frame::Frame;

pub(super) mod audit;
pub(super) mod sessions;
pub(super) mod tokens;
pub(super) mod usage;
pub(super) mod users;

/// A page of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tab {
    Tokens,
    Sessions,
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

/// Returns the links of the pages that the caller of the frame may see.
fn tabs(current: Tab, frame: &Frame) -> Vec<TabLink> {
    let all = [
        (Tab::Tokens, "Tokens", "/settings", Operation::TokenList),
        (
            Tab::Sessions,
            "Sign-ins",
            "/settings/sessions",
            Operation::TokenList,
        ),
        (Tab::Usage, "Usage", "/settings/usage", Operation::UsageRead),
        (Tab::Users, "Users", "/settings/users", Operation::UserList),
        (
            Tab::Audit,
            "Audit log",
            "/settings/audit",
            Operation::AuditRead,
        ),
    ];
    let seen = all.into_iter().filter(|(_, _, _, needs)| frame.may(*needs));
    let links = seen.map(|(tab, label, path, _)| TabLink {
        label,
        path,
        is_current: tab == current,
    });
    links.collect()
}
