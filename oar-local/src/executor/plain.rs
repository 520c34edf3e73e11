//! Recognises command lines that need no shell, so that the price of starting one is not paid per job.
//!
//! Two forms are understood; everything else, and everything doubtful, is left to bash:
//!
//! * `PROGRAM WORDS`
//! * `NAME(){ export ASSIGNMENTS; shift N; PROGRAM WORDS "$@"; }; NAME WORDS`, where NAME begins with `_`, the
//!   assigned names begin with `CIGRI_`, and the values are a plain word, `$k`, `${k}` or `$(($k-INT))`, in which
//!   further `-($k>=INT)*INT` may follow. Words of the program may be references, `"$CIGRI_..."`, to what was
//!   assigned, and `"$@"` may be left off.
//!
//! A word is made of characters that no shell treats specially, or is one single-quoted string of printable ASCII.
//! PROGRAM is unquoted, and none of bash's builtins and keywords.

/// A command line that bash would turn into one program run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plain {
    /// Program and arguments.
    pub(crate) words: Vec<String>,
    /// Variables exported first.
    pub(crate) exports: Vec<(String, String)>,
    /// The command of the shell function that it was called in: bash would stay as the parent of the program, and
    /// would show this if it died of a signal.
    pub(crate) in_function: Option<String>,
}

/// Bash's builtins and keywords.
const RESERVED: &str = ". : [ alias bg bind break builtin caller cd command compgen complete compopt continue declare dirs \
    disown echo enable eval exec exit export false fc fg getopts hash help history jobs kill let local \
    logout mapfile popd printf pushd pwd read readarray readonly return set shift shopt source suspend test \
    times trap true type typeset ulimit umask unalias unset wait if then else elif fi case esac for select \
    while until do done in function time coproc ! [[ ]]";

/// Reads a command line; `None` when a shell must.
pub(crate) fn recognise(command: &str) -> Option<Plain> {
    let mut cursor = Cursor { rest: command.trim_matches([' ', '\t']) };
    if cursor.rest.starts_with('_')
        && let Some(wrapped) = wrapper(&mut Cursor { rest: cursor.rest })
    {
        return Some(wrapped);
    }
    let words = cursor.program_and_words()?;
    cursor.rest.is_empty().then_some(Plain { words, exports: Vec::new(), in_function: None })
}

fn wrapper(cursor: &mut Cursor<'_>) -> Option<Plain> {
    let name = cursor.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    cursor.eat("(){ export ")?;
    let mut assignments = vec![cursor.assignment()?];
    while cursor.eat(" ").is_some() {
        assignments.push(cursor.assignment()?);
    }
    cursor.eat("; shift ")?;
    let shift: usize = cursor.digits()?.parse().ok()?;
    cursor.eat("; ")?;
    let body = cursor.rest;
    let run = cursor.program_and_references()?;
    let takes_all = cursor.eat("\"$@\"").is_some();
    let body = body.strip_suffix(cursor.rest)?;
    cursor.eat("; }; ")?;
    // `_` alone would shadow bash's own variable in nobody's interest.
    if name.len() < 2 || cursor.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_') != name {
        return None;
    }
    let arguments = cursor.words()?;
    if !cursor.rest.is_empty() {
        return None;
    }
    let exports = assignments.into_iter().map(|assignment| assignment.evaluate(&arguments));
    let exports = exports.collect::<Option<Vec<_>>>()?;
    let mut words = run.into_iter().map(|word| word.evaluate(&exports)).collect::<Option<Vec<_>>>()?;
    let rest = arguments.get(shift..)?;
    words.extend(rest.iter().filter(|_| takes_all).cloned());
    Some(Plain { words, exports, in_function: Some(body.to_owned()) })
}

/// A word of the program in the function.
enum Word<'a> {
    Text(String),
    /// The variable that `"$NAME"` names.
    Reference(&'a str),
}

impl Word<'_> {
    fn evaluate(self, exports: &[(String, String)]) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Reference(name) => {
                // The last one holds, as in a shell.
                exports.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())
            }
        }
    }
}

struct Assignment<'a> {
    name: &'a str,
    value: Source<'a>,
}

enum Source<'a> {
    Word(&'a str),
    Argument(usize),
    Braced(usize),
    Minus(usize, i64, Vec<Step>),
}

