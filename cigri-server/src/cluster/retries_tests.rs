//! What becomes of tasks that fail, through a real `oar-local`: delays, levels of escalation, bounds, and what nobody has
//! heard of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cigri_core::failure::Class;
use cigri_core::language::{CampaignSpec, Escalation, MaxFailures};
use cigri_core::meter::law::{AdaptiveSettings, LawSettings};
use cigri_core::policy::Wanted;
use cigri_store::{CampaignRow, JobFilter, JobRow, NewCampaign};
use futures_util::future::BoxFuture;
use oar_client::{JobQuery, Transport, TransportError};

use super::Memory;
use super::tests::{Bed, over};
use crate::clock::now_ms;
use crate::grid::InProcess;

const LICENCE: &str = "echo 'License checkout failed: no server' >&2; exit 1";

fn attempts(bed: &Bed, id: i64, task: i64) -> Vec<JobRow> {
    let filter = JobFilter { task_index: Some(task), limit: 20, ..JobFilter::default() };
    let mut jobs = bed.grid.store.list_jobs(id, &filter).unwrap();
    jobs.sort_by_key(|job| job.attempt);
    jobs
}

/// The walltime that the job of a remote id asked for, seconds.
async fn walltime_s(bed: &Bed, remote_id: Option<i64>) -> Option<i64> {
    let ids = vec![remote_id? as u64];
    let client = &bed.grid.cluster("dahu").unwrap().client;
    client.details(&JobQuery { ids, ..JobQuery::default() }).await.unwrap().first()?.walltime
}

fn all_wait(row: &CampaignRow) -> bool {
    row.live == 0 && row.pending == row.task_count
}

#[tokio::test]
async fn a_task_that_ran_into_its_walltime_asks_for_more_on_the_next_attempt() {
    let bed = Bed::new(&[]);
    let script = "case $CIGRI_TASK_INDEX.$CIGRI_ATTEMPT in 0.1) sleep 600 ;; esac; exit 0";
    let id = bed.campaign_with(script, 3, |spec| {
        spec.walltime_s = 5;
        spec.escalate = Some(Escalation { walltime: 10.0, resources: Vec::new(), most: 2 });
    });
    let row = bed.step_until(id, over).await;
    assert_eq!((row.done, row.failed), (3, 0));
    let jobs = attempts(&bed, id, 0);
    let causes: Vec<_> = jobs.iter().map(|job| job.cause.as_deref()).collect();
    assert_eq!(causes, [Some("walltime"), Some("success")]);
    assert_eq!(walltime_s(&bed, jobs[0].remote_id).await, Some(5));
    assert_eq!(walltime_s(&bed, jobs[1].remote_id).await, Some(50));
    assert_eq!(attempts(&bed, id, 1).len(), 1, "the others are not concerned");
}

#[tokio::test]
async fn a_licence_is_waited_for_and_that_is_told() {
    let bed = Bed::new(&[]);
    let id = bed.campaign_with(&format!("case $CIGRI_ATTEMPT in 1) {LICENCE} ;; esac"), 1, |_| ());
    bed.step_until(id, all_wait).await;
    bed.step(&mut Memory::new()).await.unwrap();
    let decision = bed.grid.store.decisions(id).unwrap().remove(0);
    assert!(decision.reason.starts_with("1 task waits for its next try, at "), "{}", decision.reason);
    let view = bed.grid.store.round_view_at("dahu", now_ms()).unwrap();
    let wait_ms = view.campaigns[0].delayed.first_at.unwrap() - now_ms();
    assert!((180_000..=360_000).contains(&wait_ms), "five minutes, more or less: {wait_ms}");
    bed.step_at(now_ms() + 370_000, &mut Memory::new()).await.unwrap();
    assert_eq!(bed.step_until(id, over).await.done, 1);
    assert!(attempts(&bed, id, 0)[0].detail.as_deref().unwrap().contains("License checkout failed"));
}

