//! A campaign file and its parameter file, read and checked before any server is started: a bad one changes nothing.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use cigri_api::{Origin, Problem};
use cigri_core::language::{self, CampaignSpec, Context, Limits, Parameters, Resolved, Sweep, Written};
use sha2::{Digest, Sha256};

use super::axes::{Axis, grid};
use super::parameter_file::{self, ParameterFile};
use crate::api::Once;
use crate::exit::Failure;

/// Walltime and resources for the check only: the server that takes the campaign has its own defaults.
const ANY_WALLTIME_S: u64 = 7_200;
const ANY_RESOURCES: &str = "/core=1";

/// A campaign file whose content is sound.
#[derive(Debug)]
pub(crate) struct CampaignFile {
    /// The file as the user named it.
    pub(crate) shown: String,
    /// Its bytes.
    pub(crate) text: Vec<u8>,
    /// Where it lies and what its content is, parameters included.
    pub(crate) origin: Origin,
    /// The folder it lies in.
    pub(crate) directory: String,
    /// The campaign as written, without its parameter list.
    pub(crate) jdl: String,
    /// What it says, with defaults filled in.
    pub(crate) spec: CampaignSpec,
    /// Its parameters, unless they are in a file of their own.
    pub(crate) parameters: Parameters,
    /// That file.
    pub(crate) parameter_file: Option<ParameterFile>,
    /// However often this command sends it, one campaign comes of it.
    pub(crate) once: Once,
    /// What deserves a look in it, and in its parameters.
    pub(crate) warnings: Vec<Problem>,
}

impl CampaignFile {
    /// Reads and checks a campaign file and the parameter file that it names.
    ///
    /// `axes` stand in place of the parameters that it gives.
    pub(crate) fn read(path: &Path, axes: &[Axis]) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let limits = Limits::default();
        let mut text = read_bounded(path, &limits).map_err(|reason| unreadable(&shown, &reason))?;
        let canonical = path.canonicalize().map_err(|error| unreadable(&shown, &error.to_string()))?;
        let (location, directory) = locate(&shown, &canonical)?;
        let mut written = language::parse(&text, &limits).map_err(|problems| invalid(&shown, problems.0))?;
        if let Some(grid) = grid(axes) {
            written = written.with_parameters(&grid).map_err(|problems| invalid(&shown, problems.0))?;
            text = written.without_parameters().into_bytes();
        }
        let jdl = written.without_parameters();
        let place = find_parameters(&written, Path::new(&directory));
        let Resolved { spec, parameters, mut warnings } = check(&shown, written, &directory)?;
        let mut digest = Sha256::new();
        // With its length in front, no other pair of files gives the same bytes.
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(&text);
        let mut parameter_file = match place {
            Some(place) => Some(ParameterFile::check(place?, &parameters, &mut digest)?),
            None => None,
        };
        if let Some(file) = &mut parameter_file {
            insist_on_names(&shown, spec.clone(), &file.names)?;
            warnings.append(&mut file.warnings);
        }
        let warnings = warnings.into_iter().map(on_the_wire).collect();
        let origin = Origin { path: location, digest: hex(&digest.finalize()) };
        let once = Once::new(None, true)?;
        Ok(Self { shown, text, origin, directory, jdl, spec, parameters, parameter_file, once, warnings })
    }
}

/// The canonical path of the file and of its folder, as text.
fn locate(shown: &str, canonical: &Path) -> Result<(String, String), Failure> {
    let as_text = |path: &Path| path.to_str().map(str::to_owned);
    let both = as_text(canonical).zip(canonical.parent().and_then(as_text));
    both.ok_or_else(|| unreadable(shown, "its path is not valid UTF-8; rename the file or its folders"))
}

