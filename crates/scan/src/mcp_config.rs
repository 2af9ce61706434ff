//! The shape of a `.mcp.json`: what may be told of it, and never a value that could be a secret.
//!
//! Tokens are found in environments, headers, arguments and URLs, and people put them in stranger
//! places by mistake. So nothing is told unless its form rules that out, and errors name places and
//! counts, never content.

use ctxpin_model::resource::ServerShape;
use serde_json::{Map, Value};
use url::Url;

/// Longest transport that is told, in bytes; the known ones have less than twenty.
const TRANSPORT_BYTES_MAX: usize = 32;

/// What is told of a transport that is no plain word.
const TRANSPORT_UNKNOWN: &str = "unknown";

/// Why a configuration has no shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// It is no JSON.
    #[error("not valid JSON, at line {line} column {column}")]
    Syntax {
        /// From 1.
        line: usize,
        /// From 1, or 0 at the start of a line.
        column: usize,
    },
    /// It would be JSON without its comments.
    #[error("JSON has no comments, and there is one at line {line}")]
    Comment {
        /// From 1.
        line: usize,
    },
    /// The outermost value is something else.
    #[error("it must be a JSON object")]
    NotAnObject,
    /// The servers are something else.
    #[error("`mcpServers` must be an object")]
    ServersNotAnObject,
    /// Some servers are something else.
    #[error("{wrong} of the {all} entries of `mcpServers` are not objects")]
    ServerNotAnObject {
        /// How many are something else.
        wrong: usize,
        /// How many there are.
        all: usize,
    },
}

/// Reads the shape of a configuration: its servers, sorted by name; `None` if it has no `mcpServers`, and
/// so declares nothing. A byte order mark is tolerated.
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
    let objects = servers
        .iter()
        .filter_map(|(name, server)| Some((name, server.as_object()?)));
    let mut shapes: Vec<_> = objects
        .map(|(name, server)| server_shape(name, server))
        .collect();
    shapes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Some(shapes))
}

/// The line of the first `//` or `/*` that stands in no text.
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

fn server_shape(name: &str, server: &Map<String, Value>) -> ServerShape {
    let text = |key: &str| server.get(key).and_then(Value::as_str);
    ServerShape {
        name: name.to_owned(),
        transport: transport(server),
        command: text("command")
            .filter(|command| is_program(command))
            .map(str::to_owned),
        host: text("url").and_then(host),
        env: names(server.get("env")),
        headers: names(server.get("headers")),
    }
}

fn transport(server: &Map<String, Value>) -> String {
    let told = match server.get("type") {
        Some(Value::String(told)) if is_word(told) => told,
        Some(_) => TRANSPORT_UNKNOWN,
        None if server.contains_key("command") => "stdio",
        None if server.contains_key("url") => "http",
        None => TRANSPORT_UNKNOWN,
    };
    told.to_owned()
}

/// Lower-case words only, such as `streamable-http`; tokens have digits or capitals.
fn is_word(text: &str) -> bool {
    let is_plain = text
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'));
    is_plain && !text.is_empty() && text.len() <= TRANSPORT_BYTES_MAX
}

/// Whether a command is a program alone: a whole command line could carry a token.
fn is_program(command: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/@+-".contains(&byte);
    !command.is_empty() && command.bytes().all(is_plain)
}

fn host(url: &str) -> Option<String> {
    // Without the slashes the parser would take the first word, whatever it is, for the host.
    let (scheme, rest) = url.split_once("://")?;
    if !matches!(scheme, "http" | "https" | "ws" | "wss") || !has_plain_authority(rest) {
        return None;
    }
    let url = Url::parse(url).ok()?;
    url.host_str().map(str::to_owned)
}

/// Whether what follows `://` begins with a host for every reader. The parser passes over further
/// slashes, and so takes a path for a host; and it ends the authority at a slash that stands in a
/// password, and so takes the beginning of a secret for one. An `@` that begins a part of a path, as
/// in `/@scope/package`, belongs to no password.
fn has_plain_authority(rest: &str) -> bool {
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let ends_password = |(at, _): (usize, &str)| !path[..at].ends_with('/');
    !authority.is_empty()
        && !rest.contains('\\')
        && !rest.contains(char::is_control)
        && !path.match_indices('@').any(ends_password)
}

fn names(object: Option<&Value>) -> Vec<String> {
    let object = object.and_then(Value::as_object);
    let mut names: Vec<_> = object
        .into_iter()
        .flat_map(|object| object.keys().cloned())
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
            command: Some("/usr/bin/npx".into()),
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
            assert_eq!(
                (&shapes[0].command, &shapes[0].host),
                (&None, &None),
                "{server}"
            );
        }
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
