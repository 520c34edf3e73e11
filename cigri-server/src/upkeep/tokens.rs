//! Tokens before they end: the cluster is asked for new ones, and users are told when it gave none.
//!
//! A new token takes the place of the old one only when it could be read, is of the same user, lasts longer, and was
//! accepted by the cluster. Neither is ever logged.

use std::collections::BTreeMap;

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::token::{self, Life, Renewal};
use cigri_store::{ClusterKind, EventRow, TokenRow};
use oar_client::{Token, Urgency};
use tracing::info;

use crate::grid::{ClusterHandle, Grid, GridError};

/// Vain attempts to renew users' tokens on a cluster.
#[derive(Default)]
pub(super) struct Attempts(BTreeMap<String, Attempt>);

struct Attempt {
    failures: u32,
    /// When to try again, epoch seconds.
    next_at: i64,
    problem: String,
}

/// What is known at one look.
struct Look<'a> {
    grid: &'a Grid,
    handle: &'a ClusterHandle,
    /// Open warnings.
    told: Vec<EventRow>,
    /// Users with campaigns that may run there.
    working: Vec<String>,
    /// Whether the cluster may be asked.
    is_open: bool,
    /// Epoch milliseconds.
    now: i64,
}

/// Renews what is due, and warns of what is not renewed. `(is_open, now)`: whether the cluster may be asked, and epoch
/// milliseconds.
pub(super) async fn look_after(
    grid: &Grid,
    handle: &ClusterHandle,
    attempts: &mut Attempts,
    (is_open, now): (bool, i64),
) -> Result<(), GridError> {
    if handle.row.kind == ClusterKind::Local {
        return Ok(());
    }
    let name = handle.row.name.clone();
    let read = move |store: &cigri_store::Store| {
        store.close_of_idle_users(&name, now)?;
        let ending = ending(store.cluster_tokens(&name)?, now / 1000);
        let working = if ending.is_empty() { Vec::new() } else { store.users_with_work(&name)? };
        Ok((ending, store.open_of_code(Code::TokenExpires, &name)?, working))
    };
    let (mut ending, told, working) = crate::blocking(&grid.store, read).await?;
    ending.retain(|(row, life)| !life.is_forgotten(now / 1000) || working.contains(&row.owner));
    attempts.0.retain(|owner, _| ending.iter().any(|(row, _)| row.owner == *owner));
    let over = told.iter().filter_map(|event| event.owner.clone());
    let over = over.filter(|owner| ending.iter().all(|(row, _)| row.owner != *owner)).collect::<Vec<_>>();
    close(grid, handle, over, now).await?;
    let look = Look { grid, handle, told, working, is_open, now };
    for (row, life) in &ending {
        look.one(row, life, attempts).await?;
    }
    Ok(())
}

/// Tokens that it is time to renew, or that have ended; `now` in epoch seconds.
fn ending(tokens: Vec<TokenRow>, now: i64) -> Vec<(TokenRow, Life)> {
    let with_life = tokens.into_iter().filter_map(|row| row.life().map(|life| (row, life)));
    with_life.filter(|(_, life)| life.renew_at() <= now).collect()
}

/// What was said of tokens that are no more, no longer end soon, or ended long ago and are missed by nobody.
async fn close(grid: &Grid, handle: &ClusterHandle, owners: Vec<String>, now: i64) -> Result<(), GridError> {
    for owner in owners {
        let scope = Scope::user_on(&owner, &handle.row.name);
        crate::blocking(&grid.store, move |store| {
            store.close_event(Code::TokenExpires, &scope, now)?;
            store.close_event(Code::TokenNotRenewed, &scope, now)
        })
        .await?;
    }
    Ok(())
}

