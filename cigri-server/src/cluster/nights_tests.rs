//! Campaigns that know day from night, over two days of virtual time. The cluster has the default calendar; its clock
//! starts on Wednesday 2033-05-18 at 03:33 UTC.

use cigri_core::ask::Ask;
use cigri_core::calendar::Calendar;
use cigri_core::language::{CampaignSpec, JobKind};
use cigri_core::state::{CampaignState, JobState};
use cigri_store::{CampaignRow, JobFilter, Retry};
use oar_local::chaos::Plan;
use oar_local::machine::{Query, State};

use super::virtual_world::VirtualServer;

const HOUR: i64 = 3_600_000;

fn of_kind(kind: JobKind, walltime_s: u64) -> impl FnOnce(&mut CampaignSpec) {
    move |spec| {
        for cluster in spec.clusters.values_mut() {
            (cluster.kind, cluster.walltime_s) = (kind, walltime_s);
        }
    }
}

fn row(server: &VirtualServer, id: i64) -> CampaignRow {
    server.grid.store.campaign(id).unwrap()
}

fn why(server: &VirtualServer, id: i64) -> String {
    server.grid.store.decisions(id).unwrap().remove(0).reason
}

/// Start, stop (0: it runs) and whether it is best-effort of each task that was started there, in epoch seconds.
fn runs(server: &VirtualServer) -> Vec<(i64, i64, bool)> {
    let states = ["Running", "Terminated", "Error"].map(str::to_owned).to_vec();
    let query = Query { states, ..Query::default() };
    let face = server.world.face.lock().unwrap();
    let (_, jobs) = face.cluster().machine().list(&query, 0, usize::MAX);
    let ours = jobs.into_iter().filter(|job| job.batch.command.contains("./sim") && job.start != 0);
    ours.map(|job| (job.start, job.stop, job.batch.types.iter().any(|kind| kind == "besteffort"))).collect()
}

/// Jobs that wait on the cluster, and how many of them may be killed for others.
fn waiting(server: &VirtualServer) -> (usize, usize) {
    let face = server.world.face.lock().unwrap();
    let all = Query::default();
    let (_, jobs) = face.cluster().machine().list(&all, 0, usize::MAX);
    let ours = || jobs.iter().filter(|job| job.state == State::Waiting && job.batch.command.contains("./sim"));
    (ours().count(), ours().filter(|job| job.batch.types.iter().any(|kind| kind == "besteffort")).count())
}

/// Rounds until the virtual clock is at `until`.
async fn rounds_to(server: &mut VirtualServer, until: i64) {
    while server.now() < until {
        server.round(None).await;
    }
}

#[tokio::test]
async fn a_nightly_campaign_never_runs_by_day_and_finishes() {
    let mut server = VirtualServer::new(3, Plan::default());
    let calendar = Calendar::default();
    server.sleep(3 * HOUR);
    let id = server.campaign_with("alice", 800, of_kind(JobKind::Nightly, 600));
    let morning = calendar.night(server.now()).ends;
    rounds_to(&mut server, morning + HOUR).await;
    let noon = row(&server, id);
    assert!(noon.done > 0 && noon.pending > 0, "the night was too short: {noon:?}");
    assert_eq!((noon.live, waiting(&server)), (0, (0, 0)), "what waited was taken back");
    assert_eq!(noon.kills, 0, "and that is no kill");
    assert_eq!(why(&server, id), "nightly: dahu's night begins at 20:00 UTC");
    let evening = calendar.night(server.now()).begins;
    while server.now() < evening - HOUR / 10 {
        server.sleep(HOUR / 12);
        server.round(None).await;
    }
    rounds_to(&mut server, evening + 2 * HOUR).await;
    let next = row(&server, id);
    assert_eq!((next.state, next.done, next.failed), (CampaignState::Finished, 800, 0));
    let runs = runs(&server);
    assert_eq!(runs.len(), 800, "no task was started twice");
    for (start, stop, best_effort) in runs {
        let night = calendar.night(start * 1000);
        assert!(night.begins <= start * 1000 && stop * 1000 <= night.ends && !best_effort, "{start} {stop}");
    }
}

#[tokio::test]
async fn a_nightly_job_that_would_pass_the_morning_waits_for_the_next_night() {
    let mut server = VirtualServer::new(3, Plan::default());
    let id = server.campaign_with("alice", 1, of_kind(JobKind::Nightly, 4 * 3600));
    server.round(None).await;
    assert_eq!(why(&server, id), "nightly: a job of 4 h passes dahu's morning, 07:00 UTC: 3 h 26 min left");
    let next = Calendar::default().night(server.now() + 5 * HOUR).begins;
    rounds_to(&mut server, next + HOUR / 4).await;
    let runs = runs(&server);
    assert!(runs.len() == 1 && runs.iter().all(|(start, ..)| *start * 1000 >= next), "{runs:?}");
}

#[tokio::test]
async fn semi_best_effort_jobs_that_still_wait_in_the_morning_are_sent_again_as_best_effort() {
    let mut server = VirtualServer::new(3, Plan::default());
    server.sleep(3 * HOUR);
    let id = server.campaign_with("alice", 1500, of_kind(JobKind::SemiBestEffort, 600));
    let morning = Calendar::default().night(server.now()).ends;
    rounds_to(&mut server, morning - HOUR / 4).await;
    let (wait, best_effort) = waiting(&server);
    assert!(wait > 0 && best_effort == 0, "by night they are normal jobs: {wait}, {best_effort}");
    rounds_to(&mut server, morning + HOUR / 4).await;
    let (wait, best_effort) = waiting(&server);
    assert!(wait > 0 && best_effort == wait, "by day the cluster may kill them: {wait}, {best_effort}");
    let filter = JobFilter { state: Some(JobState::Killed), limit: 1000, ..JobFilter::default() };
    let killed = server.grid.store.list_jobs(id, &filter).unwrap();
    assert!(killed.iter().any(|job| job.cause.as_deref() == Some("withdrawn")), "{killed:?}");
    assert!(killed.iter().all(|job| job.cause.as_deref() != Some("person_kill")), "no budget was touched");
    // Until the first round of the day what waits may still be started.
    for (start, _, best_effort) in
        runs(&server).into_iter().filter(|(start, ..)| !(0..30).contains(&(start - morning / 1000)))
    {
        assert_eq!(best_effort, start * 1000 >= morning, "job that started at {start}");
    }
}

#[tokio::test]
async fn a_nightly_job_that_is_retried_with_more_time_waits_for_a_night_that_has_it() {
    let mut server = VirtualServer::new(3, Plan::default());
    let id = server.campaign_with("alice", 1, |spec| {
        of_kind(JobKind::Nightly, 600)(spec);
        spec.clusters.values_mut().for_each(|cluster| cluster.exec_file = "./sim fails=0..1".into());
    });
    while row(&server, id).failed == 0 {
        server.round(None).await;
    }
    let retry = Retry { ask: Ask::parse(Some("4:00"), None).unwrap(), ..Retry::default() };
    assert_eq!(server.grid.store.retry(id, &retry, None, server.now()).unwrap().tasks, 1);
    server.round(None).await;
    assert!(why(&server, id).starts_with("nightly: a job of 4 h passes dahu's morning"), "{}", why(&server, id));
    assert_eq!(row(&server, id).live, 0);
}
