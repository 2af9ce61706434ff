//! The steps of a history, as proptest generates and shrinks them. A step names an object by a
//! number, which the model takes modulo the number of objects, so a shortened history is still
//! valid.

use ctxpin_model::evidence::Verdict;
use ctxpin_model::mode::Mode;
use ctxpin_model::policy::Policy;
use ctxpin_model::tools_mode::ToolsMode;
use proptest::prelude::*;

use super::content::{Sketch, THINGS, VARIANTS};

/// The most steps of a history.
const STEPS_MAX: usize = 40;

/// The version that a push claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Next,
    Skipping,
    Same,
    Older,
}

/// The content of a push.
#[derive(Debug, Clone)]
pub enum Pushed {
    New(Sketch),
    /// The content of an earlier head of the agent, counted from the newest.
    Earlier(usize),
}

/// The snapshot that a caller claims to have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Any,
    Present,
    /// A head of the agent, counted back from the present one.
    Earlier(usize),
    Another,
}

impl Seen {
    /// Returns `Present` instead of `Any`, for a request that must name a snapshot.
    pub fn or_present(self) -> Self {
        match self {
            Self::Any => Self::Present,
            Self::Present | Self::Earlier(_) | Self::Another => self,
        }
    }
}

/// The head that a client claims to have read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    Unsaid,
    /// A head of the chat's agent, counted back from the newest.
    Head(usize),
    Another,
}

/// One step of a history.
#[derive(Debug, Clone)]
pub enum Step {
    AgentCreate {
        replaces: Option<usize>,
    },
    AgentDelete(usize),
    SessionOpen(usize),
    SessionRepeat {
        agent: usize,
        process: usize,
    },
    Push {
        agent: usize,
        content: Pushed,
        settled: bool,
        version: Version,
        is_fenced: bool,
    },
    AgentRefresh {
        agent: usize,
        is_fenced: bool,
    },
    ChatCreate {
        agent: Option<usize>,
        parent: Option<usize>,
        reference: Option<u8>,
        mode: Option<Mode>,
        policy: Policy,
        tools: ToolsMode,
    },
    ChatDelete(usize),
    Refresh {
        chat: usize,
        head: Seen,
        pin: Seen,
    },
    Take {
        chat: usize,
        picks: u16,
        unknown: bool,
    },
    Decline {
        chat: usize,
        head: Seen,
    },
    Undecline {
        chat: usize,
        head: Seen,
    },
    Rollback {
        chat: usize,
        back: usize,
    },
    Clear {
        chat: usize,
        pin: Seen,
    },
    Bind {
        chat: usize,
        agent: Option<usize>,
    },
    Archive {
        chat: usize,
        archived: bool,
    },
    Policy {
        chat: usize,
        policy: Policy,
    },
    Tools {
        chat: usize,
        tools: ToolsMode,
    },
    Mode {
        chat: usize,
        mode: Mode,
    },
    Parent {
        chat: usize,
        parent: usize,
    },
    Start {
        chat: usize,
        read: Read,
    },
    Turn {
        chat: usize,
        reference: Option<u8>,
    },
    Evidence {
        chat: usize,
        turn: usize,
        requests: u8,
        verdict: Verdict,
        /// The head that the requests show, if they show one.
        shows: Option<Read>,
    },
}

/// Returns a strategy for histories.
pub fn histories() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..=STEPS_MAX)
}

fn who() -> impl Strategy<Value = usize> {
    0..12_usize
}

fn maybe() -> impl Strategy<Value = Option<usize>> {
    prop::option::weighted(0.8, who())
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        Just(Policy::Manual),
        Just(Policy::Additive),
        Just(Policy::Follow)
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![2 => Just(Mode::Delivered), 3 => Just(Mode::Observed)]
}

fn read() -> impl Strategy<Value = Read> {
    prop_oneof![
        3 => Just(Read::Unsaid),
        5 => prop_oneof![3 => Just(0), 1 => 0..3_usize].prop_map(Read::Head),
        1 => Just(Read::Another),
    ]
}

fn tools() -> impl Strategy<Value = ToolsMode> {
    prop_oneof![Just(ToolsMode::Live), Just(ToolsMode::Pinned)]
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![5 => Just(Seen::Any), 2 => Just(Seen::Present), 1 => Just(Seen::Another)]
}

/// Returns a head that a caller claims to have seen.
fn seen_head() -> impl Strategy<Value = Seen> {
    prop_oneof![4 => seen(), 1 => (1..4_usize).prop_map(Seen::Earlier)]
}

fn sketch() -> impl Strategy<Value = Sketch> {
    // One state past the texts is a broken file.
    let things = prop::collection::vec((0..THINGS, 0..=VARIANTS), 0..7);
    let error = prop::option::weighted(0.15, 0..2_u8);
    (things, prop::bool::weighted(0.15), error).prop_map(|(things, is_other_system, error)| {
        Sketch {
            things,
            is_other_system,
            error,
        }
    })
}

