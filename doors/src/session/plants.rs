//! Sessions in which something is planted: a file that the tool reads and ctxpin does not, a text that the tool leaves out,
//! texts that are equal, inside of one another, short, or said by a tool. What the evidence must say of each is
//! written down here.

use std::fs;
use std::path::Path;

use anyhow::ensure;
use ctxpin_model::evidence::Outcome;
use ctxpin_model::hash::BlobHash;
use serde_json::Value;

use super::compare::{differences_in, recorded};
use super::place::{Files, More, Place, write};
use super::prompts::SAY;
use super::search::Outcomes;
use crate::client::{Client, From};
use crate::standin::{READ, RUN, USE};

/// The directory in which the tool works, in the project.
pub const WORKING: &str = "work";

/// The directory beside the project.
const BESIDE: &str = "beside";

/// Texts that are long enough to be found anywhere.
const OURS: &str =
    "# Ours\n\nEvery change has a test that would fail without it, and a line in the changelog.\n";
const THEIRS: &str =
    "# Theirs\n\nA name says what is inside, and a function has at most about seventy lines.\n";
const BESIDES: &str =
    "# Besides\n\nNobody has pinned this text, which comes from a file beside the project.\n";
const SKILL: &str = "---\nname: greet\ndescription: Greets everybody who opens the project for the first time.\n---\n\
                     Say good morning to everybody in the room, each by the name, and the oldest one first.\n";

/// The name of a command.
const COMMAND: &str = "welcome";

/// A plugin of opencode that takes the list of skills out of the system text.
const WITHOUT_LIST: &str = "export const WithoutList = async () => ({\n\
                              \"experimental.chat.system.transform\": async (_, { system }) => {\n\
                                const texts = system.map((text) => text.replace(/Skills provide[^]*<\\/available_skills>/, \"\"))\n\
                                system.splice(0, system.length, ...texts)\n\
                              },\n\
                            })\n";

/// Something that is planted in a session.
struct Plant {
    name: &'static str,
    files: Files,
    /// The files at a second prompt, which goes on with the session. The first one is then as pinned.
    then: Option<Files>,
    /// What the command has besides.
    more: More,
    question: String,
    /// What becomes of each resource in the last prompt.
    expected: Outcomes,
    /// Whether a text that is absent stands inside of another one.
    is_within: bool,
}

/// Runs the sessions, and returns each difference.
pub async fn differences(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let sessions = place.sessions;
    place.watch()?;
    let mut differences = Vec::new();
    let plants = plants(sessions.client, place);
    let count = plants.len();
    for plant in plants {
        let found = run(place, &plant).await?;
        differences.extend(found.iter().map(|what| format!("{}: {what}", plant.name)));
    }
    println!("  {count} plants");
    if sessions.client.forks() && sessions.client.has_evidence(sessions.version) {
        let found = below_in_fork(place).await?;
        differences.extend(
            found
                .iter()
                .map(|what| format!("a file below, in a fork: {what}")),
        );
    }
    if sessions.client.uses_skills() && sessions.client.has_evidence(sessions.version) {
        let found = used(place).await?;
        differences.extend(found.iter().map(|what| format!("a used skill: {what}")));
    }
    if sessions.client.writes_record() && sessions.client.has_evidence(sessions.version) {
        let found = edited(place).await?;
        differences.extend(found.iter().map(|what| format!("an edited record: {what}")));
    }
    Ok(differences)
}

