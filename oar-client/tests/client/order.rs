//! In whatever order requests come, and however little the budget allows: nobody is overtaken for ever.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use http::Request;
use oar_client::{Budget, Client, JobQuery, Settings, Transport, Urgency};
use proptest::prelude::*;
use tokio::time::Instant;

use crate::scripted::{Answer, answer};

/// Takes its time, and remembers which request began when.
struct Recording {
    takes: Duration,
    begun: Instant,
    started: Mutex<Vec<(usize, Duration)>>,
    under_way: Mutex<u32>,
}

impl Transport for Recording {
    fn send(&self, request: Request<Bytes>, _: Duration) -> BoxFuture<'_, Answer> {
        let query = request.uri().query().unwrap();
        let offset = query.split('&').find_map(|part| part.strip_prefix("offset="));
        let which = offset.map_or(0, |offset| offset.parse().unwrap());
        self.started.lock().unwrap().push((which, self.begun.elapsed()));
        Box::pin(async move {
            *self.under_way.lock().unwrap() += 1;
            assert_eq!(*self.under_way.lock().unwrap(), 1, "one at a time");
            tokio::time::sleep(self.takes).await;
            *self.under_way.lock().unwrap() -= 1;
            answer(200, r#"{"total":0,"items":[]}"#)
        })
    }
}

#[derive(Debug, Clone, Copy)]
struct Arrival {
    at: Duration,
    urgency: Urgency,
}

fn arrivals() -> impl Strategy<Value = Vec<Arrival>> {
    let arrival = (0u64..20_000, prop::sample::select(Urgency::ALL.to_vec()));
    let arrival = arrival.prop_map(|(ms, urgency)| Arrival { at: Duration::from_millis(ms), urgency });
    prop::collection::vec(arrival, 1..60)
}

/// When each request began, if it did: who reads logs gives up after a while.
async fn run(arrivals: &[Arrival], takes: Duration, budget: Budget) -> Vec<Option<Duration>> {
    let (started, under_way) = (Mutex::default(), Mutex::default());
    let server = Arc::new(Recording { takes, begun: Instant::now(), started, under_way });
    let hour = Duration::from_secs(3600);
    let settings = Settings { timeout_read: hour, budget: Some(budget), ..Settings::default() };
    let client = Client::new("http://127.0.0.1:1".parse().unwrap(), server.clone(), settings);
    let requests = arrivals.iter().enumerate().map(|(which, arrival)| {
        let client = client.at(arrival.urgency);
        async move {
            tokio::time::sleep(arrival.at).await;
            let query = JobQuery { offset: which as u64, ..JobQuery::default() };
            let answer = client.list(&query).await;
            assert!(answer.is_ok() || arrival.urgency == Urgency::Logs, "{answer:?}");
        }
    });
    join_all(requests).await;
    let mut when = vec![None; arrivals.len()];
    for (which, at) in server.started.lock().unwrap().iter() {
        when[*which] = Some(*at);
    }
    when
}

fn timed(arrivals: &[Arrival], takes_ms: u64, budget: Budget) -> Vec<Option<Duration>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(run(arrivals, Duration::from_millis(takes_ms), budget))
}

const TICK: Duration = Duration::from_millis(5);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_lane_goes_to_the_one_whose_moment_comes_first(arrivals in arrivals(), takes_ms in 10u64..1500) {
        let free = Budget { requests_per_s: f64::INFINITY, bytes_per_s: f64::INFINITY, busy: f64::INFINITY };
        let when = timed(&arrivals, takes_ms, free);
        for (one, began) in arrivals.iter().zip(&when) {
            for (other, later) in arrivals.iter().zip(&when) {
                let (Some(began), Some(later)) = (began, later) else { continue };
                // The other was there when this one began, and its moment came first: then it did not begin later.
                let waited = other.at + TICK < *began;
                let first = other.at + other.urgency.deference() + TICK < one.at + one.urgency.deference();
                prop_assert!(!(waited && first && later > began), "{one:?} began at {began:?} before {other:?}");
            }
        }
    }

    #[test]
    fn what_comes_later_than_its_moment_overtakes_nobody_whatever_the_budget(
        arrivals in arrivals(), takes_ms in 0u64..1500, requests_per_s in 0.1f64..5.0, busy in 0.01f64..1.0,
    ) {
        let budget = Budget { requests_per_s, bytes_per_s: 5e6, busy };
        let when = timed(&arrivals, takes_ms, budget);
        for (one, began) in arrivals.iter().zip(&when) {
            for (other, later) in arrivals.iter().zip(&when) {
                let (Some(began), Some(later)) = (began, later) else { continue };
                // Look-ups and releases owe to the budget: they are few.
                let late = !one.urgency.may_owe() && one.at > other.at + other.urgency.deference() + TICK;
                prop_assert!(!(late && began < later), "{one:?} at {began:?} overtook {other:?} at {later:?}");
            }
        }
    }
}
