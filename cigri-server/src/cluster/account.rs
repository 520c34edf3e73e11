//! A user's first submission to a cluster: is there an account? OAR accepts jobs for any login that a token names, and
//! loses node after node when it tries to start them.

use cigri_core::event::{Code, NewEvent, Scope};
use oar_client::{Error as ApiError, Token, Urgency};

use super::{Memory, Round, StepError};

/// What was found out about a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// It reads files there.
    There,
    /// It did not, at this time (epoch milliseconds).
    Missing(i64),
}

/// A login without an account is tried again after this long: somebody may have made one.
const AGAIN_MS: i64 = 600_000;
/// A file that nobody has: the cluster says so, if it can act as the user.
const NO_FILE: &str = "/nonexistent/cigri-looks-for-an-account";

/// Whether the cluster can act as this user; if not, the user is held there until it can.
pub(super) async fn is_there(
    round: &Round<'_>,
    memory: &mut Memory,
    (owner, login): (&str, &str),
    token: &Token,
) -> Result<bool, StepError> {
    match memory.accounts.get(login) {
        _ if round.is_local() => return Ok(true),
        Some(Account::There) => return Ok(true),
        Some(Account::Missing(at)) if round.now - at < AGAIN_MS => return Ok(false),
        _ => {}
    }
    let there = match reads_files(round, token).await {
        Err(StepError::Api(error @ ApiError::Unauthorized { .. })) => {
            // This user's trouble alone: the others' round goes on.
            return round.tell(round.bad_token(owner, &error)).await.map(|()| false);
        }
        other => other?,
    };
    let account = if there { Account::There } else { Account::Missing(round.now) };
    memory.accounts.insert(login.to_owned(), account);
    let scope = Scope::user_on(owner, round.name());
    let now = round.now;
    if there {
        round.store(move |store| store.close_event(Code::NoAccount, &scope, now)).await?;
        return Ok(true);
    }
    let message = format!(
        "{login} seems to have no account on {}: a job there would take its nodes down, so none is sent. It is looked \
         at again every {} minutes",
        round.name(),
        AGAIN_MS / 60_000
    );
    round.tell(NewEvent::hold(scope, Code::NoAccount, message)).await?;
    Ok(false)
}

/// Why a user waits who was found to have no account; `None` when it is time to look again.
pub(super) fn problem(round: &Round<'_>, memory: &Memory, login: &str) -> Option<String> {
    match memory.accounts.get(login) {
        Some(Account::Missing(at)) if round.now - at < AGAIN_MS => {
            Some(format!("{login} has no account on {}", round.name()))
        }
        _ => None,
    }
}

/// OAR answers 404 where it looked for the file as the user, 500 where it could not become the user; or when it is
/// broken, which a question to its database shows.
async fn reads_files(round: &Round<'_>, token: &Token) -> Result<bool, StepError> {
    let client = round.handle.client.at(Urgency::Submit);
    for _ in 0..2 {
        match client.media(token, NO_FILE, None).await {
            Ok(_) => return Ok(true),
            Err(ApiError::Server { .. }) => client.probe().await?,
            // A file that may not be read is a file that was looked for.
            Err(ApiError::Refused { .. }) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}
