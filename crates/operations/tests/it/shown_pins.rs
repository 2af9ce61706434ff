//! Pins that nobody has confirmed, and the evidence that shows what the client read.

use ctxpin_model::chat::ChatCreate;
use ctxpin_model::client_event::ClientEvent;
use ctxpin_model::evidence::{HandedIn, Outcome, Row, Verdict};
use ctxpin_model::evidence_key::EvidenceKeyName;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::mode::Mode;
use ctxpin_model::page::PageRequest;
use ctxpin_model::turn::TurnRecord;
use ctxpin_operations::error::Error;
use ctxpin_operations::evidence::{self, Added};
use ctxpin_operations::turns;
use ctxpin_testing::chats::{TestChat, bound_to};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::workspace::Workspace;

use crate::evidence_rows::{deviating, file, handed_in, row};
use crate::race::{Pusher, Race, done, settled};
use crate::scene::{Scene, agents_md, assert_sound, rendered};

ctxpin_testing::on_both_databases!(
    evidence_moves_an_unconfirmed_pin,
    evidence_of_the_pin_confirms_it,
    a_turn_with_evidence_keeps_its_stamp,
    evidence_moves_no_other_pin,
    the_same_row_again_moves_nothing,
    a_child_of_an_unconfirmed_pin_is_shown_its_own,
    rows_that_show_heads_against_starts_turns_and_pushes,
);

fn id(workspace: &Workspace) -> SnapshotId {
    workspace.snapshot().addresses().id
}

/// A session that was resumed when the files were the first ones. Nobody saw it, and they are the second ones now.
struct Resumed<'t> {
    scene: Scene<'t>,
    chat: TestChat,
    key: EvidenceKeyName,
    files: [Workspace; 2],
}

impl<'t> Resumed<'t> {
    async fn new(test: &'t TestService) -> Self {
        let mut scene = Scene::new(test).await;
        let files = [agents_md("One.\n"), agents_md("Two.\n")];
        for files in &files {
            scene.push(files).await;
            scene.minute();
        }
        let request = ChatCreate {
            mode: Some(Mode::Observed),
            ..bound_to(scene.agent.id)
        };
        let chat = TestChat::create(scene.service, scene.owner, &request).await;
        let chat = chat.expect("an observed chat");
        chat.start(ClientEvent::Resume, None).await.unwrap();
        let key = evidence::key(scene.service, scene.owner).await.unwrap();
        Self {
            scene,
            chat,
            key: key.name(),
            files,
        }
    }

    fn shows(&self, requests: &str, shows: &Workspace) -> HandedIn {
        HandedIn {
            shows: Some(id(shows)),
            ..handed_in(self.key, row(requests))
        }
    }

    async fn add(&self, turn: i64, handed_in: &HandedIn) -> Result<Added, Error> {
        let (service, owner) = (self.scene.service, self.scene.owner);
        evidence::add(service, owner, self.chat.id, turn, handed_in).await
    }

    async fn turn(&self, number: usize) -> TurnRecord {
        self.chat.turns().await.swap_remove(number - 1)
    }
}

async fn evidence_moves_an_unconfirmed_pin(test: &TestService) {
    let resumed = Resumed::new(test).await;
    let [one, two] = &resumed.files;
    let chat = &resumed.chat;
    chat.turn().await.unwrap();
    chat.turn().await.unwrap();
    assert!(chat.record().await.pin.unwrap().unconfirmed);
    resumed.scene.minute();
    let added = resumed.add(1, &resumed.shows("1", one)).await.unwrap();
    assert_eq!(added.evidence.verdict, Verdict::AsPinned);
    let pin = chat.record().await.pin.unwrap();
    assert_eq!((pin.pin.snapshot, pin.unconfirmed), (id(one), false));
    assert_eq!(chat.prompt().await, rendered(one));
    assert!(chat.is_dirty().await, "the files are the second ones");
    assert_eq!(chat.reasons().await, "create observe observe");
    let history = chat.history().await;
    assert_eq!(
        (history[1].unconfirmed, history[1].snapshot),
        (true, Some(id(two)))
    );
    assert_eq!(
        (history[2].unconfirmed, history[2].evidence_turn),
        (false, Some(1))
    );
    // The turn after it began with the same pin, and is judged by the same head.
    for number in [1, 2] {
        let turn = resumed.turn(number).await;
        assert_eq!(
            (turn.snapshot, turn.believed),
            (Some(id(one)), Some(id(two)))
        );
        let (service, owner) = (resumed.scene.service, resumed.scene.owner);
        let prompt = turns::prompt(service, owner, chat.id, number as i64, None).await;
        assert_eq!(prompt.unwrap().bytes.unwrap(), rendered(one).as_bytes());
        let view = turns::read(service, owner, chat.id, number as i64)
            .await
            .unwrap();
        assert!(view.prompt.is_some());
    }
    resumed.add(2, &resumed.shows("2", one)).await.unwrap();
    chat.turn().await.unwrap();
    let third = resumed.turn(3).await;
    assert_eq!((third.snapshot, third.believed), (Some(id(one)), None));
    assert_eq!(chat.history().await.len(), 3);
    assert_sound(chat).await;
}

