//! Records, arrays and maps: what is let in, read, built, changed and shown.

use std::collections::BTreeMap;

use super::*;
use crate::api::littlehorse::{VariableMutationType as Op, VariableType as T};
use crate::engine::core::Fault;
use lh::type_definition::DefinedType;
use lh::variable_assignment::{self as va, Source};

/// An Address has a secret street and a number that is 7 where it is left out. A Person has a name, and may have an age,
/// a home and tags.
struct World(BTreeMap<String, Option<Value>>);

fn typed(kind: T) -> lh::TypeDefinition {
    lh::TypeDefinition { defined_type: Some(DefinedType::PrimitiveType(kind.into())), masked: false }
}

fn of_struct(name: &str) -> lh::TypeDefinition {
    let id = lh::StructDefId { name: name.into(), version: 0 };
    lh::TypeDefinition { defined_type: Some(DefinedType::StructDefId(id)), masked: false }
}

fn list_of(item: lh::TypeDefinition) -> lh::TypeDefinition {
    let array = lh::InlineArrayDef { array_type: Some(Box::new(item)) };
    lh::TypeDefinition { defined_type: Some(DefinedType::InlineArrayDef(Box::new(array))), masked: false }
}

fn map_of(key: lh::TypeDefinition, value: lh::TypeDefinition) -> lh::TypeDefinition {
    let map = lh::InlineMapDef { key_type: Some(Box::new(key)), value_type: Some(Box::new(value)) };
    lh::TypeDefinition { defined_type: Some(DefinedType::InlineMapDef(Box::new(map))), masked: false }
}

fn field(field_type: lh::TypeDefinition, is_nullable: bool, default: Option<Value>) -> lh::StructFieldDef {
    let default_value = default.map(|value| message(Some(value)));
    lh::StructFieldDef { field_type: Some(field_type), is_nullable, default_value, description: None }
}

impl StructDefs for World {
    fn fields(&self, id: &lh::StructDefId) -> Result<Option<lh::InlineStructDef>, Fault> {
        let secret = lh::TypeDefinition { masked: true, ..typed(T::Str) };
        let fields = match id.name.as_str() {
            "address" => {
                vec![
                    ("street", field(secret, false, None)),
                    ("number", field(typed(T::Int), false, Some(Value::Int(7)))),
                ]
            }
            "person" => vec![
                ("name", field(typed(T::Str), false, None)),
                ("age", field(typed(T::Int), true, None)),
                ("home", field(of_struct("address"), true, None)),
                ("tags", field(list_of(typed(T::Str)), true, None)),
            ],
            _ => return Ok(None),
        };
        Ok(Some(lh::InlineStructDef { fields: fields.into_iter().map(|(name, of)| (name.to_owned(), of)).collect() }))
    }

    fn version(&self, id: &lh::StructDefId) -> Result<Option<lh::StructDefId>, Fault> {
        Ok(self.fields(id)?.map(|_| lh::StructDefId { version: 0, ..id.clone() }))
    }
}

impl Scope for World {
    fn variable(&self, name: &str) -> Result<Option<Value>, EvalError> {
        self.0.get(name).cloned().ok_or_else(|| Wrong::new(format!("no variable {name}")).into())
    }

    fn node_output(&self, _: &str) -> Result<Option<Value>, EvalError> {
        Ok(None)
    }
}

fn s(text: &str) -> Option<Value> {
    Some(text_value(text))
}

fn i(number: i64) -> Option<Value> {
    Some(Value::Int(number))
}

fn record(name: &str, fields: &[(&str, Option<Value>)]) -> Option<Value> {
    let one = |(name, value): &(&str, Option<Value>)| {
        ((*name).to_owned(), lh::StructField { value: Some(message(value.clone())), masked: false })
    };
    Some(Value::Struct(lh::Struct {
        struct_def_id: Some(lh::StructDefId { name: name.into(), version: 0 }),
        r#struct: Some(lh::InlineStruct { fields: fields.iter().map(one).collect() }),
    }))
}

fn list(items: &[Option<Value>], label: Option<lh::TypeDefinition>) -> Option<Value> {
    let items = items.iter().map(|item| message(item.clone())).collect();
    Some(Value::Array(lh::Array { items, element_type: label }))
}

fn entries(pairs: &[(Option<Value>, Option<Value>)]) -> Option<Value> {
    let entry = |(key, value): &(Option<Value>, Option<Value>)| lh::map::Entry {
        key: Some(message(key.clone())),
        value: Some(message(value.clone())),
    };
    Some(Value::Map(lh::Map { entries: pairs.iter().map(entry).collect(), map_type: None }))
}

fn nothing() -> World {
    World(BTreeMap::new())
}

