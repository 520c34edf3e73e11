//! The plan of one round on one cluster: which campaigns may send how many jobs, and every refusal's reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::meter::law::Key;
use crate::meter::{Allowance, Bound, ClusterLimits, Metering, Mode, Reason};
use crate::state::Role;
use crate::turn::Turn;

/// The cluster as the round sees it. Counts come from the ledger, never from a listing alone.
#[derive(Debug, Clone)]
pub struct ClusterView<'a> {
    /// Epoch milliseconds.
    pub now: i64,
    /// Limits set by the admin.
    pub limits: &'a ClusterLimits,
    /// What its meter remembers.
    pub metering: &'a Metering,
    /// Our jobs launching, in doubt, held or waiting there.
    pub waiting: u64,
    /// Our live jobs there, waiting ones included.
    pub live: u64,
    /// Live jobs there by user.
    pub live_of_user: BTreeMap<String, u64>,
    /// Live jobs there by project.
    pub live_of_project: BTreeMap<String, u64>,
    /// Members of the groups that have quotas.
    pub groups: &'a BTreeMap<String, Vec<String>>,
    /// What users had there lately: see [`crate::fair`].
    pub usage: BTreeMap<String, f64>,
    /// Why nothing may be sent there by anybody.
    pub hold: Option<String>,
    /// Terms of the whole cluster that depend on readings: window, age of the picture, stress, file server, requests.
    pub readings: Vec<Bound>,
}

/// A campaign with something to send there.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignView {
    /// Campaign id; a smaller one is older.
    pub id: i64,
    /// Owner's login.
    pub owner: String,
    /// What its jobs ask for.
    pub shape: Arc<str>,
    /// The project that its jobs there are accounted to.
    pub project: Option<String>,
    /// Among its owner's campaigns, a higher one goes first.
    pub priority: i32,
    /// What it would send: tasks, its sample, a step.
    pub turn: Turn,
    /// Tasks in the bag that may go to this cluster now.
    pub pending: u64,
    /// Tasks that one of its jobs there runs side by side, from 1.
    pub tasks_at_once: u64,
    /// Its live jobs there.
    pub live_here: u64,
    /// Its `max_jobs` there.
    pub max_jobs: Option<u64>,
    /// Why it may not be sent there.
    pub hold: Option<String>,
    /// Why the owner's token can't be used there.
    pub token_problem: Option<String>,
    /// Its submissions there that are in doubt.
    pub in_doubt: u64,
    /// Why its jobs may not start there at this hour.
    pub calendar: Option<String>,
    /// Its last submissions there, this many in a row, came to nothing; and seconds until it may try with one job.
    pub breaker: Option<(u32, u64)>,
}

/// What one campaign may send this round.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Campaign id.
    pub campaign: i64,
    /// What they are.
    pub role: Role,
    /// Jobs, and the terms behind the number.
    pub allowance: Allowance,
}

/// Plans a round: steps and samples before all others and whatever waits there, then campaigns of the user with the
/// fewest live jobs first, then the older ones; each gets at most an equal share of what the cluster takes, and what one
/// leaves is there for the next.
pub fn plan(cluster: &ClusterView<'_>, campaigns: &[CampaignView]) -> Vec<Decision> {
    let mut order: Vec<&CampaignView> = campaigns.iter().collect();
    order.sort_by_key(|campaign| (!campaign.turn.is_ahead(), live_of(cluster, campaign), campaign.id));
    let mut granted = Granted::default();
    let shares = |campaign: &&&CampaignView| !campaign.turn.is_ahead() && blocked(cluster, campaign).is_none();
    let mut sharers = order.iter().filter(shares).count() as u64;
    let mut decisions = Vec::with_capacity(order.len());
    for campaign in order {
        let allowance = match blocked(cluster, campaign) {
            Some(bound) => Allowance::minimum(bound, []),
            None if campaign.turn.is_ahead() => allow_ahead(cluster, campaign, &granted),
            None => {
                let room = room(cluster, campaign, &granted);
                let least = room.iter().map(|bound| bound.allowed).min().unwrap_or_default();
                let share = Reason::Share { campaigns: sharers, users: sharers };
                let share = Bound::new(least.div_ceil(sharers), share);
                sharers -= 1;
                allow(cluster, campaign, room, share)
            }
        };
        granted.add(cluster, campaign, allowance.allowed);
        decisions.push(Decision { campaign: campaign.id, role: campaign.turn.role(), allowance });
    }
    decisions
}

/// What was given out in the round so far.
#[derive(Default)]
struct Granted {
    jobs: u64,
    of: BTreeMap<Key, u64>,
}

