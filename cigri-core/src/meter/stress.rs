//! The load that a cluster tells of itself, against what its admin says is too much.

use super::limits::StressLimit;
use super::{Bound, Reason};

/// Nothing is sent while the cluster is under stress. The load is compared as a part of the reference: OAR's own script
/// tells a load average, which is no fraction. What is no number says nothing.
pub fn bound(load: f64, stress: &StressLimit) -> Option<Bound> {
    let most = stress.reference * stress.limit;
    (load >= most).then(|| Bound::none(Reason::Stress { load, most }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_the_limit_on_nothing_is_sent() {
        let stress = StressLimit { reference: 48.0, limit: 0.75 };
        assert_eq!(bound(35.9, &stress), None);
        let bound = bound(36.0, &stress).map(|bound| (bound.allowed, bound.reason));
        assert_eq!(bound, Some((0, Reason::Stress { load: 36.0, most: 36.0 })));
    }

    #[test]
    fn what_is_no_number_says_nothing() {
        assert_eq!(bound(f64::NAN, &StressLimit { reference: 1.0, limit: 0.8 }), None);
    }
}
