//! The `cigri` command: campaigns of many tasks, on this machine or through a CiGri server.

mod admin;
mod admin_cluster;
mod api;
mod attach;
mod cli;
mod command_line;
mod embed;
mod exit;
mod lint;
mod notify;
mod place;
mod results;
mod rules;
mod run;
mod screen;
mod show;
mod simulate;
mod token;

use std::process::ExitCode;

use cli::{Arguments, Command};
use exit::{Exit, Failure};
use place::Place;
use screen::Screen;

fn main() -> ExitCode {
    let arguments = cli::parse();
    match block_on(&arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.report();
            failure.exit().into()
        }
    }
}

fn block_on(arguments: &Arguments) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::Environment(format!("cannot start: {error}")))?;
    runtime.block_on(dispatch(arguments))
}

async fn dispatch(arguments: &Arguments) -> Result<Exit, Failure> {
    let screen = Screen::of(&arguments.global);
    // What looks at files only needs no place to look for campaigns in.
    let place = || Place::of(&arguments.global);
    match &arguments.command {
        Command::Run(options) => run::run(&place()?, options, &screen).await,
        Command::Submit(options) => run::submit(&place()?, options, &screen).await,
        Command::Add(options) => run::add(&place()?, options, &screen).await,
        Command::Token(command) => token::token(&place()?, command, &screen).await,
        Command::Notify(command) => notify::notify(&place()?, command, &screen).await,
        Command::Admin(command) => admin::admin(&place()?, command, &screen).await,
        Command::Lint(options) => lint::lint(options, &screen),
        Command::Simulate(options) => simulate::simulate(options, &screen),
        Command::Results(options) => results::results(&place()?, options, &screen).await,
        Command::Show(command) => show::show(&place()?, command, &screen).await,
    }
}
