//! The routes of the pages.

use axum::Router;
use axum::routing::{MethodRouter, get, post};
use ctxpin_model::access::Operation;

use super::unsent::SIGN_OUT;
use super::{
    assets, bulk, changes, chat, chats, new_chat, new_workspace, problem, search, settings,
    sign_in, workspace_compare, workspace_delete, workspaces,
};
use crate::app::App;
use crate::limits::MOVE_BYTES_MAX;
use crate::route_policy::{BodyLimit, CachePolicy, RoutePolicy};

/// The handlers of one path that have the same policy.
pub(crate) struct PageRoute {
    pub path: &'static str,
    pub policy: RoutePolicy,
    pub handlers: MethodRouter<App>,
}

impl PageRoute {
    /// Returns a route whose responses no browser keeps, because a page shows what people wrote.
    fn new(path: &'static str, handlers: MethodRouter<App>) -> Self {
        Self {
            path,
            policy: RoutePolicy::USUAL,
            handlers,
        }
    }

    fn cached(mut self, cache: CachePolicy) -> Self {
        self.policy.cache = cache;
        self
    }

    fn body(mut self, bytes_max: u64, operation: Operation) -> Self {
        self.policy.body = BodyLimit {
            bytes_max,
            operation: Some(operation),
        };
        self
    }
}

/// Returns all routes of pages.
pub(crate) fn page_routes() -> Vec<PageRoute> {
    vec![
        PageRoute::new("/assets/{name}", get(assets::read)).cached(CachePolicy::Immutable),
        PageRoute::new("/favicon.ico", get(assets::favicon)),
        PageRoute::new("/robots.txt", get(assets::robots)),
        PageRoute::new("/sign-in", get(sign_in::page).post(sign_in::sign_in)),
        PageRoute::new(SIGN_OUT, post(sign_in::sign_out)),
        PageRoute::new("/", get(changes::list)),
        PageRoute::new("/changes/moves", post(bulk::changes))
            .body(MOVE_BYTES_MAX, Operation::PinMove),
        PageRoute::new("/changes/{change}", get(changes::page)),
        PageRoute::new("/changes/{change}/moves", post(bulk::change))
            .body(MOVE_BYTES_MAX, Operation::PinMove),
        PageRoute::new("/chats", get(chats::list).post(new_chat::create)),
        PageRoute::new("/chats/new", get(new_chat::page)),
        PageRoute::new("/chats/moves", post(bulk::chats)).body(MOVE_BYTES_MAX, Operation::PinMove),
        PageRoute::new(
            "/chats/{chat}",
            get(chat::changes::page).post(chat::settings::change),
        ),
        PageRoute::new("/chats/{chat}/moves", post(chat::moves::post))
            .body(MOVE_BYTES_MAX, Operation::PinMove),
        PageRoute::new("/chats/{chat}/context", get(chat::context::page)),
        PageRoute::new(
            "/chats/{chat}/context/{resource}/file",
            get(chat::context::file),
        ),
        PageRoute::new(
            "/chats/{chat}/context/{resource}/raw",
            get(chat::context::raw),
        ),
        PageRoute::new(
            "/chats/{chat}/context/{resource}/download",
            get(chat::context::download),
        ),
        PageRoute::new("/chats/{chat}/prompt", get(chat::prompt::page)),
        PageRoute::new("/chats/{chat}/prompt/raw", get(chat::prompt::raw)),
        PageRoute::new("/chats/{chat}/turns", get(chat::turns::page)),
        PageRoute::new("/chats/{chat}/turns/{number}", get(chat::turns::turn)),
        PageRoute::new(
            "/chats/{chat}/turns/{number}/prompt/raw",
            get(chat::turns::raw),
        ),
        PageRoute::new(
            "/chats/{chat}/turns/{number}/texts/{resource}/{content}",
            get(chat::given_text::page),
        ),
        PageRoute::new(
            "/chats/{chat}/turns/{number}/texts/{resource}/{content}/raw",
            get(chat::given_text::raw),
        ),
        PageRoute::new(
            "/chats/{chat}/turns/{number}/texts/{resource}/{content}/download",
            get(chat::given_text::download),
        ),
        PageRoute::new("/chats/{chat}/history", get(chat::history::page)),
        PageRoute::new("/chats/{chat}/history/compare", get(chat::history::compare)),
        PageRoute::new("/chats/{chat}/settings", get(chat::settings::page)),
        PageRoute::new(
            "/chats/{chat}/delete",
            get(chat::settings::delete_page).post(chat::settings::delete),
        ),
        PageRoute::new("/workspaces", get(workspaces::list)),
        PageRoute::new(
            "/workspaces/new",
            get(new_workspace::page).post(new_workspace::create),
        ),
        PageRoute::new("/workspaces/{agent}", get(workspaces::page)),
        PageRoute::new("/workspaces/{agent}/compare", get(workspace_compare::page)),
        PageRoute::new(
            "/workspaces/{agent}/delete",
            get(workspace_delete::page).post(workspace_delete::delete),
        ),
        PageRoute::new("/search", get(search::page)),
        PageRoute::new("/settings", get(settings::tokens::page)),
        PageRoute::new("/settings/tokens", post(settings::tokens::create)),
        PageRoute::new(
            "/settings/tokens/{token}/revoke",
            get(settings::tokens::revoke_page).post(settings::tokens::revoke),
        ),
        PageRoute::new("/settings/sessions", get(settings::sessions::page)),
        PageRoute::new(
            "/settings/sessions/others/end",
            post(settings::sessions::end_others),
        ),
        PageRoute::new(
            "/settings/sessions/{session}/end",
            post(settings::sessions::end),
        ),
        PageRoute::new(
            "/settings/users",
            get(settings::users::page).post(settings::users::create),
        ),
        PageRoute::new("/settings/users/{user}", post(settings::users::change)),
        PageRoute::new("/settings/usage", get(settings::usage::page)),
        PageRoute::new("/settings/audit", get(settings::audit::page)),
    ]
}

/// Joins the routes, after `around` has applied its policy to each.
pub(crate) fn merged(around: impl Fn(Router<App>, RoutePolicy) -> Router<App>) -> Router<App> {
    let routes = page_routes().into_iter();
    let routes = routes.map(|route| {
        let router = Router::new()
            .route(route.path, route.handlers)
            .method_not_allowed_fallback(problem::unknown_method);
        around(router, route.policy)
    });
    routes.fold(Router::new(), Router::merge)
}
