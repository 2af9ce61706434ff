//! Evidence: rows about turns, what they say together, and the keys of owners.

use ctxpin_model::access::Operation;
use ctxpin_model::audit::AuditFilter;
use ctxpin_model::chat::ChatFilter;
use ctxpin_model::evidence::{
    Gap, Outcome, ROWS_MAX, ResourceResult, Row, RowSummary, Source, TurnEvidence, Verdict, Witness,
};
use ctxpin_model::evidence_key::EvidenceKeyName;
use ctxpin_model::exposure::ExposedTurns;
use ctxpin_model::hash::AnyHash;
use ctxpin_model::id::ChatId;
use ctxpin_model::page::PageRequest;
use ctxpin_model::quota::QuotaChange;
use ctxpin_model::resource::Kind;
use ctxpin_model::token::Credential;
use ctxpin_model::turn::TurnView;
use ctxpin_operations::error::Error;
use ctxpin_operations::evidence::{self, Added};
use ctxpin_operations::service::Service;
use ctxpin_operations::{chats, exposures, overview, people, quotas, turns};
use ctxpin_testing::chats::TestChat;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{member, token_request, user};

use crate::evidence_rows::{deviating, file, foreign, handed_in, row};
use crate::race::{Race, done, settled};
use crate::scene::{Scene, agents_md, refusal};

ctxpin_testing::on_both_databases!(
    an_owner_has_one_key,
    a_turn_tells_what_its_rows_say_together,
    the_newest_turn_with_evidence_gives_a_chat_its_last_verdict,
    the_same_row_again_changes_nothing,
    a_row_is_never_changed,
    a_row_fits_its_turn,
    a_row_names_the_owners_key,
    a_turn_has_a_number_of_rows,
    rows_count_towards_the_owners_quota,
    an_archived_chat_takes_rows_and_a_deleted_one_takes_them_along,
    no_text_is_stored,
    the_audit_log_has_a_line_for_each_row,
    a_list_reads_no_rows,
    an_exposure_tells_which_requests_had_a_text,
    an_exposure_tells_of_which_requests_the_evidence_does_not_say,
    replicas_hand_in_rows_at_once,
    rows_against_archiving_and_deleting,
);

/// A chat with one turn, and the name of its owner's key.
struct Turn<'t> {
    scene: Scene<'t>,
    chat: TestChat,
    key: EvidenceKeyName,
}

impl<'t> Turn<'t> {
    async fn new(test: &'t TestService) -> Self {
        let mut scene = Scene::new(test).await;
        scene.push(&agents_md("One.\n")).await;
        let chat = scene.chat().await;
        chat.turn().await.unwrap();
        let key = evidence::key(scene.service, scene.owner).await.unwrap();
        Self {
            scene,
            chat,
            key: key.name(),
        }
    }

    async fn add(&self, row: Row) -> Result<Added, Error> {
        add(
            &self.chat.service,
            self.chat.owner,
            self.chat.id,
            (1, self.key),
            row,
        )
        .await
    }

    async fn read(&self) -> TurnView {
        let (service, owner) = (self.scene.service, self.scene.owner);
        turns::read(service, owner, self.chat.id, 1).await.unwrap()
    }
}

async fn add(
    service: &Service,
    by: Credential,
    chat: ChatId,
    (turn, key): (i64, EvidenceKeyName),
    row: Row,
) -> Result<Added, Error> {
    let handed_in = handed_in(key, row);
    evidence::add(service, by, chat, turn, &handed_in).await
}

fn says(verdict: Verdict, requests: u64) -> TurnEvidence {
    TurnEvidence {
        verdict,
        witness: Witness::Client,
        requests,
        client_version: None,
    }
}

async fn an_owner_has_one_key(test: &TestService) {
    let scene = Scene::new(test).await;
    let other = member(scene.service, scene.owner, "other").await;
    let replica = test.replica().await;
    let mut race = Race::of(4);
    for service in [scene.service.clone(), replica.clone()] {
        for by in [scene.owner, other] {
            let service = service.clone();
            race.add(async move { done(evidence::key(&service, by).await).name() });
        }
    }
    race.run().await;
    let own = evidence::key(scene.service, scene.owner).await.unwrap();
    assert_eq!(evidence::key(&replica, scene.owner).await.unwrap(), own);
    assert_ne!(evidence::key(scene.service, other).await.unwrap(), own);
    let filter = AuditFilter {
        action: Some(Operation::EvidenceKeyRead),
        ..AuditFilter::default()
    };
    let page = PageRequest::newest(9);
    let log = people::audit_log(scene.service, scene.owner, &filter, &page).await;
    assert_eq!(log.unwrap().items.len(), 2, "a line for each new key");
    replica.close().await;
}

