//! What admins do with one cluster's limits: change them, look at them, print them as configuration, and see who did
//! what.

mod export;
mod patch;
mod tables;

use cigri_api::{AuditEntry, Cluster, ClusterLimits, LimitsChanged, List};
use serde_json::{Value, json};

use crate::api::Api;
use crate::attach::with_server;
use crate::cli::{ClusterCommand, ModeOptions, SetOptions};
use crate::exit::{Exit, Failure};
use crate::place::Place;
use crate::screen::{Screen, plain};
use crate::token::path_segment;

/// Carries out `cigri admin cluster ...`.
pub(crate) async fn cluster(place: &Place, command: &ClusterCommand, screen: &Screen) -> Result<Exit, Failure> {
    match command {
        ClusterCommand::Set(options) => set(place, options, screen).await,
        ClusterCommand::Drain(options) => mode(place, ("drained", options), screen).await,
        ClusterCommand::Disable(options) => mode(place, ("disabled", options), screen).await,
        ClusterCommand::Undrain { cluster } => open(place, cluster, ("drained", "undrain"), screen).await,
        ClusterCommand::Enable { cluster } => open(place, cluster, ("disabled", "enable"), screen).await,
        ClusterCommand::Show { cluster } => show(place, cluster, screen).await,
        ClusterCommand::List => list(place, screen).await,
        ClusterCommand::Export { cluster } => export(place, cluster.as_deref(), screen).await,
        ClusterCommand::Log { cluster, limit } => log(place, cluster.as_deref(), *limit, screen).await,
    }
}

async fn set(place: &Place, options: &SetOptions, screen: &Screen) -> Result<Exit, Failure> {
    let patch = patch::patch(options)?;
    with_server(place, async |api| change(api, (&options.cluster, &patch), options.dry_run, screen).await).await
}

async fn mode(place: &Place, (mode, options): (&str, &ModeOptions), screen: &Screen) -> Result<Exit, Failure> {
    let (cluster, patch) = (&options.cluster, json!({"mode": mode, "note": options.note}));
    with_server(place, async |api| {
        let before = mode_of(api, cluster).await?;
        let exit = change(api, (cluster, &patch), false, screen).await?;
        if !["open", mode].contains(&before.as_str()) {
            screen.note(&format!(
                "it was {before} before: that is not kept, and what opens it again opens it altogether"
            ));
        }
        Ok(exit)
    })
    .await
}

/// Takes back what `taker` undoes, and nothing else: a cluster may be closed for another reason.
async fn open(place: &Place, cluster: &str, (mode, taker): (&str, &str), screen: &Screen) -> Result<Exit, Failure> {
    let patch = json!({"mode": "open", "note": ""});
    with_server(place, async |api| {
        let found = mode_of(api, cluster).await?;
        match other_taker(&found, taker) {
            None => change(api, (cluster, &patch), false, screen).await,
            Some(other) => Err(Failure::Refused(format!(
                "{cluster} is {found}, not {mode}: `cigri admin cluster {other} {cluster}` opens it"
            ))),
        }
    })
    .await
}

/// What opens a cluster in this mode, if `taker` does not.
fn other_taker(found: &str, taker: &str) -> Option<&'static str> {
    let opener = match found {
        "drained" => "undrain",
        "disabled" => "enable",
        _ => return None,
    };
    (opener != taker).then_some(opener)
}

async fn mode_of(api: &Api, cluster: &str) -> Result<String, Failure> {
    Ok(api.get::<Cluster>(&format!("/clusters/{}", path_segment(cluster)?)).await?.mode)
}

async fn change(api: &Api, (cluster, patch): (&str, &Value), dry_run: bool, screen: &Screen) -> Result<Exit, Failure> {
    let path = limits_path(cluster)?;
    let changed: LimitsChanged = api.patch(&path, &[("dry_run", u8::from(dry_run))], patch).await?;
    if screen.json {
        screen.value(&changed)?;
    } else {
        tell(&changed, screen)?;
    }
    Ok(Exit::Success)
}

