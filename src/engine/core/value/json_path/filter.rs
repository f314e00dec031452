//! Filters: `[?(@.price < 10 && @.tags contains 'new')]`.

use std::cmp::Ordering;

use serde_json::Value as Json;

use crate::engine::core::value::Wrong;
use crate::engine::core::value::json_path::parse::{Cursor, quoted, steps};
use crate::engine::core::value::json_path::{JsonPath, Step, read_steps};

/// A condition on a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// One of these.
    Any(Vec<Filter>),
    /// All of these.
    All(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// There is something here.
    Exists(Operand),
    /// These two compare so.
    Relation(Operand, Relation, Operand),
}

/// One side of a relation.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// From the node that is asked.
    Here(Vec<Step>),
    /// From the root of the document.
    Root(Vec<Step>),
    /// Written down.
    Literal(Json),
}

/// How two operands compare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Relation {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
    Contains,
    Empty,
    Size,
}

/// In the order in which they are tried: `<=` before `<`.
const RELATIONS: [(&str, Relation); 12] = [
    ("===", Relation::Equal),
    ("==", Relation::Equal),
    ("!=", Relation::NotEqual),
    ("<=", Relation::LessEqual),
    (">=", Relation::GreaterEqual),
    ("<", Relation::Less),
    (">", Relation::Greater),
    ("in ", Relation::In),
    ("nin ", Relation::NotIn),
    ("contains ", Relation::Contains),
    ("empty ", Relation::Empty),
    ("size ", Relation::Size),
];

/// Parses a filter up to the bracket that ends it.
pub fn parse(cursor: &mut Cursor) -> Result<Filter, Wrong> {
    let mut any = vec![all(cursor)?];
    while next_is(cursor, "||") {
        any.push(all(cursor)?);
    }
    Ok(if any.len() == 1 { any.remove(0) } else { Filter::Any(any) })
}

fn all(cursor: &mut Cursor) -> Result<Filter, Wrong> {
    let mut all = vec![one(cursor)?];
    while next_is(cursor, "&&") {
        all.push(one(cursor)?);
    }
    Ok(if all.len() == 1 { all.remove(0) } else { Filter::All(all) })
}

fn next_is(cursor: &mut Cursor, text: &str) -> bool {
    cursor.skip_blanks();
    cursor.takes(text)
}

fn one(cursor: &mut Cursor) -> Result<Filter, Wrong> {
    cursor.skip_blanks();
    cursor.nest()?;
    let filter = if cursor.takes("!") {
        Filter::Not(Box::new(one(cursor)?))
    } else if cursor.takes("(") {
        let inner = parse(cursor)?;
        cursor.demand(")")?;
        inner
    } else {
        let left = operand(cursor)?;
        cursor.skip_blanks();
        match RELATIONS.iter().find(|(text, _)| cursor.takes(text)) {
            Some((_, relation)) => Filter::Relation(left, *relation, operand(cursor)?),
            None => Filter::Exists(left),
        }
    };
    cursor.nesting -= 1;
    Ok(filter)
}

fn operand(cursor: &mut Cursor) -> Result<Operand, Wrong> {
    cursor.skip_blanks();
    match cursor.peek() {
        Some('@') => {
            cursor.take();
            steps(cursor).map(Operand::Here)
        }
        Some('$') => {
            cursor.take();
            steps(cursor).map(Operand::Root)
        }
        _ => literal(cursor).map(Operand::Literal),
    }
}

fn literal(cursor: &mut Cursor) -> Result<Json, Wrong> {
    cursor.skip_blanks();
    match cursor.peek() {
        Some('\'' | '"') => quoted(cursor).map(Json::String),
        Some('[') => {
            cursor.take();
            cursor.nest()?;
            let mut items = Vec::new();
            cursor.skip_blanks();
            if !cursor.takes("]") {
                items.push(literal(cursor)?);
                while next_is(cursor, ",") {
                    items.push(literal(cursor)?);
                }
                cursor.demand("]")?;
            }
            cursor.nesting -= 1;
            Ok(Json::Array(items))
        }
        _ => {
            let word = cursor.take_while(|next| next.is_ascii_alphanumeric() || matches!(next, '-' | '+' | '.'));
            match word.as_str() {
                "true" => Ok(Json::Bool(true)),
                "false" => Ok(Json::Bool(false)),
                "null" => Ok(Json::Null),
                word => serde_json::from_str::<serde_json::Number>(word)
                    .map(Json::Number)
                    .map_err(|_| cursor.wrong("Expected an operand of a filter")),
            }
        }
    }
}

