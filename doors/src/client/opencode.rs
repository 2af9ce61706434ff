//! opencode, through its command `run` for one question, and through its server for many.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, ensure};
use ctxpin_model::resource::Kind;
use ctxpin_render::profile::Effective;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use super::{Event, From, Interface, Said, result, texts};
use crate::cases::BROKEN;
use crate::process;
use crate::standin::READ;
use crate::workspace::{Entry, HOME, Workspace};

/// The npm package.
pub const PACKAGE: &str = "opencode-ai";
/// The versions to compare, the newest first.
pub const VERSIONS: [&str; 2] = ["1.18.33", "1.17.0"];
/// The older one.
pub const OLDER: &str = VERSIONS[1];
/// The program below `node_modules`.
pub const PROGRAM: &str = "opencode-linux-x64/bin/opencode";

/// The terminal interface.
pub const INTERFACE: Interface = Interface {
    events: &[
        Event::Open(&[]),
        Event::Nothing,
        Event::Order("/compact"),
        Event::Choose("/fork"),
        Event::Order("/new"),
        Event::Open(&["--continue"]),
    ],
    end: "/exit",
    leave: &[],
};

/// The names of a project's instruction files, in opencode's order.
pub const FILE_NAMES: [&str; 3] = ["AGENTS.md", "CLAUDE.md", "CONTEXT.md"];

/// The person's configuration. Each workspace has it, because the server learns of a new home by a change of it.
const CONFIG: &str = "home/.config/opencode/opencode.json";

/// What begins the part of the system prompt with an instruction file.
const BEGIN: &str = "\nInstructions from: ";

/// What stands before the instruction files, and behind them.
const BEFORE: &str = "</env>";
const BEHIND: &str = "\nSkills provide specialized instructions";

/// What begins the words that opencode puts behind the result of a tool.
const BEHIND_RESULT: &str = "<system-reminder>\nInstructions from: ";

/// What the prompt of the agent says that asks for a summary.
const SUMMARISER: &str = "context summarization";

/// The location of the skill that opencode brings along.
const OWN_SKILL: &str = "<built-in>";

/// The entries of a list of instruction files. The names of the files of `**` begin with the word `deep`.
const LISTED: [&str; 23] = [
    "docs/few-*.md",
    "**/deep-*.txt",
    "docs/plain.md",
    "../up.md",
    "./AGENTS.md",
    "~/.config/opencode/mine.md",
    "~/.config/opencode/rules/own-*.md",
    "{base}/project/docs/few-*.md",
    "{base}/project/docs/.hidden.md",
    "{base}/project/docs/*.hidden.md",
    "docs/{choice-a,choice-b}.md",
    "docs/{choice-b,choice-a}.md",
    "[p-q]lain.md",
    "nothing.md",
    "docs",
    "linked/**/deep-?.txt",
    "api/*/../plain.md",
    "docs/few-{1..2}.md",
    "docs/@(few|none)-+([0-9]).md",
    "**/deep-!(1|x).txt",
    "{base}/project/docs/few-!(1).md",
    "docs/?(choice-@(a|b)|x).md",
    "!docs/plain.md",
];

/// Members of a configuration that decide which skills are listed. None of them keeps the model from reading a file.
const PERMISSIONS: [&str; 12] = [
    "\"permission\": {\"skill\": {\"*\": \"deny\", \"t*\": \"allow\"}}, ",
    "\"permission\": {\"skill\": {\"t*\": \"deny\", \"*\": \"allow\"}}, ",
    "\"permission\": {\"skill\": {\"*\": \"allow\", \"*_?\": \"deny\", \"o?e\": \"deny\"}}, ",
    "\"permission\": {\"skill\": \"deny\"}, ",
    "\"permission\": {\"skill\": \"allow\", \"sk*l\": {\"two\": \"deny\", \"three-3 *\": \"deny\"}}, ",
    "\"permission\": {\"skill\": {\"one\": \"ask\", \"T*\": \"deny\"}}, ",
    "\"permission\": {\"webfetch\": \"deny\", \"skill\": {\"four_4\": \"deny\"}}, ",
    "\"tools\": {\"skill\": false}, ",
    "\"tools\": {\"skill\": true, \"webfetch\": false}, ",
    "\"agent\": {\"build\": {\"permission\": {\"skill\": {\"o*\": \"deny\"}}}}, ",
    "\"mode\": {\"build\": {\"permission\": {\"skill\": {\"t*\": \"deny\"}}}}, ",
    "\"permission\": {\"skill\": \"deny\"}, \"agent\": {\"build\": {\"permission\": {\"skill\": {\"t*\": \"allow\"}}}}, ",
];

