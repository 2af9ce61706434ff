//! Responses that a browser saves as a file.

use axum::http::HeaderValue;

/// Returns the header that makes a browser save the file under its own name (RFC 6266, section 4). The second
/// form of the name follows RFC 8187, section 3.2.
pub(crate) fn attachment(path: &str) -> HeaderValue {
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let plain: String = name
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    let encoded: String = name
        .bytes()
        .map(|byte| match is_plain(char::from(byte)) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect();
    let text = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_attachments() {
        let check = |path: &str, expected: &str| assert_eq!(attachment(path), expected, "{path}");
        check(
            "scripts/run.sh",
            "attachment; filename=\"run.sh\"; filename*=UTF-8''run.sh",
        );
        check(
            "a/\"; x=\r\ny é",
            "attachment; filename=\"___x___y__\"; filename*=UTF-8''%22%3B%20x%3D%0D%0Ay%20%C3%A9",
        );
        check("", "attachment; filename=\"\"; filename*=UTF-8''");
    }
}
