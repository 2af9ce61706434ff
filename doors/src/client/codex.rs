//! Codex CLI, through its command `exec`.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use ctxpin_model::resource::Kind;
use ctxpin_render::profile::{Effective, descriptions};
use ctxpin_scan::Scan;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::Value;

use super::{Event, From, Interface, Said, texts};
use crate::cases::BROKEN;
use crate::standin::TOKENS_FULL;
use crate::workspace::{Entry, HOME, PROJECT, Workspace};

/// The npm package.
pub const PACKAGE: &str = "@openai/codex";
/// The versions to compare, the newest first.
pub const VERSIONS: [&str; 2] = ["0.171.0", "0.150.0"];
/// The program below `node_modules`.
pub const PROGRAM: &str = "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex";

/// The terminal interface.
pub const INTERFACE: Interface = Interface {
    events: &[
        Event::Open(&[]),
        Event::Nothing,
        Event::Order("/compact"),
        Event::Choose("/new"),
        Event::Choose("/fork"),
        Event::Order("/clear"),
        Event::Open(&["resume", "--last"]),
        Event::Open(&["fork", "--last"]),
    ],
    end: "/quit",
    // Newer versions leave a server running.
    leave: &[&["app-server", "daemon", "stop"]],
};

/// The names of the files that Codex looks for, some only if they are configured.
pub const FILE_NAMES: [&str; 4] = ["AGENTS.md", "AGENTS.override.md", "CLAUDE.md", "TEAM.md"];

/// The configuration in Codex's home.
const CONFIG: &str = "home/.codex/config.toml";

/// What separates the file of the home from those of the project, and those from each other.
const SEPARATOR: &str = "\n\n--- project-doc ---\n\n";
const BETWEEN: &str = "\n\n";

/// What begins the message with the instruction files.
const BEGIN: &str = "# AGENTS.md instructions";

/// What begins the list of skills, and what ends it.
const SKILLS_BEGIN: &str = "<skills_instructions>\n";
const SKILLS_END: &str = "\n</skills_instructions>";

/// Rules that turn skills off or on.
const RULES: [&str; 7] = [
    "[[skills.config]]\nname = \"team kit:one\"\nenabled = false\n",
    "[[skills.config]]\nname = \"one\"\nenabled = false\n",
    "[[skills.config]]\nname = \"two\"\nenabled = false\n",
    "[[skills.config]]\nname = \"one\"\nenabled = true\n",
    "[[skills.config]]\npath = \"{base}/project/.agents/skills/other/SKILL.md\"\nenabled = false\n",
    "[[skills.config]]\npath = \"~/.agents/skills/other/SKILL.md\"\nenabled = false\n",
    "[[skills.config]]\nname = \"one\"\npath = \"x\"\nenabled = false\n",
];

/// The folders in which Codex and other tools look for the manifest of a plugin.
const MANIFEST_FOLDERS: [&str; 4] = [
    ".codex-plugin",
    ".claude-plugin",
    ".cursor-plugin",
    ".other-plugin",
];

/// Manifests of plugins, some of which Codex cannot read.
const MANIFESTS: [&str; 13] = [
    "{\"name\": \"team kit\", \"version\": 1}",
    "{\"name\": \"team kit\", \"skills\": [\"x\"]}",
    "{\"name\": \"zeta\"}",
    "{\"name\": \" @scope/a+b.c:d \"}",
    "{\"name\": \"  \"}",
    "{}",
    "[\"listed\"]",
    "[]",
    "{\"name\": 5}",
    "{\"name\": null}",
    "{\"name\": \"one\", \"name\": \"two\"}",
    "\u{feff}{\"name\": \"marked\"}",
    "{\"name\": \"open\"",
];

/// Files that say how a skill is offered.
const OFFERED: [&str; 7] = [
    "policy:\n  allow_implicit_invocation: false\n",
    "policy: {allow_implicit_invocation: true}\n",
    "policy: {products: [chatgpt]}\n",
    "policy: {products: [CODEX, atlas]}\n",
    "other: 1\nother: 2\npolicy: {allow_implicit_invocation: false}\n",
    "interface: {icon_small: a, icon_small: b}\npolicy: {allow_implicit_invocation: false}\n",
    "policy: {allow_implicit_invocation: \"false\"}\n",
];

/// What is in ctxpin's reason for a skill that Codex lists, or may list.
const LISTED: [&str; 4] = [
    "gives it to its model",
    "may give it",
    "lists both",
    "lists the skills",
];