/// Forks a session whose tool has read beside a file below the working directory, and returns what the evidence of the fork
/// does not say as it must. The fork's requests have the file, as its conversation has the tool's result.
async fn below_in_fork(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let sessions = place.sessions;
    let client = sessions.client;
    let (name, _) = client.instruction_places();
    let below = format!("{WORKING}/below/{name}");
    let notes = format!("{WORKING}/below/notes.txt");
    let texts =
        [(name, OURS), (below.as_str(), THEIRS)].map(|(path, text)| (path.to_owned(), text));
    let expected = texts.clone().map(|(path, text)| {
        let content = BlobHash::of(text.as_bytes());
        ((path, Some(content)), Outcome::Given)
    });
    let files = texts.map(|(path, text)| (path, text.to_owned()));
    let mut files = Files::from(files);
    files.insert(notes.clone(), "Notes.\n".to_owned());
    replace(place, &files)?;
    let more = More::default();
    let question = format!("{READ}{}", place.project().join(notes).display());
    let session = place.ask(None, &question, &more).await?;
    let fork = place.ask(Some(&From::Fork(session)), SAY, &more).await?;
    if !client.tells_end_of_turn(sessions.version) {
        let from = From::Resume(fork.clone());
        place.ask(Some(&from), SAY, &more).await?;
    }
    sessions.standin.take()?;
    let turns = recorded(place, &fork, &[true]).await?;
    let Some(turn) = turns.first() else {
        return Ok(vec!["the turn is not recorded".to_owned()]);
    };
    Ok(differences_in(place, turn, &Outcomes::from(expected)))
}

/// Edits a skill that the model has used, and goes on with the session. Returns what the evidence does not say as it must: the
/// conversation keeps the earlier text.
async fn used(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let sessions = place.sessions;
    let client = sessions.client;
    let (_, skills) = client.instruction_places();
    let path = format!("{WORKING}/{skills}/greet/SKILL.md");
    let edited = SKILL.replace("oldest", "youngest");
    let more = match client {
        Client::ClaudeCode => More::arguments(&["--allowedTools", "Skill"]),
        Client::Codex | Client::Opencode => More::default(),
    };
    let files = |text: &str| Files::from([(path.clone(), text.to_owned())]);
    replace(place, &files(SKILL))?;
    let session = place.ask(None, &format!("{USE}greet"), &more).await?;
    let received = sessions.standin.take()?;
    let is_used = received
        .iter()
        .any(|received| received.body.to_string().contains("the oldest one first"));
    ensure!(
        is_used,
        "the tool gave its model no skill; opencode looks for its files with `rg` (Debian's package ripgrep)"
    );
    replace(place, &files(&edited))?;
    let from = From::Resume(session.clone());
    for _ in 0..if client.tells_end_of_turn(sessions.version) {
        1
    } else {
        2
    } {
        place.ask(Some(&from), SAY, &more).await?;
    }
    sessions.standin.take()?;
    let turns = recorded(place, &session, &[true; 2]).await?;
    let expected = |texts: &[(&str, Outcome)]| {
        let texts = texts.iter().map(|(text, outcome)| {
            let content = BlobHash::of(text.as_bytes());
            ((path.clone(), Some(content)), *outcome)
        });
        texts.collect::<Outcomes>()
    };
    let expected = [
        expected(&[(SKILL, Outcome::Given)]),
        expected(&[(SKILL, Outcome::Stale), (&edited, Outcome::Given)]),
    ];
    let turns = turns.iter().zip(&expected);
    Ok(turns
        .flat_map(|(turn, expected)| differences_in(place, turn, expected))
        .collect())
}

