//! Trust: in a server only after it has proved its identity, in a data directory only if it belongs to the
//! user, and in the network only if nobody can listen.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

use rustix::fs::{Gid, Uid, chown};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;

use crate::bench::{Bench, Running, Served, agent_delete, assert_says, said};

const TOKEN: &str = "ctxpin_00000000000000000000000000000007_\
    abababababababababababababababababababababababababababababababab";

/// Binds an address as soon as it is free.
fn squat(address: &str) -> TcpListener {
    loop {
        match TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(error) => assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}"),
        }
        thread::yield_now();
    }
}

/// Returns whether nobody has connected.
fn is_untouched(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    listener.accept().is_err()
}

fn running_server(bench: &Bench) -> Value {
    let file = fs::read(bench.data().join("server.json")).unwrap();
    serde_json::from_slice(&file).unwrap()
}

/// A request in flight delays the end of the server. Another process then takes its port.
#[test]
fn finding_08_a_process_that_takes_the_port_of_a_stopping_server_gets_no_request() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let mut up = bench.start(&app, &["up"]);
    up.until(|line| line.contains("http://127.0.0.1:").then_some(()));
    let url = running_server(&bench)["url"].as_str().unwrap().to_owned();
    let address = url.strip_prefix("http://").unwrap().trim_end_matches('/');
    let mut held = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /api/v1/chats HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\ncontent-length: 900\r\nexpect: 100-continue\r\n\r\n"
    );
    held.write_all(head.as_bytes()).unwrap();
    // The server waits for the body after this response.
    let mut answer = [0; 12];
    held.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100");
    let pid = Pid::from_raw(up.id().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let squatter = squat(address);
    assert!(!bench.data().join("server.json").exists());
    let told = bench.fails(&app, &["chat", "show"], 1);
    assert_says(&told, &["is starting or ending", "hint: "]);
    assert!(is_untouched(&squatter));
    drop(held);
    drop(up);
}

/// Two machines may share a home directory.
#[test]
fn finding_08_a_server_of_another_machine_is_not_this_ones() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    bench.ok(&app, &["up", "--detach"]);
    bench.ok(&app, &["chat", "show"]);
    let lock = bench.data().join("server.lock");
    let own = fs::read(&lock).unwrap();
    for member in ["boot", "net_namespace"] {
        let mut other: Value = serde_json::from_slice(&own).unwrap();
        other["place"][member] = "another".into();
        fs::write(&lock, other.to_string()).unwrap();
        let told = bench.fails(&app, &["chat", "show"], 1);
        assert_says(&told, &["in another container or on another machine"]);
    }
    fs::write(&lock, own).unwrap();
    bench.ok(&app, &["down"]);
}

#[test]
fn finding_20_a_data_directory_that_others_may_write_is_not_believed() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let data = bench.data();
    fs::create_dir(&data).unwrap();
    let lock = fs::File::create(data.join("server.lock")).unwrap();
    lock.lock().unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let file = serde_json::json!({"url": url, "pid": 1, "database": "sqlite"});
    fs::write(data.join("server.json"), file.to_string()).unwrap();
    let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let refused = |expected: &[&str]| {
        for arguments in [&["chat", "list"][..], &["up", "--detach"], &["down"]] {
            let mut command = bench.command(&app, arguments);
            let told = said(command.env("CTXPIN_TOKEN", TOKEN));
            assert_eq!(told.code, Some(1), "{arguments:?}: {told:#?}");
            assert_says(&told.err, expected);
        }
    };
    mode(&data, 0o777);
    refused(&["others may write in it", "hint: ", "chmod go-w"]);
    mode(&data, 0o700);
    mode(&data.join("server.json"), 0o666);
    let told = bench.fails(&app, &["chat", "list"], 1);
    assert_says(&told, &["server.json", "others may write it"]);
    if geteuid().is_root() {
        mode(&data.join("server.json"), 0o600);
        let nobody = (Some(Uid::from_raw(65_534)), Some(Gid::from_raw(65_534)));
        chown(&data, nobody.0, nobody.1).unwrap();
        refused(&[
            "belongs to the user 65534, and you are root",
            "without sudo",
        ]);
    } else {
        eprintln!("not root, so nothing can be given to another user: only modes are tried");
    }
    assert!(is_untouched(&listener));
}