/// Writes settings that decide which files count, and skills.
pub fn settle(random: &mut StdRng, workspace: &mut Workspace) {
    let mut config = settings(random);
    // A file beside the code may make another directory the root.
    config += match random.random_range(0..20) {
        0..4 => "project_root_markers = [\"package.json\", \".git\"]\n",
        4 => "project_root_markers = []\n",
        _ => "",
    };
    if random.random_bool(0.3) {
        let root = format!("{{base}}/{PROJECT}");
        let level = ["trusted", "trusted", "untrusted"].choose(random);
        let level = level.copied().unwrap_or("trusted");
        config += &format!("[projects.\"{root}\"]\ntrust_level = \"{level}\"\n");
    }
    if random.random_bool(0.3) {
        for _ in 0..random.random_range(1..4) {
            config += RULES.choose(random).copied().unwrap_or_default();
        }
    }
    if random.random_bool(0.2) {
        let is_on = random.random_bool(0.5);
        config += &format!("[plugins.\"demo@market\"]\nenabled = {is_on}\n");
        let plugin = format!("{HOME}/.codex/plugins/cache/market/demo/1.0.0");
        let about = "{\"name\": \"demo\", \"version\": \"1.0.0\"}";
        workspace.write(format!("{plugin}/.codex-plugin/plugin.json"), about);
        let skill = "---\nname: more\ndescription: Of a plugin.\n---\nBody.\n";
        workspace.write(format!("{plugin}/skills/more/SKILL.md"), skill);
    }
    workspace.write(CONFIG, config);
    for directory in workspace.directories() {
        if random.random_bool(0.1) {
            let path = format!("{directory}/.codex/config.toml");
            workspace.write(path, settings(random));
        }
    }
    for name in ["AGENTS.md", "AGENTS.override.md"] {
        if random.random_bool(0.3) {
            let text = ["Mine.\n", "  \n", "\n Mine, with blanks.  \n\n", ""];
            let text = text.choose(random).copied().unwrap_or_default();
            workspace.write(format!("{HOME}/.codex/{name}"), text);
        }
    }
    write_skills(random, workspace);
    write_manifests(random, workspace);
}

/// Writes manifests of plugins in directories with skills, above them and in skills.
fn write_manifests(random: &mut StdRng, workspace: &mut Workspace) {
    if random.random_bool(0.4) {
        return;
    }
    let directories = workspace.directories();
    let places = directories.iter().map(String::as_str).chain([HOME, "."]);
    for place in places {
        for below in ["", "/.agents", "/.codex/skills", "/.agents/skills/one"] {
            if !random.random_bool(0.1) {
                continue;
            }
            let folder = MANIFEST_FOLDERS.choose(random).copied();
            let path = format!("{place}{below}/{}/plugin.json", folder.unwrap_or_default());
            let text = MANIFESTS.choose(random).copied().unwrap_or_default();
            match random.random_range(0..10) {
                0 => {
                    workspace.write(format!("{place}{below}/real.json"), text);
                    workspace.add(path, Entry::Link("../real.json".to_owned()));
                }
                1 => workspace.write(format!("{path}/inside"), text),
                _ => workspace.write(path, text),
            }
        }
    }
}

/// Writes skills, some of them where or in a form that Codex passes over.
fn write_skills(random: &mut StdRng, workspace: &mut Workspace) {
    let directories = workspace.directories();
    let homes = directories.iter().map(String::as_str).chain([HOME]);
    for home in homes {
        for folder in [".codex/skills", ".agents/skills"] {
            let name = ["one", "two", "three-3", "four_4"].choose(random);
            let name = name.copied().unwrap_or("one");
            let place = [
                name.to_owned(),
                "other".to_owned(),
                format!("deep/{name}"),
                format!("deep/er/and/er/still/{name}"),
                format!("too/deep/er/and/er/still/{name}"),
                format!(".hidden/{name}"),
            ];
            let place = place.choose(random).map_or(name, String::as_str);
            let description = [
                "Plain words.",
                "\"Quoted <b>: & words\"",
                "|\n  Two\n  lines\twith a tab",
                "\" a blank \\t\\t line \"",
            ];
            let description = description.choose(random).copied().unwrap_or_default();
            let line = match random.random_bool(0.2) {
                true => BROKEN.choose(random).copied().unwrap_or_default(),
                false => "",
            };
            let text = format!("---\nname: {name}\ndescription: {description}\n{line}---\nBody.\n");
            let text = match random.random_range(0..8) {
                0 => text.replace('\n', "\r\n"),
                1 => format!("\u{feff}{text}"),
                _ => text,
            };
            if random.random_bool(0.3) {
                let path = format!("{home}/{folder}/{place}/SKILL.md");
                let entry = match random.random_bool(0.1) {
                    true => Entry::Link("../SKILL.md".to_owned()),
                    false => Entry::File(text),
                };
                workspace.add(path, entry);
                if random.random_bool(0.2) {
                    let offer = OFFERED.choose(random).copied().unwrap_or_default();
                    let path = format!("{home}/{folder}/{place}/agents/openai.yaml");
                    workspace.write(path, offer);
                }
            }
        }
    }
}

