//! The proxy between a client and a server. An error names it, so that the server is not blamed.

use std::fmt;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use crate::this_machine::leads_to_this_machine;

/// The variables that name a proxy, by the scheme of the server. The first of a pair that is set counts.
const VARIABLES: [(&str, [&str; 2]); 4] = [
    ("http", ["HTTP_PROXY", "http_proxy"]),
    ("http", ["ALL_PROXY", "all_proxy"]),
    ("https", ["HTTPS_PROXY", "https_proxy"]),
    ("https", ["ALL_PROXY", "all_proxy"]),
];

/// A proxy that the environment names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedProxy {
    address: String,
    variable: &'static str,
}

impl UsedProxy {
    /// Returns the proxy between clients and a server on another machine, if there is one.
    pub(crate) fn before(server: &Url) -> Option<Self> {
        if leads_to_this_machine(server) {
            return None;
        }
        let uri: Uri = server.as_str().parse().ok()?;
        let proxy = Matcher::from_env().intercept(&uri)?;
        let proxy = proxy.uri();
        // The user part is left out, since it may hold a password.
        let port = proxy.port_u16().map(|port| format!(":{port}"));
        let address = format!(
            "{}://{}{}",
            proxy.scheme_str().unwrap_or("http"),
            proxy.host()?,
            port.unwrap_or_default()
        );
        let named = VARIABLES
            .iter()
            .filter(|(scheme, _)| *scheme == server.scheme());
        let mut set = named.filter_map(|(_, pair)| {
            let set = pair
                .iter()
                .find_map(|name| Some((name, std::env::var(name).ok()?)));
            set.filter(|(_, value)| !value.is_empty())
        });
        let (variable, _) = set.next()?;
        Some(Self { address, variable })
    }
}

impl fmt::Display for UsedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the proxy {}, which {} names",
            self.address, self.variable
        )
    }
}
