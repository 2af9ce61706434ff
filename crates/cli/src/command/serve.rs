//! `ctxpin serve`.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ctxpin_client::{Client, PlainHttp};
use ctxpin_model::quota::{Amounts, Quotas, Rates};
use ctxpin_server::authority::PublicUrl;
use ctxpin_server::limits::Limits;
use ctxpin_server::run::{
    DATABASE_CONNECTIONS, DATABASE_CONNECTIONS_RANGE, MetricsReaders, Settings, bind, serve,
};
use url::Url;

use crate::bytes::Bytes;
use crate::data_directory::directory_create;
use crate::log;
use crate::running::{ADMIN_TOKEN_NAME, token_read, until_ready};
use crate::say::{self, Failure, Hint, Setting};
use crate::setting::{DATABASE_VARIABLE, Origin, listen_address};
use crate::stop;

/// Run a server
///
/// At its first start the server creates a first user with every right. It writes the user's token
/// to `admin-token` in the data directory, unless you supply one.
#[derive(Debug, Args)]
pub struct Serve {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7878",
          value_parser = listen_address)]
    listen: SocketAddr,
    /// The directory for the server's first token, and for its SQLite database
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    #[command(flatten)]
    database: Database,
    /// Maximum number of connections to PostgreSQL, from 2 to 1000; one of them receives
    /// notifications of other replicas
    #[arg(long, value_name = "N", requires = "address", default_value_t = DATABASE_CONNECTIONS,
          value_parser = connections)]
    database_connections: u32,
    /// A file with a token that you created for the first user; the server then writes no
    /// `admin-token`. It also works on a database that has users
    #[arg(long, value_name = "FILE")]
    first_token_file: Option<PathBuf>,
    // The documentation would want a link here, whose brackets the help would show.
    #[arg(
        long = "public-url",
        value_name = "URL",
        help = "An address at which others reach the server, such as https://ctxpin.example.org; repeatable"
    )]
    public_urls: Vec<PublicUrl>,
    /// Answer pushes with 503 `sync-paused`; everything else works
    #[arg(long)]
    pause_sync: bool,
    /// Who may read `/metrics`
    #[arg(long, value_name = "WHO", value_enum, env = "CTXPIN_METRICS_READERS",
          hide_env_values = true, default_value_t = Readers::Everybody)]
    metrics_readers: Readers,
    #[command(flatten)]
    allowed: Allowed,
}

/// The callers who may read `/metrics`.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Readers {
    /// Everybody who reaches the port
    Everybody,
    /// Auditors and admins, by a token with the scope `read`
    Auditors,
}

impl From<Readers> for MetricsReaders {
    fn from(readers: Readers) -> Self {
        match readers {
            Readers::Everybody => Self::Everybody,
            Readers::Auditors => Self::Auditors,
        }
    }
}

/// The options for quotas and rates.
#[derive(Debug, Args)]
struct Allowed {
    /// Content that a user's agents may send, each content counted once; `ctxpin user quota`
    /// changes it for one user
    #[arg(long, value_name = "SIZE", env = "CTXPIN_CONTENT_QUOTA", hide_env_values = true,
          default_value_t = Bytes(Amounts::QUOTA.content_bytes))]
    content_quota: Bytes,
    /// Maximum number of agents of a user
    #[arg(long, value_name = "N", env = "CTXPIN_AGENTS_QUOTA", hide_env_values = true,
          default_value_t = Amounts::QUOTA.agents)]
    agents_quota: u64,
    /// Maximum number of chats of a user
    #[arg(long, value_name = "N", env = "CTXPIN_CHATS_QUOTA", hide_env_values = true,
          default_value_t = Amounts::QUOTA.chats)]
    chats_quota: u64,
    /// Maximum number of tokens of a user, without those of agents
    #[arg(long, value_name = "N", env = "CTXPIN_TOKENS_QUOTA", hide_env_values = true,
          default_value_t = Amounts::QUOTA.tokens)]
    tokens_quota: u64,
    /// Pushes of an agent per minute
    #[arg(long, value_name = "N", env = "CTXPIN_PUSHES_PER_MINUTE", hide_env_values = true,
          default_value_t = Rates::DEFAULT.pushes)]
    pushes_per_minute: u64,
    /// Content that an agent may send per minute
    #[arg(long, value_name = "SIZE", env = "CTXPIN_UPLOAD_PER_MINUTE", hide_env_values = true,
          default_value_t = Bytes(Rates::DEFAULT.upload_bytes))]
    upload_per_minute: Bytes,
    /// Turns with one token per minute
    #[arg(long, value_name = "N", env = "CTXPIN_TURNS_PER_MINUTE", hide_env_values = true,
          default_value_t = Rates::DEFAULT.turns)]
    turns_per_minute: u64,
    /// Moves of pins and changes of chats with one token per minute
    #[arg(long, value_name = "N", env = "CTXPIN_MOVES_PER_MINUTE", hide_env_values = true,
          default_value_t = Rates::DEFAULT.moves)]
    moves_per_minute: u64,
    /// Sign-ins to the web page, links to it and enrolment codes with one token per minute
    #[arg(long, value_name = "N", env = "CTXPIN_SIGN_INS_PER_MINUTE", hide_env_values = true,
          default_value_t = Rates::DEFAULT.sign_ins)]
    sign_ins_per_minute: u64,
}

