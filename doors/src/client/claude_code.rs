//! Claude Code, through its option `-p`.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use ctxpin_model::resource::{Kind, Status};
use ctxpin_model::skill::directory_name;
use ctxpin_render::profile::{Effective, descriptions};
use ctxpin_scan::Scan;
use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};

use super::{Event, From, Interface, Said, result, texts};
use crate::cases::BROKEN;
use crate::standin::READ_TWICE;
use crate::workspace::{Entry, HOME, PROJECT, Workspace};

/// The npm package.
pub const PACKAGE: &str = "@anthropic-ai/claude-code";
/// The versions to compare, the newest first.
pub const VERSIONS: [&str; 2] = ["2.1.332", "2.1.277"];
/// The first version whose transcript has its requests. It too writes LF in every text with a comment, even if it cuts
/// none.
pub const FIRST_WITH_REQUESTS: &str = "2.1.307";
/// The program below `node_modules`.
pub const PROGRAM: &str = "@anthropic-ai/claude-code-linux-x64/claude";

/// The key of the API.
const KEY: &str = "none";

/// The terminal interface.
pub const INTERFACE: Interface = Interface {
    events: &[
        Event::Open(&[]),
        Event::Nothing,
        Event::Order("/compact"),
        Event::Order("/clear"),
        Event::Choose("/resume"),
        Event::Order("/branch"),
        Event::Open(&["--continue"]),
    ],
    end: "/exit",
    leave: &[],
};

/// The names of the files that Claude Code looks for in each directory.
pub const FILE_NAMES: [&str; 5] = [
    "CLAUDE.md",
    ".claude/CLAUDE.md",
    "CLAUDE.local.md",
    "AGENTS.md",
    ".claude/AGENTS.md",
];

/// A version that reads no `AGENTS.md`, lists skills in another form, and writes LF in every text with a comment, even
/// if it cuts none.
pub const OLDER: &str = VERSIONS[1];

/// What begins the instructions.
const BEGIN: &str = "Codebase and user instructions are shown below.";
/// What ends them.
const END: &str = "\n</system-reminder>";

/// What follows the blocks of the older versions.
const AFTER: &str = "\n\n<total_tokens>";

/// What begins the text with the `AGENTS.md` of directories below the working directory.
const AGENTS_MD: &str = "tool.call hook additional context: ";

/// What begins and ends what Claude Code shows of a long file in that text, and what stands between the first and the
/// file: where the whole is.
const CUT: &str = "<persisted-output>\n";
const SHOWN: &str = "\n\nPreview (first 2KB):\n";
const CUT_END: &str = "\n...\n</persisted-output>";

/// What the newest version says behind the lines that it gives of another long file, up to the number of the next line.
const REST: &str = "\n\n> Only the start of this file is shown. For the rest, call Read on ";

/// The longest file that the newest version gives whole with another one, in characters.
const COMING_MAX: usize = 150_000;

/// What may stand behind that text in the same message.
const BEHIND: [&str; 4] = [
    AFTER,
    "\n\nNew skills discovered in ",
    "\n\nThe user hasn't heard from you",
    "\n\nThe following skills are available",
];

/// What begins the question for a summary.
const SUMMARY: &str = "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.";

/// What begins a block that no person wrote.
const REMINDER: &str = "<system-reminder>\n";

/// What begins the blocks that stand behind a tool's result in one string with it.
const BEHIND_RESULT: [&str; 2] = [
    "<system-reminder>\nContents of ",
    "<system-reminder>\nInstruction files were re-read ",
];

/// What begins the list of skills.
const SKILLS_BEGIN: &str = "The following skills are available for use with the Skill tool:\n\n";

/// The names of generated skills, and the beginning of those of generated commands, which no other skill has.
const SKILL_NAMES: [&str; 8] = [
    "gen-a", "gen-B", "gen_c", "gen.d", "gen-e-f", "gen-9", "gen", "genéé",
];
const COMMAND: &str = "command-";

/// The largest `SKILL.md` that is read, in bytes.
pub const SKILL_BYTES_MAX: usize = 1_000_000;

/// The longest text behind the name of a skill in the list, in UTF-16 code units.
const LISTED_UNITS_MAX: usize = 1_536;

