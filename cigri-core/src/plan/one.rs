//! Serving one campaign in a round, as CiGri 3 does.

use std::cmp::Reverse;

use super::entry::Entry;
use super::room::Room;

/// Gives the first campaign by priority and age all that it can take, which is nothing while its tap is closed; returns
/// which one that is, if any could be it.
pub(super) fn serve(entries: &mut [Entry<'_>], room: &Room<'_>) -> Option<i64> {
    let may = |entry: &&mut Entry<'_>| entry.wants_more() && room.left(&entry.site.whatever_waits()) > 0;
    let head =
        entries.iter_mut().filter(may).min_by_key(|entry| (Reverse(entry.campaign.priority), entry.campaign.id))?;
    head.given = head.left(room);
    Some(head.campaign.id)
}
