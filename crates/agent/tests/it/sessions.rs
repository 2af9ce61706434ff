//! Several sessions that follow one reading.

use std::fs;

use ctxpin_agent::error::AgentError;
use ctxpin_agent::reading::{ChangeDetection, Reading};
use ctxpin_agent::report::Report;
use ctxpin_agent::session::Session;
use ctxpin_client::Client;
use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::people::Secret;
use ctxpin_protocol::problem::ProblemName;
use ctxpin_scan::roots::Request;
use ctxpin_scan::trust::Trust;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::agent::{Reports, TOKEN, Workspace};
use crate::fake_server::{FakeServer, Fault};

/// The token of the second agent.
const OTHER_TOKEN: &str = "ctxpin_00000000000000000000000000000008_\
    cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";

fn client(server: &FakeServer, token: &str) -> Client {
    Client::new(server.url.clone(), Secret::new(token)).unwrap()
}

#[tokio::test]
async fn one_that_is_refused_or_fenced_does_not_stop_the_other() {
    let first_server = FakeServer::start().await;
    let second_server = FakeServer::start_for(OTHER_TOKEN).await;
    second_server.held.lock().unwrap().epoch = 6;
    let w = Workspace::new(&first_server);
    let state = w.path("state");
    fs::create_dir(&state).unwrap();

    let (report, _reports) = Reports::new();
    let (first_report, mut first_reports) = Reports::new();
    let (second_report, mut second_reports) = Reports::new();
    let request = Request::project(w.path("project"), w.path("home"), Trust::of_process());
    let changes = ChangeDetection::Events(state);
    let reading = Reading::new(w.path("project"), Vec::new(), changes, None, &report);
    let scans = || reading.handle().follow(request.clone());
    let first = client(&first_server, TOKEN);
    let first = Session::new(
        first,
        Uuid::new_v4(),
        Profile::Neutral,
        scans(),
        &first_report,
    );
    let second = client(&second_server, OTHER_TOKEN);
    let second = Session::new(
        second,
        Uuid::new_v4(),
        Profile::Neutral,
        scans(),
        &second_report,
    );

    let (end, first_ended) = oneshot::channel();
    let first = async { end.send(first.run().await).unwrap() };
    let script = async {
        let opened = |r: &Report| matches!(r, Report::SessionOpened { epoch: 1, .. });
        first_reports.until(opened).await;
        let opened = |r: &Report| matches!(r, Report::SessionOpened { epoch: 7, .. });
        second_reports.until(opened).await;
        first_reports.pushed(1).await;
        second_reports.pushed(1).await;
        let head = |server: &FakeServer| server.held.lock().unwrap().head;
        assert_eq!(head(&first_server), head(&second_server));

        first_server.fail_next_push(Fault::new(ProblemName::InvalidManifest, "not this"));
        w.write("project/AGENTS.md", "two");
        let refused = |r: &Report| matches!(r, Report::Refused { .. });
        first_reports.until(refused).await;
        second_reports.pushed(2).await;

        // Another process of the first agent takes over.
        first_server.held.lock().unwrap().epoch = 2;
        w.write("project/AGENTS.md", "three");
        let error = first_ended.await.unwrap().unwrap_err();
        assert!(matches!(error, AgentError::Fenced { .. }), "{error}");
        second_reports.pushed(3).await;
        w.write("project/AGENTS.md", "four");
        second_reports.pushed(4).await;
        assert_eq!(first_server.held.lock().unwrap().seq, 1);
    };
    tokio::select! {
        ended = reading.run() => panic!("{ended:?}"),
        ended = second.run() => panic!("{ended:?}"),
        ((), ()) = async { tokio::join!(first, script) } => {}
    }
}