fn push() -> impl Strategy<Value = Step> {
    let content = prop_oneof![
        5 => sketch().prop_map(Pushed::New),
        2 => (0..4_usize).prop_map(Pushed::Earlier),
    ];
    let version = prop_oneof![
        12 => Just(Version::Next),
        1 => Just(Version::Skipping),
        1 => Just(Version::Same),
        1 => Just(Version::Older),
    ];
    let settled = prop::bool::weighted(0.7);
    let fenced = prop::bool::weighted(0.05);
    // Mostly one agent pushes, so that its chats drift.
    let agent = prop_oneof![Just(0), who()];
    (agent, content, settled, version, fenced).prop_map(
        |(agent, content, settled, version, is_fenced)| Step::Push {
            agent,
            content,
            settled,
            version,
            is_fenced,
        },
    )
}

fn of_agents() -> impl Strategy<Value = Step> {
    let refresh = (who(), prop::bool::weighted(0.1));
    prop_oneof![
        3 => prop::option::weighted(0.7, who()).prop_map(|replaces| Step::AgentCreate { replaces }),
        1 => who().prop_map(Step::AgentDelete),
        1 => who().prop_map(Step::SessionOpen),
        1 => (who(), who()).prop_map(|(agent, process)| Step::SessionRepeat { agent, process }),
        2 => refresh.prop_map(|(agent, is_fenced)| Step::AgentRefresh { agent, is_fenced }),
    ]
}

fn chat_create() -> impl Strategy<Value = Step> {
    let reference = prop::option::weighted(0.2, 0..2_u8);
    let agent = prop::option::weighted(0.7, who());
    let parent = prop::option::weighted(0.3, who());
    // An observed chat with another policy is refused, so a few are enough.
    let mode = prop::option::weighted(0.3, mode());
    let policy = prop_oneof![2 => Just(Policy::Manual), 3 => policy()];
    (agent, parent, reference, mode, policy, tools()).prop_map(
        |(agent, parent, reference, mode, policy, tools)| Step::ChatCreate {
            // A child that names an agent is usually refused, so a few are enough.
            agent: agent.filter(|agent| parent.is_none() || *agent == 0),
            parent,
            reference,
            mode,
            policy,
            tools,
        },
    )
}

fn of_chats() -> impl Strategy<Value = Step> {
    let reference = prop::option::weighted(0.3, 0..2_u8);
    prop_oneof![
        6 => (who(), maybe()).prop_map(|(chat, agent)| Step::Bind { chat, agent }),
        3 => (who(), any::<bool>()).prop_map(|(chat, archived)| Step::Archive { chat, archived }),
        2 => (who(), policy()).prop_map(|(chat, policy)| Step::Policy { chat, policy }),
        2 => (who(), tools()).prop_map(|(chat, tools)| Step::Tools { chat, tools }),
        2 => (who(), mode()).prop_map(|(chat, mode)| Step::Mode { chat, mode }),
        1 => (who(), who()).prop_map(|(chat, parent)| Step::Parent { chat, parent }),
        8 => (who(), read()).prop_map(|(chat, read)| Step::Start { chat, read }),
        14 => (who(), reference).prop_map(|(chat, reference)| Step::Turn { chat, reference }),
        6 => evidence(),
        1 => who().prop_map(Step::ChatDelete),
    ]
}

fn evidence() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        3 => Just(Verdict::AsPinned),
        2 => Just(Verdict::Deviates),
        1 => Just(Verdict::Unpinned),
    ];
    let shows = prop::option::weighted(
        0.6,
        prop_oneof![8 => (0..4_usize).prop_map(Read::Head), 1 => Just(Read::Another)],
    );
    (who(), 0..4_usize, 0..3_u8, verdict, shows).prop_map(
        |(chat, turn, requests, verdict, shows)| Step::Evidence {
            chat,
            turn,
            requests,
            verdict,
            shows,
        },
    )
}

fn of_pins() -> impl Strategy<Value = Step> {
    let take = (who(), any::<u16>(), prop::bool::weighted(0.05));
    let picks = |(chat, picks, unknown)| Step::Take {
        chat,
        picks,
        unknown,
    };
    prop_oneof![
        3 => (who(), seen_head(), seen()).prop_map(|(chat, head, pin)| Step::Refresh { chat, head, pin }),
        4 => take.prop_map(picks),
        2 => (who(), seen_head()).prop_map(|(chat, head)| Step::Decline { chat, head }),
        1 => (who(), seen_head()).prop_map(|(chat, head)| Step::Undecline { chat, head }),
        3 => (who(), 0..5_usize).prop_map(|(chat, back)| Step::Rollback { chat, back }),
        2 => (who(), seen()).prop_map(|(chat, pin)| Step::Clear { chat, pin }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => push(),
        3 => of_agents(),
        4 => chat_create(),
        7 => of_chats(),
        7 => of_pins(),
    ]
}

/// Returns the steps at the beginning of every history.
pub fn beginning() -> [Step; 5] {
    let chat = |mode, policy, tools| Step::ChatCreate {
        agent: Some(0),
        parent: None,
        reference: None,
        mode: Some(mode),
        policy,
        tools,
    };
    [
        Step::AgentCreate { replaces: None },
        Step::AgentCreate { replaces: None },
        chat(Mode::Delivered, Policy::Manual, ToolsMode::Live),
        chat(Mode::Delivered, Policy::Additive, ToolsMode::Pinned),
        chat(Mode::Observed, Policy::Manual, ToolsMode::Live),
    ]
}
