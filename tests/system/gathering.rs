//! `cigri results`: the files that tasks wrote come into one folder, whole, once, and nobody else's is touched.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cigri_core::language::{CampaignSpec, Gathering, Output, Step};
use serde_json::json;

use crate::sandbox::Sandbox;
use crate::stored::{SERVE, run_stored, store};

/// Ran eight tasks, the last of which wrote nothing.
fn gathered(file: &str, destination: Option<&str>) -> Sandbox {
    let sandbox = Sandbox::new();
    let script = "echo \"printed $CIGRI_TASK_INDEX\"; mkdir -p out; [ $CIGRI_TASK_INDEX = 7 ] || \
                  printf 'result %s\\0' $CIGRI_TASK_INDEX > out/$NAME\n";
    let name = file.rsplit('/').next().unwrap();
    let name = name.replace("{TASK_INDEX}", "$CIGRI_TASK_INDEX").replace("{OAR_JOB_ID}", "$OAR_JOB_ID");
    sandbox.write("task.sh", script.replace("$NAME", &name));
    run_stored(&sandbox, 8, |spec: &mut CampaignSpec| {
        for cluster in spec.clusters.values_mut() {
            let method = Gathering::Collector(destination.map(str::to_owned));
            cluster.exec_file = "sh task.sh".to_owned();
            cluster.output = Some(Output { file: file.to_owned(), method });
            // Steps are no tasks: nothing of them is fetched.
            cluster.prologue =
                Some(Step { script: "echo prepared".into(), walltime_s: 60, resources: "/core=1".into() });
        }
    });
    sandbox
}

fn names(folder: &Path) -> BTreeSet<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.')).collect()
}

#[test]
fn files_are_fetched_once_and_what_is_missing_is_told() {
    let sandbox = gathered("out/r.{TASK_INDEX}.dat", Some("here"));
    let run = sandbox.cigri(&["results"]);
    run.expect(1);
    assert!(run.stdout.contains("7 files fetched into `here`"), "{run}");
    assert!(run.stderr.contains("missing: task 7"), "{run}");
    let folder = sandbox.path("here");
    assert_eq!(names(&folder), (0..7).map(|index| format!("r.{index}.dat")).collect());
    assert_eq!(std::fs::read(folder.join("r.3.dat")).unwrap(), b"result 3\0", "byte by byte");

    std::fs::remove_file(folder.join("r.2.dat")).unwrap();
    std::fs::write(sandbox.path("out/r.7.dat"), "late").unwrap();
    let report = sandbox.json(&["results", "last"]);
    assert_eq!(report, json!({"directory": "here", "fetched": 2, "kept": 6, "missing": []}));
    assert_eq!(std::fs::read(folder.join("r.7.dat")).unwrap(), b"late");
}

#[test]
fn a_file_that_is_not_the_campaigns_is_kept_unless_forced() {
    let sandbox = gathered("out/{OAR_JOB_ID}", None);
    std::fs::create_dir(sandbox.path("mine")).unwrap();
    let names_there = sandbox.cigri(&["results", "--to", "other"]);
    names_there.expect(1);
    let theirs = names(&sandbox.path("other"));
    let third = theirs.iter().find(|name| name.starts_with("3-")).unwrap();
    std::fs::write(sandbox.path("mine").join(third), "mine").unwrap();
    let run = sandbox.cigri(&["results", "--to", "mine"]);
    run.expect(1);
    assert!(run.stderr.contains("missing: task 3") && run.stderr.contains("--force"), "{run}");
    assert_eq!(std::fs::read_to_string(sandbox.path("mine").join(third)).unwrap(), "mine");
    sandbox.cigri(&["results", "--to", "mine", "--force"]).expect(1);
    assert_eq!(std::fs::read(sandbox.path("mine").join(third)).unwrap(), b"result 3\0");
}

