//! Best-effort kills: `--kill-rate` kills real processes, and every task still comes to its end.

use crate::sandbox::Sandbox;
use crate::tasks::Told;

#[test]
fn killed_attempts_come_back_until_every_task_is_done() {
    let sandbox = Sandbox::new();
    // Longer than the longest time after which an attempt is killed.
    let told = Told::write(&sandbox, "c.json", 60, "0.12");
    let run = sandbox.json(&["run", "c.json", "--cores", "4", "--kill-rate", "0.3", "--seed", "1"]);
    assert_eq!((&run["done"], &run["failed"]), (&60.into(), &0.into()), "{run}");
    told.expect_all_done();

    // Counted from what the tasks wrote: attempts that began and were cut off.
    let stories = told.stories();
    let cut_off: usize = stories.values().map(|story| story.begun.len() - story.ended.len()).sum();
    assert!(cut_off >= 6, "three in ten of at least 60 attempts should be killed, {cut_off} were");

    // An attempt may be killed before it can write, so that there are no fewer kills than that, and one job each.
    let kills = run["kills"].as_u64().unwrap();
    assert!(kills >= cut_off as u64, "{kills} kills are told, {cut_off} were seen");
    assert_eq!(sandbox.json(&["jobs", "last"])["total"].as_u64().unwrap(), 60 + kills);
    for (task, story) in stories {
        let jobs = sandbox.json(&["jobs", "last", "--task", &task.to_string(), "--limit", "0"]);
        let jobs = jobs["items"].as_array().unwrap();
        let killed = jobs.iter().filter(|job| job["state"] == "killed").count();
        assert_eq!(jobs.len(), 1 + killed, "task {task}: {jobs:?}");
        assert!(story.begun.len() <= jobs.len(), "task {task} began {story:?}, known are {jobs:?}");
    }
}

#[test]
fn the_summary_tells_the_kills() {
    let sandbox = Sandbox::new();
    Told::write(&sandbox, "c.json", 30, "0.06");
    let run = sandbox.cigri(&["run", "c.json", "--cores", "4", "--kill-rate", "0.5", "--seed", "3"]);
    run.expect(0);
    assert!(run.stdout.contains("kills survived"), "{run}");
}

#[test]
fn without_a_kill_rate_nothing_is_killed() {
    let sandbox = Sandbox::new();
    let told = Told::write(&sandbox, "c.json", 20, "0.01");
    let run = sandbox.json(&["run", "c.json"]);
    assert_eq!(run["kills"], 0, "{run}");
    told.expect_all_done();
    assert!(told.stories().values().all(|story| story.begun == [1] && story.ended == [1]));
}
