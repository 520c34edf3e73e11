//! The server's configuration: compiled defaults, then `/etc/cigri/server.toml` (or another file), then environment
//! variables that begin with `CIGRI_SERVER__`. `etc/server.toml` in the source equals the defaults, by test.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cigri_core::meter::ClusterLimits;
use serde::{Deserialize, Serialize};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the database and the key are kept.
    pub data_dir: PathBuf,
    /// The socket on which this machine's users are served.
    pub socket: PathBuf,
    /// Users who may change what belongs to others.
    pub admins: Vec<String>,
    /// Clusters by name.
    pub clusters: BTreeMap<String, ClusterSettings>,
}

/// One cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterSettings {
    /// Base URL of its OAR 3 API.
    pub url: String,
    /// Our jobs that may wait there.
    #[serde(default = "max_waiting")]
    pub max_waiting: u64,
    /// Our jobs that may be live there.
    #[serde(default = "max_live")]
    pub max_live: u64,
    /// Jobs per submission.
    #[serde(default = "max_array")]
    pub max_array: u64,
    /// Seconds between two looks while something of ours is there; four times that while nothing is.
    #[serde(default = "period_s")]
    pub period_s: u64,
}

fn max_waiting() -> u64 {
    ClusterLimits::default().max_waiting
}

fn max_live() -> u64 {
    ClusterLimits::default().max_live
}

fn period_s() -> u64 {
    ClusterLimits::default().period_s
}

fn max_array() -> u64 {
    ClusterLimits::default().max_array
}

impl ClusterSettings {
    /// The limits that the meter uses.
    pub fn limits(&self) -> ClusterLimits {
        ClusterLimits {
            max_waiting: self.max_waiting,
            max_live: self.max_live,
            max_array: self.max_array,
            period_s: self.period_s,
            ..ClusterLimits::default()
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            data_dir: PathBuf::from("/var/lib/cigri"),
            socket: PathBuf::from("/run/cigri/cigri.sock"),
            admins: Vec::new(),
            clusters: BTreeMap::new(),
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the configuration cannot be used: {0}")]
pub struct SettingsError(#[from] config::ConfigError);

/// Reads the configuration. A file that is named must exist; without one, the default place may be empty.
pub fn read(file: Option<&Path>) -> Result<Settings, SettingsError> {
    let (path, required) = file.map_or((Path::new("/etc/cigri/server.toml"), false), |path| (path, true));
    let source = config::Config::builder()
        .add_source(config::File::from(path).format(config::FileFormat::Toml).required(required))
        .add_source(config::Environment::with_prefix("CIGRI_SERVER").prefix_separator("__").separator("__"));
    Ok(source.build()?.try_deserialize()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_file_is_the_defaults() {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../etc/server.toml");
        assert_eq!(read(Some(&sample)).unwrap(), Settings::default());
    }

    #[test]
    fn a_cluster_needs_a_url_and_takes_nothing_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.toml");
        let parse = |text: &str| {
            std::fs::write(&file, text).unwrap();
            read(Some(&file)).map_err(|error| error.to_string())
        };
        let settings = parse("[clusters.dahu]\nurl = \"https://dahu/oarapi\"\nmax_waiting = 60\n").unwrap();
        assert_eq!(settings.clusters["dahu"].limits().max_waiting, 60);
        assert_eq!(settings.clusters["dahu"].limits().max_array, 500);
        assert!(parse("[clusters.dahu]\nmax_waiting = 60\n").unwrap_err().contains("url"));
        assert!(parse("adminz = [\"root\"]\n").unwrap_err().contains("adminz"));
        assert!(read(Some(&folder.path().join("missing.toml"))).is_err());
    }
}
