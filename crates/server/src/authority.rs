//! The address that a request names, and the addresses that belong to this server: those of its sockets,
//! and those that its operator names. Any other address may belong to a process that relays this server's
//! responses.

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::uri;
use ctxpin_listener::LocalAddress;
use ctxpin_model::proof::is_loopback_name;
use ctxpin_protocol::problem::ProblemName;
use url::{Host, Url};

use crate::api_error::{ApiError, ApiResult};

/// The default port of plain HTTP, the only scheme that the server itself speaks.
const HTTP_PORT: u16 = 80;

/// An address under which others reach the server, for example through a reverse proxy: `http` or `https`, a
/// host, and optionally a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    host: Host,
    port: u16,
    is_usual_port: bool,
    /// Whether browsers use TLS there.
    is_secure: bool,
}

/// The error of a text that is not the address of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use http:// or https:// and a host, such as https://ctxpin.example.org")]
pub struct InvalidPublicUrl;

impl FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPublicUrl> {
        let url = Url::parse(text).map_err(|_| InvalidPublicUrl)?;
        let is_plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let host = url.host().filter(|_| is_plain).ok_or(InvalidPublicUrl)?;
        Ok(Self {
            host: host.to_owned(),
            port: url.port_or_known_default().ok_or(InvalidPublicUrl)?,
            is_usual_port: url.port().is_none(),
            is_secure: url.scheme() == "https",
        })
    }
}

/// The host and the optional port that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    host: Host,
    port: Option<u16>,
}

/// The authority of a request, if it is well formed, and the server's address on which the request
/// arrived.
#[derive(Debug, Clone)]
pub(crate) struct RequestAuthority {
    authority: Option<Authority>,
    local: Option<LocalAddress>,
}

impl<S: Sync> FromRequestParts<S> for RequestAuthority {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::read(parts))
    }
}

/// The origin of the server's own pages, as a browser sees it (RFC 6454, section 6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnOrigin {
    pub origin: String,
    /// Whether the browser uses TLS.
    pub is_secure: bool,
}

impl PublicUrl {
    /// Returns whether a request names this address.
    fn is_meant(&self, authority: &Authority) -> bool {
        let is_port_meant = match authority.port {
            Some(port) => port == self.port,
            None => self.is_usual_port,
        };
        self.host == authority.host && is_port_meant
    }
}

impl RequestAuthority {
    /// Reads the authority of a request.
    pub fn read(parts: &Parts) -> Self {
        let mut hosts = parts.headers.get_all(HOST).iter();
        let host = hosts.next().filter(|_| hosts.next().is_none());
        let text = match parts.uri.authority() {
            // HTTP/2, or a request to a proxy (RFC 9112, section 3.2.2).
            Some(authority) => Some(authority.as_str()),
            None => host.and_then(|host| host.to_str().ok()),
        };
        Self {
            authority: text.and_then(Authority::read),
            local: parts.extensions.get().copied(),
        }
    }

