//! Terms of a whole cluster that depend on readings: its windows, the age of the picture, its stress, other people's
//! waiting jobs, the load of its file server, the budget of requests.

use std::time::Duration;

use cigri_core::breaker::Subject;
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::meter::limits::StressLimit;
use cigri_core::meter::{Bound, FileServer, Reason, stress, window};

use super::{Memory, Round, StepError, neighbours};

/// Two rounds at the usual period: below it a slow machine is no reason to distrust a picture.
const LEAST_PATIENCE_S: u64 = 30;

/// A submission that would wait longer than this for the budget of requests is left to a later round.
const MOST_WAIT: Duration = Duration::from_secs(5);
/// Jobs per round while the stress of the cluster is to be limited, and not known.
const FLOOR: u64 = 1;

/// What the cluster told of its stress.
#[derive(Debug, Default)]
pub(super) struct Stress {
    /// When it was asked last, epoch milliseconds.
    asked_at: Option<i64>,
    /// The last load that it told, or when it was first asked in vain.
    last: Option<(i64, Option<f64>)>,
    /// Whether it is known, and told, that all is well.
    told: Option<bool>,
}

/// Takes this round's readings.
pub(super) async fn read(round: &Round<'_>, memory: &mut Memory) -> Result<(), StepError> {
    if let Some(settings) = &round.limits.file_server {
        memory.file_server.read(round.now, round.handle.sensor.last(), settings);
    } else if memory.file_server != FileServer::new() {
        memory.file_server = FileServer::new();
    }
    let seen = match round.limits.stress {
        None => Ok(()),
        Some(_) if !is_due(round, &memory.stress) => return Ok(()),
        Some(_) => ask_stress(round, &mut memory.stress).await,
    };
    if memory.stress.told != Some(seen.is_ok()) {
        let is_well = seen.is_ok();
        tell(round, seen).await?;
        memory.stress.told = Some(is_well);
    }
    Ok(())
}

/// At most once in a period.
fn is_due(round: &Round<'_>, stress: &Stress) -> bool {
    let period_ms = round.limits.period_s as i64 * 1000;
    stress.asked_at.is_none_or(|at| !(0..period_ms).contains(&(round.now - at)))
}

async fn ask_stress(round: &Round<'_>, stress: &mut Stress) -> Result<(), String> {
    stress.asked_at = Some(round.now);
    let problem = match round.handle.client.stress_factor().await {
        Ok(Some(load)) if load.is_finite() => {
            stress.last = Some((round.now, Some(load)));
            return Ok(());
        }
        Ok(_) => "its script tells no number".to_owned(),
        Err(error) => error.to_string(),
    };
    stress.last.get_or_insert((round.now, None));
    Err(problem)
}

/// One event for each trouble, closed when it is over.
async fn tell(round: &Round<'_>, seen: Result<(), String>) -> Result<(), StepError> {
    let Err(problem) = seen else {
        let (scope, now) = (Scope::cluster(round.name()), round.now);
        return round.store(move |store| store.close_event(Code::StressUnknown, &scope, now)).await.map(|_| ());
    };
    let message = format!(
        "{}'s stress factor, which `stress` limits, cannot be read: {problem}. While it is not known, at most {FLOOR} job \
         is sent there per round",
        round.name()
    );
    round.tell(NewEvent::note(Scope::cluster(round.name()), Code::StressUnknown, message)).await
}

/// All terms, for the plan.
pub(super) fn of(round: &Round<'_>, memory: &Memory) -> Vec<Bound> {
    let limits = &round.limits;
    let stress = limits.stress.as_ref().and_then(|limit| stressed(round, &memory.stress, limit));
    let file_server = limits.file_server.as_ref().map(|settings| memory.file_server.bound(settings));
    let breaker = memory.breakers.bound(&Subject::Cluster, round.now);
    let neighbours = neighbours::bound(round, memory);
    let all = [stale(round), closed(round), breaker, stress, neighbours, file_server, pressed(round)];
    all.into_iter().flatten().collect()
}

