//! CiGri's database: rows to domain and back. SQLite or PostgreSQL, through one connection type; where they differ is
//! in `connection`, `migrate` and `bulk`.
//!
//! Every arrow into the database is one named, short transaction of [`Store`]; none is open while anything else is
//! waited for. Policy is not here: callers say what to write, the schema refuses what must never be (two live
//! jobs of one task, two successes of one generation, negative counters).
//!
//! A task has no row until something happens to it: parameters sit in chunks of [`CHUNK`], and a campaign's
//! cursor says which tasks were never tried.

mod account;
mod active;
mod addition;
mod asked;
mod attempts;
mod audit;
mod backup;
mod bag;
mod breaker;
mod bulk;
mod campaign;
mod cluster;
mod connection;
mod control;
mod decision;
mod delayed;
mod endless;
mod event;
mod facts;
mod failed;
mod failed_on;
mod failure;
mod gate_test;
mod grid_usage;
mod group;
mod here;
mod holds;
mod idempotency;
mod intake;
mod intent;
mod job;
mod job_list;
mod lease;
mod limits;
mod live;
mod max_failures;
mod migrate;
mod notice;
mod others;
mod parameters;
mod readers;
mod reset;
mod restore;
mod retry;
mod round;
mod schema;
mod setback;
mod specs;
mod steps;
mod submission;
mod subscription;
mod sweep;
mod task_range;
mod task_state;
mod token;
mod usage;
mod wish;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use account::{AccountFilter, AccountRow, AccountSum, CampaignNames};
pub use active::ActiveCampaign;
pub use addition::NewTasks;
pub use asked::{Asked, Levels, Sender};
pub use attempts::PastAttempt;
pub use audit::AuditRow;
pub use backup::{Backup, BackupError};
pub use bag::Task;
pub use breaker::BreakerChanges;
pub use campaign::{CampaignFilter, CampaignRow, Share};
pub use cluster::{ClusterKind, ClusterRow};
pub use connection::Database;
use connection::{Link, Place};
pub use decision::DecisionRow;
pub use delayed::Delayed;
pub use event::{About, EventFilter, EventRow, HandClosed};
pub use failed::{FailureGroup, FailureReport, FailureSample, Sameness};
pub use gate_test::{GateTestRow, GateTestState};
pub use grid_usage::{GridUsageRow, SampleFilter};
pub use here::Here;
pub use idempotency::{KnownKey, NewKey};
pub use intake::{CHUNK, MOST_TASKS, NewCampaign, Origin};
pub use intent::{Intent, NewGroup, NewSubmission, Raised};
pub use job::{JobEnd, LiveJob, Look, Return};
pub use job_list::{JobFilter, JobRow};
pub use lease::{Candidate, Lease, LeaseRow};
pub use limits::ClusterSettings;
pub use live::LiveJobs;
pub use notice::{NewNotice, NoticeRow, Untold};
pub use restore::{Restored, restore};
pub use retry::{MakeKey, Meant, RetriedTasks, Retry, Which};
pub use round::{RoundCampaign, RoundView};
pub use submission::{AdoptedArray, SubmissionRow};
pub use subscription::{NewSubscription, SubscriptionRow};
pub use task_state::{Attempt, TaskState};
pub use token::TokenRow;

