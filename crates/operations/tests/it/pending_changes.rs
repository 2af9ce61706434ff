//! Pending changes of several workspaces, and decisions about them.

use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditFilter;
use ctxpin_model::diff::effect::Effect;
use ctxpin_model::diff::lines::LineCounts;
use ctxpin_model::hash::SnapshotId;
use ctxpin_model::id::ChatId;
use ctxpin_model::page::PageRequest;
use ctxpin_model::pending_change::PendingChangeId;
use ctxpin_model::pin_move::{BulkMove, BulkOutcome, Decision, MoveBack, SeenChat};
use ctxpin_model::policy::Policy;
use ctxpin_model::quota::{Quotas, Rates};
use ctxpin_model::token::Credential;
use ctxpin_operations::bulk_moves::{bulk_archive, bulk_move, bulk_rollback};
use ctxpin_operations::error::Error;
use ctxpin_operations::pending_changes::{self, PendingItem, PendingList};
use ctxpin_operations::people;
use ctxpin_operations::service::Service;
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{TestAgent, chat, user};
use ctxpin_testing::workspace::Workspace;

use crate::scene::{Scene, agents_md, refusal};

ctxpin_testing::on_both_databases!(
    equal_changes_of_two_workspaces_are_one,
    a_change_is_as_old_as_its_content_in_the_workspace,
    decided_chats_have_no_pending_changes,
    pages_continue_where_they_ended,
    the_chats_of_a_change_are_paged,
    an_auditor_sees_the_changes_of_all,
    lines_are_counted_for_those_who_may_read_them,
    many_workspaces_are_compared,
    a_list_costs_the_same_for_few_and_many,
    a_bulk_move_takes_all,
    a_bulk_move_takes_one_change_of_several_workspaces,
    a_bulk_move_declines_and_takes_that_back,
    a_bulk_move_leaves_what_was_not_seen,
    a_bulk_move_leaves_what_belongs_to_others,
    a_bulk_move_takes_a_head_whose_diff_was_seen,
    a_bulk_move_is_undone_where_nobody_moved_since,
    chats_are_archived_together,
    a_request_about_many_chats_counts_once,
    a_token_that_only_reads_moves_nothing,
);

/// A workspace with an `AGENTS.md` and a skill.
fn workspace(directory: &str, text: &str, skill: &str) -> Workspace {
    Workspace::with_agents_md(directory, text).skill("notes", skill, &[])
}

/// Two workspaces of one owner, with two chats and one chat.
struct Two<'t> {
    scene: Scene<'t>,
    other: TestAgent,
    chats: Vec<TestChat>,
}

impl<'t> Two<'t> {
    async fn new(test: &'t TestService) -> Self {
        let mut scene = Scene::new(test).await;
        let mut other = scene.other_agent().await;
        scene.push(&workspace("/a", "One.\n", "Does.")).await;
        let (service, owner) = (scene.service, scene.owner);
        other
            .push(service, &workspace("/b", "One.\n", "Does."))
            .await
            .unwrap();
        let chats = vec![
            scene.chat().await,
            scene.chat().await,
            TestChat::bound(service, owner, other.id).await,
        ];
        Self {
            scene,
            other,
            chats,
        }
    }

    /// Pushes an `AGENTS.md` and the description of a skill to both workspaces.
    async fn push(&mut self, text: &str, skill: &str) {
        self.scene.push(&workspace("/a", text, skill)).await;
        let service = self.scene.service;
        self.other
            .push(service, &workspace("/b", text, skill))
            .await
            .unwrap();
    }

    async fn list(&self) -> PendingList {
        list(self.scene.service, self.scene.owner).await
    }

    /// Decides about chats as they are now.
    async fn decide(&self, chats: &[&TestChat], decision: Decision) -> Vec<Told> {
        let mut seen = Vec::new();
        for chat in chats {
            seen.push(seen_now(chat).await);
        }
        decide(self.scene.service, self.scene.owner, seen, decision).await
    }
}

