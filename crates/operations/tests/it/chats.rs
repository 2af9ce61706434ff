//! Creation, changes and deletion of chats, and which of them move `updated_at`.

use ctxpin_model::access::{ActorRef, Operation};
use ctxpin_model::audit::{AuditFilter, AuditObject};
use ctxpin_model::chat::{ChatChange, ChatCounts, ChatCreate, ChatFilter, ChatState, ChatSummary};
use ctxpin_model::chat_search::ChatSearch;
use ctxpin_model::history::{StepRequest, StepStand};
use ctxpin_model::page::{IdCursor, PageRequest};
use ctxpin_model::pin::Reason;
use ctxpin_model::policy::Policy;
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_operations::chats;
use ctxpin_operations::{agents, history, overview, people};
use ctxpin_testing::chats::{TestChat, bound_to, given};
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::member;

use crate::scene::{Scene, agents_md, assert_sound, refusal, rendered};

ctxpin_testing::on_both_databases!(
    a_chat_of_an_agent_with_a_head_starts_pinned,
    a_chat_of_an_agent_without_head_is_hydrated_by_its_push,
    a_chat_without_agent_starts_unpinned,
    a_snapshots_error_fails_no_creation,
    a_child_starts_with_its_parents_pin,
    a_child_of_an_unpinned_parent_starts_as_any_chat,
    a_child_of_an_unbound_parent_keeps_the_pin,
    a_child_with_another_agent_is_refused,
    only_ones_own_can_be_named,
    a_chat_created_again_is_the_same,
    a_reference_needs_a_client,
    references_are_unique_per_owner_and_client,
    an_archived_chat_is_not_hydrated,
    an_archived_pin_stays,
    unarchiving_with_the_same_agent_hydrates,
    unarchiving_and_unbinding_at_once_hydrates_nothing,
    archiving_again_changes_nothing,
    titles_are_set_and_cleared,
    updated_at_moves_with_what_the_owner_changes,
    updated_at_stands_when_the_agent_or_the_pin_moves,
    a_change_of_nothing_does_not_move_updated_at,
    a_deleted_agent_leaves_pins_and_history,
    a_deleted_chat_takes_its_history_and_leaves_its_children,
    chats_are_listed_by_filter,
    chats_are_counted_and_listed_by_state,
    chats_are_found_by_title_and_by_id,
    a_summary_says_how_far_a_pin_is_behind,
    an_auditor_counts_the_chats_of_all,
    a_map_shows_at_which_head_a_pin_stood,
);

async fn a_chat_of_an_agent_with_a_head_starts_pinned(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("old")).await;
    let head = scene.push(&agents_md("new")).await.head.unwrap().snapshot;
    let chat = scene.chat().await;
    assert_eq!(chat.snapshot().await, Some(head));
    assert_eq!(chat.prompt().await, rendered(&agents_md("new")));
    let history = chat.history().await;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].reason, Reason::Create);
    assert_eq!(history[0].agent, Some(scene.agent.id));
    assert!(history[0].mcp_settled);
    assert_sound(&chat).await;
}

async fn a_chat_of_an_agent_without_head_is_hydrated_by_its_push(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = scene.chat().await;
    assert_eq!(chat.reasons().await, "");
    assert_eq!(scene.push_unsettled(&agents_md("one")).await.hydrated, 1);
    let history = chat.history().await;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].reason, Reason::Hydrate);
    assert_eq!(history[0].actor, ActorRef::Agent(scene.agent.id));
    assert!(!history[0].mcp_settled);
    assert_eq!(scene.push(&agents_md("two")).await.hydrated, 0);
    assert_eq!(chat.prompt().await, rendered(&agents_md("one")));
    assert_sound(&chat).await;
}

async fn a_chat_without_agent_starts_unpinned(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = TestChat::create(scene.service, scene.owner, &ChatCreate::default())
        .await
        .unwrap();
    scene.push(&agents_md("one")).await;
    assert_eq!(chat.snapshot().await, None);
    assert_eq!(chat.record().await.agent, None);
    assert_eq!(chat.prompt().await, "");
    chat.bind(Some(scene.agent.id)).await.unwrap();
    assert_eq!(chat.reasons().await, "hydrate");
}

