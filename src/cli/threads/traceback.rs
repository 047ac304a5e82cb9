//! The text of Python's `traceback.format_stack`.

use std::fmt::Write as _;

use super::{Frame, SourceLines};
use crate::render::text::escape_controls;

/// So many equal lines are shown one after the other (`traceback._RECURSIVE_CUTOFF`).
const MOST_REPEATED: usize = 3;

/// `"".join(traceback.format_stack(frame)).strip()`, of frames that are newest first. Control characters
/// of a line are escaped.
pub(crate) fn format_stack(frames: &[Frame], sources: &mut SourceLines) -> String {
    let mut text = String::new();
    let mut last = None;
    let mut n_equal = 0;
    for frame in frames.iter().rev() {
        let place = (&frame.file, frame.line, &frame.name);
        if last != Some(place) {
            repeated(&mut text, n_equal);
            last = Some(place);
            n_equal = 0;
        }
        n_equal += 1;
        if n_equal <= MOST_REPEATED {
            entry(&mut text, frame, sources);
        }
    }
    repeated(&mut text, n_equal);
    text.trim().to_owned()
}

fn entry(text: &mut String, frame: &Frame, sources: &mut SourceLines) {
    let line = frame
        .line
        .map_or_else(|| "None".to_owned(), |line| line.to_string());
    let file = escape_controls(&frame.file);
    let name = escape_controls(&frame.name);
    let _ = writeln!(text, "  File \"{file}\", line {line}, in {name}");
    let source = match (&frame.source, frame.line) {
        (Some(source), _) => source.as_str(),
        (None, Some(line)) => sources.line(&frame.file, line),
        (None, None) => "",
    };
    if !source.is_empty() {
        let _ = writeln!(text, "    {}", escape_controls(source));
    }
}

fn repeated(text: &mut String, n_equal: usize) {
    if n_equal > MOST_REPEATED {
        let n_more = n_equal - MOST_REPEATED;
        let times = if n_more > 1 { "times" } else { "time" };
        let _ = writeln!(text, "  [Previous line repeated {n_more} more {times}]");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(name: &str, line: Option<u32>, source: Option<&str>) -> Frame {
        Frame {
            file: "/none/shop.py".to_owned(),
            line,
            name: name.to_owned(),
            source: source.map(str::to_owned),
            ..Frame::default()
        }
    }

    #[test]
    fn the_oldest_call_comes_first_with_its_line_where_there_is_one() {
        let frames = [
            frame("inner", Some(7), Some("lock.acquire()")),
            frame("odd\nname", None, None),
            frame("<module>", Some(90), None),
        ];
        assert_eq!(
            format_stack(&frames, &mut SourceLines::of(std::process::id())),
            "File \"/none/shop.py\", line 90, in <module>\n  \
             File \"/none/shop.py\", line None, in odd\\nname\n  \
             File \"/none/shop.py\", line 7, in inner\n    lock.acquire()"
        );
    }

    #[test]
    fn more_than_three_equal_calls_are_counted() {
        let text = |n: usize| {
            let frames = vec![frame("f", Some(2), Some("f()")); n];
            format_stack(&frames, &mut SourceLines::of(1))
        };
        assert_eq!(text(3).lines().count(), 6);
        assert!(text(4).ends_with("[Previous line repeated 1 more time]"));
        assert!(text(9).ends_with("[Previous line repeated 6 more times]"));
        assert_eq!(text(9).lines().count(), 7);
    }
}
