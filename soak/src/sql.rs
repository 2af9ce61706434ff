//! Statements that are put together while the soak runs.

use sqlx::AssertSqlSafe;

/// Marks a statement as safe. Its text is put together from the soak's own words and paths only.
#[expect(
    clippy::disallowed_methods,
    reason = "every caller makes its text of its own words and paths"
)]
pub fn safe(sql: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(sql)
}
