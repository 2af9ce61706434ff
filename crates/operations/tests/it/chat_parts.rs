//! The list of chats as a person goes through it.

use ctxpin_model::chat::{ChatCreate, ChatFilter, ChatPlace, ChatState};
use ctxpin_model::id::ChatId;
use ctxpin_model::page::{ListPart, PageRequest};
use ctxpin_operations::{chats, people};
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{member, user};

use crate::scene::{Scene, agents_md};

ctxpin_testing::on_both_databases!(
    a_list_of_chats_goes_both_ways_and_drifted_ones_begin_with_the_longest,
    a_part_says_how_many_chats_each_workspace_has,
    an_auditor_lists_the_chats_of_one_owner,
);

/// Returns a part of the chats in a state: their ids, the number before them, and whether more may follow.
async fn part(
    scene: &Scene<'_>,
    state: Option<ChatState>,
    part: ListPart<ChatPlace>,
) -> (Vec<ChatId>, u64, bool) {
    let filter = ChatFilter {
        state,
        archived: Some(false),
        ..ChatFilter::default()
    };
    let found = chats::part(scene.service, scene.owner, &filter, part, 2).await;
    let found = found.unwrap();
    let ids = found.chats.iter().map(|line| line.chat.id).collect();
    (ids, found.before, found.has_more)
}

async fn a_list_of_chats_goes_both_ways_and_drifted_ones_begin_with_the_longest(
    test: &TestService,
) {
    let mut scene = Scene::new(test).await;
    let mut chats = Vec::new();
    for (text, count) in [("one", 2), ("two", 1), ("three", 2)] {
        scene.push(&agents_md(text)).await;
        scene.minute();
        for _ in 0..count {
            chats.push(scene.chat().await.id);
            scene.minute();
        }
    }
    scene.push(&agents_md("four")).await;
    let clean = scene.chat().await.id;
    let place = async |chat: ChatId, state| {
        let line = chats::summary(scene.service, scene.owner, chat).await;
        ChatPlace::of(&line.unwrap().chat, state)
    };
    // Those of the first push have been behind for longest.
    let drifted = Some(ChatState::Drifted);
    let by_drift = chats.clone();
    let by_id: Vec<_> = [clean]
        .into_iter()
        .chain(chats.iter().rev().copied())
        .collect();
    for (state, all) in [(drifted, by_drift), (None, by_id)] {
        let first = part(&scene, state, ListPart::First).await;
        assert_eq!(first, (all[..2].to_vec(), 0, true), "{state:?}");
        let after = async |index: usize| ListPart::After(place(all[index], state).await);
        let before = async |index: usize| ListPart::Before(place(all[index], state).await);
        let second = part(&scene, state, after(1).await).await;
        assert_eq!(second, (all[2..4].to_vec(), 2, true), "{state:?}");
        let last = part(&scene, state, after(all.len() - 2).await).await;
        let count = all.len() as u64;
        assert_eq!(last, (all[all.len() - 1..].to_vec(), count - 1, false));
        let none = part(&scene, state, after(all.len() - 1).await).await;
        assert_eq!((none.0.len(), none.2), (0, false), "{state:?}");
        // The way back shows the same parts.
        assert_eq!(part(&scene, state, before(2).await).await, first);
        assert_eq!(part(&scene, state, before(4).await).await, second);
        // A part before the first few is the first one, and full.
        assert_eq!(part(&scene, state, before(1).await).await, first);
        assert_eq!(part(&scene, state, before(0).await).await, first);
    }
}

async fn a_part_says_how_many_chats_each_workspace_has(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let first = scene.chat().await;
    for _ in 0..2 {
        scene.chat().await;
    }
    scene.push(&agents_md("two")).await;
    let archived = scene.chat().await;
    archived.archive(true).await.unwrap();
    let stranger = member(scene.service, scene.owner, "stranger").await;
    for owner in [scene.owner, scene.owner, stranger] {
        TestChat::create(scene.service, owner, &ChatCreate::default())
            .await
            .unwrap();
    }
    first.decline().await.unwrap();
    let agent = Some(scene.agent.id);
    let counts = async |caller, state, archived| {
        let filter = ChatFilter {
            state,
            archived: Some(archived),
            ..ChatFilter::default()
        };
        let found = chats::part(scene.service, caller, &filter, ListPart::First, 4).await;
        Vec::from_iter(found.unwrap().by_agent)
    };
    // The part shows the newest chats alone, and counts those beyond it. The owner is an admin, who reads as an auditor
    // does.
    let all = counts(scene.owner, None, false).await;
    assert_eq!(all, [(None, 3), (agent, 3)]);
    let declined = counts(scene.owner, Some(ChatState::Declined), false).await;
    assert_eq!(declined, [(agent, 1)]);
    let archived = counts(scene.owner, None, true).await;
    assert_eq!(archived, [(agent, 1)]);
    assert_eq!(counts(stranger, None, false).await, [(None, 1)]);
}

async fn an_auditor_lists_the_chats_of_one_owner(test: &TestService) {
    let scene = Scene::new(test).await;
    let (mira, other) = user(scene.service, scene.owner, "mira", "member", "read write").await;
    let theirs = TestChat::create(scene.service, other, &ChatCreate::default())
        .await
        .unwrap();
    let own = scene.chat().await;
    let listed = async |caller, owner| {
        let filter = ChatFilter {
            owner: Some(owner),
            ..ChatFilter::default()
        };
        let page = PageRequest::newest(10);
        let listed = chats::summaries(scene.service, caller, &filter, &page).await;
        let counts = chats::counts(scene.service, caller, None, Some(owner)).await;
        let listed = listed.unwrap().items.into_iter();
        let listed: Vec<_> = listed.map(|line| (line.chat.id, line.owner_name)).collect();
        assert_eq!(counts.unwrap().all, listed.len() as u64);
        listed
    };
    // The owner of the scene is an admin, who reads as an auditor does.
    let (admin, _) = people::me(scene.service, scene.owner).await.unwrap();
    assert_eq!(
        listed(scene.owner, mira).await,
        [(theirs.id, "mira".into())]
    );
    assert_eq!(
        listed(scene.owner, admin.id).await,
        [(own.id, admin.name.clone())]
    );
    assert_eq!(listed(other, mira).await, [(theirs.id, "mira".into())]);
    assert_eq!(listed(other, admin.id).await, []);
}
