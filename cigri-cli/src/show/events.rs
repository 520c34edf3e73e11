//! `cigri events`: what happened, in a table or in full, closed by hand; and what holds a campaign, in lines.

use cigri_api::{Accepted, Event, List, Refusal};

use super::campaign_id;
use super::table::{Table, age, moment, now};
use crate::api::Api;
use crate::cli::{EventsCommand, EventsOptions};
use crate::exit::Failure;
use crate::place::Selector;
use crate::screen::{Screen, plain};

/// Columns of the table.
const COLUMNS: [&str; 8] = ["id", "age", "severity", "code", "state", "where", "times", "message"];
/// Events asked for at once.
const PAGE: u64 = 1000;

/// Lists events, shows one, or closes some.
pub(super) async fn events(api: &Api, options: &EventsOptions, screen: &Screen) -> Result<(), Failure> {
    match &options.act {
        Some(EventsCommand::Show { event }) => show(api, *event, screen).await,
        Some(EventsCommand::Close { events, retry }) => close(api, events, *retry, screen).await,
        None if options.close => close_all(api, options, screen).await,
        None => list(api, options, screen).await,
    }
}

async fn list(api: &Api, options: &EventsOptions, screen: &Screen) -> Result<(), Failure> {
    let path = match options.campaign {
        Some(selector) => format!("/campaigns/{}/events", campaign_id(api, selector).await?),
        None => "/events".to_owned(),
    };
    let most = if options.limit == 0 { u64::MAX } else { options.limit };
    let mut found = List::<Event> { items: Vec::new(), total: 0, next: None };
    loop {
        let left = most.saturating_sub(found.items.len() as u64);
        let page: List<Event> = api.get_with(&path, &query(options, found.items.len(), left.min(PAGE))).await?;
        found = List { items: [found.items, page.items].concat(), total: page.total, next: page.next };
        if found.next.is_none() || found.items.len() as u64 >= most {
            break;
        }
    }
    if screen.json {
        return screen.value(&found);
    }
    let mut table = Table::new(&COLUMNS, screen).low_rows();
    for event in &found.items {
        table.row(row(event));
    }
    table.print(if options.all { "no events" } else { "no open events; --all shows the closed ones" })?;
    let more = found.total.saturating_sub(found.items.len() as u64);
    if more > 0 {
        screen.note(&format!("{more} more: --limit 0 shows all"));
    }
    Ok(())
}

fn query(options: &EventsOptions, offset: usize, limit: u64) -> Vec<(&'static str, String)> {
    let mut query = vec![("all", u8::from(options.all).to_string()), ("offset", offset.to_string())];
    query.push(("limit", limit.to_string()));
    if options.everybody {
        query.push(("everybody", "1".to_owned()));
    }
    let words = [("cluster", options.cluster.clone()), ("code", options.code.clone())];
    query.extend(words.into_iter().filter_map(|(key, value)| Some((key, value?))));
    query.extend(options.severity.map(|urgency| ("severity", urgency.as_str().to_owned())));
    query.extend(options.since.map(|seconds| ("since", (now() - seconds).to_string())));
    query
}

fn row(event: &Event) -> [String; 8] {
    [
        event.id.to_string(),
        age(event.date_last),
        event.severity.clone(),
        event.code.clone(),
        event.state.clone(),
        place(event),
        event.count.to_string(),
        event.message.lines().next().unwrap_or_default().to_owned(),
    ]
}

/// What it is about, in a word or two: `7@dahu`, `campaign 7`, `alice@dahu`, `dahu`.
fn place(event: &Event) -> String {
    let who = event.campaign_id.map(|id| id.to_string()).or_else(|| event.user.clone());
    match (who, &event.cluster_name) {
        (Some(who), Some(cluster)) => format!("{who}@{cluster}"),
        (Some(who), None) if event.campaign_id.is_some() => format!("campaign {who}"),
        (Some(who), None) => who,
        (None, cluster) => cluster.clone().unwrap_or_else(|| "-".to_owned()),
    }
}

async fn show(api: &Api, id: i64, screen: &Screen) -> Result<(), Failure> {
    let event: Event = api.get(&format!("/events/{id}")).await?;
    if screen.json { screen.value(&event) } else { screen.line(&whole(&event).join("\n")) }
}

/// An event in full, as lines.
fn whole(event: &Event) -> Vec<String> {
    let holds = if event.holds && event.state == "open" { ", holds submissions" } else { "" };
    let times = if event.count == 1 { "once".to_owned() } else { format!("{} times", event.count) };
    let mut lines = vec![
        format!(
            "event {}: {} ({}, {}, {}{holds})",
            event.id,
            plain(&event.code),
            event.class,
            event.severity,
            event.state
        ),
        format!("  where     {}", plain(&place(event))),
        format!("  happened  {times}, first {}, last {}", moment(event.date_open), moment(event.date_last)),
    ];
    if let Some(first) = &event.first_message {
        lines.push(format!("  first     {}", indented(first)));
    }
    lines.push(format!("  message   {}", indented(&event.message)));
    lines.extend((!event.advice.is_empty()).then(|| format!("  to do     {}", plain(&event.advice))));
    lines.extend(event.parent.map(|cause| format!("  cause     event {cause}")));
    lines
        .extend((event.reopened > 0).then(|| format!("  came back {} times soon after it was closed", event.reopened)));
    lines.push(match event.date_closed {
        None => format!("  closes    {}", plain(&event.closing)),
        Some(at) => {
            let by = plain(event.closed_by.as_deref().unwrap_or("cigri"));
            let why = event.closed_why.as_deref().map(|why| format!(": {}", plain(why))).unwrap_or_default();
            format!("  closed    {} by {by}{why}", moment(at))
        }
    });
    lines
}

