//! What a reason says to people: one sentence with its numbers, without a full stop.

use std::fmt;

use super::law::Enough;
use super::{FailedJobs, Reason};
use crate::breaker::Guards;

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Mode { mode, note } if note.is_empty() => write!(f, "the cluster is {mode}"),
            Reason::Mode { mode, note } => write!(f, "the cluster is {mode}: {note}"),
            Reason::ClusterHold { text }
            | Reason::Hold { text }
            | Reason::Token { text }
            | Reason::Window { text }
            | Reason::Calendar { text }
            | Reason::Prologue { text }
            | Reason::Epilogue { text }
            | Reason::TestMode { text }
            | Reason::Requests { text, .. } => f.write_str(text),
            Reason::Doubt { submissions: 1 } => write!(f, "a submission is in doubt and being looked up"),
            Reason::Doubt { submissions } => write!(f, "{submissions} submissions are in doubt and being looked up"),
            Reason::Breaker { .. }
            | Reason::Stale { .. }
            | Reason::Stress { .. }
            | Reason::GiveWay { .. }
            | Reason::FileServer { .. } => trouble(self, f),
            Reason::Pending { .. }
            | Reason::Delayed { .. }
            | Reason::Backlog { .. }
            | Reason::Share { .. }
            | Reason::Behind { .. } => turn(self, f),
            _ => cap(self, f),
        }
    }
}

/// Who and what goes first.
fn turn(reason: &Reason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match reason {
        Reason::Pending { tasks: 0 } => write!(f, "no task waits for this cluster"),
        Reason::Pending { tasks: 1 } => write!(f, "1 task waits"),
        Reason::Pending { tasks } => write!(f, "{tasks} tasks wait"),
        Reason::Delayed { tasks: 1, at } => write!(f, "1 task waits for its next try, at {at}"),
        Reason::Delayed { tasks, at } => write!(f, "{tasks} tasks wait for their next try, the first at {at}"),
        Reason::Backlog { waiting, target, why } => backlog((*waiting, *target), why, f),
        Reason::Share { user, all, users: 0 | 1, .. } => {
            let jobs_of = if *all == 1 { "job goes" } else { "jobs go" };
            write!(
                f,
                "the round's {all} {jobs_of} to all of {user}'s campaigns: that with the fewest live jobs is first"
            )
        }
        Reason::Share { user, jobs, all, users, charge, others, weight } => {
            let jobs_of = if *all == 1 { "job" } else { "jobs" };
            write!(
                f,
                "{user}'s share among {users} users is {jobs} of the round's {all} {jobs_of}: {user} stands at "
            )?;
            write!(f, "{charge:.1}, live and lately, the others at {others:.1} on average{}", weighted(*weight))
        }
        Reason::Behind { campaign } => {
            write!(f, "campaign {campaign} is served first: the cluster's law serves one campaign in a round")
        }
        _ => Ok(()),
    }
}

/// Why no more should wait.
fn backlog((waiting, target): (u64, u64), why: &Enough, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (wait, are) = (if waiting == 1 { "waits" } else { "wait" }, is_or_are(target));
    let there = format!("{waiting} of our jobs {wait} there");
    match why {
        Enough::ForStarts => {
            write!(f, "{there}, {target} {are} enough for the starts seen: more go when more start")
        }
        Enough::UntilStarts => write!(f, "{there}, {target} {are} enough until some have started"),
        Enough::Part => write!(f, "{there}, {target} {are} their part beside jobs of other kinds"),
        Enough::UntilLow { low } => write!(f, "{there}: when {low} are left, they are filled up to {target}"),
        Enough::Storm { left_s } => {
            write!(f, "many of our jobs were killed there, more than were started: the next are sent in {left_s} s")
        }
        Enough::Probe => write!(f, "{there}, none was started for many rounds: one is enough to try with"),
        Enough::Set => write!(f, "{there}, {target} {are} enough by the cluster's law"),
        Enough::Tap => write!(f, "the campaign's tap lets {target} of its jobs through at a time"),
        Enough::TapClosed => write!(f, "the campaign's tap is closed: {waiting} of its jobs {wait} there"),
        Enough::TapLive { live } => {
            let live = if *live == 1 { "1 of its jobs is".to_owned() } else { format!("{live} of its jobs are") };
            write!(f, "the campaign's tap is closed: {live} not done there")
        }
    }
}

fn weighted(weight: f64) -> String {
    match weight {
        1.0 => String::new(),
        0.0 => "; with weight 0 a user gets what others leave".to_owned(),
        weight => format!(" (jobs over the user's weight, here {weight})"),
    }
}

