//! Concurrent callers. Whichever request wins, the rules hold afterwards, and no caller gets an error
//! because of the race.
//!
//! Each test states the possible results of its race. No caller may ever see a lost transaction, a chat
//! that missed the head, a history with a gap or a prompt of another snapshot.

use ctxpin_model::chat::{ChatChange, ChatCreate};
use ctxpin_model::delivery::Delivery;
use ctxpin_model::page::{PAGE_ITEMS_MAX, PageRequest};
use ctxpin_model::policy::Policy;
use ctxpin_operations::agents;
use ctxpin_operations::chats;
use ctxpin_operations::error::Error;
use ctxpin_store::error::Error as StoreError;
use ctxpin_testing::chats::{TestChat, bound_to, given};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::TestAgent;
use ctxpin_testing::workspace::Workspace;

use crate::race::{Pusher, Race, done, settled};
use crate::scene::{Scene, agents_md, assert_sound, rendered};

ctxpin_testing::on_both_databases!(
    two_pushes_of_one_agent,
    pushes_against_creations,
    pushes_against_refreshes,
    a_refresh_after_an_acknowledged_push_pins_it,
    pushes_against_rebinds,
    refreshes_against_rebinds_against_pushes,
    a_rebind_against_the_first_push_of_the_new_agent,
    rebinds_to_and_fro_against_pushes_of_both,
    pushes_against_archiving,
    pushes_against_deletions,
    children_against_pushes,
    children_against_unpinning,
    creations_again_make_one_chat,
    two_partial_refreshes,
    turns_against_pushes,
    one_turn_of_one_reference,
    deleting_the_agent_against_everything,
);

/// The number of rounds of each race.
const ROUNDS: usize = 12;

fn text(round: usize, name: &str) -> Workspace {
    agents_md(&format!("round {round}, {name}"))
}

fn version(round: usize, step: usize) -> i64 {
    i64::try_from(round * 10 + step + 1).unwrap()
}

/// Checks that the chat has a pin unless it is archived, or its agent has no head.
async fn assert_hydrated(chat: &TestChat) {
    let record = chat.record().await;
    let may_be_unpinned = record.archived_at.is_some() || record.head.is_none();
    assert!(
        record.pin.is_some() || may_be_unpinned,
        "a chat missed the head: {record:?}"
    );
    assert_sound(chat).await;
}

async fn two_pushes_of_one_agent(test: &TestService) {
    let scene = Scene::new(test).await;
    let waiting = scene.chat().await;
    let pusher = Pusher::of(scene.service, &scene.agent);
    let mut accepted = 0;
    for round in 0..ROUNDS {
        let mut race = Race::of(4);
        for step in 0..4 {
            let pusher = pusher.clone();
            let workspace = text(round, &step.to_string());
            race.add(async move { done(pusher.push(version(round, step), &workspace).await) });
        }
        let verdicts = race.run().await;
        accepted += verdicts
            .iter()
            .filter(|pushed| pushed.verdict == ctxpin_model::push::Verdict::Accepted)
            .count();
        let agent = agents::read(scene.service, scene.owner, scene.agent.id)
            .await
            .unwrap();
        assert_eq!(agent.version, version(round, 3), "the newest version wins");
        let head = agent.head.unwrap();
        assert_eq!(head.seq, i64::try_from(accepted).unwrap());
        assert_eq!(head.snapshot, text(round, "3").snapshot().addresses().id);
    }
    assert_eq!(waiting.reasons().await, "hydrate");
    assert_hydrated(&waiting).await;
}

