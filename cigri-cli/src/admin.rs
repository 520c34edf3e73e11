//! What admins do: a copy of the whole database, and the way back.

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use cigri_api::{AcceptReset, Accepted};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::admin_cluster;
use crate::attach::with_server;
use crate::cli::{AdminCommand, JobsThere};
use crate::command_line::other_command;
use crate::embed::{self, Done};
use crate::exit::{Exit, Failure};
use crate::place::Place;
use crate::rules;
use crate::screen::Screen;

const TEMPLATE: &str = "{spinner} {bytes} written, {bytes_per_sec}";

/// Carries out `cigri admin ...`.
pub(crate) async fn admin(place: &Place, command: &AdminCommand, screen: &Screen) -> Result<Exit, Failure> {
    match command {
        AdminCommand::Backup { file, force } => backup(place, file, *force, screen).await,
        AdminCommand::Restore { file, config } => restore(place, file, config.as_deref(), screen),
        AdminCommand::Rules(command) => rules::rules(command, screen),
        AdminCommand::Cluster(command) => admin_cluster::cluster(place, command, screen).await,
        AdminCommand::AcceptReset { cluster, jobs } => accept_reset(place, cluster, *jobs, screen).await,
    }
}

async fn accept_reset(place: &Place, cluster: &str, jobs: JobsThere, screen: &Screen) -> Result<Exit, Failure> {
    let jobs = match jobs {
        JobsThere::Lost => cigri_api::JobsThere::Lost,
        JobsThere::Kept => cigri_api::JobsThere::Kept,
    };
    with_server(place, async |api| {
        let path = format!("/clusters/{cluster}/reset");
        let accepted: Accepted = api.post_json(&path, &AcceptReset { jobs }).await?;
        if screen.json {
            screen.value(&accepted)?;
        } else {
            screen.note(&accepted.message);
        }
        Ok(Exit::Success)
    })
    .await
}

async fn backup(place: &Place, file: &Path, force: bool, screen: &Screen) -> Result<Exit, Failure> {
    let to_stdout = file == Path::new("-");
    if to_stdout && std::io::stdout().is_terminal() {
        return Err(Failure::Usage("a backup is not for a terminal: name a file, or send the output elsewhere".into()));
    }
    with_server(place, async |api| {
        let mut copy = if to_stdout { Copy::to_stdout() } else { Copy::begin(file, force)? };
        let bar = screen.draws().then(progress);
        let bytes = api.download("/admin/backup", |piece| {
            if let Some(bar) = &bar {
                bar.inc(piece.len() as u64);
            }
            copy.write(piece)
        });
        let bytes = bytes.await?;
        copy.finish(force)?;
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        tell_backup(file, bytes, screen)?;
        Ok(Exit::Success)
    })
    .await
}

fn progress() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.with_style(ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn tell_backup(file: &Path, bytes: u64, screen: &Screen) -> Result<(), Failure> {
    if file == Path::new("-") {
        screen.note(&format!("{bytes} bytes written"));
    } else if screen.json {
        screen.value(&json!({ "file": file, "bytes": bytes }))?;
    } else {
        screen.line(&format!("backup written to `{}` ({bytes} bytes)", file.display()))?;
    }
    screen.note("the key that seals tokens is not in it: keep a copy of the server's key file in another place");
    Ok(())
}

/// A copy on its way to the disk, under another name until it is whole.
struct Copy {
    target: PathBuf,
    /// The file so far; none for standard output.
    part: Option<(PathBuf, File)>,
}

impl Copy {
    fn to_stdout() -> Self {
        Self { target: PathBuf::from("standard output"), part: None }
    }

    fn begin(target: &Path, force: bool) -> Result<Self, Failure> {
        refuse_existing(target, force)?;
        let mut part = target.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        // What an earlier one left; the new file is made with the right mode, and is nobody else's.
        std::fs::remove_file(&part).ok();
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).map_err(cannot(&part))?;
        Ok(Self { target: target.to_owned(), part: Some((part, file)) })
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), Failure> {
        match &mut self.part {
            Some((path, file)) => file.write_all(piece).map_err(cannot(path)),
            None => std::io::stdout().write_all(piece).map_err(cannot(&self.target)),
        }
    }

    /// Gives a whole copy, once it is on the disk, its name.
    fn finish(mut self, force: bool) -> Result<(), Failure> {
        let Some((part, file)) = &self.part else { return std::io::stdout().flush().map_err(cannot(&self.target)) };
        file.sync_all().map_err(cannot(part))?;
        refuse_existing(&self.target, force)?;
        std::fs::rename(part, &self.target).map_err(cannot(&self.target))?;
        let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(cannot(folder))?;
        self.part = None;
        Ok(())
    }
}

impl Drop for Copy {
    /// A part of a copy is nothing to keep.
    fn drop(&mut self) {
        if let Some((part, _)) = &self.part {
            std::fs::remove_file(part).ok();
        }
    }
}

fn refuse_existing(target: &Path, force: bool) -> Result<(), Failure> {
    if target.is_dir() {
        return Err(Failure::Usage(format!("`{}` is a folder: name a file in it", target.display())));
    }
    if !force && target.symlink_metadata().is_ok() {
        return Err(Failure::Refused(format!("`{}` exists: --force replaces it", target.display())));
    }
    Ok(())
}

fn counted(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn cannot(path: &Path) -> impl Fn(std::io::Error) -> Failure + '_ {
    |error| Failure::Environment(format!("cannot write `{}`: {error}", path.display()))
}

fn restore(place: &Place, file: &Path, config: Option<&Path>, screen: &Screen) -> Result<Exit, Failure> {
    let data_dir = match (place, config) {
        (Place::DataDir(data_dir), _) => data_dir.clone(),
        (Place::Server(_), Some(_)) => PathBuf::new(),
        (Place::Server(_), None) => {
            let advice = "stop the server and give its --config FILE, or give a --data-dir";
            return Err(Failure::Usage(format!("a running server cannot restore its own database: {advice}")));
        }
    };
    let done = embed::restore(file, &data_dir, config)?;
    tell_restore(file, &done, screen)?;
    Ok(Exit::Success)
}

fn tell_restore(file: &Path, done: &Done, screen: &Screen) -> Result<(), Failure> {
    let restored = &done.restored;
    if screen.json {
        screen.value(&json!({
            "campaigns": restored.campaigns,
            "tokens": restored.tokens,
            "clusters": restored.clusters,
            "aside": restored.aside,
        }))?;
    } else {
        let campaigns = counted(restored.campaigns, "campaign");
        screen.line(&format!("`{}` is in place: {campaigns}", file.display()))?;
    }
    if let Some(aside) = &restored.aside {
        screen.note(&format!("what it replaced is kept in `{aside}`"));
    }
    if !restored.clusters.is_empty() {
        let clusters = restored.clusters.join(", ");
        let check = other_command("clusters");
        screen.note(&format!("on hold until searched for jobs that the backup does not know: {clusters} ({check})"));
    }
    if restored.tokens > 0 {
        let (tokens, key) = (counted(restored.tokens, "token"), done.key.display());
        screen.note(&format!("{tokens} in it can be used only with the key that sealed them, in `{key}`"));
    }
    Ok(())
}
