//! What the face asks of the real machine: its load, and files.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::capture::Capture;
use crate::face::{Outside, Unreadable, Wanted, last_lines};

/// Bytes at the end of a file among which its last lines are looked for.
const TAIL_WINDOW: u64 = 1024 * 1024;

/// The machine that the cluster runs on.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) capture: Option<Arc<Capture>>,
}

impl Outside for World {
    fn load(&self) -> Option<String> {
        let averages = std::fs::read_to_string("/proc/loadavg").ok()?;
        averages.split_whitespace().next().map(str::to_owned)
    }

    fn read(&self, wanted: &Wanted) -> Result<Vec<u8>, Unreadable> {
        let content = match &self.capture {
            Some(capture) if !wanted.outputs.is_empty() => capture.read(&wanted.outputs, wanted.tail),
            _ => read_file(&wanted.path, wanted.tail),
        };
        content.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied if std::fs::metadata(&wanted.path).is_ok() => Unreadable::Forbidden,
            _ => Unreadable::Missing,
        })
    }
}

fn read_file(path: &str, tail: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        // Also keeps fifos and devices from blocking the reader for ever.
        return Err(io::ErrorKind::NotFound.into());
    }
    if tail > 0 {
        file.seek(SeekFrom::Start(about.len().saturating_sub(TAIL_WINDOW)))?;
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(last_lines(&content, tail).to_vec())
}
