//! The campaign language (JDL): from the text a user wrote to a resolved campaign.
//!
//! `parse` turns JSON text into what was written, with nothing defaulted; `resolve` applies defaults and inheritance and
//! reports all problems at once; the parameters then become tasks, one each. Pure: no file, clock or network is touched,
//! so the command line checks a file with exactly the code the server uses.

mod added;
mod checkpoint;
mod checks;
mod clusters;
mod dependents;
mod endless;
mod escalate;
pub(crate) mod expanded;
mod field;
mod fields;
mod grouping;
mod level;
mod limits;
mod lines;
mod local;
pub(crate) mod macros;
mod manual;
mod max_failures;
pub(crate) mod named;
mod output;
mod parameters;
mod parts;
mod problem;
mod reader;
mod resolve;
mod resources;
mod retries;
mod schema;
mod script;
mod settings;
mod shell;
mod spec;
mod step;
mod sweep;
mod table;
mod test_mode;
mod tree;
mod walltime;
mod written;

pub use added::parse_added;
pub(crate) use checks::COMMAND_END;
pub use endless::already_over;
pub use limits::Limits;
pub use lines::LineSplitter;
pub use local::{Notice, adapt_to_local};
pub use manual::with_field_tables;
pub use named::check_names;
pub use parameters::{Parameters, check_parameter};
pub use parts::{
    AfterTest, Checkpoint, Endless, Escalation, Gathering, Grouping, InTurn, MaxFailures, Output, Step, TestMode,
};
pub(crate) use problem::nearest;
pub use problem::{Problem, Problems};
pub use resolve::{Context, Resolved, resolve};
pub use resources::parse_resources;
pub use schema::json_schema;
pub use spec::{CampaignSpec, ClusterSpec, JobKind};
pub use sweep::{Axis, Design, Points, Spread, Sweep, labelled, named_values, quoted};
pub use table::{ParameterReader, TableFormat};
pub use walltime::parse_walltime;
pub use written::{Written, parse};
