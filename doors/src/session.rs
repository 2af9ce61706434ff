//! Whole sessions of a tool with ctxpin's hooks: which chats and turns they make, and whether the verdicts are true of
//! what the stand-in received.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::client::{Client, From};
use crate::process;
use crate::standin::{READ, Standin};

/// The longest wait for a tool. A loaded machine starts one slowly.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(180);

/// The longest wait for what is recorded behind the back of a hook.
const RECORDED_TIME_MAX: Duration = Duration::from_secs(30);

/// The pause between two looks at what is recorded.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// The longest time of a hook that waits for no scan: the median of some calls.
const HOOK_TIME_MAX: Duration = Duration::from_millis(30);

/// The longest time of any hook.
const ANY_HOOK_TIME_MAX: Duration = Duration::from_secs(2);

/// How many calls are measured.
const CALLS: usize = 21;

/// A version of a tool whose sessions are compared.
pub struct Sessions<'a> {
    pub client: Client,
    pub version: &'a str,
    pub program: &'a Path,
    /// The built ctxpin.
    pub ctxpin: &'a Path,
    pub standin: &'a Standin,
}

/// One prompt of a session.
struct Step {
    /// Which of the sessions it goes on with, by the number of its first step. `None` begins one.
    from: Option<(usize, bool)>,
    /// Whether the instruction file and the skill change before it.
    is_edited: bool,
    /// Whether the model reads a file first.
    is_reading: bool,
}

const fn step(from: Option<(usize, bool)>, is_edited: bool, is_reading: bool) -> Step {
    Step {
        from,
        is_edited,
        is_reading,
    }
}

/// A start, a call of a tool, a change and two resumptions in new processes, forks before and behind a change, and another
/// session.
const STEPS: [Step; 7] = [
    step(None, false, false),
    step(Some((0, false)), false, true),
    step(Some((0, false)), true, false),
    step(Some((0, false)), false, false),
    step(Some((0, true)), false, false),
    step(Some((4, false)), true, false),
    step(None, false, true),
];

/// What a prompt really was.
struct Said {
    session: String,
    revision: usize,
    /// Whether the last request of the prompt had the file and the skill's description of the revision.
    is_given: bool,
}

/// A clean home and a project, which `ctxpin up` watches.
struct Place<'a> {
    sessions: &'a Sessions<'a>,
    base: PathBuf,
    _directory: tempfile::TempDir,
}

