//! The folder that files are fetched into. A list in it says which files are whole and whose they are, so that a fetch
//! that was cut off goes on, and nobody else's file is replaced.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::exit::Failure;

/// The list's name. Its first line says whose files these are; then each line has a file's size and name.
const LIST: &str = ".cigri-results";

/// A folder that no other `cigri` fetches into.
pub(super) struct Folder {
    path: PathBuf,
    force: bool,
    known: HashMap<String, u64>,
    list: Mutex<File>,
}

/// What is under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing, or what may be replaced.
    Free,
    /// The file, whole.
    Complete,
    /// Something that was not fetched for this campaign, or that was changed since.
    Foreign,
    /// The name is not one of a file in the folder.
    BadName,
}

/// A file on its way.
pub(super) struct Part {
    name: String,
    path: PathBuf,
    file: Option<File>,
    size: u64,
}

impl Folder {
    /// Makes the folder if it is missing, and takes it. `whose` is one line that no other campaign has.
    pub(super) fn open(path: &Path, whose: &str, force: bool) -> Result<Folder, Failure> {
        fs::create_dir_all(path).map_err(|error| unusable(path, &error))?;
        let place = path.join(LIST);
        let mut list = OpenOptions::new().read(true).append(true).create(true).open(&place);
        let list = list.as_mut().map_err(|error| unusable(&place, error))?;
        match list.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let shown = path.display();
                return Err(Failure::Refused(format!("another `cigri results` is fetching into `{shown}`")));
            }
            // A file system without locks keeps nobody from fetching.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        let mut text = String::new();
        list.read_to_string(&mut text).map_err(|error| unusable(&place, &error))?;
        let known = match text.split_once('\n') {
            Some((first, files)) if first == whose => read_list(files),
            _ => {
                list.set_len(0).and_then(|()| writeln!(list, "{whose}")).map_err(|error| unusable(&place, &error))?;
                HashMap::new()
            }
        };
        let list = list.try_clone().map_err(|error| unusable(&place, &error))?;
        Ok(Folder { path: path.to_owned(), force, known, list: Mutex::new(list) })
    }

    /// What is there under a name that the server gave.
    pub(super) fn standing(&self, name: &str) -> Standing {
        if !is_file_name(name) {
            return Standing::BadName;
        }
        match fs::symlink_metadata(self.path.join(name)) {
            Err(_) => Standing::Free,
            Ok(about) if about.is_file() && self.known.get(name) == Some(&about.len()) => Standing::Complete,
            Ok(about) if self.force && !about.is_dir() => Standing::Free,
            Ok(_) => Standing::Foreign,
        }
    }

    /// Begins a file beside the place where it will be.
    pub(super) fn begin(&self, name: &str) -> Result<Part, Failure> {
        let path = self.path.join(format!(".{name}.cigri-part"));
        // What an interrupted fetch left; a link that somebody put there is removed, not followed.
        fs::remove_file(&path).ok();
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|error| unusable(&path, &error))?;
        Ok(Part { name: name.to_owned(), path, file: Some(file), size: 0 })
    }

    fn list(&self) -> MutexGuard<'_, File> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// Adds what came.
    pub(super) fn write(&mut self, piece: &[u8]) -> Result<(), Failure> {
        self.size += piece.len() as u64;
        let written = self.file.as_mut().map(|file| file.write_all(piece)).transpose();
        written.map(|_| ()).map_err(|error| unusable(&self.path, &error))
    }

    /// Gives the whole file its name. It is on the list before: what is on the list and not there is fetched again.
    pub(super) fn finish(mut self, folder: &Folder) -> Result<(), Failure> {
        let failed = |error| unusable(&self.path, &error);
        if let Some(file) = self.file.take() {
            file.sync_data().map_err(failed)?;
        }
        writeln!(folder.list(), "{} {}", self.size, self.name).map_err(failed)?;
        fs::rename(&self.path, folder.path.join(&self.name)).map_err(failed)
    }
}

impl Drop for Part {
    /// A part that was not finished.
    fn drop(&mut self) {
        if self.file.take().is_some() {
            fs::remove_file(&self.path).ok();
        }
    }
}

/// A last line that was cut off names no file, or one whose size is another.
fn read_list(text: &str) -> HashMap<String, u64> {
    let entry = |line: &str| line.split_once(' ').and_then(|(size, name)| Some((name.to_owned(), size.parse().ok()?)));
    text.lines().filter_map(entry).collect()
}

fn is_file_name(name: &str) -> bool {
    let is_odd = name.contains('/') || name.chars().any(char::is_control);
    !is_odd && !matches!(name, "" | "." | ".." | LIST) && name.len() <= 200
}

fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Environment(format!("cannot write `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(folder: &Folder, name: &str, content: &str) {
        let mut part = folder.begin(name).unwrap();
        part.write(content.as_bytes()).unwrap();
        part.finish(folder).unwrap();
    }

    #[test]
    fn what_is_whole_is_known_again_and_what_is_another_is_not_touched() {
        let place = tempfile::tempdir().unwrap();
        let open = |whose, force| Folder::open(place.path(), whose, force).unwrap();
        let folder = open("campaign 3", false);
        put(&folder, "r.1", "one");
        put(&folder, "r.2", "two");
        drop(folder);
        fs::write(place.path().join("r.2"), "changed").unwrap();
        fs::write(place.path().join("mine"), "mine").unwrap();
        let standings = |folder: Folder| ["r.1", "r.2", "mine", "r.3"].map(|name| folder.standing(name));
        use Standing::{Complete, Foreign, Free};
        assert_eq!(standings(open("campaign 3", false)), [Complete, Foreign, Foreign, Free]);
        assert_eq!(standings(open("campaign 3", true)), [Complete, Free, Free, Free]);
        assert_eq!(standings(open("campaign 4", false)), [Foreign, Foreign, Foreign, Free], "another campaign's");
    }

    #[test]
    fn a_fetch_that_was_cut_off_leaves_nothing_and_is_made_again() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path(), "campaign 3", false).unwrap();
        folder.begin("r.1").unwrap().write(b"hal").unwrap();
        assert_eq!(folder.standing("r.1"), Standing::Free);
        fs::write(place.path().join(".r.2.cigri-part"), "left by a crash").unwrap();
        put(&folder, "r.2", "two");
        let mut names: Vec<_> = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [LIST, "r.2"]);
        assert_eq!(fs::read_to_string(place.path().join("r.2")).unwrap(), "two");
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path(), "campaign 3", true).unwrap();
        for name in ["", ".", "..", "../x", "/etc/x", "a/b", "a\nb", LIST] {
            assert_eq!(folder.standing(name), Standing::BadName, "{name:?}");
        }
        std::os::unix::fs::symlink("/etc/hostname", place.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", place.path().join(".link.cigri-part")).unwrap();
        assert_eq!(folder.standing("link"), Standing::Free, "the link itself is replaced");
        put(&folder, "link", "text");
        assert!(fs::symlink_metadata(place.path().join("link")).unwrap().is_file());
    }

    #[test]
    fn two_commands_do_not_fetch_into_one_folder() {
        let place = tempfile::tempdir().unwrap();
        let first = Folder::open(place.path(), "campaign 3", false).unwrap();
        assert!(matches!(Folder::open(place.path(), "campaign 3", false), Err(Failure::Refused(_))));
        drop(first);
        assert!(Folder::open(place.path(), "campaign 3", false).is_ok());
    }
}
