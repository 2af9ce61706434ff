//! `ctxpin user`: users and their quotas, for administrators.

use clap::{Args, Subcommand};
use ctxpin_client::Client;
use ctxpin_model::access::Role;
use ctxpin_model::id::UserId;
use ctxpin_model::quota::Stock;
use ctxpin_protocol::http::page::PageQuery;
use ctxpin_protocol::http::people::{User, UserChange, UserCreate};
use ctxpin_protocol::http::quotas::{QuotaChange, Usage};
use uuid::Uuid;

use super::{Output, PageArguments, say_next, words};
use crate::bytes::Bytes;
use crate::chat_choice::{IdKind, only, whole_id};
use crate::connect::Connection;
use crate::pages::each_item;
use crate::say::{self, Failure, Table};

/// Manage users and their quotas
#[derive(Debug, Args)]
pub struct Noun {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create a user; `ctxpin token create --user` gives them a token
    Create {
        /// The name of the user
        name: String,
        /// A role; repeatable
        #[arg(long = "role", value_name = "ROLE", default_value = "member",
              value_parser = words(Role::ALL, Role::as_str))]
        roles: Vec<Role>,
        #[command(flatten)]
        output: Output,
    },
    /// List the users
    List {
        #[command(flatten)]
        page: PageArguments,
        #[command(flatten)]
        output: Output,
    },
    /// Disable a user: their tokens, those of their agents and their watches end
    Disable {
        /// The user: their name, their id, or the last digits of the id
        user: String,
        #[command(flatten)]
        output: Output,
    },
    /// Enable a user again, with all tokens that did not expire and were not revoked meanwhile
    Enable {
        /// The user: their name, their id, or the last digits of the id
        user: String,
        #[command(flatten)]
        output: Output,
    },
    /// Show your usage and quotas, or for auditors and admins those of another user
    Usage {
        /// The user: admins give the name, the id or its last digits, auditors the id
        user: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Change a user's quotas; existing data stays
    Quota {
        /// The user: their name, their id, or the last digits of the id
        user: String,
        #[command(flatten)]
        change: QuotaArguments,
        #[command(flatten)]
        output: Output,
    },
}

/// The options for the quotas of a user.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct QuotaArguments {
    /// Content that the user's agents may send, each content counted once, such as 20GiB; or
    /// `default`
    #[arg(long, value_name = "SIZE", value_parser = size_or_default)]
    content: Option<Quota>,
    /// Maximum number of agents; or `default`
    #[arg(long, value_name = "N", value_parser = number_or_default)]
    agents: Option<Quota>,
    /// Maximum number of chats; or `default`
    #[arg(long, value_name = "N", value_parser = number_or_default)]
    chats: Option<Quota>,
    /// Maximum number of tokens, without those of agents; or `default`
    #[arg(long, value_name = "N", value_parser = number_or_default)]
    tokens: Option<Quota>,
}

/// A new quota: a number, or the server's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quota {
    Number(u64),
    Default,
}

impl Quota {
    /// Returns the quota as the API spells it, where `None` is the default.
    fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Default => None,
        }
    }
}

fn size_or_default(text: &str) -> Result<Quota, String> {
    match text {
        "default" => Ok(Quota::Default),
        text => text.parse().map(|Bytes(bytes)| Quota::Number(bytes)),
    }
}

fn number_or_default(text: &str) -> Result<Quota, String> {
    match text {
        "default" => Ok(Quota::Default),
        text => text
            .parse()
            .map(Quota::Number)
            .map_err(|_| "write a whole number, or `default`".into()),
    }
}

impl Noun {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// Fails if the caller is not an administrator, or there is no such user.
    pub async fn run(self) -> Result<(), Failure> {
        let client = self.connection.connect()?.client;
        match self.verb {
            Verb::Create {
                name,
                roles,
                output,
            } => {
                let user = client
                    .user_create(&UserCreate {
                        name,
                        roles: roles.iter().map(Role::to_string).collect(),
                    })
                    .await?;
                said(&user, "created", output)
            }
            Verb::List { page, output } => list(&client, &page, output).await,
            Verb::Disable { user, output } => disabled(&client, &user, true, output).await,
            Verb::Enable { user, output } => disabled(&client, &user, false, output).await,
            Verb::Usage { user, output } => {
                let user = match user {
                    Some(named) => Some(user_to_read(&client, &named).await?),
                    None => None,
                };
                used(&client.usage(user).await?, output)
            }
            Verb::Quota {
                user,
                change,
                output,
            } => {
                let user = user_named(&client, &user).await?;
                let change = QuotaChange {
                    content_bytes: change.content.map(Quota::number),
                    agents: change.agents.map(Quota::number),
                    chats: change.chats.map(Quota::number),
                    tokens: change.tokens.map(Quota::number),
                };
                used(&client.quota_change(user, &change).await?, output)
            }
        }
    }
}

