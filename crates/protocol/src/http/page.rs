//! Lists, one page at a time, newest first.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Most items on one page.
pub const PAGE_ITEMS_MAX: u32 = 500;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// Where the next page begins: to be sent back as `cursor`. Null on the last page.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// Which page of a list is asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The `next` of the page before. The first page without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Most items wanted, from 1 to 500; 50 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u32>,
}
