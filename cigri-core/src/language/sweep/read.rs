//! The field `parameters` as written, made a sweep. All its problems are told at once.

use super::super::field::Field;
use super::super::parameters::{MOST_JOBS, Parameters};
use super::super::problem::{Problem, Report};
use super::super::table::TableFormat;
use super::super::tree::Node;
use super::axis::Axis;
use super::design::{Design, Spread};
use super::names::check_name;
use super::object::Object;
use super::read_axis::{Budget, read_axis, read_spread};
use super::{Points, REPEAT, Sweep};

/// What is said of a file that the client did not send.
pub(in crate::language) const NO_FILE: &str = "a file is read by the client that submits, never on the server";

/// Most parameters of a campaign.
const MOST_NAMES: usize = 64;

/// All that `parameters` may hold.
const KEYS: [&str; 9] = ["grid", "zip", "repeat", "csv", "jsonl", "random", "latin_hypercube", "sobol", "samples"];
const SEED: &str = "seed";

/// The ways to give points; `grid` and `zip` go together.
const FORMS: &str = "`grid` and `zip`, or one of `csv`, `jsonl`, `random`, `latin_hypercube` and `sobol`";

/// Reads the field; `streamed` says that a file's content was sent beside the campaign.
pub(in crate::language) fn read_sweep(
    key: &str,
    node: &Node,
    streamed: bool,
    report: &mut Report,
) -> Option<Parameters> {
    let field = Field::new("", key, node);
    let Some(object) = Object::of(&field) else {
        report.refuse(field.problem(&format!("an object with {FORMS}")));
        return None;
    };
    object.check_keys(&[&KEYS[..], &[SEED]].concat(), report);
    let given = |names: &[&'static str]| -> Vec<&'static str> {
        names.iter().copied().filter(|name| object.field(name).is_some()).collect()
    };
    let forms = given(&["grid", "zip", "csv", "jsonl", "random", "latin_hypercube", "sobol"]);
    let others = given(&["repeat", "samples", "seed"]);
    let allowed: &[&str] = match forms[..] {
        ["csv" | "jsonl"] => &[],
        ["random" | "latin_hypercube" | "sobol"] => &["repeat", "samples", "seed"],
        ["grid" | "zip"] | ["grid", "zip"] => &["repeat"],
        _ => {
            let found = if forms.is_empty() { "none of them".to_owned() } else { listed(&forms) };
            report.refuse(field.found(&found, FORMS));
            return None;
        }
    };
    for name in others.iter().filter(|name| !allowed.contains(name)) {
        let found = format!("`{name}` beside {}", listed(&forms));
        object.refuse(name, &found, &format!("no `{name}` there"), report);
    }
    match forms[..] {
        ["csv"] => file(&object, "csv", streamed, report).then_some(Parameters::Table(TableFormat::Csv)),
        ["jsonl"] => file(&object, "jsonl", streamed, report).then_some(Parameters::Table(TableFormat::JsonLines)),
        _ if streamed => {
            report.refuse(field.found(&format!("{} and parameters sent beside the file", listed(&forms)), FORMS));
            None
        }
        ["random"] => drawn(&object, ("random", Design::Random), report),
        ["latin_hypercube"] => drawn(&object, ("latin_hypercube", Design::LatinHypercube), report),
        ["sobol"] => drawn(&object, ("sobol", Design::Sobol), report),
        _ => product(&object, report),
    }
    .filter(|parameters| within_bounds(&field, parameters, report))
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
}

fn file(object: &Object<'_>, name: &str, streamed: bool, report: &mut Report) -> bool {
    let Some(field) = object.field(name) else { return false };
    let sound =
        report.take(field.text("the name of a file", |path| !path.is_empty() && !path.contains(char::is_control)));
    if sound.is_some() && !streamed {
        report.refuse(field.problem("the rows of the file, sent beside the campaign").hint(NO_FILE));
    }
    sound.is_some() && streamed
}

fn product(object: &Object<'_>, report: &mut Report) -> Option<Parameters> {
    let repeat = repeat(object, report);
    let mut names = Names::default();
    let mut budget = Budget::default();
    let mut axes = |form: &str, names: &mut Names, report: &mut Report| match object.field(form) {
        Some(field) => named(&field, names, report, |field, report| read_axis(field, &mut budget, report)),
        None => Some(Vec::new()),
    };
    let zip = axes("zip", &mut names, report);
    let grid = axes("grid", &mut names, report);
    let (zip, grid): (Vec<Axis>, Vec<Axis>) = (zip?, grid?);
    let lengths = |zip: &[Axis]| zip.iter().map(|axis| axis.len().to_string()).collect::<Vec<_>>().join(", ");
    if zip.iter().any(|axis| Some(axis.len()) != zip.first().map(Axis::len)) {
        let found = format!("{} values", lengths(&zip));
        object.refuse("zip", &found, "as many values for each name", report);
        return None;
    }
    let names = names.with_repeat(repeat, object, report)?;
    Some(Parameters::Sweep(Sweep { names, points: Points::Product { zip, grid }, repeat }))
}

fn drawn(object: &Object<'_>, (form, design): (&str, Design), report: &mut Report) -> Option<Parameters> {
    let repeat = repeat(object, report);
    let seed = object.field(SEED).map_or(Some(0), |field| report.take(field.number_from_0(u32::MAX.into())));
    let samples = match object.field("samples") {
        Some(field) => report.take(field.whole_number(design.most_samples())),
        None => {
            object.refuse(form, "no `samples`", "`samples`, the number of points, beside it", report);
            None
        }
    };
    let mut names = Names::default();
    let mut budget = Budget::default();
    let axes: Option<Vec<Spread>> =
        named(&object.field(form)?, &mut names, report, |field, report| read_spread(field, &mut budget, report));
    let names = names.with_repeat(repeat, object, report)?;
    let points = Points::Drawn { design, samples: samples?, seed: u32::try_from(seed?).ok()?, axes: axes? };
    Some(Parameters::Sweep(Sweep { names, points, repeat }))
}

fn repeat(object: &Object<'_>, report: &mut Report) -> Option<u64> {
    object.field(REPEAT).and_then(|field| report.take(field.whole_number(MOST_JOBS)))
}

/// The names given so far.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn with_repeat(mut self, repeat: Option<u64>, object: &Object<'_>, report: &mut Report) -> Option<Vec<String>> {
        if repeat.is_some() {
            if self.0.iter().any(|name| name == REPEAT) {
                let expected = "no parameter of that name beside it";
                object.refuse(REPEAT, "a parameter `repeat`", expected, report);
                return None;
            }
            self.0.push(REPEAT.to_owned());
        }
        if self.0.len() <= MOST_NAMES {
            return Some(self.0);
        }
        let found = format!("{} parameters", self.0.len());
        report.refuse(Problem::new(object.path.as_str(), found, format!("at most {MOST_NAMES} parameters")));
        None
    }
}

