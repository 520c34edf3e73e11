//! Serving one campaign in a round, as CiGri 3 does.

use super::entry::Entry;
use super::room::Room;
use super::users::User;

/// Gives the first campaign whose tap lets anything through all that it can take, and looks at none behind one whose tap
/// closed lately; returns the campaign at which it stopped. CiGri 3 knows one order of all campaigns: here it is that of
/// their owners, the larger weight and then the older first, as a campaign's priority is among its owner's only.
pub(super) fn serve(users: &[User<'_>], entries: &mut [Entry<'_>], room: &Room<'_>) -> Option<i64> {
    let mut owners: Vec<&User<'_>> = users.iter().collect();
    owners.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.oldest.cmp(&b.oldest)));
    for at in owners.into_iter().flat_map(|owner| owner.campaigns.clone()) {
        let entry = &mut entries[at];
        if !entry.wants_more() || room.left(&entry.site.whatever_waits()) == 0 {
            continue;
        }
        entry.given = entry.left(room);
        if entry.given > 0 || room.holds_others(&entry.site) {
            return Some(entry.campaign.id);
        }
    }
    None
}
