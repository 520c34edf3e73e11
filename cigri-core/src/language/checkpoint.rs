//! `checkpointing_type`: OAR's signal to the program before its job ends.

use super::dependents::Dependents;
use super::field::{Field, Setting};
use super::parts::Checkpoint;
use super::problem::{Problem, Report};
use super::walltime::format_walltime;

/// Seconds that the program gets where the campaign does not say.
const BEFORE_S: u32 = 60;

/// OAR's own choice: SIGUSR2.
const SIGNAL: u8 = 12;

/// Signals that a program can catch and that mean nothing else to a job, by their numbers on Linux.
const SIGNALS: [(&str, u8); 5] = [("HUP", 1), ("INT", 2), ("USR1", 10), ("USR2", 12), ("TERM", 15)];

/// What one object says of checkpoints.
#[derive(Debug, Default)]
pub(super) struct CheckpointFields {
    wanted: Setting<()>,
    before_s: Setting<u32>,
    signal: Setting<u8>,
}

impl CheckpointFields {
    /// Reads the field `name` if it is one of checkpoints.
    pub(super) fn read(&mut self, name: &str, field: &Field<'_>, report: &mut Report) {
        match name {
            "checkpointing_type" => self.wanted = Setting::read(field, report, wanted),
            "checkpointing_period" => self.before_s = Setting::read(field, report, before),
            "checkpointing_signal" => self.signal = Setting::read(field, report, signal),
            _ => {}
        }
    }

    /// The checkpoint of a cluster with these fields of its own and these of the top.
    ///
    /// # Errors
    /// A signal that would come before the task begins: found and expected, for the caller to place.
    pub(super) fn resolve(
        &self,
        top: &Self,
        walltime_s: u64,
        dependents: &mut Dependents,
    ) -> Result<Option<Checkpoint>, Problem> {
        let (before, signal) = (self.before_s.or(&top.before_s), self.signal.or(&top.signal));
        let wanted = self.wanted.or(&top.wanted);
        if wanted.value().is_none() {
            if !wanted.is_unsound() {
                dependents.idle(before, "checkpointing_type");
                dependents.idle(signal, "checkpointing_type");
            }
            return Ok(None);
        }
        let before_s = before.value().copied().unwrap_or(BEFORE_S);
        if u64::from(before_s) >= walltime_s {
            let expected = format!("less than the walltime, {}", format_walltime(walltime_s));
            return Err(Problem::new("checkpointing_period", format!("{before_s} s"), expected));
        }
        Ok(Some(Checkpoint { before_s, signal: signal.value().copied().unwrap_or(SIGNAL) }))
    }
}

fn wanted(field: &Field<'_>) -> Result<(), Problem> {
    match field.as_text() {
        Some("oar" | "signal") => Ok(()),
        _ if field.is_true() => Ok(()),
        _ => Err(field
            .problem("`signal` or none")
            .hint("clusters only signal a program before its job ends: it has to save its state itself")),
    }
}

fn before(field: &Field<'_>) -> Result<u32, Problem> {
    let seconds = field.seconds(u64::from(u32::MAX))?;
    u32::try_from(seconds).map_err(|_| field.problem("seconds"))
}

fn signal(field: &Field<'_>) -> Result<u8, Problem> {
    let number = field.digits(64);
    let name = field.as_text().map(|text| text.strip_prefix("SIG").unwrap_or(text));
    let known = SIGNALS.iter().find(|(known, value)| name == Some(*known) || number == Some(u64::from(*value)));
    known.map(|(_, value)| *value).ok_or_else(|| field.problem("`HUP`, `INT`, `USR1`, `USR2` or `TERM`, or its number"))
}
