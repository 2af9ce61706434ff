//! Carries out each step on the real operations and on the model, and compares both answers.

use std::time::Duration;

use ctxpin_model::agent::{AgentRequest, Replaces};
use ctxpin_model::chat::{ChatChange, ChatCreate};
use ctxpin_model::client_event::{ClientEvent, ClientMessage};
use ctxpin_model::compose::Selector;
use ctxpin_model::evidence::{HandedIn, Row, Verdict};
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::{AgentId, ChatId, ProcessId};
use ctxpin_model::moment::Moment;
use ctxpin_model::pin_move::PinMove;
use ctxpin_model::push::Position;
use ctxpin_model::token::Credential;
use ctxpin_model::turn::TurnRequest;
use ctxpin_operations::agents;
use ctxpin_operations::chats;
use ctxpin_operations::error::Error;
use ctxpin_operations::evidence;
use ctxpin_operations::pins;
use ctxpin_operations::pushes;
use ctxpin_operations::service::Service;
use ctxpin_operations::starts;
use ctxpin_operations::turns;
use ctxpin_store::error::Error as StoreError;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::workspace::claimed;
use uuid::Uuid;

use crate::evidence_rows;

use super::lifecycle::{Answer, Lifecycle, NewChat, Push};
use super::observing::Told;
use super::steps::{Read, Seen, Step};

/// The real objects in the order of the model's, and the model itself.
pub struct Hands<'t> {
    pub test: &'t TestService,
    /// The service through which the comparison reads.
    pub reading: Service,
    pub owner: Credential,
    pub agents: Vec<RealAgent>,
    pub chats: Vec<ChatId>,
    pub model: Lifecycle,
}

/// A real agent with its processes. The first process has epoch 1.
pub struct RealAgent {
    pub id: AgentId,
    pub credential: Credential,
    processes: Vec<ProcessId>,
}

/// The answers to a step.
pub struct Answers {
    pub real: Answer,
    pub expected: Answer,
}

fn refusal(error: &Error) -> &'static str {
    match error {
        Error::Store(StoreError::NotFound(_)) | Error::NotFound(_) => "not-found",
        Error::Store(StoreError::Unauthenticated) => "unauthenticated",
        Error::Store(StoreError::Forbidden(_)) => "forbidden",
        Error::Invalid(_) => "invalid",
        Error::NoHead(_) => "no-head",
        Error::Archived => "archived",
        Error::ObservedChat => "observed-chat",
        Error::Conflict(_) => "conflict",
        Error::PreconditionFailed(_) => "precondition-failed",
        Error::AgentReplaced(_) => "agent-replaced",
        Error::Fenced { .. } => "fenced",
        other => panic!("an unexpected refusal: {other:?}"),
    }
}

fn answer<T>(done: Result<T, Error>, told: impl FnOnce(T) -> Answer) -> Answer {
    match done {
        Ok(done) => told(done),
        Err(error) => Answer::Refused(refusal(&error)),
    }
}

fn done<T>(done: Result<T, Error>) -> Answer {
    answer(done, |_| Answer::Done)
}

fn process() -> ProcessId {
    ProcessId::from(Uuid::new_v4())
}

fn another() -> SnapshotId {
    SnapshotId::of(b"what nobody has pushed")
}

