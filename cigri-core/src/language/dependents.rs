//! Fields that mean something only beside another one: where no cluster has that one, they are refused, not ignored.

use super::field::{Setting, Source};
use super::fields::Scope;
use super::problem::{Problem, Report};

/// Fields met without the one that they depend on.
#[derive(Debug, Default)]
pub(super) struct Dependents {
    own: Vec<Problem>,
    /// Fields of the top of the file, and for how many clusters they meant nothing.
    top: Vec<(Problem, usize)>,
}

impl Dependents {
    /// Notes that a field means nothing on a cluster, which lacks `needed`.
    pub(super) fn idle<T>(&mut self, setting: &Setting<T>, needed: &str) {
        let Setting::Given(_, source) = setting else { return };
        let problem = without(source, needed);
        match (source.scope, self.top.iter_mut().find(|(known, _)| *known == problem)) {
            (Scope::Cluster, _) => self.own.push(problem),
            (Scope::Campaign, Some((_, clusters))) => *clusters += 1,
            (Scope::Campaign, None) => self.top.push((problem, 1)),
        }
    }

    /// Refuses the fields that no cluster has a use for; `clusters` were looked at.
    pub(super) fn tell(self, clusters: usize, report: &mut Report) {
        let nowhere = self.top.into_iter().filter(|(_, idle)| *idle == clusters).map(|(problem, _)| problem);
        nowhere.chain(self.own).for_each(|problem| report.refuse(problem));
    }
}

fn without(source: &Source, needed: &str) -> Problem {
    source.problem(format!("nothing, as `{needed}` is not given")).hint(format!("add `{needed}`, or leave this out"))
}