async fn a_snapshots_error_fails_no_creation(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let broken = agents_md("one")
        .broken("b.md", "not UTF-8")
        .error("a cap was reached");
    scene.push(&broken).await;
    let chat = scene.chat().await;
    let pin = chat.record().await.pin.unwrap();
    assert_eq!(pin.error.as_deref(), Some("a cap was reached"));
}

fn child_of(parent: &TestChat) -> ChatCreate {
    ChatCreate {
        parent: Some(parent.id),
        ..ChatCreate::default()
    }
}

async fn a_child_starts_with_its_parents_pin(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let parent = scene.chat().await;
    scene.push(&agents_md("two")).await;
    let request = ChatCreate {
        agent: Some(scene.agent.id),
        ..child_of(&parent)
    };
    for request in [child_of(&parent), request] {
        let child = TestChat::create(scene.service, scene.owner, &request)
            .await
            .unwrap();
        let record = child.record().await;
        assert_eq!(record.parent, Some(parent.id));
        assert_eq!(record.agent, Some(scene.agent.id));
        assert_eq!(child.snapshot().await, parent.snapshot().await);
        assert_eq!(child.prompt_hash().await, parent.prompt_hash().await);
        assert!(record.drift().is_some());
        assert_eq!(child.reasons().await, "inherit");
    }
    parent.archive(true).await.unwrap();
    let child = TestChat::create(scene.service, scene.owner, &child_of(&parent)).await;
    assert_eq!(child.unwrap().snapshot().await, parent.snapshot().await);
}

async fn a_child_of_an_unpinned_parent_starts_as_any_chat(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let parent = scene.chat().await;
    let early = TestChat::create(scene.service, scene.owner, &child_of(&parent))
        .await
        .unwrap();
    assert_eq!(early.record().await.agent, Some(scene.agent.id));
    assert_eq!(scene.push(&agents_md("one")).await.hydrated, 2);
    parent.clear().await.unwrap();
    let late = TestChat::create(scene.service, scene.owner, &child_of(&parent))
        .await
        .unwrap();
    assert_eq!(late.reasons().await, "create");
    assert_eq!(late.prompt().await, rendered(&agents_md("one")));
}

async fn a_child_of_an_unbound_parent_keeps_the_pin(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let parent = scene.chat().await;
    parent.bind(None).await.unwrap();
    let child = TestChat::create(scene.service, scene.owner, &child_of(&parent))
        .await
        .unwrap();
    assert_eq!(child.record().await.agent, None);
    assert_eq!(child.prompt().await, rendered(&agents_md("one")));
    // The child's pin came from the same agent as the parent's.
    scene.push(&agents_md("two")).await;
    child.bind(Some(scene.agent.id)).await.unwrap();
    assert_eq!(child.reasons().await, "inherit");
}

async fn a_child_with_another_agent_is_refused(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let other = scene.other_agent().await;
    let parent = scene.chat().await;
    scene.minute();
    let unbound = scene.chat().await;
    unbound.bind(None).await.unwrap();
    for parent in [parent, unbound] {
        let request = ChatCreate {
            agent: Some(other.id),
            ..child_of(&parent)
        };
        let child = TestChat::create(scene.service, scene.owner, &request).await;
        assert_eq!(refusal(child.map(|child| child.id)), "invalid");
    }
}

async fn only_ones_own_can_be_named(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let stranger = member(scene.service, scene.owner, "stranger").await;
    let theirs = TestChat::create(scene.service, stranger, &ChatCreate::default())
        .await
        .unwrap();
    assert_eq!(
        refusal(theirs.bind(Some(scene.agent.id)).await),
        "not-found"
    );
    for request in [bound_to(scene.agent.id), child_of(&chat)] {
        let made = chats::create(scene.service, stranger, &request).await;
        assert_eq!(refusal(made), "not-found");
    }
}

