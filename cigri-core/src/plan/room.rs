//! What is left of the round: of the admin's caps, of readings, of each shape's backlog, and of quotas.

use std::collections::{BTreeMap, BTreeSet};

use super::users::User;
use super::{CampaignView, ClusterView};
use crate::meter::law::{Enough, Key};
use crate::meter::{Bound, Metering, Reason};

/// Where a campaign's jobs count.
#[derive(Clone, Copy)]
pub(super) struct Site {
    user: usize,
    shape: usize,
    project: Option<usize>,
    /// It is sent whatever waits there.
    is_ahead: bool,
}

impl Site {
    /// The same without regard to what waits there.
    pub(super) fn whatever_waits(self) -> Site {
        Site { is_ahead: true, ..self }
    }
}

/// What is left, and what was given.
pub(super) struct Room<'a> {
    cluster: &'a ClusterView<'a>,
    /// Jobs that caps and readings allow together.
    open: u64,
    sent: u64,
    given: u64,
    shapes: Vec<Shape>,
    shape_at: BTreeMap<Key, usize>,
    user_quotas: Vec<Option<Quota<'a>>>,
    group_quotas: Vec<Quota<'a>>,
    /// Places in `group_quotas` by user.
    groups_of: Vec<Vec<usize>>,
    project_quotas: Vec<Quota<'a>>,
}

/// The backlog of jobs that ask for the same.
struct Shape {
    waiting: u64,
    target: u64,
    room: u64,
    given: u64,
    why: Enough,
    holds_others: bool,
}

#[derive(Clone, Copy)]
struct Quota<'a> {
    name: &'a str,
    live: u64,
    most: u64,
}

impl Quota<'_> {
    fn left(&self) -> u64 {
        self.most.saturating_sub(self.live)
    }
}

