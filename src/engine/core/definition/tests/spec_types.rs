//! What PutWfSpec says of types that do not go together.

use super::build::*;
use super::*;
use lh::VariableType::{Bool, Bytes, Double, Int, JsonArr, JsonObj, Str, Timestamp, WfRunId};

#[test]
fn mutations_are_checked_by_type() {
    use lh::VariableMutationType::{
        Add, And, Assign, Divide, Extend, Multiply, Or, Pow, RemoveIfPresent, RemoveIndex, RemoveKey, Subtract,
    };
    let every = || {
        vec![
            declare("i", of(Int)),
            declare("d", of(Double)),
            declare("s", of(Str)),
            declare("b", of(Bool)),
            declare("o", of(JsonObj)),
            declare("a", of(JsonArr)),
            declare("y", of(Bytes)),
            declare("w", of(WfRunId)),
            declare("ts", of(Timestamp)),
            declare("ar", array_of(Int)),
            declare("m", map_of(Str, Int)),
        ]
    };
    let without_cast = |from: &str, to: &str| format!("Cannot assign {from} to {to} without explicit casting.");
    let wrong = |name: &str, text: &str| format!("Mutation of variable {name} invalid: {text}");
    let ok = || "Ok".to_owned();
    for (name, operation, rhs, expected) in [
        ("i", Assign, text("x"), without_cast("STR", "INT")),
        ("i", Assign, double(1.5), without_cast("DOUBLE", "INT")),
        ("i", Assign, boolean(true), without_cast("BOOL", "INT")),
        ("i", Assign, null(), ok()),
        ("i", Assign, variable("ts"), without_cast("TIMESTAMP", "INT")),
        ("i", Assign, cast(text("7"), Int), ok()),
        (
            "i",
            Assign,
            cast(boolean(true), Int),
            "Cannot cast from BOOL to INT. This conversion is not supported.".to_owned(),
        ),
        ("i", Assign, at_json_path("o"), ok()),
        ("d", Assign, int(1), ok()),
        ("d", Assign, text("1.5"), without_cast("STR", "DOUBLE")),
        ("s", Assign, int(1), ok()),
        ("s", Assign, boolean(true), ok()),
        ("s", Assign, object(), without_cast("JSON_OBJ", "STR")),
        ("b", Assign, text("true"), without_cast("STR", "BOOL")),
        ("o", Assign, list(), without_cast("JSON_ARR", "JSON_OBJ")),
        ("y", Assign, text("x"), without_cast("STR", "BYTES")),
        ("w", Assign, text("id"), without_cast("STR", "WF_RUN_ID")),
        ("ts", Assign, int(5), without_cast("INT", "TIMESTAMP")),
        ("ar", Assign, list(), without_cast("JSON_ARR", "null")),
        ("ar", Assign, variable("ar"), ok()),
        ("m", Assign, object(), without_cast("JSON_OBJ", "null")),
        ("i", Add, text("x"), wrong("i", "Cannot add non-numeric type STR to an INT")),
        ("i", Add, double(2.5), ok()),
        ("d", Subtract, null(), wrong("d", "Cannot subtract non-numeric type DEFINEDTYPE_NOT_SET to a DOUBLE")),
        ("s", Add, int(1), ok()),
        ("s", Add, object(), wrong("s", "Cannot add non-primitive type JSON_OBJ to an DOUBLE")),
        ("s", Extend, null(), wrong("s", "Cannot extend a STR with non-primitive type DEFINEDTYPE_NOT_SET")),
        ("b", Add, boolean(true), wrong("b", "Cannot add to a BOOL")),
        ("a", Add, int(1), ok()),
        ("o", Add, int(1), wrong("o", "Cannot add to a JSON_OBJ")),
        ("y", Add, bytes(), wrong("y", "Cannot add to a BYTES. Use EXTEND instead.")),
        ("ts", Add, int(5), wrong("ts", "Cannot add to a TIMESTAMP")),
        ("ar", Add, int(1), wrong("ar", "Cannot add to an Array. Use EXTEND instead.")),
        ("m", Add, int(1), wrong("m", "Cannot add to a Map. Use EXTEND to put an entry.")),
        ("s", Subtract, text("a"), wrong("s", "Cannot subtract from a STR")),
        ("s", Multiply, int(2), wrong("s", "Cannot multiply to a STR")),
        ("s", Divide, int(2), wrong("s", "Cannot divide a STR")),
        ("i", Pow, double(2.0), "Cannot mutate a INT by assigning it a value of type DOUBLE".to_owned()),
        ("i", Pow, int(2), ok()),
        ("i", Extend, int(1), wrong("i", "Cannot call EXTEND on an INT")),
        ("a", Extend, list(), ok()),
        ("a", Extend, int(1), wrong("a", "Cannot call EXTEND on a JSON_ARR if rhs is not of type JSON_ARR: INT")),
        ("y", Extend, bytes(), ok()),
        ("o", Extend, object(), wrong("o", "Cannot call EXTEND on a JSON_OBJ")),
        ("ar", Extend, int(1), ok()),
        ("ar", Extend, text("x"), wrong("ar", "Cannot extend an Array of INT with type STR")),
        ("ar", Extend, variable("ar"), ok()),
        ("m", Extend, variable("m"), ok()),
        (
            "m",
            Extend,
            int(1),
            wrong(
                "m",
                "Cannot extend a Map with type INT. EXTEND on a Map requires a Map argument to merge into this Map.",
            ),
        ),
        ("a", RemoveIfPresent, int(1), ok()),
        ("a", RemoveIndex, int(0), ok()),
        (
            "a",
            RemoveIndex,
            text("x"),
            wrong("a", "Cannot call REMOVE_INDEX on a JSON_ARR with non-numeric argument: STR"),
        ),
        ("a", RemoveKey, text("x"), wrong("a", "Cannot call REMOVE_KEY on a JSON_ARR. Did you mean REMOVE_INDEX?")),
        ("o", RemoveKey, text("x"), ok()),
        ("o", RemoveIndex, int(0), wrong("o", "Cannot call REMOVE_INDEX on a JSON_OBJ. Did you mean REMOVE_KEY?")),
        ("m", RemoveKey, int(1), ok()),
        ("s", RemoveIndex, int(0), ok()),
        ("i", RemoveKey, text("x"), wrong("i", "Cannot call REMOVE_KEY on an INT")),
        ("b", And, boolean(true), ok()),
        ("b", Or, int(1), ok()),
        ("i", And, int(1), "Cannot mutate a INT by assigning it a value of type BOOL".to_owned()),
        ("s", Or, boolean(true), ok()),
    ] {
        let first = changing("exit", name, operation, rhs.clone());
        let request = spec(thread(vec![("entry", entry(vec![first])), ("exit", exit())], every()));
        let expected = match expected.as_str() {
            "Ok" => expected,
            text => format!("… Node entry invalid: Edge with sink node exit invalid: {text}"),
        };
        assert_eq!(verdict(&mut World::default(), request), expected, "{name} {operation:?} {rhs:?}");
    }
}

