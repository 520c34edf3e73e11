//! CiGri's shell: one loop per cluster, the REST API, and their wiring.
//!
//! [`embedded`] runs all of it inside another process, over one data directory and this machine's own processes;
//! [`service`] runs it as a server over the clusters of a configuration file. Decisions are `cigri-core`'s, rows are
//! `cigri-store`'s; here things are only carried out.

mod admission;
mod api;
pub mod backup;
mod clock;
mod cluster;
mod data_dir;
pub mod embedded;
mod grid;
mod leadership;
mod members;
mod metrics;
mod notices;
mod output;
mod secret;
mod sensors;
pub mod service;
pub mod settings;
mod upkeep;

use cigri_store::{Store, StoreError};

pub use grid::GridError;
pub use secret::SecretError;

/// Runs blocking database work on a thread made for it.
pub(crate) async fn blocking<T: Send + 'static>(
    store: &Store,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let store = store.clone();
    match tokio::task::spawn_blocking(move || work(&store)).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Corrupt(format!("database work was cut off: {error}"))),
    }
}
