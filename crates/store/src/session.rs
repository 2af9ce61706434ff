//! A session of PostgreSQL as everything here expects it, whatever the server, the database or the user
//! has as defaults.

use std::str::FromStr;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::database::OpenError;
use crate::fault::{Cause, Fault};

/// Oldest PostgreSQL that is supported, as `server_version_num` tells it.
const VERSION_MIN: i64 = 150_000;

/// The encoding of the database: every text that is stored is UTF-8, and no other holds them all.
const ENCODING: &str = "UTF8";

/// Longest wait for PostgreSQL to take a connection.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// What is asked of the database at the start: version, encoding and user, and the schema that holds our
/// tables or, as long as there are none, the one that the search path leads to.
const ABOUT: &str = "select current_setting('server_version_num')::bigint, \
     current_setting('server_encoding'), current_database()::text, current_user::text, \
     coalesce((select relnamespace::regnamespace::text from pg_class \
               where oid = to_regclass('_sqlx_migrations')), quote_ident(current_schema()))";

/// Makes a session what it must be, and tells whether it cannot write. What is set comes after the
/// connecting, for a pooler may pass nothing on that stands in the request for one.
///
/// After so long without a statement PostgreSQL ends a transaction, and with it the locks of a replica
/// that stopped (a machine that sleeps, a lost network); none pauses for more than the time to render.
/// Others wait for a lock for longer than that, so that mostly it comes; whoever waits behind several of
/// them is told to come again. What is acknowledged is durable: `synchronous_commit` may be anything but off.
const SETUP: &str = "select pg_is_in_recovery(), set_config('search_path', $1, false), \
     set_config('default_transaction_isolation', 'read committed', false), \
     set_config('default_transaction_read_only', 'off', false), \
     set_config('default_transaction_deferrable', 'off', false), \
     set_config('synchronous_commit', coalesce(nullif(current_setting('synchronous_commit'), 'off'), 'local'), false), \
     set_config('idle_in_transaction_session_timeout', '5s', false), \
     set_config('lock_timeout', '10s', false), \
     set_config('client_min_messages', 'warning', false)";

/// Why a standby is of no use.
const STANDBY: &str = "this PostgreSQL is a standby, which cannot write: promote it, or let the database's address lead to the primary";

/// How sessions are begun.
#[derive(Debug)]
pub(crate) struct Sessions {
    options: PgConnectOptions,
    /// The schema of our tables, as it is quoted in a search path.
    schema: String,
}

/// Why a session could not be begun.
#[derive(Debug, Clone)]
pub(crate) struct NoSession {
    pub cause: Cause,
    /// Whether it is likely to pass in moments: a server that starts, a place that is taken.
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

/// Whether nobody answers, or a server that does not take connections yet.
fn is_starting(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}

impl Sessions {
    /// Looks at the database of an address, refuses one that cannot be used, and begins a first session.
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

    /// Makes the session of a connection what it must be.
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

    /// How to connect, for what begins its session by itself.
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
                "PostgreSQL took no connection in {} s",
                CONNECT_TIME_MAX.as_secs()
            )),
            is_brief: true,
        }),
    }
}
