//! Tokens of clusters. They come from standard input or a file: arguments can be read by everybody on the machine.

use std::io::{IsTerminal, Read};
use std::path::Path;

use cigri_api::{List, NewToken, Renew, TokenChange, TokenInfo};
use serde_json::Value;

use crate::attach::with_server;
use crate::cli::{Renewal, TokenCommand};
use crate::exit::{Exit, Failure};
use crate::place::Place;
use crate::screen::{Screen, say};
use crate::show::table::{Table, age, age_until};

/// Longest token that is read; real ones are a few hundred bytes.
const LONGEST: u64 = 64 * 1024;

/// Carries out `cigri token ...`.
pub(crate) async fn token(place: &Place, command: &TokenCommand, screen: &Screen) -> Result<Exit, Failure> {
    match command {
        TokenCommand::Add { cluster, token_file, renew } => {
            let (cluster, token) = (cluster.clone(), read_token(token_file.as_deref())?);
            let new = NewToken { cluster, token, renew: renew.map(when) };
            add(place, &new, screen).await
        }
        TokenCommand::List => list(place, screen).await,
        TokenCommand::Set { cluster, renew } => set(place, cluster, when(*renew), screen).await,
        TokenCommand::Remove { cluster } => remove(place, cluster, screen).await,
    }
}

async fn add(place: &Place, new: &NewToken, screen: &Screen) -> Result<Exit, Failure> {
    with_server(place, async |api| {
        let stored: Value = api.post_json("/tokens", new).await?;
        if screen.json {
            screen.value(&stored)?;
        } else {
            screen.note(&format!("token for cluster {} stored", new.cluster));
        }
        Ok(Exit::Success)
    })
    .await
}

async fn list(place: &Place, screen: &Screen) -> Result<Exit, Failure> {
    with_server(place, async |api| {
        let tokens: List<TokenInfo> = api.get("/tokens").await?;
        if screen.json {
            screen.value(&tokens)?;
            return Ok(Exit::Success);
        }
        let mut table = Table::new(&["cluster", "login", "token", "expires", "days left", "renewed by itself"], screen);
        for token in &tokens.items {
            let expires = token.expires_at.map_or_else(|| "-".to_owned(), age_until);
            let days = token.days_left.map_or_else(|| "-".to_owned(), |days| days.max(0).to_string());
            let (cluster, login) = (token.cluster.clone(), token.login.clone());
            table.row([cluster, login, token.token.clone(), expires, days, renewed(token)]);
        }
        table.print("no tokens")?;
        Ok(Exit::Success)
    })
    .await
}

/// When it is renewed, and when that was last done.
fn renewed(token: &TokenInfo) -> String {
    let when = match token.renew {
        _ if token.expires_at.is_none() => return "-".to_owned(),
        Renew::Needed => "while needed",
        Renew::Always => "always",
        Renew::Never => "never",
    };
    token.renewed_at.map_or_else(|| when.to_owned(), |at| format!("{when}, last {} ago", age(at)))
}

fn when(renewal: Renewal) -> Renew {
    match renewal {
        Renewal::Needed => Renew::Needed,
        Renewal::Always => Renew::Always,
        Renewal::Never => Renew::Never,
    }
}

async fn set(place: &Place, cluster: &str, renew: Renew, screen: &Screen) -> Result<Exit, Failure> {
    let path = format!("/tokens/{}", path_segment(cluster)?);
    with_server(place, async |api| {
        let changed: TokenInfo = api.patch(&path, &(), &TokenChange { renew }).await?;
        if screen.json {
            screen.value(&changed)?;
        } else {
            screen.note(&format!("token for cluster {cluster}: renewed by itself {}", renewed(&changed)));
        }
        Ok(Exit::Success)
    })
    .await
}

async fn remove(place: &Place, cluster: &str, screen: &Screen) -> Result<Exit, Failure> {
    let path = format!("/tokens/{}", path_segment(cluster)?);
    with_server(place, async |api| {
        let done: Value = api.delete(&path).await?;
        if screen.json {
            screen.value(&done)?;
        } else {
            screen.note(&format!("token for cluster {cluster} removed"));
        }
        Ok(Exit::Success)
    })
    .await
}

/// A cluster's name as part of a path; names need no escaping, and what would is no name.
pub(crate) fn path_segment(cluster: &str) -> Result<&str, Failure> {
    let is_plain = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    if cluster.is_empty() || cluster.starts_with('.') || !cluster.chars().all(is_plain) {
        return Err(Failure::Usage(format!("`{cluster}` is not the name of a cluster")));
    }
    Ok(cluster)
}

fn read_token(file: Option<&Path>) -> Result<String, Failure> {
    let mut text = String::new();
    let result = match file {
        Some(path) => std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text)),
        None => {
            if std::io::stdin().is_terminal() {
                say("paste the token, then press Enter and Ctrl-D:");
            }
            std::io::stdin().take(LONGEST).read_to_string(&mut text)
        }
    };
    let source = file.map_or_else(|| "standard input".to_owned(), |path| format!("`{}`", path.display()));
    result.map_err(|error| Failure::Environment(format!("cannot read the token from {source}: {error}")))?;
    one_word(&text).ok_or_else(|| Failure::Usage(format!("expected one token, a single word, in {source}")))
}

fn one_word(text: &str) -> Option<String> {
    let token = text.trim();
    (!token.is_empty() && !token.contains(char::is_whitespace)).then(|| token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_one_word() {
        assert_eq!(one_word(" eyJ0.e30.x\n"), Some("eyJ0.e30.x".into()));
        assert_eq!(one_word("two words"), None);
        assert_eq!(one_word("\n"), None);
    }

    #[test]
    fn a_cluster_cannot_lead_to_another_path() {
        assert!(path_segment("dahu-2").is_ok());
        for bad in ["", "..", "a/b", "a?b", "a b"] {
            assert!(path_segment(bad).is_err(), "{bad:?}");
        }
    }
}
