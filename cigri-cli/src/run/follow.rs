//! Following a campaign to its end, whoever serves it: when the process that serves goes away, this one takes over.

use std::time::{Duration, Instant};

use cigri_api::{Accepted, Campaign, CampaignState, Event, List};

use super::lull::Lull;
use super::progress::Progress;
use super::signals::Signals;
use crate::api::ApiError;
use crate::attach::{Attachment, attach, can_take_over};
use crate::embed::Engine;
use crate::exit::Failure;
use crate::place::Place;
use crate::screen::Screen;
use crate::show::events::event_line;

/// First and longest time between two looks: a small campaign ends at once, a long one costs little.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LAST_LOOK: Duration = Duration::from_millis(250);

/// A command that follows a campaign: where it is, how it talks to the server, and what may interrupt it.
pub(super) struct Session<'a> {
    pub(super) place: &'a Place,
    pub(super) engine: Engine,
    pub(super) attachment: Attachment,
    pub(super) signals: Signals,
    pub(super) screen: &'a Screen,
}

/// How following a campaign ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Every task has ended, or the campaign was cancelled.
    Finished,
    /// Somebody paused it, and nothing of it runs any more.
    Paused,
    /// It is held everywhere until somebody acts.
    Stalled,
    /// The user of this command wants to stop.
    Interrupted,
}

impl Session<'_> {
    /// Follows a campaign until there is nothing more to see.
    pub(super) async fn follow(&mut self, id: i64) -> Result<(Ending, Campaign), Failure> {
        let mut progress = Progress::start(self.screen, Instant::now());
        let result = self.watch(id, &mut progress).await;
        progress.finish();
        match result? {
            (Ending::Interrupted, campaign) => self.pause(campaign).await,
            ended => Ok(ended),
        }
    }

    async fn watch(&mut self, id: i64, progress: &mut Progress) -> Result<(Ending, Campaign), Failure> {
        let mut pause = FIRST_LOOK;
        let mut lull = Lull::default();
        loop {
            let campaign = self.look(id, progress).await?;
            progress.show(&campaign, Instant::now());
            if lull.is_long(&campaign, Instant::now()) {
                self.tell_obstacles(id, &mut lull, progress).await;
            }
            if let Some(ending) = ending(&campaign) {
                return Ok((ending, campaign));
            }
            tokio::select! {
                () = self.signals.asked() => return Ok((Ending::Interrupted, campaign)),
                () = tokio::time::sleep(pause) => {}
            }
            pause = pause.mul_f64(1.5).min(LAST_LOOK);
        }
    }

    /// Says what keeps a campaign from going on. A look that fails is no trouble: the next one comes.
    async fn tell_obstacles(&self, id: i64, lull: &mut Lull, progress: &Progress) {
        let events = self.attachment.api.get::<List<Event>>(&format!("/campaigns/{id}/events")).await;
        for event in events.iter().flat_map(|list| &list.items) {
            if lull.is_new(event) {
                progress.say(&format!("nothing moves: {}", event_line(event)));
            }
        }
    }

    /// The campaign as it is now, from the next server if this one is gone.
    async fn look(&mut self, id: i64, progress: &Progress) -> Result<Campaign, Failure> {
        loop {
            match self.attachment.api.campaign(id).await {
                Ok(campaign) => return Ok(campaign),
                Err(error) if self.loses_server(&error) => {}
                Err(error) if error.is_not_found() => return Err(vanished(id)),
                Err(error) => return Err(error.into()),
            }
            self.attachment = attach(self.place, &self.engine).await?;
            if self.attachment.serves() {
                progress.say("the process that ran the jobs has gone; this one goes on with them");
            }
        }
    }

    /// True when the server is another process's, and gone.
    pub(super) fn loses_server(&self, error: &ApiError) -> bool {
        !self.attachment.serves() && can_take_over(self.place, error)
    }

    /// Pauses the campaign; one that has just ended has nothing to pause.
    async fn pause(&mut self, seen: Campaign) -> Result<(Ending, Campaign), Failure> {
        let id = seen.id;
        let api = &self.attachment.api;
        match api.delete::<Accepted>(&format!("/campaigns/{id}?hold=1")).await {
            Ok(_) => {}
            Err(error) if error.is_conflict() => {}
            // Nobody serves, so nothing runs, and the next run goes on with it all the same.
            Err(error) if self.loses_server(&error) => return Ok((Ending::Interrupted, seen)),
            Err(error) => return Err(error.into()),
        }
        let campaign = api.campaign(id).await?;
        let is_over = ending(&campaign) == Some(Ending::Finished);
        Ok((if is_over { Ending::Finished } else { Ending::Interrupted }, campaign))
    }
}

fn ending(campaign: &Campaign) -> Option<Ending> {
    match campaign.state {
        CampaignState::Terminated => Some(Ending::Finished),
        // What still ran is being killed.
        CampaignState::Cancelled if campaign.finish_time.is_some() => Some(Ending::Finished),
        CampaignState::Paused if campaign.live == 0 => Some(Ending::Paused),
        CampaignState::InTreatment if campaign.stalled => Some(Ending::Stalled),
        _ => None,
    }
}

fn vanished(id: i64) -> Failure {
    Failure::Refused(format!("campaign {id} is no longer there: its submission was not completed"))
}
