//! The routes of the server with their policies. Each route is registered once, for the router and for the
//! API's document.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use ctxpin_model::access::Operation;
use ctxpin_protocol::problem::Problem;
use ctxpin_protocol::watch::{Changed, ChatTurn, Deleted};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{OpenApi as OpenApiDocument, PathItem, RefOr};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::api::health::Document;
use crate::api::{
    agents, audit, chats, contexts, enrolment, evidence, exposures, health, history, instructions,
    pending_changes, people, prompts, quotas, sessions, sign_in, skills, tools, turns, watches,
};
use crate::api_error::{panicked, unknown_method, unknown_path};
use crate::app::App;
use crate::data_files::confirm_data_files;
use crate::limits::{EVIDENCE_BYTES_MAX, MOVE_BYTES_MAX, PUSH_BYTES_MAX, UPLOAD_BYTES_MAX};
use crate::metrics::Metrics;
use crate::observe::observe;
use crate::pages;
use crate::pages::{show_problems, show_problems_to_people, unknown_page};
use crate::request_memory::reserve_memory;
use crate::route_policy::{BodyLimit, CachePolicy, RoutePolicy, serve_by_policy};

/// The path of the API.
const API: &str = "/api/v1";

/// No page of another origin gets a response as an image, a script or a frame.
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// The level of compression of pages, by gzip and by zstd. A person waits for each page, maybe behind a slow line: gzip
/// at its fastest level makes a large one a fifth longer, and higher levels than this take time for nothing.
const PAGE_LEVEL: i32 = 4;

/// The handlers of one path that have the same policy, by method.
struct Route {
    policy: RoutePolicy,
    handlers: UtoipaMethodRouter<App>,
}

impl Route {
    /// Returns a route with the usual policy.
    fn new(handlers: UtoipaMethodRouter<App>) -> Self {
        Self {
            policy: RoutePolicy::USUAL,
            handlers,
        }
    }

    /// Sets who may cache successful responses.
    fn cached(mut self, cache: CachePolicy) -> Self {
        self.policy.cache = cache;
        self
    }

    /// Allows longer bodies from callers who are allowed the operation.
    fn body(mut self, bytes_max: u64, operation: Operation) -> Self {
        self.policy.body = BodyLimit {
            bytes_max,
            operation: Some(operation),
        };
        self
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "ctxpin",
        description = "Pins the context of AI agent chats. Times are RFC 3339 in UTC, hashes are \
            `sha256:` and 64 hexadecimal digits, lists are paginated by `cursor` and `limit`, and \
            errors are problem details (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Problem, Changed, ChatTurn, Deleted))
)]
struct Outline;

/// Returns the API's document (OpenAPI 3.1).
pub fn document() -> OpenApiDocument {
    completed(merged(|route, _| route).into_openapi())
}

/// Returns the policy of every route, by its method and its path in the document.
pub fn policies() -> HashMap<(Method, String), RoutePolicy> {
    let mut policies = HashMap::new();
    for (prefix, routes) in [(API, api_routes()), ("", operator_routes())] {
        for Route { policy, handlers } in routes {
            let (_, paths, _) = handlers;
            for (path, item) in paths.paths {
                let path = openapi_path(&format!("{prefix}{path}"));
                let methods = methods(&item);
                policies.extend(methods.map(|method| ((method, path.clone()), policy)));
            }
        }
    }
    policies
}

/// Returns the path and the policy of every route of the pages.
pub fn page_policies() -> Vec<(&'static str, RoutePolicy)> {
    let routes = pages::routes::page_routes().into_iter();
    routes.map(|route| (route.path, route.policy)).collect()
}

