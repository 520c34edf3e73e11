//! Groups of tasks on a real `oar-local`, run by the real runner: whatever happens to a remote job, no task of it that
//! ended runs again, and none is lost. What ran is counted from the files that the tasks themselves write.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cigri_core::group::journal::{self, Told};
use cigri_core::language::{ClusterSpec, Grouping, InTurn};
use cigri_core::state::Wish;
use cigri_store::{JobFilter, JobRow};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::Memory;
use super::tests::{Bed, Fault, NOTE, each_once, over};
use crate::clock::now_ms;

fn grouped(in_turn: InTurn, side_by_side: u32) -> impl FnOnce(&mut ClusterSpec) {
    move |spec| spec.grouping = Grouping { in_turn, batch_s: 900, side_by_side }
}

fn jobs(bed: &Bed, id: i64) -> Vec<JobRow> {
    bed.grid.store.list_jobs(id, &JobFilter { limit: 10_000, ..JobFilter::default() }).unwrap()
}

/// How many remote jobs there were.
fn remote_jobs(bed: &Bed, id: i64) -> usize {
    let ids: std::collections::BTreeSet<i64> = jobs(bed, id).iter().filter_map(|job| job.remote_id).collect();
    ids.len()
}

#[tokio::test]
async fn tasks_of_a_group_run_in_turn_in_one_remote_job() {
    let bed = Bed::new(&[]);
    let id = bed.campaign_with(NOTE, 40, grouped(InTurn::AtMost(10), 1));
    let row = bed.step_until(id, over).await;
    assert_eq!((row.done, row.failed, row.kills), (40, 0, 0));
    assert_eq!(bed.runs(), each_once(40));
    assert!(remote_jobs(&bed, id) <= 10, "{}", remote_jobs(&bed, id));
}

#[tokio::test]
async fn tasks_of_a_group_that_succeeded_are_charged_its_time_once() {
    let bed = Bed::new(&[]);
    let id = bed.campaign_with("echo $CIGRI_TASK_INDEX >> ran; sleep 0.4", 10, grouped(InTurn::AtMost(5), 2));
    let row = bed.step_until(id, over).await;
    assert_eq!(row.done, 10);
    let span_ms = |job: &JobRow| job.stopped_at.unwrap() - job.started_at.unwrap();
    let spans: BTreeMap<i64, i64> = jobs(&bed, id).iter().map(|job| (job.remote_id.unwrap(), span_ms(job))).collect();
    let charged = bed.grid.store.accounts(&Default::default()).unwrap().remove(0).account;
    let whole_ms = 2 * spans.values().sum::<i64>();
    assert!(whole_ms >= 2000 && spans.len() < 10, "{spans:?}");
    assert!((whole_ms - 10..=whole_ms).contains(&charged.useful_ms), "{charged:?} of {whole_ms}");
}

#[tokio::test]
async fn tasks_side_by_side_share_a_node_at_the_same_time() {
    let bed = Bed::new(&[]);
    // Each pair of tasks waits for its other half.
    let meet = "touch in.$CIGRI_TASK_INDEX; other=in.$((CIGRI_TASK_INDEX ^ 1)); i=0
        while [ ! -e $other ]; do i=$((i + 1)); [ $i -lt 3000 ] || exit 1; sleep 0.01; done
        echo $CIGRI_TASK_INDEX >> ran";
    let id = bed.campaign_with(meet, 12, grouped(InTurn::One, 2));
    let row = bed.step_until(id, over).await;
    assert_eq!((row.done, row.failed), (12, 0));
    assert_eq!(bed.runs(), each_once(12));
    assert_eq!(remote_jobs(&bed, id), 6);
}

#[tokio::test]
async fn each_task_of_a_group_ends_in_its_own_way() {
    let bed = Bed::new(&[]);
    let script = "echo $CIGRI_TASK_INDEX >> ran
        case $CIGRI_TASK_INDEX.$CIGRI_ATTEMPT in
            1.1) exit 66 ;;
            2.1) exit 67 ;;
            3.*) echo 'no such parameter' >&2; exit 3 ;;
        esac";
    let id = bed.campaign_with(script, 30, grouped(InTurn::AtMost(10), 1));
    let row = bed.step_until(id, over).await;
    assert_eq!((row.done, row.failed, row.kills), (29, 1, 0), "nobody killed anything");
    let runs = bed.runs();
    assert!(runs.iter().all(|(task, times)| *times == 1 + usize::from([1, 2].contains(task))), "{runs:?}");
    let job = jobs(&bed, id).into_iter().find(|job| job.task_index == 3).unwrap();
    assert_eq!((job.exit_code, job.cause.as_deref()), (Some(3), Some("exit_code")));
    assert!(job.detail.unwrap().contains("no such parameter"));
    assert!(job.started_at.is_some() && job.stopped_at >= job.started_at);
}

