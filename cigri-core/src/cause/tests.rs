//! Causes of ends as clusters really tell them.

use super::*;

fn event(kind: &str, description: &str) -> RemoteEvent {
    RemoteEvent { kind: kind.into(), description: description.into(), to_check: false }
}

fn error(kinds: &[(&str, &str)]) -> Cause {
    let events = kinds.iter().map(|(kind, text)| event(kind, text)).collect();
    classify(&RemoteEnd { terminated: false, wait_status: None, events })
}

fn exit(status: i32) -> Cause {
    classify(&RemoteEnd { terminated: true, wait_status: Some(status), events: Vec::new() })
}

#[test]
fn exit_statuses_are_raw_wait_statuses() {
    assert_eq!(exit(0), Cause::Success);
    assert_eq!(exit(256), Cause::ExitCode(1));
    assert_eq!(exit(16896), Cause::AskedRetry);
    assert_eq!(exit(17152), Cause::AskedRetryLast);
    assert_eq!(exit(32512), Cause::ProgramMissing(127));
    assert_eq!(exit(32256), Cause::ProgramMissing(126));
    assert_eq!(exit(9), Cause::Signal(9));
    assert_eq!(exit(65280), Cause::ExitCode(255));
}

#[test]
fn a_walltime_kill_is_not_taken_for_a_plain_kill() {
    let events = [
        ("FRAG_JOB_REQUEST", "User oar requested to frag the job 11184"),
        ("WALLTIME", "Job: 11184 from 1 with 30; current time=31 (Elapsed)"),
        ("SEND_KILL_JOB", ""),
        ("SWITCH_INTO_ERROR_STATE", ""),
    ];
    assert_eq!(error(&events), Cause::Walltime);
}

#[test]
fn a_preemption_is_a_best_effort_kill() {
    let events = [("BESTEFFORT_KILL", ""), ("FRAG_JOB_REQUEST", "User oar requested to frag the job 3")];
    assert_eq!(error(&events), Cause::BestEffortKill);
}

#[test]
fn a_person_is_told_from_oar() {
    let by = |who: &str| error(&[("FRAG_JOB_REQUEST", &format!("User {who} requested to frag the job 3"))]);
    assert_eq!(by("alice"), Cause::PersonKill("alice".into()));
    assert_eq!(by("oar"), Cause::Infrastructure("FRAG_JOB_REQUEST".into()));
}

#[test]
fn oars_own_resubmission_is_followed_by_its_new_id() {
    let text = "Resubmiting job 11187 => ((0, ''), 11205) (due to event X & job is neither a reservation)";
    assert_eq!(error(&[("RESUBMIT_JOB_AUTOMATICALLY", text)]), Cause::ResubmittedAs(11205));
    let text = "[11187] The job 11187 is a besteffort and idempotent job so we resubmit it (new id = ((0, ''), 11197)";
    assert_eq!(error(&[("RESUBMIT_JOB_AUTOMATICALLY", text), ("BESTEFFORT_KILL", "")]), Cause::ResubmittedAs(11197));
}

#[test]
fn an_unchecked_resubmitting_event_decides_nothing() {
    let mut unchecked = event("LAUNCHING_OAREXEC_TIMEOUT", "");
    unchecked.to_check = true;
    let end = RemoteEnd { terminated: false, wait_status: None, events: vec![unchecked] };
    assert_eq!(classify(&end), Cause::Undecided);
    assert_eq!(error(&[("LAUNCHING_OAREXEC_TIMEOUT", "")]), Cause::Infrastructure("LAUNCHING_OAREXEC_TIMEOUT".into()));
}

#[test]
fn the_ends_of_recorded_jobs_have_their_causes() {
    let oar = ("FRAG_JOB_REQUEST", "User oar requested to frag the job 3");
    let alice = ("FRAG_JOB_REQUEST", "User alice requested to frag the job 3");
    let (send, error_state) = (("SEND_KILL_JOB", "Send the kill signal"), ("SWITCH_INTO_ERROR_STATE", ""));
    let noise = ("SCHEDULER_PRIORITY_UPDATED_START", "");
    let copy = "Resubmitting job 3 => ((0, ''), 9) (due to event LAUNCHING_OAREXEC_TIMEOUT & job is neither)";
    let table = [
        (vec![error_state, ("WORKING_DIRECTOR", "Cannot go into /x")], "working_directory"),
        (vec![("WORKING_DIRECTORY", "Cannot go into /x"), error_state], "working_directory"),
        (vec![error_state, ("OUTPUT_FILES", "Cannot create")], "output_files"),
        (vec![oar, ("WALLTIME", "Job: 3 from 1 with 4; current time=5 (Elapsed)"), send, error_state], "walltime"),
        (vec![("WALLTIME", ""), oar, send, error_state], "walltime"),
        (vec![alice, send, error_state], "person_kill"),
        (vec![alice], "person_kill"),
        (vec![noise, ("BESTEFFORT_KILL", "kill the besteffort job 3"), oar, send, error_state], "best_effort_kill"),
        (vec![oar, send, error_state, ("BESTEFFORT_KILL", "")], "best_effort_kill"),
        (vec![("LAUNCHING_OAREXEC_TIMEOUT", ""), ("RESUBMIT_JOB_AUTOMATICALLY", copy)], "resubmitted"),
        (vec![send, ("EXTERMINATE_JOB", ""), send], "infrastructure"),
        (vec![("EXIT_VALUE_OAREXEC", "exit 255"), error_state], "infrastructure"),
        (vec![("PING_CHECKER_NODE_SUSPECTED", ""), error_state], "infrastructure"),
        (vec![("CPUSET_ERROR", ""), oar, send, error_state], "infrastructure"),
        (vec![("CANNOT_WRITE_NODE_FILE", "")], "infrastructure"),
        (vec![("USER_SHELL", "")], "infrastructure"),
        (vec![("SERVER_PROLOGUE_EXIT_CODE_ERROR", "")], "infrastructure"),
        (vec![oar, send, error_state], "infrastructure"),
        (vec![noise, error_state], "infrastructure"),
        (vec![], "infrastructure"),
    ];
    for (events, cause) in table {
        assert_eq!(error(&events).as_str(), cause, "{events:?}");
    }
}

#[test]
fn an_event_never_heard_of_is_kept_word_for_word_unless_another_says_why() {
    let strange = ("QUANTUM_FLIP", "the \u{7}cat was\nboth");
    let unheard = Cause::Unrecognised("QUANTUM_FLIP".into(), "the \u{7}cat was\nboth".into());
    assert_eq!(error(&[("SWITCH_INTO_ERROR_STATE", ""), strange]), unheard);
    let oar = ("FRAG_JOB_REQUEST", "User oar requested to frag the job 3");
    assert_eq!(error(&[oar, strange]), unheard);
    assert_eq!(error(&[strange, ("CPUSET_ERROR", "")]), Cause::Infrastructure("CPUSET_ERROR".into()));
    assert_eq!(error(&[strange, ("WALLTIME", "")]), Cause::Walltime);
    let alice = ("FRAG_JOB_REQUEST", "User alice requested to frag the job 3");
    assert_eq!(error(&[strange, alice]), Cause::PersonKill("alice".into()));
}
