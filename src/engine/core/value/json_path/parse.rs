//! The grammar of paths.

use crate::engine::core::value::Wrong;
use crate::engine::core::value::json_path::{Function, JsonPath, Step, filter};

/// How deep filters may nest in filters: the parser is recursive.
const MAX_NESTING: usize = 20;

/// The characters of a path and where we are in them.
pub struct Cursor {
    chars: Vec<char>,
    at: usize,
    /// Filters around the place.
    pub nesting: usize,
}

impl Cursor {
    /// At the start of this text.
    fn new(text: &str) -> Self {
        Self { chars: text.chars().collect(), at: 0, nesting: 0 }
    }

    /// The next character.
    pub fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    /// Takes the next character.
    pub fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    /// Takes this text if it comes next.
    pub fn takes(&mut self, text: &str) -> bool {
        let end = self.at + text.chars().count();
        let found = self.chars.get(self.at..end).is_some_and(|next| next.iter().copied().eq(text.chars()));
        if found {
            self.at = end;
        }
        found
    }

    /// Skips blanks.
    pub fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Takes characters while they fit.
    pub fn take_while(&mut self, fits: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(next) = self.peek().filter(|next| fits(*next)) {
            taken.push(next);
            self.at += 1;
        }
        taken
    }

    /// Demands this text.
    pub fn demand(&mut self, text: &str) -> Result<(), Wrong> {
        self.skip_blanks();
        if self.takes(text) { Ok(()) } else { Err(self.wrong(&format!("Expected '{text}'"))) }
    }

    /// Something is wrong here.
    pub fn wrong(&self, what: &str) -> Wrong {
        Wrong::new(format!("{what}. position: {}", self.at))
    }

    /// One level deeper; an error where that is too deep.
    pub fn nest(&mut self) -> Result<(), Wrong> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING { Err(self.wrong("Filters are nested too deep")) } else { Ok(()) }
    }
}

/// Parses a whole path.
pub fn parse(path: &str) -> Result<JsonPath, Wrong> {
    let path = path.trim();
    if path.is_empty() {
        return Err(Wrong::new("json can not be null or empty"));
    }
    let rooted = if path.starts_with(['$', '@']) { path.to_owned() } else { format!("$.{path}") };
    if rooted.ends_with('.') {
        return Err(Wrong::new("Path must not end with a '.' or '..'"));
    }
    let mut cursor = Cursor::new(&rooted);
    cursor.take();
    let steps = steps(&mut cursor)?;
    if cursor.peek().is_some() {
        return Err(cursor.wrong("Illegal character in the path, expected '.' or '['"));
    }
    Ok(JsonPath { steps })
}

/// Parses steps as long as there are any; stops at the first character that starts none.
pub fn steps(cursor: &mut Cursor) -> Result<Vec<Step>, Wrong> {
    let mut steps = Vec::new();
    loop {
        if cursor.takes("..") {
            steps.push(Step::Deep);
            if cursor.peek() != Some('[') {
                steps.push(dotted(cursor)?);
            }
        } else if cursor.takes(".") {
            steps.push(dotted(cursor)?);
        } else if cursor.takes("[") {
            steps.push(bracket(cursor)?);
        } else {
            return Ok(steps);
        }
    }
}

fn dotted(cursor: &mut Cursor) -> Result<Step, Wrong> {
    if cursor.takes("*") {
        return Ok(Step::All);
    }
    let start = cursor.at;
    // The characters that end a name also end an operand in a filter; a bare name may hold anything else.
    let in_filter = cursor.nesting > 0;
    let name = cursor.take_while(|next| {
        !matches!(next, '.' | '[' | '(')
            && !(in_filter
                && (next.is_whitespace() || matches!(next, ')' | ']' | ',' | '=' | '<' | '>' | '!' | '&' | '|')))
    });
    if name.chars().any(char::is_whitespace) {
        // The words of Jayway, which LittleHorse passes on.
        let hint = "Use bracket notion ['my prop'] if your property contains blank characters";
        return Err(Wrong::new(format!("{hint}. position: {start}")));
    }
    if name.is_empty() {
        return Err(cursor.wrong("Expected a property"));
    }
    if cursor.takes("(") {
        return call(cursor, &name).map(Step::Call);
    }
    Ok(Step::Members(vec![name]))
}