async fn pushes_against_creations(test: &TestService) {
    let scene = Scene::new(test).await;
    for round in 0..ROUNDS {
        let agent = TestAgent::create(scene.service, scene.owner, "fresh").await;
        let mut race = Race::of(8);
        for step in 0..2 {
            let pusher = Pusher::of(scene.service, &agent);
            race.add(async move {
                done(pusher.push(version(0, step), &text(round, "any")).await);
                None
            });
        }
        for _ in 0..6 {
            let (service, owner, id) = (scene.service.clone(), scene.owner, agent.id);
            race.add(
                async move { Some(done(TestChat::create(&service, owner, &bound_to(id)).await)) },
            );
        }
        for chat in race.run().await.into_iter().flatten() {
            assert_eq!(chat.prompt().await, rendered(&text(round, "any")));
            assert_eq!(chat.history().await.len(), 1);
            assert_hydrated(&chat).await;
        }
    }
}

async fn pushes_against_refreshes(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("first")).await;
    let chat = scene.chat().await;
    let pusher = Pusher::of(scene.service, &scene.agent);
    let mut race = Race::of(8);
    race.add(async move {
        for round in 1..ROUNDS * 4 {
            done(pusher.push(version(round, 0), &text(round, "pushed")).await);
        }
    });
    for _ in 0..7 {
        let chat = chat.clone();
        race.add(async move {
            for _ in 0..ROUNDS {
                done(chat.refresh().await);
            }
        });
    }
    race.run().await;
    assert_hydrated(&chat).await;
    done(chat.refresh().await);
    assert_eq!(
        chat.prompt().await,
        rendered(&text(ROUNDS * 4 - 1, "pushed"))
    );
    assert_hydrated(&chat).await;
}

/// A move whose head was replaced in between is prepared again under the locks, where no push can replace
/// it. So an agent that pushes without a pause does not starve a chat.
#[tokio::test]
async fn an_overtaken_refresh_does_not_start_over() {
    let test = TestService::postgres().await;
    let mut scene = Scene::new(&test).await;
    scene.push(&agents_md("first")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("second")).await;
    done(chat.refresh().await);
    scene.push(&agents_md("third")).await;
    let mut held = test.hold("select id from agents for update").await;
    let before = test.service.counts();
    let refreshing = tokio::spawn({
        let chat = chat.clone();
        async move { done(chat.refresh().await) }
    });
    held.awaited().await;
    // The same as a push that restores the first content.
    held.change(
        "update agents set head_seq = 1, \
         head_snapshot = (select snapshot_id from agent_heads where seq = 1)",
    )
    .await;
    refreshing.await.expect("the refresh ends");
    let asked = test.service.counts() - before;
    assert_eq!(chat.prompt().await, rendered(&agents_md("first")));
    assert_sound(&chat).await;
    // The statements of one refresh with a rendering.
    assert_eq!(asked.statements, 9, "{asked:?}");
    test.finish().await;
}

async fn a_refresh_after_an_acknowledged_push_pins_it(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("first")).await;
    let pusher = Pusher::of(scene.service, &scene.agent);
    let mut race = Race::of(5);
    let (told, heard) = tokio::sync::watch::channel(1);
    race.add(async move {
        for round in 1..ROUNDS * 2 {
            let pushed = done(pusher.push(version(round, 0), &text(round, "pushed")).await);
            told.send_replace(pushed.head.unwrap().seq);
        }
    });
    for _ in 0..4 {
        let chat = scene.chat().await;
        let (heard, agent) = (heard.clone(), scene.agent.id);
        race.add(async move {
            for _ in 0..ROUNDS {
                let acknowledged = *heard.borrow();
                let pin = done(chat.refresh().await).chat.pin.unwrap().pin.snapshot;
                let page = ctxpin_model::page::PageRequest::newest(500);
                let heads = agents::heads(&chat.service, chat.owner, agent, &page)
                    .await
                    .unwrap();
                let seq = heads
                    .items
                    .iter()
                    .find(|head| head.snapshot == pin)
                    .unwrap()
                    .seq;
                assert!(seq >= acknowledged, "{seq} is older than {acknowledged}");
            }
        });
    }
    race.run().await;
}

