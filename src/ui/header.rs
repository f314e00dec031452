//! The tabs with their counts; who acts, where, and how fresh it is.

use super::paint::Painter;
use crate::app::{Area, Model, Tone, pages};
use crate::domain::{Connection, Count, View, display_line, display_width, time};

/// How much of the tabs is said.
#[derive(Clone, Copy, PartialEq)]
enum Tabs {
    /// With the program's name.
    Named,
    Full,
    Short,
    /// Names of those with open tasks.
    OpenOnly,
    /// The name of the current one only.
    Mini,
    /// Nothing but the current one.
    One,
}

/// How much of the right end is said.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    Groups,
    Listens,
    User,
    Fresh,
    Nothing,
}

/// The richest pair that fits is shown.
const PAIRS: &[(Tabs, Who)] = &[
    (Tabs::Named, Who::Groups),
    (Tabs::Full, Who::Groups),
    (Tabs::Full, Who::Listens),
    (Tabs::Short, Who::Groups),
    (Tabs::Short, Who::Listens),
    (Tabs::OpenOnly, Who::Groups),
    (Tabs::OpenOnly, Who::Listens),
    (Tabs::Short, Who::User),
    (Tabs::Mini, Who::Listens),
    (Tabs::Mini, Who::User),
    (Tabs::Mini, Who::Fresh),
    (Tabs::One, Who::Fresh),
    (Tabs::One, Who::Nothing),
];

pub(super) fn header(painter: &mut Painter<'_>, model: &Model, area: Area) {
    let width = area.columns();
    let wide = |spans: &[(Tone, String)]| spans.iter().map(|(_, text)| display_width(text)).sum::<usize>();
    let mut left = tabs(model, Tabs::One);
    let mut right = Vec::new();
    for &(most, who) in PAIRS {
        let (tabs, end) = (tabs(model, most), who_words(model, who));
        if wide(&tabs) + wide(&end) + 3 <= width || most == Tabs::One && who == Who::Nothing {
            (left, right) = (tabs, end);
            break;
        }
    }
    let mut x = usize::from(area.x) + 1;
    for (tone, text) in &left {
        x = painter.text(x, area.y, area.width, *tone, text);
    }
    let mut x = width.saturating_sub(wide(&right) + 1);
    for (tone, text) in &right {
        x = painter.text(x, area.y, area.width, *tone, text);
    }
}

fn tabs(model: &Model, most: Tabs) -> Vec<(Tone, String)> {
    let mut spans = Vec::new();
    if most == Tabs::Named {
        spans.push((Tone::Strong, "ostler   ".to_owned()));
    }
    for view in View::ALL {
        let current = view == model.view;
        if most == Tabs::One && !current {
            continue;
        }
        let number = view.index() + 1;
        let name = match (most, view) {
            (Tabs::Mini, _) if !current => String::new(),
            (Tabs::OpenOnly, View::Done | View::Cancelled) if !current => String::new(),
            (Tabs::Short | Tabs::OpenOnly, View::MyGroups) => " Groups".to_owned(),
            (Tabs::Short | Tabs::OpenOnly, View::AllOpen) => " Open".to_owned(),
            _ => format!(" {}", view.label()),
        };
        let (tone, quiet) = if current { (Tone::Accent, Tone::Accent) } else { (Tone::Plain, Tone::Quiet) };
        spans.push((quiet, number.to_string()));
        spans.push((tone, name));
        // Finished tasks only grow: their numbers tell nothing that has to be done.
        let count = match model.counts.get(view.index()) {
            Some(Count::Exactly(count)) => format!(" {count}"),
            Some(Count::AtLeast(count)) => format!(" {count}+"),
            _ => String::new(),
        };
        if current || !matches!(view, View::Done | View::Cancelled) {
            spans.push((quiet, count));
        }
        spans.push((Tone::Plain, if matches!(most, Tabs::Named) { "   " } else { "  " }.to_owned()));
    }
    spans
}

fn who_words(model: &Model, most: Who) -> Vec<(Tone, String)> {
    let dot = (Tone::Quiet, " · ".to_owned());
    let (tone, fresh, short) = freshness(model);
    let fresh = (tone, if most == Who::Groups { fresh } else { short });
    if most == Who::Nothing {
        return Vec::new();
    }
    if most == Who::Fresh {
        return vec![fresh];
    }
    let mut spans = Vec::new();
    let mut user = display_line(&model.me.user).into_owned();
    if most == Who::Groups {
        for group in model.me.groups.iter().take(3) {
            user.push_str(", ");
            user.push_str(&display_line(group));
        }
        if model.me.groups.len() > 3 {
            user.push_str(" and more");
        }
    }
    spans.push((Tone::Plain, user));
    let place = pages::place_words(model);
    let listen = model.host.as_ref().and_then(|host| host.listen.as_ref());
    // Who listens is at home: the address says the place as well, where there is little room.
    if !place.is_empty() && (listen.is_none() || most != Who::Listens) {
        spans.push(dot.clone());
        spans.push((Tone::Plain, place));
    }
    if let Some(listen) = listen.filter(|_| most != Who::User) {
        spans.push(dot.clone());
        let listen = display_line(listen);
        let text = if most == Who::Groups { format!("listens on {listen}") } else { listen.into_owned() };
        spans.push((Tone::Plain, text));
    }
    if model.host.as_ref().is_some_and(|host| !host.writable) {
        spans.push(dot.clone());
        spans.push((Tone::Error, "read-only".to_owned()));
    }
    spans.push(dot);
    spans.push(fresh);
    spans
}

/// How fresh the rows are, long and short.
fn freshness(model: &Model) -> (Tone, String, String) {
    let same = |tone, text: &str| (tone, text.to_owned(), text.to_owned());
    match &model.connection {
        Connection::Connecting => same(Tone::Quiet, "connecting"),
        Connection::Offline { since, retry_at, .. } => {
            let since = time::clock(*since, model.now.wall, &model.zone);
            let again = retry_at.map(|at| {
                let seconds = (at.as_second() - model.now.wall.as_second()).max(0);
                if seconds == 0 { ", trying again".to_owned() } else { format!(", trying again in {seconds} s") }
            });
            let long = format!("offline since {since}{}", again.unwrap_or_default());
            (Tone::Soon, long, "offline".to_owned())
        }
        Connection::Online if model.host.as_ref().is_some_and(|host| host.tells_changes) => same(Tone::Plain, "live"),
        Connection::Online => match model.list().read_at {
            None => same(Tone::Quiet, "reading"),
            Some(at) => {
                let seconds = model.now.since_start.saturating_sub(at.since_start).as_secs();
                if seconds < 10 {
                    same(Tone::Plain, "just now")
                } else {
                    let text = time::ago(at.wall, model.now.wall);
                    let tone = if seconds > 60 { Tone::Soon } else { Tone::Plain };
                    (tone, text.clone(), text)
                }
            }
        },
    }
}
