//! The three APIs of models: where a request has the questions of people, and the events that answer it.

use serde_json::{Value, json};

use super::{DONE, Reply, Wish};

/// The id of the call that awaits a subagent. A request with its result awaits no more.
const AWAITED: &str = "call_2";

/// An API that tools use.
#[derive(Debug, Clone, Copy)]
pub enum Api {
    /// As docs.anthropic.com/en/api/messages-streaming has it.
    Messages,
    /// As platform.openai.com/docs/api-reference/chat-streaming has it.
    Completions,
    /// As platform.openai.com/docs/api-reference/responses-streaming has it.
    Responses,
}

impl Api {
    /// Returns the API of a path.
    pub fn of(path: &str) -> Option<Self> {
        match path.rsplit('/').next() {
            Some("messages") => Some(Self::Messages),
            Some("completions") => Some(Self::Completions),
            Some("responses") => Some(Self::Responses),
            _ => None,
        }
    }

    /// Returns the texts of the last message of a request that a person may have written, the last one first.
    pub fn questions(self, request: &Value) -> Vec<&str> {
        let list = match self {
            Self::Messages | Self::Completions => &request["messages"],
            Self::Responses => &request["input"],
        };
        let mut messages = list.as_array().into_iter().flatten().rev();
        let Some(last) = messages.find(|message| message["role"] == "user") else {
            return Vec::new();
        };
        let content = &last["content"];
        let blocks = content.as_array().into_iter().flatten().rev();
        let texts = blocks.filter_map(|block| block["text"].as_str());
        let texts = texts.chain(content.as_str());
        // A message may have several prompts, each with a line end but the last.
        texts.map(str::trim_end).collect()
    }

    /// Returns the id of a subagent that a request says to have started and whose answer was not awaited. Only Codex needs
    /// a call for that.
    pub fn awaited(self, request: &Value) -> Option<&str> {
        let items = request["input"].as_array().into_iter().flatten();
        let mut outputs = items.filter(|item| item["type"] == "function_call_output");
        let last = outputs.next_back()?;
        let output = last["output"].as_str()?;
        let (_, id) = output.split_once("\"agent_id\":\"")?;
        let (id, _) = id.split_once('"')?;
        (last["call_id"] != AWAITED).then_some(id)
    }

    /// Returns the events of an answer.
    pub fn events(self, request: &Value, reply: Reply<'_>) -> String {
        match self {
            Self::Messages => messages(reply),
            Self::Completions => completions(reply),
            Self::Responses => responses(request, reply),
        }
    }
}

