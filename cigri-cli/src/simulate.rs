//! `cigri simulate`: when a campaign would end, predicted by the server's own meter on modelled clusters.

mod assumed;

use std::path::Path;

use cigri_core::language::CampaignSpec;
use cigri_sim::Traces;
use cigri_sim::load::{OtherJob, swf};
use cigri_sim::predict::{Asked, Place, Prediction, TRACE, predict};
use cigri_sim::table::time;
use serde::Serialize;

use crate::cli::SimulateOptions;
use crate::exit::{Exit, Failure};
use crate::run::campaign_file::CampaignFile;
use crate::screen::{Screen, plain};

/// What the command answers.
#[derive(Debug, Serialize)]
struct Answer {
    tasks: u64,
    task_time: String,
    prediction: Prediction,
    what_if: Vec<WhatIf>,
    assumed: Vec<String>,
}

/// The same with one thing changed.
#[derive(Debug, Serialize)]
struct WhatIf {
    setting: String,
    prediction: Prediction,
}

/// Predicts, and once more for each change.
pub(crate) fn simulate(options: &SimulateOptions, screen: &Screen) -> Result<Exit, Failure> {
    let read = CampaignFile::read(&options.file, &[])?;
    let tasks = read.parameter_file.as_ref().map(|file| file.count).or_else(|| read.parameters.count());
    let endless = || Failure::Usage("a campaign without an end has no end to predict".to_owned());
    let asked = ask(&read.spec, tasks.ok_or_else(endless)?, options)?;
    let mut traces = Traces::new();
    if let Some(path) = &options.trace {
        let jobs = read_trace(path)?.into_iter().map(|job| job.on_slots_of(options.cores_per_job));
        traces.insert(TRACE.to_owned(), jobs.collect());
    }
    let run = |asked: &Asked| {
        let scenario = asked.scenario().map_err(|error| Failure::Usage(error.to_string()))?;
        Ok::<_, Failure>(predict(&scenario, &traces, options.seeds))
    };
    let mut what_if = Vec::new();
    for (key, value) in &options.what_if {
        let mut changed = asked.clone();
        changed.set(key, value).map_err(Failure::Usage)?;
        what_if.push(WhatIf { setting: format!("{key} = {value}"), prediction: run(&changed)? });
    }
    let answer = Answer {
        tasks: asked.tasks,
        task_time: asked.duration.to_string(),
        prediction: run(&asked)?,
        what_if,
        assumed: assumed::told(&read.spec, options, (&asked, &traces)),
    };
    if screen.json {
        screen.value(&answer)?
    } else {
        tell(&answer, screen)?
    }
    Ok(Exit::Success)
}

fn ask(spec: &CampaignSpec, tasks: u64, options: &SimulateOptions) -> Result<Asked, Failure> {
    let place = |(name, cluster): (&String, &cigri_core::language::ClusterSpec)| {
        let given = options.slots.iter().any(|(cluster, _)| cluster == name);
        let missing = || Failure::Usage(format!("how many jobs does {name} run at a time? Say --slots {name}=N"));
        let max_jobs = cluster.max_jobs.map(u64::from);
        given.then(|| Place { name: name.clone(), slots: 1, max_jobs }).ok_or_else(missing)
    };
    let clusters = spec.clusters.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let mut asked = Asked::new(clusters, tasks, options.task_time.clone());
    asked.trace = options.trace.is_some();
    asked.user = options.user.clone().unwrap_or(asked.user);
    let slots = options.slots.iter().map(|(name, slots)| (format!("slots.{name}"), slots));
    let round = std::iter::once(("round".to_owned(), &options.round));
    let limits = options.limit.iter().map(|(key, value)| (key.clone(), value));
    for (key, value) in slots.chain(round).chain(limits) {
        asked.set(&key, value).map_err(Failure::Usage)?;
    }
    Ok(asked)
}

fn read_trace(path: &Path) -> Result<Vec<OtherJob>, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Environment(format!("cannot read `{shown}`: {error}")))?;
    swf::parse(&text).map_err(|error| Failure::Usage(format!("`{shown}`: {error}")))
}

fn tell(answer: &Answer, screen: &Screen) -> Result<(), Failure> {
    let runs = answer.prediction.runs;
    screen.line(&plain(&format!("{} tasks of {}, {runs} runs", answer.tasks, answer.task_time)))?;
    screen.line(&plain(&ends(&answer.prediction)))?;
    for one in &answer.prediction.clusters {
        let text = format!("  {}: {:.0} jobs, {:.1} of them waiting on average", one.name, one.jobs, one.waiting);
        screen.line(&plain(&text))?;
    }
    for one in &answer.what_if {
        screen.line(&plain(&format!("with {}: {}", one.setting, ends(&one.prediction))))?;
    }
    screen.line(&format!("Assumed: {}.", answer.assumed.join("; ")))
}

fn ends(prediction: &Prediction) -> String {
    let (finish, runs) = (&prediction.finish_s, prediction.runs);
    if prediction.cut == runs {
        return "does not end within a year".to_owned();
    }
    let interval = format!("8 of 10 runs: {} to {}", time(finish.p10), time(finish.p90));
    let mut text = format!("ends after {} ({interval})", time(finish.p50));
    text.push_str(&format!(", {:.0} % of the free slots used", prediction.utilisation * 100.0));
    if prediction.kills >= 0.5 {
        text.push_str(&format!(", {:.0} jobs killed for others", prediction.kills));
    }
    if prediction.cut > 0 {
        text.push_str(&format!("; {} of {runs} runs did not end within a year", prediction.cut));
    }
    text
}