/// Descriptions of the agent with which a session begins.
const AGENTS: [&str; 4] = [
    "---\npermission:\n  skill:\n    \"*\": deny\n    t*: allow\n---\n",
    "---\npermission:\n  skill:\n    one: deny\n    \"*_?\": ask\n---\n",
    "---\ntools:\n  skill: false\n---\n",
    "---\nmode: primary\npermission:\n  skill: allow\n---\n",
];

/// Writes configurations, listed files, skills and the person's files.
pub fn settle(random: &mut StdRng, workspace: &mut Workspace) {
    // Most directories have a file of the first name, which hides those of the others.
    for name in &FILE_NAMES[..2] {
        if random.random_bool(0.4) {
            workspace.remove(name);
        }
    }
    workspace.write(CONFIG, config(random));
    for name in ["config.json", "opencode.jsonc"] {
        if random.random_bool(0.1) {
            workspace.write(format!("{HOME}/.config/opencode/{name}"), config(random));
        }
    }
    if random.random_bool(0.1) {
        workspace.write(format!("{HOME}/.opencode/opencode.json"), config(random));
    }
    for path in [".config/opencode/AGENTS.md", ".claude/CLAUDE.md"] {
        if random.random_bool(0.3) {
            let text = [
                "Mine.\n",
                "  \n",
                "\u{feff}",
                "\n Mine, with blanks.  \n\n",
                "",
            ];
            let text = text.choose(random).copied().unwrap_or_default();
            workspace.write(format!("{HOME}/{path}"), text);
        }
    }
    let directories = workspace.directories();
    for directory in directories.iter().map(String::as_str).chain(["."]) {
        for name in ["opencode.json", "opencode.jsonc", ".opencode/opencode.json"] {
            if random.random_bool(0.08) {
                workspace.write(format!("{directory}/{name}"), config(random));
            }
        }
        listed(random, workspace, directory);
    }
    for folder in [
        "home/.config/opencode/agent",
        "project/.opencode/agents",
        "project/.opencode/mode",
    ] {
        if random.random_bool(0.1) {
            let agent = AGENTS.choose(random).copied().unwrap_or_default();
            workspace.write(format!("{folder}/build.md"), agent);
        }
    }
    for name in [
        "mine.md",
        "rules/own-1.md",
        "rules/own-2.md",
        "rules/.own-3.md",
    ] {
        let path = format!("{HOME}/.config/opencode/{name}");
        workspace.write(path, format!("{name}\n"));
    }
    workspace.add("linked", Entry::Link("project/docs".into()));
    workspace.add("project/linked", Entry::Link("docs".into()));
    for folder in [".opencode/plugin", ".config/opencode/plugin"] {
        if random.random_bool(0.1) {
            let at = ["project", HOME][usize::from(folder.starts_with(".config"))];
            let plugin = "export const Nothing = async () => ({});\n";
            workspace.write(format!("{at}/{folder}/nothing.js"), plugin);
        }
    }
    skills(random, workspace, &directories);
    let below = directories
        .iter()
        .filter(|directory| Path::new(directory).starts_with(&workspace.working));
    if let Some(directory) = below.collect::<Vec<_>>().choose(random) {
        let wanted = format!("{directory}/main.rs");
        workspace.write(wanted.clone(), "Something to read.\n");
        workspace.wanted = Some(wanted);
    }
}

/// Returns a configuration, sometimes with comments and the last comma.
fn config(random: &mut StdRng) -> String {
    let count = random.random_range(0..4);
    let entries: Vec<_> = LISTED.sample(random, count).collect();
    let entries = json!(entries).to_string();
    let permissions = match random.random_bool(0.3) {
        true => PERMISSIONS.choose(random).copied().unwrap_or_default(),
        false => "",
    };
    match random.random_range(0..4) {
        0 => "{}".to_owned(),
        1 => format!("// rules\n{{{permissions}\"instructions\": {entries}, /* last */ }}\n"),
        2 => format!(
            "{{{permissions}\"skills\": {{\"paths\": [\"more\"]}}, \"instructions\": {entries}}}"
        ),
        _ => format!("{{{permissions}\"instructions\": {entries}}}"),
    }
}

