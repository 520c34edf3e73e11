//! Active campaigns, with as much of each as every round needs: a round reads hundreds of them.

use std::sync::Arc;

use cigri_core::language::{CampaignSpec, Endless};
use cigri_core::state::{BagState, CampaignState, Stage};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::campaign::CampaignRow;
use crate::connection::Database;
use crate::schema::{campaign, progress};
use crate::specs::{Specs, SpecsById};
use crate::{Result, StoreError, endless};

/// A campaign that is active.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveCampaign {
    /// Campaign id.
    pub id: i64,
    /// Owner's login.
    pub owner: String,
    /// How far it is with its sample.
    pub stage: Stage,
    /// What it asks for, resolved.
    pub spec: Arc<CampaignSpec>,
    /// The bag of a campaign without an end.
    pub bag: Option<BagState>,
    /// Tasks in the bag.
    pub pending: i64,
    /// Tasks with a live job.
    pub live: i64,
    /// Tasks that succeeded.
    pub done: i64,
    /// Some of its tasks were retried with other time or resources than its file says.
    pub has_asks: bool,
}

impl ActiveCampaign {
    /// What ends the campaign, if it has no end by itself and its bag is open.
    pub fn open_bag(&self) -> Option<Endless> {
        endless::open(&self.spec, self.bag)
    }

    /// How many more of its tasks may be sent, beside those that are live: no more than successes are missing.
    pub fn wanted(&self) -> i64 {
        endless::wanted(self.open_bag(), self.done + self.live)
    }
}

impl From<&CampaignRow> for ActiveCampaign {
    fn from(row: &CampaignRow) -> ActiveCampaign {
        ActiveCampaign {
            id: row.id,
            owner: row.owner.clone(),
            stage: row.stage,
            spec: Arc::clone(&row.spec),
            bag: row.bag,
            pending: row.pending,
            live: row.live,
            done: row.done,
            has_asks: false,
        }
    }
}

/// Id, owner, stage, bag; pending, live, done; whether it has asks.
type Columns = (i64, String, String, Option<String>, i64, i64, i64, bool);

/// A part of the one statement: a round sends no other about campaigns without.
const HAS_ASKS: &str = "EXISTS (SELECT 1 FROM retry_override WHERE retry_override.campaign_id = campaign.id)";

/// Active campaigns with tasks to send. One that has nothing left at all waits for its epilogues.
pub(crate) fn with_work(connection: &mut Database, specs: &Specs) -> Result<Vec<ActiveCampaign>> {
    let found: Vec<Columns> = campaign::table
        .inner_join(progress::table.on(progress::campaign_id.eq(campaign::id)))
        .filter(campaign::state.eq(CampaignState::Active.as_str()))
        .filter(progress::pending.gt(0i64).or(progress::live.eq(0i64)))
        .select((
            campaign::id,
            campaign::owner,
            campaign::stage,
            campaign::bag,
            progress::pending,
            progress::live,
            progress::done,
            sql::<Bool>(HAS_ASKS),
        ))
        .order(campaign::id)
        .load(connection)?;
    let ids: Vec<i64> = found.iter().map(|columns| columns.0).collect();
    let mut specs = specs.of(connection, &ids)?;
    found.into_iter().map(|columns| active(columns, &mut specs)).collect()
}

fn active(columns: Columns, specs: &mut SpecsById) -> Result<ActiveCampaign> {
    let (id, owner, stage, bag, pending, live, done, has_asks) = columns;
    Ok(ActiveCampaign {
        id,
        owner,
        stage: stage.parse().map_err(StoreError::corrupt)?,
        spec: specs.remove(&id).ok_or_else(|| StoreError::Missing(format!("campaign {id}")))?,
        bag: bag.map(|bag| bag.parse().map_err(StoreError::corrupt)).transpose()?,
        pending,
        live,
        done,
        has_asks,
    })
}
