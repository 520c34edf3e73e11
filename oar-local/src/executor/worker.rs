//! The life of a worker thread: take a job, run it, tell the machine, take the next one.

use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, MutexGuard};

use super::launch::{Launch, Launched, launch, open_output};
use super::watch::{Scratch, kill_group, watch};
use crate::cluster::{Inner, Shared};
use crate::face::{Stream, civil_date};
use crate::machine::{Job, absolute};

/// Exit code of a shell that could not execute a program.
const CANNOT_EXECUTE: i32 = 126;
/// Signals of which bash says nothing, or less.
const INTERRUPT: i32 = 2;
const BROKEN_PIPE: i32 = 13;
const TERMINATE: i32 = 15;

/// Runs jobs until the cluster stops.
pub(crate) fn work(shared: &Arc<Shared>) {
    let mut scratch = Scratch::default();
    let mut inner = shared.lock();
    loop {
        let Some(job) = inner.next_start() else {
            if inner.is_stopping() {
                return;
            }
            inner = shared.wait_for_work(inner);
            continue;
        };
        drop(inner);
        inner = run(shared, &job, &mut scratch);
    }
}

/// Runs one job; the lock is handed back with the machine already told, so that the next job starts at once.
fn run<'a>(shared: &'a Arc<Shared>, job: &Job, scratch: &mut Scratch) -> MutexGuard<'a, Inner> {
    match launch(job, &shared.surroundings, shared.capture.is_some()) {
        Launch::Running(launched) => follow(shared, job, *launched, scratch),
        Launch::Failed(failure) => shared.end(shared.lock(), job.id, |machine, now| {
            machine.launch_failed(job.id, failure, now);
        }),
        Launch::TooLong => {
            note(shared, job, "/bin/bash: Argument list too long\n");
            shared.end(shared.lock(), job.id, |machine, now| {
                machine.exited(job.id, CANNOT_EXECUTE << 8, now);
            })
        }
    }
}

fn follow<'a>(
    shared: &'a Arc<Shared>,
    job: &Job,
    mut launched: Launched,
    scratch: &mut Scratch,
) -> MutexGuard<'a, Inner> {
    let pid = launched.child.id();
    if shared.started(job.id, pid, launched.born) {
        kill_group(pid);
    }
    watch(job.id, &mut launched, shared.capture.as_deref(), scratch);
    let mut inner = shared.lock();
    // Reaped under the lock: until then nobody else can get the number, and whoever kills holds the lock.
    let status = launched.child.wait().map_or(0, ExitStatusExt::into_raw);
    if inner.reaped(job.id) {
        drop(inner);
        let date = civil_date(shared.now().div_euclid(1000));
        note(shared, job, &format!("## OAR [{date}] Job {} KILLED ##\n", job.id));
        inner = shared.lock();
    } else if let Some(words) = launched.stands_in.as_deref().filter(|_| status & 0x7f != 0) {
        drop(inner);
        note(shared, job, &signal_report(pid, status, words));
        inner = shared.lock();
    }
    let status = if launched.stands_in.is_some() { as_shell(status) } else { status };
    shared.end(inner, job.id, |machine, now| machine.exited(job.id, status, now))
}

/// The wait status of a shell whose program ended with `status`.
pub(super) fn as_shell(status: i32) -> i32 {
    let signal = status & 0x7f;
    if signal == 0 { status } else { (128 + signal) << 8 }
}

/// What bash prints when a program that it runs ends with the wait status `status`, which is a signal.
pub(super) fn signal_report(pid: u32, status: i32, words: &str) -> String {
    let signal = status & 0x7f;
    let name = describe(signal);
    let core = if status & 0x80 == 0 { "" } else { " (core dumped)" };
    match signal {
        INTERRUPT | BROKEN_PIPE => String::new(),
        TERMINATE => format!("{name}{core}\n"),
        _ => format!("environment: line 1: {pid:5} {:<23} {words}\n", format!("{name}{core}")),
    }
}

fn describe(signal: i32) -> &'static str {
    match signal {
        1 => "Hangup",
        3 => "Quit",
        4 => "Illegal instruction",
        5 => "Trace/breakpoint trap",
        6 => "Aborted",
        7 => "Bus error",
        8 => "Floating point exception",
        9 => "Killed",
        11 => "Segmentation fault",
        14 => "Alarm clock",
        TERMINATE => "Terminated",
        24 => "CPU time limit exceeded",
        25 => "File size limit exceeded",
        31 => "Bad system call",
        _ => "Killed by a signal",
    }
}

/// Adds a line to the job's errors.
fn note(shared: &Shared, job: &Job, text: &str) {
    match &shared.capture {
        Some(capture) => capture.append(job.id, Stream::Err, text.as_bytes()),
        None => {
            // The job's own file may have vanished with its folder; then there is nowhere to write to.
            let path = absolute(&job.batch.directory, &job.stderr_file());
            if let Ok(mut file) = open_output(&path) {
                let _ = std::io::Write::write_all(&mut file, text.as_bytes());
            }
        }
    }
}
