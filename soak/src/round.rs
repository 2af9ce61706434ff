//! One round: a quiet phase, then load and faults together, then the comparisons.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ctxpin_client::Client;
use ctxpin_model::id::AgentId;
use ctxpin_protocol::http::agents::AgentCreate;
use ctxpin_protocol::http::page::PageQuery;
use ctxpin_protocol::http::people::Secret;
use rand::RngExt as _;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::Soak;
use crate::caller::wall_clock_micros;
use crate::faults;
use crate::holders::{Holder, Round};
use crate::pause::Pause;
use crate::watchers::{self, Beacon};
use crate::{agents, bystander, clocks, people, succession};

/// The agents that exist during a whole round.
const AGENTS: usize = 4;

/// Holders of chats in one round, all working at once.
const HOLDERS: usize = 10;

/// The longest that a replica is paused.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// An agent of a round, with its token and the name of its workspace.
struct Member {
    agent: Uuid,
    token: Secret,
    workspace: String,
}

impl Soak {
    /// Runs one round of `length`, and then the comparisons. With `is_clock_moved`, the clocks of
    /// the servers jump during the round.
    pub async fn round(&mut self, length: Duration, is_clock_moved: bool) -> anyhow::Result<()> {
        self.rounds += 1;
        if is_clock_moved {
            self.move_clocks(true).await?;
        }
        let began = wall_clock_micros();
        let members = self.create_agents().await?;
        let round = Arc::new(Round {
            number: self.rounds,
            agents: Mutex::new(members.iter().map(|member| member.agent).collect()),
            chats: Mutex::default(),
            is_clock_moved,
        });
        let (beacons, mut watching) = self.watchers().await?;
        self.signal_quietly(&beacons).await?;
        let deadline = Instant::now() + length;
        let mut work = self.callers(&members, &round, deadline)?;
        self.signallers(&mut work, &beacons, deadline)?;
        self.disturb(&mut work, &round, length, deadline).await?;
        while let Some(ended) = work.join_next().await {
            ended.context("a caller failed")?;
        }
        self.settle(&beacons).await?;
        watching.abort_all();
        if is_clock_moved {
            self.require_moved(&members, began).await?;
            self.move_clocks(false).await?;
        }
        let chats: Vec<Uuid> = {
            let state = self.ledger.open();
            let known = state.chats.keys().copied();
            known.filter(|chat| !self.chats.contains(chat)).collect()
        };
        if chats.is_empty() {
            bail!("no chat was created in round {}", self.rounds);
        }
        self.check(&chats).await?;
        self.chats.extend(chats);
        Ok(())
    }

    /// Runs every fault of the round, and returns when each server is ready again.
    async fn disturb(
        &mut self,
        work: &mut JoinSet<()>,
        round: &Arc<Round>,
        length: Duration,
        deadline: Instant,
    ) -> anyhow::Result<()> {
        let seeds: [u64; 2] = [self.random.random(), self.random.random()];
        let index = self.random.random_range(0..self.servers.count());
        let service = self.service.clone();
        if service.is_some() {
            let token = self.token.clone();
            let (caller, clients) = (self.caller(&token)?, self.clients()?);
            let round = Arc::clone(round);
            work.spawn(bystander::run(caller, clients, round, index, deadline));
        }
        let pause = service.as_deref().map(|service| {
            let at = Instant::now() + length.mul_f64(0.1);
            Pause::new(index, at, PAUSE_MAX.min(length.mul_f64(0.55)), service)
        });
        let ledger = Arc::clone(&self.ledger);
        let trouble = async {
            match service.as_deref() {
                Some(service) => faults::trouble(service, &ledger, seeds[0], deadline).await,
                None => Ok(()),
            }
        };
        let kill = faults::kill(&mut self.servers, &ledger, seeds[1], deadline, pause);
        tokio::try_join!(trouble, kill)?;
        // A server that was starting while its database was away has ended.
        self.servers.await_all().await
    }

    async fn create_agents(&mut self) -> anyhow::Result<Vec<Member>> {
        let client = self.client()?;
        let mut members = Vec::new();
        // Two more than those that stay: one is deleted and one replaced.
        for number in 1..=AGENTS + 2 {
            let workspace = format!("w-{}-{number}", self.rounds);
            let request = AgentCreate {
                workspace: workspace.clone(),
                name: None,
                may_refresh: number % 2 == 1,
                replaces: None,
                ..AgentCreate::default()
            };
            let created = client.agent_create(&request).await?;
            let mut state = self.ledger.open();
            let book = state.agents.entry(created.agent.id).or_default();
            book.may_refresh = request.may_refresh;
            members.push(Member {
                agent: created.agent.id,
                token: created.token,
                workspace,
            });
        }
        Ok(members)
    }