async fn list(service: &Service, credential: Credential) -> PendingList {
    let page = PageRequest::newest(50);
    let listed = pending_changes::list(service, credential, false, &page).await;
    listed.expect("the caller may list")
}

fn told(list: &PendingList) -> Vec<String> {
    let told = list.page.items.iter().map(|item| {
        let change = &item.change;
        format!(
            "{} {} of {} in {}",
            change.verb, change.path, item.chat_count, item.workspace_count
        )
    });
    let mut told: Vec<_> = told.collect();
    told.sort();
    told
}

fn item<'l>(list: &'l PendingList, path: &str) -> &'l PendingItem {
    let mut items = list.page.items.iter();
    let item = items.find(|item| item.change.path == path);
    item.expect("there is a pending change of the path")
}

async fn seen_now(chat: &TestChat) -> SeenChat {
    let record = chat.record().await;
    SeenChat {
        chat: chat.id,
        pin: record.pin.expect("a pin").pin.snapshot,
        head: record.head.expect("a head").snapshot,
    }
}

#[derive(Debug, PartialEq)]
enum Told {
    Done(BulkOutcome),
    Refused(&'static str),
}

async fn decide(
    service: &Service,
    credential: Credential,
    chats: Vec<SeenChat>,
    decision: Decision,
) -> Vec<Told> {
    let request = BulkMove { chats, decision };
    let results = bulk_move(service, credential, &request).await;
    let results = results.expect("the caller may move pins").into_iter();
    let told = results.map(|(_, result)| match result {
        Ok(outcome) => Told::Done(outcome),
        refused => Told::Refused(refusal(refused)),
    });
    told.collect()
}

async fn head_of(chat: &TestChat) -> SnapshotId {
    seen_now(chat).await.head
}

async fn equal_changes_of_two_workspaces_are_one(test: &TestService) {
    let mut two = Two::new(test).await;
    assert!(two.list().await.page.items.is_empty());
    two.push("Two.\n", "Does more.").await;
    let list = two.list().await;
    assert_eq!(
        told(&list),
        [
            "modified .agents/skills/notes/SKILL.md of 3 in 2",
            "modified AGENTS.md of 3 in 2"
        ]
    );
    assert!(list.is_complete);
    assert_eq!(list.chat_count, 3);
    let item = item(&list, "AGENTS.md");
    assert_eq!(item.change.effect, Effect::Prompt);
    let since = two.chats[0].record().await.drift().unwrap().since;
    assert_eq!(item.since, since);
    // Who declines one declines both.
    assert_eq!(item.change_count, 2);
    let places = item.chats.iter().map(|chat| {
        let (source, workspace) = (&chat.place.source, &chat.drifted.workspace);
        format!("{source} {workspace}")
    });
    let mut places: Vec<_> = places.collect();
    places.sort();
    assert_eq!(
        places,
        [
            "/a/AGENTS.md project",
            "/a/AGENTS.md project",
            "/b/AGENTS.md other"
        ]
    );
    // Another edit in one of the workspaces makes it two changes.
    two.scene
        .push(&workspace("/a", "Three.\n", "Does more."))
        .await;
    assert_eq!(
        told(&two.list().await),
        [
            "modified .agents/skills/notes/SKILL.md of 3 in 2",
            "modified AGENTS.md of 1 in 1",
            "modified AGENTS.md of 2 in 1"
        ]
    );
}

async fn a_change_is_as_old_as_its_content_in_the_workspace(test: &TestService) {
    let mut two = Two::new(test).await;
    let dates = async |two: &Two<'_>| {
        let list = two.list().await;
        let (file, skill) = ("AGENTS.md", ".agents/skills/notes/SKILL.md");
        let items = [item(&list, file), item(&list, skill)];
        let changes = items.map(|item| (&item.change, &*item.chats));
        let dates = pending_changes::dates(two.scene.service, two.scene.owner, &changes).await;
        let dates = dates.unwrap();
        ((dates[0], items[0].since), (dates[1], items[1].since))
    };
    let pushed_at = async |two: &Two<'_>| {
        let head = two.chats[0].record().await.head;
        head.unwrap().received_at
    };
    two.push("Two.\n", "Does.").await;
    let behind = pushed_at(&two).await;
    two.push("Two.\n", "Does more.").await;
    let skill = pushed_at(&two).await;
    // The chats have been behind since the first of the two, and the skill changed with the second.
    let expected = ((Some(behind), behind), (Some(skill), behind));
    assert_eq!(dates(&two).await, expected);
    // Another edit of the file leaves the age of the skill.
    two.push("Three.\n", "Does more.").await;
    let later = pushed_at(&two).await;
    let expected = ((Some(later), behind), (Some(skill), behind));
    assert_eq!(dates(&two).await, expected);
    // A change that is older than the newest heads has no date.
    for number in 0..16 {
        two.push(&format!("Edition {number}.\n"), "Does more.")
            .await;
    }
    let (file, skill) = dates(&two).await;
    assert_eq!((file.0, skill.0), (Some(pushed_at(&two).await), None));
}