fn call(cursor: &mut Cursor, name: &str) -> Result<Function, Wrong> {
    cursor.skip_blanks();
    let argument = cursor.take_while(|next| next == '-' || next.is_ascii_digit());
    cursor.demand(")")?;
    Ok(match (name, argument.as_str()) {
        ("length" | "size", "") => Function::Length,
        ("keys", "") => Function::Keys,
        ("min", "") => Function::Min,
        ("max", "") => Function::Max,
        ("avg", "") => Function::Avg,
        ("sum", "") => Function::Sum,
        ("stddev", "") => Function::StdDev,
        ("first", "") => Function::First,
        ("last", "") => Function::Last,
        ("index", number) => Function::Index(integer(cursor, number)?),
        _ => return Err(Wrong::new(format!("Function with name: {name} does not exist."))),
    })
}

fn integer(cursor: &Cursor, text: &str) -> Result<i64, Wrong> {
    // Positions are 32 bits wide in Jayway; beyond them there is no list.
    let number: Option<i32> = text.parse().ok();
    number.map(i64::from).ok_or_else(|| cursor.wrong("Expected a number"))
}

fn bracket(cursor: &mut Cursor) -> Result<Step, Wrong> {
    cursor.skip_blanks();
    let step = match cursor.peek() {
        Some('*') => {
            cursor.take();
            Step::All
        }
        Some('?') => {
            cursor.take();
            cursor.demand("(")?;
            cursor.nest()?;
            let filter = filter::parse(cursor)?;
            cursor.nesting -= 1;
            cursor.demand(")")?;
            Step::Where(filter)
        }
        Some('\'' | '"') => {
            let mut names = vec![quoted(cursor)?];
            while comma(cursor) {
                names.push(quoted(cursor)?);
            }
            Step::Members(names)
        }
        _ => positions(cursor)?,
    };
    cursor.demand("]")?;
    Ok(step)
}

fn comma(cursor: &mut Cursor) -> bool {
    cursor.skip_blanks();
    let found = cursor.takes(",");
    cursor.skip_blanks();
    found
}

fn positions(cursor: &mut Cursor) -> Result<Step, Wrong> {
    let number = |cursor: &mut Cursor| -> Result<Option<i64>, Wrong> {
        cursor.skip_blanks();
        let text = cursor.take_while(|next| next == '-' || next.is_ascii_digit());
        cursor.skip_blanks();
        if text.is_empty() { Ok(None) } else { integer(cursor, &text).map(Some) }
    };
    let first = number(cursor)?;
    if cursor.takes(":") {
        return Ok(Step::Slice(first, number(cursor)?));
    }
    let mut positions = vec![first.ok_or_else(|| cursor.wrong("Could not parse token"))?];
    while cursor.takes(",") {
        positions.push(number(cursor)?.ok_or_else(|| cursor.wrong("Could not parse token"))?);
    }
    Ok(Step::Items(positions))
}

/// A text in single or double quotes.
pub fn quoted(cursor: &mut Cursor) -> Result<String, Wrong> {
    let quote = cursor.take().filter(|next| matches!(next, '\'' | '"'));
    let quote = quote.ok_or_else(|| cursor.wrong("Expected a quoted property"))?;
    let mut text = String::new();
    loop {
        match cursor.take() {
            Some('\\') => match cursor.take() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(next) => text.push(next),
                None => return Err(cursor.wrong("Property has not been closed - missing closing quote")),
            },
            Some(next) if next == quote => return Ok(text),
            Some(next) => text.push(next),
            None => return Err(cursor.wrong("Property has not been closed - missing closing quote")),
        }
    }
}
