//! Joins the parts: one lock around the machine, its journal and the processes; threads that run jobs; a clock.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;

use crate::capture::Capture;
use crate::executor::{Surroundings, kill_group, work};
use crate::face::Auth;
use crate::journal::Journal;
use crate::machine::{Command, Job, Machine};

/// How long killed processes may take to end when the cluster stops.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// Pause before a journal that could not be written is tried again, milliseconds.
const RETRY_JOURNAL: i64 = 1000;

/// What all threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    work: Condvar,
    clock: Condvar,
    idle: Condvar,
    pub(crate) auth: Auth,
    pub(crate) surroundings: Surroundings,
    pub(crate) capture: Option<Arc<Capture>>,
    changes: watch::Sender<u64>,
}

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) machine: Machine,
    pub(crate) journal: Journal,
    starts: VecDeque<u64>,
    processes: HashMap<u64, Process>,
    threads: Vec<JoinHandle<()>>,
    workers: u32,
    waiting_workers: u32,
    /// When the clock thread looks next, if it sleeps.
    alarm: Option<i64>,
    stopping: bool,
}

/// A job in the hands of a worker.
#[derive(Debug, Default)]
struct Process {
    pid: Option<u32>,
    killed: bool,
}

impl Inner {
    pub(crate) fn new(machine: Machine, journal: Journal) -> Self {
        Self {
            machine,
            journal,
            starts: VecDeque::new(),
            processes: HashMap::new(),
            threads: Vec::new(),
            workers: 0,
            waiting_workers: 0,
            alarm: None,
            stopping: false,
        }
    }

    /// The next job to launch. None while the journal cannot be written: a job must not run without its record.
    pub(crate) fn next_start(&mut self) -> Option<Job> {
        if !self.journal.is_sound() {
            return None;
        }
        let id = self.starts.pop_front()?;
        let job = self.machine.find_job(id)?.clone();
        self.machine.launching(id);
        self.processes.insert(id, Process::default());
        Some(job)
    }

    /// The job's process is reaped: its number may be somebody else's from now on. True if it was killed.
    pub(crate) fn reaped(&mut self, id: u64) -> bool {
        self.processes.get_mut(&id).is_some_and(|process| {
            process.pid = None;
            process.killed
        })
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// To the first process alone, as OAR does: what it started is its own business.
    fn signal(&self, id: u64, signal: i32) {
        let pid = self.processes.get(&id).and_then(|process| process.pid);
        if let (Some(pid), Ok(signal)) = (pid.and_then(|pid| i32::try_from(pid).ok()), Signal::try_from(signal)) {
            // An error means that it is just ending.
            kill(Pid::from_raw(pid), signal).ok();
        }
    }

    fn kill(&mut self, id: u64, now: i64) {
        if let Some(place) = self.starts.iter().position(|start| *start == id) {
            self.starts.remove(place);
            self.machine.exited(id, 0, now);
        } else if let Some(process) = self.processes.get_mut(&id) {
            process.killed = true;
            process.pid.into_iter().for_each(kill_group);
        }
    }
}

impl Shared {
    pub(crate) fn new(inner: Inner, auth: Auth, surroundings: Surroundings, capture: Option<Arc<Capture>>) -> Self {
        Self {
            inner: Mutex::new(inner),
            work: Condvar::new(),
            clock: Condvar::new(),
            idle: Condvar::new(),
            auth,
            surroundings,
            capture,
            changes: watch::Sender::new(0),
        }
    }

