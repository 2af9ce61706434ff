//! The only server of a user. The process that holds the lock runs the server, and all other processes
//! join it. When the first process ends, one of the others takes over.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use ctxpin_client::Client;
use ctxpin_model::quota::Quotas;
use ctxpin_private_files::lock::Lock;
use ctxpin_server::limits::Limits;
use ctxpin_server::run::{DATABASE_CONNECTIONS, MetricsReaders, Settings, serve};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::data_directory::{DataDirectory, DatabaseKey, directory_create, file_write};
use crate::owned::file_demand;
use crate::process::Process;
use crate::running::{READY_INTERVAL, RunningServer, lock_note, lock_take, prober, until_ready};
use crate::say::{self, Failure, Hint, NextCommand, Setting, note, waited};

/// The port of the first attempt.
const PORT_DEFAULT: u16 = 7878;

/// Maximum time that a process which takes over waits for the port of its predecessor.
const PORT_WAIT_MAX: Duration = Duration::from_secs(10);

/// Maximum time for a server in another process to become ready.
const JOIN_WAIT_MAX: Duration = Duration::from_secs(60);

/// Pause between two attempts of a process that takes over to write a file.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// The settings of the user's server.
#[derive(Clone)]
pub struct Plan {
    /// The data directory of the server and its lock.
    pub data: DataDirectory,
    /// The address of the PostgreSQL database, or `None` for SQLite.
    pub database: Option<String>,
}

/// The user's server, which runs in this process or in another.
pub struct Host {
    /// The running server.
    pub server: RunningServer,
    /// Ends after a shutdown, or when the server failed in this process.
    pub task: JoinHandle<Result<(), Failure>>,
}

impl Plan {
    /// Starts the server, or joins the running one, and returns when it is ready. If joining takes long,
    /// calls `tell` with what the process waits for.
    ///
    /// # Errors
    ///
    /// Fails if the server cannot start, or if the running server has another database or is not ready
    /// within 60 s.
    pub async fn start(
        self,
        shutdown: CancellationToken,
        tell: impl FnOnce(&str),
    ) -> Result<Host, Failure> {
        if let Some(lock) = lock_take(&self.data.server_lock())? {
            return self.lead(lock, None, shutdown).await;
        }
        let mut lock = lock_await(&self.data)?;
        let joined = waited(self.until_joined(), || tell(&waiting(&self.data)));
        let server = tokio::select! {
            lock = &mut lock => return self.lead(locked(lock)?, None, shutdown).await,
            () = shutdown.cancelled() => return Err(stopped()),
            joined = tokio::time::timeout(JOIN_WAIT_MAX, joined) => {
                joined.map_err(|_| not_answering(&self.data))??
            }
        };
        let task = tokio::spawn(self.inherit(lock, server.url.clone(), shutdown));
        Ok(Host { server, task })
    }

    /// Waits until the server that another process runs is ready.
    async fn until_joined(&self) -> Result<RunningServer, Failure> {
        let mut asked: Option<Client> = None;
        loop {
            if let Some(server) = RunningServer::read(&self.data)? {
                if server.database != self.key() {
                    return Err(other_database(&server));
                }
                let client = match asked.take() {
                    Some(client) if *client.server() == server.url => client,
                    _ => prober(&server.url)?,
                };
                if asked.insert(client).readiness_check().await.is_ok() {
                    return Ok(server);
                }
            }
            tokio::time::sleep(READY_INTERVAL).await;
        }
    }

    fn key(&self) -> DatabaseKey {
        DatabaseKey::of(self.database.as_deref())
    }

    /// Waits until the process that runs the server ends, then runs the server at the same address.
    async fn inherit(
        self,
        lock: oneshot::Receiver<io::Result<Lock>>,
        url: Url,
        shutdown: CancellationToken,
    ) -> Result<(), Failure> {
        let lock = tokio::select! {
            lock = lock => locked(lock)?,
            () = shutdown.cancelled() => return Ok(()),
        };
        note(&format!(
            "the other process has stopped the server; it continues here at {url}"
        ));
        let host = self.lead(lock, url.port(), shutdown).await?;
        host.task.await.map_err(broken)?
    }

