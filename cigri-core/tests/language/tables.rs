//! Tables of parameters that arrive in pieces: what each row becomes, and how a bad one is told.

use cigri_core::language::{Limits, ParameterReader, Parameters, Problem, TableFormat, labelled};
use proptest::prelude::*;

use super::context::{read, refusals, streamed};

/// Names and texts of a table that arrives in pieces of this size.
fn table(format: TableFormat, bytes: &[u8], piece: usize) -> Result<(Vec<String>, Vec<String>), Problem> {
    let limits = Limits { max_parameter_bytes: 100, ..Limits::default() };
    let mut reader = ParameterReader::table(format, &limits);
    let mut texts = Vec::new();
    for chunk in bytes.chunks(piece) {
        reader.push(chunk, &mut texts)?;
    }
    let (names, warnings) = reader.finish(&mut texts)?;
    assert!(warnings.is_empty());
    Ok((names, texts))
}

/// The same in pieces of every kind, which must make no difference.
fn rows(format: TableFormat, text: &str) -> (Vec<String>, Vec<String>) {
    let whole = table(format, text.as_bytes(), text.len().max(1)).unwrap();
    for piece in [1, 2, 3, 7] {
        assert_eq!(table(format, text.as_bytes(), piece).unwrap(), whole, "pieces of {piece}");
    }
    whole
}

fn refusal(format: TableFormat, text: impl AsRef<[u8]>) -> String {
    let whole = table(format, text.as_ref(), 1000).unwrap_err().to_string();
    assert_eq!(table(format, text.as_ref(), 1).unwrap_err().to_string(), whole);
    whole
}

#[test]
fn a_csv_file_names_its_columns_in_the_first_row() {
    let (names, texts) =
        rows(TableFormat::Csv, "alpha, name\r\n0.10,plain\n\n2,\"a \"\"b\"\", c\"\n,it's\n\"x\ty\",\u{e9}$HOME");
    assert_eq!(names, ["alpha", "name"]);
    assert_eq!(texts, ["0.10 plain", "2 'a \"b\", c'", "'' \"it's\"", "'x\ty' '\u{e9}$HOME'"]);
    assert_eq!(rows(TableFormat::Csv, "n\n1\n2\n").1, ["1", "2"]);
    assert_eq!(rows(TableFormat::Csv, "n\n"), (vec!["n".into()], vec![]));
    assert_eq!(rows(TableFormat::Csv, ""), (vec![], vec![]));
}

#[test]
fn the_first_line_of_json_lines_names_the_keys() {
    let (names, texts) = rows(
        TableFormat::JsonLines,
        "{\"b\": 1.50, \"a\": \"x y\"}\r\n\n{\"a\": true, \"b\": 1e3}\n{\"a\":\"\\u00e9\",\"b\":-0}",
    );
    assert_eq!(names, ["b", "a"]);
    assert_eq!(texts, ["1.50 'x y'", "1e3 true", "-0 '\u{e9}'"]);
}

#[test]
fn a_bad_row_of_csv_is_refused_with_its_line_and_reason() {
    let csv = |text: &str| refusal(TableFormat::Csv, text);
    let at = |line: usize| format!("parameters.csv (line {line}, column 1): ");
    assert_eq!(csv("a,b\n1,2\n\n1\n"), at(4) + "expected 2 values, as in the first row, found 1 value");
    assert_eq!(csv("a,b\n1,2\n1,2,3\n"), at(3) + "expected 2 values, as in the first row, found 3 values");
    assert_eq!(csv("a,a\n"), at(1) + "expected each name only once, found the name \"a\" twice");
    assert!(csv("a,2b\n").starts_with(&(at(1) + "expected a name of letters, digits")));
    assert!(csv("a,\n1,2\n").contains("found the name \"\""));
    assert_eq!(
        csv("a,b\n1,\"x\ny\"\n"),
        "parameters.csv.b (line 2, column 1): expected one line of text, found a newline"
    );
    assert!(csv(&format!("a\n{}\n", "x".repeat(101))).starts_with(&(at(2) + "expected at most 100 bytes")));
    assert!(csv(&format!("a\n1\n\"{}", "x\n".repeat(101))).starts_with(&(at(3) + "expected at most 100 bytes")));
    assert!(csv(&format!("{}a\n", "a,".repeat(64))).contains("expected 1 to 64 columns, found 65 columns"));
    assert_eq!(refusal(TableFormat::Csv, b"a\nx\xff\n"), at(2) + "expected UTF-8 text, found the byte 0xff");
}

