//! What a configuration may say, and what is said of one that cannot be used.

use super::*;

#[test]
fn the_sample_file_is_the_defaults() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../etc/server.toml");
    assert_eq!(read(Some(&sample)).unwrap(), Settings::default());
}

#[test]
fn what_the_sample_file_shows_of_clusters_and_groups_can_be_used() {
    let sample = include_str!("../../etc/server.toml");
    let settings = sample.lines().filter_map(|line| line.strip_prefix("# "));
    let shown: Vec<&str> = settings.filter(|line| line.starts_with('[') || line.contains(" = ")).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    std::fs::write(&file, shown.join("\n")).unwrap();
    let settings = read(Some(&file)).unwrap();
    let dahu = &settings.clusters["dahu"];
    let changed = |limits: &ClusterLimits| ClusterLimits {
        user_quotas: BTreeMap::new(),
        group_quotas: BTreeMap::new(),
        project_quotas: BTreeMap::new(),
        weights: BTreeMap::new(),
        windows: Vec::new(),
        stress: None,
        give_way: None,
        file_server: None,
        ..limits.clone()
    };
    assert_eq!(changed(&dahu.limits), ClusterLimits::default(), "numbers that are shown are the defaults");
    assert_eq!((dahu.limits.windows.len(), &settings.groups["physics"][..]), (2, &["alice".into(), "bob".into()][..]));
}

#[test]
fn a_cluster_needs_a_url_and_takes_nothing_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    let parse = |text: &str| {
        std::fs::write(&file, text).unwrap();
        read(Some(&file)).map_err(|error| error.to_string())
    };
    let settings = parse("[clusters.dahu]\nurl = \"https://dahu/oarapi\"\nmax_waiting = 60\n").unwrap();
    assert!(settings.clusters["dahu"].limits.normal_jobs, "prologues and the like are no best-effort jobs");
    assert_eq!(settings.clusters["dahu"].limits.max_waiting, 60);
    assert_eq!(settings.clusters["dahu"].limits.max_array, 500);
    let limited = |walltime: &str| format!("[clusters.dahu]\nurl = \"x\"\nbest_effort_walltime = {walltime}\n");
    assert_eq!(parse(&limited("\"1:30\"")).unwrap().clusters["dahu"].best_effort_walltime_s(), Some(5400));
    assert!(parse(&limited("\"long\"")).unwrap_err().contains("clusters.dahu.best_effort_walltime"));
    assert!(parse("[clusters.dahu]\nmax_waiting = 60\n").unwrap_err().contains("url"));
    assert!(parse("adminz = [\"root\"]\n").unwrap_err().contains("adminz"));
    assert!(read(Some(&folder.path().join("missing.toml"))).is_err());
}

#[test]
fn what_is_wrong_with_calendars_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    let text = "[clusters.dahu]\nurl = \"https://dahu\"\n[clusters.dahu.calendar]\nnights = \"late\"\n\
                [clusters.luke]\nurl = \"https://luke\"\n[clusters.luke.calendar]\ntime_zone = \"Mars\"\n";
    std::fs::write(&file, text).unwrap();
    let error = read(Some(&file)).unwrap_err().to_string();
    assert!(error.contains("clusters.dahu.calendar.nights: \"late\""), "{error}");
    assert!(error.contains("clusters.luke.calendar.time_zone: \"Mars\""), "{error}");
    std::fs::write(&file, text.replace("late", "22:00-06:00").replace("Mars", "Europe/Paris")).unwrap();
    assert_eq!(read(Some(&file)).unwrap().calendars().unwrap().len(), 2);
}

#[test]
fn groups_are_lists_of_logins_and_hours_have_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    let parse = |text: &str| {
        std::fs::write(&file, text).unwrap();
        read(Some(&file)).map_err(|error| error.to_string())
    };
    let settings =
        parse("keep_decisions_h = 2\nkeep_events_days = 3\n[groups]\nphysics = [\"alice\", \"bob\"]\n").unwrap();
    assert_eq!(settings.groups["physics"], ["alice", "bob"]);
    assert_eq!(
        settings.retention(),
        Retention { decisions_ms: 7_200_000, events_ms: 259_200_000, half_life_s: 86_400.0, ..Retention::default() }
    );
    let wrong = parse("share_half_life_h = -1.0\n").unwrap_err();
    assert!(wrong.contains("`share_half_life_h`: -1; a number from 0.01 to 8766"), "{wrong}");
    assert!(parse("share_half_life_h = nan\n").is_err());
    assert!(parse("keep_events_days = 0\n").unwrap_err().contains("`keep_events_days`: 0; a whole number from 1"));
    assert!(parse("keep_decisions_h = 0\n").unwrap_err().contains("`keep_decisions_h`: 0;"));
}

