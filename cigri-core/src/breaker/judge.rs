//! Whether the last ends open a breaker.
//!
//! A task that fails by itself is no fault of its cluster: a campaign in which a part fails for good goes on with the
//! others. Such failures hold a campaign back only where it does much better elsewhere, or where nothing ever succeeds.
//! While all failures are of one node, it is that node's turn to be judged ([`super::nodes`]) until the window is full.

use std::collections::BTreeMap;

use super::{BreakerSettings, End, Trip, Window};

/// Rates that differ by less say nothing about clusters.
const CLEARLY: f64 = 0.4;
/// So many failures of others say that it is not one campaign, or user, alone.
const OTHERS: u64 = 3;
/// So many tasks fail before a campaign is slowed because all of them do: a small one ends sooner without it.
const ENOUGH_TASKS: i64 = 100;
/// From this part of successes among all its tasks on, a campaign that fails now has had better parts.
const SOME_SUCCEED: f64 = 0.05;

/// What is known of a campaign beside its last ends on this cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Beside {
    /// The lowest rate of failures of its last ends on another cluster, where there were enough.
    pub elsewhere: Option<f64>,
    /// Its tasks that succeeded, on all clusters.
    pub done: i64,
    /// Its tasks that failed for good.
    pub failed: i64,
    /// Its owner wants it to go on although everything fails.
    pub is_exempt: bool,
}

impl Beside {
    fn nothing_succeeds(&self) -> bool {
        let ended = self.done + self.failed;
        ended >= ENOUGH_TASKS && (self.done as f64) < SOME_SUCCEED * ended as f64
    }
}

/// What opens the breaker of a campaign on a cluster, if anything.
pub fn campaign(window: &Window, beside: &Beside, settings: &BreakerSettings) -> Option<Trip> {
    let rate = window.rate(settings.least)?;
    if !window.is_full(settings) && window.is_of_one_node(End::is_failure) {
        return None;
    }
    let by_cluster = window.failures(End::is_by_cluster) as f64 / window.len() as f64;
    if by_cluster >= settings.rate {
        return Some(window.trip(End::is_by_cluster));
    }
    let is_better_elsewhere = rate >= settings.rate && beside.elsewhere.is_some_and(|other| rate - other >= CLEARLY);
    let is_hopeless = settings.rate <= 1.0 && rate >= 1.0 && beside.nothing_succeeds();
    let is_own_fault = (is_better_elsewhere || is_hopeless) && !beside.is_exempt;
    is_own_fault.then(|| window.trip(End::is_failure))
}

/// Whose jobs a cluster has, as far as it matters to whom it fails them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Serves {
    /// One campaign's alone.
    #[default]
    One,
    /// Several campaigns' of one user.
    Campaigns,
    /// Several users'.
    Users,
}

/// What opens the breaker of a whole cluster, if anything. Where it serves several, the failures of one alone don't do it:
/// the others' jobs have to fail as well.
pub fn cluster(window: &Window, serves: Serves, settings: &BreakerSettings) -> Option<Trip> {
    let failed = window.failures(End::is_against_cluster) as f64;
    let is_enough = window.len() >= settings.least_cluster.max(1) && failed > 0.0;
    let may_be_a_node = !window.is_full(settings) && window.is_of_one_node(End::is_against_cluster);
    let opens = is_enough && !may_be_a_node && failed >= settings.rate * window.len() as f64;
    let others_fail = || match serves {
        Serves::One => true,
        Serves::Campaigns => fail_without_worst(window, |end| end.campaign, settings.rate),
        Serves::Users => fail_without_worst(window, |end| &end.owner, settings.rate),
    };
    (opens && others_fail()).then(|| window.trip(End::is_against_cluster))
}

