//! Which jobs a listing shows, and the indexes that keep listings of live jobs independent of the finished ones.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::job::Job;
use super::{Machine, State};

/// The filters of `GET /jobs`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Owner.
    pub user: Option<String>,
    /// Array id.
    pub array: Option<u64>,
    /// Job ids; `Some` of an empty list selects nothing.
    pub ids: Option<Vec<u64>>,
    /// Names of states.
    pub states: Vec<String>,
    /// Jobs that lived in a window.
    pub window: Window,
}

/// A window of time in epoch seconds; open where `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// From.
    pub start: Option<i64>,
    /// To.
    pub stop: Option<i64>,
}

impl Window {
    fn is_open(self) -> bool {
        self.start.is_none() && self.stop.is_none()
    }

    fn shows(self, job: &Job) -> bool {
        let (from, to) = (self.start.unwrap_or(i64::MIN), self.stop.unwrap_or(i64::MAX));
        if job.start == 0 {
            return (from..=to).contains(&job.batch.submitted);
        }
        job.start <= to && (job.stop == 0 || job.stop >= from)
    }
}

impl Query {
    /// Whether a candidate is shown; candidates are already right about `ids`.
    fn shows(&self, job: &Job) -> bool {
        job.is_listed()
            && self.user.as_ref().is_none_or(|user| *user == job.batch.user)
            && self.array.is_none_or(|array| array == job.array())
            && (self.states.is_empty() || self.states.iter().any(|state| state == job.state.name()))
            && (self.window.is_open() || self.window.shows(job))
    }

    /// Whether it asks for the live jobs, of one user or of all.
    fn is_of_live_jobs(&self) -> bool {
        self.ids.is_none() && self.array.is_none() && self.states.is_empty() && self.window.is_open()
    }

    fn wants_final(&self) -> bool {
        self.states.iter().any(|state| state == "Terminated" || state == "Error")
    }
}

impl Machine {
    /// The jobs of a listing in the order of their ids: how many there are, and the page.
    #[must_use]
    pub fn list<'a>(&'a self, query: &'a Query, offset: usize, limit: usize) -> (usize, Vec<&'a Job>) {
        if query.is_of_live_jobs() {
            // Often asked while very many jobs wait: only the page is looked at.
            let page = self.live_ids(query.user.as_deref()).skip(offset).take(limit);
            let total =
                query.user.as_ref().map_or(self.live.len(), |user| self.live_of.get(user).map_or(0, BTreeSet::len));
            return (total, page.filter_map(|id| self.jobs.get(&id)).collect());
        }
        let mut total = 0;
        let mut page = Vec::new();
        for job in self.candidates(query).filter(|job| query.shows(job)) {
            if total >= offset && page.len() < limit {
                page.push(job);
            }
            total += 1;
        }
        (total, page)
    }

    /// The smallest set at hand that holds every job of the listing.
    fn candidates<'a>(&'a self, query: &'a Query) -> Box<dyn Iterator<Item = &'a Job> + 'a> {
        if let Some(ids) = &query.ids {
            let mut ids: Vec<u64> = ids.clone();
            ids.sort_unstable();
            ids.dedup();
            return Box::new(ids.into_iter().filter_map(|id| self.jobs.get(&id)));
        }
        if let Some(array) = query.array {
            return Box::new(self.rows(array));
        }
        if query.window.is_open() && query.wants_final() {
            return Box::new(self.jobs.values());
        }
        let live = self.live_ids(query.user.as_deref());
        if query.window.is_open() {
            return Box::new(live.filter_map(|id| self.jobs.get(&id)));
        }
        let since = query.window.start.unwrap_or(i64::MIN);
        let ended = self.ended.range((Bound::Included((since, 0)), Bound::Unbounded));
        let mut ids: Vec<u64> = ended.map(|(_, id)| *id).chain(live).collect();
        ids.sort_unstable();
        Box::new(ids.into_iter().filter_map(|id| self.jobs.get(&id)))
    }

    /// The jobs of an array, in the order of their ids: the rows of the submission, and their copies.
    pub(super) fn rows(&self, array: u64) -> impl Iterator<Item = &Job> {
        let count = self.arrays.get(&array).copied().unwrap_or(0);
        let copies = self.copies.get(&array).into_iter().flatten().filter_map(|id| self.jobs.get(id));
        self.jobs.range(array..array + count).map(|(_, job)| job).chain(copies)
    }

    fn live_ids<'a>(&'a self, user: Option<&str>) -> Box<dyn Iterator<Item = u64> + 'a> {
        match user {
            None => Box::new(self.live.iter().copied()),
            Some(user) => Box::new(self.live_of.get(user).into_iter().flatten().copied()),
        }
    }

    /// Indexes the live jobs of a new array and makes candidates of those that nothing blocks.
    pub(super) fn admit_live(&mut self, array: u64) {
        let Some(batch) = self.rows(array).next().map(|job| std::sync::Arc::clone(&job.batch)) else { return };
        for template in [&batch.stdout, &batch.stderr].into_iter().flatten() {
            if !template.contains("%jobid%") {
                let name = template.replace("%jobname%", batch.name.as_deref().unwrap_or_default());
                let path = super::absolute(&batch.directory, &name);
                self.shared_outputs.entry(path).or_default().push(array);
            }
        }
        let open: Vec<u64> = self.rows(array).filter(|job| !job.state.is_final()).map(|job| job.id).collect();
        let is_listed = |id: &u64| self.jobs.get(id).is_some_and(Job::is_listed);
        let live: Vec<u64> = open.iter().copied().filter(is_listed).collect();
        self.live.extend(&live);
        self.live_of.entry(batch.user.clone()).or_default().extend(&live);
        let blocked = self.is_blocked(&batch.after);
        for gate in batch.after.iter().filter(|_| blocked) {
            self.gates.entry(*gate).or_default().push(array);
        }
        open.into_iter().for_each(|id| self.enqueue(id));
    }

    /// Puts a copy that was just scheduled into the live index.
    pub(super) fn show_live(&mut self, id: u64) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.copy_of != 0) else { return };
        self.live.insert(id);
        self.live_of.entry(job.batch.user.clone()).or_default().insert(id);
    }

    /// Moves a job from the live index to that of the ended.
    pub(super) fn retire_live(&mut self, id: u64) {
        let Some(job) = self.jobs.get(&id).filter(|job| job.state.is_final()) else { return };
        self.ended.insert((end_of(job), id));
        self.live.remove(&id);
        if let Some(ids) = self.live_of.get_mut(&job.batch.user) {
            ids.remove(&id);
        }
    }

    /// Jobs whose output goes to a path that several jobs share, because its template lacks the job's id.
    #[must_use]
    pub fn jobs_of_shared_output(&self, path: &str) -> Vec<u64> {
        let arrays = self.shared_outputs.get(path).into_iter().flatten();
        arrays.flat_map(|array| self.rows(*array)).map(|job| job.id).collect()
    }

    /// How many jobs are in a state, among those that are not over.
    #[must_use]
    pub fn count_live(&self, state: State) -> usize {
        self.live.iter().filter(|id| self.jobs.get(id).is_some_and(|job| job.state == state)).count()
    }
}

/// Where an ended job stands in the index of the ended. One that never started has no stop time: its submission is
/// the only date it has.
pub(super) fn end_of(job: &Job) -> i64 {
    if job.stop == 0 { job.batch.submitted } else { job.stop }
}
