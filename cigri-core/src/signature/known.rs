//! Texts by which libraries, shells and systems tell what they lack.

use crate::failure::Class;

/// Texts in small letters, with what they mean. A line may hold several: the first of this table counts, so that a
/// library that is missing is not taken for any missing file.
const KNOWN: &[(&str, Class)] = &[
    ("memoryerror", Class::Memory),
    ("std::bad_alloc", Class::Memory),
    ("out of memory", Class::Memory),
    ("outofmemoryerror", Class::Memory),
    ("cannot allocate memory", Class::Memory),
    ("cannot allocate vector of size", Class::Memory),
    ("virtual memory exhausted", Class::Memory),
    ("insufficient virtual memory", Class::Memory),
    ("oom-kill", Class::Memory),
    ("oom_kill", Class::Memory),
    ("no space left on device", Class::Disk),
    ("disk quota exceeded", Class::Disk),
    ("quota exceeded", Class::Disk),
    ("modulenotfounderror", Class::MissingModule),
    ("importerror", Class::MissingModule),
    ("no module named", Class::MissingModule),
    ("error while loading shared libraries", Class::MissingModule),
    ("there is no package called", Class::MissingModule),
    ("can't locate loadable object", Class::MissingModule),
    ("(you may need to install the", Class::MissingModule),
    ("module: command not found", Class::MissingModule),
    ("module: not found", Class::MissingModule),
    ("lmod has detected the following error", Class::MissingModule),
    ("module(s) are unknown", Class::MissingModule),
    ("unable to locate a modulefile", Class::MissingModule),
    ("filenotfounderror", Class::MissingFile),
    ("filenotfoundexception", Class::MissingFile),
    ("no such file or directory", Class::MissingFile),
    ("stale file handle", Class::Node),
    ("transport endpoint is not connected", Class::Node),
    ("input/output error", Class::Node),
    ("remote i/o error", Class::Node),
    ("no route to host", Class::Node),
    ("network is unreachable", Class::Node),
    ("temporary failure in name resolution", Class::Node),
];

/// What says, beside the word licence, that none was had.
const UNLICENSED: &[&str] = &[
    "checkout",
    "check out",
    "checking out",
    "server",
    "fail",
    "not available",
    "unavailable",
    "could not",
    "cannot",
    "unable",
    "no such feature",
    "maximum number",
    "exceeded",
    "denied",
    "no valid",
    "not obtain",
];

/// The kind of trouble that a text tells of: that of its last line which is known.
pub fn class_of(text: &str) -> Option<Class> {
    text.lines().rev().find_map(class_of_line)
}

fn class_of_line(line: &str) -> Option<Class> {
    let line = line.to_lowercase();
    let known = KNOWN.iter().find(|(text, _)| line.contains(text)).map(|(_, class)| *class);
    known.or_else(|| is_unlicensed(&line).then_some(Class::Licence))
}

fn is_unlicensed(line: &str) -> bool {
    let of_manager = ["flexlm", "flexnet", "lmgrd"].iter().any(|name| line.contains(name));
    let licence = ["license", "licence"].iter().any(|word| line.contains(word));
    (of_manager || licence) && UNLICENSED.iter().any(|word| line.contains(word))
}
