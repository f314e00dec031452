"""StructDefs and the values they describe; arrays and maps; searches by variables."""

from flows import *
from probe import scenario

FULL = "FULLY_COMPATIBLE_SCHEMA_UPDATES"


def field(kind, default=None, null=False, **more):
    f = StructFieldDef(field_type=typ(kind), is_nullable=null, **more)
    if default is not None:
        f.default_value.CopyFrom(value(default))
    return f


def put(name, updates=None, description=None, /, **fields):
    r = PutStructDefRequest(name=name, struct_def=InlineStructDef(fields=fields))
    if updates:
        r.allowed_updates = StructDefCompatibilityType.Value(updates)
    if description:
        r.description = description
    return r


def lh_path(*steps):
    return LHPath(path=[LHPath.Selector(index=p) if isinstance(p, int) else LHPath.Selector(key=p) for p in steps])


def builder(name, version=-1, /, **fields):
    def inner(fields):
        return InlineStructBuilder(fields={k: InlineStructFieldValue(sub_structure=inner(v)) if isinstance(v, dict)
                                           else InlineStructFieldValue(simple_value=v if isinstance(v, VariableAssignment) else lit(v))
                                           for k, v in fields.items()})
    return VariableAssignment(struct_builder=StructBuilder(struct_def_id=StructDefId(name=name, version=version), value=inner(fields)))


def people(t):
    """An Address inside a Person; the street is secret."""
    a, p = t.name("address"), t.name("person")
    must(t, "PutStructDef", put(a, street=field("STR!"), number=field("INT", 7)))
    ready(t, "GetStructDef", StructDefId(name=a))
    must(t, "PutStructDef", put(p, name=field("STR"), age=field("INT", null=True), home=field(("STRUCT", a, -1), null=True),
                                tags=field(("ARRAY", "STR"), null=True)))
    ready(t, "GetStructDef", StructDefId(name=p))
    return a, p


@scenario("wf-structdef-fields", topic="structs")
def structdef_fields(t):
    for name in ("1st", "Upper", "under_score", "do.t", "sp ace", "$x", "éa", "aé", "a-b", "aB9"):
        t.call("PutStructDef", PutStructDefRequest(name=t.name("names"), struct_def=InlineStructDef(fields={name: field("STR")})), note=f"field {name}")
    for kind in ("JSON_OBJ", "JSON_ARR", ("ARRAY", "JSON_OBJ"), ("MAP", "STR", "JSON_ARR"), ("MAP", "JSON_OBJ", "STR"), ("STRUCT", "absent", -1), ("STRUCT", "absent", 2),
                 ("ARRAY", ("STRUCT", "absent", -1)), ("MAP", "BYTES", "STR"), TypeDefinition()):
        t.call("PutStructDef", put(t.name("types"), f=field(kind)), note=f"type {kind}")
    t.call("PutStructDef", put(t.name("types"), f=StructFieldDef()), note="no type")
    for note, f in [("text for INT", field("INT", "x")), ("INT for text", field("STR", 5)), ("null", StructFieldDef(field_type=typ("STR"), default_value=VariableValue())),
                    ("null where it may be", StructFieldDef(field_type=typ("STR"), default_value=VariableValue(), is_nullable=True)), ("mixed array", field(("ARRAY", "INT"), array(1, "x")))]:
        t.call("PutStructDef", put(t.name(f"defaults{len(t.steps)}"), f=f), note=f"default {note}")
    a = t.name("inner")
    must(t, "PutStructDef", put(a, x=field("INT")))
    ready(t, "GetStructDef", StructDefId(name=a))
    t.call("PutStructDef", put(t.name("outer"), i=field(("STRUCT", a, -1))), note="a StructDef inside")
    t.call("PutStructDef", put(t.name("listed"), i=field(("ARRAY", ("STRUCT", a, -1)))), note="a list of StructDefs")
    t.call("PutStructDef", put(a, None, None, x=field("INT"), i=field(("STRUCT", a, -1), null=True)), note="itself, no updates")
    t.call("PutStructDef", put(a, FULL, None, x=field("INT"), i=field(("STRUCT", a, -1), null=True)), note="itself, full")


