//! The shapes in which OAR's API (FastAPI) answers, good and bad.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

/// A response, or the reason why there is no good one.
pub(super) type Answer = Result<Response<Bytes>, Problem>;

/// Every way in which a request fails.
#[derive(Debug)]
pub(super) enum Problem {
    /// A status with a text under `detail`.
    Detail(u16, String),
    /// Bad, expired or revoked credentials.
    Unauthorized,
    /// The request does not validate.
    Invalid(Vec<Fault>),
    /// What FastAPI makes of an uncaught exception.
    Crash,
}

/// One validation error.
#[derive(Debug)]
pub(super) struct Fault {
    loc: Vec<Value>,
    message: String,
    kind: &'static str,
    context: Option<Value>,
}

impl Fault {
    pub(super) fn new(loc: &[&str], message: &str, kind: &'static str) -> Self {
        let loc = loc.iter().map(|place| json!(place)).collect();
        Self { loc, message: message.to_owned(), kind, context: None }
    }

    /// The place `index` of a list.
    pub(super) fn at(mut self, index: usize) -> Self {
        self.loc.push(json!(index));
        self
    }

    pub(super) fn with_context(mut self, context: Value) -> Self {
        self.context = Some(context);
        self
    }

    pub(super) fn integer(loc: &[&str]) -> Self {
        Self::new(loc, "value is not a valid integer", "type_error.integer")
    }

    pub(super) fn missing(loc: &[&str]) -> Self {
        Self::new(loc, "field required", "value_error.missing")
    }

    fn to_json(&self) -> Value {
        let mut fault = json!({ "loc": self.loc, "msg": self.message, "type": self.kind });
        if let (Some(context), Some(fields)) = (&self.context, fault.as_object_mut()) {
            fields.insert("ctx".to_owned(), context.clone());
        }
        fault
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Invalid(vec![fault])
    }
}

impl Problem {
    pub(super) fn into_response(self) -> Response<Bytes> {
        match self {
            Self::Detail(status, text) => with_status(status, &json!({ "detail": text })),
            Self::Unauthorized => {
                let detail = json!({ "detail": "Could not validate credentials !!! " });
                let mut response = with_status(401, &detail);
                let scheme = header::HeaderValue::from_static("Bearer");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
                response
            }
            Self::Invalid(faults) => {
                let faults: Vec<Value> = faults.iter().map(Fault::to_json).collect();
                with_status(422, &json!({ "detail": faults }))
            }
            Self::Crash => {
                let text = Bytes::from_static(b"Internal Server Error");
                bytes(500, "text/plain; charset=utf-8", text)
            }
        }
    }
}

/// 200 with a JSON body.
pub(super) fn ok(body: &impl Serialize) -> Answer {
    Ok(with_status(200, body))
}

/// 200 with the fields of `body` and the time of the API.
pub(super) fn stamped(mut body: Value, now: i64) -> Answer {
    if let Some(fields) = body.as_object_mut() {
        #[expect(clippy::cast_precision_loss, reason = "epoch milliseconds stay exact in 53 bits")]
        fields.insert("api_timestamp".to_owned(), json!(now as f64 / 1000.0));
        fields.insert("api_timezone".to_owned(), json!("UTC"));
    }
    ok(&body)
}

fn with_status(status: u16, body: &impl Serialize) -> Response<Bytes> {
    match serde_json::to_vec(body) {
        Ok(text) => bytes(status, "application/json", text.into()),
        Err(_) => Problem::Crash.into_response(),
    }
}

/// A response of any content.
pub(super) fn bytes(status: u16, content_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}
