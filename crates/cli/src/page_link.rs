//! Links to the web page that sign a browser in once.

use std::env;
use std::fs;
use std::process::{Command, Stdio};

use ctxpin_client::Client;
use url::Url;

use crate::data_directory::{DataDirectory, file_write};
use crate::owned::file_demand;
use crate::say::Failure;

/// The number of random hexadecimal digits in the name of the page's host.
const LABEL_DIGITS: usize = 16;

/// A link with a one-time code in its fragment, which browsers send to no server.
pub struct PageLink(Url);

impl PageLink {
    /// Makes a code, and a link to a path of the page. With `data`, the server is the one of `ctxpin up`.
    ///
    /// # Errors
    ///
    /// Fails if the server refuses, or the name of the page's host cannot be kept.
    pub async fn create(
        client: &Client,
        data: Option<&DataDirectory>,
        path: &str,
    ) -> Result<Self, Failure> {
        let code = client.sign_in_code().await?;
        let mut link = client.server().clone();
        if let Some(data) = data {
            let host = page_host(data)?;
            link.set_host(Some(&host))
                .map_err(|error| Failure::new("the page has no address").because(error))?;
        }
        link.set_path("/sign-in");
        link.set_fragment(Some(&format!("code={}&next={path}", code.code.expose())));
        Ok(Self(link))
    }

    /// Returns the link as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Opens the link in the person's browser, if this machine has a display. The browser gets the path of a file
    /// that only this user can read, because others can read the arguments of its process. A browser that does not
    /// start changes nothing: the link is printed too.
    pub fn open(&self, data: &DataDirectory) {
        let Some(opener) = opener() else { return };
        let file = data.page_file();
        let link = self.as_str();
        let html = format!(
            "<!doctype html>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"refresh\" content=\"0; url={link}\">\n\
             <title>ctxpin</title>\n<a href=\"{link}\">Open ctxpin</a>\n"
        );
        if file_write(&file, html.as_bytes()).is_ok() {
            let opened = Command::new(opener)
                .arg(&file)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            // The opener ends by itself.
            drop(opened);
        }
    }
}

/// Returns the program that opens a file in the person's browser. `None` without a display.
fn opener() -> Option<&'static str> {
    let has = |variable| env::var_os(variable).is_some_and(|value| !value.is_empty());
    match () {
        () if cfg!(target_os = "macos") => Some("open"),
        () if has("WAYLAND_DISPLAY") || has("DISPLAY") => Some("xdg-open"),
        () => None,
    }
}

/// Returns the name of the page's host: `ctxpin-` and random digits below `localhost`, which leads to this machine.
/// Browsers send a cookie to every port of its host, so the name is the page's own. It stays the same, because the
/// data directory keeps it.
fn page_host(data: &DataDirectory) -> Result<String, Failure> {
    let path = data.page_label_file();
    file_demand(&path)?;
    let kept = fs::read_to_string(&path).ok();
    let kept = kept
        .as_deref()
        .map(str::trim)
        .filter(|label| is_label(label));
    let label = match kept {
        Some(label) => label.to_owned(),
        None => {
            let digits = uuid::Uuid::new_v4().simple().to_string();
            let label = digits[..LABEL_DIGITS].to_owned();
            file_write(&path, label.as_bytes())?;
            label
        }
    };
    Ok(format!("ctxpin-{label}.localhost"))
}

fn is_label(text: &str) -> bool {
    text.len() == LABEL_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_kept() {
        let temporary = tempfile::tempdir().unwrap();
        let data = DataDirectory::at(temporary.path());
        let host = page_host(&data).unwrap();
        let label = host.strip_prefix("ctxpin-").unwrap();
        assert!(
            is_label(label.strip_suffix(".localhost").unwrap()),
            "{host}"
        );
        assert_eq!(page_host(&data).unwrap(), host);
        std::fs::write(data.page_label_file(), "not one").unwrap();
        assert_ne!(page_host(&data).unwrap(), host);
    }
}
