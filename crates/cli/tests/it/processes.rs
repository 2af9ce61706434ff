//! Processes: signals, locks, and how long others wait for them.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ctxpin_server::limits::{Limits, PROXY_IDLE_TIME};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::bench::{Bench, Running, Served, assert_says, said};

#[test]
fn case_b01_timeouts_stand_in_order() {
    let server = Limits::default().connections;
    let heartbeat = ctxpin_agent::HEARTBEAT_INTERVAL;
    let idle = ctxpin_client::IDLE_TIME_MAX;
    assert!(idle < PROXY_IDLE_TIME);
    assert!(PROXY_IDLE_TIME < server.idle_time_max);
    assert!(server.idle_time_max <= server.quiet_time_max);
    for time in [idle, PROXY_IDLE_TIME, server.idle_time_max] {
        let (shorter, longer) = (time.min(heartbeat), time.max(heartbeat));
        let rest = longer.as_secs() % shorter.as_secs();
        assert_ne!(Duration::from_secs(rest), Duration::ZERO, "{time:?}");
    }
}

#[test]
fn a_log_that_cannot_be_written_ends_nothing() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    // Each write to this file fails as on a full disk.
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut up = bench.command(&app, &["up"]);
    up.env("CTXPIN_LOG", "info").stderr(full);
    let mut up = Running::output_of(&mut up);
    up.until(|line| line.contains("/api/v1/openapi.json").then_some(()));
    assert_eq!(up.terminate(), Some(0));
}

/// Returns the command under a shell that ignores SIGHUP, as `nohup` does.
fn without_hang_up(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap());
    }
    shell
}

fn signal(process: u32, signal: Signal) {
    let pid = Pid::from_raw(process.try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn case_b05_an_ignored_signal_stays_ignored() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let data = bench.data().join("server");
    let data_text = data.to_str().unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data_text];
    let mut serve = Running::errors_of(&mut without_hang_up(&bench.command(&app, &arguments)));
    let url = serve.until(|line| line.strip_prefix("serving ").map(str::to_owned));
    serve.until(|line| line.contains("/api/v1/openapi.json").then_some(()));
    let (admin, agent) = (data.join("admin-token"), data.join("agent-token"));
    let server = ["--server", &url, "--token-file", admin.to_str().unwrap()];
    let create = ["agent", "create", "--workspace", "app", "--write-token"];
    bench.ok(
        &app,
        &[&create[..], &[agent.to_str().unwrap()], &server].concat(),
    );
    let run = ["agent", "run", "--server", &url, "--token-file"];
    let run = [&run[..], &[agent.to_str().unwrap()]].concat();
    let mut run = Running::errors_of(&mut without_hang_up(&bench.command(&app, &run)));
    run.until(|line| line.contains("number 1").then_some(()));
    let mut up = Running::output_of(&mut without_hang_up(&bench.command(&app, &["up"])));
    up.until(|line| line.contains("Ctrl-C").then_some(()));

    for process in [&serve, &run, &up] {
        signal(process.id(), Signal::HUP);
    }
    // They continue to work.
    fs::write(app.join("AGENTS.md"), "y\n").unwrap();
    run.until(|line| line.contains("number 2").then_some(()));
    assert_says(&bench.ok(&app, &["agent", "resync"]), &["number 2"]);
    for process in [run, up, serve] {
        assert_eq!(process.terminate(), Some(0));
    }

    // Otherwise, SIGHUP ends it.
    let mut up = bench.start(&app, &["up"]);
    up.until(|line| line.contains("Ctrl-C").then_some(()));
    signal(up.id(), Signal::HUP);
    assert_eq!(up.wait(), Some(0));
}

/// Reads which process holds a lock.
fn holder(lock: &Path) -> Value {
    serde_json::from_slice(&fs::read(lock).unwrap()).unwrap()
}

#[test]
fn case_b08_down_ends_no_process_but_its_own() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    bench.ok(&app, &["up", "--detach"]);
    let lock = bench.lock(&app);
    let honest = holder(&lock);
    bench.ok(&app, &["down"]);

    // The holder of the lock does not answer, and the process id in the lock belongs to an innocent
    // process.
    let mut innocent = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let held = File::open(&lock).unwrap();
    held.lock().unwrap();
    let elsewhere = |change: &dyn Fn(&mut Value)| {
        let mut noted = honest.clone();
        noted["pid"] = innocent.id().into();
        change(&mut noted);
        fs::write(&lock, noted.to_string()).unwrap();
        bench.fails(&app, &["down"], 1)
    };
    for place in ["boot", "pid_namespace"] {
        let said = elsewhere(&|noted| noted["place"][place] = "another".into());
        assert_says(
            &said,
            &[
                "in another container or on another machine (process ",
                "`ctxpin down` there",
            ],
        );
    }
    // The process was of this machine and container, and its id was reused. Nothing happens to the new
    // process.
    let mut noted = honest;
    noted["pid"] = innocent.id().into();
    fs::write(&lock, noted.to_string()).unwrap();
    let mut down = Running::errors_of(&mut bench.command(&app, &["down"]));
    let waits = format!("waiting for process {}, since ", innocent.id());
    down.until(|line| line.contains(&waits).then_some(()));
    drop(held);
    assert_eq!(down.wait(), Some(0));
    assert_eq!(innocent.try_wait().unwrap(), None);
    drop(innocent.stdin.take());
    assert!(innocent.wait().unwrap().success());
}