fn named(client: &str, reference: &str) -> ChatCreate {
    ChatCreate {
        client: Some(client.into()),
        reference: Some(reference.into()),
        ..ChatCreate::default()
    }
}

async fn a_chat_created_again_is_the_same(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let request = ChatCreate {
        agent: Some(scene.agent.id),
        title: Some("first".into()),
        ..named("zed", "s1")
    };
    let (first, is_new) = chats::create(scene.service, scene.owner, &request)
        .await
        .unwrap();
    assert!(is_new);
    scene.push(&agents_md("two")).await;
    let again = ChatCreate {
        title: Some("second".into()),
        policy: Policy::Follow,
        ..request
    };
    let (second, is_new) = chats::create(scene.service, scene.owner, &again)
        .await
        .unwrap();
    assert!(!is_new);
    assert_eq!(second.id, first.id);
    assert_eq!(second.title.as_deref(), Some("first"));
    assert_eq!(second.policy, Policy::Manual);
    assert_eq!(second.pin_seq, 1);
    assert_eq!(second.updated_at, first.updated_at);
    assert!(second.drift().is_some());
}

async fn a_reference_needs_a_client(test: &TestService) {
    let scene = Scene::new(test).await;
    let request = ChatCreate {
        client: None,
        ..named("", "s1")
    };
    let made = chats::create(scene.service, scene.owner, &request).await;
    assert_eq!(refusal(made), "invalid");
}

async fn references_are_unique_per_owner_and_client(test: &TestService) {
    let scene = Scene::new(test).await;
    let member = member(scene.service, scene.owner, "member").await;
    let mut ids = std::collections::BTreeSet::new();
    for owner in [scene.owner, member] {
        for request in [named("zed", "s1"), named("vim", "s1"), named("zed", "s2")] {
            let (chat, is_new) = chats::create(scene.service, owner, &request).await.unwrap();
            assert!(is_new && ids.insert(chat.id));
        }
    }
    let without = ChatCreate {
        client: Some("zed".into()),
        ..ChatCreate::default()
    };
    for _ in 0..2 {
        let (chat, is_new) = chats::create(scene.service, scene.owner, &without)
            .await
            .unwrap();
        assert!(is_new && ids.insert(chat.id), "no reference names no chat");
    }
}

async fn an_archived_chat_is_not_hydrated(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = scene.chat().await;
    chat.archive(true).await.unwrap();
    assert_eq!(scene.push(&agents_md("one")).await.hydrated, 0);
    assert_eq!(chat.snapshot().await, None);
    let record = chat.archive(false).await.unwrap();
    assert!(record.pin.is_some() && record.archived_at.is_none());
    assert_eq!(chat.reasons().await, "hydrate");
    assert_sound(&chat).await;
}

async fn an_archived_pin_stays(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let pinned = chat.snapshot().await;
    let record = chat.archive(true).await.unwrap();
    assert_eq!(record.archived_at, Some(test.clock.now()));
    scene.push(&agents_md("two")).await;
    assert_eq!(chat.snapshot().await, pinned);
    chat.archive(false).await.unwrap();
    assert_eq!(chat.snapshot().await, pinned);
    assert!(chat.is_dirty().await, "an unarchived chat is right at once");
    assert_eq!(chat.reasons().await, "create");
}

async fn unarchiving_with_the_same_agent_hydrates(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = scene.chat().await;
    chat.archive(true).await.unwrap();
    scene.push(&agents_md("one")).await;
    let change = ChatChange {
        archived: Some(false),
        agent: Some(Some(scene.agent.id)),
        ..ChatChange::default()
    };
    let record = chat.change(change).await.unwrap();
    assert!(record.pin.is_some());
    assert_eq!(chat.reasons().await, "hydrate");
}