fn settings(random: &mut StdRng) -> String {
    let mut text = String::new();
    if random.random_bool(0.3) {
        let bytes_max = [0, 1, 7, 100, 5_000, 100_000].choose(random);
        text += &format!(
            "project_doc_max_bytes = {}\n",
            bytes_max.copied().unwrap_or(100)
        );
    }
    if random.random_bool(0.3) {
        let names = [
            "[\"CLAUDE.md\"]",
            "[\" TEAM.md \", \"CLAUDE.md\"]",
            "[]",
            "[\"\"]",
        ];
        let names = names.choose(random).copied().unwrap_or("[]");
        text += &format!("project_doc_fallback_filenames = {names}\n");
    }
    text
}

/// Points Codex to the stand-in, and asks one question.
pub fn ask(command: &mut Command, base: &Path, url: &str) -> anyhow::Result<()> {
    let config = base.join(CONFIG);
    let own = fs::read_to_string(&config)?;
    fs::write(&config, provided(&own, url))?;
    go_on(command, "Say something.", None);
    Ok(())
}

/// Returns a configuration that points Codex to the stand-in.
fn provided(own: &str, url: &str) -> String {
    format!(
        "model = \"gpt-5\"\nmodel_provider = \"standin\"\n{own}\n[model_providers.standin]\nname = \"standin\"\n\
         base_url = \"{url}/v1\"\nwire_api = \"responses\"\nenv_key = \"STANDIN_KEY\"\n\
         request_max_retries = 0\nstream_max_retries = 0\n"
    )
}

/// Points the Codex of a home to the stand-in.
pub fn settle_session(home: &Path, url: &str) -> anyhow::Result<()> {
    fs::create_dir(home.join(".codex"))?;
    let limit = format!("model_auto_compact_token_limit = {}\n", TOKENS_FULL / 2);
    fs::write(home.join(".codex/config.toml"), provided(&limit, url))?;
    Ok(())
}

/// Trusts a project.
pub fn settle_terminal(home: &Path, project: &Path) -> anyhow::Result<()> {
    let mut config = fs::OpenOptions::new()
        .append(true)
        .open(home.join(".codex/config.toml"))?;
    let project = project.display();
    let trust = format!("[projects.\"{project}\"]\ntrust_level = \"trusted\"\n");
    Ok(config.write_all(trust.as_bytes())?)
}

/// Gives a session a prompt.
pub fn go_on(command: &mut Command, question: &str, from: Option<&From>) {
    reach(command);
    command.arg("exec");
    if let Some(From::Resume(session) | From::Fork(session)) = from {
        command.args(["resume", session]);
    }
    command.args(["--skip-git-repo-check", "--json", question]);
}

/// Completes the environment in which the tool reaches the stand-in that its settings name.
pub fn reach(command: &mut Command) {
    command.env("STANDIN_KEY", "none");
}

/// Returns the message with the instruction files.
pub fn instructions(request: &Value) -> String {
    let items = request["input"].as_array().into_iter().flatten();
    let contents = items
        .filter_map(|item| item["content"].as_array())
        .flatten();
    let mut texts = contents.filter_map(|content| content["text"].as_str());
    texts
        .find(|text| text.starts_with(BEGIN))
        .unwrap_or_default()
        .to_owned()
}

/// Returns the skills that a request lists, each as its path, its name and its description, without those that Codex brings along.
pub fn skills(request: &Value) -> Vec<String> {
    let items = request["input"].as_array().into_iter().flatten();
    let texts = items.flat_map(|item| texts(&item["content"]));
    let list = texts.filter_map(|text| Some(text.split_once(SKILLS_BEGIN)?.1));
    let list = list.filter_map(|list| Some(list.split_once(SKILLS_END)?.0));
    let list: String = list.collect();
    // The newer version writes the beginning of a path as a name, which a list before that of the skills explains.
    let roots = list.lines().filter_map(|line| {
        let (name, root) = line.strip_prefix("- `")?.split_once("` = `")?;
        Some((name, root.strip_suffix('`')?))
    });
    let roots: HashMap<_, _> = roots.collect();
    let skills = list.lines().filter_map(|line| {
        let (skill, path) = line.strip_prefix("- ")?.rsplit_once(" (file: ")?;
        let path = path.strip_suffix(')')?;
        let short = path
            .split_once('/')
            .filter(|(root, _)| roots.contains_key(root));
        let path = match short {
            Some((root, rest)) => format!("{}/{rest}", roots[root]),
            None => path.to_owned(),
        };
        // The name of a plugin before that of the skill has a colon behind it.
        let (name, description) = skill.split_once(": ")?;
        let is_own = path.contains("/.codex/skills/.system/");
        (!is_own).then(|| line_of(&path, name, description.trim_start()))
    });
    skills.collect()
}