    /// Returns the origin of a request to one of the server's own hosts: its own address, a name of this machine
    /// at a port of this server, or an address that its operator names. If the page has a host of its own, that is
    /// the only one of this machine.
    ///
    /// # Errors
    ///
    /// Returns `misdirected` for any other host, because a page there could be another process's (DNS rebinding).
    /// The error does not name the page's own host, which other users of the machine must not learn.
    pub fn own_origin(
        &self,
        public: &[PublicUrl],
        page_host: Option<&str>,
    ) -> ApiResult<OwnOrigin> {
        let Some(authority) = &self.authority else {
            return Err(unnamed());
        };
        if let Some(url) = public.iter().find(|url| url.is_meant(authority)) {
            let scheme = match url.is_secure {
                true => "https",
                false => "http",
            };
            let port = match url.is_usual_port {
                true => String::new(),
                false => format!(":{}", url.port),
            };
            return Ok(OwnOrigin {
                origin: format!("{scheme}://{}{port}", url.host),
                is_secure: url.is_secure,
            });
        }
        let port = authority.port.unwrap_or(HTTP_PORT);
        let is_own = self.local.is_some_and(|LocalAddress(local)| {
            let is_host = match (&authority.host, authority.ip()) {
                (Host::Domain(name), _) => {
                    let is_page = page_host.is_none_or(|page_host| page_host == name);
                    is_page && is_loopback_name(name) && local.ip().is_loopback()
                }
                (_, Some(ip)) => ip == local.ip() && page_host.is_none(),
                (_, None) => false,
            };
            is_host && port == local.port()
        });
        if is_own {
            return Ok(OwnOrigin {
                origin: format!("http://{authority}"),
                is_secure: false,
            });
        }
        let detail = match page_host {
            Some(_) => {
                "The page has a secret address of its own, which is another one each time that \
                        `ctxpin up` starts."
                    .to_owned()
            }
            None => format!(
                "The server does not know the host {authority}. If others reach it there, start it with \
                 `--public-url http://{authority}` (or https://)."
            ),
        };
        Err(ApiError::new(ProblemName::Misdirected, detail))
    }
}

impl RequestAuthority {
    /// Returns the server's address for commands: [`Self::own_origin`], with the numeric address in place of a name of
    /// this machine. The name of the page of `ctxpin up` changes.
    ///
    /// # Errors
    ///
    /// Fails like [`Self::own_origin`].
    pub fn command_address(
        &self,
        public: &[PublicUrl],
        page_host: Option<&str>,
    ) -> ApiResult<String> {
        let own = self.own_origin(public, page_host)?;
        let is_public = |authority| public.iter().any(|url| url.is_meant(authority));
        match (&self.authority, self.local) {
            (
                Some(
                    authority @ Authority {
                        host: Host::Domain(name),
                        ..
                    },
                ),
                Some(LocalAddress(local)),
            ) if is_loopback_name(name) && !is_public(authority) => Ok(format!("http://{local}")),
            _ => Ok(own.origin),
        }
    }
}

impl Authority {
    fn read(text: &str) -> Option<Self> {
        let authority: uri::Authority = text.parse().ok().filter(|_| !text.contains('@'))?;
        Some(Self {
            host: Host::parse(authority.host()).ok()?,
            port: authority.port_u16(),
        })
    }

