//! A place of its own for each test, and `cigri` run in it as a user would.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// Far longer than anything here takes on a busy machine; only a hanging program meets it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A data directory, a working directory and a home.
pub(crate) struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["work", "home", "outputs"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    /// The data directory; `cigri` makes it.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A path in the working directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("work").join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// `cigri` with these words, ready to be started.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cigri"));
        command
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path().join("home"))
            .env("CIGRI_DATA_DIR", self.data())
            .current_dir(self.path(""))
            .stdin(Stdio::null());
        command
    }

    /// Runs `cigri` to its end.
    pub(crate) fn cigri(&self, words: &[&str]) -> Finished {
        self.start(words).wait()
    }

    /// Starts `cigri` and lets it run.
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        self.start_command(self.command(words))
    }

    pub(crate) fn start_command(&self, mut command: Command) -> Running {
        // Files instead of pipes: a program that writes much never waits for its reader.
        let outputs = tempfile::tempdir_in(self.folder.path().join("outputs")).unwrap();
        let file = |name| File::create(outputs.path().join(name)).unwrap();
        let child = command.stdout(file("out")).stderr(file("err")).spawn().unwrap();
        Running { child, outputs }
    }

    /// Runs `cigri` with `--json`, which must succeed.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let finished = self.cigri(&[words, &["--json"]].concat());
        finished.expect(0);
        serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
    }

    /// All campaigns, as `cigri list --all --json` gives them.
    pub(crate) fn campaigns(&self) -> Vec<Value> {
        self.json(&["list", "--all"])["items"].as_array().unwrap().clone()
    }
}

/// A `cigri` that runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    outputs: TempDir,
}

impl Running {
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn stdout(&self) -> String {
        self.read("out")
    }

    pub(crate) fn stderr(&self) -> String {
        self.read("err")
    }

    fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.outputs.path().join(name)).unwrap()).into_owned()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Finished {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "cigri does not end\n{}\n{}", self.stdout(), self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        };
        Finished { status, stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a `cigri` left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// Insists on an exit code, and on a program that did not panic.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32) {
        assert_eq!(self.status.code(), Some(code), "{self}");
        assert!(!self.stderr.contains("panicked"), "{self}");
    }

    /// Insists on one error message, and returns it with the lines below it.
    #[track_caller]
    pub(crate) fn error(&self) -> &str {
        let errors: Vec<_> = self.stderr.match_indices("error: ").map(|(at, _)| at).collect();
        assert_eq!(errors.len(), 1, "{self}");
        &self.stderr[errors[0]..]
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\n-- stdout\n{}\n-- stderr\n{}", self.status, self.stdout, self.stderr)
    }
}

/// Waits until something has come true.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_true() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The repository that these tests belong to.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
