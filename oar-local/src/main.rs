//! The program `oar-local`: one machine as a cluster behind OAR 3's REST API.

mod options;

use std::io::Write as _;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use oar_local::LocalCluster;
use tokio::signal::unix::{SignalKind, signal};

use options::{Action, Options};

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("oar-local: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), String> {
    match options.action {
        Some(Action::Token(token)) => print(&format!("{}\n", token.issue()?)),
        None => serve(&options),
    }
}

/// Reports what it can, and a closed output as what it is.
fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| format!("cannot print: {error}"))
}

fn serve(options: &Options) -> Result<(), String> {
    let listen = options.serve.listen;
    let listener = TcpListener::bind(listen).map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let address = listener.local_addr().map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let config = options.serve.config()?;
    let cores = config.cores;
    let cluster = LocalCluster::open(config).map_err(|error| error.to_string())?;
    print(&format!("oar-local: {cores} cores, http://{address}\n"))?;
    let outcome = actix_web::rt::System::new().block_on(until_signal(&cluster, listener));
    cluster.shutdown();
    if let Some(report) = cluster.chaos_report() {
        let report = serde_json::to_string(&report).map_err(|error| error.to_string())?;
        print(&format!("oar-local: chaos {report}\n"))?;
    }
    outcome.map_err(|error| format!("the server failed: {error}"))
}

/// Serves until SIGINT or SIGTERM, without faults from SIGUSR1 on; requests that are being answered get their answer.
async fn until_signal(cluster: &LocalCluster, listener: TcpListener) -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let server = cluster.serve(listener)?;
    let handle = server.handle();
    let server = actix_web::rt::spawn(server);
    let mut quiet = signal(SignalKind::user_defined1())?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = quiet.recv() => cluster.stop_faults(),
        }
    }
    // A client that keeps its connection open must not keep the cluster up.
    let _ = tokio::time::timeout(Duration::from_secs(5), handle.stop(true)).await;
    server.abort();
    Ok(())
}