#[test]
fn what_is_wrong_with_limits_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    let text = "[clusters.dahu]\nurl = \"https://dahu\"\nmax_array = 0\nuser_quotas = { alice = \"many\" }\nlaw = \"fixd\"\n\
                [clusters.luke]\nmax_live = 5\nbusy = nan\n[clusters.luke.calendar]\nnightz = \"x\"\n";
    std::fs::write(&file, text).unwrap();
    let error = read(Some(&file)).unwrap_err().to_string();
    for expected in [
        "clusters.dahu.max_array: expected a whole number from 1",
        "clusters.dahu.user_quotas.alice: expected a whole number, 0 or more, found \"many\"",
        "clusters.dahu.law.name: expected one of adaptive, tap-3, tap-paper, fixed, found \"fixd\"",
        "clusters.luke.url: expected the base URL of its OAR 3 API, found nothing",
        "clusters.luke.calendar: expected a calendar, found {\"nightz\":\"x\"}; unknown field `nightz`",
        "clusters.luke.max_live: expected a limit of a cluster, found `max_live`; did you mean `max_running`?",
        "clusters.luke.busy: expected a number, found what is no number",
    ] {
        assert!(error.contains(expected), "{expected}: {error}");
    }
    std::fs::write(&file, "[clusters.dahu]\nurl = \"https://dahu\"\nlaw = \"fixed\"\nweights = { \"a.b\" = 2 }\n")
        .unwrap();
    let limits = &read(Some(&file)).unwrap().clusters["dahu"].limits;
    assert_eq!((limits.law.name(), limits.weights["a.b"]), ("fixed", 2.0), "a law's name alone is enough");
}

#[test]
fn the_manual_shows_the_default_calendar() {
    let manual = include_str!("../../docs/LANGUAGE.md");
    let (_, block) = manual.split_once("```toml\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    std::fs::write(&file, block.split_once("```").unwrap().0).unwrap();
    assert_eq!(read(Some(&file)).unwrap().clusters["dahu"].calendar, CalendarSettings::default());
}

#[test]
fn what_servers_share_is_checked_and_the_password_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    let parse = |text: &str| {
        std::fs::write(&file, text).unwrap();
        read(Some(&file)).map_err(|error| error.to_string())
    };
    let settings = parse("database = \"postgres://cigri:hunter2@db/grid\"\n").unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert_eq!(settings.key_path(), Path::new("/var/lib/cigri/key"));
    assert_eq!(parse("key_file = \"/etc/cigri/key\"\n").unwrap().key_path(), Path::new("/etc/cigri/key"));
    let wrong = parse("database = \"mysql://cigri:hunter2@db/grid\"\n").unwrap_err();
    assert!(wrong.contains("postgres://") && !wrong.contains("hunter2"), "{wrong}");
    assert!(parse("[standby]\nlease_s = 0\n").unwrap_err().contains("lease_s"));
    assert!(parse("[standby]\nlisten = \"8443\"\n").unwrap_err().contains("listen"));
    assert!(parse("[standby]\nlisten = \"0.0.0.0:8443\"\n").unwrap_err().contains("advertise"));
    assert!(parse("[standby]\nlisten = \"0.0.0.0:8443\"\nadvertise = \"a.example:8443\"\n").is_ok());
}

#[test]
fn samples_are_taken_and_kept_within_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    let parse = |text: &str| {
        std::fs::write(&file, text).unwrap();
        read(Some(&file)).map_err(|error| error.to_string())
    };
    let retention = parse("usage_every_s = 0\nkeep_usage_days = 2\n").unwrap().retention();
    assert_eq!((retention.usage_every_ms, retention.usage_ms), (0, 172_800_000));
    assert!(parse("usage_every_s = 86401\n").unwrap_err().contains("usage_every_s"));
    assert!(parse("keep_usage_days = 0\n").unwrap_err().contains("keep_usage_days"));
}

#[test]
fn what_is_wrong_with_notifications_is_said_at_once_and_no_password_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    let parse = |text: &str| {
        std::fs::write(&file, text).unwrap();
        read(Some(&file)).map_err(|error| error.to_string())
    };
    let wrong = "[notifications]\nperiod_s = 90000\nkeep_trying_h = 0\n[notifications.mail]\nhost = \"mail\"\nuser = \"cigri\"\n\
                 tls = \"none\"\n[notifications.xmpp]\njid = \"example.org\"\n";
    let error = parse(wrong).unwrap_err();
    for place in ["period_s", "keep_trying_h", "mail.from", "mail.password", "mail.tls", "xmpp.jid", "xmpp.password"] {
        assert!(error.contains(&format!("`notifications.{place}`")), "{place}: {error}");
    }
    let right = "[notifications.mail]\nhost = \"mail\"\nfrom = \"cigri@example.org\"\nuser = \"cigri\"\npassword = \"hunter2\"\n\
                 [notifications.xmpp]\njid = \"cigri@example.org\"\npassword_file = \"/etc/cigri/xmpp\"\n";
    let settings = parse(right).unwrap();
    assert_eq!(settings.notifications.mail.tls, MailTls::Starttls);
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert!(parse("[notifications.mail]\ntls = \"ssl\"\n").unwrap_err().contains("starttls"));
    assert!(parse("[notifications.fax]\n").is_err());
}
