//! Local variables in a few words, without running any code.

use leakhunt_wire::Capi;

use super::frames::{RawFrame, local_names, values};
use super::objects::Objects;

/// The most variables of a frame, characters of a name, and characters of a value.
const MOST_LOCALS: usize = 20;
const LONGEST_NAME: u64 = 60;
const LONGEST_VALUE: u64 = 60;

/// Name and value of the variables of a frame.
pub(super) fn locals(objects: &Objects<'_>, frame: &RawFrame) -> Vec<(String, String)> {
    let values = values(objects, frame).map(|values| values.locals);
    local_names(objects, frame.code)
        .into_iter()
        .zip(values.unwrap_or_default())
        .filter_map(|(name, value)| {
            let name = objects.text(name, LONGEST_NAME)?;
            Some((name, short(objects, reference(objects, value)?)?))
        })
        .take(MOST_LOCALS)
        .collect()
}

/// The object that a place of a frame refers to; `None` for an empty one. From 3.13 on there are marks in
/// the lowest bits: 1 for a reference that is not counted, 2 and 3 for no object.
pub(super) fn reference(objects: &Objects<'_>, place: u64) -> Option<u64> {
    if objects.layout.minor >= 13 && place & 3 > 1 {
        return None;
    }
    Some(place & !1).filter(|&object| object != 0)
}

/// A value: that of a number or text, what holds how many of others. `None` where no object is.
fn short(objects: &Objects<'_>, object: u64) -> Option<String> {
    let type_object = objects.type_of(object)?;
    let constants = [
        (Capi::_Py_NoneStruct, "None"),
        (Capi::_Py_TrueStruct, "True"),
        (Capi::_Py_FalseStruct, "False"),
    ];
    if let Some((_, text)) = constants
        .iter()
        .find(|(symbol, _)| objects.capi[*symbol as usize] == object)
    {
        return Some((*text).to_owned());
    }
    if let Some(number) = objects.int(object) {
        return Some(number.to_string());
    }
    if let Some(text) = objects.text(object, LONGEST_VALUE + 1) {
        let is_cut = text.chars().count() as u64 > LONGEST_VALUE;
        let shown: String = text.chars().take(LONGEST_VALUE as usize).collect();
        let end = if is_cut { "…" } else { "" };
        return Some(format!("'{shown}{end}'"));
    }
    let header = objects.layout.header;
    if objects.is_exactly(object, Capi::PyFloat_Type) {
        return Some(format!(
            "{:?}",
            f64::from_bits(objects.word(object + header)?)
        ));
    }
    let name = objects.type_name(type_object)?;
    if name == "cell" {
        // What it refers to is all that it has.
        let inner = objects.word(object + header).filter(|&inner| inner != 0)?;
        let is_cell = objects.type_of(inner) == Some(type_object);
        return if is_cell { None } else { short(objects, inner) };
    }
    let sized = [
        (Capi::PyList_Type, 0),
        (Capi::PyTuple_Type, 0),
        (Capi::PyDict_Type, 0),
        (Capi::PyBytes_Type, 0),
        (Capi::PyByteArray_Type, 0),
        // `fill` comes before `used`.
        (Capi::PySet_Type, 8),
        (Capi::PyFrozenSet_Type, 8),
    ];
    if let Some((_, at)) = sized
        .iter()
        .find(|(symbol, _)| objects.capi[*symbol as usize] == type_object)
    {
        return Some(format!(
            "<{name} of {}>",
            objects.word(object + header + at)?
        ));
    }
    let class = objects.class_name(type_object).unwrap_or(name);
    Some(format!("<{class} at {object:#x}>"))
}
