//! `cigri retry`: tasks that are tried again, all that failed or those that are meant.

use std::io::IsTerminal;

use cigri_api::{Retried, RetryRequest};

use super::campaign_id;
use crate::api::{Api, Once};
use crate::cli::RetryOptions;
use crate::exit::Failure;
use crate::screen::{Screen, plain, say};

/// Tries tasks of a campaign again.
pub(super) async fn retry(api: &Api, options: &RetryOptions, screen: &Screen) -> Result<(), Failure> {
    let id = campaign_id(api, options.campaign).await?;
    let request = request(options);
    if options.dry_run {
        let told: Retried = dry_run(api, id, &request).await?;
        return tell(id, &told, (dry_words(&told), screen));
    }
    let asks = (options.all || options.tasks.is_some()) && !options.yes && std::io::stdin().is_terminal();
    if asks && !confirmed(&dry_run(api, id, &request).await?)? {
        screen.note("nothing was changed");
        return Ok(());
    }
    let once = Once::new(options.idempotency_key.as_deref(), true)?;
    let path = format!("/campaigns/{id}/retry");
    let done: Retried = api.post_once(&path, &once, async |sent| Ok(sent.json(&request))).await?;
    tell(id, &done, (retried_words(&done), screen))
}

async fn dry_run(api: &Api, id: i64, request: &RetryRequest) -> Result<Retried, Failure> {
    Ok(api.post_json(&format!("/campaigns/{id}/retry?dry_run=1"), request).await?)
}

fn request(options: &RetryOptions) -> RetryRequest {
    RetryRequest {
        all: options.all,
        tasks: options.tasks.clone(),
        classes: options.classes.clone(),
        clusters: options.clusters.clone(),
        exits: options.exits.clone(),
        condition: options.condition.clone(),
        walltime: options.walltime.clone(),
        resources: options.resources.clone(),
    }
}

fn tell(id: i64, retried: &Retried, (words, screen): (String, &Screen)) -> Result<(), Failure> {
    for notice in &retried.notices {
        screen.warn(&plain(notice));
    }
    if screen.json {
        return screen.value(retried);
    }
    screen.note(&format!("campaign {id}: {words}"));
    Ok(())
}

/// Whether the user wants done tasks to be run once more; without any, there is nothing to ask.
fn confirmed(told: &Retried) -> Result<bool, Failure> {
    if told.done == 0 {
        return Ok(true);
    }
    say(&format!("{}\n{} of them are done already: type `yes` to run these once more", dry_words(told), told.done));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.map_err(|error| Failure::Environment(format!("cannot read the answer: {error}")))?;
    Ok(answer.trim() == "yes")
}

fn dry_words(told: &Retried) -> String {
    let more = if told.and_more > 0 { format!(" and {} more", told.and_more) } else { String::new() };
    match told.tasks {
        0 => "no task would be tried again".to_owned(),
        1 => format!("1 task would be tried again: {}", plain(&told.which)),
        tasks => format!("{tasks} tasks would be tried again: {}{more}", plain(&told.which)),
    }
}

/// What a retry did.
pub(crate) fn retried_words(retried: &Retried) -> String {
    let holds = match retried.holds_lifted {
        0 => String::new(),
        1 => ", 1 hold lifted".to_owned(),
        more => format!(", {more} holds lifted"),
    };
    let which = if retried.done > 0 { "" } else { "failed " };
    let done = if retried.done > 0 { format!(", {} of them were done", retried.done) } else { String::new() };
    match retried.tasks {
        0 => format!("no failed task to try again{holds}"),
        1 => format!("1 {which}task is tried again{done}{holds}"),
        more => format!("{more} {which}tasks are tried again{done}{holds}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_told_with_its_numbers() {
        let done = Retried { tasks: 3, holds_lifted: 1, which: "3, 7-8".into(), ..Retried::default() };
        assert_eq!(retried_words(&done), "3 failed tasks are tried again, 1 hold lifted");
        assert_eq!(dry_words(&done), "3 tasks would be tried again: 3, 7-8");
        let all = Retried { tasks: 300, done: 200, which: "0-9".into(), and_more: 290, ..Retried::default() };
        assert_eq!(retried_words(&all), "300 tasks are tried again, 200 of them were done");
        assert_eq!(dry_words(&all), "300 tasks would be tried again: 0-9 and 290 more");
        assert_eq!(retried_words(&Retried::default()), "no failed task to try again");
    }
}
