//! Trying whether a shut gate stops jobs on a cluster.

use diesel::prelude::*;

use crate::schema::gate_test;
use crate::{Result, Store, StoreError};

/// How far a test got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateTestState {
    /// Its jobs are there.
    Posted,
    /// The job behind the gate did not start, the other did.
    Works,
    /// It did.
    Fails,
}

impl GateTestState {
    fn as_str(self) -> &'static str {
        match self {
            GateTestState::Posted => "posted",
            GateTestState::Works => "works",
            GateTestState::Fails => "fails",
        }
    }
}

/// The test of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateTestRow {
    /// The cluster.
    pub cluster: String,
    /// How far it got.
    pub state: GateTestState,
    /// Remote name of the job.
    pub name: String,
    /// Whose token is used.
    pub owner: String,
    /// Remote id of the gate.
    pub gate_id: Option<i64>,
    /// Remote id of the job behind it.
    pub job_id: Option<i64>,
    /// Remote id of a job that waits for nothing.
    pub control_id: Option<i64>,
    /// When it was written down, epoch milliseconds.
    pub posted_at: i64,
}

type Columns = (String, String, String, String, Option<i64>, Option<i64>, Option<i64>, i64);

impl Store {
    /// The test of a cluster, if there was one.
    pub fn find_gate_test(&self, cluster: &str) -> Result<Option<GateTestRow>> {
        let found: Option<Columns> =
            self.read(|connection| Ok(gate_test::table.find(cluster).first(connection).optional()?))?;
        found.map(row).transpose()
    }

    /// Writes a test down in place of an earlier one.
    pub fn put_gate_test(&self, test: &GateTestRow) -> Result<()> {
        self.write(|connection| {
            diesel::delete(gate_test::table.find(&test.cluster)).execute(connection)?;
            diesel::insert_into(gate_test::table)
                .values((
                    (gate_test::cluster.eq(&test.cluster), gate_test::state.eq(test.state.as_str())),
                    (gate_test::name.eq(&test.name), gate_test::owner.eq(&test.owner)),
                    (gate_test::gate_id.eq(test.gate_id), gate_test::job_id.eq(test.job_id)),
                    (gate_test::control_id.eq(test.control_id), gate_test::posted_at.eq(test.posted_at)),
                ))
                .execute(connection)?;
            Ok(())
        })
    }

    /// Forgets a test, so that it is made again.
    pub fn remove_gate_test(&self, cluster: &str) -> Result<()> {
        self.write(|connection| {
            diesel::delete(gate_test::table.find(cluster)).execute(connection)?;
            Ok(())
        })
    }
}

fn row((cluster, state, name, owner, gate_id, job_id, control_id, posted_at): Columns) -> Result<GateTestRow> {
    let state = match state.as_str() {
        "posted" => GateTestState::Posted,
        "works" => GateTestState::Works,
        "fails" => GateTestState::Fails,
        other => return Err(StoreError::Corrupt(format!("gate test state `{other}`"))),
    };
    Ok(GateTestRow { cluster, state, name, owner, gate_id, job_id, control_id, posted_at })
}
