//! An agent whose network goes away for minutes: a real `ctxpin agent run` on a real directory,
//! behind a proxy. Its file is edited all the while; when the network is back the newest edition
//! becomes the head, and nothing older overwrites it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ctxpin_client::Client;
use ctxpin_model::id::AgentId;
use ctxpin_protocol::http::agents::{AgentCreate, TimelineHead};
use ctxpin_protocol::http::page::PageQuery;
use ctxpin_protocol::http::scan::Scan;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use url::Url;

use crate::caller::Caller;
use crate::ledger::Ledger;
use crate::network::{Network, Proxy};

/// Time between two editions while the network is away.
const EDIT_INTERVAL: Duration = Duration::from_secs(2);

/// Longest time until the newest edition is the head when the servers are well: the agent tries
/// again every 30 seconds at the least.
const RECOVERY_MAX: Duration = Duration::from_secs(60);

/// The same time while servers are killed, because many attempts meet a server that is just
/// starting.
const RECOVERY_UNDER_KILLS_MAX: Duration = Duration::from_secs(300);

/// Longest time until the agent counts as connected: it gives a sign of life every 30 seconds.
const CONNECTED_MAX: Duration = Duration::from_secs(60);

/// How often the head is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// The longest time in which the network drops connections, and in which it sends no response.
const DROPPING_MAX: Duration = Duration::from_secs(30);
const SILENT_MAX: Duration = Duration::from_secs(125);

/// An agent under test.
pub struct Subject {
    program: PathBuf,
    directory: TempDir,
    child: Child,
    proxy: Proxy,
    caller: Caller,
    ledger: Arc<Ledger>,
    agent: AgentId,
    /// The number of each snapshot's edition.
    editions: BTreeMap<String, u64>,
    newest: String,
}

impl Subject {
    /// Starts the agent, and returns when its first edition is the head.
    pub async fn start(
        program: &Path,
        mut caller: Caller,
        servers: &[Url],
        proxy_port: u16,
    ) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("ctxpin-soak-agent-")
            .tempdir()?;
        let request = AgentCreate {
            workspace: "behind-a-proxy".to_owned(),
            name: None,
            may_refresh: false,
            replaces: None,
            ..AgentCreate::default()
        };
        let create = |client: Client| {
            let request = request.clone();
            async move { client.agent_create(&request).await }
        };
        let created = caller.call_until_answered("agent create", create).await;
        let Some(Ok((created, _))) = created else {
            bail!("the agent behind the proxy was not created");
        };
        let proxy = Proxy::start(servers, proxy_port).await?;
        let token = directory.path().join("token");
        write_private(&token, created.token.expose())?;
        std::fs::create_dir(directory.path().join("workspace"))?;
        std::fs::write(directory.path().join("workspace/AGENTS.md"), "Edition 0\n")?;
        let log = std::fs::File::create(directory.path().join("log"))?;
        let child = Command::new(program)
            .args(["agent", "run", "--server", &proxy.address(), "--token-file"])
            .arg(&token)
            .arg("--dir")
            .arg(directory.path().join("workspace"))
            .arg("--state-dir")
            .arg(directory.path().join("state"))
            .env("HOME", directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("starting an agent")?;
        let mut subject = Self {
            program: program.to_owned(),
            ledger: Arc::clone(&caller.ledger),
            directory,
            child,
            proxy,
            caller,
            agent: AgentId::from(created.agent.id),
            editions: BTreeMap::new(),
            newest: String::new(),
        };
        subject.edit().await?;
        subject.await_newest(RECOVERY_MAX).await?;
        Ok(subject)
    }

    /// Switches the network off twice within about `time`, and compares afterwards.
    pub async fn run(&mut self, time: Duration) -> anyhow::Result<()> {
        for (network, length) in [
            (Network::Dropping, DROPPING_MAX.min(time / 8)),
            (Network::Silent, SILENT_MAX.min(time.mul_f64(0.55))),
        ] {
            let began = Instant::now();
            self.proxy.set(network);
            while began.elapsed() < length {
                self.edit().await?;
                tokio::time::sleep(EDIT_INTERVAL.min(length.saturating_sub(began.elapsed()))).await;
            }
            self.proxy.set(Network::Well);
            {
                let mut state = self.ledger.open();
                let faults = &mut state.faults;
                faults.network_losses += 1;
                faults.network_loss_longest = faults.network_loss_longest.max(began.elapsed());
            }
            self.await_newest(RECOVERY_UNDER_KILLS_MAX).await?;
        }
        Ok(())
    }

