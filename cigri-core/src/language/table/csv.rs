//! Comma-separated values, read in pieces.

use csv_core::{ReadRecordResult, Reader};

use super::super::problem::Problem;
use super::super::tree::counted;
use super::{MOST_NAMES, Rows};

/// A table whose first row names its columns.
pub(super) struct Csv {
    rows: Rows,
    reader: Reader,
    /// The fields of the row under way, one after the other; its length is that of the longest row.
    fields: Vec<u8>,
    /// Where each field ends. One more than there may be, to tell a row with too many.
    ends: [usize; MOST_NAMES + 1],
    /// How much of both the row under way has filled.
    filled: (usize, usize),
    line: usize,
    /// The line that the row under way began on, if one is.
    begun: Option<usize>,
}

impl std::fmt::Debug for Csv {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Csv").field("rows", &self.rows).field("line", &self.line).finish_non_exhaustive()
    }
}

impl Csv {
    pub(super) fn new(rows: Rows) -> Self {
        let fields = vec![0; rows.limits.max_parameter_bytes];
        let (reader, ends) = (Reader::new(), [0; MOST_NAMES + 1]);
        Self { rows, reader, fields, ends, filled: (0, 0), line: 1, begun: None }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.rows.names
    }

    pub(super) fn push(&mut self, chunk: &[u8], texts: &mut Vec<String>) -> Result<(), Problem> {
        let mut rest = chunk;
        loop {
            if self.begun.is_none() {
                rest = self.skip_blank_lines(rest);
            }
            // An empty piece would be the end of the stream.
            if rest.is_empty() {
                return Ok(());
            }
            let read = self.read(rest, texts)?;
            rest = rest.get(read..).unwrap_or_default();
        }
    }

    pub(super) fn finish(mut self, texts: &mut Vec<String>) -> Result<Vec<String>, Problem> {
        if self.begun.is_some() {
            self.read(&[], texts)?;
        }
        Ok(self.rows.names)
    }

    fn skip_blank_lines<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let blank = bytes.iter().take_while(|byte| b"\r\n".contains(byte)).count();
        let (skipped, rest) = bytes.split_at(blank);
        self.line += newlines(skipped);
        rest
    }

    /// Gives the reader bytes up to the end of one row, and takes the row if it is complete; returns how many bytes.
    fn read(&mut self, bytes: &[u8], texts: &mut Vec<String>) -> Result<usize, Problem> {
        let line = *self.begun.get_or_insert(self.line);
        let (fields, ends) = self.filled;
        let (output, output_ends) = (self.fields.get_mut(fields..), self.ends.get_mut(ends..));
        let (Some(output), Some(output_ends)) = (output, output_ends) else { return Err(self.rows.too_long(line)) };
        let (result, read, written, ended) = self.reader.read_record(bytes, output, output_ends);
        self.filled = (fields + written, ends + ended);
        self.line += newlines(bytes.get(..read).unwrap_or_default());
        match result {
            ReadRecordResult::InputEmpty | ReadRecordResult::End => {}
            ReadRecordResult::OutputFull => return Err(self.rows.too_long(line)),
            ReadRecordResult::OutputEndsFull => {
                let found = format!("more than {}", counted(MOST_NAMES, "value"));
                return Err(self.rows.problem(line, found, format!("at most {MOST_NAMES} columns")));
            }
            ReadRecordResult::Record => {
                self.take_row(line, texts)?;
                (self.filled, self.begun) = ((0, 0), None);
            }
        }
        Ok(read)
    }

    fn take_row(&mut self, line: usize, texts: &mut Vec<String>) -> Result<(), Problem> {
        let ends = self.ends.get(..self.filled.1).unwrap_or_default();
        let mut from = 0;
        let mut values = Vec::with_capacity(ends.len());
        for end in ends {
            let value = self.fields.get(from..*end).unwrap_or_default();
            let value = std::str::from_utf8(value).map_err(|error| {
                let byte = value.get(error.valid_up_to()).copied().unwrap_or_default();
                self.rows.problem(line, format!("the byte 0x{byte:02x}"), "UTF-8 text")
            })?;
            values.push(value.to_owned());
            from = *end;
        }
        if self.rows.names.is_empty() {
            let names = values.iter().map(|name| name.trim().to_owned()).collect();
            return self.rows.set_names(names, line);
        }
        let columns = self.rows.names.len();
        if values.len() != columns {
            let expected = format!("{}, as in the first row", counted(columns, "value"));
            return Err(self.rows.problem(line, counted(values.len(), "value"), expected));
        }
        texts.push(self.rows.text(&values, line)?);
        Ok(())
    }
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}
