//! The administrator's rules as the server holds them: read at its start, and again when their file has changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use cigri_core::admission::Rules;

/// Largest rules file, in bytes.
const LARGEST: u64 = 4 << 20;

/// Rules with the file that they come from, and limits that users are warned of.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    /// Longest walltime of a best-effort job by cluster, in seconds, where it is known.
    pub(crate) best_effort_walltime_s: BTreeMap<String, u64>,
    /// One addition at a time is weighed and carried out: two that fit alone may not fit together.
    pub(crate) additions: tokio::sync::Mutex<()>,
    file: Option<PathBuf>,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// The version of the file that was read last, well or not.
    version: Option<Version>,
    rules: Arc<Rules>,
}

/// What tells one version of a file from the next: when it was changed, and its length.
type Version = (SystemTime, u64);

impl Admission {
    /// The rules of a file; no rules without one.
    ///
    /// # Errors
    /// In words: why the file cannot be read, or all problems of its rules.
    pub(crate) fn open(file: &Path) -> Result<Admission, String> {
        if file.as_os_str().is_empty() {
            return Ok(Admission::default());
        }
        let version = version(file)?;
        let rules = Arc::new(read(file)?);
        let held = Mutex::new(Held { version: Some(version), rules });
        Ok(Admission { file: Some(file.to_owned()), held, ..Admission::default() })
    }

    /// The same with the longest walltimes of best-effort jobs.
    pub(crate) fn with_walltimes(self, best_effort_walltime_s: BTreeMap<String, u64>) -> Admission {
        Admission { best_effort_walltime_s, ..self }
    }

    /// The rules as they are now. A changed file that cannot be used is logged, once, and changes nothing.
    pub(crate) fn rules(&self) -> Arc<Rules> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = &self.file else { return Arc::clone(&held.rules) };
        let now = version(file).ok();
        if now != held.version {
            held.version = now;
            match read(file) {
                Ok(rules) => {
                    tracing::info!(file = %file.display(), rules = rules.len(), "admission rules read again");
                    held.rules = Arc::new(rules);
                }
                Err(problems) => tracing::error!("the admission rules stay as they were: {problems}"),
            }
        }
        Arc::clone(&held.rules)
    }
}

fn version(file: &Path) -> Result<Version, String> {
    let cannot = |error: std::io::Error| format!("cannot read `{}`: {error}", file.display());
    let metadata = std::fs::metadata(file).map_err(cannot)?;
    Ok((metadata.modified().map_err(cannot)?, metadata.len()))
}

fn read(file: &Path) -> Result<Rules, String> {
    let shown = file.display();
    let length = std::fs::metadata(file).map_err(|error| format!("cannot read `{shown}`: {error}"))?.len();
    if length > LARGEST {
        return Err(format!("`{shown}` has {length} bytes; rules may have {LARGEST}"));
    }
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read `{shown}`: {error}"))?;
    Rules::compile(&text).map_err(|problems| format!("`{shown}` has problems:\n{problems}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "[[rule]]\nname = \"r\"\nwhen = 'false'\nwarn = \"w\"\n";

    #[test]
    fn a_changed_file_is_read_again_and_a_bad_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.toml");
        assert!(Admission::open(&file).unwrap_err().contains("rules.toml"));
        std::fs::write(&file, ONE).unwrap();
        let admission = Admission::open(&file).unwrap();
        assert_eq!(admission.rules().len(), 1);
        std::fs::write(&file, ONE.repeat(2)).unwrap();
        assert_eq!(admission.rules().len(), 2);
        std::fs::write(&file, "when = ").unwrap();
        assert_eq!(admission.rules().len(), 2);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(admission.rules().len(), 2);
        std::fs::write(&file, ONE.repeat(3)).unwrap();
        assert_eq!(admission.rules().len(), 3);
    }

    #[test]
    fn without_a_file_there_are_no_rules_and_a_bad_one_does_not_open() {
        assert!(Admission::open(Path::new("")).unwrap().rules().is_empty());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), ONE.replace("false", "usr == 1")).unwrap();
        assert!(Admission::open(file.path()).unwrap_err().contains("rule 1 (r), when: `usr`"));
    }
}