async fn list(client: &Client, page: &PageArguments, output: Output) -> Result<(), Failure> {
    let page = client.users(&page.query()).await?;
    if output.json {
        return say::print_json(&page);
    }
    let now = say::now();
    let mut table = Table::new(&["id", "name", "roles", "state", "created"]);
    for user in &page.items {
        let state = if user.disabled { "disabled" } else { "enabled" };
        table.row([
            say::id(user.id),
            user.name.clone(),
            user.roles.join(", "),
            state.to_owned(),
            say::ago(user.created_at, now),
        ]);
    }
    say::print(&table.text())?;
    say_next(page.next.as_deref());
    Ok(())
}

async fn disabled(
    client: &Client,
    named: &str,
    disabled: bool,
    output: Output,
) -> Result<(), Failure> {
    let user = user_named(client, named).await?;
    let change = UserChange {
        disabled: Some(disabled),
        ..UserChange::default()
    };
    let user = client.user_change(user, &change).await?;
    said(&user, if disabled { "disabled" } else { "enabled" }, output)
}

fn said(user: &User, what: &str, output: Output) -> Result<(), Failure> {
    if output.json {
        return say::print_json(user);
    }
    say::print(&format!(
        "{what} user {} \"{}\" ({})\n",
        say::id(user.id),
        say::line(&user.name),
        user.roles.join(", ")
    ))
}

fn used(usage: &Usage, output: Output) -> Result<(), Failure> {
    match output.json {
        true => say::print_json(usage),
        false => say::print(&usage_text(usage)),
    }
}

fn usage_text(usage: &Usage) -> String {
    let mut table = Table::new(&["of", "used", "quota", "", ""]);
    let rows = [
        ("content", Stock::ContentBytes, usage.content_bytes),
        ("agents", Stock::Agents, usage.agents),
        ("chats", Stock::Chats, usage.chats),
        ("tokens", Stock::Tokens, usage.tokens),
    ];
    for (what, stock, row) in rows {
        let amount = |number| say::amount(stock.as_str(), number);
        let percent = u128::from(row.used) * 100 / u128::from(row.quota.max(1));
        let whose = match row.is_default {
            true => "",
            false => "set by an admin",
        };
        table.row([
            what.to_owned(),
            amount(row.used),
            amount(row.quota),
            format!("{percent} %"),
            whose.to_owned(),
        ]);
    }
    table.text()
}

/// Finds a user of whom something is to be read. An auditor cannot list users, but may know an id.
///
/// # Errors
///
/// Fails if there is no such user, or more than one.
pub async fn user_to_read(client: &Client, named: &str) -> Result<UserId, Failure> {
    match named.parse::<Uuid>() {
        Ok(id) => Ok(UserId::from(id)),
        Err(_) => user_named(client, named).await,
    }
}

/// Finds a user by name, by id, or by the last digits of the id.
///
/// # Errors
///
/// Fails if there is no such user, or more than one.
pub async fn user_named(client: &Client, named: &str) -> Result<UserId, Failure> {
    let (mut ids, mut by_name) = (Vec::new(), Vec::new());
    let read = async |page: &PageQuery| client.users(page).await;
    each_item(read, |user| {
        ids.push(user.id);
        by_name.extend((user.name == named).then_some(user.id));
    })
    .await?;
    if let [id] = by_name[..] {
        return Ok(UserId::from(id));
    }
    if let Some(id) = whole_id(IdKind::User, named)? {
        return Ok(UserId::from(id));
    }
    let ids = ids.into_iter();
    only(
        IdKind::User,
        named,
        ids.filter(|id| say::ends_with(*id, named)),
    )
    .map(UserId::from)
}

#[cfg(test)]
mod tests {
    use ctxpin_protocol::http::quotas::Used;

    use super::*;

    #[test]
    fn finding_06_usage_is_shown_with_its_quota() {
        let used = |used, quota, is_default| Used {
            used,
            quota,
            is_default,
        };
        let usage = Usage {
            user: Uuid::nil(),
            content_bytes: used(17 << 30, 20 << 30, false),
            agents: used(7, 1_000, true),
            chats: used(0, 0, false),
            tokens: used(1_200, 1_000, true),
        };
        let expected = "\
OF       USED    QUOTA
content  17 GiB  20 GiB  85 %   set by an admin
agents   7       1000    0 %
chats    0       0       0 %    set by an admin
tokens   1200    1000    120 %
";
        assert_eq!(usage_text(&usage), expected);
    }

    #[test]
    fn a_quota_is_a_number_or_the_default() {
        assert_eq!(size_or_default("20GiB"), Ok(Quota::Number(20 << 30)));
        assert_eq!(size_or_default("default"), Ok(Quota::Default));
        assert!(size_or_default("much").is_err());
        assert_eq!(number_or_default("7"), Ok(Quota::Number(7)));
        assert_eq!(number_or_default("default"), Ok(Quota::Default));
        assert!(number_or_default("7GiB").is_err());
    }
}
