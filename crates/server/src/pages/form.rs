//! Forms that write. A write must come from a page of this server: it has the server's own origin, and the value
//! that only the pages of the session hold.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use ctxpin_protocol::problem::ProblemName;

use super::caller::PageCaller;
use super::fields::Fields;
use super::local_path::form_path;
use super::told::Told;
use super::typed::FailedForm;
use super::unsent::SentForm;
use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::body::RawBody;
use crate::limits::FORM_FIELDS_MAX;
use crate::page_session::{PAGE_VALUE, require_own_page};

/// The field that holds it when the browser does.
const PAGE_FIELD: &str = "page";

/// The header by which the script asks for a fragment instead of a page.
const FRAGMENT_HEADER: &str = "ctxpin-fragment";

/// An extractor of a signed-in caller's form.
pub(crate) struct PageForm {
    pub caller: PageCaller,
    pub fields: Fields,
    pub wants: Wants,
    /// The path that the form was sent to.
    action: String,
}

/// What a request wants back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    Page,
    /// The elements to put into the page that sent the request.
    Fragment,
}

impl Wants {
    /// Reads the header of the script.
    pub fn read(headers: &HeaderMap) -> Self {
        match headers.contains_key(FRAGMENT_HEADER) {
            true => Self::Fragment,
            false => Self::Page,
        }
    }
}

impl FromRequest<App> for PageForm {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = match PageCaller::from_request_parts(&mut parts, app).await {
            Err(refusal) if refusal.name() == Some(ProblemName::Unauthenticated) => {
                // Only what is typed matters here, and a form of a stranger is short.
                let _ = noted_fields(Request::from_parts(parts, body), app).await;
                return Err(refusal);
            }
            found => found?,
        };
        let wants = Wants::read(&parts.headers);
        let action = parts.uri.path().to_owned();
        let header = parts.headers.get(PAGE_VALUE);
        let header = header
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let fields = noted_fields(Request::from_parts(parts, body), app).await?;
        let given = header.as_deref().or(fields.get(PAGE_FIELD));
        caller
            .session
            .require_page_value(given.unwrap_or_default())?;
        Ok(Self {
            caller,
            fields,
            wants,
            action,
        })
    }
}

impl PageForm {
    /// Shows the page of a form that failed, filled as it was typed, with the reason.
    ///
    /// # Errors
    ///
    /// Returns the error itself if the script shows it, or if another text in the form would change nothing.
    pub async fn shown_again<S>(
        self,
        error: ApiError,
        page: impl FnOnce(PageCaller) -> S,
    ) -> ApiResult<Response>
    where
        S: Future<Output = ApiResult<Response>>,
    {
        let is_of_form = matches!(
            error.name(),
            Some(
                ProblemName::InvalidRequest
                    | ProblemName::Conflict
                    | ProblemName::QuotaExceeded
                    | ProblemName::Archived
            )
        );
        if self.wants == Wants::Fragment || !is_of_form {
            return Err(error);
        }
        shown_again(self.caller, self.action, self.fields, error, page).await
    }
}

/// Shows the page of a form that failed at `action`, filled with `fields`, with the reason and its status.
///
/// # Errors
///
/// Returns the errors of the page.
pub(crate) async fn shown_again<S>(
    caller: PageCaller,
    action: String,
    fields: Fields,
    error: ApiError,
    page: impl FnOnce(PageCaller) -> S,
) -> ApiResult<Response>
where
    S: Future<Output = ApiResult<Response>>,
{
    let problem = error.into_problem();
    let failed = FailedForm {
        action,
        fields,
        told: Told::new(&problem),
    };
    let mut response = page(PageCaller {
        failed: Some(Arc::new(failed)),
        ..caller
    })
    .await?;
    *response.status_mut() =
        StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    Ok(response)
}

/// Reads the fields of a form, and notes them in case that the session has ended.
///
/// # Errors
///
/// Fails like [`own_fields`].
async fn noted_fields(request: Request, app: &App) -> ApiResult<Fields> {
    let (parts, body) = request.into_parts();
    let fields = own_fields(Request::from_parts(parts.clone(), body), app).await?;
    let page = form_path(&parts.headers);
    if let (Some(sent), Some(page)) = (parts.extensions.get::<SentForm>(), page) {
        sent.note(
            &parts,
            app,
            &page,
            fields.get(PAGE_FIELD).unwrap_or_default(),
            &fields,
        );
    }
    Ok(fields)
}

/// Reads the fields of a form that a page of this server has sent.
///
/// # Errors
///
/// Returns `forbidden` if the request has another origin, `unsupported-media-type` if it is no form, and
/// `too-large` if it has too many fields.
pub(crate) async fn own_fields(request: Request, app: &App) -> ApiResult<Fields> {
    let (parts, body) = request.into_parts();
    require_own_page(&parts, app)?;
    require_form(&parts.headers)?;
    let raw = RawBody::from_request(Request::from_parts(parts, body), app).await?;
    let fields = raw.body.split(|byte| *byte == b'&').count();
    if fields > FORM_FIELDS_MAX {
        return Err(ApiError::new(
            ProblemName::TooLarge,
            format!("A form may have at most {FORM_FIELDS_MAX} fields."),
        ));
    }
    Ok(Fields::read(&raw.body))
}

fn require_form(headers: &HeaderMap) -> ApiResult<()> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next());
    match essence.map(str::trim) {
        Some("application/x-www-form-urlencoded") => Ok(()),
        _ => Err(ApiError::new(
            ProblemName::UnsupportedMediaType,
            "Send the form as `application/x-www-form-urlencoded`.",
        )),
    }
}
