//! Sets up a PostgreSQL session in the way that the store relies on, whatever the defaults of the server,
//! the database or the user are.

use std::str::FromStr;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::error::OpenError;
use crate::fault::{Cause, Fault};

/// The oldest supported PostgreSQL, in the form of `server_version_num`.
const VERSION_MIN: i64 = 150_000;

/// The only supported encoding. All stored texts are UTF-8, and no other encoding can hold all of them.
const ENCODING: &str = "UTF8";

/// The longest wait for a connection to be established.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// Reads what must be known of the database at the start: version, encoding, name and user, and the schema
/// that holds the tables. Before the first migration that is the first schema in the search path.
const ABOUT: &str = "select current_setting('server_version_num')::bigint, \
     current_setting('server_encoding'), current_database()::text, current_user::text, \
     coalesce((select relnamespace::regnamespace::text from pg_class \
               where oid = to_regclass('_sqlx_migrations')), quote_ident(current_schema()))";

/// Sets up a session, and returns whether the server is a standby. The settings are sent in a statement
/// after the connection is established, because a pooler may drop those in the startup message.
///
/// The idle timeout ends the transaction of a replica that stopped, for instance because its machine
/// sleeps, and releases its locks. No transaction pauses for longer than a prompt takes to render. The
/// lock timeout is longer than the idle timeout, so a waiter usually gets its lock. `synchronous_commit`
/// may have any value except `off`, because what was acknowledged must be durable.
const SETUP: &str = "select pg_is_in_recovery(), set_config('search_path', $1, false), \
     set_config('default_transaction_isolation', 'read committed', false), \
     set_config('default_transaction_read_only', 'off', false), \
     set_config('default_transaction_deferrable', 'off', false), \
     set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'local'), false), \
     set_config('idle_in_transaction_session_timeout', '5s', false), \
     set_config('lock_timeout', '10s', false), \
     set_config('client_min_messages', 'warning', false)";

/// The error for a standby.
const STANDBY: &str = "this PostgreSQL is a standby, which cannot write: promote it, or point the database's address at the primary";

/// Begins sessions on one database.
#[derive(Debug)]
pub(crate) struct Sessions {
    options: PgConnectOptions,
    /// The schema of the tables, quoted for a search path.
    schema: String,
}

/// The reason why a session could not begin.
#[derive(Debug, Clone)]
pub(crate) struct NoSession {
    pub cause: Cause,
    /// Whether the cause will probably pass within moments: the server is starting, or all its connections
    /// are in use.
    pub is_brief: bool,
}

impl From<&sqlx::Error> for NoSession {
    fn from(error: &sqlx::Error) -> Self {
        let fault = Fault::of(error);
        Self {
            cause: error.into(),
            is_brief: matches!(fault, Fault::Passing) || is_starting(error),
        }
    }
}

/// Returns whether the server does not respond, or does not accept connections yet.
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}

impl Sessions {
    /// Connects to the database at `url`, checks that it can be used, and begins a first session.
    ///
    /// # Errors
    ///
    /// Fails if the address is invalid, the server does not respond or is a standby, or its version, its
    /// encoding or its schemas do not fit.
    pub(crate) async fn find(url: &str) -> Result<(Self, PgConnection), OpenError> {
        let options = PgConnectOptions::from_str(url);
        let options = options.map_err(|error| OpenError::Url(error.to_string()))?;
        let options = options.application_name("ctxpin");
        let location = format!(
            "{} on {}",
            options.get_database().unwrap_or("of the user's name"),
            options.get_host()
        );
        let failed = |cause| OpenError::Connect {
            location: location.clone(),
            cause,
        };
        let mut first = connected(&options)
            .await
            .map_err(|refused| failed(refused.cause))?;
        let about: (i64, String, String, String, Option<String>) = sqlx::query_as(ABOUT)
            .fetch_one(&mut first)
            .await
            .map_err(|error| failed(Cause::from(&error)))?;
        let (version, encoding, database, user, schema) = about;
        if version < VERSION_MIN {
            return Err(OpenError::TooOld {
                name: "PostgreSQL",
                found: version.to_string(),
                needed: VERSION_MIN.to_string(),
            });
        }
        if encoding != ENCODING {
            return Err(OpenError::Encoding {
                database,
                found: encoding,
            });
        }
        let schema = schema.ok_or(OpenError::NoSchema { user })?;
        let sessions = Self { options, schema };
        let first = sessions.set_up(first).await;
        let first = first.map_err(|refused| failed(refused.cause))?;
        Ok((sessions, first))
    }

    /// Begins a session that can write.
    pub(crate) async fn begin(&self) -> Result<PgConnection, NoSession> {
        self.set_up(connected(&self.options).await?).await
    }

    /// Sets up the session of a new connection.
    async fn set_up(&self, mut connection: PgConnection) -> Result<PgConnection, NoSession> {
        let set_up = sqlx::query_scalar(SETUP)
            .bind(&self.schema)
            .persistent(false)
            .fetch_one(&mut connection);
        match set_up.await {
            Ok(false) => Ok(connection),
            Ok(true) => Err(NoSession {
                cause: Cause::new(STANDBY),
                is_brief: false,
            }),
            Err(error) => Err(NoSession::from(&error)),
        }
    }

    /// Returns the options for a connection that reads and writes no rows, such as one that only listens
    /// for notifications. Its session needs no settings.
    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

async fn connected(options: &PgConnectOptions) -> Result<PgConnection, NoSession> {
    let connecting = PgConnection::connect_with(options);
    match tokio::time::timeout(CONNECT_TIME_MAX, connecting).await {
        Ok(connected) => connected.map_err(|error| NoSession::from(&error)),
        Err(_) => Err(NoSession {
            cause: Cause::new(format!(
                "PostgreSQL accepted no connection within {} s",
                CONNECT_TIME_MAX.as_secs()
            )),
            is_brief: true,
        }),
    }
}