async fn unarchiving_and_unbinding_at_once_hydrates_nothing(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = scene.chat().await;
    chat.archive(true).await.unwrap();
    scene.push(&agents_md("one")).await;
    let change = ChatChange {
        archived: Some(false),
        agent: Some(None),
        ..ChatChange::default()
    };
    let record = chat.change(change).await.unwrap();
    assert!(record.pin.is_none() && record.agent.is_none() && record.archived_at.is_none());
}

async fn archiving_again_changes_nothing(test: &TestService) {
    let scene = Scene::new(test).await;
    let chat = scene.chat().await;
    let first = chat.archive(true).await.unwrap();
    scene.minute();
    let second = chat.archive(true).await.unwrap();
    assert_eq!(first.archived_at, second.archived_at);
}

async fn titles_are_set_and_cleared(test: &TestService) {
    let scene = Scene::new(test).await;
    let chat = scene.chat().await;
    let title = |title: Option<&str>| ChatChange {
        title: Some(title.map(Into::into)),
        ..ChatChange::default()
    };
    let named = chat.change(title(Some("A thing"))).await.unwrap();
    assert_eq!(named.title.as_deref(), Some("A thing"));
    chat.policy(Policy::Follow).await.unwrap();
    assert_eq!(chat.record().await.title.as_deref(), Some("A thing"));
    assert_eq!(chat.change(title(None)).await.unwrap().title, None);
}

async fn updated_at_moves_with_what_the_owner_changes(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let change = ChatChange::default;
    let changes = [
        ChatChange {
            title: Some(Some("t".into())),
            ..change()
        },
        ChatChange {
            policy: Some(Policy::Additive),
            ..change()
        },
        ChatChange {
            tools: Some(ToolsMode::Pinned),
            ..change()
        },
        ChatChange {
            agent: Some(None),
            ..change()
        },
        ChatChange {
            agent: Some(Some(scene.agent.id)),
            ..change()
        },
        ChatChange {
            archived: Some(true),
            ..change()
        },
        ChatChange {
            archived: Some(false),
            ..change()
        },
    ];
    for change in changes {
        scene.minute();
        let record = chat.change(change.clone()).await.unwrap();
        assert_eq!(record.updated_at, test.clock.now(), "{change:?}");
    }
    scene.minute();
    chat.turn().await.unwrap();
    assert_eq!(chat.record().await.updated_at, test.clock.now());
    scene.minute();
    agents::delete(scene.service, scene.owner, scene.agent.id)
        .await
        .unwrap();
    let unbound = chat.record().await;
    assert_eq!(
        (unbound.agent, unbound.updated_at),
        (None, test.clock.now())
    );
}

async fn updated_at_stands_when_the_agent_or_the_pin_moves(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let chat = scene.chat().await;
    let updated_at = chat.record().await.updated_at;
    scene.push(&agents_md("one")).await;
    assert_eq!(chat.record().await.updated_at, updated_at, "hydrated");
    let first = chat.snapshot().await.unwrap();
    scene.push(&agents_md("two")).await;
    assert_eq!(chat.record().await.updated_at, updated_at, "drifted");
    chat.decline().await.unwrap();
    chat.refresh().await.unwrap();
    chat.rollback(first).await.unwrap();
    chat.clear().await.unwrap();
    assert_eq!(chat.record().await.updated_at, updated_at, "moved");
}

async fn a_change_of_nothing_does_not_move_updated_at(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let before = chat.record().await;
    scene.minute();
    let same = ChatChange {
        title: Some(None),
        archived: Some(false),
        agent: Some(Some(scene.agent.id)),
        parent: None,
        mode: Some(before.mode),
        policy: Some(before.policy),
        tools: Some(before.tools),
    };
    for change in [ChatChange::default(), same] {
        let after = chat.change(change).await.unwrap();
        assert_eq!(after.updated_at, before.updated_at);
        assert_eq!(after.pin_seq, 1);
    }
}

