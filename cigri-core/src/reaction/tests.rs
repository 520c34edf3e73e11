//! What is done about each kind of end.

use super::*;
use crate::cause::{RemoteEnd, RemoteEvent, classify};
use crate::policy::Wanted;

fn attempt<'a>(cause: &'a Cause, wish: Option<Wish>) -> Attempt<'a> {
    Attempt { cause, class: Class::of(cause), level: 0, wish, seed: 7 }
}

fn fresh(cause: &Cause, wish: Option<Wish>) -> Reaction {
    react(&attempt(cause, wish), &History::default(), &Terms::default())
}

/// Every budget is used up.
fn tired() -> History {
    History(Class::ALL.iter().map(|class| (*class, 1000)).collect())
}

fn exhausted(cause: &Cause, wish: Option<Wish>) -> Reaction {
    react(&attempt(cause, wish), &tired(), &Terms::default())
}

fn at_once(place: Place) -> Reaction {
    Reaction::Retry(Again { place, delay_ms: 0, level: 0 })
}

#[test]
fn both_spellings_of_the_working_directory_event_hold_the_campaign() {
    for kind in ["WORKING_DIRECTOR", "WORKING_DIRECTORY"] {
        let event = RemoteEvent { kind: kind.into(), description: "Cannot go into /x".into(), to_check: false };
        let cause = classify(&RemoteEnd { terminated: false, wait_status: None, events: vec![event] });
        let reaction = fresh(&cause, None);
        assert!(matches!(reaction, Reaction::Hold { code: Code::WorkingDirectory, .. }), "{reaction:?}");
    }
}

#[test]
fn best_effort_kills_come_back_without_limit_and_walltimes_do_not() {
    assert_eq!(exhausted(&Cause::BestEffortKill, None), at_once(Place::First));
    assert_eq!(fresh(&Cause::Walltime, None), at_once(Place::Elsewhere));
    assert!(matches!(exhausted(&Cause::Walltime, None), Reaction::Fail { .. }));
    assert_eq!(fresh(&Cause::AskedRetryLast, None), at_once(Place::Last));
    assert!(matches!(exhausted(&Cause::AskedRetry, None), Reaction::Fail { .. }));
}

#[test]
fn cancelling_ends_everything_but_a_success() {
    assert_eq!(fresh(&Cause::Success, Some(Wish::Cancel)), Reaction::Succeed);
    for cause in [Cause::BestEffortKill, Cause::PersonKill("alice".into()), Cause::ExitCode(1)] {
        assert_eq!(fresh(&cause, Some(Wish::Cancel)), Reaction::Cancel);
    }
    assert_eq!(fresh(&Cause::ResubmittedAs(4), Some(Wish::Cancel)), Reaction::Follow(4));
}

#[test]
fn a_job_that_was_asked_to_come_back_does_so_without_limit_unless_it_ended_by_itself() {
    let again = |cause: Cause| exhausted(&cause, Some(Wish::Again));
    assert_eq!(again(Cause::PersonKill("alice".into())), at_once(Place::First));
    assert_eq!(again(Cause::Success), Reaction::Succeed);
    assert!(matches!(again(Cause::ExitCode(3)), Reaction::Fail { .. }));
}

#[test]
fn an_unheard_of_event_is_tried_once_elsewhere_and_then_told_word_for_word() {
    let cause = Cause::Unrecognised("QUANTUM_FLIP".into(), "the cat was both".into());
    assert_eq!(fresh(&cause, None), at_once(Place::Elsewhere));
    let mut history = History::default();
    history.count(Class::Unknown);
    let Reaction::Fail { advice } = react(&attempt(&cause, None), &history, &Terms::default()) else {
        panic!("tried a third time")
    };
    assert!(advice.contains("QUANTUM_FLIP: the cat was both"), "{advice}");
    assert_eq!(code_of(Class::Unknown), Code::UnknownError);
    assert_eq!(classes_of(Code::ClusterTrouble), [Class::Node, Class::Lost]);
    assert_eq!(classes_of(Code::WorkingDirectory), [Class::Directory]);
    assert_eq!(classes_of(Code::SubmitRefused), []);
}

