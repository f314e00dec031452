//! StructDefs: names, types, versions, and how references to them are stored.

use super::build::*;
use super::*;
use crate::engine::core::{Reader, query};
use lh::VariableType::{Bytes, Int, JsonArr, JsonObj, Str};
use lh::type_definition::DefinedType;
use lh::variable_value::Value;

const FULL: i32 = lh::StructDefCompatibilityType::FullyCompatibleSchemaUpdates as i32;

type Fields = Vec<(&'static str, lh::StructFieldDef)>;

fn required(field_type: lh::TypeDefinition) -> lh::StructFieldDef {
    lh::StructFieldDef { field_type: Some(field_type), ..Default::default() }
}

fn nullable(field_type: lh::TypeDefinition) -> lh::StructFieldDef {
    lh::StructFieldDef { is_nullable: true, ..required(field_type) }
}

fn with_default(field_type: lh::TypeDefinition, value: Option<Value>) -> lh::StructFieldDef {
    lh::StructFieldDef { default_value: Some(lh::VariableValue { value }), ..required(field_type) }
}

fn of_struct(name: &str, version: i32) -> lh::TypeDefinition {
    let id = lh::StructDefId { name: name.to_owned(), version };
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

fn inline(fields: Fields) -> lh::InlineStructDef {
    lh::InlineStructDef { fields: fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect() }
}

fn request(name: &str, allowed_updates: i32, fields: Fields) -> lh::PutStructDefRequest {
    lh::PutStructDefRequest {
        name: name.to_owned(),
        struct_def: Some(inline(fields)),
        allowed_updates,
        ..Default::default()
    }
}

impl World {
    /// The version that a StructDef is stored as, or what is wrong with it.
    fn put_struct(&mut self, request: lh::PutStructDefRequest) -> Result<i32, String> {
        let reply = self.run(request).map_err(|refusal| refusal.message)?;
        Ok(lh::StructDef::try_from(reply).expect("a StructDef").id.expect("its id").version)
    }

    fn get_struct(&self, name: &str, version: i32) -> Result<lh::StructDef, Refusal> {
        query::get_struct_def(&self.state, TENANT, lh::StructDefId { name: name.to_owned(), version })
    }
}

#[test]
fn fields_have_plain_names_and_plain_types() {
    let mut world = World::default();
    for (name, expected) in [
        ("", "cannot be empty"),
        ("1st", "first character must be a letter"),
        ("Upper", "first letter must be lowercase"),
        ("under_score", "cannot include underscores, must follow camelCase"),
        ("do.t", "cannot include special characters, must be alphanumeric"),
        ("aé", "cannot include special characters, must be alphanumeric"),
    ] {
        let text = format!("StructDef validation failed: StructDef field name '{name}' invalid: {expected}");
        assert_eq!(world.put_struct(request("names", 0, vec![(name, required(of(Str)))])), Err(text));
    }
    let unknown = lh::TypeDefinition { defined_type: Some(DefinedType::PrimitiveType(77)), masked: false };
    for (field, expected) in [
        (required(of(JsonObj)), "Forbidden JSON type: JSON_OBJ. "),
        (required(list_of(of(JsonArr))), "Forbidden JSON type: JSON_ARR. "),
        (required(map_of(of(Str), of(JsonObj))), "Forbidden JSON type: JSON_OBJ. "),
        (lh::StructFieldDef::default(), "Forbidden JSON type: JSON_OBJ. "),
        (required(of_struct("absent", -1)), "Refers to non-existent StructDef absent"),
        (required(list_of(of_struct("absent", 2))), "Refers to non-existent StructDef absent with version 2"),
        (required(unknown), "Unknown VariableType 77"),
        (
            with_default(of(Int), Some(Value::Str("x".into()))),
            "StructFieldDef validation failed: Value of type STR is not compatible with expected type INT",
        ),
        (with_default(of(Str), None), "Non-nullable field cannot have a null default value"),
    ] {
        let refused = world.put_struct(request("types", 0, vec![("f", field)])).expect_err(expected);
        let expected = format!("StructDef validation failed: StructDef field 'f' invalid: {expected}");
        assert!(refused.starts_with(&expected), "{refused}");
    }
    let odd = vec![("m", required(map_of(of(Bytes), of(Str)))), ("n", with_default(of(Str), Some(Value::Int(5))))];
    assert_eq!(world.put_struct(request("odd", 0, odd)), Ok(0));
    assert_eq!(world.put_struct(request("empty", 0, vec![])), Ok(0));
    for name in ["", "under_score", "-a"] {
        let refused = Err("StructDef name must be a valid hostname".to_owned());
        assert_eq!(world.put_struct(request(name, 0, vec![])), refused);
    }
    let unknown = world.put_struct(request("updates", 9, vec![]));
    assert_eq!(unknown, Err("Unknown StructDefCompatibilityType 9".to_owned()));
}

#[test]
fn a_change_is_a_new_version_where_it_is_allowed() {
    let base = || {
        vec![
            ("n", nullable(of(Str))),
            ("o", with_default(of(Str), Some(Value::Str("d".into())))),
            ("r", required(of(Str))),
        ]
    };
    let masked = lh::TypeDefinition { masked: true, ..of(Str) };
    let told = lh::StructFieldDef { description: Some("a name".into()), ..required(of(Str)) };
    // What is changed, whether it passes without updates, and whether it does as a compatible one.
    let changes: Vec<(Fields, bool, bool)> = vec![
        (vec![], true, true),
        (vec![("r", told)], true, true),
        (vec![("r", nullable(of(Str)))], false, false),
        (vec![("r", with_default(of(Str), Some(Value::Str("x".into()))))], false, false),
        (vec![("r", required(of(Int)))], false, false),
        (vec![("r", required(masked))], false, false),
        (vec![("o", required(of(Str)))], false, false),
        (vec![("n", required(of(Str)))], false, false),
        (vec![("o", with_default(of(Int), Some(Value::Int(1))))], false, true),
        (vec![("o", with_default(of(Str), Some(Value::Str("e".into()))))], false, true),
        (vec![("x", nullable(of(Int)))], false, true),
        (vec![("x", required(of(Int)))], false, false),
    ];
    for (number, (change, plain, full)) in changes.into_iter().enumerate() {
        let mut world = World::default();
        assert_eq!(world.put_struct(request("s", 0, base())), Ok(0));
        let mut fields = base();
        for (name, field) in change {
            fields.retain(|(old, _)| *old != name);
            fields.push((name, field));
        }
        for (updates, passes) in [(0, plain), (FULL, full)] {
            let asked = lh::ValidateStructDefEvolutionRequest {
                struct_def_id: Some(lh::StructDefId { name: "s".into(), version: 7 }),
                struct_def: Some(inline(fields.clone())),
                compatibility_type: updates,
            };
            let valid = query::validate_struct_def_evolution(&world.state, TENANT, asked).expect("valid").is_valid;
            let put = world.clone().put_struct(request("s", updates, fields.clone()));
            assert_eq!((valid, put.is_ok()), (passes, passes), "change {number} with {updates}: {put:?}");
        }
    }
    let mut world = World::default();
    assert_eq!(world.put_struct(request("s", 0, base())), Ok(0));
    let described = lh::PutStructDefRequest { description: Some("told".into()), ..request("s", 0, base()) };
    assert_eq!(world.put_struct(described.clone()), Ok(1));
    assert_eq!(world.put_struct(described), Ok(1));
    let two = request("s", 0, vec![("o", required(of(Int))), ("r", required(of(Str))), ("x", nullable(of(Int)))]);
    let refused = "Incompatible StructDef evolution on field(s): [n, o, x] using NO_SCHEMA_UPDATES compatibility type";
    assert_eq!(world.put_struct(two), Err(refused.to_owned()));
    // An optional field may go, and its name come back.
    assert_eq!(world.put_struct(request("s", FULL, vec![("r", required(of(Str)))])), Ok(2));
}

#[test]
fn versions_are_found_searched_and_deleted() {
    let mut world = World::default();
    for (name, fields) in [("a", vec![]), ("ab", vec![]), ("a", vec![("x", nullable(of(Int)))])] {
        world.put_struct(request(name, FULL, fields)).expect("put");
    }
    assert_eq!(world.get_struct("a", -1).map(|def| def.id.unwrap_or_default().version), Ok(1));
    assert_eq!(world.get_struct("a", 7), Err(Refusal::not_found("Couldn't find StructDef a version 7")));
    let search = |world: &World, criteria| {
        let asked = lh::SearchStructDefRequest { struct_def_criteria: Some(criteria), ..Default::default() };
        let found = query::search_struct_def(&world.state, TENANT, asked).expect("searched").results;
        found.into_iter().map(|id| format!("{}/{}", id.name, id.version)).collect::<Vec<_>>()
    };
    use lh::search_struct_def_request::StructDefCriteria as Criteria;
    assert_eq!(search(&world, Criteria::Prefix("a".into())), ["a/0", "a/1", "ab/0"]);
    assert_eq!(search(&world, Criteria::Name("a".into())), ["a/0", "a/1"]);
    let delete = |version| lh::DeleteStructDefRequest { id: Some(lh::StructDefId { name: "a".into(), version }) };
    world.run(delete(1)).expect("deleted");
    assert_eq!(world.run(delete(1)), Err(Refusal::not_found("Couldn't find provided StructDefModel")));
    assert_eq!(search(&world, Criteria::Name("a".into())), ["a/0"]);
    assert_eq!(world.get_struct("a", -1).map(|def| def.id.unwrap_or_default().version), Ok(0));
    // The number of a deleted version is not given out again.
    assert_eq!(world.put_struct(request("a", FULL, vec![("y", nullable(of(Int)))])), Ok(2));
}

#[test]
fn references_are_stored_as_exact_versions() {
    let mut world = World::default();
    world.put_struct(request("inner", 0, vec![])).expect("put");
    world.put_struct(request("inner", FULL, vec![("x", nullable(of(Int)))])).expect("put");
    let everywhere = map_of(of(Str), list_of(of_struct("inner", -1)));
    world.put_struct(request("outer", 0, vec![("i", required(everywhere.clone()))])).expect("put");
    let stored = world.get_struct("outer", 0).expect("stored").struct_def.expect("fields");
    let pinned = map_of(of(Str), list_of(of_struct("inner", 1)));
    assert_eq!(stored.fields.get("i").and_then(|field| field.field_type.clone()), Some(pinned.clone()));
    let spec = world.put_spec(plain(vec![declare("v", everywhere)])).expect("put");
    let variables = spec.thread_specs.values().flat_map(|thread| &thread.variable_defs);
    let types: Vec<_> = variables.filter_map(|def| def.var_def.as_ref()?.type_def.clone()).collect();
    assert_eq!(types, [pinned]);
    // A chain of StructDefs ends before a message with their values would be too deep to read.
    let mut last = "inner".to_owned();
    let refused = (0..20).find_map(|depth| {
        let name = format!("deep{depth}");
        let result = world.put_struct(request(&name, 0, vec![("f", required(of_struct(&last, -1)))]));
        last = name;
        result.err()
    });
    assert!(refused.is_some_and(|text| text.ends_with("StructDefs may be nested 8 levels deep, not more")));
    let reader = Reader::new(&world.state, TENANT).expect("reads");
    assert!(reader.latest_struct_def("deep7", false).expect("reads").is_some());
}