@scenario("wf-structdef-evolution", topic="structs")
def structdef_evolution(t):
    base = dict(r=field("STR"), o=field("STR", "d"), n=field("STR", null=True))
    for note, change in [
        ("required becomes nullable", dict(r=field("STR", null=True))), ("required gets a default", dict(r=field("STR", "x"))), ("optional loses its default", dict(o=field("STR"))),
        ("nullable no more", dict(n=field("STR"))), ("optional changes type", dict(o=field("INT", 1))), ("other default", dict(o=field("STR", "e"))), ("required is masked", dict(r=field("STR!"))),
        ("nullable removed", dict(n=None)), ("new nullable", dict(x=field("INT", null=True))), ("two at once", dict(r=field("INT"), x=field("INT")))]:
        n = t.name("ev%d" % len(t.steps))
        must(t, "PutStructDef", put(n, **base))
        ready(t, "GetStructDef", StructDefId(name=n))
        fields = {k: v for k, v in (base | change).items() if v is not None}
        for kind in ("NO_SCHEMA_UPDATES", FULL):
            t.call("ValidateStructDefEvolution", ValidateStructDefEvolutionRequest(
                struct_def_id=StructDefId(name=n), struct_def=InlineStructDef(fields=fields), compatibility_type=kind), note=f"{note}, {kind}")
    t.call("ValidateStructDefEvolution", ValidateStructDefEvolutionRequest(
        struct_def_id=StructDefId(name=n), struct_def=InlineStructDef(fields={"Bad": field("STR")}), compatibility_type=FULL), note="invalid field")
    i, o = t.name("in"), t.name("out")
    must(t, "PutStructDef", put(i, x=field("INT")))
    ready(t, "GetStructDef", StructDefId(name=i))
    must(t, "PutStructDef", put(o, i=field(("STRUCT", i, -1))))
    ready(t, "GetStructDef", StructDefId(name=o))
    must(t, "PutStructDef", put(i, FULL, None, x=field("INT"), y=field("INT", 1)))
    ready(t, "GetStructDef", StructDefId(name=i, version=1))
    t.call("PutStructDef", put(o, None, None, i=field(("STRUCT", i, -1))), note="newer inner, no updates")
    t.call("PutStructDef", put(o, FULL, None, i=field(("STRUCT", i, -1))), note="newer inner, full")


@scenario("wf-struct-values", topic="structs")
def struct_values(t):
    a, p = people(t)
    n = t.name("wf")
    t.call("PutWfSpec", spec(n, chain(vars=[tvar("p", ("STRUCT", p, -1)), tvar("l", ("ARRAY", ("STRUCT", a, -1))), tvar("m", ("MAP", "STR", ("STRUCT", a, -1)))])))
    ready(t, "GetLatestWfSpec", GetLatestWfSpecRequest(name=n))
    home = struct(a, street="High")
    for note, v in [
        ("full", dict(p=struct(p, name="ann", age=3, home=struct(a, street="High", number=5), tags=array("x", "y")))), ("least", dict(p=struct(p, name="ann"))),
        ("nulls", dict(p=struct(p, name="ann", age=None, home=None, tags=None))), ("missing name", dict(p=struct(p, age=3))), ("null name", dict(p=struct(p, name=None))),
        ("wrong type", dict(p=struct(p, name="ann", age="three"))), ("number for text", dict(p=struct(p, name=5))), ("extra", dict(p=struct(p, name="ann", other=5))),
        ("broken inner", dict(p=struct(p, name="ann", home=struct(a, number=5)))), ("other inner", dict(p=struct(p, name="ann", home=struct(p, name="bob")))),
        ("other version", dict(p=struct(p, 9, name="ann"))), ("other struct", dict(p=home)), ("JSON", dict(p={"name": "ann"})), ("null", dict(p=None)),
        ("mixed tags", dict(p=struct(p, name="ann", tags=array("x", {"y": 1})))), ("list", dict(l=array(home, struct(a, street="Low", number=1)))), ("bad item", dict(l=array(home, struct(a)))),
        ("map", dict(m=lhmap(("k", home)))), ("bad map value", dict(m=lhmap(("k", struct(a))))), ("bad map key", dict(m=lhmap((1, home)))), ("empty list", dict(l=array())),
    ]:
        run = launch(t, n, note.replace(" ", "-").lower(), **v)
        for name in v if run else ():
            variable(t, run, name, f"{note}: {name}")
    t.call("ListVariables", ListVariablesRequest(wf_run_id=WfRunId(id=t.name("full"))))


