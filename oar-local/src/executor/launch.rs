//! Creates the process of a job, in its own process group, with its output going to files or to pipes.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, PipeReader};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::time::{ClockId, clock_gettime};

use super::environment::Surroundings;
use super::plain::{Plain, recognise};
use crate::machine::{Job, LaunchFailure, absolute};

/// Kernel clock ticks per second in `/proc`, the same on every Linux that Rust runs on.
const TICKS: i64 = 100;

/// A running job.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) child: Child,
    /// Readable once the process is over, before it is reaped.
    pub(crate) over: OwnedFd,
    /// Output and errors, when they are captured.
    pub(crate) pipes: Option<[PipeReader; 2]>,
    /// The command of a shell function that the program stands in for: bash would have reported a signal.
    pub(crate) stands_in: Option<String>,
    /// Clock ticks since boot just before the process was created.
    pub(crate) born: u64,
}

/// What became of a launch.
#[derive(Debug)]
pub(crate) enum Launch {
    Running(Box<Launched>),
    Failed(LaunchFailure),
    /// The command line is longer than the system takes; a shell would end with 126 and say so.
    TooLong,
}

/// Starts the process of `job`; `captured` selects pipes instead of OAR's files.
pub(crate) fn launch(job: &Job, surroundings: &Surroundings, captured: bool) -> Launch {
    match try_launch(job, surroundings, captured) {
        Ok(launched) => Launch::Running(Box::new(launched)),
        Err(Failure::Output) => Launch::Failed(LaunchFailure::OutputFiles),
        Err(Failure::Process(error)) if error.kind() == ErrorKind::ArgumentListTooLong => Launch::TooLong,
        Err(Failure::Process(_)) if !can_enter(&job.batch.directory) => Launch::Failed(LaunchFailure::WorkingDirectory),
        Err(Failure::Process(_)) => Launch::Failed(LaunchFailure::Node),
    }
}

enum Failure {
    Output,
    Process(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Process(error)
    }
}

fn can_enter(directory: &str) -> bool {
    // Entering needs the search permission, which looking up `.` needs as well.
    Path::new(directory).join(".").metadata().is_ok_and(|found| found.is_dir())
}

fn try_launch(job: &Job, surroundings: &Surroundings, captured: bool) -> Result<Launched, Failure> {
    let sinks = || if captured { Ok(Sinks::pipes()?) } else { Sinks::files(job) };
    let born = ticks_since_boot();
    if let Some((plain, program)) = direct(job, surroundings) {
        let command = direct_command(&plain, &program, surroundings);
        match spawn(command, job, surroundings, sinks()?) {
            Ok((child, pipes)) => return finish(child, pipes, plain.in_function, born),
            // Bash knows what to do with a script without interpreter, and how to report the rest.
            Err(error) if error.kind() != ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    let (child, pipes) = spawn(bash_command(job, surroundings), job, surroundings, sinks()?)?;
    finish(child, pipes, None, born)
}

/// As OAR starts a job.
pub(super) fn bash_command(job: &Job, surroundings: &Surroundings) -> Command {
    let mut command = Command::new("/bin/bash");
    command.arg("-c").arg(job.command()).env("SHLVL", surroundings.shell_level(false));
    command
}

pub(super) fn direct(job: &Job, surroundings: &Surroundings) -> Option<(Plain, std::path::PathBuf)> {
    let plain = recognise(&job.command())?;
    let program = surroundings.find_program(plain.words.first()?, &job.batch.directory)?;
    Some((plain, program))
}

pub(super) fn direct_command(plain: &Plain, program: &Path, surroundings: &Surroundings) -> Command {
    let mut command = Command::new(program);
    if let Some((name, arguments)) = plain.words.split_first() {
        command.arg0(name).args(arguments);
    }
    command.env("SHLVL", surroundings.shell_level(plain.in_function.is_some())).env("_", program);
    command.envs(plain.exports.iter().map(|(name, value)| (name, value)));
    command
}

/// Creates the process; its output can be read from the pipes, if its sinks are pipes.
pub(super) fn spawn(
    mut command: Command,
    job: &Job,
    surroundings: &Surroundings,
    sinks: Sinks,
) -> io::Result<(Child, Option<[PipeReader; 2]>)> {
    let own = command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    let own: Vec<(OsString, OsString)> = own.collect();
    let base = surroundings.base().iter().map(|(name, value)| (name, value));
    command.env_clear().envs(base).envs(surroundings.variables(job)?).envs(own);
    command.current_dir(&job.batch.directory).process_group(0);
    command.stdin(Stdio::null()).stdout(sinks.out).stderr(sinks.err);
    // The command holds the writing ends of the pipes: it must be gone before anybody waits for their end.
    Ok((command.spawn()?, sinks.readers))
}

fn finish(
    mut child: Child,
    pipes: Option<[PipeReader; 2]>,
    stands_in: Option<String>,
    born: u64,
) -> Result<Launched, Failure> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let over = pid
        .ok_or(ErrorKind::InvalidData.into())
        .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from));
    match over {
        Ok(over) => Ok(Launched { child, over, pipes, stands_in, born }),
        Err(error) => {
            // Without a way to watch it, the process must not go on.
            let _ = child.kill();
            let _ = child.wait();
            Err(Failure::Process(error))
        }
    }
}

/// Where a job's output goes.
pub(super) struct Sinks {
    out: OwnedFd,
    err: OwnedFd,
    readers: Option<[PipeReader; 2]>,
}

impl Sinks {
    pub(super) fn pipes() -> io::Result<Self> {
        let ((from_out, out), (from_err, err)) = (io::pipe()?, io::pipe()?);
        Ok(Self { out: out.into(), err: err.into(), readers: Some([from_out, from_err]) })
    }

    fn files(job: &Job) -> Result<Self, Failure> {
        let directory = &job.batch.directory;
        if !can_enter(directory) {
            return Err(Failure::Process(ErrorKind::NotFound.into()));
        }
        let open = |file: &str| open_output(&absolute(directory, file)).map_err(|_| Failure::Output);
        let (out, err) = (open(&job.stdout_file())?, open(&job.stderr_file())?);
        Ok(Self { out: out.into(), err: err.into(), readers: None })
    }
}

/// Opens one of OAR's output files, as OAR does, to append.
pub(crate) fn open_output(path: &str) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn ticks_since_boot() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    u64::try_from(now.tv_sec * TICKS + now.tv_nsec * TICKS / 1_000_000_000).unwrap_or(0)
}