/// Writes files that a configuration may list.
fn listed(random: &mut StdRng, workspace: &mut Workspace, directory: &str) {
    let names = [
        "docs/few-1.md",
        "docs/few-2.md",
        "docs/.few-3.md",
        "docs/.hidden.md",
        "docs/plain.md",
        "docs/choice-a.md",
        "docs/choice-b.md",
        "plain.md",
        "up.md",
        "deep-1.txt",
        "docs/deep-2.txt",
    ];
    for name in names {
        if random.random_bool(0.2) {
            let number: u32 = random.random_range(0..1_000_000);
            let entry = Entry::File(format!("# Listed {number}\r\n"));
            workspace.add(format!("{directory}/{name}"), entry);
        }
    }
}

/// Writes skills into some of the folders that have them.
fn skills(random: &mut StdRng, workspace: &mut Workspace, directories: &[String]) {
    let folders = [
        ".claude/skills",
        ".agents/skills",
        ".opencode/skill",
        ".opencode/skills/deep",
        "more",
    ];
    let homes = [
        ".claude/skills",
        ".agents/skills",
        ".config/opencode/skills",
    ];
    let homes = homes.iter().map(|folder| format!("{HOME}/{folder}"));
    let of_project = directories.iter();
    let of_project =
        of_project.flat_map(|directory| folders.iter().map(move |f| format!("{directory}/{f}")));
    for folder in homes.chain(of_project).collect::<Vec<_>>() {
        if random.random_bool(0.2) {
            let name = ["one", "two", "three-3", "four_4"].choose(random);
            let name = name.copied().unwrap_or("one");
            let line = match random.random_bool(0.2) {
                true => BROKEN.choose(random).copied().unwrap_or_default(),
                false => "",
            };
            let text = format!("---\nname: {name}\ndescription: Of {folder}.\n{line}---\nBody.\n");
            workspace.add(format!("{folder}/{name}/SKILL.md"), Entry::File(text));
        }
    }
}

