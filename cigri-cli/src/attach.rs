//! Attaching to whoever serves the campaigns; in a data directory that nobody serves, this process does.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cigri_server::embedded::{Embedded, StartError};

use crate::api::{Api, ApiError};
use crate::embed::{self, Engine};
use crate::exit::{Exit, Failure};
use crate::place::Place;

/// How long another process may take to begin or to end serving the data directory.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);
/// How often a command is tried on a server that has just gone.
const TRIES: u32 = 5;

/// A server to talk to, and the server itself when it is this process.
pub(crate) struct Attachment {
    /// The way to talk to it.
    pub(crate) api: Api,
    embedded: Option<Embedded>,
}

impl Attachment {
    /// True when this process serves.
    pub(crate) fn serves(&self) -> bool {
        self.embedded.is_some()
    }

    /// Stops serving: running jobs are ended and recorded, so that the next server starts them again.
    pub(crate) async fn close(self) {
        if let Some(embedded) = self.embedded {
            embedded.shutdown().await;
        }
    }
}

/// Finds or starts the server of a place.
pub(crate) async fn attach(place: &Place, engine: &Engine) -> Result<Attachment, Failure> {
    match place {
        Place::Server(socket) => Ok(Attachment { api: Api::connect(socket).await?, embedded: None }),
        Place::DataDir(directory) => attach_local(directory, engine).await,
    }
}

/// A stale socket refuses connections, a dying server holds the directory for a moment longer, a starting one has no
/// socket yet: so both ways are tried in turn.
async fn attach_local(directory: &Path, engine: &Engine) -> Result<Attachment, Failure> {
    let deadline = Instant::now() + PATIENCE;
    let socket = embed::socket(directory);
    loop {
        match Api::connect(&socket).await {
            Ok(api) if api.runs_jobs() || !engine.runs_jobs() => return Ok(Attachment { api, embedded: None }),
            // A command that only looks, and is about to end.
            Ok(_) if Instant::now() < deadline => {}
            Ok(_) => return Err(unanswered(directory)),
            Err(error) if error.is_gone() && Instant::now() < deadline => {}
            Err(error) => return Err(error.into()),
        }
        match embed::start(directory, engine).await {
            Ok(embedded) => return talk_to_self(embedded).await,
            Err(StartError::AlreadyServed(_)) if Instant::now() < deadline => {}
            Err(StartError::AlreadyServed(_)) => return Err(unanswered(directory)),
            Err(error) => return Err(Failure::Environment(error.to_string())),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn talk_to_self(embedded: Embedded) -> Result<Attachment, Failure> {
    let socket: PathBuf = embedded.socket().to_owned();
    match Api::connect(&socket).await {
        Ok(api) => Ok(Attachment { api, embedded: Some(embedded) }),
        Err(error) => {
            embedded.shutdown().await;
            Err(error.into())
        }
    }
}

fn unanswered(directory: &Path) -> Failure {
    Failure::Environment(format!(
        "another process holds the data directory `{}` and runs no jobs; end it, or give another --data-dir",
        directory.display()
    ))
}

/// Does one thing with the server of a place. When that server goes away before it hears of it, the next one is asked.
pub(crate) async fn with_server(
    place: &Place,
    act: impl AsyncFn(&Api) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let mut tries = 0;
    loop {
        tries += 1;
        let attachment = attach(place, &Engine::idle()).await?;
        let result = act(&attachment.api).await;
        attachment.close().await;
        match result {
            Err(failure) if failure.is_unreachable() && place.is_local() && tries < TRIES => {}
            result => return result,
        }
    }
}

/// True when the server is gone and this place may get another one.
pub(crate) fn can_take_over(place: &Place, error: &ApiError) -> bool {
    place.is_local() && error.is_gone()
}