async fn evidence_of_the_pin_confirms_it(test: &TestService) {
    let resumed = Resumed::new(test).await;
    let [_, two] = &resumed.files;
    let chat = &resumed.chat;
    chat.turn().await.unwrap();
    let since = chat.record().await.pin.unwrap().pinned_at;
    resumed.scene.minute();
    for requests in ["1", "2"] {
        resumed.add(1, &resumed.shows(requests, two)).await.unwrap();
        let pin = chat.record().await.pin.unwrap();
        assert_eq!((pin.pin.snapshot, pin.unconfirmed), (id(two), false));
        assert_eq!(
            pin.pinned_at, since,
            "it has been pinned to it all the time"
        );
    }
    assert_eq!(chat.history().await.last().unwrap().evidence_turn, Some(1));
    assert_eq!(chat.history().await.len(), 3);
    let turn = resumed.turn(1).await;
    assert_eq!((turn.snapshot, turn.believed), (Some(id(two)), None));
    assert_sound(chat).await;
}

async fn a_turn_with_evidence_keeps_its_stamp(test: &TestService) {
    let resumed = Resumed::new(test).await;
    let [one, two] = &resumed.files;
    let chat = &resumed.chat;
    chat.turn().await.unwrap();
    chat.turn().await.unwrap();
    let judged = deviating("1", file("/w/AGENTS.md", "Two.\n", Outcome::Absent));
    let judged = handed_in(resumed.key, judged);
    resumed.add(1, &judged).await.unwrap();
    let refused = resumed.add(1, &resumed.shows("2", one)).await;
    assert!(matches!(refused, Err(Error::PreconditionFailed(_))));
    assert!(chat.record().await.pin.unwrap().unconfirmed);
    resumed.add(2, &resumed.shows("3", one)).await.unwrap();
    assert_eq!(resumed.turn(1).await.snapshot, Some(id(two)));
    assert_eq!(resumed.turn(2).await.snapshot, Some(id(one)));
    assert_eq!(chat.snapshot().await, Some(id(one)));
    assert_sound(chat).await;
}

async fn evidence_moves_no_other_pin(test: &TestService) {
    let resumed = Resumed::new(test).await;
    let [one, two] = &resumed.files;
    let chat = &resumed.chat;
    chat.turn().await.unwrap();
    let shows = resumed.shows("1", one);
    let check = async |handed_in: &HandedIn, expected: fn(&Error) -> bool| {
        let before = chat.history().await.len();
        let refused = resumed.add(1, handed_in).await.unwrap_err();
        assert!(expected(&refused), "{refused:?}");
        assert_eq!(chat.history().await.len(), before);
        assert!(resumed.turn(1).await.evidence.is_none());
    };
    // What nobody pushed, and a row that says something else.
    let unknown = resumed.shows("1", &agents_md("What nobody pushed.\n"));
    check(&unknown, |error| matches!(error, Error::Invalid(_))).await;
    let absent = file("/w/AGENTS.md", "One.\n", Outcome::Absent);
    let other = HandedIn {
        shows: Some(id(one)),
        ..handed_in(resumed.key, deviating("1", absent))
    };
    check(&other, |error| matches!(error, Error::Invalid(_))).await;
    let is_over: fn(&Error) -> bool = |error| matches!(error, Error::PreconditionFailed(_));
    chat.mode(Mode::Delivered).await.unwrap();
    check(&shows, is_over).await;
    chat.mode(Mode::Observed).await.unwrap();
    // The client has read its files anew, and the pin is certain.
    chat.start(ClientEvent::Resume, Some(id(two)))
        .await
        .unwrap();
    check(&shows, is_over).await;
    chat.turn().await.unwrap();
    let confirmed = Row { ..row("2") };
    let confirmed = HandedIn {
        shows: Some(id(one)),
        ..handed_in(resumed.key, confirmed)
    };
    let refused = resumed.add(2, &confirmed).await.unwrap_err();
    assert!(is_over(&refused));
    assert_sound(chat).await;
}