async fn pushes_against_rebinds(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("of the first")).await;
    for round in 0..ROUNDS {
        let mut other = scene.other_agent().await;
        other
            .push(scene.service, &text(round, "old"))
            .await
            .unwrap();
        let chats = [scene.chat().await, scene.chat().await, scene.chat().await];
        let mut race = Race::of(5);
        for chat in chats.clone() {
            let other = other.id;
            race.add(async move { drop(done(chat.bind(Some(other)).await)) });
        }
        let of_first = Pusher::of(scene.service, &scene.agent);
        let of_other = Pusher::of(scene.service, &other);
        race.add(async move {
            done(
                of_first
                    .push(version(round + 1, 0), &text(round, "first"))
                    .await,
            );
        });
        race.add(async move {
            done(of_other.push(2, &text(round, "new")).await);
        });
        race.run().await;
        for chat in &chats {
            assert_eq!(chat.record().await.agent, Some(other.id));
            assert_eq!(chat.reasons().await, "create rebind");
            let prompt = chat.prompt().await;
            assert!(
                ["old", "new"]
                    .iter()
                    .any(|name| prompt == rendered(&text(round, name))),
                "{prompt}"
            );
            assert_hydrated(chat).await;
        }
    }
}

/// Each pin is from the agent that the chat had at the move, and from a head that this agent had by then.
async fn refreshes_against_rebinds_against_pushes(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("of the first")).await;
    let mut other = scene.other_agent().await;
    let pushed = other.push(scene.service, &agents_md("of the other")).await;
    pushed.expect("the push is taken");
    let agents = [scene.agent.id, other.id];
    let pushers = [
        Pusher::of(scene.service, &scene.agent),
        Pusher::of(scene.service, &other),
    ];
    for round in 0..ROUNDS {
        let chat = scene.chat().await;
        let mut race = Race::of(8);
        for (pusher, name) in pushers.iter().zip(["first", "other"]) {
            let (pusher, workspace) = (pusher.clone(), text(round, name));
            race.add(async move {
                done(pusher.push(version(round + 1, 0), &workspace).await);
            });
        }
        for turn in 0..3 {
            let (binding, refreshing) = (chat.clone(), chat.clone());
            race.add(async move { drop(done(binding.bind(Some(agents[turn % 2])).await)) });
            race.add(async move { drop(done(refreshing.refresh().await)) });
        }
        race.run().await;
        assert_hydrated(&chat).await;
        for pin in chat.history().await {
            let agent = pin.agent.expect("every pin here has one");
            let page = PageRequest::newest(PAGE_ITEMS_MAX);
            let heads = agents::heads(scene.service, scene.owner, agent, &page).await;
            let heads = heads.expect("a timeline").items;
            assert!(
                heads.iter().any(|head| Some(head.snapshot) == pin.snapshot),
                "{pin:?} is no head of its agent"
            );
        }
        let record = chat.record().await;
        let last = chat.history().await.pop().expect("a pin");
        assert_eq!(last.agent, record.agent, "the pin is of the agent in force");
        done(chat.refresh().await);
        assert_eq!(chat.record().await.drift(), None);
    }
}

async fn a_rebind_against_the_first_push_of_the_new_agent(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("of the first")).await;
    for round in 0..ROUNDS {
        let other = scene.other_agent().await;
        let mut chats = Vec::new();
        for _ in 0..3 {
            chats.push(scene.chat().await);
        }
        let unbound = TestChat::create(scene.service, scene.owner, &ChatCreate::default())
            .await
            .unwrap();
        chats.push(unbound);
        let mut race = Race::of(chats.len() + 1);
        let pusher = Pusher::of(scene.service, &other);
        race.add(async move {
            done(pusher.push(1, &text(round, "other")).await);
        });
        for chat in chats.clone() {
            let other = other.id;
            race.add(async move { drop(done(chat.bind(Some(other)).await)) });
        }
        race.run().await;
        for chat in &chats {
            assert_eq!(chat.prompt().await, rendered(&text(round, "other")));
            assert_hydrated(chat).await;
        }
    }
}

