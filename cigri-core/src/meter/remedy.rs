//! What helps when a reason binds: who can do what, with the command.

use super::law::Enough;
use super::{Mode, Reason};

impl Reason {
    /// Who can do what about it on `cluster` for a campaign, by its number; none where only the end of the work is near.
    /// Capitals after an option stand for the value to give.
    pub fn remedy(&self, cluster: &str, campaign: i64) -> Option<String> {
        let wait = |what: &str| Some(format!("wait: {what}"));
        match self {
            Reason::Pending { .. } | Reason::Mode { mode: Mode::Open, .. } => None,
            Reason::Mode { mode: Mode::Drained, .. } => Some(admin(&format!("undrain {cluster}"), "opens it again")),
            Reason::Mode { mode: Mode::Disabled, .. } => Some(admin(&format!("enable {cluster}"), "enables it again")),
            Reason::ClusterHold { .. } => Some(format!(
                "an admin settles the event (`cigri events {campaign}`); after a reset: `cigri admin accept-reset {cluster} --jobs lost` (or kept)"
            )),
            Reason::Hold { .. } => Some(format!("when its cause is mended, its owner says `cigri resume {campaign}`")),
            Reason::Token { text } => Some(token(text, cluster)),
            Reason::Delayed { .. } => wait("they failed before, and are tried again without anybody's help"),
            Reason::Calendar { .. } => wait("by its own file it runs at night there"),
            Reason::Doubt { .. } => wait("what became of it is found out without anybody's help"),
            Reason::Breaker { jobs: Some(_), .. } => wait(&format!(
                "one job after another tries without anybody's help, and the rest follows the first that ends well; \
                 `cigri events {campaign}` says what failed"
            )),
            Reason::Breaker { .. } => {
                wait(&format!("it is tried again without anybody's help; `cigri events {campaign}` says what failed"))
            }
            Reason::Stale { .. } => {
                wait(&format!("the cluster is looked at again; `cigri events {campaign}` says if its API fails"))
            }
            Reason::Prologue { .. } | Reason::Epilogue { .. } => wait("its tasks follow when that job has ended"),
            Reason::TestMode { .. } => wait("the others follow when the sample has ended well"),
            Reason::Backlog { why: Enough::Storm { .. }, .. } => wait("they are sent without anybody's help"),
            Reason::Backlog { why: Enough::Set | Enough::Tap | Enough::TapClosed | Enough::TapLive { .. }, .. } => {
                Some(admin(&format!("set {cluster} --law adaptive"), "chooses a law that follows the starts seen"))
            }
            Reason::Backlog { .. } => wait("the more of them start, the more are sent"),
            Reason::Share { users: 0 | 1, .. } => {
                wait("among campaigns of one user a higher `priority` goes first; `cigri pause` makes room as well")
            }
            Reason::MaxJobs { most, .. } => Some(format!(
                "wait until some of them end; a campaign file with a `max_jobs` above {most} may have more"
            )),
            _ => self.admins(cluster, campaign),
        }
    }

    /// What an admin set, and may set otherwise.
    fn admins(&self, cluster: &str, campaign: i64) -> Option<String> {
        let set = |option: &str, does: &str| Some(admin(&format!("set {cluster} {option}"), does));
        let raise = |option: &str, most: &u64| set(option, &format!("allows more than {most}"));
        match self {
            Reason::Window { .. } => {
                set("--window 'Mon-Fri 20:00-07:00'", "sets other windows (`--window none`: always open)")
            }
            Reason::WaitingCap { most, .. } => raise("--max-waiting N", most),
            Reason::RunningCap { most, .. } => raise("--max-running N", most),
            Reason::CycleCap { most, .. } => raise("--max-per-cycle N", most),
            Reason::ArraySize { most } => raise("--max-array N", most),
            Reason::UserQuota { user, most, .. } => raise(&format!("--user-quota {user}=N"), most),
            Reason::GroupQuota { group, most, .. } => raise(&format!("--group-quota {group}=N"), most),
            Reason::ProjectQuota { project, most, .. } => raise(&format!("--project-quota {project}=N"), most),
            Reason::Requests { .. } => {
                set("--requests-per-s X", "raises the budget (or `--bytes-per-s X`, `--busy X`: the one that is named)")
            }
            Reason::Stress { .. } => set("--stress-reference X", "says which load is that of a full cluster"),
            Reason::GiveWay { .. } => set("--give-way none", "lets ours go there whoever waits"),
            Reason::FileServer { load: Some(_), .. } => {
                set("--file-server reference=X", "says which load the file server bears")
            }
            Reason::FileServer { load: None, .. } => set(
                "--file-server URL,reference=X",
                &format!(
                    "names a URL as its sensor (a command as sensor is mended in the configuration); `cigri events \
                     {campaign}` says what is wrong"
                ),
            ),
            Reason::Share { user, .. } => set(&format!("--weight {user}=W"), "gives the user another share"),
            Reason::Behind { .. } => set("--law adaptive", "chooses a law that serves all campaigns in a round"),
            _ => None,
        }
    }
}

/// The command is told once: what is wrong with a token may name it.
fn token(problem: &str, cluster: &str) -> String {
    let who_has_none = "who has no account there asks for one";
    if problem.contains("cigri token add") {
        return format!("its owner does that; {who_has_none}");
    }
    format!("its owner stores a token that works there: `cigri token add {cluster}`; {who_has_none}")
}

