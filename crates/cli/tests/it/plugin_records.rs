//! Evidence of opencode's sessions, whose plugin hands over what each request has.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::bench::assert_says;
use crate::hooks::{Watched, files};
use crate::records::{SENTINEL, body, verdicts};

/// What a request has.
struct Given<'g> {
    session: &'g str,
    turn: &'g str,
    request: &'g str,
    /// The text of `AGENTS.md`.
    text: &'g str,
    /// The text of `sub/AGENTS.md`, if a tool's result has it.
    below: Option<&'g str>,
}

impl<'g> Given<'g> {
    fn of([turn, request, text]: [&'g str; 3]) -> Self {
        Self {
            session: "s1",
            turn,
            request,
            text,
            below: None,
        }
    }

    /// Hands it over.
    fn to(&self, watched: &Watched) {
        let file =
            |path: &Path, text: &str| format!("Instructions from: {}\n{text}", path.display());
        let text = file(&watched.app.join("AGENTS.md"), self.text);
        let added = self.below.map(|below| {
            let below = file(&watched.app.join("sub/AGENTS.md"), below);
            format!("<system-reminder>\n{below}\n</system-reminder>")
        });
        let given = json!({
            "type": "system", "session": self.session, "turn": self.turn, "request": self.request,
            "version": "1.18.33", "texts": [format!("{SENTINEL}\n</env>\n{text}")], "added": Vec::from_iter(added),
        });
        watched.told(self.session, "Given", &json!({ "given": given }));
    }
}

fn prompts(watched: &Watched, session: &str, turn: &str) {
    watched.told(session, "UserPromptSubmit", &json!({"turn_id": turn}));
}

fn down(watched: &Watched) {
    watched.bench.ok(&watched.app, &["down"]);
}

fn up(watched: &Watched) {
    let up = ["up", "--detach", "--profile", "opencode"];
    watched.bench.ok(&watched.app, &up);
}

/// Returns what became of each resource in the one turn of a session, once it has evidence.
fn outcomes(watched: &Watched, session: &str) -> Vec<String> {
    watched.verdicts(session, 1);
    watched.outcomes(session, 1)
}

#[test]
fn a_plugin_hands_over_what_its_requests_have() {
    let watched = Watched::new("opencode");
    let [one, two] = ["one", "two"].map(body);
    let gives =
        |turn: &str, request: &str, text: &str| Given::of([turn, request, text]).to(&watched);
    let prompts = |turn: &str| prompts(&watched, "s1", turn);
    watched.edit(&one);
    watched.told("s1", "SessionStart", &json!({"source": "startup"}));
    prompts("t1");
    gives("t1", "r1", &one);
    gives("t1", "r2", &one);
    watched.told("s1", "Stop", &json!({}));
    assert_eq!(watched.verdicts("s1", 1), ["as-pinned"]);
    let turns = watched.asked("s1", |_| true);
    assert_eq!(turns[0]["evidence"]["client_version"], "1.18.33");

    // opencode reads its files at each prompt. A turn that somebody broke off has no end.
    watched.edit(&two);
    prompts("t2");
    gives("t2", "r3", &two);
    prompts("t3");
    gives("t3", "r4", &one);
    watched.told("s1", "Stop", &json!({}));
    let expected = ["deviates", "as-pinned", "as-pinned"];
    assert_eq!(watched.verdicts("s1", 3), expected);
    assert_eq!(watched.outcomes("s1", 3), ["stale", "absent"]);

    // The hook of the prompt was ended before it had told of it.
    gives("t4", "r5", &two);
    watched.told("s1", "Stop", &json!({"turn_id": "t4"}));
    assert_eq!(watched.verdicts("s1", 4)[0], "as-pinned");

    let log = watched.bench.data().join("hooks/log");
    assert!(!log.exists(), "{}", fs::read_to_string(log).unwrap());
    watched.told("s1", "Given", &json!({"given": {"type": "other"}}));
    assert_says(
        &fs::read_to_string(&log).unwrap(),
        &["what the plugin hands over is not a line that is known"],
    );
    down(&watched);
    for file in files(&watched.bench.data()) {
        let bytes = fs::read(&file).unwrap();
        let mut parts = bytes.windows(SENTINEL.len());
        let is_kept = parts.any(|part| part == SENTINEL.as_bytes());
        assert!(!is_kept, "{}", file.display());
    }
}

#[test]
fn the_evidence_of_opencode_goes_on_behind_a_restart() {
    let watched = Watched::new("opencode");
    let [one, two, below] = ["one", "two", "below"].map(body);
    let gives = |turn: &str, request: &str, text: &str| {
        let below = Some(below.as_str());
        let given = Given::of([turn, request, text]);
        Given { below, ..given }.to(&watched);
    };
    let prompts = |turn: &str| prompts(&watched, "s1", turn);
    let stops = || watched.told("s1", "Stop", &json!({}));
    fs::create_dir(watched.app.join("sub")).unwrap();
    fs::write(watched.app.join("sub/AGENTS.md"), &below).unwrap();
    // `ctxpin up` ends between two requests of a turn, and hands in the first one before.
    watched.edit(&one);
    watched.told("s1", "SessionStart", &json!({"source": "startup"}));
    prompts("t1");
    gives("t1", "r1", &one);
    down(&watched);
    up(&watched);
    gives("t1", "r2", &one);
    stops();
    let turns = watched.asked("s1", |turns| turns[0]["evidence"]["requests"] == 2);
    assert_eq!(verdicts(&turns), ["as-pinned"]);
    assert_eq!(watched.outcomes("s1", 1), ["given", "given"]);
    // opencode starts again, and its session goes on with a prompt. The conversation has the file below.
    watched.edit(&two);
    prompts("t2");
    gives("t2", "r3", &two);
    stops();
    assert_eq!(watched.verdicts("s1", 2), ["as-pinned", "as-pinned"]);
    assert_eq!(watched.outcomes("s1", 2), ["given", "given"]);
    // A prompt while nobody watches is no turn, also if its later requests are seen.
    down(&watched);
    prompts("t3");
    gives("t3", "r4", &one);
    up(&watched);
    gives("t3", "r5", &one);
    stops();
    prompts("t4");
    gives("t4", "r6", &one);
    stops();
    let expected = ["deviates", "as-pinned", "as-pinned"];
    assert_eq!(watched.verdicts("s1", 3), expected);
    down(&watched);
}

#[test]
fn a_fork_of_opencode_has_what_its_parent_was_given() {
    let watched = Watched::new("opencode");
    let [one, before, behind] = ["one", "before", "behind"].map(body);
    let gives = |session: &str, turn: &str| {
        let below = Some(before.as_str());
        let given = Given::of([turn, turn, &one]);
        Given {
            session,
            below,
            ..given
        }
        .to(&watched);
        watched.told(session, "Stop", &json!({}));
    };
    let sub = watched.app.join("sub");
    fs::create_dir(&sub).unwrap();
    fs::write(sub.join("AGENTS.md"), &before).unwrap();
    watched.edit(&one);
    watched.told("s1", "SessionStart", &json!({"source": "startup"}));
    prompts(&watched, "s1", "t1");
    gives("s1", "t1");
    assert_eq!(watched.verdicts("s1", 1), ["as-pinned"]);
    watched.told("s2", "SessionStart", &json!({"source": "startup"}));
    prompts(&watched, "s2", "t2");
    gives("s2", "t2");
    assert_eq!(outcomes(&watched, "s2"), ["given", "given"]);
    // What is an earlier text for the workspace is one for the fork too, which was never pinned to it.
    fs::write(sub.join("AGENTS.md"), &behind).unwrap();
    watched.edit(&one);
    watched.told("s3", "SessionStart", &json!({"source": "startup"}));
    prompts(&watched, "s3", "t3");
    gives("s3", "t3");
    let expected = ["stale", "given", "not-asked-for"];
    assert_eq!(outcomes(&watched, "s3"), expected);
    let file = watched.bench.root().join("before.md");
    fs::write(&file, &before).unwrap();
    let exposed = watched.bench.json(
        &watched.app,
        &["exposure", "--file", file.to_str().unwrap()],
    );
    let given = exposed["items"].as_array().unwrap().iter();
    let given = given.filter(|chat| chat["given"].is_object());
    assert_eq!(given.count(), 3, "{exposed:#}");
    down(&watched);
}