async fn rebinds_to_and_fro_against_pushes_of_both(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("of the first")).await;
    let other = scene.other_agent().await;
    let chats = [scene.chat().await, scene.chat().await];
    let mut race = Race::of(8);
    for agent in [&scene.agent, &other] {
        let pusher = Pusher::of(scene.service, agent);
        race.add(async move {
            for round in 1..ROUNDS {
                let workspace = text(round, &pusher.id.to_string());
                done(pusher.push(version(round, 0), &workspace).await);
            }
        });
    }
    for number in 0..6 {
        let chat = chats[number % 2].clone();
        let agents = [Some(other.id), Some(scene.agent.id), None];
        race.add(async move {
            for round in 0..ROUNDS {
                done(chat.bind(agents[round % 3]).await);
                // The agent may have no head yet, which is a refusal and not a lost race.
                let _ = settled(chat.refresh().await);
            }
        });
    }
    race.run().await;
    for chat in &chats {
        let record = chat.record().await;
        if let (Some(agent), Some(pin)) = (record.agent, &record.pin) {
            let last = chat.history().await.pop().unwrap();
            assert_eq!(
                last.agent,
                Some(agent),
                "the pin is of the agent that the chat has"
            );
            assert_eq!(last.snapshot, Some(pin.pin.snapshot));
        }
        assert_hydrated(chat).await;
    }
}

async fn pushes_against_archiving(test: &TestService) {
    let scene = Scene::new(test).await;
    for round in 0..ROUNDS {
        let agent = TestAgent::create(scene.service, scene.owner, "fresh").await;
        let mut chats = Vec::new();
        for number in 0..6 {
            let chat = TestChat::bound(scene.service, scene.owner, agent.id).await;
            if number % 2 == 0 {
                chat.archive(true).await.unwrap();
            }
            chats.push(chat);
        }
        let mut race = Race::of(8);
        for step in 0..2 {
            let pusher = Pusher::of(scene.service, &agent);
            race.add(async move {
                done(pusher.push(version(0, step), &text(round, "any")).await);
            });
        }
        for (number, chat) in chats.clone().into_iter().enumerate() {
            race.add(async move {
                if number % 2 == 1 {
                    done(chat.archive(true).await);
                }
                done(chat.archive(false).await);
            });
        }
        race.run().await;
        for chat in &chats {
            assert_eq!(chat.prompt().await, rendered(&text(round, "any")));
            assert_eq!(chat.reasons().await, "hydrate");
            assert_hydrated(chat).await;
        }
    }
}

async fn pushes_against_deletions(test: &TestService) {
    let scene = Scene::new(test).await;
    for round in 0..ROUNDS {
        let agent = TestAgent::create(scene.service, scene.owner, "fresh").await;
        let mut chats = Vec::new();
        for _ in 0..5 {
            let parent = TestChat::bound(scene.service, scene.owner, agent.id).await;
            let request = ChatCreate {
                parent: Some(parent.id),
                ..ChatCreate::default()
            };
            let child = TestChat::create(scene.service, scene.owner, &request)
                .await
                .unwrap();
            chats.push((parent, child));
        }
        let mut race = Race::of(6);
        let pusher = Pusher::of(scene.service, &agent);
        race.add(async move {
            done(pusher.push(1, &text(round, "any")).await);
        });
        for (parent, _) in chats.clone() {
            race.add(async move { done(parent.delete().await) });
        }
        race.run().await;
        for (parent, child) in &chats {
            let read = chats::read(scene.service, scene.owner, parent.id).await;
            assert!(matches!(read, Err(Error::Store(StoreError::NotFound(_)))));
            assert_eq!(child.prompt().await, rendered(&text(round, "any")));
            assert_hydrated(child).await;
        }
    }
}

