//! The scene of one developer: five workspaces with a dozen chats, after a week of work.

use ctxpin_model::id::ChatId;
use uuid::Uuid;

use super::company::{Company, DAY, HOUR, MINUTE, Person};
use super::records::Records;
use super::workspace::Workspace;

const AGENTS_MD: &str = "AGENTS.md";
const RELEASE_NOTES: &str = ".agents/skills/release-notes/SKILL.md";
const MIGRATION: &str = ".agents/skills/database-migration/SKILL.md";

const RULES: &str = "\
# Payments service

Charges cards, pays out to merchants and keeps the ledger.

## Build and test

- `just test` runs everything, `just test refunds` one area.
- A test that needs the card network uses the recorded answers in `fixtures/`.
- Run `just lint` before you say that you are done.

<!-- Keep this list short: every line is read at every turn. -->
## Rules

- Money is an integer of minor units, never a float.
- Every write to the ledger has an idempotency key.
- Log ids, never card numbers.

## Where things are

| what | where |
|---|---|
| charges and refunds | `crates/charges` |
| the ledger | `crates/ledger` |
| the bank's files | `crates/settlement` |
";

const RELEASE_NOTES_SKILL: &str = "\
---
name: release-notes
description: Writes release notes from the merged changes since the last tag. Use it before a release.
---
# Release notes

1. List the merges since the last tag: `git log --merges --oneline LAST..HEAD`.
2. Sort them into Added, Changed and Fixed. Leave out what no user notices.
3. Write one line for each, in the words of the people who read it.
4. Name a migration first, with what to do before and after.

Use `template.md` beside this file.
";

const TEMPLATE: &str = "\
# VERSION

Before you upgrade:

## Added

## Changed

## Fixed
";

const DISPUTE_SKILL: &str = "\
---
name: dispute-reply
description: Drafts the reply to a chargeback from the order's history. Use it when a dispute is open.
---
# Reply to a dispute

Collect the receipt, the delivery and the messages. State facts in the order of time. Attach, do not argue.
";

const MIGRATION_SKILL: &str = "\
---
name: database-migration
description: Plans a change of the schema in steps that run beside the old release. Use it for every migration.
---
# Database migration

1. Expand: add the column or the table. Write both.
2. Move the readers, one release later.
3. Contract, when no reader is left. `check.sh` lists them.
";

const MIGRATION_CHECK: &str = "\
#!/bin/sh
# Lists the readers of a column that is about to go.
exec rg --fixed-strings \"$1\" crates/ --glob '*.sql' --glob '*.rs'
";

/// A skill that no client can use, because it does not say when.
const BROKEN_SKILL: &str = "\
---
name: incident-report
---
# Incident report

What happened, when it was noticed, what ended it.
";

const SERVERS: &str = r#"{
  "mcpServers": {
    "ledger": { "command": "pg-mcp", "args": ["--read-only"], "env": { "LEDGER_URL": "${LEDGER_URL}" } },
    "tracker": { "type": "http", "url": "https://tracker.example/mcp" }
  }
}
"#;

/// The chats that the screenshots show.
pub struct Payments {
    pub developer: Person,
    /// The workspace of eight chats.
    pub workspace: Uuid,
    pub drifted: ChatId,
    pub clean: ChatId,
    pub declined: ChatId,
    pub unpinned: ChatId,
    pub failed: ChatId,
    pub away: ChatId,
    pub observed: ChatId,
    /// An observed chat whose last turn had something else than was pinned.
    pub deviating: ChatId,
    /// The workspace whose last push was refused.
    pub refused: Uuid,
}

