//! What stands between the server and the cluster: it knows each request, and can hold it back before the cluster sees
//! it, hold its answer back, lose either, fail, and refuse connections.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{oneshot, watch};

use crate::ask::{Ask, Reader};
use crate::wire;

/// What is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Side {
    /// The request: the cluster has not seen it.
    Request,
    /// The answer: the cluster has done its work.
    Answer,
}

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 500, and nothing is done.
    Fail,
    /// All is done, then the connection is closed after a while.
    LoseAnswer(Duration),
    /// All is done; the answer comes after a while.
    Late(Duration),
    /// No answer, and nothing is done, until the weather changes; then the connection is closed.
    Hang,
    /// The same, but then all is done and answered, as by a process that was frozen.
    Freeze,
    /// The first row of the listing is missing in the answer.
    Hide,
    /// It is answered; then connections are refused for a while.
    CloseDoor(Duration),
}

/// What goes wrong with a kind of request, for as long as it lasts.
pub(crate) type Weather = fn(Ask) -> Option<Fault>;

/// One request that is to be caught.
pub(crate) struct Trap {
    caught: oneshot::Receiver<()>,
    go: watch::Sender<Option<bool>>,
    done: oneshot::Receiver<()>,
}

impl Trap {
    /// Waits until the request is held.
    pub(crate) async fn caught(&mut self, patience: Duration) -> bool {
        matches!(tokio::time::timeout(patience, &mut self.caught).await, Ok(Ok(())))
    }

    /// Lets the request go on its way, and waits until the cluster has done what was asked: a client that is gone does
    /// not stop it.
    pub(crate) async fn carry_out(self) {
        self.go.send(Some(true)).ok();
        self.done.await.ok();
    }

    /// Lets it vanish.
    pub(crate) fn forget(self) {
        self.go.send(Some(false)).ok();
    }
}

struct Rule {
    ask: Ask,
    /// How many of the kind to let pass first.
    skip: usize,
    act: Act,
}

struct Hold {
    side: Side,
    caught: oneshot::Sender<()>,
    go: watch::Receiver<Option<bool>>,
    done: oneshot::Sender<()>,
}

enum Act {
    Hold(Hold),
    Meet(Fault),
}

/// One request as it went by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    /// What it was.
    pub(crate) ask: Ask,
    /// When the server was answered, and with which status.
    pub(crate) answered: Option<(Instant, u16)>,
}

struct State {
    reader: Reader,
    rules: Vec<Rule>,
    seen: Vec<Seen>,
    /// When the last request that met bad weather was done with.
    spoiled_until: Option<Instant>,
}

struct Inner {
    target: String,
    client: reqwest::Client,
    state: Mutex<State>,
    weather: watch::Sender<Option<Weather>>,
    door: watch::Sender<bool>,
}

/// The proxy; it stops with the value.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) url: String,
    inner: Arc<Inner>,
    task: tokio::task::JoinHandle<()>,
    /// Keeps the port while connections are refused.
    _reserved: TcpSocket,
}

impl Proxy {
    /// A proxy for the cluster at `target`.
    pub(crate) fn start(target: &str) -> Proxy {
        let reserved = bind(0);
        let port = reserved.local_addr().unwrap().port();
        let inner = Arc::new(Inner {
            target: target.to_owned(),
            client: reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap(),
            state: Mutex::new(State {
                reader: Reader::default(),
                rules: Vec::new(),
                seen: Vec::new(),
                spoiled_until: None,
            }),
            weather: watch::Sender::new(None),
            door: watch::Sender::new(true),
        });
        let task = tokio::spawn(accept(Arc::clone(&inner), port));
        Proxy { url: format!("http://127.0.0.1:{port}"), inner, task, _reserved: reserved }
    }

    /// Holds back the `nth` (from 1) request of a kind that comes from now on.
    pub(crate) fn arm(&self, ask: Ask, nth: usize, side: Side) -> Trap {
        let (caught_sender, caught) = oneshot::channel();
        let (go, wait) = watch::channel(None);
        let (done_sender, done) = oneshot::channel();
        let act = Act::Hold(Hold { side, caught: caught_sender, go: wait, done: done_sender });
        self.inner.lock().rules.push(Rule { ask, skip: nth - 1, act });
        Trap { caught, go, done }
    }

    /// Makes the `nth` (from 1) request of a kind go wrong.
    pub(crate) fn spoil(&self, ask: Ask, nth: usize, fault: Fault) {
        self.inner.lock().rules.push(Rule { ask, skip: nth - 1, act: Act::Meet(fault) });
    }

    /// Lets everything pass that was to be held or spoiled.
    pub(crate) fn disarm(&self) {
        self.inner.lock().rules.clear();
    }

    /// Sets what goes wrong from now on.
    pub(crate) fn set_weather(&self, weather: Option<Weather>) {
        self.inner.weather.send_replace(weather);
    }

    /// Accepts connections, or refuses them.
    pub(crate) fn set_door(&self, open: bool) {
        self.inner.door.send_replace(open);
    }

    /// When the last request that went wrong was done with.
    pub(crate) fn spoiled_until(&self) -> Option<Instant> {
        self.inner.lock().spoiled_until
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.inner.lock().seen.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn bind(port: u16) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], port).into()).unwrap();
    socket
}

