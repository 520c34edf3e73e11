//! Accounts, samples of clusters, and the care of tokens, on every database.

use cigri_core::event::{Code, NewEvent, Scope, Severity};
use cigri_core::language::{CampaignSpec, Escalation, Step};
use cigri_core::state::{JobState, Role};
use cigri_core::token::Renewal;
use cigri_core::usage::{Account, By, DAY_MS, GridUsage};
use cigri_store::{
    AccountFilter, AccountRow, AccountSum, GridUsageRow, JobEnd, LiveJob, NewCampaign, SampleFilter, Store, TokenRow,
};

use super::databases::Fresh;
use super::fixture::*;

/// An open campaign of so many tasks, each on three cores.
fn three_cores(store: &Store, clusters: &[&str], tasks: i64) -> i64 {
    let mut spec = spec(clusters);
    spec.clusters.values_mut().for_each(|cluster| cluster.resources = "/nodes=1/core=3".into());
    open(store, "alice", &spec, tasks)
}

fn open(store: &Store, owner: &str, spec: &CampaignSpec, tasks: i64) -> i64 {
    let id = store.begin_campaign(&NewCampaign { owner, spec, jdl: "{}", origin: None }, 1000).unwrap();
    store.open_campaign(id, tasks, true).unwrap();
    id
}

fn lasted(job: &LiveJob, state: JobState, (from, to): (i64, i64)) -> JobEnd {
    JobEnd { started_at: Some(from), stopped_at: Some(to), ..end(job, state) }
}

fn all(store: &Store) -> Vec<AccountRow> {
    store.accounts(&AccountFilter::default()).unwrap()
}

pub(super) fn every_attempt_is_charged_on_the_day_it_ended(database: &Fresh) {
    let store = database.store();
    let id = three_cores(&store, &["dahu"], 3);
    let submission = submit(&store, id, "dahu", 3);
    let live = store.live_jobs(submission.id).unwrap();
    let ends = [
        lasted(&live[0], JobState::Done, (4000, 9000)),
        lasted(&live[1], JobState::Killed, (4000, 6000)),
        lasted(&live[2], JobState::Failed, (DAY_MS - 1000, DAY_MS + 1000)),
    ];
    store.record_look(&submission, &look(0, 3, &[], &ends), 9000).unwrap();
    let again = submit(&store, id, "dahu", 1);
    let live = store.live_jobs(again.id).unwrap();
    let ends = [lasted(&live[0], JobState::Done, (10_000, 11_000))];
    store.record_look(&again, &look(0, 1, &[], &ends), 12_000).unwrap();
    let first = Account { useful_ms: 15_000 + 3000, lost_ms: 6000, done: 2, killed: 1, ..Account::default() };
    let second = Account { failed_ms: 6000, failed: 1, ..Account::default() };
    let row =
        |day, account| AccountRow { campaign_id: id, owner: "alice".into(), cluster: "dahu".into(), day, account };
    assert_eq!(all(&store), [row(0, first), row(1, second)], "the killed attempt stays when its task is done");
}

pub(super) fn what_ended_without_a_verdict_of_its_program_is_lost(database: &Fresh) {
    let store = database.store();
    let id = three_cores(&store, &["dahu"], 4);
    let submission = submit(&store, id, "dahu", 4);
    let live = store.live_jobs(submission.id).unwrap();
    store.record_look(&submission, &look(2, 0, &[live[0].id, live[3].id], &[]), 4000).unwrap();
    let live = store.live_jobs(submission.id).unwrap();
    let unknown = |job: &LiveJob, state| JobEnd { started_at: None, stopped_at: Some(9000), ..end(job, state) };
    let ends = [
        unknown(&live[0], JobState::Killed),
        JobEnd { cause: "withdrawn".into(), killed: false, ..lasted(&live[1], JobState::Killed, (1, 9000)) },
        unknown(&live[2], JobState::Done),
        JobEnd { killed: false, cause: "asked_retry".into(), ..unknown(&live[3], JobState::Killed) },
    ];
    store.record_look(&submission, &look(0, 4, &[], &ends), 9000).unwrap();
    let expected =
        Account { lost_ms: 15_000, killed: 1, failed_ms: 15_000, failed: 1, done: 1, untimed: 1, ..Account::default() };
    assert_eq!(all(&store)[0].account, expected, "from when it was seen; what never began is not there");
}

