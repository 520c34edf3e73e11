//! `jobs_type`: a bag of tasks, or one command that is started again and again until a moment or a number of successes.

use chrono::{DateTime, NaiveDate, SecondsFormat};

use super::field::Field;
use super::parts::Endless;
use super::problem::{Problem, Report};
use super::spec::CampaignSpec;
use super::written::Written;

/// Most successes that a campaign can wait for.
const MOST_SUCCESSES: u64 = 1_000_000_000;

const DESKTOP_COMPUTING: &str = "\"jobs_type\": \"desktop_computing\"";

/// When the bag ends, if the campaign is an endless one.
pub(super) fn resolve_endless(written: &Written, report: &mut Report) -> Option<Endless> {
    let field = |name: &str| written.field(name).map(|(key, node)| Field::new("", key, node));
    let (until, successes) = (field("until"), field("successes"));
    match field("jobs_type") {
        Some(jobs_type) if jobs_type.as_text() == Some("desktop_computing") => Some(Endless {
            until: until.and_then(|field| report.take(moment(&field))),
            successes: successes.and_then(|field| report.take(field.whole_number(MOST_SUCCESSES))),
        }),
        Some(jobs_type) if jobs_type.as_text() != Some("normal") => {
            report.refuse(jobs_type.problem("`normal` or `desktop_computing`"));
            None
        }
        _ => {
            for field in [until, successes].into_iter().flatten() {
                let problem = field.problem("nothing, as a bag of tasks ends with its last task");
                report.refuse(problem.hint(format!("only a campaign with `{DESKTOP_COMPUTING}` needs it")));
            }
            None
        }
    }
}

/// That an endless campaign is over before it begins (`now` in epoch milliseconds); its bag closes at once.
pub fn already_over(spec: &CampaignSpec, now: i64) -> Option<Problem> {
    let until = spec.endless?.until.filter(|until| *until <= now)?;
    let date = DateTime::from_timestamp_millis(until)?.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    Some(Problem::new("until", format!("{date}, which is past"), "a moment to come, as no job is sent after it"))
}

/// That a source of parameters has no place in an endless campaign.
pub(super) fn no_parameters(field: &Field<'_>) -> Problem {
    field
        .problem("no parameters, as `desktop_computing` starts one command again and again")
        .hint("`successes` and `until` say when it ends")
}

/// Epoch milliseconds of a date and time; a date counts whole, in UTC.
fn moment(field: &Field<'_>) -> Result<i64, Problem> {
    let text = field.as_text().unwrap_or_default().trim();
    let moment = DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.timestamp_millis());
    let end_of_day = || {
        // The library would read `2027-1-31` and `+2027-01-31` as well.
        let is_plain = text.len() == 10 && text.starts_with(|first: char| first.is_ascii_digit());
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| is_plain)?.succ_opt()?;
        Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
    };
    moment.or_else(end_of_day).filter(|moment| *moment > 0).ok_or_else(|| {
        field.problem("a date and time with its zone, as `2027-01-31T18:00:00+01:00`, or a date, as `2027-01-31`")
    })
}
