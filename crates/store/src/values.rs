//! The conversion between the model's types and columns. Both databases accept and return the same
//! few plain types. A [`Value`] is a type of the model that is stored as one of them.

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, Decode, Encode, Row as _, Type};
use uuid::Uuid;

use ctxpin_model::access::{Operation, Roles, Scopes};
use ctxpin_model::agent::Replaces;
use ctxpin_model::audit::AuditOutcome;
use ctxpin_model::client_version::ClientVersion;
use ctxpin_model::delivery::Delivery;
use ctxpin_model::door::Door;
use ctxpin_model::evidence::{Source, Verdict, Witness};
use ctxpin_model::evidence_key::{EvidenceKeyName, ForeignName};
use ctxpin_model::exposure::HashKind;
use ctxpin_model::hash::{AnyHash, BlobHash, ContextHash, SnapshotId, ToolsHash};
use ctxpin_model::id::{AgentId, AuditId, ChatId, EnrolmentCodeId, ProcessId, TokenId, UserId};
use ctxpin_model::mode::Mode;
use ctxpin_model::moment::Moment;
use ctxpin_model::pass::PassKind;
use ctxpin_model::pin::Reason;
use ctxpin_model::policy::Policy;
use ctxpin_model::profile::Profile;
use ctxpin_model::quota::Limit;
use ctxpin_model::resource::{Kind, Status};
use ctxpin_model::tools_mode::ToolsMode;

use crate::error::{Error, Result};

/// The arguments of a statement, for the open database.
pub(crate) enum Arguments {
    Sqlite(SqliteArguments),
    Postgres(PgArguments),
}

/// A type that both databases accept and return without conversion.
pub(crate) trait Plain:
    for<'q> Encode<'q, Sqlite>
    + Type<Sqlite>
    + for<'r> Decode<'r, Sqlite>
    + for<'q> Encode<'q, Postgres>
    + Type<Postgres>
    + for<'r> Decode<'r, Postgres>
    + Send
{
    /// Returns how many bytes of a statement the value takes.
    fn bytes(&self) -> u64;
}

macro_rules! of_fixed_size {
    ($($type:ty),+) => {$(
        impl Plain for $type {
            fn bytes(&self) -> u64 {
                size_of::<Self>() as u64
            }
        }
    )+};
}

of_fixed_size!(i64, bool, Uuid);

/// Both databases store a time in about eight bytes.
impl Plain for DateTime<Utc> {
    fn bytes(&self) -> u64 {
        8
    }
}

impl Plain for String {
    fn bytes(&self) -> u64 {
        self.len() as u64
    }
}

impl Plain for Vec<u8> {
    fn bytes(&self) -> u64 {
        self.len() as u64
    }
}

impl Arguments {
    pub(crate) fn add<P: Plain>(&mut self, value: Option<P>) -> Result<()> {
        let added = match self {
            Self::Sqlite(arguments) => arguments.add(value),
            Self::Postgres(arguments) => arguments.add(value),
        };
        added.map_err(|error| Error::from(sqlx::Error::Encode(error)))
    }
}

/// A row of a result. Its columns are read in the order in which the statement names them.
pub(crate) struct Row {
    source: RowSource,
    next: usize,
}

pub(crate) enum RowSource {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(crate) fn new(source: RowSource) -> Self {
        Self { source, next: 0 }
    }

    /// Reads the next column, or as many columns as the type takes.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unexpected`] if a column does not hold a value of its type.
    pub(crate) fn take<C: Columns>(&mut self) -> Result<C> {
        C::take(self)
    }

    fn take_value<V: Value>(&mut self) -> Result<Option<V>> {
        let index = self.next;
        self.next += 1;
        let plain: Option<V::Plain> = match &self.source {
            RowSource::Sqlite(row) => row.try_get(index)?,
            RowSource::Postgres(row) => row.try_get(index)?,
        };
        plain
            .map(|plain| {
                V::from_plain(plain).ok_or_else(|| {
                    Error::Unexpected(format!("column {index} holds a value of another type"))
                })
            })
            .transpose()
    }
}

/// A type that is read from one column, or from several consecutive ones.
pub(crate) trait Columns: Sized {
    fn take(row: &mut Row) -> Result<Self>;
}

impl<V: Value> Columns for V {
    fn take(row: &mut Row) -> Result<Self> {
        let next = row.next;
        let value = row.take_value()?;
        value.ok_or_else(|| Error::Unexpected(format!("column {next} is null")))
    }
}

/// The column may be null.
impl<V: Value> Columns for Option<V> {
    fn take(row: &mut Row) -> Result<Self> {
        row.take_value()
    }
}

