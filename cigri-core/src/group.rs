//! Grouped tasks: how many go into one remote job, what that job asks for, and the command that runs them.
//!
//! A group is run by one script (`group/runner.sh`), which writes down what becomes of each task as it happens, so that
//! a group that is killed loses only what was running ([`journal`]).

pub mod journal;

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::language::COMMAND_END;
use crate::language::{Checkpoint, ClusterSpec, Grouping, InTurn};
use journal::{OVERRAN, Told};

/// The script that runs the tasks of a group.
const RUNNER: &str = include_str!("group/runner.sh");
/// Tasks of one remote job at most.
pub const MOST_TASKS: u64 = 1000;
/// Characters of a remote job's line: a whole array must stay a small request, and a command has at most 128 KiB.
pub const MOST_CHARACTERS: usize = 16 * 1024;
/// Tasks that must have been measured on a cluster before durations are believed.
pub const SAMPLE: u64 = 5;
/// Milliseconds that a task takes at least: starting it is not free.
const SHORTEST_MS: u64 = 10;
/// What a remote job costs beyond its tasks, in milliseconds: about one round of the cluster's scheduler.
const OVERHEAD_MS: u64 = 30_000;

/// What was seen of a campaign's grouped tasks on one cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// Tasks whose duration was measured.
    pub tasks: u64,
    /// The sum of their durations, milliseconds.
    pub busy_ms: u64,
    /// Remote jobs that started and ended.
    pub jobs: u64,
    /// The time that these were there, milliseconds.
    pub job_ms: u64,
    /// How many of them were killed for normal jobs.
    pub kills: u64,
}

impl Pace {
    /// Both together.
    #[must_use]
    pub fn and(self, more: Pace) -> Pace {
        Pace {
            tasks: self.tasks + more.tasks,
            busy_ms: self.busy_ms + more.busy_ms,
            jobs: self.jobs + more.jobs,
            job_ms: self.job_ms + more.job_ms,
            kills: self.kills + more.kills,
        }
    }
}

/// How many tasks one remote job gets, from 1.
///
/// On each of its places as many in turn as the campaign says, or, left to us, as many of the mean measured duration as
/// fit into the shorter of the batch (seconds, `batch_s`) and `sqrt(2 * overhead / hazard)`, where the hazard is kills
/// per running time: the length at which the work lost by kills costs as much as the jobs' own overhead (Young 1974, Daly
/// 2006). One until five tasks were measured. Never so many that `jobs`, which the meter allows, would lack tasks while
/// others queue up behind each other.
pub fn tasks_per_job(grouping: &Grouping, pace: &Pace, jobs: u64, pending: u64) -> u64 {
    let side = u64::from(grouping.side_by_side.max(1));
    let wanted = match grouping.in_turn {
        InTurn::One => 1,
        InTurn::AtMost(most) => u64::from(most),
        InTurn::Auto if pace.tasks < SAMPLE => 1,
        InTurn::Auto => target_ms(grouping.batch_s, pace) / (pace.busy_ms / pace.tasks).max(SHORTEST_MS),
    };
    let spread = pending.div_ceil(jobs.max(1).saturating_mul(side));
    side * wanted.min(spread).clamp(1, (MOST_TASKS / side).max(1))
}

fn target_ms(batch_s: u64, pace: &Pace) -> u64 {
    let batch_ms = batch_s.saturating_mul(1000);
    match pace.job_ms.checked_div(pace.kills) {
        None => batch_ms,
        Some(between_kills_ms) => batch_ms.min(OVERHEAD_MS.saturating_mul(2).saturating_mul(between_kills_ms).isqrt()),
    }
}

/// Divides tasks, of which each needs so many characters on its job's line, among jobs: at most `most` tasks each, and a
/// line that is not too long, or is one task's. Gives the number of tasks of each job.
pub fn pack(characters: &[usize], most: u64) -> Vec<usize> {
    let mut jobs: Vec<usize> = Vec::new();
    let mut used = 0;
    for length in characters {
        match jobs.last_mut() {
            Some(count) if (*count as u64) < most && used + length <= MOST_CHARACTERS => {
                *count += 1;
                used += length;
            }
            _ => {
                jobs.push(1);
                used = *length;
            }
        }
    }
    jobs
}

