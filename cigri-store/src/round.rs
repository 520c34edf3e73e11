//! What one round on one cluster starts from, read in one go: the same few queries whatever the number of campaigns.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use cigri_core::group::Pace;
use cigri_core::state::{CampaignState, SubmissionState};
use cigri_core::turn::Facts;
use diesel::prelude::*;

use crate::active::{self, ActiveCampaign};
use crate::delayed::{self, Delayed};
use crate::event::{self, EventRow};
use crate::facts::{self, Steps};
use crate::failed_on::{self, Counts};
use crate::here::{self, Here};
use crate::holds::Holds;
use crate::others::Others;
use crate::setback::{self, Setback};
use crate::specs::Part;
use crate::submission::{self as submissions, SubmissionRow};
use crate::{Asked, Result, Store, group, schema, usage};

/// A campaign that names the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundCampaign {
    /// The campaign.
    pub row: ActiveCampaign,
    /// Tasks of its bag that may go there now.
    pub pending_here: i64,
    /// How far its steps and its sample are there.
    pub facts: Facts,
    /// Its live remote jobs there.
    pub live_here: i64,
    /// Its submissions there that are in doubt.
    pub in_doubt: i64,
    /// Its last submissions there were abandoned: how many in a row, and when the last one was, epoch milliseconds.
    pub abandoned: (u32, i64),
    /// Its last submissions there came to nothing for want of an answer, to the array or to the gate: how many in a row.
    pub unanswered: u32,
    /// What its tasks ask for there: see `ClusterSpec::shape`.
    pub shape: Arc<str>,
    /// By level of escalation, what the tasks that go next were retried with; see [`Store::asked_next`].
    pub asked: BTreeMap<u32, Asked>,
    /// What was seen of its grouped tasks there.
    pub pace: Pace,
    /// Its tasks that wait for their next try.
    pub delayed: Delayed,
    /// Levels of its escalation, above 0, at which tasks of its bag may go now.
    pub levels: Vec<u32>,
    /// How many of its tasks failed here, by the other clusters that they failed on.
    failed_here: Counts,
    /// Where those could go instead.
    others: Others,
}

impl RoundCampaign {
    /// Its other clusters that no hold closes to it. None: even tasks that failed here may come.
    pub fn open_elsewhere(&self) -> Vec<String> {
        self.others.open(&self.row.spec).map(str::to_owned).collect()
    }

    /// Forgets the clusters but these: tasks that failed here may have nowhere else to go.
    pub fn keep_open(&mut self, usable: &Arc<BTreeSet<String>>) {
        self.others.keep(usable);
        self.count_pending();
    }

    fn count_pending(&mut self) {
        let open = || self.others.open(&self.row.spec);
        let barred = self.failed_here.iter().filter(|(others, _)| failed_on::bars(others, open()));
        let barred: i64 = barred.map(|(_, count)| count).sum();
        self.pending_here = (self.row.pending - barred - self.delayed.tasks).min(self.row.wanted());
        self.facts.pending = self.pending_here.max(0) as u64;
    }
}

/// One immutable picture for one round.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundView {
    /// Submissions that are not settled, oldest first.
    pub submissions: Vec<SubmissionRow>,
    /// Campaigns that could send something there.
    pub campaigns: Vec<RoundCampaign>,
    /// Open events that hold submissions there.
    pub holds: Vec<EventRow>,
    /// Our live remote jobs there, also of campaigns that have nothing to send.
    pub here: Vec<Here>,
    /// What users had there lately: mean numbers of live jobs, see `cigri_core::fair`.
    pub usage: BTreeMap<String, f64>,
}

impl RoundView {
    /// Live remote jobs of ours there.
    pub fn live(&self) -> i64 {
        self.here.iter().map(|here| here.waiting + here.running).sum()
    }

    /// Of these, not seen running.
    pub fn waiting(&self) -> i64 {
        self.here.iter().map(|here| here.waiting).sum()
    }
}

/// What was read for all campaigns at once.
struct Read {
    cluster: Arc<str>,
    steps: Steps,
    holds: Holds,
    paces: HashMap<i64, Pace>,
    setbacks: HashMap<i64, Setback>,
    failed_here: HashMap<i64, Counts>,
    delayed: HashMap<i64, Delayed>,
    levels: HashMap<i64, Vec<u32>>,
    live_here: HashMap<i64, i64>,
    in_doubt: HashMap<i64, i64>,
}

