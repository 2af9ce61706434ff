//! Reads the shape of a `.mcp.json`, without any value that could be a secret.
//!
//! Environments, headers, arguments and URLs contain tokens, and people put them into other places by
//! mistake, even into names. So the shape has only texts whose form rules a token out, and errors contain
//! places and counts but no content.

use ctxpin_model::mcp::ServerShape;
use serde_json::{Map, Value};
use url::{Host, Url};

/// Replaces a name, a program or a host that could be a secret.
const UNFIT_NAME: &str = "(unfit name)";

/// The known transports.
const TRANSPORTS: [&str; 4] = ["stdio", "http", "sse", "streamable-http"];

/// Replaces any other transport.
const TRANSPORT_UNKNOWN: &str = "(unknown)";

/// The greatest length of a name of a server, a variable or a header in a shape, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// The greatest length of a program's name in a shape, in bytes, and its greatest number of digits. Tokens
/// exceed both.
const PROGRAM_BYTES_MAX: usize = 32;
const PROGRAM_DIGITS_MAX: usize = 4;

/// The greatest length of a word in a host, in bytes.
const WORD_BYTES_MAX: usize = 24;

/// The error of a configuration that has no shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The file is not JSON.
    #[error("not valid JSON, at line {line} column {column}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, or 0 at the start of a line.
        column: usize,
    },
    /// The file has comments, which JSON does not allow.
    #[error("JSON has no comments, and there is one at line {line}")]
    Comment {
        /// Counted from 1.
        line: usize,
    },
    /// The outermost value is not an object.
    #[error("it must be a JSON object")]
    NotAnObject,
    /// `mcpServers` is not an object.
    #[error("`mcpServers` must be an object")]
    ServersNotAnObject,
    /// Some servers are not objects.
    #[error("{wrong} of the {all} entries of `mcpServers` are not objects")]
    ServerNotAnObject {
        /// The number of those that are not objects.
        wrong: usize,
        /// The number of all servers.
        all: usize,
    },
}

/// Returns the shape of a configuration: its servers, sorted by name. Returns `None` if it has no
/// `mcpServers`. Accepts a byte order mark.
///
/// # Errors
///
/// Fails if the file is not JSON, or a value that must be an object is not one.
pub fn shape(bytes: &[u8]) -> Result<Option<Vec<ServerShape>>, ShapeError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        match first_comment(bytes) {
            Some(comment) if comment == line => ShapeError::Comment { line },
            _ => ShapeError::Syntax { line, column },
        }
    })?;
    let config = value.as_object().ok_or(ShapeError::NotAnObject)?;
    let Some(servers) = config.get("mcpServers") else {
        return Ok(None);
    };
    let servers = servers.as_object().ok_or(ShapeError::ServersNotAnObject)?;
    let wrong = servers
        .values()
        .filter(|server| !server.is_object())
        .count();
    if wrong > 0 {
        let all = servers.len();
        return Err(ShapeError::ServerNotAnObject { wrong, all });
    }
    let mut numbers = Numbers::default();
    let objects = servers
        .iter()
        .filter_map(|(name, server)| Some((name, server.as_object()?)));
    let mut shapes: Vec<_> = objects
        .map(|(name, server)| server_shape(numbers.told(name, is_server_name(name)), server))
        .collect();
    shapes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Some(shapes))
}

/// Numbers the names that a shape replaces, so that two of them stay different.
#[derive(Debug, Default)]
struct Numbers(usize);

impl Numbers {
    /// Returns a fit name, or the replacement of an unfit one. No fit name has brackets.
    fn told(&mut self, name: &str, is_fit: bool) -> String {
        if is_fit {
            return name.to_owned();
        }
        self.0 += 1;
        match self.0 {
            1 => UNFIT_NAME.to_owned(),
            number => format!("(unfit name {number})"),
        }
    }
}

