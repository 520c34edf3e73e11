//! Whether a script of several lines is whole: comments and here-documents may hold quotes that mean nothing.

use super::named::in_vain;
use super::problem::excerpt;
use super::shell::{Mark, Open, Parentheses, Scanner};

/// What keeps a script from being run as it was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfinished {
    /// A quote without its partner.
    Quote(char),
    /// A backslash before nothing.
    Backslash,
    /// A here-document without its last line.
    Document(String),
    /// `{word}` that stands for nothing: the word.
    Template(String),
}

/// What a script leaves open or asks for in vain; `None` if it is whole.
pub(super) fn unfinished(script: &str) -> Option<Unfinished> {
    let mut scanner = Scanner::new();
    // Here-documents announced on the present line, whose bodies begin on the next.
    let mut documents: Vec<Document> = Vec::new();
    let mut parentheses = Parentheses::default();
    let mut at = 0;
    while let Some(character) = script[at..].chars().next() {
        let mark = scanner.mark(at, character);
        let rest = &script[at + character.len_utf8()..];
        if let Some(name) = template(script, &mark) {
            return Some(Unfinished::Template(name.to_owned()));
        }
        at += character.len_utf8();
        if mark.is_bare() {
            parentheses.see(character, rest.chars().next());
        }
        match character {
            _ if !mark.is_bare() => {}
            // The end of the line stays: it ends the comment.
            '#' if mark.word_start => at += rest.find('\n').unwrap_or(rest.len()),
            '<' if rest.starts_with("<<") => at += 2,
            '<' if rest.starts_with('<') && !parentheses.in_arithmetic() => {
                at += 1;
                documents.extend(Document::announced(&rest[1..]));
            }
            '\n' => {
                for document in documents.drain(..) {
                    at += match document.length(&script[at..]) {
                        Some(length) => length,
                        None => return Some(Unfinished::Document(excerpt(&document.end))),
                    };
                }
            }
            _ => {}
        }
    }
    if let Some(document) = documents.first() {
        return Some(Unfinished::Document(excerpt(&document.end)));
    }
    match scanner.open()? {
        Open::Quote(quote) => Some(Unfinished::Quote(quote)),
        Open::Backslash => Some(Unfinished::Backslash),
    }
}

/// The word of a `{word}` here that is neither a macro nor the shell's.
fn template<'a>(script: &'a str, mark: &Mark) -> Option<&'a str> {
    let (before, here) = script.split_at_checked(mark.at)?;
    let is_ours = !mark.escaped && !before.ends_with('$');
    in_vain(here, mark.quote).filter(|_| is_ours)
}

/// A here-document that is still to come.
struct Document {
    /// Its last line.
    end: String,
    /// Written `<<-`: tabulators before the last line do not count.
    indented: bool,
}

impl Document {
    /// Reads what follows `<<`: the word, with its quotes removed.
    fn announced(rest: &str) -> Option<Self> {
        let indented = rest.starts_with('-');
        let word = rest.trim_start_matches('-').trim_start_matches([' ', '\t']);
        let word = word.split([' ', '\t', '\n', ';', '&', '|', '<', '>', '(', ')']).next().unwrap_or_default();
        let end: String = word.chars().filter(|character| !"'\"\\".contains(*character)).collect();
        (!end.is_empty()).then_some(Self { end, indented })
    }

    /// Bytes of the body at the beginning of `text`, its last line included.
    fn length(&self, text: &str) -> Option<usize> {
        let mut length = 0;
        for line in text.split_inclusive('\n') {
            length += line.len();
            let line = line.trim_end_matches('\n');
            let line = if self.indented { line.trim_start_matches('\t') } else { line };
            if line == self.end {
                return Some(length);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_in_comments_and_documents_mean_nothing() {
        for script in [
            "# don't\nmake # it's fine\n",
            "cat <<EOF\nit's\nEOF\necho a",
            "cat <<-'END' > x; echo \"two\nlines\"\n\tit's\n\tEND\n",
            "cat <<A; cat <<B\nit's a\nA\nit's b\nB",
            "echo $((1<<3)) ${#x} a#b\ncat <<< word",
            "./x $(echo $(echo 1)) $((1<<3))\n((x = (1 + 2) << 3))\necho $(( (1) ))$((1<<2))",
            "x=${HOME} {HOME} {CAMPAIGN_ID} {a,b} {1..3} '{print}' \"{x}\" \\{x} # {x}\ncat <<EOF\n{x}\nEOF\nexec {fd}>x",
            "f() { echo; }; ((a); b); cat <<EOF\nit's\nEOF",
        ] {
            assert_eq!(unfinished(script), None, "{script}");
        }
    }

    #[test]
    fn what_is_left_open_is_named() {
        assert_eq!(unfinished("a\n'b\nc"), Some(Unfinished::Quote('\'')));
        assert_eq!(unfinished("cat <<EOF\nx\nEOF\necho \"a"), Some(Unfinished::Quote('"')));
        assert_eq!(unfinished("a \\"), Some(Unfinished::Backslash));
        assert_eq!(unfinished("cat <<EOF\nx\n EOF"), Some(Unfinished::Document("EOF".into())));
        assert_eq!(unfinished("cat <<EOF"), Some(Unfinished::Document("EOF".into())));
        assert_eq!(unfinished("echo $((1)); cat <<EOF"), Some(Unfinished::Document("EOF".into())));
        assert_eq!(unfinished("mkdir\nmkdir r.{alpha}"), Some(Unfinished::Template("alpha".into())));
        assert_eq!(unfinished("touch \"{TASK_ID}\""), Some(Unfinished::Template("TASK_ID".into())));
    }
}
