//! Observed chats under concurrent callers. Whichever request wins, the rules hold afterwards, and no caller gets an
//! error because of the race.

use ctxpin_model::chat::{ChatChange, ChatCreate};
use ctxpin_model::client_event::ClientEvent;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::mode::Mode;
use ctxpin_model::policy::Policy;
use ctxpin_model::push::Verdict;
use ctxpin_operations::agents;
use ctxpin_operations::error::Error;
use ctxpin_testing::chats::{TestChat, bound_to};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::TestAgent;
use ctxpin_testing::workspace::Workspace;

use crate::race::{Pusher, Race, done, settled};
use crate::scene::{Scene, agents_md, assert_sound};

ctxpin_testing::on_both_databases!(
    starts_against_pushes,
    starts_against_modes_refreshes_and_policies,
    starts_against_archiving_and_the_first_push,
    starts_against_deleting_the_agent,
    parents_against_each_other_and_their_end,
);

/// The number of rounds of each race.
const ROUNDS: usize = 12;

fn id(workspace: &Workspace) -> SnapshotId {
    workspace.snapshot().addresses().id
}

async fn observed_chat(scene: &Scene<'_>, agent: &TestAgent) -> TestChat {
    let request = ChatCreate {
        mode: Some(Mode::Observed),
        ..bound_to(agent.id)
    };
    done(TestChat::create(scene.service, scene.owner, &request).await)
}

/// Checks that the request succeeded or was refused because the chat was observed.
fn done_or_observed<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    let outcome = settled(outcome);
    let is_expected = matches!(outcome, Ok(_) | Err(Error::ObservedChat));
    assert!(is_expected, "{outcome:?}");
}

async fn starts_against_pushes(test: &TestService) {
    let scene = Scene::new(test).await;
    let chat = observed_chat(&scene, &scene.agent).await;
    let pusher = Pusher::of(scene.service, &scene.agent);
    let mut race = Race::of(6);
    for task in 0..2 {
        let (pusher, chat) = (pusher.clone(), chat.clone());
        race.add(async move {
            for round in 0..ROUNDS {
                let workspace = agents_md(&format!("{task}, round {round}"));
                let version = i64::try_from(2 * round + task + 1).unwrap();
                if done(pusher.push(version, &workspace).await).verdict == Verdict::Accepted {
                    // Whatever was pushed since, the chat is pinned to what was scanned for this start.
                    let scanned = Some(id(&workspace));
                    let record = done(chat.start(ClientEvent::Resume, scanned).await);
                    assert_eq!(record.pin.map(|pin| pin.pin.snapshot), scanned);
                }
            }
        });
    }
    for _ in 0..4 {
        let chat = chat.clone();
        race.add(async move {
            for _ in 0..ROUNDS {
                done(chat.start(ClientEvent::Resume, None).await);
            }
        });
    }
    race.run().await;
    assert_sound(&chat).await;
    // A start after an acknowledged push pins that push.
    let record = done(chat.start(ClientEvent::Resume, None).await);
    let pin = record.pin.map(|pin| pin.pin.snapshot);
    assert_eq!(pin, record.head.map(|head| head.snapshot));
    // Each row tells something that the row before does not.
    let history = chat.history().await;
    for pair in history.windows(2) {
        let [before, after] = pair else { continue };
        let told =
            |row: &ctxpin_model::history::PinRecord| (row.snapshot, row.reason, row.unconfirmed);
        assert_ne!(told(before), told(after));
    }
}

async fn starts_against_modes_refreshes_and_policies(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("first")).await;
    let chat = observed_chat(&scene, &scene.agent).await;
    let pusher = Pusher::of(scene.service, &scene.agent);
    let mut race = Race::of(7);
    race.add(async move {
        for round in 0..ROUNDS * 2 {
            let version = i64::try_from(round + 2).unwrap();
            let workspace = agents_md(&format!("round {round}"));
            done(pusher.push(version, &workspace).await);
        }
    });
    for task in 0..6 {
        let chat = chat.clone();
        race.add(async move {
            for round in 0..ROUNDS {
                let mode = match round % 2 {
                    0 => Mode::Delivered,
                    _ => Mode::Observed,
                };
                match task {
                    0 => drop(done(chat.mode(mode).await)),
                    1 => done_or_observed(chat.policy(Policy::Follow).await),
                    2 => done_or_observed(chat.refresh().await),
                    3 => drop(done(chat.turn().await)),
                    _ => drop(done(chat.start(ClientEvent::Resume, None).await)),
                }
                let record = chat.record().await;
                assert!(record.mode.allows(record.policy), "{record:?}");
            }
        });
    }
    race.run().await;
    assert_sound(&chat).await;
}

