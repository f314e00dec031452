use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::domain::{Base, DefId, DraftText, FieldPath, RunId, TaskId, Untrusted, Value, Values};

/// All drafts of a place and tenant.
#[derive(Debug, Default)]
struct Kept {
    /// Those that can be read, newest first.
    drafts: Vec<Draft>,
    /// What happened to the others.
    troubles: Vec<LocalError>,
}

impl Drafts {
    /// All drafts of this place and tenant.
    fn list(&self) -> Result<Kept, LocalError> {
        let mut kept = Kept::default();
        let entries = match std::fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(kept),
            Err(source) => return Err(LocalError::Io { doing: "read", path: self.dir.clone(), source }),
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|ending| ending != ENDING) {
                continue;
            }
            match self.read(&path) {
                Ok(Some(read)) if read.place == self.place && read.tenant == self.tenant => {
                    kept.drafts.push(read.draft);
                }
                Ok(_) => {}
                Err(trouble) => kept.troubles.push(trouble),
            }
        }
        kept.drafts.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.key.cmp(&b.key)));
        Ok(kept)
    }
}

fn task(run: &[&str], guid: &str) -> DraftKey {
    let run = RunId::new(run.iter().map(|id| (*id).to_owned()).collect());
    DraftKey::Task(TaskId { run, guid: guid.to_owned() })
}

fn draft(key: DraftKey, text: &str) -> Draft {
    let path = FieldPath::new(vec!["amount".to_owned()]);
    Draft {
        key,
        def: Some(DefId { name: "approve".into(), version: 3 }),
        at: Timestamp::from_second(1_700_000_000).unwrap(),
        texts: BTreeMap::from([(path.to_string(), DraftText { path, text: text.to_owned() })]),
        base: Base { events: 2, values: Values::from([("amount".to_owned(), Value::Int(i64::MIN))]) },
    }
}

fn names(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn kept_found_replaced_removed() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state/drafts");
    let drafts = Drafts::new(&dir, "store-1", "default");
    let key = task(&["parent", "child"], "0-1");
    assert_eq!(drafts.find(&key).unwrap(), None);
    assert!(drafts.list().unwrap().drafts.is_empty());
    drafts.remove(&key).unwrap();

    drafts.keep(&draft(key.clone(), "12")).unwrap();
    drafts.keep(&draft(key.clone(), "12,5")).unwrap();
    assert_eq!(drafts.find(&key).unwrap(), Some(draft(key.clone(), "12,5")));
    assert_eq!(names(&dir).len(), 1);

    let inputs = Draft { def: None, ..draft(DraftKey::Run("pay".to_owned()), "x") };
    drafts.keep(&inputs).unwrap();
    assert_eq!(drafts.find(&inputs.key).unwrap(), Some(inputs.clone()));
    assert_eq!(drafts.list().unwrap().drafts.len(), 2);

    drafts.remove(&key).unwrap();
    assert_eq!(drafts.find(&key).unwrap(), None);
    assert_eq!(drafts.list().unwrap().drafts, [inputs]);
}

#[test]
fn places_and_tenants_are_apart() {
    let root = tempfile::tempdir().unwrap();
    let key = task(&["r"], "0-1");
    let mine = Drafts::new(root.path(), "store-1", "default");
    mine.keep(&draft(key.clone(), "12")).unwrap();
    for other in [Drafts::new(root.path(), "store-2", "default"), Drafts::new(root.path(), "store-1", "t2")] {
        assert_eq!(other.find(&key).unwrap(), None);
        assert!(other.list().unwrap().drafts.is_empty());
        other.keep(&draft(key.clone(), "other")).unwrap();
        other.remove(&key).unwrap();
    }
    assert!(mine.find(&key).unwrap().is_some());
}

#[test]
fn nobody_else_can_read_them() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("drafts");
    fs::create_dir(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    Drafts::new(&dir, "s", "t").keep(&draft(task(&["r"], "0-1"), "12")).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    for name in names(&dir) {
        assert_eq!(mode(&dir.join(name)), 0o600);
    }
}

#[test]
fn hostile_ids_stay_in_the_directory() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("drafts");
    let drafts = Drafts::new(&dir, "../..", "/etc");
    let long = "x".repeat(5000);
    let keys = [
        task(&["../../../etc"], "passwd"),
        task(&["..", ".."], ".."),
        task(&["a_b"], "0-1"),
        task(&["a", "b"], "0-1"),
        task(&[], ""),
        task(&[&long], &long),
        task(&["\0\n\u{1b}[31m"], "\u{202e}"),
        DraftKey::Run("/".to_owned()),
        DraftKey::Run(String::new()),
    ];
    for (number, key) in keys.iter().enumerate() {
        drafts.keep(&draft(key.clone(), &number.to_string())).unwrap();
    }
    for (number, key) in keys.iter().enumerate() {
        assert_eq!(drafts.find(key).unwrap(), Some(draft(key.clone(), &number.to_string())), "{key:?}");
    }
    assert_eq!(names(root.path()), BTreeSet::from(["drafts".to_owned()]));
    let safe = |name: &String| {
        name.len() < 128
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !name.starts_with('.')
    };
    assert!(names(&dir).iter().all(safe), "{:?}", names(&dir));
    assert_eq!(names(&dir).len(), keys.len());
}