fn admin(command: &str, does: &str) -> String {
    format!("an admin {does}: `cigri admin cluster {command}`")
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{FailedJobs, Term};
    use super::*;
    use crate::breaker::Guards;

    fn backlog(why: Enough) -> Reason {
        Reason::Backlog { waiting: 40, target: 40, why }
    }

    fn broken(of: Guards) -> Reason {
        let jobs = FailedJobs { of, ends: 50, mostly: "exit 1".to_owned(), is_trying: false };
        Reason::Breaker { failures: 48, left_s: 290, jobs: Some(jobs) }
    }

    /// One of each term, both modes, and every reason to let no more wait.
    pub(in crate::meter) fn one_of_each() -> Vec<Reason> {
        let text = || "event 31: as told".to_owned();
        let name = || "alice".to_owned();
        let (live, most) = (60, 60);
        vec![
            Reason::Pending { tasks: 7 },
            Reason::Delayed { tasks: 3, at: "10:42".to_owned() },
            Reason::Mode { mode: Mode::Drained, note: String::new() },
            Reason::Mode { mode: Mode::Disabled, note: "repairs".to_owned() },
            Reason::ClusterHold { text: text() },
            Reason::Hold { text: text() },
            Reason::Token { text: text() },
            Reason::Window { text: text() },
            Reason::Calendar { text: text() },
            Reason::Doubt { submissions: 1 },
            Reason::Breaker { failures: 3, left_s: 20, jobs: None },
            broken(Guards::Campaign),
            broken(Guards::Cluster),
            Reason::Stale { age_s: 40, most_s: 30 },
            Reason::Prologue { text: text() },
            Reason::Epilogue { text: text() },
            Reason::TestMode { text: text() },
            Reason::WaitingCap { waiting: 60, most },
            Reason::RunningCap { live, most },
            Reason::CycleCap { sent: 60, most, period_s: 15 },
            Reason::Requests { wait_s: 4, text: text() },
            Reason::Stress { load: 30.0, most: 25.6 },
            Reason::GiveWay { jobs: 2, after_s: 120 },
            Reason::FileServer { load: Some(9.0), reference: 6.0, per_cycle: 4 },
            backlog(Enough::ForStarts),
            backlog(Enough::UntilStarts),
            backlog(Enough::Part),
            backlog(Enough::UntilLow { low: 16 }),
            backlog(Enough::Storm { left_s: 20 }),
            backlog(Enough::Probe),
            backlog(Enough::Set),
            backlog(Enough::Tap),
            backlog(Enough::TapClosed),
            backlog(Enough::TapLive { live: 3 }),
            Reason::UserQuota { user: name(), live, most },
            Reason::GroupQuota { group: "physics".to_owned(), live, most },
            Reason::ProjectQuota { project: "ice".to_owned(), live, most },
            Reason::MaxJobs { live, most },
            Reason::Share { user: name(), jobs: 5, all: 40, users: 2, charge: 60.0, others: 4.5, weight: 1.0 },
            Reason::Behind { campaign: 3 },
            Reason::ArraySize { most: 500 },
        ]
    }

    #[test]
    fn every_term_has_its_sentence_and_its_remedy() {
        let all = one_of_each();
        for term in Term::ALL {
            assert!(all.iter().any(|reason| reason.term() == *term), "{term:?} is not told");
        }
        let helpless: Vec<Term> =
            all.iter().filter(|reason| reason.remedy("dahu", 26).is_none()).map(Reason::term).collect();
        assert_eq!(helpless, [Term::Pending]);
    }

    #[test]
    fn who_can_do_what_is_said_with_the_command() {
        let remedies: Vec<String> = one_of_each().iter().filter_map(|reason| reason.remedy("dahu", 26)).collect();
        for wanted in [
            "an admin opens it again: `cigri admin cluster undrain dahu`",
            "an admin enables it again: `cigri admin cluster enable dahu`",
            "an admin allows more than 60: `cigri admin cluster set dahu --max-waiting N`",
            "an admin allows more than 60: `cigri admin cluster set dahu --user-quota alice=N`",
            "an admin allows more than 60: `cigri admin cluster set dahu --group-quota physics=N`",
            "an admin gives the user another share: `cigri admin cluster set dahu --weight alice=W`",
            "when its cause is mended, its owner says `cigri resume 26`",
            "wait: the more of them start, the more are sent",
        ] {
            assert!(remedies.iter().any(|remedy| remedy == wanted), "{wanted}: {remedies:#?}");
        }
        assert!(remedies.iter().all(|remedy| !remedy.contains('\n') && !remedy.ends_with('.')));
    }

    #[test]
    fn how_a_token_is_stored_is_told_once() {
        let told = |text: &str| Reason::Token { text: text.to_owned() }.remedy("dahu", 26);
        let add = "`cigri token add dahu`";
        assert!(told("dahu does not know alice").is_some_and(|remedy| remedy.contains(add)));
        assert!(told(&format!("alice has no token: {add}")).is_some_and(|remedy| !remedy.contains(add)));
    }

    #[test]
    fn names_are_left_as_they_are() {
        let reason = Reason::UserQuota { user: "CAMPAIGN".to_owned(), live: 1, most: 1 };
        assert!(reason.remedy("dahu", 26).is_some_and(|remedy| remedy.contains("--user-quota CAMPAIGN=N")));
    }
}
