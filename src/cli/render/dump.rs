//! Objects of a type, one at a time.

use std::time::Duration;

use leakhunt_wire::{DumpObject, Note};
use serde::Serialize;

use super::numbers::duration;
use super::text::escape_controls;
use crate::args::DumpFormat;

/// The name and version of the JSON schema.
const DUMP_SCHEMA: &str = "leakhunt.dump/1";

/// How objects are to be shown.
#[derive(Debug)]
pub(crate) struct DumpView<'a> {
    pub(crate) format: DumpFormat,
    pub(crate) pid: u32,
    /// As the user typed it.
    pub(crate) type_name: &'a str,
    /// When a repr is cut off.
    pub(crate) repr_timeout: Duration,
}

/// The end of a dump, for scripts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DumpTotals<'a> {
    /// All objects of the type.
    pub(crate) n_matching: u64,
    /// The objects shown.
    pub(crate) n_shown: u64,
    /// How long the target stood still.
    pub(crate) pause_us: u64,
    /// `whole`, or why it is not.
    pub(crate) ended: &'a str,
}

impl DumpView<'_> {
    /// One object.
    pub(crate) fn object(&self, object: &DumpObject<'_>) -> Vec<u8> {
        match self.format {
            DumpFormat::Json => self.json_object(object),
            DumpFormat::Ha => format!(
                "{} object in memory: {}\n",
                self.type_name,
                self.text(object, object.text)
            )
            .into_bytes(),
            DumpFormat::Text => {
                let text = escape_controls(object.text);
                let shortened = match object.note {
                    Note::Shortened => " … (shortened)",
                    _ => "",
                };
                format!(
                    "{:#x} {} object in memory: {}{shortened}\n",
                    object.address,
                    escape_controls(self.type_name),
                    self.text(object, &text)
                )
                .into_bytes()
            }
        }
    }

    /// The end of the dump; only JSON has one.
    pub(crate) fn end(&self, totals: &DumpTotals<'_>) -> Vec<u8> {
        #[derive(Serialize)]
        struct End<'a> {
            schema: &'static str,
            kind: &'static str,
            pid: u32,
            n_matching: u64,
            n_shown: u64,
            pause_ms: f64,
            ended: &'a str,
        }
        match self.format {
            DumpFormat::Json => json_line(&End {
                schema: DUMP_SCHEMA,
                kind: "end",
                pid: self.pid,
                n_matching: totals.n_matching,
                n_shown: totals.n_shown,
                pause_ms: totals.pause_us as f64 / 1000.0,
                ended: totals.ended,
            }),
            _ => Vec::new(),
        }
    }

    fn text(&self, object: &DumpObject<'_>, text: &str) -> String {
        match object.note {
            Note::TimedOut => format!("<repr cut off after {}>", duration(self.repr_timeout)),
            Note::Crashed => "<repr crashed>".into(),
            _ => text.to_owned(),
        }
    }

    fn json_object(&self, object: &DumpObject<'_>) -> Vec<u8> {
        #[derive(Serialize)]
        struct Object<'a> {
            schema: &'static str,
            kind: &'static str,
            pid: u32,
            address: u64,
            #[serde(rename = "type")]
            type_name: &'a str,
            size_bytes: u64,
            note: &'static str,
            text: Option<&'a str>,
        }
        let note = match object.note {
            Note::Whole => "whole",
            Note::Shortened => "shortened",
            Note::Raised => "raised",
            Note::TimedOut => "timed_out",
            Note::Crashed => "crashed",
        };
        json_line(&Object {
            schema: DUMP_SCHEMA,
            kind: "object",
            pid: self.pid,
            address: object.address,
            type_name: object.type_name,
            size_bytes: object.size_bytes,
            note,
            text: (!matches!(object.note, Note::TimedOut | Note::Crashed)).then_some(object.text),
        })
    }
}

fn json_line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(note: Note, text: &str) -> DumpObject<'_> {
        DumpObject {
            address: 0x7f3a_1c20_4a90,
            size_bytes: 56,
            type_name: "shop.Template",
            note,
            text,
        }
    }

    fn shown(format: DumpFormat, note: Note, text: &str) -> String {
        let view = DumpView {
            format,
            pid: 4121,
            type_name: "Template",
            repr_timeout: Duration::from_secs(1),
        };
        String::from_utf8(view.object(&object(note, text))).unwrap()
    }

    #[test]
    fn an_object_is_a_line_with_its_address() {
        let text = |note, text| shown(DumpFormat::Text, note, text);
        let start = "0x7f3a1c204a90 Template object in memory: ";
        assert_eq!(
            text(Note::Whole, "<T 'a'>\n\x1b"),
            format!("{start}<T 'a'>\\n\\x1b\n")
        );
        assert_eq!(
            text(Note::Shortened, "<T"),
            format!("{start}<T … (shortened)\n")
        );
        assert_eq!(
            text(Note::TimedOut, ""),
            format!("{start}<repr cut off after 1 s>\n")
        );
        assert_eq!(text(Note::Crashed, ""), format!("{start}<repr crashed>\n"));
    }

    #[test]
    fn ha_format_is_that_of_its_log() {
        assert_eq!(
            shown(DumpFormat::Ha, Note::Whole, "<T\n'a'>"),
            "Template object in memory: <T\n'a'>\n"
        );
        assert_eq!(
            shown(
                DumpFormat::Ha,
                Note::Raised,
                "Failed to serialize <class 'shop.Template'>"
            ),
            "Template object in memory: Failed to serialize <class 'shop.Template'>\n"
        );
    }

    #[test]
    fn json_is_the_documented_schema() {
        assert_eq!(
            shown(DumpFormat::Json, Note::Whole, "<T>"),
            concat!(
                r#"{"schema":"leakhunt.dump/1","kind":"object","pid":4121,"address":139887556709008,"#,
                r#""type":"shop.Template","size_bytes":56,"note":"whole","text":"<T>"}"#,
                "\n"
            )
        );
        assert!(shown(DumpFormat::Json, Note::TimedOut, "").ends_with(
            r#""note":"timed_out","text":null}
"#
        ));
    }
}
