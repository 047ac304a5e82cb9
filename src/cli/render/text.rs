//! Text of a target, safe for a terminal and short enough for it.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Control characters escaped as in Rust or Python: `\n`, `\x1b`.
pub(crate) fn escape_controls(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c if is_unsafe(c) && u32::from(c) < 0x100 => {
                let _ = write!(escaped, "\\x{:02x}", u32::from(c));
            }
            c if is_unsafe(c) => {
                let _ = write!(escaped, "\\u{:04x}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// Control characters, and those that turn the direction of writing.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// At most `max_chars` characters; what is left out at the start shows as `…`. The end of a type's
/// name tells more than its start.
pub(crate) fn cut_start(text: &str, max_chars: usize) -> Cow<'_, str> {
    let n_chars = text.chars().count();
    if n_chars <= max_chars {
        return Cow::Borrowed(text);
    }
    let n_kept = max_chars.saturating_sub(1);
    let kept: String = text.chars().skip(n_chars - n_kept).collect();
    Cow::Owned(format!("…{kept}"))
}

/// At most `max_chars` characters; what is left out at the end shows as `…`.
pub(crate) fn cut_end(text: &str, max_chars: usize) -> Cow<'_, str> {
    if text.chars().count() <= max_chars {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(max_chars.saturating_sub(1)).collect();
    Cow::Owned(format!("{kept}…"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_not_steered() {
        assert_eq!(
            escape_controls("a\x1b[2J\n\u{9b}é\u{202e}"),
            "a\\x1b[2J\\n\\x9bé\\u202e"
        );
        assert!(matches!(escape_controls("plain é"), Cow::Borrowed(_)));
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(cut_start("shop.cache.Entry", 6), "…Entry");
        assert_eq!(cut_start("Entry", 5), "Entry");
        assert_eq!(cut_end("python app.py", 7), "python…");
    }
}
