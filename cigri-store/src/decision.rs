//! Why campaigns got what they got on clusters: the last decision of each pair, and for a while those before it.

use cigri_core::meter::Bound;
use diesel::prelude::*;
use serde_json::Value;

use crate::connection::Database;
use crate::schema::{campaign, decision, decision_log};
use crate::{Result, Store, bulk, reserve};

/// Rows that one call of [`Store::prune_decisions`] drops at most.
const PRUNED: i64 = 1000;

/// Why a campaign got what it got on a cluster in a round.
#[derive(Debug, Clone, PartialEq)]
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
    /// Every term that was looked at. Empty where another version of the program wrote terms that this one cannot read.
    pub terms: Vec<Bound>,
    /// What the plan started from: a JSON object of the round's choice.
    pub inputs: Value,
}

type Columns = (i64, String, i64, i64, String, String, String, String);

fn row((campaign_id, cluster, decided_at, allowed, bound_by, reason, terms, inputs): Columns) -> DecisionRow {
    let (terms, inputs) =
        (serde_json::from_str(&terms).unwrap_or_default(), serde_json::from_str(&inputs).unwrap_or_default());
    DecisionRow { campaign_id, cluster, decided_at, allowed, bound_by, reason, terms, inputs }
}

macro_rules! columns {
    ($table:ident) => {
        (
            $table::campaign_id,
            $table::cluster,
            $table::decided_at,
            $table::allowed,
            $table::bound_by,
            $table::reason,
            $table::terms,
            $table::inputs,
        )
    };
}

impl Store {
    /// Keeps a round's decisions in place of the last ones, and in the history: a few statements for all of them. They
    /// are of different campaigns.
    pub fn record_decisions(&self, decisions: &[DecisionRow]) -> Result<()> {
        self.put_decisions(decisions, true)
    }

    /// The same without the history: of decisions that differ in their numbers alone.
    pub fn refresh_decisions(&self, decisions: &[DecisionRow]) -> Result<()> {
        self.put_decisions(decisions, false)
    }

    fn put_decisions(&self, decisions: &[DecisionRow], are_logged: bool) -> Result<()> {
        if decisions.is_empty() {
            return Ok(());
        }
        self.write(|connection| {
            let first = reserve(connection, "decision", decisions.len() as i64)?;
            bulk::put_decisions(connection, decisions, first)?;
            if !are_logged {
                diesel::delete(decision_log::table.filter(decision_log::id.ge(first))).execute(connection)?;
            }
            Ok(())
        })
    }

    /// The last decisions about a campaign, by cluster.
    pub fn decisions(&self, campaign_id: i64) -> Result<Vec<DecisionRow>> {
        self.read(|connection| {
            let found: Vec<Columns> = decision::table
                .filter(decision::campaign_id.eq(campaign_id))
                .order(decision::cluster)
                .select(columns!(decision))
                .load(connection)?;
            Ok(found.into_iter().map(row).collect())
        })
    }

    /// The last `limit` decisions about a campaign, on one cluster or all, newest first, as far as they are kept.
    pub fn decision_history(&self, campaign_id: i64, cluster: Option<&str>, limit: i64) -> Result<Vec<DecisionRow>> {
        self.read(|connection| {
            let mut query = decision_log::table.filter(decision_log::campaign_id.eq(campaign_id)).into_boxed();
            if let Some(cluster) = cluster {
                query = query.filter(decision_log::cluster.eq(cluster.to_owned()));
            }
            let found: Vec<Columns> =
                query.order(decision_log::id.desc()).limit(limit).select(columns!(decision_log)).load(connection)?;
            Ok(found.into_iter().map(row).collect())
        })
    }

    /// Drops decisions from before a moment (epoch milliseconds): of the history, and the last ones of campaigns that
    /// had ended by then. At most 1 000 a call, so that it never lasts; returns how many, 0 when none is left.
    pub fn prune_decisions(&self, before_ms: i64) -> Result<usize> {
        let is_any = self.read(|connection| {
            let old = decision_log::decided_at.lt(before_ms);
            let found: Option<i64> =
                decision_log::table.filter(old).select(decision_log::id).first(connection).optional()?;
            Ok(found.is_some() || !of_ended(connection, before_ms, 1)?.is_empty())
        })?;
        if is_any { self.write(|connection| prune(connection, before_ms)) } else { Ok(0) }
    }
}

fn prune(connection: &mut Database, before_ms: i64) -> Result<usize> {
    let old: Vec<i64> = decision_log::table
        .filter(decision_log::decided_at.lt(before_ms))
        .order(decision_log::decided_at)
        .limit(PRUNED)
        .select(decision_log::id)
        .load(connection)?;
    let mut dropped = diesel::delete(decision_log::table.filter(decision_log::id.eq_any(old))).execute(connection)?;
    for (campaign, cluster) in of_ended(connection, before_ms, PRUNED - dropped as i64)? {
        dropped += diesel::delete(decision::table.find((campaign, cluster))).execute(connection)?;
    }
    Ok(dropped)
}

/// Last decisions about campaigns that ended before a moment.
fn of_ended(connection: &mut Database, before_ms: i64, limit: i64) -> Result<Vec<(i64, String)>> {
    Ok(decision::table
        .inner_join(campaign::table.on(campaign::id.eq(decision::campaign_id)))
        .filter(campaign::finished_at.lt(before_ms))
        .filter(decision::decided_at.lt(before_ms))
        .select((decision::campaign_id, decision::cluster))
        .limit(limit)
        .load(connection)?)
}
