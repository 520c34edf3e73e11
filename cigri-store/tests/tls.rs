//! TLS to PostgreSQL: there with the feature `postgres-tls`, and refused in words without it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(feature = "postgres-tls")]
mod databases;

use cigri_store::Store;

#[cfg(not(feature = "postgres-tls"))]
#[test]
fn a_build_without_tls_says_that_it_cannot() {
    let error = Store::open("postgres://cigri:hunter2@127.0.0.1:1/grid?sslmode=require", "test").err().unwrap();
    let text = error.to_string();
    assert!(text.contains("postgres-tls") && !text.contains("hunter2"), "{text}");
}

#[cfg(feature = "postgres-tls")]
#[test]
fn a_session_that_requires_tls_is_encrypted() {
    use databases::server::{Server, credentials};
    use diesel::connection::SimpleConnection as _;
    use diesel::pg::PgConnection;
    use diesel::prelude::*;

    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let pems = [certified.cert.pem(), certified.signing_key.serialize_pem()];
    let Some(server) = Server::start_with_tls(port, [&pems[0], &pems[1]]) else { return };
    let (user, password) = credentials();
    let url = |mode: &str| format!("postgres://{user}:{password}@127.0.0.1:{port}/postgres?sslmode={mode}");
    let store = Store::open(&url("require"), "first").unwrap();
    assert_eq!(store.instance().unwrap(), "first");
    let encrypted = "DO $$ BEGIN ASSERT (SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE application_name = 'cigri'), 'a plain session'; END $$";
    let mut beside = PgConnection::establish(&url("disable")).unwrap();
    beside.batch_execute(encrypted).unwrap();
    drop(store);
    let _plain = Store::open(&url("disable"), "second").unwrap();
    assert!(beside.batch_execute(encrypted).is_err(), "the check sees plain sessions");
    drop(server);
}
