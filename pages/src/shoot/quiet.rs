//! The scenes of people for whom little or nothing waits.

use super::company::{Company, DAY, HOUR, MINUTE, Person};

/// Two developers with a workspace each.
pub struct Quiet {
    /// Nothing waits for this one.
    pub settled: Person,
    /// One change waits for this one.
    pub one: Person,
}

/// Lets a few days pass.
pub async fn play(company: &mut Company) -> anyhow::Result<Quiet> {
    company.happens(4 * DAY)?;
    let settled = company.employ("jonas", "member").await?;
    let mut tools = company.workspace(&settled, "build-tools").await?;
    tools.write(
        "AGENTS.md",
        "# Build tools\n\n- A step that fails says which command to run by hand.\n- No step needs the network twice.\n",
    )?;
    tools.push().await?;
    let agent = Some(tools.agent);
    let cache = settled
        .chat(agent, "terminal", "Cache the toolchain", "manual")
        .await?;
    let logs = settled
        .chat(agent, "terminal", "Fold the logs of passed steps", "manual")
        .await?;
    company.happens(2 * DAY)?;
    tools.edit(
        "AGENTS.md",
        "- No step",
        "- Times are in the log.\n- No step",
    )?;
    tools.push().await?;
    company.happens(2 * DAY - HOUR)?;
    settled.take(&[cache, logs]).await?;
    company.happens(5 * HOUR)?;
    tools.edit("AGENTS.md", "- Times are", "- Times and sizes are")?;
    tools.push().await?;
    company.happens(4 * HOUR)?;
    settled.take(&[cache]).await?;
    settled.keep(logs).await?;
    settled.turns(cache, &["measure", "key by version"]).await?;

    let one = company.employ("lena", "member").await?;
    let mut site = company.workspace(&one, "help-centre").await?;
    site.write(
        "AGENTS.md",
        "# Help centre\n\nPages for customers, in four languages.\n\n- Write for somebody who is annoyed already.\n- One page answers one question.\n- Screenshots show the shop in the reader's language.\n- Never promise a date.\n",
    )?;
    site.push().await?;
    let agent = Some(site.agent);
    let parcels = one
        .chat(agent, "editor", "Explain late parcels", "manual")
        .await?;
    one.chat(agent, "editor", "Shorten the page about returns", "manual")
        .await?;
    one.turns(parcels, &["outline", "draft"]).await?;
    company.happens(35 * MINUTE)?;
    site.edit(
        "AGENTS.md",
        "- Never promise a date.\n",
        "- Never promise a date, and never a refund.\n- The first sentence is the answer.\n",
    )?;
    site.push().await?;
    company.keep(vec![tools, site]);
    Ok(Quiet { settled, one })
}