async fn a_turn_tells_what_its_rows_say_together(test: &TestService) {
    let turn = Turn::new(test).await;
    assert!(turn.read().await.turn.evidence.is_none());
    let given = file("/w/AGENTS.md", "One.\n", Outcome::Given);
    let first = Row {
        resources: vec![given.clone()],
        ..row("1")
    };
    let added = turn.add(first).await.unwrap();
    assert_eq!(added.evidence, says(Verdict::AsPinned, 1));
    turn.scene.minute();
    let incomplete = Row {
        client_version: Some("2.1.332".parse().unwrap()),
        verdict: Verdict::Incomplete,
        whole: 0,
        gaps: vec![Gap::BrokenLine],
        ..row("2")
    };
    let added = turn.add(incomplete).await.unwrap();
    let of_version = |says: TurnEvidence| TurnEvidence {
        client_version: Some("2.1.332".parse().unwrap()),
        ..says
    };
    assert_eq!(added.evidence, of_version(says(Verdict::Incomplete, 2)));
    turn.scene.minute();
    let stale = file("/w/AGENTS.md", "Old.\n", Outcome::Stale);
    let repeated = file("/w/AGENTS.md", "One.\n", Outcome::Repeated);
    let third = Row {
        resources: vec![stale.clone(), repeated.clone()],
        ..deviating("3", stale.clone())
    };
    let added = turn.add(third).await.unwrap();
    assert_eq!(added.evidence, of_version(says(Verdict::Deviates, 3)));
    let view = turn.read().await;
    assert_eq!(view.turn.evidence, Some(added.evidence));
    let told = view.evidence.unwrap();
    assert_eq!(told.resources, [stale, repeated], "the worst of each");
    assert_eq!(
        (told.gaps, told.first_different),
        (vec![Gap::BrokenLine], Some(1))
    );
    assert!(told.is_complete);
    let rows: Vec<_> = told
        .rows
        .iter()
        .map(|row| (row.summary.verdict, row.key))
        .collect();
    let key = |requests: &str| AnyHash::of(requests.as_bytes());
    let expected = [
        (Verdict::AsPinned, key("1")),
        (Verdict::Incomplete, key("2")),
        (Verdict::Deviates, key("3")),
    ];
    assert_eq!(rows, expected, "oldest first");
    let listed = turn.chat.turns().await;
    assert_eq!(listed[0].evidence, Some(added.evidence));
}

async fn the_newest_turn_with_evidence_gives_a_chat_its_last_verdict(test: &TestService) {
    let turn = Turn::new(test).await;
    turn.chat.turn().await.unwrap();
    let other = turn.scene.chat().await;
    other.turn().await.unwrap();
    let (service, owner, chat) = (turn.scene.service, turn.scene.owner, turn.chat.id);
    let last = async || {
        let last = turn.chat.record().await.last_verdict;
        last.map(|last| (last.turn, last.verdict, last.witness))
    };
    assert_eq!(last().await, None);
    let stale = deviating("2", file("/w/AGENTS.md", "Old.\n", Outcome::Stale));
    for (number, row, expected) in [
        (1, row("1"), (1, Verdict::AsPinned)),
        (2, row("2a"), (2, Verdict::AsPinned)),
        (2, stale, (2, Verdict::Deviates)),
        // Evidence of an earlier turn may come later.
        (1, row("1a"), (2, Verdict::Deviates)),
    ] {
        add(service, owner, chat, (number, turn.key), row)
            .await
            .unwrap();
        let (number, verdict) = expected;
        assert_eq!(last().await, Some((number, verdict, Witness::Client)));
    }
    let listed = async |verdict| {
        let filter = ChatFilter {
            verdict: Some(verdict),
            ..ChatFilter::default()
        };
        let page = PageRequest::newest(9);
        let found = chats::list(service, owner, &filter, &page);
        let found = found.await.unwrap().items;
        found.iter().map(|chat| chat.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(Verdict::Deviates).await, [chat]);
    assert_eq!(listed(Verdict::AsPinned).await, []);
    let deviating = async || {
        let overview = overview::read(service, owner).await;
        overview.unwrap().counts.deviating
    };
    assert_eq!(deviating().await, 1);
    // A disputed one may deviate.
    test.tamper(
        "update chats set evidence_verdict = 'disputed' where evidence_verdict is not null",
    )
    .await;
    assert_eq!(listed(Verdict::Deviates).await, [chat]);
    assert_eq!(listed(Verdict::Disputed).await, [chat]);
    assert_eq!(deviating().await, 1);
    test.tamper(
        "update chats set evidence_verdict = 'deviates' where evidence_verdict is not null",
    )
    .await;
    assert_eq!(listed(Verdict::Disputed).await, []);
    // A database of the time before knows the verdicts of turns alone.
    let before = last().await;
    test.tamper(
        "update chats set evidence_turn = null, evidence_verdict = null, evidence_witness = null",
    )
    .await;
    assert_eq!(last().await, None);
    test.tamper(backfill()).await;
    assert_eq!(last().await, before);
    assert_eq!(other.record().await.last_verdict, None);
    turn.chat.archive(true).await.unwrap();
    assert_eq!(deviating().await, 0);
}

/// Returns the statement by which a migration fills in the last verdicts.
fn backfill() -> &'static str {
    let migration = include_str!("../../../store/migrations/sqlite/0023_last_verdict.sql");
    &migration[migration.find("update").unwrap()..]
}