#[test]
fn conditions_are_checked_by_type() {
    use lh::Comparator::{Equals, In, LessThan, NotIn};
    let every = || {
        vec![
            declare("i", of(Int)),
            declare("s", of(Str)),
            declare("b", of(Bool)),
            declare("o", of(JsonObj)),
            declare("a", of(JsonArr)),
            declare("y", of(Bytes)),
            declare("ts", of(Timestamp)),
            declare("ar", array_of(Int)),
            declare("m", map_of(Str, Int)),
        ]
    };
    let plain_cases = [
        (variable("b"), "Ok"),
        (variable("i"), "… Node a invalid: a Does not resolve to a BOOL value"),
        (boolean(true), "Ok"),
        (at_json_path("o"), "Ok"),
        (operate(variable("i"), lh::VariableMutationType::Add, int(1)), "Ok"),
        (operate(variable("i"), lh::VariableMutationType::And, variable("i")), "Ok"),
    ];
    let rhs = |kind: &str, by: &str| format!("You cannot compare RHS type {kind} using Comparator {by}");
    let lhs = |kind: &str| format!("You cannot use LHS type {kind} with Comparator IN");
    let own = "You can only compare LHS type JSON_OBJ with its own type, but tried to compare it to STR".to_owned();
    let ok = || "Ok".to_owned();
    let compared = [
        ("i", Equals, double(1.0), ok()),
        ("i", Equals, text("1"), ok()),
        ("i", Equals, null(), ok()),
        ("i", LessThan, text("x"), ok()),
        ("o", Equals, object(), ok()),
        ("o", Equals, text("x"), own),
        ("o", LessThan, int(1), ok()),
        ("a", LessThan, list(), rhs("JSON_ARR", "LESS_THAN")),
        ("y", Equals, bytes(), ok()),
        ("y", LessThan, bytes(), rhs("BYTES", "LESS_THAN")),
        ("ts", LessThan, variable("ts"), ok()),
        ("i", In, list(), ok()),
        ("i", In, text("123"), rhs("STR", "IN")),
        ("s", In, object(), ok()),
        ("i", In, object(), lhs("INT")),
        ("i", In, variable("ar"), lhs("INT")),
        ("s", In, variable("m"), ok()),
        ("i", In, int(5), rhs("INT", "IN")),
        ("o", In, list(), ok()),
        ("i", NotIn, list(), ok()),
        ("m", Equals, variable("m"), ok()),
    ];
    let compared = compared.map(|(name, by, right, expected)| {
        let expected = match expected.as_str() {
            "Ok" => expected,
            // Clients know the name of the source in the place of the sink.
            text => format!("… Node a invalid: Edge with sink node a invalid: {text}"),
        };
        (compare(variable(name), by, right), expected)
    });
    let cases = plain_cases.map(|(condition, expected)| (condition, expected.to_owned())).into_iter().chain(compared);
    for (condition, expected) in cases {
        let nodes = vec![
            ("a", entry(vec![when("exit", condition.clone()), edge("other")])),
            ("exit", exit()),
            ("other", exit()),
        ];
        assert_eq!(verdict(&mut World::default(), spec(thread(nodes, every()))), expected, "{condition:?}");
    }
}
