//! The ledger as it stands on disk, read without the server: from a copy, so that nothing in it is touched.

use std::collections::BTreeMap;
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;

/// One job row.
#[derive(Debug, QueryableByName)]
pub(crate) struct Job {
    /// Index of its task.
    #[diesel(sql_type = BigInt)]
    pub(crate) task_index: i64,
    /// State.
    #[diesel(sql_type = Text)]
    pub(crate) state: String,
}

/// One submission row.
#[derive(Debug, QueryableByName)]
pub(crate) struct Submission {
    /// Remote name.
    #[diesel(sql_type = Text)]
    pub(crate) name: String,
    /// State.
    #[diesel(sql_type = Text)]
    pub(crate) state: String,
}

/// Everything that the checks look at.
#[derive(Debug)]
pub(crate) struct Ledger {
    /// Every attempt.
    pub(crate) jobs: Vec<Job>,
    /// Every submission.
    pub(crate) submissions: Vec<Submission>,
}

impl Ledger {
    /// Reads the database that a killed or stopped server left.
    pub(crate) fn read(data_dir: &Path) -> Ledger {
        let copy = tempfile::tempdir().unwrap();
        for file in ["cigri.sqlite", "cigri.sqlite-wal"] {
            let source = data_dir.join(file);
            if source.exists() {
                std::fs::copy(source, copy.path().join(file)).unwrap();
            }
        }
        let file = copy.path().join("cigri.sqlite");
        let mut database = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
        let jobs = diesel::sql_query("SELECT task_index, state FROM job ORDER BY id");
        let submissions = diesel::sql_query("SELECT name, state FROM submission ORDER BY id");
        Ledger { jobs: jobs.load(&mut database).unwrap(), submissions: submissions.load(&mut database).unwrap() }
    }

    /// Rows per state.
    pub(crate) fn states(&self) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
        let count = |states: &mut dyn Iterator<Item = &String>| {
            let mut counts = BTreeMap::new();
            states.for_each(|state| *counts.entry(state.clone()).or_default() += 1);
            counts
        };
        let submissions = count(&mut self.submissions.iter().map(|row| &row.state));
        (submissions, count(&mut self.jobs.iter().map(|row| &row.state)))
    }
}
