//! The command that a cluster is asked to run: one generated form for every task of a campaign on a cluster.
//!
//! `_c(){ export CIGRI_...; shift 2; EXEC_FILE "$@"; }; _c` is the command of a whole array; the cluster appends to it
//! each task's line, `TASK_ID ATTEMPT PARAMETER`, and gives the result to `bash -c`. OAR's API has no field for the
//! environment, and repeats the command in each row of its listings, so the form is short. It is strict as well: a
//! local cluster recognises it and starts a plain program without a shell.
//!
//! Parameters with names are exported as well, `CIGRI_PARAM_alpha=$3`; the words `"$@"` are left off where the command
//! takes them by name.

use crate::gathering;
use crate::language::COMMAND_END;
use crate::language::ClusterSpec;
use crate::language::macros::replace_macro;
use crate::language::named::{VARIABLE, fill_in, takes_names};
use crate::language::quoted;
use crate::task_ids::TaskIds;

/// The variable that OAR sets in a job, whatever follows it.
const OAR_JOB_ID: &str = "${OAR_JOB_ID}";

/// How every generated command begins.
const HEAD: &str = "_c(){ export CIGRI_CAMPAIGN_ID=";

/// The command of a campaign on a cluster, to which the cluster appends one parameter line per task.
///
/// It exports `CIGRI_CAMPAIGN_ID`, `CIGRI_CLUSTER`, `CIGRI_TASK_ID`, `CIGRI_TASK_INDEX` (from 0, computed
/// from the id) and `CIGRI_ATTEMPT`, then runs `exec_file` with the parameter's words.
/// Where the job itself brings a file somewhere, that follows: its failure is exit code 68.
/// `{CAMPAIGN_ID}` becomes the number, `{OAR_JOB_ID}` the variable that OAR sets in the job. `names` are those of the
/// parameter's words, if they have any: `{alpha}` becomes a reference to `CIGRI_PARAM_alpha`, which is exported.
pub fn remote_command(campaign_id: u64, cluster: &str, ids: &TaskIds, spec: &ClusterSpec, names: &[String]) -> String {
    let exec_file = with_campaign_id(&spec.exec_file, campaign_id);
    let exec_file = replace_macro(&exec_file, "OAR_JOB_ID", OAR_JOB_ID);
    let exec_file = fill_in(&exec_file, names);
    let words = if !names.is_empty() && takes_names(&exec_file) { "" } else { " \"$@\"" };
    let exports: String = names.iter().zip(3..).map(|(name, place)| export(name, place)).collect();
    let index = ids.arithmetic();
    let copy = spec.output.as_ref().and_then(|output| gathering::copy_command(output, campaign_id));
    let run = match copy {
        None if spec.checkpoint.is_some() => in_the_first_process(&format!("{exec_file}{words}")),
        None => format!("{exec_file}{words}"),
        // Whatever it does to its own shell, the copy follows it.
        Some(copy) => format!("( {exec_file}{words} ) || return $?; {copy}"),
    };
    format!(
        "{HEAD}{campaign_id} CIGRI_CLUSTER={cluster} CIGRI_TASK_ID=$1 \
         CIGRI_TASK_INDEX=$(({index})) CIGRI_ATTEMPT=$2{exports}; shift 2; {run}; {COMMAND_END}"
    )
}

/// How every step's command begins.
const STEP_HEAD: &str = "_s(){ export CIGRI_CAMPAIGN_ID=";

/// The command of a prologue or an epilogue (`step` is that word), to which the cluster appends the attempt.
///
/// It exports `CIGRI_CAMPAIGN_ID`, `CIGRI_CLUSTER`, `CIGRI_STEP` and `CIGRI_ATTEMPT`, and gives the script, newlines and
/// all, to a bash of its own, whose exit code is the job's.
pub fn step_command(campaign_id: u64, cluster: &str, step: &str, script: &str) -> String {
    let script = replace_macro(&with_campaign_id(script, campaign_id), "OAR_JOB_ID", OAR_JOB_ID);
    format!(
        "{STEP_HEAD}{campaign_id} CIGRI_CLUSTER={cluster} CIGRI_STEP={step} CIGRI_ATTEMPT=$1; exec bash -c {}; }}; _s",
        single_quoted(&script)
    )
}

/// Whether a campaign has a directory of its own, which is not there before its prologue makes it.
fn is_own_directory(spec: &ClusterSpec) -> bool {
    spec.exec_directory.contains("{CAMPAIGN_ID}")
}

