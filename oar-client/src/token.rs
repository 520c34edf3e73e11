//! The user's JWT: kept from logs by its type, and read (never verified) for its user and expiry.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// A JWT bearer token. `Debug` and `Display` print a mask; it is never logged nor put in a URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// What OAR puts in a token. Read without verifying the signature: only the server holds the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The acting user on the cluster.
    pub user: String,
    /// End of validity, epoch seconds; without it the token is accepted for ever.
    pub expires_at: Option<i64>,
    /// When it was issued, epoch seconds, if it says so.
    pub issued_at: Option<i64>,
}

/// Why a text cannot be used as a token. Never holds the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Nothing but blanks.
    #[error("the token is empty")]
    Empty,
    /// Blanks, control characters or non-ASCII inside: it cannot travel in a header.
    #[error("the token holds a character that no token has")]
    Characters,
    /// Not three parts separated by dots with a JSON object in the middle.
    #[error("the token is not a JWT (three parts separated by dots)")]
    NotJwt,
    /// OAR takes the acting user from the claim `user`.
    #[error("the token has no `user` claim")]
    NoUser,
}

impl Token {
    /// Keeps the token, without the blanks around it (a token read from a file ends in a newline).
    pub fn new(text: impl Into<String>) -> Result<Token, InvalidToken> {
        let text = text.into();
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(InvalidToken::Empty);
        }
        if !trimmed.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidToken::Characters);
        }
        Ok(Token(trimmed.to_owned()))
    }

    /// Reads user and expiry, without any verification.
    pub fn claims(&self) -> Result<Claims, InvalidToken> {
        let mut parts = self.0.split('.');
        let (Some(_), Some(body), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(InvalidToken::NotJwt);
        };
        let bytes = URL_SAFE_NO_PAD.decode(body.trim_end_matches('=')).map_err(|_| InvalidToken::NotJwt)?;
        let claims: WireClaims = serde_json::from_slice(&bytes).map_err(|_| InvalidToken::NotJwt)?;
        match claims.user {
            Some(user) if !user.is_empty() => Ok(Claims {
                user,
                expires_at: claims.exp.map(|seconds| seconds as i64),
                issued_at: claims.date.as_deref().and_then(seconds_of),
            }),
            _ => Err(InvalidToken::NoUser),
        }
    }

    /// The secret itself, for encrypting it at rest or sending it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer ****")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer ****")
    }
}

/// JWT dates may carry fractions of a second.
#[derive(Deserialize)]
struct WireClaims {
    user: Option<String>,
    exp: Option<f64>,
    date: Option<String>,
}

/// OAR's `YYYY-MM-DD HH:MM:SS` in UTC, in seconds from the epoch (the date-to-days algorithm of Howard Hinnant). `None` for
/// anything else, and for years that no token is of.
fn seconds_of(date: &str) -> Option<i64> {
    let numbers: Vec<i64> = date.split(['-', ' ', ':']).map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let &[year @ 1970..=9999, month @ 1..=12, day @ 1..=31, hour @ 0..24, minute @ 0..60, second @ 0..=60] =
        &numbers[..]
    else {
        return None;
    };
    let (shifted_year, shifted_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (shifted_year.div_euclid(400), shifted_year.rem_euclid(400));
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> Token {
        let body = URL_SAFE_NO_PAD.encode(claims);
        Token::new(format!("eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJl")).unwrap()
    }

    #[test]
    fn a_token_never_shows_itself() {
        let token = token(r#"{"user":"alice"}"#);
        assert_eq!(format!("{token} {token:?}"), "Bearer **** Bearer ****");
    }

    #[test]
    fn user_and_expiry_are_read() {
        let claims = token(r#"{"user":"alice","exp":1826694746,"date":"2026-11-21 07:12:26"}"#).claims().unwrap();
        assert_eq!(claims.user, "alice");
        assert_eq!(claims.expires_at, Some(1_826_694_746));
        assert_eq!(claims.issued_at, Some(1_795_245_146), "364 days before");
    }

    #[test]
    fn a_date_that_is_none_is_not_known() {
        assert_eq!(seconds_of("1970-01-01 00:00:00"), Some(0));
        assert_eq!(seconds_of("2000-02-29 23:59:59"), Some(951_868_799));
        for wrong in ["", "yesterday", "2026-13-01 00:00:00", "2026-11-21", "2026-11-21 07:12:26 7", "-1-1-1 1:1:1"] {
            assert_eq!(seconds_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_without_expiry_is_valid_for_ever() {
        let claims = token(r#"{"user":"alice"}"#).claims().unwrap();
        assert_eq!(claims.expires_at, None);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        assert_eq!(Token::new(" \n"), Err(InvalidToken::Empty));
        assert_eq!(Token::new("a b"), Err(InvalidToken::Characters));
        assert_eq!(Token::new("é"), Err(InvalidToken::Characters));
        let garbage = Token::new("garbage").unwrap();
        assert_eq!(garbage.claims(), Err(InvalidToken::NotJwt));
        assert_eq!(token(r#"{"exp":1}"#).claims(), Err(InvalidToken::NoUser), "no user claim");
    }

    #[test]
    fn the_newline_of_a_file_is_dropped() {
        assert_eq!(Token::new("a.b.c\n").unwrap().expose(), "a.b.c");
    }
}
