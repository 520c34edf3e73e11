//! How events end: their cause is gone, their campaign ended, nothing more happened, or a person closed them. Closing
//! changes no task: what was held goes on, what failed stays failed.

use cigri_core::event::{Closer, Closing, Code, Scope};
use diesel::prelude::*;

use crate::connection::{Database, storable};
use crate::schema::{campaign, event};
use crate::{Result, Store, StoreError, max_failures};

/// Events that one call closes or drops at most.
const AT_ONCE: i64 = 1000;
/// Who closes what nobody has to.
const BY_ITSELF: &str = "cigri";
/// What is said to users about a cluster.
const OF_USERS: [Code; 4] = [Code::TokenNotFound, Code::PermissionDenied, Code::TokenNotRenewed, Code::NoAccount];
/// What goes on is noted again within less.
const IDLE_MS: i64 = 3 * 86_400_000;
/// Why most events end.
const GONE: &str = "its cause is gone";

/// What a person closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HandClosed {
    /// Codes of the events closed, each with what it was about.
    pub closed: Vec<(Code, Scope)>,
    /// Codes of open ones that nobody closes by hand.
    pub left: Vec<Code>,
}

/// When, by whom, why.
type End<'a> = (i64, &'a str, &'a str);

/// Sets what says that an event is closed, on open events that match.
macro_rules! end {
    ($connection:expr, $which:expr, $end:expr) => {{
        let (now, by, why): End<'_> = $end;
        diesel::update(event::table.filter(event::closed_at.is_null()).filter($which))
            .set((
                event::closed_at.eq(Some(now)),
                event::closed_by.eq(Some(storable(by))),
                event::closed_why.eq(Some(storable(why))),
            ))
            .execute($connection)
    }};
}

/// Closes the holds of a campaign and says how many there were.
pub(crate) fn lift_holds(connection: &mut Database, campaign: i64, now: i64) -> Result<usize> {
    let which = event::holds.eq(true).and(event::campaign_id.eq(campaign));
    Ok(end!(connection, which, (now, BY_ITSELF, "the campaign was resumed or retried"))?)
}

/// Closes the open event of a code and scope; returns how many were open.
pub(crate) fn close(connection: &mut Database, code: Code, scope: &Scope, now: i64) -> Result<usize> {
    let which = event::code.eq(code.as_str()).and(event::scope.eq(scope.key()));
    Ok(end!(connection, which, (now, BY_ITSELF, GONE))?)
}

/// Closes the events of a campaign if it has ended.
pub(crate) fn of_ended(connection: &mut Database, id: i64, now: i64) -> Result<()> {
    let has_ended: Option<Option<i64>> =
        campaign::table.find(id).select(campaign::finished_at).first(connection).optional()?;
    if has_ended.flatten().is_some() {
        end!(connection, event::campaign_id.eq(id), (now, BY_ITSELF, "the campaign ended"))?;
    }
    Ok(())
}

/// What was closed by hand is not opened again by what was known then.
fn go_on(connection: &mut Database, code: Code, scope: &Scope) -> Result<()> {
    match scope.campaign.filter(|_| code == Code::TooManyFailures) {
        Some(campaign) => max_failures::count_anew(connection, campaign),
        None => Ok(()),
    }
}

impl Store {
    /// Closes the open event of a code and scope: its cause is gone. Returns how many were open.
    pub fn close_event(&self, code: Code, scope: &Scope, now: i64) -> Result<usize> {
        let found = self.read(|connection| super::find(connection, code, scope))?;
        match found {
            None => Ok(0),
            Some(_) => self.write(|connection| close(connection, code, scope, now)),
        }
    }

    /// Closes what was noted of a code about campaigns on a cluster: its cause is gone. Those that hold wait for a person.
    /// Returns how many were open.
    pub fn close_notes(&self, code: Code, cluster: &str, now: i64) -> Result<usize> {
        let which = || {
            let noted = event::holds.eq(false).and(event::campaign_id.is_not_null());
            event::code.eq(code.as_str()).and(event::cluster.eq(cluster)).and(noted)
        };
        let found: i64 = self.read(|connection| {
            let open = event::table.filter(event::closed_at.is_null()).filter(which());
            Ok(open.count().get_result(connection)?)
        })?;
        match found {
            0 => Ok(0),
            _ => self.write(|connection| Ok(end!(connection, which(), (now, BY_ITSELF, GONE))?)),
        }
    }

    /// Closes an event as a person asked. `None`: it was closed already.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if nobody closes such an event by hand.
    pub fn close_by_hand(&self, id: i64, who: &str, now: i64) -> Result<Option<(Code, Scope)>> {
        self.write(|connection| {
            let row: super::EventRow =
                event::table.find(id).first(connection).optional()?.ok_or_else(|| missing(id))?;
            let code: Code = row.code.parse().map_err(StoreError::corrupt)?;
            let scope = Scope { campaign: row.campaign_id, cluster: row.cluster, user: row.owner };
            if row.closed_at.is_none() && code.closer() == Closer::Nobody {
                let ending = code.ending(&scope);
                return Err(StoreError::Conflict(format!(
                    "event {id} ({}) is not closed by hand: it closes {ending}",
                    row.code
                )));
            }
            let closed = end!(connection, event::id.eq(id), (now, who, "by hand"))?;
            if closed > 0 {
                go_on(connection, code, &scope)?;
            }
            Ok((closed > 0).then_some((code, scope)))
        })
    }