/// Lets a week pass.
pub async fn play(company: &mut Company) -> anyhow::Result<Payments> {
    company.happens(7 * DAY)?;
    let mira = company.employ("mira", "member").await?;
    let mut payments = company.workspace(&mira, "payments").await?;
    payments
        .write(AGENTS_MD, RULES)?
        .write(RELEASE_NOTES, RELEASE_NOTES_SKILL)?
        .write(".agents/skills/release-notes/template.md", TEMPLATE)?
        .write(".agents/skills/dispute-reply/SKILL.md", DISPUTE_SKILL)?
        .write(".agents/skills/incident-report/SKILL.md", BROKEN_SKILL)?
        .write(".mcp.json", SERVERS)?;
    payments.push().await?;
    let in_payments = Some(payments.agent);

    company.happens(6 * DAY + 5 * HOUR)?;
    let outbox = mira.chat(
        in_payments,
        "terminal",
        "Move ledger writes to the outbox",
        "manual",
    );
    let outbox = outbox.await?;
    let drifted = mira
        .chat(
            in_payments,
            "editor",
            "Split the payment step into authorise and capture",
            "manual",
        )
        .await?;
    mira.turns(drifted, &["plan", "read crates/charges"])
        .await?;
    let bank = mira
        .chat(
            in_payments,
            "editor",
            "Reconcile payouts with the bank's file",
            "manual",
        )
        .await?;
    mira.turns(outbox, &["plan"]).await?;

    company.happens(5 * DAY + 2 * HOUR)?;
    payments.edit(
        AGENTS_MD,
        "- Every write",
        "- A refund is a new entry of the ledger, never an update of the charge.\n- Every write",
    )?;
    payments.push().await?;
    company.happens(5 * DAY + HOUR)?;
    mira.take(&[drifted, bank]).await?;
    mira.turns(drifted, &["split the handler", "tests for capture"])
        .await?;
    let chargebacks = mira
        .chat(
            in_payments,
            "editor",
            "Explain chargebacks to support",
            "manual",
        )
        .await?;
    mira.turns(bank, &["read the format"]).await?;
    mira.turns(chargebacks, &["first draft", "shorter"]).await?;

    company.happens(3 * DAY + 4 * HOUR)?;
    payments
        .edit(
            ".agents/skills/dispute-reply/SKILL.md",
            "do not argue",
            "and do not argue",
        )?
        .edit(AGENTS_MD, "`just lint`", "`just lint` and `just test`")?;
    payments.push().await?;
    company.happens(3 * DAY + 3 * HOUR)?;
    mira.take_source(drifted, "/work/payments/AGENTS.md")
        .await?;
    mira.turns(drifted, &["capture twice"]).await?;
    company.happens(3 * DAY + 2 * HOUR)?;
    mira.roll_back(drifted, 2).await?;
    mira.turns(drifted, &["capture twice, again", "idempotency key"])
        .await?;
    let orders = mira
        .chat(
            in_payments,
            "review",
            "Find the double charge of order 48213",
            "manual",
        )
        .await?;
    mira.turns(orders, &["logs", "ledger entries"]).await?;

    company.happens(DAY + 6 * HOUR)?;
    payments.edit(
        AGENTS_MD,
        "- Log ids",
        "- Times are UTC, to the millisecond.\n- Log ids",
    )?;
    payments.push().await?;
    company.happens(DAY + 5 * HOUR)?;
    mira.take(&[drifted, orders, bank]).await?;
    mira.turns(drifted, &["write both", "rename the states", "docs"])
        .await?;
    let webhooks = mira
        .chat(
            in_payments,
            "editor",
            "Retry webhooks with backoff",
            "follow",
        )
        .await?;
    mira.turns(webhooks, &["plan", "jitter"]).await?;
    let report = mira
        .chat(
            in_payments,
            "terminal",
            "Speed up the settlement report",
            "manual",
        )
        .await?;
    mira.turns(report, &["profile"]).await?;
    let others = others(company, &mira, &mut payments).await?;
    company.happens(19 * MINUTE)?;
    mira.keep(report).await?;
    let clean = mira
        .chat(
            in_payments,
            "terminal",
            "Draft the notes of release 4.2",
            "manual",
        )
        .await?;
    company.happens(14 * MINUTE)?;
    mira.turns(webhooks, &["tests"]).await?;
    mira.turns(clean, &["list the merges", "sort them"]).await?;
    company.happens(6 * MINUTE)?;
    mira.turns(drifted, &["review the diff"]).await?;
    let records = Records::of(&mira).await?;
    for chat in [drifted, clean] {
        records.confirm(chat).await?;
    }
    company.keep(others.present);
    let workspace = payments.agent;
    company.keep(vec![payments]);
    Ok(Payments {
        developer: mira,
        workspace,
        drifted,
        clean,
        declined: report,
        unpinned: others.unpinned,
        failed: others.failed,
        away: others.away,
        observed: others.observed,
        deviating: others.deviating,
        refused: others.refused,
    })
}

/// The other workspaces of the developer.
struct Others {
    present: Vec<Workspace>,
    unpinned: ChatId,
    failed: ChatId,
    away: ChatId,
    observed: ChatId,
    deviating: ChatId,
    refused: Uuid,
}