impl Filter {
    /// Whether it holds for a node.
    pub fn holds(&self, node: &Json, root: &Json) -> Result<bool, Wrong> {
        Ok(match self {
            Filter::Any(filters) => {
                for filter in filters {
                    if filter.holds(node, root)? {
                        return Ok(true);
                    }
                }
                false
            }
            Filter::All(filters) => {
                for filter in filters {
                    if !filter.holds(node, root)? {
                        return Ok(false);
                    }
                }
                true
            }
            Filter::Not(filter) => !filter.holds(node, root)?,
            Filter::Exists(operand) => operand.exists(node, root)?,
            Filter::Relation(left, relation, right) => {
                let (left, right) = (left.read(node, root)?, right.read(node, root)?);
                match (left, right) {
                    (Some(left), Some(right)) => relation.holds(&left, &right),
                    // A missing side differs from everything and compares with nothing.
                    (None, None) => *relation == Relation::Equal,
                    _ => matches!(relation, Relation::NotEqual | Relation::NotIn),
                }
            }
        })
    }
}

impl Operand {
    fn read(&self, node: &Json, root: &Json) -> Result<Option<Json>, Wrong> {
        match self {
            Operand::Here(steps) => read_steps(steps, node, root),
            Operand::Root(steps) => read_steps(steps, root, root),
            Operand::Literal(value) => Ok(Some(value.clone())),
        }
    }

    fn exists(&self, node: &Json, root: &Json) -> Result<bool, Wrong> {
        let found = self.read(node, root)?;
        Ok(match (self, found) {
            (Operand::Literal(value), _) => *value != Json::Bool(false),
            (Operand::Here(steps) | Operand::Root(steps), Some(found)) => {
                JsonPath::is_definite(steps) || found.as_array().is_none_or(|items| !items.is_empty())
            }
            (_, None) => false,
        })
    }
}

impl Relation {
    fn holds(self, left: &Json, right: &Json) -> bool {
        let ordered = || match (left, right) {
            (Json::Number(left), Json::Number(right)) => left.as_f64().partial_cmp(&right.as_f64()),
            (Json::String(left), Json::String(right)) => Some(left.cmp(right)),
            _ => None,
        };
        match self {
            Relation::Equal => same(left, right),
            Relation::NotEqual => !same(left, right),
            Relation::Less => ordered() == Some(Ordering::Less),
            Relation::LessEqual => ordered().is_some_and(Ordering::is_le),
            Relation::Greater => ordered() == Some(Ordering::Greater),
            Relation::GreaterEqual => ordered().is_some_and(Ordering::is_ge),
            Relation::In => right.as_array().is_some_and(|items| items.iter().any(|item| same(left, item))),
            Relation::NotIn => !Relation::In.holds(left, right),
            Relation::Contains => match (left, right) {
                (Json::Array(items), right) => items.iter().any(|item| same(item, right)),
                (Json::String(left), Json::String(right)) => left.contains(right.as_str()),
                _ => false,
            },
            Relation::Empty => length(left).map(|length| length == 0) == right.as_bool(),
            Relation::Size => length(left).is_some() && length(left) == right.as_u64(),
        }
    }
}

fn length(value: &Json) -> Option<u64> {
    let length = match value {
        Json::Array(items) => items.len(),
        Json::Object(members) => members.len(),
        Json::String(text) => text.chars().count(),
        _ => return None,
    };
    u64::try_from(length).ok()
}

/// Equality in which 1 is 1.0.
fn same(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => left.as_f64() == right.as_f64(),
        _ => left == right,
    }
}
