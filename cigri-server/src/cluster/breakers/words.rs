//! What is told of a breaker that opens.

use cigri_core::breaker::{Breaker, Subject, Trip};
use cigri_core::event::{Code, NewEvent, Scope};

use crate::cluster::Round;

pub(super) fn opened(round: &Round<'_>, scope: Scope, subject: &Subject, new: &Breaker) -> NewEvent {
    let Trip { failures, ends, mostly } = &new.trip;
    let (whose, advice) = match subject {
        Subject::Campaign(id) => (format!("the last {ends} jobs of campaign {id}"), advice(*id, &new.trip)),
        _ => (format!("everybody's last {ends} jobs"), "the cluster's administrators know more".to_owned()),
    };
    let pause = minutes(super::pauses(round, subject).after(new.streak));
    let again = if new.streak > 1 { ", and what tried since then" } else { "" };
    let message = format!(
        "{failures} of {whose} on {} failed ({mostly}){again}. Nothing more of them is sent there for {pause}; then one \
         job tries, and the others follow the first that ends well, without anybody's help: {advice}",
        round.name()
    );
    NewEvent::note(scope, Code::BreakerOpen, message)
}

fn advice(id: i64, trip: &Trip) -> String {
    let look = format!("`cigri failures {id}` shows what they have in common");
    match trip.is_by_cluster() {
        true => look,
        false => format!(
            "{look}. If failures are part of it, close this event, and it goes on there without pauses; `max_failures` in \
             a campaign's description sets how many are too many"
        ),
    }
}

fn minutes(ms: i64) -> String {
    match ms / 60_000 {
        0 => format!("{} s", ms / 1000),
        1 => "a minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}