/// Plays the last day: the other workspaces, and the changes that nobody has taken yet.
async fn others(
    company: &Company,
    mira: &Person,
    payments: &mut Workspace,
) -> anyhow::Result<Others> {
    company.happens(DAY + 4 * HOUR)?;
    let mut storefront = company.workspace(mira, "storefront").await?;
    storefront
        .write(AGENTS_MD, "# Storefront\n\nThe shop's pages. TypeScript, no framework.\n\n- Every page works without script.\n- A price comes from the server, already formatted.\n")?
        .write(RELEASE_NOTES, RELEASE_NOTES_SKILL)?
        .write(".agents/skills/release-notes/template.md", TEMPLATE)?;
    storefront.push().await?;
    let in_storefront = Some(storefront.agent);
    let checkout = mira
        .chat(
            in_storefront,
            "editor",
            "Show the tax in the checkout",
            "manual",
        )
        .await?;
    let images = mira
        .chat(in_storefront, "editor", "Serve smaller images", "manual")
        .await?;
    mira.turns(checkout, &["plan"]).await?;
    mira.turns(images, &["measure", "convert"]).await?;
    let observed = mira.observed(storefront.agent, "5c1d", "Review the rounding of taxes");
    let observed = observed.await?;
    mira.turns(observed, &["read the rules"]).await?;
    let records = Records::of(mira).await?;
    for chat in [checkout, observed] {
        records.confirm(chat).await?;
    }
    let (deviating, ledger) = deviates(company, mira, &records).await?;

    let mut mobile = company.workspace(mira, "mobile").await?;
    mobile.write(
        AGENTS_MD,
        "# Mobile app\n\n- Strings live in `strings/`, sorted by screen.\n",
    )?;
    mobile.push().await?;
    let away = mira
        .chat(
            Some(mobile.agent),
            "editor",
            "Translate the receipt screen",
            "manual",
        )
        .await?;
    mira.turns(away, &["list the strings"]).await?;

    let mut search = company.workspace(mira, "search").await?;
    search.write(
        AGENTS_MD,
        "# Search\n\n- An index is built beside the old one, then swapped.\n",
    )?;
    search.fail("only 10000 entries of /work/search/.agents/skills were looked at");
    search.push().await?;
    let failed = mira
        .chat(
            Some(search.agent),
            "terminal",
            "Rank exact matches first",
            "manual",
        )
        .await?;
    mira.turns(failed, &["read the scorer"]).await?;

    company.happens(2 * HOUR)?;
    storefront.edit(
        AGENTS_MD,
        "already formatted.\n",
        "already formatted.\n- Ask for a review of every change to the checkout.\n",
    )?;
    storefront.push().await?;

    company.happens(21 * MINUTE)?;
    let handbook = mira_docs(company, mira).await?;
    company.happens(20 * MINUTE)?;
    for workspace in [&mut *payments, &mut storefront] {
        workspace.edit(
            RELEASE_NOTES,
            "3. Write one line for each, in the words of the people who read it.",
            "3. Write one line for each, in the words of the people who read it, at most 90 characters.",
        )?;
        workspace.edit(
            RELEASE_NOTES,
            "before and after.\n",
            "before and after.\n5. Let somebody outside of the team read it.\n",
        )?;
    }
    payments
        .edit(
            AGENTS_MD,
            "- Log ids, never card numbers.\n",
            "- Log ids, never card numbers or names.\n- Do not touch `crates/settlement` without a review: the bank has frozen its format.\n- A new error has a code in `errors.toml`.\n",
        )?
        .write(MIGRATION, MIGRATION_SKILL)?
        .write(".agents/skills/database-migration/check.sh", MIGRATION_CHECK)?;
    payments.push().await?;
    storefront.push().await?;
    let mut reports = company.workspace(mira, "reports").await?;
    reports.write(AGENTS_MD, "# Reports\n\n- A figure names its source.\n")?;
    reports.push().await?;
    reports.edit(AGENTS_MD, "its source.\n", "its source and its day.\n")?;
    company.refuse(mira, &mut reports).await?;
    let refused = reports.agent;
    Ok(Others {
        observed,
        deviating,
        refused,
        present: vec![storefront, search, reports, ledger],
        unpinned: handbook,
        failed,
        away,
    })
}

/// Plays an observed chat whose client gave an old copy after the session was resumed, and a file beside the pin.
async fn deviates(
    company: &Company,
    mira: &Person,
    records: &Records<'_>,
) -> anyhow::Result<(ChatId, Workspace)> {
    company.happens(DAY + 3 * HOUR)?;
    let mut ledger = company.workspace(mira, "ledger").await?;
    ledger
        .write(AGENTS_MD, "# Ledger\n\nKeeps every booking, for ten years.\n\n- A booking is never changed, only reversed.\n")?
        .write(MIGRATION, MIGRATION_SKILL)?
        .write(RELEASE_NOTES, RELEASE_NOTES_SKILL)?;
    ledger.push().await?;
    let chat = mira
        .observed(ledger.agent, "9e27", "Split the booking table")
        .await?;
    mira.turns(chat, &["read the schema", "plan the steps"])
        .await?;
    records.confirm(chat).await?;
    company.happens(DAY)?;
    ledger.edit(
        AGENTS_MD,
        "only reversed.\n",
        "only reversed.\n- A migration runs beside the old release.\n",
    )?;
    ledger.push().await?;
    mira.resume(chat).await?;
    mira.turns(chat, &["write the migration"]).await?;
    records.lose_a_part(chat).await?;
    company.happens(5 * HOUR)?;
    mira.turns(chat, &["copy the old rows"]).await?;
    let outcomes = [("ledger/AGENTS.md", "stale"), (MIGRATION, "absent")];
    let foreign = [(
        "notes/migration.md",
        "Drop the old table in the same release.\n",
    )];
    records.contradict(chat, &outcomes, &foreign).await?;
    Ok((chat, ledger))
}

/// Creates a chat that waits for the first push of its workspace.
async fn mira_docs(company: &Company, mira: &Person) -> anyhow::Result<ChatId> {
    let handbook = company.workspace(mira, "handbook").await?;
    mira.chat(
        Some(handbook.agent),
        "editor",
        "Merge the two onboarding pages",
        "manual",
    )
    .await
}
