//! A way to the cluster that makes trouble as real ones do: answers to submissions are lost, jobs forget what they wait
//! for, everything takes its time.
#![allow(unreachable_pub)]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Passes requests on; ends with the value.
pub struct Troubled {
    pub url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    to: String,
    /// Arrays are lost on their way, and the connection with them.
    loses_arrays: AtomicBool,
    /// Jobs do not wait for others.
    ignores_gates: AtomicBool,
    /// How long an answer takes more, in milliseconds.
    slow_ms: AtomicU64,
    /// The servers' ends of all connections.
    ways: Mutex<Vec<TcpStream>>,
    ended: AtomicBool,
}

impl Troubled {
    /// In front of the cluster at `url`, without any trouble yet.
    pub fn before(url: &str) -> Troubled {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let state = State { to: url.trim_start_matches("http://").to_owned(), ..State::default() };
        let state = Arc::new(state);
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
        Troubled { url: own, state }
    }

    /// From now on no array arrives.
    pub fn lose_arrays(&self) {
        self.state.loses_arrays.store(true, Ordering::SeqCst);
    }

    /// From now on jobs start before their gate is opened.
    pub fn ignore_gates(&self) {
        self.state.ignores_gates.store(true, Ordering::SeqCst);
    }

    /// Cuts what is connected, as a machine that goes down does: no request waits for an answer that cannot come.
    pub fn cut(&self) {
        for way in self.state.ways.lock().unwrap().drain(..) {
            way.shutdown(Shutdown::Both).ok();
        }
    }

    /// From now on every answer takes so much longer.
    pub fn slow_down(&self, by: Duration) {
        self.state.slow_ms.store(by.as_millis().try_into().unwrap(), Ordering::SeqCst);
    }
}

impl Drop for Troubled {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        TcpStream::connect(self.url.trim_start_matches("http://")).ok();
    }
}

impl State {
    fn pass(self: &Arc<Self>, mut near: TcpStream) {
        let Ok(mut far) = TcpStream::connect(&self.to) else { return };
        self.ways.lock().unwrap().push(near.try_clone().unwrap());
        let (from, to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
        let back = Arc::clone(self);
        std::thread::spawn(move || back.answer(from, to));
        let mut piece = vec![0; 1 << 16];
        while let Ok(length @ 1..) = near.read(&mut piece) {
            let piece = &mut piece[..length];
            if self.loses_arrays.load(Ordering::SeqCst) && find(piece, b"\"param_file\"").is_some() {
                break;
            }
            if self.ignores_gates.load(Ordering::SeqCst) {
                forget_gate(piece);
            }
            if far.write_all(piece).is_err() {
                break;
            }
        }
        near.shutdown(Shutdown::Both).ok();
        far.shutdown(Shutdown::Both).ok();
    }

    fn answer(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut piece = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut piece) {
            if piece.starts_with(b"HTTP/1.1 ") {
                std::thread::sleep(Duration::from_millis(self.slow_ms.load(Ordering::SeqCst)));
            }
            if to.write_all(&piece[..length]).is_err() {
                break;
            }
        }
        to.shutdown(Shutdown::Both).ok();
    }
}

fn find(piece: &[u8], word: &[u8]) -> Option<usize> {
    piece.windows(word.len()).position(|window| window == word)
}

/// Empties the list of jobs to wait for, and keeps the length.
fn forget_gate(piece: &mut [u8]) {
    const KEY: &[u8] = b"\"after\":[";
    if let Some(at) = find(piece, KEY) {
        let list = piece[at + KEY.len()..].iter_mut();
        list.take_while(|byte| **byte != b']').for_each(|byte| *byte = b' ');
    }
}
