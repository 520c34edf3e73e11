//! `cigri failures`: what failed, in groups, with what these have in common, an example and what helps.

use cigri_api::{FailureGroup, Failures, Share};
use serde_json::Value;

use super::campaign_id;
use super::table::Table;
use crate::api::Api;
use crate::cli::FailuresOptions;
use crate::command_line::other_command;
use crate::exit::Failure;
use crate::screen::{Screen, excerpt, plain};

/// Lines of an example that are shown: the last ones.
const LINES: usize = 4;
/// Characters of each, and of parameters.
const WIDTH: usize = 160;

/// Tells the failures of a campaign.
pub(super) async fn failures(api: &Api, options: &FailuresOptions, screen: &Screen) -> Result<(), Failure> {
    let id = campaign_id(api, options.campaign).await?;
    let path = format!("/campaigns/{id}/failures");
    let query = [("attempts", u8::from(options.attempts))];
    if screen.json {
        return screen.value(&api.get_with::<Value>(&path, &query).await?);
    }
    let found: Failures = api.get_with(&path, &query).await?;
    if found.groups.is_empty() {
        screen.note(&nothing(&found));
        return Ok(());
    }
    screen.line(&headline(&found))?;
    table(&found, screen)?;
    // What is to be typed can be copied to a shell.
    let command = other_command("").trim_end().to_owned();
    screen.write(&details(&found).replace("  type     cigri ", &format!("  type     {command} ")))
}

fn nothing(found: &Failures) -> String {
    match (found.unexplained, found.attempts) {
        (0, true) => "no attempt has failed".to_owned(),
        (0, false) => "no task has failed for good; --attempts shows what failed and was tried again".to_owned(),
        (old, _) => format!("{}: {old} tasks failed, and nothing is kept of why", campaign(found)),
    }
}

fn campaign(found: &Failures) -> String {
    format!("campaign {}", found.campaign_id)
}

fn headline(found: &Failures) -> String {
    let (tasks, attempts) = (found.failed_tasks, found.failed_attempts);
    let groups = found.groups.len() as u64 + found.other_groups;
    let ways = if groups == 1 { "in one way".to_owned() } else { format!("in {groups} ways") };
    let others = match found.other_groups {
        0 => String::new(),
        more => format!("; these are the largest, and {more} others"),
    };
    format!("{}: {tasks} tasks are failed, {attempts} attempts failed {ways}{others}", campaign(found))
}