/// Returns the list of skills as ctxpin says it, and a tool's list without the skills of which ctxpin says that it does not use
/// them although the tool lists them.
pub fn lists(found: &Scan, said: &Effective, skills: &[String]) -> [Vec<String>; 2] {
    let given = said.given.iter().filter(|given| given.kind == Kind::Skill);
    let given = given.filter_map(|given| {
        let skill = found.snapshot.skills().find(|s| s.source == given.source)?;
        let [description, _] = descriptions(&found.snapshot, &found.bodies, skill);
        let name = skill.name.as_deref().unwrap_or_default();
        Some(line_of(&given.source, name, &description))
    });
    let is_used = |line: &&String| {
        let source = line.split('\t').next().unwrap_or_default();
        // A folder of skills can be left out as a whole.
        let is_listed = |reason: &str| LISTED.iter().any(|words| reason.contains(words));
        let left_out = said.left_out.iter();
        let mut left_out = left_out.filter(|left_out| is_listed(&left_out.reason));
        !left_out.any(|left_out| Path::new(source).starts_with(&left_out.source))
    };
    [
        given.collect(),
        skills.iter().filter(is_used).cloned().collect(),
    ]
}

fn line_of(path: &str, name: &str, description: &str) -> String {
    format!("{path}\t{name}\t{description}")
}

/// Returns a message with the instruction files without those that `unread` names. If it names some, without what stands
/// around the files too, because that depends on whether any file is left.
pub fn comparable(text: &str, unread: &[&str]) -> String {
    if unread.is_empty() {
        return text.to_owned();
    }
    let files = text.split_once("<INSTRUCTIONS>\n");
    let files = files.and_then(|(_, files)| files.strip_suffix("\n</INSTRUCTIONS>"));
    let (own, project) = match files.unwrap_or_default().split_once(SEPARATOR) {
        Some((own, project)) => (own, project),
        None => ("", files.unwrap_or_default()),
    };
    let texts = unread.iter().map(|path| {
        let text = fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    });
    let texts: Vec<_> = texts.collect();
    let project = texts
        .iter()
        .fold(project.to_owned(), |project, text| without(&project, text));
    // The file of the home has lost the blanks around it.
    let is_read = |part: &&str| !texts.iter().any(|text| text.trim() == *part);
    let parts = [own, &project].into_iter().filter(is_read);
    let parts = parts.filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(SEPARATOR)
}

/// Returns the texts of a project's files without one of them, which may be cut at the end.
fn without(project: &str, file: &str) -> String {
    // A file may end with line ends of its own.
    let lines = project.match_indices('\n').map(|(at, _)| at + 1);
    let begins = lines.filter(|begin| project[..*begin].ends_with(BETWEEN));
    let begins = std::iter::once(0).chain(begins);
    let given = begins.filter_map(|begin| {
        let rest = &project[begin..];
        match rest.strip_prefix(file) {
            Some(behind) => Some((begin, behind)),
            None => {
                let kept = rest.trim_end_matches('\u{fffd}');
                let is_cut = !kept.is_empty() && file.starts_with(kept);
                is_cut.then_some((begin, ""))
            }
        }
    });
    let Some((begin, behind)) = given.into_iter().next() else {
        return project.to_owned();
    };
    let before = &project[..begin];
    match behind.strip_prefix(BETWEEN) {
        Some(behind) => format!("{before}{behind}"),
        None => format!("{}{behind}", before.strip_suffix(BETWEEN).unwrap_or(before)),
    }
}

/// Returns the strings of a request.
pub fn said(request: &Value) -> Vec<Said> {
    let items = request["input"].as_array().into_iter().flatten();
    let said = items.enumerate().flat_map(|(number, item)| {
        let is_own = item["role"] == "developer" || item["role"] == "system";
        let is_user = item["role"] == "user";
        let texts = texts(&item["content"]).chain(texts(&item["output"]));
        texts.map(move |text| Said {
            message: number,
            is_instruction: is_own || is_user && text.starts_with(BEGIN),
            text: text.to_owned(),
        })
    });
    said.collect()
}