#[tokio::test]
async fn what_is_not_read_of_many_failures_is_taken_for_what_the_others_are() {
    let bed = Bed::new(&[]);
    let mut row = bed.grid.local_row("dahu".into());
    row.limits.law = LawSettings::Adaptive(AdaptiveSettings { initial: 100, ahead: 10.0, round_s: 0.0, patience: 0 });
    let cluster = Arc::clone(&bed.grid.local.as_ref().unwrap().cluster);
    bed.grid.add_with(row, Arc::new(InProcess(cluster))).unwrap();
    let id = bed.campaign_with(&format!("until [ -e go ]; do sleep 0.02; done; {LICENCE}"), 70, |_| ());
    bed.step_until(id, |row| row.live == 70).await;
    std::fs::write(bed.folder.path().join("go"), "").unwrap();
    let client = &bed.grid.cluster("dahu").unwrap().client;
    let ended = JobQuery { states: vec![oar_client::State::Terminated], ..JobQuery::default() };
    let deadline = Instant::now() + Duration::from_secs(60);
    while client.count(&ended).await.unwrap() < 70 {
        assert!(Instant::now() < deadline, "the jobs don't end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bed.step(&mut Memory::new()).await.unwrap();
    let row = bed.grid.store.campaign(id).unwrap();
    assert_eq!((row.live, row.pending, row.failed), (0, 70, 0), "all of them wait for a licence, after one look");
}

#[tokio::test]
async fn retries_of_a_campaigns_own_are_made_and_no_more() {
    let bed = Bed::new(&[]);
    let id = bed.campaign_with("exit 3", 2, |spec| {
        spec.retries = [(Class::Exit, Wanted { most: Some(2), ..Wanted::default() })].into();
    });
    let row = bed.step_until(id, over).await;
    assert_eq!((row.done, row.failed), (0, 2));
    assert_eq!([attempts(&bed, id, 0).len(), attempts(&bed, id, 1).len()], [3, 3]);
    let last = attempts(&bed, id, 0).pop().unwrap().detail.unwrap();
    assert!(last.contains("tried 3 times"), "{last}");
}

#[tokio::test]
async fn a_campaign_in_which_too_much_fails_stops_until_it_is_resumed() {
    let bed = Bed::new(&[]);
    let id = bed.campaign_with("exit 1", 1, |_| ());
    bed.step_until(id, over).await;
    let mut spec: CampaignSpec = bed.grid.store.campaign(id).unwrap().spec.as_ref().clone();
    spec.max_failures = Some(MaxFailures::Tasks(5));
    spec.clusters.get_mut("dahu").unwrap().max_jobs = Some(4);
    let new = NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None };
    let id = bed.grid.store.begin_campaign(&new, now_ms()).unwrap();
    bed.grid.store.open_campaign(id, 1000, true).unwrap();
    let held = |row: &CampaignRow| row.live == 0 && bed.grid.store.shares(row).unwrap()["dahu"].hold.is_some();
    let row = bed.step_until(id, held).await;
    assert!((6..=9).contains(&row.failed), "{} failed", row.failed);
    bed.step(&mut Memory::new()).await.unwrap();
    let decision = bed.grid.store.decisions(id).unwrap().remove(0);
    assert!(decision.reason.contains("max_failures"), "{}", decision.reason);
    bed.grid.store.resume_campaign(id, now_ms()).unwrap();
    let more = bed.step_until(id, held).await;
    assert!((6..=9).contains(&(more.failed - row.failed)), "counted anew: {} failed", more.failed);
}

/// Tells of walltimes under a type of event that no OAR has.
struct Strange(InProcess);

impl Transport for Strange {
    fn send(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let answer = self.0.send(request, timeout).await?;
            Ok(answer.map(|body| String::from_utf8_lossy(&body).replace("\"WALLTIME\"", "\"QUANTUM_FLIP\"").into()))
        })
    }
}

#[tokio::test]
async fn an_event_never_seen_before_is_kept_word_for_word_retried_once_and_told() {
    let bed = Bed::new(&[]);
    let cluster = Arc::clone(&bed.grid.local.as_ref().unwrap().cluster);
    bed.grid.add_with(bed.grid.local_row("dahu".into()), Arc::new(Strange(InProcess(cluster)))).unwrap();
    // A local job that was sent a kill signal was interrupted by its owner, unless its cluster says otherwise.
    let id = bed.campaign_with("sleep 600", 1, |spec| spec.walltime_s = 1);
    let row = bed.step_until(id, over).await;
    assert_eq!((row.done, row.failed), (0, 1));
    let jobs = attempts(&bed, id, 0);
    assert_eq!(jobs.len(), 2, "{jobs:?}");
    for job in &jobs {
        assert_eq!(job.cause.as_deref(), Some("unrecognised"));
        assert!(job.detail.as_deref().unwrap().contains("QUANTUM_FLIP"), "{job:?}");
    }
    let events = bed.grid.store.campaign_events(id, &["dahu".to_owned()], true).unwrap();
    let told: Vec<_> = events.iter().filter(|event| event.code == "UNKNOWN_ERROR").collect();
    assert_eq!((told.len(), told[0].occurrences), (1, 2), "one event that counts");
    assert!(told[0].message.contains("QUANTUM_FLIP"));
}

#[tokio::test]
async fn a_standard_error_of_a_gigabyte_costs_its_last_lines() {
    let bed = Bed::new(&[]);
    // A hole: nothing is written to the disk.
    let script = "truncate -s 1G /dev/stderr; printf '\\nfatal: \\377 alpha is wrong\\n' >> /dev/stderr; exit 4";
    let id = bed.campaign_with(script, 1, |_| ());
    let row = bed.step_until(id, over).await;
    assert_eq!(row.failed, 1);
    let detail = attempts(&bed, id, 0)[0].detail.clone().unwrap();
    assert!(detail.chars().count() < 3000, "bounded");
    assert!(detail.contains("code 4"), "{detail}");
}
