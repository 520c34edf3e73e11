//! Who belongs to the groups that have quotas: as the configuration says, else as this machine's system does.
//!
//! The system's directory may be far away, and fail: a round waits for it once, for the first answer, and goes on with
//! what is known while the next is looked for. A group that cannot be read is told by an event, and asked for again soon.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_store::StoreError;
use nix::unistd::Group;
use tokio::sync::Notify;
use tracing::warn;

use crate::clock::{monotonic, now_ms};
use crate::grid::Grid;

/// How long what the system said is good.
const GOOD_FOR: Duration = Duration::from_secs(600);
/// After how long a group that could not be read is asked for again.
const AGAIN: Duration = Duration::from_secs(30);
/// How long a round waits for the first answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Members of a group, none of one that does not exist; or why they cannot be read.
type Lookup = dyn Fn(&str) -> Result<Option<Vec<String>>, String> + Send + Sync;

/// Groups and their members.
pub(crate) struct Members {
    configured: BTreeMap<String, Vec<String>>,
    lookup: Arc<Lookup>,
    /// What the system said last.
    known: Arc<Mutex<BTreeMap<String, Known>>>,
    /// Rung at each answer.
    answered: Arc<Notify>,
    /// What was told about each cluster's groups last.
    told: Mutex<BTreeMap<String, Option<String>>>,
}

/// What is known of one group.
#[derive(Debug, Clone)]
struct Known {
    members: Vec<String>,
    /// Why they may be others, if so.
    problem: Option<String>,
    asked_at: Instant,
    is_asked: bool,
    /// False: nothing was ever heard of it.
    is_answered: bool,
}

impl Known {
    fn take(&mut self, answer: Result<Option<Vec<String>>, String>) {
        (self.is_asked, self.is_answered) = (false, true);
        (self.members, self.problem) = match answer {
            Ok(Some(members)) => (members, None),
            Ok(None) => (Vec::new(), Some("the system knows no such group".to_owned())),
            // What was known is better than nothing.
            Err(problem) => (std::mem::take(&mut self.members), Some(problem)),
        };
    }
}

impl Default for Members {
    fn default() -> Members {
        Members::new(BTreeMap::new())
    }
}

/// The members of the groups that have quotas on a cluster. Groups that cannot be read have the members that were known
/// last, and are told by an event; it is closed when they can.
pub(crate) async fn with_quotas(
    grid: &Grid,
    cluster: &str,
    names: impl Iterator<Item = &String>,
) -> BTreeMap<String, Vec<String>> {
    let (found, problem) = grid.members.of(names).await;
    if grid.members.told(cluster) == Some(problem.clone()) {
        return found;
    }
    match tell(grid, cluster, problem.clone()).await {
        Ok(()) => drop(lock(&grid.members.told).insert(cluster.to_owned(), problem)),
        Err(error) => warn!(cluster.name = %cluster, "cannot write about groups: {error}"),
    }
    found
}

async fn tell(grid: &Grid, cluster: &str, problem: Option<String>) -> Result<(), StoreError> {
    let (scope, now) = (Scope::cluster(cluster), now_ms());
    crate::blocking(&grid.store, move |store| match problem {
        None => store.close_event(Code::GroupUnreadable, &scope, now).map(|_| ()),
        Some(problem) => store.open_events(&[NewEvent::note(scope, Code::GroupUnreadable, problem)], now),
    })
    .await
}

impl Members {
    /// These groups are as the configuration says, all others as the system does.
    pub(crate) fn new(configured: BTreeMap<String, Vec<String>>) -> Members {
        let (known, answered, told) = (Arc::default(), Arc::default(), Mutex::default());
        Members { configured, lookup: Arc::new(of_system), known, answered, told }
    }

    /// The members of these groups, and what is wrong with some of them. The system does not tell whose primary group a
    /// group is: only those are members that it lists.
    async fn of(&self, names: impl Iterator<Item = &String>) -> (BTreeMap<String, Vec<String>>, Option<String>) {
        let (mut found, mut problems) = (BTreeMap::new(), Vec::new());
        for name in names {
            let members = match self.configured.get(name) {
                Some(members) => members.clone(),
                None => {
                    let known = self.known(name, monotonic()).await;
                    problems.extend(known.problem.map(|problem| words(name, &known.members, &problem)));
                    known.members
                }
            };
            found.insert(name.clone(), members);
        }
        (found, (!problems.is_empty()).then(|| problems.join("; ")))
    }

