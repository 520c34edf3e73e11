//! The cluster without its processes: a synchronous, deterministic state machine that behaves like OAR 3.
//!
//! It does no I/O and reads no clock: every operation takes `now` in epoch milliseconds. It answers with
//! [`Command`]s for whoever runs the processes, and with [`Record`]s for whoever keeps the journal; both are
//! collected with [`Machine::take_commands`] and [`Machine::take_records`]. Its owner tells it what became of a
//! command with [`Machine::started`], [`Machine::exited`] and [`Machine::launch_failed`], and calls
//! [`Machine::tick`] at [`Machine::next_wake`].
//!
//! Work per call depends on the jobs concerned, never on the number of finished ones.

mod admission;
mod checkpoint;
mod control;
mod event;
mod job;
mod life;
mod loss;
mod mishap;
mod pool;
mod property;
mod record;
mod restore;
mod schedule;
mod select;
mod shape;
mod trouble;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use admission::{Refusal, Request};
pub use control::Outcome;
pub use event::{Event, EventKind, Subject, Treatment, Trouble};
pub use job::{Batch, Job, STATE_NAMES, State, Tasks, absolute};
pub use life::LaunchFailure;
pub use loss::Runs;
pub use mishap::{Damage, Mishap};
pub use record::{Copied, Record};
pub use restore::Interrupted;
pub use select::{Query, Window};
pub use trouble::Suspicion;

use loss::{Cut, Doom};
use pool::Pool;
use property::{Property, PropertyError, Value};
use schedule::Rounds;

/// What the cluster is.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Cores, each one a resource of OAR with ids from 1.
    pub cores: u32,
    /// Accept what a one-node cluster cannot honour: clamp core counts, ignore unknown resources, properties, queues
    /// and types, let root submit.
    pub lenient: bool,
    /// Milliseconds between scheduling rounds that nothing triggered; `None` schedules at once on every change.
    pub period: Option<i64>,
    /// Probability for a started best-effort job to be preempted shortly after its start.
    pub kill_rate: f64,
    /// Seed of that chance.
    pub seed: u64,
    /// Home directory of the users, for `$HOME` and as the default launching directory.
    pub home: String,
    /// Network address of the node.
    pub node: String,
    /// Nodes over which the cores are spread evenly; above 1 they are called `node-1`, `node-2`... A job asks for cores as
    /// if there were one: this is for what goes wrong on one of several nodes.
    pub nodes: u32,
    /// Memory of the node in megabytes, as the column `mem` shows it.
    pub memory: u64,
}

/// What the owner of the processes must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Start the job's process, then call `started` or `launch_failed`.
    Start(u64),
    /// Kill the job's processes; `exited` follows, also for a job whose process was not started yet.
    Kill(u64),
    /// The same, but at once, as by the failure of a node.
    Destroy(u64),
    /// Send this signal to the job's first process.
    Signal(u64, i32),
}

/// The cluster.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    jobs: BTreeMap<u64, Job>,
    /// Number of jobs by array id.
    arrays: BTreeMap<u64, u64>,
    /// Copies that OAR made of jobs, by array id.
    copies: BTreeMap<u64, BTreeSet<u64>>,
    next_job: u64,
    next_event: u64,
    live: BTreeSet<u64>,
    live_of: HashMap<String, BTreeSet<u64>>,
    ended: BTreeSet<(i64, u64)>,
    /// Jobs that could start now, by queue.
    normal: BTreeSet<u64>,
    besteffort: BTreeSet<u64>,
    /// Arrays to look at again when a job ends.
    gates: HashMap<u64, Vec<u64>>,
    /// Arrays whose jobs share an output file, by its path.
    shared_outputs: HashMap<String, Vec<u64>>,
    pool: Pool,
    /// Cores of jobs that are being killed.
    dying: u32,
    /// Best-effort jobs that hold cores, in the order of their start.
    preemptible: BTreeSet<(u64, u64)>,
    starts: u64,
    frozen: bool,
    alarms: BTreeSet<(i64, u64, Alarm)>,
    rounds: Rounds,
    commands: Vec<Command>,
    records: Vec<Record>,
    /// What the next submission through the face meets.
    mishap: Option<Mishap>,
    /// Why jobs are being destroyed.
    doomed: HashMap<u64, Doom>,
    /// An earlier state of the database, wanted as soon as the processes of later jobs are gone.
    cut: Option<Cut>,
    /// How often the jobs ran that are gone.
    past_runs: BTreeMap<String, Runs>,
}

/// Why a job is looked at when a moment comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    Walltime,
    /// It is killed for a normal job.
    Chance,
    Checkpoint,
    Treatment,
}

