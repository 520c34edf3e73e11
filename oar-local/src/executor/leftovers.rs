//! Finds and kills the processes that a cluster which died left behind: nobody reads their output any more.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process_group};

use super::watch::kill_group;
use crate::machine::Interrupted;

/// A process is created at most this many clock ticks after the moment that the journal notes.
const CREATION: u64 = 200;
/// How long killed processes may take to disappear.
const PATIENCE: Duration = Duration::from_secs(5);

/// Kills the groups of interrupted jobs, and those of every process that carries this cluster's mark: a node file
/// in `node_folder` as its `OAR_NODEFILE`. Returns when they are gone, or after a few seconds.
pub(crate) fn kill_leftovers(interrupted: &[Interrupted], node_folder: &Path) {
    if interrupted.is_empty() {
        return;
    }
    let known = interrupted.iter().filter_map(|job| job.process);
    let mut groups: Vec<u32> = known.filter(|(pid, born)| is_same(*pid, *born)).map(|(pid, _)| pid).collect();
    groups.extend(marked_groups(node_folder));
    groups.sort_unstable();
    groups.dedup();
    groups.iter().for_each(|group| kill_group(*group));
    let deadline = Instant::now() + PATIENCE;
    while groups.iter().any(|group| exists(*group)) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn exists(group: u32) -> bool {
    let pid = i32::try_from(group).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process_group(pid).is_ok())
}

/// Whether `pid` is still the process of the journal, not a later one with the same number.
fn is_same(pid: u32, born: u64) -> bool {
    let start = stat_field(pid, 22).and_then(|text| text.parse::<u64>().ok());
    start.is_some_and(|start| start + 1 >= born && start <= born + CREATION)
}

/// A field of `/proc/PID/stat`, counted from 1 as its manual does; only those behind the program's name.
fn stat_field(pid: u32, field: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(field - 3).map(str::to_owned)
}

fn marked_groups(node_folder: &Path) -> Vec<u32> {
    let mut mark = b"OAR_NODEFILE=".to_vec();
    mark.extend_from_slice(node_folder.as_os_str().as_bytes());
    mark.push(b'/');
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let carries = |pid: &u32| {
        fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|text| text.split(|byte| *byte == 0).any(|entry| entry.starts_with(&mark)))
    };
    pids.filter(carries).filter_map(|pid| stat_field(pid, 5)?.parse().ok()).collect()
}