    async fn known(&self, name: &str, now: Instant) -> Known {
        let last = lock(&self.known).get(name).cloned();
        let is_due = |last: &Known| {
            let good_for = if last.problem.is_some() { AGAIN } else { GOOD_FOR };
            !last.is_asked && now.saturating_duration_since(last.asked_at) >= good_for
        };
        let known = match last {
            None => {
                let problem = Some(format!("the system takes more than {} s", PATIENCE.as_secs()));
                let none = Known { members: Vec::new(), problem, asked_at: now, is_asked: true, is_answered: false };
                self.ask(name, none.clone());
                none
            }
            Some(last) if is_due(&last) => {
                self.ask(name, Known { asked_at: now, is_asked: true, ..last.clone() });
                last
            }
            Some(last) => last,
        };
        if known.is_answered {
            return known;
        }
        let left = PATIENCE.saturating_sub(now.saturating_duration_since(known.asked_at));
        tokio::time::timeout(left, self.first_answer(name)).await.unwrap_or(known)
    }

    /// Asks the system, however long it takes; `until_then` is what is known meanwhile.
    fn ask(&self, name: &str, until_then: Known) {
        lock(&self.known).insert(name.to_owned(), until_then);
        let (name, lookup, known) = (name.to_owned(), Arc::clone(&self.lookup), Arc::clone(&self.known));
        let answered = Arc::clone(&self.answered);
        tokio::task::spawn_blocking(move || {
            let answer = lookup(&name);
            if let Some(entry) = lock(&known).get_mut(&name) {
                entry.take(answer);
            }
            answered.notify_waiters();
        });
    }

    /// What is known of a group once there was an answer, asked by whomever.
    async fn first_answer(&self, name: &str) -> Known {
        loop {
            let answered = self.answered.notified();
            tokio::pin!(answered);
            // From here on no answer is missed.
            answered.as_mut().enable();
            let known = lock(&self.known).get(name).filter(|known| known.is_answered).cloned();
            match known {
                Some(known) => return known,
                None => answered.await,
            }
        }
    }

