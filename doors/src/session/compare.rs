//! Compares chats, turns and their evidence with what the prompts really were and what the stand-in received.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ctxpin_model::evidence::Outcome;
use serde_json::Value;
use tokio::time::sleep;

use super::place::{Files, Place};
use super::search::{Outcomes, Search};
use crate::client::Client;
use crate::standin::Received;

/// The longest wait for what is recorded behind the back of a hook.
const RECORDED_TIME_MAX: Duration = Duration::from_secs(30);

/// The pause between two looks at what is recorded.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// What a prompt really was.
pub struct Asked {
    pub session: String,
    /// The number of the files that the tool read for it.
    pub read: usize,
    /// Whether it was a prompt for the model, and no order to the tool.
    pub is_turn: bool,
    /// Whether what it gave the model may be lost, because it is kept in no file.
    pub may_be_lost: bool,
    /// What the stand-in received of the session itself and the tool tells of, each with the number of the files that are pinned for it.
    pub requests: Vec<(usize, Value)>,
    /// What it received of its subagents, by the references of their chats.
    pub subagents: BTreeMap<String, Vec<(usize, Value)>>,
}

impl Asked {
    /// Tells the requests of a prompt apart. `files` are those of the project so far.
    pub fn new(
        client: Client,
        files: &[Files],
        session: String,
        read: usize,
        received: Vec<Received>,
    ) -> Self {
        let search = Search { client, files };
        let mut asked = Self {
            session,
            read,
            is_turn: true,
            may_be_lost: false,
            requests: Vec::new(),
            subagents: BTreeMap::new(),
        };
        let mut is_compacted = false;
        for received in received {
            is_compacted |= client.is_compacted(&received.body);
            if !client.tells_of(&received.body) {
                continue;
            }
            let newest = search.newest(&received.body).unwrap_or(read);
            if let Some(subagent) = client.subagent(&received) {
                let requests = asked.subagents.entry(subagent).or_default();
                requests.push((newest, received.body));
                continue;
            }
            let is_reread = is_compacted && client.reads_when_it_compacts();
            let pin = if is_reread { files.len() - 1 } else { read };
            asked.requests.push((pin, received.body));
        }
        asked
    }
}

/// The comparison of chats with what their prompts really were.
struct Comparison<'c> {
    place: &'c Place<'c>,
    search: Search<'c>,
    /// The snapshots of the turns, by the number of the files.
    snapshots: BTreeMap<usize, String>,
    /// How many resources were compared.
    resources: usize,
    differences: Vec<String>,
}

/// Compares the chats and the turns with what the prompts really were, and returns each difference.
pub async fn differences_of(
    place: &Place<'_>,
    files: &[Files],
    asked: &[Asked],
) -> anyhow::Result<Vec<String>> {
    let client = place.sessions.client;
    let mut comparison = Comparison {
        place,
        search: Search { client, files },
        snapshots: BTreeMap::new(),
        resources: 0,
        differences: Vec::new(),
    };
    let mut sessions: BTreeMap<&str, Vec<&Asked>> = BTreeMap::new();
    for asked in asked {
        let prompts = sessions.entry(&asked.session).or_default();
        prompts.extend(asked.is_turn.then_some(asked));
        if !asked.is_turn && !asked.requests.is_empty() {
            let count = asked.requests.len();
            comparison.differences.push(format!(
                "an order to {} made {count} requests that are in no turn",
                asked.session
            ));
        }
    }
    for (session, asked) in &sessions {
        comparison.compare(session, asked).await?;
    }
    let subagents = asked.iter().flat_map(|asked| &asked.subagents);
    for (subagent, requests) in subagents.clone() {
        comparison.compare_subagent(subagent, requests).await?;
    }
    let Comparison {
        snapshots,
        resources,
        mut differences,
        ..
    } = comparison;
    let mut distinct: Vec<_> = snapshots.values().collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() != snapshots.len() {
        differences.push(format!(
            "different files have equal snapshots: {snapshots:?}"
        ));
    }
    let (expected, chats) = (
        sessions.len() + subagents.clone().count(),
        place.chats()?.len(),
    );
    if chats != expected {
        differences.push(format!(
            "{expected} sessions and subagents have {chats} chats"
        ));
    }
    let requests = asked.iter().map(|asked| asked.requests.len());
    println!(
        "{} {}: {} sessions, {} subagents, {} prompts, {} requests, {} revisions, {resources} resources",
        client.name(),
        place.sessions.version,
        sessions.len(),
        subagents.count(),
        asked.len(),
        requests.sum::<usize>(),
        files.len(),
    );
    Ok(differences)
}

