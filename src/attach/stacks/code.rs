//! What a code object says of itself, and the functions that it is the code of.

use leakhunt_wire::{Capi, line_of};

use super::objects::Objects;

/// The most characters of a name or path, and bytes of a line table.
const LONGEST_NAME: u64 = 300;
const LONGEST_PATH: u64 = 4096;
const LONGEST_TABLE: u64 = 1 << 20;

/// A code object.
#[derive(Clone, Debug)]
pub(super) struct CodeText {
    pub(super) file: String,
    pub(super) name: String,
    pub(super) qualified_name: Option<String>,
    first_line: i32,
    line_table: Vec<u8>,
}

impl CodeText {
    /// `None` where no code object is.
    pub(super) fn read(objects: &Objects<'_>, code: u64) -> Option<Self> {
        if !objects.is_exactly(code, Capi::PyCode_Type) {
            return None;
        }
        let at = &objects.layout.code;
        let text = |offset: u64, most: u64| objects.text(objects.word(code + offset)?, most);
        let table = objects.word(code + at.line_table)?;
        Some(Self {
            file: text(at.file, LONGEST_PATH)?,
            name: text(at.name, LONGEST_NAME)?,
            qualified_name: at
                .qualified_name
                .and_then(|offset| text(offset, LONGEST_NAME)),
            first_line: objects.half(code + at.first_line)?.cast_signed(),
            line_table: objects.bytes_of(table, LONGEST_TABLE)?,
        })
    }

    /// The line of an instruction by its place in bytes.
    pub(super) fn line(&self, minor: u32, instruction: i64) -> Option<u32> {
        let line = line_of(minor, &self.line_table, self.first_line, instruction)?;
        u32::try_from(line).ok()
    }
}

/// `module.qualname` of a function, of a method's function, of what a `functools.partial` calls; for
/// another callable that of its class.
pub(super) fn callable_name(objects: &Objects<'_>, callable: u64) -> Option<String> {
    const DEEPEST: usize = 5;
    let header = objects.layout.header;
    let mut callable = callable;
    for _ in 0..DEEPEST {
        if objects.is_exactly(callable, Capi::PyFunction_Type) {
            return function_name(objects, callable);
        }
        let class = objects.class_name(objects.type_of(callable)?)?;
        match class.as_str() {
            "builtin_function_or_method" => return builtin_name(objects, callable),
            // Both start with what they call.
            "method" | "functools.partial" => callable = objects.word(callable + header)?,
            _ => return Some(class),
        }
    }
    None
}

fn function_name(objects: &Objects<'_>, function: u64) -> Option<String> {
    // `func_qualname` and `func_module`, behind the header.
    let (name, module) = if objects.layout.minor <= 9 {
        (88, 72)
    } else {
        (24, 88)
    };
    let text = |offset: u64| {
        let object = objects.word(function + objects.layout.header + offset)?;
        objects.text(object, LONGEST_NAME)
    };
    let name = text(name)?;
    Some(match text(module) {
        Some(module) => format!("{module}.{name}"),
        None => name,
    })
}

/// `time.sleep`, or `lock.acquire` of one that is bound.
fn builtin_name(objects: &Objects<'_>, builtin: u64) -> Option<String> {
    let field = |index: u64| objects.word(builtin + objects.layout.header + index * 8);
    let name = objects.c_string(objects.word(field(0)?)?)?;
    if let Some(module) = objects.text(field(2)?, LONGEST_NAME) {
        return Some(format!("{module}.{name}"));
    }
    let class = objects.class_name(objects.type_of(field(1)?)?)?;
    let class = class.rsplit('.').next().unwrap_or_default();
    Some(format!("{class}.{name}"))
}
