//! Help.

use crate::app::model::{Model, Screen};
use crate::app::sheet::{Sheet, Tone};
use crate::domain::Place;
use crate::input::{BINDINGS, Context, LINES};

/// Help for the place below the overlay, then for the other places.
pub(super) fn help_sheet(model: &Model, width: usize) -> Sheet {
    let mut sheet = Sheet::new(width);
    let here = match (&model.screen, model.focus) {
        (Screen::Run(_), _) => Context::Run,
        (Screen::Start(_), _) => Context::Form,
        _ => model.context(),
    };
    sheet.heading("HELP", (Tone::Quiet, "j k scroll   Esc back".to_owned()));
    let others = Context::ALL.into_iter().filter(|context| *context != here);
    for context in std::iter::once(here).chain(others) {
        sheet.gap();
        sheet.text(Tone::Heading, context.label(), 0);
        for binding in BINDINGS.iter().filter(|binding| binding.context == context) {
            let keys: Vec<String> = binding.keys.iter().map(ToString::to_string).collect();
            row(&keys.join(" "), binding.help, &mut sheet);
        }
        if context == Context::Form {
            row("Space y n", "a yes or no: change it, yes, no", &mut sheet);
            row("Alt-Enter Ctrl-J", "a new line in a text", &mut sheet);
            row("Ctrl-Left Ctrl-W", "a word back, and deleting it", &mut sheet);
            row("Ctrl-U Ctrl-K", "delete to the beginning, to the end of the line", &mut sheet);
            row("Ctrl-_ Alt-_", "take a change back, and again", &mut sheet);
        }
    }
    sheet.gap();
    sheet.text(Tone::Heading, "Commands (:)", 0);
    for line in LINES {
        row(&line.names.join(" "), line.help, &mut sheet);
    }
    sheet.gap();
    sheet.text(Tone::Heading, "Signs", 0);
    let signs = if model.look.unicode {
        [("○", "free"), ("●", "yours"), ("◐", "somebody's"), ("✓", "completed"), ("✗", "cancelled")]
    } else {
        [("o", "free"), ("*", "yours"), ("@", "somebody's"), ("v", "completed"), ("x", "cancelled")]
    };
    for (sign, words) in signs {
        row(sign, words, &mut sheet);
    }
    sheet
}

fn row(keys: &str, help: &str, sheet: &mut Sheet) {
    sheet.hanging(&[(Tone::Accent, format!("  {keys} "))], Tone::Plain, help, 22);
}

/// How to connect to a server.
pub(super) fn connect_sheet(width: usize) -> Sheet {
    let mut sheet = Sheet::new(width);
    sheet.heading("CONNECT TO A LITTLEHORSE SERVER", (Tone::Quiet, "Esc back".to_owned()));
    sheet.gap();
    sheet.text(Tone::Plain, "Leave ostler (q) and start it with the server's address:", 0);
    sheet.gap();
    sheet.text(Tone::Strong, "ostler --server http://127.0.0.1:2023 --user amy --group finance", 2);
    sheet.gap();
    sheet.text(
        Tone::Plain,
        "Without --server, ostler also reads LHC_API_HOST, LHC_API_PORT and LHC_TENANT_ID from the environment, and \
         ~/.config/littlehorse.config, as every LittleHorse client does.",
        0,
    );
    sheet.gap();
    sheet.text(
        Tone::Quiet,
        "Only plain text so far: a configuration that asks for TLS or for signing in is refused, never sent in plain text.",
        0,
    );
    sheet
}

/// How to make tasks of one's own.
pub(super) fn how_to_sheet(model: &Model, width: usize) -> Sheet {
    let mut sheet = Sheet::new(width);
    sheet.heading("TASKS OF YOUR OWN", (Tone::Quiet, "Esc back".to_owned()));
    sheet.gap();
    sheet.text(
        Tone::Plain,
        "A task comes from a workflow: a program registers a form (UserTaskDef) and a workflow (WfSpec) with a node that \
         waits for somebody to fill it in. Any LittleHorse SDK does that: Java, Python, Go, C#.",
        0,
    );
    sheet.gap();
    let listen = model.host.as_ref().and_then(|host| host.listen.clone());
    match (listen, model.host.as_ref().map(|host| &host.place)) {
        (_, Some(Place::Server(address))) => {
            sheet.text(Tone::Plain, &format!("Programs reach this server at {address}."), 0);
        }
        (Some(address), _) => {
            sheet.text(Tone::Plain, &format!("This ostler listens for such programs at {address}:"), 0);
            if let Some((host, port)) = address.rsplit_once(':') {
                sheet.gap();
                sheet.text(Tone::Strong, &format!("export LHC_API_HOST={host} LHC_API_PORT={port}"), 2);
            }
        }
        (None, _) => {
            sheet.text(Tone::Plain, "Let ostler listen for such programs; leave it (q) and start it again with:", 0);
            sheet.gap();
            sheet.text(Tone::Strong, "ostler --listen 127.0.0.1:2023", 2);
        }
    }
    sheet.gap();
    sheet.text(Tone::Plain, "Then start the workflow from the program, or here:", 0);
    sheet.gap();
    sheet.text(Tone::Strong, ":run NAME", 2);
    sheet.gap();
    sheet.text(Tone::Quiet, "The key ? shows the keys once there are tasks; F1 shows them now.", 0);
    sheet
}
