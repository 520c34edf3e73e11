//! Other people's normal jobs on a cluster in virtual time, the same with and without a campaign of ours: they do not
//! wait longer for our sake than the scheduler takes to make room.

use oar_local::chaos::Plan;
use oar_local::machine::{Query, Request};

use super::virtual_world::VirtualServer;

/// What the scheduler takes to make room: one second to kill, and five at least between two rounds.
const PREEMPTION_S: f64 = 6.0;
/// Seeds of the traces whose waits are taken together.
const TRACES: std::ops::Range<u64> = 1..7;
const HOUR_MS: i64 = 3_600_000;

/// A normal job: when it comes (milliseconds from the start), cores, and how long it takes (milliseconds).
type Arrival = (i64, u32, i64);

/// A trace that depends on nothing but its seed: busy and quiet hours in turn.
fn trace(seed: u64, hours: i64) -> Vec<Arrival> {
    let mut state = seed;
    let mut draw = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % below) as i64
    };
    let (mut at, mut arrivals) = (0, Vec::new());
    while at < hours * HOUR_MS {
        let is_busy = (at / HOUR_MS) % 2 == 0;
        at += draw(if is_busy { 180_000 } else { 1_200_000 });
        arrivals.push((at, 1 + draw(4) as u32, 30_000 + draw(210_000)));
    }
    arrivals
}

/// Lets the trace pass, and what it left end; returns how long each of its jobs waited, in seconds.
async fn waits(server: &mut VirtualServer, arrivals: &[Arrival]) -> Vec<f64> {
    let start = server.now();
    let end = start + arrivals.last().map_or(0, |(at, ..)| *at) + HOUR_MS;
    let mut left = arrivals.iter().peekable();
    let states = ["Waiting", "Running", "Terminated", "Error"].map(str::to_owned).to_vec();
    while server.now() < end {
        let next = server.now() + 15_000;
        while let Some((at, cores, takes_ms)) = left.next_if(|(at, ..)| start + at <= next) {
            submit(server, start + at, (*cores, *takes_ms));
        }
        server.round(None).await;
    }
    server.change(|cluster, _| {
        let query = Query { user: Some("carol".to_owned()), states, ..Query::default() };
        let (_, jobs) = cluster.machine().list(&query, 0, usize::MAX);
        assert_eq!(jobs.len(), arrivals.len());
        assert!(jobs.iter().all(|job| job.start > 0), "all of them were started");
        jobs.iter().map(|job| (job.start - job.batch.submitted) as f64).collect()
    })
}

fn submit(server: &VirtualServer, at: i64, (cores, takes_ms): (u32, i64)) {
    let request = Request {
        command: format!("other takes_ms={takes_ms}"),
        resource: vec![format!("/core={cores},walltime=1:00:00")],
        ..Request::default()
    };
    server.change(|cluster, _| cluster.change(at, |machine, now| machine.submit(&request, "carol", now)).unwrap());
}

/// Mean and 95th percentile.
fn summary(mut waits: Vec<f64>) -> (f64, f64) {
    waits.sort_by(f64::total_cmp);
    (waits.iter().sum::<f64>() / waits.len() as f64, waits[waits.len() * 95 / 100])
}

/// The waits of the others with a campaign of ours that never ends, and how many of its tasks were done.
async fn with_us(seed: u64, arrivals: &[Arrival]) -> (Vec<f64>, i64) {
    let mut server = VirtualServer::new(seed, Plan::default());
    let ours = server.campaign_with("alice", 100_000, |spec| {
        spec.clusters.values_mut().for_each(|cluster| cluster.exec_file = "./sim takes_ms=150000".into());
    });
    let waits = waits(&mut server, arrivals).await;
    (waits, server.grid.store.campaign(ours).unwrap().done)
}

#[tokio::test]
async fn normal_jobs_do_not_wait_for_us() {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    // Where in a scheduler's period a job falls moves its wait by up to a minute: one trace says little of the longest.
    for seed in TRACES {
        let arrivals = trace(seed, 4);
        alone.extend(waits(&mut VirtualServer::new(seed, Plan::default()), &arrivals).await);
        let (found, done) = with_us(seed, &arrivals).await;
        assert!(done > 200, "the idle cores were used: {done}");
        beside.extend(found);
    }
    let ((mean, p95), (our_mean, our_p95)) = (summary(alone), summary(beside));
    assert!(our_mean - mean <= PREEMPTION_S, "mean wait {mean:.1} s without us, {our_mean:.1} s with us");
    assert!(our_p95 - p95 <= PREEMPTION_S, "p95 of the waits {p95:.1} s without us, {our_p95:.1} s with us");
}

#[tokio::test]
async fn the_same_trace_gives_the_same_waits() {
    let arrivals = trace(3, 1);
    assert_eq!(with_us(3, &arrivals).await, with_us(3, &arrivals).await);
}