fn let_in(declared: &lh::TypeDefinition, value: Option<Value>) -> Result<Option<Value>, String> {
    admit(&nothing(), declared, value).map_err(|wrong| wrong.to_string())
}

#[test]
fn records_are_held_against_their_definition() {
    let person = of_struct("person");
    let home = record("address", &[("street", s("High"))]);
    let inside = "Struct incompatible with StructDef person/00000: ";
    for (value, expected) in [
        (record("person", &[("name", s("ann"))]), ""),
        (record("person", &[("name", i(5)), ("other", i(1)), ("age", None), ("home", home.clone())]), ""),
        (record("person", &[("age", i(5))]), "Missing required field name"),
        (record("person", &[("name", None)]), "Field 'name' is invalid: Field is not nullable but received null value"),
        (
            record("person", &[("name", s("ann")), ("age", s("x"))]),
            "Field 'age' is invalid: StructFieldDef validation failed: Value of type STR is not compatible with expected \
             type INT",
        ),
        (
            record("person", &[("name", s("ann")), ("home", record("address", &[]))]),
            "Field 'home' is invalid: StructFieldDef validation failed: Struct incompatible with StructDef address/00000: \
             Missing required field street",
        ),
        (
            record("person", &[("name", s("ann")), ("tags", list(&[s("x"), Some(Value::JsonObj("{}".into()))], None))]),
            "Field 'tags' is invalid: StructFieldDef validation failed: Array element type JSON_OBJ incompatible with \
             expected element type STR",
        ),
    ] {
        let expected = if expected.is_empty() { Ok(()) } else { Err(format!("{inside}{expected}")) };
        assert_eq!(let_in(&person, value).map(|_| ()), expected);
    }
    let mismatch = "Value of type Struct<address,v0> is not compatible with expected type Struct<person,v0>";
    assert_eq!(let_in(&person, home.clone()), Err(mismatch.to_owned()));
    // The version that is declared, the labels, and what is secret come from the definitions.
    let mut newer = record("address", &[("street", s("High"))]);
    if let Some(Value::Struct(record)) = &mut newer {
        record.struct_def_id = Some(lh::StructDefId { name: "address".into(), version: 9 });
    }
    let admitted = let_in(&list_of(of_struct("address")), list(&[newer], Some(typed(T::Int)))).expect("fits");
    let Some(Value::Array(array)) = &admitted else { panic!("{admitted:?}") };
    assert_eq!(array.element_type, Some(of_struct("address")));
    let shown = to_text(&hide(admitted.clone().expect("a value")));
    assert_eq!(
        (to_text(&admitted.expect("a value")).as_str(), shown.as_str()),
        ("[{street=High}]", "[{street=*****}]")
    );
    // Records in lists and maps are looked into as well.
    let broken = list(&[record("address", &[])], None);
    let missing = "Struct incompatible with StructDef address/00000: Missing required field street";
    assert_eq!(let_in(&list_of(of_struct("address")), broken), Err(missing.to_owned()));
    let broken = entries(&[(s("k"), record("address", &[]))]);
    assert_eq!(let_in(&map_of(typed(T::Str), of_struct("address")), broken), Err(missing.to_owned()));
}

fn at(value: Option<Value>, steps: &[lh::lh_path::selector::SelectorType]) -> Result<Option<Value>, String> {
    let selectors = steps.iter().map(|step| lh::lh_path::Selector { selector_type: Some(step.clone()) });
    let assignment = lh::VariableAssignment {
        source: Some(Source::LiteralValue(message(value))),
        path: Some(va::Path::LhPath(lh::LhPath { path: selectors.collect() })),
        ..Default::default()
    };
    evaluate(&assignment, &World([("k".to_owned(), s("name"))].into())).map_err(|wrong| wrong.to_string())
}

