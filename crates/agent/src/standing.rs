//! Standings: the agents of one process, each for the tool and the directory that it serves.

use std::path::PathBuf;
use std::pin::Pin;

use ctxpin_model::profile::Profile;
use ctxpin_protocol::http::people::Secret;
use ctxpin_scan::roots::ToolEnvironment;
use uuid::Uuid;

/// One of the agents of a process: it pushes what one tool finds from one directory.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The agent's id, if it is known.
    pub agent: Option<Uuid>,
    /// The agent's token.
    pub token: Secret,
    /// The tool whose rules decide what is scanned.
    pub profile: Profile,
    pub tool: ToolEnvironment,
}

/// The place of a standing in a process, which has one at each place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingPlace {
    /// The absolute path of the directory in which the tool is started.
    pub directory: PathBuf,
    pub profile: Profile,
}

/// Makes agents for directories of the project that the process watches.
pub trait Maker: Send + Sync {
    /// Finds the agent of a place, or makes it. The error is for people.
    fn make<'m>(
        &'m self,
        place: &'m StandingPlace,
    ) -> Pin<Box<dyn Future<Output = Result<Standing, String>> + Send + 'm>>;
}