/// Edits a session's record between two prompts, and returns what the evidence does not say as it must. It is the client's
/// word, whoever edits it: what was handed in before stays, and a record whose messages have not their hashes is not
/// whole.
async fn edited(place: &Place<'_>) -> anyhow::Result<Vec<String>> {
    let sessions = place.sessions;
    let client = sessions.client;
    let (name, _) = client.instruction_places();
    let files = Files::from([(name.to_owned(), THEIRS.to_owned())]);
    replace(place, &files)?;
    let more = More::default();
    let session = place.ask(None, SAY, &more).await?;
    let before = recorded(place, &session, &[true]).await?;
    let record = place.record(&session)?;
    let text = fs::read_to_string(&record)?;
    let (truth, lie) = ("about seventy lines", "about sixteen lines");
    ensure!(
        text.contains(truth),
        "{} does not have the file",
        record.display()
    );
    fs::write(&record, text.replace(truth, lie))?;
    place
        .ask(Some(&From::Resume(session.clone())), SAY, &more)
        .await?;
    let received = sessions.standin.take()?;
    let is_sent = received
        .last()
        .is_some_and(|last| last.body.to_string().contains(lie));
    let turns = recorded(place, &session, &[true; 2]).await?;
    let [first, second] = &turns[..] else {
        return Ok(vec![format!("it has {} turns", turns.len())]);
    };
    let mut differences = Vec::new();
    let mut check = |what: &str, told: &Value, expected: &Value| {
        if told != expected {
            differences.push(format!("{what} is {told} and must be {expected}"));
        }
    };
    check(
        "the turn before",
        &first["evidence"],
        &before[0]["evidence"],
    );
    // Codex makes its next request of the record, and then says that the file of now replaces the other one.
    let verdict = if is_sent { "as-pinned" } else { "incomplete" };
    check(
        "the turn behind",
        &second["evidence"]["verdict"],
        &verdict.into(),
    );
    check(
        "the witness",
        &second["evidence"]["witness"],
        &"client".into(),
    );
    Ok(differences)
}

async fn run(place: &Place<'_>, plant: &Plant) -> anyhow::Result<Vec<String>> {
    let sessions = place.sessions;
    replace(place, &plant.files)?;
    let (question, more) = (&plant.question, &plant.more);
    let mut session = place.ask(None, question, more).await?;
    let mut count = 1;
    if let Some(files) = &plant.then {
        replace(place, files)?;
        let from = From::Resume(session);
        session = place.ask(Some(&from), question, more).await?;
        count += 1;
    }
    sessions.standin.take()?;
    if !sessions.client.tells_end_of_turn(sessions.version) {
        // The evidence comes with the next prompt.
        place
            .ask(Some(&From::Resume(session.clone())), SAY, more)
            .await?;
        sessions.standin.take()?;
    }
    let turns = recorded(place, &session, &vec![true; count]).await?;
    let Some(turn) = turns.get(count - 1) else {
        return Ok(vec!["the turn is not recorded".to_owned()]);
    };
    if !sessions.client.has_evidence(sessions.version) {
        return Ok(differences_in(place, turn, &Outcomes::new()));
    }
    let mut differences = differences_in(place, turn, &plant.expected);
    let resources = turn["findings"]["resources"].as_array();
    let mut resources = resources.into_iter().flatten();
    if resources.any(|resource| resource["within"] == true) != plant.is_within {
        differences.push(format!(
            "a text is inside of another one: {}",
            !plant.is_within
        ));
    }
    Ok(differences)
}

/// Puts files in the place of those of the project.
fn replace(place: &Place<'_>, files: &Files) -> anyhow::Result<()> {
    let project = place.project();
    for entry in fs::read_dir(&project)? {
        let path = entry?.path();
        let is_kept = path.ends_with(".git") || path.ends_with(WORKING);
        match path.is_dir() {
            _ if is_kept => {}
            true => fs::remove_dir_all(path)?,
            false => fs::remove_file(path)?,
        }
    }
    for entry in fs::read_dir(project.join(WORKING))? {
        let path = entry?.path();
        match path.is_dir() {
            true => fs::remove_dir_all(path)?,
            false => fs::remove_file(path)?,
        }
    }
    write(&project, files)
}

