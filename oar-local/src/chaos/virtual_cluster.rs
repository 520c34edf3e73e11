//! A whole cluster in virtual time: the machine, its REST face, and jobs that take as long and end as they are told
//! to. Nothing happens but in calls, so a simulation of hours takes no longer than its decisions.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{Request, Response};

use super::outcome::Cluster;
use crate::face::{Auth, Face, Outside, Unreadable, Wanted, respond};
use crate::machine::{Command, Job, LaunchFailure, Machine, Mishap, Settings, Suspicion};

/// Time from the kill signal to the end of a job, milliseconds.
const DYING: i64 = 1_000;
/// Wait status of a process that the kill signal ended.
const KILLED: i32 = 9;

/// What a job does once it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// How long it takes, milliseconds.
    pub takes_ms: i64,
    /// Its raw wait status at the end: 256 times the exit code.
    pub status: i32,
}

/// Decides what a started job does.
pub type Execute = Box<dyn FnMut(&Job) -> Run + Send>;

/// A world without files, and without load.
#[derive(Debug, Clone, Copy)]
pub struct EmptyWorld;

impl Outside for EmptyWorld {
    fn load(&self) -> Option<String> {
        Some("0.00".to_owned())
    }

    fn read(&self, _: &Wanted) -> Result<Vec<u8>, Unreadable> {
        Err(Unreadable::Missing)
    }
}

/// A world in which some users have no account.
struct Accounts<'a> {
    outside: &'a dyn Outside,
    unknown: &'a BTreeSet<String>,
}

impl Outside for Accounts<'_> {
    fn load(&self) -> Option<String> {
        self.outside.load()
    }

    fn has_account(&self, user: &str) -> bool {
        !self.unknown.contains(user) && self.outside.has_account(user)
    }

    fn read(&self, wanted: &Wanted) -> Result<Vec<u8>, Unreadable> {
        self.outside.read(wanted)
    }
}

/// A cluster whose time is its caller's.
pub struct VirtualCluster {
    machine: Machine,
    auth: Auth,
    outside: Box<dyn Outside + Send>,
    execute: Execute,
    /// Users that the nodes do not know.
    unknown: BTreeSet<String>,
    /// When which job ends, with its wait status.
    ends: BTreeSet<(i64, u64, i32)>,
    /// Epoch milliseconds of the last call.
    now: i64,
}

impl std::fmt::Debug for VirtualCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VirtualCluster").field("now", &self.now).finish_non_exhaustive()
    }
}

impl VirtualCluster {
    /// A new cluster. `secret` signs its tokens; `execute` decides what each started job does.
    #[must_use]
    pub fn new(settings: Settings, secret: &[u8], execute: Execute) -> Self {
        let (machine, auth) = (Machine::new(settings), Auth::new(secret));
        Self {
            machine,
            auth,
            outside: Box::new(EmptyWorld),
            execute,
            unknown: BTreeSet::new(),
            ends: BTreeSet::new(),
            now: 0,
        }
    }

    /// The same with files to read.
    #[must_use]
    pub fn with_outside(mut self, outside: Box<dyn Outside + Send>) -> Self {
        self.outside = outside;
        self
    }

    /// From now on, these are the users that the nodes do not know: their jobs are accepted, and each takes the cores
    /// that it gets away from everybody until [`Machine::repair`].
    pub fn set_unknown_users(&mut self, users: &[&str]) {
        self.unknown = users.iter().map(|user| (*user).to_owned()).collect();
    }

    /// The scheduler's state.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// A token of `user` that lives `lifetime` seconds from `now` (epoch milliseconds).
    #[must_use]
    pub fn issue_token(&self, user: &str, lifetime: i64, now: i64) -> String {
        self.auth.issue(user, lifetime, now)
    }

    /// Answers a request at `now`, without any fault.
    pub fn respond(&mut self, request: &Request<Bytes>, now: i64) -> Response<Bytes> {
        Cluster::respond(self, request, None, now)
    }

