//! Real servers that take messages: exim and prosody from Debian's packages, and URLs.
#![allow(unreachable_pub)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The system's user without rights.
const NOBODY: u32 = 65534;

/// A server from a package. Its standard input keeps it alive; the system closes that when this process ends.
pub struct Service {
    pub folder: PathBuf,
    pub port: u16,
    script: &'static str,
    keeper: Option<Child>,
    _temporary: tempfile::TempDir,
}

impl Service {
    /// A mail server; `None`, said loudly, where the package is not installed.
    pub fn exim() -> Option<Service> {
        Service::prepare("exim.sh", "/usr/sbin/exim4", "exim4-daemon-light")
    }

    /// A Jabber server; `None` as for [`Service::exim`].
    pub fn prosody() -> Option<Service> {
        Service::prepare("prosody.sh", "/usr/bin/prosody", "prosody")
    }

    fn prepare(script: &'static str, program: &str, package: &str) -> Option<Service> {
        if !Path::new(program).exists() {
            eprintln!("SKIPPED: {program} is not there: apt install {package}");
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{package} is needed where CI is true");
            return None;
        }
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().to_owned();
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.join("tls.crt"), pair.cert.pem()).unwrap();
        std::fs::write(folder.join("tls.key"), pair.signing_key.serialize_pem()).unwrap();
        if nix::unistd::getuid().is_root() {
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
            for path in [folder.clone(), folder.join("tls.crt"), folder.join("tls.key")] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut service = Service { folder, port, script, keeper: None, _temporary: temporary };
        service.start();
        Some(service)
    }

    /// Starts it, until its port answers.
    pub fn start(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/testbed").join(self.script);
        let text = std::fs::read_to_string(script).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &text, self.script]).arg(&self.folder).arg(self.port.to_string());
        if nix::unistd::getuid().is_root() {
            command.uid(NOBODY).gid(NOBODY).env("HOME", &self.folder);
        }
        self.keeper = Some(command.stdin(Stdio::piped()).current_dir("/").spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "{} does not answer: {}", self.script, self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it; its folder stays.
    pub fn stop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            keeper.wait().ok();
        }
    }

    /// What it wrote about its work.
    pub fn log(&self) -> String {
        self.below("log")
    }

    /// Everything it took, as it stored it.
    pub fn taken(&self) -> String {
        let mailbox = std::fs::read_to_string(self.folder.join("mailbox")).unwrap_or_default();
        mailbox + &self.below("data/localhost/offline")
    }

    /// Waits until it took this text.
    pub async fn wait_for(&self, text: &str, limit: Duration) {
        let deadline = Instant::now() + limit;
        while !self.taken().contains(text) {
            assert!(Instant::now() < deadline, "`{text}` never came: {}\n{}", self.taken(), self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn below(&self, name: &str) -> String {
        let Ok(entries) = std::fs::read_dir(self.folder.join(name)) else { return String::new() };
        let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
        files.map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A POST as it came.
#[derive(Debug)]
pub struct Post {
    pub timestamp: String,
    pub signature: String,
    pub body: String,
}

/// A URL that answers with this head; `None` hangs. The POSTs it got come through the channel.
pub fn hook(answer: Option<&'static str>) -> (String, UnboundedReceiver<Post>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (send, posts) = unbounded_channel();
    // Ends with the test's process.
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            if let Some(post) = read(&stream) {
                send.send(post).ok();
            }
            match answer {
                Some(head) => drop(stream.write_all(head.as_bytes())),
                None => kept.push(stream),
            }
        }
    });
    (url, posts)
}

fn read(stream: &TcpStream) -> Option<Post> {
    let mut reader = BufReader::new(stream);
    let (mut timestamp, mut signature, mut length) = (String::new(), String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "x-cigri-timestamp" => timestamp = value.to_owned(),
            "x-cigri-signature" => signature = value.to_owned(),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Post { timestamp, signature, body: String::from_utf8(body).ok()? })
}