pub(super) fn steps_and_samples_count_for_what_they_ask_for(database: &Fresh) {
    let store = database.store();
    let mut spec = spec(&["dahu"]);
    let dahu = spec.clusters.get_mut("dahu").unwrap();
    dahu.prologue = Some(Step { script: "true".into(), walltime_s: 60, resources: "/nodes=2".into() });
    let id = open(&store, "alice", &spec, 2);
    let new = cigri_store::NewSubmission { role: Role::Prologue, ..new_submission(id, "dahu", 1) };
    let (row, _) = store.intend(&new, |id| format!("cigri.test.{id}"), 2000).unwrap().unwrap();
    let step = adopt(&store, &row);
    finish(&store, &step, &[JobState::Done]);
    let expected = Account { useful_ms: 2000, done: 1, guessed: 1, ..Account::default() };
    assert_eq!(all(&store).iter().map(|row| row.account).collect::<Vec<_>>(), [expected], "two nodes, of any size");
    let new = cigri_store::NewSubmission { role: Role::Test, ..new_submission(id, "dahu", 1) };
    let sample = store.intend(&new, |id| format!("cigri.test.{id}"), 2000).unwrap();
    if let Some((row, _)) = sample {
        finish(&store, &adopt(&store, &row), &[JobState::Done]);
        assert_eq!(all(&store)[0].account.useful_ms, 3000);
    }
}

pub(super) fn tasks_of_a_group_are_charged_for_their_part(database: &Fresh) {
    let store = database.store();
    let mut spec = spec(&["dahu"]);
    let dahu = spec.clusters.get_mut("dahu").unwrap();
    (dahu.resources, dahu.grouping.side_by_side) = ("/core=2".into(), 2);
    let id = open(&store, "alice", &spec, 2);
    let (submission, _) = intend_group(&store, id, (1, 2));
    let submission = adopt(&store, &submission);
    let live = store.live_jobs(submission.id).unwrap();
    let never = JobEnd { cause: "not_started".into(), killed: false, ..end(&live[1], JobState::Killed) };
    let ends = [lasted(&live[0], JobState::Done, (1000, 6000)), never];
    store.record_look(&submission, &look(0, 1, &[], &ends), 9000).unwrap();
    let expected = Account { useful_ms: 10_000, done: 1, ..Account::default() };
    assert_eq!(all(&store)[0].account, expected, "half of the job's four cores");
}

pub(super) fn tasks_of_a_group_that_succeeded_share_the_time_of_their_remote_job(database: &Fresh) {
    let store = database.store();
    let mut spec = spec(&["dahu"]);
    let dahu = spec.clusters.get_mut("dahu").unwrap();
    (dahu.resources, dahu.grouping.side_by_side, dahu.walltime_s) = ("/core=2".into(), 2, 1);
    let id = open(&store, "alice", &spec, 16);
    let end_all = |change: &dyn Fn(&LiveJob) -> JobEnd| {
        let submission = adopt(&store, &intend_group(&store, id, (2, 4)).0);
        let live = store.live_jobs(submission.id).unwrap();
        let seen: Vec<i64> = live.iter().map(|job| job.id).collect();
        store.record_look(&submission, &look(2, 0, &seen, &[]), 4000).unwrap();
        let ends: Vec<JobEnd> = store.live_jobs(submission.id).unwrap().iter().map(change).collect();
        store.record_look(&submission, &look(0, 2, &[], &ends), 9000).unwrap();
        all(&store)[0].account.useful_ms
    };
    // Remote jobs that lasted as long as each other are told apart.
    let told = end_all(&|job| lasted(job, JobState::Done, (1000, 5000)));
    assert_eq!(told, 2 * 4000 * 4, "two remote jobs of four cores");
    let unseen = |job: &LiveJob| JobEnd { started_at: None, stopped_at: Some(9000), ..end(job, JobState::Done) };
    assert_eq!(end_all(&unseen) - told, 2 * 2000 * 4, "no longer than the walltime of the remote job: two in turn");
}