impl Granted {
    fn add(&mut self, cluster: &ClusterView<'_>, campaign: &CampaignView, jobs: u64) {
        self.jobs += jobs;
        *self.of.entry(key(cluster, campaign)).or_default() += jobs;
    }
}

fn key(cluster: &ClusterView<'_>, campaign: &CampaignView) -> Key {
    Metering::key(cluster.limits, campaign.id, &campaign.shape)
}

fn live_of(cluster: &ClusterView<'_>, campaign: &CampaignView) -> u64 {
    cluster.live_of_user.get(&campaign.owner).copied().unwrap_or_default()
}

/// What the cluster itself takes of such jobs: backlog, the admin's caps, readings.
fn room(cluster: &ClusterView<'_>, campaign: &CampaignView, granted: &Granted) -> Vec<Bound> {
    let key = key(cluster, campaign);
    let (waiting, target) = cluster.metering.queue(&key, cluster.limits);
    let more = granted.of.get(&key).copied().unwrap_or_default();
    let backlog = cluster.metering.room(&key, cluster.limits).saturating_sub(more);
    let mut room = caps(cluster, granted.jobs).to_vec();
    room.extend(cluster.readings.iter().cloned());
    room.push(Bound::new(backlog, Reason::Backlog { waiting: waiting + more, target }));
    room
}

/// The admin's caps, once `more` jobs are sent.
fn caps(cluster: &ClusterView<'_>, more: u64) -> [Bound; 3] {
    let (limits, waiting, live) = (cluster.limits, cluster.waiting + more, cluster.live + more);
    let sent = cluster.metering.sent_in_cycle() + more;
    let bound = |most: u64, used: u64, reason| Bound::new(most.saturating_sub(used), reason);
    [
        bound(limits.max_waiting, waiting, Reason::WaitingCap { waiting, most: limits.max_waiting }),
        bound(limits.max_running, live, Reason::RunningCap { live, most: limits.max_running }),
        bound(
            limits.max_per_cycle,
            sent,
            Reason::CycleCap { sent, most: limits.max_per_cycle, period_s: limits.period_s },
        ),
    ]
}

/// The reason why a campaign gets nothing at all, if there is one.
fn blocked(cluster: &ClusterView<'_>, campaign: &CampaignView) -> Option<Bound> {
    let limits = cluster.limits;
    if limits.mode != Mode::Open {
        return Some(Bound::none(Reason::Mode { mode: limits.mode, note: limits.note.clone() }));
    }
    if let Some(text) = cluster.hold.clone() {
        return Some(Bound::none(Reason::ClusterHold { text }));
    }
    if let Some(text) = campaign.hold.clone() {
        return Some(Bound::none(Reason::Hold { text }));
    }
    if let Some(text) = campaign.token_problem.clone() {
        return Some(Bound::none(Reason::Token { text }));
    }
    if let Some(text) = campaign.calendar.clone() {
        return Some(Bound::none(Reason::Calendar { text }));
    }
    if let Some((failures, left_s @ 1..)) = campaign.breaker {
        return Some(Bound::none(Reason::Breaker { failures, left_s }));
    }
    if campaign.in_doubt > 0 {
        return Some(Bound::none(Reason::Doubt { submissions: campaign.in_doubt }));
    }
    match &campaign.turn {
        Turn::Wait(bound) => Some(bound.clone()),
        Turn::Tasks | Turn::Sample(_) if campaign.pending == 0 => Some(Bound::none(Reason::Pending { tasks: 0 })),
        _ => None,
    }
}

/// Steps and samples are bound by nobody's share, nor by what waits there.
fn allow_ahead(cluster: &ClusterView<'_>, campaign: &CampaignView, granted: &Granted) -> Allowance {
    let mut rest = caps(cluster, granted.jobs).to_vec();
    let first = match campaign.turn {
        Turn::Sample(left) => {
            rest.push(array_size(cluster));
            rest.push(Bound::new(campaign.pending, Reason::Pending { tasks: campaign.pending }));
            rest.extend(probe(campaign));
            rest.extend(max_jobs(campaign));
            let text = format!("{left} tasks of its sample are to go there");
            Bound::new(left, Reason::TestMode { text })
        }
        Turn::Epilogue => Bound::new(1, Reason::Epilogue { text: "its epilogue goes there".to_owned() }),
        _ => Bound::new(1, Reason::Prologue { text: "its prologue goes there first".to_owned() }),
    };
    Allowance::minimum(first, rest)
}

fn array_size(cluster: &ClusterView<'_>) -> Bound {
    let most = cluster.limits.max_array;
    Bound::new(most, Reason::ArraySize { most })
}

fn probe(campaign: &CampaignView) -> Option<Bound> {
    let (failures, left_s) = campaign.breaker?;
    Some(Bound::new(1, Reason::Breaker { failures, left_s }))
}

