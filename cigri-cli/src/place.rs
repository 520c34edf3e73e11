//! Where campaigns live: a data directory of this machine, or the socket of a CiGri server.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use crate::cli::Global;
use crate::exit::Failure;

/// Where campaigns live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A data directory (absolute); the first process that needs it serves it.
    DataDir(PathBuf),
    /// The socket of a server that somebody runs.
    Server(PathBuf),
}

impl Place {
    /// As the options say, or the user's own data directory.
    pub(crate) fn of(global: &Global) -> Result<Self, Failure> {
        let given = |path: &Option<PathBuf>| path.clone().filter(|path| !path.as_os_str().is_empty());
        if let Some(socket) = given(&global.server) {
            return Ok(Self::Server(socket));
        }
        let directory = match given(&global.data_dir) {
            Some(directory) => directory,
            None => default_data_dir(std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME"))?,
        };
        std::path::absolute(&directory)
            .map(Self::DataDir)
            .map_err(|error| Failure::Environment(format!("no data directory `{}`: {error}", directory.display())))
    }

    /// True when clusters are made of this machine's cores.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::DataDir(_))
    }
}

/// The XDG rule: a relative path there is as good as none.
fn default_data_dir(xdg: Option<OsString>, home: Option<OsString>) -> Result<PathBuf, Failure> {
    let absolute = |value: Option<OsString>| value.map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(xdg)
        .or_else(|| absolute(home).map(|home| home.join(".local/share")))
        .map(|base| base.join("cigri"))
        .ok_or_else(|| Failure::Environment("no home directory is known: give --data-dir".into()))
}

/// Which campaign is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selector {
    /// The one with this number.
    Id(i64),
    /// The newest.
    Last,
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<i64>() {
            _ if text == "last" => Ok(Self::Last),
            Ok(id) if id > 0 => Ok(Self::Id(id)),
            _ => Err("expected the number of a campaign, or `last`".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_directory_follows_the_xdg_rule() {
        let some = |text: &str| Some(OsString::from(text));
        let path = |xdg, home| default_data_dir(xdg, home).map_err(|failure| failure.to_string());
        assert_eq!(path(some("/x"), some("/home/a")), Ok(PathBuf::from("/x/cigri")));
        assert_eq!(path(None, some("/home/a")), Ok(PathBuf::from("/home/a/.local/share/cigri")));
        assert_eq!(path(some("x"), some("/home/a")), Ok(PathBuf::from("/home/a/.local/share/cigri")));
        assert!(path(None, None).is_err());
    }
}
