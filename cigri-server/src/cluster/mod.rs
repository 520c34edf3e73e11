//! One loop per cluster: each round observes our jobs there, reacts, plans and submits.
//!
//! A round is [`step::step`], a function of the time over the store and the cluster's client; [`supervise`] calls it
//! from timers and signals, and starts it again when it fails or panics. Nothing here decides: causes, reactions,
//! allowances and adoption are `cigri-core`'s.

mod absent;
mod account;
#[cfg(test)]
mod adding_tests;
mod adopt;
mod board;
mod bookkeeping;
mod breakers;
#[cfg(test)]
mod breakers_tests;
#[cfg(test)]
mod chaos_tests;
mod elsewhere;
#[cfg(test)]
mod elsewhere_tests;
mod endless;
mod ends;
#[cfg(test)]
mod event_tests;
mod gates;
mod groups;
#[cfg(test)]
mod groups_tests;
#[cfg(test)]
mod hanging_tests;
mod kill;
#[cfg(test)]
mod late_tests;
#[cfg(test)]
mod loss_tests;
mod metering;
#[cfg(test)]
mod metering_tests;
#[cfg(test)]
mod neighbour_tests;
mod neighbours;
#[cfg(test)]
mod neighbours_tests;
mod nights;
#[cfg(test)]
mod nights_tests;
mod nodes;
mod observe;
pub(crate) mod preview;
mod raise;
mod readings;
mod reset;
#[cfg(test)]
mod retries_tests;
mod settle;
mod step;
#[cfg(test)]
mod step_tests;
mod steps;
mod stuck;
#[cfg(test)]
mod stuck_tests;
mod submit;
pub(crate) mod supervise;
mod sweep;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod virtual_tasks;
#[cfg(test)]
mod virtual_world;
mod withdraw;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use account::Account;
use cigri_core::absence::Gates;
use cigri_core::calendar::Calendar;
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::meter::law::Key;
use cigri_core::meter::{ClusterLimits, FileServer, Metering, Neighbours};
use cigri_store::{Store, StoreError};
use elsewhere::Elsewhere;
use oar_client::Urgency;

pub(crate) use board::Board;
pub(crate) use groups::folder as results_folder;

use crate::clock::monotonic;
use crate::grid::{ClusterHandle, Grid, GridError};

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    /// The cluster is not the one we knew, and now on hold.
    #[error("the cluster's database was reset")]
    Reset,
    /// The cluster's API failed; the round is tried again later.
    #[error("the cluster's API failed: {0}")]
    Api(#[from] oar_client::Error),
    /// Our side failed.
    #[error(transparent)]
    Grid(#[from] GridError),
}

impl StepError {
    /// Nothing to tell, if this server does not lead.
    fn unless_not_leader(self) -> Result<(), StepError> {
        match self {
            StepError::Grid(GridError::Store(StoreError::NotLeader)) => Ok(()),
            other => Err(other),
        }
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> StepError {
        StepError::Grid(GridError::Store(error))
    }
}

/// What a loop remembers between rounds. Losing it costs nothing but a slower start.
pub(crate) struct Memory {
    /// What the meter remembers.
    metering: Metering,
    /// What was seen to move since the laws moved last.
    moved: BTreeMap<Key, observe::Moved>,
    /// The load that the cluster told last.
    stress: readings::Stress,
    /// Other people's jobs that wait there.
    neighbours: Neighbours,
    /// What steers the load of its file server.
    file_server: FileServer,
    /// When each submission's jobs were last asked to be killed, epoch milliseconds.
    kills: HashMap<i64, i64>,
    /// Whether an API failure event may be open.
    failing: bool,
    /// When each submission was last listed whole, epoch milliseconds.
    listed: HashMap<i64, i64>,
    /// When a look at each submission last showed a change, and when the last look was, epoch milliseconds.
    looked_at: HashMap<i64, (i64, i64)>,
    /// When it was each submission's turn to be looked at, counted in rounds.
    turns: HashMap<i64, u64>,
    /// When the cluster was last swept for orphans, epoch milliseconds.
    swept_at: i64,
    /// How many rows the last sweep left, and how often in a row.
    swept: (usize, u32),
    /// When the cluster's canaries were last looked at, epoch milliseconds.
    recognised_at: i64,
    /// Whether the last look at them found them gone.
    suspected: bool,
    /// Whether gates work there, once looked up.
    gates: Option<Gates>,
    /// Since when the cluster's ids are what they are, epoch milliseconds.
    ids_since: i64,
    /// When gates were last tried, epoch milliseconds.
    tested_at: i64,
    /// Submissions that were looked for in vain, and when first, epoch milliseconds.
    looked: HashMap<i64, i64>,
    /// The longest that a POST took, milliseconds.
    slowest_post_ms: i64,
    /// Remote jobs whose groups are not judged yet.
    doubts: groups::Doubts,
    /// Logins that have an account there, and when one was last found to have none.
    accounts: HashMap<String, Account>,
    /// Failures in a row of campaigns without an end.
    failures: HashMap<i64, u32>,
    /// What the campaigns with something there say about nights.
    kinds: nights::Kinds,
    /// When the last round was written down, epoch milliseconds.
    noted_at: i64,
    /// Campaigns without tasks left, of which the other clusters' loops were told.
    rung: BTreeSet<i64>,
    /// Users who got nothing of rounds with room, and of how many.
    starved: BTreeMap<String, u32>,
    /// The last decisions written, to write only changes.
    decided: HashMap<i64, bookkeeping::Decided>,
    /// Where too much failed.
    breakers: breakers::Breakers,
    /// How long jobs have been where they are.
    stuck: stuck::Stuck,
    /// When users were last charged for what they have there, epoch milliseconds.
    settled_at: i64,
}

impl Memory {
    /// That of one cluster's loop: what is left to chance differs from cluster to cluster.
    pub(crate) fn of(cluster: &str) -> Memory {
        // FNV-1a.
        let mix = |seed: u64, byte: u8| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let seed = cluster.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
        Memory { metering: Metering::new(seed), ..Memory::new() }
    }

    pub(crate) fn new() -> Memory {
        Memory {
            metering: Metering::default(),
            moved: BTreeMap::new(),
            stress: readings::Stress::default(),
            neighbours: Neighbours::default(),
            file_server: FileServer::new(),
            kills: HashMap::new(),
            failing: true,
            listed: HashMap::new(),
            looked_at: HashMap::new(),
            turns: HashMap::new(),
            swept_at: 0,
            swept: (0, 0),
            recognised_at: 0,
            suspected: false,
            gates: None,
            ids_since: 0,
            tested_at: 0,
            looked: HashMap::new(),
            slowest_post_ms: 0,
            doubts: groups::Doubts::default(),
            accounts: HashMap::new(),
            failures: HashMap::new(),
            kinds: HashMap::new(),
            noted_at: 0,
            rung: BTreeSet::new(),
            starved: BTreeMap::new(),
            decided: HashMap::new(),
            breakers: breakers::Breakers::default(),
            stuck: stuck::Stuck::default(),
            settled_at: 0,
        }
    }
}

/// What the functions of one round share.
pub(crate) struct Round<'a> {
    pub(crate) grid: &'a Grid,
    pub(crate) handle: &'a Arc<ClusterHandle>,
    /// What the admin allows there now.
    pub(crate) limits: Arc<ClusterLimits>,
    /// Epoch milliseconds.
    pub(crate) now: i64,
    /// Members of the groups with quotas there.
    groups: BTreeMap<String, Vec<String>>,
    /// When its picture of the cluster began to be made.
    began: Instant,
}

impl<'a> Round<'a> {
    /// A round at `now` (epoch milliseconds), under what the admin allows then. No request reaches a disabled cluster
    /// from now on.
    pub(crate) async fn begin(
        grid: &'a Grid,
        handle: &'a Arc<ClusterHandle>,
        now: i64,
    ) -> Result<Round<'a>, StepError> {
        let name = handle.row.name.clone();
        let limits = Arc::new(crate::blocking(&grid.store, move |store| store.cluster_limits(&name)).await?);
        handle.keep_to(&limits);
        handle.sensor.want(limits.file_server.as_ref());
        let groups = crate::members::with_quotas(grid, &handle.row.name, limits.group_quotas.keys()).await;
        Ok(Round { grid, handle, limits, now, groups, began: monotonic() })
    }
}