fn max_jobs(campaign: &CampaignView) -> Option<Bound> {
    let most = campaign.max_jobs?;
    let live = campaign.live_here;
    Some(Bound::new(most.saturating_sub(live), Reason::MaxJobs { live, most }))
}

fn allow(cluster: &ClusterView<'_>, campaign: &CampaignView, room: Vec<Bound>, share: Bound) -> Allowance {
    let jobs = campaign.pending.div_ceil(campaign.tasks_at_once.max(1));
    let pending = Bound::new(jobs, Reason::Pending { tasks: campaign.pending });
    let mut rest = room;
    rest.extend([share, array_size(cluster)]);
    rest.extend(probe(campaign));
    rest.extend(max_jobs(campaign));
    Allowance::minimum(pending, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::meter::law::{AdaptiveSettings, LawSettings};
    use crate::meter::{Sighting, Term};
    use std::sync::LazyLock;

    static LIMITS: LazyLock<ClusterLimits> = LazyLock::new(|| ClusterLimits {
        max_waiting: 60,
        max_running: 100,
        max_array: 50,
        law: LawSettings::Adaptive(AdaptiveSettings { initial: 40, ..AdaptiveSettings::default() }),
        ..ClusterLimits::default()
    });
    static METERING: LazyLock<Metering> = LazyLock::new(Metering::default);
    static GROUPS: BTreeMap<String, Vec<String>> = BTreeMap::new();

    fn cluster() -> ClusterView<'static> {
        ClusterView {
            now: 0,
            limits: &LIMITS,
            metering: &METERING,
            waiting: 0,
            live: 0,
            live_of_user: BTreeMap::new(),
            live_of_project: BTreeMap::new(),
            groups: &GROUPS,
            usage: BTreeMap::new(),
            hold: None,
            readings: Vec::new(),
        }
    }

    fn campaign(id: i64, owner: &str, pending: u64) -> CampaignView {
        CampaignView {
            id,
            owner: owner.into(),
            shape: "/core=1".into(),
            project: None,
            priority: 0,
            turn: Turn::Tasks,
            pending,
            tasks_at_once: 1,
            live_here: 0,
            max_jobs: None,
            hold: None,
            token_problem: None,
            in_doubt: 0,
            calendar: None,
            breaker: None,
        }
    }

    fn summary(decisions: &[Decision]) -> Vec<(i64, u64, Term)> {
        decisions.iter().map(|d| (d.campaign, d.allowance.allowed, d.allowance.binding().term())).collect()
    }

    #[test]
    fn a_lone_campaign_gets_the_backlog() {
        assert_eq!(summary(&plan(&cluster(), &[campaign(1, "alice", 1000)])), [(1, 40, Term::Backlog)]);
        assert_eq!(summary(&plan(&cluster(), &[campaign(1, "alice", 7)])), [(1, 7, Term::Pending)]);
    }

    #[test]
    fn tasks_that_run_side_by_side_need_fewer_jobs() {
        let wide = CampaignView { tasks_at_once: 4, ..campaign(1, "alice", 30) };
        assert_eq!(summary(&plan(&cluster(), &[wide])), [(1, 8, Term::Pending)]);
    }

    #[test]
    fn campaigns_share_a_round_and_leave_what_they_do_not_need() {
        let campaigns = [campaign(1, "alice", 1000), campaign(2, "bob", 1000)];
        assert_eq!(summary(&plan(&cluster(), &campaigns)), [(1, 20, Term::Share), (2, 20, Term::Backlog)]);
        let campaigns = [campaign(1, "alice", 5), campaign(2, "bob", 1000)];
        assert_eq!(summary(&plan(&cluster(), &campaigns)), [(1, 5, Term::Pending), (2, 35, Term::Backlog)]);
    }

    #[test]
    fn the_user_with_fewer_live_jobs_goes_first() {
        let busy = ClusterView { live_of_user: BTreeMap::from([("alice".to_owned(), 30)]), ..cluster() };
        let decisions = plan(&busy, &[campaign(1, "alice", 1000), campaign(2, "bob", 1000)]);
        assert_eq!(decisions[0].campaign, 2);
    }

    #[test]
    fn caps_bind_with_their_numbers() {
        let full = ClusterView { waiting: 60, live: 70, ..cluster() };
        let decisions = plan(&full, &[campaign(1, "alice", 10)]);
        assert_eq!(summary(&decisions), [(1, 0, Term::WaitingCap)]);
        assert_eq!(decisions[0].allowance.binding().reason.to_string(), "waiting jobs 60/60 (admin's cap)");
        let busy = CampaignView { live_here: 8, max_jobs: Some(10), ..campaign(1, "alice", 10) };
        assert_eq!(summary(&plan(&cluster(), &[busy])), [(1, 2, Term::MaxJobs)]);
    }

    #[test]
    fn a_campaign_whose_submissions_were_lost_tries_with_one_job() {
        let unlucky = CampaignView { breaker: Some((3, 0)), ..campaign(1, "alice", 100) };
        assert_eq!(summary(&plan(&cluster(), &[unlucky])), [(1, 1, Term::Breaker)]);
    }

    #[test]
    fn a_blocked_campaign_keeps_its_reason_and_takes_no_share() {
        let held = CampaignView { hold: Some("event 31".into()), ..campaign(1, "alice", 10) };
        let doubtful = CampaignView { in_doubt: 1, ..campaign(2, "alice", 10) };
        let nightly = CampaignView { calendar: Some("its night begins at 20:00".into()), ..campaign(5, "dave", 10) };
        let tokenless = CampaignView { token_problem: Some("expired".into()), ..campaign(3, "carol", 10) };
        let decisions = plan(&cluster(), &[held, doubtful, tokenless, campaign(4, "bob", 1000), nightly]);
        assert_eq!(
            summary(&decisions),
            [
                (1, 0, Term::Hold),
                (2, 0, Term::Doubt),
                (3, 0, Term::Token),
                (4, 40, Term::Backlog),
                (5, 0, Term::Calendar)
            ]
        );
    }

    #[test]
    fn steps_and_samples_go_first_whatever_waits_and_take_no_share() {
        let mut metering = Metering::default();
        let waiting = Sighting { waiting: 40, ..Sighting::default() };
        metering.look(0, BTreeMap::from([(Key::Shape("/core=1".into()), waiting)]), &LIMITS);
        let live_of_user = BTreeMap::from([("alice".to_owned(), 30)]);
        let quiet = ClusterView { live_of_user, ..cluster() };
        let full = ClusterView { waiting: 40, live: 50, metering: &metering, ..quiet.clone() };
        let prologue = CampaignView { turn: Turn::Prologue, live_here: 30, ..campaign(2, "alice", 1000) };
        let epilogue = CampaignView { turn: Turn::Epilogue, ..campaign(3, "carol", 0) };
        let sample = CampaignView { turn: Turn::Sample(4), ..campaign(4, "dave", 1000) };
        let all = [campaign(1, "bob", 1000), prologue, epilogue, sample];
        let decisions = plan(&full, &all);
        let expected = [(3, 1, Term::Epilogue), (4, 4, Term::TestMode), (2, 1, Term::Prologue), (1, 0, Term::Backlog)];
        assert_eq!(summary(&decisions), expected);
        let roles: Vec<Role> = decisions.iter().map(|decision| decision.role).collect();
        assert_eq!(roles, [Role::Epilogue, Role::Test, Role::Prologue, Role::Tasks]);
        let quiet = plan(&quiet, &all);
        assert_eq!(summary(&quiet)[3], (1, 34, Term::Backlog), "all that six leave, for it alone shares");
    }

    #[test]
    fn caps_holds_and_max_jobs_bind_steps_and_samples_too() {
        let turned = |turn| CampaignView { turn, ..campaign(1, "alice", 10) };
        let full = ClusterView { waiting: 59, ..cluster() };
        let two = [turned(Turn::Prologue), CampaignView { id: 2, ..turned(Turn::Prologue) }];
        assert_eq!(summary(&plan(&full, &two)), [(1, 1, Term::Prologue), (2, 0, Term::WaitingCap)]);
        let held = CampaignView { hold: Some("event 3".into()), ..turned(Turn::Epilogue) };
        assert_eq!(summary(&plan(&cluster(), &[held])), [(1, 0, Term::Hold)]);
        let busy = CampaignView { live_here: 1, max_jobs: Some(2), ..turned(Turn::Sample(5)) };
        assert_eq!(summary(&plan(&cluster(), &[busy])), [(1, 1, Term::MaxJobs)]);
        assert_eq!(summary(&plan(&cluster(), &[turned(Turn::Sample(20))])), [(1, 10, Term::Pending)]);
    }

    #[test]
    fn who_waits_for_a_step_keeps_its_reason_and_takes_no_share() {
        let reason = Bound::none(Reason::Prologue { text: "its prologue is there".to_owned() });
        let waits = CampaignView { turn: Turn::Wait(reason), ..campaign(1, "alice", 10) };
        let decisions = plan(&cluster(), &[waits, campaign(2, "bob", 1000)]);
        assert_eq!(summary(&decisions), [(1, 0, Term::Prologue), (2, 40, Term::Backlog)]);
    }
}