/// The working directory that the job of a step is sent with.
pub fn step_directory(campaign_id: u64, spec: &ClusterSpec) -> String {
    if is_own_directory(spec) { "$HOME".to_owned() } else { remote_directory(campaign_id, spec) }
}

/// The script of a step, which makes a directory of the campaign's own and begins there.
pub fn step_script(spec: &ClusterSpec, script: &str) -> String {
    if !is_own_directory(spec) {
        return script.to_owned();
    }
    let directory = match spec.exec_directory.strip_prefix("$HOME") {
        Some(below) => format!("\"$HOME\"{}", single_quoted(below)),
        None => single_quoted(&spec.exec_directory),
    };
    format!("mkdir -p {directory} && cd {directory} || exit\n{script}")
}

/// Campaign, step's word and attempt of a step's command line as a cluster lists it; `None` if it is not one.
pub fn step_of_command(command: &str) -> Option<(u64, &str, u32)> {
    let (campaign, rest) = command.strip_prefix(STEP_HEAD)?.split_once(" CIGRI_CLUSTER=")?;
    let (step, _) = rest.split_once(" CIGRI_STEP=")?.1.split_once(" CIGRI_ATTEMPT=")?;
    let (_, attempt) = rest.rsplit_once("; }; _s ")?;
    Some((number(campaign)?, step, number(attempt)?))
}

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// ` CIGRI_PARAM_alpha=$3`; `$10` would be `${1}0` to a shell.
fn export(name: &str, place: u32) -> String {
    match place {
        0..10 => format!(" {VARIABLE}{name}=${place}"),
        _ => format!(" {VARIABLE}{name}=${{{place}}}"),
    }
}

/// What a task runs, for eyes: the command with the words or values of its parameter in place.
pub fn shown_command(spec: &ClusterSpec, names: &[String], parameter: &str) -> String {
    let filled_in = fill_in(&spec.exec_file, names);
    if names.is_empty() || !takes_names(&filled_in) {
        return format!("{filled_in} {parameter}").trim_end().to_owned();
    }
    let values = shlex::split(parameter).unwrap_or_default();
    names.iter().zip(values).fold(filled_in, |text, (name, value)| {
        let text = text.replace(&format!("\"${VARIABLE}{name}\""), &quoted(std::slice::from_ref(&value)));
        text.replace(&format!("${{{VARIABLE}{name}}}"), &within_double_quotes(&value))
    })
}

/// The value as it has to be written between double quotes.
fn within_double_quotes(value: &str) -> String {
    let escaped = |character: char| "\\\"$`".contains(character).then_some('\\').into_iter().chain([character]);
    value.chars().flat_map(escaped).collect()
}

/// OAR's checkpoint signal reaches the job's first process: a single program takes the shell's place there.
fn in_the_first_process(line: &str) -> String {
    format!("exec bash -c {} bash \"$@\"", single_quoted(line))
}

/// The line that stands for one attempt of one task: `2017 1 a b`. Attempts count from 1.
pub fn parameter_line(task_id: u64, attempt: u32, parameter: &str) -> String {
    match parameter {
        "" => format!("{task_id} {attempt}"),
        _ => format!("{task_id} {attempt} {parameter}"),
    }
}

/// Task id, attempt and parameter of a parameter line; `None` if it is not one.
pub fn parse_parameter_line(line: &str) -> Option<(u64, u32, &str)> {
    let (task_id, rest) = line.split_once(' ')?;
    let (attempt, parameter) = rest.split_once(' ').unwrap_or((rest, ""));
    Some((number(task_id)?, number(attempt)?, parameter))
}

/// Task id and attempt of a whole command line as a cluster lists it; `None` if it is not of the generated form.
///
/// The first end of the form counts: `exec_file` cannot contain it, a parameter may.
pub fn task_of_command(command: &str) -> Option<(u64, u32)> {
    let (_, line) = command.strip_prefix(HEAD)?.split_once(COMMAND_END)?;
    let (task_id, attempt, _) = parse_parameter_line(line.strip_prefix(' ')?)?;
    Some((task_id, attempt))
}

/// The working directory of a campaign's jobs; `$HOME` at its beginning is left to the cluster.
pub fn remote_directory(campaign_id: u64, spec: &ClusterSpec) -> String {
    with_campaign_id(&spec.exec_directory, campaign_id)
}

fn with_campaign_id(text: &str, campaign_id: u64) -> String {
    replace_macro(text, "CAMPAIGN_ID", &campaign_id.to_string())
}

/// Digits only: `parse` alone would also take a sign.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
