//! `cigri usage` on one machine: what a campaign had of its cores, as a table, as JSON, and for spreadsheets.

use crate::sandbox::Sandbox;

#[test]
fn a_campaign_tells_what_it_had_and_what_of_it_was_of_use() {
    let sandbox = Sandbox::new();
    sandbox.write("task.sh", "sleep 2\nexit $(($CIGRI_TASK_INDEX % 2))\n");
    let file = r#"{"name": "=sum", "nb_jobs": 4, "exec_file": "sh task.sh", "resources": "/core=2",
                   "clusters": {"here": {}}}"#;
    sandbox.write("c.json", file);
    sandbox.cigri(&["run", "c.json", "--cores", "2"]).expect(1);
    let usage = sandbox.json(&["usage", "--campaign", "last"]);
    let row = &usage["items"][0];
    assert_eq!((&row["name"], &row["jobs"]["done"], &row["jobs"]["failed"]), (&"=sum".into(), &2.into(), &2.into()));
    let useful = row["core_hours"]["useful"].as_f64().unwrap();
    // Two tasks of two seconds (a cluster tells whole ones) on two cores each; the machine may be busy.
    assert!((8.0 / 3600.0 - 1e-9..0.1).contains(&useful), "{usage}");
    let table = sandbox.cigri(&["usage", "--by", "cluster"]);
    table.expect(0);
    assert!(table.stdout.starts_with("CLUSTER") && table.stdout.contains("\nhere"), "{table}");
    let csv = sandbox.cigri(&["usage", "--csv"]);
    csv.expect(0);
    assert!(csv.stdout.starts_with("user,campaign,name,useful_core_hours,"), "{csv}");
    assert!(csv.stdout.contains(",1,'=sum,"), "{csv}");
    let status = sandbox.cigri(&["status"]);
    assert!(status.stdout.contains("core-hours (") && status.stdout.contains(" useful, "), "{status}");
    let day = &sandbox.json(&["usage", "--by", "day"])["items"][0]["day"];
    let day = day.as_str().unwrap();
    let none = sandbox.cigri(&["usage", "--to", "2020-01-01"]);
    none.expect(0);
    assert!(none.stdout.is_empty() && none.stderr.contains("nothing was had"), "{none}");
    assert_eq!(sandbox.json(&["usage", "--by", "day", "--from", day])["total"], 1);
}

#[test]
fn what_makes_no_sense_is_told() {
    let sandbox = Sandbox::new();
    let wrong = sandbox.cigri(&["usage", "--from", "soon"]);
    wrong.expect(6);
    assert!(wrong.stderr.contains("from: found `soon`, expected a date"), "{wrong}");
    sandbox.cigri(&["usage", "--by", "hour"]).expect(2);
    sandbox.cigri(&["usage", "--grid", "--user", "alice"]).expect(2);
    let grid = sandbox.cigri(&["usage", "--grid"]);
    grid.expect(0);
    assert!(grid.stderr.contains("no cluster was sampled"), "{grid}");
}
