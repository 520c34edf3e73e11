//! All laws: how they are written down.

use super::{AdaptiveSettings, FixedSettings, LawSettings, Tap3Settings, TapPaperSettings};
use crate::meter::ClusterLimits;

fn parse(text: &str) -> Result<LawSettings, String> {
    toml::from_str::<ClusterLimits>(text).map(|limits| limits.law).map_err(|error| error.to_string())
}

#[test]
fn a_law_is_written_as_a_table_with_its_name() {
    assert_eq!(parse(""), Ok(LawSettings::Adaptive(AdaptiveSettings::default())));
    let tap = Tap3Settings { max: 300, ..Tap3Settings::default() };
    assert_eq!(parse(r#"law = { name = "tap-3", max = 300 }"#), Ok(LawSettings::Tap3(tap)));
    let ahead = AdaptiveSettings { ahead: 1.5, ..AdaptiveSettings::default() };
    assert_eq!(parse(r#"law = { name = "adaptive", ahead = 1.5 }"#), Ok(LawSettings::Adaptive(ahead)));
    let fixed = FixedSettings { waiting: 7 };
    assert_eq!(parse(r#"law = { name = "fixed", waiting = 7 }"#), Ok(LawSettings::Fixed(fixed)));
    assert_eq!(parse(r#"law = { name = "tap-paper" }"#), Ok(LawSettings::TapPaper(TapPaperSettings::default())));
}

#[test]
fn what_it_is_written_as_reads_back() {
    for law in all() {
        let limits = ClusterLimits { law, ..ClusterLimits::default() };
        let text = toml::to_string(&limits).unwrap_or_default();
        assert!(text.contains(&format!("name = \"{}\"", law.name())), "{text}");
        assert_eq!(parse(&text), Ok(law));
    }
}

#[test]
fn a_key_or_name_that_is_not_known_is_refused() {
    let refused = |text: &str, word: &str| {
        let error = parse(text).err().unwrap_or_default();
        assert!(error.contains(word), "{text}: {error}");
    };
    refused(r#"law = { name = "tap-3", maximum = 300 }"#, "maximum");
    refused(r#"law = { name = "adaptive", max = 300 }"#, "max");
    refused(r#"law = { name = "fixed", waiting = -1 }"#, "-1");
    refused(r#"law = { name = "tap-4" }"#, "tap-4");
    refused("law = { max = 300 }", "name");
}

#[test]
fn absurd_settings_are_told_with_what_they_may_be() {
    for law in all() {
        assert_eq!(law.check(), []);
    }
    let law = LawSettings::Adaptive(AdaptiveSettings { initial: 0, ahead: f64::NAN, round_s: -1.0, patience: 0 });
    let problems: Vec<String> = law.check().iter().map(ToString::to_string).collect();
    assert_eq!(problems[0], "law.initial: expected a number from 1 to 100000, found 0");
    assert_eq!(problems[1], "law.ahead: expected a number from 1 to 100, found NaN");
    assert_eq!(problems[2], "law.round_s: expected a number from 0 to 3600, found -1");
    let tap = Tap3Settings { initial: 200, factor: 0.5, max: 100, grace_s: u64::MAX };
    assert_eq!(LawSettings::Tap3(tap).check().len(), 3);
    let tap = TapPaperSettings { factor: f64::INFINITY, ..TapPaperSettings::default() };
    assert_eq!(LawSettings::TapPaper(tap).check().len(), 1);
    assert_eq!(LawSettings::Fixed(FixedSettings { waiting: 0 }).check().len(), 1);
}

fn all() -> [LawSettings; 4] {
    [
        LawSettings::default(),
        LawSettings::Tap3(Tap3Settings::default()),
        LawSettings::TapPaper(TapPaperSettings::default()),
        LawSettings::Fixed(FixedSettings::default()),
    ]
}
