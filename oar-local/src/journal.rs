//! The append-only file of facts, `journal.jsonl`: one JSON record per line, written before anybody sees or acts
//! on what it says. It survives the death of the process (not of the machine: nothing is synced per job).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::machine::Record;

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process works in it.
    #[error("the directory {0} is used by another process")]
    Busy(PathBuf),
    /// A file in it, or the directory itself, cannot be read or written.
    #[error("cannot use {path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The journal was damaged, not merely cut off.
    #[error("the journal {path} is damaged in line {line}: {source}")]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The configuration makes no sense.
    #[error("bad configuration: {0}")]
    Configuration(String),
    /// The threads that run the jobs could not be created.
    #[error("cannot create a thread: {0}")]
    Thread(io::Error),
}

/// An open journal. Nobody else can open it before it is closed.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    lock: Option<File>,
    /// Length of what is surely in the file.
    end: u64,
    /// Records that are not yet in the file.
    pending: Vec<u8>,
}

impl Journal {
    /// Opens the journal of `folder`, created if need be, and reads its records. A last line that a crash cut off is
    /// removed.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Vec<Record>), OpenError> {
        std::fs::create_dir_all(folder).map_err(|error| file_error(folder, error))?;
        let lock = take_lock(folder)?;
        let path = folder.join("journal.jsonl");
        let file = OpenOptions::new().create(true).read(true).write(true).truncate(false).open(&path);
        let mut file = file.map_err(|error| file_error(&path, error))?;
        let (records, end) = read_records(&file, &path)?;
        file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(|error| file_error(&path, error))?;
        Ok((Self { file, path, lock: Some(lock), end, pending: Vec::new() }, records))
    }

    /// Replaces the whole content.
    pub(crate) fn replace(&mut self, records: &[Record]) -> Result<(), OpenError> {
        let beside = self.path.with_extension("new");
        let mut text = Vec::new();
        records.iter().for_each(|record| add_line(&mut text, record));
        let write = || {
            let mut file = File::create(&beside)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&beside, &self.path)?;
            Ok(file)
        };
        self.file = write().map_err(|error| file_error(&self.path, error))?;
        self.end = text.len() as u64;
        Ok(())
    }

    /// Appends records with one write. When that fails they are kept, and the next call tries again.
    pub(crate) fn append(&mut self, records: &[Record]) -> io::Result<()> {
        records.iter().for_each(|record| add_line(&mut self.pending, record));
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.lock.is_none() {
            return Err(io::Error::other("the journal is closed"));
        }
        if let Err(error) = self.file.write_all(&self.pending) {
            self.file.set_len(self.end)?;
            self.file.seek(SeekFrom::Start(self.end))?;
            return Err(error);
        }
        self.end += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    /// Whether everything appended so far is in the file.
    pub(crate) fn is_sound(&self) -> bool {
        self.pending.is_empty()
    }

    /// Lets others open the directory.
    pub(crate) fn close(&mut self) {
        if let Some(lock) = self.lock.take() {
            // Closing alone is not enough: a process that is just being created has a copy until it executes its
            // program. An error means that there is no lock.
            let _ = lock.unlock();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

fn file_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::File { path: path.to_owned(), source }
}

fn take_lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join("lock");
    let file = OpenOptions::new().create(true).write(true).truncate(false).open(&path);
    let file = file.map_err(|error| file_error(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Busy(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(file_error(&path, error)),
    }
}

fn add_line(text: &mut Vec<u8>, record: &Record) {
    // Writing plain data into memory cannot fail.
    if serde_json::to_writer(&mut *text, record).is_ok() {
        text.push(b'\n');
    }
}

fn read_records(file: &File, path: &Path) -> Result<(Vec<Record>, u64), OpenError> {
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let (mut records, mut end, mut line) = (Vec::new(), 0, Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(|error| file_error(path, error))?;
        if line.pop() != Some(b'\n') {
            return Ok((records, end));
        }
        match serde_json::from_slice(&line) {
            Ok(record) => records.push(record),
            Err(source) => {
                let (path, line) = (path.to_owned(), records.len() + 1);
                return Err(OpenError::Damaged { path, line, source });
            }
        }
        end += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Record> {
        vec![Record::Opened { next_job: 3, next_event: 1 }, Record::Run(1, 99, 1234)]
    }

    #[test]
    fn records_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, found) = Journal::open(folder.path()).unwrap();
        assert_eq!(found, []);
        journal.append(&records()).unwrap();
        drop(journal);
        assert_eq!(Journal::open(folder.path()).unwrap().1, records());
    }

    #[test]
    fn a_line_cut_off_by_a_crash_is_forgotten_and_a_damaged_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path()).unwrap();
        journal.append(&records()).unwrap();
        journal.file.write_all(b"{\"run\":[2,7").unwrap();
        drop(journal);
        let (mut journal, found) = Journal::open(folder.path()).unwrap();
        assert_eq!(found, records());
        journal.file.write_all(b"nonsense\n{}\n").unwrap();
        drop(journal);
        assert!(matches!(Journal::open(folder.path()), Err(OpenError::Damaged { line: 3, .. })));
    }

    #[test]
    fn only_one_process_can_open_it() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path()).unwrap();
        let error = Journal::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains("is used by another process"), "{error}");
        journal.close();
        assert!(Journal::open(folder.path()).is_ok());
    }

    #[test]
    fn what_could_not_be_written_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (mut journal, _) = Journal::open(folder.path()).unwrap();
        let writable = std::mem::replace(&mut journal.file, File::open("/dev/null").unwrap());
        assert!(journal.append(&records()).is_err());
        assert!(!journal.is_sound());
        journal.file = writable;
        journal.append(&[]).unwrap();
        drop(journal);
        assert_eq!(Journal::open(folder.path()).unwrap().1, records());
    }
}