impl Store {
    /// The picture for a round on `cluster`, as if no task waited for its next try.
    pub fn round_view(&self, cluster: &str) -> Result<RoundView> {
        self.round_view_at(cluster, i64::MAX)
    }

    /// The picture for a round on `cluster` at a moment.
    pub fn round_view_at(&self, cluster: &str, now: i64) -> Result<RoundView> {
        self.read(|connection| {
            let submissions = submissions::unsettled(connection, cluster)?;
            let rows = active::with_work(connection, &self.specs)?;
            let parts = self.specs.on(cluster, rows.iter().map(|row| (row.id, &*row.spec)));
            let rows: Vec<_> = rows.into_iter().zip(parts).filter_map(|(row, part)| Some((row, part?))).collect();
            let here = here::on(connection, &self.specs, (cluster, &submissions))?;
            let submissions: Vec<SubmissionRow> = submissions.into_iter().map(|unsettled| unsettled.row).collect();
            let (delayed, delayed_here) = delayed::on(connection, cluster, now)?;
            let mut read = Read {
                cluster: cluster.into(),
                steps: facts::on(connection, cluster, rows.iter().map(|(row, part)| (row, part.has_steps)))?,
                holds: Holds::light(connection)?,
                paces: group::paces(connection, cluster)?,
                setbacks: setback::on(connection, cluster)?,
                failed_here: failed_on::less(failed_on::counts(connection, cluster)?, delayed_here),
                delayed,
                levels: delayed::levels(connection, now)?,
                live_here: HashMap::new(),
                in_doubt: in_doubt(&submissions),
            };
            for here in &here {
                *read.live_here.entry(here.campaign).or_default() += here.waiting + here.running;
            }
            Ok(RoundView {
                campaigns: rows.into_iter().map(|(row, part)| round_campaign(&mut read, row, part)).collect(),
                holds: event::holds_on(connection, cluster)?,
                usage: usage::on(connection, cluster)?,
                submissions,
                here,
            })
        })
    }

    /// Campaigns that were cancelled and still have live jobs, steps included.
    pub fn cancelled_campaigns(&self) -> Result<Vec<i64>> {
        self.read(|connection| {
            Ok(schema::campaign::table
                .filter(schema::campaign::state.eq(CampaignState::Cancelled.as_str()))
                .filter(schema::campaign::finished_at.is_null())
                .select(schema::campaign::id)
                .load(connection)?)
        })
    }
}

fn in_doubt(submissions: &[SubmissionRow]) -> HashMap<i64, i64> {
    let mut counts = HashMap::new();
    let unclear = [SubmissionState::Intent, SubmissionState::Unknown];
    for submission in submissions.iter().filter(|submission| unclear.contains(&submission.state)) {
        *counts.entry(submission.campaign_id).or_default() += 1;
    }
    counts
}

fn round_campaign(read: &mut Read, row: ActiveCampaign, part: Part) -> RoundCampaign {
    let (id, setback) = (row.id, read.setbacks.get(&row.id).copied().unwrap_or_default());
    let spec = part.has_steps.then(|| row.spec.clusters.get(&*read.cluster)).flatten();
    let mut campaign = RoundCampaign {
        pending_here: 0,
        shape: part.shape,
        asked: BTreeMap::new(),
        facts: read.steps.facts(&row, spec, 0),
        pace: read.paces.get(&id).copied().filter(|_| part.is_grouped).unwrap_or_default(),
        live_here: read.live_here.get(&id).copied().unwrap_or_default(),
        in_doubt: read.in_doubt.get(&id).copied().unwrap_or_default(),
        abandoned: (setback.abandoned.max(0) as u32, setback.at),
        unanswered: setback.unanswered.max(0) as u32,
        others: Others::new(&read.cluster, read.holds.against(id, &row.owner)),
        failed_here: read.failed_here.remove(&id).unwrap_or_default(),
        delayed: read.delayed.get(&id).copied().unwrap_or_default(),
        levels: read.levels.remove(&id).unwrap_or_default(),
        row,
    };
    campaign.count_pending();
    campaign
}