impl Look<'_> {
    async fn one(&self, row: &TokenRow, life: &Life, attempts: &mut Attempts) -> Result<(), GridError> {
        let now_s = self.now / 1000;
        let applies = row.renewal.applies(self.working.contains(&row.owner));
        let known = attempts.0.get(&row.owner);
        let is_due = known.is_none_or(|attempt| attempt.next_at <= now_s);
        if applies && self.is_open && is_due && life.left_s(now_s) > 0 {
            let failures = known.map_or(0, |attempt| attempt.failures) + 1;
            match self.renew(row).await? {
                Ok(()) => {
                    attempts.0.remove(&row.owner);
                    return Ok(());
                }
                Err(problem) => {
                    let next_at = now_s + life.pause_s(failures, now_s);
                    self.tell_failure(row, &problem).await?;
                    attempts.0.insert(row.owner.clone(), Attempt { failures, next_at, problem });
                }
            }
        }
        self.warn(row, life, (applies, attempts.0.get(&row.owner))).await
    }

    /// Asks for a new token, tries it and stores it; why that was not to be, in words.
    async fn renew(&self, old: &TokenRow) -> Result<Result<(), String>, GridError> {
        let new = match self.ask(old).await {
            Ok(new) => new,
            Err(problem) => return Ok(Err(problem)),
        };
        let (old, now) = (old.clone(), self.now);
        let owner = old.owner.clone();
        let replaced = crate::blocking(&self.grid.store, move |store| store.renew_token(&old, &new, now)).await?;
        if replaced {
            info!(user = %owner, cluster.name = %self.handle.row.name, "a token was renewed");
            self.handle.wake.notify_one();
        }
        Ok(Ok(()))
    }

    async fn ask(&self, old: &TokenRow) -> Result<TokenRow, String> {
        let text = self.grid.sealer.unseal(&old.secret).map_err(|error| error.to_string())?;
        let token = Token::new(text).map_err(|error| error.to_string())?;
        let client = self.handle.client.at(Urgency::Logs);
        let token = client.renew_token(&token).await.map_err(|error| error.to_string())?;
        let new = self.grid.token_row(&old.owner, &old.cluster, &token).map_err(|error| error.to_string())?;
        if new.login != old.login {
            return Err(format!("the new token is of {}, not of {}", new.login, old.login));
        }
        if new.expires_at.is_some_and(|at| Some(at) <= old.expires_at) {
            return Err("the new token ends no later than the old one".to_owned());
        }
        match client.check_token(&token).await {
            Ok(user) if user == old.login => Ok(new),
            Ok(user) => Err(format!("the cluster takes the new token for {user}'s, not for {}'s", old.login)),
            Err(error) => Err(format!("the cluster does not accept the new token: {error}")),
        }
    }

    async fn tell_failure(&self, row: &TokenRow, problem: &str) -> Result<(), GridError> {
        let (owner, name, now) = (&row.owner, &self.handle.row.name, self.now);
        let message = format!(
            "{name} gave no new token for {owner}: {problem}. It is asked again by itself, with growing pauses; a new one \
             can be added with `cigri token add {name}`"
        );
        let event = NewEvent::note(Scope::user_on(owner, name), Code::TokenNotRenewed, message);
        Ok(crate::blocking(&self.grid.store, move |store| store.open_events(&[event], now)).await?)
    }

    /// One event that counts the marks that were passed.
    async fn warn(
        &self,
        row: &TokenRow,
        life: &Life,
        (applies, attempt): (bool, Option<&Attempt>),
    ) -> Result<(), GridError> {
        let (now, now_s) = (self.now, self.now / 1000);
        let marks = life.marks(now_s);
        let event = self.told.iter().find(|event| event.owner.as_ref() == Some(&row.owner));
        if event.is_some_and(|event| life.marks(event.last_at / 1000) >= marks) {
            return Ok(());
        }
        let name = &self.handle.row.name;
        let message = sentence(row, life.left_s(now_s), (applies, attempt));
        let new = NewEvent::note(Scope::user_on(&row.owner, name), Code::TokenExpires, message);
        let severity = token::severity(marks);
        Ok(crate::blocking(&self.grid.store, move |store| store.open_event_as(&new, severity, now)).await?)
    }
}

/// What is told of a token that ends in so many seconds, and what to type.
fn sentence(row: &TokenRow, left_s: i64, (applies, attempt): (bool, Option<&Attempt>)) -> String {
    let TokenRow { owner, cluster, .. } = row;
    let ends = match left_s {
        ..=0 => format!("{owner}'s token for {cluster} has ended: nothing more is sent there for {owner}"),
        _ => format!("{owner}'s token for {cluster} ends in {}", token::in_words(left_s)),
    };
    let add = format!("add a new one with `cigri token add {cluster}`");
    let why = match (applies, attempt, row.renewal) {
        (true, Some(attempt), _) => format!("the cluster gave no new one ({}): {add}", attempt.problem),
        (true, None, _) => format!("the cluster could not be asked for a new one yet: {add}"),
        (false, _, Renewal::Never) => format!(
            "it is not renewed by itself, as its user wished: {add}, or let the server ask for one with `cigri token set \
             {cluster} --renew needed`"
        ),
        (false, ..) => format!(
            "it is renewed by itself only while campaigns of {owner} may run there: {add}, or have it renewed always with \
             `cigri token set {cluster} --renew always`"
        ),
    };
    format!("{ends}; {why}")
}
