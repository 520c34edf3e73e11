//! Ctrl-C and its kin: the first asks for a clean pause, the second ends the program at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::exit::Failure;
use crate::screen::say;

/// What shells show for a program ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// The signals that ask this program to end.
#[derive(Debug, Clone)]
pub(crate) struct Signals {
    asked: watch::Receiver<bool>,
}

impl Signals {
    /// Listens from now on.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let on =
            |kind| signal(kind).map_err(|error| Failure::Environment(format!("cannot listen to signals: {error}")));
        let kinds = [on(SignalKind::interrupt())?, on(SignalKind::terminate())?, on(SignalKind::hangup())?];
        let (sender, asked) = watch::channel(false);
        tokio::spawn(listen(kinds, sender));
        Ok(Self { asked })
    }

    /// Returns once a signal has come; at once when it has come before.
    pub(crate) async fn asked(&mut self) {
        if self.asked.wait_for(|asked| *asked).await.is_err() {
            // The listener never ends before this program does.
            std::future::pending::<()>().await;
        }
    }
}

async fn listen(mut kinds: [Signal; 3], sender: watch::Sender<bool>) {
    any(&mut kinds).await;
    sender.send_replace(true);
    any(&mut kinds).await;
    say("ended at once; what was running is recovered by the next run");
    std::process::exit(INTERRUPTED);
}

async fn any(kinds: &mut [Signal; 3]) {
    let [interrupt, terminate, hangup] = kinds;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