fn stressed(round: &Round<'_>, stress: &Stress, limit: &StressLimit) -> Option<Bound> {
    let (at, load) = stress.last?;
    // What was told in the future, before the clock went back, is as old.
    let (age_s, most_s) = (round.now.abs_diff(at) / 1000, most_s(round));
    match load {
        Some(load) if age_s <= most_s => stress::bound(load, limit),
        _ => Some(Bound::new(FLOOR, Reason::Stale { age_s, most_s })),
    }
}

/// The budget of requests is used up: nothing is begun that could not go on.
fn pressed(round: &Round<'_>) -> Option<Bound> {
    kept_waiting(round, MOST_WAIT)
}

/// The budget of requests keeps a submission waiting for longer than this.
fn kept_waiting(round: &Round<'_>, longer_than: Duration) -> Option<Bound> {
    let pressure = round.handle.client.pressure();
    let text = pressure.sentence().filter(|_| pressure.wait > longer_than)?;
    Some(Bound::none(Reason::Requests { wait_s: pressure.wait.as_secs_f64().ceil() as u64, text }))
}

/// None of its windows is open: what waits there stays, nothing more is sent.
fn closed(round: &Round<'_>) -> Option<Bound> {
    let zone = round.grid.calendar(round.name()).zone();
    let text = window::problem(&round.limits.windows, zone, round.now)?;
    Some(Bound::none(Reason::Window { text }))
}

/// Whether the picture of the cluster is too old to send anything by it.
pub(super) fn is_stale(round: &Round<'_>) -> bool {
    stale(round).is_some()
}

/// A picture older than two periods allows nothing: for want of requests, where these are what it waited for. The local
/// cluster is asked in this process: it is never that late.
fn stale(round: &Round<'_>) -> Option<Bound> {
    too_old(round.began.elapsed(), most_s(round), || kept_waiting(round, Duration::ZERO)).filter(|_| !round.is_local())
}

/// Whether what is left of the looks is for the next round: they had half of the time for which a picture holds. Under a
/// small budget of requests, or on a slow cluster, they would take all of it, and nothing would ever be sent.
pub(super) fn ends_looks(round: &Round<'_>) -> bool {
    is_past(round, 2)
}

/// The same for deletions, which come after the looks: half of what these left is for what is sent.
pub(super) fn ends_deletions(round: &Round<'_>) -> bool {
    is_past(round, 3)
}

/// Whether so many quarters of the time for which a picture holds are over.
fn is_past(round: &Round<'_>, quarters: u32) -> bool {
    !round.is_local() && round.began.elapsed() > Duration::from_secs(most_s(round)) * quarters / 4
}

/// How old what is known of the cluster may be, seconds.
pub(super) fn most_s(round: &Round<'_>) -> u64 {
    round.limits.period_s.saturating_mul(2).max(LEAST_PATIENCE_S)
}

fn too_old(age: Duration, most_s: u64, waited_for: impl FnOnce() -> Option<Bound>) -> Option<Bound> {
    let age_s = age.as_secs();
    (age_s > most_s).then(|| waited_for().unwrap_or(Bound::none(Reason::Stale { age_s, most_s })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_older_than_two_periods_allows_nothing() {
        assert_eq!(too_old(Duration::from_secs(30), 30, || None), None);
        let bound = too_old(Duration::from_secs(31), 30, || None).unwrap();
        assert_eq!((bound.allowed, bound.reason), (0, Reason::Stale { age_s: 31, most_s: 30 }));
    }

    #[test]
    fn a_picture_that_is_old_for_want_of_requests_says_so() {
        let requests = Bound::none(Reason::Requests { wait_s: 3, text: "2 requests per second".to_owned() });
        assert_eq!(too_old(Duration::from_secs(31), 30, || Some(requests.clone())), Some(requests.clone()));
        assert_eq!(too_old(Duration::from_secs(29), 30, || Some(requests)), None, "young enough all the same");
    }
}
