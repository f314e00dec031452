//! What LittleHorse was seen to compute, and that nothing computed here panics.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::api::littlehorse::{Comparator as C, VariableMutationType as Op, VariableType as T};
use crate::engine::core::Fault;
use lh::type_definition::DefinedType;
use lh::variable_assignment::{self as va, Path, Source};

/// Variables and outputs by name.
#[derive(Default)]
struct Names(BTreeMap<String, Option<Value>>);

impl StructDefs for Names {
    fn fields(&self, _: &lh::StructDefId) -> Result<Option<lh::InlineStructDef>, Fault> {
        Ok(None)
    }

    fn version(&self, _: &lh::StructDefId) -> Result<Option<lh::StructDefId>, Fault> {
        Ok(None)
    }
}

impl Scope for Names {
    fn variable(&self, name: &str) -> Result<Option<Value>, EvalError> {
        self.0.get(name).cloned().ok_or_else(|| Wrong::new(format!("no variable {name}")).into())
    }

    fn node_output(&self, node: &str) -> Result<Option<Value>, EvalError> {
        self.0.get(node).cloned().ok_or_else(|| Wrong::new(format!("Specified node {node} has no output.")).into())
    }
}

fn typed(kind: T) -> lh::TypeDefinition {
    lh::TypeDefinition { defined_type: Some(DefinedType::PrimitiveType(kind as i32)), masked: false }
}

fn s(text: &str) -> Option<Value> {
    Some(text_value(text))
}

fn i(number: i64) -> Option<Value> {
    Some(Value::Int(number))
}

fn d(number: f64) -> Option<Value> {
    Some(Value::Double(number))
}

fn obj(text: &str) -> Option<Value> {
    Some(Value::JsonObj(text.into()))
}

fn arr(text: &str) -> Option<Value> {
    Some(Value::JsonArr(text.into()))
}

fn truth(value: bool) -> Option<Value> {
    Some(Value::Bool(value))
}

fn literal(value: Option<Value>) -> lh::VariableAssignment {
    lh::VariableAssignment { source: Some(Source::LiteralValue(message(value))), ..Default::default() }
}

fn mutated(
    kind: T,
    left: Option<Value>,
    path: Option<&str>,
    op: Op,
    right: Option<Value>,
) -> Result<Option<Value>, String> {
    let mutation = lh::VariableMutation {
        lhs_name: "v".into(),
        lhs_json_path: path.map(str::to_owned),
        operation: op as i32,
        rhs_value: Some(lh::variable_mutation::RhsValue::RhsAssignment(literal(right))),
        ..Default::default()
    };
    mutate(&mutation, &typed(kind), left, "n", &Names::default()).map_err(|error| error.to_string())
}

