//! `cigri why`: why no more of a campaign is sent, cluster by cluster, in words with numbers and what can be done.

use cigri_api::{PastAttempt, Refusal, TermShown, Why};
use serde_json::Value;

use super::campaign_id;
use super::events::indented;
use super::table::{Table, moment};
use crate::api::Api;
use crate::cli::WhyOptions;
use crate::command_line::other_command;
use crate::exit::Failure;
use crate::screen::{Screen, plain};

/// Says why nothing more of a campaign is sent.
pub(super) async fn why(api: &Api, options: &WhyOptions, screen: &Screen) -> Result<(), Failure> {
    let id = campaign_id(api, options.campaign).await?;
    let path = format!("/campaigns/{id}/why");
    let wanted = [("task", options.task), ("history", options.history)];
    let query: Vec<(&str, u64)> = wanted.iter().filter_map(|(key, value)| Some((*key, (*value)?))).collect();
    if screen.json {
        return screen.value(&api.get_with::<Value>(&path, &query).await?);
    }
    let why: Why = api.get_with(&path, &query).await?;
    let text = words(&why, options.all);
    if text.is_empty() {
        screen.note("nothing is held back: no round has refused anything");
    }
    // What is to be typed can be copied to a shell.
    let command = format!("`{} ", other_command("").trim_end());
    screen.write(&text.replace("`cigri ", &command))?;
    if options.history.is_some() { history(&why.history, screen) } else { Ok(()) }
}