async fn accept(inner: Arc<Inner>, port: u16) {
    let mut door = inner.door.subscribe();
    loop {
        door.wait_for(|open| *open).await.unwrap();
        let listener = bind(port).listen(128).unwrap();
        accept_while_open(&inner, &listener, &mut door).await;
    }
}

async fn accept_while_open(inner: &Arc<Inner>, listener: &TcpListener, door: &mut watch::Receiver<bool>) {
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(serve(Arc::clone(inner), stream));
                }
            }
            _ = door.wait_for(|open| !open) => return,
        }
    }
}

async fn serve(inner: Arc<Inner>, mut stream: TcpStream) {
    let Some(request) = wire::read(&mut stream).await else { return };
    let (ask, act, index) = inner.meet(&request);
    if let Some(answer) = inner.answer(request, ask, act).await {
        inner.lock().seen[index].answered = Some((Instant::now(), answer.status().as_u16()));
        wire::write(&mut stream, &answer).await;
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn meet(&self, request: &Request<Bytes>) -> (Ask, Option<Act>, usize) {
        let mut state = self.lock();
        let ask = state.reader.read(request);
        state.seen.push(Seen { ask, answered: None });
        let index = state.seen.len() - 1;
        let mut due = None;
        for (place, rule) in state.rules.iter_mut().enumerate().filter(|(_, rule)| rule.ask == ask) {
            if rule.skip == 0 {
                due = due.or(Some(place));
            } else {
                rule.skip -= 1;
            }
        }
        let act = due.map(|place| state.rules.remove(place).act);
        drop(state);
        let act = act.or_else(|| self.weather.borrow().and_then(|weather| weather(ask)).map(Act::Meet));
        (ask, act, index)
    }

    /// The answer that the server is given; none when the connection is closed instead.
    async fn answer(&self, request: Request<Bytes>, ask: Ask, act: Option<Act>) -> Option<Response<Bytes>> {
        match act {
            None => Some(self.pass_on(request, ask).await),
            Some(Act::Hold(hold)) => self.held(request, ask, hold).await,
            Some(Act::Meet(fault)) => {
                let answer = self.spoiled(request, ask, fault).await;
                self.lock().spoiled_until = Some(Instant::now());
                answer
            }
        }
    }

    async fn held(&self, request: Request<Bytes>, ask: Ask, hold: Hold) -> Option<Response<Bytes>> {
        let Hold { side, caught, go, done } = hold;
        if side == Side::Answer {
            let answer = self.pass_on(request, ask).await;
            caught.send(()).ok();
            return may_go(go).await.then_some(answer);
        }
        caught.send(()).ok();
        if !may_go(go).await {
            return None;
        }
        let answer = self.pass_on(request, ask).await;
        done.send(()).ok();
        Some(answer)
    }

    async fn spoiled(&self, request: Request<Bytes>, ask: Ask, fault: Fault) -> Option<Response<Bytes>> {
        match fault {
            Fault::Fail => Some(status(500)),
            Fault::LoseAnswer(after) => {
                self.pass_on(request, ask).await;
                tokio::time::sleep(after).await;
                None
            }
            Fault::Late(by) => {
                let answer = self.pass_on(request, ask).await;
                tokio::time::sleep(by).await;
                Some(answer)
            }
            Fault::Hang => {
                self.next_weather().await;
                None
            }
            Fault::Freeze => {
                self.next_weather().await;
                Some(self.pass_on(request, ask).await)
            }
            Fault::Hide => Some(without_first(self.pass_on(request, ask).await)),
            Fault::CloseDoor(time) => {
                let answer = self.pass_on(request, ask).await;
                self.door.send_replace(false);
                let door = self.door.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(time).await;
                    door.send_replace(true);
                });
                Some(answer)
            }
        }
    }

    async fn next_weather(&self) {
        let mut weather = self.weather.subscribe();
        weather.mark_unchanged();
        weather.changed().await.ok();
    }

    async fn pass_on(&self, request: Request<Bytes>, ask: Ask) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let url = format!("{}{}", self.target, parts.uri);
        let mut sent = self.client.request(parts.method, url).body(body);
        for (name, value) in &parts.headers {
            if name != http::header::HOST && name != http::header::CONTENT_LENGTH {
                sent = sent.header(name, value);
            }
        }
        let Ok(answer) = sent.send().await else { return status(502) };
        let mut copy = Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            copy = copy.header(name, value);
        }
        let Ok(body) = answer.bytes().await else { return status(502) };
        let answer = copy.body(body).unwrap();
        self.lock().reader.learn(ask, &answer);
        answer
    }
}

/// Waits until somebody decides; a trap that is gone lets nothing pass.
async fn may_go(mut go: watch::Receiver<Option<bool>>) -> bool {
    go.wait_for(Option::is_some).await.is_ok_and(|decided| *decided == Some(true))
}

fn without_first(answer: Response<Bytes>) -> Response<Bytes> {
    answer.map(|body| {
        let mut page: serde_json::Value = serde_json::from_slice(&body).unwrap();
        page["items"].as_array_mut().unwrap().remove(0);
        page["total"] = (page["total"].as_u64().unwrap() - 1).into();
        page.to_string().into()
    })
}

fn status(code: u16) -> Response<Bytes> {
    Response::builder().status(code).body(Bytes::from_static(b"Internal Server Error")).unwrap()
}
