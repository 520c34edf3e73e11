//! What users ask of existing jobs: deletion, hold, resumption. Texts and codes are those of OAR's command line
//! tools, which its REST API hands through.

use super::Machine;
use super::event::EventKind;
use super::job::State;
use super::life::Ending;
use super::record::Record;

/// What OAR's tool would have printed, and its exit status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Printed text.
    pub text: String,
    /// 0 accepted, 1 refused, 6 already deleted, 7 missing.
    pub exit_status: i32,
}

impl Machine {
    /// Asks for the end of one job.
    pub fn delete(&mut self, id: u64, user: &str, now: i64) -> Outcome {
        self.delete_each(&[id], user, now)
    }

    /// Asks for the end of a whole array.
    pub fn delete_array(&mut self, array: u64, user: &str, now: i64) -> Outcome {
        let ids: Vec<u64> = self.rows(array).filter(|job| job.array() == array).map(|job| job.id).collect();
        if ids.is_empty() {
            let text = format!("#WARNING: There are no job for this array job ({array}) 4\n");
            return Outcome { text, exit_status: 0 };
        }
        self.delete_each(&ids, user, now)
    }

    fn delete_each(&mut self, ids: &[u64], user: &str, now: i64) -> Outcome {
        let mut text = String::new();
        let mut exit_status = 0;
        let mut accepted = Vec::new();
        let mut known = false;
        for &id in ids {
            let (status, note) = self.frag(id, user, now);
            text.push_str(&format!("Deleting the job = {id} ...\n{note}\n"));
            exit_status = if status == 0 { exit_status } else { status };
            known |= matches!(status, 0 | 6);
            if status == 0 {
                accepted.push(id);
            }
        }
        if known {
            text.push_str(&format!("The job(s) {accepted:?}  will be deleted in the near future.\n"));
        }
        self.rounds.wake(now);
        self.react(now);
        Outcome { text, exit_status }
    }

    fn frag(&mut self, id: u64, user: &str, now: i64) -> (i32, String) {
        let Some(job) = self.jobs.get(&id) else {
            return (7, format!("#WARNING: Cannot frag {id} ; Job does not exist. -3"));
        };
        if !may(user, &job.batch.user) {
            return (1, format!("#ERROR: Cannot frag {id} ; You are not the right user. -1"));
        }
        if job.fragged {
            return (6, format!("#WARNING: Cannot frag {id} ; This job was already killed. -2"));
        }
        let asked = EventKind::Frag(user.into());
        match job.state {
            State::Waiting | State::Hold => {
                let events = vec![self.event(asked, now)];
                self.record(Record::Frag(id, false, events));
                self.normal.remove(&id);
                self.besteffort.remove(&id);
                self.finish(id, Ending::Error, &[], now);
            }
            State::Terminated | State::Error => {
                let events = vec![self.event(asked, now)];
                self.record(Record::Frag(id, false, events));
            }
            State::ToLaunch | State::Launching | State::Running => self.kill(id, &[asked], now),
        }
        (0, String::new())
    }

    /// Holds a waiting job.
    pub fn hold(&mut self, id: u64, user: &str, now: i64) -> Outcome {
        let refused = |why: &str| refuse("hold", id, why);
        let Some(job) = self.jobs.get(&id) else {
            return refused("this job does not exist. -1");
        };
        if !may(user, &job.batch.user) {
            return refused("you are not the right user. -2");
        }
        if !matches!(job.state, State::Waiting | State::Hold) {
            return refused("the job is not in the right state (try '-r' option). -3");
        }
        self.normal.remove(&id);
        self.besteffort.remove(&id);
        let events = vec![self.event(EventKind::Hold(user.into()), now)];
        self.record(Record::Hold(id, State::Hold, events));
        self.rounds.wake(now);
        self.react(now);
        Outcome { text: format!("[{id}] Hold request was sent to the OAR server.\n"), exit_status: 0 }
    }

    /// Lets a held job wait again.
    pub fn resume(&mut self, id: u64, user: &str, now: i64) -> Outcome {
        let refused = |why: &str| refuse("resume", id, why);
        let Some(job) = self.jobs.get(&id) else {
            return refused("this job does not exist. -1");
        };
        if !may(user, &job.batch.user) {
            return refused("you are not the right user. -2");
        }
        if job.state != State::Hold {
            return refused("the job is not in the Hold or Suspended state. -3");
        }
        let events = vec![self.event(EventKind::Resume(user.into()), now)];
        self.record(Record::Hold(id, State::Waiting, events));
        self.enqueue(id);
        self.rounds.wake(now);
        self.react(now);
        Outcome { text: format!("[{id}] Resume request was sent to the OAR server.\n"), exit_status: 0 }
    }
}

fn refuse(verb: &str, id: u64, why: &str) -> Outcome {
    Outcome { text: format!("#ERROR: /!\\ Cannot {verb} {id} : {why}\n"), exit_status: 1 }
}

fn may(user: &str, owner: &str) -> bool {
    user == owner || matches!(user, "oar" | "root")
}
