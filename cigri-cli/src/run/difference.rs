//! What has changed between a campaign file and the campaign that was made of it before.

use std::collections::VecDeque;

use cigri_api::{Campaign, List};
use cigri_core::language::{self, Limits, Parameters};
use similar::TextDiff;

use super::campaign_file::CampaignFile;
use super::parameter_file::Lines;
use crate::api::Api;
use crate::command_line::other_command;
use crate::exit::Failure;
use crate::screen::excerpt;

/// Parameters asked for in one request.
const PAGE: u64 = 1_000;
/// Characters shown of a parameter.
const SHOWN: usize = 100;
/// Lines around a change.
const CONTEXT: usize = 2;

/// The difference in words, or `None` when only the layout of the text differs.
pub(super) async fn difference(api: &Api, file: &CampaignFile, campaign: &Campaign) -> Result<Option<String>, Failure> {
    let stored = api.text(&format!("/campaigns/{}/jdl?written=1", campaign.id)).await?;
    let of_text = text_difference(&stored, file, campaign.id);
    let of_names = name_difference(file, &campaign.parameter_names);
    let of_parameters = parameter_difference(api, file, campaign).await?;
    // Lines with names are added as words in their order, which is not what such a file holds.
    let is_same = of_text.is_none() && of_names.is_none() && campaign.parameter_names.is_empty();
    let grown = is_same && of_parameters.as_ref().is_some_and(|found| found.is_addition);
    let advice = grown.then(|| {
        let add = other_command(&format!("add {}", campaign.id));
        format!("the parameters before it are the same: `{add} FILE` adds those of FILE to that campaign")
    });
    let of_parameters = of_parameters.map(|found| found.words);
    let parts: Vec<String> = of_text.into_iter().chain(of_names).chain(of_parameters).chain(advice).collect();
    Ok((!parts.is_empty()).then(|| parts.join("\n")))
}

fn text_difference(stored: &str, file: &CampaignFile, id: i64) -> Option<String> {
    let (before, now) = (layout(stored), layout(&file.jdl));
    if before == now {
        return None;
    }
    let diff = TextDiff::from_lines(&before, &now);
    let mut unified = diff.unified_diff();
    let text = unified.context_radius(CONTEXT).header(&format!("campaign {id}"), &file.shown).to_string();
    Some(text.trim_end().to_owned())
}

/// The same JSON always as the same text, with a newline at its end. Numbers keep their digits: a parameter is its text.
fn layout(text: &str) -> String {
    let written = language::parse(text.as_bytes(), &Limits::default());
    let pretty = written.map(|written| written.without_parameters()).unwrap_or_else(|_| text.to_owned());
    pretty + "\n"
}

/// Names of a table's columns are in no other place of a campaign file.
fn name_difference(file: &CampaignFile, before: &[String]) -> Option<String> {
    let now = &file.parameter_file.as_ref()?.names;
    (now != before).then(|| format!("the parameters' names differ:\n-{}\n+{}", before.join(" "), now.join(" ")))
}

/// The first parameter that differs.
struct Differs {
    words: String,
    /// The campaign has all others, and no more.
    is_addition: bool,
}

async fn parameter_difference(api: &Api, file: &CampaignFile, campaign: &Campaign) -> Result<Option<Differs>, Failure> {
    let mut ours = Ours::of(file)?;
    let Some(now) = ours.count else { return Ok(None) };
    let mut offset = 0;
    loop {
        let query = [("offset", offset), ("limit", PAGE)];
        let page: List<String> = api.get_with(&format!("/campaigns/{}/parameters", campaign.id), &query).await?;
        let is_last = (page.items.len() as u64) < PAGE;
        for theirs in page.items {
            offset += 1;
            let new = ours.next()?;
            if new.as_ref() != Some(&theirs) {
                let words = first_difference(offset, Some(&theirs), new.as_deref(), (page.total, now));
                return Ok(Some(Differs { words, is_addition: false }));
            }
        }
        if is_last {
            let new = ours.next()?;
            let words = |new: String| first_difference(offset + 1, None, Some(&new), (page.total, now));
            return Ok(new.map(|new| Differs { words: words(new), is_addition: true }));
        }
    }
}

fn first_difference(number: u64, before: Option<&str>, now: Option<&str>, counts: (u64, u64)) -> String {
    let shown = |text: Option<&str>| text.map_or_else(|| "(none)".to_owned(), |text| excerpt(text, SHOWN));
    let total = if counts.0 == counts.1 {
        format!("{} as before", counts.1)
    } else {
        format!("{} before, {} now", counts.0, counts.1)
    };
    format!("first parameter that differs: number {number} ({total})\n-{}\n+{}", shown(before), shown(now))
}

/// The parameters of the file as it is now, one after the other.
struct Ours {
    /// How many there are; `None` where they are computed from what the text shows.
    count: Option<u64>,
    ready: VecDeque<String>,
    lines: Option<Lines>,
}

impl Ours {
    fn of(file: &CampaignFile) -> Result<Self, Failure> {
        if let Some(parameters) = &file.parameter_file {
            let lines = Lines::open(parameters.path.clone(), &file.parameters)?;
            return Ok(Self { count: Some(parameters.count), ready: VecDeque::new(), lines: Some(lines) });
        }
        let texts = match &file.parameters {
            Parameters::Inline(texts) => Some(texts.clone()),
            _ => None,
        };
        let count = texts.as_ref().map(|texts| texts.len() as u64);
        Ok(Self { count, ready: texts.unwrap_or_default().into(), lines: None })
    }

    fn next(&mut self) -> Result<Option<String>, Failure> {
        while self.ready.is_empty() {
            let Some(lines) = &mut self.lines else { return Ok(None) };
            match lines.next_piece(|_| ())? {
                Some(parameters) => self.ready.extend(parameters),
                None => return Ok(None),
            }
        }
        Ok(self.ready.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_does_not_count_as_content() {
        assert_eq!(layout("{\"a\":1,\n \"b\":[ ]}"), layout("{ \"a\": 1, \"b\": [] }\n"));
        assert_ne!(layout(r#"{"a":1}"#), layout(r#"{"a":2}"#));
        assert_ne!(layout(r#"{"a":[0.1]}"#), layout(r#"{"a":[0.10]}"#));
    }

    #[test]
    fn the_first_different_parameter_is_shown_with_both_counts() {
        let text = first_difference(3, Some("a b"), Some("a c"), (10, 12));
        assert_eq!(text, "first parameter that differs: number 3 (10 before, 12 now)\n-a b\n+a c");
        let text = first_difference(11, None, Some("z"), (10, 10));
        assert!(text.contains("(10 as before)\n-(none)\n+z"), "{text}");
    }
}
