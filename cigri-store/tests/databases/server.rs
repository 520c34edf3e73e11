//! Private PostgreSQL servers for tests, always stopped: one shared by a test process, and some of a test's own.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use diesel::connection::{Connection as _, SimpleConnection as _};
use diesel::pg::PgConnection;

/// The system's user without rights.
const NOBODY: u32 = 65534;

/// Logging in by password exercises libpq's own cryptography, which does without OpenSSL.
const PASSWORD: &str = "only-for-tests";

/// How long the server may take to answer for the first time.
const START: Duration = Duration::from_secs(60);

/// Runs the server; not a file's path, as tests of other crates share this module.
const SCRIPT: &str = include_str!("postgresql.sh");

/// A running server, stopped with the value.
pub struct Server {
    folder: PathBuf,
    /// Where it listens with TLS, if it does.
    port: Option<u16>,
    databases: AtomicUsize,
    /// Its standard input keeps the server alive; the system closes it when this process ends.
    keeper: Mutex<Child>,
}

/// The URL of a new, empty database on the server that all tests of the process share; `None`, said loudly, where
/// there is no PostgreSQL (an error under `CI=true`). `fsync` makes commits reach the disk, for measuring.
pub fn fresh_database(fsync: bool) -> Option<String> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(fsync)).as_ref().map(Server::fresh_database)
}

impl Server {
    /// A server of the caller's own; `None` as for [`fresh_database`].
    pub fn start(fsync: bool) -> Option<Server> {
        found().map(|programs| Server::run(&programs, tempfile::tempdir().unwrap().keep(), fsync, None))
    }

    /// The same, which also listens with TLS on a port of this machine. `pems`: certificate and key.
    pub fn start_with_tls(port: u16, pems: [&str; 2]) -> Option<Server> {
        let programs = found()?;
        let folder = tempfile::tempdir().unwrap().keep();
        for (name, pem) in ["tls.crt", "tls.key"].iter().zip(pems) {
            std::fs::write(folder.join(name), pem).unwrap();
            std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
            if folder.metadata().unwrap().uid() == 0 {
                std::os::unix::fs::chown(folder.join(name), Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        Some(Server::run(&programs, folder, false, Some(port)))
    }

    fn run(programs: &Path, folder: PathBuf, fsync: bool, port: Option<u16>) -> Server {
        let mut keeper = Command::new("sh");
        keeper.env("CIGRI_TEST_PASSWORD", PASSWORD).envs(port.map(|port| ("CIGRI_TEST_TLS_PORT", port.to_string())));
        keeper.arg("-c").arg(SCRIPT).arg("postgresql.sh");
        keeper.arg(&folder).arg(programs).arg(if fsync { "on" } else { "off" }).args(server_user(&folder));
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let server =
            Server { folder, port, databases: AtomicUsize::new(0), keeper: Mutex::new(keeper.spawn().unwrap()) };
        server.wait_until_it_answers();
        server
    }

    fn wait_until_it_answers(&self) {
        let deadline = Instant::now() + START;
        while let Err(error) = PgConnection::establish(&self.url("postgres")) {
            let log = |name: &str| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
            assert!(Instant::now() < deadline, "{error}\n{}{}", log("initdb.log"), log("server.log"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A new, empty database.
    pub fn fresh_database(&self) -> String {
        let name = format!("grid_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut admin = PgConnection::establish(&self.url("postgres")).unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).unwrap();
        self.url(&name)
    }

    fn url(&self, database: &str) -> String {
        let port = self.port.map(|port| format!("&port={port}")).unwrap_or_default();
        format!("postgres://cigri:{PASSWORD}@/{database}?host={}{port}", self.folder.display())
    }

    /// Ends the server as a crash does, at once and without a checkpoint, and lets it come back.
    pub fn restart_immediately(&self) {
        let mut keeper = self.keeper.lock().unwrap();
        keeper.stdin.as_mut().unwrap().write_all(b"restart\n").unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(keeper) = self.keeper.get_mut() {
            keeper.stdin.take();
            keeper.wait().ok();
        }
    }
}

/// The user and password of every server here.
pub fn credentials() -> (&'static str, &'static str) {
    ("cigri", PASSWORD)
}

fn found() -> Option<PathBuf> {
    let programs = programs();
    if programs.is_none() {
        // Not a print macro: the test harness would keep it to itself.
        writeln!(std::io::stderr(), "SKIPPED: no PostgreSQL programs found, nothing is tested on it").ok();
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must test on PostgreSQL: install postgresql");
    }
    programs
}

/// The folder of PostgreSQL's programs: the newest of Debian's, or one in PATH.
fn programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = debian.map(|entry| entry.path()).collect();
    let version = |folder: &PathBuf| folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    folders.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = folders.into_iter().map(|folder| folder.join("bin")).chain(std::env::split_paths(&path));
    candidates.find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// The words that run a program as a user that PostgreSQL accepts, who gets the folder: it refuses root.
fn server_user(folder: &Path) -> Vec<&'static str> {
    if folder.metadata().unwrap().uid() != 0 {
        return Vec::new();
    }
    std::os::unix::fs::chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    vec!["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
}