async fn decided_chats_have_no_pending_changes(test: &TestService) {
    let mut two = Two::new(test).await;
    two.push("Two.\n", "Does.").await;
    two.chats[0].decline().await.unwrap();
    two.chats[1].archive(true).await.unwrap();
    assert_eq!(told(&two.list().await), ["modified AGENTS.md of 1 in 1"]);
    two.chats[2].refresh().await.unwrap();
    let list = two.list().await;
    assert!(list.page.items.is_empty());
    assert_eq!((list.chat_count, list.is_complete), (0, true));
    // A declined chat drifts again with the next change.
    two.push("Three.\n", "Does.").await;
    assert_eq!(
        told(&two.list().await),
        [
            "modified AGENTS.md of 1 in 1",
            "modified AGENTS.md of 1 in 1"
        ]
    );
}

async fn pages_continue_where_they_ended(test: &TestService) {
    let mut two = Two::new(test).await;
    two.push("Two.\n", "Does more.").await;
    two.scene
        .push(&workspace("/a", "Three.\n", "Does more."))
        .await;
    let (service, owner) = (two.scene.service, two.scene.owner);
    let whole = two.list().await.page.items;
    let mut page = PageRequest::newest(1);
    let mut ids = Vec::new();
    loop {
        let listed = pending_changes::list(service, owner, true, &page).await;
        let listed = listed.unwrap().page;
        ids.extend(listed.items.iter().map(|item| item.change.id));
        match listed.next {
            Some(next) => page = page.on(next),
            None => break,
        }
    }
    let expected: Vec<_> = whole.iter().map(|item| item.change.id).collect();
    assert_eq!(ids, expected);
    assert_eq!(ids.len(), 3);
}

async fn the_chats_of_a_change_are_paged(test: &TestService) {
    let mut two = Two::new(test).await;
    two.push("Two.\n", "Does.").await;
    let (service, owner) = (two.scene.service, two.scene.owner);
    let id = two.list().await.page.items[0].change.id;
    let mut page = PageRequest::newest(2);
    let first = pending_changes::chats(service, owner, true, id, &page).await;
    let first = first.unwrap().page;
    page = page.on(first.next.unwrap());
    let second = pending_changes::chats(service, owner, true, id, &page).await;
    let second = second.unwrap().page;
    assert_eq!(second.next, None);
    let told = first.items.iter().chain(&second.items);
    let told: Vec<_> = told.map(|pending| pending.drifted.chat.id).collect();
    let mut expected: Vec<_> = two.chats.iter().map(|chat| chat.id).collect();
    expected.sort_by(|a, b| b.cmp(a));
    assert_eq!(told, expected);
    let unknown: PendingChangeId = "00000000000000000000000000000000".parse().unwrap();
    let none = pending_changes::chats(service, owner, true, unknown, &page).await;
    let none = none.unwrap();
    assert!(none.change.is_none() && none.page.items.is_empty());
}

