//! Python's `repr` of text.

use std::fmt::Write as _;

/// As Python's `repr(text)`.
pub fn python_repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut repr = String::with_capacity(text.len() + 2);
    repr.push(quote);
    for c in text.chars() {
        match c {
            '\\' => repr.push_str("\\\\"),
            '\n' => repr.push_str("\\n"),
            '\r' => repr.push_str("\\r"),
            '\t' => repr.push_str("\\t"),
            c if c == quote => {
                repr.push('\\');
                repr.push(c);
            }
            c if is_printable(c) => repr.push(c),
            c => {
                let code = u32::from(c);
                // Writing to a string cannot fail.
                let _ = match code {
                    0..=0xff => write!(repr, "\\x{code:02x}"),
                    0x100..=0xffff => write!(repr, "\\u{code:04x}"),
                    _ => write!(repr, "\\U{code:08x}"),
                };
            }
        }
    }
    repr.push(quote);
    repr
}

/// Python and Rust agree on what is printable (not of the categories C* and Z*, but a blank).
/// Rust's escape of a character alone also escapes accents that join it to what stands before.
fn is_printable(c: char) -> bool {
    if matches!(c, '"' | '\'') {
        return true;
    }
    let mut text = [0; 5];
    text[0] = b'x';
    let len = 1 + c.encode_utf8(&mut text[1..]).len();
    std::str::from_utf8(&text[..len]).is_ok_and(|text| text.escape_debug().count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_python_does() {
        for (text, repr) in [
            ("dict", "'dict'"),
            ("it's", "\"it's\""),
            ("\"", "'\"'"),
            ("'\"", "'\\'\"'"),
            ("a\\b\n\t\r", "'a\\\\b\\n\\t\\r'"),
            ("\0\x1b\x7f\u{a0}\u{ad}", "'\\x00\\x1b\\x7f\\xa0\\xad'"),
            ("é漢😀e\u{301}", "'é漢😀e\u{301}'"),
            ("\u{200b}\u{2028}\u{e000}", "'\\u200b\\u2028\\ue000'"),
            ("\u{e0001}", "'\\U000e0001'"),
            ("", "''"),
        ] {
            assert_eq!(python_repr(text), repr);
        }
    }
}
