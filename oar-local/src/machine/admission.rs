//! Decides whether a submission is accepted, with OAR's own checks and stock admission rules, and completes it
//! with OAR's defaults. Facts: `POST /jobs` of OAR 3, seen on a real instance.

use super::job::{Batch, Tasks};
use super::property::{Property, PropertyError};
use super::shape::{Shape, parse_shape};
use super::{Machine, Settings};

/// A `POST /jobs`, typed but unchecked. Absent fields are OAR's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Command line.
    pub command: String,
    /// Resource strings.
    pub resource: Vec<String>,
    /// Types, such as `besteffort`.
    pub types: Vec<String>,
    /// SQL constraint on the resources.
    pub property: Option<String>,
    /// Parameters, one job per line.
    pub param_file: Option<String>,
    /// Number of identical jobs.
    pub array: Option<i64>,
    /// Name.
    pub name: Option<String>,
    /// Project.
    pub project: Option<String>,
    /// Launching directory.
    pub directory: Option<String>,
    /// Template of the output file's name.
    pub stdout: Option<String>,
    /// Template of the error file's name.
    pub stderr: Option<String>,
    /// Queue.
    pub queue: Option<String>,
    /// Create in Hold.
    pub hold: bool,
    /// Seconds before walltime.
    pub checkpoint: Option<i64>,
    /// Signal number.
    pub signal: Option<i64>,
    /// Jobs to wait for.
    pub after: Vec<u64>,
    /// Notification.
    pub notify: Option<String>,
}

/// Why a submission made no job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// OAR answers 501 without any explanation.
    NotImplemented,
    /// OAR answers 400 with this text.
    Bad(String),
    /// As [`Refusal::Bad`] for a single job; OAR crashes (500) for an array.
    Resources(String),
    /// An admission rule refused (403); the rule's own text.
    Rule(String),
    /// OAR crashes (500).
    Crash,
    /// OAR answers 200 without an id and creates nothing.
    Nothing,
}

/// More jobs than this in one submission are not created: OAR's database gives up long before.
const MAX_ARRAY: u32 = 1_000_000;
/// Job types that the stock admission rules know.
const TYPES: &str = "besteffort idempotent deploy desktop_computing noop container inner cosystem timesharing \
    token set_placeholder use_placeholder allowed allow expire postpone deadline state";

/// Checks `request` of `user` and completes it; `first` and `now` (epoch seconds) become its id and its date.
pub(super) fn admit(machine: &Machine, request: &Request, user: &str, now: i64) -> Result<Batch, Refusal> {
    check_texts(request)?;
    let settings = machine.settings();
    let (queue, types) = apply_rules(request, user, settings.lenient)?;
    let is_array = request.array.is_some() || request.param_file.as_ref().is_some_and(|text| !text.is_empty());
    let shape = choose_shape(request, settings, is_array).map_err(|refusal| crash_array(refusal, is_array))?;
    check_property(request, settings, &shape).map_err(|refusal| crash_array(refusal, is_array))?;
    let home = |text: &str| text.replace("$HOME", &settings.home);
    Ok(Batch {
        first: machine.next_job,
        tasks: choose_tasks(request),
        user: user.to_owned(),
        name: request.name.clone(),
        project: request.project.clone().unwrap_or_else(|| "default".to_owned()),
        properties: rewrite_property(request.property.as_deref(), queue == "besteffort"),
        queue,
        types,
        command: home(&request.command),
        directory: home(request.directory.as_deref().unwrap_or(&settings.home)),
        stdout: request.stdout.clone(),
        stderr: request.stderr.clone(),
        cores: shape.cores,
        walltime: shape.walltime,
        actual_resources: shape.text,
        after: request.after.clone(),
        hold: request.hold,
        checkpoint: request.checkpoint.unwrap_or(0),
        checkpoint_signal: request.signal.unwrap_or(12),
        notify: request.notify.clone(),
        submitted: now,
        damage: None,
    })
}

fn crash_array(refusal: Refusal, is_array: bool) -> Refusal {
    match refusal {
        Refusal::Resources(_) if is_array => Refusal::Crash,
        Refusal::Resources(text) => Refusal::Bad(text),
        other => other,
    }
}

