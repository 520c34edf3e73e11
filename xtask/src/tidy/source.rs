//! Rust text as the rules want to see it: comments, literals and test code blanked out, byte for
//! byte, so that a word found in what is left is code and stands on the line it claims.

use std::path::{Path, PathBuf};

/// One file of the repository, read once for all rules.
pub(super) struct Source {
    /// Relative to the repository.
    pub(super) path: PathBuf,
    /// As stored.
    pub(super) text: String,
    /// Rust only: comments blanked, literals kept, test code blanked.
    pub(super) without_comments: String,
    /// Rust only: comments, literals and test code blanked.
    pub(super) code: String,
    /// Lines of `text` that belong to unit tests.
    pub(super) test_lines: usize,
}

impl Source {
    pub(super) fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Source {
        let (path, text) = (path.into(), text.into());
        let (mut without_comments, mut code) = (String::new(), String::new());
        let mut test_lines = 0;
        if path.extension().is_some_and(|e| e == "rs") {
            let masked = mask(&text);
            let tests = test_ranges(&masked.code);
            let lines = |range: &Range| text[range.clone()].lines().count();
            test_lines = tests.iter().map(lines).sum();
            code = blank(&masked.code, &tests);
            without_comments = blank(&masked.without_comments, &tests);
        }
        Source { path, text, without_comments, code, test_lines }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.extension().is_some_and(|e| e == "rs")
    }

    /// Integration tests, benches, examples and out-of-line test modules.
    pub(super) fn is_test(&self) -> bool {
        let test_folder = |name: &str| matches!(name, "tests" | "benches" | "examples" | "test_support");
        let folders = self.path.parent().into_iter().flat_map(Path::iter);
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        folders.filter_map(|f| f.to_str()).any(test_folder) || stem == "tests" || stem.ends_with("_tests")
    }

    pub(super) fn is_under(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }
}

/// The line, counted from 1, of a byte offset.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|&&b| b == b'\n').count() + 1
}

/// Offsets of `needle` where no identifier continues on either side of it.
pub(super) fn find_words(text: &str, needle: &str) -> Vec<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let starts_word = needle.starts_with(is_word);
    let ends_word = needle.ends_with(is_word);
    let stands_alone = |&(at, found): &(usize, &str)| {
        let before = text[..at].ends_with(is_word);
        let after = text[at + found.len()..].starts_with(is_word);
        let is_inside = (starts_word && before) || (ends_word && after);
        !is_inside
    };
    text.match_indices(needle).filter(stands_alone).map(|(at, _)| at).collect()
}

struct Masked {
    without_comments: String,
    code: String,
}

enum Piece {
    Code,
    Comment,
    Literal,
}

fn mask(text: &str) -> Masked {
    let (mut comments, mut hidden) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < text.len() {
        let (piece, length) = next_piece(text, at);
        let range = at..at + length;
        match piece {
            Piece::Code => {}
            Piece::Literal => hidden.push(range),
            Piece::Comment => {
                comments.push(range.clone());
                hidden.push(range);
            }
        }
        at += length;
    }
    Masked { without_comments: blank(text, &comments), code: blank(text, &hidden) }
}

type Range = std::ops::Range<usize>;

/// Blanks ranges; line ends stay, and so does every offset.
fn blank(text: &str, ranges: &[Range]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for byte in ranges.iter().flat_map(|range| range.clone()) {
        if bytes[byte] != b'\n' {
            bytes[byte] = b' ';
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn next_piece(text: &str, at: usize) -> (Piece, usize) {
    let rest = &text[at..];
    let continues_word = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        (Piece::Comment, rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        (Piece::Comment, block_comment(rest))
    } else if let Some(length) = raw_string(rest).filter(|_| !continues_word) {
        (Piece::Literal, length)
    } else if rest.starts_with('"') {
        (Piece::Literal, quoted(rest))
    } else if let Some(length) = character(rest) {
        (Piece::Literal, length)
    } else {
        (Piece::Code, rest.chars().next().map_or(1, char::len_utf8))
    }
}

fn block_comment(rest: &str) -> usize {
    let (bytes, mut depth, mut at) = (rest.as_bytes(), 0_usize, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// `r"..."`, `r#"..."#`, `br#"..."#`.
fn raw_string(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r"].into_iter().find(|p| rest.starts_with(p))?;
    let after = &rest[prefix.len()..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let start = prefix.len() + hashes + 1;
    Some(body.find(&end).map_or(rest.len(), |found| start + found + end.len()))
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character literal; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix('\'')?;
    if let Some(escape) = body.strip_prefix('\\') {
        let first = escape.chars().next()?.len_utf8();
        return escape[first..].find('\'').map(|at| first + at + 3);
    }
    let width = body.chars().next()?.len_utf8();
    body[width..].starts_with('\'').then_some(width + 2)
}

/// The items behind `#[cfg(test)]`, to their closing brace or semicolon.
fn test_ranges(code: &str) -> Vec<Range> {
    code.match_indices("#[cfg(test)]").map(|(start, _)| start..item_end(code, start)).collect()
}

fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Source::new("a.rs", text).code
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        let text = "a // b\n/* c /* d */ e */ f \"g \\\" h\" r#\"i \" j\"# 'k' '\\'' '\\u{41}' l";
        let left = code(text);
        assert_eq!(left.split_whitespace().collect::<Vec<_>>(), ["a", "f", "l"]);
        assert_eq!(left.len(), text.len());
        assert_eq!(line_of(&left, left.find('f').unwrap()), 2);
    }

    #[test]
    fn lifetimes_and_names_ending_in_r_stay_code() {
        assert_eq!(code("fn a<'b>(c: &'b str) {}"), "fn a<'b>(c: &'b str) {}");
        assert_eq!(code("matcher!(\"x\")").trim_end(), "matcher!(   )");
    }

    #[test]
    fn test_modules_are_blanked_and_what_follows_is_kept() {
        let left = code("fn a() {}\n#[cfg(test)]\nmod tests { fn b() { {} } }\nfn c() {}\n");
        assert!(left.contains("fn a()") && left.contains("fn c()"));
        assert!(!left.contains("fn b"));
        assert!(!code("#[cfg(test)]\nmod b;\nfn c() {}").contains("mod b"));
    }

    #[test]
    fn literals_stay_where_only_comments_are_dropped() {
        let source = Source::new("a.rs", "let a = \"b\"; // c");
        assert_eq!(source.without_comments.trim_end(), "let a = \"b\";");
    }

    #[test]
    fn words_have_borders() {
        assert_eq!(find_words("rand::x strand::y", "rand::"), [0]);
        assert_eq!(find_words("print!() eprint!()", "print!"), [0]);
    }

    #[test]
    fn test_files_are_known_by_their_place() {
        let is_test = |path: &str| Source::new(path, "").is_test();
        assert!(is_test("tests/system/main.rs") && is_test("a/src/meter/tests.rs"));
        assert!(is_test("a/src/meter_tests.rs") && !is_test("a/src/meter.rs"));
    }
}
