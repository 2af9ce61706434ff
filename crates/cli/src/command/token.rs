//! `ctxpin token`: the caller's tokens.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};
use clap::{Args, Subcommand};
use ctxpin_client::Client;
use ctxpin_model::access::Scope;
use ctxpin_model::id::TokenId;
use ctxpin_protocol::http::page::PageQuery;
use ctxpin_protocol::http::people::{Token, TokenCreate, TokenRevoke};

use super::user::user_named;
use super::{Output, PageArguments, say_next, words};
use crate::chat_choice::{IdKind, only, whole_id};
use crate::connect::Connection;
use crate::pages::each_item;
use crate::say::{self, Failure, Table};
use crate::token_file::TokenFile;

/// Maximum lifetime of a token, in days. The databases can store such a time.
const LIFE_DAYS_MAX: i64 = 36_500;

/// Manage your tokens
#[derive(Debug, Args)]
pub struct Noun {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create a token, and print its secret once
    Create(Create),
    /// List your tokens
    List {
        #[command(flatten)]
        page: PageArguments,
        #[command(flatten)]
        output: Output,
    },
    /// List the valid tokens and agents that a token created, directly or through others
    Children {
        /// The token: its id, or the last digits of the id (at least 4)
        token: String,
        #[command(flatten)]
        page: PageArguments,
        #[command(flatten)]
        output: Output,
    },
    /// Revoke a token; your own token must have all of its scopes
    Revoke {
        /// The token: its id, or the last digits of the id (at least 4)
        token: String,
        /// Also revoke the tokens that it created, directly or through others, and list them;
        /// agents stay, but need a new token
        #[arg(long)]
        with_children: bool,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// A label for the token
    #[arg(long)]
    label: Option<String>,
    /// A scope; repeatable [default: read and write]
    #[arg(long = "scope", value_name = "SCOPE",
          value_parser = words(Scope::ALL, Scope::as_str))]
    scopes: Vec<Scope>,
    /// When the token expires, such as 2027-01-31T00:00:00Z [default: never]
    #[arg(long, value_name = "TIME", conflicts_with = "days")]
    expires_at: Option<DateTime<Utc>>,
    /// The number of days until the token expires
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=LIFE_DAYS_MAX))]
    days: Option<i64>,
    /// For admins: the user of the token, by name, id, or the last digits of the id
    #[arg(long)]
    user: Option<String>,
    /// Write the secret to this new file, which only you can read, instead of printing it
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    write_token: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

impl Noun {
    /// Runs the command.
    ///
    /// # Errors
    ///
    /// Fails if the caller may not do this, or there is no such token.
    pub async fn run(self) -> Result<(), Failure> {
        let client = self.connection.connect()?.client;
        match self.verb {
            Verb::Create(create) => create.run(&client).await,
            Verb::List { page, output } => list(&client, &page, output).await,
            Verb::Children {
                token,
                page,
                output,
            } => children(&client, &token, &page, output).await,
            Verb::Revoke {
                token,
                with_children,
            } => revoke(&client, &token, with_children).await,
        }
    }
}

impl Create {
    async fn run(self, client: &Client) -> Result<(), Failure> {
        let user = match &self.user {
            Some(user) => Some(user_named(client, user).await?.uuid()),
            None => None,
        };
        let mut file = token_file(self.write_token.as_deref())?;
        let in_days = self.days.map(|days| say::now() + Duration::days(days));
        let created = client
            .token_create(&TokenCreate {
                label: self.label,
                scopes: (!self.scopes.is_empty())
                    .then(|| self.scopes.iter().map(Scope::to_string).collect()),
                expires_at: self.expires_at.or(in_days),
                user,
            })
            .await?;
        if self.output.json {
            return say::print_json(&created);
        }
        say::note(&format!(
            "created token {} ({}), {}",
            say::id(created.token.id),
            created.token.scopes.join(", "),
            token_state(None, created.token.expires_at, say::now())
        ));
        secret_hand_over(created.secret.expose(), file.as_mut())
    }
}

/// Creates the file for a secret, if one is named.
///
/// # Errors
///
/// Fails if the file exists already or cannot be created.
pub fn token_file(path: Option<&Path>) -> Result<Option<TokenFile>, Failure> {
    path.map(TokenFile::create).transpose()
}