/// Returns what is planted in sessions of a tool.
fn plants(client: Client, place: &Place<'_>) -> Vec<Plant> {
    let (name, skills) = client.instruction_places();
    let [near, skill] = [name.to_owned(), format!("{skills}/greet/SKILL.md")]
        .map(|path| format!("{WORKING}/{path}"));
    let far = name.to_owned();
    let (near, far, skill) = (near.as_str(), far.as_str(), skill.as_str());
    let both = format!("{OURS}\n{THEIRS}");
    let as_is = [(far, OURS, Outcome::Given), (near, THEIRS, Outcome::Given)];
    let plant = |name, files: &[(&str, &str, Outcome)]| Plant::new(name, skill, files);
    let cat = format!("{RUN}cat {name} {skills}/greet/SKILL.md");
    let absent = [(far, OURS, Outcome::Absent), (near, "x\n", Outcome::Absent)];
    let mut cat_too = plant("a tool that reads them too", &as_is);
    cat_too.question = cat;
    if client.writes_record() {
        // What a tool says to opencode's model is handed to nobody.
        cat_too = cat_too.with(skill, SKILL, Outcome::SeenElsewhere);
    }
    let mut plants = vec![
        plant("two files", &as_is),
        cat_too,
        plant(
            "one inside of the other",
            &[(far, &both, Outcome::Given), (near, THEIRS, Outcome::Given)],
        ),
        plant(
            "two that are equal",
            &[(far, OURS, Outcome::Given), (near, OURS, Outcome::Given)],
        ),
        plant(
            "one of a letter",
            &[(far, OURS, Outcome::Given), (near, "x\n", Outcome::Given)],
        ),
        Plant {
            more: without_files(client),
            ..plant("left out by the tool", &absent)
        },
        beside(client, place.base(), plant("one beside the pin", &as_is)),
        gone(client, near, plant("one that goes", &as_is)),
    ];
    if matches!(client, Client::Codex) {
        let manifest = format!("{WORKING}/{skills}/.codex-plugin/plugin.json");
        for (what, plugin) in [
            ("a skill of a plugin", "{\"name\": \"kit\"}"),
            (
                "a skill of a plugin with a colon in its name",
                "{\"name\": \"Ada's: my kit\"}",
            ),
        ] {
            let mut of_plugin = plant(what, &as_is);
            let plugin = plugin.to_owned();
            of_plugin.files.insert(manifest.clone(), plugin);
            plants.push(of_plugin);
        }
    }
    if matches!(client, Client::Opencode) {
        let unlisted = plant("without the list of skills", &as_is);
        plants.push(unlisted_skills(
            place.base(),
            unlisted.with(skill, SKILL, Outcome::Absent),
        ));
    }
    if matches!(client, Client::ClaudeCode) {
        let directory = place.project().join(WORKING).join(skills).join("greet");
        let (_, text) = SKILL.split_once("---\n").unwrap_or_default();
        let (_, text) = text.split_once("---\n").unwrap_or_default();
        let text = format!(
            "Base directory for this skill: {}\n\n{text}",
            directory.display()
        );
        let command = format!("{WORKING}/.claude/commands/{COMMAND}.md");
        let as_skill = plant("a command that says it is a skill", &as_is);
        let mut as_skill = as_skill.with(skill, SKILL, Outcome::SeenElsewhere);
        as_skill.question = format!("/{COMMAND}");
        as_skill.files.insert(command.clone(), text);
        as_skill
            .expected
            .insert((command, None), Outcome::KnownNotPinned);
        plants.push(as_skill);
        let setting = format!("{{\"claudeMdExcludes\": [\"**/{WORKING}/{name}\"]}}");
        let outcomes = [
            (far, &*both, Outcome::Given),
            (near, THEIRS, Outcome::Absent),
        ];
        plants.push(Plant {
            more: More::arguments(&["--settings", &setting]),
            is_within: true,
            ..plant("inside of the other, and left out by the tool", &outcomes)
        });
    }
    plants
}

impl Plant {
    fn new(name: &'static str, skill: &str, files: &[(&str, &str, Outcome)]) -> Self {
        let skill = [(skill, SKILL, Outcome::Given)];
        let files = files.iter().chain(&skill);
        let texts = files
            .clone()
            .map(|(path, text, _)| ((*path).to_owned(), (*text).to_owned()));
        let expected = files.map(|(path, text, outcome)| {
            let content = BlobHash::of(text.as_bytes());
            (((*path).to_owned(), Some(content)), *outcome)
        });
        Self {
            name,
            files: texts.collect(),
            then: None,
            more: More::default(),
            question: SAY.to_owned(),
            expected: expected.collect(),
            is_within: false,
        }
    }

