use proptest::prelude::*;

use super::*;

fn decode(bytes: &[u8]) -> Vec<Event> {
    let (mut decoder, mut events) = (Decoder::new(), Vec::new());
    decoder.feed(bytes, &mut events);
    decoder.expire(&mut events);
    events
}

/// Keys by their names, other events in words.
fn words(events: &[Event]) -> String {
    let words: Vec<String> = events
        .iter()
        .map(|event| match event {
            Event::Key(chord) => chord.to_string(),
            Event::Paste(text) => format!("paste{text:?}"),
            Event::Focus(focused) => format!("focus:{focused}"),
            Event::Answer(answer) => format!("{answer:?}"),
        })
        .collect();
    words.join(" ")
}

/// Bytes and what they mean.
const TABLE: &[(&[u8], &str)] = &[
    (b"aG?\x7f\x08\r\t\n ", "a G ? Backspace Backspace Enter Tab Ctrl-J Space"),
    (b"\x00\x01\x1a\x1c\x1f", "Ctrl-Space Ctrl-A Ctrl-Z Ctrl-\\ Ctrl-_"),
    ("é日👍".as_bytes(), "é 日 👍"),
    (b"\x1b[A\x1b[B\x1b[C\x1b[D\x1b[H\x1b[F", "Up Down Right Left Home End"),
    (b"\x1bOA\x1bOH\x1bOP\x1bOS\x1bOM\x1bOp\x1bOk", "Up Home F1 F4 Enter 0 +"),
    (b"\x1b[1~\x1b[2~\x1b[3~\x1b[4~\x1b[5~\x1b[6~\x1b[7~\x1b[8~", "Home Insert Delete End PgUp PgDn Home End"),
    (b"\x1b[11~\x1b[15~\x1b[17~\x1b[21~\x1b[23~\x1b[24~\x1b[34~", "F1 F5 F6 F10 F11 F12 F20"),
    (b"\x1b[[A\x1b[[E\x1b[[x", "F1 F5"),
    (b"\x1b[1;5A\x1b[1;2C\x1b[3;3~\x1b[1;6D\x1b[1;5P", "Ctrl-Up Shift-Right Alt-Delete Ctrl-Shift-Left Ctrl-F1"),
    (b"\x1bO5A\x1b[a\x1b[3^\x1b[3$\x1b[3@", "Ctrl-Up Shift-Up Ctrl-Delete Shift-Delete Ctrl-Shift-Delete"),
    (b"\x1b[Z\x1b[27;5;9~\x1b[27;2;13~\x1b[27;6;83~", "Shift-Tab Ctrl-Tab Shift-Enter Ctrl-S"),
    // Alt and a capital X introduces a text (SOS), which swallows up to its end, as a terminal would.
    (b"\x1bx\x1bXk\x1b\\j", "Alt-x j"),
    (
        b"\x1b[27u\x1b[13;2u\x1b[9;5u\x1b[127;3u\x1b[97;5u\x1b[97;3u",
        "Esc Shift-Enter Ctrl-Tab Alt-Backspace Ctrl-A Alt-a",
    ),
    (b"\x1b[97;2u\x1b[49:33;2u\x1b[97:65:99;6u\x1b[233;2u\x1b[97;65u", "A ! Ctrl-A É a"),
    (b"\x1b[97;1:1u\x1b[97;1:2u\x1b[97;1:3u\x1b[57441;2u\x1b[97;9u\x1b[57399u\x1b[57376u", "a a 0 F13"),
    (b"\x1b[0u\x1b[1114112u\x1b[55296u\x1b[99999999999999u", ""),
    (b"\x1b[I\x1b[O", "focus:true focus:false"),
    (b"\x1b[?0u\x1b[?2026;2$y\x1b[?62;22c", "Keyboard(0) Mode { mode: 2026, state: 2 } Attributes"),
    (b"\x1b]11;rgb:0000/0000/0000\x07\x1b]11;rgb:ffff/ffff/ffff\x1b\\a", "a"),
    (b"\x1bP>|xterm(397)\x1b\\\x1b_Gi=1;OK\x1b\\\x1b[>41;397;0c\x1b[8;40;120ta", "a"),
    (b"\x1b[<0;12;9M\x1b[<0;12;9m\x1b[M !!a", "a"),
    (b"\x1b", "Esc"),
    (b"\x1b\x1b", "Esc Esc"),
    (b"\x1b\x1b\x1b", "Esc Esc Esc"),
    (b"\x1b\x1b[A\x1b\x1bOB", "Alt-Up Alt-Down"),
    (b"\x1b\x1bx", "Esc Alt-x"),
    (b"\x1b[", "Alt-["),
    (b"\x1bO", "Alt-O"),
    (b"\x1b]", "Alt-]"),
    (b"\x1b[1;5", ""),
    (b"\x1b[1\x1b[A", "Up"),
    (b"\x1b[1\ra\x1b[1\x18b", "Enter a b"),
    (b"\x80\xff\xc3(\xed\xa0\x80\xc2\x9b2Ja", "( 2 J a"),
    (b"\x1b[200~two\r\nlines\rtab\tend\x1b[201~x", "paste\"two\\nlines\\ntab\\tend\" x"),
    (b"\x1b[200~\x1b[31mred\x07\x00\x1b[201\x1b[201~", "paste\"[31mred[201\""),
    (b"\x1b[200~\xe6\x97\xa5\xff\x1b[201~\x1b[201~", "paste\"日\u{fffd}\""),
    (b"\x1b[200~\x1b[201~", ""),
    (b"\x1b[200~never ends", "paste\"never ends\""),
];