async fn a_deleted_agent_leaves_pins_and_history(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    scene.push(&agents_md("two")).await;
    let prompt = chat.prompt().await;
    chat.turn().await.unwrap();
    agents::delete(scene.service, scene.owner, scene.agent.id)
        .await
        .unwrap();
    let record = chat.record().await;
    assert_eq!((record.agent, record.head), (None, None));
    assert!(record.drift().is_none());
    assert_eq!(chat.prompt().await, prompt);
    let history = chat.history().await;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].agent, Some(scene.agent.id));
    let turn = chat.turn().await.unwrap();
    assert_eq!(given(&turn).prompt, prompt);
    assert_eq!(turn.turn.tools_snapshot, chat.snapshot().await);
    assert_sound(&chat).await;
}

async fn a_deleted_chat_takes_its_history_and_leaves_its_children(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let parent = scene.chat().await;
    parent.turn().await.unwrap();
    let child = TestChat::create(scene.service, scene.owner, &child_of(&parent))
        .await
        .unwrap();
    parent.delete().await.unwrap();
    assert_eq!(
        refusal(chats::read(scene.service, scene.owner, parent.id).await),
        "not-found"
    );
    assert_eq!(refusal(parent.turn().await), "not-found");
    assert_eq!(refusal(parent.delete().await), "not-found");
    let record = child.record().await;
    assert_eq!(record.parent, None);
    assert_eq!(child.prompt().await, rendered(&agents_md("one")));
    assert_sound(&child).await;
    let audit = people::audit_log(
        scene.service,
        scene.owner,
        &AuditFilter::default(),
        &PageRequest::newest(10),
    )
    .await;
    let row = audit.unwrap().items.into_iter().find(|row| {
        row.object == Some(AuditObject::Chat(parent.id)) && row.action == Operation::ChatDelete
    });
    assert!(row.is_some(), "the audit row stays");
    assert_eq!(
        test.tamper("delete from chat_pins where chat_id not in (select id from chats)")
            .await,
        0
    );
    assert_eq!(
        test.tamper("delete from turns where chat_id not in (select id from chats)")
            .await,
        0
    );
}

async fn chats_are_listed_by_filter(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let old = scene.chat().await;
    scene.minute();
    let archived = scene.chat().await;
    archived.archive(true).await.unwrap();
    scene.push(&agents_md("two").server("git", &["log"])).await;
    let new = TestChat::create(
        scene.service,
        scene.owner,
        &ChatCreate {
            agent: Some(scene.agent.id),
            tools: ToolsMode::Pinned,
            ..named("zed", "s1")
        },
    )
    .await
    .unwrap();
    scene
        .push(&agents_md("two").server("git", &["blame"]))
        .await;
    scene.minute();
    let unbound = TestChat::create(scene.service, scene.owner, &ChatCreate::default())
        .await
        .unwrap();
    let page = PageRequest::newest(10);
    let listed = async |filter: ChatFilter| {
        let list = chats::list(scene.service, scene.owner, &filter, &page)
            .await
            .unwrap();
        list.items
            .into_iter()
            .map(|chat| chat.id)
            .collect::<Vec<_>>()
    };
    let all = ChatFilter::default;
    assert_eq!(
        listed(all()).await,
        [unbound.id, new.id, archived.id, old.id]
    );
    let dirty = |dirty| ChatFilter {
        dirty: Some(dirty),
        ..all()
    };
    assert_eq!(listed(dirty(true)).await, [new.id, archived.id, old.id]);
    assert_eq!(listed(dirty(false)).await, [unbound.id]);
    let only = |archived| ChatFilter {
        archived: Some(archived),
        ..all()
    };
    assert_eq!(listed(only(true)).await, [archived.id]);
    assert_eq!(listed(only(false)).await, [unbound.id, new.id, old.id]);
    let agent = ChatFilter {
        agent: Some(scene.agent.id),
        ..all()
    };
    assert_eq!(listed(agent).await.len(), 3);
    let of_client = ChatFilter {
        client: Some("zed".into()),
        reference: Some("s1".into()),
        dirty: Some(true),
        ..all()
    };
    assert_eq!(listed(of_client).await, [new.id]);
}

