//! The directories of one test and everything that the test starts: a home, a data directory and
//! workspaces.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// Maximum wait for an output. Only a failing test reaches it.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// The directories of one test.
pub struct Bench {
    root: TempDir,
    data: PathBuf,
}

/// The result of a command.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A process in the foreground, which is killed when this is dropped.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    /// All lines that were read so far.
    read: Arc<Mutex<String>>,
}

/// A server in the foreground, with its address and its token file.
pub struct Served {
    pub server: Running,
    pub url: String,
    /// The path of the file with the server's first token.
    pub token: String,
}

impl Bench {
    pub fn new() -> Self {
        Self::with_data("data")
    }

    /// Returns a bench whose data directory is the default one below the home.
    pub fn at_home() -> Self {
        Self::with_data("home/.local/share/ctxpin")
    }

    fn with_data(data: &str) -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir(root.path().join("home")).unwrap();
        let data = root.path().join(data);
        Self { root, data }
    }

    /// Returns the directory that holds the home and the workspaces.
    pub fn root(&self) -> PathBuf {
        self.root.path().canonicalize().unwrap()
    }

    /// Creates a workspace with an `AGENTS.md`.
    pub fn workspace(&self, name: &str, agents: &str) -> PathBuf {
        let directory = self.root().join(name);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("AGENTS.md"), agents).unwrap();
        directory
    }

    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    pub fn command(&self, directory: &Path, arguments: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_ctxpin"), directory, arguments)
    }

    /// Returns the command to run a line of a shell, in which `ctxpin` is the built program.
    pub fn shell(&self, directory: &Path, line: &str) -> Command {
        let mut command = self.program("sh", directory, &["-c", line]);
        let built = Path::new(env!("CARGO_BIN_EXE_ctxpin")).parent().unwrap();
        let others = std::env::var("PATH").unwrap_or_default();
        let own = self.root.path().join("home/bin");
        let path = format!("{}:{}:{others}", built.display(), own.display());
        command.env("PATH", path);
        command
    }

    fn program(&self, program: &str, directory: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root.path().join("home"))
            .env("CTXPIN_DATA_DIR", self.data())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, directory: &Path, arguments: &[&str]) -> Said {
        said(&mut self.command(directory, arguments))
    }

    /// Runs a command that must succeed, and returns its standard output.
    pub fn ok(&self, directory: &Path, arguments: &[&str]) -> String {
        let said = self.run(directory, arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:#?}");
        said.out
    }

    /// Runs a command with `--json` that must succeed, and returns its output.
    pub fn json(&self, directory: &Path, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.ok(directory, &arguments)).unwrap()
    }

    /// Runs a command that must fail with an exit code, and returns its standard error.
    pub fn fails(&self, directory: &Path, arguments: &[&str], code: i32) -> String {
        let said = self.run(directory, arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:#?}");
        said.err
    }

    /// Starts a long-running command, and reads its standard output line by line.
    pub fn start(&self, directory: &Path, arguments: &[&str]) -> Running {
        Running::output_of(&mut self.command(directory, arguments))
    }

    /// Starts a server that listens at a free port of this machine.
    pub fn serve(&self, directory: &Path, options: &[&str]) -> Served {
        self.serve_at("127.0.0.1:0", directory, options)
    }

    /// Starts a server that listens at an address. Its data is in `server` below the data
    /// directory.
    pub fn serve_at(&self, listen: &str, directory: &Path, options: &[&str]) -> Served {
        let data = self.data().join("server");
        let data_text = data.to_str().unwrap();
        let serve = ["serve", "--listen", listen, "--data-dir", data_text];
        let mut command = self.command(directory, &[&serve, options].concat());
        let mut server = Running::errors_of(&mut command);
        let url = server.until(|line| line.strip_prefix("serving ").map(str::to_owned));
        // The server answers only after it has written the token.
        server.until(|line| line.contains("/api/v1/openapi.json").then_some(()));
        let token = data.join("admin-token").to_str().unwrap().to_owned();
        Served { server, url, token }
    }

    /// Creates an agent of a profile at a server, and returns the path of its token.
    pub fn agent_of(&self, directory: &Path, served: &Served, profile: &str) -> String {
        let token = self.root().join(format!("{profile}-token"));
        let token = token.to_str().unwrap().to_owned();
        let create = ["agent", "create", "--workspace", "app"];
        let of_profile = ["--profile", profile, "--write-token", &token];
        let asking = ["--server", &served.url, "--token-file", &served.token];
        self.ok(directory, &[&create[..], &of_profile, &asking].concat());
        token
    }

    /// Watches until the JSON of a chat satisfies `is_wanted`, and returns it.
    pub fn until(&self, directory: &Path, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let mut watch = self.start(directory, &["watch", "--json"]);
        watch.until(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            (event["event"] == "chat" && is_wanted(&event["data"])).then(|| event["data"].clone())
        })
    }

    /// Returns the path of the lock of the process that watches a directory.
    pub fn lock(&self, directory: &Path) -> PathBuf {
        for agent in fs::read_dir(self.data().join("agents")).unwrap() {
            let agent = agent.unwrap().path();
            let watched = fs::read_to_string(agent.join("directory")).unwrap();
            if Path::new(&watched) == directory {
                return agent.join("up.lock");
            }
        }
        panic!("nothing watches {}", directory.display());
    }

    /// Returns the id of the background process that watches a directory.
    pub fn pid(&self, directory: &Path) -> Pid {
        pid(&self.lock(directory)).unwrap()
    }

    /// Kills the process that watches a directory, and waits until it has ended.
    pub fn kill(&self, directory: &Path) {
        kill_process(self.pid(directory), Signal::KILL).unwrap();
        File::open(self.lock(directory)).unwrap().lock().unwrap();
    }
}