/// Returns the line of the first `//` or `/*` outside of strings.
fn first_comment(bytes: &[u8]) -> Option<usize> {
    let (mut line, mut is_in_text, mut at) = (1, false, 0);
    while at < bytes.len() {
        match (bytes[at], is_in_text) {
            (b'\n', _) => line += 1,
            (b'\\', true) => at += 1,
            (b'"', _) => is_in_text = !is_in_text,
            (b'/', false) if matches!(bytes.get(at + 1), Some(b'/' | b'*')) => return Some(line),
            _ => {}
        }
        at += 1;
    }
    None
}

fn server_shape(name: String, server: &Map<String, Value>) -> ServerShape {
    // A value that must not be shown is replaced, because its presence is no secret.
    let told = |key: &str, read: fn(&str) -> Option<String>| {
        let value = server.get(key)?;
        let read = value.as_str().and_then(read);
        Some(read.unwrap_or_else(|| UNFIT_NAME.to_owned()))
    };
    ServerShape {
        name,
        transport: transport(server).to_owned(),
        command: told("command", program),
        host: told("url", host),
        env: names(server.get("env"), is_variable_name),
        headers: names(server.get("headers"), is_header_name),
    }
}

fn transport(server: &Map<String, Value>) -> &'static str {
    match server.get("type") {
        Some(told) => {
            let mut known = TRANSPORTS.into_iter();
            known
                .find(|known| told == known)
                .unwrap_or(TRANSPORT_UNKNOWN)
        }
        None if server.contains_key("command") => "stdio",
        None if server.contains_key("url") => "http",
        None => TRANSPORT_UNKNOWN,
    }
}

/// The least number of bytes of a token after its beginning.
const TOKEN_REST_MIN: usize = 6;

/// The least length of a part of a name that looks random, in bytes, and its least number of digits.
const DRAWN_BYTES_MIN: usize = 16;
const DRAWN_DIGITS_MIN: usize = 3;

/// The beginnings of tokens, which issuers choose so that scanners find leaked ones.
const TOKEN_BEGINNINGS: [&str; 20] = [
    "AIza",
    "AKIA",
    "ASIA",
    "SG.",
    "dop_v1_",
    "eyJ",
    "gho_",
    "ghp_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "hf_",
    "hvs",
    "npm_",
    "pypi-",
    "shpat_",
    "sk-",
    "sk_",
    "xox",
];

/// Returns whether a name is a token. A token has a known beginning and then a digit or a capital, or one of
/// its parts looks random.
fn is_token(name: &str) -> bool {
    let is_mixed =
        |text: &str| text.contains(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase());
    let rest_of = |beginning: &&str| name.strip_prefix(*beginning);
    let mut rests = TOKEN_BEGINNINGS.iter().filter_map(rest_of);
    let begins = rests.any(|rest| rest.len() >= TOKEN_REST_MIN && is_mixed(rest));
    let mut parts = name.split(|c: char| !c.is_ascii_alphanumeric());
    let is_drawn = |part: &str| {
        let digits = part.bytes().filter(u8::is_ascii_digit).count();
        part.len() >= DRAWN_BYTES_MIN && digits >= DRAWN_DIGITS_MIN
    };
    begins || name.starts_with("Bearer") || parts.any(is_drawn)
}

/// `[A-Za-z0-9 ._-]{1,64}`, and no token.
fn is_server_name(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b" ._-".contains(&byte);
    !is_token(name) && (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_fit)
}