/// What begins the block of a file.
const BLOCK: &str = "\n\nContents of /";

/// Writes rules, imports, a person's files, and settings that decide which files count.
pub fn settle(random: &mut StdRng, workspace: &mut Workspace) {
    let mut directories = workspace.directories();
    // Some directories have the name of a file.
    directories.retain(|directory| !FILE_NAMES.iter().any(|name| directory.ends_with(name)));
    for directory in &directories {
        if random.random_bool(0.4) {
            for _ in 0..random.random_range(1..4) {
                let name = ["a.md", "b.md", "deep/c.md", "deep/er/d.md", "e.txt"];
                let name = name.choose(random).copied().unwrap_or("a.md");
                let text = rule(random);
                workspace.write(format!("{directory}/.claude/rules/{name}"), text);
            }
        }
        for name in [
            "CLAUDE.md",
            "CLAUDE.local.md",
            "AGENTS.md",
            "docs.md",
            "notes.txt",
        ] {
            if random.random_bool(0.3) {
                let text = importing(random);
                workspace.write(format!("{directory}/{name}"), text);
            }
        }
        if random.random_bool(0.1) {
            let target = ["../docs.md", "docs.md", "../CLAUDE.md", "nowhere"];
            let target = target.choose(random).copied().unwrap_or("docs.md");
            workspace.add(format!("{directory}/link.md"), Entry::Link(target.into()));
            let rule = format!("{directory}/.claude/rules/link.md");
            workspace.add(rule, Entry::Link(format!("../../{target}")));
            let shared = Entry::Link("../../../docs.md".to_owned());
            workspace.add(format!("{directory}/.claude/rules/shared.md"), shared);
        }
        if random.random_bool(0.1) {
            let target = ["../CLAUDE.md", "../../docs.md", "../web/CLAUDE.md"];
            let target = target.choose(random).copied().unwrap_or("../CLAUDE.md");
            let path = format!("{directory}/CLAUDE.md");
            workspace.remove_file(&path);
            workspace.add(path, Entry::Link(target.into()));
        }
    }
    // Where no directory has an own name, `AGENTS.md` counts.
    if random.random_bool(0.3) {
        workspace.remove("CLAUDE.md");
        workspace.remove("CLAUDE.local.md");
        for directory in &directories {
            if random.random_bool(0.5) {
                let text = importing(random);
                workspace.write(format!("{directory}/AGENTS.md"), text);
            }
            let is_below = *directory != workspace.working
                && Path::new(directory).starts_with(&workspace.working);
            if is_below && random.random_bool(0.2) {
                workspace.write(format!("{directory}/CLAUDE.md"), "Own.\n");
            }
        }
    }
    // The text of a file above the project says which one it is.
    for name in FILE_NAMES {
        if workspace.has(&format!("./{name}")) {
            workspace.write(
                format!("./{name}"),
                format!("Above the project, in {name}.\n"),
            );
        }
    }
    for (name, chance) in [
        ("CLAUDE.md", 0.4),
        ("rules/mine.md", 0.2),
        ("rules/x/yours.md", 0.1),
    ] {
        if random.random_bool(chance) {
            let text = importing(random);
            workspace.write(format!("{HOME}/.claude/{name}"), text);
        }
    }
    workspace.write(format!("{HOME}/.claude/docs.md"), "Of the person.\n");
    workspace.write(format!("{HOME}/notes.txt"), "Of the home.\n");
    write_settings(random, workspace);
    write_skills(random, workspace, &directories);
    let below = directories
        .iter()
        .filter(|directory| Path::new(directory).starts_with(&workspace.working));
    let below: Vec<_> = below.collect();
    if let Some(directory) = below.choose(random) {
        let name = ["main.ts", "lib.rs", "x.py", "README"].choose(random);
        let wanted = format!("{directory}/{}", name.copied().unwrap_or("main.ts"));
        workspace.write(wanted.clone(), "Something to read.\n");
        workspace.wanted = Some(wanted);
    }
}