async fn chats_are_found_by_title_and_by_id(test: &TestService) {
    let scene = Scene::new(test).await;
    let mut chats = Vec::new();
    for title in [
        "Überweisung prüfen",
        "Refund flow",
        "überweisung 2",
        "Payments",
    ] {
        let request = ChatCreate {
            title: Some(title.into()),
            ..ChatCreate::default()
        };
        let chat = TestChat::create(scene.service, scene.owner, &request).await;
        chats.push(chat.unwrap().id);
        scene.minute();
    }
    let found = async |by, search: ChatSearch, page: &PageRequest<IdCursor>| {
        let filter = ChatFilter {
            search: Some(search),
            ..ChatFilter::default()
        };
        let listed = chats::list(scene.service, by, &filter, page).await.unwrap();
        let told = chats::summaries(scene.service, by, &filter, page)
            .await
            .unwrap();
        let ids: Vec<_> = listed.items.iter().map(|chat| chat.id).collect();
        let told: Vec<_> = told.items.iter().map(|line| line.chat.id).collect();
        assert_eq!(ids, told);
        (ids, listed.next)
    };
    let newest = PageRequest::newest(10);
    let search = ChatSearch::by_title("ÜBERWEISUNG");
    let both = found(scene.owner, search.clone(), &newest).await;
    assert_eq!(both, (vec![chats[2], chats[0]], None));
    let (first, next) = found(scene.owner, search.clone(), &PageRequest::newest(1)).await;
    assert_eq!(first, [chats[2]]);
    let after = PageRequest::newest(1).on(next.unwrap());
    let (second, _) = found(scene.owner, search.clone(), &after).await;
    assert_eq!(second, [chats[0]]);
    let id = chats[1].uuid().simple().to_string();
    let by_id = ChatSearch::by_title_or_id(&id[24..]);
    assert_eq!(found(scene.owner, by_id, &newest).await.0, [chats[1]]);
    let stranger = member(scene.service, scene.owner, "stranger").await;
    assert_eq!(found(stranger, search, &newest).await, (vec![], None));
}

/// Returns the summaries of a state, newest first.
async fn summaries(scene: &Scene<'_>, state: Option<ChatState>) -> Vec<ChatSummary> {
    let filter = ChatFilter {
        state,
        archived: Some(false),
        ..ChatFilter::default()
    };
    let page = PageRequest::newest(10);
    let list = chats::summaries(scene.service, scene.owner, &filter, &page);
    list.await.unwrap().items
}

async fn chats_are_counted_and_listed_by_state(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one").error("too many files")).await;
    let drifted = scene.chat().await;
    scene.minute();
    let declined = scene.chat().await;
    scene.minute();
    let archived = scene.chat().await;
    archived.archive(true).await.unwrap();
    scene.push(&agents_md("two")).await;
    declined.decline().await.unwrap();
    scene.minute();
    let clean = scene.chat().await;
    scene.minute();
    let unpinned = TestChat::create(scene.service, scene.owner, &ChatCreate::default())
        .await
        .unwrap();
    scene.minute();
    let unbound = scene.chat().await;
    unbound.bind(None).await.unwrap();
    let counts = overview::read(scene.service, scene.owner)
        .await
        .unwrap()
        .counts;
    let expected = ChatCounts {
        all: 5,
        drifted: 1,
        declined: 1,
        unpinned: 1,
        unbound: 1,
        error: 2,
        archived: 1,
        observed: 0,
        deviating: 0,
        own_drifted: 1,
        agents: 1,
    };
    assert_eq!(counts, expected);
    for (state, expected) in [
        (
            None,
            vec![unbound.id, unpinned.id, clean.id, declined.id, drifted.id],
        ),
        (Some(ChatState::Drifted), vec![drifted.id]),
        (Some(ChatState::Declined), vec![declined.id]),
        (Some(ChatState::Unpinned), vec![unpinned.id]),
        (Some(ChatState::Unbound), vec![unbound.id]),
        (Some(ChatState::Error), vec![declined.id, drifted.id]),
    ] {
        let listed = summaries(&scene, state).await;
        let listed: Vec<_> = listed.iter().map(|line| line.chat.id).collect();
        assert_eq!(listed, expected, "{state:?}");
    }
}

