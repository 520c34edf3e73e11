//! Runs one program and notes what it cost: elapsed time, its own processor time (by thread name)
//! and that of the processes it waited for.
//!
//! The split is read from `/proc` while the ended program is still a zombie: `wait4` would give
//! one sum for both.

use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, SysconfVar, sysconf};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Threads end with their program, so their times are noted while they live.
const SAMPLING: Duration = Duration::from_millis(100);

/// What one run cost. Times are in seconds.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Cost {
    pub(crate) elapsed: f64,
    /// Processor time of the program itself.
    pub(crate) own: f64,
    /// Processor time of its children, and of theirs, as far as they were waited for.
    pub(crate) children: f64,
    /// The program's own time by thread name, as last seen.
    pub(crate) threads: BTreeMap<String, f64>,
}

/// Runs `program` and appends a JSON line to the file `rows`.
pub(crate) fn run(rows: &Path, label: &str, tasks: &str, program: &[&str]) -> Result<(), String> {
    let tasks: u64 = tasks.parse().map_err(|error| format!("`{tasks}` is not a number: {error}"))?;
    let cost = measure(program)?;
    let row = json!({
        "label": label,
        "tasks": tasks,
        "elapsed": cost.elapsed,
        "own": cost.own,
        "children": cost.children,
        "threads": cost.threads,
    });
    std::fs::File::options()
        .append(true)
        .create(true)
        .open(rows)
        .and_then(|mut file| writeln!(file, "{row}"))
        .map_err(|error| format!("cannot write {}: {error}", rows.display()))
}

fn measure(program: &[&str]) -> Result<Cost, String> {
    let (name, arguments) = program.split_first().ok_or("no program to measure")?;
    let begin = Instant::now();
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot start {name}: {error}"))?;
    let (elapsed, threads) = watch(&child, begin)?;
    let (own, children) = processor_times(child.id())?;
    let status = child.wait().map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("{name} ended with {status}: its figures mean nothing"));
    }
    Ok(Cost { elapsed, own, children, threads })
}

/// Waits for the end without reaping, and samples the threads meanwhile.
fn watch(child: &Child, begin: Instant) -> Result<(f64, BTreeMap<String, f64>), String> {
    let pid = child.id();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sampler = scope.spawn(|| sample_threads(pid, &ended));
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        let waited = waitid(Id::Pid(Pid::from_raw(pid.cast_signed())), flags);
        let elapsed = begin.elapsed().as_secs_f64();
        ended.store(true, Ordering::Relaxed);
        sampler.thread().unpark();
        let threads = sampler.join().map_err(|_| "the sampler panicked")?;
        waited.map_err(|error| format!("cannot wait: {error}"))?;
        Ok((elapsed, threads))
    })
}

/// The times of all threads ever seen, added up by name; `worker-3` counts as `worker`.
fn sample_threads(pid: u32, ended: &AtomicBool) -> BTreeMap<String, f64> {
    let mut seen: BTreeMap<String, (String, f64)> = BTreeMap::new();
    while !ended.load(Ordering::Relaxed) {
        let folder = std::fs::read_dir(format!("/proc/{pid}/task"));
        for entry in folder.into_iter().flatten().flatten() {
            let stat = std::fs::read_to_string(entry.path().join("stat"));
            if let Some(stat) = stat.ok().as_deref().and_then(Stat::parse) {
                let thread = entry.file_name().to_string_lossy().into_owned();
                seen.insert(thread, (family(&stat.name).to_owned(), stat.own));
            }
        }
        std::thread::park_timeout(SAMPLING);
    }
    let mut by_name = BTreeMap::new();
    for (name, time) in seen.into_values() {
        *by_name.entry(name).or_insert(0.0) += time;
    }
    by_name
}

fn family(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || "-_:# ".contains(c))
}

fn processor_times(pid: u32) -> Result<(f64, f64), String> {
    let path = format!("/proc/{pid}/stat");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let stat = Stat::parse(&text).ok_or_else(|| format!("{path}: not understood"))?;
    Ok((stat.own, stat.children))
}

/// The fields of `/proc/PID/stat` that matter here; times in seconds.
#[derive(Debug, PartialEq)]
struct Stat {
    name: String,
    own: f64,
    children: f64,
}

impl Stat {
    /// The name is in parentheses and may hold any character; see proc(5).
    fn parse(text: &str) -> Option<Stat> {
        let (before, after) = text.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        let fields: Vec<&str> = after.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
        let per_second = ticks_per_second()?;
        Some(Stat {
            name: name.to_owned(),
            own: (ticks(11)? + ticks(12)?) / per_second,
            children: (ticks(13)? + ticks(14)?) / per_second,
        })
    }
}

fn ticks_per_second() -> Option<f64> {
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten()?;
    u32::try_from(ticks).ok().map(f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_is_read() {
        let text = "7 (a (b) c) S 1 7 7 0 -1 4194560 5 0 0 0 200 100 40 60 20 0 1 0";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(stat.name, "a (b) c");
        assert_eq!(stat.own / stat.children, 3.0);
    }

    #[test]
    fn threads_of_one_pool_count_together() {
        assert_eq!(family("worker-12"), "worker");
        assert_eq!(family("actix-rt|system:0"), "actix-rt|system");
    }

    #[test]
    fn a_child_that_computes_is_charged_to_the_children() {
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let cost = measure(&["sh", "-c", &format!("sh -c '{busy}'; true")]).unwrap();
        assert!(cost.children > cost.own, "{cost:?}");
        assert!(cost.elapsed > 0.0);
    }

    #[test]
    fn a_failing_program_gives_no_figures() {
        assert!(measure(&["false"]).unwrap_err().contains("false ended with"));
    }
}