/// What is asked first comes first: the task, then the campaign, then its clusters.
fn words(why: &Why, all: bool) -> String {
    let mut lines = Vec::new();
    if let Some(task) = &why.task {
        lines.push(indented(&task.sentence));
        lines.extend(task.history.iter().map(attempt_line));
    }
    lines.extend(why.summary.as_deref().map(indented));
    for refusal in &why.items {
        lines.push(line(refusal));
        if all {
            lines.extend(refusal.terms.iter().map(|term| term_line(term, &refusal.bound_by)));
        }
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

/// `dahu: 0 of 4200 [waiting_cap]: waiting jobs 60/60 (admin's cap); an admin allows more than 60: ...`
fn line(refusal: &Refusal) -> String {
    let reason = indented(&refusal.reason);
    let (cluster, term) = (plain(&refusal.cluster), plain(&refusal.bound_by));
    let told = [&refusal.outdated, &refusal.remedy].into_iter().flatten();
    let more: String = told.map(|more| format!("; {}", plain(more.trim_end_matches('.')))).collect();
    format!("{cluster}: {} of {} [{term}]: {}{more}", refusal.allowed, refusal.of, reason.trim_end_matches('.'))
}

/// `  attempt 1 (job 77) on dahu, n12: killed (walltime), asked /core=1,walltime=02:00:00; tried again: too long`.
fn attempt_line(past: &PastAttempt) -> String {
    let retry = if past.generation > 1 { format!(" of retry {}", past.generation - 1) } else { String::new() };
    let node = past.node.as_deref().map(|node| format!(", {}", plain(node))).unwrap_or_default();
    let why = past.why.as_deref().map(|why| format!(" ({})", plain(why))).unwrap_or_default();
    let asked = past.asked.as_deref().map(|asked| format!(", asked {}", plain(asked))).unwrap_or_default();
    let next = past.next.as_deref().map(|next| format!("; {}", plain(next))).unwrap_or_default();
    let detail = past.detail.as_deref().map(|detail| format!(": {}", plain(detail))).unwrap_or_default();
    let (number, job, cluster, state) = (past.attempt, past.job_id, plain(&past.cluster), plain(&past.state));
    format!("  attempt {number}{retry} (job {job}) on {cluster}{node}: {state}{why}{asked}{next}{detail}")
}

fn term_line(term: &TermShown, bound_by: &str) -> String {
    let mark = if term.term == bound_by { '*' } else { ' ' };
    format!("  {mark} {:<14} {:>6}  {}", plain(&term.term), term.allowed, indented(&term.reason))
}

fn history(decisions: &[Refusal], screen: &Screen) -> Result<(), Failure> {
    let mut table = Table::new(&["when", "cluster", "allowed", "bound by", "reason"], screen);
    for decision in decisions {
        table.row([
            moment(decision.at),
            decision.cluster.clone(),
            decision.allowed.to_string(),
            decision.bound_by.clone(),
            decision.reason.clone(),
        ]);
    }
    table.print("no earlier decision is kept")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cigri_api::TaskPlace;

    fn refusal(cluster: &str, bound_by: &str, reason: &str) -> Refusal {
        Refusal {
            cluster: cluster.into(),
            at: 0,
            allowed: 0,
            of: 4200,
            bound_by: bound_by.into(),
            reason: reason.into(),
            remedy: None,
            outdated: None,
            inputs: serde_json::Value::Null,
            terms: Vec::new(),
        }
    }

    fn why(items: Vec<Refusal>) -> Why {
        Why { total: items.len() as u64, items, summary: None, task: None, history: Vec::new() }
    }

    #[test]
    fn each_cluster_is_a_line_with_its_numbers_and_the_remedy() {
        let dahu = Refusal {
            remedy: Some("an admin allows more than 60: `cigri admin cluster set dahu --max-waiting N`".into()),
            ..refusal("dahu", "waiting_cap", "waiting jobs 60/60 (admin's cap)")
        };
        let outdated = Some("this was decided 2 h ago, no round has ended well there since".into());
        let luke = Refusal { outdated, ..refusal("luke", "cluster_hold", "event 31: its database was reset.") };
        assert_eq!(
            words(&why(vec![dahu, luke]), false),
            "dahu: 0 of 4200 [waiting_cap]: waiting jobs 60/60 (admin's cap); an admin allows more than 60: `cigri \
             admin cluster set dahu --max-waiting N`\n\
             luke: 0 of 4200 [cluster_hold]: event 31: its database was reset; this was decided 2 h ago, no round has \
             ended well there since\n"
        );
    }

    #[test]
    fn all_shows_every_term_and_marks_the_one_that_bound() {
        let term = |term: &str, allowed, reason: &str| TermShown { term: term.into(), allowed, reason: reason.into() };
        let terms = vec![term("pending", 4200, "4200 tasks wait"), term("waiting_cap", 0, "waiting jobs 60/60")];
        let dahu = Refusal { terms, ..refusal("dahu", "waiting_cap", "waiting jobs 60/60") };
        assert_eq!(
            words(&why(vec![dahu]), true),
            "dahu: 0 of 4200 [waiting_cap]: waiting jobs 60/60\n    pending          4200  4200 tasks wait\n  \
             * waiting_cap         0  waiting jobs 60/60\n"
        );
    }

    #[test]
    fn an_attempt_is_a_line_with_what_it_asked_and_what_came_next() {
        let past = PastAttempt {
            job_id: 77,
            generation: 2,
            attempt: 3,
            state: "killed".into(),
            cluster: "dahu".into(),
            node: Some("n12".into()),
            asked: Some("/core=1,walltime=02:00:00".into()),
            why: Some("walltime".into()),
            detail: Some("too\u{1b} long".into()),
            next: Some("tried again".into()),
        };
        let line = attempt_line(&past);
        let told = "  attempt 3 of retry 1 (job 77) on dahu, n12: killed (walltime), asked /core=1,walltime=02:00:00; \
                    tried again: too";
        assert!(line.starts_with(told) && !line.contains('\u{1b}'), "{line}");
    }

    #[test]
    fn a_task_comes_first_and_no_text_commands_the_terminal() {
        let task = TaskPlace {
            index: 41,
            state: "pending".into(),
            sentence: "task 41 waits in the bag behind 12 tasks".into(),
            before: Some(12),
            job_id: None,
            cluster: None,
            since: None,
            attempts: 0,
            avoids: Vec::new(),
            history: Vec::new(),
        };
        let told = Why {
            task: Some(task),
            summary: Some("campaign 7 is paused".into()),
            ..why(vec![refusal("a\u{1b}", "hold", "x")])
        };
        assert_eq!(
            words(&told, false),
            "task 41 waits in the bag behind 12 tasks\ncampaign 7 is paused\na\\u{1b}: 0 of 4200 [hold]: x\n"
        );
    }
}
