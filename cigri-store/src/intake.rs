//! Taking a campaign in: short transactions under state `receiving`, one flip at the end.

use cigri_core::language::CampaignSpec;
use cigri_core::state::{BagState, CampaignState, Stage};
use diesel::prelude::*;

use crate::idempotency::{self, NewKey};
use crate::schema::{campaign, progress};
use crate::{Result, Store, StoreError, addition, bulk, reserve};

/// Parameters per stored chunk.
pub const CHUNK: usize = 1000;
/// Most tasks of a campaign.
pub const MOST_TASKS: i64 = 1_000_000_000;

/// The file a campaign came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Canonical path.
    pub path: String,
    /// Digest of its content.
    pub digest: String,
}

/// A campaign about to be taken in.
#[derive(Debug, Clone)]
pub struct NewCampaign<'a> {
    /// Owner's login.
    pub owner: &'a str,
    /// What was resolved from the JDL.
    pub spec: &'a CampaignSpec,
    /// The JDL as written, without parameter lists.
    pub jdl: &'a str,
    /// Where it came from.
    pub origin: Option<Origin>,
}

/// Parameters as chunks, the first of which begins at `first`.
pub(crate) fn chunks(first: i64, parameters: &[String]) -> Vec<(i64, String)> {
    let chunk = |(at, chunk): (usize, &[String])| (first + (at * CHUNK) as i64, chunk.join("\n"));
    parameters.chunks(CHUNK).enumerate().map(chunk).collect()
}

/// A campaign with a sample begins with it.
fn first_stage(spec: &CampaignSpec) -> Stage {
    if spec.test.is_some() { Stage::Testing } else { Stage::Open }
}

impl Store {
    /// Writes a campaign down under state `receiving`, and returns its id. Nobody sees it yet.
    pub fn begin_campaign(&self, new: &NewCampaign<'_>, now: i64) -> Result<i64> {
        let spec = serde_json::to_string(new.spec).map_err(StoreError::corrupt)?;
        let stage = first_stage(new.spec);
        self.write(|connection| {
            let id = reserve(connection, "campaign", 1)?;
            diesel::insert_into(campaign::table)
                .values((
                    (campaign::id.eq(id), campaign::owner.eq(new.owner), campaign::name.eq(&new.spec.name)),
                    (campaign::state.eq(CampaignState::Receiving.as_str()), campaign::stage.eq(stage.as_str())),
                    (campaign::jdl.eq(new.jdl), campaign::spec.eq(&spec), campaign::counted.eq(false)),
                    (campaign::first_task_id.eq(0i64), campaign::task_count.eq(0i64)),
                    campaign::origin_path.eq(new.origin.as_ref().map(|origin| &origin.path)),
                    campaign::origin_digest.eq(new.origin.as_ref().map(|origin| &origin.digest)),
                    campaign::bag.eq(new.spec.endless.map(|_| BagState::Open.as_str())),
                    campaign::submitted_at.eq(now),
                ))
                .execute(connection)?;
            Ok(id)
        })
    }

    /// Writes down anew what a campaign asks for that is being received: it may depend on its parameters.
    pub fn restate_campaign(&self, id: i64, asked: &CampaignSpec) -> Result<()> {
        let spec = serde_json::to_string(asked).map_err(StoreError::corrupt)?;
        self.write(|connection| {
            let restated = diesel::update(campaign::table.find(id))
                .filter(campaign::state.eq(CampaignState::Receiving.as_str()))
                .set((
                    campaign::name.eq(&asked.name),
                    campaign::stage.eq(first_stage(asked).as_str()),
                    campaign::spec.eq(&spec),
                ))
                .execute(connection)?;
            if restated == 1 { Ok(()) } else { Err(StoreError::Missing(format!("campaign {id} being received"))) }
        })
    }

    /// Appends parameters to a campaign that is being received. `first_index` and the length must be multiples
    /// of [`CHUNK`], but for the last call.
    pub fn append_parameters(&self, id: i64, first_index: i64, parameters: &[String]) -> Result<()> {
        let chunks = chunks(first_index, parameters);
        self.write(|connection| bulk::insert_chunks(connection, id, &chunks))
    }

    /// Opens a received campaign of `task_count` tasks. `counted` says that its parameters are their own indices, or
    /// the points of its sweep.
    pub fn open_campaign(&self, id: i64, task_count: i64, counted: bool) -> Result<()> {
        self.open_campaign_once(id, task_count, counted, None)
    }

    /// The same, and keeps the caller's key with it; [`StoreError::Repeated`] and nothing done if the key is known.
    pub fn open_campaign_once(&self, id: i64, task_count: i64, counted: bool, key: Option<&NewKey>) -> Result<()> {
        self.write(|connection| {
            idempotency::remember(connection, key, id)?;
            let first_task_id = reserve(connection, "task", task_count)?;
            diesel::insert_into(progress::table)
                .values((
                    (progress::campaign_id.eq(id), progress::next_index.eq(0i64), progress::pending.eq(task_count)),
                    (progress::live.eq(0i64), progress::running.eq(0i64), progress::done.eq(0i64)),
                    (progress::failed.eq(0i64), progress::cancelled.eq(0i64), progress::kills.eq(0i64)),
                ))
                .execute(connection)?;
            let opened = diesel::update(campaign::table.find(id))
                .filter(campaign::state.eq(CampaignState::Receiving.as_str()))
                .set((
                    campaign::state.eq(CampaignState::Active.as_str()),
                    campaign::first_task_id.eq(first_task_id),
                    campaign::task_count.eq(task_count),
                    campaign::counted.eq(counted),
                ))
                .execute(connection)?;
            if opened == 1 { Ok(()) } else { Err(StoreError::Missing(format!("campaign {id} being received"))) }
        })
    }

    /// Drops a campaign that was being received, and gives back the room it took on the disk.
    pub fn drop_received(&self, id: i64) -> Result<()> {
        self.write(|connection| {
            diesel::delete(campaign::table.find(id))
                .filter(campaign::state.eq(CampaignState::Receiving.as_str()))
                .execute(connection)?;
            Ok(())
        })?;
        self.shrink()
    }

    /// Drops what an earlier process was receiving when it ended: campaigns and additions; returns how many.
    pub fn sweep_received(&self) -> Result<usize> {
        self.write(|connection| {
            let additions = addition::sweep(connection)?;
            let campaigns = diesel::delete(campaign::table)
                .filter(campaign::state.eq(CampaignState::Receiving.as_str()))
                .execute(connection)?;
            Ok(campaigns + additions)
        })
    }
}
