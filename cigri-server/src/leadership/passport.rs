//! Who is calling, on a request that one server passes on to another: a token signed with the leader's secret.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

/// How long a passed request may be on its way, seconds.
const LIFETIME_S: i64 = 60;

#[derive(Serialize, Deserialize)]
struct Claims {
    /// The caller's login.
    sub: String,
    /// Epoch seconds.
    exp: i64,
}

/// Names the caller to whoever knows the secret; `None` if it cannot be signed.
pub(crate) fn issue(secret: &str, login: &str, now_ms: i64) -> Option<String> {
    let claims = Claims { sub: login.to_owned(), exp: now_ms / 1000 + LIFETIME_S };
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(secret.as_bytes())).ok()
}

/// The login that a passport names, if it was signed with the secret and is not too old. Clocks of servers may differ
/// by a minute.
pub(crate) fn login(secret: &str, token: &str) -> Option<String> {
    let validation = Validation::new(Algorithm::HS256);
    let claims = decode::<Claims>(token, &DecodingKey::from_secret(secret.as_bytes()), &validation).ok()?.claims;
    (!claims.sub.is_empty()).then_some(claims.sub)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now_ms;

    #[test]
    fn a_passport_names_its_caller_to_the_holder_of_the_secret_for_a_while() {
        let token = issue("s3cret", "alice", now_ms()).unwrap();
        assert_eq!(login("s3cret", &token).as_deref(), Some("alice"));
        assert_eq!(login("another", &token), None);
        assert_eq!(login("s3cret", &issue("s3cret", "alice", now_ms() - 600_000).unwrap()), None, "too old");
        assert_eq!(login("s3cret", &issue("s3cret", "", now_ms()).unwrap()), None, "nobody");
        assert_eq!(login("s3cret", "garbage"), None);
    }

    #[test]
    fn an_unsigned_passport_is_none() {
        let head = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        let token = issue("s3cret", "root", now_ms()).unwrap();
        let body = token.split('.').nth(1).unwrap();
        assert_eq!(login("s3cret", &format!("{head}.{body}.")), None);
    }
}
