//! Named parameters in a command line: `{alpha}` becomes a reference to the variable that the job exports, quoted as
//! its place needs.

use super::output::check_macros;
use super::problem::Problem;
use super::shell::{Mark, Quote, marks};
use super::spec::CampaignSpec;

/// How the variables of named parameters begin.
pub(crate) const VARIABLE: &str = "CIGRI_PARAM_";

/// What stands between braces for something else, and is filled in elsewhere.
const MACROS: [&str; 3] = ["HOME", "CAMPAIGN_ID", "OAR_JOB_ID"];

/// A command line with its references filled in. Those that cannot be (see [`check_names`]) stay as written.
pub(crate) fn fill_in(text: &str, names: &[String]) -> String {
    if names.is_empty() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for reference in references(text).iter().filter(|reference| names.iter().any(|name| name == reference.name)) {
        let variable = match reference.place {
            Place::Bare => format!("\"${VARIABLE}{}\"", reference.name),
            Place::Quoted => format!("${{{VARIABLE}{}}}", reference.name),
            Place::Literal | Place::Unsure => continue,
        };
        out.push_str(text.get(copied..reference.at).unwrap_or_default());
        out.push_str(&variable);
        copied = reference.at + reference.name.len() + 2;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

/// Whether a command line, filled in, takes its parameters by name: no words are then appended to it.
pub(crate) fn takes_names(filled_in: &str) -> bool {
    filled_in.contains(VARIABLE)
}

/// Macros of other fields, which a job has as variables.
const OF_A_TASK: [&str; 2] = ["TASK_ID", "TASK_INDEX"];

/// What the commands and output files of a campaign's clusters ask of its named parameters in vain. Without names,
/// nothing in braces stands for anything.
pub fn check_names(spec: &CampaignSpec) -> Vec<Problem> {
    let names = spec.parameter_names();
    let is_parameter = |name: &str| names.iter().any(|known| known == name);
    let mut problems = check_commands(spec, names);
    for (cluster, settings) in spec.clusters.iter().filter(|_| !names.is_empty()) {
        let checked = settings.output.as_ref().map_or(Ok(()), |output| check_macros(&output.file, is_parameter));
        problems.extend(checked.err().map(|problem| problem.at(format!("clusters.{cluster}.output_file"))));
    }
    problems
}

fn check_commands(spec: &CampaignSpec, names: &[String]) -> Vec<Problem> {
    let clusters = spec.clusters.iter();
    let mut seen = Vec::new();
    let fresh = clusters.filter(|(_, cluster)| {
        let is_new = !seen.contains(&&cluster.exec_file);
        seen.push(&cluster.exec_file);
        is_new
    });
    fresh
        .flat_map(|(cluster, settings)| {
            let path = format!("clusters.{cluster}.exec_file");
            check_command(&settings.exec_file, names).into_iter().map(move |problem| problem.at(path.as_str()))
        })
        .collect()
}

fn check_command(text: &str, names: &[String]) -> Vec<Problem> {
    let found = references(text);
    if names.is_empty() {
        return found.iter().filter_map(|reference| check_unnamed(text, reference)).collect();
    }
    let mut problems: Vec<Problem> = found.iter().filter_map(|reference| check_reference(reference, names)).collect();
    let filled_in = fill_in(text, names);
    let ends_open = |mark: &Mark| mark.is_bare() && ";&|".contains(mark.character);
    if takes_names(&filled_in) && marks(text).0.last().is_some_and(ends_open) {
        let end: String = text.chars().skip(text.chars().count().saturating_sub(2)).collect();
        problems.push(Problem::new("", format!("`{end}` at its end"), "a whole command, because no words follow it"));
    }
    problems
}

fn check_reference(reference: &Reference<'_>, names: &[String]) -> Option<Problem> {
    let Reference { name, place, .. } = *reference;
    let is_known = names.iter().any(|known| known == name);
    let found = |place: &str| format!("`{{{name}}}`{place}");
    match place {
        Place::Literal if is_known => Some(
            Problem::new("", found(" within single quotes"), "a parameter where the shell replaces variables")
                .hint(format!("use double quotes, or end them before it: '...'{{{name}}}'...'")),
        ),
        Place::Unsure if is_known => Some(
            Problem::new("", found(" after a command substitution within double quotes"), "a plainer place")
                .hint(format!("write `${VARIABLE}{name}` there, with the quotes that it needs")),
        ),
        Place::Bare | Place::Quoted | Place::Unsure if !is_known && !MACROS.contains(&name) => {
            let known = super::problem::nearest(name, names.iter().map(String::as_str));
            let hint = match known {
                Some(known) => format!("did you mean `{{{known}}}`?"),
                None => format!("parameters are: {}", names.iter().take(10).cloned().collect::<Vec<_>>().join(", ")),
            };
            Some(Problem::new("", found(""), "the name of a parameter between braces").hint(hint))
        }
        _ => None,
    }
}

/// The word of a `{word}` here that looks like a macro and is none. Within quotes it may be anything, such as a program of
/// `awk`.
pub(super) fn in_vain(text: &str, quote: Quote) -> Option<&str> {
    let word = braced(text)?;
    let is_in_vain = match quote {
        Quote::None => !MACROS.contains(&word) && !opens_file(text),
        Quote::Double => OF_A_TASK.contains(&word),
        Quote::Single | Quote::Ansi => false,
    };
    is_in_vain.then_some(word)
}

/// What to do about it.
pub(super) fn instead_of(name: &str) -> String {
    match OF_A_TASK.contains(&name) {
        true => format!("the job has it as `$CIGRI_{name}`"),
        false => format!("if the program is to read the braces, quote them: '{{{name}}}'"),
    }
}

fn check_unnamed(text: &str, reference: &Reference<'_>) -> Option<Problem> {
    let name = in_vain(text.get(reference.at..)?, reference.quote)?;
    let expected = "no `{word}` without `parameters` that have names";
    Some(Problem::new("", format!("`{{{name}}}`"), expected).hint(instead_of(name)))
}

/// `{name}` in a command line.
struct Reference<'a> {
    /// Byte offset of the brace.
    at: usize,
    name: &'a str,
    quote: Quote,
    place: Place,
}

/// What surrounds a reference.
#[derive(Debug, Clone, Copy)]
enum Place {
    Bare,
    /// Within double quotes.
    Quoted,
    /// Within single quotes, where nothing is replaced.
    Literal,
    /// Behind a `$(` or a backquote within double quotes: what is quoted there is beyond `shell`.
    Unsure,
}

fn references(text: &str) -> Vec<Reference<'_>> {
    let (marks, _) = marks(text);
    let mut all = Vec::new();
    let mut unsure = false;
    let mut before: Option<&Mark> = None;
    for mark in &marks {
        let after_dollar = before.is_some_and(|before| before.character == '$' && !before.escaped);
        let substitutes = mark.character == '`' || (mark.character == '(' && after_dollar);
        unsure |= mark.quote == Quote::Double && !mark.escaped && substitutes;
        let opens = mark.character == '{' && !mark.escaped && !after_dollar;
        if let Some(name) = text.get(mark.at..).filter(|_| opens).and_then(braced) {
            let quote = mark.quote;
            let place = match mark.quote {
                Quote::Single | Quote::Ansi => Place::Literal,
                _ if unsure => Place::Unsure,
                Quote::Double => Place::Quoted,
                Quote::None => Place::Bare,
            };
            all.push(Reference { at: mark.at, name, quote, place });
        }
        before = Some(mark);
    }
    all
}

/// The word of `{word}` at the beginning of a text.
pub(super) fn braced(text: &str) -> Option<&str> {
    let (word, _) = text.strip_prefix('{')?.split_once('}')?;
    is_name(word).then_some(word)
}

/// Whether a text begins with `{word}<` or `{word}>`, where the shell opens a file.
fn opens_file(text: &str) -> bool {
    text.split_once('}').is_some_and(|(_, after)| after.starts_with(['<', '>']))
}

/// Whether a word can be the name of a variable.
pub(super) fn is_name(word: &str) -> bool {
    let begins_well = word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    begins_well && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