#[test]
fn case_b16_root_starts_nothing_in_the_home_of_another() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    if !geteuid().is_root() {
        eprintln!("not root, so there is nobody else's home to be in");
        return;
    }
    let home = bench.data().with_file_name("home");
    chown(&home, Some(Uid::from_raw(65_534)), None).unwrap();
    let mut command = bench.command(&app, &["up", "--detach"]);
    let told = said(command.env_remove("CTXPIN_DATA_DIR"));
    assert_eq!(told.code, Some(1), "{told:#?}");
    assert_says(
        &told.err,
        &[
            "belongs to the user 65534, and you are root",
            "without sudo",
        ],
    );
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
}

#[test]
fn case_b06_a_home_may_be_deep() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let home = bench.data().join("x".repeat(200));
    fs::create_dir_all(&home).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = bench.command(&app, arguments);
        let told = said(command.env_remove("CTXPIN_DATA_DIR").env("HOME", &home));
        assert_eq!(told.code, Some(0), "{arguments:?}: {told:#?}");
        told.out
    };
    run(&["up", "--detach"]);
    assert_says(&run(&["agent", "status"]), &["agent on"]);
    assert_says(&run(&["down"]), &["stopped the server"]);
}

#[test]
fn finding_21_a_token_goes_to_another_machine_by_tls_only() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let agent = ["agent", "run", "--server", "http://ctxpin.invalid"];
    for arguments in [
        &["chat", "list", "--server", "http://ctxpin.invalid"][..],
        &["push", "--server", "http://ctxpin.invalid"],
        &agent,
    ] {
        let mut command = bench.command(&app, arguments);
        command.env("HTTP_PROXY", format!("http://{address}"));
        let told = said(command.env("CTXPIN_TOKEN", TOKEN));
        assert_eq!(told.code, Some(1), "{arguments:?}: {told:#?}");
        assert_says(
            &told.err,
            &["https://", "--allow-http", "CTXPIN_ALLOW_HTTP=1"],
        );
    }
    assert!(is_untouched(&proxy));
}

#[test]
fn case_b20_the_proxy_is_not_the_server() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = closed.local_addr().unwrap();
    drop(closed);
    let ask = |server: &str, variable: &str, allow: bool| {
        let mut command = bench.command(&app, &["chat", "list", "--server", server]);
        command.env(variable, format!("http://me:s3cret@{proxy}"));
        command.env("CTXPIN_ALLOW_HTTP", if allow { "1" } else { "" });
        said(command.env("CTXPIN_TOKEN", TOKEN))
    };
    for (server, variable) in [
        ("http://ctxpin.invalid", "HTTP_PROXY"),
        ("http://ctxpin.invalid", "all_proxy"),
        ("https://ctxpin.invalid", "HTTPS_PROXY"),
    ] {
        let told = ask(server, variable, server.starts_with("http:"));
        assert_eq!(told.code, Some(1), "{told:#?}");
        let through = format!("through the proxy http://{proxy}, which {variable} names");
        assert_says(&told.err, &[&through]);
        assert!(!told.err.contains("s3cret"), "{}", told.err);
    }

    // Requests to this machine bypass the proxy, whatever name they use.
    let data = app.join("server");
    let serve = [
        "serve",
        "--listen",
        "0.0.0.0:0",
        "--data-dir",
        data.to_str().unwrap(),
    ];
    let mut server = Running::errors_of(&mut bench.command(&app, &serve));
    let url = server.until(|line| line.strip_prefix("serving ").map(str::to_owned));
    server.until(|line| line.contains("plain HTTP").then_some(()));
    let port = url
        .strip_prefix("http://127.0.0.1:")
        .expect("an address to use");
    let token = data.join("admin-token");
    for host in [
        "127.0.0.1",
        "localhost",
        "localhost.",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
    ] {
        let server = format!("http://{host}:{port}");
        let arguments = ["chat", "list", "--server", &server, "--token-file"];
        let mut command = bench.command(&app, &arguments);
        command
            .arg(&token)
            .env("HTTP_PROXY", format!("http://{proxy}"));
        let told = said(&mut command);
        assert_eq!(told.code, Some(0), "{host}: {told:#?}");
    }
    assert_eq!(server.terminate(), Some(0));
}

