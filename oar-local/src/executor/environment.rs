//! The environment in which jobs run: that of the cluster's own process, with OAR's variables on top, exactly as
//! bash would leave it to a program, so that it makes no difference whether bash was there.

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::machine::{Job, absolute};

/// What is the same for all jobs.
#[derive(Debug)]
pub(crate) struct Surroundings {
    base: Vec<(OsString, OsString)>,
    /// Folders in which programs are looked for; `None` when only bash can say.
    path: Option<Vec<PathBuf>>,
    level: u32,
    home: String,
    nodes: NodeFiles,
}

/// Files that list a job's node once per core; jobs of the same size share one.
#[derive(Debug)]
struct NodeFiles {
    folder: PathBuf,
    node: String,
    written: Mutex<HashSet<usize>>,
}

/// Variables that jobs must not inherit: bash sets them anew for every program.
const OWN: [&str; 4] = ["_", "OLDPWD", "PWD", "SHLVL"];
/// Variables that change how bash reads a command, or that it does not pass on unchanged.
const SHELL_SETTINGS: &str = "BASH_ENV SHELLOPTS BASHOPTS POSIXLY_CORRECT BASH_COMPAT EXECIGNORE IFS UID EUID PPID RANDOM SRANDOM \
    SECONDS LINENO BASHPID HISTCMD DIRSTACK GROUPS FUNCNAME EPOCHSECONDS EPOCHREALTIME BASH_ARGV0 \
    BASH_COMMAND BASH_VERSINFO BASH_VERSION COMP_WORDBREAKS";

impl Surroundings {
    /// From the environment `inherited`; `folder` receives the node files.
    pub(crate) fn new(
        inherited: impl IntoIterator<Item = (OsString, OsString)>,
        folder: PathBuf,
        home: &str,
        node: &str,
    ) -> Self {
        let (own, base): (Vec<_>, Vec<_>) = inherited
            .into_iter()
            .filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"OAR_"))
            .partition(|(name, _)| OWN.iter().any(|own| name == own));
        let level = own.iter().find(|(name, _)| name == "SHLVL");
        let level = level.and_then(|(_, level)| level.to_str()?.parse().ok()).unwrap_or(0);
        let path = plain_path(&base).filter(|_| level < 900);
        let nodes = NodeFiles { folder, node: node.to_owned(), written: Mutex::default() };
        Self { base, path, level, home: home.to_owned(), nodes }
    }

    /// The variables that all jobs have.
    pub(crate) fn base(&self) -> &[(OsString, OsString)] {
        &self.base
    }

    /// The variables of a job on top, without those that only bash or a direct start would add.
    pub(crate) fn variables(&self, job: &Job) -> std::io::Result<Vec<(&'static str, OsString)>> {
        let batch = &job.batch;
        let directory = batch.directory.as_str();
        let mut variables = vec![("OAR_NODEFILE", self.nodes.path(job.cores.len())?.into_os_string())];
        let texts = [
            ("OAR_JOB_ID", job.id.to_string()),
            ("OAR_ARRAY_ID", batch.first.to_string()),
            ("OAR_ARRAY_INDEX", job.index.to_string()),
            ("OAR_JOB_NAME", batch.name.clone().unwrap_or_default()),
            ("OAR_PROJECT_NAME", batch.project.clone()),
            ("OAR_WORKDIR", directory.to_owned()),
            ("OAR_STDOUT", absolute(directory, &job.stdout_file())),
            ("OAR_STDERR", absolute(directory, &job.stderr_file())),
            ("OAR_JOB_WALLTIME", String::new()),
            ("OAR_JOB_WALLTIME_SECONDS", batch.walltime.to_string()),
            ("HOME", self.home.clone()),
            ("USER", batch.user.clone()),
            ("PWD", directory.to_owned()),
        ];
        variables.extend(texts.into_iter().map(|(name, value)| (name, value.into())));
        Ok(variables)
    }

    /// Where bash would find a program that is started without it; `None` when bash must look itself.
    pub(crate) fn find_program(&self, word: &str, directory: &str) -> Option<PathBuf> {
        let path = self.path.as_ref().filter(|_| is_normal(directory))?;
        if word.contains('/') {
            // Kept as written: a script sees it as its own name. A relative one is found from the job's directory.
            let place = if word.starts_with('/') { PathBuf::from(word) } else { Path::new(directory).join(word) };
            return is_program(&place).then(|| PathBuf::from(word));
        }
        path.iter().map(|folder| folder.join(word)).find(|place| is_program(place))
    }

    /// `SHLVL` as a program sees it that bash has replaced itself with, or that runs below it.
    pub(crate) fn shell_level(&self, below: bool) -> String {
        (self.level + u32::from(below)).to_string()
    }

    /// Prefix of the path of every node file: it marks the processes of this cluster.
    pub(crate) fn node_folder(&self) -> &Path {
        &self.nodes.folder
    }
}

/// Directories that bash takes over into `PWD` as they are.
fn is_normal(directory: &str) -> bool {
    directory
        .strip_prefix('/')
        .is_some_and(|rest| rest.is_empty() || rest.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

fn is_program(place: &Path) -> bool {
    place.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The folders of `PATH`, if nothing in the environment makes bash's own reading differ.
fn plain_path(base: &[(OsString, OsString)]) -> Option<Vec<PathBuf>> {
    let disturbs = |name: &OsString| {
        name.as_encoded_bytes().starts_with(b"BASH_FUNC_") || SHELL_SETTINGS.split(' ').any(|known| name == known)
    };
    if base.iter().any(|(name, _)| disturbs(name)) {
        return None;
    }
    let (_, path) = base.iter().find(|(name, _)| name == "PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(path).collect();
    folders.iter().all(|folder| folder.is_absolute()).then_some(folders)
}

impl NodeFiles {
    fn path(&self, cores: usize) -> std::io::Result<PathBuf> {
        let path = self.folder.join(cores.to_string());
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if !written.contains(&cores) {
            std::fs::create_dir_all(&self.folder)?;
            std::fs::write(&path, format!("{}\n", self.node).repeat(cores))?;
            written.insert(cores);
        }
        Ok(path)
    }
}
