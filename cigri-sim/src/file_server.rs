//! A modelled file server: its load after what jobs moved, and how long it was too high.

/// The kernel's one-minute load average, sampled every 30 s: exp(-5/60)^6.
const A: f64 = 0.606_530_659_712_633_4;
/// Load per megabyte moved within 30 s, when it lasts.
const LOAD_PER_MB: f64 = 0.001_79;
/// Milliseconds between two samples.
pub(crate) const SAMPLE_MS: i64 = 30_000;

/// Its load, and sums over the samples.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FileServer {
    /// The load.
    pub(crate) load: f64,
    limit: f64,
    samples: u64,
    over: u64,
    excess: f64,
}

impl FileServer {
    /// Idle; overloaded above `limit`.
    pub(crate) fn new(limit: f64) -> FileServer {
        FileServer { limit, ..FileServer::default() }
    }

    /// After 30 s in which jobs moved so many megabytes. Only samples that `count` are measured.
    pub(crate) fn sample(&mut self, moved_mb: f64, count: bool) {
        self.load = A * self.load + (1.0 - A) * LOAD_PER_MB * moved_mb;
        if count {
            self.samples += 1;
            self.over += u64::from(self.load > self.limit);
            self.excess += (self.load - self.limit).max(0.0) * SAMPLE_MS as f64 / 1e3;
        }
    }

    /// Part of the time above the limit, and the integral of the excess, in load times seconds.
    pub(crate) fn overload(&self) -> (f64, f64) {
        (self.over as f64 / self.samples.max(1) as f64, self.excess)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_flow_settles_at_its_load() {
        let mut server = FileServer::new(8.0);
        (0..40).for_each(|_| server.sample(5000.0, true));
        assert!((server.load - 8.95).abs() < 1e-6);
        let (over, excess) = server.overload();
        assert!(over > 0.8 && over < 1.0 && excess > 0.0);
    }
}
