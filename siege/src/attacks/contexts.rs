//! Expensive requests: diffs of large snapshots, turns that search for resources that fit, exposure.

use rand::RngExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::api::{Agent, Caller, Connection, hash, head, instruction_file, request, skill};

use super::{AGAIN_PAUSE, Scene, Siege};

/// Skills, and files of each, near the limits of a snapshot.
const SKILLS: usize = 4;
const FILES: usize = 60;

/// Lines of a file, of two bytes each.
const LINES: usize = 130_000;

/// The number of files in each skill of a large diff. Each file's bytes take six times as many in JSON.
const LARGE_FILES: [usize; 4] = [30, 30, 30, 26];
const LARGE_BYTES: usize = 512 * 1024 - 10;

/// The number of unread responses.
const UNREAD: usize = 10;

/// The number of turns among which the attack searches for a content. Creating them takes most of the
/// time of the preparation.
const TURNS: usize = 10_000;

/// How many turns are begun at a time.
const TURNS_AT_ONCE: usize = 4;

/// Bytes of a path, which may have 1,024.
const PATH_BYTES: usize = 970;

/// Prepares a chat that is pinned to one snapshot, and a head in which everything differs.
pub async fn prepare_diffs(caller: &Caller, agent: &mut Agent) -> anyhow::Result<Scene> {
    push_skills(agent, &[FILES; SKILLS], |_| lines()).await?;
    let chat = caller.chat(&json!({"agent_id": agent.id})).await?;
    push_skills(agent, &[FILES; SKILLS], |_| lines()).await?;
    let whole = format!("/api/v1/chats/{chat}/context/diff");
    let mut asked = vec![whole.clone()];
    for number in 0..SKILLS {
        let id = resource_id(&format!("/w/skills/s{number}/SKILL.md"));
        asked.push(format!("{whole}?resource={id}"));
    }
    Ok(Scene {
        chats: vec![chat],
        asked,
    })
}

/// Prepares such a chat with texts that are quick to compare and have long diffs.
pub async fn prepare_large_diffs(caller: &Caller, agent: &mut Agent) -> anyhow::Result<Scene> {
    let text = |byte: u8| {
        move |number: usize| {
            let mut text = vec![byte; LARGE_BYTES];
            text.extend(number.to_string().bytes());
            text
        }
    };
    push_skills(agent, &LARGE_FILES, text(1)).await?;
    let chat = caller.chat(&json!({"agent_id": agent.id})).await?;
    push_skills(agent, &LARGE_FILES, text(2)).await?;
    Ok(Scene {
        asked: vec![format!("/api/v1/chats/{chat}/context/diff")],
        chats: vec![chat],
    })
}

/// Prepares two chats with the policy `additive`, pinned to 499 resources, and a head of 500
/// others. Each snapshot lists 1,500 more unused resources, so that hardly one more fits.
pub async fn prepare_additive(caller: &Caller, agent: &mut Agent) -> anyhow::Result<Scene> {
    let texts = [b"x".to_vec()];
    let path = |letter: char, number: usize| {
        format!("/{}/{letter}{number:05}", "p".repeat(PATH_BYTES - 8))
    };
    let found = |used: char, left_out: char, count: usize| {
        let used = (0..count).map(|number| instruction_file(&path(used, number), &texts[0]));
        let left_out = (0..1_500).map(|number| {
            json!({
                "kind": "instruction_file", "source": path(left_out, number), "status": "excluded",
                "error": "x", "size_bytes": 1,
            })
        });
        used.chain(left_out).collect::<Vec<Value>>()
    };
    agent.push(&found('a', 'e', 499), &texts).await?;
    let chat = json!({"agent_id": agent.id, "policy": "additive"});
    let chats = vec![caller.chat(&chat).await?, caller.chat(&chat).await?];
    agent.push(&found('h', 'g', 500), &texts).await?;
    Ok(Scene {
        chats,
        ..Scene::default()
    })
}

