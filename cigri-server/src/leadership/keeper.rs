//! Takes the lease when it is free and renews it while it is held, from a thread and over a connection of its own:
//! neither busy loops nor a full pool keep it from doing so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use cigri_store::{Candidate, Lease, LeaseRow, StoreError};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use super::{Door, Held, Leader, Leadership, Phase};
use crate::clock::monotonic;
use crate::grid::Grid;
use crate::secret::{self, SecretError};

/// Pause after a failure, and while this server's own loops still end.
const SOON: Duration = Duration::from_millis(300);
/// How often a server that stands by looks, at most and at least.
const LOOKS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// What a keeper needs to know.
pub(crate) struct Keeper {
    pub(crate) lease: Lease,
    pub(crate) leadership: Arc<Leadership>,
    pub(crate) grid: Arc<Grid>,
    /// How long a lease lasts without being renewed.
    pub(crate) lasts: Duration,
    candidate: Candidate,
    /// Whether the last try failed: told once.
    failing: bool,
}

/// A keeper at work.
pub(crate) struct Kept {
    stop: Sender<()>,
    ended: oneshot::Receiver<()>,
}

/// Starts the keeper's thread.
pub(crate) fn keep(mut keeper: Keeper) -> Kept {
    let (stop, stopped) = channel();
    let (end, ended) = oneshot::channel();
    std::thread::spawn(move || {
        while catch_unwind(AssertUnwindSafe(|| keeper.run(&stopped))).is_err() {
            error!("the keeper of the lease failed by a bug, it starts again");
            std::thread::sleep(SOON);
        }
        end.send(()).ok();
    });
    Kept { stop, ended }
}

impl Kept {
    /// Gives a held lease back, so that another server leads at once; not longer than `patience`, after which it runs
    /// out by itself.
    pub(crate) async fn end(self, patience: Duration) {
        drop(self.stop);
        tokio::time::timeout(patience, self.ended).await.ok();
    }
}

impl Keeper {
    pub(crate) fn new(
        lease: Lease,
        (leadership, grid): (&Arc<Leadership>, &Arc<Grid>),
        lasts: Duration,
        door: Option<&Door>,
    ) -> Keeper {
        let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let holder = format!("{host} (process {})", std::process::id());
        let (address, certificate) =
            door.map(|door| (door.address.clone(), door.certificate.clone())).unwrap_or_default();
        let candidate = Candidate { holder, address, certificate, secret: Vec::new() };
        let (leadership, grid) = (Arc::clone(leadership), Arc::clone(grid));
        Keeper { lease, leadership, grid, lasts, candidate, failing: false }
    }

    fn run(&mut self, stopped: &Receiver<()>) {
        loop {
            let turn = self.turn();
            let pause = match turn {
                Ok(pause) => pause,
                Err(error) => {
                    self.tell(&error);
                    SOON
                }
            };
            if !matches!(stopped.recv_timeout(pause), Err(RecvTimeoutError::Timeout)) {
                break;
            }
        }
        self.leadership.change(|state| state.held = None);
        if let Err(error) = self.lease.give_back() {
            warn!("the lead cannot be given back, it runs out by itself: {error}");
        }
    }

    fn tell(&mut self, error: &KeeperError) {
        if !self.failing {
            warn!("the lease of the lead cannot be reached, it is tried again: {error}");
        }
        self.failing = true;
    }

    /// Does what is to be done now; returns the pause until the next turn.
    fn turn(&mut self) -> Result<Duration, KeeperError> {
        let Some(state) = &self.leadership.state else { return Ok(self.lasts) };
        let (phase, held) = {
            let state = state.borrow();
            (state.phase, state.held.clone())
        };
        if held.is_some() && matches!(phase, Phase::Follows | Phase::Leaves) {
            self.leadership.change(|state| state.held = None);
            self.lease.give_back()?;
        }
        let pause = match (phase, held) {
            (Phase::Follows, _) => self.stand()?,
            (Phase::Prepares | Phase::Acts, Some(held)) => self.renew(&held)?,
            // The loops still end: until they have, nothing is taken.
            (Phase::Prepares | Phase::Acts, None) => SOON,
            (Phase::Leaves, _) => {
                let row = self.lease.look()?;
                self.follow(row);
                SOON
            }
        };
        if self.failing {
            info!("the lease of the lead can be reached again");
        }
        self.failing = false;
        Ok(pause)
    }

    /// Takes a free lease, or looks who has it.
    fn stand(&mut self) -> Result<Duration, KeeperError> {
        let row = self.lease.look()?;
        if row.left_ms > 0 {
            let left = Duration::from_millis(row.left_ms.unsigned_abs());
            self.follow(row);
            return Ok(left.clamp(LOOKS.0, LOOKS.1.min(self.lasts / 3)));
        }
        self.follow(row);
        let secret = new_secret()?;
        self.candidate.secret = self.grid.sealer.seal(&secret)?;
        let until = monotonic() + self.lasts;
        if let Some(epoch) = self.lease.take(&self.candidate, self.lasts_ms())? {
            let held = Held { epoch, until, secret: secret.into() };
            self.leadership.change(|state| (state.phase, state.held) = (Phase::Prepares, Some(held)));
        }
        Ok(LOOKS.0)
    }

    fn renew(&mut self, held: &Held) -> Result<Duration, KeeperError> {
        let now = monotonic();
        // Too late even if nobody else came: the loops are ending already.
        let renewed = now < held.until && self.lease.renew(self.lasts_ms())?;
        let until = now + self.lasts;
        self.leadership.change(|state| match &mut state.held {
            Some(held) if renewed => held.until = until,
            gone => *gone = None,
        });
        if !renewed {
            self.lease.resign();
        }
        Ok(if renewed { self.lasts / 3 } else { SOON })
    }

    /// Remembers who leads; told when it changes.
    fn follow(&self, row: LeaseRow) {
        let known = self.leadership.leader().map(|leader| leader.epoch);
        let leads = row.left_ms > 0;
        if known == leads.then_some(row.epoch) {
            return;
        }
        let leader = leads.then(|| {
            info!(leader = %row.leader.holder, epoch = row.epoch, "stands by: another server leads");
            Arc::new(Leader::of(row, &self.grid.sealer))
        });
        self.leadership.change(|state| state.leader = leader);
    }

    fn lasts_ms(&self) -> i64 {
        self.lasts.as_millis() as i64
    }
}

/// 256 random bits in hexadecimal.
fn new_secret() -> Result<String, SecretError> {
    (0..4).map(|_| secret::nonce().map(|bits| format!("{bits:016x}"))).collect()
}

#[derive(Debug, thiserror::Error)]
enum KeeperError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secret(#[from] SecretError),
}