    /// Changes the machine at `now` in any other way.
    pub fn change<T>(&mut self, now: i64, change: impl FnOnce(&mut Machine, i64) -> T) -> T {
        self.advance(now);
        let now = self.now;
        let result = change(&mut self.machine, now);
        self.settle(now);
        result
    }

    /// The cluster's database is reset at `now`: no job is left, and ids start from `first`.
    pub fn reset(&mut self, first: u64, now: i64) {
        self.change(now, |machine, now| machine.reset(first, now));
    }

    /// The cluster's database is one from before all jobs after `last`: these are gone, their ids are given again.
    pub fn restore_to(&mut self, last: u64, now: i64) {
        self.change(now, |machine, now| machine.restore_to(last, now));
    }

    /// Lets everything happen that is due until `now`, each at its time.
    pub fn advance(&mut self, now: i64) {
        while let Some(at) = self.next_wake().filter(|at| *at <= now) {
            self.now = self.now.max(at);
            if let Some(end) = self.ends.first().copied().filter(|(end, ..)| *end <= self.now) {
                self.ends.remove(&end);
                self.machine.exited(end.1, end.2, self.now);
            } else {
                self.machine.tick(self.now);
            }
            self.settle(self.now);
        }
        self.now = self.now.max(now);
    }

    /// When something happens next, epoch milliseconds.
    #[must_use]
    pub fn next_wake(&self) -> Option<i64> {
        self.ends.first().map(|(at, ..)| *at).into_iter().chain(self.machine.next_wake()).min()
    }

    /// Does what the machine commands.
    fn settle(&mut self, now: i64) {
        loop {
            let commands = self.machine.take_commands();
            if commands.is_empty() {
                break;
            }
            for command in commands {
                match command {
                    Command::Start(id) => self.start(id, now),
                    Command::Kill(id) => {
                        self.ends.retain(|(_, job, _)| *job != id);
                        self.ends.insert((now.saturating_add(DYING), id, KILLED));
                    }
                    // Nothing runs that could take it.
                    Command::Signal(..) => {}
                    Command::Destroy(id) => {
                        self.ends.retain(|(_, job, _)| *job != id);
                        self.machine.exited(id, KILLED, now);
                    }
                }
            }
        }
        // Nobody keeps a journal here.
        self.machine.take_records();
    }

    fn start(&mut self, id: u64, now: i64) {
        let Some(job) = self.machine.find_job(id).filter(|job| !job.killing) else { return };
        if self.unknown.contains(&job.batch.user) {
            return self.machine.launch_failed(id, LaunchFailure::NoAccount, now);
        }
        let run = (self.execute)(job);
        self.machine.launching(id);
        self.machine.started(id, 0, 0, now);
        self.ends.insert((now.saturating_add(run.takes_ms.max(0)), id, run.status));
    }
}

impl Cluster for VirtualCluster {
    fn respond(&mut self, request: &Request<Bytes>, mishap: Option<Mishap>, now: i64) -> Response<Bytes> {
        self.change(now, |_, _| ());
        self.machine.expect_mishap(mishap);
        let outside = Accounts { outside: &*self.outside, unknown: &self.unknown };
        let face = Face { auth: &self.auth, outside: &outside };
        let response = respond(&mut self.machine, request, &face, self.now);
        self.machine.expect_mishap(None);
        self.settle(self.now);
        response
    }

    fn preempt(&mut self, draw: u64, now: i64) {
        self.change(now, |machine, now| machine.preempt_any(draw, now));
    }

    fn suspect(&mut self, draw: u64, how: Suspicion, now: i64) {
        self.change(now, |machine, _| machine.suspect_any(draw, how));
    }

    fn forget(&mut self, draw: u64, now: i64) {
        self.change(now, |machine, now| machine.forget_any(draw, now));
    }
}
