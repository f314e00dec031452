//! JSON paths as Jayway reads them: the dialect that LittleHorse promises. It differs from RFC 9535 in what a missing
//! place gives (null), in paths without `$`, and in functions such as `$.list.length()`; that is why no library is used.

use serde_json::{Map, Number, Value as Json};

use crate::engine::core::value::Wrong;

mod filter;
mod parse;
#[cfg(test)]
mod tests;

use filter::Filter;

/// The most places one path may match: `$..*` of a large document several times over would take for ever.
const MAX_MATCHES: usize = 100_000;

/// A parsed path.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    /// One member, or several as one object.
    Members(Vec<String>),
    /// Items by position; negative ones count from the end.
    Items(Vec<i64>),
    /// Items from, to (exclusive).
    Slice(Option<i64>, Option<i64>),
    /// Every member or item.
    All,
    /// The node itself and everything below it.
    Deep,
    /// Members or items for which this holds.
    Where(Filter),
    /// What a function makes of everything found so far.
    Call(Function),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Length,
    Keys,
    Min,
    Max,
    Avg,
    Sum,
    StdDev,
    First,
    Last,
    Index(i64),
}

impl JsonPath {
    /// Parses a path. One that does not start with `$` or `@` is taken below the root.
    pub fn parse(path: &str) -> Result<Self, Wrong> {
        parse::parse(path)
    }

    /// True where the path names at most one place.
    fn is_definite(steps: &[Step]) -> bool {
        steps.iter().all(|step| match step {
            Step::Members(names) => names.len() == 1,
            Step::Items(positions) => positions.len() == 1,
            Step::Call(_) => true,
            Step::Slice(..) | Step::All | Step::Deep | Step::Where(_) => false,
        })
    }

    /// What stands at the path: `None` for a missing place of a definite path, a list for any other path.
    pub fn read(&self, root: &Json) -> Result<Option<Json>, Wrong> {
        read_steps(&self.steps, root, root)
    }

    /// Puts `new` at the path: at every place it matches, or as a new member of an object that is there. The error is
    /// what Jayway says.
    pub fn write(&self, root: &mut Json, new: &Json) -> Result<(), Wrong> {
        if self.steps.is_empty() {
            return Err(Wrong::new("Invalid set operation"));
        }
        let whole = root.clone();
        write_at(root, &self.steps, new, &whole, &mut "$".to_owned(), &mut 0)
    }
}

fn read_steps(steps: &[Step], from: &Json, root: &Json) -> Result<Option<Json>, Wrong> {
    let mut found = vec![from];
    // What a function made belongs to nobody in the document; the rest of the path is read from it.
    for (position, step) in steps.iter().enumerate() {
        if let Step::Call(function) = step {
            let so_far = collect(&found, JsonPath::is_definite(steps.get(..position).unwrap_or_default()));
            let made = match so_far {
                Some(value) => function.apply(&value)?,
                None => None,
            };
            let rest = steps.get(position + 1..).unwrap_or_default();
            return match made {
                Some(value) if !rest.is_empty() => read_steps(rest, &value, root),
                made => Ok(made),
            };
        }
        // Several members of the last step come as one object, as Jayway merges them.
        if let Step::Members(names) = step
            && names.len() > 1
        {
            let merged: Vec<Json> = found.iter().filter_map(|node| merge(node, names)).collect();
            let definite = JsonPath::is_definite(steps.get(..position).unwrap_or_default());
            let merged: Vec<&Json> = merged.iter().collect();
            let rest = steps.get(position + 1..).unwrap_or_default();
            return match (collect(&merged, definite), rest.is_empty()) {
                (Some(value), false) => read_steps(rest, &value, root),
                (value, _) => Ok(value),
            };
        }
        let mut next = Vec::new();
        for node in found {
            step.follow(node, root, &mut next)?;
            if next.len() > MAX_MATCHES {
                return Err(Wrong::new(format!("the path matches more than {MAX_MATCHES} places")));
            }
        }
        found = next;
    }
    Ok(collect(&found, JsonPath::is_definite(steps)))
}

fn merge(node: &Json, names: &[String]) -> Option<Json> {
    let members = node.as_object()?;
    let merged = names.iter().filter_map(|name| members.get(name).map(|value| (name.clone(), value.clone())));
    Some(Json::Object(merged.collect::<Map<_, _>>()))
}

fn collect(found: &[&Json], definite: bool) -> Option<Json> {
    if definite { found.first().map(|value| (*value).clone()) } else { Some(found.iter().copied().cloned().collect()) }
}

/// A position in a list of that length; negative ones count from the end.
fn place(position: i64, length: usize) -> Option<usize> {
    let length = i64::try_from(length).ok()?;
    let position = if position < 0 { length.checked_add(position)? } else { position };
    if (0..length).contains(&position) { usize::try_from(position).ok() } else { None }
}

/// The bounds of a slice of a list of that length.
fn bounds(from: Option<i64>, to: Option<i64>, length: usize) -> (usize, usize) {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let clamp = |position: i64| if position < 0 { (length + position).max(0) } else { position.min(length) };
    let (from, to) = (from.map_or(0, clamp), to.map_or(length, clamp));
    (usize::try_from(from).unwrap_or(0), usize::try_from(to).unwrap_or(0))
}