/// Names the columns of a record and reads it: one list for both. A field that is read from several
/// columns names all of them. Fields behind `then` are read from what a statement adds to the list.
macro_rules! columns {
    (
        $(#[$doc:meta])*
        $vis:vis $name:ident of $record:ident {
            $first:ident: $first_sql:expr
            $(, $field:ident: $sql:expr)* $(,)?
        }
        $(then { $($behind:ident),+ })?
    ) => {
        $(#[$doc])*
        $vis const $name: &str = concat!($first_sql $(, ", ", $sql)*);

        impl $crate::values::Columns for $record {
            fn take(row: &mut $crate::values::Row) -> $crate::error::Result<Self> {
                Ok(Self {
                    $first: row.take()?,
                    $($field: row.take()?,)*
                    $($($behind: row.take()?,)+)?
                })
            }
        }
    };
}
pub(crate) use columns;

/// A type that can be stored in a column.
pub(crate) trait Value: Sized {
    type Plain: Plain;

    fn to_plain(&self) -> Self::Plain;

    /// Returns `None` if the plain value is not one of this type.
    fn from_plain(plain: Self::Plain) -> Option<Self>;
}

macro_rules! as_themselves {
    ($($type:ty),+) => {$(
        impl Value for $type {
            type Plain = Self;

            fn to_plain(&self) -> Self {
                self.clone()
            }

            fn from_plain(plain: Self) -> Option<Self> {
                Some(plain)
            }
        }
    )+};
}

as_themselves!(i64, bool, String, Vec<u8>);

macro_rules! ids {
    ($($type:ty),+) => {$(
        impl Value for $type {
            type Plain = Uuid;

            fn to_plain(&self) -> Uuid {
                self.uuid()
            }

            fn from_plain(plain: Uuid) -> Option<Self> {
                Some(plain.into())
            }
        }
    )+};
}

ids!(
    UserId,
    TokenId,
    AgentId,
    ProcessId,
    ChatId,
    AuditId,
    EnrolmentCodeId
);

impl Value for Uuid {
    type Plain = Self;

    fn to_plain(&self) -> Self {
        *self
    }

    fn from_plain(plain: Self) -> Option<Self> {
        Some(plain)
    }
}

macro_rules! hashes {
    ($($type:ty),+) => {$(
        impl Value for $type {
            type Plain = Vec<u8>;

            fn to_plain(&self) -> Vec<u8> {
                self.bytes().to_vec()
            }

            fn from_plain(plain: Vec<u8>) -> Option<Self> {
                <[u8; 32]>::try_from(plain).ok().map(Self::from)
            }
        }
    )+};
}

hashes!(
    AnyHash,
    BlobHash,
    SnapshotId,
    ContextHash,
    ToolsHash,
    EvidenceKeyName,
    ForeignName
);

impl Value for [u8; 32] {
    type Plain = Vec<u8>;

    fn to_plain(&self) -> Vec<u8> {
        self.to_vec()
    }

    fn from_plain(plain: Vec<u8>) -> Option<Self> {
        plain.try_into().ok()
    }
}

macro_rules! words {
    ($($type:ty),+) => {$(
        impl Value for $type {
            type Plain = String;

            fn to_plain(&self) -> String {
                self.to_string()
            }

            fn from_plain(plain: String) -> Option<Self> {
                plain.parse().ok()
            }
        }
    )+};
}

words!(
    Kind,
    Status,
    PassKind,
    Replaces,
    Mode,
    Policy,
    Profile,
    ToolsMode,
    Reason,
    Delivery,
    Door,
    Source,
    Verdict,
    ClientVersion,
    Witness,
    HashKind,
    Roles,
    Scopes,
    Limit,
    Operation,
    AuditOutcome
);

impl Value for Moment {
    type Plain = DateTime<Utc>;

    fn to_plain(&self) -> DateTime<Utc> {
        self.utc()
    }

    fn from_plain(plain: DateTime<Utc>) -> Option<Self> {
        Some(Self::new(plain))
    }
}

impl Value for u32 {
    type Plain = i64;

    fn to_plain(&self) -> i64 {
        (*self).into()
    }

    fn from_plain(plain: i64) -> Option<Self> {
        plain.try_into().ok()
    }
}

// Sizes are never negative and far below 2^63.
impl Value for u64 {
    type Plain = i64;

    fn to_plain(&self) -> i64 {
        i64::try_from(*self).unwrap_or(i64::MAX)
    }

    fn from_plain(plain: i64) -> Option<Self> {
        plain.try_into().ok()
    }
}