/// Each is asked for, and the first refusal is told after the others were.
async fn close(api: &Api, events: &[i64], retry: bool, screen: &Screen) -> Result<(), Failure> {
    let (mut accepted, mut refused) = (Vec::new(), None);
    for event in events {
        match api.delete::<Accepted>(&format!("/events/{event}{}", resubmit(retry))).await {
            Ok(answer) => {
                if !screen.json {
                    screen.note(&answer.message);
                }
                accepted.push(answer);
            }
            Err(error) => {
                refused.get_or_insert(error);
            }
        }
    }
    if screen.json {
        screen.value(&accepted)?;
    }
    refused.map_or(Ok(()), |error| Err(error.into()))
}

async fn close_all(api: &Api, options: &EventsOptions, screen: &Screen) -> Result<(), Failure> {
    let id = campaign_id(api, options.campaign.unwrap_or(Selector::Last)).await?;
    let answer: Accepted = api.delete(&format!("/campaigns/{id}/events{}", resubmit(options.retry))).await?;
    if screen.json {
        return screen.value(&answer);
    }
    screen.note(&answer.message);
    Ok(())
}

fn resubmit(retry: bool) -> &'static str {
    if retry { "?resubmit=1" } else { "" }
}

/// What holds a campaign, as lines: its open events or, where there are none, what the last rounds said.
pub(crate) async fn obstacles(api: &Api, campaign: i64) -> Result<Vec<String>, Failure> {
    let events: List<Event> = api.get(&format!("/campaigns/{campaign}/events")).await?;
    if !events.items.is_empty() {
        return Ok(events.items.iter().map(event_line).collect());
    }
    let why: List<Refusal> = api.get(&format!("/campaigns/{campaign}/why")).await?;
    let line = |refusal: &Refusal| format!("{}: {}", plain(&refusal.cluster), indented(&refusal.reason));
    Ok(why.items.iter().map(line).collect())
}

/// An event in a line (or more, where its message has them).
pub(crate) fn event_line(event: &Event) -> String {
    let cluster = event.cluster_name.as_ref().map(|name| format!(" on {}", plain(name))).unwrap_or_default();
    let times = if event.count > 1 { format!(" ({} times)", event.count) } else { String::new() };
    format!("{}{cluster}{times}: {}", plain(&event.code), indented(&event.message))
}

/// Several lines below their first one.
pub(super) fn indented(text: &str) -> String {
    text.trim_end().lines().map(plain).collect::<Vec<_>>().join("\n      ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        let text = r#"{"id": 31, "class": "job", "code": "EXIT_ERROR", "severity": "high", "state": "open", "campaign_id": 7,
            "cluster_name": "dahu", "message": "task 9: exit 1\nline", "first_message": "task 0: exit 1", "count": 40000,
            "advice": "mend it", "parent": 3, "reopened": 2, "date_open": 0, "date_last": 60, "date_closed": null,
            "closing": "when the campaign ends"}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn an_event_in_full_says_what_happened_first_and_last_and_what_to_do() {
        let shown = whole(&event()).join("\n");
        let wanted = [
            "event 31: EXIT_ERROR (job, high, open)",
            "7@dahu",
            "40000 times, first 1970-01-01 00:00:00 UTC, last 1970-01-01 00:01:00 UTC",
            "first     task 0: exit 1",
            "message   task 9: exit 1\n      line",
            "to do     mend it",
            "cause     event 3",
            "came back 2 times",
            "closes    when the campaign ends",
        ];
        for words in wanted {
            assert!(shown.contains(words), "{words}: {shown}");
        }
        let closed_by = |by: &str| Some(by.to_owned());
        let closed = Event {
            date_closed: Some(120),
            closed_by: closed_by("alice"),
            closed_why: closed_by("by hand"),
            ..event()
        };
        assert_eq!(whole(&closed).last().unwrap(), "  closed    1970-01-01 00:02:00 UTC by alice: by hand");
    }

    #[test]
    fn where_it_happened_is_a_word_or_two() {
        let at = |campaign_id, user: Option<&str>, cluster: Option<&str>| {
            let (user, cluster_name) = (user.map(str::to_owned), cluster.map(str::to_owned));
            place(&Event { campaign_id, user, cluster_name, ..event() })
        };
        assert_eq!(at(Some(7), None, Some("dahu")), "7@dahu");
        assert_eq!(at(Some(7), None, None), "campaign 7");
        assert_eq!(at(None, Some("alice"), Some("dahu")), "alice@dahu");
        assert_eq!(at(None, None, Some("dahu")), "dahu");
    }
}
