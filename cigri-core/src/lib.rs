//! CiGri's domain: the campaign language, states, policy and decisions.
//!
//! Everything here is a synchronous function from values (and `now`, where time matters) to values:
//! no I/O, no clock, no chance, no `async`. The shell (`cigri-server`) carries out what is decided here.
//!
//! In the order of a campaign's life: [`language`] (parse, resolve, expand), [`admission`] (what the administrator
//! says to it), [`command`] (what a cluster is asked to run), [`task_ids`] (what its tasks are called), [`group`]
//! (several tasks in one job), [`turn`] (prologue, sample, tasks, epilogue: whose turn it is), [`sample`] (how a
//! sample ended), [`gathering`] (what becomes of its files), [`ledger`] (names and adoption of submissions),
//! [`absence`] (what is missing), [`canary`] (what is another's), [`sweep`] (what nobody knows), [`cause`] (why a
//! remote job ended), [`signature`] (what its program printed last), [`failure`] (what kind of trouble that was),
//! [`policy`] (how often, when and where such are tried again), [`breaker`] (where so much of it is that a pause is due),
//! [`stuck`] (what goes neither on nor back), [`reaction`] (what to do about it), [`explain`] (what failures have in
//! common), [`mod@remedy`] (what a user can do), [`condition`] (which tasks a user means), [`ask`] (what they are to have
//! instead), [`calendar`] (when), [`meter`] (how many jobs may go), [`fair`] and [`plan`] (whose), [`usage`] (what they
//! had), [`token`] (whether they may), [`notice`] (who is told of what), [`state`] (the transition tables).

pub mod absence;
pub mod admission;
pub mod ask;
pub mod breaker;
pub mod calendar;
pub mod canary;
pub mod cause;
pub mod command;
pub mod condition;
pub mod event;
pub mod explain;
pub mod failure;
pub mod fair;
pub mod gathering;
pub mod group;
pub mod language;
pub mod ledger;
pub mod meter;
pub mod notice;
pub mod plan;
pub mod policy;
pub mod reaction;
pub mod remedy;
pub mod sample;
pub mod signature;
pub mod state;
pub mod stuck;
pub mod sweep;
pub mod task_ids;
pub mod token;
pub mod turn;
pub mod usage;
