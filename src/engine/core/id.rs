//! Ids in their text forms, valid names, and times.

use prost_types::Timestamp;

use crate::api::littlehorse as lh;

/// True for a name LittleHorse calls a valid hostname: ASCII letters, digits and dashes, no dash at either end.
pub fn is_valid_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let (Some(first), Some(last)) = (name.bytes().next(), name.bytes().next_back()) else { return false };
    first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() && name.bytes().all(inner)
}

/// `<parent>_<id>`, the parent in the same form; just the id for a root.
pub fn wf_run_text(id: &lh::WfRunId) -> String {
    let mut parts = vec![id.id.as_str()];
    let mut at = id;
    while let Some(parent) = at.parent_wf_run_id.as_deref() {
        parts.push(&parent.id);
        at = parent;
    }
    parts.reverse();
    parts.join("_")
}

/// Back from the text form. Ids hold no `_` themselves: they are valid names.
pub fn wf_run_id(text: &str) -> lh::WfRunId {
    let mut parts = text.split('_');
    let mut id = lh::WfRunId { id: parts.next().unwrap_or_default().to_owned(), parent_wf_run_id: None };
    for part in parts {
        id = lh::WfRunId { id: part.to_owned(), parent_wf_run_id: Some(Box::new(id)) };
    }
    id
}

/// `name/major/revision` with the numbers as five digits.
pub fn wf_spec_text(id: &lh::WfSpecId) -> String {
    format!("{}/{:05}/{:05}", id.name, id.major_version, id.revision)
}

/// `<wfRunId>/<guid>`.
pub fn user_task_run_text(id: &lh::UserTaskRunId) -> String {
    let run = id.wf_run_id.as_ref().map(wf_run_text).unwrap_or_default();
    format!("{run}/{}", id.user_task_guid)
}

/// A message time from milliseconds since 1970.
pub fn timestamp(milliseconds: i64) -> Timestamp {
    #[allow(clippy::cast_possible_truncation)] // the remainder is below 10^9
    Timestamp { seconds: milliseconds.div_euclid(1000), nanos: (milliseconds.rem_euclid(1000) * 1_000_000) as i32 }
}

/// Milliseconds since 1970, parts of a millisecond cut off downwards; the ends of the range for times beyond it.
pub fn milliseconds(time: &Timestamp) -> i64 {
    time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanos).div_euclid(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_follow_the_rule() {
        for name in ["a", "1", "Ab-9", "a--b", &"n".repeat(300)] {
            assert!(is_valid_name(name), "{name:?}");
        }
        for name in ["", "-a", "a-", "a_b", "a.b", "a/b", "a b", "ä", "a\n", "-"] {
            assert!(!is_valid_name(name), "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn run_ids_come_back(parts in prop::collection::vec("[a-z0-9]{1,4}", 1..4)) {
            let text = parts.join("_");
            prop_assert_eq!(wf_run_text(&wf_run_id(&text)), text);
        }

        #[test]
        fn times_come_back(time in -1_000_000_000_000_000i64..1_000_000_000_000_000) {
            prop_assert_eq!(milliseconds(&timestamp(time)), time);
        }
    }
}
