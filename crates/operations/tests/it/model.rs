//! The whole lifecycle against a model: random histories are carried out by the real operations
//! and by a small sequential model, and whatever can be observed is compared after every step.
//!
//! The steps are a plain list that proptest makes and shrinks. A state machine of its own would
//! want transitions without `await` and would hold a model of preconditions besides; here a step
//! names whom it is about by a number that is taken modulo those who exist, so that every list is a
//! history and every part of it too.
//!
//! `CTXPIN_MODEL_CASES` sets how many histories each database sees, `PROPTEST_RNG_SEED` which. A
//! failure prints the shortest history that fails, and its seed goes to a file that is kept.

mod compare;
mod content;
mod found;
mod hands;
mod lifecycle;
mod steps;

use std::cell::RefCell;
use std::collections::BTreeMap;

use ctxpin_model::token::Credential;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::{first_admin, member};
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use tokio::runtime::Runtime;

use hands::Hands;
use lifecycle::{Answer, Lifecycle};
use steps::{Step, histories};

/// Sets how many histories each database sees.
const CASES_VARIABLE: &str = "CTXPIN_MODEL_CASES";
/// Where the seeds of failures are kept.
const REGRESSIONS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/it/proptest-regressions/model.txt"
);
/// Most histories that are tried to shorten one that fails.
const SHRINKS_MAX: u32 = 4_000;

#[test]
fn sqlite() {
    check(64, TestService::sqlite);
}

#[test]
fn postgres() {
    check(16, TestService::postgres);
}

fn cases(normally: u32) -> u32 {
    match std::env::var(CASES_VARIABLE) {
        Ok(cases) => cases.parse().expect("a number of histories"),
        Err(_) => normally,
    }
}

fn check<F: Future<Output = TestService>>(normally: u32, open: impl FnOnce() -> F) {
    let runtime = Runtime::new().expect("a runtime");
    let test = runtime.block_on(open());
    let admin = runtime.block_on(first_admin(&test.service));
    let config = Config {
        cases: cases(normally),
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        max_shrink_iters: SHRINKS_MAX,
        ..Config::default()
    };
    let tally = RefCell::new(Tally::default());
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&histories(), |steps| {
        let number = {
            let mut tally = tally.borrow_mut();
            tally.histories += 1;
            tally.histories
        };
        let name = format!("member-{number}");
        let done = runtime.block_on(carry_out(&test, admin, &name, &steps));
        tally.borrow_mut().add(&done);
        Ok(())
    });
    let tally = tally.into_inner();
    println!(
        "{} histories, {} steps, moves: {:?}",
        tally.histories, tally.steps, tally.moves
    );
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    runtime.block_on(test.finish());
}

/// Carries out a history with an owner of its own, who begins with two agents and two chats.
async fn carry_out(test: &TestService, admin: Credential, name: &str, steps: &[Step]) -> Done {
    let mut hands = Hands {
        test,
        reading: test.service.clone(),
        owner: member(&test.service, admin, name).await,
        agents: Vec::new(),
        chats: Vec::new(),
        model: Lifecycle::default(),
    };
    let mut carried_out = 0;
    for step in &steps::beginning() {
        assert!(hands.carry_out(step).await.is_some());
    }
    for (number, step) in steps.iter().enumerate() {
        let before = hands.model.clone();
        let Some(answers) = hands.carry_out(step).await else {
            continue;
        };
        carried_out += 1;
        let at = format!("step {number}: {step:?}");
        assert_eq!(answers.real, answers.expected, "{at}");
        compare::assert_as_modelled(&hands, &before).await;
        if matches!(answers.real, Answer::Refused(_)) {
            assert!(before == hands.model, "the model moved at a refused {at}");
        }
    }
    // To the end, everything once more, by a service that has nothing in memory.
    hands.reading = test.replica().await;
    compare::assert_as_modelled(&hands, &Lifecycle::default()).await;
    hands.reading.close().await;
    Done {
        steps: carried_out,
        model: hands.model,
    }
}

/// What came of a history.
struct Done {
    steps: usize,
    model: Lifecycle,
}

/// How many steps were taken and how often a pin moved, by the reason.
#[derive(Default)]
struct Tally {
    histories: usize,
    steps: usize,
    moves: BTreeMap<&'static str, usize>,
}

impl Tally {
    fn add(&mut self, done: &Done) {
        self.steps += done.steps;
        for row in done.model.chats.iter().flat_map(|chat| &chat.history) {
            *self.moves.entry(row.reason.as_str()).or_default() += 1;
        }
    }
}
