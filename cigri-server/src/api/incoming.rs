//! Parameters on their way in: read in pieces as they come, so that their number does not matter.

use actix_multipart::{Field, Multipart, MultipartError};
use cigri_core::language::{ParameterReader, Problem, Problems};
use futures_util::StreamExt;

use super::once::Once;
use super::respond::ApiError;

/// The part of a request that holds the parameters, as far as it has been read.
pub(super) struct Incoming {
    /// None when all of it has been read: what follows is not given before it is dropped.
    field: Option<Field>,
    /// What comes after it: nothing may.
    parts: Multipart,
    /// None when all of it has been read.
    reader: Option<ParameterReader>,
    path: &'static str,
    /// Names of the parameters, if they have any.
    pub(super) names: Vec<String>,
    /// Texts of tasks that were read and not taken yet.
    pub(super) pending: Vec<String>,
    /// What was said of them at the end.
    pub(super) warnings: Vec<Problem>,
}

impl Incoming {
    /// Reads as far as the names, if there are to be any.
    pub(super) async fn begin(
        reader: ParameterReader,
        (field, parts): (Field, Multipart),
        once: &mut Once,
    ) -> Result<Self, ApiError> {
        once.part("parameters");
        let (path, is_table) = (reader.path(), reader.is_table());
        let (names, pending, warnings) = (Vec::new(), Vec::new(), Vec::new());
        let mut incoming = Self { field: Some(field), parts, reader: Some(reader), path, names, pending, warnings };
        while is_table && incoming.names.is_empty() && incoming.read_piece(once).await? {}
        Ok(incoming)
    }

    /// Reads a piece; false at the end.
    pub(super) async fn read_piece(&mut self, once: &mut Once) -> Result<bool, ApiError> {
        let Some(mut reader) = self.reader.take() else { return Ok(false) };
        let Some(bytes) = next(self.field.as_mut()).await else {
            let (names, warnings) = reader.finish(&mut self.pending).map_err(invalid)?;
            (self.names, self.warnings) = (names, warnings);
            self.end().await?;
            return Ok(false);
        };
        let bytes = bytes.map_err(super::intake::bad_part)?;
        once.bytes(&bytes);
        reader.push(&bytes, &mut self.pending).map_err(invalid)?;
        if self.names.is_empty() {
            self.names = reader.names().to_vec();
        }
        self.reader = Some(reader);
        Ok(true)
    }

    /// A part that follows would have been read too late to mean anything.
    async fn end(&mut self) -> Result<(), ApiError> {
        self.field = None;
        let Some(next) = self.parts.next().await else { return Ok(()) };
        let next = next.map_err(super::intake::bad_part)?;
        let name = next.name().unwrap_or("without a name");
        Err(ApiError::bad_request(format!("the part `parameters` must be the last one; {name} follows it")))
    }

    /// That there was none.
    pub(super) fn none(&self) -> ApiError {
        invalid(Problem::new(self.path, "no parameter", "at least one line"))
    }
}

async fn next(field: Option<&mut Field>) -> Option<Result<bytes::Bytes, MultipartError>> {
    field?.next().await
}

fn invalid(problem: Problem) -> ApiError {
    ApiError::campaign(&Problems(vec![problem]))
}
