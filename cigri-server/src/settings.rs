//! The server's configuration: compiled defaults, then `/etc/cigri/server.toml` (or another file), then environment
//! variables that begin with `CIGRI_SERVER__`. `etc/server.toml` in the source equals the defaults, by test.

mod notifications;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use cigri_core::calendar::{Calendar, CalendarSettings};
use cigri_core::language::{Problem, Problems, parse_walltime};
use cigri_core::meter::{ClusterLimits, limits};
use cigri_core::usage::DAY_MS;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::grid::Retention;

pub use notifications::{MailSettings, MailTls, NotificationSettings, Password, WebhookSettings, XmppSettings};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where the key and, by default, the database are kept.
    pub data_dir: PathBuf,
    /// A PostgreSQL database, which several servers may share; empty: a SQLite file in `data_dir`.
    pub database: DatabaseUrl,
    /// The key that seals tokens; empty: `key` in `data_dir`. All servers of one database need the same.
    pub key_file: PathBuf,
    /// The socket on which this machine's users are served.
    pub socket: PathBuf,
    /// Users who may change what belongs to others.
    pub admins: Vec<String>,
    /// Admission rules (TOML); empty: none.
    pub rules_file: PathBuf,
    /// How this server shares a database with others.
    pub standby: StandbySettings,
    /// Hours for which changed decisions are kept, for `cigri why --history`.
    pub keep_decisions_h: u64,
    /// Days for which closed events are kept, once their campaign has ended.
    pub keep_events_days: u64,
    /// Fair share: after so many hours, half of what a user had counts no more.
    pub share_half_life_h: f64,
    /// How users are told of events.
    pub notifications: NotificationSettings,
    /// Seconds between two samples of what a cluster has and how much of it is used; 0: none are taken.
    pub usage_every_s: u64,
    /// Days for which these samples are kept.
    pub keep_usage_days: u64,
    /// Members of groups that have quotas; a group that is not named is the system's.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Clusters by name.
    #[serde(deserialize_with = "clusters")]
    pub clusters: BTreeMap<String, ClusterSettings>,
}

/// `postgres://...`, or empty. It may hold a password: never shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(pub String);

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "DatabaseUrl()" } else { "DatabaseUrl(****)" })
    }
}

/// Leading and standing by, on a shared database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StandbySettings {
    /// Address and port on which this server, while it leads, takes the changes that the others pass on (TLS; only
    /// they know its secret). Empty: it takes none.
    pub listen: String,
    /// Host and port under which the others reach it; empty: the address of `listen`.
    pub advertise: String,
    /// Seconds without a sign of life after which another server leads.
    pub lease_s: u64,
}

impl Default for StandbySettings {
    fn default() -> StandbySettings {
        StandbySettings { listen: String::new(), advertise: String::new(), lease_s: 10 }
    }
}

/// A year, in hours.
const YEAR_H: u64 = 8766;
/// Ten years.
const MOST_DAYS: u64 = 3653;

/// One cluster: what is said of it beside the keys of its [`ClusterLimits`], in one table of the file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(into = "Map<String, Value>")]
pub struct ClusterSettings {
    /// Base URL of its OAR 3 API.
    pub url: String,
    /// Longest walltime of a best-effort job there (`h`, `h:m` or `h:m:s`): a dry run warns of a longer one. Empty: none is
    /// known.
    pub best_effort_walltime: String,
    /// When it is night there.
    pub calendar: CalendarSettings,
    /// What is allowed there, until an admin changes it at run time.
    pub limits: ClusterLimits,
}

/// All that is wrong with all clusters is said at once, each problem with its place.
fn clusters<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, ClusterSettings>, D::Error> {
    let tables: BTreeMap<String, Map<String, Value>> = Deserialize::deserialize(deserializer)?;
    let (mut clusters, mut problems) = (BTreeMap::new(), Vec::new());
    for (name, keys) in tables {
        match ClusterSettings::read(keys) {
            Ok(cluster) => drop(clusters.insert(name, cluster)),
            Err(found) => problems.extend(found.into_iter().map(|problem| {
                let path = format!("clusters.{name}.{}", problem.path);
                problem.at(path)
            })),
        }
    }
    if problems.is_empty() { Ok(clusters) } else { Err(D::Error::custom(Problems(problems))) }
}