/// The server is reached at an address that it does not know, so its proof fails until `--public-url` names
/// the address.
#[test]
fn finding_08_a_server_behind_a_proxy_needs_its_public_url() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let front = TcpListener::bind("127.0.0.1:0").unwrap();
    let public = format!("http://{}", front.local_addr().unwrap());
    let address = |served: &Served| served.url.strip_prefix("http://").unwrap().to_owned();
    let served = bench.serve(&app, &[]);
    let behind = std::sync::Arc::new(std::sync::Mutex::new(address(&served)));
    let target = behind.clone();
    thread::spawn(move || {
        for near in front.incoming().flatten() {
            let far = TcpStream::connect(target.lock().unwrap().as_str()).unwrap();
            for (mut from, mut to) in [
                (near.try_clone().unwrap(), far.try_clone().unwrap()),
                (far, near),
            ] {
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    let asking = ["--server", &public, "--token-file", &served.token];
    let arguments = [&["chat", "list"], &asking[..]].concat();
    let told = bench.fails(&app, &arguments, 1);
    assert_says(&told, &[&format!("`--public-url {public}`")]);
    assert_eq!(served.server.terminate(), Some(0));
    let again = bench.serve(&app, &["--public-url", &public]);
    *behind.lock().unwrap() = address(&again);
    bench.ok(&app, &arguments);
    assert_eq!(again.server.terminate(), Some(0));
}

/// A token is used although everybody can read it, and the person is told.
#[test]
fn a_token_that_everybody_can_read_is_pointed_at() {
    let bench = Bench::new();
    let app = bench.workspace("app", "x\n");
    let served = bench.serve(&app, &[]);
    let list = [
        "chat",
        "list",
        "--server",
        &served.url,
        "--token-file",
        &served.token,
    ];
    let told = |mode| {
        fs::set_permissions(&served.token, Permissions::from_mode(mode)).unwrap();
        let told = bench.run(&app, &list);
        assert_eq!(told.code, Some(0), "{told:#?}");
        told.err
    };
    let words = "every user of this machine can read the token in ";
    assert_says(&told(0o644), &[words, "`chmod 600 "]);
    for mode in [0o640, 0o600, 0o400] {
        assert!(!told(mode).contains(words), "{mode:o}");
    }
}

#[test]
fn finding_08_an_agent_that_was_deleted_meanwhile_is_replaced() {
    let bench = Bench::new();
    let (first, app) = (
        bench.workspace("first", "x\n"),
        bench.workspace("app", "x\n"),
    );
    bench.ok(&first, &["up", "--detach"]);
    let mut up = bench.start(&app, &["up"]);
    up.until(|line| line.contains("http://127.0.0.1:").then_some(()));
    let old = bench.json(&app, &["chat", "show"])["agent_id"].clone();
    let url = running_server(&bench)["url"].as_str().unwrap().to_owned();
    let token = bench.data().join("servers/sqlite/admin-token");
    agent_delete(&url, &token, old.as_str().unwrap());
    // The other process runs the server now, and all connections are new.
    bench.kill(&first);
    loop {
        let said = bench.run(&app, &["chat", "show", "--json"]);
        let chat: Value = serde_json::from_str(&said.out).unwrap_or_default();
        if said.code == Some(0) && chat["agent_id"] != old {
            break;
        }
    }
    assert_eq!(up.terminate(), Some(0));
}