/// What a task needs on its job's line, in characters at most.
pub fn characters(parameter: &str) -> usize {
    // Two numbers, the quotes, and each quote within written as `'\''`.
    36 + parameter.len() + 3 * parameter.matches('\'').count()
}

/// What a remote job of so many tasks asks for: its places are cores of one node, and its walltime leaves each task its
/// own, however late in the batch it begins.
pub fn remote_spec(spec: &ClusterSpec, tasks: u64) -> ClusterSpec {
    let side = spec.grouping.side_by_side.max(1);
    let in_turn = tasks.div_ceil(u64::from(side)).max(1);
    let walltime_s = (spec.walltime_s + spec.grouping.batch_s).min(spec.walltime_s.saturating_mul(in_turn));
    let resources = match side {
        1 => spec.resources.clone(),
        _ => format!("/nodes=1/core={}", spec.cores().saturating_mul(side)),
    };
    ClusterSpec { walltime_s, resources, ..spec.clone() }
}

/// Where a group's journal and its tasks' outputs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In `.cigri` of the working directory.
    Here,
    /// In `.cigri/results` of the home directory: the cluster cannot read files from a path such as the working
    /// directory's.
    Home,
}

impl Place {
    /// Where it can be read, if a working directory is `directory`. `any_path` of a cluster that reads any. `None`
    /// without a way to know the home directory's path.
    pub fn choose(directory: &str, any_path: bool) -> Option<Place> {
        let below_home = directory.strip_prefix("$HOME");
        let is_readable = !below_home.unwrap_or(directory).contains([' ', '\t', '$', ',', '`']);
        match below_home {
            _ if any_path || is_readable => Some(Place::Here),
            Some(_) => Some(Place::Home),
            None => None,
        }
    }

    /// The stored word, which the runner knows as well.
    pub fn as_str(self) -> &'static str {
        match self {
            Place::Here => "here",
            Place::Home => "home",
        }
    }

    /// Reads the stored word.
    pub fn parse(word: &str) -> Option<Place> {
        [Place::Here, Place::Home].into_iter().find(|place| place.as_str() == word)
    }
}

/// The folder of a submission's journals and outputs. `written` is the working directory as the campaign has it,
/// `resolved` as the cluster knows it.
pub fn results_folder(place: Place, (written, resolved): (&str, &str), submission: &str) -> String {
    let home = written.strip_prefix("$HOME").and_then(|rest| resolved.strip_suffix(rest));
    match (place, home) {
        (Place::Home, Some(home)) => format!("{home}/.cigri/results/{submission}"),
        _ => format!("{resolved}/.cigri/{submission}"),
    }
}

/// How a remote job gets at the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// It is installed there.
    Named,
    /// The command carries it, and installs it for later ones.
    Installed,
    /// The command carries it.
    Carried,
}

/// What the runner has to know beside the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup<'a> {
    /// Where it writes.
    pub place: Place,
    /// Remote name of the submission.
    pub submission: &'a str,
    /// When its tasks begin and end.
    pub times: Times,
    /// Where the runner is.
    pub script: Script,
}

/// When the tasks of a remote job begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// No task begins later than this many seconds after the first ones: it would not have its whole walltime.
    pub batch_s: u64,
    /// Each task is ended when it has run this many seconds.
    pub walltime_s: u64,
    /// What tells it before.
    pub checkpoint: Option<Checkpoint>,
    /// At most this many run at once.
    pub side_by_side: u32,
}

impl Times {
    /// Of jobs that are sent with the settings `remote`, for tasks of `spec`.
    pub fn of(spec: &ClusterSpec, remote: &ClusterSpec) -> Times {
        Times {
            batch_s: remote.walltime_s.saturating_sub(spec.walltime_s),
            walltime_s: spec.walltime_s,
            checkpoint: spec.checkpoint,
            side_by_side: spec.grouping.side_by_side.max(1),
        }
    }
}

/// What the script is called on clusters: another one has another name.
pub fn runner_name() -> String {
    // FNV-1a, 64 bits.
    let hash = RUNNER
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("run-{hash:016x}")
}

/// How the command of every group begins.
const HEAD: &str = "_g(){ ";
/// Exit code of a remote job whose runner is not installed.
pub const NOT_INSTALLED: i32 = 98;