pub(super) fn jobs_are_charged_for_what_they_asked_for_themselves(database: &Fresh) {
    let store = database.store();
    let mut spec = spec(&["dahu"]);
    spec.clusters.get_mut("dahu").unwrap().escalate =
        Some(Escalation { walltime: 2.0, most: 2, resources: vec!["/core=1".into(), "/core=4".into()] });
    let id = open(&store, "alice", &spec, 1);
    let attempt = |level: u32| {
        let sender = cigri_store::Sender { id, open_elsewhere: Vec::new(), levels: vec![1] };
        let mut asked = store.asked_next("dahu", &[sender], i64::MAX).unwrap().remove(&id).unwrap_or_default();
        let asked = asked.remove(&level);
        let level = cigri_store::Raised { level, longest_s: None };
        let new = cigri_store::NewSubmission { asked: asked.as_ref(), level, ..new_submission(id, "dahu", 1) };
        let row = store.intend(&new, |id| format!("cigri.test.{id}"), 2000).unwrap().unwrap().0;
        let row = adopt(&store, &row);
        let first = store.live_jobs(row.id).unwrap()[0].id;
        store.record_look(&row, &look(0, 0, &[first], &[]), 4000).unwrap();
        (row.clone(), store.live_jobs(row.id).unwrap().remove(0), store.cores_running("dahu").unwrap().unwrap())
    };
    let (row, job, cores) = attempt(0);
    let back = Some(cigri_store::Return { level: 1, ..Default::default() });
    let killed = JobEnd { back, ..lasted(&job, JobState::Killed, (4000, 5000)) };
    store.record_look(&row, &look(0, 1, &[], &[killed]), 6000).unwrap();
    assert_eq!((cores, all(&store)[0].account.lost_ms), (1, 1000));
    let (row, job, cores) = attempt(1);
    store.record_look(&row, &look(0, 1, &[], &[lasted(&job, JobState::Failed, (6000, 7000))]), 8000).unwrap();
    assert_eq!((cores, all(&store)[0].account.failed_ms), (4, 4000), "raised");
    let ask = cigri_core::ask::Ask { time: None, resources: Some("/core=8".into()) };
    store.retry(id, &cigri_store::Retry { ask, ..Default::default() }, None, 9000).unwrap();
    let (row, job, cores) = attempt(0);
    store.record_look(&row, &look(0, 1, &[], &[lasted(&job, JobState::Done, (9000, 10_000))]), 11_000).unwrap();
    assert_eq!((cores, all(&store)[0].account.useful_ms), (8, 8000), "as its user asked in place of the file");
}

pub(super) fn a_reset_that_lost_our_jobs_lost_their_time(database: &Fresh) {
    let store = database.store();
    store.put_cluster(&cluster("dahu")).unwrap();
    let id = three_cores(&store, &["dahu"], 2);
    let submission = submit(&store, id, "dahu", 2);
    let first = store.live_jobs(submission.id).unwrap()[0].id;
    store.record_look(&submission, &look(1, 0, &[first], &[]), 4000).unwrap();
    let hold = NewEvent::hold(Scope::cluster("dahu"), Code::ClusterReset, "ids are given out twice");
    store.open_events(&[hold], 5000).unwrap();
    store.accept_reset("dahu", true, 6000).unwrap();
    let expected = Account { lost_ms: 6000, killed: 1, ..Account::default() };
    assert_eq!(all(&store)[0].account, expected, "the one that ran");
}

