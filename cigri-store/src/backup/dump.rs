//! `pg_dump` as a stream that fails when the program does.

use std::io::{self, Cursor, Read};
use std::process::{Child, ChildStdout, Stdio};

use super::programs::{Connection, Programs, complaint};
use super::{BackupError, file_error};

/// Schemas in which a restore leaves what it replaced begin so. They are no part of a backup.
pub(crate) const ASIDE: &str = "cigri_before_restore_";

/// As much as is read before anything is promised: a database that cannot be dumped is told at once.
const FIRST: u64 = 64 * 1024;

/// A running `pg_dump`; killed when dropped.
pub(super) struct Dump {
    first: Cursor<Vec<u8>>,
    rest: ChildStdout,
    child: Child,
    over: bool,
}

impl Dump {
    /// Starts it: one transaction that sees the database as it is now.
    pub(super) fn begin(url: &str) -> Result<Dump, BackupError> {
        let mut command = Programs::find()?.command("pg_dump");
        Connection::parse(url).tell(&mut command);
        command.args(["--format=custom", "--no-owner", "--no-privileges", "--lock-wait-timeout=60000"]);
        command.arg(format!("--exclude-schema={ASIDE}*"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(file_error(std::path::Path::new("pg_dump")))?;
        let rest = child.stdout.take().ok_or_else(|| BackupError::Program("pg_dump has no output".to_owned()))?;
        let mut dump = Dump { first: Cursor::default(), rest, child, over: false };
        let mut first = Vec::new();
        let begun = (&mut dump).take(FIRST).read_to_end(&mut first);
        begun.map_err(|error| BackupError::Program(format!("the database cannot be dumped: {error}")))?;
        dump.first = Cursor::new(first);
        Ok(dump)
    }

    /// Nothing more comes: was that all?
    fn finish(&mut self) -> io::Result<()> {
        let mut said = Vec::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_end(&mut said)?;
        }
        let status = self.child.wait()?;
        self.over = true;
        if status.success() {
            return Ok(());
        }
        let output = std::process::Output { status, stdout: Vec::new(), stderr: said };
        Err(io::Error::other(complaint("pg_dump", &output)))
    }
}

impl Read for Dump {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match self.first.read(buffer)? {
            0 => self.rest.read(buffer)?,
            read => read,
        };
        if read == 0 && !buffer.is_empty() && !self.over {
            self.finish()?;
        }
        Ok(read)
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        if !self.over {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}