    /// Expects something else of a file.
    fn with(mut self, path: &str, text: &str, outcome: Outcome) -> Self {
        let content = BlobHash::of(text.as_bytes());
        self.expected
            .insert((path.to_owned(), Some(content)), outcome);
        self
    }
}

/// Returns what has a tool leave out all files of a project. ctxpin does not see it.
fn without_files(client: Client) -> More {
    match client {
        Client::ClaudeCode => More::variable("CLAUDE_CODE_DISABLE_CLAUDE_MDS", "1"),
        Client::Codex => More::arguments(&["-c", "project_doc_max_bytes=0"]),
        Client::Opencode => More::variable("OPENCODE_DISABLE_PROJECT_CONFIG", "1"),
    }
}

/// Has the tool read a file that ctxpin does not know of.
fn beside(client: Client, base: &Path, mut plant: Plant) -> Plant {
    let beside = base.join(BESIDE);
    let up = "../";
    match client {
        Client::ClaudeCode => {
            plant
                .files
                .insert(format!("{up}{BESIDE}/CLAUDE.md"), BESIDES.to_owned());
            plant.more = More::arguments(&["--add-dir", &beside.to_string_lossy()]);
            let variable = "CLAUDE_CODE_ADDITIONAL_DIRECTORIES_CLAUDE_MD";
            plant
                .more
                .variables
                .push((variable.to_owned(), "1".to_owned()));
            plant
                .expected
                .insert(("CLAUDE.md".to_owned(), None), Outcome::Foreign);
        }
        Client::Codex => {
            let near = format!("{WORKING}/AGENTS.md");
            plant.files.remove(&near);
            plant
                .files
                .insert(format!("{WORKING}/TEAM.md"), BESIDES.to_owned());
            plant.more = More::arguments(&["-c", "project_doc_fallback_filenames=[\"TEAM.md\"]"]);
            plant.expected.retain(|(path, _), _| *path != near);
            // Codex names no file.
            plant
                .expected
                .insert((String::new(), None), Outcome::Foreign);
        }
        Client::Opencode => {
            let file = beside.join("team.md");
            let config = format!("{{\"instructions\": [{:?}]}}", file.to_string_lossy());
            plant
                .files
                .insert(format!("{up}{BESIDE}/team.md"), BESIDES.to_owned());
            plant
                .files
                .insert(format!("{up}{BESIDE}/opencode.json"), config);
            let config = beside.join("opencode.json");
            plant.more = More::variable("OPENCODE_CONFIG", &config.to_string_lossy());
            plant
                .expected
                .insert(("team.md".to_owned(), None), Outcome::Foreign);
        }
    }
    plant
}

/// Has another plugin take the list of skills away, before ctxpin's is asked.
fn unlisted_skills(base: &Path, mut plant: Plant) -> Plant {
    let beside = base.join(BESIDE);
    let plugin = format!("file://{}", beside.join("without-list.js").display());
    let config = beside.join("opencode.json");
    let text = format!("{{\"plugin\": [{plugin:?}]}}");
    let files = [
        ("without-list.js", WITHOUT_LIST),
        ("opencode.json", text.as_str()),
    ];
    let files = files.map(|(name, text)| (format!("../{BESIDE}/{name}"), text.to_owned()));
    plant.files.extend(files);
    plant.more = More::variable("OPENCODE_CONFIG", &config.to_string_lossy());
    plant
}

/// Deletes a file before the second prompt.
fn gone(client: Client, near: &str, mut plant: Plant) -> Plant {
    let mut files = plant.files.clone();
    files.remove(near);
    plant.then = Some(files);
    match client {
        // The messages of before stay, and a later one replaces them.
        Client::ClaudeCode | Client::Codex => {
            plant = plant.with(near, THEIRS, Outcome::Superseded);
            if matches!(client, Client::Codex) {
                let (far, _) = client.instruction_places();
                plant = plant.with(far, OURS, Outcome::Repeated);
            }
        }
        Client::Opencode => plant.expected.retain(|(path, _), _| path != near),
    }
    plant
}