async fn a_summary_says_how_far_a_pin_is_behind(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let behind = async |scene: &Scene<'_>| {
        let summary = chats::summary(scene.service, scene.owner, chat.id);
        summary.await.unwrap().heads_behind()
    };
    assert_eq!(behind(&scene).await, Some(0));
    scene.push(&agents_md("two")).await;
    assert_eq!(behind(&scene).await, Some(1));
    scene.push(&agents_md("three")).await;
    assert_eq!(behind(&scene).await, Some(2));
    // The last head that equals the pin counts.
    scene.push(&agents_md("one")).await;
    assert_eq!(behind(&scene).await, Some(0));
    scene.push(&agents_md("four")).await;
    assert_eq!(behind(&scene).await, Some(1));
    // A pin with some of the changes equals no head.
    scene
        .push(&agents_md("five").file("CLAUDE.md", "six"))
        .await;
    chat.take(&["/w/CLAUDE.md"]).await.unwrap();
    assert_eq!(behind(&scene).await, None);
    chat.turn().await.unwrap();
    let summary = chats::summary(scene.service, scene.owner, chat.id)
        .await
        .unwrap();
    assert_eq!(summary.workspace.as_deref(), Some("project"));
    assert!(summary.last_turn_at.is_some() && summary.agent_seen_at.is_some());
    chat.bind(None).await.unwrap();
    assert_eq!(behind(&scene).await, Some(0));
}

async fn an_auditor_counts_the_chats_of_all(test: &TestService) {
    let scene = Scene::new(test).await;
    let other = member(scene.service, scene.owner, "other").await;
    TestChat::create(scene.service, other, &ChatCreate::default())
        .await
        .unwrap();
    scene.chat().await;
    let all = async |caller| {
        overview::read(scene.service, caller)
            .await
            .unwrap()
            .counts
            .all
    };
    // The owner is an admin, who reads as an auditor does.
    assert_eq!((all(scene.owner).await, all(other).await), (2, 1));
}

async fn a_map_shows_at_which_head_a_pin_stood(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chat = scene.chat().await;
    let two = agents_md("two").file("a.md", "A.\n");
    scene.push(&two).await;
    chat.refresh().await.unwrap();
    chat.clear().await.unwrap();
    let composed = scene.chat().await;
    let archived = scene.chat().await;
    archived.archive(true).await.unwrap();
    scene.push(&agents_md("three")).await;
    composed.take(&["/w/AGENTS.md"]).await.unwrap();
    let agent = scene.agent.id;
    let steps = async |caller, chats_max, moves_max| {
        let request = StepRequest {
            agent,
            chats_max,
            moves_max,
        };
        let steps = history::steps(scene.service, caller, request).await;
        let steps = steps.unwrap().into_iter();
        steps
            .map(|step| (step.chat, step.stand))
            .collect::<Vec<_>>()
    };
    let (one, two) = (StepStand::Head(1), StepStand::Head(2));
    let all = [
        (chat.id, one),
        (chat.id, two),
        (chat.id, StepStand::Unpinned),
        // The next push hydrates it.
        (chat.id, StepStand::Head(3)),
        (composed.id, two),
        (composed.id, StepStand::Elsewhere),
    ];
    assert_eq!(steps(scene.owner, 9, 9).await, all);
    // The newest chats, and the newest moves of each.
    assert_eq!(steps(scene.owner, 1, 9).await, all[4..]);
    assert_eq!(steps(scene.owner, 9, 1).await, [all[3], all[5]]);
    let other = member(scene.service, scene.owner, "other").await;
    assert_eq!(steps(other, 9, 9).await, []);
}
