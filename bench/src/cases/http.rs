//! Over HTTP: the prompt beside the limits of the same stack, the context, and start-up.

use std::time::{Duration, Instant};

use ctxpin_model::id::ChatId;
use ctxpin_operations::prompts::{self, PinnedPrompt};

use crate::database::{Fresh, Kind};
use crate::figures::{Design, Of, Unit};
use crate::limits;
use crate::measure::Samples;
use crate::program::Server;
use crate::repository::Repository;
use crate::scene::Scene;
use crate::wire::{self, Connection, load};

use super::Run;

const HTTP: &str = "HTTP, 8 connections";
const HTTP_ONE: &str = "HTTP, one request";

/// How long one load is kept up before the next has its turn.
const SLICE: Duration = Duration::from_millis(500);

/// The prompt's figure, and the limit's that it is compared with.
pub const PROMPT: &str = "GET prompt, 200 KiB";
/// One read of a row of the same size, through the same server.
pub const ROW: &str = "GET of a row of 200 KiB by its key";
/// The prompt's figure where the caller has it.
pub const PROMPT_KNOWN: &str = "GET prompt, 304";

/// One load of a round.
struct Turn {
    measured: &'static str,
    design: Design,
    is_limit_server: bool,
    request: Vec<u8>,
    status: u16,
    rates: Samples,
    latencies: Samples,
}

impl Turn {
    fn new(measured: &'static str, request: Vec<u8>) -> Self {
        Self {
            measured,
            design: Design::Ctxpin,
            is_limit_server: false,
            request,
            status: 200,
            rates: Samples::default(),
            latencies: Samples::default(),
        }
    }

    fn limit(measured: &'static str, path: &str) -> Self {
        Self {
            design: Design::Limit,
            is_limit_server: true,
            // With a token too, so that equal bytes are read.
            ..Self::new(measured, wire::get(path, &"x".repeat(104)))
        }
    }
}

/// The chats of the requests.
struct Chats {
    fresh: Fresh,
    token: String,
    large: ChatId,
    small: ChatId,
    prompt: PinnedPrompt,
}

/// Measures requests over HTTP, from several connections at once.
pub async fn run(run: &mut Run, kind: &Kind) -> anyhow::Result<()> {
    let chats = Chats::prepare(kind).await?;
    if kind.name == run.kinds[0].name {
        let of = Of::of_machine(HTTP_ONE, Unit::Milliseconds, "memcpy of the prompt");
        let size = chats.prompt.bytes.as_deref().map_or(0, <[u8]>::len);
        run.figures.note(&of, Design::Limit, &limits::copies(size));
    }
    starts(run, kind, &chats).await?;
    let server = Server::start(&run.program, &chats.fresh, 0).await?;
    let limit_server = Server::start_limits(&chats.fresh).await?;
    let mut turns = chats.turns();
    for round in 0..=run.count(6) {
        for turn in &mut turns {
            let address = match turn.is_limit_server {
                true => limit_server.address,
                false => server.address,
            };
            let requests = std::slice::from_ref(&turn.request);
            let found = load(&[address], requests, turn.status, SLICE).await?;
            // The first round warms everything up.
            if round > 0 {
                turn.rates.add(found.per_second);
                turn.latencies.extend(found.latencies);
            }
        }
    }
    server.stop().await?;
    limit_server.stop().await?;
    chats.fresh.remove().await?;
    for turn in &turns {
        let of = Of::new(HTTP, kind, Unit::RequestsPerSecond, turn.measured);
        run.figures.note(&of, turn.design, &turn.rates);
    }
    for turn in &turns {
        let measured = format!("{}, at 8 connections", turn.measured);
        let of = Of::new(HTTP_ONE, kind, Unit::Milliseconds, &measured);
        run.figures.note(&of, turn.design, &turn.latencies);
    }
    Ok(())
}

/// Measures the start of a server and its first response.
async fn starts(run: &mut Run, kind: &Kind, chats: &Chats) -> anyhow::Result<()> {
    let request = wire::get(&path(chats.large, "prompt"), &chats.token);
    let (mut ready, mut first) = (Samples::default(), Samples::default());
    for _ in 0..run.count(10) {
        let server = Server::start(&run.program, &chats.fresh, 0).await?;
        ready.add_time(server.ready_after);
        let mut connection = Connection::open(server.address).await?;
        let begun = Instant::now();
        let answer = connection.ask(&request).await?;
        first.add_time(begun.elapsed());
        let is_same = chats.prompt.bytes.as_deref() == Some(&answer.body[..]);
        anyhow::ensure!(is_same, "the prompt is another one");
        drop(connection);
        server.stop().await?;
    }
    let time = |measured| Of::new(HTTP_ONE, kind, Unit::Milliseconds, measured);
    let measured = "GET prompt, 200 KiB, first after a start";
    run.figures.note(&time(measured), Design::Ctxpin, &first);
    let measured = "start until ready";
    run.figures.note(&time(measured), Design::Ctxpin, &ready);
    Ok(())
}

fn path(chat: ChatId, what: &str) -> String {
    format!("/api/v1/chats/{}/{what}", chat.uuid())
}

impl Chats {
    /// Creates a chat with a large prompt and a chat with a small prompt, and the rows of the
    /// limits.
    async fn prepare(kind: &Kind) -> anyhow::Result<Self> {
        let scene = Scene::open(kind).await?;
        let mut chats = Vec::new();
        for files in [50, 1] {
            let mut agent = scene.agent("http").await?;
            let repository = Repository::new(&format!("/w/http-{files}"), files);
            agent.push(&scene.service, &repository).await?;
            chats.push(scene.chat(agent.id).await?);
        }
        let prompt = prompts::prompt(&scene.service, scene.owner(), chats[0], None).await?;
        limits::prepare(&scene.pool, prompt.bytes.as_deref().unwrap_or_default()).await?;
        let (fresh, token) = scene.leave().await;
        Ok(Self {
            fresh,
            token: token.reveal(),
            large: chats[0],
            small: chats[1],
            prompt,
        })
    }

    /// Returns the loads of a round. Each limit follows the load that it is compared with.
    fn turns(&self) -> [Turn; 7] {
        let get = |chat, what| wire::get(&path(chat, what), &self.token);
        let tag = self.prompt.hash.map(|hash| hash.to_string());
        let tag = tag.unwrap_or_default();
        let known = wire::get_known(&path(self.large, "prompt"), &self.token, &tag);
        let known = Turn {
            status: 304,
            ..Turn::new(PROMPT_KNOWN, known)
        };
        [
            Turn::new(PROMPT, get(self.large, "prompt")),
            Turn::limit(ROW, "/row/1"),
            Turn::new("GET prompt, 4 KiB", get(self.small, "prompt")),
            known,
            Turn::limit("GET of an empty row by its key", "/row/2"),
            Turn::limit("GET of a constant", "/constant"),
            Turn::new("GET context, 50 files", get(self.large, "context")),
        ]
    }
}
