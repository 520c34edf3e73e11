//! Rules files that are refused, with all their problems.

use cigri_core::admission::Rules;

fn problems(text: &str) -> Vec<String> {
    let found = Rules::compile(text).map(|rules| rules.len()).unwrap_err();
    found.to_string().lines().map(str::to_owned).collect()
}

fn rule(lines: &str) -> String {
    format!("[[rule]]\nname = \"r\"\n{lines}\n")
}

#[test]
fn all_problems_are_told_at_once_with_their_rule() {
    let text = [
        rule("when = 'usr == \"a\"'\nrefuse = \"x\""),
        rule("when = 'user =='\nrefuse = \"x\""),
        rule("when = 'true'"),
        rule("each = \"cluster\"\nwhen = 'true'\nset = { wall_time = '1', walltime = 'nobody' }"),
        rule("when = 'true'\nrefuse = \"{cluster} is not known here\""),
        rule("when = 'true'\nrefuse = \"x\"\nwhy = 3"),
        rule("each = \"job\"\nwhen = 'true'\nrefuse = \"x\""),
        "[other]".to_owned(),
    ]
    .concat();
    let found = problems(&text);
    let wanted = [
        "rule 1 (r), when: `usr` is no variable",
        "rule 2 (r), when: ",
        "rule 3 (r): it does nothing",
        "rule 4 (r), set.walltime: `nobody` is no variable",
        "rule 4 (r), set.wall_time: no such field",
        "rule 5 (r): {cluster} stands for nothing here",
        "rule 6 (r): ",
        "rule 7 (r), each: is \"campaign\" or \"cluster\"",
        "`other` is unknown",
    ];
    for wanted in wanted {
        assert!(found.iter().any(|line| line.starts_with(wanted)), "{wanted}: {found:#?}");
    }
}

#[test]
fn a_rule_that_would_fail_for_a_campaign_of_defaults_is_refused_before_it_refuses_everybody() {
    let found = problems(&rule("each = \"cluster\"\nwhen = 'cluster.max_jobs > 10'\nrefuse = \"x\""));
    assert!(found[0].starts_with("rule 1 (r): for a campaign of defaults it cannot be evaluated: "), "{found:?}");
    let found = problems(&rule("when = 'tasks > 10'\nrefuse = \"x\""));
    assert!(found[0].contains("while the number of tasks is not known"), "{found:?}");
    let found = problems(&rule("when = 'user in lists.nobody'\nrefuse = \"x\""));
    assert!(found[0].contains("No such key: nobody"), "{found:?}");
    let found = problems(&rule("when = '1 + 1'\nrefuse = \"x\""));
    assert!(found[0].contains("it is 2, neither true nor false"), "{found:?}");
}

#[test]
fn syntax_is_told_with_its_line_and_lists_must_be_lists() {
    assert!(problems("[[rule]]\nname = \n").join(" ").contains("line 2"));
    assert!(problems("rule = 3").concat().contains("is written [[rule]]"));
    for lists in ["[lists]\na = 3", "[lists]\na = [1]", "[lists.a.b]\nc = []", "lists = []"] {
        assert!(problems(lists)[0].starts_with("lists: "), "{lists}");
    }
    let many: Vec<String> = (0..10_001).map(|number| format!("\"u{number}\"")).collect();
    assert!(problems(&format!("[lists]\na = [{}]", many.join(",")))[0].contains("10001 entries"));
}

#[test]
fn the_cost_of_a_condition_is_bounded() {
    let nested = rule("when = '[1].exists(a, [1].exists(b, a == b))'\nrefuse = \"x\"");
    assert!(problems(&nested)[0].contains("inside another"));
    let beside = rule("when = '[1].exists(a, a == 2) || [1].all(a, a == 2)'\nrefuse = \"x\"");
    assert_eq!(Rules::compile(&beside).unwrap().len(), 1);
    let chain = |link: &str| link.repeat(400) + "1";
    let nested = |open: &str, close: &str| open.repeat(300) + "1" + &close.repeat(300);
    for deep in [nested("(", ")"), nested("[", "]"), nested("size(", ")"), chain("1+"), chain("a."), chain("1?1:")] {
        let found = problems(&rule(&format!("when = '{deep}'\nrefuse = \"x\"")));
        assert!(found[0].contains("nested too deep"), "{found:?}");
    }
    let side_by_side = rule(&format!("when = '{}user == \"a\"'\nrefuse = \"x\"", "user == \"b\" || ".repeat(100)));
    assert_eq!(Rules::compile(&side_by_side).unwrap().len(), 1);
    let long = rule(&format!("when = '{}true'\nrefuse = \"x\"", " ".repeat(2000)));
    assert!(problems(&long)[0].contains("2000 bytes"));
}
