//! Measures what a job costs: tiny jobs through the cluster beside the same processes started by a bare loop.
//!
//! `cargo run --release -p oar-local --example rate [JOBS] [CORES]`. Rates and the CPU time of parent and children
//! come from the same run, in turns, so that a busy machine disturbs both alike.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use oar_local::{Config, LocalCluster, Output};

const ROUNDS: usize = 3;
const ARRAY: usize = 1000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let jobs = arguments.next().transpose()?.unwrap_or(10_000);
    let cores = arguments.next().transpose()?.unwrap_or(2);
    println!("{jobs} x /bin/true, {cores} at once");
    for _ in 0..ROUNDS {
        let floor = measure("posix_spawn and wait", jobs, || bare_loop(jobs, cores))?;
        let plain = measure("oar-local, captured", jobs, || through_cluster("/bin/true", jobs, cores))?;
        let wrapper = "_c(){ export CIGRI_CAMPAIGN_ID=3 CIGRI_TASK_ID=$1 CIGRI_TASK_INDEX=$(($1-1)) \
            CIGRI_ATTEMPT=$2; shift 2; /bin/true \"$@\"; }; _c";
        let wrapped = measure("oar-local, wrapper", jobs, || through_cluster(wrapper, jobs, cores))?;
        println!("  rate: {:.2} and {:.2} of the loop\n", floor / plain, floor / wrapped);
    }
    Ok(())
}

/// Prints what `work` costs; answers its seconds.
fn measure(name: &str, jobs: usize, work: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let (own, children) = (cpu(UsageWho::RUSAGE_SELF)?, cpu(UsageWho::RUSAGE_CHILDREN)?);
    let start = Instant::now();
    work()?;
    let seconds = start.elapsed().as_secs_f64();
    let per_job = |now: i64, before: i64| (now - before) / i64::try_from(jobs).unwrap_or(1);
    let own = per_job(cpu(UsageWho::RUSAGE_SELF)?, own);
    let children = per_job(cpu(UsageWho::RUSAGE_CHILDREN)?, children);
    #[expect(clippy::cast_precision_loss, reason = "a rate for a human")]
    let rate = jobs as f64 / seconds;
    println!("  {name:24} {rate:6.0} /s  {own:4} us of CPU per job here, {children:4} us in the job");
    Ok(seconds)
}

/// Microseconds of CPU.
fn cpu(who: UsageWho) -> Result<i64, Failure> {
    let usage: Usage = getrusage(who)?;
    Ok(usage.user_time().num_microseconds() + usage.system_time().num_microseconds())
}

fn bare_loop(jobs: usize, cores: usize) -> Result<(), Failure> {
    let left = AtomicUsize::new(jobs);
    let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
    let spawn = || -> std::io::Result<()> {
        while take() {
            let mut command = Command::new("/bin/true");
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?.wait()?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(spawn)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or(Ok(())))
    })?;
    Ok(())
}

fn through_cluster(command: &str, jobs: usize, cores: usize) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let cluster = LocalCluster::open(Config {
        state_dir: folder.path().to_owned(),
        cores: u32::try_from(cores)?,
        user: String::new(),
        secret: b"secret".to_vec(),
        output: Output::Captured,
        lenient: true,
        schedule_period: None,
        kill_rate: 0.0,
        seed: Some(1),
        chaos: None,
    })?;
    let token = cluster.issue_token("alice", Duration::from_secs(3600));
    for first in (0..jobs).step_by(ARRAY) {
        let lines: Vec<String> = (first..jobs.min(first + ARRAY)).map(|task| format!("{} 1", task + 1)).collect();
        let body = serde_json::json!({
            "command": command, "param_file": lines.join("\n"), "type": ["besteffort"], "directory": "/",
        });
        let request = http::Request::post("/jobs").header("authorization", format!("Bearer {token}"));
        let response = cluster.respond(request.body(Bytes::from(body.to_string()))?);
        if response.status() != 200 {
            return Err(format!("submission refused: {response:?}").into());
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(until_done(&cluster))
}

async fn until_done(cluster: &LocalCluster) -> Result<(), Failure> {
    let mut changes = cluster.changes();
    loop {
        let response = cluster.respond(http::Request::get("/jobs?limit=0").body(Bytes::new())?);
        let page: serde_json::Value = serde_json::from_slice(response.body())?;
        if page["total"] == 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        changes.changed().await?;
    }
}
