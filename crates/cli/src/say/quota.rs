//! Amounts of limited things, and warnings about them.

use ctxpin_model::limits::format_bytes;
use ctxpin_model::quota::Stock;
use ctxpin_protocol::http::quotas::QuotaWarning;

/// Returns an amount with its unit.
pub fn amount(limit: &str, number: u64) -> String {
    match limit == Stock::ContentBytes.as_str() {
        true => format_bytes(number),
        false => number.to_string(),
    }
}

/// Returns the text of a warning about a quota.
pub fn quota_warning(warning: &QuotaWarning) -> String {
    let QuotaWarning { limit, used, quota } = warning;
    let what = match limit == Stock::ContentBytes.as_str() {
        true => "content",
        false => limit,
    };
    format!(
        "{what}: {} of {}; `ctxpin user usage` shows more",
        amount(limit, *used),
        amount(limit, *quota)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_told_in_their_unit() {
        let check = |limit: &str, used, quota, expected: &str| {
            let limit = limit.to_owned();
            let told = quota_warning(&QuotaWarning { limit, used, quota });
            assert_eq!(told, expected);
        };
        check(
            "content_bytes",
            9 << 30,
            10 << 30,
            "content: 9 GiB of 10 GiB; `ctxpin user usage` shows more",
        );
        check(
            "agents",
            800,
            1_000,
            "agents: 800 of 1000; `ctxpin user usage` shows more",
        );
    }
}
