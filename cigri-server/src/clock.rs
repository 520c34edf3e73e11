//! The only clock of the server: everything else is told the time.

/// Milliseconds since the epoch (UTC).
pub(crate) fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}
