//! A disk that fills: a separate server whose data is on a small file system. Without room, the
//! server must refuse writes and keep reading. Everything acknowledged must exist, and writes must
//! succeed without a restart when there is room again.

mod room;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ctxpin_client::error::ClientError;
use ctxpin_client::{Client, Prompt};
use ctxpin_model::hash::BlobHash;
use ctxpin_model::id::{AgentId, ChatId};
use ctxpin_protocol::http::agents::{AgentCreate, SessionOpen};
use ctxpin_protocol::http::chats::{ChatChange, ChatCreate};
use ctxpin_protocol::http::page::PageQuery;
use ctxpin_protocol::http::push::{Facts, Push};
use ctxpin_protocol::http::turns::TurnBegin;
use ctxpin_protocol::problem::ProblemName;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

use crate::ledger::Ledger;
use crate::servers::{LOOK_INTERVAL, Servers};
use crate::service::Service;
use crate::workspace::resource;
use room::Room;

/// Length of each pushed text, in bytes: near the limit of a file, so that few fill the disk.
const TEXT_BYTES: usize = 48 * 1024;

/// Pushes that must have filled the disk.
const PUSHES_MAX: u32 = 2_000;

/// Refusals in a row after which the disk counts as full.
const REFUSALS: u32 = 3;

/// Writes that are tried while the disk is full.
const LATE_WRITES: u32 = 10;

/// Longest time from new room to the first write.
const RECOVERY_MAX: Duration = Duration::from_secs(30);

/// The acknowledged writes.
#[derive(Default)]
struct Kept {
    /// The snapshots by their place in the timeline.
    heads: BTreeMap<i64, String>,
    /// The turns' references.
    turns: Vec<String>,
    /// The newest title.
    title: Option<String>,
    /// The titles that were refused since then. Some may be stored, because an error of the disk
    /// can follow a write.
    titles_refused: Vec<String>,
}

/// One server on one small disk, and its acknowledged writes.
struct Filling {
    client: Client,
    pusher: Client,
    agent: Uuid,
    chat: Uuid,
    epoch: i64,
    version: i64,
    random: StdRng,
    kept: Kept,
}

/// How a write ended.
enum Written {
    Done,
    Refused,
}

/// Fills a disk below a separate server, on the service's PostgreSQL or on SQLite.
pub async fn run(
    program: &Path,
    service: Option<&Service>,
    ledger: &Ledger,
    seed: u64,
) -> anyhow::Result<()> {
    let directory = tempfile::Builder::new()
        .prefix("ctxpin-soak-disk-")
        .tempdir()?;
    let (mut room, database) = match service {
        Some(service) => {
            // Two clusters of one machine cannot have a tablespace at one place.
            service.part().await?;
            let Some((room, url)) = Room::of_postgres(service).await? else {
                println!("full disk: skipped, because this machine allows no mount");
                return Ok(());
            };
            (room, Some(url))
        }
        None => (Room::of_sqlite(&directory.path().join("data-0"))?, None),
    };
    println!("full disk: {}", room.description());
    let mut servers = Servers::start_in(directory, program, 1, database, true).await?;
    room.limit(&servers)?;
    let mut filling = Filling::start(&servers, seed).await?;
    filling.fill().await?;
    filling.check_full(ledger).await?;
    room.make(&servers)?;
    filling.await_room(ledger).await?;
    servers.tend()?;
    let ended = servers.ended_serving + servers.ended_starting;
    ledger.open().check(ended == 0, || {
        "a server ended by itself when its disk was full".to_owned()
    });
    filling.check_kept(ledger).await?;
    servers.restart_all().await?;
    filling.check_kept(ledger).await?;
    for panic in servers.panics()? {
        ledger.open().violation(panic);
    }
    ledger.open().faults.full_disks += 1;
    servers.stop_all().await?;
    room.remove(service).await
}

impl Filling {
    async fn start(servers: &Servers, seed: u64) -> anyhow::Result<Self> {
        let addresses = servers.addresses()?;
        let address = addresses.first().context("there is no server")?;
        let client = Client::new(address.clone(), servers.token()?)?;
        let request = AgentCreate {
            workspace: "filling".to_owned(),
            name: None,
            may_refresh: false,
            replaces: None,
            ..AgentCreate::default()
        };
        let created = client.agent_create(&request).await?;
        let pusher = Client::new(address.clone(), created.token)?;
        let mut random = StdRng::seed_from_u64(seed);
        let process = Uuid::from_u128(random.random());
        let session = pusher
            .session_open(&SessionOpen {
                process,
                polling: None,
            })
            .await?;
        let chat = ChatCreate {
            agent_id: Some(created.agent.id),
            ..ChatCreate::default()
        };
        let chat = client.chat_create(&chat).await?.chat.id;
        Ok(Self {
            client,
            pusher,
            agent: created.agent.id,
            chat,
            epoch: session.epoch,
            version: 0,
            random,
            kept: Kept::default(),
        })
    }

    /// Writes until nothing fits any more.
    async fn fill(&mut self) -> anyhow::Result<()> {
        let mut refusals = 0;
        for _ in 0..PUSHES_MAX {
            match self.push().await? {
                Written::Done => refusals = 0,
                Written::Refused => refusals += 1,
            }
            if refusals == REFUSALS {
                return Ok(());
            }
            self.begin_turn().await?;
        }
        bail!("the disk was not full after {PUSHES_MAX} pushes")
    }