#[test]
fn paths_lead_into_records_lists_and_maps() {
    use lh::lh_path::selector::SelectorType::{Dynamic, Index, Key};
    let key = |name: &str| Key(name.to_owned());
    let home = record("address", &[("street", s("High"))]);
    let ann = record("person", &[("name", s("ann")), ("home", home), ("tags", list(&[s("x"), s("y")], None))]);
    let by_variable = || {
        let source = Some(Source::VariableName("k".into()));
        Dynamic(lh::VariableAssignment { source, ..Default::default() })
    };
    for (steps, expected) in [
        (vec![key("name")], Ok(s("ann"))),
        (vec![by_variable()], Ok(s("ann"))),
        (vec![key("age")], Ok(None)),
        (vec![key("home"), key("street")], Ok(s("High"))),
        (vec![key("home"), key("number")], Ok(i(7))),
        (vec![key("tags"), Index(1)], Ok(s("y"))),
        (vec![key("tags"), Index(2)], Err("Index 2 out of bounds for length 2")),
        (vec![key("tags"), Index(-1)], Err("Array index cannot be negative: -1")),
        (vec![key("nope")], Err("could not find field 'nope' on type Struct<person,v0>")),
        (vec![key("age"), key("x")], Err("Cannot 'get' on VALUE_NOT_SET")),
        (vec![Index(0)], Err("Cannot 'get' on STRUCT")),
    ] {
        assert_eq!(at(ann.clone(), &steps), expected.map_err(str::to_owned), "{steps:?}");
    }
    let map = entries(&[(s("a"), i(1)), (i(5), i(2))]);
    assert_eq!(at(map.clone(), &[key("a")]), Ok(i(1)));
    assert_eq!(at(map.clone(), &[key("5")]), Ok(None));
    assert_eq!(at(map, &[Index(0)]), Err("Cannot 'get' on MAP".into()));
}

fn literal(value: Option<Value>) -> lh::VariableAssignment {
    lh::VariableAssignment { source: Some(Source::LiteralValue(message(value))), ..Default::default() }
}

fn built(name: &str, fields: &[(&str, lh::inline_struct_field_value::StructValue)]) -> lh::VariableAssignment {
    let builder = lh::StructBuilder {
        struct_def_id: Some(lh::StructDefId { name: name.into(), version: -1 }),
        value: Some(builder_of(fields)),
    };
    lh::VariableAssignment { source: Some(Source::StructBuilder(builder)), ..Default::default() }
}

fn builder_of(fields: &[(&str, lh::inline_struct_field_value::StructValue)]) -> lh::InlineStructBuilder {
    let one = |(name, value): &(&str, lh::inline_struct_field_value::StructValue)| {
        ((*name).to_owned(), lh::InlineStructFieldValue { struct_value: Some(value.clone()) })
    };
    lh::InlineStructBuilder { fields: fields.iter().map(one).collect() }
}

#[test]
fn builders_make_what_fits_the_definition() {
    use lh::inline_struct_field_value::StructValue::{SimpleValue, SubStructure};
    let simple = |value| SimpleValue(literal(value));
    let home = SubStructure(builder_of(&[("street", simple(s("Low")))]));
    let whole = built("person", &[("name", simple(s("ann"))), ("home", home)]);
    let made = evaluate(&whole, &nothing()).expect("built").expect("a record");
    assert_eq!(to_text(&hide(made)), "{home={street=*****}, name=ann}");
    for (assignment, expected) in [
        (built("absent", &[]), "StructDef not found: absent/-0001"),
        (built("person", &[]), "Struct incompatible with StructDef person/00000: Missing required field name"),
        (built("person", &[("name", SubStructure(builder_of(&[])))]), "Field 'name' is not a struct field"),
    ] {
        assert_eq!(evaluate(&assignment, &nothing()).map_err(|wrong| wrong.to_string()), Err(expected.to_owned()));
    }
    let entry = |key, value| lh::map_builder::Entry { key: Some(literal(key)), value: Some(literal(value)) };
    let builder =
        lh::MapBuilder { entries: vec![entry(s("a"), i(1)), entry(s("b"), i(2)), entry(s("a"), i(3))], map_type: None };
    let map = lh::VariableAssignment { source: Some(Source::MapBuilder(builder)), ..Default::default() };
    let made = evaluate(&map, &nothing()).expect("built").expect("a map");
    assert_eq!((to_text(&made).as_str(), type_name(&type_of(&made)).as_str()), ("{a=3, b=2}", "Map<STR, INT>"));
}

fn mutated(
    declared: &lh::TypeDefinition,
    left: Option<Value>,
    path: &[&str],
    operation: Op,
    right: Option<Value>,
) -> Result<String, String> {
    let selector = |name: &&str| lh::lh_path::Selector {
        selector_type: Some(match name.parse() {
            Ok(index) => lh::lh_path::selector::SelectorType::Index(index),
            Err(_) => lh::lh_path::selector::SelectorType::Key((*name).to_owned()),
        }),
    };
    let mutation = lh::VariableMutation {
        lhs_name: "v".into(),
        lhs_lh_path: (!path.is_empty()).then(|| lh::LhPath { path: path.iter().map(selector).collect() }),
        operation: operation.into(),
        rhs_value: Some(lh::variable_mutation::RhsValue::RhsAssignment(literal(right))),
        ..Default::default()
    };
    let left = admit(&nothing(), declared, left).expect("fits");
    let value = mutate(&mutation, declared, left, "node", &nothing()).map_err(|wrong| wrong.to_string())?;
    Ok(value.as_ref().map_or("null".to_owned(), to_text))
}