/// Writes skills and commands of the person and of the project.
fn write_skills(random: &mut StdRng, workspace: &mut Workspace, directories: &[String]) {
    let homes = directories.iter().map(String::as_str).chain([HOME]);
    for home in homes.collect::<Vec<_>>() {
        let count = [0, 0, 1, 3].choose(random).copied().unwrap_or(0);
        for name in SKILL_NAMES.sample(random, count) {
            let skill = skill(random, name);
            workspace.write(format!("{home}/.claude/skills/{name}/SKILL.md"), skill);
        }
        if random.random_bool(0.1) {
            let path = format!("{home}/.claude/commands/{COMMAND}a.md");
            workspace.write(path, "Do something.\n");
        }
    }
}

/// Returns a `SKILL.md`. Its name is that of its directory, or one that no other skill has.
fn skill(random: &mut StdRng, name: &str) -> String {
    let number: u32 = random.random_range(0..1_000_000);
    let descriptions = [
        "Plain words.",
        "\"Quoted <b>: & words\"",
        "|\n  Two\n  lines\twith a tab",
        ">-\n  Folded\n\n  lines",
        "\"\\n a blank \\t\\t line \"",
        "un\u{200b}seen\u{ad}\u{202e}, \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} and \u{2764}\u{fe0f}",
        "42",
    ];
    let description = descriptions.choose(random).copied().unwrap_or("None");
    let description = match random.random_range(0..12) {
        0 => String::new(),
        1 => "description: \"\"\n".to_owned(),
        3 => "description: [a, b]\n".to_owned(),
        2 => format!("description: {}x\n", "wörd ".repeat(320)),
        _ => format!("description: {description}\n"),
    };
    let lines = [
        "",
        "",
        "",
        "when_to_use: When asked.\n",
        "when_to_use: |\n  When\n  asked.\n",
        "disable-model-invocation: true\n",
        "disable-model-invocation: yes\n",
        "disable-model-invocation: off\n",
        "disable-model-invocation: 1\n",
        "user-invocable: false\n",
        "paths: src/**\n",
        "paths: \"**\"\n",
        "paths: [a.rs, \"**/*.md\"]\n",
        "paths: \"*.rs\"\n",
        "paths: [\"**/*.ts\", README]\n",
        "paths: \"{x,lib}.*\"\n",
        "paths: api/**\n",
        "license: MIT\n",
    ];
    let line = match random.random_bool(0.1) {
        true => BROKEN.choose(random),
        false => lines.choose(random),
    };
    let line = line.copied().unwrap_or_default();
    let name = match random.random_range(0..6) {
        0 => format!("name: other-{number}\n"),
        1 => String::new(),
        _ => format!("name: {name}\n"),
    };
    let begins = [
        format!("# Body {number}"),
        format!("\n  ##  Deep  <{number}>  "),
        format!("#no heading {number}"),
        format!("- item\t{number}"),
        format!("{number} {}", "wörd ".repeat(30)),
        "#".to_owned(),
        String::new(),
    ];
    let begin = begins.choose(random).map_or("", String::as_str);
    let frontmatter = match random.random_range(0..10) {
        0 => String::new(),
        _ => format!("---\n{name}{description}{line}---\n\n"),
    };
    let text = format!("{frontmatter}{begin}\n\nText.\n");
    match random.random_range(0..6) {
        0 => text.replace('\n', "\r\n"),
        1 => format!("\u{feff}{text}"),
        _ => text,
    }
}

/// Writes settings of the person and of the project, and what the person approved.
fn write_settings(random: &mut StdRng, workspace: &mut Workspace) {
    let working = workspace.working.clone();
    let files = [
        (format!("{HOME}/.claude/settings.json"), true),
        (format!("{working}/.claude/settings.json"), false),
        (format!("{working}/.claude/settings.local.json"), false),
        (format!("{PROJECT}/.claude/settings.local.json"), false),
    ];
    for (path, is_personal) in files {
        if random.random_bool(0.25) {
            let text = settings(random, is_personal);
            workspace.write(path, text);
        }
    }
    if random.random_bool(0.3) {
        let approved = "{\"hasClaudeMdExternalIncludesApproved\": true}";
        let state = format!("{{\"projects\": {{\"{{base}}/{PROJECT}\": {approved}}}}}");
        workspace.write(format!("{HOME}/.claude.json"), state);
    }
}