/// The variables of a process that asks the stand-in alone.
fn environment(url: &str) -> [(&'static str, String); 9] {
    let models =
        json!({ "m": { "name": "m", "limit": { "context": 1_000_000, "output": 1_000 } } });
    let provider = json!({
        "npm": "@ai-sdk/openai-compatible", "name": "standin",
        "options": { "baseURL": format!("{url}/v1"), "apiKey": "none" }, "models": models,
    });
    let config = json!({
        "share": "disabled", "autoupdate": false, "snapshot": false, "model": "standin/m",
        "provider": { "standin": provider },
    });
    let yes = || "1".to_owned();
    [
        ("OPENCODE_CONFIG_CONTENT", config.to_string()),
        ("OPENCODE_DISABLE_AUTOUPDATE", yes()),
        ("OPENCODE_DISABLE_MODELS_FETCH", yes()),
        ("OPENCODE_DISABLE_DEFAULT_PLUGINS", yes()),
        ("OPENCODE_DISABLE_LSP_DOWNLOAD", yes()),
        ("OPENCODE_DISABLE_FFF", yes()),
        // It installs a package into each directory with a configuration.
        ("npm_config_registry", url.to_owned()),
        ("npm_config_fetch_retries", "0".to_owned()),
        ("npm_config_audit", "false".to_owned()),
    ]
}

/// Points opencode to the stand-in, and asks one question. A session with a title asks for none.
pub fn ask(command: &mut Command, url: &str, wanted: Option<&Path>) {
    go_on(command, url, &question(wanted), None);
}

/// Points opencode to the stand-in, and gives a session a prompt.
pub fn go_on(command: &mut Command, url: &str, question: &str, from: Option<&From>) {
    reach(command, url);
    command.args(["run", "--format", "json"]);
    match from {
        None => drop(command.args(["--title", "Doors"])),
        Some(From::Resume(session)) => drop(command.args(["--session", session])),
        Some(From::Fork(session)) => drop(command.args(["--session", session, "--fork"])),
    }
    command.arg(question);
}

/// Completes the environment in which the tool reaches the stand-in.
pub fn reach(command: &mut Command, url: &str) {
    command.envs(environment(url));
}

/// Returns a question, which the model answers by reading a file if one is wanted.
fn question(wanted: Option<&Path>) -> String {
    match wanted {
        Some(wanted) => format!("{READ}{}", wanted.display()),
        None => "Say something.".to_owned(),
    }
}

/// A running server, which is asked in one workspace after another. A start of opencode takes seconds of a
/// processor, a question to its server much less.
pub struct Server {
    directory: TempDir,
    url: String,
    /// How often the home was changed.
    homes: AtomicU32,
    _process: Child,
}

impl Server {
    /// Starts a server whose model is the stand-in at `url`.
    pub async fn start(program: &Path, url: &str) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let base = directory.path();
        let command = process::clean(program, base, &base.join(HOME));
        let mut command = tokio::process::Command::from(command);
        command
            .args(["serve", "--hostname", "127.0.0.1", "--port", "0"])
            .envs(environment(url))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        for kind in ["DATA", "STATE", "CACHE"] {
            command.env(format!("XDG_{kind}_HOME"), base.join(kind));
        }
        // The home is a link, which leads to that of one workspace after another.
        fs::create_dir(base.join("nobody"))?;
        symlink("nobody", base.join(HOME))?;
        let mut process = command.spawn()?;
        let output = process.stdout.take().context("its output is a pipe")?;
        let mut lines = BufReader::new(output).lines();
        let url = loop {
            let line = lines.next_line().await?;
            let line = line.context("the server ended before it listened")?;
            if let Some((_, url)) = line.split_once("listening on ") {
                break url.trim().to_owned();
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self {
            directory,
            url,
            homes: AtomicU32::new(0),
            _process: process,
        })
    }

    /// Returns the path of the home under which the server knows it.
    pub fn home(&self) -> PathBuf {
        self.directory.path().join(HOME)
    }

    /// Asks one question in a workspace, whose directories lie at `base`.
    pub async fn ask(
        &self,
        base: &Path,
        working: &Path,
        wanted: Option<&Path>,
    ) -> anyhow::Result<()> {
        let home = self.home();
        fs::remove_file(&home)?;
        symlink(base.join(HOME), &home)?;
        // It keeps the person's configuration until that changes.
        let number = self.homes.fetch_add(1, Ordering::Relaxed);
        let name = json!({ "username": format!("n{number}") });
        let changed = self.call("PATCH", "/global/config", None, &name).await?;
        ensure!(
            changed["username"] == name["username"],
            "the home was not changed: {changed}"
        );
        let session = self
            .call(
                "POST",
                "/session",
                Some(working),
                &json!({ "title": "Doors" }),
            )
            .await?;
        let id = session["id"].as_str();
        let id = id.with_context(|| format!("no session began: {session}"))?;
        let question = json!({
            "model": { "providerID": "standin", "modelID": "m" },
            "parts": [{ "type": "text", "text": question(wanted) }],
        });
        let path = format!("/session/{id}/message");
        self.call("POST", &path, Some(working), &question).await?;
        self.call("POST", "/instance/dispose", Some(working), &json!({}))
            .await?;
        Ok(())
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        working: Option<&Path>,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let mut curl = tokio::process::Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--max-time",
            "120",
            "--request",
            method,
        ])
        .args([
            "--header",
            "content-type: application/json",
            "--data",
            &body.to_string(),
        ])
        .arg(format!("{}{path}", self.url));
        if let Some(working) = working {
            let directory = format!("directory={}", working.to_string_lossy());
            curl.args(["--url-query", &directory]);
        }
        let output = curl.kill_on_drop(true).output().await;
        let output = output.context("starting curl; Debian's package `curl` has it")?;
        let last_words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{method} {path}: {last_words}");
        Ok(serde_json::from_slice(&output.stdout).unwrap_or_default())
    }
}

/// Returns the system prompt of a request.
fn system(request: &Value) -> &str {
    request["messages"][0]["content"]
        .as_str()
        .unwrap_or_default()
}

/// Returns the part of the system prompt with the instruction files.
pub fn instructions(request: &Value) -> String {
    let system = system(request);
    let begin = system.find(BEFORE).map_or(0, |at| at + BEFORE.len());
    let end = system.rfind(BEHIND).unwrap_or(system.len());
    let text = system.get(begin..end).unwrap_or_default();
    text.strip_prefix('\n').unwrap_or_default().to_owned()
}

/// Returns what a request has of the files on the way to a file that the model read.
pub fn on_demand(request: &Value) -> Vec<String> {
    let messages = request["messages"].as_array().into_iter().flatten();
    let results = messages.filter(|message| message["role"] == "tool");
    let texts = results.filter_map(|message| message["content"].as_str());
    let reminders = texts.filter_map(|text| {
        let (_, reminder) = text.rsplit_once("<system-reminder>")?;
        reminder.strip_suffix("\n</system-reminder>")
    });
    let parts = reminders.flat_map(|reminder| {
        let parts = reminder
            .split(BEGIN)
            .skip(1)
            .map(|part| format!("{}{part}", &BEGIN[1..]));
        let parts: Vec<_> = parts.collect();
        let last = parts.len().saturating_sub(1);
        // A blank line stands between two files.
        let parts = parts.into_iter().enumerate();
        parts.map(move |(index, part)| match part.strip_suffix('\n') {
            Some(part) if index < last => part.to_owned(),
            _ => part,
        })
    });
    parts.collect()
}