fn tell(changed: &LimitsChanged, screen: &Screen) -> Result<(), Failure> {
    for change in &changed.changes {
        screen.line(&format!("{}: {}", changed.cluster, tables::change_words(change)))?;
    }
    screen.note(match (changed.changes.is_empty(), changed.dry_run) {
        (true, _) => "nothing changes: the limits are so already",
        (false, true) => "nothing was changed (--dry-run)",
        (false, false) => "in force from its next round on",
    });
    if !changed.kept.is_empty() {
        let keys = changed.kept.iter().map(|key| plain(key)).collect::<Vec<_>>().join(", ");
        screen.note(&format!("kept over the configuration file, until `--default KEY` takes it back: {keys}"));
    }
    Ok(())
}

async fn show(place: &Place, cluster: &str, screen: &Screen) -> Result<Exit, Failure> {
    let path = limits_path(cluster)?;
    with_server(place, async |api| {
        let limits: ClusterLimits = api.get(&path).await?;
        if screen.json {
            screen.value(&limits)?;
            return Ok(Exit::Success);
        }
        for problem in &limits.problems {
            screen.warn(&format!("a change made at run time has no effect any more: {problem}"));
        }
        tables::limits(&limits, screen)?;
        Ok(Exit::Success)
    })
    .await
}

async fn list(place: &Place, screen: &Screen) -> Result<Exit, Failure> {
    with_server(place, async |api| {
        let clusters: List<Cluster> = api.get("/clusters").await?;
        if screen.json {
            screen.value(&clusters)?;
        } else {
            tables::clusters(&clusters.items, screen)?;
        }
        Ok(Exit::Success)
    })
    .await
}

async fn export(place: &Place, cluster: Option<&str>, screen: &Screen) -> Result<Exit, Failure> {
    with_server(place, async |api| {
        let mut all = Vec::new();
        for name in names(api, cluster, screen).await? {
            all.push(api.get::<ClusterLimits>(&limits_path(&name)?).await?);
        }
        if screen.json {
            screen.value(&all)?;
        } else {
            screen.write(&export::tables(&all)?)?;
            screen.note(
                "each table is for the place of the cluster's own in server.toml; a calendar and best_effort_walltime \
                 there are not in it: keep them",
            );
        }
        Ok(Exit::Success)
    })
    .await
}

/// The one that is named, or all of them.
async fn names(api: &Api, cluster: Option<&str>, screen: &Screen) -> Result<Vec<String>, Failure> {
    if let Some(name) = cluster {
        return Ok(vec![name.to_owned()]);
    }
    let all: List<Cluster> = api.get("/clusters").await?;
    let (gone, there): (Vec<Cluster>, Vec<Cluster>) =
        all.items.into_iter().partition(|cluster| cluster.mode == Cluster::GONE);
    for cluster in gone {
        screen.note(&format!("{} is left out: the server's configuration no longer names it", plain(&cluster.name)));
    }
    Ok(there.into_iter().map(|cluster| cluster.name).collect())
}

async fn log(place: &Place, cluster: Option<&str>, limit: u64, screen: &Screen) -> Result<Exit, Failure> {
    let mut query = vec![("limit", limit.to_string())];
    query.extend(cluster.map(|name| ("cluster", name.to_owned())));
    with_server(place, async |api| {
        let log: List<AuditEntry> = api.get_with("/admin/audit", &query).await?;
        if screen.json {
            screen.value(&log)?;
        } else {
            tables::log(&log.items, screen)?;
            let shown = log.items.len() as u64;
            if shown < log.total {
                screen.note(&format!("the newest {shown} of {}: `--limit N` shows more", log.total));
            }
        }
        Ok(Exit::Success)
    })
    .await
}

fn limits_path(cluster: &str) -> Result<String, Failure> {
    Ok(format!("/clusters/{}/limits", path_segment(cluster)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_undone_by_its_own_command() {
        assert_eq!((other_taker("drained", "undrain"), other_taker("disabled", "enable")), (None, None));
        assert_eq!(other_taker("disabled", "undrain"), Some("enable"));
        assert_eq!(other_taker("drained", "enable"), Some("undrain"));
        assert_eq!(other_taker("open", "enable"), None, "nothing changes, and that is said");
    }
}