    /// Checks, while the disk is full, that every write succeeds or is refused, and that every read
    /// succeeds.
    async fn check_full(&mut self, ledger: &Ledger) -> anyhow::Result<()> {
        for _ in 0..LATE_WRITES {
            self.push().await?;
            self.begin_turn().await?;
            self.entitle().await?;
        }
        let read = self.read().await;
        ledger.open().check(read.is_ok(), || {
            format!("while the disk was full, a read failed: {read:?}")
        });
        Ok(())
    }

    /// Waits until writes succeed again, without a restart.
    async fn await_room(&mut self, ledger: &Ledger) -> anyhow::Result<()> {
        let began = Instant::now();
        while let Written::Refused = self.push().await? {
            if began.elapsed() > RECOVERY_MAX {
                ledger
                    .open()
                    .violation("there is room again, and nothing is written");
                return Ok(());
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        self.begin_turn().await?;
        self.entitle().await?;
        Ok(())
    }

    /// Checks that everything acknowledged exists.
    async fn check_kept(&self, ledger: &Ledger) -> anyhow::Result<()> {
        let (heads, turns, title) = self.read().await?;
        let mut state = ledger.open();
        for (seq, snapshot) in &self.kept.heads {
            state.check(heads.get(seq) == Some(snapshot), || {
                format!("full disk: head {seq} was acknowledged as {snapshot} and is lost")
            });
        }
        for turn in &self.kept.turns {
            state.check(turns.contains(turn), || {
                format!("full disk: turn {turn} was acknowledged and is lost")
            });
        }
        let is_refused = |title: &String| self.kept.titles_refused.contains(title);
        let holds = title == self.kept.title || title.as_ref().is_some_and(is_refused);
        state.check(holds, || {
            format!(
                "full disk: the title is {title:?}, not {:?}",
                self.kept.title
            )
        });
        Ok(())
    }

    /// Reads the timeline, the turns' references and the title, and checks the prompt against the
    /// pin.
    async fn read(&self) -> anyhow::Result<(BTreeMap<i64, String>, Vec<String>, Option<String>)> {
        let mut page = PageQuery {
            cursor: None,
            limit: Some(500),
        };
        let mut heads = BTreeMap::new();
        loop {
            let read = self
                .client
                .agent_heads(AgentId::from(self.agent), &page)
                .await?;
            heads.extend(read.items.into_iter().map(|head| (head.seq, head.snapshot)));
            page.cursor = read.next;
            if page.cursor.is_none() {
                break;
            }
        }
        let chat = ChatId::from(self.chat);
        let mut turns = Vec::new();
        loop {
            let read = self.client.turns(chat, &page).await?;
            turns.extend(read.items.into_iter().filter_map(|turn| turn.reference));
            page.cursor = read.next;
            if page.cursor.is_none() {
                break;
            }
        }
        self.client.context(chat).await?;
        let Prompt::Bytes { .. } = self.client.prompt(chat, None).await? else {
            bail!("a prompt was called unchanged without a tag to compare");
        };
        Ok((heads, turns, self.client.chat(chat).await?.title))
    }

    async fn push(&mut self) -> anyhow::Result<Written> {
        self.version += 1;
        let bytes: Vec<u8> = (0..TEXT_BYTES / 2).map(|_| self.random.random()).collect();
        let mut text = String::with_capacity(TEXT_BYTES);
        bytes
            .iter()
            .for_each(|byte| text.push_str(&format!("{byte:02x}")));
        let push = text_push(self.epoch, self.version, &text);
        let answer = self.pusher.push(&push).await;
        Ok(match written("push", answer)? {
            None => Written::Refused,
            Some(answer) => {
                if let (Some(seq), Some(snapshot)) = (answer.seq, answer.snapshot) {
                    self.kept.heads.insert(seq, snapshot);
                }
                Written::Done
            }
        })
    }

    async fn begin_turn(&mut self) -> anyhow::Result<()> {
        let reference = format!("{:x}", self.random.random::<u64>());
        let begin = TurnBegin {
            reference: Some(reference.clone()),
            delivery: None,
        };
        let answer = self
            .client
            .turn_begin(ChatId::from(self.chat), &begin)
            .await;
        if written("turn", answer)?.is_some() {
            self.kept.turns.push(reference);
        }
        Ok(())
    }

    async fn entitle(&mut self) -> anyhow::Result<()> {
        let title = format!("{:x}", self.random.random::<u64>());
        let change = ChatChange {
            title: Some(Some(title.clone())),
            ..ChatChange::default()
        };
        let answer = self
            .client
            .chat_change(ChatId::from(self.chat), &change)
            .await;
        if written("title", answer)?.is_some() {
            self.kept.title = Some(title);
            self.kept.titles_refused.clear();
        } else {
            self.kept.titles_refused.push(title);
        }
        Ok(())
    }
}

/// Returns the result of a write on a full disk, or `None` if the server asks for a retry. Fails
/// with any other error.
fn written<T>(kind: &str, answer: Result<T, ClientError>) -> anyhow::Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.problem_name() == Some(ProblemName::Unavailable) => Ok(None),
        Err(error) => bail!("on a full disk a {kind} was answered: {error}"),
    }
}

fn text_push(epoch: i64, version: i64, text: &str) -> Push {
    let hash = BlobHash::of(text.as_bytes()).to_string();
    Push {
        epoch,
        version,
        error: None,
        mcp_settled: None,
        facts: Facts {
            os: None,
            directory: Some("/w".to_owned()),
            ..Facts::default()
        },
        resources: vec![resource("/w/AGENTS.md", text)],
        notes: Vec::new(),
        blobs: [(hash, STANDARD.encode(text))].into(),
    }
}