#[test]
fn a_torn_write_never_shadows_the_good_draft() {
    let root = tempfile::tempdir().unwrap();
    let drafts = Drafts::new(root.path(), "s", "t");
    let key = task(&["r"], "0-1");
    drafts.keep(&draft(key.clone(), "good")).unwrap();
    let good = drafts.path(&key);
    let whole = fs::read(&good).unwrap();
    // What kill -9 leaves at any point before the rename: a temporary file beside the good one.
    for length in [0, 1, whole.len() / 2, whole.len()] {
        let torn = format!("{}.{}-0.tmp", good.display(), u32::MAX);
        fs::write(&torn, &whole[..length]).unwrap();
        assert_eq!(drafts.find(&key).unwrap(), Some(draft(key.clone(), "good")));
        let kept = drafts.list().unwrap();
        assert_eq!((kept.drafts.len(), kept.troubles.len()), (1, 0));
        drafts.keep(&draft(key.clone(), "good")).unwrap();
    }
    // Young ones may belong to a live process; old ones go at the next start.
    assert_eq!(names(root.path()).len(), 2);
    for name in names(root.path()) {
        let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
        fs::File::options().write(true).open(root.path().join(name)).unwrap().set_modified(long_ago).unwrap();
    }
    let again = Drafts::new(root.path(), "s", "t");
    assert_eq!(names(root.path()).len(), 1);
    assert!(again.find(&key).unwrap().is_some());
}

#[test]
fn a_failed_write_leaves_the_old_draft_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let drafts = Drafts::new(root.path(), "s", "t");
    let key = task(&["r"], "0-1");
    // A directory in the file's place makes the rename fail.
    fs::create_dir_all(drafts.path(&key).join("x")).unwrap();
    assert!(matches!(drafts.keep(&draft(key, "12")), Err(LocalError::Io { doing: "written", .. })));
    assert_eq!(names(root.path()).len(), 1);
}

#[test]
fn what_cannot_be_understood_is_kept_aside_and_reported() {
    let root = tempfile::tempdir().unwrap();
    let drafts = Drafts::new(root.path(), "s", "t");
    let key = task(&["r"], "0-1");
    drafts.keep(&draft(key.clone(), "12")).unwrap();
    let path = drafts.path(&key);
    let whole = fs::read(&path).unwrap();
    let newer = String::from_utf8(whole.clone()).unwrap().replacen("format = 1", "format = 2", 1).into_bytes();
    let cases: [(&[u8], &str); 5] = [
        (&whole[..whole.len() / 2], ".damaged"),
        (b"\xff\xfe", ".damaged-1"),
        (b"", ".damaged-2"),
        (b"format = 0", ".damaged-3"),
        (&newer, ".format-2"),
    ];
    for (content, ending) in cases {
        fs::write(&path, content).unwrap();
        let error = drafts.find(&key).unwrap_err();
        let LocalError::SetAside { path: aside, .. } = &error else { panic!("{error}") };
        assert!(aside.to_string_lossy().ends_with(ending), "{error}");
        assert_eq!(fs::read(aside).unwrap(), content);
        // Reported once; typing goes on.
        assert_eq!(drafts.find(&key).unwrap(), None);
    }
    fs::write(&path, "?").unwrap();
    let kept = drafts.list().unwrap();
    assert_eq!((kept.drafts.len(), kept.troubles.len()), (0, 1));
    drafts.keep(&draft(key.clone(), "again")).unwrap();
    assert!(drafts.find(&key).unwrap().is_some());
}

#[test]
fn a_file_of_something_else_is_not_taken_for_this() {
    let root = tempfile::tempdir().unwrap();
    let drafts = Drafts::new(root.path(), "s", "t");
    let (one, two) = (task(&["r"], "0-1"), task(&["r"], "0-2"));
    drafts.keep(&draft(one.clone(), "12")).unwrap();
    fs::rename(drafts.path(&one), drafts.path(&two)).unwrap();
    assert_eq!(drafts.find(&two).unwrap(), None);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<String>().prop_map(|text| Value::Str(text.into())),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Double),
        Just(Value::Double(f64::NAN)),
        any::<bool>().prop_map(Value::Bool),
        (any::<String>(), any::<Vec<u8>>()).prop_map(|(text, bytes)| Value::Opaque {
            kind: "BYTES".to_owned(),
            text: text.into(),
            bytes
        }),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        proptest::collection::btree_map(any::<String>(), inner, 0..4).prop_map(Value::Struct)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_draft_comes_back(
        run in proptest::collection::vec(any::<String>(), 0..3),
        guid: String,
        name: String,
        texts in proptest::collection::btree_map(any::<String>(), (proptest::collection::vec(any::<String>(), 0..3), any::<String>()), 0..4),
        values in proptest::collection::btree_map(any::<String>(), value(), 0..4),
        events: u32,
    ) {
        let root = tempfile::tempdir().unwrap();
        let drafts = Drafts::new(root.path(), "s", "t");
        let given = Draft {
            key: DraftKey::Task(TaskId { run: RunId::new(run), guid }),
            def: Some(DefId { name: Untrusted::from(name), version: -1 }),
            at: Timestamp::from_nanosecond(1_700_000_000_123_456_789).unwrap(),
            texts: texts
                .into_iter()
                .map(|(key, (path, text))| (key, DraftText { path: FieldPath::new(path), text }))
                .collect(),
            base: Base { events: events as usize, values },
        };
        drafts.keep(&given).unwrap();
        let found = drafts.find(&given.key).unwrap().unwrap();
        // Through the text, because "not a number" is not equal to itself.
        prop_assert_eq!(format!("{found:?}"), format!("{given:?}"));
    }
}