async fn children_against_pushes(test: &TestService) {
    let scene = Scene::new(test).await;
    for round in 0..ROUNDS {
        let agent = TestAgent::create(scene.service, scene.owner, "fresh").await;
        let parent = TestChat::bound(scene.service, scene.owner, agent.id).await;
        let mut race = Race::of(8);
        for step in 0..2 {
            let pusher = Pusher::of(scene.service, &agent);
            race.add(async move {
                done(pusher.push(version(0, step), &text(round, "any")).await);
                None
            });
        }
        for _ in 0..6 {
            let parent = parent.clone();
            race.add(async move {
                let request = ChatCreate {
                    parent: Some(parent.id),
                    ..ChatCreate::default()
                };
                Some(done(
                    TestChat::create(&parent.service, parent.owner, &request).await,
                ))
            });
        }
        for child in race.run().await.into_iter().flatten().chain([parent]) {
            assert_eq!(child.prompt().await, rendered(&text(round, "any")));
            assert_hydrated(&child).await;
        }
    }
}

async fn children_against_unpinning(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("first")).await;
    for _ in 0..ROUNDS {
        let parent = scene.chat().await;
        let mut race = Race::of(8);
        for number in 0..8 {
            let parent = parent.clone();
            race.add(async move {
                if number % 4 == 0 {
                    done(parent.clear().await);
                    return None;
                }
                let request = ChatCreate {
                    parent: Some(parent.id),
                    ..ChatCreate::default()
                };
                Some(done(
                    TestChat::create(&parent.service, parent.owner, &request).await,
                ))
            });
        }
        for child in race.run().await.into_iter().flatten() {
            assert_eq!(child.prompt().await, rendered(&agents_md("first")));
            assert_hydrated(&child).await;
        }
        assert_eq!(parent.reasons().await, "create clear");
    }
}

async fn creations_again_make_one_chat(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("first")).await;
    for round in 0..ROUNDS {
        let mut race = Race::of(8);
        for _ in 0..8 {
            let (service, owner) = (scene.service.clone(), scene.owner);
            let request = ChatCreate {
                client: Some("zed".into()),
                reference: Some(format!("session {round}")),
                ..bound_to(scene.agent.id)
            };
            race.add(async move { done(chats::create(&service, owner, &request).await) });
        }
        let made = race.run().await;
        assert_eq!(made.iter().filter(|(_, is_new)| *is_new).count(), 1);
        assert!(made.iter().all(|(chat, _)| chat.id == made[0].0.id));
        assert!(made.iter().all(|(chat, _)| chat.pin_seq == 1));
    }
}

async fn two_partial_refreshes(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let files = |round: usize| {
        ["a.md", "b.md", "c.md", "d.md"]
            .iter()
            .fold(Workspace::new("/w"), |workspace, name| {
                workspace.file(name, &format!("{name} of round {round}"))
            })
    };
    scene.push(&files(0)).await;
    let chat = scene.chat().await;
    for round in 1..=ROUNDS {
        scene.push(&files(round)).await;
        let mut race = Race::of(4);
        for name in ["/w/a.md", "/w/b.md", "/w/c.md", "/w/d.md"] {
            let chat = chat.clone();
            race.add(async move { drop(done(chat.take(&[name]).await)) });
        }
        race.run().await;
        assert_eq!(
            chat.prompt().await,
            rendered(&files(round)),
            "nobody's choice was lost"
        );
        assert!(!chat.is_dirty().await);
    }
    assert_hydrated(&chat).await;
    assert_eq!(chat.history().await.len(), 1 + 4 * ROUNDS);
}

