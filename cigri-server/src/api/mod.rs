//! The REST API: routes, and who may call them.
//!
//! Served on a Unix socket; the peer's uid, told by the kernel, is the caller's identity. A leader also takes what other
//! servers of its database pass on, over TLS: they sign who called them. Every user of the socket
//! may submit, and see which campaigns and clusters there are and how far they got; what is inside a campaign (its file,
//! parameters, jobs, output, events) and every change are for its owner, root and the configured admins. Tokens and
//! notifications are the caller's own (admins may see and remove others' subscriptions). Events of clusters as a whole
//! everybody may read and admins close; those of the service itself are for admins. How clusters are
//! used, and what all together had of each, everybody may see; accounts are their users'. What is under `/admin`, changes
//! to clusters' limits, and the acceptance of a reset are for admins alone: root, the configured ones, and in a data
//! directory its user.

mod add;
mod admin;
mod admit;
mod campaigns;
mod changes;
mod clusters;
mod dry_run;
mod events;
mod failures;
mod identity;
mod incoming;
mod intake;
mod jobs;
mod limits;
mod looking;
mod metrics;
mod notifications;
mod once;
mod pass;
mod properties;
mod prospect;
mod respond;
mod results;
mod retry;
mod tokens;
mod usage;
mod why;

use std::os::unix::net::UnixListener;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};

use crate::grid::Grid;
use crate::leadership::{Door, Leadership};

/// Largest JSON campaign file, in bytes.
pub(crate) const MAX_JDL_BYTES: usize = 64 << 20;

/// Starts serving on `listener`; the caller runs and stops the returned server. While this server stands by, changes
/// are passed on to the leader.
pub(crate) fn serve(grid: Arc<Grid>, leadership: Arc<Leadership>, listener: UnixListener) -> std::io::Result<Server> {
    let (grid, leadership) = (web::Data::from(grid), web::Data::from(leadership));
    let server = HttpServer::new(move || {
        let app = App::new().app_data(grid.clone()).app_data(leadership.clone());
        app.configure(routes).default_service(web::to(respond::no_such_route)).wrap(from_fn(pass::unless_leading))
    });
    let server = server.on_connect(identity::note_peer).workers(2).disable_signals().shutdown_timeout(5);
    Ok(server.listen_uds(listener)?.run())
}

/// Starts taking what other servers pass on: nobody else gets in.
pub(crate) fn serve_passed(grid: Arc<Grid>, leadership: Arc<Leadership>, door: Door) -> std::io::Result<Server> {
    let (grid, leadership) = (web::Data::from(grid), web::Data::from(leadership));
    let server = HttpServer::new(move || {
        let app = App::new().app_data(grid.clone()).app_data(leadership.clone());
        app.configure(routes).default_service(web::to(respond::no_such_route)).wrap(from_fn(identity::by_passport))
    });
    let server = server.workers(1).disable_signals().shutdown_timeout(5);
    Ok(server.listen_rustls_0_23(door.listener, door.tls)?.run())
}

/// Login of the user that this process runs as.
pub(crate) fn own_login() -> String {
    identity::login(nix::unistd::getuid().as_raw())
}

fn routes(config: &mut web::ServiceConfig) {
    config
        .app_data(web::PayloadConfig::new(MAX_JDL_BYTES))
        .app_data(respond::query_errors())
        .app_data(respond::json_errors())
        .app_data(respond::path_errors())
        .route("/health", web::get().to(respond::health))
        .route("/metrics", web::get().to(metrics::show))
        .route("/admin/backup", web::get().to(admin::backup))
        .route("/clusters/{name}/reset", web::post().to(admin::accept_reset))
        .route("/campaigns", web::get().to(campaigns::list))
        .route("/campaigns", web::post().to(intake::submit))
        .route("/campaigns/{id}", web::get().to(campaigns::show))
        .route("/campaigns/{id}", web::delete().to(changes::change))
        .route("/campaigns/{id}/retry", web::post().to(retry::retry))
        .route("/campaigns/{id}/mute", web::put().to(notifications::mute))
        .route("/campaigns/{id}/mute", web::delete().to(notifications::unmute))
        .route("/campaigns/{id}/jdl", web::get().to(campaigns::jdl))
        .route("/campaigns/{id}/parameters", web::get().to(campaigns::parameters))
        .route("/campaigns/{id}/events", web::get().to(events::of_campaign))
        .route("/campaigns/{id}/events", web::delete().to(events::close_all))
        .route("/campaigns/{id}/failures", web::get().to(failures::failures))
        .route("/campaigns/{id}/why", web::get().to(why::why))
        .route("/campaigns/{id}/jobs", web::get().to(jobs::list))
        .route("/campaigns/{id}/jobs", web::post().to(add::add))
        .route("/campaigns/{id}/results", web::get().to(results::list))
        .route("/jobs/{id}", web::get().to(jobs::show))
        .route("/jobs/{id}", web::delete().to(jobs::kill))
        .route("/jobs/{id}/stdout", web::get().to(jobs::stdout))
        .route("/jobs/{id}/stderr", web::get().to(jobs::stderr))
        .route("/jobs/{id}/output", web::get().to(results::output))
        .route("/clusters", web::get().to(clusters::list))
        .route("/clusters/{name}", web::get().to(clusters::show))
        .route("/clusters/{name}/limits", web::get().to(limits::show))
        .route("/clusters/{name}/limits", web::patch().to(limits::change))
        .route("/admin/audit", web::get().to(limits::audit))
        .route("/events", web::get().to(events::list))
        .route("/events", web::post().to(events::open))
        .route("/events/{id}", web::get().to(events::show))
        .route("/events/{id}", web::delete().to(events::close))
        .route("/notifications", web::get().to(notifications::list))
        .route("/notifications/test", web::post().to(notifications::test))
        .route("/notifications/{kind}", web::post().to(notifications::add))
        .route("/notifications/{kind}", web::delete().to(notifications::remove))
        .route("/tokens", web::get().to(tokens::list))
        .route("/tokens", web::post().to(tokens::add))
        .route("/tokens/{cluster}", web::delete().to(tokens::remove))
        .route("/tokens/{cluster}", web::patch().to(tokens::change))
        .route("/usage", web::get().to(usage::accounts))
        .route("/gridusage", web::get().to(usage::grid));
}
