//! The file with a task on each line or row: checked and read in pieces, so that its size does not matter.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

use cigri_core::language::{Limits, ParameterReader, Parameters, Problem};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::campaign_file::{invalid, unreadable};
use crate::exit::Failure;

/// Bytes read at a time.
const PIECE: usize = 64 * 1024;

/// Where parameters are read from.
pub(super) enum Place {
    File(PathBuf),
    /// A copy of standard input, which can be read once only; it goes when dropped.
    Copy(NamedTempFile),
}

impl Place {
    /// Copies standard input.
    pub(super) fn standard_input() -> Result<Self, Failure> {
        let fail = |error: std::io::Error| unreadable("-", &error.to_string());
        let mut input = std::io::stdin().lock();
        if input.is_terminal() {
            return Err(unreadable("-", "standard input is a terminal; redirect a file or a program to it"));
        }
        let mut copy = NamedTempFile::new().map_err(fail)?;
        std::io::copy(&mut input, &mut copy).map_err(fail)?;
        Ok(Self::Copy(copy))
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::File(path) => path.clone(),
            Self::Copy(copy) => copy.path().to_owned(),
        }
    }
}

/// A parameter file whose lines are sound.
#[derive(Debug)]
pub(crate) struct ParameterFile {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// How many tasks it holds.
    pub(crate) count: u64,
    /// What deserves a look in it.
    pub(crate) warnings: Vec<Problem>,
    /// Names of the parameters, if they have any.
    pub(crate) names: Vec<String>,
    /// Keeps the copy of standard input, if it is one.
    _copy: Option<NamedTempFile>,
}

impl ParameterFile {
    /// Reads it once: every line is checked and counted, every byte goes into the digest.
    pub(super) fn check(place: Place, parameters: &Parameters, digest: &mut Sha256) -> Result<Self, Failure> {
        let mut lines = Lines::open(place.path(), parameters)?;
        if matches!(place, Place::Copy(_)) {
            lines.shown = "-".to_owned();
        }
        let mut count = 0;
        loop {
            let parameters = lines.next_piece(|bytes| digest.update(bytes))?;
            let Some(parameters) = parameters else { break };
            count += parameters.len() as u64;
        }
        if count == 0 {
            return Err(empty(&lines.shown));
        }
        let copy = match place {
            Place::File(_) => None,
            Place::Copy(copy) => Some(copy),
        };
        Ok(Self { path: lines.path, count, names: lines.names, warnings: lines.warnings, _copy: copy })
    }
}

/// The parameters of a file, piece by piece.
pub(super) struct Lines {
    path: PathBuf,
    shown: String,
    file: File,
    reader: Option<ParameterReader>,
    names: Vec<String>,
    piece: Vec<u8>,
    /// Known at the end.
    warnings: Vec<Problem>,
}

impl Lines {
    /// Opens the file at its beginning.
    pub(super) fn open(path: PathBuf, parameters: &Parameters) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let fail = |error: std::io::Error| unreadable(&shown, &error.to_string());
        let kind = std::fs::metadata(&path).map_err(fail)?;
        if !kind.is_file() {
            let what = if kind.is_dir() { "it is a directory" } else { "it is not a regular file" };
            return Err(unreadable(&shown, &format!("{what}; a file with one parameter a line was expected")));
        }
        let file = File::open(&path).map_err(fail)?;
        let reader = parameters.reader(&Limits::default());
        Ok(Self { path, shown, file, reader, names: Vec::new(), piece: vec![0; PIECE], warnings: Vec::new() })
    }

    /// The parameters that the next piece completes (there may be none); `None` at the end. `seen` gets the bytes.
    pub(super) fn next_piece(&mut self, mut seen: impl FnMut(&[u8])) -> Result<Option<Vec<String>>, Failure> {
        let Some(mut reader) = self.reader.take() else { return Ok(None) };
        let read = self.file.read(&mut self.piece).map_err(|error| unreadable(&self.shown, &error.to_string()))?;
        let bytes = self.piece.get(..read).unwrap_or_default();
        seen(bytes);
        let mut parameters = Vec::new();
        let result = if read == 0 {
            reader.finish(&mut parameters).map(|(names, warnings)| (self.names, self.warnings) = (names, warnings))
        } else {
            let pushed = reader.push(bytes, &mut parameters);
            self.reader = Some(reader);
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
        let mut lines = Lines::open(path, &Parameters::Streamed).unwrap();
        let mut found = Vec::new();
        while let Some(parameters) = lines.next_piece(|_| ()).unwrap() {
            found.extend(parameters);
        }
        assert_eq!(found, [long.clone(), "short".into(), long]);
    }
}
