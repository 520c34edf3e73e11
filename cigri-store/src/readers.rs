//! Connections that read: several readers at once, beside the one that writes. Opened when they are first needed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::Result;
use crate::connection::{self, Database, Link, Place};

/// How many may read at once. The others wait: readers are short.
const COUNT: usize = 4;

/// The pool.
pub(crate) struct Readers {
    place: Place,
    links: [Mutex<Option<Link>>; COUNT],
    next: AtomicUsize,
}

impl Readers {
    pub(crate) fn new(place: &Place) -> Readers {
        Readers { place: place.clone(), links: Default::default(), next: AtomicUsize::new(0) }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Runs `work` on one unchanging picture of the database.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&mut Database) -> Result<T>) -> Result<T> {
        let mut slot = self.slot();
        let link = match &mut *slot {
            Some(link) => link,
            empty => empty.insert(Link::open(&self.place)?),
        };
        connection::read_transaction(link, work)
    }

    /// One that is free, or the next in turn.
    fn slot(&self) -> MutexGuard<'_, Option<Link>> {
        for link in &self.links {
            match link.try_lock() {
                Ok(slot) => return slot,
                Err(TryLockError::Poisoned(slot)) => return slot.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % COUNT;
        self.links[turn].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