async fn an_auditor_sees_the_changes_of_all(test: &TestService) {
    let mut two = Two::new(test).await;
    two.push("Two.\n", "Does.").await;
    let (service, owner) = (two.scene.service, two.scene.owner);
    let (_, auditor) = user(service, owner, "auditor", "auditor", "read").await;
    let (_, member) = user(service, owner, "member", "member", "read write").await;
    let seen = list(service, auditor).await;
    assert_eq!(told(&seen), ["modified AGENTS.md of 3 in 2"]);
    assert!(list(service, member).await.page.items.is_empty());
    let own = pending_changes::list(service, auditor, true, &PageRequest::newest(9)).await;
    assert!(own.unwrap().page.items.is_empty());
}

async fn lines_are_counted_for_those_who_may_read_them(test: &TestService) {
    let mut two = Two::new(test).await;
    two.push("One.\nTwo.\nThree.\n", "Does more.").await;
    let (service, owner) = (two.scene.service, two.scene.owner);
    let counted = |list: &PendingList| {
        let items = list.page.items.iter();
        let mut counts: Vec<_> = items
            .map(|item| (item.change.subject.as_str(), item.lines))
            .collect();
        counts.sort_by_key(|(kind, _)| *kind);
        counts
    };
    let lines = |added, removed| Some(LineCounts { added, removed });
    let expected = [("instruction_file", lines(2, 0)), ("skill", lines(1, 1))];
    assert_eq!(counted(&two.list().await), expected);
    // The counts are kept, so that no text is read again.
    let before = service.counts();
    assert_eq!(counted(&two.list().await), expected);
    assert_eq!((service.counts() - before).statements, 4);
    let (_, auditor) = user(service, owner, "auditor", "auditor", "read").await;
    let untold = counted(&list(service, auditor).await);
    assert_eq!(untold, [("instruction_file", None), ("skill", None)]);
}

/// Returns how many statements a first list of a replica executes, and how many a second one does.
async fn statements(test: &TestService, owner: Credential, changes: usize) -> [u64; 2] {
    let replica = test.replica().await;
    let mut statements = [0; 2];
    for statements in &mut statements {
        let before = replica.counts();
        let listed = list(&replica, owner).await;
        assert_eq!(listed.page.items.len(), changes);
        assert!(listed.page.items.iter().all(|item| item.lines.is_some()));
        *statements = (replica.counts() - before).statements;
    }
    replica.close().await;
    statements
}

async fn a_list_costs_the_same_for_few_and_many(test: &TestService) {
    let mut scene = Scene::new(test).await;
    let (service, owner) = (scene.service, scene.owner);
    let edition = |files: usize, text: &str| {
        let first = Workspace::with_agents_md("/w", &format!("{text}\n"));
        (1..files).fold(first, |workspace, number| {
            workspace.file(&format!("rules/{number}.md"), &format!("{text} {number}\n"))
        })
    };
    scene.push(&edition(3, "One.")).await;
    scene.chat().await;
    // A head that is neither a pin nor the newest is read for the age of a change.
    scene.push(&edition(3, "Between.")).await;
    scene.push(&edition(3, "Two.")).await;
    let few = statements(test, owner, 3).await;
    // A page has 50 changes.
    scene.push(&edition(120, "Three.")).await;
    assert_eq!(statements(test, owner, 50).await, few);
    for number in 0..40 {
        let mut agent = TestAgent::create(service, owner, &format!("w{number}")).await;
        let text = format!("Workspace {number}.");
        agent.push(service, &edition(1, &text)).await.unwrap();
        TestChat::bound(service, owner, agent.id).await;
        agent.push(service, &edition(2, &text)).await.unwrap();
    }
    assert_eq!(statements(test, owner, 50).await, few);
}

