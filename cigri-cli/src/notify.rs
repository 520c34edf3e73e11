//! `cigri notify`: subscriptions are made, listed, tried and ended.

use cigri_api::{Accepted, List, NewSubscription, Subscription, Tested};
use serde::Serialize;

use crate::api::Api;
use crate::attach::with_server;
use crate::cli::{AddNotification, NotificationKind, NotifyCommand};
use crate::exit::{Exit, Failure};
use crate::place::{Place, Selector};
use crate::screen::{Screen, plain};
use crate::show::campaign_id;
use crate::show::table::Table;

/// Carries out `cigri notify ...`.
pub(crate) async fn notify(place: &Place, command: &NotifyCommand, screen: &Screen) -> Result<Exit, Failure> {
    with_server(place, async |api| match command {
        NotifyCommand::List { user } => list(api, user.as_deref(), screen).await,
        NotifyCommand::Add(new) => add(api, new, screen).await,
        NotifyCommand::Remove { kind, address, user } => {
            remove(api, *kind, &Which { identity: address, user: user.as_deref() }, screen).await
        }
        NotifyCommand::Mute { campaign } => mute(api, *campaign, true, screen).await,
        NotifyCommand::Unmute { campaign } => mute(api, *campaign, false, screen).await,
        NotifyCommand::Test => test(api, screen).await,
    })
    .await
}

/// Whose subscriptions: the caller's own, or another user's.
#[derive(Serialize)]
struct Whose<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

async fn list(api: &Api, user: Option<&str>, screen: &Screen) -> Result<Exit, Failure> {
    let found: List<Subscription> = api.get_with("/notifications", &Whose { user }).await?;
    if screen.json {
        screen.value(&found)?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["by", "to", "severity", "digest", "of", "waiting", "trouble"], screen);
    for one in &found.items {
        table.row([
            if one.kind == "xmpp" { "jabber".to_owned() } else { one.kind.clone() },
            if one.identity.is_empty() { "-".to_owned() } else { one.identity.clone() },
            one.severity.clone(),
            one.digest_h.map_or_else(|| "-".to_owned(), |hours| format!("{hours} h")),
            if one.admin { "yours, clusters, service" } else { "yours" }.to_owned(),
            one.waiting.to_string(),
            one.last_error.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table.print("nothing: `cigri notify add mail ADDRESS` makes a subscription")?;
    Ok(Exit::Success)
}

async fn add(api: &Api, new: &AddNotification, screen: &Screen) -> Result<Exit, Failure> {
    let wish = NewSubscription {
        identity: new.address.clone(),
        severity: new.severity.as_str().to_owned(),
        digest_h: new.digest,
        admin: new.admin.then_some(true),
        secret: None,
    };
    let made: Subscription = api.post_json(&format!("/notifications/{}", new.kind.as_str()), &wish).await?;
    if screen.json {
        screen.value(&made)?;
        return Ok(Exit::Success);
    }
    if let Some(secret) = &made.secret {
        screen.note("messages are signed with this secret, which is not shown again (docs/NOTIFICATIONS.md):");
        screen.line(secret)?;
    }
    let whole = if made.admin { ", events of clusters and of the service included" } else { "" };
    screen.note(&format!("you are told from severity {} on{whole}; `cigri notify test` tries it", made.severity));
    Ok(Exit::Success)
}

/// What names a subscription.
#[derive(Serialize)]
struct Which<'a> {
    identity: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

async fn remove(api: &Api, kind: NotificationKind, which: &Which<'_>, screen: &Screen) -> Result<Exit, Failure> {
    let path = format!("/notifications/{}", kind.as_str());
    done(api.delete_with(&path, which).await?, screen)
}

async fn mute(api: &Api, campaign: Selector, quiet: bool, screen: &Screen) -> Result<Exit, Failure> {
    let path = format!("/campaigns/{}/mute", campaign_id(api, campaign).await?);
    done(if quiet { api.put(&path).await? } else { api.delete(&path).await? }, screen)
}

fn done(answer: Accepted, screen: &Screen) -> Result<Exit, Failure> {
    if screen.json {
        screen.value(&answer)?;
    } else {
        screen.note(&answer.message);
    }
    Ok(Exit::Success)
}

async fn test(api: &Api, screen: &Screen) -> Result<Exit, Failure> {
    let tested: List<Tested> = api.post("/notifications/test").await?;
    let failed = tested.items.iter().filter(|one| !one.taken).count();
    if screen.json {
        screen.value(&tested)?;
    } else if tested.items.is_empty() {
        screen.note("you have no subscriptions: `cigri notify add mail ADDRESS` makes one");
    }
    for one in tested.items.iter().filter(|_| !screen.json) {
        let how = if one.taken { "taken" } else { "FAILED" };
        screen.line(&format!("{} {}: {how}: {}", plain(&one.kind), plain(&one.identity), plain(&one.answer)))?;
    }
    match failed {
        0 => Ok(Exit::Success),
        count => Err(Failure::Refused(format!("{count} of {} test messages were not taken", tested.items.len()))),
    }
}
