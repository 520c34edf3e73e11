//! A way to the cluster on which one POST can be held on its way, as a slow network does.
#![allow(unreachable_pub)]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Passes connections on, but for one POST; ends with the value.
pub struct Holding {
    pub url: String,
    state: Arc<State>,
    held: Receiver<()>,
    release: Sender<()>,
}

struct State {
    to: String,
    /// POSTs that still pass before the one that is held; negative: none is.
    passing: AtomicI64,
    ended: AtomicBool,
    tell: Mutex<Sender<()>>,
    released: Mutex<Receiver<()>>,
}

impl Holding {
    /// In front of the cluster at `url`.
    pub fn before(url: &str) -> Holding {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let ((tell, held), (release, released)) = (channel(), channel());
        let to = url.trim_start_matches("http://").to_owned();
        let (passing, ended) = (AtomicI64::new(-1), AtomicBool::new(false));
        let state = Arc::new(State { to, passing, ended, tell: Mutex::new(tell), released: Mutex::new(released) });
        let accepting = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.ended.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&accepting);
                std::thread::spawn(move || state.pass(stream.unwrap()));
            }
        });
        Holding { url: own, state, held, release }
    }

    /// Lets `passing` POSTs pass and holds the next one.
    pub fn hold_after(&self, passing: i64) {
        self.state.passing.store(passing, Ordering::SeqCst);
    }

    /// Waits until it is held.
    pub fn wait(&self) {
        self.held.recv_timeout(Duration::from_secs(60)).unwrap();
    }

    /// Lets it go on its way.
    pub fn release(&self) {
        self.release.send(()).unwrap();
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        TcpStream::connect(self.url.trim_start_matches("http://")).ok();
    }
}

impl State {
    fn pass(&self, mut near: TcpStream) {
        let Ok(mut far) = TcpStream::connect(&self.to) else { return };
        let (mut from, mut to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
        std::thread::spawn(move || {
            std::io::copy(&mut from, &mut to).ok();
            to.shutdown(Shutdown::Both).ok();
        });
        let mut piece = vec![0; 1 << 16];
        while let Ok(length @ 1..) = near.read(&mut piece) {
            if piece.starts_with(b"POST ") && self.passing.fetch_sub(1, Ordering::SeqCst) == 0 {
                self.tell.lock().unwrap().send(()).ok();
                self.released.lock().unwrap().recv().ok();
            }
            if far.write_all(&piece[..length]).is_err() {
                break;
            }
        }
        far.shutdown(Shutdown::Both).ok();
    }
}