#[test]
fn a_bad_line_of_json_is_refused_with_its_line_and_reason() {
    let json = |text: &str| refusal(TableFormat::JsonLines, text);
    let at = |line: usize| format!("parameters.jsonl (line {line}, column 1): ");
    let first = "{\"a\": 1, \"b\": 2}\n";
    assert_eq!(
        json(&format!("{first}{{\"a\": 1}}\n")),
        at(2) + "expected all keys of the first line, found no key \"b\""
    );
    assert_eq!(
        json(&format!("{first}\n{{\"a\": 1, \"b\": 2, \"c\": 3}}\n")),
        at(3) + "expected the keys of the first line only, found the key \"c\""
    );
    assert!(json("{\"a\": 1, \"a\": 2}\n").contains("only once"));
    assert!(json("{}\n").contains("found 0 columns"));
    assert_eq!(
        json("{\"a\": [1]}\n"),
        "parameters.jsonl.a (line 1, column 1): expected a text, a number, `true` or `false`, found `[1]`"
    );
    assert!(json("{\"a\": null}\n").contains("found `null`"));
    assert!(json("[1]\n").contains("expected an object of JSON on each line, found `[1]`"));
    assert!(json("{\"a\": 1\n").starts_with(&(at(1) + "expected an object of JSON on each line (EOF")));
    assert!(json(&format!("{{\"a\": \"{}\"}}\n", "x".repeat(101))).contains("expected at most 100 bytes"));
    assert!(json(&" ".repeat(700)).contains("found a longer row"));
}

#[test]
fn a_campaign_takes_a_table_that_is_sent_beside_it() {
    let text = r#"{"name": "n", "exec_file": "a {x}", "clusters": {"dahu": {}}, "parameters": {"csv": "p.csv"}}"#;
    assert_eq!(read(text, &streamed()).unwrap().parameters, Parameters::Table(TableFormat::Csv));
    let text = text.replace(r#""csv": "p.csv""#, r#""grid": {"x": [1]}"#);
    assert!(refusals(&text, &streamed())[0].contains("`grid` and parameters sent beside the file"));
}

#[test]
fn a_task_is_shown_with_the_names_of_its_values() {
    let names = ["alpha".to_owned(), "note".to_owned()];
    assert_eq!(labelled(&names, "0.1 'a b'"), "alpha=0.1 note='a b'");
    assert_eq!(labelled(&[], "0.1 'a b'"), "0.1 'a b'");
    assert_eq!(labelled(&names, "0.1"), "0.1", "a text of other words stays as it is");
}

proptest! {
    #[test]
    fn no_bytes_make_a_table_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1usize..50) {
        for format in [TableFormat::Csv, TableFormat::JsonLines] {
            if let Ok((names, texts)) = table(format, &bytes, piece) {
                prop_assert!(texts.is_empty() || !names.is_empty());
            }
        }
    }

    #[test]
    fn every_row_of_csv_comes_out_as_it_went_in(
        values in prop::collection::vec(prop::collection::vec("[ -~\u{e9}\t]{0,9}", 3), 1..5),
        piece in 1usize..20,
    ) {
        let cell = |value: &String| format!("\"{}\"", value.replace('"', "\"\""));
        let row = |row: &Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\n";
        let text = "a,b,c\n".to_owned() + &values.iter().map(row).collect::<String>();
        let (_, texts) = table(TableFormat::Csv, text.as_bytes(), piece).unwrap();
        let expected: Vec<String> = values.iter().map(|row| cigri_core::language::quoted(row)).collect();
        prop_assert_eq!(texts, expected);
    }
}
