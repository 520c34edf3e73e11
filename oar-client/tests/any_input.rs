//! Whatever users and servers say, the readers answer and never panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use http::Response;
use oar_client::{NewJob, Token, property_columns, resource_columns, response};
use proptest::prelude::*;

/// Texts made of the words and signs of conditions, which get deeper than random ones.
fn condition() -> impl Strategy<Value = String> {
    let words = [
        "mem",
        "host",
        "'a'",
        "'",
        "3",
        "-1.5",
        "=",
        "<",
        ">=",
        "(",
        ")",
        ",",
        " and ",
        " or ",
        " not ",
        " in ",
        " like ",
        " is ",
        " null ",
        " between ",
        "é",
        ":",
        "{",
        "}",
        "/",
        "+",
        "core=1",
        "walltime=1:0",
        " ",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..20).prop_map(|w| w.concat())
}

proptest! {
    #[test]
    fn conditions_and_requests(text in any::<String>(), close in condition()) {
        for text in [&text, &close] {
            let _ = resource_columns(text);
            if let Ok(columns) = property_columns(text) {
                for column in columns {
                    prop_assert!(text.to_ascii_lowercase().contains(&column));
                }
            }
        }
    }

    #[test]
    fn an_accepted_condition_is_balanced(text in condition()) {
        if property_columns(&text).is_ok() {
            prop_assert_eq!(text.matches('\'').count() % 2, 0);
            let outside: String = text.split('\'').step_by(2).collect();
            prop_assert_eq!(outside.matches('(').count(), outside.matches(')').count());
        }
    }

    #[test]
    fn jobs_and_tokens(text in any::<String>()) {
        let job = NewJob {
            command: text.clone(),
            name: Some(text.clone()),
            stdout: Some(text.clone()),
            parameters: Some(vec![text.clone()]),
            ..NewJob::default()
        };
        let _ = job.validate();
        let _ = Token::new(text).map(|token| token.claims());
    }

    #[test]
    fn answers(status in 200_u16..600, body in any::<Vec<u8>>()) {
        let answer = Response::builder().status(status).body(Bytes::from(body)).unwrap();
        let _ = response::submitted(&answer);
        let _ = response::details(&answer);
        let _ = response::summaries(&answer);
        let _ = response::resources(&answer);
        let _ = response::deleted(&answer);
        let _ = response::media(&answer);
        let _ = response::stress_factor(&answer);
        let _ = response::new_token(&answer);
    }
}
