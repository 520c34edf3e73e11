//! Who is asking: OAR's JSON web tokens, and its three ways to refuse them.

use http::header;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::answer::{Answer, Problem, stamped};
use super::call::Call;

/// OAR's packaged token lifetime: 364 days, in seconds.
const FULL_LIFETIME: i64 = 524_160 * 60;

/// Signs and checks tokens (HS256; claims `user`, `exp`, `date`).
pub struct Auth {
    sign: EncodingKey,
    check: DecodingKey,
    validation: Validation,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
}

/// What a request's credentials say.
enum Credential {
    Absent,
    OtherScheme,
    /// Garbage, a wrong signature, or expired: OAR does not tell them apart.
    Bad,
    /// A good token that names nobody.
    Nobody,
    User(String),
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").finish_non_exhaustive()
    }
}

impl Auth {
    /// Tokens signed with `secret`.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // The clock is the caller's: expiry is checked here, not by the library.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        Self { sign: EncodingKey::from_secret(secret), check: DecodingKey::from_secret(secret), validation }
    }

    /// A token of `user` that lives `lifetime` seconds from `now` (epoch milliseconds).
    #[must_use]
    pub fn issue(&self, user: &str, lifetime: i64, now: i64) -> String {
        let seconds = now.div_euclid(1000);
        let claims = Claims {
            user: Some(user.to_owned()),
            exp: Some(seconds.saturating_add(lifetime)),
            date: Some(civil_date(seconds)),
        };
        // Signing a few strings with a shared secret cannot fail; an empty token would be refused everywhere.
        encode(&Header::new(Algorithm::HS256), &claims, &self.sign).unwrap_or_default()
    }

    fn credential(&self, header: Option<&str>, now: i64) -> Credential {
        let Some((scheme, token)) = header.and_then(|text| text.trim().split_once(' ')) else {
            return Credential::Absent;
        };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Credential::OtherScheme;
        }
        let Ok(token) = decode::<Claims>(token.trim(), &self.check, &self.validation) else {
            return Credential::Bad;
        };
        if token.claims.exp.is_some_and(|exp| exp <= now.div_euclid(1000)) {
            return Credential::Bad;
        }
        token.claims.user.map_or(Credential::Nobody, Credential::User)
    }
}

/// The user of a protected route.
pub(super) fn user(call: &Call<'_>) -> Result<String, Problem> {
    match credential(call)? {
        Credential::User(user) => Ok(user),
        _ => Err(Problem::Unauthorized),
    }
}

fn credential(call: &Call<'_>) -> Result<Credential, Problem> {
    let refuse = |text: &str| Err(Problem::Detail(403, text.to_owned()));
    match call.face.auth.credential(call.header(header::AUTHORIZATION), call.now) {
        Credential::Absent => refuse("Not authenticated"),
        Credential::OtherScheme => refuse("Invalid authentication credentials"),
        other => Ok(other),
    }
}

pub(super) fn whoami(call: &Call<'_>) -> Answer {
    match credential(call)? {
        Credential::User(user) => stamped(json!({ "authenticated_user": user }), call.now),
        Credential::Nobody => Err(Problem::Crash),
        _ => stamped(json!({ "authenticated_user": "" }), call.now),
    }
}

pub(super) fn check_token(call: &Call<'_>) -> Answer {
    stamped(json!({ "user": user(call)?, "auth": "Token valid" }), call.now)
}

pub(super) fn get_new_token(call: &Call<'_>) -> Answer {
    let token = call.face.auth.issue(&user(call)?, FULL_LIFETIME, call.now);
    stamped(json!({ "OAR_API_TOKEN": token }), call.now)
}

/// `YYYY-MM-DD HH:MM:SS` in UTC, from epoch seconds (the days-to-date algorithm of Howard Hinnant).
pub(crate) fn civil_date(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_civil() {
        assert_eq!(civil_date(0), "1970-01-01 00:00:00");
        assert_eq!(civil_date(951_782_399), "2000-02-28 23:59:59");
        assert_eq!(civil_date(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(civil_date(1_795_246_706), "2026-11-21 07:38:26");
    }

    #[test]
    fn expiry_follows_the_callers_clock() {
        let auth = Auth::new(b"secret");
        let header = format!("bearer {}", auth.issue("alice", 60, 1_000_000));
        let user = |now| matches!(auth.credential(Some(&header), now), Credential::User(user) if user == "alice");
        assert!(user(1_000_000));
        assert!(!user(1_060_000));
        assert!(matches!(Auth::new(b"other").credential(Some(&header), 1_000_000), Credential::Bad));
    }
}
