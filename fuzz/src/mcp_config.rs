//! The shape of a `.mcp.json`: whatever the file holds, no value of it is told, and no name that is none.

use ctxpin_scan::mcp_config::shape;
use serde_json::{Map, Value};

/// Stands wherever a secret could. A host is told in lower case.
const SECRET: &str = "zq7x9w4kv2";

/// Longest error: it tells places and counts.
const ERROR_BYTES_MAX: usize = 100;

/// Ways in which a URL is written with a secret in it, `authority` being what the input says behind
/// the scheme.
const URLS: [fn(&str, &str) -> String; 4] = [
    |scheme, authority| format!("{scheme}://u:{SECRET}@{authority}/{SECRET}?{SECRET}#{SECRET}"),
    |scheme, authority| format!("{scheme}://{authority}/{SECRET}?{SECRET}#{SECRET}"),
    // A password with a slash, which should have been escaped.
    |scheme, authority| format!("{scheme}://{SECRET}/x@{authority}"),
    // A hook's own name below the domain of whoever offers hooks.
    |scheme, authority| format!("{scheme}://{SECRET}.hooks.{authority}"),
];

/// Ways in which a name is none because of what somebody has put into it.
const NAMES: [fn(&str) -> String; 3] = [
    |name| format!("{name}: Bearer {SECRET}"),
    |name| format!("{name}={SECRET}"),
    |name| format!("https://{SECRET}@{name}/"),
];

/// What stands for a name that is none begins so.
const UNFIT_NAME: &str = "(unfit name";

/// A `.mcp.json`, also with secrets in every place for a value and cut off in the middle.
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

/// The first half of the file with a secret behind it.
fn check_cut(bytes: &[u8]) {
    if !String::from_utf8_lossy(bytes).contains(SECRET) {
        let mut cut = bytes[..bytes.len() / 2].to_vec();
        cut.extend_from_slice(SECRET.as_bytes());
        // A cut in a name may be a whole file, and its names are told.
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

/// Names are sorted, two of them stay two, and each has the form of one.
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

/// Makes every name of a server, a variable or a header none.
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
        // Neither is a transport what nobody speaks, nor a program what is written like a token.
        if let Value::Object(server) = server {
            server.insert("type".into(), SECRET.into());
            server.insert("command".into(), format!("{SECRET}=1").into());
        }
    }
}

fn plant_server(server: &mut Map<String, Value>, url: fn(&str, &str) -> String) {
    for (key, value) in server.iter_mut() {
        *value = match (key.as_str(), &*value) {
            // A program may be told, a whole command line may not.
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

/// Makes every text and number below a secret, and adds one.
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
