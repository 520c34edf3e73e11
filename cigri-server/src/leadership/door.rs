//! Where a leader takes what the others pass on: a listener, and the certificate that they are told to trust.

use std::net::TcpListener;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::data_dir::StartError;
use crate::settings::StandbySettings;

/// A bound address with a certificate made for this process.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) tls: ServerConfig,
    /// `host:port`, as others reach it.
    pub(crate) address: String,
    /// DER.
    pub(crate) certificate: Vec<u8>,
}

impl Door {
    /// `None` where the settings name no address.
    pub(crate) fn open(settings: &StandbySettings) -> Result<Option<Door>, StartError> {
        if settings.listen.is_empty() {
            return Ok(None);
        }
        let failed = |error: &dyn std::fmt::Display| StartError::Standby(format!("{}: {error}", settings.listen));
        let listener = TcpListener::bind(&settings.listen).map_err(|error| failed(&error))?;
        let bound = listener.local_addr().map_err(|error| failed(&error))?;
        let address = if settings.advertise.is_empty() { bound.to_string() } else { settings.advertise.clone() };
        let made = rcgen::generate_simple_self_signed([host(&address).to_owned()]).map_err(|error| failed(&error))?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key))
            .map_err(|error| failed(&error))?;
        Ok(Some(Door { listener, tls, address, certificate: made.cert.der().to_vec() }))
    }
}

/// The host of `host:port`; an IPv6 address is in brackets there.
fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_ports() {
        assert_eq!(
            ["a.example:8443", "192.0.2.7:1", "[2001:db8::1]:8443"].map(host),
            ["a.example", "192.0.2.7", "2001:db8::1"]
        );
    }
}