/// `-($k>=from)*minus`
struct Step {
    from: i64,
    minus: i64,
}

impl Assignment<'_> {
    fn evaluate(&self, arguments: &[String]) -> Option<(String, String)> {
        let argument = |place: &usize| arguments.get(place.checked_sub(1)?);
        let value = match &self.value {
            Source::Word(word) => (*word).to_owned(),
            Source::Argument(place) | Source::Braced(place) => argument(place)?.clone(),
            Source::Minus(place, minus, steps) => {
                let given = decimal(argument(place)?)?;
                let mut further = steps.iter().filter(|step| given >= step.from).map(|step| step.minus);
                further.try_fold(given - minus, i64::checked_sub)?.to_string()
            }
        };
        Some((self.name.to_owned(), value))
    }
}

/// A number that shell arithmetic reads as decimal, small enough for its 64 bits.
fn decimal(text: &str) -> Option<i64> {
    let fits = !text.is_empty() && text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    let octal = text.len() > 1 && text.starts_with('0');
    if fits && !octal { text.parse().ok() } else { None }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_./:,+@%=-".contains(&byte)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Reads a command line from left to right.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn eat(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a str {
        let end = self.rest.bytes().position(|byte| !accept(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn digits(&mut self) -> Option<&'a str> {
        Some(self.take_while(|byte| byte.is_ascii_digit())).filter(|digits| !digits.is_empty())
    }

    fn assignment(&mut self) -> Option<Assignment<'a>> {
        let name = self.take_while(is_name);
        self.eat("=")?;
        let value = if self.eat("$((").is_some() {
            self.eat("$")?;
            let place = self.digits()?;
            self.eat("-")?;
            let minus = decimal(self.digits()?)?;
            let steps = self.steps(place)?;
            self.eat("))")?;
            Source::Minus(place.parse().ok()?, minus, steps)
        } else if self.eat("${").is_some() {
            let place = self.digits()?.parse().ok()?;
            self.eat("}")?;
            Source::Braced(place)
        } else if self.eat("$").is_some() {
            Source::Argument(self.digits()?.parse().ok()?)
        } else {
            Source::Word(self.take_while(is_plain))
        };
        // `$12` is `${1}2` to a shell.
        let single = match value {
            Source::Word(_) | Source::Braced(_) => true,
            Source::Argument(place) | Source::Minus(place, ..) => place < 10,
        };
        (single && name.starts_with("CIGRI_")).then_some(Assignment { name, value })
    }

    /// Each of the same argument.
    fn steps(&mut self, place: &str) -> Option<Vec<Step>> {
        let mut steps = Vec::new();
        while self.eat("-($").is_some() {
            self.eat(place)?;
            self.eat(">=")?;
            let from = decimal(self.digits()?)?;
            self.eat(")*")?;
            steps.push(Step { from, minus: decimal(self.digits()?)? });
        }
        Some(steps)
    }

    fn program_and_words(&mut self) -> Option<Vec<String>> {
        let mut words = vec![self.program()?];
        words.extend(self.words()?);
        Some(words)
    }

    /// The same with references among the words, up to the end of the command or `"$@"`.
    fn program_and_references(&mut self) -> Option<Vec<Word<'a>>> {
        let mut run = vec![Word::Text(self.program()?)];
        loop {
            let before = self.rest;
            run.extend(self.words()?.into_iter().map(Word::Text));
            let separated = before.strip_suffix(self.rest)?.ends_with([' ', '\t']);
            if self.rest.starts_with(';') {
                return Some(run);
            }
            if !separated {
                return None;
            }
            if self.rest.starts_with("\"$@\"") {
                return Some(run);
            }
            self.eat("\"$")?;
            run.push(Word::Reference(self.take_while(is_name)));
            self.eat("\"")?;
        }
    }

    fn program(&mut self) -> Option<String> {
        let program = self.take_while(is_plain);
        let begins_well = program.starts_with(|c: char| c.is_ascii_alphanumeric() || "_./".contains(c));
        if !begins_well || program.contains('=') || RESERVED.split(' ').any(|word| word == program) {
            return None;
        }
        Some(program.to_owned())
    }

    /// Words, each after at least one blank, up to what is no word.
    fn words(&mut self) -> Option<Vec<String>> {
        let mut words = Vec::new();
        loop {
            let blanks = self.take_while(|byte| byte == b' ' || byte == b'\t');
            let word = match self.rest.bytes().next() {
                Some(b'\'') => self.quoted()?,
                Some(byte) if is_plain(byte) => self.take_while(is_plain),
                _ => return Some(words),
            };
            // Adjacent pieces such as a'b' are one word to a shell.
            if blanks.is_empty() {
                return None;
            }
            words.push(word.to_owned());
        }
    }

    fn quoted(&mut self) -> Option<&'a str> {
        let (inside, rest) = self.rest.get(1..)?.split_once('\'')?;
        self.rest = rest;
        inside.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()).then_some(inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &str) -> Option<Vec<String>> {
        recognise(command).map(|plain| plain.words)
    }

    fn is_direct(command: &str, expected: &[&str]) {
        assert_eq!(words(command).as_deref(), Some(expected.map_to_strings().as_slice()), "{command}");
    }

    trait ToStrings {
        fn map_to_strings(&self) -> Vec<String>;
    }

    impl ToStrings for [&str] {
        fn map_to_strings(&self) -> Vec<String> {
            self.iter().map(|word| (*word).to_owned()).collect()
        }
    }

    #[test]
    fn plain_words_are_recognised() {
        is_direct("/bin/true", &["/bin/true"]);
        is_direct(" ./run.sh  a=1 b:c\t-x --y=z ", &["./run.sh", "a=1", "b:c", "-x", "--y=z"]);
        is_direct("/bin/echo 'c d' '' '$HOME;*'", &["/bin/echo", "c d", "", "$HOME;*"]);
    }

    #[test]
    fn everything_a_shell_would_treat_specially_is_left_to_it() {
        for command in [
            "",
            " ",
            "echo a",
            "true",
            "time ls",
            "A=1 ls",
            "ls *",
            "ls $HOME",
            "ls ~",
            "a;b",
            "a|b",
            "a&",
            "a>b",
            "ls {a,b}",
            "ls a'b'",
            "ls 'a'b",
            "ls 'a",
            "ls \"a\"",
            "ls a\\ b",
            "ls #x",
            "ls !x",
            "ls `x`",
            "a\nb",
            "'ls'",
            "ls é",
            "ls 'é'",
            "ls 'a\tb'",
            "-x",
            "%1",
            "ls (a)",
            "ls a\u{a0}b",
            "=x",
            "[ a ]",
            "! ls",
        ] {
            assert_eq!(words(command), None, "{command}");
        }
    }

    #[test]
    fn the_wrapper_is_evaluated() {
        let command = "_c(){ export CIGRI_CAMPAIGN_ID=3 CIGRI_CLUSTER=dahu CIGRI_TASK_ID=$1 \
            CIGRI_TASK_INDEX=$(($1-2000)) CIGRI_ATTEMPT=$2; shift 2; ./sim -n 5 \"$@\"; }; _c 2017 1 a 'b c'";
        let plain = recognise(command).unwrap();
        assert_eq!(plain.words, ["./sim", "-n", "5", "a", "b c"].map_to_strings());
        assert_eq!(plain.in_function.as_deref(), Some("./sim -n 5 \"$@\""));
        let exports: Vec<_> = plain.exports.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expected = ["CAMPAIGN_ID=3", "CLUSTER=dahu", "TASK_ID=2017", "TASK_INDEX=17", "ATTEMPT=1"];
        assert_eq!(exports, expected.map(|text| format!("CIGRI_{text}")));
    }

    #[test]
    fn an_index_after_gaps_is_what_bash_computes() {
        for id in ["1999", "2004", "2008", "2009", "5000002013", "5000002014", "5000002015"] {
            let index = "$(($1-2000-($1>=2008)*5-($1>=5000002014)*5000000000))";
            let command = format!("_c(){{ export CIGRI_X={index}; shift 1; /usr/bin/env \"$@\"; }}; _c {id}");
            let output = std::process::Command::new("bash").args(["-c", &command]).output().unwrap();
            let printed = String::from_utf8(output.stdout).unwrap();
            let value = &recognise(&command).unwrap().exports[0].1;
            assert!(printed.lines().any(|line| line == format!("CIGRI_X={value}")), "{id}: {value}\n{printed}");
        }
    }

    #[test]
    fn references_to_exports_are_words_of_the_program() {
        let wrapper = |run: &str| {
            format!(
                "_c(){{ export CIGRI_PARAM_alpha=$3 CIGRI_PARAM_z=${{10}}; shift 2; {run}; }}; _c 1 1 'a b' 2 3 4 5 6 7 8"
            )
        };
        let plain = recognise(&wrapper("./sim --a \"$CIGRI_PARAM_alpha\" x \"$CIGRI_PARAM_z\"")).unwrap();
        assert_eq!(plain.words, ["./sim", "--a", "a b", "x", "8"].map_to_strings());
        assert_eq!(plain.in_function.as_deref(), Some("./sim --a \"$CIGRI_PARAM_alpha\" x \"$CIGRI_PARAM_z\""));
        assert_eq!(recognise(&wrapper("./sim")).unwrap().words, ["./sim"]);
        let both = recognise(&wrapper("./sim \"$CIGRI_PARAM_z\" \"$@\"")).unwrap();
        assert_eq!(both.words, ["./sim", "8", "a b", "2", "3", "4", "5", "6", "7", "8"].map_to_strings());
        for doubtful in [
            "./sim \"$HOME\"",
            "./sim $CIGRI_PARAM_z",
            "./sim a\"$CIGRI_PARAM_z\"",
            "./sim \"$CIGRI_PARAM_z\"a",
            "./sim \"$CIGRI_PARAM_z\"\"$CIGRI_PARAM_z\"",
            "./sim \"$CIGRI_PARAM_z\"\"$@\"",
            "./sim\"$@\"",
            "./sim \"$CIGRI_PARAM_z.\"",
            "\"$CIGRI_PARAM_z\"",
        ] {
            assert_eq!(recognise(&wrapper(doubtful)), None, "{doubtful}");
        }
    }

    #[test]
    fn doubtful_wrappers_are_left_to_bash() {
        let wrapper = |export: &str, shift: &str, run: &str, call: &str| {
            format!("_c(){{ export {export}; shift {shift}; {run} \"$@\"; }}; {call}")
        };
        assert!(recognise(&wrapper("CIGRI_A=$1", "1", "/bin/ls", "_c 1")).is_some());
        for (export, shift, run, call) in [
            ("PATH=$1", "1", "/bin/ls", "_c 1"),
            ("CIGRI_A=$2", "1", "/bin/ls", "_c 1"),
            ("CIGRI_A=$12", "1", "/bin/ls", "_c 1"),
            ("CIGRI_A=$(($1-1))", "1", "/bin/ls", "_c 010"),
            ("CIGRI_A=$(($1-1))", "1", "/bin/ls", "_c x"),
            ("CIGRI_A=$(($1-08))", "1", "/bin/ls", "_c 9"),
            ("CIGRI_A=$(($1-1-($2>=4)*2))", "1", "/bin/ls", "_c 9 9"),
            ("CIGRI_A=$(($1-1-($1>=4)*08))", "1", "/bin/ls", "_c 9"),
            ("CIGRI_A=$(($1-1-($1>4)*2))", "1", "/bin/ls", "_c 9"),
            ("CIGRI_A=$(($1-1-($1>=4)))", "1", "/bin/ls", "_c 9"),
            ("CIGRI_A=$(($1-1)-(2))", "1", "/bin/ls", "_c 9"),
            ("CIGRI_A=$1", "2", "/bin/ls", "_c 1"),
            ("CIGRI_A=$1", "1", "echo", "_c 1"),
            ("CIGRI_A=$1", "1", "/bin/ls", "_d 1"),
            ("CIGRI_A=$1", "1", "/bin/ls", "_c 1; ls"),
            ("CIGRI_A=$1", "1", "/bin/ls", "_c 1 $HOME"),
            ("CIGRI_A=$1", "1", "A=b", "_c 1"),
            ("CIGRI_A=~", "1", "/bin/ls", "_c 1"),
            ("CIGRI_A=$((1))", "1", "/bin/ls", "_c 1"),
        ] {
            let command = wrapper(export, shift, run, call);
            assert_eq!(recognise(&command), None, "{command}");
        }
    }
}
