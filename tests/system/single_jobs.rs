//! Killing single jobs: one task ends, another is sent again, and the campaign goes on.

use crate::sandbox::{Sandbox, wait_until};

/// The live job of a task, once it runs.
fn running(sandbox: &Sandbox, task: &str) -> String {
    let mut job = 0;
    wait_until("the task to run", || {
        let jobs = sandbox.json(&["jobs", "1", "--task", task, "--state", "running"]);
        job = jobs["items"][0]["id"].as_i64().unwrap_or_default();
        job > 0
    });
    job.to_string()
}

#[test]
fn a_killed_job_ends_its_task_or_sends_it_again() {
    let sandbox = Sandbox::new();
    // The first attempts of tasks 0 and 1 would never end.
    sandbox.write(
        "task.sh",
        "echo $1.$CIGRI_ATTEMPT >> ran\n[ $1.$CIGRI_ATTEMPT != 0.1 -a $1.$CIGRI_ATTEMPT != 1.1 ] || exec sleep 600\n",
    );
    sandbox.write("c.json", r#"{"name": "k", "nb_jobs": 3, "exec_file": "sh task.sh", "clusters": {"here": {}}}"#);
    let first = sandbox.start(&["run", "c.json", "--cores", "2"]);
    wait_until("the campaign to be there", || !sandbox.campaigns().is_empty());
    let (gone, again) = (running(&sandbox, "0"), running(&sandbox, "1"));
    let killed = sandbox.cigri(&["kill", &gone]);
    killed.expect(0);
    assert!(killed.stderr.contains("its task ends as cancelled"), "{killed}");
    sandbox.cigri(&["kill", &again, "--again"]).expect(0);
    first.wait().expect(1);
    let status = sandbox.json(&["status", "1"]);
    assert_eq!((&status["done"], &status["cancelled"]), (&2.into(), &1.into()), "{status}");
    let mut ran: Vec<String> =
        std::fs::read_to_string(sandbox.path("ran")).unwrap().lines().map(str::to_owned).collect();
    ran.sort();
    assert_eq!(ran, ["0.1", "1.1", "1.2", "2.1"]);
    let refused = sandbox.cigri(&["kill", &gone]);
    refused.expect(6);
    assert!(refused.stderr.contains("has ended already (cancelled)"), "{refused}");
    sandbox.cigri(&["kill", "99"]).expect(6);
}
