//! Histories that once failed, and why.

use ctxpin_model::pin::Reason;
use ctxpin_model::policy::Policy;
use ctxpin_model::tools_mode::ToolsMode;
use ctxpin_testing::databases::TestService;
use ctxpin_testing::people::first_admin;

use super::carry_out;
use super::content::Sketch;
use super::steps::{Pushed, Step, Version};

ctxpin_testing::on_both_databases!(
    additions_do_not_settle_the_tools_that_they_leave,
    what_a_deleted_agent_replaced_stays_replaced,
    deleting_an_agent_changes_its_chats,
);

fn push(agent: usize, things: &[(u8, u8)], settled: bool) -> Step {
    Step::Push {
        agent,
        content: Pushed::New(Sketch {
            things: things.to_vec(),
            is_other_system: false,
            error: None,
        }),
        settled,
        version: Version::Next,
        is_fenced: false,
    }
}

fn chat(agent: Option<usize>, parent: Option<usize>, policy: Policy, tools: ToolsMode) -> Step {
    Step::ChatCreate {
        agent,
        parent,
        reference: None,
        mode: None,
        policy,
        tools,
    }
}

fn turn(chat: usize) -> Step {
    let reference = None;
    Step::Turn { chat, reference }
}

/// The pin kept its unsettled tools, but the history said that they had settled. A child that pins
/// its tools then never took the settled ones.
async fn additions_do_not_settle_the_tools_that_they_leave(test: &TestService) {
    let steps = [
        chat(Some(0), None, Policy::Additive, ToolsMode::Live),
        push(0, &[(4, 1)], false),
        push(0, &[(0, 0), (4, 2)], true),
        turn(3),
        chat(None, Some(3), Policy::Manual, ToolsMode::Pinned),
        turn(4),
    ];
    let admin = first_admin(&test.service).await;
    let done = carry_out(test, admin, "found", &steps).await;
    let reasons = done.model.chats[4].history.iter().map(|row| row.reason);
    let reasons: Vec<_> = reasons.collect();
    assert_eq!(reasons, [Reason::Inherit, Reason::Settle]);
}

/// A permanently fenced agent could push again after its successor was deleted.
async fn what_a_deleted_agent_replaced_stays_replaced(test: &TestService) {
    let steps = [
        push(0, &[(0, 0)], true),
        Step::AgentCreate { replaces: Some(0) },
        push(2, &[(0, 1)], true),
        Step::AgentDelete(2),
        push(0, &[(0, 2)], true),
        Step::SessionOpen(0),
        chat(Some(0), None, Policy::Manual, ToolsMode::Live),
    ];
    let admin = first_admin(&test.service).await;
    let done = carry_out(test, admin, "found", &steps).await;
    assert!(done.model.agents[0].is_replaced);
    assert_eq!(done.model.agents[0].heads.len(), 1);
}

/// A chat lost its binding, but its `updated_at` stayed.
async fn deleting_an_agent_changes_its_chats(test: &TestService) {
    let admin = first_admin(&test.service).await;
    let done = carry_out(test, admin, "found", &[Step::AgentDelete(0)]).await;
    assert!(done.model.chats.iter().all(|chat| chat.agent.is_none()));
}
