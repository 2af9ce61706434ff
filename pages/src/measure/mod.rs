//! How fast the largest pages show their first content in a browser with an empty cache, and what they transfer.

mod load;
mod report;
mod scene;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use ctxpin_browser::Chromium;

use crate::server::Server;
use load::Load;
use report::Row;
use scene::Scene;

/// Loads of each page. A median of fewer varies too much.
const LOADS: usize = 10;

/// Options of a measurement.
#[derive(Debug, Args)]
pub struct Measure {
    /// The built program.
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// The directory for the report. Without it, the figures are only printed.
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Use small counts, to check that everything runs.
    #[arg(long)]
    quick: bool,
}

impl Measure {
    /// Measures the pages, and prints the figures. Returns `true` if each page meets the goals.
    ///
    /// # Errors
    ///
    /// Fails if the server or the browser cannot be started, or a page does not load.
    pub async fn run(self) -> anyhow::Result<bool> {
        let server = Server::start(&self.program, None).await?;
        let scene = match self.quick {
            true => Scene::QUICK,
            false => Scene::FULL,
        };
        let pages = scene.set_up(&server).await.context("setting the scene")?;
        let mut browser = Chromium::start().await?;
        server
            .sign_in(&mut browser, &server.token, "/settings")
            .await?;
        let mut rows = Vec::new();
        for page in pages {
            let url = server.url.join(&page.path)?;
            let mut loads = Vec::new();
            // The first load warms the server's caches, which a server in use has.
            for _ in 0..=LOADS {
                let load = Load::cold(&mut browser, &url).await;
                loads.push(load.with_context(|| format!("loading {}", page.name))?);
            }
            rows.push(Row::new(page.name, &loads[1..]));
        }
        browser.no_errors()?;
        server.stop().await?;
        let report = report::markdown(&scene, &rows);
        println!("{report}");
        if let Some(directory) = self.output {
            let path = directory.join("pages.md");
            std::fs::write(&path, report).with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(rows.iter().all(Row::is_met))
    }
}