#[test]
fn a_licence_is_waited_for_ever_longer_and_then_given_up() {
    let cause = Cause::ExitCode(1);
    let licence = Attempt { class: Some(Class::Licence), ..attempt(&cause, None) };
    let mut history = History::default();
    let mut delays = Vec::new();
    while let Reaction::Retry(again) = react(&licence, &history, &Terms::default()) {
        delays.push(again.delay_ms);
        history.count(Class::Licence);
    }
    assert_eq!(delays.len(), 5);
    assert!(delays.windows(2).all(|pair| pair[1] > pair[0]), "{delays:?}");
    assert!((240_000..=360_000).contains(&delays[0]), "{delays:?}");
}

#[test]
fn a_campaign_may_have_its_failures_tried_again() {
    let retries = Retries::from([(Class::Exit, Wanted { most: Some(2), place: Some(Place::Last), delay_s: None })]);
    let terms = Terms { retries: Some(&retries), ..Terms::default() };
    let (cause, mut history) = (Cause::ExitCode(3), History::default());
    for _ in 0..2 {
        assert_eq!(react(&attempt(&cause, None), &history, &terms), at_once(Place::Last));
        history.count(Class::Exit);
    }
    let Reaction::Fail { advice } = react(&attempt(&cause, None), &history, &terms) else { panic!("a third retry") };
    assert!(advice.contains("code 3") && advice.contains("tried 3 times"), "{advice}");
}

#[test]
fn an_escalating_campaign_asks_for_more_up_to_its_last_level() {
    let escalation = Escalation { walltime: 2.0, resources: Vec::new(), most: 3 };
    let terms = Terms { escalation: Some(&escalation), ..Terms::default() };
    let (cause, mut history, mut levels) = (Cause::Walltime, History::default(), vec![0]);
    while let Reaction::Retry(again) = {
        let level = *levels.last().unwrap_or(&0);
        react(&Attempt { level, ..attempt(&cause, None) }, &history, &terms)
    } {
        assert_eq!(again.place, Place::First);
        levels.push(again.level);
        history.count(Class::Walltime);
    }
    assert_eq!(levels, [0, 1, 2, 3]);
    let memory = Attempt { class: Some(Class::Memory), ..attempt(&Cause::Signal(9), None) };
    assert!(matches!(react(&memory, &History::default(), &terms), Reaction::Fail { .. }), "time is no memory");
    let larger = Escalation { resources: vec!["/core=1".into(), "/core=2".into()], most: 1, ..escalation.clone() };
    let terms = Terms { escalation: Some(&larger), ..Terms::default() };
    let raised = Reaction::Retry(Again { place: Place::First, delay_ms: 0, level: 1 });
    assert_eq!(react(&memory, &History::default(), &terms), raised);
}

#[test]
fn a_kill_for_others_keeps_the_level() {
    let kill = Attempt { level: 2, ..attempt(&Cause::BestEffortKill, None) };
    let again = Reaction::Retry(Again { place: Place::First, delay_ms: 0, level: 2 });
    assert_eq!(react(&kill, &tired(), &Terms::default()), again);
}

#[test]
fn what_is_missing_is_looked_for_on_another_cluster_where_there_is_one() {
    let cause = Cause::ExitCode(1);
    let missing = Attempt { class: Some(Class::MissingFile), ..attempt(&cause, None) };
    assert_eq!(react(&missing, &History::default(), &Terms::default()), at_once(Place::Elsewhere));
    let alone = Terms { is_alone: true, ..Terms::default() };
    assert!(matches!(react(&missing, &History::default(), &alone), Reaction::Fail { .. }));
}
