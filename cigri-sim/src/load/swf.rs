//! Reading workload traces in the Standard Workload Format (Feitelson's archive).

use super::OtherJob;

/// A trace that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TraceError {
    /// A line is not 18 numbers.
    #[error("line {line} of the trace: field {field} ({what}) is {found:?}, a number was expected")]
    Field {
        /// From 1.
        line: usize,
        /// From 1, as in the format's definition.
        field: usize,
        /// What the field is.
        what: &'static str,
        /// What is there.
        found: String,
    },
    /// No job at all.
    #[error("the trace has no job that ran")]
    Empty,
}

/// The jobs of a trace by submission, the first at 0. Comments begin with `;`; jobs that never ran are left out.
///
/// Of a line's fields only four are read: submit time (2), run time (4), allocated processors (5) or else requested ones
/// (8). How long a job waited there (3) says nothing about the modelled cluster.
///
/// # Errors
/// [`TraceError`], with the line.
pub fn parse(text: &str) -> Result<Vec<OtherJob>, TraceError> {
    let mut jobs = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        jobs.extend(job(index + 1, line)?);
    }
    jobs.sort_by_key(|job: &OtherJob| job.submit_ms);
    let first = jobs.first().ok_or(TraceError::Empty)?.submit_ms;
    for job in &mut jobs {
        job.submit_ms -= first;
    }
    Ok(jobs)
}

fn job(line: usize, text: &str) -> Result<Option<OtherJob>, TraceError> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let number = |field: usize, what: &'static str| {
        let found = fields.get(field - 1).copied().unwrap_or_default();
        let value = found.parse::<f64>().ok().filter(|value| value.is_finite());
        value.ok_or_else(|| TraceError::Field { line, field, what, found: found.to_owned() })
    };
    let submit = number(2, "submit time")?;
    let run = number(4, "run time")?;
    let allocated = number(5, "processors")?;
    let slots = if allocated > 0.0 { allocated } else { number(8, "requested processors")? };
    let ran = submit >= 0.0 && run > 0.0 && slots > 0.0;
    Ok(ran.then_some(OtherJob { submit_ms: (submit * 1e3) as i64, run_ms: (run * 1e3) as i64, slots: slots as u32 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_read_and_those_that_never_ran_are_left_out() {
        let text = "; Computer: toy\n2 130 5 60 4 -1 -1 4 100 -1 1 1 1 1 1 1 -1 -1\n\
                    1 100 0 30 -1 -1 -1 2 100 -1 1 1 1 1 1 1 -1 -1\n3 200 -1 -1 8 -1 -1 8 1 -1 0 1 1 1 1 1 -1 -1\n";
        let jobs = parse(text).unwrap();
        assert_eq!(
            jobs,
            [
                OtherJob { submit_ms: 0, run_ms: 30_000, slots: 2 },
                OtherJob { submit_ms: 30_000, run_ms: 60_000, slots: 4 }
            ]
        );
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse("; a comment\n1 0 0 ten 4\n").unwrap_err();
        assert_eq!(error.to_string(), "line 2 of the trace: field 4 (run time) is \"ten\", a number was expected");
        assert_eq!(parse("; nothing\n"), Err(TraceError::Empty));
    }
}