/// The command of a grouped array; each job's line is appended to it. `single` is the command of one task. A script that
/// cannot be installed is run all the same.
pub fn grouped_command(single: &str, setup: &Setup<'_>) -> String {
    let name = runner_name();
    let carry = || format!("s=$(echo {}|base64 -d)", journal::encoded(RUNNER.as_bytes()));
    let run = format!("exec bash -c \"$s\" {name} \"$@\"");
    let begin = match setup.script {
        Script::Named => {
            format!("r=$HOME/.cigri/{name}; [ -r \"$r\" ] || exit {NOT_INSTALLED}; exec bash \"$r\" \"$@\"")
        }
        Script::Carried => format!("{}; {run}", carry()),
        Script::Installed => format!(
            "{}; d=$HOME/.cigri; mkdir -p \"$d\" && printf '%s\\n' \"$s\" >\"$d/$OAR_JOB_ID.tmp\" \
             && mv \"$d/$OAR_JOB_ID.tmp\" \"$d/{name}\"; {run}",
            carry()
        ),
    };
    let (place, submission) = (setup.place.as_str(), setup.submission);
    let Times { batch_s, walltime_s, checkpoint, side_by_side } = setup.times;
    let (before_s, signal) = checkpoint.map_or((0, 0), |checkpoint| (checkpoint.before_s, checkpoint.signal));
    let times = format!("{batch_s} {walltime_s} {before_s} {signal}");
    format!("{HEAD}{begin}; }}; _g {place} {submission} {times} {side_by_side} {}", quoted(single))
}

/// The line of a remote job: task id, attempt and parameter of each of its tasks.
pub fn job_line<'a>(tasks: impl IntoIterator<Item = (u64, u32, &'a str)>) -> String {
    let mut line = String::new();
    for (task_id, attempt, parameter) in tasks {
        let separator = if line.is_empty() { "" } else { " " };
        // Writing into a text cannot fail.
        let _ = write!(line, "{separator}{task_id} {attempt} {}", quoted(parameter));
    }
    line
}

