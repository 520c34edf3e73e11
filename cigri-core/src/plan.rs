//! The plan of one round on one cluster: which campaigns may send how many jobs, and every refusal's reason.

use crate::meter::{Allowance, Backlog, Bound, ClusterLimits, Term, minimum};
use crate::state::Role;
use crate::turn::Turn;

/// The cluster as the round sees it. Counts come from the ledger, never from a listing alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterView {
    /// Limits set by the admin.
    pub limits: ClusterLimits,
    /// Our jobs launching, in doubt, held or waiting there.
    pub waiting: u64,
    /// Our live jobs there, waiting ones included.
    pub live: u64,
    /// The backlog law.
    pub backlog: Backlog,
    /// Why nothing may be sent there by anybody.
    pub hold: Option<String>,
}

/// A campaign with something to send there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignView {
    /// Campaign id; a smaller one is older.
    pub id: i64,
    /// Owner's login.
    pub owner: String,
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
    /// Its last submissions there, this many in a row, were abandoned: it is given one job to try with.
    pub probes_after: Option<u32>,
}

/// What one campaign may send this round.
#[derive(Debug, Clone, PartialEq, Eq)]
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
pub fn plan(cluster: &ClusterView, campaigns: &[CampaignView]) -> Vec<Decision> {
    let mut order: Vec<&CampaignView> = campaigns.iter().collect();
    order.sort_by_key(|campaign| (!campaign.turn.is_ahead(), live_of(&campaign.owner, campaigns), campaign.id));
    let mut room = room(cluster);
    let mut ahead = 0;
    let shares = |campaign: &&&CampaignView| !campaign.turn.is_ahead() && blocked(cluster, campaign).is_none();
    let mut sharers = order.iter().filter(shares).count() as u64;
    let mut decisions = Vec::with_capacity(order.len());
    for campaign in order {
        let allowance = match blocked(cluster, campaign) {
            Some(bound) => minimum(bound, Vec::new()),
            None if campaign.turn.is_ahead() => {
                let allowance = allow_ahead(cluster, campaign, ahead);
                ahead += allowance.allowed;
                allowance
            }
            None => {
                let share = Bound::new(Term::Share, room.allowed.div_ceil(sharers), share_reason(sharers));
                sharers -= 1;
                allow(cluster, campaign, &room, share)
            }
        };
        room.allowed = room.allowed.saturating_sub(allowance.allowed);
        decisions.push(Decision { campaign: campaign.id, role: campaign.turn.role(), allowance });
    }
    decisions
}

fn live_of(owner: &str, campaigns: &[CampaignView]) -> u64 {
    campaigns.iter().filter(|campaign| campaign.owner == owner).map(|campaign| campaign.live_here).sum()
}

fn share_reason(sharers: u64) -> String {
    format!("its share of the round, {sharers} campaigns taking part")
}

/// What the cluster itself takes: the least of backlog and the admin's caps.
fn room(cluster: &ClusterView) -> Bound {
    let target = cluster.backlog.target();
    let backlog = Bound::new(
        Term::Backlog,
        cluster.backlog.refill(cluster.waiting),
        format!("{} of our jobs wait there, {target} are enough for the starts seen", cluster.waiting),
    );
    let [waiting_cap, live_cap] = caps(cluster, 0);
    minimum(waiting_cap, vec![live_cap, backlog]).binding
}

/// The admin's caps, once `more` jobs are sent.
fn caps(cluster: &ClusterView, more: u64) -> [Bound; 2] {
    let (limits, waiting, live) = (&cluster.limits, cluster.waiting + more, cluster.live + more);
    [
        Bound::new(
            Term::WaitingCap,
            limits.max_waiting.saturating_sub(waiting),
            format!("waiting jobs {waiting}/{} (admin's cap)", limits.max_waiting),
        ),
        Bound::new(
            Term::LiveCap,
            limits.max_live.saturating_sub(live),
            format!("live jobs {live}/{} (admin's cap)", limits.max_live),
        ),
    ]
}

/// The reason why a campaign gets nothing at all, if there is one.
fn blocked(cluster: &ClusterView, campaign: &CampaignView) -> Option<Bound> {
    let none = |term, reason: &str| Some(Bound::new(term, 0, reason));
    if let Some(reason) = &cluster.hold {
        return none(Term::ClusterHold, reason);
    }
    if let Some(reason) = &campaign.hold {
        return none(Term::Hold, reason);
    }
    if let Some(reason) = &campaign.token_problem {
        return none(Term::Token, reason);
    }
    if let Some(reason) = &campaign.calendar {
        return none(Term::Calendar, reason);
    }
    if campaign.in_doubt > 0 {
        return none(Term::Doubt, "a submission is in doubt and being looked up");
    }
    match &campaign.turn {
        Turn::Wait(bound) => Some(bound.clone()),
        Turn::Tasks | Turn::Sample(_) if campaign.pending == 0 => none(Term::Pending, "no task waits for this cluster"),
        _ => None,
    }
}

