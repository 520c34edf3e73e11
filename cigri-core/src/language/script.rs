//! Whether a script of several lines is whole: comments and here-documents may hold quotes that mean nothing.

use super::problem::excerpt;
use super::shell::{Open, Scanner};

/// What a script leaves open at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unfinished {
    /// A quote without its partner.
    Quote(char),
    /// A backslash before nothing.
    Backslash,
    /// A here-document without its last line.
    Document(String),
}

/// What a script leaves open; `None` if it is whole.
pub(super) fn unfinished(script: &str) -> Option<Unfinished> {
    let mut scanner = Scanner::new();
    // Here-documents announced on the present line, whose bodies begin on the next.
    let mut documents: Vec<Document> = Vec::new();
    let mut arithmetic = 0_i32;
    let mut at = 0;
    while let Some(character) = script[at..].chars().next() {
        let mark = scanner.mark(at, character);
        let rest = &script[at + character.len_utf8()..];
        at += character.len_utf8();
        match character {
            _ if !mark.is_bare() => {}
            // The end of the line stays: it ends the comment.
            '#' if mark.word_start => at += rest.find('\n').unwrap_or(rest.len()),
            '(' if rest.starts_with('(') => arithmetic += 1,
            ')' if rest.starts_with(')') => arithmetic -= 1,
            '<' if rest.starts_with("<<") => at += 2,
            '<' if rest.starts_with('<') && arithmetic <= 0 => {
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
    }
}
