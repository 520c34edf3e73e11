//! Streamed parameters: the same lines whatever the chunks, in bounded memory, and bad lines named by their number.

use cigri_core::language::{Limits, LineSplitter, ParameterReader, Problem, check_parameter, parse_added};

fn split(chunks: &[&[u8]]) -> Result<(Vec<String>, Vec<String>), Problem> {
    let mut lines = Vec::new();
    let mut splitter = LineSplitter::new(&Limits { max_parameter_bytes: 20, ..Limits::default() });
    for chunk in chunks {
        splitter.push(chunk, &mut lines)?;
    }
    let warnings = splitter.finish(&mut lines)?;
    Ok((lines, warnings.iter().map(ToString::to_string).collect()))
}

fn refusal(text: &[u8]) -> String {
    split(&[text]).unwrap_err().to_string()
}

#[test]
fn chunks_of_any_size_give_the_same_lines() {
    let text = "a 1\n# not a comment\né à ü\n\"x y\" $HOME\nlast".as_bytes();
    let expected = ["a 1", "# not a comment", "é à ü", "\"x y\" $HOME", "last"];
    for size in 1..=text.len() {
        let chunks: Vec<&[u8]> = text.chunks(size).collect();
        let (lines, warnings) = split(&chunks).unwrap();
        assert_eq!(lines, expected, "chunks of {size}");
        assert!(warnings.is_empty());
    }
}

#[test]
fn a_final_newline_is_not_a_line() {
    assert_eq!(split(&[b"a\nb\n"]).unwrap(), split(&[b"a\nb"]).unwrap());
    assert_eq!(split(&[b""]).unwrap().0, Vec::<String>::new());
}

#[test]
fn blank_lines_and_carriage_returns_are_dropped_with_one_warning_each() {
    let (lines, warnings) = split(&[b"\xef\xbb\xbfa\r", b"\nb\r\n\n  \n", b"it's\nc\r\n"]).unwrap();
    assert_eq!(lines, ["a", "b", "it's", "c"]);
    assert_eq!(
        warnings,
        [
            "param_file (line 1, column 1): expected lines ending in a newline only, \
             found 3 lines ending in a carriage return, which was dropped",
            "param_file (line 3, column 1): expected a parameter on each line, \
             found 2 lines left blank, which were skipped",
            "param_file (line 5, column 1): expected quotes balanced, because the job's shell \
             reads them, found 1 line with an open quote",
        ]
    );
}

#[test]
fn bad_lines_are_refused_with_their_number() {
    assert_eq!(
        refusal(b"a\nb\xc3\xa9\xff\n"),
        "param_file (line 2, column 3): expected UTF-8 text, found the byte 0xff"
    );
    assert_eq!(
        refusal(b"a\n\nb\0c\n"),
        "param_file (line 3, column 1): expected one line of text, found a NUL character"
    );
    assert_eq!(refusal(b"a\rb\n"), "param_file (line 1, column 1): expected one line of text, found a carriage return");
    assert_eq!(
        refusal(b"a\n123456789012345678901\nb"),
        "param_file (line 2, column 1): expected at most 20 bytes, found 21 bytes; \
         pass the name of a file that holds the data"
    );
}

#[test]
fn an_endless_line_is_given_up_once_it_is_too_long() {
    let mut lines = Vec::new();
    let mut splitter = LineSplitter::new(&Limits::default());
    let chunk = vec![b'x'; 4096];
    let pushed = (0..1_000_000).take_while(|_| splitter.push(&chunk, &mut lines).is_ok()).count();
    assert_eq!(pushed, 16, "64 KiB of 4 KiB chunks");
    assert!(lines.is_empty());
}

#[test]
fn the_longest_line_may_end_in_any_way() {
    for text in ["12345678901234567890", "12345678901234567890\n", "12345678901234567890\r\n"] {
        for size in [1, 3, 21, 22] {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            assert_eq!(split(&chunks).unwrap().0, ["12345678901234567890"]);
        }
    }
}

#[test]
fn one_parameter_can_be_checked_alone() {
    let limits = Limits::default();
    for fine in ["", "a b", "'a b' \"c\"", "$HOME $(date) *.txt `x`", "tab\there", "é", r"it\'s"] {
        assert_eq!(check_parameter(fine, &limits), Ok(None), "{fine}");
    }
    for open in ["it's", "\"", "a `b", "'a\"'\""] {
        assert!(check_parameter(open, &limits).unwrap().is_some(), "{open}");
    }
    assert_eq!(check_parameter("a \\", &limits).unwrap().unwrap().found, "a backslash at the end of `a \\`");
    for refused in ["a\nb", "\0", "a\r", &"x".repeat(1 << 20)] {
        assert_eq!(check_parameter(refused, &limits).unwrap_err().path, "parameter");
    }
}

#[test]
fn lines_of_named_parameters_give_each_of_them_a_word() {
    let names = ["alpha".to_owned(), "beta".to_owned()];
    let read = |text: &str| {
        let mut reader = ParameterReader::lines_naming(&names, &Limits::default());
        let mut texts = Vec::new();
        reader.push(text.as_bytes(), &mut texts).map_err(|problem| problem.to_string()).map(|()| texts)
    };
    assert_eq!(read("1 2\n'a b' \"\"\n").unwrap(), ["1 2", "'a b' \"\""]);
    let hint = "; a value with blanks needs quotes";
    assert_eq!(
        read("1 2\n\na b c\n").unwrap_err(),
        format!(
            "param_file (line 3, column 1): expected 2 words, the values of alpha, beta, found 3 words, `a b c`{hint}"
        )
    );
    assert!(read("1\n").unwrap_err().contains("found 1 word, `1`"));
    assert!(read("1 'a\n").unwrap_err().contains("found an open quote in `1 'a`"));
}

#[test]
fn a_list_for_named_parameters_is_told_every_text_of_other_words() {
    let names = ["alpha".to_owned()];
    let (texts, _) = parse_added(br#"[1, "'a b'", true]"#, &names, &Limits::default()).unwrap();
    assert_eq!(texts, ["1", "'a b'", "true"]);
    let list = serde_json::to_vec(&vec!["a b"; 30]).unwrap();
    let problems = parse_added(&list, &names, &Limits::default()).unwrap_err().0;
    assert_eq!((problems.len(), problems[9].path.as_str()), (11, "jobs[9]"));
    assert_eq!((problems[0].found.as_str(), problems[10].found.as_str()), ("2 words, `a b`", "20 more such texts"));
    assert_eq!(problems[0].expected, "1 word, the value of alpha");
}
