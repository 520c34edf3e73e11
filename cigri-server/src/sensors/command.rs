//! A sensor that is a command line: run by a shell in a process group of its own, which never outlives its time.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::MOST_BYTES;

/// What a command is told of this server's environment: none of its secrets.
const ENVIRONMENT: [&str; 5] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ"];

/// The processes of a command; killed, all of them, at the latest when dropped.
struct Group {
    child: Child,
    /// None once they are killed: after that the number may be another's.
    id: Option<Pid>,
}

impl Group {
    fn kill(&mut self) {
        if let Some(id) = self.id.take() {
            killpg(id, Signal::SIGKILL).ok();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a command prints, if it ends well within `patience`; else what is wrong with it.
pub(super) async fn run(line: &str, patience: Duration) -> Result<String, String> {
    let mut group = start(line).map_err(|error| format!("it cannot be started: {error}"))?;
    let ended = tokio::time::timeout(patience, finish(&mut group)).await;
    ended.unwrap_or_else(|_| Err(format!("it takes more than {} s", patience.as_secs_f64())))
}

fn start(line: &str) -> std::io::Result<Group> {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line).env_clear();
    command.envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.process_group(0).current_dir("/").kill_on_drop(true).spawn()?;
    let id = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    Ok(Group { child, id })
}

async fn finish(group: &mut Group) -> Result<String, String> {
    let (out, err) = (group.child.stdout.take(), group.child.stderr.take());
    let (out, err) = tokio::try_join!(read(out), read(err))?;
    if let Some(id) = group.id {
        ended(id).await?;
    }
    // What it left behind goes with it, and before its own number is free for others.
    group.kill();
    let status = group.child.wait().await.map_err(|error| error.to_string())?;
    if status.success() {
        return Ok(out);
    }
    let last = err.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let last: String = last.trim().chars().take(200).collect();
    Err(format!("it ends with {status}{}{last}", if last.is_empty() { "" } else { ": " }))
}

/// Waits for the end of a child, and leaves it to be waited for.
async fn ended(id: Pid) -> Result<(), String> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    // The thread ends with the child, which does not outlive its time.
    let waiting = tokio::task::spawn_blocking(move || waitid(Id::Pid(id), flags));
    waiting.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string()).map(|_| ())
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> Result<String, String> {
    let Some(stream) = stream else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    stream.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes).await.map_err(|error| error.to_string())?;
    if bytes.len() > MOST_BYTES {
        return Err(format!("it prints more than {} KB", MOST_BYTES >> 10));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
