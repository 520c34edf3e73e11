//! `cigri run` and `cigri submit`: a file becomes a campaign, which is followed to its end.

mod add;
pub(crate) mod axes;
pub(crate) mod campaign_file;
mod difference;
mod dry_run;
mod follow;
mod lull;
mod others;
mod pace;
mod parameter_file;
mod progress;
mod signals;
mod submit;
mod summary;

use std::time::Instant;

use cigri_api::Campaign;

use crate::api::Once;
use crate::attach::{attach, with_server};
use crate::cli::{RunOptions, SubmitOptions};
use crate::command_line::same_command;
use crate::embed::Engine;
use crate::exit::{Exit, Failure};
use crate::place::Place;
use crate::screen::Screen;
use crate::show::endless::tasks_words;
pub(crate) use add::add;
use campaign_file::CampaignFile;
use follow::{Ending, Session};
use signals::Signals;
use submit::{Chosen, choose};
use summary::{Seen, exit_of, summary};

/// Runs a campaign and follows it to its end.
pub(crate) async fn run(place: &Place, options: &RunOptions, screen: &Screen) -> Result<Exit, Failure> {
    let file = CampaignFile::read(&options.file, &options.sweep.parameters)?;
    if options.dry_run {
        return dry_run::dry_run(place, &file, screen).await;
    }
    let mut signals = Signals::listen()?;
    let engine = Engine::running(options);
    let attachment = tokio::select! {
        () = signals.asked() => return Ok(nothing_submitted(screen)),
        attachment = attach(place, &engine) => attachment?,
    };
    if !attachment.serves() && place.is_local() {
        tell_attached(options, screen);
    }
    let mut session = Session { place, engine, attachment, signals, screen };
    let result = submit_and_follow(&mut session, &file, options).await;
    session.attachment.close().await;
    result
}

async fn submit_and_follow(
    session: &mut Session<'_>,
    file: &CampaignFile,
    options: &RunOptions,
) -> Result<Exit, Failure> {
    let chosen = tokio::select! {
        () = session.signals.asked() => return Ok(nothing_submitted(session.screen)),
        chosen = choose(&session.attachment.api, session.place, file, options.again, session.screen) => chosen?,
    };
    tell_begin(&chosen, session.screen);
    let began = Instant::now();
    let ended_before = ended(&chosen.campaign);
    let (ending, campaign) = session.follow(chosen.campaign.id).await?;
    let seen = Seen { campaign, ending, ended_before, elapsed: began.elapsed() };
    match report(session, &seen).await {
        // Nobody reads the summary; the tasks have their outcome all the same.
        Ok(()) | Err(Failure::Output(_)) => {}
        Err(failure) => return Err(failure),
    }
    let exit = exit_of(ending, &seen.campaign);
    if ending != Ending::Interrupted {
        others::serve_others(session, seen.campaign.id).await?;
    }
    Ok(exit)
}

async fn report(session: &Session<'_>, seen: &Seen) -> Result<(), Failure> {
    if session.screen.json {
        return session.screen.value(&seen.campaign);
    }
    let text = match summary(&session.attachment.api, seen).await {
        // The other process has just gone, with the campaign paused: there is only this much to tell.
        Err(Failure::Api(error)) if session.loses_server(&error) => return Ok(()),
        text => text?,
    };
    // Without its summary, a campaign that is not finished would end in silence.
    if !session.screen.quiet {
        return session.screen.line(&text);
    }
    if exit_of(seen.ending, &seen.campaign) != Exit::Success {
        crate::screen::say(&text);
    }
    Ok(())
}

/// Submits a campaign without following it.
pub(crate) async fn submit(place: &Place, options: &SubmitOptions, screen: &Screen) -> Result<Exit, Failure> {
    let mut file = CampaignFile::read(&options.file, &options.sweep.parameters)?;
    if options.dry_run {
        return dry_run::dry_run(place, &file, screen).await;
    }
    if let Some(key) = &options.idempotency_key {
        file.once = Once::new(Some(key), true)?;
    }
    with_server(place, async |api| {
        let Chosen { campaign, is_new } = choose(api, place, &file, options.again, screen).await?;
        if screen.json {
            screen.value(&campaign)?;
            return Ok(Exit::Success);
        }
        let what = if is_new { "accepted" } else { "exists already" };
        screen.line(&format!("campaign {} {what}: {}", campaign.id, tasks_words(&campaign)))?;
        if place.is_local() {
            screen.note("its tasks run while a `cigri run` works in this data directory");
        }
        Ok(Exit::Success)
    })
    .await
}

fn ended(campaign: &Campaign) -> u64 {
    campaign.done + campaign.failed + campaign.cancelled
}

fn nothing_submitted(screen: &Screen) -> Exit {
    screen.note(&format!("interrupted before the campaign was accepted; to try again: {}", same_command()));
    Exit::Unfinished
}

fn tell_begin(chosen: &Chosen, screen: &Screen) {
    let campaign = &chosen.campaign;
    if chosen.is_new {
        screen.note(&format!("campaign {}: {}", campaign.id, tasks_words(campaign)));
    } else if ended(campaign) == campaign.total_jobs {
        let advice = "--new starts afresh, --retry-failed takes the failed";
        screen.note(&format!("campaign {} of this file is finished already ({advice})", campaign.id));
    }
}

/// Options of the engine have no effect in a process that does not run the jobs.
fn tell_attached(options: &RunOptions, screen: &Screen) {
    let given = [
        ("--cores", options.cores.is_some()),
        ("--kill-rate", options.kill_rate > 0.0),
        ("--seed", options.seed.is_some()),
        ("--output-files", options.output_files),
    ];
    let names: Vec<&str> = given.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name).collect();
    if !names.is_empty() {
        screen
            .warn(&format!("another `cigri` runs the jobs of this data directory: no effect of {}", names.join(", ")));
    }
}