pub(super) fn accounts_are_read_by_owner_campaign_cluster_and_day(database: &Fresh) {
    let store = database.store();
    let both = spec(&["dahu", "luke"]);
    let (one, other) = (open(&store, "alice", &both, 9), open(&store, "bob", &both, 9));
    for (id, cluster, day) in [(one, "dahu", 0), (one, "luke", 1), (other, "dahu", 2)] {
        let submission = submit(&store, id, cluster, 1);
        let live = store.live_jobs(submission.id).unwrap();
        let at = day * DAY_MS + 5000;
        store
            .record_look(&submission, &look(0, 1, &[], &[lasted(&live[0], JobState::Done, (at - 1000, at))]), at)
            .unwrap();
    }
    let read = |filter: AccountFilter| -> Vec<(i64, String, i64)> {
        let rows = store.accounts(&filter).unwrap().into_iter();
        rows.map(|row| (row.campaign_id, row.cluster, row.day)).collect()
    };
    let any = AccountFilter::default;
    let (first, second, third) =
        ((one, "dahu".to_owned(), 0), (one, "luke".to_owned(), 1), (other, "dahu".to_owned(), 2));
    assert_eq!(read(any()), [first.clone(), second.clone(), third.clone()]);
    assert_eq!(read(AccountFilter { owner: Some("bob".into()), ..any() }), std::slice::from_ref(&third));
    assert_eq!(
        read(AccountFilter { campaign: Some(one), cluster: Some("luke".into()), ..any() }),
        std::slice::from_ref(&second)
    );
    assert_eq!(read(AccountFilter { from: Some(1), to: Some(1), ..any() }), [second]);
    assert_eq!(read(AccountFilter { cluster: Some("dahu".into()), to: Some(1), ..any() }), [first]);
    assert_eq!(read(AccountFilter { owner: Some("al' OR '1'='1".into()), ..any() }), []);
}

fn sample(cluster: &str, at: i64, used: i64) -> GridUsageRow {
    GridUsageRow { cluster: cluster.into(), at, usage: GridUsage { total: 8, used, ours: 1, unavailable: 2 } }
}

fn between(from: i64, to: i64) -> SampleFilter {
    SampleFilter { from, to, ..SampleFilter::default() }
}

pub(super) fn samples_are_read_by_cluster_and_as_means(database: &Fresh) {
    let store = database.store();
    for (cluster, at, used) in [("luke", 300, 1), ("dahu", 300, 2), ("dahu", 600, 3), ("dahu", 1200, 7)] {
        store.keep_sample(&sample(cluster, at, used)).unwrap();
    }
    let of = |cluster: &str, step_ms| SampleFilter { cluster: Some(cluster.into()), step_ms, ..between(0, 9000) };
    assert_eq!(store.samples(&of("luke", 0), 1).unwrap(), [sample("luke", 300, 1)], "others fill no answer");
    assert_eq!(store.samples(&of("dahu", 1000), 9).unwrap(), [sample("dahu", 0, 3), sample("dahu", 1000, 7)]);
    let all = SampleFilter { step_ms: 1000, ..between(0, 9000) };
    assert_eq!(store.samples(&all, 2).unwrap(), [sample("dahu", 0, 3), sample("luke", 0, 1)]);
    assert_eq!(store.last_samples(Some("luke")).unwrap(), [sample("luke", 300, 1)]);
}