fn settings(random: &mut StdRng, is_personal: bool) -> String {
    let mut members = Vec::new();
    if random.random_bool(0.6) {
        let globs = [
            "[\"**/CLAUDE.local.md\"]",
            "[\"{base}/project/**/CLAUDE.md\"]",
            "[\"**/rules/{a,deep/*}.md\", \"**/api/**\"]",
            "[\"**/.claude/CLAUDE.md\", \"nothing\"]",
            "[\"**/*.txt\", \"/**/[a-d]*/AGENTS.md\"]",
            "[\"!**/*.md\", \"**/[B-D]*.local.md\"]",
            "[\"{base}/project/[aw]*/**\", \"**/[!A]*.MD\"]",
            "[]",
            "\"**\"",
        ];
        let globs = globs.choose(random).copied().unwrap_or("[]");
        members.push(format!("\"claudeMdExcludes\": {globs}"));
    }
    if random.random_bool(0.1) {
        let value = ["1", "0", "true", "no"]
            .choose(random)
            .copied()
            .unwrap_or("1");
        members.push(format!(
            "\"env\": {{\"CLAUDE_CODE_DISABLE_CLAUDE_MDS\": \"{value}\"}}"
        ));
    }
    if random.random_bool(0.4) {
        let words = ["off", "name-only", "user-invocable-only", "on"];
        let listings = SKILL_NAMES.iter().filter_map(|name| {
            let word = words.choose(random).filter(|_| random.random_bool(0.4))?;
            Some(format!("\"{name}\": \"{word}\""))
        });
        let listings: Vec<_> = listings.collect();
        members.push(format!("\"skillOverrides\": {{{}}}", listings.join(", ")));
    }
    if random.random_bool(0.3) {
        let rules = DENIED.choose(random).copied().unwrap_or_default();
        members.push(format!("\"permissions\": {{\"deny\": {rules}}}"));
    }
    let plugin = "cc-plugin-agents-md@builtin";
    if random.random_bool(0.3) {
        let names = [
            "claude-md",
            "claude-md-or-agents-md",
            "claude-md-and-agents-md",
            "something-else",
        ];
        let names = names.choose(random).copied().unwrap_or("claude-md");
        members.push(format!(
            "\"pluginConfigs\": {{\"{plugin}\": {{\"options\": {{\"instructionFiles\": \"{names}\"}}}}}}"
        ));
    }
    if random.random_bool(0.3) {
        let built_in = match random.random_bool(0.3) && !is_personal {
            true => format!(", \"{plugin}\": false"),
            false => String::new(),
        };
        members.push(format!(
            "\"enabledPlugins\": {{\"demo@market\": true{built_in}}}"
        ));
    }
    format!("{{{}}}", members.join(", "))
}

/// Rules of permissions. None of them keeps the model from reading the file that it is to read.
const DENIED: [&str; 8] = [
    "[\"Read(docs.md)\"]",
    "[\"Read(rules/**)\", \"Agent(Explore)\"]",
    "[\"Skill\"]",
    "[\"Skill(gen-B)\", \"Task\"]",
    "[\"Read(//**/CLAUDE.local.md)\"]",
    "[\"Read(~/.claude/**)\", \"Read(./*.txt)\"]",
    "[\"Read(/AGENTS.md)\", \"Read(.claude/CLAUDE.md)\"]",
    "[]",
];

/// Takes out of a workspace what older versions read otherwise.
pub fn age(workspace: &mut Workspace, version: &str) {
    if [OLDER, FIRST_WITH_REQUESTS].contains(&version) {
        workspace.change_texts(|text| {
            // They give such a file although it is denied.
            let text = text.replace("Read(//**/CLAUDE.local.md)", "Read(none.md)");
            // They do not cut what comes with a file.
            let text: String = text.chars().take(COMING_MAX).collect();
            match text.contains("<!--") {
                true => text.replace('\r', ""),
                false => text,
            }
        });
    }
    if version == OLDER {
        // It gives every file that is denied.
        workspace.change_texts(|text| text.replace("\"deny\": ", "\"ask\": "));
        // It lists skills in another form.
        workspace.remove("SKILL.md");
        let plugin = "{\"enabledPlugins\": {\"cc-plugin-agents-md@builtin\": false}}";
        let path = format!("{}/.claude/settings.local.json", workspace.working);
        workspace.write(path, plugin);
    }
}