#[tokio::test]
async fn a_group_that_ran_into_its_walltime_costs_only_the_task_that_ran() {
    let bed = Bed::new(&[]);
    let script = "echo $CIGRI_TASK_INDEX >> ran; [ $CIGRI_TASK_INDEX != 10 ] || exec sleep 600";
    let id = bed.campaign_with(script, 30, |spec| {
        grouped(InTurn::AtMost(3), 1)(spec);
        spec.walltime_s = 1;
    });
    let row = bed.step_until(id, over).await;
    assert_eq!((row.done, row.failed), (29, 1));
    let runs = bed.runs();
    assert!(runs.iter().all(|(task, times)| *times == if *task == 10 { 3 } else { 1 }), "{runs:?}");
    let causes: Vec<_> = jobs(&bed, id).into_iter().filter(|job| job.task_index == 10).map(|job| job.cause).collect();
    assert_eq!(causes, vec![Some("walltime".to_owned()); 3]);
}

#[tokio::test]
async fn killing_one_task_of_a_group_sends_the_others_back_free_of_charge() {
    let bed = Bed::new(&[]);
    let script = "echo $CIGRI_TASK_INDEX >> ran; [ $CIGRI_TASK_INDEX != 11 ] || exec sleep 600";
    let id = bed.campaign_with(script, 30, grouped(InTurn::AtMost(3), 1));
    bed.step_until(id, |_| bed.runs().contains_key(&11)).await;
    let job = jobs(&bed, id).into_iter().find(|job| job.task_index == 11).unwrap();
    bed.grid.store.wish(job.id, Wish::Cancel).unwrap();
    let row = bed.step_until(id, over).await;
    assert_eq!((row.done, row.failed, row.cancelled), (29, 0, 1));
    assert_eq!(bed.runs(), each_once(30), "those before it had ended, those after it had not begun");
}

/// A group of two tasks, of which each fails in its first attempt, and has ended.
async fn ended_group(bed: &Bed) -> i64 {
    let script = "echo $CIGRI_TASK_INDEX >> ran; [ $CIGRI_ATTEMPT != 1 ] || exit 1";
    let id = bed.campaign_with(script, 2, grouped(InTurn::AtMost(2), 2));
    bed.step(&mut Memory::new()).await.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !bed.left().await.is_empty() {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    id
}

#[tokio::test]
async fn results_that_stay_unreadable_for_an_hour_are_given_up() {
    let bed = Bed::new(&[Fault::NoFiles]);
    let id = ended_group(&bed).await;
    let (now, mut memory) = (now_ms(), Memory::new());
    for after in [0, 60_000, 3_599_000] {
        bed.step_at(now + after, &mut memory).await.unwrap();
        assert_eq!(bed.grid.store.campaign(id).unwrap().live, 2, "after {after} ms");
    }
    bed.step_at(now + 3_600_000, &mut memory).await.unwrap();
    assert_eq!(jobs(&bed, id).len(), 4, "they are sent again");
    let causes: Vec<_> = jobs(&bed, id).into_iter().filter(|job| job.attempt == 1).map(|job| job.cause).collect();
    assert_eq!(causes, vec![Some("infrastructure".to_owned()); 2]);
    let events = bed.grid.store.campaign_events(id, &["dahu".to_owned()], true).unwrap();
    assert!(events.iter().any(|event| event.message.contains("results of job")), "{events:?}");
}

#[tokio::test]
async fn a_cancelled_campaign_does_not_wait_for_results_that_cannot_be_read() {
    let bed = Bed::new(&[Fault::NoFiles]);
    let id = ended_group(&bed).await;
    bed.grid.store.cancel_campaign(id, now_ms()).unwrap();
    let row = bed.step_until(id, |row| row.live == 0).await;
    assert_eq!(row.cancelled, 2);
}

#[tokio::test]
async fn a_failed_group_without_results_runs_again_and_says_so() {
    let bed = Bed::new(&[]);
    let id = ended_group(&bed).await;
    std::fs::remove_dir_all(bed.folder.path().join(".cigri")).unwrap();
    let row = bed.step_until(id, over).await;
    assert_eq!((row.done, row.failed), (2, 0), "nobody knows that the first attempts failed");
    assert_eq!(bed.runs(), BTreeMap::from([(0, 2), (1, 2)]));
    let events = bed.grid.store.campaign_events(id, &["dahu".to_owned()], true).unwrap();
    assert!(events.iter().any(|event| event.message.contains("left no results")), "{events:?}");
}

/// Everything that the journals of a campaign tell, by task id: how often it began and ended well.
fn told(bed: &Bed) -> BTreeMap<u64, (usize, usize)> {
    let folders = std::fs::read_dir(bed.folder.path().join(".cigri")).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    let journals = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "r"));
    let mut told: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    for path in journals {
        for (task, said) in journal::read(&std::fs::read(path).unwrap()) {
            let count = told.entry(task).or_default();
            count.0 += 1;
            count.1 += usize::from(matches!(said, Told::Ended { status: 0, .. }));
        }
    }
    told
}