@scenario("wf-struct-paths", topic="structs")
def struct_paths(t):
    a, p = people(t)
    full = struct(p, name="ann", age=3, home=struct(a, street="High", number=5), tags=array("x", "y"))
    vs = [tvar("p", ("STRUCT", p, -1), full), tvar("q", ("STRUCT", p, -1), struct(p, name="bob")), tvar("z", ("STRUCT", p, -1)), tvar("l", ("ARRAY", "INT"), array(4, 5, of="INT")),
          tvar("m", ("MAP", "STR", "INT"), lhmap(("k", 1), of=("STR", "INT"))), tvar("mi", ("MAP", "INT", "INT"), lhmap((1, 2), of=("INT", "INT"))),
          tvar("o", "JSON_OBJ", {"a": {"b": [1, {"c": 2}]}}), tvar("i", "INT", 1), tvar("s", "STR", "text")]
    ev = lambda note, e: evaluate(t, note, e, *vs)
    for name, *path in [("p",), ("p", "name"), ("p", "home"), ("p", "home", "number"), ("p", "home", "street"), ("p", "tags", 1), ("p", "tags", 7), ("p", "tags", -1), ("p", "nope"), ("p", "home", "nope"),
                        ("p", 0), ("p", "name", "x"), ("q", "age"), ("q", "home"), ("q", "home", "number"), ("z", "name"), ("l", 0), ("l", "x"), ("m", "k"), ("m", "none"), ("m", 0), ("mi", "1"),
                        ("o", "a", "b", 1, "c"), ("o", "a", "none"), ("o", "a", "none", "x"), ("o", 0), ("i", "x"), ("s", 0)]:
        ev(f"{name} at {path}", ref(name, lh_path=path))
    ev("p at $.name", ref("p", "$.name"))
    ev("p == p", expr(ref("p"), "EQUALS", ref("p")))
    ev("p == q", expr(ref("p"), "EQUALS", ref("q")))
    ev("p != q", expr(ref("p"), "NOT_EQUALS", ref("q")))
    ev("p < q", expr(ref("p"), "LESS_THAN", ref("q")))
    ev("p.age > 2", expr(ref("p", lh_path=["age"]), "GREATER_THAN", 2))
    ev("size of l", size_of(ref("l")))
    ev("size of tags", size_of(ref("p", lh_path=["tags"])))
    ev("size of m", size_of(ref("m")))
    ev("size of p", size_of(ref("p")))
    ev("format p", fmt("{0} {1} {2}", ref("p", lh_path=["name"]), ref("l"), ref("m")))
    ev("cast l to STR", ref("l", cast="STR"))
    ev("s + l", expr(ref("s"), "ADD", ref("l")))


@scenario("wf-struct-builder", topic="structs")
def struct_builder(t):
    a, p = people(t)
    vs = [tvar("s", "STR", "ann"), tvar("i", "INT", 4), tvar("o", "JSON_OBJ", {"n": "bob", "i": 5}), tvar("h", ("STRUCT", a, -1), struct(a, street="High"))]
    for note, b in [
        ("least", builder(p, name=ref("s"))), ("nested", builder(p, name=ref("s"), age=ref("i"), home=dict(street="Low", number=3))), ("nested, default left out", builder(p, name="x", home=dict(street="Low"))),
        ("field from a struct", builder(p, name="x", home=ref("h"))), ("from JSON", builder(p, name=ref("o", "$.n"), age=ref("o", "$.i"))), ("JSON of the wrong type", builder(p, name=ref("s"), age=ref("o", "$.n"))),
        ("null from JSON", builder(p, name=ref("o", "$.none"))), ("missing field", builder(p, age=1)), ("missing nested field", builder(p, name="x", home=dict(number=1))),
        ("unknown field", builder(p, name="x", nope=1)), ("wrong type", builder(p, name="x", age="y")), ("INT for STR", builder(p, name=ref("i"))), ("null literal", builder(p, name=None)),
        ("null for nullable", builder(p, name="x", age=None)), ("sub structure for a text", builder(p, name=dict(x=1))), ("unknown StructDef", builder("absent", name="x")),
        ("unknown version", builder(p, 7, name="x")), ("exact version", builder(p, 0, name="x")), ("nothing", VariableAssignment(struct_builder=StructBuilder())),
        ("path into it", VariableAssignment(struct_builder=builder(p, name="x").struct_builder, lh_path=lh_path("name"))),
    ]:
        evaluate(t, note, b, *vs)
    mutate(t, "assign built", ("STRUCT", p, -1), None, ("ASSIGN", builder(p, name="x", home=dict(street="Low"))))
    mutate(t, "assign other struct", ("STRUCT", p, -1), None, ("ASSIGN", builder(a, street="x")))
    mutate(t, "assign null", ("STRUCT", p, -1), struct(p, name="x"), ("ASSIGN", None))
    for note, b in [("missing field", builder(p, age=1)), ("missing nested field", builder(p, name="x", home=dict(number=1))), ("unknown field", builder(p, name="x", nope=1)), ("wrong type", builder(p, name="x", age="y")),
                    ("INT for STR", builder(p, name=5)), ("null literal", builder(p, name=None)), ("sub structure for a text", builder(p, name=dict(x=1))), ("unknown StructDef", builder("absent", name="x")), ("nothing", VariableAssignment(struct_builder=StructBuilder()))]:
        mutate(t, f"assign with {note}", ("STRUCT", p, -1), None, ("ASSIGN", b))
    mutate(t, "assign JSON", ("STRUCT", p, -1), None, ("ASSIGN", {"name": "x"}))
    mutate(t, "assign a field", "STR", None, ("ASSIGN", ref("p", lh_path=["name"])), more=[tvar("p", ("STRUCT", p, -1), struct(p, name="x"))])
    mutate(t, "assign a field of another type", "INT", None, ("ASSIGN", ref("p", lh_path=["name"])), more=[tvar("p", ("STRUCT", p, -1), struct(p, name="x"))])
    for op in ("ADD", "EXTEND", "REMOVE_KEY", "AND"):
        mutate(t, f"struct {op}", ("STRUCT", p, -1), struct(p, name="x"), (op, "name"))
    mutate(t, "default of a broken struct", ("STRUCT", p, -1), struct(p, age=1), ("ASSIGN", None))
    mutate(t, "lhs json path", ("STRUCT", p, -1), struct(p, name="x"), ("ASSIGN", "y"), path="$.name")