    /// Epoch milliseconds.
    #[expect(clippy::unused_self, reason = "the cluster's one clock")]
    pub(crate) fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn wait_for_work<'a>(&self, mut inner: MutexGuard<'a, Inner>) -> MutexGuard<'a, Inner> {
        inner.waiting_workers += 1;
        inner = self.work.wait(inner).unwrap_or_else(PoisonError::into_inner);
        inner.waiting_workers -= 1;
        inner
    }

    /// Carries out what the machine wants after an operation: facts to the journal first, then everything else.
    pub(crate) fn settle(self: &Arc<Self>, inner: &mut Inner, now: i64) {
        self.settle_for(inner, now, 0);
    }

    /// As `settle`, by a thread that will take `own` of the jobs to start itself.
    fn settle_for(self: &Arc<Self>, inner: &mut Inner, now: i64, own: usize) {
        let mut changed = self.write_journal(inner);
        loop {
            let commands = inner.machine.take_commands();
            if commands.is_empty() {
                break;
            }
            for command in commands {
                match command {
                    Command::Start(id) => inner.starts.push_back(id),
                    Command::Kill(id) | Command::Destroy(id) => inner.kill(id, now),
                    Command::Signal(id, signal) => inner.signal(id, signal),
                }
            }
            changed |= self.write_journal(inner);
        }
        self.wake_workers(inner, own);
        if inner.machine.next_wake().is_some_and(|at| inner.alarm.is_none_or(|alarm| at < alarm)) {
            self.clock.notify_one();
        }
        if changed {
            self.changes.send_modify(|count| *count += 1);
        }
    }

    /// True if there was something to write. A failure is not reported here: nothing is started until it is over.
    fn write_journal(&self, inner: &mut Inner) -> bool {
        let records = inner.machine.take_records();
        let was_sound = inner.journal.is_sound();
        let written = inner.journal.append(&records);
        if written.is_err() || !was_sound {
            self.clock.notify_one();
        }
        !records.is_empty()
    }

    fn wake_workers(self: &Arc<Self>, inner: &mut Inner, own: usize) {
        let wanted = u32::try_from(inner.starts.len().saturating_sub(own)).unwrap_or(u32::MAX);
        for _ in 0..wanted.min(inner.waiting_workers) {
            self.work.notify_one();
        }
        let missing = wanted.saturating_sub(inner.waiting_workers);
        let room = inner.machine.settings().cores.saturating_sub(inner.workers);
        for _ in 0..missing.min(room) {
            let shared = Arc::clone(self);
            let thread = std::thread::Builder::new().name("oar-local job".to_owned());
            // Too few threads make jobs wait for the others; the first ones are created when the cluster opens.
            if let Ok(thread) = thread.stack_size(256 * 1024).spawn(move || work(&shared)) {
                inner.threads.push(thread);
                inner.workers += 1;
            }
        }
    }

    /// The job's process exists; true if it must be killed at once.
    pub(crate) fn started(self: &Arc<Self>, id: u64, pid: u32, born: u64) -> bool {
        let now = self.now();
        let mut inner = self.lock();
        inner.machine.started(id, pid, born, now);
        let process = inner.processes.entry(id).or_default();
        process.pid = Some(pid);
        let killed = process.killed;
        self.settle(&mut inner, now);
        killed
    }

    /// The job is over, in the way that `tell` tells the machine.
    pub(crate) fn end<'a>(
        self: &'a Arc<Self>,
        mut inner: MutexGuard<'a, Inner>,
        id: u64,
        tell: impl FnOnce(&mut Machine, i64),
    ) -> MutexGuard<'a, Inner> {
        let now = self.now();
        inner.processes.remove(&id);
        tell(&mut inner.machine, now);
        self.settle_for(&mut inner, now, 1);
        if inner.stopping && inner.processes.is_empty() {
            self.idle.notify_all();
        }
        inner
    }

    /// Calls the machine when a moment comes that it waits for.
    pub(crate) fn keep_time(self: &Arc<Self>) {
        let mut inner = self.lock();
        while !inner.stopping {
            let now = self.now();
            let retry = (!inner.journal.is_sound()).then_some(now + RETRY_JOURNAL);
            let due = inner.machine.next_wake().into_iter().chain(retry).min();
            if due.is_some_and(|due| due <= now) {
                inner.machine.tick(now);
                self.settle(&mut inner, now);
                continue;
            }
            inner.alarm = due;
            inner = match due {
                None => self.clock.wait(inner).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let pause = Duration::from_millis(u64::try_from(due - now).unwrap_or(0));
                    let waited = self.clock.wait_timeout(inner, pause);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
            inner.alarm = None;
            if retry.is_some() {
                let now = self.now();
                self.settle(&mut inner, now);
            }
        }
    }

    pub(crate) fn add_thread(&self, thread: JoinHandle<()>) {
        self.lock().threads.push(thread);
    }

    /// Kills what runs, and returns when it is gone and recorded, or after a while.
    pub(crate) fn stop(self: &Arc<Self>) {
        let mut inner = self.lock();
        if inner.stopping {
            return;
        }
        inner.stopping = true;
        let now = self.now();
        inner.machine.freeze();
        inner.machine.kill_all(now);
        self.settle(&mut inner, now);
        self.work.notify_all();
        self.clock.notify_all();
        let deadline = Instant::now() + STOP_WITHIN;
        while !inner.processes.is_empty() && Instant::now() < deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            let waited = self.idle.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let all_gone = inner.processes.is_empty();
        let threads = std::mem::take(&mut inner.threads);
        inner.journal.close();
        drop(inner);
        if all_gone {
            // A worker that panicked has nothing left to stop.
            threads.into_iter().for_each(|thread| drop(thread.join()));
        }
    }
}