/// Returns the methods of a path.
fn methods(item: &PathItem) -> impl Iterator<Item = Method> {
    let operations = [
        (Method::GET, &item.get),
        (Method::PUT, &item.put),
        (Method::POST, &item.post),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    let known = operations.into_iter().filter(|(_, known)| known.is_some());
    known.map(|(method, _)| method)
}

/// Returns the whole server as a service.
pub(crate) fn router(app: App) -> Router {
    let text = document().to_json().unwrap_or_default();
    let document = Document::new(text.into());
    let request_time_max = app.limits.request_time_max;
    let router = merged(|route, policy| {
        let policy = RoutePolicy {
            time_max: policy.time_max.min(request_time_max),
            ..policy
        };
        // The first layer is the innermost.
        route
            .layer(Extension(document.clone()))
            .layer(from_fn_with_state(
                app.data_files.clone(),
                confirm_data_files,
            ))
            .layer(from_fn_with_state(app.clone(), reserve_memory))
            .layer(from_fn_with_state(policy, serve_by_policy))
    });
    let (router, _) = router.split_for_parts();
    let around_page = |route: Router<App>, policy: RoutePolicy| {
        let policy = RoutePolicy {
            time_max: policy.time_max.min(request_time_max),
            ..policy
        };
        route
            .layer(from_fn_with_state(
                app.data_files.clone(),
                confirm_data_files,
            ))
            .layer(from_fn_with_state(app.clone(), reserve_memory))
            .layer(from_fn_with_state(policy, serve_by_policy))
    };
    let pages = pages::routes::merged(|route, policy| {
        around_page(route, policy).layer(from_fn_with_state(app.clone(), show_problems))
    });
    let pages = pages.layer(packed(CompressionLevel::Precise(PAGE_LEVEL)));
    let unknown = around_page(Router::new().fallback(unknown_page), RoutePolicy::USUAL)
        .layer(from_fn_with_state(app.clone(), show_problems_to_people));
    let router = router.merge(pages).merge(unknown);
    let metrics = app.metrics.clone();
    with_common_layers(router.with_state(app), metrics)
}

/// Returns `routes` with the layers and the usual policy of the API.
pub(crate) fn foreign_router(routes: Router) -> Router {
    let routes = routes
        .layer(from_fn_with_state(RoutePolicy::USUAL, serve_by_policy))
        .fallback(unknown_path);
    with_common_layers(routes, Arc::new(Metrics::new()))
}

/// Adds the layers that apply to all requests, including those that match no route.
fn with_common_layers(router: Router, metrics: Arc<Metrics>) -> Router {
    let no_store = HeaderValue::from_static(CachePolicy::NoStore.header());
    let nosniff = HeaderValue::from_static("nosniff");
    router
        .method_not_allowed_fallback(unknown_method)
        // The first layer is the innermost.
        .layer(CatchPanicLayer::custom(panicked))
        .layer(packed(CompressionLevel::Fastest))
        .layer(SetResponseHeaderLayer::if_not_present(
            CACHE_CONTROL,
            no_store,
        ))
        .layer(SetResponseHeaderLayer::overriding(
            X_CONTENT_TYPE_OPTIONS,
            nosniff,
        ))
        .layer(SetResponseHeaderLayer::overriding(
            RESOURCE_POLICY,
            HeaderValue::from_static("same-origin"),
        ))
        .layer(from_fn_with_state(metrics, observe))
}

/// Returns the layer that compresses responses. What is compressed already stays as it is.
fn packed(level: CompressionLevel) -> CompressionLayer<impl Predicate> {
    CompressionLayer::new()
        .quality(level)
        .compress_when(compressible())
}

/// Returns which responses to compress. Events are not, because compression would delay them, and neither
/// are responses with a strong `ETag`, which names their exact bytes.
fn compressible() -> impl Predicate {
    DefaultPredicate::new()
        .and(NotForContentType::const_new("text/markdown"))
        .and(NotForContentType::const_new("application/octet-stream"))
}

/// Merges all routes, after `around` has applied its policy to each.
fn merged(
    around: impl Fn(OpenApiRouter<App>, RoutePolicy) -> OpenApiRouter<App>,
) -> OpenApiRouter<App> {
    let join = |routes: Vec<Route>| {
        let routes = routes.into_iter();
        let routes =
            routes.map(|route| around(OpenApiRouter::new().routes(route.handlers), route.policy));
        routes.fold(OpenApiRouter::new(), OpenApiRouter::merge)
    };
    OpenApiRouter::with_openapi(Outline::openapi())
        .nest(API, join(api_routes()))
        .merge(join(operator_routes()))
}

/// Returns the routes for operators.
fn operator_routes() -> Vec<Route> {
    vec![
        Route::new(routes!(health::alive)),
        Route::new(routes!(health::ready)),
        Route::new(routes!(health::metrics)),
    ]
}

/// Returns the routes of the API, relative to [`API`]. Methods of one path that need different policies are
/// routes of their own.
fn api_routes() -> Vec<Route> {
    vec![
        Route::new(routes!(health::document)).cached(CachePolicy::Revalidate),
        Route::new(routes!(agents::create, agents::list)),
        Route::new(routes!(agents::read, agents::delete)),
        Route::new(routes!(agents::token_rotate)),
        Route::new(routes!(agents::heads)),
        Route::new(routes!(enrolment::code_create)),
        Route::new(routes!(enrolment::enrol)),
        Route::new(routes!(sessions::open)),
        Route::new(routes!(sessions::push)).body(PUSH_BYTES_MAX, Operation::ContextPush),
        Route::new(routes!(sessions::blob_upload)).body(UPLOAD_BYTES_MAX, Operation::BlobUpload),
        Route::new(routes!(sessions::refresh)),
        Route::new(routes!(chats::create, chats::list)),
        Route::new(routes!(chats::refresh_many)),
        Route::new(routes!(chats::bulk_move)).body(MOVE_BYTES_MAX, Operation::PinMove),
        Route::new(routes!(chats::read, chats::change, chats::delete)),
        Route::new(routes!(chats::start)),
        Route::new(routes!(contexts::read, contexts::clear)),
        Route::new(routes!(contexts::put)).body(MOVE_BYTES_MAX, Operation::PinMove),
        Route::new(routes!(contexts::diff)),
        Route::new(routes!(history::list)),
        Route::new(routes!(pending_changes::list)),
        Route::new(routes!(pending_changes::chats)),
        Route::new(routes!(contexts::read_resource)),
        Route::new(routes!(prompts::read)),
        Route::new(routes!(instructions::list)),
        Route::new(routes!(skills::list)),
        Route::new(routes!(skills::read)),
        Route::new(routes!(skills::read_file)),
        Route::new(routes!(tools::list)),
        Route::new(routes!(turns::begin, turns::list)),
        Route::new(routes!(turns::read)),
        Route::new(routes!(turns::read_prompt)),
        Route::new(routes!(evidence::add)).body(EVIDENCE_BYTES_MAX, Operation::EvidenceAdd),
        Route::new(routes!(evidence::key)),
        Route::new(routes!(exposures::read)),
        Route::new(routes!(exposures::known_hashes)),
        Route::new(routes!(exposures::chats)),
        Route::new(routes!(watches::own)).cached(CachePolicy::Revalidate),
        Route::new(routes!(watches::chat)).cached(CachePolicy::Revalidate),
        Route::new(routes!(people::user_create, people::user_list)),
        Route::new(routes!(people::user_change)),
        Route::new(routes!(people::token_create, people::token_list)),
        Route::new(routes!(people::token_revoke)),
        Route::new(routes!(people::token_children)),
        Route::new(routes!(people::me)),
        Route::new(routes!(sign_in::sign_in_code_create)),
        Route::new(routes!(quotas::read_own)),
        Route::new(routes!(quotas::read)),
        Route::new(routes!(quotas::change_quota)),
        Route::new(routes!(audit::list)),
    ]
}

/// Returns a path in OpenAPI's spelling.
fn openapi_path(path: &str) -> String {
    path.replace("{*", "{")
}

/// Adds the security scheme, descriptions and OpenAPI's spelling of paths to the document.
fn completed(mut document: OpenApiDocument) -> OpenApiDocument {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A user's or an agent's token, `ctxpin_...`"))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", SecurityScheme::Http(scheme));
    let nothing: [&str; 0] = [];
    document.security = Some(vec![SecurityRequirement::new("token", nothing)]);
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths
        .into_iter()
        .map(|(path, item)| (openapi_path(&path), with_descriptions(item)))
        .collect();
    document
}

/// Describes each response that has no description by the reason phrase of its status, because OpenAPI
/// requires one.
fn with_descriptions(mut item: PathItem) -> PathItem {
    let operations = [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.patch,
        &mut item.delete,
    ];
    for operation in operations.into_iter().flatten() {
        for (status, response) in &mut operation.responses.responses {
            let RefOr::T(response) = response else {
                continue;
            };
            if response.description.is_empty() {
                let status: Option<StatusCode> = status.parse().ok();
                let reason = status.and_then(|status| status.canonical_reason());
                response.description = reason.unwrap_or_default().to_owned();
            }
        }
    }
    item
}
