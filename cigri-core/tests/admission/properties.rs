//! Any text as a rules file, any expression as a condition, any campaign before any rules: an answer, no panic.

use cigri_core::admission::Rules;
use proptest::prelude::*;

use super::{campaign, weigh};

fn rule(when: &str) -> String {
    let when = when.replace("'''", "");
    format!("[[rule]]\nname = \"r\"\neach = \"cluster\"\nwhen = '''{when}'''\nwarn = \"w\"\n[lists]\na = [\"x\"]\n")
}

/// Texts that are often expressions.
fn expression() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("user"),
        Just("tasks"),
        Just("lists.a"),
        Just("cluster.walltime"),
        Just("cluster"),
        Just("cluster.max_jobs"),
        Just("campaign.name"),
        Just("null"),
        Just("1"),
        Just("-9223372036854775808"),
        Just("9223372036854775807"),
        Just("0"),
        Just("1.5"),
        Just("2u"),
        Just("\"é\""),
        Just("b\"x\""),
        Just("[]"),
        Just("{}"),
        Just("[1, user]"),
        Just("{\"a\": 1}"),
        Just("walltime_s(user)"),
        Just("listed(lists, user, user)"),
        Just("size(user)"),
        Just("type(user)"),
        Just("\"x\".matches(\"(\")"),
        Just("int(\"x\")"),
        Just("string(tasks)"),
        Just("lists.a.exists(x, x == user)"),
        Just("lists.a.map(x, x)[0]"),
        Just("has(cluster.project)"),
    ];
    let sign = prop_oneof![
        Just("+"),
        Just("-"),
        Just("*"),
        Just("/"),
        Just("%"),
        Just("=="),
        Just("!="),
        Just("<"),
        Just(">="),
        Just("in"),
        Just("&&"),
        Just("||"),
        Just("? 1 :"),
        Just("."),
        Just(","),
    ];
    prop::collection::vec((word, sign), 1..6).prop_map(|parts| {
        let mut text: String = parts.iter().map(|(word, sign)| format!("{word} {sign} ")).collect();
        text.truncate(text.trim_end().rfind(' ').unwrap_or(text.len()));
        text
    })
}

proptest! {
    #[test]
    fn any_text_is_a_rules_file_or_has_problems(text in any::<String>()) {
        let _ = Rules::compile(&text);
    }

    #[test]
    fn any_text_is_a_condition_or_has_problems(text in any::<String>()) {
        let _ = Rules::compile(&rule(&text));
    }

    #[test]
    fn expressions_give_an_answer(when in expression()) {
        if let Ok(rules) = Rules::compile(&rule(&when)) {
            let verdict = weigh(&rules, "bob", &campaign(r#""type": "normal""#));
            prop_assert!(verdict.steps.len() <= 2);
            let _ = (verdict.refusal(), verdict.notices());
        }
        let set = format!("[[rule]]\nname = \"r\"\neach = \"cluster\"\nwhen = 'true'\nset = {{ walltime = '''{when}''' }}\n");
        if let Ok(rules) = Rules::compile(&set) {
            let _ = weigh(&rules, "bob", &campaign(""));
        }
    }
}