/// Prepares a chat with many turns on one content.
pub async fn prepare_exposure(caller: &Caller, agent: &mut Agent) -> anyhow::Result<Scene> {
    let texts = [b"A content that is looked for.\n".to_vec()];
    let found = [instruction_file("/w/AGENTS.md", &texts[0])];
    agent.push(&found, &texts).await?;
    let mut turns = JoinSet::new();
    for _ in 0..TURNS_AT_ONCE {
        let chat = caller.chat(&json!({"agent_id": agent.id})).await?;
        let caller = caller.clone();
        turns.spawn(async move {
            let mut connection = Connection::open(caller.address).await?;
            let (path, turn) = (format!("/chats/{chat}/turns"), json!({}));
            for _ in 0..TURNS / TURNS_AT_ONCE {
                let begin = caller.call_on(&mut connection, "POST", &path, &turn);
                begin.await?;
            }
            anyhow::Ok(())
        });
    }
    for begun in turns.join_all().await {
        begun?;
    }
    Ok(Scene {
        asked: [texts[0].as_slice(), b"Held by nobody."]
            .map(|text| format!("/api/v1/content/{}/exposure", hash(text)))
            .to_vec(),
        ..Scene::default()
    })
}

/// Reads `count` diffs at a time. Every second request asks for the whole diff, the others for one
/// resource each.
pub fn read_diffs(siege: &Siege, tasks: &mut JoinSet<()>, count: usize) {
    siege.again(tasks, count, move |siege, number| async move {
        let asked = &siege.means.asked;
        let path = match count > 2 && number % 2 == 1 {
            true => &asked[1 + number / 2 % (asked.len() - 1)],
            false => &asked[0],
        };
        let request = request("GET", path, Some(&siege.means.token), None);
        let mut connection = Connection::open(siege.means.address).await?;
        let answer = connection.ask(&request).await?;
        siege.add(&answer.status.to_string(), 1);
        siege.add("KiB told", answer.body.len() as u64 >> 10);
        if answer.status != 200 {
            sleep(AGAIN_PAUSE).await;
        }
        Ok(())
    });
}

/// Requests diffs and reads nothing of the responses.
pub fn leave_diffs(siege: &Siege, tasks: &mut JoinSet<()>) {
    siege.again(tasks, UNREAD, |siege, _| async move {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        let mut stream = socket.connect(siege.means.address).await?;
        let head = head("GET", &siege.means.asked[0], Some(&siege.means.token), "");
        stream.write_all(head.as_bytes()).await?;
        siege.add("unread", 1);
        // The connections stay open during the attack.
        std::future::pending::<()>().await;
        drop(stream);
        Ok(())
    });
}

/// Begins turns of each chat, one after the other.
pub fn begin_turns(siege: &Siege, tasks: &mut JoinSet<()>) {
    siege.again(tasks, siege.means.chats.len(), |siege, number| async move {
        let path = format!("/api/v1/chats/{}/turns", siege.means.chats[number]);
        let request = request("POST", &path, Some(&siege.means.token), Some(&json!({})));
        let mut connection = Connection::open(siege.means.address).await?;
        let answer = connection.ask(&request).await?;
        siege.add(&answer.status.to_string(), 1);
        Ok(())
    });
}

/// Pushes skills. `counts` gives the number of files of each.
async fn push_skills(
    agent: &mut Agent,
    counts: &[usize],
    text: impl Fn(usize) -> Vec<u8>,
) -> anyhow::Result<()> {
    let (mut found, mut texts) = (Vec::new(), Vec::new());
    let mut number = 0;
    for (index, count) in counts.iter().enumerate() {
        let files: Vec<_> = (number..number + count).map(&text).collect();
        number += count;
        agent.upload(&files).await?;
        let (skill, text) = skill(&format!("s{index}"), &files);
        found.push(skill);
        texts.push(text);
    }
    agent.push(&found, &texts).await
}

/// Returns lines in a random order, which differs in every file. Such texts are the most expensive
/// to compare.
fn lines() -> Vec<u8> {
    let mut random = rand::rng();
    let line = |_| [random.random_range(b'a'..=b'c'), b'\n'];
    (0..LINES).flat_map(line).collect()
}

/// Returns the id of a skill in the API.
fn resource_id(source: &str) -> String {
    let named = Sha256::digest([b"skill\0", source.as_bytes()].concat());
    hex::encode(&named[..8])
}