async fn the_same_row_again_changes_nothing(test: &TestService) {
    let turn = Turn::new(test).await;
    let first = turn.add(row("1")).await.unwrap();
    assert!(first.is_new);
    let again = turn.add(row("1")).await.unwrap();
    assert_eq!(
        again,
        Added {
            is_new: false,
            ..first
        }
    );
    assert_eq!(turn.read().await.evidence.unwrap().rows.len(), 1);
}

async fn a_row_is_never_changed(test: &TestService) {
    let turn = Turn::new(test).await;
    turn.add(row("1")).await.unwrap();
    let other = deviating("1", file("/w/AGENTS.md", "Old.\n", Outcome::Stale));
    assert_eq!(refusal(turn.add(other).await), "conflict");
    let other = Row {
        source: Source::Rollout,
        ..row("1")
    };
    assert_eq!(refusal(turn.add(other).await), "conflict");
    assert_eq!(
        turn.read().await.turn.evidence,
        Some(says(Verdict::AsPinned, 1))
    );
}

async fn a_row_fits_its_turn(test: &TestService) {
    let turn = Turn::new(test).await;
    let (service, owner, chat) = (turn.scene.service, turn.scene.owner, turn.chat.id);
    let missing = add(service, owner, chat, (2, turn.key), row("1")).await;
    assert_eq!(refusal(missing), "not-found");
    let unpinned = Row {
        verdict: Verdict::Unpinned,
        ..row("1")
    };
    assert_eq!(refusal(turn.add(unpinned.clone()).await), "invalid");
    let empty = TestChat::create(service, owner, &Default::default())
        .await
        .unwrap();
    empty.turn().await.unwrap();
    let refused = add(service, owner, empty.id, (1, turn.key), row("1")).await;
    assert_eq!(refusal(refused), "invalid");
    let added = add(service, owner, empty.id, (1, turn.key), unpinned).await;
    assert_eq!(added.unwrap().evidence, says(Verdict::Unpinned, 1));
    for path in [" AGENTS.md", "AGENTS\u{200b}.md", "a\u{2028}b"] {
        let planted = deviating("1", file(path, "Old.\n", Outcome::Stale));
        assert_eq!(refusal(turn.add(planted).await), "invalid", "{path:?}");
    }
}

async fn a_row_names_the_owners_key(test: &TestService) {
    let mut turn = Turn::new(test).await;
    let other = member(turn.scene.service, turn.scene.owner, "other").await;
    let own = turn.key;
    turn.key = evidence::key(turn.scene.service, other)
        .await
        .unwrap()
        .name();
    assert_eq!(refusal(turn.add(row("1")).await), "invalid");
    turn.key = own;
    turn.add(row("1")).await.unwrap();
    // A hook has the key too.
    let request = token_request("observe");
    let made = people::token_create(turn.scene.service, turn.scene.owner, &request).await;
    let hook = made.unwrap().1.credential();
    let key = evidence::key(turn.scene.service, hook).await.unwrap();
    assert_eq!(key.name(), own);
    let chat = (turn.chat.id, (1, own));
    add(turn.scene.service, hook, chat.0, chat.1, row("2"))
        .await
        .unwrap();
    let stranger = add(turn.scene.service, other, chat.0, chat.1, row("3")).await;
    assert_eq!(refusal(stranger), "not-found");
}