async fn the_same_row_again_moves_nothing(test: &TestService) {
    let resumed = Resumed::new(test).await;
    let [one, two] = &resumed.files;
    let chat = &resumed.chat;
    chat.turn().await.unwrap();
    let shows = resumed.shows("1", one);
    assert!(resumed.add(1, &shows).await.unwrap().is_new);
    // The session goes on, and nobody has confirmed what it reads then.
    chat.start(ClientEvent::Resume, None).await.unwrap();
    assert!(!resumed.add(1, &shows).await.unwrap().is_new);
    let pin = chat.record().await.pin.unwrap();
    assert_eq!((pin.pin.snapshot, pin.unconfirmed), (id(two), true));
    assert_eq!(chat.history().await.len(), 4);
    assert_sound(chat).await;
}

async fn a_child_of_an_unconfirmed_pin_is_shown_its_own(test: &TestService) {
    let resumed = Resumed::new(test).await;
    let [one, two] = &resumed.files;
    let request = |mode| ChatCreate {
        parent: Some(resumed.chat.id),
        mode,
        ..ChatCreate::default()
    };
    let (service, owner) = (resumed.scene.service, resumed.scene.owner);
    let child = TestChat::create(service, owner, &request(None))
        .await
        .unwrap();
    child.turn().await.unwrap();
    assert!(child.record().await.pin.unwrap().unconfirmed);
    let shows = resumed.shows("1", one);
    evidence::add(service, owner, child.id, 1, &shows)
        .await
        .unwrap();
    assert_eq!(child.snapshot().await, Some(id(one)));
    assert_eq!(resumed.chat.snapshot().await, Some(id(two)));
    // A chat whose pin decides is told nothing of what a client may have read.
    let delivered = request(Some(Mode::Delivered));
    let delivered = TestChat::create(service, owner, &delivered).await.unwrap();
    assert!(!delivered.record().await.pin.unwrap().unconfirmed);
    assert_sound(&child).await;
}

async fn rows_that_show_heads_against_starts_turns_and_pushes(test: &TestService) {
    const ROUNDS: usize = 12;
    let resumed = Resumed::new(test).await;
    let chat = &resumed.chat;
    chat.turn().await.unwrap();
    let pusher = Pusher::of(resumed.scene.service, &resumed.scene.agent);
    let mut race = Race::of(8);
    race.add(async move {
        for round in 0..ROUNDS {
            let version = i64::try_from(round + 3).unwrap();
            done(
                pusher
                    .push(version, &agents_md(&format!("round {round}")))
                    .await,
            );
        }
    });
    for task in 0..7 {
        let chat = chat.clone();
        let rows: Vec<_> = resumed.files.iter().collect();
        let rows: Vec<_> = (0..ROUNDS)
            .map(|round| resumed.shows(&format!("{task} {round}"), rows[round % 2]))
            .collect();
        race.add(async move {
            for shows in rows {
                match task {
                    0 => drop(done(chat.turn().await)),
                    1 => drop(done(chat.start(ClientEvent::Resume, None).await)),
                    _ => {
                        let newest = PageRequest::newest(1);
                        let turns = turns::list(&chat.service, chat.owner, chat.id, &newest).await;
                        let number = done(turns).items[0].number;
                        let added =
                            evidence::add(&chat.service, chat.owner, chat.id, number, &shows);
                        let added = settled(added.await);
                        let is_expected =
                            matches!(added, Ok(_) | Err(Error::PreconditionFailed(_)));
                        assert!(is_expected, "{added:?}");
                    }
                }
            }
        });
    }
    race.run().await;
    // Each stamp is a pin of the history, and a turn with evidence has none that the evidence did not show.
    let history = chat.history().await;
    for turn in chat.turns().await {
        let pin = &history[usize::try_from(turn.pin_seq.unwrap()).unwrap() - 1];
        assert_eq!(turn.snapshot, pin.snapshot);
    }
    assert_sound(chat).await;
}