async fn starts_against_archiving_and_the_first_push(test: &TestService) {
    let scene = Scene::new(test).await;
    for round in 0..ROUNDS {
        let agent = TestAgent::create(scene.service, scene.owner, "fresh").await;
        let mut chats = Vec::new();
        for _ in 0..3 {
            chats.push(observed_chat(&scene, &agent).await);
        }
        let mut race = Race::of(7);
        let pusher = Pusher::of(scene.service, &agent);
        race.add(async move {
            done(pusher.push(1, &agents_md(&format!("round {round}"))).await);
        });
        for chat in chats.clone() {
            let archived = chat.clone();
            race.add(async move { drop(done(archived.archive(true).await)) });
            race.add(async move {
                done(chat.turn().await);
                done(chat.start(ClientEvent::Resume, None).await);
            });
        }
        race.run().await;
        for chat in &chats {
            let record = chat.record().await;
            assert!(
                record.pin.is_some() || record.archived_at.is_some(),
                "a chat missed the head: {record:?}"
            );
            assert_sound(chat).await;
            // The client goes on with it.
            let record = done(chat.start(ClientEvent::Resume, None).await);
            assert!(record.pin.is_some() && record.archived_at.is_none());
        }
    }
}

async fn starts_against_deleting_the_agent(test: &TestService) {
    let scene = Scene::new(test).await;
    for round in 0..ROUNDS {
        let mut agent = TestAgent::create(scene.service, scene.owner, "fresh").await;
        let workspace = agents_md(&format!("round {round}"));
        agent.push(scene.service, &workspace).await.unwrap();
        let chat = observed_chat(&scene, &agent).await;
        let mut race = Race::of(4);
        let (service, owner, gone) = (scene.service.clone(), scene.owner, agent.id);
        race.add(async move { done(agents::delete(&service, owner, gone).await) });
        for scanned in [None, Some(id(&workspace)), Some(id(&workspace))] {
            let chat = chat.clone();
            race.add(async move {
                let outcome = settled(chat.start(ClientEvent::Resume, scanned).await);
                // Without its agent, the chat has no timeline.
                let is_expected = match &outcome {
                    Ok(_) => true,
                    Err(Error::Invalid(_)) => scanned.is_some(),
                    Err(_) => false,
                };
                assert!(is_expected, "{outcome:?}");
            });
        }
        race.run().await;
        assert_eq!(chat.snapshot().await, Some(id(&workspace)));
        assert_sound(&chat).await;
    }
}

async fn parents_against_each_other_and_their_end(test: &TestService) {
    let scene = Scene::new(test).await;
    for _ in 0..ROUNDS {
        let ending = observed_chat(&scene, &scene.agent).await;
        let staying = observed_chat(&scene, &scene.agent).await;
        scene.minute();
        let fork = observed_chat(&scene, &scene.agent).await;
        let mut race = Race::of(3);
        for parent in [ending.id, staying.id] {
            let fork = fork.clone();
            let told = ChatChange {
                parent: Some(parent),
                ..ChatChange::default()
            };
            race.add(async move { Some(settled(fork.change(told).await)) });
        }
        let gone = ending.clone();
        race.add(async move {
            done(gone.delete().await);
            None
        });
        let told = race.run().await;
        let told: Vec<_> = told.iter().flatten().collect();
        let is_told = |parent| {
            let mut told = told.iter();
            told.any(|told| matches!(told, Ok(chat) if chat.parent == Some(parent)))
        };
        // The fork has the one that came first, as long as that is there.
        let expected = is_told(staying.id).then_some(staying.id);
        assert_eq!(fork.record().await.parent, expected);
        assert!(is_told(ending.id) || is_told(staying.id));
    }
}