#[test]
fn what_the_tasks_printed_can_be_fetched_from_every_campaign() {
    let sandbox = gathered("out/r.{TASK_INDEX}.dat", None);
    let run = sandbox.cigri(&["results", "1", "--stdout"]);
    run.expect(0);
    assert!(run.stdout.contains("1 files fetched into `cigri-results-1`"), "{run}");
    sandbox.cigri(&["results", "2", "--stdout", "--to", "printed"]).expect(0);
    assert_eq!(names(&sandbox.path("printed")).len(), 8);
    assert_eq!(std::fs::read_to_string(sandbox.path("printed/5.stdout")).unwrap(), "printed 5\n");
    let run = sandbox.cigri(&["results", "1"]);
    run.expect(6);
    assert!(run.error().contains("output_file"), "{run}");
}

#[test]
fn tasks_of_a_group_have_files_and_outputs_of_their_own() {
    let sandbox = Sandbox::new();
    sandbox.write("task.sh", "echo \"printed $CIGRI_TASK_INDEX\"; echo $CIGRI_TASK_INDEX > r.$CIGRI_TASK_INDEX\n");
    let campaign = json!({
        "name": "g", "nb_jobs": 8, "exec_file": "sh task.sh", "temporal_grouping": 8, "max_jobs": 1, "clusters": {"here": {}},
        "output_gathering_method": "collector", "output_file": "r.{TASK_INDEX}",
    });
    sandbox.write("c.json", campaign.to_string());
    sandbox.cigri(&["run", "c.json", "--cores", "1"]).expect(0);
    let jobs = sandbox.json(&["jobs", "last", "--limit", "0"]);
    let slots = jobs["items"].as_array().unwrap().iter().filter(|job| job["slot"] != 0).count();
    assert!(slots > 0, "some share a job: {jobs}");
    sandbox.cigri(&["results", "--to", "files"]).expect(0);
    sandbox.cigri(&["results", "--stdout", "--to", "printed"]).expect(0);
    for index in 0..8 {
        let read = |path: String| std::fs::read_to_string(sandbox.path(&path)).unwrap();
        assert_eq!(read(format!("files/r.{index}")), format!("{index}\n"));
        assert_eq!(read(format!("printed/{index}.stdout")), format!("printed {index}\n"));
    }
}

#[test]
fn a_job_copies_its_file_itself_and_fails_when_that_fails() {
    let sandbox = Sandbox::new();
    for folder in ["bin", "away"] {
        std::fs::create_dir(sandbox.path(folder)).unwrap();
    }
    // Stands in for the network, which takes no file of the second task.
    let scp = sandbox.write("bin/scp", "#!/bin/sh\ncase $4 in *.1) exit 1 ;; esac\ncp \"$4\" \"${5#store:}\"\n");
    std::fs::set_permissions(scp, std::fs::Permissions::from_mode(0o755)).unwrap();
    let away = sandbox.path("away").display().to_string();
    store(&sandbox, 3, |spec| {
        for cluster in spec.clusters.values_mut() {
            cluster.exec_file = "echo result > r.$CIGRI_TASK_INDEX; exec true".to_owned();
            let method = Gathering::Scp(format!("store:{away}"));
            cluster.output = Some(Output { file: "r.{TASK_INDEX}".into(), method });
        }
    });
    let mut run = sandbox.command(SERVE);
    let path = format!("{}:{}", sandbox.path("bin").display(), std::env::var("PATH").unwrap());
    run.env("PATH", path);
    sandbox.start_command(run).wait().expect(0);
    assert_eq!(names(&sandbox.path("away")), ["r.0", "r.2"].map(str::to_owned).into());
    let campaign = sandbox.json(&["status", "2"]);
    assert_eq!((&campaign["done"], &campaign["failed"]), (&json!(2), &json!(1)), "{campaign}");
    let failed = sandbox.json(&["jobs", "2", "--state", "failed"])["items"][0].clone();
    assert_eq!((&failed["task_index"], &failed["exit_code"]), (&json!(1), &json!(68)));
    let detail = failed["detail"].as_str().unwrap();
    assert!(detail.contains("the program succeeded, but its output file was not copied to store:"), "{detail}");
}
