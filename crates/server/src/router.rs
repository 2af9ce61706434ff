//! Every route of the server. A route is registered here once, for the router and for the API's
//! document, so that the two cannot part.

use std::sync::Arc;

use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
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
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::health::Document;
use crate::api::{
    agents, audit, chats, contexts, exposures, health, people, prompts, quotas, sessions, skills,
    tools, turns, watches,
};
use crate::app::App;
use crate::body::BodyLimit;
use crate::data_files::lasting;
use crate::limits::{Limits, MOVE_BYTES_MAX, OTHER_BYTES_MAX, PUSH_BYTES_MAX, UPLOAD_BYTES_MAX};
use crate::load::held;
use crate::metrics::Metrics;
use crate::observe::{in_time, observe};
use crate::respond::{panicked, unknown_method, unknown_path};

/// Under which path the API lies.
const API: &str = "/api/v1";

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

/// The API's document (OpenAPI 3.1).
pub fn document() -> OpenApiDocument {
    finished(routes().into_openapi())
}

/// The whole server as a service.
pub(crate) fn router(app: App) -> Router {
    let (router, document) = routes().split_for_parts();
    let document = finished(document).to_json().unwrap_or_default();
    let (metrics, limits) = (app.metrics.clone(), app.limits);
    let router = router
        .layer(Extension(Document::new(document.into())))
        .layer(from_fn_with_state(app.data_files.clone(), lasting))
        .layer(from_fn_with_state(app.clone(), held))
        .with_state(app);
    surrounded(router, metrics, limits)
}

/// Routes of others, with everything around them that stands around those of the API.
pub(crate) fn foreign_router(routes: Router) -> Router {
    let (router, _) = limited(OpenApiRouter::from(routes), OTHERS).split_for_parts();
    surrounded(router, Arc::new(Metrics::new()), Limits::default())
}

/// What stands around every route.
fn surrounded(router: Router, metrics: Arc<Metrics>, limits: Limits) -> Router {
    // What people wrote is in most answers, so none is kept by whoever stands between.
    let no_store = HeaderValue::from_static("no-store");
    let nosniff = HeaderValue::from_static("nosniff");
    router
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        // The first layer is the innermost.
        .layer(from_fn_with_state(limits.request_time_max, in_time))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(
            CompressionLayer::new()
                .quality(CompressionLevel::Fastest)
                .compress_when(compressible()),
        )
        .layer(SetResponseHeaderLayer::if_not_present(
            CACHE_CONTROL,
            no_store,
        ))
        .layer(SetResponseHeaderLayer::overriding(
            X_CONTENT_TYPE_OPTIONS,
            nosniff,
        ))
        .layer(from_fn_with_state(metrics, observe))
}

/// What is compressed: not events, which would wait for one another, and not what has a strong tag,
/// which names the very bytes.
fn compressible() -> impl Predicate {
    DefaultPredicate::new()
        .and(NotForContentType::const_new("text/markdown"))
        .and(NotForContentType::const_new("application/octet-stream"))
}

fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Outline::openapi())
        .nest(API, api())
        .merge(limited(operation(), OTHERS))
}

fn operation() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
}

fn api() -> OpenApiRouter<App> {
    let pushes = OpenApiRouter::new().routes(routes!(sessions::push));
    let uploads = OpenApiRouter::new().routes(routes!(sessions::blob_upload));
    let moves =
        OpenApiRouter::new().routes(routes!(contexts::read, contexts::put, contexts::clear));
    let may = |bytes_max, operation| BodyLimit {
        bytes_max,
        operation: Some(operation),
    };
    limited(others(), OTHERS)
        .merge(limited(pushes, may(PUSH_BYTES_MAX, Operation::ContextPush)))
        .merge(limited(
            uploads,
            may(UPLOAD_BYTES_MAX, Operation::BlobUpload),
        ))
        .merge(limited(moves, may(MOVE_BYTES_MAX, Operation::PinMove)))
}

/// What is sent to most routes.
const OTHERS: BodyLimit = BodyLimit {
    bytes_max: OTHER_BYTES_MAX,
    operation: None,
};

/// Routes with such bodies.
fn limited<S>(routes: OpenApiRouter<S>, limit: BodyLimit) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    routes.layer(Extension(limit))
}

fn others() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health::document))
        .routes(routes!(agents::create, agents::list))
        .routes(routes!(agents::read, agents::delete))
        .routes(routes!(agents::token_rotate))
        .routes(routes!(agents::heads))
        .routes(routes!(sessions::open))
        .routes(routes!(sessions::refresh))
        .routes(routes!(chats::create, chats::list))
        .routes(routes!(chats::refresh_many))
        .routes(routes!(chats::read, chats::change, chats::delete))
        .routes(routes!(contexts::diff))
        .routes(routes!(contexts::history))
        .routes(routes!(contexts::read_resource))
        .routes(routes!(prompts::read))
        .routes(routes!(skills::list))
        .routes(routes!(skills::read))
        .routes(routes!(skills::read_file))
        .routes(routes!(tools::list))
        .routes(routes!(turns::begin, turns::list))
        .routes(routes!(exposures::read))
        .routes(routes!(watches::own))
        .routes(routes!(watches::chat))
        .routes(routes!(people::user_create, people::user_list))
        .routes(routes!(people::user_change))
        .routes(routes!(people::token_create, people::token_list))
        .routes(routes!(people::token_revoke))
        .routes(routes!(people::token_children))
        .routes(routes!(people::me))
        .routes(routes!(quotas::read_own))
        .routes(routes!(quotas::read))
        .routes(routes!(quotas::change_quota))
        .routes(routes!(audit::list))
}

/// Adds what holds for all routes, and writes paths as OpenAPI does.
fn finished(mut document: OpenApiDocument) -> OpenApiDocument {
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
        .map(|(path, item)| (path.replace("{*", "{"), described(item)))
        .collect();
    document
}

/// Gives every response the description that it must have: where nothing else is told, what its
/// status says.
fn described(mut item: PathItem) -> PathItem {
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
