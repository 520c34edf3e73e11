//! The files that the rules look at: what git tracks or would, or all files where git cannot tell.

use super::source::Source;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Reads every text file of the repository. Binary files are passed over.
pub(super) fn read_all(root: &Path) -> Result<Vec<Source>, String> {
    let mut paths = match listed_by_git(root) {
        Some(paths) => paths,
        None => walk(root)?,
    };
    paths.sort();
    let mut sources = Vec::new();
    for path in paths {
        // A file may be listed by git and deleted from the work tree.
        let Ok(bytes) = std::fs::read(root.join(&path)) else {
            continue;
        };
        if let Ok(text) = String::from_utf8(bytes) {
            sources.push(Source::new(path, text));
        }
    }
    Ok(sources)
}

fn listed_by_git(root: &Path) -> Option<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let names = String::from_utf8(output.stdout).ok()?;
    let paths: Vec<PathBuf> = names.split_terminator('\0').map(PathBuf::from).collect();
    // An archive unpacked inside somebody else's repository is not known to that one.
    paths.contains(&PathBuf::from("Cargo.toml")).then_some(paths)
}

fn walk(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|e| unreadable(&folder, &e))?;
        for entry in entries {
            let path = entry.map_err(|e| unreadable(&folder, &e))?.path();
            if path.is_dir() {
                if !is_skipped(&path) {
                    folders.push(path);
                }
            } else if let Ok(relative) = path.strip_prefix(root) {
                found.push(relative.to_owned());
            }
        }
    }
    Ok(found)
}

fn unreadable(folder: &Path, error: &std::io::Error) -> String {
    format!("cannot read {}: {error}", folder.display())
}

/// Build output marks itself as a cache; git's own folder is not ours.
fn is_skipped(folder: &Path) -> bool {
    folder.ends_with(".git") || folder.join("CACHEDIR.TAG").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_git_all_but_build_output_is_read() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["src", "target", ".git"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
            std::fs::write(root.path().join(folder).join("a.rs"), "//! a").unwrap();
        }
        std::fs::write(root.path().join("target/CACHEDIR.TAG"), "").unwrap();
        let found: Vec<PathBuf> = read_all(root.path()).unwrap().into_iter().map(|source| source.path).collect();
        assert_eq!(found, [PathBuf::from("src/a.rs")]);
    }
}