    fn ip(&self) -> Option<IpAddr> {
        match &self.host {
            Host::Ipv4(ip) => Some(IpAddr::V4(*ip)),
            Host::Ipv6(ip) => Some(IpAddr::V6(*ip).to_canonical()),
            Host::Domain(_) => None,
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

impl RequestAuthority {
    /// Returns the host and port that the request names, if they are this server's.
    ///
    /// # Errors
    ///
    /// Returns `misdirected` if another process may have the address, because it could relay this server's
    /// proof.
    pub fn own_address(&self, public: &[PublicUrl]) -> ApiResult<String> {
        let Self { authority, local } = self;
        let Some(authority) = authority else {
            return Err(unnamed());
        };
        if let (Some(ip), Some(LocalAddress(local))) = (authority.ip(), local)
            && (ip, authority.port.unwrap_or(HTTP_PORT)) == (local.ip(), local.port())
        {
            return Ok(local.to_string());
        }
        if let Some(url) = public.iter().find(|url| url.is_meant(authority)) {
            return Ok(format!("{}:{}", url.host, url.port));
        }
        let mut detail = format!("The server cannot prove that {authority} is its own address. ");
        if let Some(LocalAddress(local)) = local {
            detail += &format!("Use {local}, where it received this request; ");
        }
        detail += &format!(
            "if others reach it at {authority}, start it with `--public-url http://{authority}` (or https://)."
        );
        Err(ApiError::new(ProblemName::Misdirected, detail))
    }

    /// Checks that the request names an IP address or a known host. Otherwise a web page could point a host
    /// name of its own at this server and read what needs no token (DNS rebinding).
    ///
    /// # Errors
    ///
    /// Returns `misdirected` for an unknown host name.
    pub fn require_host(&self, public: &[PublicUrl]) -> ApiResult<()> {
        let Some(authority) = &self.authority else {
            return Err(unnamed());
        };
        let is_own = match &authority.host {
            Host::Ipv4(_) | Host::Ipv6(_) => true,
            Host::Domain(name) => is_loopback_name(name),
        };
        if is_own || public.iter().any(|url| url.host == authority.host) {
            return Ok(());
        }
        let detail = format!(
            "The server does not know the host {authority}. Use its IP address, or start it with \
             `--public-url http://{authority}` (or https://)."
        );
        Err(ApiError::new(ProblemName::Misdirected, detail))
    }
}

fn unnamed() -> ApiError {
    let detail = "Send one header `Host` with the host and port.";
    ApiError::new(ProblemName::Misdirected, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(authority: &str, local: &str) -> RequestAuthority {
        RequestAuthority {
            authority: Authority::read(authority),
            local: Some(LocalAddress::new(local.parse().unwrap())),
        }
    }

    #[test]
    fn finding_08_a_server_proves_its_own_addresses() {
        let public: Vec<PublicUrl> = ["https://ctxpin.example", "http://localhost:9000/below"]
            .map(|url| url.parse().unwrap())
            .into();
        let check = |authority: &str, local: &str, expected: Option<&str>| {
            let found = asked(authority, local).own_address(&public).ok();
            assert_eq!(found.as_deref(), expected, "{authority} at {local}");
        };
        check("127.0.0.1:7878", "127.0.0.1:7878", Some("127.0.0.1:7878"));
        check("[::1]:7878", "[::1]:7878", Some("[::1]:7878"));
        check("[0:0::1]:7878", "[::1]:7878", Some("[::1]:7878"));
        // A socket that listens on both versions of IP.
        check(
            "127.0.0.1:7878",
            "[::ffff:127.0.0.1]:7878",
            Some("127.0.0.1:7878"),
        );
        check(
            "[::ffff:127.0.0.1]:7878",
            "127.0.0.1:7878",
            Some("127.0.0.1:7878"),
        );
        check("127.0.0.1", "127.0.0.1:80", Some("127.0.0.1:80"));
        for another in [
            "127.0.0.1:7879",
            "127.0.0.1",
            "127.0.0.2:7878",
            "[::1]:7878",
            // Another process may listen on [::1].
            "localhost:7878",
            "localhost.:7878",
            "x.localhost:7878",
            // These addresses name no host.
            "0.0.0.0:7878",
            "[::]:7878",
            "ctxpin.example:7878",
            "127.0.0.1:7878@127.0.0.1:7878",
            "",
            "a b",
        ] {
            check(another, "127.0.0.1:7878", None);
        }
        check(
            "ctxpin.example",
            "127.0.0.1:7878",
            Some("ctxpin.example:443"),
        );
        check(
            "CTXPIN.example:443",
            "127.0.0.1:7878",
            Some("ctxpin.example:443"),
        );
        check("localhost:9000", "127.0.0.1:7878", Some("localhost:9000"));
        check("localhost", "127.0.0.1:7878", None);
    }

    #[test]
    fn finding_26_unknown_host_names_are_refused() {
        let public: Vec<PublicUrl> = vec!["https://ctxpin.example".parse().unwrap()];
        let check = |authority: &str, expected: bool| {
            let passed = asked(authority, "127.0.0.1:7878").require_host(&public);
            assert_eq!(passed.is_ok(), expected, "{authority}");
        };
        for own in [
            "127.0.0.1:7878",
            "10.1.2.3",
            "[::1]:1",
            "localhost:7878",
            "ctxpin.example:7878",
        ] {
            check(own, true);
        }
        for another in [
            "evil.example",
            "localhost.evil.example",
            "ctxpin.example.evil",
            "",
            "a b",
        ] {
            check(another, false);
        }
        let refusal = asked("evil.example:7878", "127.0.0.1:7878").require_host(&public);
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.name(), Some(ProblemName::Misdirected));
        let detail = &refusal.problem().detail;
        assert!(
            detail.contains("`--public-url http://evil.example:7878`"),
            "{detail}"
        );
    }

    #[test]
    fn origins_of_own_pages() {
        let public: Vec<PublicUrl> = ["https://ctxpin.example", "http://other.example:9000"]
            .map(|url| url.parse().unwrap())
            .into();
        let check = |authority: &str, local: &str, expected: Option<&str>| {
            let found = asked(authority, local).own_origin(&public, None).ok();
            let found = found.map(|own| own.origin);
            assert_eq!(found.as_deref(), expected, "{authority} at {local}");
        };
        let local = "127.0.0.1:7878";
        check("127.0.0.1:7878", local, Some("http://127.0.0.1:7878"));
        check("localhost:7878", local, Some("http://localhost:7878"));
        check("x.localhost:7878", local, Some("http://x.localhost:7878"));
        check("[::1]:7878", "[::1]:7878", Some("http://[::1]:7878"));
        check("localhost", "127.0.0.1:80", Some("http://localhost"));
        check("ctxpin.example", local, Some("https://ctxpin.example"));
        check("ctxpin.example:443", local, Some("https://ctxpin.example"));
        check(
            "other.example:9000",
            local,
            Some("http://other.example:9000"),
        );
        for another in [
            "127.0.0.1:7879",
            "127.0.0.1",
            "127.0.0.2:7878",
            "localhost",
            "evil.example:7878",
            "ctxpin.example:7878",
            "other.example",
            "",
        ] {
            check(another, local, None);
        }
        // Another machine may be meant.
        check("localhost:7878", "10.0.0.1:7878", None);
    }

    #[test]
    fn addresses_for_commands() {
        let public: Vec<PublicUrl> = ["https://ctxpin.example", "http://localhost:9000"]
            .map(|url| url.parse().unwrap())
            .into();
        let check = |authority: &str, local: &str, expected: &str| {
            let found = asked(authority, local).command_address(&public, None);
            assert_eq!(found.ok().as_deref(), Some(expected), "{authority}");
        };
        let local = "127.0.0.1:7878";
        check("ctxpin-0a.localhost:7878", local, "http://127.0.0.1:7878");
        check("localhost:7878", "[::1]:7878", "http://[::1]:7878");
        check("127.0.0.1:7878", local, "http://127.0.0.1:7878");
        check("ctxpin.example", local, "https://ctxpin.example");
        check("localhost:9000", local, "http://localhost:9000");
    }

    #[test]
    fn a_page_with_a_host_of_its_own_has_no_other() {
        let public: Vec<PublicUrl> = vec!["https://ctxpin.example".parse().unwrap()];
        let page_host = Some("ctxpin-1a2b.localhost");
        let check = |authority: &str, expected: bool| {
            let found = asked(authority, "127.0.0.1:7878").own_origin(&public, page_host);
            assert_eq!(found.is_ok(), expected, "{authority}");
            if let Err(refusal) = found {
                assert!(!refusal.problem().detail.contains("1a2b"), "{authority}");
            }
        };
        check("ctxpin-1a2b.localhost:7878", true);
        check("CTXPIN-1A2B.localhost:7878", true);
        check("ctxpin.example", true);
        for another in [
            "localhost:7878",
            "127.0.0.1:7878",
            "[::1]:7878",
            "ctxpin-3c4d.localhost:7878",
            "x.ctxpin-1a2b.localhost:7878",
            "ctxpin-1a2b.localhost:7879",
            "ctxpin-1a2b.localhost.:7878",
            "ctxpin-1a2b.localhost",
        ] {
            check(another, false);
        }
    }

    #[test]
    fn invalid_public_urls() {
        for text in [
            "",
            "ctxpin.example",
            "ftp://x",
            "http://a:b@x",
            "https://x/?q",
            "https://x#f",
        ] {
            assert_eq!(text.parse::<PublicUrl>(), Err(InvalidPublicUrl), "{text}");
        }
    }
}
