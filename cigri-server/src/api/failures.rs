//! `GET /campaigns/{id}/failures`: what failed, in groups, what these have in common, and what helps (owner).

use std::collections::BTreeSet;

use actix_web::web;
use cigri_api::{CommonTrait, FailureExample, FailureGroup, Failures, Sampled, Share};
use cigri_core::condition::Condition;
use cigri_core::explain::{self, Trait};
use cigri_core::failure::Class;
use cigri_core::remedy::remedy;
use cigri_store::{CampaignRow, FailureReport, FailureSample, JobRow, Sameness, Store, StoreError};
use serde::Deserialize;

use super::identity::Caller;
use super::respond::ApiError;
use crate::grid::Grid;

/// Clusters and hosts that are named for each group.
const NAMED: usize = 5;

#[derive(Deserialize)]
pub(super) struct FailuresQuery {
    attempts: Option<String>,
}

/// The failures of a campaign.
pub(super) async fn failures(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    query: web::Query<FailuresQuery>,
) -> Result<web::Json<Failures>, ApiError> {
    let id = *id;
    caller.owns(&grid, id).await?;
    let attempts = query.attempts.as_deref().is_some_and(|word| word != "0");
    // A large campaign's take seconds of the database: others wait for their turn. It is never closed.
    let _turn = grid.reports.acquire().await;
    Ok(web::Json(crate::blocking(&grid.store, move |store| found(store, id, attempts)).await?))
}

fn found(store: &Store, id: i64, attempts: bool) -> Result<Failures, StoreError> {
    let campaign = store.campaign(id)?;
    let report = store.failure_report(id, attempts)?;
    let seed = id.unsigned_abs();
    let sample =
        if report.groups.is_empty() { FailureSample::default() } else { store.failure_sample(id, attempts, seed)? };
    let compared = Compared::new(campaign.spec.parameter_names(), &sample);
    let example = |group: &cigri_store::FailureGroup| store.job(group.example).map(Some);
    let examples: Vec<Option<JobRow>> = report.groups.iter().map(example).collect::<Result<_, _>>()?;
    let asked = report.groups.iter().zip(&examples).map(|(group, job)| asked(store, &campaign, (group, job.as_ref())));
    let asked = asked.collect::<Result<Vec<_>, _>>()?;
    let counted = if attempts { report.attempts } else { report.failed };
    let common = if report.all_groups > 1 { compared.all() } else { Vec::new() };
    Ok(Failures {
        campaign_id: id,
        attempts,
        failed_tasks: number(report.failed),
        failed_attempts: number(report.attempts),
        unexplained: number(campaign.failed - report.failed),
        other_groups: number(report.all_groups - report.groups.len() as i64),
        sample: Sampled {
            failed: sample.failed.len() as u64,
            done: sample.done.len() as u64,
            is_part: (sample.failed.len() as i64) < counted || (sample.done.len() as i64) < campaign.done,
        },
        groups: groups(id, report, examples, (&compared, &asked)),
        common,
    })
}

fn number(value: i64) -> u64 {
    value.max(0) as u64
}

/// The sample as words.
struct Compared<'a> {
    names: &'a [String],
    failed: Vec<(&'a Sameness, Vec<String>)>,
    done: Vec<Vec<String>>,
}

impl<'a> Compared<'a> {
    fn new(names: &'a [String], sample: &'a FailureSample) -> Compared<'a> {
        let failed = sample.failed.iter().map(|(same, text)| (same, explain::words(text))).collect();
        Compared { names, failed, done: sample.done.iter().map(|text| explain::words(text)).collect() }
    }

    fn of(&self, is_meant: impl Fn(&Sameness) -> bool) -> Vec<CommonTrait> {
        let meant = self.failed.iter().filter(|(same, _)| is_meant(same));
        let failed: Vec<Vec<String>> = meant.map(|(_, words)| words.clone()).collect();
        explain::explain(self.names, &failed, &self.done).iter().map(|found| common(found, self.names)).collect()
    }

    fn all(&self) -> Vec<CommonTrait> {
        self.of(|_| true)
    }
}

fn common(found: &Trait, names: &[String]) -> CommonTrait {
    // Not every name of a parameter is one in a condition.
    let is_read = |text: &String| Condition::parse(text, names).is_ok();
    CommonTrait {
        parameter: found.parameter.clone(),
        condition: found.condition().filter(is_read),
        of_failed: found.of_failed,
        of_done: found.of_others,
        sentence: found.to_string(),
    }
}

/// The resources that tasks of a group asked for, where that is what helps, and where all clusters were asked for the same.
fn asked(
    store: &Store,
    campaign: &CampaignRow,
    (group, example): (&cigri_store::FailureGroup, Option<&JobRow>),
) -> Result<Option<String>, StoreError> {
    let is_meant = group.same.class == Class::Memory.as_str();
    let Some(submission) = example.filter(|_| is_meant).map(|job| job.submission_id) else { return Ok(None) };
    let ask = store.asked_of(submission)?;
    let clusters = || campaign.spec.clusters.values();
    if clusters().any(|spec| spec.escalate.as_ref().is_some_and(|escalate| !escalate.resources.is_empty())) {
        return Ok(None);
    }
    let all: BTreeSet<String> = clusters().map(|spec| ask.apply(spec, None).resources).collect();
    Ok(all.first().filter(|_| all.len() == 1).cloned())
}

fn groups(
    campaign: i64,
    report: FailureReport,
    examples: Vec<Option<JobRow>>,
    (compared, asked): (&Compared<'_>, &[Option<String>]),
) -> Vec<FailureGroup> {
    let group = |((found, example), asked): ((cigri_store::FailureGroup, Option<JobRow>), &Option<String>)| {
        let same = &found.same;
        let exit_code = i32::try_from(same.exit_code).ok().filter(|code| *code >= 0);
        let class = same.class.parse::<Class>().unwrap_or(Class::Unknown);
        let remedy = remedy(campaign, class, (exit_code, asked.as_deref()));
        FailureGroup {
            class: same.class.clone(),
            exit_code,
            signature: Some(same.signature.clone()).filter(|text| !text.is_empty()),
            failed: number(found.failed),
            attempts: number(found.attempts),
            retried: number(found.attempts - found.failed),
            all_hosts: found.hosts.len() as u64,
            common: compared.of(|other| other == same),
            example: example.map(shown),
            advice: remedy.advice.to_owned(),
            command: remedy.command,
            clusters: shares(&found.clusters),
            hosts: shares(&found.hosts),
        }
    };
    report.groups.into_iter().zip(examples).zip(asked).map(group).collect()
}

fn shares(all: &[(String, i64)]) -> Vec<Share> {
    all.iter().take(NAMED).map(|(name, count)| Share { name: name.clone(), count: number(*count) }).collect()
}

fn shown(job: JobRow) -> FailureExample {
    let JobRow { id, task_index, cluster, parameters, detail, .. } = job;
    FailureExample { job_id: id, task_index, cluster, parameters, detail }
}