fn is_or_are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// What is wrong with the cluster, or with what is known of it.
fn trouble(reason: &Reason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match reason {
        Reason::Breaker { failures, left_s, jobs: Some(jobs) } => failed((*failures, *left_s), jobs, f),
        Reason::Breaker { failures, left_s, jobs: None } => {
            let lost = if *failures == 1 { "1 submission" } else { &format!("{failures} submissions in a row") };
            match left_s {
                0 => write!(f, "one job to try with, after {lost} without a usable answer"),
                _ => write!(f, "{lost} got no usable answer; the next try is at most {left_s} s away"),
            }
        }
        Reason::Stale { age_s, most_s } => {
            write!(f, "what is known of the cluster is {age_s} s old, {most_s} s at most are good enough")
        }
        Reason::Stress { load, most } => write!(f, "the cluster is under stress: {load:.2}, at most {most:.2}"),
        Reason::GiveWay { jobs: 1, after_s } => {
            write!(f, "a normal job of others waits there for over {after_s} s: ours give way")
        }
        Reason::GiveWay { jobs, after_s } => {
            write!(f, "{jobs} normal jobs of others wait there for over {after_s} s: ours give way")
        }
        Reason::FileServer { load, reference, per_cycle } => {
            let jobs = if *per_cycle == 1 { "1 job".to_owned() } else { format!("{per_cycle} jobs") };
            match load {
                Some(load) => {
                    write!(f, "the file server's load is {load:.1}, {reference:.1} is its limit: {jobs} per cycle")
                }
                None => write!(f, "the file server's load is not known: {jobs} per cycle"),
            }
        }
        _ => Ok(()),
    }
}

/// Most of the last jobs failed.
fn failed((failures, left_s): (u32, u64), jobs: &FailedJobs, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let whose = match jobs.of {
        Guards::Campaign => "of the campaign's last",
        Guards::Cluster => "of everybody's last",
    };
    write!(f, "{failures} {whose} {} jobs there failed ({}): ", jobs.ends, jobs.mostly)?;
    match left_s {
        0 if jobs.is_trying => write!(f, "one job is trying, the others follow if it ends well"),
        0 => write!(f, "one job may try"),
        1..=120 => write!(f, "one job tries again in {left_s} s"),
        _ => write!(f, "one job tries again in {} minutes", left_s.div_ceil(60)),
    }
}

/// What somebody allows.
fn cap(reason: &Reason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match reason {
        Reason::WaitingCap { waiting, most } => write!(f, "waiting jobs {waiting}/{most} (admin's cap)"),
        Reason::RunningCap { live, most } => {
            write!(f, "live jobs {live}/{most} (admin's cap on running jobs; what waits counts)")
        }
        Reason::CycleCap { sent, most, period_s } => {
            write!(f, "{sent}/{most} jobs sent within {period_s} s (admin's cap)")
        }
        Reason::UserQuota { user, live, most } => write!(f, "{user} has {live} of {} there", quota(*most)),
        Reason::GroupQuota { group, live, most } => write!(f, "group {group} has {live} of {} there", quota(*most)),
        Reason::ProjectQuota { project, live, most } => {
            write!(f, "project {project} has {live} of {} there", quota(*most))
        }
        Reason::MaxJobs { live, most } => write!(f, "{live} of max_jobs {most} {} live there", is_or_are(*live)),
        Reason::ArraySize { most: 1 } => write!(f, "at most 1 job per submission"),
        Reason::ArraySize { most } => write!(f, "at most {most} jobs per submission"),
        _ => Ok(()),
    }
}

fn quota(most: u64) -> String {
    if most == 1 { "1 live job".to_owned() } else { format!("{most} live jobs") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::remedy::tests::one_of_each;

    #[test]
    fn every_reason_is_one_sentence() {
        for reason in one_of_each() {
            let text = reason.to_string();
            assert!(!text.is_empty() && !text.contains('\n') && !text.ends_with('.'), "{text:?}");
        }
    }

    #[test]
    fn numbers_and_their_words_agree() {
        let say = |reason: Reason| reason.to_string();
        let backlog = |waiting, target| Reason::Backlog { waiting, target, why: Enough::ForStarts };
        assert_eq!(
            say(backlog(1, 40)),
            "1 of our jobs waits there, 40 are enough for the starts seen: more go when more start"
        );
        assert!(say(backlog(2, 1)).starts_with("2 of our jobs wait there, 1 is enough"));
        assert_eq!(say(Reason::Pending { tasks: 1 }), "1 task waits");
        assert_eq!(say(Reason::MaxJobs { live: 1, most: 1 }), "1 of max_jobs 1 is live there");
        assert_eq!(say(Reason::UserQuota { user: "bob".into(), live: 1, most: 1 }), "bob has 1 of 1 live job there");
        assert_eq!(
            say(Reason::Breaker { failures: 3, left_s: 0, jobs: None }),
            "one job to try with, after 3 submissions in a row without a usable answer"
        );
    }

    #[test]
    fn a_share_says_whose_it_is_and_what_it_comes_from() {
        let share = |jobs, all, weight| {
            let user = "alice".to_owned();
            Reason::Share { user, jobs, all, users: 2, charge: 30.0, others: 4.5, weight }.to_string()
        };
        assert_eq!(
            share(20, 40, 1.0),
            "alice's share among 2 users is 20 of the round's 40 jobs: alice stands at 30.0, live and lately, the others at \
             4.5 on average"
        );
        assert!(share(0, 1, 0.0).contains("0 of the round's 1 job: "));
        assert!(share(0, 1, 0.0).ends_with("; with weight 0 a user gets what others leave"));
        assert!(share(1, 2, 2.5).ends_with("(jobs over the user's weight, here 2.5)"));
    }
}
