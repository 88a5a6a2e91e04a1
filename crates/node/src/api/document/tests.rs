use super::*;
use crate::api::paths;
use std::collections::BTreeSet;

/// The operations of the document, by id, with their paths.
fn operations() -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(METHODS.contains(&method.as_str()), "{method} {path}");
            let id = operation["operationId"].as_str().unwrap().to_owned();
            found.push((id, path.clone(), operation.clone()));
        }
    }
    found
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

#[test]
fn every_route_is_in_the_document_and_the_other_way_round() {
    let routes = paths();
    let known: BTreeSet<&str> = routes.iter().map(String::as_str).collect();
    assert_eq!(known.len(), routes.len(), "a route stands twice");
    let described = document()["paths"].as_object().unwrap();
    let described: BTreeSet<&str> = described.keys().map(String::as_str).collect();
    assert_eq!(known, described);
}

#[test]
fn every_operation_has_one_row_of_failures_and_every_row_an_operation() {
    let ids: Vec<String> = operations().into_iter().map(|(id, ..)| id).collect();
    let known: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(known.len(), ids.len(), "an id stands twice");
    let rows: Vec<&str> = errors::FAILURES.iter().map(|(id, _)| *id).collect();
    assert!(rows.windows(2).all(|pair| pair[0] < pair[1]), "rows are alphabetical: {rows:?}");
    assert_eq!(known, rows.into_iter().collect());
}

#[test]
fn every_code_of_the_table_is_in_the_document_with_its_status() {
    for (id, path, operation) in operations() {
        let codes = errors::of(&id).unwrap();
        let mut described = 0;
        for (status, response) in operation["responses"].as_object().unwrap() {
            let shape = &response["content"]["application/json"]["schema"]["allOf"];
            let named = &shape[1]["properties"]["error"]["properties"]["code"]["enum"];
            let named = named.as_array().map(Vec::as_slice).unwrap_or_default();
            assert_eq!(named.is_empty(), status.starts_with('2'), "{path} {status}");
            described += named.len();
            for code in named {
                let code = codes.iter().find(|known| code == known.text());
                let own = code.map(|code| code.http_status().to_string());
                assert_eq!(own.as_ref(), Some(status), "{path}");
            }
        }
        assert_eq!(described, codes.len(), "{path}");
    }
}

#[test]
fn operations_say_what_they_are_and_who_may_ask() {
    let tags = document()["tags"].as_array().unwrap();
    for (id, path, operation) in operations() {
        assert!(is_text(&operation["summary"]), "{path}");
        let tag = &operation["tags"][0];
        assert!(tags.iter().any(|known| known["name"] == *tag), "{path}: {tag}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(is_text(&parameter["description"]), "{path}: {parameter}");
            let named = parameter["schema"]["type"].as_str();
            assert!(named.is_some_and(|kind| kind != "null"), "{path}: {parameter}");
        }
        let asks = errors::of(&id).unwrap().contains(&ambar_base::ErrorCode::Unauthenticated);
        let wanted = operation["security"].as_array().unwrap();
        assert_eq!(asks, wanted.iter().any(|one| *one != json!({})), "{path}");
    }
    for id in SIGNED.iter().chain(&EITHER) {
        assert!(operations().iter().any(|(known, ..)| known == id), "{id}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => (),
        }
    }
    let mut found = BTreeSet::new();
    references(document(), &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document().pointer(pointer).is_some(), "{reference}");
    }
}
