//! Dividing a round between users: whoever stands lowest gets the next jobs, and nobody waits for ever.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};

use super::Entry;
use super::room::Room;
use super::users::{Standing, User};
use crate::fair;
use crate::meter::Reason;

/// A user's place in the division; the least is served.
struct Place {
    /// Weight 0: after all others.
    is_last: bool,
    standing: f64,
    oldest: i64,
    user: usize,
}

impl Place {
    fn of(users: &[User<'_>], user: usize, standing: f64) -> Place {
        let at = &users[user];
        Place { is_last: at.weight <= 0.0, standing, oldest: at.oldest, user }
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Place) -> Ordering {
        let lower = self.is_last.cmp(&other.is_last).then(self.standing.total_cmp(&other.standing));
        lower.then((self.oldest, self.user).cmp(&(other.oldest, other.user)))
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Place) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Place) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Place {}

/// Users in the order in which their campaigns are sent: who waited too long, then who stood lowest before the division.
pub(super) fn ranked(users: &[User<'_>]) -> Vec<usize> {
    let mut ranked: Vec<usize> = (0..users.len()).collect();
    let waited = |user: usize| if users[user].is_overdue { users[user].starved } else { 0 };
    ranked.sort_by_cached_key(|user| (Reverse(waited(*user)), Place::of(users, *user, users[*user].stood())));
    ranked
}

/// Gives out what the room takes; it is left as it was. No campaign is a head of the round.
pub(super) fn divide(users: &mut [User<'_>], entries: &mut [Entry<'_>], room: &mut Room<'_>) -> Option<i64> {
    look(users, entries, room);
    for user in ranked(users) {
        if users[user].is_overdue {
            give(&mut users[user], entries, room, |_| 1);
        }
    }
    fill(users, entries, room);
    entries.iter().for_each(|entry| room.give_back(&entry.site, entry.given));
    None
}

/// Finds who has something to send that there is room for, and who of them waited too long.
fn look(users: &mut [User<'_>], entries: &[Entry<'_>], room: &Room<'_>) {
    for user in &mut *users {
        user.takes_part = current(user, entries, room).is_some();
    }
    let weights = users.iter().filter(|user| user.takes_part).map(|user| user.weight).sum();
    for user in users {
        let may_wait = fair::patience(user.weight, weights);
        user.is_overdue = user.takes_part && may_wait.is_some_and(|rounds| user.starved >= rounds);
    }
}

/// Fills from the lowest standing on, until nobody can take more.
fn fill(users: &mut [User<'_>], entries: &mut [Entry<'_>], room: &mut Room<'_>) {
    let takers = (0..users.len()).filter(|user| users[*user].takes_part);
    let mut places: BinaryHeap<Reverse<Place>> =
        takers.map(|user| Reverse(Place::of(users, user, users[user].standing()))).collect();
    let mut weights = [false, true].map(|is_last| weights(users, &places, is_last));
    while let Some(Reverse(place)) = places.pop() {
        let user = &mut users[place.user];
        let (weight, weights) = (fair::divisor(user.weight), &mut weights[usize::from(place.is_last)]);
        let next = places.peek().map(|Reverse(next)| next).filter(|next| next.is_last == place.is_last);
        let gap = next.map(|next| fair::jobs_between(place.standing, next.standing, user.weight));
        // Level users get a part of their share of what is left in turn: the smaller the less is left, one at last.
        let part = weight / weights.max(weight) / 16.0;
        let most = |left: u64| gap.map_or(left, |gap| gap.max((left as f64 * part) as u64).max(1));
        if give(user, entries, room, most) {
            places.push(Reverse(Place::of(users, place.user, users[place.user].standing())));
        } else {
            *weights -= weight;
        }
    }
}

/// The weights of all who are in one of the two classes of [`Place`].
fn weights(users: &[User<'_>], places: &BinaryHeap<Reverse<Place>>, is_last: bool) -> f64 {
    let of_class = places.iter().filter(|Reverse(place)| place.is_last == is_last);
    of_class.map(|Reverse(place)| fair::divisor(users[place.user].weight)).sum()
}

/// Gives the campaign of a user that stands lowest, of those that can take any, as many as `most` makes of the room for
/// it, and no more than brings it up to the next one; false: none can.
fn give(user: &mut User<'_>, entries: &mut [Entry<'_>], room: &mut Room<'_>, most: impl Fn(u64) -> u64) -> bool {
    let Some(left) = current(user, entries, room) else { return false };
    let Some(Reverse(lowest)) = user.queue.pop() else { return false };
    let entry = &mut entries[lowest.entry];
    let rest = room.left(&entry.site);
    let count = user.queue.len() as u64 + 1;
    let next = user.queue.peek().map(|Reverse(next)| next).filter(|next| next.priority == lowest.priority);
    let level = next.map_or(left, |next| (next.jobs - lowest.jobs).max(rest / (16 * count)).max(1));
    let jobs = most(rest).min(left).min(level);
    room.take(&entry.site, jobs);
    entry.given += jobs;
    user.tasks += jobs;
    user.queue.push(Reverse(Standing { jobs: lowest.jobs + jobs, ..lowest }));
    true
}

/// Jobs that the first campaign in a user's queue that can take any can take; it is first in it then. Who can take nothing
/// now can take nothing later, and leaves it.
fn current(user: &mut User<'_>, entries: &[Entry<'_>], room: &Room<'_>) -> Option<u64> {
    while let Some(Reverse(first)) = user.queue.peek() {
        let left = entries[first.entry].left(room);
        if left > 0 {
            return Some(left);
        }
        user.queue.pop();
    }
    None
}

/// What a division gave, for people.
pub(super) struct Round {
    jobs: u64,
    users: u64,
    /// Sum of where they stood.
    stood: f64,
    /// Places of those who would take more.
    hungry: Vec<usize>,
}

impl Round {
    /// After the division.
    pub(super) fn of(users: &[User<'_>], entries: &[Entry<'_>]) -> Round {
        let takers = || users.iter().filter(|user| user.takes_part);
        let wants_more = |user: &usize| {
            let campaigns = &entries[users[*user].campaigns.clone()];
            users[*user].takes_part && campaigns.iter().any(Entry::wants_more)
        };
        Round {
            jobs: takers().map(|user| user.tasks).sum(),
            users: takers().count() as u64,
            stood: takers().map(User::stood).sum(),
            hungry: (0..users.len()).filter(wants_more).collect(),
        }
    }