pub(super) fn accounts_are_added_up_by_what_is_asked(database: &Fresh) {
    let store = database.store();
    let both = spec(&["dahu", "luke"]);
    let (one, other) = (open(&store, "alice", &both, 9), open(&store, "bob", &both, 9));
    for (id, cluster, day) in [(one, "dahu", 0), (one, "luke", 1), (other, "dahu", 1)] {
        let submission = submit(&store, id, cluster, 1);
        let live = store.live_jobs(submission.id).unwrap();
        let at = day * DAY_MS + 5000;
        let ends = [lasted(&live[0], JobState::Done, (at - 1000, at))];
        store.record_look(&submission, &look(0, 1, &[], &ends), at).unwrap();
    }
    let sums = |by: By, filter: AccountFilter| -> Vec<(String, i64, i64)> {
        let told = |sum: AccountSum| {
            let key = match by {
                By::User => sum.owner,
                By::Campaign => sum.campaign.zip(sum.owner).map(|(id, owner)| format!("{id} {owner}")),
                By::Cluster => sum.cluster,
                By::Day => sum.day.map(|day| day.to_string()),
            };
            (key.unwrap(), sum.account.useful_ms, sum.account.done)
        };
        store.account_sums(&filter, by).unwrap().into_iter().map(told).collect()
    };
    let any = AccountFilter::default;
    let row = |key: &str, jobs: i64| (key.to_owned(), jobs * 1000, jobs);
    assert_eq!(sums(By::User, any()), [row("alice", 2), row("bob", 1)]);
    assert_eq!(sums(By::Campaign, any()), [row(&format!("{one} alice"), 2), row(&format!("{other} bob"), 1)]);
    assert_eq!(sums(By::Cluster, any()), [row("dahu", 2), row("luke", 1)]);
    assert_eq!(sums(By::Day, any()), [row("0", 1), row("1", 2)]);
    assert_eq!(sums(By::Day, AccountFilter { owner: Some("alice".into()), to: Some(0), ..any() }), [row("0", 1)]);
    assert_eq!(sums(By::User, AccountFilter { cluster: Some("yeti".into()), ..any() }), []);
}

pub(super) fn samples_are_kept_once_read_in_order_and_pruned(database: &Fresh) {
    let store = database.store();
    assert_eq!(store.last_samples(None).unwrap(), []);
    for (cluster, at, used) in [("luke", 300, 1), ("dahu", 300, 2), ("dahu", 600, 3), ("dahu", 600, 9)] {
        store.keep_sample(&sample(cluster, at, used)).unwrap();
    }
    let (first, second, third) = (sample("dahu", 300, 2), sample("luke", 300, 1), sample("dahu", 600, 3));
    assert_eq!(store.samples(&between(0, 600), 9).unwrap(), [first.clone(), second.clone(), third.clone()]);
    assert_eq!(store.samples(&between(301, 600), 9).unwrap(), std::slice::from_ref(&third));
    assert_eq!(store.samples(&between(0, 600), 1).unwrap(), [first]);
    assert_eq!(store.last_samples(None).unwrap(), [second.clone(), third.clone()]);
    assert_eq!((store.prune_samples("dahu", 600).unwrap(), store.prune_samples("dahu", 600).unwrap()), (1, 0));
    assert_eq!(store.samples(&between(0, 600), 9).unwrap(), [second, third], "those of others stay");
}

pub(super) fn our_running_cores_are_counted_by_remote_job(database: &Fresh) {
    let store = database.store();
    assert_eq!(store.cores_running("dahu").unwrap(), None);
    let id = three_cores(&store, &["dahu", "luke"], 9);
    let submission = submit(&store, id, "dahu", 3);
    assert_eq!(store.cores_running("dahu").unwrap(), Some(0), "they wait");
    let started: Vec<i64> = store.live_jobs(submission.id).unwrap()[..2].iter().map(|job| job.id).collect();
    store.record_look(&submission, &look(1, 0, &started, &[]), 4000).unwrap();
    assert_eq!((store.cores_running("dahu").unwrap(), store.cores_running("luke").unwrap()), (Some(6), None));
    let mut spec = spec(&["luke"]);
    spec.clusters.get_mut("luke").unwrap().grouping.side_by_side = 2;
    let grouped = open(&store, "bob", &spec, 4);
    let group = Some(cigri_store::NewGroup { jobs: 1, tasks: 4, results: cigri_core::group::Place::Here });
    let new = cigri_store::NewSubmission { group, ..new_submission(grouped, "luke", 4) };
    let (row, _) = store.intend(&new, |id| format!("cigri.test.{id}"), 2000).unwrap().unwrap();
    let row = adopt(&store, &row);
    let started: Vec<i64> = store.live_jobs(row.id).unwrap().iter().map(|job| job.id).collect();
    assert_eq!(started.len(), 4);
    store.record_look(&row, &look(0, 0, &started, &[]), 4000).unwrap();
    assert_eq!(store.cores_running("luke").unwrap(), Some(2), "four tasks, two side by side");
}