#[test]
fn mutations_keep_to_the_declared_type() {
    let (person, numbers) = (of_struct("person"), list_of(typed(T::Int)));
    let lists = list_of(numbers.clone());
    let map = map_of(typed(T::Str), typed(T::Int));
    let ann = || record("person", &[("name", s("ann")), ("tags", list(&[s("x")], None))]);
    let ones = || list(&[i(1), i(2), i(1)], None);
    let pairs = || entries(&[(s("a"), i(1)), (s("b"), i(2))]);
    for (declared, left, path, operation, right, expected) in [
        (&person, ann(), vec!["name"], Op::Assign, s("bob"), Ok("{name=bob, tags=[x]}")),
        (&person, ann(), vec!["name"], Op::Add, s("!"), Ok("{name=ann!, tags=[x]}")),
        (&person, ann(), vec!["tags"], Op::Extend, s("y"), Ok("{name=ann, tags=[x, y]}")),
        (&person, ann(), vec!["tags", "0"], Op::Assign, s("z"), Ok("{name=ann, tags=[z]}")),
        (&person, ann(), vec!["age"], Op::Add, i(5), Ok("{age=5, name=ann, tags=[x]}")),
        (&person, ann(), vec!["name"], Op::Assign, None, Err("not nullable")),
        (&person, ann(), vec!["age"], Op::Assign, s("old"), Err("expected type INT")),
        (&person, ann(), vec!["nope"], Op::Assign, s("old"), Err("could not find field 'nope'")),
        (&person, ann(), vec![], Op::Assign, record("address", &[("street", s("x"))]), Err("Coercing from")),
        (&person, ann(), vec![], Op::Assign, record("person", &[]), Err("Missing required field name")),
        (&person, ann(), vec![], Op::Add, i(1), Err("STRUCT")),
        (&numbers, ones(), vec!["1"], Op::Multiply, i(10), Ok("[1, 20, 1]")),
        (&numbers, ones(), vec!["7"], Op::Assign, i(10), Err("out of bounds")),
        (&numbers, ones(), vec![], Op::Extend, list(&[i(3)], None), Ok("[1, 2, 1, 3]")),
        (&numbers, ones(), vec![], Op::Extend, list(&[s("x")], None), Err("Couldn't convert STR 'x' to INT")),
        (&numbers, ones(), vec![], Op::RemoveIfPresent, i(1), Ok("[2]")),
        (&numbers, ones(), vec![], Op::Assign, list(&[s("x")], None), Err("Couldn't convert STR 'x' to INT")),
        (&numbers, ones(), vec![], Op::Assign, list(&[s("x")], Some(typed(T::Str))), Err("Coercing from Array<STR>")),
        (&lists, list(&[ones()], None), vec![], Op::Extend, list(&[i(9)], Some(typed(T::Int))), Ok("[[1, 2, 1], [9]]")),
        (&map, pairs(), vec!["a"], Op::Add, i(4), Ok("{a=5, b=2}")),
        (&map, pairs(), vec!["new"], Op::Add, i(4), Ok("{a=1, b=2, new=4}")),
        (&map, pairs(), vec!["a"], Op::Assign, s("x"), Err("Couldn't convert STR 'x' to INT")),
        (&map, pairs(), vec![], Op::Extend, entries(&[(s("b"), i(9)), (s("c"), i(3))]), Ok("{a=1, b=9, c=3}")),
        (&map, pairs(), vec![], Op::Extend, entries(&[(s("c"), s("x"))]), Err("Couldn't convert STR 'x' to INT")),
        (&map, pairs(), vec![], Op::RemoveKey, s("a"), Ok("{b=2}")),
    ] {
        let got = mutated(declared, left, &path, operation, right);
        match (&got, expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected),
            (Err(got), Err(expected)) => assert!(got.contains(expected), "{got:?} does not contain {expected:?}"),
            _ => panic!("{path:?} {operation:?}: {got:?} instead of {expected:?}"),
        }
    }
}

#[test]
fn what_is_too_deep_to_be_read_again_is_not_kept() {
    let nested = |levels| (0..levels).fold(i(1), |inner, _| list(&[inner], None)).expect("a list");
    assert_eq!(keepable(&nested(30)), Ok(()));
    assert!(keepable(&nested(40)).is_err());
    let chain = (0..70).fold(lh::WfRunId::default(), |parent, _| lh::WfRunId {
        id: "x".into(),
        parent_wf_run_id: Some(Box::new(parent)),
    });
    assert!(keepable(&Value::WfRunId(chain)).is_err());
    let long = Value::Str("x".repeat(MAX_VALUE_BYTES + 1));
    assert!(keepable(&long).is_err());
}
