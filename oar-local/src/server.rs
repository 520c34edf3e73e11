//! The HTTP server around the face: transport, nothing else.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http as old_http, web};
use bytes::Bytes;

use crate::{Core, faulty_server};

/// Largest body that is read: OAR has no limit, memory has.
const MAX_BODY: usize = 256 * 1024 * 1024;
/// Idle time after which a connection is closed, as uvicorn does.
const KEEP_ALIVE: std::time::Duration = std::time::Duration::from_secs(5);

pub(crate) fn serve(core: Arc<Core>, listener: TcpListener) -> std::io::Result<Server> {
    let is_faulty = core.faults.is_some();
    let factory = move || {
        App::new()
            .app_data(web::PayloadConfig::new(MAX_BODY))
            .app_data(web::Data::from(Arc::clone(&core)))
            .default_service(web::to(answer))
    };
    let mut server = HttpServer::new(factory).workers(1).keep_alive(KEEP_ALIVE);
    if is_faulty {
        server = server.on_connect(faulty_server::keep_connection);
    }
    Ok(server.disable_signals().listen(listener)?.run())
}

async fn answer(core: web::Data<Core>, connection: HttpRequest, body: Bytes) -> HttpResponse {
    let Some(request) = convert(&connection, body) else {
        return HttpResponse::BadRequest().finish();
    };
    let core = core.into_inner();
    if core.faults.is_some() {
        let connection = connection.conn_data::<faulty_server::Connection>().cloned();
        return faulty_server::answer(core, request, connection).await.map_or_else(|broken| broken, convert_back);
    }
    // Reads files and waits for a lock: not for the thread that serves the sockets.
    match web::block(move || core.respond(&request)).await {
        Ok(response) => convert_back(response),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// actix-web still has the types of the `http` crate's previous version.
fn convert(request: &HttpRequest, body: Bytes) -> Option<http::Request<Bytes>> {
    let mut builder = http::Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    for (name, value) in request.headers() {
        builder = builder.header(name.as_str(), value.as_bytes());
    }
    builder.body(body).ok()
}

fn convert_back(response: http::Response<Bytes>) -> HttpResponse {
    let (parts, body) = response.into_parts();
    let status = old_http::StatusCode::from_u16(parts.status.as_u16());
    let mut builder = HttpResponse::build(status.unwrap_or(old_http::StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value) in &parts.headers {
        builder.insert_header((name.as_str(), value.as_bytes()));
    }
    builder.body(body)
}
