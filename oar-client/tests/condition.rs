//! Conditions choose the same resources here as in a database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use oar_client::{Condition, Resource, check_property, column_kinds};
use proptest::prelude::*;

const ROWS: &str = r#"[
    {"id": 1, "state": "Alive", "mem": 1024, "load": 0.5, "host": "node1", "team": null},
    {"id": 2, "state": "Dead", "mem": null, "load": 1.0, "host": "node2", "team": "a"},
    {"id": 3, "state": "Alive", "mem": -3, "load": null, "host": "Node_3", "team": "b%"},
    {"id": 4, "state": "Absent", "mem": 0, "load": -1.5, "host": "", "team": "it's"},
    {"id": 5, "state": "Alive", "mem": 2048, "load": 10.0, "host": null, "team": "a"}]"#;

fn database() -> SqliteConnection {
    let mut connection = SqliteConnection::establish(":memory:").unwrap();
    let set_up = "PRAGMA case_sensitive_like = ON;
        CREATE TABLE resources (resource_id INTEGER, state TEXT, mem INTEGER, load REAL, host TEXT, team TEXT);
        INSERT INTO resources VALUES (1, 'Alive', 1024, 0.5, 'node1', NULL), (2, 'Dead', NULL, 1.0, 'node2', 'a'),
            (3, 'Alive', -3, NULL, 'Node_3', 'b%'), (4, 'Absent', 0, -1.5, '', 'it''s'), (5, 'Alive', 2048, 10.0, NULL, 'a')";
    connection.batch_execute(set_up).unwrap();
    connection
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    resource_id: i64,
}

fn chosen_by_sql(connection: &mut SqliteConnection, property: &str) -> Vec<u64> {
    let query = format!("SELECT resource_id FROM resources WHERE {property} ORDER BY resource_id");
    let rows: Vec<Row> = diesel::sql_query(query).load(connection).unwrap();
    rows.into_iter().map(|row| row.resource_id as u64).collect()
}

fn comparison() -> impl Strategy<Value = String> {
    let number = "mem|load|resource_id|-?[0-9]{1,3}|1024|0\\.5|-1\\.5";
    let word = "host|team|state|'node1'|'a'|'it''s'|'[a-zN_%1]{0,3}'";
    let pattern = "'[nodea%_1b]{0,4}'";
    let sign = "=|<>|!=|<|>|<=|>=";
    prop_oneof![
        ("mem|load|resource_id", sign, number).prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
        ("mem|load", sign, "'-?[0-9]{1,4}'").prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
        ("host|team|state", sign, word).prop_map(|(left, sign, right)| format!("{left} {sign} {right}")),
        ("host|team|state", "( not)? like", pattern).prop_map(|(left, like, right)| format!("{left}{like} {right}")),
        ("mem|load", "( NOT)? in", number, number).prop_map(|(left, sign, a, b)| format!("{left}{sign} ({a}, {b})")),
        ("host|team", "( not)? in", word, word).prop_map(|(left, sign, a, b)| format!("{left}{sign} ({a}, {b})")),
        ("mem|load", "( not)? between", number, number)
            .prop_map(|(left, sign, a, b)| format!("{left}{sign} {a} and {b}")),
        ("mem|load|host|team", "is( not)? null").prop_map(|(left, sign)| format!("{left} {sign}")),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    comparison().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), " and | or | AND not ", inner.clone())
                .prop_map(|(left, join, right)| left + &join + &right),
            ("(not ){0,2}", inner).prop_map(|(not, inner)| format!("{not}({inner})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_condition_chooses_what_sql_chooses(property in condition()) {
        let resources: Vec<Resource> = serde_json::from_str(ROWS).unwrap();
        prop_assert_eq!(check_property(&property, &column_kinds(&resources)), Ok(()));
        let condition = Condition::parse(&property).unwrap();
        let chosen: Vec<u64> =
            resources.iter().filter(|resource| condition.matches(resource)).map(|resource| resource.id).collect();
        prop_assert_eq!(chosen, chosen_by_sql(&mut database(), &property));
    }

    #[test]
    fn any_text_is_a_condition_or_not(property in any::<String>()) {
        let resources: Vec<Resource> = serde_json::from_str(ROWS).unwrap();
        if let Ok(condition) = Condition::parse(&property) {
            prop_assert!(resources.iter().filter(|resource| condition.matches(resource)).count() <= resources.len());
        }
    }
}