/// Returns a rule, for some files or for all.
fn rule(random: &mut StdRng) -> String {
    let frontmatter = [
        "",
        "",
        "---\npaths: src/**/*.ts\n---\n",
        "---\npaths:\n  - \"**/*.{rs,toml}\"\n  - docs/**\n---\n\n",
        "---\npaths: \"**\"\n---\n",
        "---\npaths: **/*.py\n---\n",
        "---\npaths: []\n---\n",
        "---\ntitle: x\n---\n",
        "---\npaths: \"*.@(ts|rs)\"\n---\n",
        "---\npaths: \"!(lib).*\"\n---\n",
        "---\npaths: [\"+(x|main).??\", \"README?(.md)\"]\n---\n",
        "---\npaths: \"**/{main,x{1..3}}.*\"\n---\n",
        "---\npaths: \"{a..x}.py\"\n---\n",
        "---\npaths: \"[[:alpha:]]*.rs\"\n---\n",
        "---\npaths: \"[!a-l]*.[tr]s\"\n---\n",
        "---\npaths: [\"*.rs\", \"!lib.rs\"]\n---\n",
        "---\npaths: \"/main.ts, lib.rs/\"\n---\n",
        "---\npaths: \"\\\\*.rs\"\n---\n",
        "---\npaths: [\"~/main.ts\", \"{base}/project/**/*.py\", \"!x.py\"]\n---\n",
        "---\npaths: \"../*.ts, ./lib.rs\"\n---\n",
        "---\npaths: [\"***/main.ts\", \"**lib.rs\", \"x**.py\"]\n---\n",
        "---\npaths: \"**/\"\n---\n",
        "---\npaths: [\"**/**/x.py\", \"web/**/\", \"READ[^a]E\"]\n---\n",
    ];
    let frontmatter = frontmatter.choose(random).copied().unwrap_or_default();
    format!("{frontmatter}{}", importing(random))
}

/// Returns a text with comments, lists, code and imports.
fn importing(random: &mut StdRng) -> String {
    let number: u32 = random.random_range(0..1_000_000);
    let mut text = format!("# Text {number}\n");
    for _ in 0..random.random_range(0..5) {
        let part = [
            "@docs.md\n",
            "See @./docs.md, and @../docs.md\n",
            "- item @notes.txt\n- `x @docs.md` y\n",
            "* ` @docs.md `\n  > @notes.txt\n",
            "@~/notes.txt and @~/.claude/docs.md\n",
            "@{base}/project/docs.md @{base}/outside.md\n",
            "@CLAUDE.md @api/CLAUDE.md @AGENTS.md\n",
            "@../docs.md\n",
            "@../web/CLAUDE.md @../AGENTS.md\n",
            "@api/docs.md#part @link.md @missing.md @picture.png\n",
            "```\n@docs.md\n```\n",
            "    @docs.md\n",
            "`@docs.md` **@docs.md** (@notes.txt)\n",
            "<!-- a comment @docs.md -->\n\n",
            "<!-- one --> @notes.txt\n<!-- two\nlines -->\n\n\nafter\n",
            "Text <!-- inside --> and\n<!-- right below -->\n",
            "- item\n\n  <!-- in a list -->\n\n",
            "> <!-- in a quote -->\n> text\n",
            "<div>\n<!-- in a block -->\n</div>\n\n",
            "\\@docs.md user@docs.md @@docs.md\n",
            "<!-- never closed\n\nmore\n",
            "| a | b |\n|---|---|\n| @docs.md | x |\n",
            "[@notes.txt](x) _@docs.md_\n",
            "Heading @notes.txt\n===\n",
        ];
        text += part.choose(random).copied().unwrap_or_default();
    }
    match random.random_range(0..8) {
        0 => text.replace('\n', "\r\n"),
        1 => format!("\u{feff}{text}"),
        2 => format!("\n  \n{text}\n\n"),
        _ => text,
    }
}

/// Points Claude Code to the stand-in, and asks one question. It looks for skills below while it reads a file.
pub fn ask(command: &mut Command, url: &str, wanted: Option<&Path>) {
    let question = match wanted {
        Some(wanted) => format!("{READ_TWICE}{}", wanted.display()),
        None => "Say something.".to_owned(),
    };
    go_on(command, url, &question, None);
}