    /// Starts the agents and holders of a round, and the tasks that end agents and rights.
    fn callers(
        &mut self,
        members: &[Member],
        round: &Arc<Round>,
        deadline: Instant,
    ) -> anyhow::Result<JoinSet<()>> {
        let mut work = JoinSet::new();
        for member in members {
            let caller = self.caller(&member.token)?;
            work.spawn(agents::run(caller, member.agent, deadline));
        }
        let token = self.token.clone();
        for number in 1..=HOLDERS {
            let holder = Holder::new(self.caller(&token)?, Arc::clone(round), number);
            work.spawn(holder.run(deadline));
        }
        let [doomed, replaced] = [&members[AGENTS], &members[AGENTS + 1]];
        let caller = self.caller(&token)?;
        work.spawn(succession::delete(
            caller,
            Arc::clone(round),
            doomed.agent,
            deadline,
        ));
        let line = succession::Line {
            agent: replaced.agent,
            workspace: replaced.workspace.clone(),
            addresses: self.servers.addresses()?,
        };
        let caller = self.caller(&token)?;
        work.spawn(succession::replace(
            caller,
            Arc::clone(round),
            line,
            deadline,
        ));
        let (caller, addresses) = (self.caller(&token)?, self.servers.addresses()?);
        work.spawn(people::run(caller, addresses, self.rounds, deadline));
        Ok(work)
    }

    /// Starts a watcher at each replica, and returns the chats that they wait for.
    async fn watchers(&mut self) -> anyhow::Result<(Vec<Arc<Beacon>>, JoinSet<()>)> {
        let mut watching = JoinSet::new();
        let mut beacons = Vec::new();
        let token = self.token.clone();
        for (index, client) in self.clients()?.into_iter().enumerate() {
            let mut caller = self.caller(&token)?;
            let reference = format!("{}-{index}", self.rounds);
            let beacon = Beacon::create(&mut caller, reference).await;
            let beacon = beacon.context("a chat to signal by was not created")?;
            let (to_watch, ledger) = (Arc::clone(&beacon), Arc::clone(&self.ledger));
            watching.spawn(watchers::watch(client, to_watch, ledger, index % 2 == 0));
            beacons.push(beacon);
        }
        Ok((beacons, watching))
    }

    async fn signal_quietly(&mut self, beacons: &[Arc<Beacon>]) -> anyhow::Result<()> {
        let token = self.token.clone();
        for (index, beacon) in beacons.iter().enumerate() {
            let caller = self.caller(&token)?;
            beacon
                .signal_quietly(&caller, &self.others(index)?[0])
                .await;
        }
        Ok(())
    }

    fn signallers(
        &mut self,
        work: &mut JoinSet<()>,
        beacons: &[Arc<Beacon>],
        deadline: Instant,
    ) -> anyhow::Result<()> {
        let token = self.token.clone();
        for (index, beacon) in beacons.iter().enumerate() {
            let (caller, others) = (self.caller(&token)?, self.others(index)?);
            work.spawn(Arc::clone(beacon).signal(caller, others, deadline));
        }
        Ok(())
    }

    async fn settle(&mut self, beacons: &[Arc<Beacon>]) -> anyhow::Result<()> {
        let token = self.token.clone();
        for (index, beacon) in beacons.iter().enumerate() {
            let caller = self.caller(&token)?;
            beacon.settle(&caller, &self.others(index)?[0]).await;
        }
        Ok(())
    }

    /// Returns a client of each replica.
    fn clients(&self) -> anyhow::Result<Vec<Client>> {
        let addresses = self.servers.addresses()?.into_iter();
        let clients = addresses.map(|address| Client::new(address, self.token.clone()));
        Ok(clients.collect::<Result<_, _>>()?)
    }

    /// Returns clients of the other replicas, or of the only replica.
    fn others(&self, index: usize) -> anyhow::Result<Vec<Client>> {
        let mut clients = self.clients()?;
        if clients.len() > 1 {
            clients.remove(index);
        }
        Ok(clients)
    }

    /// Restarts every server, with a clock of its own or with the machine's.
    async fn move_clocks(&mut self, are_moved: bool) -> anyhow::Result<()> {
        if let Some(clocks) = &mut self.servers.clocks {
            clocks.are_moved = are_moved;
        }
        self.servers.restart_all().await
    }

    /// Checks that the times of the round's heads show a jump.
    async fn require_moved(&mut self, members: &[Member], began: i64) -> anyhow::Result<()> {
        let client = self.client()?;
        let page = PageQuery {
            cursor: None,
            limit: Some(500),
        };
        let mut told = Vec::new();
        for member in &members[..AGENTS] {
            let heads = client
                .agent_heads(AgentId::from(member.agent), &page)
                .await?;
            let times = heads.items.into_iter().map(|head| head.received_at);
            told.extend(times.map(|at| at.timestamp_micros()));
        }
        clocks::require_moved(&told, began, wall_clock_micros())
    }
}
