//! The names by which the reports find the figures of goals and plots.

pub use super::edits::EDIT;
pub use super::http::{PROMPT, PROMPT_KNOWN, ROW};
pub use super::monorepo::{edit as monorepo_edit, first_scan, memory as monorepo_memory};
pub use super::moves::{COMMIT, REFRESH, REFRESH_FIRST, refresh_first_of, refresh_of};
pub use super::pushes::{PUSH_HYDRATING, PUSH_PINNED, hydrating, one_changed};
pub use super::replicas::{REPLICAS_KNOWN, REPLICAS_PROMPT, REPLICAS_TURN};
pub use super::storage::PINS;
