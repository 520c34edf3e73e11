//! What becomes of a file that each task writes: where it is on the cluster, what it is called at home, and the shell
//! words with which a job copies it itself.

use std::collections::BTreeMap;

use crate::language::{Gathering, Output};

/// Exit code of a job whose program succeeded and whose file could not be copied.
pub const NOT_COPIED: i32 = 68;

/// What the macros of a file's name stand for, in one task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Campaign id.
    pub campaign_id: i64,
    /// Task id.
    pub task_id: i64,
    /// Index of the task in its campaign.
    pub task_index: i64,
    /// The job's id on its cluster.
    pub remote_id: i64,
    /// Named parameters of the task.
    pub named: BTreeMap<String, String>,
}

/// A name of an output file that would lead somewhere else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no file below the working directory")]
pub struct Astray(String);

/// The file's path below the working directory, for one task. What a parameter brings in is no way out of it.
pub fn path_of(output: &Output, written: &Written) -> Result<String, Astray> {
    let path: String = pieces(&output.file).map(|piece| piece.value(written)).collect();
    let is_below = |part: &str| !matches!(part, "" | "." | "..") && !part.chars().any(char::is_control);
    if path.split('/').all(is_below) { Ok(path) } else { Err(Astray(path)) }
}

/// What the file is called where all files of the campaign are together: its own name, after the task's index if that
/// name alone does not tell tasks apart.
pub fn name_at_home(output: &Output, written: &Written) -> Result<String, Astray> {
    let path = path_of(output, written)?;
    let name = path.rsplit('/').next().unwrap_or_default();
    let last = output.file.rsplit('/').next().unwrap_or_default();
    let tells_apart = pieces(last).any(|piece| matches!(piece, Piece::Macro("TASK_ID" | "TASK_INDEX")));
    Ok(if tells_apart { name.to_owned() } else { format!("{}-{name}", written.task_index) })
}

/// The shell's command that copies the file to where the campaign wants it, run by the job after its program; `None`
/// where somebody else fetches it. Its exit code is the job's.
pub fn copy_command(output: &Output, campaign_id: u64) -> Option<String> {
    let file: String = pieces(&output.file).map(|piece| piece.in_shell(campaign_id)).collect();
    // A name that begins with `-` or holds a `:` is a file all the same.
    let file = format!("./{file}");
    let (copy, place) = match &output.method {
        Gathering::Collector(_) => return None,
        Gathering::Scp(place) => (format!("scp -B -q -- {file} {}", quoted(&format!("{place}/"))), place),
        Gathering::Irods(place) => (format!("iput -f {file} {}", quoted(&format!("{place}/"))), place),
    };
    let complaint = quoted(&format!("cigri: the program succeeded, but its output file was not copied to {place}:"));
    Some(format!("{copy} || {{ echo {complaint} {file} >&2; return {NOT_COPIED}; }}"))
}

/// A part of a file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    /// As it is.
    Text(&'a str),
    /// `{NAME}`.
    Macro(&'a str),
}

impl Piece<'_> {
    fn value(self, written: &Written) -> String {
        match self {
            Piece::Text(text) => text.to_owned(),
            Piece::Macro("CAMPAIGN_ID") => written.campaign_id.to_string(),
            Piece::Macro("TASK_ID") => written.task_id.to_string(),
            Piece::Macro("TASK_INDEX") => written.task_index.to_string(),
            Piece::Macro("OAR_JOB_ID") => written.remote_id.to_string(),
            Piece::Macro(name) => written.named.get(name).cloned().unwrap_or_else(|| format!("{{{name}}}")),
        }
    }

    fn in_shell(self, campaign_id: u64) -> String {
        match self {
            Piece::Text(text) => quoted(text),
            Piece::Macro("CAMPAIGN_ID") => campaign_id.to_string(),
            Piece::Macro("TASK_ID") => "\"$CIGRI_TASK_ID\"".to_owned(),
            Piece::Macro("TASK_INDEX") => "\"$CIGRI_TASK_INDEX\"".to_owned(),
            Piece::Macro("OAR_JOB_ID") => "\"$OAR_JOB_ID\"".to_owned(),
            Piece::Macro(name) => format!("\"$CIGRI_PARAM_{name}\""),
        }
    }
}

/// The text between macros, and the macros. Braces around anything but a name are text.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((name, after)) = leading_macro(rest) {
            rest = after;
            return Some(Piece::Macro(name));
        }
        let next = rest.char_indices().skip(1).map(|(at, _)| at).find(|at| leading_macro(&rest[*at..]).is_some());
        let (text, after) = rest.split_at(next.unwrap_or(rest.len()));
        rest = after;
        Some(Piece::Text(text))
    })
}

fn leading_macro(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('{')?.split_once('}')?;
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|next| next.is_ascii_alphanumeric() || next == '_');
    is_name.then_some((name, after))
}

/// One word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(file: &str) -> Output {
        Output { file: file.to_owned(), method: Gathering::Collector(None) }
    }

    fn written() -> Written {
        let named =
            BTreeMap::from([("alpha".to_owned(), "0.5".to_owned()), ("way".to_owned(), "../../etc".to_owned())]);
        Written { campaign_id: 3, task_id: 2017, task_index: 17, remote_id: 90, named }
    }

    #[test]
    fn macros_stand_for_the_task() {
        let file = "out/{CAMPAIGN_ID}/r.{TASK_ID}.{TASK_INDEX}.{OAR_JOB_ID}.{alpha}.{x y}";
        assert_eq!(path_of(&output(file), &written()).unwrap(), "out/3/r.2017.17.90.0.5.{x y}");
    }

    #[test]
    fn no_name_leads_out_of_the_working_directory() {
        for file in ["../x", "/etc/passwd", "a/../../x", "a//b", "", "a/", "{way}", "a/{way}/b", "a\nb"] {
            assert!(path_of(&output(file), &written()).is_err(), "{file}");
        }
    }

    #[test]
    fn names_at_home_tell_tasks_apart() {
        let name = |file: &str| name_at_home(&output(file), &written()).unwrap();
        assert_eq!(name("out/r.{TASK_INDEX}.dat"), "r.17.dat");
        assert_eq!(name("out/r.{TASK_ID}"), "r.2017");
        assert_eq!(name("{TASK_ID}/r.dat"), "17-r.dat");
        assert_eq!(name("r.{OAR_JOB_ID}"), "17-r.90");
    }

    #[test]
    fn a_job_copies_its_file_itself() {
        let by = |method| Output { file: "it's/r.{TASK_INDEX}".to_owned(), method };
        assert_eq!(copy_command(&by(Gathering::Collector(None)), 3), None);
        assert_eq!(
            copy_command(&by(Gathering::Scp("store:runs".into())), 3).unwrap(),
            "scp -B -q -- ./'it'\\''s/r.'\"$CIGRI_TASK_INDEX\" 'store:runs/' || { echo 'cigri: the program succeeded, \
             but its output file was not copied to store:runs:' ./'it'\\''s/r.'\"$CIGRI_TASK_INDEX\" >&2; return 68; }"
        );
        let irods = copy_command(&by(Gathering::Irods("/zone/home".into())), 3).unwrap();
        assert!(irods.starts_with("iput -f ./'it'\\''s/r.'\"$CIGRI_TASK_INDEX\" '/zone/home/' || "), "{irods}");
    }
}