async fn a_turn_has_a_number_of_rows(test: &TestService) {
    let turn = Turn::new(test).await;
    for number in 0..ROWS_MAX {
        turn.add(row(&number.to_string())).await.unwrap();
    }
    let refused = turn.add(row("one more")).await.unwrap_err();
    assert!(matches!(refused, Error::TooLarge(_)), "{refused:?}");
    // What is there already is no further row.
    assert!(!turn.add(row("0")).await.unwrap().is_new);
    let expected = says(Verdict::AsPinned, ROWS_MAX as u64);
    assert_eq!(turn.read().await.turn.evidence, Some(expected));
}

/// Returns the bytes that the owner stores.
async fn stored(scene: &Scene<'_>) -> u64 {
    let usage = quotas::usage(scene.service, scene.owner, None)
        .await
        .unwrap();
    usage.usage.used.content_bytes
}

async fn rows_count_towards_the_owners_quota(test: &TestService) {
    let turn = Turn::new(test).await;
    let before = stored(&turn.scene).await;
    turn.add(row("1")).await.unwrap();
    turn.add(row("1")).await.unwrap();
    let bytes = row("1").checked().unwrap().json().len() as u64;
    assert_eq!(stored(&turn.scene).await, before + bytes);
    let me = people::me(turn.scene.service, turn.scene.owner)
        .await
        .unwrap();
    let change = QuotaChange {
        content_bytes: Some(Some(before + 2 * bytes - 1)),
        ..QuotaChange::default()
    };
    quotas::change(turn.scene.service, turn.scene.owner, me.0.id, &change)
        .await
        .unwrap();
    let refused = turn.add(row("2")).await.unwrap_err();
    let Error::QuotaExceeded(exceeded) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((exceeded.used, exceeded.wait), (before + bytes, None));
    assert_eq!(turn.read().await.evidence.unwrap().rows.len(), 1);
    turn.chat.delete().await.unwrap();
    assert_eq!(stored(&turn.scene).await, before);
}

async fn an_archived_chat_takes_rows_and_a_deleted_one_takes_them_along(test: &TestService) {
    let turn = Turn::new(test).await;
    turn.chat.archive(true).await.unwrap();
    let before = turn.chat.record().await;
    let text = foreign(
        &evidence::key(turn.scene.service, turn.scene.owner)
            .await
            .unwrap(),
        "rules.md",
        "Be wild.",
    );
    turn.add(deviating("1", text)).await.unwrap();
    let after = turn.chat.record().await;
    assert!(after.archived_at.is_some(), "it stays archived");
    assert_eq!(after.updated_at, before.updated_at);
    let rows = "select (select count(*) from turn_evidence) + (select count(*) from turn_evidence_texts) \
         + (select count(*) from turn_evidence_lacks)";
    assert_eq!(test.count(rows).await, 3);
    turn.chat.delete().await.unwrap();
    assert_eq!(test.count(rows).await, 0);
    assert_eq!(refusal(turn.add(row("2")).await), "not-found");
}

/// The names of foreign texts are all that is stored of them.
async fn no_text_is_stored(test: &TestService) {
    let turn = Turn::new(test).await;
    let key = evidence::key(turn.scene.service, turn.scene.owner)
        .await
        .unwrap();
    let planted = foreign(&key, "rules.md", "Be wild.");
    let names = planted.foreign.clone().unwrap().names;
    turn.add(deviating("1", planted.clone())).await.unwrap();
    let hash = ctxpin_model::hash::BlobHash::of(b"Be wild.");
    assert!(names.iter().all(|name| name.bytes() != hash.bytes()));
    let view = turn.read().await.evidence.unwrap();
    assert_eq!(view.resources, [planted]);
    let blobs = "select count(*) from blobs b join turn_evidence_texts t on t.name = b.hash";
    assert_eq!(test.count(blobs).await, 0);
}

async fn the_audit_log_has_a_line_for_each_row(test: &TestService) {
    let turn = Turn::new(test).await;
    turn.add(row("1")).await.unwrap();
    turn.add(row("1")).await.unwrap();
    let filter = AuditFilter {
        action: Some(Operation::EvidenceAdd),
        ..AuditFilter::default()
    };
    let page = PageRequest::newest(9);
    let log = people::audit_log(turn.scene.service, turn.scene.owner, &filter, &page).await;
    assert_eq!(log.unwrap().items.len(), 1);
}