impl Drop for Bench {
    /// Ends all background processes of the test.
    fn drop(&mut self) {
        let Ok(agents) = fs::read_dir(self.data().join("agents")) else {
            return;
        };
        let mut locks = Vec::new();
        for agent in agents.flatten() {
            let lock = agent.path().join("up.lock");
            let is_held = File::open(&lock).is_ok_and(|file| file.try_lock().is_err());
            if is_held && let Some(pid) = pid(&lock) {
                let _ = kill_process(pid, Signal::KILL);
                locks.push(lock);
            }
        }
        // Wait for them, because their files are removed next.
        for lock in locks {
            let _ = File::open(&lock).map(|file| file.lock());
        }
    }
}

impl Running {
    /// Starts a long-running command, and reads its standard output line by line.
    pub fn output_of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (lines, read) = lines(child.stdout.take().unwrap());
        Self { child, lines, read }
    }

    /// Starts a long-running command, and reads its standard error line by line.
    pub fn errors_of(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let (lines, read) = lines(child.stderr.take().unwrap());
        Self { child, lines, read }
    }

    /// Reads lines until `wanted` returns a value for one.
    pub fn until<T>(&mut self, mut wanted: impl FnMut(&str) -> Option<T>) -> T {
        let mut read = Vec::new();
        loop {
            match self.lines.recv_timeout(WAIT_MAX) {
                Ok(line) => {
                    if let Some(found) = wanted(&line) {
                        return found;
                    }
                    read.push(line);
                }
                Err(error) => panic!("{error} after {read:#?}"),
            }
        }
    }

    /// Returns the id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the process has ended, and returns its exit code.
    pub fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Terminates the process, and returns its exit code.
    pub fn terminate(self) -> Option<i32> {
        self.terminate_and_read().0
    }

    /// Terminates the process, and returns its exit code and all its lines.
    pub fn terminate_and_read(mut self) -> (Option<i32>, String) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        let code = self.child.wait().unwrap().code();
        // The channel closes after the last line.
        while self.lines.recv().is_ok() {}
        let read = self.read.lock().unwrap().clone();
        (code, read)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines on a separate thread, so that a wait for a line can time out.
fn lines(output: impl Read + Send + 'static) -> (Receiver<String>, Arc<Mutex<String>>) {
    let (sender, lines) = channel();
    let all = Arc::new(Mutex::new(String::new()));
    let read = Arc::clone(&all);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let mut all = all.lock().unwrap();
            all.push_str(&line);
            all.push('\n');
            // If nobody reads the lines, keep reading, so that the process does not block on
            // writing.
            let _ = sender.send(line);
        }
    });
    (lines, read)
}

pub fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Deletes an agent over HTTP; no command does. `token` is the file of its owner's token.
pub fn agent_delete(url: &str, token: &Path, agent: &str) {
    let address = url.strip_prefix("http://").unwrap().trim_end_matches('/');
    let token = fs::read_to_string(token).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "DELETE /api/v1/agents/{agent} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
        token.trim()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
}

/// Asserts that a text contains all of several texts.
#[track_caller]
pub fn assert_says(text: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(text.contains(wanted), "{wanted:?} is not in\n{text}");
    }
}

/// Returns the process that holds a lock, as the lock says.
fn pid(lock: &Path) -> Option<Pid> {
    let process: Value = serde_json::from_slice(&fs::read(lock).ok()?).ok()?;
    Pid::from_raw(process["pid"].as_i64()?.try_into().ok()?)
}
