//! Canaries: a few ended jobs by which a cluster's database is recognised.
//!
//! When it was reset, or restored from an older copy, ids are given out again: a row under one of our ids is then
//! somebody else's, and nothing there may be believed.

/// A job of ours that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// Its id there.
    pub remote_id: u64,
    /// Its name.
    pub name: String,
    /// Its owner there.
    pub user: String,
}

/// What the cluster shows under a canary's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// The same job.
    Same,
    /// Another job, of this name and user.
    Another(String, String),
    /// Nothing, asked twice between healthy answers.
    Missing,
}

/// Why the cluster's database is not the one that we knew, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// A row under one of our ids is another's: nothing else does that.
    Another(String),
    /// Our last jobs are gone, and ids went back. Failures may look like this once.
    Gone(String),
}

/// So many canaries that are all missing are no accident. One may have been purged.
const FLOCK: usize = 2;

/// Why the cluster's database is not the one that we knew; `None` when it is, or nothing can be said. `newest` is the
/// highest id listed there now, `highest_known` the highest that it ever gave us: old jobs may have been purged, but ids
/// only grow.
pub fn reset_evidence(seen: &[(Canary, Sighting)], (newest, highest_known): (Option<u64>, u64)) -> Option<Evidence> {
    let renamed = seen.iter().find_map(|(canary, sighting)| match sighting {
        Sighting::Another(name, user) => Some(Evidence::Another(another(canary, name, user))),
        _ => None,
    });
    let missing = seen.iter().filter(|(_, sighting)| *sighting == Sighting::Missing).count();
    let all_gone = missing >= FLOCK && missing == seen.len() && newest.is_some_and(|id| id < highest_known);
    let gone = || Evidence::Gone(format!("none of our {missing} last jobs is known there any more"));
    renamed.or_else(|| all_gone.then(gone))
}

/// A row under one of our ids that is not ours.
pub fn another(canary: &Canary, name: &str, user: &str) -> String {
    let Canary { remote_id, name: ours, user: owner } = canary;
    format!("job {remote_id} was `{ours}` of {owner} and is now `{name}` of {user}")
}

/// Why an id that the cluster just gave out shows that its database was reset: it had given out higher ones before.
pub fn id_evidence(highest_known: u64, new_id: u64) -> Option<String> {
    (new_id <= highest_known).then(|| format!("it gave out id {new_id} after id {highest_known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(remote_id: u64) -> Canary {
        Canary { remote_id, name: "cigri.a.1.f".into(), user: "alice".into() }
    }

    #[test]
    fn one_row_under_our_id_that_is_anothers_is_enough() {
        let other = Sighting::Another("night".into(), "bob".into());
        let evidence = reset_evidence(&[(canary(3), Sighting::Same), (canary(4), other)], (None, 9));
        let words = "job 4 was `cigri.a.1.f` of alice and is now `night` of bob".to_owned();
        assert_eq!(evidence, Some(Evidence::Another(words)));
    }

    #[test]
    fn missing_canaries_count_when_there_are_several_none_is_left_and_ids_went_back() {
        let seen = |sightings: &[Sighting]| {
            let seen: Vec<_> = sightings.iter().map(|sighting| (canary(1), sighting.clone())).collect();
            reset_evidence(&seen, (Some(3), 9)).is_some()
        };
        assert!(!seen(&[]));
        assert!(!seen(&[Sighting::Missing]));
        assert!(!seen(&[Sighting::Missing, Sighting::Same]));
        assert!(seen(&[Sighting::Missing, Sighting::Missing]));
        let gone = [(canary(1), Sighting::Missing), (canary(2), Sighting::Missing)];
        assert_eq!(reset_evidence(&gone, (Some(10), 9)), None, "purged");
        assert_eq!(reset_evidence(&gone, (None, 9)), None, "the next id will tell");
    }

    #[test]
    fn ids_only_grow() {
        assert_eq!(id_evidence(7, 8), None);
        assert_eq!(id_evidence(7, 7).unwrap(), "it gave out id 7 after id 7");
    }
}