#[test]
fn case_b09_a_waiting_command_says_what_it_waits_for() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let other = bench.workspace("other", "y\n");
    bench.ok(&app, &["up", "--detach"]);
    let pid = bench.pid(&app).as_raw_nonzero().get().unsigned_abs();
    signal(pid, Signal::STOP);
    let process = format!("process {pid}, since ");

    let status = bench.fails(&app, &["agent", "status"], 1);
    assert_says(&status, &["does not respond", &process, "`ctxpin down`"]);
    let told = |directory: &Path, arguments: &[&str]| {
        let mut command = Running::errors_of(&mut bench.command(directory, arguments));
        command.until(|line| {
            let is_told = line.contains("waiting for ") && line.contains(&process);
            is_told.then_some(())
        });
        command
    };
    let waiting = [
        told(&app, &["chat", "show"]),
        told(&app, &["up", "--detach"]),
        told(&other, &["up", "--detach"]),
    ];
    signal(pid, Signal::CONT);
    for command in waiting {
        assert_eq!(command.wait(), Some(0));
    }
    signal(pid, Signal::STOP);
    let down = told(&app, &["down"]);
    signal(pid, Signal::CONT);
    assert_eq!(down.wait(), Some(0));
}

#[test]
fn case_b09_a_server_of_another_container_is_not_asked() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    bench.ok(&app, &["up", "--detach"]);
    let lock = bench.data().join("server.lock");
    let honest = fs::read(&lock).unwrap();
    let mut noted = holder(&lock);
    noted["place"]["net_namespace"] = "another".into();
    noted["host"] = "box-7".into();
    fs::write(&lock, noted.to_string()).unwrap();
    let refused = bench.fails(&app, &["chat", "show"], 1);
    assert_says(
        &refused,
        &[
            "in another container or on another machine",
            "on box-7",
            "--server URL",
        ],
    );
    let other = bench.workspace("other", "y\n");
    let refused = bench.fails(&other, &["up", "--detach"], 1);
    assert_says(&refused, &["in another container or on another machine"]);
    fs::write(&lock, honest).unwrap();
    bench.ok(&app, &["chat", "show"]);
    bench.ok(&app, &["down"]);
}

#[test]
fn a_process_in_the_background_stands_in_nobodys_way() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    bench.ok(&app, &["up", "--detach", "."]);
    let pid = bench.pid(&app).as_raw_nonzero();
    let stands = fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
    assert_eq!(stands, Path::new("/"));
    fs::write(app.join("AGENTS.md"), "y\n").unwrap();
    assert_says(&bench.ok(&app, &["agent", "resync"]), &["number 2"]);
    bench.ok(&app, &["down"]);
}

#[test]
fn case_b11_a_server_ends_without_its_data() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let Served {
        mut server,
        url,
        token,
    } = bench.serve(&app, &[]);
    let asking = ["--server", &url, "--token-file", &token];
    let create = ["chat", "new", "--no-agent"];
    bench.ok(&app, &[&create[..], &asking].concat());
    let secret = fs::read_to_string(&token).unwrap();
    fs::remove_dir_all(bench.data().join("server")).unwrap();
    let mut command = bench.command(&app, &[&create[..], &asking[..2]].concat());
    let refused = said(command.env("CTXPIN_TOKEN", secret.trim()));
    assert_eq!(refused.code, Some(1), "{refused:?}");
    server.until(|line| line.contains("was deleted or replaced").then_some(()));
    assert_eq!(server.wait(), Some(1));
}

#[test]
fn case_b11_up_ends_without_its_data() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let mut up = Running::errors_of(&mut bench.command(&app, &["up"]));
    up.until(|line| line.contains("scanning").then_some(()));
    bench.until(&app, |_| true);
    fs::remove_dir_all(bench.data()).unwrap();
    up.until(|line| line.contains("was deleted or replaced").then_some(()));
    assert_eq!(up.wait(), Some(1));
}