async fn turns_against_pushes(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("first")).await;
    let chats = [Policy::Follow, Policy::Additive, Policy::Manual].map(|policy| ChatCreate {
        policy,
        ..bound_to(scene.agent.id)
    });
    let pusher = Pusher::of(scene.service, &scene.agent);
    let mut race = Race::of(7);
    race.add(async move {
        for round in 1..ROUNDS {
            let workspace = text(round, "pushed").file(&format!("{round}.md"), "new");
            done(pusher.push(version(round, 0), &workspace).await);
        }
    });
    let mut made = Vec::new();
    for request in &chats {
        let chat = TestChat::create(scene.service, scene.owner, request)
            .await
            .unwrap();
        made.push(chat.clone());
        for _ in 0..2 {
            let chat = chat.clone();
            race.add(async move {
                for _ in 0..ROUNDS {
                    let view = done(chat.turn().await);
                    let hash = ctxpin_model::hash::BlobHash::of(given(&view).prompt.as_bytes());
                    assert_eq!(view.turn.prompt, Some(hash));
                }
            });
        }
    }
    race.run().await;
    for chat in &made {
        let numbers: Vec<_> = chat.turns().await.iter().map(|turn| turn.number).collect();
        let expected: Vec<_> = (1..=i64::try_from(2 * ROUNDS).unwrap()).collect();
        assert_eq!(numbers, expected);
        assert_hydrated(chat).await;
    }
    assert_eq!(made[2].reasons().await, "create");
}

async fn one_turn_of_one_reference(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("first")).await;
    let chat = scene.chat().await;
    for round in 1..=ROUNDS {
        let mut race = Race::of(6);
        for _ in 0..6 {
            let chat = chat.clone();
            race.add(async move {
                let reference = format!("turn {round}");
                done(chat.turn_as(Some(&reference), Delivery::Delivered).await)
            });
        }
        let views = race.run().await;
        assert_eq!(views.iter().filter(|view| view.is_new).count(), 1);
        assert!(
            views
                .iter()
                .all(|view| view.turn.number == i64::try_from(round).unwrap())
        );
    }
}

async fn deleting_the_agent_against_everything(test: &TestService) {
    let scene = Scene::new(test).await;
    let mut elsewhere = scene.other_agent().await;
    elsewhere
        .push(scene.service, &agents_md("elsewhere"))
        .await
        .unwrap();
    for round in 0..ROUNDS {
        let mut agent = TestAgent::create(scene.service, scene.owner, "fresh").await;
        agent
            .push(scene.service, &text(round, "old"))
            .await
            .unwrap();
        let mut chats = Vec::new();
        for _ in 0..5 {
            chats.push(TestChat::bound(scene.service, scene.owner, agent.id).await);
        }
        let mut race = Race::of(8);
        let (service, owner, id) = (scene.service.clone(), scene.owner, agent.id);
        race.add(async move {
            done(agents::delete(&service, owner, id).await);
            None
        });
        let pusher = Pusher::of(scene.service, &agent);
        race.add(async move {
            // The agent's token is deleted with it.
            let _ = settled(pusher.push(2, &text(round, "new")).await);
            None
        });
        let service = scene.service.clone();
        race.add(
            async move { settled(TestChat::create(&service, owner, &bound_to(id)).await).ok() },
        );
        let elsewhere = elsewhere.id;
        for (number, chat) in chats.clone().into_iter().enumerate() {
            race.add(async move {
                match number {
                    0 => drop(settled(chat.refresh().await)),
                    1 => drop(done(chat.turn().await)),
                    2 => drop(done(chat.bind(Some(elsewhere)).await)),
                    3 => done(chat.delete().await),
                    _ => drop(done(
                        chat.change(ChatChange {
                            archived: Some(true),
                            ..ChatChange::default()
                        })
                        .await,
                    )),
                }
                None
            });
        }
        let created = race.run().await.into_iter().flatten();
        chats.remove(3);
        for chat in chats.iter().cloned().chain(created) {
            let record = chat.record().await;
            assert_ne!(record.agent, Some(id));
            assert!(record.pin.is_some(), "the pin outlives its agent");
            assert_hydrated(&chat).await;
        }
        assert_eq!(chats[2].prompt().await, rendered(&agents_md("elsewhere")));
    }
}
