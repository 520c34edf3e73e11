//! A typed client of the OAR 3 REST API, useful without the rest of this workspace.
//!
//! OAR 3's API is easy to hurt: one bad request can make it answer 500 for ever, two requests at a
//! time make it fail, and a POST whose answer was lost may have been carried out or not. This crate
//! keeps those facts in one place:
//!
//! - [`NewJob::validate`] and [`JobQuery`] refuse, before anything is sent, what is known to break the API;
//! - [`request`] and [`response`] build and read messages without any I/O, so both are tested against
//!   exchanges recorded from a real OAR 3;
//! - a [`Transport`] carries one message ([`HttpTransport`], or a function call in tests);
//! - [`Client`] joins them, lets one database request at a time through, the most urgent first and all within a
//!   [`Budget`], and walks the pages;
//! - [`Error`] says for each failure whether the request is certainly not done or in doubt.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use oar_client::{Client, HttpTransport, NewJob, Settings, Token};
//!
//! let base: url::Url = "https://oar.example.org/oarapi/".parse()?;
//! let transport = std::sync::Arc::new(HttpTransport::new(&base)?);
//! let client = Client::new(base, transport, Settings::default());
//! let token = Token::new(std::env::var("OAR_TOKEN")?)?;
//! let job = NewJob {
//!     command: "/bin/hostname".to_owned(),
//!     resources: vec!["/core=1,walltime=0:10:0".to_owned()],
//!     types: vec!["besteffort".to_owned()],
//!     ..NewJob::default()
//! };
//! job.check_columns(&client.column_kinds().await?).map_err(oar_client::Error::Invalid)?;
//! let id = client.submit(&token, &job).await?;
//! println!("{:?}", client.job(id).await?.map(|job| job.state));
//! # Ok(())
//! # }
//! ```

mod budget;
mod client;
mod condition;
mod error;
mod http_transport;
mod job;
mod lane;
mod new_job;
mod outcome;
mod paging;
mod pressure;
mod property;
mod property_kinds;
mod query;
mod refusal;
pub mod request;
mod resource;
mod resource_request;
pub mod response;
mod sql_words;
mod state;
mod token;
mod transport;
mod urgency;
mod validate;

pub use budget::{BURST, Budget, LARGEST_DEBT, LONGEST_CHARGED, OWED, Which};
pub use client::{Client, Settings};
pub use condition::Condition;
pub use error::{Error, Invalid};
pub use http_transport::HttpTransport;
pub use job::{JobDetails, JobEvent, JobSummary};
pub use new_job::NewJob;
pub use outcome::{DeleteOutcome, Version};
pub use pressure::{Counter, Counters, Pressure};
pub use property::property_columns;
pub use property_kinds::{ColumnKind, check_property, column_kinds};
pub use query::{JobQuery, Page};
pub use request::Base;
pub use resource::{Census, Resource};
pub use resource_request::resource_columns;
pub use state::State;
pub use token::{Claims, InvalidToken, Token};
pub use transport::{BodyLimit, Transport, TransportError};
pub use urgency::Urgency;
