//! `ctxpin user`: who may call, for administrators.

use clap::{Args, Subcommand};
use ctxpin_client::Client;
use ctxpin_model::id::UserId;
use ctxpin_protocol::http::page::PageQuery;
use ctxpin_protocol::http::people::{User, UserChange, UserCreate};

use super::{Output, PageArguments, say_next};
use crate::chat_choice::{only, whole_id};
use crate::connect::Connection;
use crate::pages::each_item;
use crate::say::{self, Failure, Table};

/// Users, for administrators
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
        /// The name
        name: String,
        /// What the user is; several add up
        #[arg(long = "role", value_name = "ROLE", default_value = "member",
              value_parser = ["member", "auditor", "admin"])]
        roles: Vec<String>,
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
    /// Lock a user out: none of their tokens is taken any more
    Disable {
        /// The user: their name, their id, or the end of it
        user: String,
        #[command(flatten)]
        output: Output,
    },
    /// Let a user in again
    Enable {
        /// The user: their name, their id, or the end of it
        user: String,
        #[command(flatten)]
        output: Output,
    },
}

impl Noun {
    /// Creates, lists or changes.
    ///
    /// # Errors
    ///
    /// If the caller is no administrator, or there is no such user.
    pub async fn run(self) -> Result<(), Failure> {
        let client = self.connection.connect()?.client;
        match self.verb {
            Verb::Create {
                name,
                roles,
                output,
            } => {
                let user = client.user_create(&UserCreate { name, roles }).await?;
                said(&user, "created", output)
            }
            Verb::List { page, output } => list(&client, &page, output).await,
            Verb::Disable { user, output } => disabled(&client, &user, true, output).await,
            Verb::Enable { user, output } => disabled(&client, &user, false, output).await,
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

/// Finds a user by name, id or the end of the id.
///
/// # Errors
///
/// If there is no such user, or more than one.
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
    if let Some(id) = whole_id("user", named)? {
        return Ok(UserId::from(id));
    }
    let ids = ids.into_iter();
    only("user", named, ids.filter(|id| say::ends_with(*id, named))).map(UserId::from)
}
