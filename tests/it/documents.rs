//! The documents say what the program does.

use std::fmt::Write as _;

use ostler::input::{BINDINGS, Context};

const KEYS: &str = include_str!("../../docs/keys.md");

/// The tables of `docs/keys.md`, from the one table of commands.
fn tables() -> String {
    let mut text = String::new();
    for context in Context::ALL {
        write!(text, "\n## {}\n\n| keys | what they do |\n|---|---|\n", context.label()).unwrap();
        for binding in BINDINGS.iter().filter(|binding| binding.context == context) {
            let keys: Vec<String> = binding.keys.iter().map(|key| format!("`{key}`")).collect();
            writeln!(text, "| {} | {} |", keys.join(" "), binding.help).unwrap();
        }
    }
    text
}

#[test]
fn the_guide_to_the_keys_is_the_table_of_commands() {
    let wanted = tables();
    let at = KEYS.find("\n## ").unwrap_or(KEYS.len());
    assert!(KEYS[at..] == wanted, "docs/keys.md should go on after its introduction with:\n{wanted}");
}
