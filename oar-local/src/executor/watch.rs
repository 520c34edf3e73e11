//! Follows a running job: takes what it prints until its process is over.

use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{Pid, Signal, kill_process_group};

use super::launch::Launched;
use crate::capture::Capture;
use crate::face::Stream;

/// Output kept in memory before it goes to the log.
const BUFFER: usize = 64 * 1024;
/// A job that stays silent this long has its output so far put into the log, where readers see it.
const QUIET: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
/// Bytes kept of each output of a job.
const LIMIT: u64 = 16 * 1024 * 1024;

/// Memory that a worker uses again for every job.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    buffers: [Vec<u8>; 2],
}

/// One output of a job on its way to the log.
struct Tap<'a> {
    job: u64,
    stream: Stream,
    pipe: Option<PipeReader>,
    buffer: &'a mut Vec<u8>,
    kept: u64,
    capture: &'a Capture,
}

/// Waits for the end of the job's process, without reaping it, and puts its output into the log. What the job left
/// behind in its process group is killed.
pub(crate) fn watch(job: u64, launched: &mut Launched, capture: Option<&Capture>, scratch: &mut Scratch) {
    let mut taps = match (launched.pipes.take(), capture) {
        (Some([out, err]), Some(capture)) => {
            let [for_out, for_err] = &mut scratch.buffers;
            let tap = |stream, pipe, buffer| Tap { job, stream, pipe: Some(pipe), buffer, kept: 0, capture };
            vec![tap(Stream::Out, out, for_out), tap(Stream::Err, err, for_err)]
        }
        _ => Vec::new(),
    };
    while !wait_for_something(launched, &mut taps) {}
    kill_group(launched.child.id());
    for tap in &mut taps {
        tap.drain();
        tap.flush();
    }
}

/// Kills a process group, whole.
pub(crate) fn kill_group(leader: u32) {
    // Errors mean that nobody is left to kill.
    if let Some(pid) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// Blocks until there is output or the process is over; true when it is.
fn wait_for_something(launched: &Launched, taps: &mut [Tap<'_>]) -> bool {
    let unseen = taps.iter().any(|tap| !tap.buffer.is_empty());
    let mut events = Vec::with_capacity(3);
    events.push(PollFd::new(&launched.over, PollFlags::IN));
    for tap in taps.iter() {
        if let Some(pipe) = &tap.pipe {
            events.push(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN));
        }
    }
    let ready = match poll(&mut events, unseen.then_some(&QUIET)) {
        Ok(ready) => ready,
        Err(Errno::INTR) => return false,
        // Nothing can be learned any more: what follows blocks until the end.
        Err(_) => return true,
    };
    let happened: Vec<PollFlags> = events.iter().map(PollFd::revents).collect();
    drop(events);
    if ready == 0 {
        taps.iter_mut().for_each(Tap::flush);
        return false;
    }
    let open = taps.iter_mut().filter(|tap| tap.pipe.is_some());
    for (tap, flags) in open.zip(happened.iter().skip(1)) {
        if flags.contains(PollFlags::IN) {
            tap.read();
        } else if !flags.is_empty() {
            tap.pipe = None;
        }
    }
    happened.first().is_some_and(|flags| !flags.is_empty())
}

impl Tap<'_> {
    /// Reads once; false when there is nothing more for now.
    fn read(&mut self) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        let start = self.buffer.len();
        self.buffer.resize(start + BUFFER, 0);
        let outcome = pipe.read(self.buffer.get_mut(start..).unwrap_or_default());
        self.buffer.truncate(start + *outcome.as_ref().unwrap_or(&0));
        match outcome {
            Ok(0) => self.pipe = None,
            Ok(_) if self.buffer.len() >= BUFFER => self.flush(),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                if error.kind() != io::ErrorKind::WouldBlock {
                    self.pipe = None;
                }
                return false;
            }
        }
        true
    }

    /// Takes what is in the pipe now. Somebody outside the group may keep it open for ever, so this never blocks.
    fn drain(&mut self) {
        let set = self.pipe.as_ref().map(|pipe| ioctl_fionbio(pipe, true));
        if set.is_some_and(|set| set.is_ok()) {
            while self.read() && self.pipe.is_some() {}
        }
        self.pipe = None;
    }

    fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let room = usize::try_from(LIMIT.saturating_sub(self.kept)).unwrap_or(usize::MAX);
        if self.buffer.len() > room {
            self.buffer.truncate(room);
            if self.kept <= LIMIT {
                self.buffer.extend_from_slice(b"\n## output cut here: it is too long ##\n");
            }
            self.kept = LIMIT + 1;
        } else {
            self.kept += self.buffer.len() as u64;
        }
        self.capture.append(self.job, self.stream, self.buffer);
        self.buffer.clear();
    }
}
