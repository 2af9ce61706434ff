//! The fields of a form, as the browser sent them.

use ctxpin_protocol::convert::members::InvalidMember;
use url::form_urlencoded;

/// The fields of a form, in order.
#[derive(Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    pub fn read(body: &[u8]) -> Self {
        let fields = form_urlencoded::parse(body);
        Self(fields.into_owned().collect())
    }

    /// Iterates over the names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
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

/// Returns the error of a form that lacks what its page sends with it, as a page of an older release may.
pub(crate) fn incomplete(name: &str) -> InvalidMember {
    InvalidMember::new(name, "the form is not complete; load the page again")
}

impl FromIterator<(String, String)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(fields: I) -> Self {
        Self(fields.into_iter().collect())
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