/// Steps and samples are bound by nobody's share, nor by what waits there; `more` of them go before.
fn allow_ahead(cluster: &ClusterView, campaign: &CampaignView, more: u64) -> Allowance {
    let mut rest = caps(cluster, more).to_vec();
    let first = match campaign.turn {
        Turn::Sample(left) => {
            rest.push(array_size(cluster));
            rest.push(Bound::new(Term::Pending, campaign.pending, format!("{} tasks wait", campaign.pending)));
            rest.extend(probe(campaign));
            rest.extend(max_jobs(campaign));
            Bound::new(Term::TestMode, left, format!("{left} tasks of its sample are to go there"))
        }
        Turn::Epilogue => Bound::new(Term::Epilogue, 1, "its epilogue goes there"),
        _ => Bound::new(Term::Prologue, 1, "its prologue goes there first"),
    };
    minimum(first, rest)
}

fn array_size(cluster: &ClusterView) -> Bound {
    let most = cluster.limits.max_array;
    Bound::new(Term::ArraySize, most, format!("at most {most} jobs per submission"))
}

fn probe(campaign: &CampaignView) -> Option<Bound> {
    let streak = campaign.probes_after?;
    Some(Bound::new(Term::Doubt, 1, format!("one job to try with, after {streak} submissions without an answer")))
}

fn max_jobs(campaign: &CampaignView) -> Option<Bound> {
    let max = campaign.max_jobs?;
    let reason = format!("{} of max_jobs {max} are live there", campaign.live_here);
    Some(Bound::new(Term::MaxJobs, max.saturating_sub(campaign.live_here), reason))
}

fn allow(cluster: &ClusterView, campaign: &CampaignView, room: &Bound, share: Bound) -> Allowance {
    let jobs = campaign.pending.div_ceil(campaign.tasks_at_once.max(1));
    let pending = Bound::new(Term::Pending, jobs, format!("{} tasks wait", campaign.pending));
    let mut rest = vec![room.clone(), share, array_size(cluster)];
    rest.extend(probe(campaign));
    rest.extend(max_jobs(campaign));
    minimum(pending, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> ClusterView {
        let limits = ClusterLimits {
            max_waiting: 60,
            max_live: 100,
            max_array: 50,
            initial_backlog: 40,
            period_s: 15,
            looks_ahead: 2,
            normal_jobs: true,
        };
        ClusterView { limits, waiting: 0, live: 0, backlog: Backlog::new(&limits), hold: None }
    }

    fn campaign(id: i64, owner: &str, pending: u64) -> CampaignView {
        CampaignView {
            id,
            owner: owner.into(),
            turn: Turn::Tasks,
            pending,
            tasks_at_once: 1,
            live_here: 0,
            max_jobs: None,
            hold: None,
            token_problem: None,
            in_doubt: 0,
            calendar: None,
            probes_after: None,
        }
    }

    fn summary(decisions: &[Decision]) -> Vec<(i64, u64, Term)> {
        decisions.iter().map(|d| (d.campaign, d.allowance.allowed, d.allowance.binding.term)).collect()
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
        let busy = CampaignView { live_here: 30, ..campaign(1, "alice", 1000) };
        let decisions = plan(&cluster(), &[busy, campaign(2, "bob", 1000)]);
        assert_eq!(decisions[0].campaign, 2);
    }

    #[test]
    fn caps_bind_with_their_numbers() {
        let full = ClusterView { waiting: 60, live: 70, ..cluster() };
        let decisions = plan(&full, &[campaign(1, "alice", 10)]);
        assert_eq!(summary(&decisions), [(1, 0, Term::WaitingCap)]);
        assert_eq!(decisions[0].allowance.binding.reason, "waiting jobs 60/60 (admin's cap)");
        let busy = CampaignView { live_here: 8, max_jobs: Some(10), ..campaign(1, "alice", 10) };
        assert_eq!(summary(&plan(&cluster(), &[busy])), [(1, 2, Term::MaxJobs)]);
    }

    #[test]
    fn a_campaign_whose_submissions_were_lost_tries_with_one_job() {
        let unlucky = CampaignView { probes_after: Some(3), ..campaign(1, "alice", 100) };
        assert_eq!(summary(&plan(&cluster(), &[unlucky])), [(1, 1, Term::Doubt)]);
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
        let full = ClusterView { waiting: 40, live: 50, ..cluster() };
        let prologue = CampaignView { turn: Turn::Prologue, live_here: 30, ..campaign(2, "alice", 1000) };
        let epilogue = CampaignView { turn: Turn::Epilogue, ..campaign(3, "carol", 0) };
        let sample = CampaignView { turn: Turn::Sample(4), ..campaign(4, "dave", 1000) };
        let all = [campaign(1, "bob", 1000), prologue, epilogue, sample];
        let decisions = plan(&full, &all);
        let expected = [(3, 1, Term::Epilogue), (4, 4, Term::TestMode), (2, 1, Term::Prologue), (1, 0, Term::Backlog)];
        assert_eq!(summary(&decisions), expected);
        let roles: Vec<Role> = decisions.iter().map(|decision| decision.role).collect();
        assert_eq!(roles, [Role::Epilogue, Role::Test, Role::Prologue, Role::Tasks]);
        let quiet = plan(&cluster(), &all);
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
        let reason = Bound::new(Term::Prologue, 0, "its prologue is there");
        let waits = CampaignView { turn: Turn::Wait(reason), ..campaign(1, "alice", 10) };
        let decisions = plan(&cluster(), &[waits, campaign(2, "bob", 1000)]);
        assert_eq!(summary(&decisions), [(1, 0, Term::Prologue), (2, 40, Term::Backlog)]);
    }
}
