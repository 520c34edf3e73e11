//! What the operating system charges for a task, with no program of ours around it: the rate that
//! every other one is compared with. The command line is the campaign's: `true` with an argument loads the
//! locale, and costs half as much again as without.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// Starts `/bin/true INDEX` and waits for it, `tasks` times in all, on `threads` threads.
///
/// `Command` uses `posix_spawn` here, as nothing asks for code to run between fork and exec.
pub(crate) fn run(tasks: &str, threads: &str) -> Result<(), String> {
    let tasks: u64 = parse(tasks)?;
    let threads: u64 = parse(threads)?;
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| take_tasks(&next, tasks))).collect();
        workers.into_iter().try_for_each(|worker| {
            let outcome = worker.join();
            outcome.unwrap_or_else(|_| Err("a thread panicked".into()))
        })
    })
}

fn parse(number: &str) -> Result<u64, String> {
    number.parse().map_err(|error| format!("`{number}` is not a number: {error}"))
}

fn take_tasks(next: &AtomicU64, tasks: u64) -> Result<(), String> {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= tasks {
            return Ok(());
        }
        let status = Command::new("/bin/true")
            .arg(index.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|error| format!("cannot start /bin/true: {error}"))?;
        if !status.success() {
            return Err(format!("/bin/true ended with {status}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_tasks_run_and_what_is_no_number_is_refused() {
        assert_eq!(run("3", "2"), Ok(()));
        assert!(run("many", "2").unwrap_err().contains("`many`"));
    }
}
