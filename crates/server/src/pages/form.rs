//! Forms that write. A write must come from a page of this server: it has the server's own origin, and the value
//! that only the pages of the session hold.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use ctxpin_protocol::problem::ProblemName;
use url::form_urlencoded;

use super::caller::PageCaller;
use crate::api_error::{ApiError, ApiResult};
use crate::app::App;
use crate::body::RawBody;
use crate::limits::FORM_FIELDS_MAX;
use crate::page_session::{PAGE_VALUE, require_own_page};

/// The field that holds it when the browser does.
const PAGE_FIELD: &str = "page";

/// The header by which the script asks for a fragment instead of a page.
const FRAGMENT_HEADER: &str = "ctxpin-fragment";

/// The fields of a form, in order.
#[derive(Debug)]
pub(crate) struct Fields(Vec<(String, String)>);

/// An extractor of a signed-in caller's form.
pub(crate) struct PageForm {
    pub caller: PageCaller,
    pub fields: Fields,
    pub wants: Wants,
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

impl Fields {
    pub fn read(body: &[u8]) -> Self {
        let fields = form_urlencoded::parse(body);
        Self(fields.into_owned().collect())
    }

    /// Returns the first value of a field, if there is one.
    pub fn get<'f>(&'f self, name: &'f str) -> Option<&'f str> {
        self.all(name).next()
    }

    /// Returns the first value of a field without blanks around it, unless it is empty.
    pub fn filled<'f>(&'f self, name: &'f str) -> Option<&'f str> {
        self.get(name)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }

    /// Iterates over all values of a field.
    pub fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        let of_name = self.0.iter().filter(move |(known, _)| known == name);
        of_name.map(|(_, value)| value.as_str())
    }
}

impl FromRequest<App> for PageForm {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = PageCaller::from_request_parts(&mut parts, app).await?;
        let wants = Wants::read(&parts.headers);
        let header = parts.headers.get(PAGE_VALUE);
        let header = header
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let fields = own_fields(Request::from_parts(parts, body), app).await?;
        let given = header.as_deref().or(fields.get(PAGE_FIELD));
        caller
            .session
            .require_page_value(given.unwrap_or_default())?;
        Ok(Self {
            caller,
            fields,
            wants,
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_forms() {
        let fields = Fields::read(b"source=a+b&title=+&source=%3Cx%3E&move=");
        assert_eq!(fields.all("source").collect::<Vec<_>>(), ["a b", "<x>"]);
        assert_eq!(fields.get("move"), Some(""));
        assert_eq!(fields.filled("move"), None);
        assert_eq!(fields.filled("title"), None);
        assert_eq!(fields.get("other"), None);
    }
}
