//! The way to the server that leads: what it published, made usable.

use std::sync::Arc;
use std::time::Duration;

use cigri_store::{Candidate, LeaseRow};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::secret::Sealer;

/// How long a connection to the leader may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Another server, which leads.
pub(crate) struct Leader {
    pub(crate) epoch: i64,
    /// Its name, for people.
    pub(crate) holder: String,
    /// `None` where it takes no passed requests.
    pub(crate) way: Option<Way>,
}

/// How to pass requests on.
pub(crate) struct Way {
    /// `https://host:port`.
    pub(crate) base: String,
    /// Trusts the leader's certificate and no other.
    pub(crate) client: reqwest::Client,
    pub(crate) secret: String,
}

impl Leader {
    /// What a lease says. A way that cannot be used is told, and is none.
    pub(super) fn of(row: LeaseRow, sealer: &Sealer) -> Leader {
        let (epoch, published) = (row.epoch, row.leader);
        let way = match Way::to(&published, sealer) {
            Ok(way) => way,
            Err(error) => {
                tracing::warn!(leader = %published.holder, "changes cannot be passed on to the leader: {error}");
                None
            }
        };
        Leader { epoch, holder: published.holder, way }
    }
}

impl Way {
    fn to(published: &Candidate, sealer: &Sealer) -> Result<Option<Way>, Box<dyn std::error::Error>> {
        if published.address.is_empty() {
            return Ok(None);
        }
        let secret = sealer.unseal(&published.secret)?;
        let client = client(&published.certificate)?;
        Ok(Some(Way { base: format!("https://{}", published.address), client, secret }))
    }
}

fn client(certificate: &[u8]) -> Result<reqwest::Client, Box<dyn std::error::Error>> {
    let mut trusted = RootCertStore::empty();
    trusted.add(CertificateDer::from(certificate))?;
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().connect_timeout(CONNECT);
    // A change is sent once: a connection that the leader was closing must not make it doubtful.
    let client = client.pool_max_idle_per_host(0).redirect(reqwest::redirect::Policy::none());
    Ok(client.retry(reqwest::retry::never()).build()?)
}