async fn many_workspaces_are_compared(test: &TestService) {
    let scene = Scene::new(test).await;
    let (service, owner) = (scene.service, scene.owner);
    for number in 0..20 {
        let mut agent = TestAgent::create(service, owner, &format!("w{number}")).await;
        let directory = format!("/w{number}");
        for text in ["One.\n", "Two.\n"] {
            agent
                .push(service, &Workspace::with_agents_md(&directory, text))
                .await
                .unwrap();
            if text == "One.\n" {
                TestChat::bound(service, owner, agent.id).await;
            }
        }
    }
    let list = list(service, owner).await;
    assert_eq!(told(&list), ["modified AGENTS.md of 20 in 20"]);
    assert!(list.is_complete);
}

async fn a_bulk_move_takes_all(test: &TestService) {
    let mut two = Two::new(test).await;
    two.push("Two.\n", "Does more.").await;
    let all: Vec<_> = two.chats.iter().collect();
    let moved = two.decide(&all, Decision::TakeAll).await;
    let mut expected = Vec::new();
    for chat in &two.chats {
        expected.push(Told::Done(moved_to(head_of(chat).await)));
        assert!(!chat.is_dirty().await);
        assert_eq!(chat.reasons().await, "create refresh");
    }
    assert_eq!(moved, expected);
    // Each move has a line of its own in the audit log.
    let service = two.scene.service;
    let log = people::audit_log(
        service,
        two.scene.owner,
        &AuditFilter::default(),
        &PageRequest::newest(50),
    )
    .await;
    let lines = log.unwrap().items.into_iter();
    let moves = lines.filter(|line| line.action == Operation::PinMove);
    assert_eq!(moves.count(), 3);
    let again = two.decide(&all, Decision::TakeAll).await;
    assert!(
        again
            .iter()
            .all(|told| *told == Told::Done(BulkOutcome::Unchanged))
    );
}

async fn a_bulk_move_takes_one_change_of_several_workspaces(test: &TestService) {
    let mut two = Two::new(test).await;
    two.push("Two.\n", "Does more.").await;
    let list = two.list().await;
    let id = item(&list, "AGENTS.md").change.id;
    let all: Vec<_> = two.chats.iter().collect();
    let moved = two.decide(&all, Decision::Take(vec![id])).await;
    assert!(matches!(moved[2], Told::Done(BulkOutcome::Moved { .. })));
    for chat in &two.chats {
        assert!(chat.prompt().await.contains("Two."));
        assert!(chat.is_dirty().await, "the skill was not taken");
    }
    assert_eq!(
        told(&two.list().await),
        ["modified .agents/skills/notes/SKILL.md of 3 in 2"]
    );
    // The chats do not have this change any more.
    let again = two.decide(&all, Decision::Take(vec![id])).await;
    assert!(
        again
            .iter()
            .all(|told| *told == Told::Done(BulkOutcome::Unchanged))
    );
    let rest = two.list().await.page.items[0].change.id;
    two.decide(&all, Decision::Take(vec![rest])).await;
    for chat in &two.chats {
        assert_eq!(seen_now(chat).await.pin, head_of(chat).await);
    }
}

async fn a_bulk_move_declines_and_takes_that_back(test: &TestService) {
    let mut two = Two::new(test).await;
    two.push("Two.\n", "Does.").await;
    let all: Vec<_> = two.chats.iter().collect();
    let declined = two.decide(&all, Decision::Decline).await;
    assert!(
        declined
            .iter()
            .all(|told| *told == Told::Done(BulkOutcome::Declined))
    );
    for chat in &two.chats {
        assert!(chat.record().await.drift().unwrap().declined);
        assert_eq!(chat.reasons().await, "create");
    }
    assert!(two.list().await.page.items.is_empty());

    let waiting = two.decide(&all, Decision::Undecline).await;
    assert!(
        waiting
            .iter()
            .all(|told| *told == Told::Done(BulkOutcome::Undeclined))
    );
    for chat in &two.chats {
        assert!(!chat.record().await.drift().unwrap().declined);
        assert_eq!(chat.reasons().await, "create");
    }
    assert_eq!(two.list().await.page.items.len(), 1);
}

