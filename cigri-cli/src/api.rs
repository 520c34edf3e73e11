//! Client of CiGri's REST API over a Unix socket: typed answers, and the server's own words where it refuses.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::exit::Failure;
use cigri_api::{Campaign, ErrorBody, ErrorCode, List};
use reqwest::{Client, RequestBuilder, Response};
use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long a server may take for an answer. Generous: a busy machine is no broken server.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a server that went away may take to be there again, or to be replaced.
const RETURN: Duration = Duration::from_secs(15);
/// Between two attempts meanwhile.
const PAUSE: Duration = Duration::from_millis(200);
/// Idle connections are dropped before the server drops them.
const IDLE: Duration = Duration::from_secs(2);

/// A server at a socket.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    http: Client,
    socket: PathBuf,
    runs_jobs: bool,
}

/// What makes a request that is sent more than once have one effect.
#[derive(Debug, Clone)]
pub(crate) struct Once {
    key: String,
    again: bool,
}

impl Once {
    /// Under this key, else under one that nobody else has. `again`: whether the body can be sent a second time.
    pub(crate) fn new(key: Option<&str>, again: bool) -> Result<Self, Failure> {
        let key = key.map_or_else(random_key, |key| Ok(key.to_owned()))?;
        if key.chars().any(|character| character != ' ' && !character.is_ascii_graphic()) {
            return Err(Failure::Usage("--idempotency-key: printable ASCII characters were expected".into()));
        }
        Ok(Self { key, again })
    }
}

fn random_key() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Environment(format!("no random bytes: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What is read of `GET /health`.
#[derive(Debug, Deserialize)]
struct Health {
    /// Servers that do nothing else do not say so.
    #[serde(default = "yes")]
    runs_jobs: bool,
}

fn yes() -> bool {
    true
}

/// Why there is no answer of the wanted type.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// Nobody listens at the socket.
    #[error("no CiGri server answers at `{}`: {reason}", socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The connection broke, or the answer did not come in time.
    #[error("the CiGri server at `{}` went away: {reason}", socket.display())]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The server understood and refused.
    #[error("{}", .0.message)]
    Refused(Box<ErrorBody>),
    /// The answer is not one of CiGri's.
    #[error("the answer from `{}` is not CiGri's: {reason}", socket.display())]
    Strange {
        /// The socket.
        socket: PathBuf,
        /// What came instead.
        reason: String,
    },
}

impl ApiError {
    /// True when no connection was made: the request cannot have had an effect.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// True when the server is gone, before or during the request.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Broken { .. })
    }

    /// True when nobody knows whether the request was carried out.
    fn is_doubtful(&self) -> bool {
        let lost = |body: &ErrorBody| body.status == 502 && body.code == ErrorCode::Internal;
        matches!(self, Self::Broken { .. }) || matches!(self, Self::Refused(body) if lost(body))
    }

    /// True when the request was not carried out for want of a server, and may be soon.
    fn is_absence(&self) -> bool {
        self.is_unreachable() || matches!(self, Self::Refused(body) if body.code == ErrorCode::NoLeader)
    }

    /// True when the server says that there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(body) if body.code == ErrorCode::NotFound)
    }

    /// True when the server says that the present state does not allow it.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused(body) if body.code == ErrorCode::Conflict)
    }
}

impl Api {
    /// A client of the server at `socket`, which must answer.
    pub(crate) async fn connect(socket: &Path) -> Result<Self, ApiError> {
        let strange = |reason: String| ApiError::Strange { socket: socket.to_owned(), reason };
        let http = Client::builder()
            .unix_socket(socket)
            .tls_backend_preconfigured(no_tls().map_err(|error| strange(error.to_string()))?)
            .pool_idle_timeout(IDLE)
            .build()
            .map_err(|error| strange(error.to_string()))?;
        let mut api = Self { http, socket: socket.to_owned(), runs_jobs: false };
        api.runs_jobs = api.get::<Health>("/health").await?.runs_jobs;
        Ok(api)
    }

    /// False for a server that only answers requests: a short-lived command in a data directory that nobody serves.
    pub(crate) fn runs_jobs(&self) -> bool {
        self.runs_jobs
    }

