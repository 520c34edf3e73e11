//! Commands of administrators about one cluster's limits, and how their values are read.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

const SET_EXAMPLES: &str = "\
Examples:
  cigri admin cluster set dahu --max-waiting 60 --max-running 800
  cigri admin cluster set dahu --user-quota alice=200 --user-quota '*=500' --weight bob=2
  cigri admin cluster set dahu --window 'Mon-Fri 20:00-07:00' --window Sat,Sun
  cigri admin cluster set dahu --law adaptive,ahead=2
  cigri admin cluster set dahu --file-server http://nfs.example.org/load,reference=6,job_mb=100
  cigri admin cluster set dahu --file-server reference=8
  cigri admin cluster set dahu --default max-waiting --default window
";

const EXPORT_EXAMPLES: &str = "\
Example:
  cigri admin cluster export dahu >dahu.toml    for the place of [clusters.dahu] in /etc/cigri/server.toml
";

/// `cigri admin cluster ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Change what a cluster takes, from its next round on
    ///
    /// Changes are kept in the database, over what the configuration file says, and written down with who made them. All
    /// of one command are made, or none.
    #[command(after_help = SET_EXAMPLES)]
    Set(Box<SetOptions>),
    /// Show every limit of a cluster, and who says so
    Show {
        /// Name of the cluster
        cluster: String,
    },
    /// List the clusters with their mode, our jobs there and their caps
    List,
    /// Send nothing new to a cluster and take back what waits there; what runs ends
    #[command(after_help = "Example:\n  cigri admin cluster drain dahu --note 'new kernel, back at noon'\n")]
    Drain(ModeOptions),
    /// Send jobs to a drained cluster again
    Undrain {
        /// Name of the cluster
        cluster: String,
    },
    /// Let no request reach a cluster; jobs that are there are left alone
    #[command(after_help = "Example:\n  cigri admin cluster disable dahu --note 'its API is being moved'\n")]
    Disable(ModeOptions),
    /// Use a disabled cluster again
    Enable {
        /// Name of the cluster
        cluster: String,
    },
    /// Print the limits that differ from the defaults, as tables of the server's configuration file
    ///
    /// Such a table replaces the cluster's own in the file: a second one of the same name is an error there. Calendars and
    /// `best_effort_walltime` are not limits, and are not printed: keep those lines. Values that were set at run time go
    /// on winning over the file until `cigri admin cluster set --default` takes them back.
    #[command(after_help = EXPORT_EXAMPLES)]
    Export {
        /// Name of the cluster [default: all]
        cluster: Option<String>,
    },
    /// Tell who changed what, the newest first
    Log {
        /// Name of the cluster [default: all]
        cluster: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
    },
}

/// Options of `drain` and `disable`.
#[derive(Debug, Args)]
pub(crate) struct ModeOptions {
    /// Name of the cluster
    pub(crate) cluster: String,
    /// Why, for users: `cigri why` and `cigri clusters` show it
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) note: String,
}

