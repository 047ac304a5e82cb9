//! Paragraphs broken into lines as Python's `textwrap` does with its defaults.

/// The width that guppy wraps at, in characters.
pub(super) const LINE_LENGTH: usize = 100;

/// The lines of [`wrap`] at [`LINE_LENGTH`], joined.
pub(super) fn fill(text: &str, first_indent: &str, indent: &str) -> String {
    wrap(text, LINE_LENGTH, first_indent, indent).join("\n")
}

/// `textwrap.wrap`: lines of at most `width` characters, broken at blanks, after hyphens within
/// words and, where there is no other way, within words. Blanks at the start of the text stay.
pub(super) fn wrap(text: &str, width: usize, first_indent: &str, indent: &str) -> Vec<String> {
    let text = plain_blanks(text);
    let mut chunks: Vec<&[char]> = chunks(&text);
    chunks.reverse();
    let mut lines = Vec::new();
    while !chunks.is_empty() {
        let own_indent = if lines.is_empty() {
            first_indent
        } else {
            indent
        };
        let room = width.saturating_sub(own_indent.chars().count());
        if !lines.is_empty() && chunks.last().is_some_and(|chunk| is_blank(chunk)) {
            chunks.pop();
        }
        let mut line: Vec<&[char]> = Vec::new();
        let mut len = 0;
        while let Some(chunk) = chunks.pop_if(|chunk| len + chunk.len() <= room) {
            len += chunk.len();
            line.push(chunk);
        }
        if let Some(chunk) = chunks.pop_if(|chunk| chunk.len() > room) {
            let (start, rest) = chunk.split_at(break_within(chunk, room, len));
            line.push(start);
            chunks.push(rest);
        }
        line.pop_if(|chunk| is_blank(chunk));
        if !line.is_empty() {
            let chars = line.into_iter().flatten();
            lines.push(own_indent.chars().chain(chars.copied()).collect());
        }
    }
    lines
}

/// How much of a word that is longer than a line goes on this one.
fn break_within(chunk: &[char], room: usize, len: usize) -> usize {
    let space_left = if room < 1 { 1 } else { room - len };
    let hyphen = chunk[..space_left.min(chunk.len())]
        .iter()
        .rposition(|&c| c == '-');
    match hyphen {
        Some(hyphen) if chunk[..hyphen].iter().any(|&c| c != '-') => hyphen + 1,
        _ => space_left.min(chunk.len()),
    }
}

/// Tabs expanded to every eighth column, and each other blank as a space.
fn plain_blanks(text: &str) -> Vec<char> {
    let mut plain = Vec::with_capacity(text.len());
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' => {
                let n_blanks = 8 - column % 8;
                plain.extend(std::iter::repeat_n(' ', n_blanks));
                column += n_blanks;
            }
            '\n' | '\r' => {
                plain.push(' ');
                column = 0;
            }
            '\x0b' | '\x0c' => {
                plain.push(' ');
                column += 1;
            }
            c => {
                plain.push(c);
                column += 1;
            }
        }
    }
    plain
}

/// Pieces between which a line may end: `textwrap.TextWrapper.wordsep_re`.
fn chunks(text: &[char]) -> Vec<&[char]> {
    let mut chunks = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = if text[start] == ' ' {
            start + run(&text[start..], |c| c == ' ')
        } else if let Some(dash) = dash_at(text, start) {
            start + dash
        } else {
            (start + 1..text.len())
                .find(|&at| ends_word(text, at) || is_hyphen_of_word(text, start, at - 1))
                .unwrap_or(text.len())
        };
        chunks.push(&text[start..end]);
        start = end;
    }
    chunks
}

fn ends_word(text: &[char], at: usize) -> bool {
    text[at] == ' ' || dash_at(text, at).is_some()
}

/// How long the dash of two or more hyphens between words is that starts here.
fn dash_at(text: &[char], at: usize) -> Option<usize> {
    if text[at] != '-'
        || !at
            .checked_sub(1)
            .is_some_and(|at| is_word_or_mark(text[at]))
    {
        return None;
    }
    let len = run(&text[at..], |c| c == '-');
    let &after = text.get(at + len)?;
    (len >= 2 && is_word(after)).then_some(len)
}

/// Whether a line may end after this hyphen: at least two letters before it, two after it.
fn is_hyphen_of_word(text: &[char], start: usize, at: usize) -> bool {
    let before = |distance: usize, is: fn(char) -> bool| {
        at.checked_sub(distance).is_some_and(|at| is(text[at]))
    };
    let after =
        |distance: usize, is: fn(char) -> bool| text.get(at + distance).is_some_and(|&c| is(c));
    let is_hyphen = |c: char| c == '-';
    // At least one character comes before it in the word.
    at > start
        && text[at] == '-'
        && (before(1, is_letter) && before(2, is_letter)
            || before(1, is_word_or_mark) && before(2, is_hyphen) && before(3, is_letter))
        && after(1, is_letter)
        && (after(2, is_letter) || after(2, is_hyphen) && after(3, is_letter))
}

fn run(text: &[char], is: impl Fn(char) -> bool) -> usize {
    text.iter().take_while(|&&c| is(c)).count()
}

fn is_blank(chunk: &[char]) -> bool {
    chunk.iter().all(|c| c.is_whitespace())
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_letter(c: char) -> bool {
    is_word(c) && !c.is_numeric()
}

fn is_word_or_mark(c: char) -> bool {
    is_word(c) || matches!(c, '!' | '"' | '\'' | '&' | '.' | ',' | '?')
}