    /// `GET path`.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.get_with(path, &()).await
    }

    /// `GET path` with query parameters.
    pub(crate) async fn get_with<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T, ApiError> {
        self.answer(self.http.get(url(path)).query(query).timeout(PATIENCE)).await
    }

    /// `GET path`, the body as it is.
    pub(crate) async fn text(&self, path: &str) -> Result<String, ApiError> {
        let bytes = self.body(self.http.get(url(path)).timeout(PATIENCE)).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// `GET path` with query parameters, the body as it is.
    pub(crate) async fn text_with(&self, path: &str, query: &impl Serialize) -> Result<String, ApiError> {
        let bytes = self.body(self.http.get(url(path)).query(query).timeout(PATIENCE)).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// `GET path`, the body piece by piece; no time limit. An answer that ends too early is an error.
    pub(crate) async fn download(
        &self,
        path: &str,
        mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<u64, Failure> {
        let answer = self.http.get(url(path)).send().await.map_err(|error| self.failure(&error))?;
        let mut answer = self.accepted(answer).await?;
        let mut received = 0;
        while let Some(piece) = answer.chunk().await.map_err(|error| self.failure(&error))? {
            received += piece.len() as u64;
            take(&piece)?;
        }
        Ok(received)
    }

    /// `POST path` without a body.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.answer(self.http.post(url(path)).timeout(PATIENCE)).await
    }

    /// `POST path` with a JSON body.
    pub(crate) async fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        self.answer(self.http.post(url(path)).json(body).timeout(PATIENCE)).await
    }

    /// `POST path` with what `body` adds to the request, which has one effect however often it is sent; no time limit,
    /// as it may be large. An answer that is lost is asked for again.
    pub(crate) async fn post_once<T: DeserializeOwned>(
        &self,
        path: &str,
        once: &Once,
        body: impl AsyncFn(RequestBuilder) -> Result<RequestBuilder, Failure>,
    ) -> Result<T, Failure> {
        let send = async || {
            let request = self.http.post(url(path)).header("Idempotency-Key", &once.key);
            Ok::<_, Failure>(self.answer(body(request).await?).await)
        };
        let first = send().await?;
        if !first.as_ref().is_err_and(ApiError::is_doubtful) || !once.again {
            return Ok(first?);
        }
        let deadline = Instant::now() + RETURN;
        loop {
            let answer = send().await?;
            if !answer.as_ref().is_err_and(ApiError::is_absence) || Instant::now() >= deadline {
                return Ok(answer?);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// `PATCH path` with a JSON body and query parameters.
    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
        body: &impl Serialize,
    ) -> Result<T, ApiError> {
        self.answer(self.http.patch(url(path)).query(query).json(body).timeout(PATIENCE)).await
    }

    /// `PUT path` without a body.
    pub(crate) async fn put<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.answer(self.http.put(url(path)).timeout(PATIENCE)).await
    }

    /// `DELETE path` with query parameters.
    pub(crate) async fn delete_with<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T, ApiError> {
        self.answer(self.http.delete(url(path)).query(query).timeout(PATIENCE)).await
    }

    /// `DELETE path`.
    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.answer(self.http.delete(url(path)).timeout(PATIENCE)).await
    }

    /// One campaign.
    pub(crate) async fn campaign(&self, id: i64) -> Result<Campaign, ApiError> {
        self.get(&format!("/campaigns/{id}")).await
    }

    /// The campaigns that are not finished, or all.
    pub(crate) async fn campaigns(&self, all: bool) -> Result<Vec<Campaign>, ApiError> {
        let list: List<Campaign> = self.get_with("/campaigns", &[("all", u8::from(all))]).await?;
        Ok(list.items)
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ApiError> {
        let bytes = self.body(request).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.strange(format!("{error}")))
    }

    async fn body(&self, request: RequestBuilder) -> Result<Vec<u8>, ApiError> {
        let response = request.send().await.map_err(|error| self.failure(&error))?;
        let response = self.accepted(response).await?;
        self.bytes(response).await
    }

    /// The answer, unless it says no.
    async fn accepted(&self, response: Response) -> Result<Response, ApiError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let bytes = self.bytes(response).await?;
        Err(match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(body) => ApiError::Refused(Box::new(body)),
            Err(_) => self.strange(format!("HTTP status {status}")),
        })
    }

    async fn bytes(&self, response: Response) -> Result<Vec<u8>, ApiError> {
        response.bytes().await.map(Vec::from).map_err(|error| self.failure(&error))
    }

    fn strange(&self, reason: String) -> ApiError {
        ApiError::Strange { socket: self.socket.clone(), reason }
    }

    fn failure(&self, error: &reqwest::Error) -> ApiError {
        let (socket, reason) = (self.socket.clone(), root_cause(error));
        if error.is_connect() {
            return ApiError::Unreachable { socket, reason };
        }
        ApiError::Broken { socket, reason }
    }
}

fn url(path: &str) -> String {
    format!("http://cigri{path}")
}

/// The innermost reason: the layers above it only repeat that a request failed.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// A TLS set-up that trusts nobody: a Unix socket needs none, and reading the system's certificates would cost more
/// time than the request itself.
fn no_tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}