/// Task ids and attempts of a group's whole command line as a cluster lists it; empty if it is not one.
pub fn tasks_of_command(command: &str) -> Vec<(u64, u32)> {
    let line = command.strip_prefix(HEAD).and_then(|rest| rest.split_once(&format!("{COMMAND_END}' ")));
    // A parameter is one quoted word, in which `'\''` is a quote: what is left are the numbers.
    let unquoted = line.map(|(_, line)| line.replace("'\\''", "")).unwrap_or_default();
    let numbers = |part: &str| {
        let mut words = part.split_whitespace();
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    unquoted.split('\'').step_by(2).map_while(numbers).collect()
}

/// One word of a shell's.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Why one task of a group ended, from what the runner told of it and why its remote job ended. `for_another` tells that
/// the job was killed for the sake of another of its tasks.
pub fn cause_of(told: Option<&Told>, remote: &Cause, for_another: bool) -> Cause {
    match told {
        Some(Told::Ended { status: OVERRAN, .. }) => Cause::Walltime,
        Some(Told::Ended { status, .. }) => Cause::of_status(*status),
        Some(Told::Began { .. }) if for_another => Cause::GroupKill,
        Some(Told::Began { .. }) if remote.is_kill() => remote.clone(),
        Some(Told::Began { .. }) => Cause::Infrastructure("its group ended while it ran".to_owned()),
        None => Cause::NotStarted,
    }
}

/// The same where the runner told nothing at all: the tasks share the fate of their job, of which nothing ran.
pub fn cause_without_journal(remote: &Cause, for_another: bool) -> Cause {
    match remote {
        _ if for_another => Cause::NotStarted,
        Cause::BestEffortKill | Cause::PersonKill(_) | Cause::Infrastructure(_) => remote.clone(),
        Cause::WorkingDirectory(_) | Cause::OutputFiles(_) | Cause::ProgramMissing(_) => remote.clone(),
        _ => Cause::Infrastructure("its group left no results".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AUTO: Grouping = Grouping { in_turn: InTurn::Auto, batch_s: 900, side_by_side: 1 };
    /// Tasks without end, one job.
    const MANY: (u64, u64) = (1, 1_000_000);

    fn size(grouping: Grouping, pace: Pace) -> u64 {
        tasks_per_job(&grouping, &pace, MANY.0, MANY.1)
    }

    fn measured(tasks: u64, mean_ms: u64) -> Pace {
        Pace { tasks, busy_ms: tasks * mean_ms, ..Pace::default() }
    }

    #[test]
    fn a_group_fills_its_batch_with_tasks_of_the_measured_length() {
        assert_eq!(size(AUTO, Pace::default()), 1, "nothing is known yet");
        assert_eq!(size(AUTO, measured(4, 1000)), 1, "four are not enough");
        assert_eq!(size(AUTO, measured(5, 30_000)), 30);
        assert_eq!(size(AUTO, measured(5, 31_000)), 29);
        assert_eq!(size(AUTO, measured(50, 3_600_000)), 1);
        assert_eq!(size(AUTO, measured(50, 0)), 1000);
        assert_eq!(size(Grouping { batch_s: 60, ..AUTO }, measured(5, 30_000)), 2);
        assert_eq!(size(Grouping { in_turn: InTurn::AtMost(50), ..AUTO }, Pace::default()), 50);
        assert_eq!(size(Grouping { in_turn: InTurn::One, ..AUTO }, measured(5, 1)), 1);
    }

    #[test]
    fn kills_make_groups_shorter() {
        // A kill every 15 minutes: sqrt(2 * 30 s * 900 s) = 232.379 s.
        let often = Pace { jobs: 8, job_ms: 3_600_000, kills: 4, ..measured(100, 1000) };
        assert_eq!(size(AUTO, often), 232);
        // One in ten hours: sqrt(2 * 30 s * 36 000 s) = 1 469 s is more than the batch.
        let rarely = Pace { job_ms: 36_000_000, kills: 1, ..often };
        assert_eq!(size(AUTO, rarely), 900);
        let at_once = Pace { job_ms: 0, kills: 1, ..often };
        assert_eq!(size(AUTO, at_once), 1);
    }

    #[test]
    fn tasks_side_by_side_come_in_whole_rows() {
        let rows = Grouping { side_by_side: 4, ..AUTO };
        assert_eq!(size(rows, measured(5, 30_000)), 120);
        assert_eq!(size(Grouping { in_turn: InTurn::One, ..rows }, Pace::default()), 4);
        assert_eq!(size(rows, measured(5, 1)), 1000);
    }

    #[test]
    fn jobs_that_may_go_are_not_left_without_tasks() {
        let fifty = Grouping { in_turn: InTurn::AtMost(50), ..AUTO };
        assert_eq!(tasks_per_job(&fifty, &Pace::default(), 10, 24), 3);
        assert_eq!(tasks_per_job(&fifty, &Pace::default(), 10, 1000), 50);
        assert_eq!(tasks_per_job(&Grouping { side_by_side: 4, ..fifty }, &Pace::default(), 10, 24), 4);
    }

    #[test]
    fn a_listed_group_tells_its_tasks() {
        let times = Times { batch_s: 900, walltime_s: 60, checkpoint: None, side_by_side: 1 };
        let setup = Setup { place: Place::Here, submission: "cigri.a.1.f", times, script: Script::Named };
        let command = grouped_command("_c(){ export X=$1; shift 2; echo 'x' \"$@\"; }; _c", &setup);
        let line = job_line([(2017, 1, "a 'b' 3"), (2018, 2, ""), (2019, 1, "'")]);
        assert_eq!(line, r"2017 1 'a '\''b'\'' 3' 2018 2 '' 2019 1 ''\'''");
        assert_eq!(tasks_of_command(&format!("{command} {line}")), [(2017, 1), (2018, 2), (2019, 1)]);
        assert_eq!(tasks_of_command(&command), []);
        assert_eq!(tasks_of_command("./sim 2017 1 ''"), []);
    }

    #[test]
    fn packing_keeps_lines_short_and_loses_no_task() {
        assert_eq!(pack(&[10; 7], 3), [3, 3, 1]);
        assert_eq!(pack(&[MOST_CHARACTERS + 1, 10, MOST_CHARACTERS, 5], 9), [1, 1, 1, 1]);
        assert_eq!(pack(&[], 9), Vec::<usize>::new());
    }

    #[test]
    fn a_remote_job_leaves_each_task_its_walltime() {
        let spec = ClusterSpec { walltime_s: 60, grouping: AUTO, ..ClusterSpec::new("x", "/") };
        assert_eq!([1, 2, 17].map(|tasks| remote_spec(&spec, tasks).walltime_s), [60, 120, 960]);
        let begins = [1, 2, 17].map(|tasks| Times::of(&spec, &remote_spec(&spec, tasks)).batch_s);
        assert_eq!(begins, [0, 60, 900], "whenever a task begins, its walltime is left");
        let grouping = Grouping { side_by_side: 4, ..AUTO };
        let wide = remote_spec(&ClusterSpec { grouping, resources: "/core=2".into(), ..spec }, 4);
        assert_eq!((wide.walltime_s, wide.resources.as_str()), (60, "/nodes=1/core=8"));
    }

    #[test]
    fn results_are_where_the_cluster_can_read_them() {
        let place = |directory| Place::choose(directory, false);
        assert_eq!(place("$HOME/runs/3"), Some(Place::Here));
        assert_eq!(place("/scratch/x"), Some(Place::Here));
        assert_eq!(place("$HOME/my runs"), Some(Place::Home));
        assert_eq!(place("/scratch/my runs"), None);
        assert_eq!(Place::choose("/scratch/my runs", true), Some(Place::Here));
        let folder = |place, written, resolved| results_folder(place, (written, resolved), "cigri.a.1.f");
        assert_eq!(folder(Place::Here, "$HOME/x", "/home/al/x"), "/home/al/x/.cigri/cigri.a.1.f");
        assert_eq!(folder(Place::Home, "$HOME/my x", "/home/al/my x"), "/home/al/.cigri/results/cigri.a.1.f");
    }

    #[test]
    fn what_the_runner_did_not_tell_is_charged_to_nobody_but_who_ran() {
        let began = Told::Began { at_ms: 1 };
        let ended = |status| Told::Ended { began_ms: 1, ended_ms: 2, status, tail: String::new() };
        let kill = Cause::BestEffortKill;
        assert_eq!(cause_of(Some(&ended(0)), &kill, true), Cause::Success);
        assert_eq!(cause_of(Some(&ended(768)), &kill, false), Cause::ExitCode(3));
        assert_eq!(cause_of(Some(&ended(OVERRAN)), &Cause::ExitCode(64), false), Cause::Walltime);
        assert_eq!(cause_of(Some(&began), &Cause::Walltime, false), Cause::Walltime);
        assert_eq!(cause_of(Some(&began), &Cause::PersonKill("a".into()), true), Cause::GroupKill);
        assert_eq!(cause_of(None, &Cause::Walltime, false), Cause::NotStarted);
        assert!(matches!(cause_of(Some(&began), &Cause::ExitCode(64), false), Cause::Infrastructure(_)));
        assert!(matches!(cause_without_journal(&Cause::ExitCode(64), false), Cause::Infrastructure(_)));
        assert_eq!(cause_without_journal(&kill, false), kill);
    }

    proptest! {
        #[test]
        fn a_group_is_never_empty_and_never_above_its_bounds(
            (in_turn, side, batch_s) in (prop_oneof![
                Just(InTurn::One), Just(InTurn::Auto), any::<u32>().prop_map(InTurn::AtMost)], 0..2000u32, any::<u64>()),
            (tasks, busy_ms, job_ms, kills) in (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>()),
            (jobs, pending) in any::<(u64, u64)>(),
        ) {
            let grouping = Grouping { in_turn, batch_s, side_by_side: side };
            let pace = Pace { tasks, busy_ms, jobs: 0, job_ms, kills };
            let size = tasks_per_job(&grouping, &pace, jobs, pending);
            prop_assert!(size >= 1);
            prop_assert!(size <= MOST_TASKS.max(u64::from(side)));
            prop_assert_eq!(size % u64::from(side.max(1)), 0);
        }

        #[test]
        fn packing_keeps_every_task(lengths in prop::collection::vec(0..20_000usize, 0..60), most in 1..9u64) {
            let jobs = pack(&lengths, most);
            prop_assert_eq!(jobs.iter().sum::<usize>(), lengths.len());
            prop_assert!(jobs.iter().all(|count| (1..=most as usize).contains(count)));
        }
    }
}
