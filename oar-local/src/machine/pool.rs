//! Which cores are free.

use std::collections::BTreeSet;

/// The cores of the cluster, by resource id from 1. The lowest free ones are given first.
#[derive(Debug)]
pub(super) struct Pool {
    free: BTreeSet<u32>,
    suspected: BTreeSet<u32>,
}

impl Pool {
    pub(super) fn new(cores: u32) -> Self {
        Self { free: (1..=cores).collect(), suspected: BTreeSet::new() }
    }

    /// Number of free cores.
    pub(super) fn free(&self) -> u32 {
        u32::try_from(self.free.len()).unwrap_or(u32::MAX)
    }

    /// Takes `count` cores, or none when there are not enough.
    pub(super) fn take(&mut self, count: u32) -> Option<Box<[u32]>> {
        if count > self.free() {
            return None;
        }
        (0..count).map(|_| self.free.pop_first()).collect()
    }

    /// The same from those that `fits` picks.
    pub(super) fn take_among(&mut self, count: u32, fits: impl Fn(u32) -> bool) -> Option<Box<[u32]>> {
        let chosen: Vec<u32> = self.free.iter().copied().filter(|core| fits(*core)).take(count as usize).collect();
        if chosen.len() < count as usize {
            return None;
        }
        self.free.retain(|core| !chosen.contains(core));
        Some(chosen.into())
    }

    /// Gives cores back.
    pub(super) fn give(&mut self, cores: &[u32]) {
        self.free.extend(cores);
    }

    /// Number of cores that are neither free nor held.
    pub(super) fn suspected(&self) -> u32 {
        u32::try_from(self.suspected.len()).unwrap_or(u32::MAX)
    }

    /// Whether a core is one of them.
    pub(super) fn is_suspected(&self, core: u32) -> bool {
        self.suspected.contains(&core)
    }

    /// Nobody gets these free cores any more.
    pub(super) fn suspect(&mut self, cores: &[u32]) {
        self.suspected.extend(cores.iter().filter(|core| self.free.remove(core)));
    }

    /// All suspected cores are free again.
    pub(super) fn repair(&mut self) {
        self.free.append(&mut self.suspected);
    }
}