    /// Runs the server in this process, which holds the lock until the server ends. `port` is that of the predecessor,
    /// if there is one.
    async fn lead(
        self,
        lock: Lock,
        port: Option<u16>,
        shutdown: CancellationToken,
    ) -> Result<Host, Failure> {
        if !lock.is_at(&self.data.server_lock()) {
            return Err(Failure::new(format!(
                "{} was deleted or replaced while ctxpin waited for it",
                say::path(&self.data.server_lock())
            ))
            .hint(Hint::run(NextCommand::Up, "starts it again")));
        }
        let takes_over = port.is_some();
        let lock_path = self.data.server_lock();
        let noted = written(takes_over, || lock_note(&lock_path, &lock));
        tokio::select! {
            noted = noted => noted?,
            () = shutdown.cancelled() => return Err(stopped()),
        }
        let port = match port {
            // The address in the file of the predecessor stays valid.
            Some(port) => listen_at(port).await?,
            None => {
                file_remove(&self.data)?;
                self.listen().await?
            }
        };
        let address = port
            .listener
            .local_addr()
            .map_err(|error| Failure::new("the port cannot be read").because(error))?;
        let url = Url::parse(&format!("http://{address}"))
            .map_err(|error| Failure::new(format!("{address} is not an address")).because(error))?;
        let server = RunningServer {
            url,
            pid: std::process::id(),
            database: self.key(),
        };
        let directory = self.data.server(&server.database);
        directory_create(&directory)?;
        let settings = Settings {
            data_directory: directory,
            database: self.database,
            database_connections: DATABASE_CONNECTIONS,
            first_token: None,
            pause_sync: false,
            limits: Limits::default(),
            quotas: Quotas::default(),
            metrics_readers: MetricsReaders::Everybody,
            bound_sessions: true,
            page_host: Some(page_host()),
            public_urls: Vec::new(),
        };
        let mut running = Running::start(port, settings);
        let begin = async {
            until_ready(&server.url).await?;
            written(takes_over, || server.write(&self.data)).await
        };
        tokio::select! {
            answer = &mut running.task => {
                answer.map_err(broken)??;
                return Err(stopped());
            }
            begun = begin => begun?,
            () = shutdown.cancelled() => {
                running.shutdown.cancel();
                running.task.await.map_err(broken)??;
                return Err(stopped());
            }
        }
        let task = tokio::spawn(running.attend(self.data, lock, shutdown));
        Ok(Host { server, task })
    }

    /// Listens at the recorded port. Otherwise, listens at the default port or a free one, and records it.
    async fn listen(&self) -> Result<Port, Failure> {
        file_demand(&self.data.port_file())?;
        let kept = fs::read_to_string(self.data.port_file())
            .ok()
            .and_then(|port| port.trim().parse().ok());
        let wanted = kept.unwrap_or(PORT_DEFAULT);
        let bound = match Port::bind(wanted).await {
            Ok(bound) => bound,
            Err(error) => {
                if kept.is_some() {
                    note(&format!(
                        "port {wanted} is taken ({error}); the server uses another"
                    ));
                }
                Port::bind(0)
                    .await
                    .map_err(|error| Failure::new("cannot listen on any port").because(error))?
            }
        };
        let address = bound
            .listener
            .local_addr()
            .map_err(|error| Failure::new("the port cannot be read").because(error))?;
        if kept != Some(address.port()) {
            let port = address.port().to_string();
            file_write(&self.data.port_file(), port.as_bytes())?;
        }
        Ok(bound)
    }
}

/// The server in this process.
struct Running {
    task: JoinHandle<Result<(), Failure>>,
    /// Stops the server, later than the rest of the process.
    shutdown: CancellationToken,
}

