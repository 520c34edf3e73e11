//! The example of the README: the sweep runs as told there, and its table is physics.

use std::f64::consts::PI;
use std::path::Path;
use std::process::Command;

use crate::sandbox::{Sandbox, repository};

#[test]
fn the_sweep_gives_one_right_table() {
    let sandbox = copied();
    let run = sandbox.cigri(&["run", "sweep/campaign.json"]);
    run.expect(0);
    assert!(run.stdout.contains("200 of 200 tasks done"), "{run}");

    let table = gather(&sandbox);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 201);
    assert_eq!(lines[0], "angle,damping,period,energy_left");
    let parameters = std::fs::read_to_string(sandbox.path("sweep/parameters.txt")).unwrap();
    for (line, parameter) in lines[1..].iter().zip(parameters.lines()) {
        let (angle, damping) = parameter.split_once(' ').unwrap();
        let values: Vec<f64> = line.split(',').map(|value| value.parse().unwrap()).collect();
        assert!(line.starts_with(&format!("{angle},{damping},")), "{line}");
        if damping == "0.00" {
            assert!((values[2] - exact_period(values[0])).abs() < 1e-5, "{line}");
            assert!((values[3] - 1.0).abs() < 1e-5, "energy is kept: {line}");
        } else {
            assert!(values[3] < 1.0, "energy is lost: {line}");
        }
    }
    assert_eq!(gather(&sandbox), table, "gathering again changes nothing");
}

#[test]
fn the_table_is_the_same_when_attempts_are_killed() {
    let (calm, killed) = (copied(), copied());
    calm.cigri(&["run", "sweep/campaign.json", "-q"]).expect(0);
    killed.cigri(&["run", "sweep/campaign.json", "-q", "--kill-rate", "0.3", "--seed", "7"]).expect(0);
    assert_eq!(gather(&calm), gather(&killed));
}

fn copied() -> Sandbox {
    let sandbox = Sandbox::new();
    let target = sandbox.path("sweep");
    std::fs::create_dir(&target).unwrap();
    for name in ["campaign.json", "parameters.txt", "swing.sh", "gather.sh"] {
        std::fs::copy(repository().join("examples/sweep").join(name), target.join(name)).unwrap();
    }
    sandbox
}

fn gather(sandbox: &Sandbox) -> String {
    let script: &Path = &sandbox.path("sweep/gather.sh");
    let output = Command::new("sh").arg(script).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    std::fs::read_to_string(sandbox.path("sweep/sweep.csv")).unwrap()
}

/// Time of a full swing without damping: 2π over the arithmetic-geometric mean of 1 and cos(angle / 2).
fn exact_period(angle: f64) -> f64 {
    let (mut a, mut b) = (1.0_f64, (angle / 2.0).cos());
    while (a - b).abs() > 1e-14 {
        (a, b) = ((a + b) / 2.0, (a * b).sqrt());
    }
    2.0 * PI / a
}
