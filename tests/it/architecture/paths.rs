//! Finds the paths that a Rust source file names, well enough to hold the layering.
//!
//! A small lexer and a `use` tree reader, not a parser: paths inside macros count too, which a syntax tree would hide.

use std::collections::BTreeSet;

/// A path as the file means it: `crate::…` and `super::…` are resolved to start with `crate`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// The line it starts on, from 1.
    pub line: usize,
    /// Its segments; a glob is `*`.
    pub path: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    PathSep,
    Sign(char),
}

/// Every path in `source`, which is the module `module` of the crate (empty for the root).
///
/// In a binary the library goes by its own name; `library` is that name, read as `crate`.
pub fn find(source: &str, module: &[String], library: &str) -> BTreeSet<Named> {
    let tokens = lex(source);
    let mut finder =
        Finder { tokens, at: 0, modules: vec![(0, module.to_vec())], depth: 0, library, found: BTreeSet::new() };
    finder.run();
    finder.found
}

struct Finder<'a> {
    tokens: Vec<(usize, Token)>,
    at: usize,
    /// The modules around this place, each with the brace depth at which it opened.
    modules: Vec<(usize, Vec<String>)>,
    depth: usize,
    library: &'a str,
    found: BTreeSet<Named>,
}

impl Finder<'_> {
    fn token(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.at + ahead).map(|(_, token)| token)
    }

    fn word(&self, ahead: usize) -> Option<&str> {
        match self.token(ahead) {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).map_or(0, |(line, _)| *line)
    }

    fn run(&mut self) {
        while self.at < self.tokens.len() {
            match self.token(0).cloned() {
                Some(Token::Sign('{')) => {
                    self.depth += 1;
                    self.at += 1;
                }
                Some(Token::Sign('}')) => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.modules.len() > 1 && self.modules.last().is_some_and(|(depth, _)| *depth > self.depth) {
                        self.modules.pop();
                    }
                    self.at += 1;
                }
                Some(Token::Word(word)) if word == "mod" && self.token(2) == Some(&Token::Sign('{')) => {
                    let name = self.word(1).unwrap_or_default().to_owned();
                    let mut path = self.module().to_vec();
                    path.push(name);
                    self.depth += 1;
                    self.modules.push((self.depth, path));
                    self.at += 3;
                }
                Some(Token::Word(word)) if word == "use" => {
                    self.at += 1;
                    self.use_tree(&[]);
                }
                Some(Token::Word(word)) if word == "extern" && self.word(1) == Some("crate") => {
                    let line = self.line();
                    let name = self.word(2).map_or("", |name| if name == "self" { "crate" } else { name });
                    self.name(line, vec![name.to_owned(), "*".into()]);
                    self.at += 3;
                }
                Some(Token::Word(_)) | Some(Token::PathSep) => self.path(),
                _ => self.at += 1,
            }
        }
    }

    fn module(&self) -> &[String] {
        self.modules.last().map_or(&[], |(_, path)| path)
    }

    /// A path in an expression, a type or a macro; a lone word is none.
    fn path(&mut self) {
        let line = self.line();
        let mut path = Vec::new();
        if self.token(0) == Some(&Token::PathSep) {
            self.at += 1;
        }
        while let Some(word) = self.word(0) {
            path.push(word.to_owned());
            self.at += 1;
            if self.token(0) != Some(&Token::PathSep) {
                break;
            }
            self.at += 1;
        }
        if path.len() > 1 {
            self.name(line, path);
        } else if path.is_empty() {
            self.at += usize::from(self.token(0).is_some() && !matches!(self.token(0), Some(Token::Sign('{' | '}'))));
        }
    }

    /// `a::{b, c::*}` after the word `use`, or inside the braces of one.
    fn use_tree(&mut self, prefix: &[String]) {
        let line = self.line();
        let mut path = prefix.to_vec();
        loop {
            match self.token(0).cloned() {
                Some(Token::PathSep) => self.at += 1,
                Some(Token::Word(word)) if word == "as" => self.at += 2,
                Some(Token::Word(word)) => {
                    path.push(word);
                    self.at += 1;
                }
                Some(Token::Sign('*')) => {
                    path.push("*".into());
                    self.at += 1;
                }
                Some(Token::Sign('{')) => {
                    self.at += 1;
                    while self.at < self.tokens.len() && self.token(0) != Some(&Token::Sign('}')) {
                        self.use_tree(&path);
                        if self.token(0) == Some(&Token::Sign(',')) {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                _ => break,
            }
        }
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        self.name(line, path);
        if prefix.is_empty() && self.token(0) == Some(&Token::Sign(';')) {
            self.at += 1;
        }
    }

    fn name(&mut self, line: usize, path: Vec<String>) {
        let mut segments = path.into_iter().peekable();
        let mut whole: Vec<String> = match segments.peek().map(String::as_str) {
            Some("crate") => {
                segments.next();
                vec!["crate".into()]
            }
            Some(name) if name == self.library => {
                segments.next();
                vec!["crate".into()]
            }
            Some("self" | "super") => {
                let mut base = self.module().to_vec();
                while let Some(step) = segments.next_if(|step| step == "self" || step == "super") {
                    if step == "super" {
                        base.pop();
                    }
                }
                base.insert(0, "crate".into());
                base
            }
            _ => Vec::new(),
        };
        whole.extend(segments);
        self.found.insert(Named { line, path: whole });
    }
}

/// Words, `::` and single signs with their lines; comments, texts and numbers are gone.
fn lex(source: &str) -> Vec<(usize, Token)> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    let peek = |at: usize| chars.get(at).copied().unwrap_or('\0');
    while at < chars.len() {
        let c = peek(at);
        if c == '\n' {
            line += 1;
            at += 1;
        } else if c == '/' && peek(at + 1) == '/' {
            while at < chars.len() && peek(at) != '\n' {
                at += 1;
            }
        } else if c == '/' && peek(at + 1) == '*' {
            let mut depth = 0;
            loop {
                if peek(at) == '/' && peek(at + 1) == '*' {
                    depth += 1;
                    at += 2;
                } else if peek(at) == '*' && peek(at + 1) == '/' {
                    depth -= 1;
                    at += 2;
                } else {
                    line += usize::from(peek(at) == '\n');
                    at += 1;
                }
                if depth == 0 || at >= chars.len() {
                    break;
                }
            }
        } else if let Some(hashes) = raw_text(&chars, at) {
            at += chars[at..].iter().take_while(|c| **c != '"').count() + 1;
            loop {
                let closes = peek(at) == '"' && (1..=hashes).all(|n| peek(at + n) == '#');
                line += usize::from(peek(at) == '\n');
                at += 1;
                if closes || at >= chars.len() {
                    at += hashes;
                    break;
                }
            }
        } else if c == '"' {
            at += 1;
            while at < chars.len() && peek(at) != '"' {
                at += usize::from(peek(at) == '\\');
                line += usize::from(peek(at) == '\n');
                at += 1;
            }
            at += 1;
        } else if c == '\'' {
            // A lifetime has no closing quote after one character; a character has.
            if peek(at + 1) == '\\' {
                at += 3;
                while at < chars.len() && peek(at) != '\'' {
                    at += 1;
                }
                at += 1;
            } else if peek(at + 2) == '\'' {
                at += 3;
            } else {
                at += 1;
                while peek(at).is_alphanumeric() || peek(at) == '_' {
                    at += 1;
                }
            }
        } else if c.is_alphabetic() || c == '_' {
            let start = at;
            while peek(at).is_alphanumeric() || peek(at) == '_' {
                at += 1;
            }
            tokens.push((line, Token::Word(chars[start..at].iter().collect())));
        } else if c.is_ascii_digit() {
            while peek(at).is_alphanumeric() || peek(at) == '_' {
                at += 1;
            }
        } else if c == ':' && peek(at + 1) == ':' {
            tokens.push((line, Token::PathSep));
            at += 2;
        } else {
            // `$crate` in a macro is the crate itself; `r#name` is the name.
            if !c.is_whitespace() && c != '$' && c != '#' {
                tokens.push((line, Token::Sign(c)));
            }
            at += 1;
        }
    }
    tokens
}

/// The number of hashes of a raw text that starts here.
fn raw_text(chars: &[char], at: usize) -> Option<usize> {
    let mut here = at;
    let before = at.checked_sub(1).and_then(|at| chars.get(at));
    if before.is_some_and(|c| c.is_alphanumeric() || *c == '_') {
        return None;
    }
    here += usize::from(matches!(chars.get(here), Some('b' | 'c')));
    if chars.get(here) != Some(&'r') {
        return None;
    }
    here += 1;
    let hashes = chars[here..].iter().take_while(|c| **c == '#').count();
    (chars.get(here + hashes) == Some(&'"')).then_some(hashes)
}
