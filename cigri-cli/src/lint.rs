//! `cigri lint`: campaign files checked as a server would, with no server, data directory or list of clusters.

use std::path::Path;

use cigri_api::Problem;
use cigri_core::language::json_schema;
use serde::Serialize;

use crate::cli::LintOptions;
use crate::exit::{Exit, Failure, problem_line};
use crate::run::campaign_file::CampaignFile;
use crate::screen::{Screen, plain};

/// What is said of one file.
#[derive(Debug, Serialize)]
struct Verdict {
    file: String,
    valid: bool,
    /// Number of tasks; none for a campaign without end, or one that is not valid.
    tasks: Option<u64>,
    /// Why the file cannot be read, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

/// Checks every file, whatever is found in the others.
pub(crate) fn lint(options: &LintOptions, screen: &Screen) -> Result<Exit, Failure> {
    if options.schema {
        screen.value(&json_schema())?;
        return Ok(Exit::Success);
    }
    let verdicts = options.files.iter().map(|path| judge(path)).collect::<Result<Vec<_>, _>>()?;
    if screen.json {
        screen.value(&verdicts)?;
    } else {
        verdicts.iter().try_for_each(|verdict| tell(verdict, screen))?;
    }
    let valid = verdicts.iter().all(|verdict| verdict.valid);
    Ok(if valid { Exit::Success } else { Exit::BadCampaign })
}

fn judge(path: &Path) -> Result<Verdict, Failure> {
    let file = path.display().to_string();
    let verdict = match CampaignFile::read(path, &[]) {
        Ok(read) => {
            let lines = read.parameter_file.as_ref().map(|file| file.count);
            let tasks = lines.or_else(|| read.parameters.count());
            Verdict { file, valid: true, tasks, error: None, problems: Vec::new(), warnings: read.warnings }
        }
        Err(Failure::Campaign { message, problems }) => {
            let error = problems.is_empty().then_some(message);
            Verdict { file, valid: false, tasks: None, error, problems, warnings: Vec::new() }
        }
        Err(other) => return Err(other),
    };
    Ok(verdict)
}

fn tell(verdict: &Verdict, screen: &Screen) -> Result<(), Failure> {
    let file = &verdict.file;
    let lines = verdict.error.iter().cloned().chain(verdict.problems.iter().map(problem_line));
    let warnings = verdict.warnings.iter().map(|warning| format!("warning: {}", problem_line(warning)));
    for line in lines.chain(warnings) {
        screen.line(&plain(&format!("{file}: {line}")))?;
    }
    if verdict.valid {
        let tasks = match verdict.tasks {
            Some(1) => "1 task".to_owned(),
            Some(tasks) => format!("{tasks} tasks"),
            None => "tasks without end".to_owned(),
        };
        screen.note(&plain(&format!("{file}: a valid campaign of {tasks}")));
    }
    Ok(())
}