/// A clear word for each thing that is not a campaign file; never more than the limit in memory.
fn read_bounded(path: &Path, limits: &Limits) -> Result<Vec<u8>, String> {
    let kind = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if kind.is_dir() {
        return Err("it is a directory; a campaign file was expected".into());
    }
    if !kind.is_file() {
        return Err("it is not a regular file".into());
    }
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    // One byte more than allowed tells a file that is too long; the language says how long is allowed.
    let most = limits.max_bytes as u64 + 1;
    file.take(most).read_to_end(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

/// Checks everything in the file, as the server will.
fn check(shown: &str, written: Written, directory: &str) -> Result<Resolved, Failure> {
    let context = Context {
        known_clusters: None,
        default_directory: Some(directory),
        parameters_streamed: written.parameter_file().is_some(),
        default_walltime_s: ANY_WALLTIME_S,
        default_resources: ANY_RESOURCES,
    };
    language::resolve(written, &context).map_err(|problems| invalid(shown, problems.0))
}

/// The names of a table are known only when it has been read: what the commands take by name is checked then.
fn insist_on_names(shown: &str, mut spec: CampaignSpec, names: &[String]) -> Result<(), Failure> {
    spec.sweep = Some(Sweep::listed(names.to_vec()));
    match language::check_names(&spec) {
        problems if problems.is_empty() => Ok(()),
        problems => Err(invalid(shown, problems)),
    }
}

/// Relative to the campaign file first; to the working directory as in CiGri 3 otherwise. `-` is standard input.
fn find_parameters(written: &Written, directory: &Path) -> Option<Result<parameter_file::Place, Failure>> {
    let name = Path::new(written.parameter_file()?);
    if name == Path::new("-") {
        return Some(parameter_file::Place::standard_input());
    }
    let beside = directory.join(name);
    let path = if beside.exists() || !name.exists() { beside } else { name.to_owned() };
    Some(Ok(parameter_file::Place::File(path)))
}

/// A failure that says why a file cannot be read.
pub(super) fn unreadable(shown: &str, reason: &str) -> Failure {
    Failure::Campaign { message: format!("cannot read `{shown}`: {reason}"), problems: Vec::new() }
}

/// A failure that lists the problems of a file.
pub(super) fn invalid(shown: &str, problems: Vec<language::Problem>) -> Failure {
    let count = match problems.len() {
        1 => "a problem".to_owned(),
        more => format!("{more} problems"),
    };
    let message = format!("`{shown}` is not a valid campaign; it has {count}:");
    Failure::Campaign { message, problems: problems.into_iter().map(on_the_wire).collect() }
}

fn on_the_wire(problem: language::Problem) -> Problem {
    let language::Problem { path, found, expected, hint, line } = problem;
    Problem { path, found, expected, hint, line }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"name": "n", "param_file": "p.txt", "exec_file": "echo", "clusters": {"here": {}}}"#;

    fn folder(campaign: &str, parameters: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("c.json"), campaign).unwrap();
        std::fs::write(folder.path().join("p.txt"), parameters).unwrap();
        folder
    }

    fn digest(campaign: &str, parameters: &str) -> String {
        CampaignFile::read(&folder(campaign, parameters).path().join("c.json"), &[]).unwrap().origin.digest
    }

    #[test]
    fn the_digest_covers_both_files_and_nothing_else() {
        let first = digest(GOOD, "1\n2\n");
        assert_eq!(first, digest(GOOD, "1\n2\n"));
        assert_ne!(first, digest(GOOD, "1\n3\n"));
        assert_ne!(first, digest(&GOOD.replace("echo", "true"), "1\n2\n"));
    }

    #[test]
    fn a_bad_line_of_the_parameter_file_is_named() {
        let folder = folder(GOOD, "fine\nnot \0 fine\n");
        let failure = CampaignFile::read(&folder.path().join("c.json"), &[]).unwrap_err();
        let Failure::Campaign { problems, .. } = failure else { panic!("{failure}") };
        assert_eq!(problems[0].line.map(|(line, _)| line), Some(2));
    }

    #[test]
    fn a_missing_parameter_file_is_named() {
        let folder = folder(&GOOD.replace("p.txt", "absent.txt"), "");
        let failure = CampaignFile::read(&folder.path().join("c.json"), &[]).unwrap_err();
        assert!(failure.to_string().contains("absent.txt"), "{failure}");
    }
}