/// Prints a secret, or writes it to its file.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn secret_hand_over(secret: &str, file: Option<&mut TokenFile>) -> Result<(), Failure> {
    match file {
        Some(file) => {
            file.write(secret)?;
            say::note(&format!("its token is in {}", say::path(&file.path())));
            Ok(())
        }
        None => {
            say::note("this is its token; ctxpin prints it only once:");
            say::print(&format!("{secret}\n"))
        }
    }
}

/// Returns the state of a token: revoked, expired, or when it expires.
pub fn token_state(
    revoked_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> String {
    match (revoked_at, expires_at) {
        (Some(_), _) => "revoked".to_owned(),
        (None, Some(time)) if time <= now => "expired".to_owned(),
        (None, Some(time)) => format!("expires {}", say::date(time)),
        (None, None) => "never expires".to_owned(),
    }
}

async fn list(client: &Client, page: &PageArguments, output: Output) -> Result<(), Failure> {
    let page = client.tokens(&page.query()).await?;
    if output.json {
        return say::print_json(&page);
    }
    let now = say::now();
    let mut table = Table::new(&[
        "id",
        "label",
        "scopes",
        "created",
        "last used",
        "state",
        "created by",
    ]);
    for token in &page.items {
        let others = token.made_by.as_ref();
        let others = others.filter(|maker| maker.user != token.user);
        table.row([
            say::id(token.id),
            token.label.clone().unwrap_or_default(),
            token.scopes.join(", "),
            say::ago(token.created_at, now),
            used(token, now),
            token_state(token.revoked_at, token.expires_at, now),
            others.map_or(String::new(), |maker| format!("admin {}", maker.name)),
        ]);
    }
    say::print(&table.text())?;
    say_next(page.next.as_deref());
    Ok(())
}

fn used(token: &Token, now: DateTime<Utc>) -> String {
    token
        .last_used_at
        .map_or("never".to_owned(), |time| say::ago(time, now))
}

async fn children(
    client: &Client,
    named: &str,
    page: &PageArguments,
    output: Output,
) -> Result<(), Failure> {
    let token = token_named(client, named).await?;
    let page = client.token_children(token, &page.query()).await?;
    if output.json {
        return say::print_json(&page);
    }
    say::print(&children_text(&page.items))?;
    say_next(page.next.as_deref());
    Ok(())
}

fn children_text(children: &[Token]) -> String {
    if children.is_empty() {
        return "it created no valid tokens or agents\n".to_owned();
    }
    let now = say::now();
    let mut table = Table::new(&[
        "id",
        "of",
        "label",
        "scopes",
        "created",
        "last used",
        "state",
    ]);
    for token in children {
        table.row([
            say::id(token.id),
            match token.agent_id {
                Some(agent) => format!("agent {}", say::id(agent)),
                None => format!("user {}", say::id(token.user)),
            },
            token.label.clone().unwrap_or_default(),
            token.scopes.join(", "),
            say::ago(token.created_at, now),
            used(token, now),
            token_state(token.revoked_at, token.expires_at, now),
        ]);
    }
    table.text()
}

async fn revoke(client: &Client, named: &str, with_children: bool) -> Result<(), Failure> {
    let token = token_named(client, named).await?;
    if with_children {
        let mut children = Vec::new();
        let read = async |page: &PageQuery| client.token_children(token, page).await;
        each_item(read, |child| children.push(child)).await?;
        say::print(&children_text(&children))?;
    }
    let how = TokenRevoke {
        children: with_children.then_some(true),
    };
    client.token_revoke(token, &how).await?;
    let what = if with_children {
        " and its children"
    } else {
        ""
    };
    say::print(&format!("revoked token {}{what}\n", say::id(token.uuid())))
}

async fn token_named(client: &Client, named: &str) -> Result<TokenId, Failure> {
    if let Some(id) = whole_id(IdKind::Token, named)? {
        return Ok(TokenId::from(id));
    }
    let mut ids = Vec::new();
    let read = async |page: &PageQuery| client.tokens(page).await;
    each_item(read, |token| ids.push(token.id)).await?;
    let ids = ids.into_iter();
    only(
        IdKind::Token,
        named,
        ids.filter(|id| say::ends_with(*id, named)),
    )
    .map(TokenId::from)
}