    fn told(&self, cluster: &str) -> Option<Option<String>> {
        lock(&self.told).get(cluster).cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn words(name: &str, members: &[String], problem: &str) -> String {
    let until_then = if members.is_empty() { "its quota binds nobody" } else { "its last known members count" };
    format!("the members of group {name} cannot be read: {problem}. Until they can, {until_then}")
}

fn of_system(name: &str) -> Result<Option<Vec<String>>, String> {
    Group::from_name(name).map(|group| group.map(|group| group.mem)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use cigri_store::{ClusterKind, ClusterRow, Store};

    use super::*;
    use crate::secret::Sealer;

    #[tokio::test]
    async fn the_configuration_goes_before_the_system_and_an_unknown_group_is_empty() {
        let configured = BTreeMap::from([("root".to_owned(), vec!["alice".to_owned(), "bob".to_owned()])]);
        let names = ["root".to_owned(), "daemon".to_owned(), "no-such-group".to_owned()];
        let (members, problem) = Members::new(configured).of(names.iter()).await;
        assert_eq!(members["root"], ["alice", "bob"]);
        assert_eq!(members["daemon"], Group::from_name("daemon").unwrap().unwrap().mem);
        assert!(members["no-such-group"].is_empty());
        let told = "the members of group no-such-group cannot be read: the system knows no such group. Until they can, \
                    its quota binds nobody";
        assert_eq!(problem.as_deref(), Some(told));
    }

    /// Answers are given one by one.
    fn scripted(answers: Vec<Result<Option<Vec<String>>, String>>) -> Members {
        let answers = Mutex::new(answers.into_iter());
        let lookup = move |_: &str| lock(&answers).next().unwrap();
        Members { lookup: Arc::new(lookup), ..Members::default() }
    }

    /// What is known once nobody is asked any more.
    async fn settled(members: &Members, now: Instant) -> (Vec<String>, Option<String>) {
        loop {
            let known = members.known("g", now).await;
            if !known.is_asked && !lock(&members.known)["g"].is_asked {
                let known = lock(&members.known)["g"].clone();
                return (known.members, known.problem);
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_group_that_cannot_be_read_is_asked_for_again_soon_and_keeps_its_members_meanwhile() {
        let (alice, failed) = (vec!["alice".to_owned()], || Err("no route".to_owned()));
        let members = scripted(vec![failed(), Ok(Some(alice.clone())), failed()]);
        let (begun, second) = (monotonic(), Duration::from_secs(1));
        let no_route = Some("no route".to_owned());
        assert_eq!(settled(&members, begun).await, (vec![], no_route.clone()));
        assert_eq!(settled(&members, begun + AGAIN - second).await, (vec![], no_route.clone()), "not yet");
        assert_eq!(settled(&members, begun + AGAIN).await, (alice.clone(), None));
        assert_eq!(settled(&members, begun + GOOD_FOR).await, (alice.clone(), None), "that is good for long");
        assert_eq!(settled(&members, begun + AGAIN + GOOD_FOR).await, (alice, no_route));
    }

    #[tokio::test]
    async fn nobody_waits_twice_for_a_directory_that_hangs() {
        let (go, gone) = channel::<()>();
        let gone = Mutex::new(gone);
        let lookup = move |_: &str| {
            lock(&gone).recv().ok();
            Ok(Some(vec!["alice".to_owned()]))
        };
        let members = Members { lookup: Arc::new(lookup), ..Members::default() };
        let begun = monotonic();
        let (known, other) = tokio::join!(members.known("g", begun), members.known("g", begun));
        assert_eq!(known.problem, other.problem);
        assert_eq!((known.members.len(), known.problem.as_deref()), (0, Some("the system takes more than 5 s")));
        let waited = monotonic();
        for later in [AGAIN, GOOD_FOR] {
            assert!(members.known("g", begun + later).await.is_asked, "the same question");
        }
        assert!(waited.elapsed() < PATIENCE);
        drop(go);
        assert_eq!(settled(&members, begun).await, (vec!["alice".to_owned()], None), "it counts when it comes");
    }

    #[tokio::test]
    async fn who_comes_while_a_group_is_first_asked_for_waits_with_the_others() {
        let (go, gone) = channel::<()>();
        let gone = Mutex::new(gone);
        let lookup = move |_: &str| {
            lock(&gone).recv().ok();
            Ok(Some(vec!["alice".to_owned()]))
        };
        let members = Members { lookup: Arc::new(lookup), ..Members::default() };
        let (begun, answer) = (monotonic(), async { drop(go) });
        let (first, second, ()) = tokio::join!(members.known("g", begun), members.known("g", begun), answer);
        assert_eq!([first.members, second.members], [["alice"], ["alice"]]);
    }

    #[tokio::test]
    async fn an_unreadable_group_is_an_event_until_it_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_sqlite(std::path::Path::new(":memory:"), "test").unwrap();
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let mut grid = Grid::new(store, sealer, Vec::new(), None).unwrap();
        let (name, url, limits) = ("dahu".to_owned(), "http://127.0.0.1:9/".to_owned(), Default::default());
        grid.add_cluster(ClusterRow { name, kind: ClusterKind::Oar3, url, limits, last_round_at: None }).unwrap();
        grid.members = scripted(vec![Err("no route".to_owned())]);
        let event = || grid.store.find_message(Code::GroupUnreadable, &Scope::cluster("dahu")).unwrap();
        let groups = ["g".to_owned()];
        for _ in 0..2 {
            assert!(with_quotas(&grid, "dahu", groups.iter()).await["g"].is_empty());
            assert!(event().unwrap().contains("group g cannot be read: no route"), "{:?}", event());
        }
        lock(&grid.members.known).get_mut("g").unwrap().problem = None;
        with_quotas(&grid, "dahu", groups.iter()).await;
        assert_eq!(event(), None);
    }
}
