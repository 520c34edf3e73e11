//! How deep an expression goes, judged by its text: the parser of expressions calls itself for every level, and a text
//! with a few dozen brackets would take the server's stack.

/// Deepest expression that is parsed: a fraction of what the two megabytes of a thread hold, measured without optimisation.
const DEEPEST: usize = 40;
/// A bracket costs so many times what an operator of a chain costs.
const BRACKET: usize = 5;

/// Whether the text is shallow enough.
pub(super) fn is_shallow(text: &str) -> bool {
    let hides = quotes_are_plain(text);
    // How long the chain of operators is that each open bracket stands in.
    let mut chains = vec![0_usize];
    let mut deepest = 0;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' | '\'' if hides => while characters.next().is_some_and(|next| next != character) {},
            '(' | '[' | '{' => chains.push(0),
            ')' | ']' | '}' => {
                if chains.len() > 1 {
                    chains.pop();
                }
                // An index or a call goes on with the chain that it stands in.
                grow(&mut chains);
            }
            '&' | '|' | ',' => restart(&mut chains),
            '+' | '-' | '*' | '/' | '%' | '.' | '<' | '>' | '=' | '?' => grow(&mut chains),
            _ => {}
        }
        deepest = deepest.max(BRACKET * (chains.len() - 1) + chains.iter().sum::<usize>());
    }
    deepest <= DEEPEST && words_between(text) <= DEEPEST
}

fn grow(chains: &mut [usize]) {
    if let Some(chain) = chains.last_mut() {
        *chain += 1;
    }
}

/// `&&`, `||` and commas begin a chain anew: the parser takes what they join side by side.
fn restart(chains: &mut [usize]) {
    if let Some(chain) = chains.last_mut() {
        *chain = 0;
    }
}

/// Whether what stands between quotes surely is a text: no escapes, no comments, no texts over several lines, none left
/// open. Of any other expression every character counts.
fn quotes_are_plain(text: &str) -> bool {
    let mut open = None;
    for character in text.chars().filter(|character| matches!(character, '"' | '\'')) {
        match open {
            None => open = Some(character),
            Some(quote) if quote == character => open = None,
            Some(_) => {}
        }
    }
    open.is_none() && !["\\", "//", "\n", "\r", "\"\"\"", "'''"].iter().any(|odd| text.contains(odd))
}

/// The one operator that is a word.
fn words_between(text: &str) -> usize {
    text.split(|character: char| !(character.is_alphanumeric() || character == '_'))
        .filter(|word| *word == "in")
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_conditions_are_shallow() {
        let rule = r#"cluster.type != "best-effort" && !(user in lists.normal_authorized)"#;
        assert!(is_shallow(rule));
        assert!(is_shallow(&vec![rule; 20].join(" || ")));
        assert!(is_shallow(
            r#"lists.a.exists(x, x.startsWith(user + "((((((((((")) ? "a" : walltime_s("1") > 3 ? "b" : "c""#
        ));
    }

    #[test]
    fn every_way_to_go_deep_is_seen() {
        let nested = |open: &str, close: &str| open.repeat(9) + "1" + &close.repeat(9);
        for text in [nested("(", ")"), nested("[", "]"), nested("f(", ")"), nested("{1: ", "}")] {
            assert!(!is_shallow(&text), "{text}");
        }
        let deep = nested("(", ")");
        for hidden in [format!("\"{deep}"), format!(r#"r"\" + {deep} + """#), format!("// \"\n{deep} // \"")] {
            assert!(!is_shallow(&hidden), "{hidden}");
        }
        for link in ["1 + ", "a.", "a < ", "1 in ", "true ? 1 : ", "[0]", "f()."] {
            assert!(!is_shallow(&(link.repeat(41) + "1")), "{link}");
        }
    }
}
