//! Figures for monitoring: what bound the meters, what waits and lives on each cluster. Labels are clusters and terms
//! only: never campaigns, jobs or users, so that the number of series stays small.

use cigri_core::meter::Term;
use oar_client::{Counters, Urgency};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Names and values of a series' labels.
type Labels = Vec<(&'static str, String)>;

/// Content type of what [`Metrics::text`] gives.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Our jobs on a cluster after a look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Launching, in doubt, held or waiting.
    pub(crate) waiting: u64,
    /// All live ones.
    pub(crate) live: u64,
    /// How many the laws want to wait, all shapes together.
    pub(crate) target: u64,
}

/// All figures.
pub(crate) struct Metrics {
    registry: Registry,
    binding: Family<Labels, Counter>,
    waiting: Family<Labels, Gauge>,
    live: Family<Labels, Gauge>,
    target: Family<Labels, Gauge>,
    requests: Family<Labels, Counter>,
    bytes: Family<Labels, Counter>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::with_prefix("cigri");
        let [binding, requests, bytes] = [(); 3].map(|()| Family::<Labels, Counter>::default());
        let [waiting, live, target] = [(); 3].map(|()| Family::<Labels, Gauge>::default());
        let help = "Decisions about campaigns in rounds, by the term of the meter that bound";
        registry.register("meter_binding", help, binding.clone());
        registry.register("jobs_waiting", "Our jobs that wait on the cluster", waiting.clone());
        registry.register("jobs_live", "Our jobs on the cluster, waiting ones included", live.clone());
        registry.register("meter_target", "Jobs that the meter wants to wait on the cluster", target.clone());
        registry.register("requests", "Requests to the cluster, by what they were for", requests.clone());
        registry.register("request_bytes", "Bytes of these, sent and received", bytes.clone());
        Metrics { registry, binding, waiting, live, target, requests, bytes }
    }
}

impl Metrics {
    /// A round on a cluster was decided: the terms that bound, one for each campaign.
    pub(crate) fn decided(&self, cluster: &str, terms: impl Iterator<Item = Term>) {
        for term in terms {
            let labels = vec![("cluster", cluster.to_owned()), ("term", term.as_str().to_owned())];
            self.binding.get_or_create(&labels).inc();
        }
    }

    /// Requests that reached a cluster since this server started.
    pub(crate) fn asked(&self, cluster: &str, counters: &Counters) {
        for urgency in Urgency::ALL {
            let labels = vec![("cluster", cluster.to_owned()), ("for", urgency.as_str().to_owned())];
            let counted = counters.of(urgency);
            for (family, total) in [(&self.requests, counted.requests), (&self.bytes, counted.bytes)] {
                let counter = family.get_or_create(&labels);
                counter.inc_by(total.saturating_sub(counter.get()));
            }
        }
    }

    /// What is on a cluster.
    pub(crate) fn seen(&self, cluster: &str, queue: Queue) {
        let labels = vec![("cluster", cluster.to_owned())];
        let values = [(&self.waiting, queue.waiting), (&self.live, queue.live), (&self.target, queue.target)];
        for (family, value) in values {
            family.get_or_create(&labels).set(i64::try_from(value).unwrap_or(i64::MAX));
        }
    }

    /// All of it in OpenMetrics' text form.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail.
        text::encode(&mut text, &self.registry).ok();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binding_terms_are_counted_by_cluster_and_what_is_there_is_shown() {
        let metrics = Metrics::default();
        metrics.decided("dahu", [Term::Backlog, Term::Share, Term::Backlog].into_iter());
        metrics.seen("dahu", Queue { waiting: 7, live: 9, target: 20 });
        metrics.seen("dahu", Queue { waiting: 5, live: 9, target: 20 });
        let text = metrics.text();
        for line in [
            "cigri_meter_binding_total{cluster=\"dahu\",term=\"backlog\"} 2",
            "cigri_meter_binding_total{cluster=\"dahu\",term=\"share\"} 1",
            "cigri_jobs_waiting{cluster=\"dahu\"} 5",
            "cigri_jobs_live{cluster=\"dahu\"} 9",
            "cigri_meter_target{cluster=\"dahu\"} 20",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