impl Step {
    fn follow<'j>(&self, node: &'j Json, root: &Json, next: &mut Vec<&'j Json>) -> Result<(), Wrong> {
        match (self, node) {
            (Step::Members(names), Json::Object(members)) => next.extend(names.iter().filter_map(|n| members.get(n))),
            (Step::Items(positions), Json::Array(items)) => {
                next.extend(positions.iter().filter_map(|position| items.get(place(*position, items.len())?)));
            }
            (Step::Slice(from, to), Json::Array(items)) => {
                let (from, to) = bounds(*from, *to, items.len());
                next.extend(items.get(from..to).unwrap_or_default());
            }
            (Step::All, Json::Array(items)) => next.extend(items),
            (Step::All, Json::Object(members)) => next.extend(members.values()),
            (Step::Deep, node) => deep(node, next)?,
            (Step::Where(filter), Json::Array(items)) => {
                for item in items {
                    if filter.holds(item, root)? {
                        next.push(item);
                    }
                }
            }
            // Jayway asks an object itself, not its members.
            (Step::Where(filter), Json::Object(_)) if filter.holds(node, root)? => next.push(node),
            _ => {}
        }
        Ok(())
    }
}

fn deep<'j>(node: &'j Json, next: &mut Vec<&'j Json>) -> Result<(), Wrong> {
    if next.len() > MAX_MATCHES {
        return Err(Wrong::new(format!("the path matches more than {MAX_MATCHES} places")));
    }
    next.push(node);
    match node {
        Json::Array(items) => items.iter().try_for_each(|item| deep(item, next)),
        Json::Object(members) => members.values().try_for_each(|member| deep(member, next)),
        _ => Ok(()),
    }
}

fn write_at(
    node: &mut Json,
    steps: &[Step],
    new: &Json,
    root: &Json,
    at: &mut String,
    written: &mut usize,
) -> Result<(), Wrong> {
    let Some((step, rest)) = steps.split_first() else {
        *written += 1;
        if *written > MAX_MATCHES {
            return Err(Wrong::new(format!("the path matches more than {MAX_MATCHES} places")));
        }
        *node = new.clone();
        return Ok(());
    };
    let length = at.len();
    match step {
        Step::Members(names) => {
            for name in names {
                let Json::Object(members) = &mut *node else {
                    return Err(Wrong::new(format!(
                        "Expected to find an object with property ['{name}'] in path {at}"
                    )));
                };
                if rest.is_empty() {
                    members.insert(name.clone(), new.clone());
                    continue;
                }
                at.push_str(&format!("['{name}']"));
                match members.get_mut(name) {
                    Some(member) => write_at(member, rest, new, root, at, written)?,
                    None => return Err(Wrong::new(format!("Missing property in path {at}"))),
                }
                at.truncate(length);
            }
        }
        Step::Items(positions) => {
            let Json::Array(items) = &mut *node else {
                return Err(Wrong::new(format!("Filter: [?] can only be applied to arrays in path {at}")));
            };
            for position in positions {
                let place = place(*position, items.len());
                // Java's exception has no text there, so LittleHorse says "null".
                let item = place.and_then(|place| items.get_mut(place)).ok_or_else(|| Wrong::new("null"))?;
                at.push_str(&format!("[{position}]"));
                write_at(item, rest, new, root, at, written)?;
                at.truncate(length);
            }
        }
        Step::Slice(from, to) => {
            if let Json::Array(items) = node {
                let (from, to) = bounds(*from, *to, items.len());
                for item in items.get_mut(from..to).unwrap_or_default() {
                    write_at(item, rest, new, root, at, written)?;
                }
            }
        }
        Step::All => match node {
            Json::Array(items) => {
                for item in items {
                    write_at(item, rest, new, root, at, written)?;
                }
            }
            Json::Object(members) => {
                for member in members.values_mut() {
                    write_at(member, rest, new, root, at, written)?;
                }
            }
            _ => {}
        },
        Step::Where(filter) => match node {
            Json::Array(items) => {
                for item in items {
                    if filter.holds(item, root)? {
                        write_at(item, rest, new, root, at, written)?;
                    }
                }
            }
            node if filter.holds(node, root)? => write_at(node, rest, new, root, at, written)?,
            _ => {}
        },
        Step::Deep | Step::Call(_) => return Err(Wrong::new("Invalid set operation")),
    }
    Ok(())
}

impl Function {
    fn apply(self, value: &Json) -> Result<Option<Json>, Wrong> {
        let whole = |length: usize| Some(Json::from(length));
        let items = value.as_array();
        Ok(match self {
            Function::Length => match value {
                Json::Array(items) => whole(items.len()),
                Json::Object(members) => whole(members.len()),
                _ => None,
            },
            Function::Keys => value.as_object().map(|members| members.keys().cloned().map(Json::String).collect()),
            Function::First => items.and_then(|items| items.first().cloned()),
            Function::Last => items.and_then(|items| items.last().cloned()),
            Function::Index(position) => {
                items.and_then(|items| place(position, items.len()).and_then(|place| items.get(place).cloned()))
            }
            Function::Min | Function::Max | Function::Avg | Function::Sum | Function::StdDev => {
                let numbers: Vec<f64> = items.into_iter().flatten().filter_map(Json::as_f64).collect();
                if numbers.is_empty() {
                    return Err(Wrong::new("Aggregation function attempted to calculate value using empty array"));
                }
                let count = numbers.len() as f64;
                let sum: f64 = numbers.iter().sum();
                let number = match self {
                    Function::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
                    Function::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                    Function::Avg => sum / count,
                    Function::Sum => sum,
                    _ => {
                        let squares: f64 = numbers.iter().map(|number| number * number).sum();
                        (squares / count - (sum / count).powi(2)).max(0.0).sqrt()
                    }
                };
                Number::from_f64(number).map(Json::Number)
            }
        })
    }
}