@scenario("wf-mutate-collections", topic="structs")
def mutate_collections(t):
    ints, pairs = array(1, 2, 1, of="INT"), lhmap(("a", 1), ("b", 2), of=("STR", "INT"))
    for op, rhs in [("ASSIGN", array(9, of="INT")), ("ASSIGN", array(9)), ("ASSIGN", array("x", of="STR")), ("ASSIGN", array()), ("ASSIGN", None), ("ASSIGN", [1]), ("ADD", 3), ("EXTEND", 3), ("EXTEND", 3.7), ("EXTEND", "3"),
                    ("EXTEND", "x"), ("EXTEND", array(3, 4, of="INT")), ("EXTEND", array(3, 4)), ("EXTEND", array("x", of="STR")), ("EXTEND", array()), ("EXTEND", None), ("REMOVE_IF_PRESENT", 1), ("REMOVE_IF_PRESENT", 1.0),
                    ("REMOVE_IF_PRESENT", 7), ("REMOVE_IF_PRESENT", "x"), ("REMOVE_IF_PRESENT", None), ("REMOVE_INDEX", 0), ("REMOVE_INDEX", 9), ("REMOVE_INDEX", -1), ("REMOVE_INDEX", "0"), ("REMOVE_KEY", "a"), ("MULTIPLY", 2), ("AND", True)]:
        mutate(t, f"Array {op} {rhs!r}".replace("\n", " "), ("ARRAY", "INT"), ints, (op, rhs))
    mutate(t, "null Array EXTEND", ("ARRAY", "INT"), None, ("EXTEND", 3))
    mutate(t, "empty Array EXTEND", ("ARRAY", "INT"), array(), ("EXTEND", 3))
    mutate(t, "Array of Arrays EXTEND item", ("ARRAY", ("ARRAY", "INT")), array(ints, of=("ARRAY", "INT")), ("EXTEND", ints))
    for op, rhs in [("ASSIGN", lhmap(("x", 9), of=("STR", "INT"))), ("ASSIGN", lhmap(("x", 9))), ("ASSIGN", lhmap(("x", "y"), of=("STR", "STR"))), ("ASSIGN", lhmap()), ("ASSIGN", None), ("ASSIGN", {"a": 1}), ("ADD", 1),
                    ("EXTEND", lhmap(("b", 9), ("c", 3), of=("STR", "INT"))), ("EXTEND", lhmap(("c", "x"), of=("STR", "STR"))), ("EXTEND", lhmap((1, 3), of=("INT", "INT"))), ("EXTEND", lhmap()), ("EXTEND", 5), ("EXTEND", None),
                    ("REMOVE_KEY", "a"), ("REMOVE_KEY", "z"), ("REMOVE_KEY", 1), ("REMOVE_KEY", None), ("REMOVE_IF_PRESENT", "a"), ("REMOVE_INDEX", 0), ("MULTIPLY", 2)]:
        mutate(t, f"Map {op} {rhs!r}".replace("\n", " "), ("MAP", "STR", "INT"), pairs, (op, rhs))
    mutate(t, "null Map EXTEND", ("MAP", "STR", "INT"), None, ("EXTEND", pairs))
    mutate(t, "INT keys REMOVE_KEY", ("MAP", "INT", "STR"), lhmap((1, "x"), of=("INT", "STR")), ("REMOVE_KEY", 1))
    for kind in ("JSON_OBJ", "JSON_ARR", "BYTES", ("ARRAY", "INT"), ("MAP", "STR", "INT")):
        t.call("PutWfSpec", spec(t.name("keys"), chain(vars=[tvar("x", ("MAP", kind, "INT"))])), note=f"map key {kind}")
    for kind in ("TIMESTAMP", "WF_RUN_ID", "DOUBLE", "BOOL"):
        brief(t, "PutWfSpec", spec(t.name(f"keys-{kind.lower().replace('_', '-')}"), chain(vars=[tvar("x", ("MAP", kind, "JSON_OBJ"))])), note=f"map key {kind}")


