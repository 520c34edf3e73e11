//! The captured output of all jobs in one appended file, `output.log`, so that a job costs no files.
//!
//! The file is a sequence of frames: a header line `#oar-local JOB o|e LENGTH`, that many bytes, and a line break.
//! Where each job's frames are is kept in memory and found again by reading the headers.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::face::{Stream, last_lines};

const MARK: &str = "#oar-local ";

/// The log and its index.
#[derive(Debug)]
pub(crate) struct Capture {
    log: Mutex<Log>,
}

#[derive(Debug)]
struct Log {
    file: File,
    end: u64,
    /// Offset and length of each piece, by job and output.
    index: HashMap<(u64, Stream), Vec<(u64, u64)>>,
}

impl Capture {
    /// Opens or creates the log in `folder`. A frame cut off by a crash is removed; so are those of jobs that
    /// `is_kept` refuses, once they fill half of the file.
    pub(crate) fn open(folder: &Path, is_kept: impl Fn(u64) -> bool) -> io::Result<Self> {
        let path = folder.join("output.log");
        let mut log = Log::read(open(&path)?)?;
        let length = |pieces: &Vec<(u64, u64)>| pieces.iter().map(|(_, length)| length).sum::<u64>();
        let dead = |((job, _), _): &(&(u64, Stream), &Vec<(u64, u64)>)| !is_kept(*job);
        let waste: u64 = log.index.iter().filter(dead).map(|(_, pieces)| length(pieces)).sum();
        if waste > log.end / 2 {
            log.index.retain(|(job, _), _| is_kept(*job));
            log = log.rewritten(&path)?;
        }
        Ok(Self { log: Mutex::new(log) })
    }

    /// Adds a piece of a job's output. A full disk loses output, never the job: the piece is dropped whole.
    pub(crate) fn append(&self, job: u64, stream: Stream, piece: &[u8]) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.append(job, stream, piece).is_err() {
            let end = log.end;
            // If not even this works, the rest of the file is unreadable until the next start repairs it.
            let _ = log.file.set_len(end);
            let _ = log.file.seek(SeekFrom::Start(end));
        }
    }

    /// The outputs of jobs one after the other: their last `tail` lines, or everything for 0.
    pub(crate) fn read(&self, outputs: &[(u64, Stream)], tail: usize) -> io::Result<Vec<u8>> {
        let (file, pieces) = {
            let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            let pieces = outputs.iter().filter_map(|output| log.index.get(output)).flatten().copied();
            (log.file.try_clone()?, pieces.collect::<Vec<_>>())
        };
        let mut content = Vec::new();
        for &(offset, length) in pieces.iter().rev() {
            let mut piece = vec![0; usize::try_from(length).unwrap_or(0)];
            file.read_exact_at(&mut piece, offset)?;
            piece.extend_from_slice(&content);
            content = piece;
            // One line break more than lines: the last line may be unfinished.
            if tail > 0 && content.iter().filter(|byte| **byte == b'\n').count() > tail {
                break;
            }
        }
        Ok(last_lines(&content, tail).to_vec())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).write(true).truncate(false).open(path)
}

impl Log {
    fn read(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let mut reader = BufReader::with_capacity(1 << 16, &file);
        let mut index: HashMap<_, Vec<_>> = HashMap::new();
        let mut end = 0;
        let mut header = Vec::new();
        loop {
            header.clear();
            let read = reader.read_until(b'\n', &mut header)? as u64;
            let Some((key, length)) = parse_header(&header) else { break };
            let next = end + read + length + 1;
            if next > size {
                break;
            }
            index.entry(key).or_default().push((end + read, length));
            reader.seek_relative(i64::try_from(length + 1).unwrap_or(0))?;
            end = next;
        }
        file.set_len(end)?;
        (&file).seek(SeekFrom::Start(end))?;
        Ok(Self { file, end, index })
    }

