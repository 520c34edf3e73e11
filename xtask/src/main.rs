//! The project's own tools: `tidy` checks the house rules; `language` writes what the docs repeat of the code; `measure`, `spawn-floor` and
//! `summarise` are the parts of the benchmarks that a shell script cannot do well.

mod language;
mod measure;
mod spawn_floor;
mod summary;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo run -q -p xtask -- COMMAND
  language                                      write docs/campaign.schema.json and the tables of docs/LANGUAGE.md and docs/EVENTS.md
  tidy                                          check the house rules, print what breaks them
  spawn-floor N THREADS                         start and wait for /bin/true N times
  measure ROWS LABEL TASKS -- PROGRAM [ARG]...  run a program, append what it cost to the file ROWS
  summarise ROWS                                the rows as a table in Markdown";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["tidy"] => return tidy::run(&root()),
        ["language"] => language::write(&root()),
        ["spawn-floor", tasks, threads] => spawn_floor::run(tasks, threads),
        ["measure", rows, label, tasks, "--", program @ ..] => measure::run(Path::new(rows), label, tasks, program),
        ["summarise", rows] => summary::print(Path::new(rows)),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// The repository: the folder above this crate's.
fn root() -> std::path::PathBuf {
    let krate = Path::new(env!("CARGO_MANIFEST_DIR"));
    krate.parent().unwrap_or(krate).to_owned()
}
