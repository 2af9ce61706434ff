//! The scene of a team that runs agents for many people: eight workspaces, 2,000 chats, 40 changes.

use ctxpin_model::id::ChatId;
use uuid::Uuid;

use super::company::{Company, DAY, HOUR, MINUTE, Person};
use super::workspace::Workspace;

/// The workspaces. The first one has 600 chats, and each of the others 200.
const SERVICES: [(&str, &str); 8] = [
    ("checkout", "Takes an order from the basket to the receipt."),
    ("accounts", "Signs people in, and keeps their addresses."),
    (
        "catalogue",
        "Knows every article, its pictures and its price.",
    ),
    ("delivery", "Plans parcels and tells where they are."),
    ("fraud", "Scores an order before it is charged."),
    ("mailer", "Sends receipts, reminders and newsletters."),
    ("pricing", "Computes discounts and taxes."),
    ("warehouse", "Counts stock, and says what to order."),
];

/// The skills that all workspaces have, with the line that changed.
const SKILLS: [(&str, &str, &str); 24] = [
    (
        "accessibility-check",
        "Checks a page for people who do not see it",
        "Read the page once with a screen reader.",
    ),
    (
        "api-contract",
        "Compares an endpoint with its contract",
        "A removed field is a breaking change.",
    ),
    (
        "architecture-note",
        "Writes down a decision and its reasons",
        "Name the option that was not taken.",
    ),
    (
        "code-review",
        "Reviews a change before a person does",
        "Begin with what could lose data.",
    ),
    (
        "cost-report",
        "Explains what a service costs",
        "Compare with the month before.",
    ),
    (
        "data-retention",
        "Finds data that is kept too long",
        "Receipts stay ten years.",
    ),
    (
        "dependency-update",
        "Updates a library and reads its changelog",
        "One library in each change.",
    ),
    (
        "error-budget",
        "Tells how many failures are left this month",
        "Count only what a customer noticed.",
    ),
    (
        "feature-flag",
        "Adds or removes a flag",
        "A flag has an owner and an end.",
    ),
    (
        "flaky-test",
        "Finds out why a test fails now and then",
        "Run it a hundred times first.",
    ),
    (
        "handover",
        "Writes the notes for the next shift",
        "Say what you would look at first.",
    ),
    (
        "incident-report",
        "Writes the report after an outage",
        "Times are UTC.",
    ),
    (
        "load-test",
        "Plans a test under load",
        "Stop at the first lost order.",
    ),
    (
        "localisation",
        "Adds a language to a page",
        "Leave room for words that are twice as long.",
    ),
    (
        "log-search",
        "Finds the logs of a request",
        "Begin with the request's id.",
    ),
    (
        "on-call",
        "Says what to do when the phone rings",
        "Write the time down before anything else.",
    ),
    (
        "performance",
        "Measures before and after a change",
        "Give the median of ten runs.",
    ),
    (
        "release-notes",
        "Writes release notes from the merged changes",
        "Let somebody outside of the team read it.",
    ),
    (
        "rollout",
        "Plans the steps of a rollout",
        "One region first, for an hour.",
    ),
    (
        "runbook",
        "Writes what to do when an alert fires",
        "Each step has a command to copy.",
    ),
    (
        "schema-change",
        "Changes a schema beside the old release",
        "Expand before you contract.",
    ),
    (
        "secret-scan",
        "Finds secrets in a change",
        "Report where it is, never what it is.",
    ),
    (
        "sql-review",
        "Reviews a query and its plan",
        "Show the plan with the data of production.",
    ),
    (
        "test-data",
        "Makes data for a test",
        "No name of a real person.",
    ),
];

const TASKS: [&str; 25] = [
    "Fix the rounding of",
    "Add a test for",
    "Find out why nobody sees",
    "Rename",
    "Document",
    "Speed up",
    "Translate",
    "Log less of",
    "Write the migration of",
    "Review the change of",
    "Remove the flag of",
    "Split",
    "Measure",
    "Cache",
    "Retry",
    "Validate",
    "Export",
    "Import",
    "Clean up",
    "Compare two plans for",
    "Draft the notes of",
    "Move to the new client:",
    "Explain to support:",
    "Answer the question about",
    "Estimate",
];

const OBJECTS: [&str; 16] = [
    "the basket's total",
    "gift cards",
    "the address form",
    "late parcels",
    "the weekly report",
    "stock of the second warehouse",
    "the receipt's footer",
    "discounts of 100 %",
    "the search box",
    "returned parcels",
    "the invoice number",
    "the tax of small orders",
    "old newsletters",
    "the picture sizes",
    "the risk score",
    "the opening hours",
];

const CLIENTS: [&str; 4] = ["editor", "terminal", "review", "support"];

/// The team, and a workspace with 600 chats.
pub struct Fleet {
    pub team: Person,
    pub checkout: Uuid,
}