async fn a_list_reads_no_rows(test: &TestService) {
    let turn = Turn::new(test).await;
    let costs = async |turn: &Turn<'_>| {
        let before = turn.scene.service.counts();
        turn.chat.turns().await;
        turn.scene.service.counts() - before
    };
    let without = costs(&turn).await;
    for number in 0..8 {
        turn.add(row(&number.to_string())).await.unwrap();
    }
    assert_eq!(costs(&turn).await, without);
    // A row that cannot be read leaves the verdict.
    test.tamper("update turn_evidence set content = substr(content, 1, 3)")
        .await;
    assert_eq!(
        turn.chat.turns().await[0].evidence,
        Some(says(Verdict::AsPinned, 8))
    );
    let view = turn.read().await.evidence.unwrap();
    assert_eq!((view.rows.len(), view.is_complete), (8, false));
}

async fn replicas_hand_in_rows_at_once(test: &TestService) {
    let turn = Turn::new(test).await;
    let replica = test.replica().await;
    let mut race = Race::of(6);
    let target = (turn.chat.id, turn.scene.owner, (1, turn.key));
    for (task, service) in [turn.scene.service.clone(), replica.clone()]
        .into_iter()
        .cycle()
        .take(6)
        .enumerate()
    {
        race.add(async move {
            for round in 0..8 {
                // Tasks 0 to 3 hand in the same rows, and the others claim something else of the same requests.
                let told = match task {
                    0..=3 => row(&round.to_string()),
                    _ => deviating(&round.to_string(), file("/w/a", "Old.\n", Outcome::Stale)),
                };
                let (chat, owner, at) = target;
                let outcome = settled(add(&service, owner, chat, at, told).await);
                let is_expected = matches!(outcome, Ok(_) | Err(Error::Conflict(_)));
                assert!(is_expected, "{outcome:?}");
            }
        });
    }
    race.run().await;
    let view = turn.read().await;
    let rows = view.evidence.unwrap().rows;
    assert_eq!(rows.len(), 8, "one for each key");
    let summaries: Vec<RowSummary> = rows.iter().map(|row| row.summary).collect();
    let expected = ctxpin_model::evidence::together(&summaries);
    assert_eq!(
        view.turn.evidence, expected,
        "the verdict is that of the rows"
    );
    let bytes: u64 = rows.iter().map(|row| row.size_bytes).sum();
    turn.chat.delete().await.unwrap();
    let after = stored(&turn.scene).await;
    assert_eq!(
        after,
        "One.\n".len() as u64,
        "{bytes} bytes of rows were counted once"
    );
    replica.close().await;
}

async fn rows_against_archiving_and_deleting(test: &TestService) {
    let mut turn = Turn::new(test).await;
    let before = stored(&turn.scene).await;
    for round in 0..6 {
        let chat = turn.scene.chat().await;
        chat.turn().await.unwrap();
        turn.chat = chat.clone();
        let mut race = Race::of(4);
        for task in 0..2 {
            let (chat, at) = (chat.clone(), (1, turn.key));
            race.add(async move {
                for number in 0..4 {
                    let told = row(&format!("{task} {number}"));
                    let outcome = settled(add(&chat.service, chat.owner, chat.id, at, told).await);
                    match outcome {
                        Ok(_) => {}
                        Err(error) => assert_eq!(refusal::<Added>(Err(error)), "not-found"),
                    }
                }
            });
        }
        let archived = chat.clone();
        race.add(async move { drop(settled(archived.archive(true).await)) });
        let deleted = chat.clone();
        race.add(async move {
            if round % 2 == 0 {
                done(deleted.delete().await);
            } else {
                match settled(deleted.turn().await) {
                    Ok(_) | Err(Error::Archived) => {}
                    Err(other) => panic!("{other:?}"),
                }
            }
        });
        race.run().await;
        if round % 2 == 0 {
            assert_eq!(stored(&turn.scene).await, before, "nothing stays of it");
        } else {
            assert_eq!(turn.read().await.evidence.unwrap().rows.len(), 8);
            chat.delete().await.unwrap();
        }
    }
}