impl Comparison<'_> {
    async fn compare(&mut self, session: &str, asked: &[&Asked]) -> anyhow::Result<()> {
        let needed: Vec<_> = asked.iter().map(|asked| !asked.may_be_lost).collect();
        let turns = recorded(self.place, session, &needed).await?;
        if turns.len() != asked.len() {
            self.differences.push(format!(
                "the session {session} has {} turns for {} prompts",
                turns.len(),
                asked.len()
            ));
            return Ok(());
        }
        let sessions = self.place.sessions;
        for (number, (turn, asked)) in turns.iter().zip(asked).enumerate() {
            let what = format!("the turn {} of {session}", number + 1);
            let snapshot = turn["snapshot"].as_str().unwrap_or("none").to_owned();
            let first = self.snapshots.entry(asked.read).or_insert(snapshot.clone());
            if *first != snapshot {
                self.differences.push(format!(
                    "{what} has the snapshot {snapshot}, and another one with the same files has {first}"
                ));
            }
            let is_awaited = turn["evidence"].is_null() && number + 1 == turns.len();
            if is_awaited && !sessions.client.tells_end_of_turn(sessions.version) {
                continue;
            }
            if turn["evidence"].is_null() && asked.may_be_lost {
                continue;
            }
            let found = self.search.outcomes(&asked.requests);
            let (told, count) = (&turn["evidence"]["requests"], asked.requests.len());
            let has_evidence = sessions.client.has_evidence(sessions.version);
            if has_evidence && !asked.may_be_lost && *told != count {
                self.differences
                    .push(format!("{what} has {told} requests and made {count}"));
            }
            self.compare_turn(&what, turn, &asked.requests, found);
        }
        Ok(())
    }

    async fn compare_subagent(
        &mut self,
        subagent: &str,
        requests: &[(usize, Value)],
    ) -> anyhow::Result<()> {
        let turns = recorded(self.place, subagent, &[true]).await?;
        match &turns[..] {
            [turn] => {
                let found = self.search.outcomes(requests);
                self.compare_turn(&format!("the subagent {subagent}"), turn, requests, found);
            }
            turns => {
                let differs = format!("the subagent {subagent} has {} turns", turns.len());
                self.differences.push(differs);
            }
        }
        Ok(())
    }

    /// Compares what the evidence says of a turn with what was found in its requests.
    fn compare_turn(
        &mut self,
        what: &str,
        turn: &Value,
        requests: &[(usize, Value)],
        mut found: Outcomes,
    ) {
        let sessions = self.place.sessions;
        let mut expected = "none";
        if !sessions.client.has_evidence(sessions.version) {
            found = Outcomes::new();
        } else {
            let gaps: Vec<_> = turn["findings"]["gaps"]
                .as_array()
                .into_iter()
                .flatten()
                .collect();
            let is_compacted = requests
                .iter()
                .any(|(_, request)| sessions.client.is_compacted(request));
            expected = match found.values().any(|outcome| outcome.deviates()) {
                true => "deviates",
                // No record has how the summary was asked for.
                false if is_compacted && gaps == ["compaction"] => "incomplete",
                false => "as-pinned",
            };
        }
        self.resources += found.len();
        let different = differences_from(self.place, turn, &found, expected);
        let different = different.into_iter();
        self.differences
            .extend(different.map(|differs| format!("{what}: {differs}")));
    }
}

/// Compares what the evidence says of a turn whose record is whole with what became of each resource.
pub fn differences_in(place: &Place<'_>, turn: &Value, found: &Outcomes) -> Vec<String> {
    let verdict = match found.values().any(|outcome| outcome.deviates()) {
        _ if found.is_empty() => "none",
        true => "deviates",
        false => "as-pinned",
    };
    differences_from(place, turn, found, verdict)
}

fn differences_from(
    place: &Place<'_>,
    turn: &Value,
    found: &Outcomes,
    expected: &str,
) -> Vec<String> {
    let mut differences = Vec::new();
    let verdict = turn["evidence"]["verdict"].as_str().unwrap_or("none");
    if verdict != expected {
        differences.push(format!(
            "it is {verdict} and must be {expected}; gaps: {}",
            turn["findings"]["gaps"]
        ));
    }
    let told = told(place, turn);
    let subjects: BTreeSet<_> = told.keys().chain(found.keys()).collect();
    let word = |outcomes: &Outcomes, subject| {
        outcomes
            .get(subject)
            .map_or("nothing", |outcome| outcome.as_str())
    };
    for subject in subjects {
        let (told, found) = (word(&told, subject), word(found, subject));
        if told != found {
            let (path, content) = subject;
            let content = content.map(|content| content.hex());
            let content = content
                .as_deref()
                .map_or("of no snapshot", |content| &content[..12]);
            differences.push(format!("{path} ({content}) is {told} and must be {found}"));
        }
    }
    differences
}

/// Waits for the turns of a chat and for the evidence of those for which it says so, and returns the turns.
pub async fn recorded(
    place: &Place<'_>,
    reference: &str,
    needed: &[bool],
) -> anyhow::Result<Vec<Value>> {
    let sessions = place.sessions;
    let has_evidence = sessions.client.has_evidence(sessions.version);
    let is_recorded = |turns: &[Value]| {
        let mut needed_turns = turns.iter().zip(needed);
        let are_judged =
            needed_turns.all(|(turn, is_needed)| !is_needed || !turn["evidence"].is_null());
        turns.len() >= needed.len() && (!has_evidence || are_judged)
    };
    let until = Instant::now() + RECORDED_TIME_MAX;
    loop {
        let turns = place.turns(reference)?;
        if is_recorded(&turns) || Instant::now() > until {
            return Ok(turns);
        }
        sleep(LOOK_PAUSE).await;
    }
}

/// Returns what the evidence of a turn says of each resource.
fn told(place: &Place<'_>, turn: &Value) -> Outcomes {
    let project = format!("{}/", place.project().display());
    let resources = turn["findings"]["resources"].as_array();
    let resources = resources.into_iter().flatten();
    let told = resources.filter_map(|resource| {
        let path = resource["path"].as_str().unwrap_or_default();
        let path = path.strip_prefix(&project).unwrap_or(path);
        let content = resource["content_hash"].as_str();
        let content = content.and_then(|content| content.parse().ok());
        let outcome = resource["outcome"].as_str();
        let outcome = Outcome::ALL
            .iter()
            .find(|known| Some(known.as_str()) == outcome)?;
        Some(((path.to_owned(), content), *outcome))
    });
    told.collect()
}
