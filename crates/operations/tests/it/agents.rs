//! Lists of agents by their state.

use std::time::Duration;

use ctxpin_model::agent::{AgentCounts, AgentRequest, AgentState};
use ctxpin_model::page::PageRequest;
use ctxpin_model::quota::QuotaChange;
use ctxpin_operations::{agents, people, quotas};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, member, user};

use crate::scene::{Scene, agents_md};

ctxpin_testing::on_both_databases!(
    agents_are_listed_and_counted_by_their_state,
    a_list_counts_what_the_heads_cannot_use,
    each_reader_counts_the_agents_that_they_may_read,
);

async fn agents_are_listed_and_counted_by_their_state(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let (service, owner) = (scene.service, scene.owner);
    scene.push(&agents_md("one")).await;
    let gone = scene.agent.id;
    // The last moment at which it counts as connected.
    test.advance(Duration::from_secs(90));
    let request = AgentRequest {
        workspace: "new".into(),
        name: "main".into(),
        may_refresh: false,
        replaces: None,
        ..AgentRequest::default()
    };
    let new = agents::create(service, owner, &request).await;
    let new = new.unwrap().0.id;
    let mut connected = TestAgent::create(service, owner, "connected").await;
    connected.push(service, &agents_md("two")).await.unwrap();
    let mut refused = TestAgent::create(service, owner, "refused").await;
    let small = QuotaChange {
        content_bytes: Some(Some(8)),
        ..QuotaChange::default()
    };
    let own = people::me(service, owner).await.unwrap().0.id;
    quotas::change(service, owner, own, &small).await.unwrap();
    let pushed = refused.push(service, &agents_md("much more text")).await;
    assert!(pushed.is_err());
    let check = async |expected: [(AgentState, Vec<_>); 4]| {
        let all = PageRequest::newest(9);
        for (state, ids) in &expected {
            let (listed, counts) = agents::list_by_state(service, owner, Some(*state), &all)
                .await
                .unwrap();
            let now = test.clock.now();
            assert!(listed.items.iter().all(|agent| agent.state(now) == *state));
            let listed: Vec<_> = listed.items.iter().map(|agent| agent.id).collect();
            assert_eq!(&listed, ids, "{state}");
            assert_eq!(counts.of(*state), ids.len() as u64, "{state}");
        }
        let (listed, counts) = agents::list_by_state(service, owner, None, &all)
            .await
            .unwrap();
        assert_eq!((listed.items.len(), counts.all()), (4, 4));
    };
    let (connected, refused) = (connected.id, refused.id);
    check([
        (AgentState::Connected, vec![connected, gone]),
        (AgentState::Refused, vec![refused]),
        (AgentState::Gone, vec![]),
        (AgentState::New, vec![new]),
    ])
    .await;
    test.advance(Duration::from_micros(1));
    check([
        (AgentState::Connected, vec![connected]),
        (AgentState::Refused, vec![refused]),
        (AgentState::Gone, vec![gone]),
        (AgentState::New, vec![new]),
    ])
    .await;
}

async fn a_list_counts_what_the_heads_cannot_use(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let (service, owner) = (scene.service, scene.owner);
    let mut sound = scene.other_agent().await;
    sound.push(service, &agents_md("one")).await.unwrap();
    let broken = agents_md("one").broken("skills/pdf/SKILL.md", "it has no frontmatter");
    let head = scene.push(&broken).await.head.unwrap().snapshot;
    let newest = PageRequest::newest(9);
    let agents = agents::list(service, owner, &newest).await.unwrap();
    assert_eq!(agents.items.len(), 2);
    let counts = agents::unusable_counts(service, owner, &agents.items).await;
    assert_eq!(counts.unwrap(), [(head, 1)].into());
}

async fn each_reader_counts_the_agents_that_they_may_read(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let (service, owner) = (scene.service, scene.owner);
    scene.push(&agents_md("one")).await;
    let other = member(service, owner, "other").await;
    let (_, auditor) = user(service, owner, "auditor", "auditor", "read").await;
    let one = AgentCounts {
        connected: 1,
        ..AgentCounts::default()
    };
    let newest = PageRequest::newest(9);
    for (reader, expected) in [(other, AgentCounts::default()), (auditor, one)] {
        let (listed, counts) = agents::list_by_state(service, reader, None, &newest)
            .await
            .unwrap();
        assert_eq!(counts, expected);
        assert_eq!(listed.items.len() as u64, counts.all());
    }
}
