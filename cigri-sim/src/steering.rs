//! A modelled file server, its sensor, and the core's controller that goes by it.

use cigri_core::meter::file_server::FileServer as Controller;
use cigri_core::meter::sensor::Reading;
use cigri_core::meter::{Bound, ClusterLimits};

use crate::file_server::FileServer;
use crate::scenario;

/// One cluster's.
#[derive(Debug, Default)]
pub(crate) struct Steering {
    /// The model, where there is one.
    pub(crate) server: Option<FileServer>,
    controller: Controller,
    reading: Option<Reading>,
}

impl Steering {
    /// An idle one.
    pub(crate) fn new(server: Option<&scenario::FileServer>) -> Steering {
        let server = server.map(|server| FileServer::new(server.limit));
        Steering { server, ..Steering::default() }
    }

    /// After a sample's time at `now` (epoch milliseconds), in which jobs moved so many megabytes, with whether it
    /// counts; the sensor is silent, or lies.
    pub(crate) fn sample(&mut self, now: i64, (moved_mb, counts): (f64, bool), (silent, lies): (bool, bool)) {
        let Some(server) = &mut self.server else { return };
        server.sample(moved_mb, counts);
        if !silent {
            let value = if lies { 0.0 } else { server.load };
            self.reading = Some(Reading { value, at: now });
        }
    }

    /// The controller goes on to `now` (epoch milliseconds).
    pub(crate) fn read(&mut self, now: i64, limits: &ClusterLimits) {
        if let Some(settings) = &limits.file_server {
            self.controller.read(now, self.reading, settings);
        }
    }

    /// What it allows, where file servers are steered.
    pub(crate) fn bound(&self, limits: &ClusterLimits) -> Option<Bound> {
        limits.file_server.as_ref().map(|settings| self.controller.bound(settings))
    }

    /// Jobs were sent.
    pub(crate) fn sent(&mut self, jobs: u64) {
        self.controller.sent(jobs);
    }
}
