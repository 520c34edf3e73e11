//! What one round on one cluster starts from, read in one go, and the decisions it leaves.

use std::collections::HashMap;

use cigri_core::group::Pace;
use cigri_core::ledger;
use cigri_core::state::{CampaignState, JobState, SubmissionState};
use cigri_core::turn::Facts;
use diesel::prelude::*;

use crate::campaign::{self, CampaignRow};
use crate::connection::{Database, storable};
use crate::event::{self, EventRow};
use crate::schema::{self, decision, job, submission};
use crate::submission::{self as submissions, SubmissionRow};
use crate::{Result, Store, bag, group, steps};

/// A campaign that names the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundCampaign {
    /// The campaign.
    pub row: CampaignRow,
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
    /// Its other clusters that no hold closes to it.
    pub open_elsewhere: Vec<String>,
    /// There is no other cluster it could use: take even tasks that should rather go elsewhere.
    pub nowhere_else: bool,
    /// What was seen of its grouped tasks there.
    pub pace: Pace,
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
    /// Our live remote jobs there.
    pub here: Vec<Here>,
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

/// A campaign's live remote jobs of one shape on a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Here {
    /// Campaign id.
    pub campaign: i64,
    /// Its owner's login.
    pub owner: String,
    /// The project that they are accounted to.
    pub project: Option<String>,
    /// What they ask for: see `ClusterSpec::shape`.
    pub shape: String,
    /// Jobs launching, in doubt, held or waiting.
    pub waiting: i64,
    /// Jobs seen running.
    pub running: i64,
}

/// Why a campaign got what it got on a cluster in its last round.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = decision)]
pub struct DecisionRow {
    /// Campaign id.
    pub campaign_id: i64,
    /// Cluster name.
    pub cluster: String,
    /// Epoch milliseconds.
    pub decided_at: i64,
    /// Jobs allowed.
    pub allowed: i64,
    /// Word of the binding term.
    pub bound_by: String,
    /// The same in words.
    pub reason: String,
}

