//! Serving on for others: campaigns of other terminals run in this process, and must not end with this one's campaign.

use std::time::Duration;

use cigri_api::{Campaign, CampaignState};

use super::follow::Session;
use crate::exit::Failure;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Goes on serving while other campaigns are active here; Ctrl-C hands them over to the processes that follow them.
pub(super) async fn serve_others(session: &mut Session<'_>, own: i64) -> Result<(), Failure> {
    if !session.attachment.serves() {
        return Ok(());
    }
    let mut told = false;
    loop {
        let others = session.attachment.api.campaigns(false).await?;
        let active: Vec<i64> =
            others.iter().filter(|other| other.id != own && is_active(other)).map(|other| other.id).collect();
        if active.is_empty() {
            return Ok(());
        }
        if !told {
            told = true;
            let names: Vec<String> = active.iter().map(i64::to_string).collect();
            let names = names.join(", ");
            session.screen.note(&format!("still running campaigns of others here: {names}; Ctrl-C ends that"));
        }
        tokio::select! {
            () = session.signals.asked() => return Ok(()),
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// True for a campaign that goes on by itself.
fn is_active(campaign: &Campaign) -> bool {
    match campaign.state {
        CampaignState::Receiving => true,
        CampaignState::InTreatment => !campaign.stalled,
        CampaignState::Paused => campaign.live > 0,
        CampaignState::Terminated | CampaignState::Cancelled => false,
    }
}