impl ClusterSettings {
    /// Reads a cluster's table.
    fn read(mut keys: Map<String, Value>) -> Result<ClusterSettings, Vec<Problem>> {
        let mut problems = Vec::new();
        let url = part(&mut keys, "url", "the base URL of its OAR 3 API", &mut problems);
        let walltime = part(&mut keys, "best_effort_walltime", "a walltime, like \"2:00:00\"", &mut problems);
        let calendar = part(&mut keys, "calendar", "a calendar", &mut problems);
        if url.is_none() && problems.iter().all(|problem| problem.path != "url") {
            problems.push(Problem::new("url", "nothing", "the base URL of its OAR 3 API"));
        }
        let limits = limits::configured(keys).unwrap_or_else(|found| {
            problems.extend(found);
            ClusterLimits::default()
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(ClusterSettings {
            url: url.unwrap_or_default(),
            best_effort_walltime: walltime.unwrap_or_default(),
            calendar: calendar.unwrap_or_default(),
            limits,
        })
    }
}

/// What one key of a cluster's table says that is no limit.
fn part<T: DeserializeOwned>(
    keys: &mut Map<String, Value>,
    key: &str,
    expected: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let value = keys.remove(key)?;
    let found = value.to_string();
    match serde_json::from_value(value) {
        Ok(part) => Some(part),
        Err(error) => {
            problems.push(Problem::new(key, found, expected).hint(error.to_string()));
            None
        }
    }
}

impl From<ClusterSettings> for Map<String, Value> {
    fn from(cluster: ClusterSettings) -> Map<String, Value> {
        let mut keys = Map::new();
        keys.insert("url".to_owned(), cluster.url.into());
        keys.insert("best_effort_walltime".to_owned(), cluster.best_effort_walltime.into());
        keys.insert("calendar".to_owned(), serde_json::json!(cluster.calendar));
        if let Value::Object(limits) = serde_json::json!(cluster.limits) {
            keys.extend(limits);
        }
        keys
    }
}

impl ClusterSettings {
    /// Longest walltime of a best-effort job there, in seconds, if it is known.
    pub fn best_effort_walltime_s(&self) -> Option<u64> {
        parse_walltime(&self.best_effort_walltime)
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            data_dir: PathBuf::from("/var/lib/cigri"),
            database: DatabaseUrl::default(),
            key_file: PathBuf::new(),
            socket: PathBuf::from("/run/cigri/cigri.sock"),
            admins: Vec::new(),
            rules_file: PathBuf::new(),
            standby: StandbySettings::default(),
            keep_decisions_h: 48,
            keep_events_days: 90,
            share_half_life_h: 24.0,
            notifications: NotificationSettings::default(),
            usage_every_s: 300,
            keep_usage_days: 400,
            groups: BTreeMap::new(),
            clusters: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Where the key is.
    pub fn key_path(&self) -> PathBuf {
        if self.key_file.as_os_str().is_empty() { self.data_dir.join("key") } else { self.key_file.clone() }
    }

    /// When it is night on each cluster; an error names everything that is wrong, with its place.
    pub fn calendars(&self) -> Result<BTreeMap<String, Calendar>, SettingsError> {
        let (mut calendars, mut problems) = (BTreeMap::new(), Vec::new());
        for (name, cluster) in &self.clusters {
            let place = |problem: String| format!("clusters.{name}.calendar.{problem}");
            match cluster.calendar.check() {
                Ok(calendar) => drop(calendars.insert(name.clone(), calendar)),
                Err(found) => problems.extend(found.into_iter().map(place)),
            }
        }
        if problems.is_empty() { Ok(calendars) } else { Err(SettingsError::Value(problems.join("\n"))) }
    }

    /// Both in milliseconds and seconds, as the loops use them.
    pub(crate) fn retention(&self) -> Retention {
        let decisions_ms = self.keep_decisions_h as i64 * 3_600_000;
        let events_ms = self.keep_events_days as i64 * DAY_MS;
        Retention {
            decisions_ms,
            events_ms,
            half_life_s: self.share_half_life_h * 3600.0,
            usage_every_ms: self.usage_every_s as i64 * 1000,
            usage_ms: self.keep_usage_days as i64 * DAY_MS,
        }
    }

    fn check_hours(&self) -> Result<(), SettingsError> {
        let wrong = |key: &str, found: String, expected: &str| {
            Err(SettingsError::Value(format!("`{key}`: {found}; {expected} to {YEAR_H}, a year's hours")))
        };
        if !(1..=YEAR_H).contains(&self.keep_decisions_h) {
            return wrong("keep_decisions_h", self.keep_decisions_h.to_string(), "a whole number from 1");
        }
        if !(1..=MOST_DAYS).contains(&self.keep_events_days) {
            let found = self.keep_events_days;
            let problem = format!("`keep_events_days`: {found}; a whole number from 1 to {MOST_DAYS}, ten years' days");
            return Err(SettingsError::Value(problem));
        }
        if !(0.01..=YEAR_H as f64).contains(&self.share_half_life_h) {
            return wrong("share_half_life_h", self.share_half_life_h.to_string(), "a number from 0.01");
        }
        Ok(())
    }

    fn check_usage(&self) -> Result<(), SettingsError> {
        let wrong = |key: &str, found: u64, most: u64, what: &str| {
            Err(SettingsError::Value(format!("`{key}`: {found}; a whole number from {what} to {most} was expected")))
        };
        match (self.usage_every_s, self.keep_usage_days) {
            (86_401.., _) => wrong("usage_every_s", self.usage_every_s, 86_400, "0 (never)"),
            (_, 0 | 36_501..) => wrong("keep_usage_days", self.keep_usage_days, 36_500, "1"),
            _ => Ok(()),
        }
    }

    fn check(&self) -> Result<(), SettingsError> {
        let wrong = |problem: &str| Err(SettingsError::Value(problem.to_owned()));
        self.calendars()?;
        let (url, standby) = (&self.database.0, &self.standby);
        if !url.is_empty() && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return wrong("`database` is empty (a SQLite file in data_dir) or begins with postgres://");
        }
        for (name, cluster) in &self.clusters {
            if !cluster.best_effort_walltime.is_empty() && cluster.best_effort_walltime_s().is_none() {
                return wrong(&format!("`clusters.{name}.best_effort_walltime` is a walltime, like \"2:00:00\""));
            }
        }
        self.check_hours()?;
        let problems = self.notifications.problems();
        if !problems.is_empty() {
            return wrong(&problems.join("\n"));
        }
        self.check_usage()?;
        if !(1..=3600).contains(&standby.lease_s) {
            return wrong("`standby.lease_s` is a number of seconds from 1 to 3600");
        }
        if standby.listen.is_empty() {
            return Ok(());
        }
        match standby.listen.parse::<SocketAddr>() {
            Err(_) => wrong("`standby.listen` is an address and a port, like 192.0.2.7:8443, or empty"),
            Ok(address) if address.ip().is_unspecified() && standby.advertise.is_empty() => wrong(
                "`standby.listen` is every address of this machine: say in `standby.advertise` which host:port others reach",
            ),
            Ok(_) => Ok(()),
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file or a variable cannot be read.
    #[error("the configuration cannot be used: {0}")]
    Read(#[from] config::ConfigError),
    /// A value makes no sense.
    #[error("the configuration cannot be used: {0}")]
    Value(String),
}

/// Reads the configuration. A file that is named must exist; without one, the default place may be empty.
pub fn read(file: Option<&Path>) -> Result<Settings, SettingsError> {
    let (path, required) = file.map_or((Path::new("/etc/cigri/server.toml"), false), |path| (path, true));
    let source = config::Config::builder()
        .add_source(config::File::from(path).format(config::FileFormat::Toml).required(required))
        .add_source(
            config::Environment::with_prefix("CIGRI_SERVER").prefix_separator("__").separator("__").try_parsing(true),
        );
    let settings: Settings = source.build()?.try_deserialize()?;
    settings.check()?;
    Ok(settings)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
