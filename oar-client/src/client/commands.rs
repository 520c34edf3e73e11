//! Changes: submit, delete, hold, resume. None is ever repeated here.

use crate::client::Client;
use crate::error::Error;
use crate::new_job::NewJob;
use crate::outcome::DeleteOutcome;
use crate::token::Token;
use crate::urgency::Urgency;
use crate::{request, response};

impl Client {
    /// Submits a job or an array, and gives the id: of an array, its first job's id, which is also the
    /// array's. After an error that [`Error::is_doubt`], look for the job by its name before trying again.
    pub async fn submit(&self, token: &Token, job: &NewJob) -> Result<u64, Error> {
        let answer = self.change(Urgency::Submit, request::submit(self.base(), token, job)?).await?;
        response::submitted(&answer)
    }

    /// Asks for a job to be killed. What is answered proves nothing about the job's state.
    pub async fn delete(&self, token: &Token, id: u64) -> Result<DeleteOutcome, Error> {
        let answer = self.change(Urgency::Delete, request::delete(self.base(), token, id, false)?).await?;
        response::deleted(&answer)
    }

    /// Asks for all jobs of an array to be killed. OAR needs about 0.1 s for each and schedules nothing
    /// meanwhile, so keep this to small arrays.
    pub async fn delete_array(&self, token: &Token, array_id: u64) -> Result<DeleteOutcome, Error> {
        let answer = self.change(Urgency::Delete, request::delete(self.base(), token, array_id, true)?).await?;
        response::deleted(&answer)
    }

    /// Asks for a waiting job to be held; false when OAR refuses (no such job, wrong state, other owner).
    pub async fn hold(&self, token: &Token, id: u64) -> Result<bool, Error> {
        let answer = self.change(Urgency::Delete, request::hold(self.base(), token, id)?).await?;
        response::accepted(&answer)
    }

    /// Asks for a held job to go on; false when OAR refuses (no such job, not held, other owner).
    pub async fn resume(&self, token: &Token, id: u64) -> Result<bool, Error> {
        let answer = self.change(Urgency::Submit, request::resume(self.base(), token, id)?).await?;
        response::accepted(&answer)
    }
}