impl Running {
    fn start(port: Port, settings: Settings) -> Self {
        let shutdown = CancellationToken::new();
        let told = shutdown.clone();
        let task = tokio::spawn(async move {
            let Port { listener, _held } = port;
            serve(listener, told, settings)
                .await
                .map_err(|error| Failure::new("the server stopped").because(error))
        });
        Self { task, shutdown }
    }

    /// Waits until the server ends, then releases the lock.
    async fn attend(
        mut self,
        data: DataDirectory,
        lock: Lock,
        shutdown: CancellationToken,
    ) -> Result<(), Failure> {
        let answer = tokio::select! {
            answer = &mut self.task => answer,
            () = shutdown.cancelled() => {
                // Clients must not find a port that another program may take. If this fails, the removal
                // below tries again and reports it.
                let _ = file_remove(&data);
                self.shutdown.cancel();
                self.task.await
            }
        };
        let answer = answer.map_err(broken);
        file_remove(&data)?;
        drop(lock);
        match answer? {
            Ok(()) if !shutdown.is_cancelled() => Err(Failure::new("the server stopped by itself")),
            answer => answer,
        }
    }
}

/// Writes a file. A process that takes over tries until it can, on a full disk say: the agents of its server have
/// nobody else.
async fn written(takes_over: bool, write: impl Fn() -> Result<(), Failure>) -> Result<(), Failure> {
    let mut is_told = false;
    loop {
        match write() {
            Err(failure) if takes_over => {
                if !is_told {
                    note(&format!("{}; ctxpin tries until it can", failure.message()));
                    is_told = true;
                }
                tokio::time::sleep(WRITE_INTERVAL).await;
            }
            result => return result,
        }
    }
}

/// Listens at the port of the predecessor, the only port that its agents and clients know.
async fn listen_at(port: u16) -> Result<Port, Failure> {
    let listening = async {
        loop {
            match Port::bind(port).await {
                Ok(bound) => return bound,
                Err(_) => tokio::time::sleep(READY_INTERVAL).await,
            }
        }
    };
    tokio::time::timeout(PORT_WAIT_MAX, listening)
        .await
        .map_err(|_| {
            Failure::new(format!("the server cannot go on: port {port} is taken"))
                .hint(Hint::run(NextCommand::Down, "ends it"))
                .hint(Hint::run(NextCommand::Up, "starts it again"))
        })
}

/// A port of this machine that belongs to the server alone.
struct Port {
    /// Listens on 127.0.0.1.
    listener: TcpListener,
    /// Holds the same port of `[::1]`, where nothing listens. Browsers try that address of a name below
    /// `localhost` first, so another user who listened there would receive the codes that sign in.
    _held: Option<OwnedFd>,
}

impl Port {
    /// Binds a port, or with 0 any free one.
    ///
    /// # Errors
    ///
    /// Fails if either address of the port is taken.
    async fn bind(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let held = hold(listener.local_addr()?.port())?;
        Ok(Self {
            listener,
            _held: held,
        })
    }
}