/// Returns the strings of a request.
pub fn said(request: &Value) -> Vec<Said> {
    let messages = request["messages"].as_array().into_iter().flatten();
    let said = messages.enumerate().flat_map(|(number, message)| {
        let texts = texts(&message["content"]);
        texts.flat_map(move |text| match message["role"].as_str() {
            Some("tool") => result(number, text, &[BEHIND_RESULT]).to_vec(),
            role => vec![Said {
                message: number,
                is_instruction: role == Some("system"),
                text: text.to_owned(),
            }],
        })
    });
    said.collect()
}

/// Returns whether a request asks for a summary of the conversation. Its agent has no instruction files.
pub fn asks_for_summary(request: &Value) -> bool {
    let said = said(request);
    let mut system = said.iter().filter(|said| said.is_instruction);
    system.any(|said| said.text.contains(SUMMARISER))
}

/// Returns the paths of the skills that the system prompt lists, without opencode's own.
pub fn skills_listed(request: &Value) -> Vec<String> {
    let lines = system(request).lines();
    let locations = lines.filter_map(|line| {
        let line = line.trim().strip_prefix("<location>")?;
        line.strip_suffix("</location>")
    });
    let plain = |text: &str| {
        let text = text.replace("&lt;", "<").replace("&gt;", ">");
        text.replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&amp;", "&")
    };
    let locations = locations.map(|location| match location.strip_prefix("file://") {
        // Version 1.17.0 writes addresses.
        Some(path) => decoded(path),
        None => plain(location),
    });
    let locations = locations.filter(|location| !location.ends_with(OWN_SKILL));
    locations.collect()
}

/// Returns the names of the skills that ctxpin lists, and those of a tool's list. Of several skills of one name, any may
/// be listed, because opencode takes the one that it finishes reading last. A skill that ctxpin does not know has its
/// whole path as its name.
pub fn lists(said: &Effective, skills: &[String]) -> [Vec<String>; 2] {
    let name = |source: &str| {
        let directory = Path::new(source).parent().and_then(Path::file_name);
        directory.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    };
    let given = said.given.iter().filter(|given| given.kind == Kind::Skill);
    let given = given.map(|given| given.source.as_str());
    let others = said
        .left_out
        .iter()
        .map(|left_out| left_out.source.as_str());
    let known: Vec<_> = given.clone().chain(others).collect();
    // Of a name that a refused skill has too, any may be listed.
    let may_be_listed = ["gives it to its model, but", "may give it"];
    let refused = said.left_out.iter().filter(|left_out| {
        let mut words = may_be_listed.iter();
        left_out.kind == Kind::Skill && words.any(|words| left_out.reason.contains(words))
    });
    let refused: Vec<_> = refused.map(|left_out| name(&left_out.source)).collect();
    let listed = skills
        .iter()
        .map(|skill| match known.contains(&skill.as_str()) {
            true => name(skill),
            false => skill.clone(),
        });
    let lists = [given.map(name).collect::<Vec<_>>(), listed.collect()];
    lists.map(|list| {
        let names = list.into_iter();
        names.filter(|name| !refused.contains(name)).collect()
    })
}

/// Returns the path of an address.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| *first == b'%');
        let digits = digits.and_then(|digits| str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = byte.map_or(behind, |_| &behind[2..]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns a text without the files that `unread` names, and with the directories of one depth in the order of their names.
/// opencode reads those of a pattern with `**` at the same time, and lists them as it finishes, which differs from one
/// start to the next. The names of such files begin with the same word.
pub fn comparable(text: &str, unread: &[&str]) -> String {
    let text = format!("\n{text}");
    let sections = text.split(BEGIN);
    let path = |section: &str| section.lines().next().unwrap_or_default().to_owned();
    let is_read = |section: &&str| !unread.contains(&path(section).as_str());
    let mut sections: Vec<&str> = sections.filter(is_read).collect();
    let directory = |section: &str| {
        let path = path(section);
        let (directory, name) = path.rsplit_once('/')?;
        name.starts_with("deep-").then(|| directory.to_owned())
    };
    let depth = |section: &str| Some(directory(section)?.matches('/').count());
    for run in sections.chunk_by_mut(|a, b| depth(a).is_some() && depth(a) == depth(b)) {
        run.sort_by_key(|section| directory(section));
    }
    let joined = sections.join(BEGIN);
    joined.strip_prefix('\n').unwrap_or(&joined).to_owned()
}