impl Sessions<'_> {
    /// Runs the sessions, and returns each difference.
    pub async fn run(&self) -> anyhow::Result<Vec<String>> {
        let place = Place::make(self)?;
        let compared = self.compared(&place).await;
        // The process ended already if everything was measured.
        let _ = place.ctxpin(&["down"]);
        compared
    }

    async fn compared(&self, place: &Place<'_>) -> anyhow::Result<Vec<String>> {
        let name = self.client.name();
        place.ctxpin(&["up", "--detach", "--profile", name])?;
        let mut install = vec!["hook", "install", name];
        install.extend(matches!(self.client, Client::Codex).then_some("--trust"));
        place.ctxpin(&install)?;
        let mut said: Vec<Said> = Vec::new();
        let mut revision = 0;
        place.write(revision)?;
        for step in STEPS {
            if step.from.is_some_and(|(_, is_fork)| is_fork) && !self.client.forks() {
                // The steps that go on with the fork begin a session instead.
                continue;
            }
            if step.is_edited {
                revision += 1;
                place.write(revision)?;
            }
            let from = step.from.and_then(|(first, is_fork)| {
                let session = said.get(first)?.session.clone();
                Some(match is_fork {
                    true => From::Fork(session),
                    false => From::Resume(session),
                })
            });
            let session = place.ask(from, step.is_reading).await?;
            let requests = self.standin.take()?;
            let texts = requests.iter().map(Value::to_string);
            let texts: Vec<_> = texts.filter(|text| text.contains(FILE_TITLE)).collect();
            let last = texts.last();
            said.push(Said {
                session,
                revision,
                is_given: last.is_some_and(|text| {
                    text.contains(&line(revision)) && text.contains(&description(revision))
                }),
            });
        }
        let mut differences = self.differences(place, &said).await?;
        differences.extend(self.slow(place)?);
        differences.extend(place.uninstalled()?);
        Ok(differences)
    }

    /// Compares the chats and the turns with what the prompts really were.
    async fn differences(&self, place: &Place<'_>, said: &[Said]) -> anyhow::Result<Vec<String>> {
        let mut differences = Vec::new();
        let mut sessions: BTreeMap<&str, Vec<&Said>> = BTreeMap::new();
        for said in said {
            sessions.entry(&said.session).or_default().push(said);
        }
        let mut snapshots: BTreeMap<usize, String> = BTreeMap::new();
        for (session, said) in &sessions {
            let is_recorded = |turns: &[Value]| {
                let is_witnessed = |turn: &Value| turn.get("evidence").is_some();
                turns.len() >= said.len()
                    && (!self.client.has_evidence(self.version) || turns.iter().all(is_witnessed))
            };
            let until = Instant::now() + RECORDED_TIME_MAX;
            let turns = loop {
                let turns = place.turns(session)?;
                if is_recorded(&turns) || Instant::now() > until {
                    break turns;
                }
                sleep(LOOK_PAUSE).await;
            };
            if turns.len() != said.len() {
                differences.push(format!(
                    "the session {session} has {} turns for {} prompts",
                    turns.len(),
                    said.len()
                ));
                continue;
            }
            for (number, (turn, said)) in turns.iter().zip(said).enumerate() {
                let number = number + 1;
                let snapshot = turn["snapshot"].as_str().unwrap_or("none").to_owned();
                let first = snapshots.entry(said.revision).or_insert(snapshot.clone());
                if *first != snapshot {
                    differences.push(format!(
                        "the turn {number} of {session} has the snapshot {snapshot}, and another one with the same files \
                         has {first}"
                    ));
                }
                let verdict = turn["evidence"]["verdict"].as_str().unwrap_or("none");
                let is_awaited = verdict == "none" && number == turns.len();
                if is_awaited && !self.client.tells_end_of_turn(self.version) {
                    continue;
                }
                let expected = match (self.client.has_evidence(self.version), said.is_given) {
                    (false, _) => "none",
                    (true, true) => "as-pinned",
                    (true, false) => "deviates",
                };
                if verdict != expected {
                    differences.push(format!(
                        "the turn {number} of {session} is {verdict}, and the stand-in received what is {expected}: {}",
                        place.outcomes(session, number)?
                    ));
                }
            }
        }
        let mut distinct: Vec<_> = snapshots.values().collect();
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.len() != snapshots.len() {
            differences.push(format!(
                "different files have equal snapshots: {snapshots:?}"
            ));
        }
        let chats = place.chats()?.len();
        if chats != sessions.len() {
            differences.push(format!("{} sessions have {chats} chats", sessions.len()));
        }
        println!(
            "{} {}: {} sessions, {} prompts, {} revisions",
            self.client.name(),
            self.version,
            sessions.len(),
            said.len(),
            snapshots.len()
        );
        Ok(differences)
    }

    /// Measures the hooks, and returns which take too long.
    fn slow(&self, place: &Place<'_>) -> anyhow::Result<Vec<String>> {
        let mut slow = Vec::new();
        let mut check = |what: &str, times: &mut Vec<Duration>, median_max: Duration| {
            times.sort_unstable();
            let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
            println!("  {what}: median {median:.1?}, longest {longest:.1?}");
            if median > median_max || longest > ANY_HOOK_TIME_MAX {
                slow.push(format!("{what} takes {median:.1?}, at most {longest:.1?}"));
            }
        };
        let command = place.hook()?;
        let call = |event: &str, count: usize| -> anyhow::Result<Vec<Duration>> {
            (0..count)
                .map(|number| place.call(&command, event, number))
                .collect()
        };
        let mut starts = call("SessionStart", CALLS)?;
        check("a start", &mut starts, ANY_HOOK_TIME_MAX);
        let mut prompts = call("UserPromptSubmit", CALLS)?;
        check("a prompt", &mut prompts, HOOK_TIME_MAX);
        let pid = place.process()?;
        place.signal(&pid, "-STOP")?;
        let hanging = ["SessionStart", "UserPromptSubmit"].map(|event| call(event, 1));
        place.signal(&pid, "-CONT")?;
        for (times, what) in hanging.into_iter().zip(["a start", "a prompt"]) {
            check(
                &format!("{what} with a process that hangs"),
                &mut times?,
                ANY_HOOK_TIME_MAX,
            );
        }
        place.ctxpin(&["down"])?;
        let mut without = call("UserPromptSubmit", CALLS)?;
        check("a prompt without a process", &mut without, HOOK_TIME_MAX);
        Ok(slow)
    }
}