/// Reads the members of `parameters.FORM`, one parameter each; `None` if any of it is not sound.
fn named<T>(
    field: &Field<'_>,
    names: &mut Names,
    report: &mut Report,
    mut read: impl FnMut(&Field<'_>, &mut Report) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(members) = Object::of(field).filter(|members| !members.fields.is_empty()) else {
        report.refuse(field.problem("an object: the name of each parameter, with its values"));
        return None;
    };
    let mut read_all = Vec::new();
    for (name, node) in members.fields {
        let field = Field::new(&members.path, name, node);
        let taken = names.0.contains(name);
        if taken {
            report.refuse(field.found("a second parameter of this name", "each name only once"));
        } else if let Err(expected) = check_name(name) {
            report.refuse(field.found("another name", expected));
        } else {
            read_all.extend(read(&field, report));
        }
        names.0.push(name.clone());
    }
    (read_all.len() == members.fields.len()).then_some(read_all)
}

fn within_bounds(field: &Field<'_>, parameters: &Parameters, report: &mut Report) -> bool {
    let Parameters::Sweep(sweep) = parameters else { return true };
    let count = sweep.count();
    if (1..=u128::from(MOST_JOBS)).contains(&count) {
        return true;
    }
    let found = match count {
        u128::MAX => "more than 10^38 points".to_owned(),
        _ if count >= 1_000_000_000_000 => format!("some 10^{} points", count.ilog10()),
        _ => format!("{count} points"),
    };
    report.refuse(field.found(&found, &format!("at most {MOST_JOBS} points")));
    false
}
