//! The pages: what people see in a browser. A page shows what operations return and decides nothing. Each page is
//! a struct with a template in `templates/`, so that a wrong name does not compile.
//!
//! A page is complete without JavaScript. A write is a form, which the script sends by itself to update the page
//! in place.

mod answer;
mod assets;
mod bulk;
mod caller;
mod changes;
mod chat;
mod chats;
mod cursor;
mod decided;
mod done;
mod fields;
mod form;
mod frame;
mod local_path;
mod new_chat;
mod new_workspace;
mod parts;
mod problem;
pub(crate) mod routes;
mod search;
mod settings;
mod sign_in;
mod told;
mod typed;
mod unsent;
mod workspace_compare;
mod workspace_delete;
mod workspace_map;
mod workspaces;

pub(crate) use caller::PageCaller;
pub(crate) use problem::{show_problems, show_problems_to_people, unknown_page};