/// What begins each revision of the instruction file.
const FILE_TITLE: &str = "# How we work here";

/// Returns the line by which a revision is told.
fn line(revision: usize) -> String {
    format!("Revision {revision} says that every change has a test which would fail without it.")
}

/// Returns the description of the skill in a revision.
fn description(revision: usize) -> String {
    format!("Greets as revision {revision} of the house rules says.")
}

impl<'a> Place<'a> {
    fn make(sessions: &'a Sessions<'a>) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let base = directory.path().canonicalize()?;
        let place = Self {
            sessions,
            base,
            _directory: directory,
        };
        for folder in ["home", "project"] {
            fs::create_dir(place.base.join(folder))?;
        }
        let url = sessions.standin.url();
        sessions
            .client
            .settle_session(&place.base.join("home"), &url)?;
        let git = Command::new("git")
            .args(["init", "-q"])
            .current_dir(place.project())
            .status();
        ensure!(git.context("starting git")?.success(), "git failed");
        fs::write(place.project().join("notes.txt"), "Notes.\n")?;
        Ok(place)
    }

    fn project(&self) -> PathBuf {
        self.base.join("project")
    }

    /// Writes a revision of the instruction file and of the skill.
    fn write(&self, revision: usize) -> anyhow::Result<()> {
        let (file, skills) = self.sessions.client.instruction_places();
        let text = format!("{FILE_TITLE}\n\n{}\n", line(revision));
        fs::write(self.project().join(file), text)?;
        let skill = self.project().join(skills).join("greet");
        fs::create_dir_all(&skill)?;
        let description = description(revision);
        let text = format!("---\nname: greet\ndescription: {description}\n---\nGreet.\n");
        fs::write(skill.join("SKILL.md"), text)?;
        Ok(())
    }

    /// Returns a command in the project, with an environment of its own.
    fn command(&self, program: &Path) -> Command {
        process::clean(program, &self.project(), &self.base.join("home"))
    }

    fn ctxpin(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self
            .command(self.sessions.ctxpin)
            .args(arguments)
            .output()?;
        let last_words = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "ctxpin {arguments:?}: {last_words}"
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let arguments = [arguments, &["--json"]].concat();
        Ok(serde_json::from_str(&self.ctxpin(&arguments)?)?)
    }

    /// Gives the tool a prompt, and returns its session.
    async fn ask(&self, from: Option<From>, is_reading: bool) -> anyhow::Result<String> {
        let notes = self.project().join("notes.txt");
        let question = match is_reading {
            true => format!("{READ}{}", notes.display()),
            false => "Say something.".to_owned(),
        };
        let mut command = self.command(self.sessions.program);
        let url = self.sessions.standin.url();
        let client = self.sessions.client;
        client.go_on(&mut command, &url, &question, from.as_ref());
        let answer = process::answer(command, ANSWER_TIME_MAX).await?;
        let session = client.session(&answer);
        session.with_context(|| format!("the tool names no session: {answer}"))
    }

    /// Returns the chats of the tool.
    fn chats(&self) -> anyhow::Result<Vec<Value>> {
        let list = self.json(&["chat", "list"])?;
        let chats = list["items"].as_array().into_iter().flatten();
        let name = self.sessions.client.name();
        Ok(chats
            .filter(|chat| chat["client"] == name)
            .cloned()
            .collect())
    }

    /// Returns the id of a session's chat.
    fn chat(&self, session: &str) -> anyhow::Result<Option<String>> {
        let chats = self.chats()?;
        let chat = chats.iter().find(|chat| chat["reference"] == session);
        Ok(chat.and_then(|chat| chat["id"].as_str()).map(str::to_owned))
    }

    /// Returns what became of each resource in a turn.
    fn outcomes(&self, session: &str, number: usize) -> anyhow::Result<String> {
        let id = self.chat(session)?.context("the session has no chat")?;
        let turn = self.json(&["chat", "turns", &number.to_string(), "--chat", &id])?;
        let resources = turn["findings"]["resources"].as_array();
        let outcomes = resources.into_iter().flatten();
        let outcomes = outcomes.map(|found| format!("{} {}", found["outcome"], found["kind"]));
        Ok(outcomes.collect::<Vec<_>>().join(", "))
    }

    /// Returns the turns of a session, the oldest first.
    fn turns(&self, session: &str) -> anyhow::Result<Vec<Value>> {
        let Some(id) = self.chat(session)? else {
            return Ok(Vec::new());
        };
        let turns = self.json(&["chat", "turns", "--chat", &id])?;
        let turns = turns["items"].as_array().into_iter().flatten();
        Ok(turns.rev().cloned().collect())
    }

    /// Returns the command that install wrote.
    fn hook(&self) -> anyhow::Result<String> {
        let tools = self.json(&["hook", "status"])?;
        let mut tools = tools.as_array().into_iter().flatten();
        let tool = tools.find(|tool| tool["tool"] == self.sessions.client.name());
        let command = tool.and_then(|tool| tool["command"].as_str());
        command.map(str::to_owned).context("no hook is installed")
    }

    /// Calls a hook as the tool does, and returns the time.
    fn call(&self, command: &str, event: &str, number: usize) -> anyhow::Result<Duration> {
        let input = json!({
            "session_id": "measured", "cwd": self.project(), "hook_event_name": event, "source": "startup",
            "turn_id": format!("{event}-{number}"), "prompt_id": format!("{event}-{number}"), "prompt": "x",
        });
        let began = Instant::now();
        let mut child = Command::new("/bin/sh")
            .args(["-c", command])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.to_string().as_bytes())?;
        }
        ensure!(child.wait()?.success(), "the hook failed at {event}");
        Ok(began.elapsed())
    }

    /// Returns the id of the process that watches the project.
    fn process(&self) -> anyhow::Result<String> {
        let status = self.json(&["agent", "status"])?;
        let pid = status["pid"].as_u64().context("no process watches")?;
        Ok(pid.to_string())
    }

    fn signal(&self, pid: &str, signal: &str) -> anyhow::Result<()> {
        let sent = Command::new("kill").args([signal, pid]).status()?;
        ensure!(sent.success(), "the process {pid} takes no signal");
        Ok(())
    }

    /// Takes the hooks out, and returns what is left of them.
    fn uninstalled(&self) -> anyhow::Result<Vec<String>> {
        self.ctxpin(&["hook", "uninstall", self.sessions.client.name()])?;
        let left = self.sessions.client.settings_left(&self.base.join("home"));
        Ok(left
            .into_iter()
            .map(|path| format!("uninstall leaves hooks in {}", path.display()))
            .collect())
    }
}
