//! The clipboard of whoever sits at the terminal, across SSH and tmux: OSC 52.

use std::io::Write as _;

/// Terminals drop longer ones, some with the text half copied.
const AT_MOST: usize = 74_994;

/// What to write to put a text on the clipboard; `None` when it is longer than terminals take.
pub(super) fn copy(text: &str) -> Option<Vec<u8>> {
    if text.len().div_ceil(3) * 4 > AT_MOST {
        return None;
    }
    let mut bytes = b"\x1b]52;c;".to_vec();
    let _ = write!(bytes, "{}\x1b\\", base64(text.as_bytes()));
    Some(bytes)
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * place) & 0x3f) as usize);
            out.push(if place <= group.len() { digit.map_or('=', |digit| char::from(*digit)) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_texts() {
        for (text, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("é日", "w6nml6U=")]
        {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(copy("foo").as_deref(), Some(b"\x1b]52;c;Zm9v\x1b\\".as_slice()));
        assert_eq!(copy(&"x".repeat(AT_MOST)), None);
    }
}
