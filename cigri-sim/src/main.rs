//! The `cigri-sim` command: plays scenarios, and writes the comparison of laws into the documentation.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cigri_sim::load::swf;
use cigri_sim::{LawSettings, Run, Scenario, Traces, compare, table};
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cigri-sim", version, about = "CiGri's meter on a virtual clock, against modelled clusters")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays one scenario and prints what came of it
    Run {
        /// A scenario file
        scenario: PathBuf,
        /// The law instead of the scenario's: a name, or a table as in the cluster's limits, `{ name = "fixed", waiting = 50 }`
        #[arg(long)]
        law: Option<String>,
        /// Everything that is drawn follows from it
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Do not steer file servers
        #[arg(long)]
        no_file_server: bool,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Runs every law on every scenario, each tuned, and prints Markdown tables
    Compare {
        /// Folder of scenario files
        #[arg(long, default_value = "examples/scenarios")]
        scenarios: PathBuf,
        /// Runs of each
        #[arg(long, default_value_t = 3)]
        seeds: u64,
        /// Put the tables between the markers of this document, instead of printing them
        #[arg(long, value_name = "DOCUMENT")]
        write: Option<PathBuf>,
        /// Only scenarios whose name contains this
        #[arg(long)]
        only: Option<String>,
    },
}

fn main() -> ExitCode {
    match execute(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("cigri-sim: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<(), String> {
    match command {
        Command::Run { scenario, law, seed, no_file_server, json } => {
            let (scenario, traces) = load(&scenario)?;
            let law = law.map(|text| parse_law(&text)).transpose()?;
            let run = Run { scenario: &scenario, traces: &traces, seed, law: law.as_ref(), steered: !no_file_server };
            let outcome = timed(&scenario.name, || cigri_sim::run(run));
            if json {
                println!("{}", serde_json::to_string_pretty(&outcome).map_err(|error| error.to_string())?);
            } else {
                println!("{}", table::show(&outcome));
            }
        }
        Command::Compare { scenarios, seeds, write, only } => {
            let tables = compare_all(&scenarios, seeds, only.as_deref())?;
            match write {
                None => println!("{tables}"),
                Some(path) => {
                    let text = compare::insert(&read(&path)?, &tables)?;
                    std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
                }
            }
        }
    }
    Ok(())
}

/// Says how long it took, beside the output.
fn timed<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let started = std::time::Instant::now();
    let done = work();
    eprintln!("{name}: simulated in {:.1} s", started.elapsed().as_secs_f64());
    done
}

fn compare_all(folder: &Path, seeds: u64, only: Option<&str>) -> Result<String, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let mut comparisons = Vec::new();
    for path in paths {
        let (scenario, traces) = load(&path)?;
        if only.is_none_or(|part| scenario.name.contains(part)) {
            comparisons.push(timed(&scenario.name, || compare::compare(&scenario, &traces, seeds)));
        }
    }
    Ok(compare::document(&comparisons, seeds))
}

/// A name alone has its default settings.
fn parse_law(text: &str) -> Result<LawSettings, String> {
    let table = if text.trim_start().starts_with('{') { text.to_owned() } else { format!("{{ name = \"{text}\" }}") };
    let parsed: toml::Table = toml::from_str(&format!("law = {table}")).map_err(|error| error.to_string())?;
    let law = parsed["law"].clone();
    let problem = |error: toml::de::Error| format!("--law {text}: {}", error.message());
    let law: LawSettings = law.try_into().map_err(problem)?;
    match law.check().first() {
        None => Ok(law),
        Some(problem) => Err(format!("--law {text}: {problem}")),
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// A scenario and its traces, which lie beside it.
fn load(path: &Path) -> Result<(Scenario, Traces), String> {
    let scenario = Scenario::parse(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut traces = Traces::new();
    for name in scenario.traces() {
        let file = path.parent().unwrap_or(Path::new(".")).join(name);
        let jobs = swf::parse(&read(&file)?).map_err(|error| format!("{}: {error}", file.display()))?;
        traces.insert(name.to_owned(), jobs);
    }
    Ok((scenario, traces))
}
