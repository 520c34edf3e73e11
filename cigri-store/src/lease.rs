//! Which of several servers leads: one row with an epoch, on the database's own clock.
//!
//! The epoch fences: it grows with every take-over, and a transaction that writes checks it after it got the right to
//! write. A leader that slept past its lease finds a higher one and changes nothing. Times only say when to take over.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::connection::{self, Database, Link, Place};
use crate::schema::lease;
use crate::{Result, StoreError};

/// The database's clock while a statement runs, epoch milliseconds.
fn clock(connection: &Database) -> &'static str {
    match connection {
        Database::Sqlite(_) => "cast(unixepoch('subsec') * 1000 as integer)",
        Database::Postgresql(_) => "(extract(epoch from clock_timestamp()) * 1000)::bigint",
    }
}

/// How often, and with what pauses, a free lease is tried to be taken while somebody holds the right to write.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);

/// Ends the session that holds the right to write, if the lease ran out: its process sleeps in a transaction.
const END_WRITER: &str = "
    SELECT pg_terminate_backend(pid, 2000) FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 0 AND objid = 4 AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND pid <> pg_backend_pid()
      AND (SELECT expires_at FROM lease) <= (extract(epoch from clock_timestamp()) * 1000)::bigint";

/// The epoch in which this process leads; 0 while it does not. Shared by a store and its lease.
#[derive(Clone, Default)]
pub(crate) struct Epoch(Arc<AtomicI64>);

impl Epoch {
    /// The epoch in which this process may write.
    pub(crate) fn get(&self) -> Result<i64> {
        match self.0.load(Ordering::SeqCst) {
            0 => Err(StoreError::NotLeader),
            epoch => Ok(epoch),
        }
    }
}

/// Fails unless `epoch` is still the present one. To be called with the right to write: nobody can take over before
/// the transaction ends.
pub(crate) fn check(connection: &mut Database, epoch: i64) -> Result<()> {
    let present: i64 = lease::table.select(lease::epoch).first(connection)?;
    if present == epoch { Ok(()) } else { Err(StoreError::NotLeader) }
}

/// What a server publishes when it takes over.
#[derive(Clone)]
pub struct Candidate {
    /// Its name, for people.
    pub holder: String,
    /// `host:port` where it takes passed requests; empty if it takes none.
    pub address: String,
    /// Its TLS certificate (DER).
    pub certificate: Vec<u8>,
    /// What signs passed requests, sealed.
    pub secret: Vec<u8>,
}

/// Who leads, or led last.
#[derive(Clone)]
pub struct LeaseRow {
    /// Grows with every take-over; 0 before the first.
    pub epoch: i64,
    /// What the leader published.
    pub leader: Candidate,
    /// How long the lease still lasts, milliseconds; not positive when it is free.
    pub left_ms: i64,
}

/// A server's way to the lease, over a connection of its own. Its [`crate::Store`] writes only while the lease is held.
pub struct Lease {
    link: Link,
    epoch: Epoch,
}

impl Lease {
    pub(crate) fn open(place: &Place, epoch: Epoch) -> Result<Lease> {
        Ok(Lease { link: Link::open(place)?, epoch })
    }

    /// Looks who leads.
    pub fn look(&mut self) -> Result<LeaseRow> {
        self.link.alone(|connection| {
            let left = sql::<BigInt>(&format!("expires_at - {}", clock(connection)));
            let published = (lease::holder, lease::address, lease::certificate, lease::secret);
            let row = lease::table.select((lease::epoch, published, left)).first(connection)?;
            let (epoch, (holder, address, certificate, secret), left_ms) = row;
            Ok(LeaseRow { epoch, leader: Candidate { holder, address, certificate, secret }, left_ms })
        })
    }

    /// Takes the lease for `lasts_ms` if it is free or has run out: the new epoch, in which the store may write. A
    /// session that still holds the right to write then belongs to a process that sleeps, and is ended.
    pub fn take(&mut self, candidate: &Candidate, lasts_ms: i64) -> Result<Option<i64>> {
        if self.look()?.left_ms > 0 {
            return Ok(None);
        }
        for tried in 0..=TRIES {
            if let Some(taken) = self.try_take(candidate, lasts_ms)? {
                return Ok(taken);
            }
            match tried < TRIES {
                true => std::thread::sleep(PAUSE),
                false => self.end_writer()?,
            }
        }
        Ok(self.try_take(candidate, lasts_ms)?.flatten())
    }

    /// `None` while another session holds the right to write; then, `None` while another server leads.
    fn try_take(&mut self, candidate: &Candidate, lasts_ms: i64) -> Result<Option<Option<i64>>> {
        let taken = connection::try_write_transaction(&mut self.link, |connection| {
            let now = clock(connection);
            let changed = diesel::update(lease::table.filter(lease::expires_at.le(sql::<BigInt>(now))))
                .set((
                    lease::epoch.eq(lease::epoch + 1),
                    lease::holder.eq(&candidate.holder),
                    lease::address.eq(&candidate.address),
                    lease::certificate.eq(&candidate.certificate),
                    lease::secret.eq(&candidate.secret),
                    lease::expires_at.eq(sql::<BigInt>(&format!("{now} + {lasts_ms}"))),
                ))
                .execute(connection)?;
            let epoch: i64 = lease::table.select(lease::epoch).first(connection)?;
            Ok((changed == 1).then_some(epoch))
        })?;
        if let Some(Some(epoch)) = taken {
            self.epoch.0.store(epoch, Ordering::SeqCst);
        }
        Ok(taken)
    }

    /// SQLite has one process, whose transactions end with it.
    fn end_writer(&mut self) -> Result<()> {
        self.link.alone(|connection| {
            if matches!(connection, Database::Postgresql(_)) {
                diesel::sql_query(END_WRITER).execute(connection)?;
            }
            Ok(())
        })
    }

    /// Makes the held lease last `lasts_ms` from now; false when it is not this server's any more, and the store
    /// then writes nothing. One statement without a transaction: a process that falls asleep here holds no lock.
    pub fn renew(&mut self, lasts_ms: i64) -> Result<bool> {
        let Ok(epoch) = self.epoch.get() else { return Ok(false) };
        let held = self.link.alone(|connection| {
            let until = sql::<BigInt>(&format!("{} + {lasts_ms}", clock(connection)));
            let mine = lease::table.filter(lease::epoch.eq(epoch));
            Ok(diesel::update(mine).set(lease::expires_at.eq(until)).execute(connection)? == 1)
        })?;
        if !held {
            self.resign();
        }
        Ok(held)
    }

    /// The store writes nothing any more; the lease runs out by itself.
    pub fn resign(&mut self) {
        self.epoch.0.store(0, Ordering::SeqCst);
    }

    /// Resigns, and makes the lease free at once.
    pub fn give_back(&mut self) -> Result<()> {
        let Ok(epoch) = self.epoch.get() else { return Ok(()) };
        self.resign();
        self.link.alone(|connection| {
            let mine = lease::table.filter(lease::epoch.eq(epoch));
            diesel::update(mine).set(lease::expires_at.eq(0)).execute(connection)?;
            Ok(())
        })
    }
}