/// Binds a port of `[::1]` without listening, so that connections to it are refused. Returns `None` if the
/// machine has no such address.
fn hold(port: u16) -> io::Result<Option<OwnedFd>> {
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let held = socket_with(
        AddressFamily::INET6,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )
    .and_then(|socket| rustix::net::bind(&socket, &address).map(|()| socket));
    match held {
        Ok(socket) => Ok(Some(socket)),
        Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns a name of the page's host: `ctxpin-` and 16 random digits below `localhost`, which leads to this machine.
/// Browsers send a cookie to every port of its host, and keep caches and service workers for each host and port. So
/// the name is the page's own, and new for each process: a program that takes the port after the server ended could
/// leave something in the browser for the next server of that name.
fn page_host() -> String {
    let digits = uuid::Uuid::new_v4().simple().to_string();
    format!("ctxpin-{}.localhost", &digits[..16])
}

/// Waits for the lock on a separate thread, which ends with the process. Nothing else can wake a blocking
/// wait.
fn lock_await(data: &DataDirectory) -> Result<oneshot::Receiver<io::Result<Lock>>, Failure> {
    let path = data.server_lock();
    file_demand(&path)?;
    let (sender, receiver) = oneshot::channel();
    std::thread::Builder::new()
        .name("server-lock".to_owned())
        .spawn(move || {
            // If nobody waits any more, the lock is released at once.
            let _ = sender.send(Lock::wait(&path));
        })
        .map_err(|error| Failure::new("no thread can be started").because(error))?;
    Ok(receiver)
}

fn locked(answer: Result<io::Result<Lock>, oneshot::error::RecvError>) -> Result<Lock, Failure> {
    match answer {
        Ok(Ok(lock)) => Ok(lock),
        Ok(Err(error)) => Err(Failure::new("the server cannot be locked").because(error)),
        Err(_) => Err(Failure::new("the server cannot be locked")),
    }
}

fn file_remove(data: &DataDirectory) -> Result<(), Failure> {
    match fs::remove_file(data.server_file()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::new(format!(
            "{} cannot be removed",
            say::path(&data.server_file())
        ))
        .because(error)),
        _ => Ok(()),
    }
}

/// Says which process runs the server that this one waits for.
pub fn waiting(data: &DataDirectory) -> String {
    match Process::noted(&data.server_lock()) {
        Some(process) => format!("waiting for the server, which is run by {}", process.name()),
        None => "waiting for the server, which another process runs".to_owned(),
    }
}

/// Returns the failure that the server of another process does not answer.
fn not_answering(data: &DataDirectory) -> Failure {
    let process = Process::noted(&data.server_lock());
    let who = process.map_or("another process".to_owned(), |process| process.name());
    let seconds = JOIN_WAIT_MAX.as_secs();
    Failure::new(format!(
        "the server did not respond within {seconds} s; it is run by {who}"
    ))
    .hint(Hint::run(NextCommand::Down, "ends it"))
    .hint(Hint::run(NextCommand::Up, "starts it again"))
}

fn stopped() -> Failure {
    Failure::new("stopped before the server was ready")
}

fn broken(error: tokio::task::JoinError) -> Failure {
    Failure::new("the server stopped unexpectedly").because(error)
}

fn other_database(server: &RunningServer) -> Failure {
    Failure::new(format!(
        "the server that runs for you at {} has another database ({})",
        server.url,
        server.database.describe()
    ))
    .hint(Hint::set(Setting::Database, "must be the same"))
    .hint(Hint::run(NextCommand::Down, "stops that server"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_has_another_page_host() {
        let host = page_host();
        let label = host.strip_prefix("ctxpin-").unwrap();
        let label = label.strip_suffix(".localhost").unwrap();
        assert!(
            label.len() == 16 && label.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{host}"
        );
        assert_ne!(page_host(), host);
    }

    /// A server in another process never becomes ready. Joining it fails after a while.
    #[tokio::test(start_paused = true)]
    async fn case_b09_a_wait_for_a_server_ends() {
        let temporary = tempfile::tempdir().unwrap();
        let data = DataDirectory::at(temporary.path());
        let _held = lock_take(&data.server_lock()).unwrap().unwrap();
        let plan = Plan {
            data,
            database: None,
        };
        let began = tokio::time::Instant::now();
        let mut told = String::new();
        let tell = |text: &str| told = text.to_owned();
        let failure = plan.start(CancellationToken::new(), tell).await.err();
        assert_eq!(told, "waiting for the server, which another process runs");
        let said = format!("{failure:?}");
        assert!(said.contains("did not respond within 60 s"), "{said}");
        let hints = r#"hints: [Run(Down, "ends it"), Run(Up, "starts it again")]"#;
        assert!(said.contains(hints), "{said}");
        assert!(began.elapsed() < Duration::from_secs(61));
    }
}