/// Completes the command of a process that takes prompts as lines of JSON.
pub fn converse(command: &mut Command, url: &str) {
    reach(command, url);
    for option in ["--input-format", "--output-format"] {
        command.args([option, "stream-json"]);
    }
    command.args(["-p", "--verbose"]);
}

/// Points Claude Code to the stand-in, and gives a session a prompt.
pub fn go_on(command: &mut Command, url: &str, question: &str, from: Option<&From>) {
    reach(command, url);
    command.args(["-p", question, "--output-format", "json"]);
    match from {
        None => {}
        Some(From::Resume(session)) => drop(command.args(["--resume", session])),
        Some(From::Fork(session)) => drop(command.args(["--resume", session, "--fork-session"])),
    }
}

/// Answers the questions for a theme, for the key and for trust in the project.
pub fn settle_terminal(home: &Path, project: &Path) -> anyhow::Result<()> {
    let project = project.to_string_lossy();
    let answers = json!({
        "hasCompletedOnboarding": true, "theme": "dark",
        "customApiKeyResponses": { "approved": [KEY], "rejected": [] },
        "projects": { project: { "hasTrustDialogAccepted": true, "hasCompletedProjectOnboarding": true } },
    });
    Ok(fs::write(home.join(".claude.json"), answers.to_string())?)
}

/// Completes the environment in which the tool reaches the stand-in.
pub fn reach(command: &mut Command, url: &str) {
    command
        .env("ANTHROPIC_BASE_URL", url)
        .env("ANTHROPIC_API_KEY", KEY)
        .env("DISABLE_AUTOUPDATER", "1")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
}

/// Returns the text with the instruction files.
pub fn instructions(request: &Value) -> String {
    let messages = request["messages"].as_array().into_iter().flatten();
    let contents = messages
        .filter_map(|message| message["content"].as_array())
        .flatten();
    let mut texts = contents.filter_map(|content| content["text"].as_str());
    let found = texts.find_map(|text| {
        let text = &text[text.find(BEGIN)?..];
        Some(text.strip_suffix(END).unwrap_or(text))
    });
    found.unwrap_or_default().to_owned()
}

/// Returns the strings of a request.
pub fn said(request: &Value) -> Vec<Said> {
    let system = texts(&request["system"]).map(|text| Said {
        message: 0,
        is_instruction: true,
        text: text.to_owned(),
    });
    let mut said: Vec<_> = system.collect();
    let messages = request["messages"].as_array().into_iter().flatten();
    for (number, message) in messages.enumerate() {
        let number = number + 1;
        let is_system = message["role"] == "system";
        let own = texts(&message["content"]).map(|text| Said {
            message: number,
            is_instruction: is_system || text.starts_with(REMINDER),
            text: text.to_owned(),
        });
        let blocks = message["content"].as_array().into_iter().flatten();
        let results = blocks.filter(|block| block["type"] == "tool_result");
        let results = results.flat_map(|block| texts(&block["content"]));
        said.extend(results.flat_map(|text| result(number, text, &BEHIND_RESULT)));
        said.extend(own);
    }
    said
}

/// Returns whether a request asks for a summary of the conversation.
pub fn asks_for_summary(request: &Value) -> bool {
    let said = said(request);
    let last = said.iter().rfind(|said| !said.is_instruction);
    last.is_some_and(|last| last.text.starts_with(SUMMARY))
}

/// Returns the generated skills that a request lists, each as its line without what begins it. A line has the name of
/// the directory, and behind it the name of the frontmatter, which is left out here.
pub fn skills(request: &Value) -> Vec<String> {
    let messages = request["messages"].as_array().into_iter().flatten();
    let texts = messages.flat_map(|message| {
        let content = &message["content"];
        let texts = content.as_array().into_iter().flatten();
        texts
            .filter_map(|content| content["text"].as_str())
            .chain(content.as_str())
    });
    let lists = texts.filter_map(|text| Some(text.split_once(SKILLS_BEGIN)?.1));
    let lines = lists.flat_map(|list| list.lines().map_while(|line| line.strip_prefix("- ")));
    let lines = lines.filter_map(|line| {
        let (name, description) = line.split_once(": ").unwrap_or((line, ""));
        let name = name.split(" (").next().unwrap_or_default();
        SKILL_NAMES
            .contains(&name)
            .then(|| listed(name, description))
    });
    lines.collect()
}