    fn append(&mut self, job: u64, stream: Stream, piece: &[u8]) -> io::Result<()> {
        let letter = if stream == Stream::Out { 'o' } else { 'e' };
        let mut frame = format!("{MARK}{job} {letter} {}\n", piece.len()).into_bytes();
        let start = self.end + frame.len() as u64;
        frame.extend_from_slice(piece);
        frame.push(b'\n');
        self.file.write_all(&frame)?;
        self.end += frame.len() as u64;
        self.index.entry((job, stream)).or_default().push((start, piece.len() as u64));
        Ok(())
    }

    /// A new file with the indexed pieces only, in the place of the old one.
    fn rewritten(&self, path: &Path) -> io::Result<Self> {
        let beside: PathBuf = path.with_extension("new");
        let mut new = Self { file: File::create(&beside)?, end: 0, index: HashMap::new() };
        let mut pieces: Vec<_> =
            self.index.iter().flat_map(|(key, list)| list.iter().map(move |place| (place, key))).collect();
        pieces.sort_unstable_by_key(|(place, _)| **place);
        for (&(offset, length), &(job, stream)) in pieces {
            let mut piece = vec![0; usize::try_from(length).unwrap_or(0)];
            self.file.read_exact_at(&mut piece, offset)?;
            new.append(job, stream, &piece)?;
        }
        BufWriter::new(&new.file).flush()?;
        std::fs::rename(&beside, path)?;
        Self::read(open(path)?)
    }
}

fn parse_header(header: &[u8]) -> Option<((u64, Stream), u64)> {
    let text = std::str::from_utf8(header).ok()?.strip_prefix(MARK)?.strip_suffix('\n')?;
    let mut fields = text.split(' ');
    let job = fields.next()?.parse().ok()?;
    let stream = match fields.next()? {
        "o" => Stream::Out,
        "e" => Stream::Err,
        _ => return None,
    };
    Some(((job, stream), fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(capture: &Capture, job: u64, tail: usize) -> Vec<u8> {
        capture.read(&[(job, Stream::Out)], tail).unwrap()
    }

    #[test]
    fn pieces_are_found_again_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let capture = Capture::open(folder.path(), |_| true).unwrap();
        capture.append(1, Stream::Out, b"#oar-local 9 o 3\n\0\xff");
        capture.append(2, Stream::Err, b"oops\n");
        capture.append(1, Stream::Out, b"more\n");
        drop(capture);
        let capture = Capture::open(folder.path(), |_| true).unwrap();
        assert_eq!(out(&capture, 1, 0), b"#oar-local 9 o 3\n\0\xffmore\n");
        assert_eq!(out(&capture, 1, 1), b"\0\xffmore\n");
        assert_eq!(capture.read(&[(2, Stream::Err)], 0).unwrap(), b"oops\n");
        assert_eq!(out(&capture, 3, 0), b"");
    }

    #[test]
    fn a_frame_cut_off_by_a_crash_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let capture = Capture::open(folder.path(), |_| true).unwrap();
        capture.append(1, Stream::Out, b"whole");
        capture.append(2, Stream::Out, b"torn");
        drop(capture);
        let path = folder.path().join("output.log");
        let size = path.metadata().unwrap().len();
        open(&path).unwrap().set_len(size - 3).unwrap();
        let capture = Capture::open(folder.path(), |_| true).unwrap();
        assert_eq!(out(&capture, 2, 0), b"");
        capture.append(3, Stream::Out, b"next");
        assert_eq!((out(&capture, 1, 0), out(&capture, 3, 0)), (b"whole".to_vec(), b"next".to_vec()));
    }

    #[test]
    fn the_output_of_dropped_jobs_gives_its_room_back() {
        let folder = tempfile::tempdir().unwrap();
        let capture = Capture::open(folder.path(), |_| true).unwrap();
        capture.append(1, Stream::Out, &[b'x'; 5000]);
        capture.append(2, Stream::Out, b"kept");
        drop(capture);
        let capture = Capture::open(folder.path(), |job| job == 2).unwrap();
        assert_eq!(out(&capture, 2, 0), b"kept");
        assert!(folder.path().join("output.log").metadata().unwrap().len() < 100);
    }
}