fn check_texts(request: &Request) -> Result<(), Refusal> {
    let name = request.name.as_deref().unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if request.command.is_empty() || !name.chars().all(is_name) {
        return Err(Refusal::NotImplemented);
    }
    for (kind, file) in [("stdout", &request.stdout), ("stderr", &request.stderr)] {
        let is_file = |c: char| c.is_ascii_alphanumeric() || "_./%\\ -".contains(c);
        if !file.as_deref().unwrap_or_default().chars().all(is_file) {
            return Err(Refusal::Bad(format!("invalid {kind} file name (bad character)")));
        }
    }
    let notify = request.notify.as_deref().unwrap_or("mail:");
    if !notify.contains("mail:") && !notify.contains("exec:") {
        return Err(Refusal::Bad("bad syntax for the notify option.".to_owned()));
    }
    // Column widths and the NUL that PostgreSQL refuses.
    let parameters = request.param_file.as_deref().unwrap_or_default();
    let too_long = name.len() > 100 || request.project.as_deref().unwrap_or_default().len() > 255;
    let too_many = request.array.is_some_and(|count| count > i64::from(MAX_ARRAY));
    if too_long || too_many || request.command.contains('\0') || parameters.contains('\0') {
        return Err(Refusal::Crash);
    }
    Ok(())
}

/// OAR's stock rules about users, types and queues: the queue and the types that result.
fn apply_rules(request: &Request, user: &str, lenient: bool) -> Result<(String, Vec<String>), Refusal> {
    // A lenient cluster has one user, who may well be root: in a container, say.
    if !lenient && matches!(user, "oar" | "root") {
        return Err(Refusal::Rule("root and oar users are not allowed to submit jobs.".to_owned()));
    }
    let name = |text: &str| text.split('=').next().unwrap_or_default().to_owned();
    let unknown = request.types.iter().find(|text| TYPES.split(' ').all(|known| known != name(text)));
    if let Some(unknown) = unknown.filter(|_| !lenient) {
        return Err(Refusal::Rule(format!("[ADMISSION RULE] Error: unknown job type: {unknown}")));
    }
    let mut types = request.types.clone();
    let asked = request.queue.as_deref().unwrap_or("default");
    if types.iter().any(|text| text == "besteffort") {
        return Ok(("besteffort".to_owned(), types));
    }
    match asked {
        "besteffort" => types.push("besteffort".to_owned()),
        "default" => {}
        // Sites have queues of their own; here there is one for them all.
        _ if lenient => return Ok(("default".to_owned(), types)),
        "admin" => {
            return Err(Refusal::Rule("\"getgrnam(): name not found: 'admin'\"".to_owned()));
        }
        other => return Err(Refusal::Bad(format!("queue {other} does not exist"))),
    }
    Ok((asked.to_owned(), types))
}

fn choose_shape(request: &Request, settings: &Settings, is_array: bool) -> Result<Shape, Refusal> {
    if request.resource.len() > 1 && is_array {
        return Err(Refusal::Nothing);
    }
    let text = request.resource.first().map_or("", String::as_str);
    parse_shape(text, settings.cores, settings.lenient)
}

fn check_property(request: &Request, settings: &Settings, shape: &Shape) -> Result<(), Refusal> {
    let Some(text) = request.property.as_deref().filter(|text| !text.trim().is_empty()) else {
        return Ok(());
    };
    if settings.lenient {
        return Ok(());
    }
    let matching = Property::parse(text).and_then(|property| settings.matching(&property));
    match matching {
        Ok(count) if count >= shape.cores => Ok(()),
        Ok(_) => Err(Refusal::Resources("There are not enough resources for your request".to_owned())),
        Err(PropertyError) => Err(Refusal::Resources(format!(
            "Bad resource SQL constraints request:{text}\nSQLAlchemyError: invalid constraint"
        ))),
    }
}

fn rewrite_property(property: Option<&str>, besteffort: bool) -> String {
    let asked = property.filter(|text| !text.trim().is_empty());
    match (asked, besteffort) {
        (None, false) => "drain='NO'".to_owned(),
        (Some(text), false) => format!("({text}) AND drain='NO'"),
        (None, true) => "(besteffort = 'YES') AND drain='NO'".to_owned(),
        (Some(text), true) => format!("(({text}) AND besteffort = 'YES') AND drain='NO'"),
    }
}

fn choose_tasks(request: &Request) -> Tasks {
    match (&request.param_file, request.array) {
        (Some(text), _) if !text.is_empty() => Tasks::Lines(text.clone()),
        (_, Some(count)) => Tasks::Same(u32::try_from(count.max(1)).unwrap_or(MAX_ARRAY)),
        _ => Tasks::Same(1),
    }
}