fn messages(reply: Reply<'_>) -> String {
    let call = reply.wish.and_then(|wish| match wish {
        Wish::Read(path) => Some(("Read", json!({ "file_path": path }))),
        Wish::Run(command) | Wish::RunBehind(command) => {
            let input = json!({
                "command": command, "description": "Runs a command",
                "run_in_background": matches!(wish, Wish::RunBehind(_)),
            });
            Some(("Bash", input))
        }
        Wish::Delegate(prompt) | Wish::DelegateBehind(prompt) => {
            let input = json!({
                "description": "Answers", "prompt": prompt, "subagent_type": "general-purpose",
                "run_in_background": matches!(wish, Wish::DelegateBehind(_)),
            });
            Some(("Agent", input))
        }
        Wish::Use(skill) => Some(("Skill", json!({ "skill": skill }))),
        Wish::Await(_) => None,
    });
    let (content, delta, stop) = match call {
        Some((name, input)) => (
            json!({
                "type": "tool_use", "id": format!("toolu_{}", reply.before + 1), "name": name,
                "input": {},
            }),
            json!({ "type": "input_json_delta", "partial_json": input.to_string() }),
            "tool_use",
        ),
        None => (
            json!({ "type": "text", "text": "" }),
            json!({ "type": "text_delta", "text": DONE }),
            "end_turn",
        ),
    };
    let usage = json!({ "input_tokens": reply.tokens, "output_tokens": 1 });
    let message = json!({
        "id": format!("msg_{}", reply.number), "type": "message", "role": "assistant", "model": "claude", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage,
    });
    let events = [
        json!({ "type": "message_start", "message": message }),
        json!({ "type": "content_block_start", "index": 0, "content_block": content }),
        json!({ "type": "content_block_delta", "index": 0, "delta": delta }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({
            "type": "message_delta", "delta": { "stop_reason": stop, "stop_sequence": null },
            "usage": usage,
        }),
        json!({ "type": "message_stop" }),
    ];
    let events = events.iter().map(|event| {
        let kind = event["type"].as_str().unwrap_or_default();
        format!("event: {kind}\ndata: {event}\n\n")
    });
    events.collect()
}

fn completions(reply: Reply<'_>) -> String {
    let call = reply.wish.and_then(|wish| match wish {
        Wish::Read(path) => Some(("read", json!({ "filePath": path }))),
        Wish::Run(command) | Wish::RunBehind(command) => {
            let input = json!({ "command": command, "description": "Runs a command" });
            Some(("bash", input))
        }
        Wish::Delegate(prompt) | Wish::DelegateBehind(prompt) => {
            let input =
                json!({ "description": "Answers", "prompt": prompt, "subagent_type": "general" });
            Some(("task", input))
        }
        Wish::Use(skill) => Some(("skill", json!({ "name": skill }))),
        Wish::Await(_) => None,
    });
    let (delta, finish_reason) = match call {
        Some((name, input)) => {
            let call = json!({
                "index": 0, "id": "call_1", "type": "function",
                "function": { "name": name, "arguments": input.to_string() },
            });
            (
                json!({ "role": "assistant", "tool_calls": [call] }),
                "tool_calls",
            )
        }
        None => (json!({ "role": "assistant", "content": DONE }), "stop"),
    };
    let usage = json!({
        "prompt_tokens": reply.tokens, "completion_tokens": 1, "total_tokens": reply.tokens + 1,
    });
    let chunk = |delta: &Value, finish_reason: Value, usage: Value| {
        json!({
            "id": "chatcmpl_1", "object": "chat.completion.chunk", "created": 0, "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish_reason }],
            "usage": usage,
        })
    };
    let begin = chunk(&delta, Value::Null, Value::Null);
    let end = chunk(&json!({}), finish_reason.into(), usage);
    format!("data: {begin}\n\ndata: {end}\n\ndata: [DONE]\n\n")
}

fn responses(request: &Value, reply: Reply<'_>) -> String {
    let content = json!([{ "type": "output_text", "text": DONE, "annotations": [] }]);
    let call = |id: &str, name: &str, arguments: &Value| {
        json!({
            "id": "fc_1", "type": "function_call", "status": "completed", "call_id": id, "name": name,
            "arguments": arguments.to_string(),
        })
    };
    let subagents = |mut item: Value| {
        let tools = request["tools"].as_array().into_iter().flatten();
        let mut spaces = tools.filter(|tool| tool["type"] == "namespace");
        if let Some(space) = spaces.find(|space| space.to_string().contains("\"spawn_agent\"")) {
            item["namespace"] = space["name"].clone();
        }
        item
    };
    let item = match reply.wish {
        Some(Wish::Read(path)) => call(
            "call_1",
            "exec_command",
            &json!({ "cmd": format!("cat '{path}'") }),
        ),
        Some(Wish::Run(command) | Wish::RunBehind(command)) => {
            call("call_1", "exec_command", &json!({ "cmd": command }))
        }
        Some(Wish::Delegate(prompt) | Wish::DelegateBehind(prompt)) => {
            subagents(call("call_1", "spawn_agent", &json!({ "message": prompt })))
        }
        Some(Wish::Await(id)) => {
            let awaited = json!({ "targets": [id] });
            subagents(call(AWAITED, "wait_agent", &awaited))
        }
        Some(Wish::Use(_)) | None => json!({
            "id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
            "content": content,
        }),
    };
    let usage = json!({
        "input_tokens": reply.tokens, "input_tokens_details": { "cached_tokens": 0 },
        "output_tokens": 1, "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": reply.tokens + 1,
    });
    let response = |status: &str, output: &[&Value], usage: &Value| {
        json!({
            "id": "resp_1", "object": "response", "created_at": 0, "model": "gpt-5",
            "status": status, "output": output, "usage": usage,
        })
    };
    let events = [
        (
            "response.created",
            "response",
            response("in_progress", &[], &Value::Null),
        ),
        ("response.output_item.done", "item", item.clone()),
        (
            "response.completed",
            "response",
            response("completed", &[&item], &usage),
        ),
    ];
    let events = events.iter().map(|(kind, member, value)| {
        let data = json!({ "type": kind, "output_index": 0, *member: value });
        format!("event: {kind}\ndata: {data}\n\n")
    });
    events.collect()
}