/// `[A-Za-z_][A-Za-z0-9_]{0,63}`, and no token.
fn is_variable_name(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !is_token(name)
        && (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(is_fit)
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// A header's name by RFC 9110 (section 5.6.2), and no secret token.
fn is_header_name(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !is_token(name) && (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_fit)
}

/// Returns the last component of a command if it is one program with a plain name. A whole command line
/// could contain a token, and people put tokens in place of a program.
fn program(command: &str) -> Option<String> {
    let is_line = |c: char| c.is_whitespace() || c.is_control() || "\"'`=;&|<>$".contains(c);
    let name = command.rsplit(['/', '\\']).next()?;
    let is_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let is_fit = (1..=PROGRAM_BYTES_MAX).contains(&name.len())
        && name.bytes().all(is_plain)
        && digits <= PROGRAM_DIGITS_MAX
        && !command.contains(is_line);
    is_fit.then(|| name.to_owned())
}

/// Returns whether a part of a host is a lower-case word. Tokens have digits or capitals.
fn is_word(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// Returns what a shape shows of the host of a URL: an address, or the end of a name as far as it consists of
/// words. People put tokens into names below a registered domain, but not into the domain itself.
fn host(url: &str) -> Option<String> {
    // Without the slashes, the parser takes the first word for the host, whatever it is.
    let (scheme, rest) = url.split_once("://")?;
    if !matches!(scheme, "http" | "https" | "ws" | "wss") || !has_plain_authority(rest) {
        return None;
    }
    let url = Url::parse(url).ok()?;
    let host = match url.host()? {
        Host::Domain(host) => host,
        address => return Some(address.to_string()),
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    let written = authority.rsplit('@').next()?;
    let written = written.split(':').next()?;
    // People do not know a name that has to be decoded first.
    if !written.eq_ignore_ascii_case(host) {
        return None;
    }
    let labels: Vec<_> = written.split('.').collect();
    let words = labels.iter().rev().take_while(|label| is_word(label));
    let told = match (words.count(), labels.len()) {
        (0, _) | (_, 0) => return None,
        (1, 1) => 1,
        (words, _) => words.max(2),
    };
    let told = &labels[labels.len() - told..];
    let is_name = |label: &&str| {
        label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    told.iter()
        .all(|label| !label.is_empty() && is_name(label))
        .then(|| told.join(".").to_ascii_lowercase())
}

/// Returns whether the text after `://` begins with a host for every reader. The parser skips further
/// slashes, and so takes a path for a host. It ends the authority at a slash in a password, and so takes the
/// beginning of a secret for a host. An `@` that begins a part of a path, as in `/@scope/package`, belongs
/// to no password.
fn has_plain_authority(rest: &str) -> bool {
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let ends_password = |(at, _): (usize, &str)| !path[..at].ends_with('/');
    !authority.is_empty()
        && !rest.contains('\\')
        && !rest.contains(char::is_control)
        && !path.match_indices('@').any(ends_password)
}

fn names(object: Option<&Value>, is_fit: fn(&str) -> bool) -> Vec<String> {
    let object = object.and_then(Value::as_object);
    let mut numbers = Numbers::default();
    let mut names: Vec<_> = object
        .into_iter()
        .flat_map(Map::keys)
        .map(|name| numbers.told(name, is_fit(name)))
        .collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "sk-7Hq2xSECRET";

    fn read(json: &str) -> Result<Vec<ServerShape>, ShapeError> {
        let read = shape(json.as_bytes()).map(Option::unwrap_or_default);
        // A host is told in lower case.
        let told = format!("{read:?}").to_lowercase();
        assert!(!told.contains(&SECRET.to_lowercase()), "{read:?}");
        if let Err(error) = &read {
            assert!(!error.to_string().contains(SECRET), "{error}");
        }
        read
    }

    #[test]
    fn a_local_server() {
        let json = format!(
            r#"{{"mcpServers":{{"files":{{"command":"/usr/bin/npx","args":["--token","{SECRET}"],
            "env":{{"B":"{SECRET}","A":"{SECRET}"}}}}}}}}"#
        );
        let expected = ServerShape {
            name: "files".into(),
            transport: "stdio".into(),
            command: Some("npx".into()),
            env: vec!["A".into(), "B".into()],
            ..ServerShape::default()
        };
        assert_eq!(read(&json), Ok(vec![expected]));
    }

    #[test]
    fn a_remote_server() {
        let json = format!(
            r#"{{"mcpServers":{{"z":{{"type":"sse","url":"https://u:{SECRET}@api.example.com:8443/{SECRET}?t={SECRET}#{SECRET}",
            "headers":{{"X-Key":"{SECRET}","Authorization":"Bearer {SECRET}"}}}},
            "a":{{"url":"http://[::1]/x"}},"n":{{"url":"https://hub.example.com/@a/b?c={SECRET}"}}}}}}"#
        );
        let shapes = read(&json).unwrap();
        let names: Vec<_> = shapes.iter().map(|server| server.name.as_str()).collect();
        assert_eq!(names, ["a", "n", "z"]);
        assert_eq!(shapes[0].transport, "http");
        assert_eq!(shapes[0].host.as_deref(), Some("[::1]"));
        assert_eq!(shapes[1].host.as_deref(), Some("hub.example.com"));
        assert_eq!(shapes[2].transport, "sse");
        assert_eq!(shapes[2].host.as_deref(), Some("api.example.com"));
        assert_eq!(shapes[2].headers, ["Authorization", "X-Key"]);
    }

    #[test]
    fn secrets_in_strange_places() {
        for server in [
            format!(r#"{{"command":"run --token {SECRET}"}}"#),
            format!(r#"{{"command":"TOKEN={SECRET}"}}"#),
            format!(r#"{{"command":["{SECRET}"]}}"#),
            format!(r#"{{"type":"{SECRET}","url":"{SECRET}"}}"#),
            format!(r#"{{"type":["{SECRET}"],"url":"http:{SECRET}"}}"#),
            format!(r#"{{"url":"{SECRET}://{SECRET}"}}"#),
            format!(r#"{{"url":"https:///{SECRET} {SECRET}"}}"#),
            format!(r#"{{"url":"https:///{SECRET}"}}"#),
            format!(r#"{{"url":"https://\\{SECRET}"}}"#),
            format!(r#"{{"url":"https://\t/{SECRET}"}}"#),
            format!(r#"{{"url":"https://{SECRET}/x@api.example.com"}}"#),
            format!(r#"{{"url":"https://{SECRET}?x@api.example.com/"}}"#),
            format!(r#"{{"url":"https://{SECRET}#x:y@api.example.com/"}}"#),
            format!(r#"{{"env":["{SECRET}"],"headers":"{SECRET}","cwd":"{SECRET}"}}"#),
            format!(r#"{{"oauth":{{"secret":"{SECRET}"}}}}"#),
        ] {
            let shapes = read(&format!(r#"{{"mcpServers":{{"s":{server}}}}}"#)).unwrap();
            assert_eq!(shapes.len(), 1, "{server}");
            let mut told = shapes[0].command.iter().chain(&shapes[0].host);
            assert!(told.all(|told| told == UNFIT_NAME), "{server}");
        }
    }

    #[test]
    fn finding_13_a_token_in_a_names_place_is_not_told() {
        for token in [
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "AKIAIOSFODNN7EXAMPLE",
            "sk-proj-Ab12Cd34Ef56Gh78Ij90",
            "xoxb-123456789012-abcdefABCDEF",
            "hvs_CAESIJ",
            "X-9f8e7d6c5b4a39281706",
            "Bearer-abcdef",
            "eyJhbGciOiJIUzI1NiJ9",
        ] {
            assert!(!is_server_name(token), "{token}");
            assert!(!is_header_name(token), "{token}");
            assert!(!is_variable_name(&token.replace('-', "_")), "{token}");
        }
        for name in [
            "context7",
            "sk-learn-docs",
            "npm_config_registry",
            "Basic Memory",
            "AZURE_OPENAI_API_KEY_2",
            "SKYSCANNER_KEY",
            "mcp-server-20241105",
            "X-Goog-User-Project",
            "AWS_ACCESS_KEY_ID",
            "sequential-thinking",
        ] {
            assert!(!is_token(name), "{name}");
        }
    }

    #[test]
    fn finding_13_no_planted_secret_is_told() {
        let json = r#"{"mcpServers":{
            "https://user:SECRET1@host/":{"command":"npx"},
            "a":{"command":"SECRET2token","args":["SECRET3"]},
            "b":{"url":"https://SECRET4.hooks.example.com/x"},
            "c":{"url":"https://SECRET5"},
            "d":{"headers":{"Authorization: Bearer SECRET6":""},"url":"https://h/"},
            "e":{"env":{"TOKEN=SECRET7":""},"command":"/home/u/SECRET8/bin"},
            "f":{"type":"secretnine","command":"x"},
            "g":{"command":"env","env":["TOKEN=SECRETA"]},
            "h":{"url":"https://x@SECRETB/"},
            "i":{"url":"http://host.example.com@SECRETC"},
            "j":{"url":"https://host\u0000SECRETD/"},
            "k":{"url":"wss://SECRETE:443/"},
            "l":{"url":"https://host;SECRETF/"},
            "m":{"url":"https://host%2fSECRETG/"},
            "n":{"url":"https://host\u3002SECRETH/"},
            "o":{"command":"npx@SECRETI+x/y"},
            "p":{"env":{"SECRETJ=":"","\u001b[31mx":"v"},"command":"x"}
        }}"#;
        let shapes = shape(json.as_bytes()).unwrap().unwrap();
        let told = format!("{shapes:?}");
        assert!(!told.to_lowercase().contains("secret"), "{told}");
        let lines = shapes.iter().map(|server| {
            let rest = [&server.command, &server.host].map(|told| told.as_deref().unwrap_or("-"));
            let lists = [&server.env, &server.headers].map(|names| names.join(","));
            let line = [
                &server.name,
                &server.transport,
                rest[0],
                rest[1],
                &lists[0],
                &lists[1],
            ];
            line.join("|")
        });
        let expected = [
            "(unfit name)|stdio|npx|-||",
            "a|stdio|(unfit name)|-||",
            "b|http|-|hooks.example.com||",
            "c|http|-|(unfit name)||",
            "d|http|-|h||(unfit name)",
            "e|stdio|bin|-|(unfit name)|",
            "f|(unknown)|x|-||",
            "g|stdio|env|-||",
            "h|http|-|(unfit name)||",
            "i|http|-|(unfit name)||",
            "j|http|-|(unfit name)||",
            "k|http|-|(unfit name)||",
            "l|http|-|(unfit name)||",
            "m|http|-|(unfit name)||",
            "n|http|-|(unfit name)||",
            "o|stdio|y|-||",
            "p|stdio|x|-|(unfit name 2),(unfit name)|",
        ];
        assert_eq!(lines.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn finding_13_two_unfit_names_stay_two() {
        let shapes =
            read(r#"{"mcpServers":{"a=1":{},"a=2":{"url":1},"(unfit name)":{}}}"#).unwrap();
        let names: Vec<_> = shapes.iter().map(|server| &*server.name).collect();
        assert_eq!(names, ["(unfit name 2)", "(unfit name 3)", "(unfit name)"]);
        assert_eq!(shapes[2].host, None);
        assert_eq!(shapes[1].host.as_deref(), Some(UNFIT_NAME));
    }

    #[test]
    fn finding_13_what_has_a_plain_form_is_told() {
        let of = |server: &str| {
            let json = format!(r#"{{"mcpServers":{{"s":{server}}}}}"#);
            read(&json).unwrap().remove(0)
        };
        let program = |command: &str, expected: &str| {
            let told = of(&format!(r#"{{"command":"{command}"}}"#)).command;
            assert_eq!(told.as_deref(), Some(expected), "{command}");
        };
        program("npx", "npx");
        program("/opt/python@3.12/bin/python3.12", "python3.12");
        program("C:\\\\Tools\\\\npx.cmd", "npx.cmd");
        program("./server-sqlite3", "server-sqlite3");
        for unfit in [
            "",
            "/bin/",
            "run it",
            "a=b",
            "x;y",
            "0123456789abcdef",
            "Token",
        ] {
            program(unfit, UNFIT_NAME);
        }
        program("a=/x/npx", UNFIT_NAME);
        let host = |url: &str, expected: &str| {
            let told = of(&format!(r#"{{"url":"{url}"}}"#)).host;
            assert_eq!(told.as_deref(), Some(expected), "{url}");
        };
        host("http://localhost:3000/mcp", "localhost");
        host("http://127.0.0.1:3000", "127.0.0.1");
        host("https://mcp.api.example.com", "mcp.api.example.com");
        host("https://mcp2.api.example.com", "api.example.com");
        host("https://Hook.Example.com", "example.com");
        host("https://1st.com", "1st.com");
        host("https://a.COM", UNFIT_NAME);
        host("https://example.com.", UNFIT_NAME);
        host("https://a_b.com", UNFIT_NAME);
        let transport = |server: &str, expected: &str| {
            assert_eq!(of(server).transport, expected, "{server}");
        };
        for known in TRANSPORTS {
            transport(&format!(r#"{{"type":"{known}"}}"#), known);
        }
        transport(r#"{"type":"websocket"}"#, "(unknown)");
        transport("{}", "(unknown)");
        let names = of(
            r#"{"env":{"A_1":"","_":"","1A":"","":""},"headers":{"X-Key":"","a!b":"","a b":""}}"#,
        );
        assert_eq!(names.env, ["(unfit name 2)", "(unfit name)", "A_1", "_"]);
        assert_eq!(names.headers, ["(unfit name)", "X-Key", "a!b"]);
        let long = |name: &str, len| format!(r#"{{"env":{{"{}":""}}}}"#, name.repeat(len));
        assert_eq!(of(&long("a", 64)).env, ["a".repeat(64)]);
        assert_eq!(of(&long("a", 65)).env, [UNFIT_NAME]);
    }

    #[test]
    fn wrong_structure() {
        let check = |json: &str, expected: &str| {
            assert_eq!(read(json).unwrap_err().to_string(), expected, "{json}");
        };
        check("", "not valid JSON, at line 1 column 0");
        check(
            &format!("{{\"a\": {SECRET}}}"),
            "not valid JSON, at line 1 column 7",
        );
        check(
            &format!("{{\n\"mcpServers\": {{\"s\": {{\"{SECRET}\": \"{SECRET}\n"),
            "not valid JSON, at line 3 column 0",
        );
        check(&format!("[\"{SECRET}\"]"), "it must be a JSON object");
        check(
            &format!("{{\"mcpServers\":\"{SECRET}\"}}"),
            "`mcpServers` must be an object",
        );
        check(
            &format!("{{\"mcpServers\":{{\"a\":{{}},\"{SECRET}\":\"{SECRET}\"}}}}"),
            "1 of the 2 entries of `mcpServers` are not objects",
        );
        check(&"[".repeat(5000), "not valid JSON, at line 1 column 128");
        check(
            "{\n  // mine\n  \"mcpServers\": {}\n}",
            "JSON has no comments, and there is one at line 2",
        );
        check(
            "{\"a\": \"//\", /* b */ \"c\": 1}",
            "JSON has no comments, and there is one at line 1",
        );
        check(
            "{\"a\": \"\\\"//\"\nb}",
            "not valid JSON, at line 2 column 1",
        );
        assert_eq!(read("{\"mcpServers\":{}}"), Ok(vec![]));
        assert_eq!(shape(b"\xef\xbb\xbf{\"mcpServers\":{}}"), Ok(Some(vec![])));
        assert_eq!(shape(b"{\"servers\":{}}"), Ok(None));
        assert!(shape(b"{\"a\":\"\xff\"}").is_err());
    }
}
