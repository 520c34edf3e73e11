//! PostgreSQL's own programs: where they are, and how they are told which database, without showing its password.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use percent_encoding::percent_decode_str;

use super::BackupError;

/// Where Debian keeps the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The folder of `pg_dump`, `pg_restore` and `psql`.
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// The newest of Debian's, else those on the PATH: an older `pg_dump` refuses a newer server.
    pub(crate) fn find() -> Result<Programs, BackupError> {
        let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .collect();
        versions.sort_unstable();
        let debian = versions.into_iter().rev().map(|(_, folder)| folder);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = debian.chain(std::env::split_paths(&path));
        let is_there =
            |folder: &PathBuf| ["pg_dump", "pg_restore", "psql"].iter().all(|name| folder.join(name).exists());
        folders.find(is_there).map(Programs).ok_or_else(|| {
            let missing = "pg_dump, pg_restore and psql are not on the PATH";
            BackupError::Program(format!("{missing}: install PostgreSQL's client (Debian: postgresql-client)"))
        })
    }

    /// One of them.
    pub(crate) fn command(&self, name: &str) -> Command {
        Command::new(self.0.join(name))
    }
}

/// A `postgres://` URL in two parts: arguments can be read by everybody on the machine, an environment cannot.
pub(crate) struct Connection {
    url: String,
    password: Option<OsString>,
}

impl Connection {
    /// Takes the password out of a URL.
    pub(crate) fn parse(url: &str) -> Connection {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let (address, in_address) = take_userinfo(address);
        let (in_query, kept): (Vec<&str>, Vec<&str>) =
            query.split('&').filter(|part| !part.is_empty()).partition(|part| part.starts_with("password="));
        let in_query = in_query.last().and_then(|part| part.strip_prefix("password="));
        let url = if kept.is_empty() { address } else { format!("{address}?{}", kept.join("&")) };
        let decode = |text: &str| OsString::from_vec(percent_decode_str(text).collect());
        Connection { url, password: in_query.map(decode).or_else(|| in_address.as_deref().map(decode)) }
    }

    /// Tells a program which database is meant. It never asks for a password.
    pub(crate) fn tell<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        command.arg("--no-password").arg(format!("--dbname={}", self.url))
    }
}

fn take_userinfo(address: &str) -> (String, Option<String>) {
    let plain = (address.to_owned(), None);
    let Some((scheme, rest)) = address.split_once("://") else { return plain };
    let host = rest.split('/').next().unwrap_or_default();
    let Some((user, password)) = host.rsplit_once('@').and_then(|(userinfo, _)| userinfo.split_once(':')) else {
        return plain;
    };
    let after = &rest[user.len() + 1 + password.len()..];
    (format!("{scheme}://{user}{after}"), Some(password.to_owned()))
}

/// What a program that failed has to say.
pub(crate) fn complaint(program: &str, output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    if said.is_empty() { format!("{program}: {}", output.status) } else { said.to_owned() }
}

/// Whether the file begins with these bytes.
pub(crate) fn begins_with(path: &Path, magic: &[u8]) -> std::io::Result<bool> {
    use std::io::Read as _;
    let mut begin = Vec::new();
    std::fs::File::open(path)?.take(magic.len() as u64).read_to_end(&mut begin)?;
    Ok(begin == magic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, Option<String>) {
        let connection = Connection::parse(url);
        (connection.url, connection.password.map(|password| password.into_string().unwrap()))
    }

    #[test]
    fn a_password_leaves_the_url_wherever_it_stands() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts("postgres://a:p%40w:x@h:1/d?x=1"), ("postgres://a@h:1/d?x=1".into(), some("p@w:x")));
        assert_eq!(parts("postgresql://a:pw@/d?host=/run/x"), ("postgresql://a@/d?host=/run/x".into(), some("pw")));
        assert_eq!(parts("postgres://a@h/d?password=pw&x=1"), ("postgres://a@h/d?x=1".into(), some("pw")));
        assert_eq!(parts("postgres://h/d?password=pw"), ("postgres://h/d".into(), some("pw")));
        assert_eq!(parts("postgres:///d?host=/a:b@c"), ("postgres:///d?host=/a:b@c".into(), None));
        assert_eq!(parts("postgres://[::1]:5432/d"), ("postgres://[::1]:5432/d".into(), None));
    }
}