/// Lets two weeks pass.
pub async fn play(company: &mut Company) -> anyhow::Result<Fleet> {
    company.happens(14 * DAY)?;
    let team = company.employ("platform", "member").await?;
    let mut workspaces = Vec::new();
    for (name, purpose) in SERVICES {
        let mut workspace = company.workspace(&team, name).await?;
        workspace
            .write("AGENTS.md", &format!("# {name}\n\n{purpose}\n\n- Write the test first.\n- Money is an integer of minor units.\n"))?
            .write(&skill(&format!("{name}-overview")), &skill_text(&format!("{name}-overview"), purpose, ""))?;
        for (skill_name, description, _) in SKILLS {
            workspace.write(&skill(skill_name), &skill_text(skill_name, description, ""))?;
        }
        workspace.push().await?;
        workspaces.push(workspace);
    }
    let mut titles = titles();
    let mut all = vec![checkout(company, &team, &mut workspaces[0], &mut titles).await?];
    for (place, workspace) in workspaces.iter_mut().enumerate().skip(1) {
        company.happens(2 * DAY - HOUR.saturating_mul(place as u32))?;
        let chats = chats(&team, workspace, 200, &mut titles).await?;
        for (number, chat) in chats
            .iter()
            .enumerate()
            .filter(|(number, _)| number % 5 != 2)
        {
            company.happens(
                2 * DAY
                    - HOUR.saturating_mul(place as u32)
                    - 8 * MINUTE.saturating_mul(number as u32),
            )?;
            team.turns(*chat, &["first"]).await?;
        }
        all.push(chats);
    }
    change(company, &mut workspaces).await?;
    company.happens(40 * MINUTE)?;
    for (every, (workspace, chats)) in (9..).zip(workspaces.iter().zip(all)) {
        // What most people took, a few have not seen yet.
        let taken = chats
            .into_iter()
            .enumerate()
            .filter(|(place, _)| place % every != 3);
        let taken: Vec<_> = taken.map(|(_, chat)| chat).collect();
        team.take_together(workspace.agent, &taken).await?;
    }
    let checkout = workspaces[0].agent;
    company.keep(workspaces);
    Ok(Fleet { team, checkout })
}

/// Plays the workspace of 600 chats: it moves on every other day, and most of its chats follow within
/// hours.
async fn checkout(
    company: &Company,
    team: &Person,
    workspace: &mut Workspace,
    titles: &mut impl Iterator<Item = String>,
) -> anyhow::Result<Vec<ChatId>> {
    let mut all: Vec<ChatId> = Vec::new();
    for (round, rule) in [
        "- A total is computed once, by pricing.",
        "- An order has one currency.",
        "- A receipt never changes.",
        "- Ask fraud before the card.",
        "- A basket ends after 30 days.",
    ]
    .into_iter()
    .enumerate()
    {
        let begun = 12 * DAY - DAY.saturating_mul(2 * round as u32);
        company.happens(begun)?;
        all.extend(chats(team, workspace, 60, titles).await?);
        company.happens(begun - 12 * HOUR)?;
        all.extend(chats(team, workspace, 60, titles).await?);
        company.happens(begun - DAY)?;
        workspace.edit(
            "AGENTS.md",
            "- Write the test first.",
            &format!("{rule}\n- Write the test first."),
        )?;
        workspace.push().await?;
        company.happens(begun - DAY - 5 * HOUR)?;
        let taken = all.iter().copied().enumerate();
        let taken = taken.filter(|(place, _)| round == 4 || place % 7 > round % 3);
        let taken: Vec<_> = taken.map(|(_, chat)| chat).collect();
        team.take_together(workspace.agent, &taken).await?;
    }
    for chat in all.iter().step_by(2) {
        team.turns(*chat, &["first"]).await?;
    }
    Ok(all)
}

/// Changes the instructions of each workspace and one of its skills, and each common skill in some of the
/// workspaces: 40 changes that nobody has taken.
async fn change(company: &Company, workspaces: &mut [Workspace]) -> anyhow::Result<()> {
    for (place, workspace) in workspaces.iter_mut().enumerate() {
        let (name, purpose) = SERVICES[place];
        company.happens(9 * HOUR - 67 * MINUTE.saturating_mul(place as u32))?;
        workspace.edit(
            "AGENTS.md",
            "- Money is",
            &format!("- Ask the team of {name} before a change of its interface.\n- Money is"),
        )?;
        let overview = format!("{name}-overview");
        workspace.write(
            &skill(&overview),
            &skill_text(&overview, purpose, "Begin with the diagram.\n"),
        )?;
        for (number, (skill_name, description, line)) in SKILLS.into_iter().enumerate() {
            if number % 8 == place || (number + place) % (2 + number / 4) == 0 {
                let text = skill_text(skill_name, description, &format!("{line}\n"));
                workspace.write(&skill(skill_name), &text)?;
            }
        }
        workspace.push().await?;
    }
    Ok(())
}

async fn chats(
    team: &Person,
    workspace: &Workspace,
    count: usize,
    titles: &mut impl Iterator<Item = String>,
) -> anyhow::Result<Vec<ChatId>> {
    let mut made = Vec::new();
    for (place, title) in titles.take(count).enumerate() {
        let client = CLIENTS[place % CLIENTS.len()];
        made.push(
            team.chat(Some(workspace.agent), client, &title, "manual")
                .await?,
        );
    }
    Ok(made)
}

/// Returns a title for each chat. Neighbours have neither task nor object in common.
fn titles() -> impl Iterator<Item = String> {
    (0..).map(|number: usize| {
        let task = TASKS[(number * 7) % TASKS.len()];
        let object = OBJECTS[(number * 5 + number / OBJECTS.len()) % OBJECTS.len()];
        format!("{task} {object}")
    })
}

fn skill(name: &str) -> String {
    format!(".agents/skills/{name}/SKILL.md")
}

fn skill_text(name: &str, description: &str, more: &str) -> String {
    let description = description.trim_end_matches('.');
    format!(
        "---\nname: {name}\ndescription: {description}. Use it when somebody asks for that.\n---\n# {name}\n\n{description}.\n{more}"
    )
}
