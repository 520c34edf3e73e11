//! Requests under a key of the caller's: the same one again has no second effect, and is answered with the same campaign.
//!
//! The key is written with the effect, so a request that failed leaves none. Two of the same at the same time are both
//! read; the one that comes second to its end finds the other's key, leaves nothing, and gives the other's answer.

use actix_multipart::Multipart;
use actix_web::{HttpRequest, HttpResponse};
use cigri_api::{Added, Problem, Submitted};
use cigri_store::{KnownKey, NewKey};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::campaigns;
use super::identity::Caller;
use super::intake::bad_part;
use super::respond::ApiError;
use crate::clock::now_ms;
use crate::grid::Grid;

/// The header that holds the key.
pub(super) const HEADER: &str = "idempotency-key";
/// Longest key, in characters.
const LONGEST: usize = 255;

/// What an answer says besides the campaign; kept with the key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Notes {
    pub(super) warnings: Vec<Problem>,
    pub(super) notices: Vec<String>,
    /// How many tasks were added, where the campaign was there before.
    pub(super) added: Option<u64>,
}

impl Notes {
    /// 201 with the campaign as it is now.
    pub(super) async fn answer(self, grid: &Grid, id: i64) -> Result<HttpResponse, ApiError> {
        let campaign = campaigns::read(grid, id).await?;
        let mut answer = HttpResponse::Created();
        answer.insert_header(("Location", format!("/campaigns/{id}")));
        let Notes { warnings, notices, added } = self;
        Ok(match added {
            Some(added) => answer.json(Added { campaign, added, warnings }),
            None => answer.json(Submitted { campaign, warnings, notices }),
        })
    }
}

/// One request, its key if it has one, and the digest of what was read of it so far.
pub(super) struct Once {
    owner: String,
    key: Option<String>,
    whole: Sha256,
    part: Option<Sha256>,
}

impl Once {
    /// The request before its body.
    pub(super) fn of(request: &HttpRequest, caller: &Caller) -> Result<Once, ApiError> {
        let mut values = request.headers().get_all(HEADER);
        let key = values.next().map(|value| value.to_str().ok().and_then(read_key));
        if key == Some(None) || values.next().is_some() {
            let expected = format!("one `Idempotency-Key` of 1 to {LONGEST} printable ASCII characters was expected");
            return Err(ApiError::no_key(expected));
        }
        let mut whole = Sha256::new();
        whole.update(format!("{} {}", request.method(), request.path()));
        Ok(Once { owner: caller.login.clone(), key: key.flatten(), whole, part: None })
    }

    /// Begins the next part of the body.
    pub(super) fn part(&mut self, name: &str) {
        if self.key.is_some() {
            self.end_part();
            self.whole.update([0]);
            self.whole.update(name);
            self.part = Some(Sha256::new());
        }
    }

    /// The next bytes of the part.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        if let Some(part) = &mut self.part {
            part.update(bytes);
        }
    }

    /// Digests of equal length: no other parts give the same bytes.
    fn end_part(&mut self) {
        if let Some(part) = self.part.take() {
            self.whole.update([0]);
            self.whole.update(part.finalize());
        }
    }

    fn digest(&mut self) -> String {
        self.end_part();
        self.whole.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What was done under this key before.
    pub(super) async fn known(&self, grid: &Grid) -> Result<Option<KnownKey>, ApiError> {
        let Some(key) = self.key.clone() else { return Ok(None) };
        let owner = self.owner.clone();
        Ok(crate::blocking(&grid.store, move |store| store.find_key(&owner, &key, now_ms())).await?)
    }

    /// The key of the request, read to its end, to be kept with its effect.
    pub(super) fn key(&mut self, notes: &Notes) -> Option<NewKey> {
        // Texts and lists always have a JSON form.
        self.key_of(|| serde_json::to_string(notes).unwrap_or_default())
    }

    /// The same with an answer of another kind.
    pub(super) fn key_of(&mut self, answer: impl FnOnce() -> String) -> Option<NewKey> {
        let key = self.key.clone()?;
        Some(NewKey { owner: self.owner.clone(), key, digest: self.digest(), answer: answer(), now: now_ms() })
    }

    /// Reads a body whose request was carried out before, to see whether it is the same: as far as a new one is read.
    pub(super) async fn read_all(&mut self, parts: &mut Multipart) -> Result<(), ApiError> {
        while let Some(field) = parts.next().await {
            let mut field = field.map_err(bad_part)?;
            self.part(field.name().unwrap_or_default());
            while let Some(bytes) = field.next().await {
                self.bytes(&bytes.map_err(bad_part)?);
            }
            if field.name() == Some("parameters") {
                break;
            }
        }
        Ok(())
    }

    /// That a request, read to its end, is the one whose key is known.
    pub(super) fn check(&mut self, known: &KnownKey) -> Result<(), ApiError> {
        if known.digest == self.digest() {
            return Ok(());
        }
        let message = "this `Idempotency-Key` came with another request before: nothing was done. \
                       A new request takes a new key";
        Err(ApiError::key_of_another(message))
    }

    /// The answer to a request, read to its end, whose key is known.
    pub(super) async fn again(mut self, grid: &Grid, known: KnownKey) -> Result<HttpResponse, ApiError> {
        self.check(&known)?;
        let notes: Notes = serde_json::from_str(&known.answer).unwrap_or_default();
        notes.answer(grid, known.campaign_id).await
    }

    /// The error, unless it is that the same request was carried out meanwhile.
    pub(super) async fn or_again(self, grid: &Grid, error: ApiError) -> Result<HttpResponse, ApiError> {
        match self.known(grid).await? {
            Some(known) if error.is_repeated() => self.again(grid, known).await,
            _ => Err(error),
        }
    }
}

/// A key as it stands, or the text of a quoted one.
fn read_key(value: &str) -> Option<String> {
    let value = value.trim();
    let key = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let printable = key.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    (printable && (1..=LONGEST).contains(&key.len())).then(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_printable_text_quoted_or_not() {
        assert_eq!(read_key(" a b-1 ").as_deref(), Some("a b-1"));
        assert_eq!(read_key("\"8e03\"").as_deref(), Some("8e03"));
        assert_eq!(read_key(&"x".repeat(255)).map(|key| key.len()), Some(255));
        for bad in ["", " ", "\"\"", "é", "a\tb", &"x".repeat(256)] {
            assert_eq!(read_key(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_digest_tells_parts_from_each_other() {
        let digest = |parts: &[(&str, &[&str])]| {
            let mut once = Once { owner: "a".into(), key: Some("k".into()), whole: Sha256::new(), part: None };
            for (name, pieces) in parts {
                once.part(name);
                pieces.iter().for_each(|piece| once.bytes(piece.as_bytes()));
            }
            once.digest()
        };
        let same = digest(&[("jdl", &["{}"]), ("parameters", &["a\n", "b\n"])]);
        assert_eq!(same, digest(&[("jdl", &["{", "}"]), ("parameters", &["a\nb\n"])]));
        for other in [
            digest(&[("jdl", &["{}"]), ("parameters", &["a\nb"])]),
            digest(&[("jdl", &["{}a\nb\n"])]),
            digest(&[("jdl", &["{}"]), ("parameters", &[]), ("parameters", &["a\nb\n"])]),
            digest(&[("parameters", &["{}"]), ("jdl", &["a\nb\n"])]),
        ] {
            assert_ne!(same, other);
        }
    }
}