/// Returns the names of the skills that a scan may not read. Their folder is named as a whole.
pub fn unread_skills(found: &Scan) -> Vec<String> {
    let resources = found.snapshot.resources.iter();
    let folders = resources.filter(|r| r.kind == Kind::Skill && r.source.ends_with("/skills"));
    let entries = folders.flat_map(|r| fs::read_dir(&r.source).into_iter().flatten().flatten());
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.collect()
}

/// Returns the list of skills as ctxpin says it, and a tool's list, both without names of which ctxpin takes a skill for
/// invalid. Claude Code takes any name.
pub fn lists(found: &Scan, said: &Effective, skills: &[String]) -> [Vec<String>; 2] {
    let name = |source: &str| directory_name(source).unwrap_or_default().to_owned();
    let resources = found.snapshot.resources.iter();
    let unlike = resources.filter(|r| r.status == Status::Invalid);
    let unlike = unlike.map(|r| name(&r.source));
    let unlike: Vec<_> = unlike.chain(unread_skills(found)).collect();
    let is_alike = |line: &&String| {
        let name = line.split(": ").next().unwrap_or_default();
        !unlike.iter().any(|unlike| unlike == name)
    };
    let given = said.given.iter().filter(|given| given.kind == Kind::Skill);
    let lines = given.filter_map(|given| {
        let skill = found.snapshot.skills().find(|s| s.source == given.source)?;
        let [description, _] = descriptions(&found.snapshot, &found.bodies, skill);
        Some(cut(&name(&given.source), &description))
    });
    let lines: Vec<_> = lines.collect();
    [lines.as_slice(), skills].map(|lines| lines.iter().filter(is_alike).cloned().collect())
}

/// Returns the line of a skill in the list.
fn listed(name: &str, description: &str) -> String {
    match description.is_empty() {
        true => name.to_owned(),
        false => format!("{name}: {description}"),
    }
}

/// Returns the line of a skill with its description as the list cuts it.
fn cut(name: &str, description: &str) -> String {
    let units: Vec<_> = description.encode_utf16().collect();
    match units.len() > LISTED_UNITS_MAX {
        true => {
            let kept = String::from_utf16_lossy(&units[..LISTED_UNITS_MAX - 1]);
            listed(name, &format!("{kept}…"))
        }
        false => listed(name, description),
    }
}

/// Returns the blocks of the files that the request has because the model read a file, and then the lines of the skills,
/// each in the request's order. Skills stand before an `AGENTS.md` in the newest version, and behind it in older ones.
/// The newer version has a reminder for each block and one text with all of `AGENTS.md`, the older one has all blocks in one
/// text.
pub fn on_demand(request: &Value) -> Vec<String> {
    let messages = request["messages"].as_array().into_iter().flatten();
    let (mut blocks, mut skills) = (Vec::new(), Vec::new());
    let mut is_later = false;
    for message in messages {
        // The list of the start stands before the first answer.
        is_later |= message["role"] == "assistant";
        let content = &message["content"];
        let texts = content.as_array().into_iter().flatten();
        let texts = texts.filter_map(|content| content["text"].as_str());
        for text in texts.chain(content.as_str()) {
            let reminder = text.trim_end().strip_prefix("<system-reminder>\n");
            let reminder = reminder.and_then(|text| text.strip_suffix(END));
            skills.extend(discovered(text).filter(|_| is_later));
            if let Some(agents_md) = text.strip_prefix(AGENTS_MD) {
                let end = BEHIND
                    .iter()
                    .filter_map(|begin| agents_md.find(begin))
                    .min();
                // Each text ends with a line end of its own, before the one that separates it from the next.
                let agents_md = without_cuts(&agents_md[..end.unwrap_or(agents_md.len())]);
                let mut rest = agents_md.as_str();
                while let Some(next) = rest[1..].find(&BLOCK[1..]).map(|next| next + 1) {
                    blocks.push(rest[..next].to_owned());
                    rest = &rest[next + 1..];
                }
                blocks.push(rest.to_owned());
            } else if let Some(block) = reminder.filter(|block| block.starts_with(&BLOCK[2..])) {
                let rest = block.rfind(REST).unwrap_or(block.len());
                blocks.push(block[..rest].to_owned());
            } else if text.starts_with(&BLOCK[2..]) {
                let text = text.split(AFTER).next().unwrap_or_default();
                let mut parts = text.split(BLOCK);
                blocks.extend(parts.next().map(str::to_owned));
                blocks.extend(parts.map(|part| format!("{}{part}", &BLOCK[2..])));
            }
        }
    }
    // An `AGENTS.md` that a rule imports comes twice. A pin has it once.
    let mut known = HashSet::new();
    blocks.retain(|block| known.insert(block.trim_end().to_owned()));
    blocks.extend(skills);
    blocks
}

