//! The terminal is always given back, and carries what it should.

use super::session::Home;

#[test]
fn the_harness_itself_sees_what_a_program_writes() {
    let home = Home::new();
    let mut cat = home.run("/bin/sh", &["-c", "printf 'tty: '; tty; stty size; cat"]);
    cat.wait("tty: /dev/").wait("40 120");
    cat.press("héllo Enter").wait("héllo\nhéllo");
    cat.assert_given_back();
    cat.press("C-c");
    assert_eq!(cat.exit(), 128 + 2);
}
