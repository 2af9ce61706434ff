//! The shape of a `.mcp.json`: no file reveals a value, or a name that has not the form of one.

use ctxpin_scan::mcp_config::shape;
use serde_json::{Map, Value};

/// The text in every place where a secret could be. It is in lower case, like the host of a shape.
const SECRET: &str = "zq7x9w4kv2";

/// The longest error, in bytes. Errors contain only places and counts.
const ERROR_BYTES_MAX: usize = 100;

/// The forms of a URL with a secret in it. `authority` is the input's text behind the scheme.
const URLS: [fn(&str, &str) -> String; 4] = [
    |scheme, authority| format!("{scheme}://u:{SECRET}@{authority}/{SECRET}?{SECRET}#{SECRET}"),
    |scheme, authority| format!("{scheme}://{authority}/{SECRET}?{SECRET}#{SECRET}"),
    // A password with a slash, which should have been escaped.
    |scheme, authority| format!("{scheme}://{SECRET}/x@{authority}"),
    // The host of a hook, below the domain of its provider.
    |scheme, authority| format!("{scheme}://{SECRET}.hooks.{authority}"),
];

/// The ways in which somebody puts a secret into a name, so that it has not the form of a name.
const NAMES: [fn(&str) -> String; 3] = [
    |name| format!("{name}: Bearer {SECRET}"),
    |name| format!("{name}={SECRET}"),
    |name| format!("https://{SECRET}@{name}/"),
];

/// The beginning of the text that replaces an unfit name.
const UNFIT_NAME: &str = "(unfit name";

/// Checks a `.mcp.json`, also with a secret in the place of every value, and cut off in the middle.
pub fn check(bytes: &[u8]) {
    check_cut(bytes);
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let Ok(config) = serde_json::from_slice::<Value>(text) else {
        let error = shape(bytes).expect_err("it is no JSON");
        assert!(error.to_string().len() <= ERROR_BYTES_MAX, "{error}");
        return;
    };
    check_names(bytes);
    if config.to_string().to_lowercase().contains(SECRET) {
        return;
    }
    for url in URLS {
        let mut planted = config.clone();
        plant(&mut planted, url);
        check_silent(planted.to_string().as_bytes());
    }
    for name in NAMES {
        let mut planted = config.clone();
        rename(&mut planted, name);
        check_silent(planted.to_string().as_bytes());
    }
}

/// Checks that the first half of the file with a secret behind it reveals nothing.
fn check_cut(bytes: &[u8]) {
    if !String::from_utf8_lossy(bytes).contains(SECRET) {
        let mut cut = bytes[..bytes.len() / 2].to_vec();
        cut.extend_from_slice(SECRET.as_bytes());
        // A cut file may still be valid, and then its names are reported.
        if shape(&cut).is_err() {
            check_silent(&cut);
        }
    }
}

fn check_silent(config: &[u8]) {
    let shape = shape(config);
    let told = format!("{shape:?}").to_lowercase();
    let text = String::from_utf8_lossy(config);
    assert!(!told.contains(SECRET), "{told}\n{text}");
    if let Err(error) = shape {
        let error = error.to_string();
        assert!(!error.contains(SECRET), "{error}\n{text}");
        assert!(error.len() <= ERROR_BYTES_MAX, "{error}");
    }
}

/// Checks that names are sorted and stay distinct, and that each has the form of a name.
fn check_names(config: &[u8]) {
    let Ok(Some(servers)) = shape(config) else {
        return;
    };
    assert!(servers.is_sorted_by(|a, b| a.name < b.name), "{servers:?}");
    let is_name = |name: &str, others: &str| {
        let is_fit = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
        name.starts_with(UNFIT_NAME) || ((1..=64).contains(&name.len()) && name.chars().all(is_fit))
    };
    for server in &servers {
        assert!(is_name(&server.name, " ._-"), "{server:?}");
        for name in server.command.iter().chain(&server.host) {
            assert!(is_name(name, "._-:[]") || name.len() > 64, "{server:?}");
        }
        for (names, others) in [(&server.env, "_"), (&server.headers, "!#$%&'*+-.^_`|~")] {
            assert!(names.is_sorted_by(|a, b| a < b), "{server:?}");
            assert!(names.iter().all(|name| is_name(name, others)), "{server:?}");
        }
    }
}

/// Puts the secret into everything but the names of servers, variables and headers.
fn plant(config: &mut Value, url: fn(&str, &str) -> String) {
    let Value::Object(members) = config else {
        return fill(config);
    };
    for (key, value) in members.iter_mut() {
        match value {
            Value::Object(servers) if key == "mcpServers" => {
                for server in servers.values_mut() {
                    match server {
                        Value::Object(server) => plant_server(server, url),
                        other => fill(other),
                    }
                }
            }
            other => fill(other),
        }
    }
}

/// Replaces every name of a server, a variable or a header by one that has not the form of a name.
fn rename(config: &mut Value, name: fn(&str) -> String) {
    let renamed = |members: &Map<String, Value>| {
        let members = members
            .iter()
            .map(|(key, value)| (name(key), value.clone()));
        members.collect::<Map<_, _>>()
    };
    let Some(Value::Object(servers)) = config.get_mut("mcpServers") else {
        return;
    };
    *servers = renamed(servers);
    for server in servers.values_mut() {
        for key in ["env", "headers"] {
            if let Some(Value::Object(names)) = server.get_mut(key) {
                *names = renamed(names);
            }
        }
        // An unknown transport is not reported, and neither is a program that looks like a token.
        if let Value::Object(server) = server {
            server.insert("type".into(), SECRET.into());
            server.insert("command".into(), format!("{SECRET}=1").into());
        }
    }
}

fn plant_server(server: &mut Map<String, Value>, url: fn(&str, &str) -> String) {
    for (key, value) in server.iter_mut() {
        *value = match (key.as_str(), &*value) {
            // A program may be reported, but not a whole command line.
            ("command", Value::String(command)) => format!("{command} {SECRET}").into(),
            ("url", Value::String(text)) => match text.split_once("://") {
                Some((scheme, authority)) => url(scheme, authority).into(),
                None => format!("{text}{SECRET}").into(),
            },
            ("env" | "headers", Value::Object(names)) => {
                let names = names.keys().map(|name| (name.clone(), SECRET.into()));
                Value::Object(names.collect())
            }
            _ => {
                fill(value);
                continue;
            }
        };
    }
    server.insert("args".into(), vec![Value::from(SECRET)].into());
}

/// Replaces every text and number in the value by the secret, and adds one.
fn fill(value: &mut Value) {
    match value {
        Value::Array(items) => {
            items.iter_mut().for_each(fill);
            items.push(SECRET.into());
        }
        Value::Object(members) => {
            members.values_mut().for_each(fill);
            members.insert(SECRET.into(), SECRET.into());
        }
        other => *other = SECRET.into(),
    }
}