/// Returns a text without what Claude Code says of the files that it cuts.
fn without_cuts(text: &str) -> String {
    let mut parts = text.split(CUT);
    let begins = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| match part.split_once(SHOWN) {
        Some((_, shown)) => shown.replacen(CUT_END, "", 1),
        None => part.to_owned(),
    });
    begins + &rest.collect::<String>()
}

/// Returns the lines of the generated skills that a text lists: behind the first answer, because the model read a file beside
/// them, or one that their `paths` match.
fn discovered(text: &str) -> impl Iterator<Item = String> {
    let list = text.split_once(SKILLS_BEGIN);
    let lines = list.map_or("", |(_, list)| list).lines();
    let lines = lines.take_while(|line| line.starts_with("- "));
    let lines = lines.filter(|line| {
        let name = line[2..].split(": ").next().unwrap_or_default();
        let name = name.split(" (").next().unwrap_or_default();
        let own = name.rsplit(':').next().unwrap_or_default();
        SKILL_NAMES.contains(&own)
    });
    lines.map(str::to_owned)
}

/// Returns a text with the instruction files without those that `unread` names.
pub fn comparable(text: &str, unread: &[&str]) -> String {
    let mut parts = text.split(BLOCK);
    let begin = parts.next().unwrap_or_default();
    let blocks = parts.filter(|part| {
        let path = part.split(" (").next().unwrap_or_default();
        !unread.contains(&format!("/{path}").as_str())
    });
    let blocks: String = blocks.map(|part| format!("{BLOCK}{part}")).collect();
    match blocks.is_empty() {
        true => String::new(),
        false => format!("{begin}{blocks}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_line_ends_with_a_comment(version: &str) -> bool {
        let mut workspace = Workspace::default();
        workspace.write("project/CLAUDE.md", "> <!-- in a quote -->\r\n");
        age(&mut workspace, version);
        let mut entries = workspace.entries();
        entries.any(|(_, entry)| matches!(entry, Entry::File(text) if text.contains('\r')))
    }

    #[test]
    fn a_cut_agents_md_is_what_is_shown_of_it() {
        let cut = "<persisted-output>\nOutput too large (97.7KB). Full output saved to: /h/x.txt\n\n\
                   Preview (first 2KB):\nContents of /w/AGENTS.md:\n\nxx\n...\n</persisted-output>";
        let text = format!("{AGENTS_MD}{cut}\nContents of /w/a/AGENTS.md:\n\nOne.\n");
        let request = json!({ "messages": [{ "content": [{ "type": "text", "text": text }] }] });
        let files = [
            "Contents of /w/AGENTS.md:\n\nxx",
            "Contents of /w/a/AGENTS.md:\n\nOne.\n",
        ];
        assert_eq!(on_demand(&request), files);
    }

    #[test]
    fn what_stands_behind_an_agents_md_is_no_part_of_it() {
        let left = "\n\n<total_tokens>9 tokens left</total_tokens>";
        let text = format!("{AGENTS_MD}Contents of /w/AGENTS.md:\n\nOne.\n{left}");
        let request = json!({ "messages": [{ "content": [{ "type": "text", "text": text }] }] });
        assert_eq!(on_demand(&request), ["Contents of /w/AGENTS.md:\n\nOne.\n"]);
    }

    #[test]
    fn the_line_ends_of_a_comment_are_compared_only_where_they_are_kept() {
        let kept = [VERSIONS[0], FIRST_WITH_REQUESTS, OLDER].map(has_line_ends_with_a_comment);
        assert_eq!(kept, [true, false, false]);
    }
}