    /// Whether nobody but this user would take more.
    pub(super) fn only_wants(&self, user: usize) -> bool {
        self.hungry == [user]
    }

    /// Why a user who takes part gets no more than others leave.
    pub(super) fn share(&self, user: &User<'_>) -> Reason {
        let others = (self.stood - user.stood()) / self.users.saturating_sub(1).max(1) as f64;
        Reason::Share {
            user: user.name.to_owned(),
            jobs: user.tasks,
            all: self.jobs,
            // Who gets all of it shares it with nobody: only the user's own campaigns are rivals.
            users: if user.tasks == self.jobs { 1 } else { self.users },
            charge: user.stood(),
            others: others.max(0.0),
            weight: user.weight,
        }
    }
}

/// Who starves after the division, and for how many rounds: one without room for it changes nothing.
pub(super) fn starved(users: &[User<'_>]) -> BTreeMap<String, u32> {
    let of_user = |user: &User<'_>| {
        let more = u32::from(user.takes_part && user.weight > 0.0);
        if user.tasks > 0 { 0 } else { user.starved.saturating_add(more) }
    };
    let rounds = users.iter().map(|user| (user, of_user(user))).filter(|(_, rounds)| *rounds > 0);
    rounds.map(|(user, rounds)| (user.name.to_owned(), rounds)).collect()
}