async fn a_bulk_move_leaves_what_was_not_seen(test: &TestService) {
    let mut two = Two::new(test).await;
    two.push("Two.\n", "Does.").await;
    let mut seen = Vec::new();
    for chat in &two.chats {
        seen.push(seen_now(chat).await);
    }
    // The first chat's pin moves, and the third chat's head.
    two.chats[0].refresh().await.unwrap();
    let service = two.scene.service;
    two.other
        .push(service, &workspace("/b", "Three.\n", "Does."))
        .await
        .unwrap();
    let told = decide(service, two.scene.owner, seen, Decision::TakeAll).await;
    let head = head_of(&two.chats[1]).await;
    assert_eq!(
        told,
        [
            Told::Refused("precondition-failed"),
            Told::Done(moved_to(head)),
            Told::Refused("precondition-failed")
        ]
    );
    assert_eq!(two.chats[2].reasons().await, "create");
}

async fn a_bulk_move_leaves_what_belongs_to_others(test: &TestService) {
    let mut two = Two::new(test).await;
    two.push("Two.\n", "Does.").await;
    let (service, owner) = (two.scene.service, two.scene.owner);
    let (_, stranger) = user(service, owner, "stranger", "member", "read write").await;
    let (_, auditor) = user(service, owner, "auditor", "member auditor", "read write").await;
    let seen = vec![seen_now(&two.chats[0]).await];
    let told = decide(service, stranger, seen.clone(), Decision::TakeAll).await;
    assert_eq!(told, [Told::Refused("not-found")]);
    let told = decide(service, auditor, seen, Decision::TakeAll).await;
    assert_eq!(told, [Told::Refused("forbidden")]);
    assert_eq!(two.chats[0].reasons().await, "create");
}

/// Returns the outcome of a chat whose policy is manual.
fn moved_to(pin: SnapshotId) -> BulkOutcome {
    let policy = Policy::Manual;
    BulkOutcome::Moved { pin, policy }
}

/// Returns what happened to each chat, in a word.
fn words(results: Vec<(ChatId, Result<(), Error>)>) -> Vec<&'static str> {
    let words = results.into_iter().map(|(_, result)| match result {
        Ok(()) => "done",
        refused => refusal(refused),
    });
    words.collect()
}

async fn a_bulk_move_takes_a_head_whose_diff_was_seen(test: &TestService) {
    let mut scene = Scene::new(test).await;
    scene.push(&agents_md("one")).await;
    let chats = [scene.chat().await, scene.chat().await];
    let two = agents_md("two");
    scene.push(&two).await;
    let seen = [seen_now(&chats[0]).await, seen_now(&chats[1]).await];
    let newest = PageRequest::newest(10);
    let list = pending_changes::list(scene.service, scene.owner, true, &newest).await;
    let id = list.unwrap().page.items[0].change.id;
    let unused = two.broken("skills/pdf/SKILL.md", "no text");
    let newest = scene.push(&unused).await.head.unwrap().snapshot;
    for (seen, decision) in seen
        .into_iter()
        .zip([Decision::TakeAll, Decision::Take(vec![id])])
    {
        let told = decide(scene.service, scene.owner, vec![seen], decision).await;
        let moved = BulkOutcome::Moved {
            pin: newest,
            policy: Policy::Manual,
        };
        assert_eq!(told, [Told::Done(moved)]);
    }
}

