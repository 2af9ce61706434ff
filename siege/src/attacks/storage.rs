//! New content and forbidden requests of an agent. The server stores something for both.

use std::sync::Arc;

use rand::RngExt as _;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::api::{Agent, Caller, Connection, instruction_file, request, skill};

use super::{AGAIN_PAUSE, Siege};

/// Skills of a large push, and files of each, of the largest size. They are sent ahead on as many
/// connections.
const SKILLS: usize = 4;
const FILES: usize = 30;
const FILE_BYTES: usize = 512 * 1024;

/// Small pushes between two large ones, and their bytes.
const SMALL_PUSHES: usize = 20;
const SMALL_BYTES: usize = 30_000;

/// Connections of requests that are refused.
const REFUSED: usize = 2;

/// Pushes, and sends requests that an agent may not send.
pub fn fill(siege: &Siege, tasks: &mut JoinSet<()>) {
    let means = &siege.means;
    let agent = Agent {
        id: means.agent.clone(),
        caller: Caller::new(means.address, &means.agent_token),
        epoch: means.epoch,
        version: means.version,
    };
    let agent = Arc::new(Mutex::new(agent));
    siege.again(tasks, 1, move |siege, _| {
        let agent = Arc::clone(&agent);
        async move { push(&siege, &mut *agent.lock().await).await }
    });
    siege.again(tasks, REFUSED, |siege, _| async move {
        let path = format!("/api/v1/agents/{}", siege.means.agent);
        let refused = request("DELETE", &path, Some(&siege.means.agent_token), None);
        let mut connection = Connection::open(siege.means.address).await?;
        loop {
            let answer = connection.ask(&refused).await?;
            siege.add(&format!("refused with {}", answer.status), 1);
        }
    });
}

async fn push(siege: &Siege, agent: &mut Agent) -> anyhow::Result<()> {
    let skills: Vec<Vec<_>> = (0..SKILLS)
        .map(|_| (0..FILES).map(|_| random_bytes(FILE_BYTES)).collect())
        .collect();
    let mut uploads = JoinSet::new();
    for files in skills.clone() {
        let (siege, agent) = (siege.clone(), agent.clone());
        uploads.spawn(async move {
            let mut connection = Connection::open(siege.means.address).await?;
            for file in files {
                let answer = connection.ask(&agent.upload_of(&file)).await?;
                siege.add(&format!("upload {}", answer.status), 1);
                if answer.status != 204 {
                    sleep(AGAIN_PAUSE).await;
                    connection = Connection::open(siege.means.address).await?;
                }
            }
            anyhow::Ok(())
        });
    }
    for uploaded in uploads.join_all().await {
        uploaded?;
    }
    let skills = skills.iter().enumerate();
    let (found, texts): (Vec<_>, Vec<_>) = skills
        .map(|(number, files)| skill(&format!("s{number}"), files))
        .unzip();
    let mut connection = Connection::open(siege.means.address).await?;
    let answer = connection.ask(&agent.push_of(&found, &texts)).await?;
    siege.add(&format!("large push {}", answer.status), 1);
    for _ in 0..SMALL_PUSHES {
        let text = hex::encode(random_bytes(SMALL_BYTES)).into_bytes();
        let found = [instruction_file("/w/AGENTS.md", &text)];
        let mut connection = Connection::open(siege.means.address).await?;
        let answer = connection.ask(&agent.push_of(&found, &[text])).await?;
        siege.add(&format!("small push {}", answer.status), 1);
    }
    Ok(())
}

fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    rand::rng().fill(&mut bytes[..]);
    bytes
}