impl Round<'_> {
    /// Runs blocking database work off the reactor's threads.
    async fn store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StepError> {
        Ok(crate::blocking(&self.grid.store, work).await?)
    }

    /// Asks the cluster to delete a job as `owner`. A deletion is an intention: whoever needs it done looks again. A
    /// token that does not serve is told to its user, and stops nobody else's round.
    async fn delete_job(&self, owner: &str, remote_id: u64) -> Result<(), StepError> {
        self.delete_at(Urgency::Delete, owner, remote_id).await
    }

    /// The same for a gate that keeps jobs from starting.
    async fn release(&self, owner: &str, gate_id: u64) -> Result<(), StepError> {
        self.delete_at(Urgency::Release, owner, gate_id).await
    }

    async fn delete_at(&self, urgency: Urgency, owner: &str, remote_id: u64) -> Result<(), StepError> {
        let refused = match self.grid.token(owner, self.handle)? {
            Err(problem) => NewEvent::note(Scope::user_on(owner, self.name()), Code::TokenNotFound, problem),
            Ok((token, _)) => match self.handle.client.at(urgency).delete(&token, remote_id).await {
                Err(error @ oar_client::Error::Unauthorized { .. }) => self.bad_token(owner, &error),
                other => return other.map(|_| ()).map_err(StepError::from),
            },
        };
        self.tell(refused).await
    }

    /// The cluster refuses the user's token: nothing more is sent for them until there is a new one.
    fn bad_token(&self, owner: &str, error: &oar_client::Error) -> NewEvent {
        let name = self.name();
        let message = format!("{name} refuses the token: {error}. Add a new one with `cigri token add {name}`");
        NewEvent::hold(Scope::user_on(owner, name), Code::PermissionDenied, message)
    }

    async fn tell(&self, event: NewEvent) -> Result<(), StepError> {
        let now = self.now;
        self.store(move |store| store.open_events(&[event], now)).await
    }

    fn name(&self) -> &str {
        &self.handle.row.name
    }

    /// When it is night there; local processes know no night.
    fn calendar(&self) -> Option<&Calendar> {
        if self.is_local() { None } else { Some(self.grid.calendar(self.name())) }
    }

    fn is_local(&self) -> bool {
        self.handle.row.kind == cigri_store::ClusterKind::Local
    }
}
