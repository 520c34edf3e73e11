//! The only clocks of the server: everything else is told the time.

use std::time::Instant;

/// Milliseconds since the epoch (UTC).
pub(crate) fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// A clock that nobody sets, and that goes on while the process is stopped: for leases.
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}