impl Hands<'_> {
    fn agent(&self, pick: usize) -> Option<usize> {
        pick.checked_rem(self.agents.len())
    }

    fn chat(&self, pick: usize) -> Option<usize> {
        pick.checked_rem(self.chats.len())
    }

    /// Carries out a step a second after the last one. Returns `None` if there is no object for it.
    pub async fn carry_out(&mut self, step: &Step) -> Option<Answers> {
        self.test.advance(Duration::from_secs(1));
        let now = self.test.clock.now();
        let answers = match step {
            Step::AgentCreate { .. }
            | Step::AgentDelete(_)
            | Step::SessionOpen(_)
            | Step::SessionRepeat { .. }
            | Step::Push { .. }
            | Step::AgentRefresh { .. } => self.of_agent(step, now).await?,
            Step::Refresh { .. }
            | Step::Take { .. }
            | Step::Decline { .. }
            | Step::Undecline { .. }
            | Step::Rollback { .. }
            | Step::Clear { .. } => self.of_pin(step, now).await?,
            _ => self.of_chat(step, now).await?,
        };
        let (real, expected) = answers;
        Some(Answers { real, expected })
    }

    async fn of_agent(&mut self, step: &Step, now: Moment) -> Option<(Answer, Answer)> {
        let service = &self.test.service;
        Some(match step {
            Step::AgentCreate { replaces } => self.agent_create(*replaces).await,
            Step::AgentDelete(pick) => {
                let agent = self.agent(*pick)?;
                let deleted = agents::delete(service, self.owner, self.agents[agent].id).await;
                (done(deleted), self.model.agent_delete(agent, now))
            }
            Step::SessionOpen(pick) => {
                let agent = self.agent(*pick)?;
                let number = self.model.agents[agent].epoch + 1;
                let process = process();
                let real = self.session(agent, process).await;
                if let Answer::Session { .. } = real {
                    self.agents[agent].processes.push(process);
                }
                (real, self.model.session(agent, number))
            }
            Step::SessionRepeat { agent, process } => {
                let agent = self.agent(*agent)?;
                let processes = &self.agents[agent].processes;
                let at = process % processes.len();
                let real = self.session(agent, processes[at]).await;
                (real, self.model.session(agent, at as i64 + 1))
            }
            Step::Push {
                agent,
                content,
                settled,
                version,
                is_fenced,
            } => {
                let agent = self.agent(*agent)?;
                let (content, version, epoch) =
                    self.model.push_of(agent, content, *version, *is_fenced);
                let push = Push {
                    agent,
                    content,
                    is_settled: *settled,
                    epoch,
                    version,
                };
                (self.push(&push).await, self.model.push(&push, now))
            }
            Step::AgentRefresh { agent, is_fenced } => {
                let agent = self.agent(*agent)?;
                let credential = self.agents[agent].credential;
                let epoch = self.model.agents[agent].epoch - i64::from(*is_fenced);
                let refreshed = pins::refresh_of_agent(service, credential, epoch).await;
                let real = answer(refreshed, |done| Answer::Refreshed {
                    moved: done.moved,
                    observed: done.observed,
                });
                (real, self.model.agent_refresh(agent, *is_fenced, now))
            }
            other => panic!("not an agent's step: {other:?}"),
        })
    }

    async fn agent_create(&mut self, replaces: Option<usize>) -> (Answer, Answer) {
        let replaces = replaces.and_then(|pick| self.agent(pick));
        let request = AgentRequest {
            workspace: "project".into(),
            name: "main".into(),
            may_refresh: true,
            replaces: replaces.map(|old| Replaces::Agent(self.agents[old].id)),
            ..AgentRequest::default()
        };
        let created = agents::create(&self.test.service, self.owner, &request).await;
        let real = match created {
            Ok((agent, token)) => {
                let process = process();
                self.agents.push(RealAgent {
                    id: agent.id,
                    credential: token.credential(),
                    processes: vec![process],
                });
                let opened = self.session(self.agents.len() - 1, process).await;
                assert_eq!(opened, Answer::Session { epoch: 1 });
                Answer::Done
            }
            Err(error) => Answer::Refused(refusal(&error)),
        };
        (real, self.model.agent_create(replaces))
    }

    async fn session(&self, agent: usize, process: ProcessId) -> Answer {
        let credential = self.agents[agent].credential;
        let opened = pushes::session_open(&self.test.service, credential, process).await;
        answer(opened, |session| Answer::Session {
            epoch: session.epoch,
        })
    }

    async fn push(&self, push: &Push) -> Answer {
        let (manifest, inline) = push.content.workspace().manifest();
        let request = ctxpin_model::push::Push {
            position: Position {
                epoch: push.epoch,
                version: push.version,
            },
            mcp_settled: push.is_settled,
            manifest: claimed(&manifest, inline),
            notes: Vec::new(),
        };
        let credential = self.agents[push.agent].credential;
        let pushed = pushes::push(&self.test.service, credential, request).await;
        answer(pushed, |pushed| Answer::Pushed {
            became: pushed.verdict.as_str(),
            seq: pushed.head.map_or(0, |head| head.seq),
            hydrated: pushed.hydrated,
        })
    }

    async fn of_chat(&mut self, step: &Step, now: Moment) -> Option<(Answer, Answer)> {
        let change = ChatChange::default();
        Some(match step {
            Step::ChatCreate { .. } => self.chat_create(step, now).await,
            Step::ChatDelete(pick) => {
                let chat = self.chat(*pick)?;
                let deleted = chats::delete(&self.test.service, self.owner, self.chats[chat]).await;
                (done(deleted), self.model.chat_delete(chat))
            }
            Step::Bind { chat, agent } => {
                let chat = self.chat(*chat)?;
                let agent = agent.and_then(|pick| self.agent(pick));
                let change = ChatChange {
                    agent: Some(agent.map(|agent| self.agents[agent].id)),
                    ..change
                };
                let real = self.change(chat, &change).await;
                (real, self.model.bind(chat, agent, now))
            }
            Step::Archive { chat, archived } => {
                let chat = self.chat(*chat)?;
                let change = ChatChange {
                    archived: Some(*archived),
                    ..change
                };
                let real = self.change(chat, &change).await;
                (real, self.model.archive(chat, *archived, now))
            }
            Step::Policy { chat, policy } => {
                let chat = self.chat(*chat)?;
                let change = ChatChange {
                    policy: Some(*policy),
                    ..change
                };
                let to = (*policy, self.model.chats[chat].tools);
                let real = self.change(chat, &change).await;
                (real, self.model.set(chat, to, now))
            }
            Step::Tools { chat, tools } => {
                let chat = self.chat(*chat)?;
                let change = ChatChange {
                    tools: Some(*tools),
                    ..change
                };
                let to = (self.model.chats[chat].policy, *tools);
                let real = self.change(chat, &change).await;
                (real, self.model.set(chat, to, now))
            }
            Step::Mode { chat, mode } => {
                let chat = self.chat(*chat)?;
                let change = ChatChange {
                    mode: Some(*mode),
                    ..change
                };
                let real = self.change(chat, &change).await;
                (real, self.model.set_mode(chat, *mode, now))
            }
            Step::Parent { chat, parent } => {
                let (chat, parent) = (self.chat(*chat)?, self.chat(*parent)?);
                let change = ChatChange {
                    parent: Some(self.chats[parent]),
                    ..change
                };
                let real = self.change(chat, &change).await;
                (real, self.model.set_parent(chat, parent, now))
            }
            Step::Start { chat, read } => {
                let chat = self.chat(*chat)?;
                let told = self.told(chat, *read);
                let message = ClientMessage {
                    event: ClientEvent::Resume,
                    head: match &told {
                        Told::Nothing => None,
                        Told::Head(content) => Some(content.snapshot().addresses().id),
                        Told::Unknown => Some(another()),
                    },
                };
                let service = &self.test.service;
                let started = starts::start(service, self.owner, self.chats[chat], message).await;
                (done(started), self.model.start(chat, &told, now))
            }
            Step::Turn { chat, reference } => self.turn(self.chat(*chat)?, *reference, now).await,
            Step::Evidence {
                chat,
                turn,
                requests,
                verdict,
                shows,
            } => {
                let chat = self.chat(*chat)?;
                let row = (*requests, *verdict);
                let shows = shows.map(|shows| self.told(chat, shows));
                let real = self.evidence(chat, *turn, row, shows.as_ref()).await;
                let shows = shows.as_ref();
                (real, self.model.evidence(chat, *turn, row, shows, now))
            }
            other => panic!("not a chat's step: {other:?}"),
        })
    }

    async fn evidence(
        &self,
        chat: usize,
        turn: usize,
        row: (u8, Verdict),
        shows: Option<&Told>,
    ) -> Answer {
        let (requests, verdict) = row;
        let told = Row {
            verdict,
            first_different: (verdict == Verdict::Deviates).then_some(1),
            ..evidence_rows::row(&requests.to_string())
        };
        let (service, owner) = (&self.test.service, self.owner);
        let handed_in = HandedIn {
            owner_key: evidence::key(service, owner).await.expect("a key").name(),
            row: told.checked().expect("a row that fits"),
            shows: shows.map(|shows| match shows {
                Told::Head(content) => content.snapshot().addresses().id,
                Told::Nothing | Told::Unknown => another(),
            }),
        };
        let number = turn as i64 + 1;
        let added = evidence::add(service, owner, self.chats[chat], number, &handed_in).await;
        answer(added, |added| Answer::Evidence {
            is_new: added.is_new,
            verdict: added.evidence.verdict,
        })
    }

    async fn change(&self, chat: usize, change: &ChatChange) -> Answer {
        let id = self.chats[chat];
        done(chats::change(&self.test.service, self.owner, id, change).await)
    }

    async fn chat_create(&mut self, step: &Step, now: Moment) -> (Answer, Answer) {
        let Step::ChatCreate {
            agent,
            parent,
            reference,
            mode,
            policy,
            tools,
        } = *step
        else {
            panic!("not a creation: {step:?}");
        };
        let new = NewChat {
            agent: agent.and_then(|pick| self.agent(pick)),
            parent: parent.and_then(|pick| self.chat(pick)),
            reference,
            mode,
            policy,
            tools,
        };
        let request = ChatCreate {
            client: reference.map(|_| "client".into()),
            reference: reference.map(|reference| reference.to_string()),
            agent: new.agent.map(|agent| self.agents[agent].id),
            parent: new.parent.map(|parent| self.chats[parent]),
            mode,
            policy,
            tools,
            ..ChatCreate::default()
        };
        let created = chats::create(&self.test.service, self.owner, &request).await;
        let real = answer(created, |(chat, is_new)| {
            if is_new {
                self.chats.push(chat.id);
            }
            Answer::Chat { is_new }
        });
        (real, self.model.chat_create(&new, now))
    }

    async fn turn(&mut self, chat: usize, reference: Option<u8>, now: Moment) -> (Answer, Answer) {
        let request = TurnRequest {
            reference: reference.map(|reference| reference.to_string()),
            delivery: None,
        };
        let id = self.chats[chat];
        let begun = turns::begin(&self.test.service, self.owner, id, &request).await;
        let expected = self.model.turn(chat, reference, now);
        if let (Ok(view), Answer::Turn { number, .. }) = (&begun, &expected) {
            let index = usize::try_from(number - 1).expect("turns count from 1");
            let stamp = &self.model.chats[chat].turns[index];
            super::compare::assert_handed_out(view, stamp);
        }
        let real = answer(begun, |view| Answer::Turn {
            number: view.turn.number,
            is_new: view.is_new,
        });
        (real, expected)
    }

    async fn of_pin(&mut self, step: &Step, now: Moment) -> Option<(Answer, Answer)> {
        Some(match step {
            Step::Refresh { chat, head, pin } => {
                let chat = self.chat(*chat)?;
                let request = PinMove::Refresh {
                    head: self.head(chat, *head),
                };
                let real = self.move_pin(chat, &request, *pin).await;
                (real, self.model.refresh(chat, *head, *pin, now))
            }
            Step::Take {
                chat,
                picks,
                unknown,
            } => {
                let chat = self.chat(*chat)?;
                let sources = self.model.sources(chat).into_iter().enumerate();
                let picked = sources.filter(|(at, _)| picks >> at & 1 == 1);
                let mut sources: Vec<_> = picked.map(|(_, source)| source).collect();
                if *unknown || sources.is_empty() {
                    sources.push("/nowhere".into());
                }
                let is_known = !sources.iter().any(|source| source == "/nowhere");
                let select = |source: &String| Selector {
                    subject: None,
                    source: source.clone(),
                };
                let request = PinMove::Sources {
                    selectors: sources.iter().map(select).collect(),
                    head: None,
                };
                let real = self.move_pin(chat, &request, Seen::Any).await;
                (real, self.model.take(chat, &sources, is_known, now))
            }
            Step::Decline { chat, head } => {
                let chat = self.chat(*chat)?;
                let seen = head.or_present();
                let request = PinMove::Decline(self.head(chat, seen).unwrap_or_else(another));
                let real = self.move_pin(chat, &request, Seen::Any).await;
                (real, self.model.decline(chat, seen, now))
            }
            Step::Undecline { chat, head } => {
                let chat = self.chat(*chat)?;
                let seen = head.or_present();
                let request = PinMove::Undecline(self.head(chat, seen).unwrap_or_else(another));
                let real = self.move_pin(chat, &request, Seen::Any).await;
                (real, self.model.undecline(chat, seen, now))
            }
            Step::Rollback { chat, back } => {
                let chat = self.chat(*chat)?;
                let target = self.model.rollback_target(chat, *back).cloned();
                let id = target
                    .as_ref()
                    .map(|content| content.snapshot().addresses().id);
                let request = PinMove::Rollback(id.unwrap_or_else(another));
                let real = self.move_pin(chat, &request, Seen::Any).await;
                (real, self.model.rollback(chat, target.as_ref(), now))
            }
            Step::Clear { chat, pin } => {
                let chat = self.chat(*chat)?;
                let (id, seen) = (self.chats[chat], self.pin(chat, *pin));
                let cleared = pins::pin_clear(&self.test.service, self.owner, id, seen).await;
                (done(cleared), self.model.clear(chat, *pin, now))
            }
            other => panic!("not a pin's step: {other:?}"),
        })
    }

    fn told(&self, chat: usize, read: Read) -> Told {
        let agent = self.model.chats[chat].agent;
        let heads = agent.map_or(&[][..], |agent| &self.model.agents[agent].heads);
        match read {
            Read::Unsaid => Told::Nothing,
            Read::Head(back) => {
                let head = heads.iter().rev().nth(back);
                head.map_or(Told::Unknown, |(content, _)| Told::Head(content.clone()))
            }
            Read::Another => Told::Unknown,
        }
    }

    async fn move_pin(&self, chat: usize, request: &PinMove, pin: Seen) -> Answer {
        let (id, seen) = (self.chats[chat], self.pin(chat, pin));
        done(pins::pin_move(&self.test.service, self.owner, id, request, seen).await)
    }

    fn pin(&self, chat: usize, seen: Seen) -> Option<SnapshotId> {
        let pin = self.model.chats[chat].pin();
        seen_as(seen, pin.map(|content| content.snapshot().addresses().id))
    }

    fn head(&self, chat: usize, seen: Seen) -> Option<SnapshotId> {
        let chat = &self.model.chats[chat];
        let head = match seen {
            Seen::Earlier(back) => self.model.earlier_head(chat, back),
            Seen::Any | Seen::Present | Seen::Another => self.model.head_of(chat),
        };
        seen_as(seen, head.map(|content| content.snapshot().addresses().id))
    }
}

fn seen_as(seen: Seen, present: Option<SnapshotId>) -> Option<SnapshotId> {
    match seen {
        Seen::Any => None,
        Seen::Present | Seen::Earlier(_) => Some(present.unwrap_or_else(another)),
        Seen::Another => Some(another()),
    }
}