impl<'a> Room<'a> {
    /// The round before anything was given.
    pub(super) fn new(cluster: &'a ClusterView<'a>, users: &[User<'a>]) -> Room<'a> {
        let sent = cluster.metering.sent_in_cycle();
        let mut room = Room {
            cluster,
            open: 0,
            sent,
            given: 0,
            shapes: Vec::new(),
            shape_at: BTreeMap::new(),
            user_quotas: users.iter().map(|user| user_quota(cluster, user.name)).collect(),
            group_quotas: Vec::new(),
            groups_of: vec![Vec::new(); users.len()],
            project_quotas: Vec::new(),
        };
        let (caps, readings) = (room.caps(), cluster.readings.iter());
        room.open = caps.iter().chain(readings).map(|bound| bound.allowed).min().unwrap_or_default();
        room.set_groups(users);
        for (name, most) in &cluster.limits.project_quotas {
            let live = cluster.live_of_project.get(name).copied().unwrap_or_default();
            room.project_quotas.push(Quota { name, live, most: *most });
        }
        room
    }

    /// Members of a group share its quota.
    fn set_groups(&mut self, users: &[User<'a>]) {
        for (name, most) in &self.cluster.limits.group_quotas {
            let members: BTreeSet<&String> = self.cluster.groups.get(name).into_iter().flatten().collect();
            let live = members.iter().filter_map(|member| self.cluster.live_of_user.get(*member)).sum();
            for member in members {
                if let Ok(user) = users.binary_search_by(|user| user.name.cmp(member)) {
                    self.groups_of[user].push(self.group_quotas.len());
                }
            }
            self.group_quotas.push(Quota { name, live, most: *most });
        }
    }

    /// Where the jobs of a campaign of `user` count.
    pub(super) fn site(&mut self, campaign: &CampaignView, user: usize) -> Site {
        let key = Metering::key(self.cluster.limits, campaign.id, &campaign.shape);
        let shape = match self.shape_at.get(&key) {
            Some(shape) => *shape,
            None => self.new_shape(key),
        };
        let named = |project: &String| self.project_quotas.binary_search_by(|quota| quota.name.cmp(project)).ok();
        let project = campaign.project.as_ref().and_then(named);
        Site { user, shape, project, is_ahead: campaign.turn.is_ahead() }
    }

    fn new_shape(&mut self, key: Key) -> usize {
        let (metering, limits) = (self.cluster.metering, self.cluster.limits);
        let (waiting, target) = metering.queue(&key, limits);
        let (room, holds_others) = (metering.room(&key, limits), metering.holds_others(&key));
        let why = metering.why(&key, limits);
        self.shapes.push(Shape { waiting, target, room, given: 0, why, holds_others });
        self.shape_at.insert(key, self.shapes.len() - 1);
        self.shapes.len() - 1
    }

    /// Jobs that may still be given there.
    pub(super) fn left(&self, site: &Site) -> u64 {
        let cluster = self.open.saturating_sub(self.given);
        let shape = &self.shapes[site.shape];
        let backlog = if site.is_ahead { u64::MAX } else { shape.room.saturating_sub(shape.given) };
        let quotas = self.quotas(site).map(Quota::left).min().unwrap_or(u64::MAX);
        let project = site.project.map_or(u64::MAX, |project| self.project_quotas[project].left());
        cluster.min(backlog).min(quotas).min(project)
    }

    /// Whether campaigns behind those of this site have to wait as well.
    pub(super) fn holds_others(&self, site: &Site) -> bool {
        self.shapes[site.shape].holds_others
    }

    /// Gives jobs.
    pub(super) fn take(&mut self, site: &Site, jobs: u64) {
        self.given += jobs;
        self.shapes[site.shape].given += jobs;
        self.each_quota(site, |quota| quota.live += jobs);
    }

    /// Takes jobs back that were given.
    pub(super) fn give_back(&mut self, site: &Site, jobs: u64) {
        self.given -= jobs;
        self.shapes[site.shape].given -= jobs;
        self.each_quota(site, |quota| quota.live -= jobs);
    }

    fn quotas(&self, site: &Site) -> impl Iterator<Item = &Quota<'a>> {
        let groups = self.groups_of[site.user].iter().map(|group| &self.group_quotas[*group]);
        self.user_quotas[site.user].iter().chain(groups)
    }

    fn each_quota(&mut self, site: &Site, change: impl Fn(&mut Quota<'a>)) {
        self.user_quotas[site.user].iter_mut().for_each(&change);
        for group in &self.groups_of[site.user] {
            change(&mut self.group_quotas[*group]);
        }
        site.project.iter().for_each(|project| change(&mut self.project_quotas[*project]));
    }

    /// The terms of what is left there, for people.
    pub(super) fn terms(&self, site: &Site, terms: &mut Vec<Bound>) {
        terms.extend(self.caps());
        terms.extend(self.cluster.readings.iter().map(|reading| {
            let allowed = reading.allowed.saturating_sub(self.given);
            Bound { allowed, ..reading.clone() }
        }));
        let shape = &self.shapes[site.shape];
        if !site.is_ahead {
            let (waiting, target) = (shape.waiting + shape.given, shape.target);
            let allowed = shape.room.saturating_sub(shape.given);
            terms.push(Bound::new(allowed, Reason::Backlog { waiting, target, why: shape.why }));
        }
        for (at, quota) in self.quotas(site).enumerate() {
            let (name, live, most) = (quota.name.to_owned(), quota.live, quota.most);
            let is_users = at == 0 && self.user_quotas[site.user].is_some();
            terms.push(Bound::new(
                quota.left(),
                if is_users {
                    Reason::UserQuota { user: name, live, most }
                } else {
                    Reason::GroupQuota { group: name, live, most }
                },
            ));
        }
        if let Some(quota) = site.project.map(|project| &self.project_quotas[project]) {
            let (project, live, most) = (quota.name.to_owned(), quota.live, quota.most);
            terms.push(Bound::new(quota.left(), Reason::ProjectQuota { project, live, most }));
        }
    }

    /// The admin's caps.
    fn caps(&self) -> [Bound; 3] {
        let limits = self.cluster.limits;
        let (waiting, live) = (self.cluster.waiting + self.given, self.cluster.live + self.given);
        let (sent, period_s) = (self.sent + self.given, limits.period_s);
        let bound = |most: u64, used: u64, reason| Bound::new(most.saturating_sub(used), reason);
        [
            bound(limits.max_waiting, waiting, Reason::WaitingCap { waiting, most: limits.max_waiting }),
            bound(limits.max_running, live, Reason::RunningCap { live, most: limits.max_running }),
            bound(limits.max_per_cycle, sent, Reason::CycleCap { sent, most: limits.max_per_cycle, period_s }),
        ]
    }
}

/// Whoever is not named has the quota of `*`.
fn user_quota<'a>(cluster: &ClusterView<'_>, name: &'a str) -> Option<Quota<'a>> {
    let quotas = &cluster.limits.user_quotas;
    let most = *quotas.get(name).or_else(|| quotas.get("*"))?;
    Some(Quota { name, live: cluster.live_of_user.get(name).copied().unwrap_or_default(), most })
}
