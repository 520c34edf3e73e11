//! Enough of the shell's lexical rules to see where quotes, words and comments begin, without running anything.

/// How a character is quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    None,
    Single,
    Double,
    /// `$'...'`, where a backslash protects the closing quote.
    Ansi,
}

/// One character of a command line as the shell sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// Byte offset in the text.
    pub(super) at: usize,
    pub(super) character: char,
    pub(super) quote: Quote,
    /// Preceded by a backslash that protects it.
    pub(super) escaped: bool,
    /// First of an unquoted word: what makes `~` a home directory and `#` a comment.
    pub(super) word_start: bool,
}

impl Mark {
    /// Neither quoted nor escaped: the shell gives it its special meaning.
    pub(super) fn is_bare(&self) -> bool {
        self.quote == Quote::None && !self.escaped
    }
}

/// What a text leaves open at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Open {
    /// A quote without its partner.
    Quote(char),
    /// A backslash that would protect whatever is appended.
    Backslash,
}

/// Marks every character of a command line and says what stays open at its end.
pub(super) fn marks(text: &str) -> (Vec<Mark>, Option<Open>) {
    let mut scanner = Scanner::new();
    let marks = text.char_indices().map(|(at, character)| scanner.mark(at, character)).collect();
    (marks, scanner.open())
}

/// What stays open at the end of a text, in constant memory.
pub(super) fn left_open(text: &str) -> Option<Open> {
    // Most parameters hold nothing of the kind, and there may be millions of them.
    if !text.bytes().any(|byte| b"'\"`\\".contains(&byte)) {
        return None;
    }
    let mut scanner = Scanner::new();
    for (at, character) in text.char_indices() {
        scanner.mark(at, character);
    }
    scanner.open()
}

/// Open parentheses, so that a shift within `((...))` is told from a here-document.
#[derive(Debug, Default)]
pub(super) struct Parentheses {
    /// True for each open `((`, false for each `(`.
    open: Vec<bool>,
    /// The second one of a pair comes next.
    second: bool,
}

impl Parentheses {
    /// Takes a bare character, and what follows it.
    pub(super) fn see(&mut self, character: char, next: Option<char>) {
        if std::mem::take(&mut self.second) {
            return;
        }
        self.second = match (character, self.open.last_mut()) {
            ('(', _) => {
                self.open.push(next == Some('('));
                next == Some('(')
            }
            (')', Some(double)) if *double && next != Some(')') => {
                // They were two subshells.
                *double = false;
                false
            }
            (')', Some(_)) => self.open.pop().unwrap_or_default(),
            _ => false,
        };
    }

    /// Whether what comes is within `((...))`.
    pub(super) fn in_arithmetic(&self) -> bool {
        self.open.contains(&true)
    }
}

/// Reads a text character by character.
pub(super) struct Scanner {
    quote: Quote,
    backquoted: bool,
    escape: bool,
    word_start: bool,
    after_dollar: bool,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self { quote: Quote::None, backquoted: false, escape: false, word_start: true, after_dollar: false }
    }

    /// Takes the next character.
    pub(super) fn mark(&mut self, at: usize, character: char) -> Mark {
        let mark = Mark {
            at,
            character,
            quote: self.quote,
            escaped: self.escape,
            word_start: self.word_start && self.quote == Quote::None && !self.escape,
        };
        let opens_ansi = self.after_dollar && mark.is_bare() && character == '\'';
        self.after_dollar = mark.is_bare() && character == '$';
        self.word_start = mark.is_bare() && " \t\n;|&()<>`".contains(character);
        self.escape = !self.escape && character == '\\' && self.quote != Quote::Single;
        if !mark.escaped {
            self.turn(character, opens_ansi);
        }
        mark
    }

    /// Opens or closes a quote.
    fn turn(&mut self, character: char, opens_ansi: bool) {
        self.quote = match (self.quote, character) {
            (Quote::None, '\'') if opens_ansi => Quote::Ansi,
            (Quote::None, '\'') => Quote::Single,
            (Quote::None, '"') => Quote::Double,
            (Quote::Single | Quote::Ansi, '\'') | (Quote::Double, '"') => Quote::None,
            (quote, _) => quote,
        };
        if character == '`' && matches!(self.quote, Quote::None | Quote::Double) {
            self.backquoted = !self.backquoted;
        }
    }

    /// What is open after the last one.
    pub(super) fn open(&self) -> Option<Open> {
        match self.quote {
            Quote::Single | Quote::Ansi => Some(Open::Quote('\'')),
            Quote::Double => Some(Open::Quote('"')),
            Quote::None if self.backquoted => Some(Open::Quote('`')),
            Quote::None => self.escape.then_some(Open::Backslash),
        }
    }
}