#[test]
fn bytes_mean_what_they_mean_on_every_terminal() {
    for (bytes, expected) in TABLE {
        let shown = words(&decode(bytes));
        assert_eq!(&shown, expected, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn alt_goes_with_named_keys_and_characters() {
    assert_eq!(
        words(&decode(b"\x1b\r\x1b\x7f\x1b\x13\x1b\xc3\xa9\x1b ")),
        "Alt-Enter Alt-Backspace Ctrl-Alt-S Alt-é Alt-Space"
    );
}

#[test]
fn an_open_end_is_told_so_that_the_reader_waits() {
    let table: &[(&[u8], Option<Waits>)] = &[
        (b"a", None),
        (b"\x1b", Some(Waits::Escape)),
        (b"\x1b\x1b", Some(Waits::Escape)),
        (b"\x1b[", Some(Waits::Sequence)),
        (b"\x1b[1;", Some(Waits::Sequence)),
        (b"\x1bO", Some(Waits::Sequence)),
        (b"\xe6\x97", Some(Waits::Sequence)),
        (b"\x1b]11;", Some(Waits::Sequence)),
        (b"\x1b[200~", Some(Waits::Paste)),
        (b"\x1b[200~x\x1b[20", Some(Waits::Paste)),
        (b"\x1b[A", None),
    ];
    for (bytes, expected) in table {
        let (mut decoder, mut events) = (Decoder::new(), Vec::new());
        decoder.feed(bytes, &mut events);
        assert_eq!(decoder.waits(), *expected, "{bytes:?}");
    }
}

#[test]
fn a_paste_that_stalls_stays_a_paste_until_esc() {
    let (mut decoder, mut events) = (Decoder::new(), Vec::new());
    decoder.feed(b"\x1b[200~one \xe6\x97", &mut events);
    decoder.expire(&mut events);
    assert_eq!(words(&events), "paste\"one \"");
    events.clear();
    // The rest comes late: still text, and the split character is whole.
    decoder.feed(b"\xa5Xy\r", &mut events);
    decoder.expire(&mut events);
    assert_eq!(words(&events), "paste\"日Xy\"");
    events.clear();
    decoder.feed(b"\n\x1b", &mut events);
    decoder.expire(&mut events);
    decoder.feed(b"k", &mut events);
    assert_eq!(words(&events), "paste\"\\n\" k");
}

#[test]
fn a_huge_paste_comes_in_parts_and_whole() {
    let text = "日本語 and more\r\n".repeat(200_000);
    let mut bytes = b"\x1b[200~".to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend_from_slice(b"\x1b[201~");
    let events = decode(&bytes);
    assert!(events.len() > 1);
    let joined: String = events
        .iter()
        .map(|event| match event {
            Event::Paste(text) => text.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(joined == text.replace("\r\n", "\n"));
}

/// Bytes as hostile as they come, with the beginnings of real sequences among them.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<Vec<u8>>(),
        proptest::sample::select(TABLE.iter().map(|(bytes, _)| bytes.to_vec()).collect::<Vec<_>>()),
        Just(b"\x1b[".to_vec()),
        Just(b"\x1b]".to_vec()),
        Just(b"\x1b[200~".to_vec()),
        Just(b"\x1b[201~".to_vec()),
        "[0-9;:?<$]{0,80}".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_and_no_control_character_gets_out(bytes in hostile()) {
        let (mut decoder, mut events) = (Decoder::new(), Vec::new());
        decoder.feed(&bytes, &mut events);
        prop_assert!(decoder.held.len() <= SEQUENCE_AT_MOST + 1);
        decoder.expire(&mut events);
        for event in events {
            match event {
                Event::Key(chord) => {
                    prop_assert_eq!(chord, chord.normal());
                    let control = matches!(chord.key, Key::Char(c) if c.is_control());
                    prop_assert!(!control);
                }
                Event::Paste(text) => {
                    prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
                }
                _ => {}
            }
        }
    }

    #[test]
    fn where_reads_end_changes_nothing(bytes in hostile(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let (mut decoder, mut events) = (Decoder::new(), Vec::new());
        let mut from = 0;
        for to in cuts {
            decoder.feed(&bytes[from..to], &mut events);
            from = to;
        }
        decoder.expire(&mut events);
        prop_assert_eq!(events, decode(&bytes));
    }

    #[test]
    fn typed_text_comes_back_whole(text in "[^\\p{C}]{0,40}") {
        let typed: String = decode(text.as_bytes())
            .iter()
            .filter_map(|event| match event {
                Event::Key(chord) => chord.typed(),
                _ => None,
            })
            .collect();
        prop_assert_eq!(typed, text);
    }
}
