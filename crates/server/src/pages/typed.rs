//! What somebody typed into a form that failed. The page of the form shows it again, with the reason at its field.

use std::fmt;
use std::sync::Arc;

use askama::filters::HtmlSafe;

use super::fields::Fields;
use super::parts::text::Text;
use super::told::Told;

/// A form that failed.
#[derive(Debug)]
pub(crate) struct FailedForm {
    /// The path that the form was sent to.
    pub action: String,
    pub fields: Fields,
    pub told: Told,
}

/// A form for its template: filled as it was typed if it has just failed, or else as the page fills it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Typed(Option<Arc<FailedForm>>);

impl Typed {
    /// Returns the form that is sent to `action`.
    pub fn of(failed: Option<&Arc<FailedForm>>, action: &str) -> Self {
        Self(failed.filter(|failed| failed.action == action).cloned())
    }

    /// Returns the form if it has this field: two forms of a page may be sent to one path.
    pub fn with(self, field: &str) -> Self {
        Self(self.0.filter(|failed| failed.fields.get(field).is_some()))
    }

    /// Returns whether the form has just failed.
    pub fn has_failed(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the value of a field. It is `otherwise` in a form that has not failed.
    pub fn value<'t>(&'t self, name: &'t str, otherwise: &'t str) -> &'t str {
        match &self.0 {
            Some(failed) => failed.fields.get(name).unwrap_or_default(),
            None => otherwise,
        }
    }

    /// Returns whether a box is ticked or an option is chosen. It is `otherwise` in a form that has not failed.
    pub fn is_chosen(&self, name: &str, value: &str, otherwise: bool) -> bool {
        match &self.0 {
            Some(failed) => failed.fields.all(name).any(|chosen| chosen == value),
            None => otherwise,
        }
    }

    /// Returns the attributes of a field that say whether it is wrong.
    pub fn state(&self, name: &'static str) -> FieldState {
        FieldState {
            name,
            is_wrong: self.reason_at(name).is_some(),
        }
    }

    /// Returns what is wrong with a field, to stand after it.
    pub fn reason(&self, name: &'static str) -> FieldReason<'_> {
        FieldReason {
            name,
            reason: self.reason_at(name),
        }
    }

    fn reason_at(&self, name: &str) -> Option<&str> {
        let told = &self.0.as_ref()?.told;
        (told.field.as_deref() == Some(name)).then_some(told.detail.as_str())
    }
}

/// The attributes of a field that may be wrong.
pub(crate) struct FieldState {
    name: &'static str,
    is_wrong: bool,
}

impl fmt::Display for FieldState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match self.is_wrong {
            true => write!(
                f,
                " aria-invalid=\"true\" aria-describedby=\"error-{name}\" autofocus"
            ),
            false => Ok(()),
        }
    }
}

impl HtmlSafe for FieldState {}

/// What is wrong with a field, or nothing.
pub(crate) struct FieldReason<'t> {
    name: &'static str,
    reason: Option<&'t str>,
}

impl fmt::Display for FieldReason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match self.reason.map(Text) {
            Some(reason) => write!(
                f,
                "<small class=\"field-error\" id=\"error-{name}\">{reason}</small>"
            ),
            None => Ok(()),
        }
    }
}

impl HtmlSafe for FieldReason<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_failed_is_filled_as_it_was_typed() {
        let failed = Arc::new(FailedForm {
            action: "/settings/users".into(),
            fields: Fields::read(b"name=%3Cb%3E&role=admin"),
            told: Told {
                detail: "It is <taken>.".into(),
                field: Some("name".into()),
                is_stale: false,
            },
        });
        let typed = Typed::of(Some(&failed), "/settings/users");
        assert_eq!(typed.value("name", "other"), "<b>");
        assert_eq!(typed.value("absent", "other"), "");
        assert!(typed.is_chosen("role", "admin", false));
        assert!(!typed.is_chosen("role", "member", true));
        assert!(typed.state("name").to_string().contains("aria-invalid"));
        let reason = typed.reason("name").to_string();
        assert!(reason.contains("It is &lt;taken&gt;."), "{reason}");
        assert_eq!(typed.reason("role").to_string(), "");
        for typed in [
            Typed::of(Some(&failed), "/settings/users").with("title"),
            Typed::of(Some(&failed), "/chats"),
            Typed::of(None, "/chats"),
        ] {
            assert_eq!(typed.value("name", "other"), "other");
            assert!(typed.is_chosen("role", "member", true) && !typed.has_failed());
            assert_eq!(typed.state("name").to_string(), "");
        }
    }
}