/// Process groups that work in the folder.
fn process_groups(folder: &Path) -> BTreeSet<i32> {
    let pids =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let here = |pid: &i32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder);
    let group = |pid: i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
    };
    pids.filter(here).filter_map(group).collect()
}

/// How a group is ended before its time.
#[derive(Debug, Clone, Copy)]
enum How {
    /// All its processes are killed.
    All,
    /// The runner alone is killed.
    Runner,
    /// For a normal job.
    BestEffort,
}

/// Ends what runs, in one of the ways in which groups end before their time.
async fn interrupt(bed: &Bed, how: How, draw: u64) {
    let groups = process_groups(bed.folder.path());
    let some = groups.iter().nth(draw as usize % groups.len().max(1)).map(|group| Pid::from_raw(*group));
    match (how, some) {
        (How::All, Some(group)) => drop(killpg(group, Signal::SIGKILL)),
        // The runner alone, not its tasks: the group's leader.
        (How::Runner, Some(leader)) => drop(kill(leader, Signal::SIGKILL)),
        // A normal job needs the whole node.
        _ => {
            let handle = bed.grid.cluster("dahu").unwrap();
            let (token, _) = bed.grid.token("alice", &handle).unwrap().unwrap();
            let job = oar_client::NewJob {
                command: "true".to_owned(),
                resources: vec!["/core=2".to_owned()],
                ..oar_client::NewJob::default()
            };
            handle.client.submit(&token, &job).await.unwrap();
        }
    }
}

#[tokio::test]
async fn whenever_groups_are_killed_no_task_that_ended_runs_again_and_none_is_lost() {
    const TASKS: i64 = 60;
    for seed in 0..4u64 {
        let bed = Bed::new(&[]);
        let script =
            "echo $CIGRI_TASK_INDEX >> begun; sleep 0.0$((CIGRI_TASK_INDEX % 4)); echo $CIGRI_TASK_INDEX >> ran";
        let id = bed.campaign_with(script, TASKS, grouped(InTurn::AtMost(8), 1 + seed as u32 % 2));
        let (mut draw, mut kills) = (seed * 7919 + 13, 0);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
        while !over(&bed.grid.store.campaign(id).unwrap()) {
            assert!(std::time::Instant::now() < deadline, "seed {seed}: {:?}", bed.grid.store.campaign(id).unwrap());
            bed.step(&mut Memory::new()).await.unwrap();
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 3;
            tokio::time::sleep(std::time::Duration::from_millis(draw % 180)).await;
            if kills < 12 {
                // A task survives three ends that nobody can explain, and any number of those for others.
                let how = match kills {
                    2 | 7 => How::All,
                    5 => How::Runner,
                    _ => How::BestEffort,
                };
                interrupt(&bed, how, draw / 180).await;
                kills += 1;
            }
        }
        let row = bed.grid.store.campaign(id).unwrap();
        assert_eq!((row.done, row.failed), (TASKS, 0), "seed {seed}");
        let ids = row.task_ids;
        let (told, runs) = (told(&bed), bed.runs());
        let begun = std::fs::read_to_string(bed.folder.path().join("begun")).unwrap();
        for index in 0..TASKS {
            let (began, ended) = told[&ids.id_of(index as u64).unwrap()];
            assert_eq!(ended, 1, "seed {seed}: task {index} ended well once");
            let times = begun.lines().filter(|line| *line == index.to_string()).count();
            // Killed between the runner's note and the program's own is possible, the other way round is not.
            assert!(times <= began, "seed {seed}: task {index} began {times} times, {began} are told");
            assert!(runs[&index] >= 1, "seed {seed}: task {index}");
            let live = |job: &&JobRow| job.task_index == index && job.cause.as_deref() != Some("not_started");
            let attempts = jobs(&bed, id).iter().filter(live).count();
            assert!(began <= attempts, "seed {seed}: task {index} began {began} times, in {attempts} attempts");
        }
    }
}