    /// Compares the timeline with the editions. Every server must be ready.
    pub async fn check(&mut self) -> anyhow::Result<()> {
        self.edit().await?;
        self.await_newest(RECOVERY_MAX).await?;
        let page = PageQuery {
            limit: Some(500),
            ..PageQuery::default()
        };
        let mut heads = self
            .caller
            .client()
            .agent_heads(self.agent, &page)
            .await?
            .items;
        heads.reverse();
        let wrong = wrong_order(&heads, &self.editions);
        let mut is_connected = false;
        let began = Instant::now();
        while !is_connected && began.elapsed() < CONNECTED_MAX {
            is_connected = self.caller.client().agent(self.agent).await?.connected;
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        let ended = self.child.try_wait()?;
        let mut state = self.ledger.open();
        state.check(wrong.is_none(), || {
            format!("the agent behind the proxy: {wrong:?}")
        });
        state.check(is_connected, || {
            "the agent behind the proxy does not count as connected".to_owned()
        });
        state.check(ended.is_none(), || {
            format!("the agent behind the proxy has ended: {ended:?}")
        });
        Ok(())
    }

    /// Writes the next edition, and records its snapshot.
    async fn edit(&mut self) -> anyhow::Result<()> {
        let number = self.editions.len() as u64 + 1;
        let workspace = self.directory.path().join("workspace");
        let new = self.directory.path().join("AGENTS.md.new");
        std::fs::write(&new, format!("Edition {number}\n"))?;
        // The file is renamed, so that no reader sees half of it.
        std::fs::rename(&new, workspace.join("AGENTS.md"))?;
        let scanned = Command::new(&self.program)
            .args(["scan", "--json"])
            .arg(&workspace)
            .env("HOME", self.directory.path())
            .stdin(Stdio::null())
            .output()
            .await
            .context("scanning the workspace")?;
        let scanned: Scan = serde_json::from_slice(&scanned.stdout).context("reading a scan")?;
        self.editions.insert(scanned.snapshot.clone(), number);
        self.newest = scanned.snapshot;
        Ok(())
    }

    /// Waits until the newest edition is the head, and records a violation if that takes longer
    /// than `most`.
    async fn await_newest(&mut self, most: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let read = self.caller.client().agent(self.agent).await;
            let head = read.ok().and_then(|agent| agent.head);
            if head
                .as_ref()
                .is_some_and(|head| head.snapshot == self.newest)
            {
                return Ok(());
            }
            if began.elapsed() > most {
                let log = std::fs::read_to_string(self.directory.path().join("log"));
                let mut state = self.ledger.open();
                let newest = self.editions.get(&self.newest);
                let says = format!(
                    "the agent behind the proxy: edition {newest:?} is not the head {head:?}; it says:\n{}",
                    log.unwrap_or_default()
                );
                state.violation(says);
                return Ok(());
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}

/// Returns the fault of a timeline of editions: an edition that nobody wrote, or an older one after
/// a newer one.
fn wrong_order(heads: &[TimelineHead], editions: &BTreeMap<String, u64>) -> Option<String> {
    let mut last = None;
    for head in heads {
        let Some(edition) = editions.get(&head.snapshot) else {
            // The content before the first known edition.
            if last.is_none() && head.seq == 1 {
                continue;
            }
            return Some(format!("head {} holds what nobody wrote", head.seq));
        };
        if last >= Some(edition) {
            return Some(format!(
                "head {} is edition {edition} after {last:?}",
                head.seq
            ));
        }
        last = Some(edition);
    }
    None
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Ok(writeln!(file, "{text}")?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_older_edition_after_a_newer_one_is_told() {
        let editions: BTreeMap<String, u64> = [
            ("s1".to_owned(), 1),
            ("s2".to_owned(), 2),
            ("s3".to_owned(), 3),
        ]
        .into();
        let wrong = |snapshots: &[&str]| {
            let heads = snapshots.iter().zip(1..).map(|(snapshot, seq)| {
                json!({"agent": uuid::Uuid::nil(), "seq": seq, "snapshot": snapshot,
                    "context_hash": "c", "tools_hash": "t", "received_at": "2026-01-01T00:00:00Z"})
            });
            let heads = serde_json::from_value::<Vec<TimelineHead>>(heads.collect());
            wrong_order(&heads.expect("these are heads"), &editions)
        };
        assert_eq!(wrong(&["s1", "s3"]), None);
        assert_eq!(wrong(&["before", "s1"]), None);
        assert!(wrong(&["s2", "s1"]).is_some_and(|says| says.contains("edition 1 after")));
        assert!(wrong(&["s1", "other"]).is_some_and(|says| says.contains("nobody wrote")));
    }
}