impl Allowed {
    /// Returns the quotas and rates as settings of the server.
    fn quotas(&self) -> Quotas {
        Quotas {
            amounts: Amounts {
                content_bytes: self.content_quota.0,
                agents: self.agents_quota,
                chats: self.chats_quota,
                tokens: self.tokens_quota,
            },
            rates: Rates {
                pushes: self.pushes_per_minute,
                upload_bytes: self.upload_per_minute.0,
                turns: self.turns_per_minute,
                moves: self.moves_per_minute,
                sign_ins: self.sign_ins_per_minute,
            },
        }
    }
}

/// The option for the server's database.
#[derive(Debug, Clone, Default, Args)]
pub struct Database {
    /// A PostgreSQL database, such as postgres://user@host/name [default: SQLite in the data
    /// directory]
    #[arg(
        long = "database",
        value_name = "URL",
        env = DATABASE_VARIABLE,
        hide_env_values = true
    )]
    address: Option<String>,
}

impl Database {
    /// Returns the address of the database, or `None` if none is set: the server then uses SQLite.
    ///
    /// # Errors
    ///
    /// Fails if the address is not one of PostgreSQL. The message does not contain the address,
    /// because it may hold a password.
    pub fn address(self) -> Result<Option<String>, Failure> {
        let is_postgres = |address: &String| {
            ["postgres://", "postgresql://"]
                .iter()
                .any(|scheme| address.starts_with(scheme))
        };
        match self.address {
            Some(address) if !is_postgres(&address) => Err(Failure::usage(format!(
                "the value of {} is not the address of a PostgreSQL database",
                Origin::of("--database", DATABASE_VARIABLE)
            ))
            .hint(Hint::say(
                "such an address begins with postgres://; leave it out to use SQLite",
            ))),
            address => Ok(address),
        }
    }
}

impl Serve {
    /// Serves until it is stopped.
    ///
    /// # Errors
    ///
    /// Fails if the address is taken, or the database cannot be opened.
    pub async fn run(self) -> Result<(), Failure> {
        log::start();
        let database = self.database.address()?;
        directory_create(&self.data_dir).map_err(|failure| {
            failure.only_hint(Hint::set(
                Setting::DataDirectory,
                "names a directory that you may write to",
            ))
        })?;
        if let Some(file) = &self.first_token_file {
            token_read(file).map_err(|failure| failure.about("the first user's token"))?;
        }
        let listener = bind(self.listen).map_err(|error| not_listening(self.listen, &error))?;
        let address = listener
            .local_addr()
            .map_err(|error| Failure::new("the address cannot be read").because(error))?;
        let probe = probe(address)?;
        let token = self.first_token_file.clone();
        let token = token.unwrap_or_else(|| self.data_dir.join(ADMIN_TOKEN_NAME));
        let settings = Settings {
            data_directory: self.data_dir,
            database,
            database_connections: self.database_connections,
            first_token: self.first_token_file,
            pause_sync: self.pause_sync,
            limits: Limits::default(),
            quotas: self.allowed.quotas(),
            metrics_readers: self.metrics_readers.into(),
            bound_sessions: false,
            page_host: None,
            public_urls: self.public_urls,
        };
        let shutdown = stop::on_signal()?;
        let mut serving = std::pin::pin!(serve(listener, shutdown, settings));
        tokio::select! {
            ended = &mut serving => return ended.map_err(Failure::of),
            ready = until_ready(&probe) => ready?,
        }
        let url = probe.as_str().trim_end_matches('/');
        say::note(&format!("serving {url}"));
        if !address.ip().is_loopback() {
            say::note(&format!(
                "{} other machines can reach {address} over plain HTTP, where others can read tokens: put a \
                 reverse proxy with TLS in front of it, and listen on 127.0.0.1",
                say::paint(say::WARNING, "warning:")
            ));
        }
        tokio::select! {
            ended = &mut serving => return ended.map_err(Failure::of),
            opens = opens(&probe, &token) => if opens {
                say::note(&format!("the first user's token: {}", say::path(&token)));
            },
        }
        say::note(&format!("the API: {url}/api/v1/openapi.json"));
        serving.await.map_err(Failure::of)
    }
}

/// Returns whether the server accepts the token in the file. It refuses a token of another
/// database. The data directory of another replica has no token.
async fn opens(server: &Url, file: &Path) -> bool {
    let Ok(token) = token_read(file) else {
        return false;
    };
    // The token goes to this process only.
    match Client::with_plain_http(server.clone(), token, PlainHttp::Allowed) {
        Ok(client) => client.me().await.is_ok(),
        Err(_) => false,
    }
}

fn connections(text: &str) -> Result<u32, String> {
    let (least, most) = DATABASE_CONNECTIONS_RANGE.into_inner();
    let number = text.parse().ok();
    let number = number.filter(|number| DATABASE_CONNECTIONS_RANGE.contains(number));
    number.ok_or_else(|| format!("it must be a number from {least} to {most}"))
}

fn not_listening(address: SocketAddr, error: &io::Error) -> Failure {
    let failure = Failure::new(format!("cannot listen on {address}")).because(error);
    if error.kind() == ErrorKind::AddrInUse {
        failure
            .hint(Hint::say("another process has it"))
            .hint(Hint::set(
                Setting::Listen,
                "chooses another; port 0 is any free one",
            ))
    } else if error.kind() == ErrorKind::AddrNotAvailable {
        failure.hint(Hint::say(
            "this machine does not have that address: use 127.0.0.1, or 0.0.0.0 for all its addresses",
        ))
    } else {
        failure
    }
}

/// Returns the address at which this machine reaches a server that listens at `address`.
fn probe(mut address: SocketAddr) -> Result<Url, Failure> {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    Url::parse(&format!("http://{address}")).map_err(Failure::of)
}