impl Store {
    /// The picture for a round on `cluster`.
    pub fn round_view(&self, cluster: &str) -> Result<RoundView> {
        self.read(|connection| {
            let submissions = submissions::unsettled(connection, cluster)?;
            let holds = event::holds_on(connection, cluster)?;
            let counts = live_counts(connection, cluster)?;
            let mut campaigns = Vec::new();
            for row in campaign::in_state(connection, CampaignState::Active)? {
                // One that is active and has nothing left waits for its epilogues.
                let has_work = row.pending > 0 || row.live == 0;
                if has_work && row.spec.clusters.contains_key(cluster) {
                    campaigns.push(round_campaign(connection, (cluster, row), &submissions, &counts)?);
                }
            }
            let here = here(connection, cluster, &counts)?;
            Ok(RoundView { submissions, campaigns, holds, here })
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

    /// Keeps a round's decisions in place of the last ones.
    pub fn record_decisions(&self, decisions: &[DecisionRow]) -> Result<()> {
        self.write(|connection| {
            for row in decisions {
                diesel::delete(decision::table.find((row.campaign_id, &row.cluster))).execute(connection)?;
                diesel::insert_into(decision::table)
                    .values((
                        (decision::campaign_id.eq(row.campaign_id), decision::cluster.eq(&row.cluster)),
                        (decision::decided_at.eq(row.decided_at), decision::allowed.eq(row.allowed)),
                        (decision::bound_by.eq(&row.bound_by), decision::reason.eq(storable(&row.reason))),
                    ))
                    .execute(connection)?;
            }
            Ok(())
        })
    }

    /// The last decisions about a campaign, by cluster.
    pub fn decisions(&self, campaign_id: i64) -> Result<Vec<DecisionRow>> {
        self.read(|connection| {
            Ok(decision::table
                .filter(decision::campaign_id.eq(campaign_id))
                .order(decision::cluster)
                .load(connection)?)
        })
    }
}

#[derive(Default)]
struct LiveCount {
    live: i64,
    running: i64,
}

fn live_counts(connection: &mut Database, cluster: &str) -> Result<HashMap<i64, LiveCount>> {
    let live = JobState::ALL.iter().filter(|state| state.is_live()).map(|state| state.as_str());
    let unsettled = ["intent", "unknown", "submitted", "open"];
    let found: Vec<(i64, String, i64)> = submission::table
        .inner_join(job::table.on(job::submission_id.eq(submission::id)))
        .filter(submission::cluster.eq(cluster))
        .filter(submission::state.eq_any(unsettled))
        .filter(job::state.eq_any(live))
        // One row for each remote job: those of a group change their state together.
        .filter(job::slot.eq(0))
        .group_by((job::campaign_id, job::state))
        .select((job::campaign_id, job::state, diesel::dsl::count_star()))
        .load(connection)?;
    let mut counts: HashMap<i64, LiveCount> = HashMap::new();
    for (campaign, state, number) in found {
        let count = counts.entry(campaign).or_default();
        count.live += number;
        if state == JobState::Running.as_str() {
            count.running += number;
        }
    }
    Ok(counts)
}

fn here(connection: &mut Database, cluster: &str, counts: &HashMap<i64, LiveCount>) -> Result<Vec<Here>> {
    let mut here = Vec::with_capacity(counts.len());
    for (id, count) in counts {
        let row = campaign::get(connection, *id)?;
        let spec = row.spec.clusters.get(cluster);
        here.push(Here {
            campaign: *id,
            project: spec.and_then(|spec| spec.project.clone()),
            shape: spec.map(|spec| spec.shape()).unwrap_or_default(),
            owner: row.owner,
            waiting: count.live - count.running,
            running: count.running,
        });
    }
    Ok(here)
}

/// Abandoned submissions are looked back at as far as this.
const LOOK_BACK: i64 = 12;

/// How many submissions in a row came to nothing: abandoned ones and when the last of them was; and these together with
/// those whose gate got no answer.
fn bad_luck(connection: &mut Database, campaign: i64, cluster: &str) -> Result<((u32, i64), u32)> {
    let last: Vec<(String, Option<String>, i64)> = submission::table
        .filter(submission::campaign_id.eq(campaign))
        .filter(submission::cluster.eq(cluster))
        .select((submission::state, submission::reason, submission::changed_at))
        .order(submission::id.desc())
        .limit(LOOK_BACK)
        .load(connection)?;
    let is_abandoned = |state: &str| state == SubmissionState::Abandoned.as_str();
    let lost_gate = |reason: &Option<String>| reason.as_deref().is_some_and(|text| text.starts_with(ledger::GATE_LOST));
    let streak = last.iter().take_while(|(state, ..)| is_abandoned(state)).count();
    let unanswered = last.iter().take_while(|(state, reason, _)| is_abandoned(state) || lost_gate(reason)).count();
    Ok(((streak as u32, last.first().map_or(0, |(.., at)| *at)), unanswered as u32))
}

/// Whether a hold on a cluster stops this campaign there: the cluster's own, its owner's, or the campaign's.
fn concerns(hold: &EventRow, row: &CampaignRow) -> bool {
    hold.campaign_id.is_none_or(|id| id == row.id) && hold.owner.as_ref().is_none_or(|owner| *owner == row.owner)
}

impl Store {
    /// The clusters of a campaign that are closed to it, each with the message of the event that closes it.
    pub fn holds_against(&self, row: &CampaignRow) -> Result<HashMap<String, String>> {
        self.read(|connection| {
            let mut closed = HashMap::new();
            for name in row.spec.clusters.keys() {
                let hold = event::holds_on(connection, name)?.into_iter().find(|hold| concerns(hold, row));
                closed.extend(hold.map(|hold| (name.clone(), hold.message)));
            }
            Ok(closed)
        })
    }
}

fn round_campaign(
    connection: &mut Database,
    (cluster, row): (&str, CampaignRow),
    submissions: &[SubmissionRow],
    counts: &HashMap<i64, LiveCount>,
) -> Result<RoundCampaign> {
    let mut open_elsewhere = Vec::new();
    for name in row.spec.clusters.keys().filter(|name| *name != cluster) {
        if !event::holds_on(connection, name)?.iter().any(|hold| concerns(hold, &row)) {
            open_elsewhere.push(name.clone());
        }
    }
    let nowhere_else = open_elsewhere.is_empty();
    let avoiding = if nowhere_else { 0 } else { bag::avoiding(connection, row.id, cluster)? };
    let (abandoned, unanswered) = bad_luck(connection, row.id, cluster)?;
    let unclear = [SubmissionState::Intent, SubmissionState::Unknown];
    let pending_here = (row.pending - avoiding).min(row.wanted());
    let is_grouped = row.spec.clusters.get(cluster).is_some_and(|spec| !spec.grouping.is_none());
    let pace = if is_grouped { group::pace_of(connection, row.id, cluster)? } else { Pace::default() };
    Ok(RoundCampaign {
        pending_here,
        facts: steps::facts(connection, &row, (cluster, pending_here))?,
        pace,
        live_here: counts.get(&row.id).map_or(0, |count| count.live),
        in_doubt: submissions.iter().filter(|s| s.campaign_id == row.id && unclear.contains(&s.state)).count() as i64,
        abandoned,
        unanswered,
        open_elsewhere,
        nowhere_else,
        row,
    })
}
