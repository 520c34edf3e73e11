//! The file with one task a line: checked and read in pieces, so that its size does not matter.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use cigri_core::language::{Limits, LineSplitter, Problem};
use sha2::{Digest, Sha256};

use super::campaign_file::{invalid, unreadable};
use crate::exit::Failure;

/// Bytes read at a time.
const PIECE: usize = 64 * 1024;

/// A parameter file whose lines are sound.
#[derive(Debug)]
pub(crate) struct ParameterFile {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// How many tasks it holds.
    pub(crate) count: u64,
    /// What deserves a look in it.
    pub(crate) warnings: Vec<Problem>,
}

impl ParameterFile {
    /// Reads it once: every line is checked and counted, every byte goes into the digest.
    pub(super) fn check(path: PathBuf, limits: &Limits, digest: &mut Sha256) -> Result<Self, Failure> {
        let mut lines = Lines::open(path, limits)?;
        let mut count = 0;
        loop {
            let parameters = lines.next_piece(|bytes| digest.update(bytes))?;
            let Some(parameters) = parameters else { break };
            count += parameters.len() as u64;
        }
        if count == 0 {
            return Err(empty(&lines.shown));
        }
        Ok(Self { path: lines.path, count, warnings: lines.warnings })
    }
}

/// The parameters of a file, piece by piece.
pub(super) struct Lines {
    path: PathBuf,
    shown: String,
    file: File,
    splitter: Option<LineSplitter>,
    piece: Vec<u8>,
    /// Known at the end.
    warnings: Vec<Problem>,
}

impl Lines {
    /// Opens the file at its beginning.
    pub(super) fn open(path: PathBuf, limits: &Limits) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let fail = |error: std::io::Error| unreadable(&shown, &error.to_string());
        let kind = std::fs::metadata(&path).map_err(fail)?;
        if !kind.is_file() {
            let what = if kind.is_dir() { "it is a directory" } else { "it is not a regular file" };
            return Err(unreadable(&shown, &format!("{what}; a file with one parameter a line was expected")));
        }
        let file = File::open(&path).map_err(fail)?;
        Ok(Self {
            path,
            shown,
            file,
            splitter: Some(LineSplitter::new(limits)),
            piece: vec![0; PIECE],
            warnings: Vec::new(),
        })
    }

    /// The parameters that the next piece completes (there may be none); `None` at the end. `seen` gets the bytes.
    pub(super) fn next_piece(&mut self, mut seen: impl FnMut(&[u8])) -> Result<Option<Vec<String>>, Failure> {
        let Some(mut splitter) = self.splitter.take() else { return Ok(None) };
        let read = self.file.read(&mut self.piece).map_err(|error| unreadable(&self.shown, &error.to_string()))?;
        let bytes = self.piece.get(..read).unwrap_or_default();
        seen(bytes);
        let mut parameters = Vec::new();
        let result = if read == 0 {
            splitter.finish(&mut parameters).map(|warnings| self.warnings = warnings)
        } else {
            let pushed = splitter.push(bytes, &mut parameters);
            self.splitter = Some(splitter);
            pushed
        };
        result.map_err(|problem| invalid(&self.shown, vec![problem]))?;
        Ok(Some(parameters))
    }
}

fn empty(shown: &str) -> Failure {
    Failure::Campaign {
        message: format!("`{shown}` holds no parameters; one line a task was expected"),
        problems: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_longer_than_a_piece_come_out_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.txt");
        let long = "x".repeat(PIECE - 10);
        std::fs::write(&path, format!("{long}\nshort\n{long}")).unwrap();
        let mut lines = Lines::open(path, &Limits::default()).unwrap();
        let mut found = Vec::new();
        while let Some(parameters) = lines.next_piece(|_| ()).unwrap() {
            found.extend(parameters);
        }
        assert_eq!(found, [long.clone(), "short".into(), long]);
    }
}
