use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(path: &str, root: &Json) -> Result<Option<Json>, String> {
    JsonPath::parse(path).and_then(|path| path.read(root)).map_err(|wrong| wrong.0)
}

#[test]
fn paths_read_what_jayway_reads() {
    let root = json!({
        "i": 1, "d": 1.0, "s": "x", "n": null, "l": [1, [2, 3], {"k": "v"}], "m": {"k": {"deep": 5}},
        "my prop": 7, "it's": 8, "books": [{"p": 5, "t": ["a"]}, {"p": 12, "t": []}, {"t": ["a", "b"]}], "nums": [3, 1, 2.5],
    });
    for (path, expected) in [
        ("$.i", Some(json!(1))),
        ("i", Some(json!(1))),
        ("$.d", Some(json!(1.0))),
        ("$.n", Some(json!(null))),
        ("$.none", None),
        ("$.none.deeper", None),
        ("$.i.deeper", None),
        ("$.l[0]", Some(json!(1))),
        ("$.l[1][1]", Some(json!(3))),
        ("$.l[2].k", Some(json!("v"))),
        ("$.l[-1]", Some(json!({"k": "v"}))),
        ("$.l[9]", None),
        ("$['m']['k'].deep", Some(json!(5))),
        ("$['my prop']", Some(json!(7))),
        ("$['it\\'s']", Some(json!(8))),
        ("$[\"i\"]", Some(json!(1))),
        ("$['i','s']", Some(json!({"i": 1, "s": "x"}))),
        ("$..k", Some(json!(["v", {"deep": 5}]))),
        ("$.l[*]", Some(json!([1, [2, 3], {"k": "v"}]))),
        ("$.l[0:2]", Some(json!([1, [2, 3]]))),
        ("$.l[-2:]", Some(json!([[2, 3], {"k": "v"}]))),
        ("$.l[0,2]", Some(json!([1, {"k": "v"}]))),
        ("$.nothing[*]", Some(json!([]))),
        ("$.l.length()", Some(json!(3))),
        ("$.l[*].length()", Some(json!(3))),
        ("$.s.length()", None),
        ("$.nums.max()", Some(json!(3.0))),
        ("$.nums.first()", Some(json!(3))),
        ("$.m.keys()", Some(json!(["k"]))),
        ("$.books[?(@.p < 10)].p", Some(json!([5]))),
        ("$.books[?(@.p)].p", Some(json!([5, 12]))),
        ("$.books[?(!@.p)]", Some(json!([{"t": ["a", "b"]}]))),
        ("$.books[?(@.p > $.i && @.t contains 'a')].p", Some(json!([5]))),
        ("$.books[?(@.p == 12 || @.p in [5, 6])].p", Some(json!([5, 12]))),
        ("$.books[?(@.t empty true)].p", Some(json!([12]))),
        ("$.books[?(@.t size 2)].t[0]", Some(json!(["a"]))),
        ("$", Some(root.clone())),
    ] {
        assert_eq!(read(path, &root), Ok(expected), "{path}");
    }
}

#[test]
fn bad_paths_say_where() {
    let hint = "Use bracket notion ['my prop'] if your property contains blank characters. position: 2";
    assert_eq!(read("no path", &json!({})), Err(hint.to_owned()));
    for path in
        ["", " ", "$.", "$..", "$.[", "$[", "$['a", "$[?(", "$[?(@.a ==)]", "$x", "$.f(", "$.nope()", "$[99999999999]"]
    {
        assert!(read(path, &json!({})).is_err(), "{path}");
    }
    let deep = format!("$[?({}@.a{})]", "(".repeat(10_000), ")".repeat(10_000));
    assert!(read(&deep, &json!([1])).is_err());
}

#[test]
fn paths_write() {
    for (path, expected) in [
        ("$.a", Ok(json!({"a": 0, "l": [1, 2], "m": {"n": 1}}))),
        ("$.new", Ok(json!({"a": 1, "l": [1, 2], "m": {"n": 1}, "new": 0}))),
        ("$.l[0]", Ok(json!({"a": 1, "l": [0, 2], "m": {"n": 1}}))),
        ("$.l[*]", Ok(json!({"a": 1, "l": [0, 0], "m": {"n": 1}}))),
        ("$.m.n", Ok(json!({"a": 1, "l": [1, 2], "m": {"n": 0}}))),
        ("$.l[7]", Err("null")),
        ("$.x.y", Err("Missing property in path $['x']")),
        ("$", Err("Invalid set operation")),
    ] {
        let mut root = json!({"a": 1, "l": [1, 2], "m": {"n": 1}});
        let done = JsonPath::parse(path).and_then(|path| path.write(&mut root, &json!(0)));
        assert_eq!(done.map(|()| root).map_err(|wrong| wrong.0), expected.map_err(str::to_owned), "{path}");
    }
}

#[test]
fn a_path_that_matches_too_much_is_refused() {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    assert!(read("$..*..*..*..*..*..*", &deep).is_err());
}

proptest! {
    #[test]
    fn no_path_panics(path in "[$@.\\[\\]'\"?()*a-c0-9:,<>=!&| -]{0,40}") {
        let root = json!({"a": [1, {"b": null}, "c"], "b": {"a": 2.5}});
        if let Ok(path) = JsonPath::parse(&path) {
            let _ = path.read(&root);
            let _ = path.write(&mut root.clone(), &json!([1]));
        }
    }

    /// What was written at a definite path is read there.
    #[test]
    fn what_is_written_is_read(name in "[a-z ']{1,6}", position in -3i64..3, new in any::<i32>()) {
        let mut root = json!({"l": [1, 2, 3]});
        for path in [JsonPath { steps: vec![Step::Members(vec![name])] },
                     JsonPath { steps: vec![Step::Members(vec!["l".into()]), Step::Items(vec![position])] }] {
            if path.write(&mut root, &json!(new)).is_ok() {
                prop_assert_eq!(path.read(&root), Ok(Some(json!(new))));
            }
        }
    }
}
