//! A private PostgreSQL server, started once per test process and always stopped.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::{Connection as _, SimpleConnection as _};
use diesel::pg::PgConnection;

/// The system's user without rights.
const NOBODY: u32 = 65534;

/// Logging in by password exercises libpq's own cryptography, which does without OpenSSL.
const PASSWORD: &str = "only-for-tests";

/// How long the server may take to answer for the first time.
const START: Duration = Duration::from_secs(60);

struct Server {
    folder: PathBuf,
    databases: AtomicUsize,
    /// Its standard input keeps the server alive; the system closes it when this process ends.
    _keeper: Child,
}

/// The URL of a new, empty database; `None`, said loudly, where there is no PostgreSQL (an error under `CI=true`).
/// `fsync` makes commits reach the disk, for measuring.
pub fn fresh_database(fsync: bool) -> Option<String> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let programs = programs();
        if programs.is_none() {
            // Not a print macro: the test harness would keep it to itself.
            writeln!(std::io::stderr(), "SKIPPED: no PostgreSQL programs found, nothing is tested on it").ok();
            assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must test on PostgreSQL: install postgresql");
        }
        programs.map(|programs| start(&programs, fsync))
    });
    let server = server.as_ref()?;
    let name = format!("grid_{}", server.databases.fetch_add(1, Ordering::Relaxed));
    let mut admin = PgConnection::establish(&url(&server.folder, "postgres")).unwrap();
    admin.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).unwrap();
    Some(url(&server.folder, &name))
}

fn url(folder: &Path, database: &str) -> String {
    format!("postgres://cigri:{PASSWORD}@/{database}?host={}", folder.display())
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

fn start(programs: &Path, fsync: bool) -> Server {
    let folder = tempfile::tempdir().unwrap().keep();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/databases/postgresql.sh");
    let mut keeper = Command::new("sh");
    keeper.env("CIGRI_TEST_PASSWORD", PASSWORD);
    keeper.arg(script).arg(&folder).arg(programs).arg(if fsync { "on" } else { "off" }).args(server_user(&folder));
    keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let keeper = keeper.spawn().unwrap();
    let deadline = Instant::now() + START;
    while let Err(error) = PgConnection::establish(&url(&folder, "postgres")) {
        let log = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(Instant::now() < deadline, "{error}\n{}{}", log("initdb.log"), log("server.log"));
        std::thread::sleep(Duration::from_millis(20));
    }
    Server { folder, databases: AtomicUsize::new(0), _keeper: keeper }
}