/// Whether too much fails without the ends of whom most of the failures are.
fn fail_without_worst<'a, K: Ord>(window: &'a Window, whose: impl Fn(&'a End) -> K, rate: f64) -> bool {
    // Failures, ends.
    let mut each: BTreeMap<K, (u64, u64)> = BTreeMap::new();
    for end in window.ends() {
        let (failed, ends) = each.entry(whose(end)).or_default();
        (*failed, *ends) = (*failed + u64::from(end.is_against_cluster()), *ends + 1);
    }
    let worst = each.values().max().copied().unwrap_or_default();
    let (failed, ends) = each.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let (failed, ends) = (failed - worst.0, ends - worst.1);
    failed >= OTHERS && failed as f64 >= rate * ends as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Class;

    const SETTINGS: fn() -> BreakerSettings = BreakerSettings::default;

    fn end(campaign: i64, class: Option<Class>) -> End {
        End {
            at: 0,
            campaign,
            owner: format!("user{}", campaign % 2).into(),
            class,
            exit_code: class.filter(|class| *class == Class::Exit).map(|_| 1),
            node: None,
            by_itself: class == Some(Class::Exit),
        }
    }

    fn window(ends: impl IntoIterator<Item = End>) -> Window {
        let mut window = Window::default();
        ends.into_iter().for_each(|end| window.push(end, &SETTINGS()));
        window
    }

    fn mixed(bad: usize, good: usize, class: Class) -> Window {
        window(std::iter::repeat_n(end(1, Some(class)), bad).chain(std::iter::repeat_n(end(1, None), good)))
    }

    #[test]
    fn the_first_failures_open_nothing() {
        assert_eq!(campaign(&mixed(19, 0, Class::Node), &Beside::default(), &SETTINGS()), None);
        assert!(campaign(&mixed(20, 0, Class::Node), &Beside::default(), &SETTINGS()).is_some());
    }

    #[test]
    fn a_cluster_that_fails_half_of_a_campaign_is_left_alone_by_it() {
        assert_eq!(campaign(&mixed(24, 26, Class::Node), &Beside::default(), &SETTINGS()), None);
        let trip = campaign(&mixed(25, 25, Class::Node), &Beside::default(), &SETTINGS()).unwrap();
        assert_eq!(trip, Trip { failures: 25, ends: 50, mostly: "node".to_owned() });
    }

    #[test]
    fn tasks_that_fail_by_themselves_hold_nothing_back_while_others_succeed() {
        let some = Beside { elsewhere: Some(0.3), done: 700, failed: 300, ..Beside::default() };
        assert_eq!(campaign(&mixed(15, 35, Class::Exit), &some, &SETTINGS()), None);
        // The bad ones in a row, at the end of the bag.
        let late = Beside { elsewhere: Some(1.0), done: 7000, failed: 500, ..Beside::default() };
        assert_eq!(campaign(&mixed(50, 0, Class::Exit), &late, &SETTINGS()), None);
    }

    #[test]
    fn a_campaign_that_does_much_better_elsewhere_leaves_this_cluster_alone() {
        let beside = |elsewhere| Beside { elsewhere: Some(elsewhere), done: 5000, failed: 400, ..Beside::default() };
        let here = mixed(30, 20, Class::MissingModule);
        assert!(campaign(&here, &beside(0.1), &SETTINGS()).is_some());
        assert_eq!(campaign(&here, &beside(0.3), &SETTINGS()), None, "not clearly");
        assert_eq!(campaign(&mixed(24, 26, Class::Exit), &beside(0.0), &SETTINGS()), None, "less than half fail");
    }

    #[test]
    fn a_campaign_of_which_everything_fails_everywhere_is_slowed_once_it_is_sure() {
        let all = mixed(50, 0, Class::Exit);
        let beside = |failed| Beside { elsewhere: Some(1.0), failed, ..Beside::default() };
        assert_eq!(campaign(&all, &beside(99), &SETTINGS()), None, "a small one just ends");
        let trip = campaign(&all, &beside(100), &SETTINGS()).unwrap();
        assert_eq!(trip, Trip { failures: 50, ends: 50, mostly: "exit 1".to_owned() });
    }

    #[test]
    fn whole_clusters_are_judged_by_what_is_their_fault_only() {
        let bad = |count: usize| (0..count).map(|at| end(at as i64 % 2, Some(Class::Node)));
        assert!(cluster(&window(bad(10)), Serves::Users, &SETTINGS()).is_some());
        assert_eq!(cluster(&window(bad(9)), Serves::Users, &SETTINGS()), None);
        let programs = (0..50).map(|at| end(at % 2, Some(Class::Exit)));
        assert_eq!(cluster(&window(programs), Serves::Users, &SETTINGS()), None, "every program there fails by itself");
        let mixed = bad(10).chain((0..11).map(|_| end(1, Some(Class::Exit))));
        assert_eq!(cluster(&window(mixed), Serves::Users, &SETTINGS()), None, "a program that fails was run");
    }

    #[test]
    fn one_campaign_alone_says_nothing_of_a_cluster_that_serves_several() {
        let one = || window(std::iter::repeat_n(end(1, Some(Class::Lost)), 20));
        assert_eq!(cluster(&one(), Serves::Users, &SETTINGS()), None);
        assert!(cluster(&one(), Serves::One, &SETTINGS()).is_some());
    }

    #[test]
    fn a_campaign_that_fails_among_others_that_succeed_leaves_the_cluster_to_them() {
        let of = |campaign, class, count| std::iter::repeat_n(end(campaign, class), count);
        let bad = of(1, Some(Class::Node), 30);
        let others = |failed| window(bad.clone().chain(of(2, Some(Class::Node), failed)).chain(of(2, None, 6)));
        assert_eq!(cluster(&others(0), Serves::Users, &SETTINGS()), None, "the others succeed");
        assert_eq!(cluster(&others(5), Serves::Users, &SETTINGS()), None, "most of them");
        assert!(cluster(&others(6), Serves::Users, &SETTINGS()).is_some());
        let one_more = window(bad.clone().chain(of(2, Some(Class::Node), 1)));
        assert_eq!(cluster(&one_more, Serves::Users, &SETTINGS()), None, "one failure of another is little");
        // Campaigns 1 and 3 are of one user.
        let of_one_user = || window(bad.clone().chain(of(3, Some(Class::Node), 10)));
        assert_eq!(cluster(&of_one_user(), Serves::Users, &SETTINGS()), None);
        assert!(cluster(&of_one_user(), Serves::Campaigns, &SETTINGS()).is_some());
    }

    #[test]
    fn what_programs_wrote_about_nodes_is_their_campaigns_trouble_only() {
        let word = |at: i64| End { by_itself: true, ..end(at % 2, Some(Class::Node)) };
        let mut words = window((0..30).map(word));
        assert_eq!(cluster(&words, Serves::Users, &SETTINGS()), None);
        assert!(campaign(&words, &Beside::default(), &SETTINGS()).is_some());
        words.push(end(1, Some(Class::Node)), &SETTINGS());
        words.forget_cluster_failures();
        assert_eq!(words.len(), 30);
    }

    #[test]
    fn one_success_or_a_word_of_its_owner_lets_a_hopeless_campaign_go_on() {
        let hopeless = Beside { failed: 1000, ..Beside::default() };
        assert!(campaign(&mixed(50, 0, Class::Exit), &hopeless, &SETTINGS()).is_some());
        assert_eq!(campaign(&mixed(49, 1, Class::Exit), &hopeless, &SETTINGS()), None);
        let exempt = Beside { is_exempt: true, ..hopeless };
        assert_eq!(campaign(&mixed(50, 0, Class::Exit), &exempt, &SETTINGS()), None);
        assert!(
            campaign(&mixed(50, 0, Class::Node), &exempt, &SETTINGS()).is_some(),
            "the cluster's fault is another thing"
        );
    }

    #[test]
    fn failures_of_one_node_are_not_the_clusters_until_nothing_else_is_seen() {
        let on = |count: usize, node: &str| {
            let bad = End { node: Some(node.into()), ..end(1, Some(Class::Node)) };
            std::iter::repeat_n(bad, count).collect::<Vec<_>>()
        };
        assert_eq!(cluster(&window(on(30, "n1")), Serves::One, &SETTINGS()), None);
        assert_eq!(campaign(&window(on(30, "n1")), &Beside::default(), &SETTINGS()), None);
        assert!(cluster(&window(on(50, "n1")), Serves::One, &SETTINGS()).is_some());
        assert!(cluster(&window([on(5, "n1"), on(5, "n2")].concat()), Serves::One, &SETTINGS()).is_some());
        let mut window = window([on(9, "n1"), on(1, "n2")].concat());
        window.forget_node("n1");
        assert_eq!(window.len(), 1);
    }

    #[test]
    fn what_was_killed_for_others_is_not_counted() {
        let kills = std::iter::repeat_n(end(1, Some(Class::Preempted)), 100);
        assert!(window(kills).is_empty());
    }

    #[test]
    fn old_ends_are_forgotten_and_so_are_those_of_the_future() {
        let mut window = window((0..30).map(|_| end(1, Some(Class::Node))));
        window.age(900_000, &SETTINGS());
        assert_eq!(window.len(), 30);
        window.age(900_001, &SETTINGS());
        assert!(window.is_empty());
        let mut window = mixed(30, 0, Class::Node);
        window.age(-1, &SETTINGS());
        assert!(window.is_empty());
    }

    #[test]
    fn a_rate_above_one_switches_breakers_off() {
        let off = BreakerSettings { rate: 2.0, ..SETTINGS() };
        let hopeless = Beside { elsewhere: Some(0.0), failed: 1000, ..Beside::default() };
        assert_eq!(campaign(&mixed(50, 0, Class::Node), &hopeless, &off), None);
        assert_eq!(cluster(&mixed(50, 0, Class::Node), Serves::One, &off), None);
    }
}
