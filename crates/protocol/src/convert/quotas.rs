//! Quotas, their use and their warnings.

use ctxpin_model::agent::PushRefused;
use ctxpin_model::quota::{QuotaChange, QuotaWarning, Stock, UserUsage};

use super::members::{InvalidMember, NUMBER_MAX};
use crate::http::quotas;

/// Returns the wire shape of a warning.
pub fn warning(warning: &QuotaWarning) -> quotas::QuotaWarning {
    quotas::QuotaWarning {
        limit: warning.stock.to_string(),
        used: warning.used,
        quota: warning.quota,
    }
}

/// Returns the wire shape of a refusal.
pub fn refused(refused: PushRefused) -> quotas::PushRefused {
    quotas::PushRefused {
        limit: refused.limit.to_string(),
        at: refused.at.utc(),
    }
}

/// Returns the wire shape of a user's quotas and their use.
pub fn usage(view: &UserUsage) -> quotas::Usage {
    let used = |stock| quotas::Used {
        used: view.usage.used.of(stock),
        quota: view.usage.quota(stock, &view.defaults),
        is_default: view.usage.overrides.of(stock).is_none(),
    };
    quotas::Usage {
        user: view.user.uuid(),
        content_bytes: used(Stock::ContentBytes),
        agents: used(Stock::Agents),
        chats: used(Stock::Chats),
        tokens: used(Stock::Tokens),
    }
}

/// Reads a change of a user's quotas.
///
/// # Errors
///
/// Fails if the change is empty, or a number is too large.
pub fn change(change: &quotas::QuotaChange) -> Result<QuotaChange, InvalidMember> {
    let changed = QuotaChange {
        content_bytes: number("content_bytes", change.content_bytes)?,
        agents: number("agents", change.agents)?,
        chats: number("chats", change.chats)?,
        tokens: number("tokens", change.tokens)?,
    };
    if changed == QuotaChange::default() {
        let reason = "the change is empty; set `content_bytes`, `agents`, `chats` or `tokens`";
        return Err(InvalidMember::new("quota", reason));
    }
    Ok(changed)
}

fn number(member: &str, number: Option<Option<u64>>) -> Result<Option<Option<u64>>, InvalidMember> {
    match number {
        Some(Some(number)) if number > NUMBER_MAX => {
            let reason = format!("it must be at most {NUMBER_MAX}");
            Err(InvalidMember::new(member, reason))
        }
        number => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_change_is_refused() {
        let read = |text: &str| {
            let asked = serde_json::from_str(text).unwrap();
            change(&asked).map_err(|invalid| invalid.member)
        };
        let expected = QuotaChange {
            content_bytes: Some(Some(0)),
            chats: Some(None),
            ..QuotaChange::default()
        };
        assert_eq!(read(r#"{"content_bytes":0,"chats":null}"#), Ok(expected));
        assert_eq!(read("{}"), Err("quota".into()));
        let large = format!(r#"{{"agents":{}}}"#, NUMBER_MAX + 1);
        assert_eq!(read(&large), Err("agents".into()));
    }
}