#[test]
fn mutations_of_numbers() {
    let zero = || Err("Cannot divide by zero".to_owned());
    for (kind, left, op, right, expected) in [
        (T::Int, i(7), Op::Assign, i(2), Ok(i(2))),
        (T::Int, i(7), Op::Assign, d(2.9), Ok(i(2))),
        (T::Int, i(7), Op::Assign, None, Ok(None)),
        (T::Int, i(7), Op::Add, d(2.5), Ok(i(9))),
        (T::Int, i(-7), Op::Add, d(2.5), Ok(i(-5))),
        (T::Int, i(7), Op::Add, None, Err("Cannot add by null".into())),
        (T::Int, i(7), Op::Subtract, d(2.5), Ok(i(4))),
        (T::Int, i(7), Op::Subtract, None, Err("Cannot subtract null".into())),
        (T::Int, i(7), Op::Multiply, d(2.5), Ok(i(17))),
        (T::Int, i(7), Op::Multiply, None, Err("Cannot multiply by null".into())),
        (T::Int, i(7), Op::Divide, i(2), Ok(i(3))),
        (T::Int, i(-7), Op::Divide, i(2), Ok(i(-3))),
        (T::Int, i(7), Op::Divide, d(2.5), Ok(i(2))),
        (T::Int, i(7), Op::Divide, None, Err("Cannot divide by null".into())),
        (T::Int, i(7), Op::Divide, i(0), zero()),
        (T::Int, i(i64::MIN), Op::Divide, i(-1), Ok(i(i64::MIN))),
        (T::Int, i(7), Op::Pow, i(2), Ok(i(49))),
        (T::Int, i(2), Op::Pow, i(-1), Ok(i(0))),
        (T::Int, i(3), Op::Pow, i(39), Ok(i(4_052_555_153_018_976_267))),
        (T::Int, i(1), Op::Pow, i(i64::MAX), Ok(i(1))),
        (
            T::Int,
            i(10),
            Op::Pow,
            i(30),
            Err("Exponentiation result is out of range for INT: Base 10, Exponent 30".into()),
        ),
        (T::Int, i(0), Op::Pow, i(-1), Err("Exponentiation result is not finite: Base 0, Exponent -1".into())),
        (T::Int, i(i64::MAX), Op::Add, i(1), Ok(i(i64::MIN))),
        (T::Int, None, Op::Add, i(1), Err("Cannot add to var of type VALUE_NOT_SET".into())),
        (T::Int, i(1), Op::Add, s("x"), Err("Couldn't convert STR 'x' to INT".into())),
        (T::Int, i(1), Op::RemoveKey, s("k"), Err("Converting to JSON_OBJ not supported.".into())),
        (T::Double, d(7.5), Op::Assign, i(2), Ok(d(2.0))),
        (T::Double, d(7.5), Op::Add, i(2), Ok(d(9.5))),
        (T::Double, d(7.5), Op::Divide, d(2.5), Ok(d(3.0))),
        (T::Double, d(7.5), Op::Divide, d(0.0), zero()),
        (T::Double, d(7.5), Op::Pow, i(2), Ok(d(56.25))),
        (
            T::Double,
            d(1e300),
            Op::Pow,
            i(5),
            Err("Exponentiation result is not finite: Base 1.0E300, Exponent 5.0".into()),
        ),
        (T::Double, i(3), Op::Add, i(1), Ok(d(4.0))),
    ] {
        assert_eq!(mutated(kind, left.clone(), None, op, right.clone()), expected, "{left:?} {op:?} {right:?}");
    }
}