@scenario("wf-collection-inputs", topic="structs")
def collection_inputs(t):
    n = t.name("wf")
    must(t, "PutWfSpec", spec(n, chain(vars=[tvar("l", ("ARRAY", "INT")), tvar("m", ("MAP", "STR", "INT")), tvar("d", ("ARRAY", "DOUBLE")), tvar("nn", ("ARRAY", ("ARRAY", "STR"))), tvar("mi", ("MAP", "INT", "STR"))])))
    ready(t, "GetLatestWfSpec", GetLatestWfSpecRequest(name=n))
    for note, v in [("plain", dict(l=array(1, 2))), ("wrong label", dict(l=array(1, 2, of="STR"))), ("mixed", dict(l=array(1, "x"))), ("nulls inside", dict(l=array(1, None))), ("map as list", dict(l=lhmap(("a", 1)))),
                    ("JSON list", dict(l=[1, 2])), ("INT in DOUBLE", dict(d=array(1, 2.5))), ("nested", dict(nn=array(array("x"), array()))), ("nested wrong", dict(nn=array(array(1)))), ("nested wrong more", dict(nn=array(array({"x": 1})))),
                    ("map", dict(m=lhmap(("a", 1), ("b", None)))), ("same key twice", dict(m=lhmap(("a", 1), ("a", 2)))), ("null key", dict(m=lhmap((None, 1)))), ("wrong key", dict(mi=lhmap(("a", "b")))),
                    ("wrong value", dict(m=lhmap(("a", "b")))), ("INT key for STR", dict(m=lhmap((1, 1)))), ("mislabelled map", dict(m=lhmap(("a", 1), of=("INT", "STR"))))]:
        run = launch(t, n, note.replace(" ", "-").lower(), **v)
        for name in v if run else ():
            variable(t, run, name, f"{note}: {name}")