async fn a_bulk_move_is_undone_where_nobody_moved_since(test: &TestService) {
    let mut two = Two::new(test).await;
    two.push("Two.\n", "Does more.").await;
    let mut back = Vec::new();
    for chat in &two.chats {
        chat.policy(Policy::Follow).await.unwrap();
        let SeenChat { chat, pin, head } = seen_now(chat).await;
        back.push(MoveBack {
            chat,
            pin: head,
            to: pin,
            policy: Policy::Follow,
        });
    }
    let all: Vec<_> = two.chats.iter().collect();
    two.decide(&all, Decision::TakeAll).await;
    let (service, owner) = (two.scene.service, two.scene.owner);
    let moved = bulk_rollback(service, owner, &back[..1]).await.unwrap();
    assert_eq!(words(moved), ["done"]);
    assert_eq!(two.chats[0].reasons().await, "create refresh rollback");
    let moved = bulk_rollback(service, owner, &back).await.unwrap();
    assert_eq!(words(moved), ["precondition-failed", "done", "done"]);
    for chat in &two.chats {
        assert!(chat.is_dirty().await);
        assert_eq!(chat.record().await.policy, Policy::Follow);
    }
}

async fn chats_are_archived_together(test: &TestService) {
    let two = Two::new(test).await;
    let (service, owner) = (two.scene.service, two.scene.owner);
    let (_, stranger) = user(service, owner, "stranger", "member", "read write").await;
    let theirs = chat(service, stranger, None).await.id;
    let mut chats: Vec<_> = two.chats.iter().map(|chat| chat.id).collect();
    chats.insert(1, theirs);
    for archived in [true, false] {
        let changed = bulk_archive(service, owner, &chats, archived).await;
        let changed = changed.unwrap();
        assert_eq!(words(changed), ["done", "forbidden", "done", "done"]);
        for chat in &two.chats {
            assert_eq!(chat.record().await.archived_at.is_some(), archived);
        }
    }
}

async fn a_request_about_many_chats_counts_once(test: &TestService) {
    let two = Two::new(test).await;
    let quotas = Quotas {
        rates: Rates {
            moves: 3,
            ..Rates::DEFAULT
        },
        ..Quotas::default()
    };
    let service = &two.scene.service.clone().with_quotas(quotas);
    let owner = two.scene.owner;
    let chats: Vec<_> = two.chats.iter().map(|chat| chat.id).collect();
    let back: Vec<MoveBack> = {
        let mut back = Vec::new();
        for chat in &two.chats {
            let SeenChat { chat, pin, .. } = seen_now(chat).await;
            back.push(MoveBack {
                chat,
                pin,
                to: pin,
                policy: Policy::Manual,
            });
        }
        back
    };
    let archived = bulk_archive(service, owner, &chats, true).await.unwrap();
    assert_eq!(words(archived), ["done"; 3]);
    bulk_archive(service, owner, &chats, false).await.unwrap();
    let moved = bulk_rollback(service, owner, &back).await.unwrap();
    assert_eq!(words(moved), ["done"; 3]);
    let refused = bulk_archive(service, owner, &chats, true).await;
    assert!(
        matches!(refused, Err(Error::QuotaExceeded(_))),
        "{refused:?}"
    );
}

async fn a_token_that_only_reads_moves_nothing(test: &TestService) {
    let mut two = Two::new(test).await;
    two.push("Two.\n", "Does.").await;
    let (service, owner) = (two.scene.service, two.scene.owner);
    let (_, reader) = user(service, owner, "reader", "member", "read").await;
    let request = BulkMove {
        chats: vec![seen_now(&two.chats[0]).await],
        decision: Decision::TakeAll,
    };
    let refused: Result<_, Error> = bulk_move(service, reader, &request).await;
    assert_eq!(refusal(refused), "forbidden");
    let agent = two.scene.agent.credential;
    assert_eq!(
        refusal(bulk_move(service, agent, &request).await),
        "forbidden"
    );
}