impl Machine {
    /// An empty cluster.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let (pool, rounds) = (Pool::new(settings.cores), Rounds::new(settings.period));
        Self {
            settings,
            jobs: BTreeMap::new(),
            arrays: BTreeMap::new(),
            copies: BTreeMap::new(),
            next_job: 1,
            next_event: 1,
            live: BTreeSet::new(),
            live_of: HashMap::new(),
            ended: BTreeSet::new(),
            normal: BTreeSet::new(),
            besteffort: BTreeSet::new(),
            gates: HashMap::new(),
            shared_outputs: HashMap::new(),
            pool,
            dying: 0,
            preemptible: BTreeSet::new(),
            starts: 0,
            frozen: false,
            alarms: BTreeSet::new(),
            rounds,
            commands: Vec::new(),
            records: Vec::new(),
            mishap: None,
            doomed: HashMap::new(),
            cut: None,
            past_runs: BTreeMap::new(),
        }
    }

    /// What the cluster is.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A job by id.
    #[must_use]
    pub fn find_job(&self, id: u64) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// Cores that jobs hold now.
    #[must_use]
    pub fn busy_cores(&self) -> u32 {
        self.settings.cores - self.pool.free() - self.pool.suspected()
    }

    /// Whether no job may be started now.
    fn is_halted(&self) -> bool {
        self.frozen || self.cut.is_some()
    }

    /// Submits jobs for `user`; their ids are consecutive from the answered one, which is the array's id.
    ///
    /// # Errors
    /// A [`Refusal`] when OAR would not create the jobs; nothing is changed then.
    pub fn submit(&mut self, request: &Request, user: &str, now: i64) -> Result<u64, Refusal> {
        let mishap = self.mishap.take();
        self.submit_with(request, user, mishap, now)
    }

    /// Does what is due at `now`: walltimes, chance kills, periodic rounds.
    pub fn tick(&mut self, now: i64) {
        while let Some(&(at, id, alarm)) = self.alarms.first().filter(|(at, ..)| *at <= now) {
            self.alarms.remove(&(at, id, alarm));
            match alarm {
                Alarm::Walltime => self.walltime_over(id, now),
                Alarm::Chance => self.preempt(id, now),
                Alarm::Checkpoint => self.checkpoint(id, now),
                Alarm::Treatment => self.treat(id, now),
            }
        }
        self.react(now);
    }

    /// When [`Machine::tick`] wants to be called next, epoch milliseconds.
    #[must_use]
    pub fn next_wake(&self) -> Option<i64> {
        let alarm = self.alarms.first().map(|(at, ..)| *at);
        let has_work = !self.normal.is_empty() || !self.besteffort.is_empty();
        let round = self.rounds.due().filter(|_| has_work && !self.is_halted());
        alarm.into_iter().chain(round).min()
    }

    /// The commands given since the last call, in order.
    pub fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// The facts since the last call, in order.
    pub fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    fn record(&mut self, record: Record) {
        self.records.push(record.clone());
        self.apply(record);
    }

    fn event(&mut self, kind: EventKind, now: i64) -> Event {
        let id = self.next_event;
        self.next_event += 1;
        Event { id, kind, date: now.div_euclid(1000) }
    }
}

impl Settings {
    /// The network address of a core's node; ids count from 1.
    #[must_use]
    pub fn node_of(&self, core: u32) -> String {
        match self.nodes {
            0 | 1 => self.node.clone(),
            nodes => {
                let per_node = self.cores.div_ceil(nodes).max(1);
                format!("{}-{}", self.node, core.saturating_sub(1) / per_node + 1)
            }
        }
    }

    /// The node of a job's cores; that of the first core without any.
    #[must_use]
    pub fn node_of_job(&self, job: &Job) -> String {
        self.node_of(job.cores.first().copied().unwrap_or(1))
    }

    /// How many resources satisfy a property.
    fn matching(&self, property: &Property) -> Result<u32, PropertyError> {
        let mut count = 0;
        for id in 1..=self.cores {
            count += u32::from(property.matches(&|name| self.column(id, name))?);
        }
        Ok(count)
    }

    /// The value of a resource's column; resource ids count from 1.
    fn column(&self, id: u32, name: &str) -> Option<Value> {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        let number = |number: u64| Value::Number(u32::try_from(number).map_or(f64::MAX, f64::from));
        match name {
            "resource_id" | "core" => Some(number(u64::from(id))),
            "cpu" => Some(number(1)),
            "mem" => Some(number(self.memory)),
            "network_address" | "host" => text(&self.node_of(id)),
            "type" => text("default"),
            "state" => text("Alive"),
            "besteffort" => text("YES"),
            "cluster" => text("local"),
            "deploy" | "drain" | "desktop_computing" | "suspended_jobs" => text("NO"),
            "cpuset" => text(&(id - 1).to_string()),
            _ => None,
        }
    }
}