@scenario("wf-search-variables", topic="structs")
def search_variables(t):
    n = t.name("wf")
    must(t, "PutWfSpec", spec(n, chain(vars=[
        tvar("s", "STR", searchable=True), tvar("i", "INT", searchable=True), tvar("d", "DOUBLE", searchable=True), tvar("b", "BOOL", searchable=True), tvar("ts", "TIMESTAMP", searchable=True),
        tvar("by", "BYTES", searchable=True), tvar("w", "WF_RUN_ID", searchable=True), tvar("hid", "STR!", searchable=True), tvar("plain", "STR"), tvar("arr", "JSON_ARR", searchable=True),
        tvar("o", "JSON_OBJ", indexes=(("$.a", "STR"), ("$.n.i", "INT"), ("$.d", "DOUBLE"))), tvar("so", "JSON_OBJ", searchable=True), tvar("l", ("ARRAY", "STR"), searchable=True)])))
    ready(t, "GetLatestWfSpec", GetLatestWfSpecRequest(name=n))
    for note, v in [("WF_RUN_ID", dict(w=WfRunId(id="other"))), ("BYTES", dict(by=b"x")), ("TIMESTAMP", dict(ts=Timestamp(seconds=5))), ("Array", dict(l=array("x"))), ("JSON_OBJ", dict(so={"a": "k"})),
                    ("list of lists", dict(arr=[[1]])), ("list of objects", dict(arr=[{"a": 1}])), ("list with null", dict(arr=[None])), ("object for a text index", dict(o={"a": {"b": 1}})), ("list for a text index", dict(o={"a": ["k"]})),
                    ("null index", dict(o={"a": None})), ("number for a text index", dict(o={"a": 1})), ("text for a number index", dict(o={"n": {"i": "3"}})), ("INT for a DOUBLE index", dict(o={"d": 1})), ("INT for STR", dict(s=5)), ("INT for DOUBLE", dict(d=5))]:
        run = t.quiet("RunWf", RunWfRequest(wf_spec_name=n, id=t.name("t%d" % len(t.steps)), variables=values(**v)))
        t.observe(f"run with {note}", LHStatus.Name(run.status) if run else [t.code, t.details])
    for i, v in enumerate([dict(s="x", i=5, d=1.5, b=True, hid="secret", arr=[1, "x", 2.5, True, "x"], o={"a": "k", "n": {"i": 3}, "d": 1.0}),
                           dict(s="x", i=6, d=2.0, o={"a": "k2"}), dict(s="", i=5), dict(i=None)]):
        must(t, "RunWf", RunWfRequest(wf_spec_name=n, id=t.name(f"r{i}"), variables={k: value(x) for k, x in v.items()}))

    def search(note, name, v, **more):
        request = SearchVariableRequest(wf_spec_name=n, var_name=name, value=value(v), **more)
        t.wait_until(lambda: len(t.quiet("SearchVariable", request).results) > 0 if t.quiet("SearchVariable", request) else True, seconds=1)
        reply = t.quiet("SearchVariable", request)
        t.observe(note, sorted(r.wf_run_id.id + "/" + r.name for r in reply.results) if reply is not None else [t.code, t.details])

    t.wait_until(lambda: len(t.quiet("SearchVariable", SearchVariableRequest(wf_spec_name=n, var_name="s", value=value("x"))).results) == 2)
    for name, v in [("s", "x"), ("s", ""), ("s", "5"), ("s", 5), ("s", None), ("i", 5), ("i", 5.0), ("i", "5"), ("d", 1.5), ("d", 2.0), ("d", 2), ("d", 5.0), ("d", 5), ("b", True), ("b", False), ("hid", "secret"), ("hid", "*****"),
                    ("plain", "x"), ("none", "x"), ("ts", Timestamp(seconds=5)), ("by", b"x"), ("w", WfRunId(id="other")), ("arr", 1), ("arr", "x"), ("arr", 2.5), ("arr", True), ("arr", [1]), ("arr", "[1]"), ("arr", '{"a":1}'),
                    ("o_$.a", "k"), ("o_$.n.i", 3), ("o_$.n.i", "3"), ("o_$.d", 1.0), ("o_$.d", 1), ("o_$.none", "k"), ("o", "k"), ("o", {"a": "k"}), ("so_$.a", "k"), ("so", "k"), ("l", "x"), ("l", array("x")), ("", "x"), ("o_", "x")]:
        search(f"{name} = {v!r}".replace("\n", " "), name, v)
    search("major only", "s", "x", wf_spec_major_version=0)
    search("exact version", "s", "x", wf_spec_major_version=0, wf_spec_revision=0)
    search("missing version", "s", "x", wf_spec_major_version=3, wf_spec_revision=0)
    search("revision only", "s", "x", wf_spec_revision=0)
    t.call("SearchVariable", SearchVariableRequest(wf_spec_name="absent", var_name="s", value=value("x")), note="unknown spec")
    t.call("SearchVariable", SearchVariableRequest(), note="nothing")
    t.call("SearchVariable", SearchVariableRequest(wf_spec_name=n, var_name="s"), note="no value")
    brief(t, "PutWfSpec", spec(n, chain(nop(), vars=[tvar("s", "STR", searchable=True), tvar("i", "INT")])), note="another version")
    ready(t, "GetWfSpec", WfSpecId(name=n, revision=1))
    must(t, "RunWf", RunWfRequest(wf_spec_name=n, id=t.name("v1"), variables={"s": value("x"), "i": value(5)}))
    t.wait_until(lambda: len(t.quiet("SearchVariable", SearchVariableRequest(wf_spec_name=n, var_name="s", value=value("x"))).results) == 3, seconds=3)
    search("both versions", "s", "x")
    search("first version", "s", "x", wf_spec_major_version=0, wf_spec_revision=0)
    search("second version", "s", "x", wf_spec_major_version=0, wf_spec_revision=1)
    search("no more searchable", "i", 5)
    search("searchable in the first", "i", 5, wf_spec_major_version=0, wf_spec_revision=0)
    search("dropped", "d", 1.5)
