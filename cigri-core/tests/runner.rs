//! The script that runs groups, under the real bash: what it writes is what is read, whatever ends it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use cigri_core::group::journal::{self, OVERRAN, Told};
use cigri_core::group::{Place, Script, Setup, Times, grouped_command, job_line};
use cigri_core::language::Checkpoint;

const NAME: &str = "cigri.test.1.00000000deadbeef";
const PATIENCE: Duration = Duration::from_secs(60);

/// A home and a working directory.
struct Bed {
    folder: PathBuf,
}

impl Bed {
    fn new(name: &str) -> Bed {
        let folder = std::env::temp_dir().join(format!("cigri-runner-{}-{name}", std::process::id()));
        std::fs::create_dir_all(folder.join("home")).unwrap();
        std::fs::create_dir_all(folder.join("work")).unwrap();
        Bed { folder }
    }

    /// Remote job 7 as its cluster would start it, for tasks from 1 with these parameters.
    fn job(&self, program: &str, times: Times, script: Script, parameters: &[&str]) -> Command {
        let single = format!("_c(){{ export TASK=$1 ATTEMPT=$2; shift 2; {program} \"$@\"; }}; _c");
        let command = grouped_command(&single, &Setup { place: Place::Here, submission: NAME, times, script });
        let line = job_line((1..).zip(parameters).map(|(task, text)| (task, 1, *text)));
        let mut job = Command::new("/bin/bash");
        job.arg("-c").arg(format!("{command} {line}")).current_dir(self.folder.join("work"));
        job.env("HOME", self.folder.join("home")).env("OAR_JOB_ID", "7");
        job.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        job
    }

    fn run(&self, program: &str, times: Times, parameters: &[&str]) -> Output {
        self.job(program, times, Script::Carried, parameters).output().unwrap()
    }

    fn result(&self, file: &str) -> PathBuf {
        self.folder.join("work/.cigri").join(NAME).join(file)
    }

    fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.folder.join("work").join(file)).unwrap_or_default()
    }

    fn journal(&self) -> BTreeMap<u64, Told> {
        journal::read(&std::fs::read(self.result("7.r")).unwrap_or_default())
    }

    /// Waits for a file of a task's.
    fn wait_for(&self, file: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.folder.join("work").join(file).exists() {
            assert!(Instant::now() < deadline, "{file} never came");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

fn in_turn(batch_s: u64) -> Times {
    Times { batch_s, walltime_s: 600, checkpoint: None, side_by_side: 1 }
}

fn statuses(journal: &BTreeMap<u64, Told>) -> Vec<(u64, Option<i32>)> {
    let status = |told: &Told| match told {
        Told::Ended { status, .. } => Some(*status),
        Told::Began { .. } => None,
    };
    journal.iter().map(|(task, told)| (*task, status(told))).collect()
}

fn signal(job: &Child, signal: &str) {
    let sent = Command::new("bash").arg("-c").arg(format!("kill -s {signal} {}", job.id())).status().unwrap();
    assert!(sent.success());
}

#[test]
fn each_task_has_its_own_words_outputs_and_exit_code() {
    let bed = Bed::new("own");
    let parameters = ["a b", "'a b' $OAR_JOB_ID", "it\\'s", "", "\"x  y\" *.none", "é"];
    let output = bed.run("printf '<%s>'", in_turn(900), &parameters);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let words = ["<a><b>", "<a b><7>", "<it's>", "<>", "<x  y><*.none>", "<é>"];
    for (slot, words) in words.iter().enumerate() {
        assert_eq!(std::fs::read_to_string(bed.result(&format!("7.{slot}.out"))).unwrap(), *words);
        assert!(!bed.result(&format!("7.{slot}.err")).exists(), "empty files are not kept");
    }
    let done: Vec<_> = (1..=6).map(|task| (task, Some(0))).collect();
    assert_eq!(statuses(&bed.journal()), done);
}

#[test]
fn a_failure_is_told_with_its_last_words_and_does_not_stop_the_others() {
    let bed = Bed::new("failure");
    let output = bed.run("bash -c 'echo no $0 >&2; exit $0'", in_turn(900), &["0", "3", "66", "127"]);
    assert_eq!(output.status.code(), Some(64));
    let journal = bed.journal();
    assert_eq!(statuses(&journal), [(1, Some(0)), (2, Some(768)), (3, Some(66 << 8)), (4, Some(127 << 8))]);
    assert!(matches!(&journal[&2], Told::Ended { tail, .. } if tail == "no 3"));
    assert!(matches!(&journal[&1], Told::Ended { tail, .. } if tail.is_empty()));
}

#[test]
fn tasks_side_by_side_run_at_the_same_time() {
    let bed = Bed::new("side");
    // Each waits for the other one.
    let meet = "bash -c 'touch in.$0; for i in {1..3000}; do [ -e in.$1 ] && exit 0; sleep 0.01; done; exit 1'";
    let output = bed.run(meet, Times { side_by_side: 2, ..in_turn(900) }, &["1 2", "2 1"]);
    assert_eq!(output.status.code(), Some(0), "{:?}", bed.journal());
}

#[test]
fn no_task_begins_after_the_batch_is_over() {
    let bed = Bed::new("batch");
    let output = bed.run("sleep", in_turn(0), &["0.05", "0", "0"]);
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(statuses(&bed.journal()), [(1, Some(0))]);
}

#[test]
fn a_signal_reaches_the_program_and_nothing_more_begins() {
    let bed = Bed::new("signal");
    let saves = "bash -c 'trap \"echo saved > saved; exit 66\" USR2; touch began; while :; do sleep 0.02; done'";
    let mut job = bed.job(saves, in_turn(900), Script::Carried, &["", ""]).spawn().unwrap();
    bed.wait_for("began");
    signal(&job, "USR2");
    assert_eq!(job.wait().unwrap().code(), Some(64));
    assert_eq!(bed.text("saved"), "saved\n");
    assert_eq!(statuses(&bed.journal()), [(1, Some(66 << 8))]);
}

#[test]
fn a_signal_reaches_a_program_that_takes_the_shells_place() {
    let bed = Bed::new("place");
    let saves =
        "exec bash -c 'trap \"echo saved > saved; exit 66\" USR2; touch began; while :; do sleep 0.02; done' bash";
    let times = Times { walltime_s: 30, ..in_turn(900) };
    let mut job = bed.job(saves, times, Script::Carried, &["", ""]).spawn().unwrap();
    bed.wait_for("began");
    signal(&job, "USR2");
    assert_eq!(job.wait().unwrap().code(), Some(64));
    assert_eq!(bed.text("saved"), "saved\n");
    assert_eq!(statuses(&bed.journal()), [(1, Some(66 << 8))]);
}

#[test]
fn each_task_has_its_own_walltime() {
    let bed = Bed::new("walltime");
    // The second waits for a process of its own, which is ended as well.
    let program = "bash -c 'case $0 in 2) echo slow >&2; (sleep 60; echo >> late) & wait ;; *) sleep $0 ;; esac'";
    let times = Times { walltime_s: 1, ..in_turn(900) };
    let began = Instant::now();
    let output = bed.run(program, times, &["0.6", "2", "0.6", "0.6"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(began.elapsed() < PATIENCE, "whoever held the output is gone");
    assert_eq!(statuses(&bed.journal()), [(1, Some(0)), (2, Some(OVERRAN)), (3, Some(0)), (4, Some(0))]);
    match &bed.journal()[&2] {
        Told::Ended { began_ms, ended_ms, tail, .. } => {
            assert!(ended_ms - began_ms >= 1000, "{}", ended_ms - began_ms);
            assert_eq!(tail, "slow");
        }
        told => panic!("{told:?}"),
    }
}

#[test]
fn a_task_is_told_before_its_walltime_is_over() {
    let bed = Bed::new("checkpoint");
    let saves = "exec bash -c 'trap \"echo saved >> saved; exit 66\" USR2; while :; do sleep 0.02; done' bash";
    let checkpoint = Some(Checkpoint { before_s: 29, signal: 12 });
    let times = Times { walltime_s: 30, checkpoint, ..in_turn(900) };
    assert_eq!(bed.run(saves, times, &["", ""]).status.code(), Some(64));
    assert_eq!(bed.text("saved"), "saved\nsaved\n");
    assert_eq!(statuses(&bed.journal()), [(1, Some(66 << 8)), (2, Some(66 << 8))], "the next one begins all the same");
}

#[test]
fn a_program_that_the_signal_ends_did_not_fail() {
    let bed = Bed::new("term");
    let mut job =
        bed.job("bash -c 'touch began; exec sleep 60'", in_turn(900), Script::Carried, &["", ""]).spawn().unwrap();
    bed.wait_for("began");
    signal(&job, "TERM");
    assert_eq!(job.wait().unwrap().code(), Some(64));
    assert_eq!(statuses(&bed.journal()), [(1, None)], "it was running: whoever ended the job says why");
}

#[test]
fn the_runner_is_installed_once_and_missed_when_it_is_gone() {
    let bed = Bed::new("install");
    let code = |script| bed.job("true", in_turn(900), script, &["", ""]).output().unwrap().status.code();
    assert_eq!(code(Script::Named), Some(98));
    assert_eq!(code(Script::Installed), Some(0));
    assert_eq!(code(Script::Named), Some(0));
    std::fs::remove_dir_all(bed.folder.join("home/.cigri")).unwrap();
    assert_eq!(code(Script::Named), Some(98));
    std::fs::write(bed.folder.join("home/.cigri"), "in the way").unwrap();
    assert_eq!(code(Script::Installed), Some(0), "what cannot be installed runs all the same");
}

#[test]
fn whenever_the_runner_is_killed_an_end_that_is_told_is_true_and_nothing_is_told_twice() {
    let parameters: Vec<String> = (1..=30).map(|task| task.to_string()).collect();
    let parameters: Vec<&str> = parameters.iter().map(String::as_str).collect();
    for seed in 0..25u64 {
        let bed = Bed::new(&format!("kill-{seed}"));
        // What a task says on its standard error makes long lines in the journal: 2.7 KB each.
        let program = "bash -c 'echo $0 >> ran; printf %3000s x >&2; exit $(($0 % 2))'";
        let mut job = bed.job(program, in_turn(900), Script::Carried, &parameters).spawn().unwrap();
        bed.wait_for("ran");
        std::thread::sleep(Duration::from_micros(seed * 7919 % 100_000));
        job.kill().unwrap();
        job.wait().unwrap();
        let bytes = std::fs::read(bed.result("7.r")).unwrap_or_default();
        let ran: Vec<u64> = bed.text("ran").lines().map(|line| line.parse().unwrap()).collect();
        let whole = journal::read(&bytes);
        for (task, told) in &whole {
            if let Told::Ended { status, .. } = told {
                assert!(ran.contains(task), "seed {seed}: task {task} ended without running");
                assert_eq!(*status, (*task as i32 % 2) * 256, "seed {seed}");
            }
        }
        for length in (0..bytes.len()).step_by(97) {
            for (task, told) in journal::read(&bytes[..length]) {
                assert!(told == whole[&task] || matches!(told, Told::Began { .. }), "seed {seed}, {length} bytes");
            }
        }
    }
}
