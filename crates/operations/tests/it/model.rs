//! The whole lifecycle against the reference model. The real operations and this small sequential
//! implementation carry out random histories, and the test compares everything observable after every step.
//!
//! The steps are a plain list that proptest generates and shrinks. Its state machines would need
//! transitions without `await` and a second model of preconditions. Here a step names its object
//! by a number modulo the number of objects that exist, so every list is a history, and so is every
//! part of one.
//!
//! `CTXPIN_MODEL_CASES` sets the number of histories for each database, and `PROPTEST_RNG_SEED` the seed. A
//! failure prints the shortest failing history, and writes its seed to a file of the repository.

mod compare;
mod content;
mod deciding;
mod drifting;
mod found;
mod hands;
mod lifecycle;
mod observing;
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

/// The variable with the number of histories for each database.
const CASES_VARIABLE: &str = "CTXPIN_MODEL_CASES";
/// The file with the seeds of failures.
const REGRESSIONS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/it/proptest-regressions/model.txt"
);
/// Maximum number of histories to try while shortening a failing one.
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

/// Carries out a history with a new owner, who begins with two agents and three chats.
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
    // At the end, compare everything again through a service with nothing in memory.
    hands.reading = test.replica().await;
    compare::assert_as_modelled(&hands, &Lifecycle::default()).await;
    hands.reading.close().await;
    Done {
        steps: carried_out,
        model: hands.model,
    }
}

/// The result of a history.
struct Done {
    steps: usize,
    model: Lifecycle,
}

/// The number of steps, and of moves by reason.
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
