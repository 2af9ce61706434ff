//! What a snapshot keeps of MCP: the servers that a configuration names, and the tools that a server offers.

use serde_json::{Map, Value, json};

/// The contents of an MCP configuration or server.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// The servers of an `mcp_config`, by name and without any value that could be a secret.
    Shape(Vec<ServerShape>),
    /// The tools of an `mcp_server`, in the server's order.
    Tools(Vec<Tool>),
}

/// The parts of a server in an `.mcp.json` that cannot be secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerShape {
    /// The server's key under `mcpServers`, or `(unfit name)` if that could be a secret.
    pub name: String,
    /// `stdio`, `http`, `sse`, `streamable-http` or `(unknown)`.
    pub transport: String,
    /// The program of a local server, without its directory and arguments.
    pub command: Option<String>,
    /// The parts of a remote server's host that are words, without user, port, path and query.
    pub host: Option<String>,
    /// The sorted names of its environment variables.
    pub env: Vec<String>,
    /// The sorted names of its headers.
    pub headers: Vec<String>,
}

/// A tool that an MCP server offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// The server's name for the tool.
    pub name: String,
    /// The server's description, for a model.
    pub description: Option<String>,
    /// The JSON Schema of the tool's input.
    pub input_schema: Map<String, Value>,
}

impl Detail {
    /// Returns the canonical JSON (RFC 8785), which is hashed and stored. Equal details have equal
    /// bytes.
    pub fn canonical_json(&self) -> Vec<u8> {
        let value = match self {
            Self::Shape(servers) => {
                json!({ "servers": servers.iter().map(shape_value).collect::<Vec<_>>() })
            }
            Self::Tools(tools) => {
                json!({ "tools": tools.iter().map(tool_value).collect::<Vec<_>>() })
            }
        };
        serde_jcs::to_vec(&value).expect("a JSON value always has a canonical form")
    }

    /// Returns the JSON for people, indented and with a line feed at the end.
    pub fn indented_json(&self) -> String {
        let value: Value = serde_json::from_slice(&self.canonical_json()).unwrap_or_default();
        format!("{value:#}\n")
    }

    /// Parses the result of [`Self::canonical_json`], of this release or another, and skips unknown
    /// members. Returns `None` if the bytes are not a detail.
    pub fn from_canonical_json(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        if let Some(servers) = value.get("servers") {
            let servers = servers.as_array()?.iter().map(shape_from_value);
            return servers.collect::<Option<_>>().map(Self::Shape);
        }
        let tools = value.get("tools")?.as_array()?.iter().map(tool_from_value);
        tools.collect::<Option<_>>().map(Self::Tools)
    }
}

fn shape_value(server: &ServerShape) -> Value {
    let mut object = Map::new();
    object.insert("name".into(), server.name.clone().into());
    object.insert("transport".into(), server.transport.clone().into());
    if let Some(command) = &server.command {
        object.insert("command".into(), command.clone().into());
    }
    if let Some(host) = &server.host {
        object.insert("host".into(), host.clone().into());
    }
    object.insert("env".into(), server.env.clone().into());
    object.insert("headers".into(), server.headers.clone().into());
    object.into()
}

fn shape_from_value(value: &Value) -> Option<ServerShape> {
    let text = |key: &str| value.get(key)?.as_str().map(str::to_owned);
    let names = |key: &str| -> Option<Vec<String>> {
        let names = value.get(key)?.as_array()?.iter();
        names.map(|name| name.as_str().map(str::to_owned)).collect()
    };
    Some(ServerShape {
        name: text("name")?,
        transport: text("transport")?,
        command: text("command"),
        host: text("host"),
        env: names("env")?,
        headers: names("headers")?,
    })
}

fn tool_value(tool: &Tool) -> Value {
    let mut object = Map::new();
    object.insert("name".into(), tool.name.clone().into());
    if let Some(description) = &tool.description {
        object.insert("description".into(), description.clone().into());
    }
    object.insert("input_schema".into(), tool.input_schema.clone().into());
    object.into()
}

fn tool_from_value(value: &Value) -> Option<Tool> {
    Some(Tool {
        name: value.get("name")?.as_str()?.to_owned(),
        description: value
            .get("description")
            .and_then(Value::as_str)
            .map(str::to_owned),
        input_schema: value.get("input_schema")?.as_object()?.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_reads_back() {
        let shape = Detail::Shape(vec![ServerShape {
            name: "files".into(),
            transport: "stdio".into(),
            command: Some("npx".into()),
            host: None,
            env: vec!["TOKEN".into()],
            headers: vec![],
        }]);
        let json = shape.canonical_json();
        assert_eq!(
            String::from_utf8_lossy(&json),
            r#"{"servers":[{"command":"npx","env":["TOKEN"],"headers":[],"name":"files","transport":"stdio"}]}"#
        );
        assert_eq!(Detail::from_canonical_json(&json), Some(shape));
        let tools = Detail::Tools(vec![Tool {
            name: "read".into(),
            description: None,
            input_schema: Map::new(),
        }]);
        let json = tools.canonical_json();
        assert_eq!(
            String::from_utf8_lossy(&json),
            r#"{"tools":[{"input_schema":{},"name":"read"}]}"#
        );
        assert_eq!(Detail::from_canonical_json(&json), Some(tools));
        assert_eq!(Detail::from_canonical_json(b"{}"), None);
    }
}