/// Options of `cigri admin cluster set`.
#[derive(Debug, Args)]
#[command(override_usage = "cigri admin cluster set [OPTIONS] <CLUSTER>")]
pub(crate) struct SetOptions {
    /// Name of the cluster
    pub(crate) cluster: String,
    /// Our jobs that may wait there
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count)]
    pub(crate) max_waiting: Option<u64>,
    /// Our jobs that may run there; what waits may run any moment and counts
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count)]
    pub(crate) max_running: Option<u64>,
    /// Jobs per submission
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count)]
    pub(crate) max_array: Option<u64>,
    /// Jobs sent within one period
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count)]
    pub(crate) max_per_cycle: Option<u64>,
    /// Seconds between two rounds while something of ours is there
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, value_parser = count)]
    pub(crate) period: Option<u64>,
    /// Most retries of a task for one class of failures that campaigns may ask for
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count)]
    pub(crate) max_retries: Option<u64>,
    /// Whether prologues, epilogues and samples may go as normal jobs
    #[arg(long, value_name = "true|false")]
    pub(crate) normal_jobs: Option<bool>,
    /// Live jobs that a user may have there; `*` is everybody who is not named, `none` takes the quota away
    #[arg(long, value_name = "USER=N", value_parser = quota)]
    pub(crate) user_quota: Vec<Entry>,
    /// Live jobs that all members of a group may have there
    #[arg(long, value_name = "GROUP=N", value_parser = quota)]
    pub(crate) group_quota: Vec<Entry>,
    /// Live jobs that a project may have there
    #[arg(long, value_name = "PROJECT=N", value_parser = quota)]
    pub(crate) project_quota: Vec<Entry>,
    /// A user's weight in the share of the cluster, 1 without; `none` takes it away
    #[arg(long, value_name = "USER=W", value_parser = weight)]
    pub(crate) weight: Vec<Entry>,
    /// When jobs may be sent there, such as `Mon-Fri 20:00-07:00` or `Sat,Sun`, on the clock of the cluster's
    /// `calendar.time_zone` (UTC unless the configuration says otherwise); all that are given replace those before, `none`: always
    #[arg(long, value_name = "WINDOW")]
    pub(crate) window: Vec<String>,
    /// Requests that may reach it, per second
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = rate)]
    pub(crate) requests_per_s: Option<f64>,
    /// Bytes sent and received, per second
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = rate)]
    pub(crate) bytes_per_s: Option<f64>,
    /// Part of the time in which a request of ours may be under way there, such as 0.2
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = rate)]
    pub(crate) busy: Option<f64>,
    /// The law that says how many of our jobs should wait, and its settings, such as `adaptive,ahead=2` or `fixed,waiting=50`
    #[arg(long, value_name = "NAME[,KEY=X...]", value_parser = law)]
    pub(crate) law: Option<Value>,
    /// The load of the cluster when it is full, as its API tells it; `none`: its load is not asked
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = rate_or_none)]
    pub(crate) stress_reference: Option<Value>,
    /// The part of that reference from which on nothing is sent, such as 0.8
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = rate)]
    pub(crate) stress_limit: Option<f64>,
    /// Give way to other people's normal jobs: seconds after which one that waits is given way to, and those after which it no
    /// longer is, such as `after_s=120,most_s=3600`; `none`: they are not asked for
    #[arg(long, value_name = "KEY=N[,KEY=N]", value_parser = give_way)]
    pub(crate) give_way: Option<Value>,
    /// A URL that prints the load of the file server, and what to steer it to; without a URL: other settings for the same
    /// sensor; `none`: not watched
    #[arg(long, value_name = "[URL,]reference=X[,KEY=X...]", value_parser = file_server)]
    pub(crate) file_server: Option<Value>,
    /// When so many jobs fail that a pause is due, and how long it is, such as `rate=0.6,pause_s=120`: `rate` (above 1: never),
    /// `ends`, `window_s`, `least`, `least_cluster`, `pause_s`, `longest_s`, `node_pause_s`, `nodes` (0: none is left out)
    #[arg(long, value_name = "KEY=X[,KEY=X...]", value_parser = numbers)]
    pub(crate) breaker: Option<Value>,
    /// How long jobs may stay in one state there, in seconds, such as `waiting_s=7200`: `waiting_s`, `launching_s`,
    /// `over_walltime_s`, `held_s`, `finishing_s`, `give_up_s`
    #[arg(long, value_name = "KEY=N[,KEY=N...]", value_parser = numbers)]
    pub(crate) stuck: Option<Value>,
    /// Back to what the configuration file says; such as `max-waiting` or `user_quotas.alice`
    #[arg(long = "default", value_name = "KEY")]
    pub(crate) defaults: Vec<String>,
    /// Tell what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// A name and its number; `none` takes away what the configuration says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// User, group or project.
    pub(crate) name: String,
    /// Its number, or `none`.
    pub(crate) value: Value,
}

fn count(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "expected a whole number from 0, such as 60".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "expected a number from 0, such as 0.5".to_owned())
}

fn rate_or_none(text: &str) -> Result<Value, String> {
    if text == "none" { Ok(json!("none")) } else { rate(text).map(Value::from) }
}

fn quota(text: &str) -> Result<Entry, String> {
    let expected = "expected a name and a whole number from 0, such as alice=200, or alice=none";
    entry(text, |value| Some(json!(value.parse::<u64>().ok()?))).ok_or_else(|| expected.to_owned())
}

fn weight(text: &str) -> Result<Entry, String> {
    let expected = "expected a name and a number from 0, such as alice=2, or alice=none";
    entry(text, |value| Some(json!(rate(value).ok()?))).ok_or_else(|| expected.to_owned())
}

/// The name may hold any sign but the last `=`.
fn entry(text: &str, read: impl Fn(&str) -> Option<Value>) -> Option<Entry> {
    let (name, value) = text.rsplit_once('=')?;
    let value = if value == "none" { json!("none") } else { read(value)? };
    (!name.is_empty()).then(|| Entry { name: name.to_owned(), value })
}