async fn an_exposure_tells_of_which_requests_the_evidence_does_not_say(test: &TestService) {
    let turn = Turn::new(test).await;
    let (service, owner) = (turn.scene.service, turn.scene.owner);
    let unlisted = async || {
        let hash = AnyHash::of(b"One.\n");
        let page = PageRequest::newest(9);
        let found = exposures::chats(service, owner, hash, &page).await;
        let found = found.unwrap().items.remove(0);
        (found.given, found.unlisted, found.is_archived)
    };
    let of = |first, last| {
        Some(ExposedTurns {
            count: 1 + last as u64 - first as u64,
            first,
            last,
        })
    };
    turn.chat.turn().await.unwrap();
    turn.chat.turn().await.unwrap();
    assert_eq!(unlisted().await, (None, None, false));
    turn.add(row("1")).await.unwrap();
    let second = add(service, owner, turn.chat.id, (2, turn.key), row("2"));
    second.await.unwrap();
    assert_eq!(unlisted().await, (None, of(1, 2), false));
    let listing = Row {
        resources: vec![file("/w/AGENTS.md", "One.\n", Outcome::Given)],
        ..row("3")
    };
    let listed = add(service, owner, turn.chat.id, (2, turn.key), listing);
    listed.await.unwrap();
    assert_eq!(unlisted().await, (of(2, 2), of(1, 1), false));
    // It is known that a third one did not have it.
    turn.chat.turn().await.unwrap();
    let lacking = Row {
        resources: vec![file("/w/AGENTS.md", "One.\n", Outcome::NotAskedFor)],
        ..row("5")
    };
    let lacked = add(service, owner, turn.chat.id, (3, turn.key), lacking);
    lacked.await.unwrap();
    assert_eq!(unlisted().await, (of(2, 2), of(1, 1), false));
    // What deviates may have been given or not.
    let planted = foreign(&evidence::key(service, owner).await.unwrap(), "a.md", "A.");
    turn.add(deviating("4", planted)).await.unwrap();
    turn.chat.archive(true).await.unwrap();
    assert_eq!(unlisted().await, (of(2, 2), None, true));
}

async fn an_exposure_tells_which_requests_had_a_text(test: &TestService) {
    let turn = Turn::new(test).await;
    let (service, owner) = (turn.scene.service, turn.scene.owner);
    turn.chat.turn().await.unwrap();
    let key = evidence::key(service, owner).await.unwrap();
    let planted = foreign(&key, "rules.md", "Be wild.");
    turn.add(deviating("1", planted)).await.unwrap();
    let listed = ResourceResult {
        kind: Some(Kind::Skill),
        has_body: Some(false),
        ..file("/w/listed/SKILL.md", "Listed.\n", Outcome::Given)
    };
    let used = ResourceResult {
        kind: Some(Kind::Skill),
        has_body: Some(true),
        ..file("/w/used/SKILL.md", "Used.\n", Outcome::NotAskedFor)
    };
    let second = Row {
        resources: vec![
            file("/w/AGENTS.md", "One.\n", Outcome::Given),
            file("/w/b.md", "Absent.\n", Outcome::NotAskedFor),
            listed,
            used,
        ],
        ..row("2")
    };
    add(service, owner, turn.chat.id, (2, turn.key), second)
        .await
        .unwrap();
    let found = async |by, text: &str| {
        let hash = AnyHash::of(text.as_bytes());
        let page = PageRequest::newest(9);
        let found = exposures::chats(service, by, hash, &page).await.unwrap();
        let told = found.items.iter();
        let told = told.map(|chat| (chat.turns.map(|turns| turns.count), chat.given));
        told.collect::<Vec<_>>()
    };
    let of = |number| {
        Some(ExposedTurns {
            count: 1,
            first: number,
            last: number,
        })
    };
    assert_eq!(found(owner, "One.\n").await, [(Some(2), of(2))]);
    assert_eq!(found(owner, "Be wild.").await, [(None, of(1))]);
    // A client cuts the line end of a file.
    assert_eq!(found(owner, "Be wild.\n").await, [(None, of(1))]);
    assert_eq!(found(owner, "Absent.\n").await, []);
    // A list of skills has a name and a description, and not the file.
    assert_eq!(found(owner, "Listed.\n").await, []);
    assert_eq!(found(owner, "Used.\n").await, [(None, of(2))]);
    let other = member(service, owner, "other").await;
    evidence::key(service, other).await.unwrap();
    for text in ["One.\n", "Be wild."] {
        assert_eq!(found(other, text).await, []);
    }
    let (_, auditor) = user(service, owner, "auditor", "auditor", "read").await;
    assert_eq!(found(auditor, "One.\n").await, [(Some(2), of(2))]);
    assert_eq!(
        found(auditor, "Be wild.").await,
        [],
        "its name is under another key"
    );
}