/// Why the database did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It could not be opened.
    #[error("cannot open the database: {0}")]
    Open(String),
    /// It was written by a newer program.
    #[error("the database is newer than this program (it knows migration {0}): use the newer program")]
    Newer(String),
    /// A migration failed.
    #[error("cannot bring the database up to date: {0}")]
    Migrate(String),
    /// A statement failed.
    #[error("database error: {0}")]
    Sql(#[from] diesel::result::Error),
    /// A stored text is not what it should be.
    #[error("the database holds a value that cannot be read: {0}")]
    Corrupt(String),
    /// What is asked for is not there.
    #[error("there is no {0}")]
    Missing(String),
    /// Several servers share the database, and this one may not write now.
    #[error("this server does not lead: another one took over, or none has yet")]
    NotLeader,
    /// The same was done before, under the same key.
    #[error("the Idempotency-Key was used before")]
    Repeated,
    /// A condition on tasks cannot be answered for one of them.
    #[error(transparent)]
    Condition(#[from] cigri_core::condition::ConditionError),
    /// What is asked for does not fit the present state.
    #[error("{0}")]
    Conflict(String),
}

impl StoreError {
    pub(crate) fn corrupt(error: impl std::fmt::Display) -> StoreError {
        StoreError::Corrupt(error.to_string())
    }
}

/// Result of a store operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The database: one connection that writes, others that read beside it.
#[derive(Clone)]
pub struct Store {
    writer: Arc<Mutex<Link>>,
    /// None where a database is its connection's own: the one that writes reads as well.
    readers: Option<Arc<readers::Readers>>,
    /// Set when several servers share the database: the epoch in which this one may write.
    epoch: Option<lease::Epoch>,
    specs: Arc<specs::Specs>,
}

impl Store {
    /// Opens the database at `url`, making its tables or bringing them up to date: `postgres://...` (libpq's form,
    /// with its parameters) or the path of a SQLite file. `new_instance` names the database if it is new: some random
    /// letters and digits, at most 16. A PostgreSQL connection that breaks is replaced before its next transaction.
    pub fn open(url: &str, new_instance: &str) -> Result<Store> {
        Store::open_at(&Place::parse(url), new_instance)
    }

    /// Opens the SQLite file at `path` (`:memory:` for one that goes with the store), as [`Store::open`] does.
    pub fn open_sqlite(path: &Path, new_instance: &str) -> Result<Store> {
        Store::open_at(&Place::Sqlite(path.to_owned()), new_instance)
    }

    /// Opens the database at `url` for one of several servers, as [`Store::open`] does otherwise. The store writes
    /// nothing ([`StoreError::NotLeader`]) before the lease is taken, and after it is lost.
    pub fn open_shared(url: &str, new_instance: &str) -> Result<(Store, Lease)> {
        let place = Place::parse(url);
        let mut store = Store::open_at(&place, new_instance)?;
        let epoch = lease::Epoch::default();
        store.epoch = Some(epoch.clone());
        Ok((store, Lease::open(&place, epoch)?))
    }

    fn open_at(place: &Place, new_instance: &str) -> Result<Store> {
        let mut writer = Link::open(place)?;
        migrate::bring_up_to_date(&mut writer.database)?;
        let writer = Arc::new(Mutex::new(writer));
        let readers = place.is_shared().then(|| Arc::new(readers::Readers::new(place)));
        let store = Store { writer, readers, epoch: None, specs: Arc::default() };
        store.write(|connection| cluster::name_instance(connection, new_instance))?;
        Ok(store)
    }

    fn write<T>(&self, work: impl FnOnce(&mut Database) -> Result<T>) -> Result<T> {
        let epoch = self.epoch.as_ref().map(lease::Epoch::get).transpose()?;
        connection::write_transaction(&mut lock(&self.writer), |connection| {
            epoch.map_or(Ok(()), |epoch| lease::check(connection, epoch))?;
            work(connection)
        })
    }

    /// A transaction that any server may make, also one that stands by.
    fn write_unled<T>(&self, work: impl FnOnce(&mut Database) -> Result<T>) -> Result<T> {
        connection::write_transaction(&mut lock(&self.writer), work)
    }

    /// Where the database is, without waiting for who writes.
    fn place(&self) -> Place {
        self.readers.as_ref().map_or_else(|| lock(&self.writer).place().clone(), |readers| readers.place().clone())
    }

    /// Empties the write-ahead log: what a full disk refused must not go on filling it.
    fn shrink(&self) -> Result<()> {
        connection::empty_log(&mut lock(&self.writer))
    }

    fn read<T>(&self, work: impl FnOnce(&mut Database) -> Result<T>) -> Result<T> {
        match &self.readers {
            Some(readers) => readers.read(work),
            None => connection::read_transaction(&mut lock(&self.writer), work),
        }
    }
}

/// A panic in another thread may have left its transaction open; the link drops it before the next one.
fn lock(link: &Mutex<Link>) -> MutexGuard<'_, Link> {
    link.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reserves `count` ids of a kind and returns the first. The update comes before the reading: it locks the row until
/// the transaction ends.
pub(crate) fn reserve(connection: &mut Database, kind: &str, count: i64) -> Result<i64> {
    use diesel::prelude::*;
    use schema::sequence::dsl;
    diesel::update(dsl::sequence.find(kind)).set(dsl::next.eq(dsl::next + count)).execute(connection)?;
    let next: i64 = dsl::sequence.find(kind).select(dsl::next).first(connection)?;
    Ok(next - count)
}
