//! The lower limits: the same server without the product, a bare commit, a plain copy of memory.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use clap::Args;
use ctxpin_server::run::serve_routes;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::measure::Samples;
use crate::sql::{Pool, Value};

/// The table of the limits, beside the product's own.
const TABLE: &str = "bench_limits";

/// Serves the limits of an HTTP response until it is killed.
#[derive(Debug, Args)]
pub struct Serve {
    /// The port on loopback.
    #[arg(long)]
    port: u16,
    /// A SQLite file.
    #[arg(long, required_unless_present = "postgres")]
    sqlite: Option<PathBuf>,
    /// The URL of a PostgreSQL database.
    #[arg(long, conflicts_with = "sqlite")]
    postgres: Option<String>,
}

impl Serve {
    /// Serves `/constant`, and `/row/N`, which reads one row by its key.
    pub async fn run(self) -> anyhow::Result<()> {
        let pool = match (self.sqlite, self.postgres) {
            (Some(path), _) => Pool::sqlite_readers(&path).await?,
            (None, Some(url)) => Pool::postgres(&url).await?,
            (None, None) => bail!("no database is named"),
        };
        let routes = Router::new()
            .route("/constant", get(|| async { "the same" }))
            .route("/row/{number}", get(row))
            .with_state(pool);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let listener = TcpListener::bind(address).await?;
        serve_routes(listener, CancellationToken::new(), routes).await;
        Ok(())
    }
}

async fn row(State(pool): State<Pool>, Path(number): Path<i64>) -> impl IntoResponse {
    match pool
        .bytes("select body from bench_limits where number = $1", number)
        .await
    {
        Ok(body) => ([(CONTENT_TYPE, "text/markdown; charset=utf-8")], body).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Creates the table, with one row that holds `body`.
pub async fn prepare(pool: &Pool, body: &[u8]) -> anyhow::Result<()> {
    let (number, bytes) = if pool.is_postgres() {
        ("bigint", "bytea")
    } else {
        ("integer", "blob")
    };
    pool.script(&format!(
        "create table {TABLE} (number {number} primary key, touched {number} not null, body {bytes} not null)"
    ))
    .await?;
    let sql = "insert into bench_limits (number, touched, body) values (1, 0, $1)";
    pool.run(sql, &[Value::Bytes(body.to_vec())]).await?;
    let sql = "insert into bench_limits (number, touched, body) values (2, 0, $1)";
    pool.run(sql, &[Value::Bytes(Vec::new())]).await?;
    Ok(())
}

/// Changes one short row and makes it durable: the least that any write costs.
pub async fn commit(pool: &Pool) -> anyhow::Result<()> {
    let sql = "update bench_limits set touched = touched + 1 where number = 2";
    match pool.run(sql, &[]).await? {
        1 => Ok(()),
        _ => bail!("the row is gone"),
    }
}

/// Copies `size` bytes repeatedly, and returns the times of the copies.
pub fn copies(size: usize) -> Samples {
    let from = vec![7_u8; size];
    let mut to = vec![0_u8; size];
    let mut samples = Samples::default();
    for _ in 0..1_000 {
        let begun = Instant::now();
        to.copy_from_slice(black_box(&from));
        black_box(&mut to);
        samples.add_time(begun.elapsed());
    }
    samples
}
