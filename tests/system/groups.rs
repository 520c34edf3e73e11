//! Grouped tasks as their owner sees them: one by one.

use std::collections::BTreeMap;

use crate::sandbox::{Sandbox, wait_until};

#[test]
fn grouped_tasks_have_their_own_output_exit_code_and_place() {
    let sandbox = Sandbox::new();
    sandbox.write("task.sh", "echo \"out $1\"; echo \"err $1\" >&2; [ $1 != 3 ]\n");
    sandbox.write(
        "c.json",
        r#"{"name": "g", "nb_jobs": 60, "exec_file": "sh task.sh", "temporal_grouping": 6, "clusters": {"here": {}}}"#,
    );
    sandbox.cigri(&["run", "c.json", "--cores", "2"]).expect(1);
    let jobs = sandbox.json(&["jobs", "last", "--limit", "0"]);
    let jobs = jobs["items"].as_array().unwrap();
    assert_eq!(jobs.len(), 60);
    let mut places: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for job in jobs {
        let (remote, slot) = (job["remote_id"].as_i64().unwrap(), job["slot"].as_i64().unwrap());
        places.entry(remote).or_default().push(slot);
        let (task, id) = (job["task_index"].as_i64().unwrap(), job["id"].to_string());
        assert_eq!(job["exit_code"], i64::from(task == 3), "{job}");
        if task < 5 {
            assert_eq!(sandbox.cigri(&["logs", &id]).stdout, format!("out {task}\n"));
            assert_eq!(sandbox.cigri(&["logs", &id, "--err"]).stdout, format!("err {task}\n"));
        }
    }
    assert!(places.len() < 60, "no task shares a remote job");
    for slots in places.values() {
        assert_eq!(*slots, (0..slots.len() as i64).collect::<Vec<_>>());
    }
    let failed = jobs.iter().find(|job| job["task_index"] == 3).unwrap();
    assert!(failed["detail"].as_str().unwrap().contains("err 3"), "{failed}");
}

#[test]
fn killing_a_grouped_task_says_what_goes_with_it() {
    let sandbox = Sandbox::new();
    sandbox.write("task.sh", "echo $1 >> ran; [ $1.$CIGRI_ATTEMPT != 1.1 ] || exec sleep 600\n");
    sandbox.write(
        "c.json",
        r#"{"name": "g", "nb_jobs": 8, "exec_file": "sh task.sh", "temporal_grouping": 8,
            "max_jobs": 1, "clusters": {"here": {}}}"#,
    );
    let run = sandbox.start(&["run", "c.json", "--cores", "1"]);
    let ran = || std::fs::read_to_string(sandbox.path("ran")).unwrap_or_default();
    wait_until("the task that never ends", || ran() == "0\n1\n");
    let jobs = sandbox.json(&["jobs", "1", "--task", "1"]);
    let killed = sandbox.cigri(&["kill", &jobs["items"][0]["id"].to_string(), "--again"]);
    killed.expect(0);
    assert!(killed.stderr.contains("7 more tasks of its group are sent again"), "{killed}");
    run.wait().expect(0);
    let mut ran: Vec<String> = ran().lines().map(str::to_owned).collect();
    ran.sort();
    assert_eq!(ran, ["0", "1", "1", "2", "3", "4", "5", "6", "7"], "what had ended did not run again");
}
