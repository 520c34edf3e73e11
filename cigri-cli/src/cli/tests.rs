//! What the command line takes, and how it answers slips.

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn a_kill_rate_leaves_a_chance_to_end() {
    assert_eq!(probability("0.3"), Ok(0.3));
    for text in ["1", "-0.1", "NaN", "many"] {
        assert!(probability(text).is_err(), "{text}");
    }
}

#[test]
fn a_campaign_is_a_number_or_last() {
    let read = |words: &[&str]| Arguments::try_parse_from(words).map(|arguments| arguments.command);
    assert!(matches!(read(&["cigri", "status"]), Ok(Command::Show(ShowCommand::Status { campaign: Selector::Last }))));
    assert!(matches!(
        read(&["cigri", "cancel", "7"]),
        Ok(Command::Show(ShowCommand::Cancel { campaign: Selector::Id(7) }))
    ));
    assert!(read(&["cigri", "cancel"]).is_err(), "nothing is cancelled by default");
    assert!(read(&["cigri", "cancel", "-1"]).is_err());
}

#[test]
fn a_slip_gets_a_suggestion() {
    let error = Arguments::try_parse_from(["cigri", "statsu"]).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("'status'"), "{error}");
}