fn token(secret: &[u8]) -> TokenRow {
    TokenRow {
        owner: "alice".into(),
        cluster: "dahu".into(),
        login: "al".into(),
        secret: secret.to_vec(),
        expires_at: Some(9),
        issued_at: Some(1),
        renewal: Renewal::Needed,
        renewed_at: None,
    }
}

fn expires() -> NewEvent {
    NewEvent::note(Scope::user_on("alice", "dahu"), Code::TokenExpires, "in 14 days")
}

pub(super) fn a_renewed_token_replaces_only_the_one_it_was_made_of(database: &Fresh) {
    let store = database.store();
    let (old, new) = (token(b"old"), TokenRow { expires_at: Some(90), issued_at: Some(8), ..token(b"new") });
    store.put_token(&old).unwrap();
    assert!(store.set_renewal("alice", "dahu", Renewal::Always).unwrap());
    assert!(!store.set_renewal("bob", "dahu", Renewal::Always).unwrap());
    store.open_event_as(&expires(), Severity::Medium, 7000).unwrap();
    assert!(store.renew_token(&old, &new, 8000).unwrap());
    let expected = TokenRow { renewal: Renewal::Always, renewed_at: Some(8), ..new.clone() };
    assert_eq!(store.list_tokens("alice").unwrap(), std::slice::from_ref(&expected), "its user's wish stays");
    assert_eq!(store.open_of_code(Code::TokenExpires, "dahu").unwrap(), []);
    assert!(!store.renew_token(&old, &token(b"late"), 9000).unwrap());
    assert_eq!(store.list_tokens("alice").unwrap(), [expected]);
}

pub(super) fn who_has_work_on_a_cluster_is_known(database: &Fresh) {
    let store = database.store();
    let (one, both) = (spec(&["dahu"]), spec(&["dahu", "luke"]));
    open(&store, "alice", &both, 2);
    open(&store, "alice", &one, 2);
    let cancelled = open(&store, "bob", &one, 2);
    let paused = open(&store, "carol", &one, 2);
    store.pause_campaign(paused).unwrap();
    let submission = submit(&store, cancelled, "dahu", 1);
    store.cancel_campaign(cancelled, 3000).unwrap();
    assert_eq!(store.users_with_work("dahu").unwrap(), ["alice", "bob", "carol"], "a job still lives");
    finish(&store, &submission, &[JobState::Cancelled]);
    assert_eq!(store.users_with_work("dahu").unwrap(), ["alice", "carol"]);
    assert_eq!(store.users_with_work("luke").unwrap(), ["alice"]);
    assert_eq!(store.users_with_work("yeti").unwrap(), Vec::<String>::new());
}

pub(super) fn a_warning_counts_and_grows_more_urgent(database: &Fresh) {
    let store = database.store();
    store.open_event_as(&expires(), Severity::Medium, 7000).unwrap();
    store.open_event_as(&expires(), Severity::High, 8000).unwrap();
    let events = store.open_of_code(Code::TokenExpires, "dahu").unwrap();
    let told: Vec<_> = events.iter().map(|event| (event.severity.as_str(), event.occurrences, event.last_at)).collect();
    assert_eq!(told, [("high", 2, 8000)]);
    assert_eq!(store.open_of_code(Code::TokenExpires, "luke").unwrap(), []);
}