fn law(text: &str) -> Result<Value, String> {
    let expected = || "expected a law and its numbers, such as adaptive,ahead=2".to_owned();
    let mut words = text.split(',');
    let name = words.next().filter(|name| !name.is_empty() && !name.contains('=')).ok_or_else(expected)?;
    let mut law = Map::from_iter([("name".to_owned(), json!(name))]);
    for word in words {
        let (key, value) = setting(word).ok_or_else(expected)?;
        law.insert(key, value);
    }
    Ok(Value::Object(law))
}

fn give_way(text: &str) -> Result<Value, String> {
    if text == "none" {
        return Ok(json!("none"));
    }
    let changes: Option<Map<String, Value>> = text.split(',').map(setting).collect();
    changes.map(Value::Object).ok_or_else(|| "expected numbers, such as after_s=120,most_s=3600; or none".to_owned())
}

/// The settings are at the end: a URL may hold commas. Without a URL they are changes for the present sensor.
fn file_server(text: &str) -> Result<Value, String> {
    if text == "none" {
        return Ok(json!("none"));
    }
    let changes: Option<Map<String, Value>> = text.split(',').map(setting).collect();
    if let Some(changes) = changes {
        return Ok(Value::Object(changes));
    }
    let (mut url, mut settings) = (text, Map::new());
    while let Some((before, (key, value))) = url.rsplit_once(',').and_then(|(url, word)| Some((url, setting(word)?))) {
        settings.insert(key, value);
        url = before;
    }
    if !url.starts_with("http://") && !url.starts_with("https://") {
        let advice = "a command line as sensor is for the configuration file only";
        return Err(format!("expected a URL first, such as http://nfs.example.org/load,reference=6; {advice}"));
    }
    if !settings.contains_key("reference") {
        return Err("expected the load to steer to behind the URL, such as ,reference=6".to_owned());
    }
    settings.insert("sensor".to_owned(), json!(url));
    Ok(Value::Object(settings))
}

/// Settings alone; those that are not named stay.
fn numbers(text: &str) -> Result<Value, String> {
    let settings: Option<Map<String, Value>> = text.split(',').map(setting).collect();
    settings.map(Value::Object).ok_or_else(|| "expected settings with their numbers, such as pause_s=120".to_owned())
}

/// `key=number`; whole numbers stay whole.
fn setting(word: &str) -> Option<(String, Value)> {
    let (key, value) = word.split_once('=')?;
    let is_key = !key.is_empty() && key.chars().all(|sign| sign.is_ascii_lowercase() || sign == '_');
    let number = value.parse::<i64>().map(|whole| json!(whole)).or_else(|_| value.parse::<f64>().map(|x| json!(x)));
    is_key.then(|| Some((key.to_owned(), number.ok().filter(|number| !number.is_null())?)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_or_say_what_was_expected() {
        assert_eq!(quota("alice=200"), Ok(Entry { name: "alice".into(), value: json!(200) }));
        assert_eq!(quota("*=none"), Ok(Entry { name: "*".into(), value: json!("none") }));
        for wrong in ["alice", "alice=-1", "=3", "alice=many", "alice=1.5"] {
            assert!(quota(wrong).unwrap_err().contains("alice=200"), "{wrong}");
        }
        assert_eq!(weight("bob=0.5"), Ok(Entry { name: "bob".into(), value: json!(0.5) }));
        assert!(weight("bob=NaN").is_err() && weight("bob=-1").is_err() && rate("inf").is_err());
        assert!(count("-3").unwrap_err().contains("whole number"));
    }

    #[test]
    fn a_law_and_a_file_server_carry_their_settings() {
        assert_eq!(law("adaptive,initial=4,ahead=1.5"), Ok(json!({"name": "adaptive", "initial": 4, "ahead": 1.5})));
        assert!(law("initial=4").is_err() && law("adaptive,ahead").is_err());
        let url = "http://nfs/load?a=1,b=x";
        let wanted = json!({"sensor": url, "reference": 6, "job_mb": 100});
        assert_eq!(file_server(&format!("{url},reference=6,job_mb=100")), Ok(wanted));
        assert_eq!(file_server("none"), Ok(json!("none")));
        assert_eq!(file_server("reference=8,job_mb=50"), Ok(json!({"reference": 8, "job_mb": 50})), "the same sensor");
        assert!(file_server("http://nfs/load").unwrap_err().contains("reference=6"));
        assert!(file_server("cat /load,reference=6").unwrap_err().contains("configuration file only"));
    }
}