    /// Closes the open events of a campaign as its owner asked: all but those that nobody closes by hand.
    pub fn close_all_by_hand(&self, campaign: i64, who: &str, now: i64) -> Result<HandClosed> {
        self.write(|connection| {
            let rows: Vec<super::EventRow> = event::table
                .filter(event::closed_at.is_null().and(event::campaign_id.eq(campaign)))
                .order(event::id)
                .load(connection)?;
            let mut done = HandClosed::default();
            for row in rows {
                let code: Code = row.code.parse().map_err(StoreError::corrupt)?;
                if code.closer() == Closer::Owner {
                    let scope = Scope { campaign: row.campaign_id, cluster: row.cluster, user: row.owner };
                    end!(connection, event::id.eq(row.id), (now, who, "by hand"))?;
                    go_on(connection, code, &scope)?;
                    done.closed.push((code, scope));
                } else {
                    done.left.push(code);
                }
            }
            Ok(done)
        })
    }

    /// Closes events of codes that end when nothing more happens, and that did not happen for so long. At most 1 000 a
    /// call; returns how many.
    pub fn close_quiet_events(&self, now: i64) -> Result<usize> {
        let ids = self.read(|connection| quiet(connection, now))?;
        if ids.is_empty() {
            return Ok(0);
        }
        let end = (now, BY_ITSELF, "it did not happen any more");
        self.write(|connection| Ok(end!(connection, event::id.eq_any(ids), end)?))
    }

    /// Closes what was said to users about their tokens and accounts on a cluster when it did not happen for days, and they
    /// have nothing to do there: nobody looks whether it is over. Returns how many.
    pub fn close_of_idle_users(&self, cluster: &str, now: i64) -> Result<usize> {
        let quiet: Vec<(i64, Option<String>)> = self.read(|connection| {
            Ok(event::table
                .filter(event::closed_at.is_null().and(event::campaign_id.is_null()))
                .filter(event::code.eq_any(OF_USERS.iter().map(|code| code.as_str())))
                .filter(event::cluster.eq(cluster).and(event::last_at.le(now - IDLE_MS)))
                .select((event::id, event::owner))
                .limit(AT_ONCE)
                .load(connection)?)
        })?;
        if quiet.is_empty() {
            return Ok(0);
        }
        let working = self.users_with_work(cluster)?;
        let is_idle = |owner: &Option<String>| owner.as_ref().is_some_and(|owner| !working.contains(owner));
        let ids: Vec<i64> = quiet.into_iter().filter(|(_, owner)| is_idle(owner)).map(|(id, _)| id).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let end = (now, BY_ITSELF, "its user has nothing to do there");
        self.write(|connection| Ok(end!(connection, event::id.eq_any(ids), end)?))
    }

    /// Closes events of clusters as a whole and of users there, when the cluster is none of these any more; but those that
    /// guard what it would do if it came back. Returns how many.
    pub fn close_of_other_clusters(&self, known: &[String], now: i64) -> Result<usize> {
        let guards = Code::ALL.iter().filter(|code| code.closer() == Closer::Nobody).map(|code| code.as_str());
        let which = event::campaign_id.is_null().and(event::code.ne_all(guards));
        let which = which.and(event::cluster.is_not_null()).and(event::cluster.ne_all(known.iter().map(Some)));
        self.write(|connection| Ok(end!(connection, which, (now, BY_ITSELF, "the cluster is not there any more"))?))
    }

    /// Drops events that were closed before a moment (epoch milliseconds), but for those of campaigns that go on. At most
    /// 1 000 a call, so that it never lasts; returns how many, 0 when none is left.
    pub fn prune_events(&self, before_ms: i64) -> Result<usize> {
        let going_on = campaign::table.filter(campaign::finished_at.is_null()).select(campaign::id.nullable());
        let ids: Vec<i64> = self.read(|connection| {
            Ok(event::table
                .filter(event::closed_at.lt(before_ms))
                .filter(event::campaign_id.is_null().or(event::campaign_id.ne_all(going_on)))
                .select(event::id)
                .order(event::closed_at)
                .limit(AT_ONCE)
                .load(connection)?)
        })?;
        if ids.is_empty() {
            return Ok(0);
        }
        self.write(|connection| {
            let old = event::id.eq_any(ids).and(event::closed_at.lt(before_ms));
            Ok(diesel::delete(event::table.filter(old)).execute(connection)?)
        })
    }
}

/// Open events that did not happen for as long as their code says.
fn quiet(connection: &mut Database, now: i64) -> Result<Vec<i64>> {
    let mut found = Vec::new();
    for code in Code::ALL {
        let Closing::Quiet(hours) = code.closing() else { continue };
        let ids: Vec<i64> = event::table
            .filter(event::closed_at.is_null().and(event::code.eq(code.as_str())))
            .filter(event::last_at.le(now - i64::from(hours) * 3_600_000))
            .select(event::id)
            .limit(AT_ONCE - found.len() as i64)
            .load(connection)?;
        found.extend(ids);
    }
    Ok(found)
}

fn missing(id: i64) -> StoreError {
    StoreError::Missing(format!("event {id}"))
}
