//! The language as a JSON Schema, which editors complete and check campaign files by.
//!
//! It says what one field may be. What several fields mean together, and the insides of texts, only the program checks.
//! It is stricter in one point: it knows the keys in small letters only.

use serde_json::{Map, Value, json};

use super::fields::{Facts, SOURCES, Scope, of_scope};

/// The schema (draft 2020-12) of a campaign file.
pub fn json_schema() -> Value {
    let mut definitions = shared();
    for facts in of_scope(Scope::Cluster) {
        definitions.insert(facts.name.to_owned(), described(facts));
    }
    definitions.insert("cluster".into(), cluster());
    let mut properties = Map::new();
    for facts in of_scope(Scope::Campaign) {
        properties.insert(facts.name.to_owned(), or_nothing(facts));
    }
    properties.extend(references());
    let one_source =
        SOURCES.into_iter().map(|name| json!({"required": [name], "properties": {name: {"not": {"type": "null"}}}}));
    let endless = json!({"required": ["jobs_type"], "properties": {"jobs_type": {"const": "desktop_computing"}}});
    let one_source: Vec<Value> = one_source.chain([endless]).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "CiGri campaign",
        "description": "Many independent tasks on the idle resources of clusters",
        "type": "object",
        "required": ["name", "clusters"],
        "oneOf": one_source,
        "properties": properties,
        "additionalProperties": false,
        "$defs": definitions,
    })
}

/// A field of the campaign, which `null` leaves out where it may be.
fn or_nothing(facts: &Facts) -> Value {
    let mut described = described(facts);
    if let Value::Object(all) = &mut described
        && facts.default != "(mandatory)"
    {
        let shape = object(facts.shape);
        shape.keys().for_each(|key| {
            all.remove(key);
        });
        all.insert("anyOf".into(), json!([shape, {"type": "null"}]));
    }
    described
}

fn cluster() -> Value {
    json!({
        "description": "Settings of one cluster; what is not given here is taken from the top of the file",
        "type": "object",
        "properties": references(),
        "additionalProperties": false,
    })
}

/// The fields of a cluster, which may stand at the top as well, by name.
fn references() -> Map<String, Value> {
    let reference = |name: &str| json!({"anyOf": [{"$ref": format!("#/$defs/{name}")}, {"type": "null"}]});
    of_scope(Scope::Cluster).map(|facts| (facts.name.to_owned(), reference(facts.name))).collect()
}

/// The shape of a field with what people want to read of it.
fn described(facts: &Facts) -> Value {
    let mut described = Map::new();
    let default = match facts.default {
        "" | "(mandatory)" => String::new(),
        default => format!(" Default: {default}."),
    };
    let text = format!("{}: {}.{default}", facts.meaning, facts.kind);
    described.insert("description".into(), text.into());
    described.extend(object(facts.shape));
    if let Some(example) = object(&format!("{{{}}}", facts.example)).remove(facts.name) {
        described.insert("examples".into(), json!([example]));
    }
    Value::Object(described)
}

/// Text of the table, which a test reads whole.
fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Shapes that several fields share.
fn shared() -> Map<String, Value> {
    let shared = json!({
        "none": {
            "description": "asks for nothing, and keeps a cluster from inheriting it",
            "anyOf": [
                {"const": false},
                {"type": "string", "pattern": "^\\s*([Ff]alse|[Nn]one)?\\s*$"},
                {"type": "array", "maxItems": 0},
                {"type": "object", "maxProperties": 0},
            ],
        },
        "digits": {"type": "string", "pattern": "^[0-9]+$"},
        "number": {"anyOf": [{"type": "integer", "minimum": 0}, {"$ref": "#/$defs/digits"}]},
        "count": {"anyOf": [{"type": "integer", "minimum": 1}, {"$ref": "#/$defs/digits"}]},
        "sample": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 100}, {"$ref": "#/$defs/digits"}]},
        "duration": {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": "^[0-9]+(:[0-9]+){0,2}$"},
            ],
        },
        "script": {
            "anyOf": [
                {"type": "string", "maxLength": 16384},
                {"type": "array", "items": {"type": "string"}},
                {"$ref": "#/$defs/none"},
            ],
        },
    });
    match shared {
        Value::Object(shared) => shared,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_and_every_example_is_json() {
        for facts in of_scope(Scope::Campaign).chain(of_scope(Scope::Cluster)) {
            assert!(!object(facts.shape).is_empty(), "{}", facts.shape);
            let example = object(&format!("{{{}}}", facts.example));
            assert!(example.contains_key(facts.name), "{}", facts.example);
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let schema = json_schema();
        let text = schema.to_string();
        for name in text.split("\"#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(schema["$defs"].get(name).is_some(), "{name}");
        }
    }
}