fn table(found: &Failures, screen: &Screen) -> Result<(), Failure> {
    let columns = ["", "tasks", "share", "attempts", "class", "exit", "clusters", "hosts", "message"];
    let mut table = Table::new(&columns, screen).low_rows();
    let all = if found.attempts { found.failed_attempts } else { found.failed_tasks };
    for (at, group) in (1..).zip(&found.groups) {
        let count = if found.attempts { group.attempts } else { group.failed };
        table.row([
            format!("{at}."),
            group.failed.to_string(),
            percent(count, all),
            group.attempts.to_string(),
            group.class.clone(),
            group.exit_code.map_or_else(|| "-".to_owned(), |code| code.to_string()),
            shares(&group.clusters, count, group.clusters.len() as u64),
            shares(&group.hosts, count, group.all_hosts),
            group.signature.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table.print("")
}

/// `dahu 97 %, luke 3 %`; the first three.
fn shares(all: &[Share], of: u64, number: u64) -> String {
    let mut told: Vec<String> =
        all.iter().take(3).map(|share| format!("{} {}", share.name, percent(share.count, of))).collect();
    if number > 3 {
        told.push(format!("{} more", number - 3));
    }
    if told.is_empty() { "-".to_owned() } else { told.join(", ") }
}

/// Whole percent.
fn percent(part: u64, whole: u64) -> String {
    match part * 100 / whole.max(1) {
        0 if part > 0 => "<1 %".to_owned(),
        share => format!("{share} %"),
    }
}

/// Group by group what does not fit into a table.
fn details(found: &Failures) -> String {
    let mut text = String::new();
    for (at, group) in (1..).zip(&found.groups) {
        text.push_str(&format!("\n{at}. {}\n", title(group)));
        for line in lines(group) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    for one in &found.common {
        text.push_str(&format!("\nof all groups: {}\n", plain(&one.sentence)));
    }
    text.push_str(&remarks(found));
    text
}

fn title(group: &FailureGroup) -> String {
    let exit = group.exit_code.map(|code| format!(" {code}")).unwrap_or_default();
    let tasks =
        if group.failed == 1 { "1 task is failed".to_owned() } else { format!("{} tasks are failed", group.failed) };
    let retried = match group.retried {
        0 => String::new(),
        1 => ", 1 attempt was followed by another".to_owned(),
        more => format!(", {more} attempts were followed by others"),
    };
    format!("{}{exit}: {tasks}{retried}", plain(&group.class))
}

fn lines(group: &FailureGroup) -> Vec<String> {
    let mut lines: Vec<String> = group.common.iter().map(|one| format!("common   {}", plain(&one.sentence))).collect();
    if let Some(example) = &group.example {
        let parameters = excerpt(&example.parameters, WIDTH);
        let (job, task, cluster) = (example.job_id, example.task_index, plain(&example.cluster));
        lines.push(format!("example  job {job}: task {task} on {cluster} ({parameters})"));
        let words: Vec<&str> = example.detail.as_deref().unwrap_or_default().trim_end().lines().collect();
        let last = words.iter().skip(words.len().saturating_sub(LINES));
        lines.extend(last.map(|line| format!("         | {}", excerpt(line, WIDTH))));
    }
    lines.push(format!("advice   {}", plain(&group.advice)));
    lines.push(format!("type     {}", plain(&group.command)));
    lines
}

/// What the figures do not show.
fn remarks(found: &Failures) -> String {
    let mut text = String::new();
    let told = !found.common.is_empty() || found.groups.iter().any(|group| !group.common.is_empty());
    let (failed, done) = (found.sample.failed, found.sample.done);
    text.push_str(&match (told, done) {
        (true, _) if found.sample.is_part => {
            format!("\nparameters were compared in samples: {failed} failures, {done} tasks that are done\n")
        }
        (true, _) => {
            format!("\nparameters of {failed} failures were compared with those of {done} tasks that are done\n")
        }
        (false, 0) => {
            "\nno task is done yet: there is nothing to compare the parameters of failed ones with\n".to_owned()
        }
        (false, _) => {
            format!("\nno parameter sets them apart ({failed} failures compared with {done} tasks that are done)\n")
        }
    });
    if found.unexplained > 0 {
        text.push_str(&format!("{} more tasks are failed, of which nothing is kept\n", found.unexplained));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use cigri_api::{CommonTrait, FailureExample, Sampled};

    fn share(name: &str, count: u64) -> Share {
        Share { name: name.into(), count }
    }

    fn found() -> Failures {
        let common = CommonTrait {
            parameter: "alpha".into(),
            condition: Some("alpha > 0.9".into()),
            of_failed: 0.98,
            of_done: 0.03,
            sentence: "98 % of the failures have alpha > 0.9, of the others 3 %".into(),
        };
        let group = FailureGroup {
            class: "exit".into(),
            exit_code: Some(3),
            signature: Some("no such star: #".into()),
            failed: 400,
            attempts: 402,
            retried: 2,
            clusters: vec![share("dahu", 390), share("luke", 10)],
            hosts: (1..=5).map(|at| share(&format!("n{at}"), 40)).collect(),
            all_hosts: 12,
            common: vec![common],
            example: Some(FailureExample {
                job_id: 41,
                task_index: 7,
                cluster: "dahu".into(),
                parameters: "alpha=0.95".into(),
                detail: Some("read it\na\nb\nc\nno such star: 17\u{1b}[2J\n".into()),
            }),
            advice: "correct it".into(),
            command: "cigri retry 12 --exit 3".into(),
        };
        Failures {
            campaign_id: 12,
            attempts: false,
            failed_tasks: 500,
            failed_attempts: 502,
            unexplained: 3,
            groups: vec![group],
            other_groups: 9,
            common: Vec::new(),
            sample: Sampled { failed: 400, done: 5000, is_part: true },
        }
    }

    #[test]
    fn a_group_is_told_with_what_it_has_in_common_an_example_and_a_command() {
        assert_eq!(
            headline(&found()),
            "campaign 12: 500 tasks are failed, 502 attempts failed in 10 ways; these are the largest, and 9 others"
        );
        assert_eq!(
            details(&found()),
            "\n1. exit 3: 400 tasks are failed, 2 attempts were followed by others\n  \
             common   98 % of the failures have alpha > 0.9, of the others 3 %\n  \
             example  job 41: task 7 on dahu (alpha=0.95)\n           \
             | a\n           | b\n           | c\n           | no such star: 17\\u{1b}[2J\n  \
             advice   correct it\n  type     cigri retry 12 --exit 3\n\n\
             parameters were compared in samples: 400 failures, 5000 tasks that are done\n\
             3 more tasks are failed, of which nothing is kept\n"
        );
    }

    #[test]
    fn shares_are_told_of_the_first_few() {
        let group = &found().groups[0];
        assert_eq!(shares(&group.clusters, group.failed, 2), "dahu 97 %, luke 2 %");
        assert_eq!(shares(&group.hosts, group.failed, group.all_hosts), "n1 10 %, n2 10 %, n3 10 %, 9 more");
        assert_eq!((shares(&[], 1, 0), percent(1, 1000)), ("-".to_owned(), "<1 %".to_owned()));
    }

    #[test]
    fn it_is_said_when_parameters_tell_nothing() {
        let mut plain = found();
        plain.groups[0].common.clear();
        assert!(details(&plain).contains("no parameter sets them apart (400 failures compared with 5000 tasks"));
        plain.sample.done = 0;
        assert!(details(&plain).contains("no task is done yet"));
        let none = Failures { groups: Vec::new(), unexplained: 4, ..found() };
        assert_eq!(nothing(&none), "campaign 12: 4 tasks failed, and nothing is kept of why");
    }
}
