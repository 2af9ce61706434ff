//! Links to the web page that sign a browser in once.

use std::env;
use std::process::{Command, Stdio};

use ctxpin_client::Client;
use ctxpin_model::proof::is_loopback_name;
use url::Url;

use crate::data_directory::{DataDirectory, file_write};
use crate::say::Failure;

/// A link with a one-time code in its fragment, which browsers send to no server.
pub struct PageLink(Url);

impl PageLink {
    /// Makes a code, and a link to a path of the page.
    ///
    /// # Errors
    ///
    /// Fails if the server refuses, or names a host of the page that does not lead to this machine.
    pub async fn create(client: &Client, path: &str) -> Result<Self, Failure> {
        let code = client.sign_in_code().await?;
        let mut link = client.server().clone();
        if let Some(host) = code.page_host {
            let is_set = is_loopback_name(&host) && link.set_host(Some(&host)).is_ok();
            if !is_set {
                return Err(Failure::new("the server names no host of its page"));
            }
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