#[test]
fn mutations_of_texts_and_truths() {
    for (kind, left, op, right, expected) in [
        (T::Str, s("a"), Op::Add, s("x"), Ok(s("ax"))),
        (T::Str, s("a"), Op::Add, i(1), Ok(s("a1"))),
        (T::Str, s("a"), Op::Extend, d(1.5), Ok(s("a1.5"))),
        (T::Str, s("a"), Op::Add, truth(true), Ok(s("atrue"))),
        (T::Str, s("a"), Op::Add, d(1e10), Ok(s("a1.0E10"))),
        (T::Str, s("a"), Op::Add, arr(r#"[1,"x"]"#), Ok(s(r#"a[1,"x"]"#))),
        (T::Str, s("a"), Op::Add, obj(r#"{"k":[1.0,null]}"#), Ok(s("a{k=[1.0,null]}"))),
        (T::Str, s("a"), Op::Assign, i(5), Ok(s("5"))),
        (T::Str, s("a"), Op::Assign, d(3.0), Ok(s("3.0"))),
        (T::Str, i(5), Op::Add, s("x"), Ok(s("5x"))),
        (T::Str, s("abc"), Op::RemoveIndex, i(0), Err("Cannot removeIndex on var of type STR".into())),
        (T::Str, None, Op::Add, s("x"), Err("Cannot add to var of type VALUE_NOT_SET".into())),
        (
            T::Bytes,
            Some(Value::Bytes(vec![1])),
            Op::Extend,
            Some(Value::Bytes(vec![2])),
            Ok(Some(Value::Bytes(vec![1, 2]))),
        ),
        (T::Bool, truth(true), Op::And, truth(false), Ok(truth(false))),
        (T::Bool, truth(false), Op::Or, truth(true), Ok(truth(true))),
        (T::Bool, truth(false), Op::Or, s("true"), Ok(truth(true))),
        (T::Bool, None, Op::And, truth(true), Err("Cannot convert DEFINEDTYPE_NOT_SET to BOOL".into())),
    ] {
        assert_eq!(mutated(kind, left.clone(), None, op, right.clone()), expected, "{left:?} {op:?} {right:?}");
    }
}

#[test]
fn mutations_of_json() {
    const LIST: &str = r#"[1,"x",1.0,{"k":1},null]"#;
    const OBJECT: &str = r#"{"a":1,"s":"x","l":[1,2],"m":{"n":1.5},"z":null}"#;
    let out_of = |index: i32| {
        format!("Caught unexpected error when mutating variables: Index {index} out of bounds for length 5")
    };
    for (op, right, expected) in [
        (Op::Add, i(5), Ok(r#"[1,"x",1.0,{"k":1},null,5]"#)),
        (Op::Add, arr("[1]"), Ok(r#"[1,"x",1.0,{"k":1},null,[1]]"#)),
        (Op::Add, None, Err("Cannot add by null".to_owned())),
        (Op::Extend, arr("[9]"), Ok(r#"[1,"x",1.0,{"k":1},null,9]"#)),
        (Op::Extend, i(9), Err("Converting to JSON_ARR not supported.".to_owned())),
        (Op::RemoveIfPresent, i(1), Ok(r#"["x",1.0,{"k":1},null]"#)),
        (Op::RemoveIfPresent, d(1.0), Ok(r#"[1,"x",{"k":1},null]"#)),
        (Op::RemoveIfPresent, s("nope"), Ok(LIST)),
        (Op::RemoveIndex, i(0), Ok(r#"["x",1.0,{"k":1},null]"#)),
        (Op::RemoveIndex, i(9), Err(out_of(9))),
        (Op::RemoveIndex, i(-1), Err(out_of(-1))),
    ] {
        assert_eq!(mutated(T::JsonArr, arr(LIST), None, op, right.clone()), expected.map(arr), "{op:?} {right:?}");
    }
    let updating = |path: &str, why: &str| format!("Failed updating jsonPath {path} on object {OBJECT}: {why}");
    let accessing = format!(
        "Failed accessing path no path on data {OBJECT}  :\nUse bracket notion ['my prop'] if your property contains \
         blank characters. position: 2"
    );
    for (path, op, right, expected) in [
        (None, Op::RemoveKey, s("a"), Ok(r#"{"s":"x","l":[1,2],"m":{"n":1.5},"z":null}"#)),
        (None, Op::RemoveKey, s("nope"), Ok(OBJECT)),
        (None, Op::RemoveIfPresent, s("a"), Err("Cannot removeIfPresent on var of type JSON_OBJ".to_owned())),
        (Some("$.a"), Op::Add, i(5), Ok(r#"{"a":6,"s":"x","l":[1,2],"m":{"n":1.5},"z":null}"#)),
        (Some("$.a"), Op::Assign, s("now text"), Err("Couldn't convert STR 'now text' to INT".to_owned())),
        (Some("$.new"), Op::Add, i(1), Ok(r#"{"a":1,"s":"x","l":[1,2],"m":{"n":1.5},"z":null,"new":1}"#)),
        (Some("$.x.y"), Op::Assign, i(1), Err(updating("$.x.y", "Missing property in path $['x']"))),
        (Some("$.l"), Op::Add, i(3), Ok(r#"{"a":1,"s":"x","l":[1,2,3],"m":{"n":1.5},"z":null}"#)),
        (Some("$.l[0]"), Op::Assign, i(9), Ok(r#"{"a":1,"s":"x","l":[9,2],"m":{"n":1.5},"z":null}"#)),
        (Some("$.l[7]"), Op::Assign, i(9), Err(updating("$.l[7]", "null"))),
        (Some("$.m.n"), Op::Multiply, i(2), Ok(r#"{"a":1,"s":"x","l":[1,2],"m":{"n":3.0},"z":null}"#)),
        (Some("$.s"), Op::Extend, s("y"), Ok(r#"{"a":1,"s":"xy","l":[1,2],"m":{"n":1.5},"z":null}"#)),
        (Some("$.z"), Op::Add, i(1), Ok(r#"{"a":1,"s":"x","l":[1,2],"m":{"n":1.5},"z":1}"#)),
        (Some("$.a"), Op::RemoveKey, s("k"), Err("Converting to JSON_OBJ not supported.".to_owned())),
        (Some("no path"), Op::Assign, i(1), Err(accessing)),
        (Some("$"), Op::Assign, obj(r#"{"all":1}"#), Err(updating("$", "Invalid set operation"))),
    ] {
        assert_eq!(mutated(T::JsonObj, obj(OBJECT), path, op, right.clone()), expected.map(obj), "{path:?} {op:?}");
    }
    assert_eq!(
        mutated(T::JsonObj, None, Some("$.a"), Op::Assign, i(1)),
        Err("Cannot jsonpath on VALUE_NOT_SET".into())
    );
    assert_eq!(mutated(T::Int, i(1), Some("$.a"), Op::Assign, i(1)), Err("Cannot jsonpath on INT".into()));
}

#[test]
fn expressions_keep_doubles() {
    for (left, op, right, expected) in [
        (i(5), Op::Divide, i(2), Ok(i(2))),
        (i(5), Op::Divide, d(2.0), Ok(d(2.5))),
        (d(2.0), Op::Multiply, i(5), Ok(d(10.0))),
        (i(5), Op::Add, d(2.9), Ok(d(7.9))),
        (i(2), Op::Pow, d(0.5), Ok(d(std::f64::consts::SQRT_2))),
        (s("12"), Op::Add, i(5), Ok(s("125"))),
        (s("12"), Op::Add, None, Err("Cannot add by null")),
        (None, Op::Add, i(1), Err("Cannot add to var of type VALUE_NOT_SET")),
        (arr("[1,2]"), Op::Add, i(3), Ok(arr("[1,2,3]"))),
        (truth(true), Op::Or, None, Ok(truth(true))),
        (truth(true), Op::And, None, Err("Cannot convert DEFINEDTYPE_NOT_SET to BOOL")),
        (i(5), Op::Assign, d(2.5), Ok(i(2))),
    ] {
        let expression = va::Expression {
            lhs: Some(Box::new(literal(left.clone()))),
            rhs: Some(Box::new(literal(right.clone()))),
            operation: Some(va::expression::Operation::MutationType(op as i32)),
        };
        let whole =
            lh::VariableAssignment { source: Some(Source::Expression(Box::new(expression))), ..Default::default() };
        let result = evaluate(&whole, &Names::default()).map_err(|error| error.to_string());
        assert_eq!(result, expected.map_err(str::to_owned), "{left:?} {op:?} {right:?}");
    }
}

#[test]
fn casts_give_what_littlehorse_gives() {
    let kid = Some(Value::WfRunId(crate::engine::core::id::wf_run_id("mum_kid")));
    for (value, kind, expected) in [
        (s("12"), T::Int, Ok(i(12))),
        (d(2.99), T::Int, Ok(i(2))),
        (d(-2.99), T::Int, Ok(i(-2))),
        (s("12x"), T::Int, Err("Failed to cast value to INT: Cannot parse '12x' as INT.")),
        (s(" 12 "), T::Int, Err("Failed to cast value to INT: Cannot parse ' 12 ' as INT.")),
        (s("1e3"), T::Double, Ok(d(1000.0))),
        (s("inf"), T::Double, Err("Failed to cast value to DOUBLE: Cannot parse 'inf' as DOUBLE.")),
        (s(" TRUE "), T::Bool, Ok(truth(true))),
        (s("yes"), T::Bool, Err("Failed to cast value to BOOL: Cannot parse 'yes' as BOOL.")),
        (s("é"), T::Bytes, Ok(Some(Value::Bytes("é".into())))),
        (s("mum_kid"), T::WfRunId, Ok(kid.clone())),
        (kid, T::Str, Ok(s("mum_kid"))),
        (i(1), T::Bool, Err("Failed to cast value to BOOL: Casting from INT to BOOL is not supported. ")),
        (obj("{}"), T::Str, Err("Failed to cast value to STR: Casting from JSON_OBJ to STR is not supported. ")),
        (d(1e21), T::Str, Ok(s("1.0E21"))),
        (None, T::Str, Ok(None)),
    ] {
        let result = cast(value.clone(), &typed(kind)).map_err(|wrong| wrong.0);
        assert_eq!(result, expected.map_err(str::to_owned), "{value:?} as {kind:?}");
    }
    let endless = cast(s(&"_".repeat(500_000)), &typed(T::WfRunId));
    assert!(endless.is_err());
}

#[test]
fn comparisons_give_what_littlehorse_gives() {
    let list = || arr(r#"[0,[0],{"x":1,"y":2}]"#);
    let time_of = |seconds, nanos| Some(Value::UtcTimestamp(prost_types::Timestamp { seconds, nanos }));
    let time = |seconds| time_of(seconds, 0);
    let never = || Err("Failed comparing the provided values.");
    for (left, comparator, right, expected) in [
        (i(5), C::GreaterThan, i(4), Ok(true)),
        (i(5), C::GreaterThanEq, i(5), Ok(true)),
        (i(5), C::Equals, d(5.0), never()),
        (i(5), C::Equals, s("5"), never()),
        (None, C::Equals, None, Ok(true)),
        (None, C::LessThan, i(5), Ok(true)),
        (i(5), C::GreaterThan, None, Ok(true)),
        (None, C::NotEquals, i(5), Ok(true)),
        (s("b"), C::LessThan, s("B"), Ok(false)),
        (s("\u{10000}"), C::LessThan, s("\u{ffff}"), Ok(true)),
        (truth(false), C::LessThan, truth(true), Ok(true)),
        (d(-0.0), C::Equals, d(0.0), Ok(false)),
        (d(f64::NAN), C::Equals, d(f64::NAN), Ok(true)),
        (obj("{}"), C::Equals, obj("{}"), never()),
        (time(1), C::LessThan, time(2), Ok(true)),
        (time(2), C::LessThanEq, time(1), Ok(false)),
        (time_of(1, 5), C::GreaterThan, time_of(1, 4), Ok(true)),
        (time(-1), C::LessThan, time_of(-1, 1), Ok(true)),
        (time(2), C::Equals, time(2), Ok(true)),
        (time(2), C::Equals, time_of(1, 1_000_000_000), Ok(true)),
        (time(2), C::NotEquals, time_of(2, 1), Ok(true)),
        (time(i64::MAX), C::GreaterThan, time(i64::MIN), Ok(true)),
        (time(1), C::Equals, i(1000), never()),
        (None, C::LessThan, time(0), Ok(true)),
        (s("k"), C::In, obj(r#"{"k":1}"#), Ok(true)),
        (s("z"), C::In, obj(r#"{"k":1}"#), Ok(false)),
        (d(0.0), C::In, list(), Ok(true)),
        (arr("[0]"), C::In, list(), Ok(true)),
        (obj(r#"{"x":1}"#), C::In, list(), Ok(true)),
        (i(7), C::NotIn, list(), Ok(true)),
        (i(5), C::In, s("5"), Ok(true)),
        (None, C::In, list(), Ok(false)),
        (i(5), C::In, i(5), Err("Failed evaluating CONTAINS")),
        (i(0), C::In, None, Err("Failed evaluating CONTAINS")),
    ] {
        let result = compare(left.as_ref(), comparator, right.as_ref()).map_err(|wrong| wrong.0);
        assert_eq!(result, expected.map_err(str::to_owned), "{left:?} {comparator:?} {right:?}");
    }
}

#[test]
fn values_are_admitted_uncast() {
    let list = lh::TypeDefinition {
        defined_type: Some(DefinedType::InlineArrayDef(Box::new(lh::InlineArrayDef {
            array_type: Some(Box::new(typed(T::Int))),
        }))),
        masked: false,
    };
    let array = |items: &[Option<Value>], label: Option<T>| {
        let items = items.iter().cloned().map(message).collect();
        Some(Value::Array(lh::Array { items, element_type: label.map(typed) }))
    };
    let mismatch =
        |from: &str, to: &str| Err(format!("Value of type {from} is not compatible with expected type {to}"));
    for (declared, value, expected) in [
        (typed(T::Double), i(3), Ok(i(3))),
        (typed(T::Str), truth(true), Ok(truth(true))),
        (typed(T::Int), None, Ok(None)),
        (typed(T::Int), s("5"), mismatch("STR", "INT")),
        (typed(T::Str), obj("{}"), mismatch("JSON_OBJ", "STR")),
        (typed(T::JsonObj), arr("[1]"), mismatch("JSON_ARR", "JSON_OBJ")),
        (
            typed(T::JsonObj),
            obj(r#"{ "b" : 1.50, "a" : 1e3, "big": 12345678901234567890 }"#),
            Ok(obj(r#"{"b":1.5,"a":1000.0,"big":1.2345678901234567e+19}"#)),
        ),
        (typed(T::JsonObj), obj("{broken"), Ok(obj("{broken"))),
        (list.clone(), array(&[i(1), None], Some(T::Str)), Ok(array(&[i(1), None], Some(T::Int)))),
        (
            list.clone(),
            array(&[i(1), s("x")], None),
            Err("Array element type STR incompatible with expected element type INT".into()),
        ),
        (list, arr("[1]"), mismatch("JSON_ARR", "Array<INT>")),
    ] {
        assert_eq!(
            admit(&Names::default(), &declared, value.clone()).map_err(|wrong| wrong.to_string()),
            expected,
            "{value:?}"
        );
    }
}

#[test]
fn sources_paths_and_targets_go_in_that_order() {
    let scope = Names(BTreeMap::from([
        ("o".to_owned(), obj(r#"{"n":{"count":"5"},"l":[1,2,3]}"#)),
        ("text".to_owned(), s("a𝄞é")),
        ("none".to_owned(), None),
    ]));
    let read = |name: &str, path: &str| lh::VariableAssignment {
        source: Some(Source::VariableName(name.into())),
        path: Some(Path::JsonPath(path.into())),
        ..Default::default()
    };
    let evaluated =
        |assignment: &lh::VariableAssignment| evaluate(assignment, &scope).map_err(|error| error.to_string());
    let cast_count = lh::VariableAssignment { target_type: Some(typed(T::Int)), ..read("o", "$.n.count") };
    assert_eq!(evaluated(&cast_count), Ok(i(5)));
    assert_eq!(evaluated(&read("o", "$.missing.deep")), Ok(None));
    assert_eq!(evaluated(&read("o", "$.n")), Ok(obj(r#"{"count":"5"}"#)));
    assert_eq!(evaluated(&read("none", "$.n")), Err("Cannot jsonpath on VALUE_NOT_SET".into()));
    let size = |name: &str| {
        let operand = lh::VariableAssignment { source: Some(Source::VariableName(name.into())), ..Default::default() };
        let size = va::SizeOf { operand: Some(Box::new(operand)) };
        evaluated(&lh::VariableAssignment { source: Some(Source::SizeOf(Box::new(size))), ..Default::default() })
    };
    assert_eq!(size("text"), Ok(i(4)));
    assert_eq!(size("none"), Err("Cannot resolve size() for var of type VALUE_NOT_SET".into()));
    let nothing = lh::VariableAssignment::default();
    assert_eq!(evaluated(&nothing), Err("VariableAssignment passed with missing source".into()));
    let index = |key: &str, index: i32| lh::VariableAssignment {
        source: Some(Source::VariableName("o".into())),
        path: Some(Path::LhPath(lh::LhPath {
            path: vec![
                lh::lh_path::Selector { selector_type: Some(lh::lh_path::selector::SelectorType::Key(key.into())) },
                lh::lh_path::Selector { selector_type: Some(lh::lh_path::selector::SelectorType::Index(index)) },
            ],
        })),
        ..Default::default()
    };
    assert_eq!(evaluated(&index("l", 1)), Ok(i(2)));
    assert_eq!(evaluated(&index("l", -1)), Ok(None));
}

#[test]
fn nothing_grows_without_end() {
    let long = s(&"x".repeat(600_000));
    let too_large = "A value of 1200000 bytes exceeds the limit of 1047000 bytes";
    assert_eq!(mutated(T::Str, long.clone(), None, Op::Add, long), Err(too_large.into()));
    let mut nested = arr("[]");
    for _ in 0..200 {
        match mutated(T::JsonArr, arr("[]"), None, Op::Add, nested.clone()) {
            Ok(deeper) => nested = deeper,
            Err(wrong) => return assert_eq!(wrong, "JSON nested deeper than 120 levels"),
        }
    }
    panic!("JSON nests without end");
}

/// Values of every kind, the odd ones included.
fn any_value() -> impl Strategy<Value = Option<Value>> {
    let leaf = prop_oneof![
        Just(None),
        any::<i64>().prop_map(i),
        any::<f64>().prop_map(d),
        any::<bool>().prop_map(truth),
        ".{0,12}".prop_map(|text| s(&text)),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(|bytes| Some(Value::Bytes(bytes))),
        "[a-z_]{0,6}".prop_map(|text| Some(Value::WfRunId(crate::engine::core::id::wf_run_id(&text)))),
        (any::<i64>(), any::<i32>())
            .prop_map(|(seconds, nanos)| Some(Value::UtcTimestamp(prost_types::Timestamp { seconds, nanos }))),
        "[\\[\\]{}:,\"0-9a.e-]{0,12}".prop_map(|text| obj(&text)),
        Just(obj(r#"{"a":{"b":[1,2.5,null,"x"]},"n":18446744073709551615}"#)),
        (0usize..300).prop_map(|depth| arr(&format!("{}{}", "[".repeat(depth), "]".repeat(depth)))),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let items = prop::collection::vec(inner, 0..3);
        prop_oneof![
            items.clone().prop_map(|items| {
                let items = items.into_iter().map(message).collect();
                Some(Value::Array(lh::Array { items, element_type: None }))
            }),
            items.prop_map(|items| {
                let entry = |item: Option<Value>| lh::map::Entry {
                    key: Some(message(item.clone())),
                    value: Some(message(item)),
                };
                Some(Value::Map(lh::Map { entries: items.into_iter().map(entry).collect(), map_type: None }))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_operation_panics(
        left in any_value(), right in any_value(), operation in 0..12i32, kind in 0..9i32, comparator in 0..8i32,
        path in prop::option::of("[$.a-c\\[\\]0-9*?()@'-]{0,10}"),
    ) {
        let declared = lh::TypeDefinition { defined_type: Some(DefinedType::PrimitiveType(kind)), masked: false };
        let op = Op::try_from(operation).unwrap();
        let _ = compare(left.as_ref(), C::try_from(comparator).unwrap(), right.as_ref());
        let _ = operate(left.clone(), op, right.clone(), Mode::Expression);
        let _ = cast(left.clone(), &declared);
        let _ = coerce(left.clone(), &declared);
        let _ = admit(&Names::default(), &declared, left.clone());
        let _ = mutated(T::try_from(kind).unwrap(), left.clone(), path.as_deref(), op, right);
        let name = value_type_name(left.as_ref());
        prop_assert!(!name.is_empty());
    }

    /// Whatever bytes decode to an assignment or a mutation, evaluating it only answers.
    #[test]
    fn no_message_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), value in any_value()) {
        let scope = Names(BTreeMap::from([(String::new(), value.clone()), ("a".to_owned(), value.clone())]));
        if let Ok(assignment) = <lh::VariableAssignment as prost::Message>::decode(bytes.as_slice()) {
            let _ = evaluate(&assignment, &scope);
        }
        if let Ok(mutation) = <lh::VariableMutation as prost::Message>::decode(bytes.as_slice()) {
            let _ = mutate(&mutation, &typed(T::JsonObj), value, "a", &scope);
        }
    }

    /// A value goes through JSON and back where JSON has its kind.
    #[test]
    fn json_values_come_back(value in prop_oneof![Just(None), any::<i64>().prop_map(i), any::<bool>().prop_map(truth),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(d), ".*".prop_map(|text| s(&text))]) {
        let text = write_json(&to_json(value.as_ref()).unwrap());
        prop_assert_eq!(from_json(&parse_json(&text).unwrap()), Ok(value));
    }
}
