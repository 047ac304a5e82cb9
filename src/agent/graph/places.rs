//! Fields of C types whose names Python code knows, or a person understands.

use leakhunt_wire::LabelKind::{self, Attribute, Internal};

/// A field: offset in a build with the GIL, and what it is called.
pub(crate) type Field = (usize, LabelKind, &'static [u8]);

/// The fields of the objects of one type from one version on.
struct Fields {
    /// `tp_name`.
    type_name: &'static [u8],
    /// The first minor version, and the last.
    versions: (u32, u32),
    fields: &'static [Field],
}

const OLDEST: u32 = 0;
const NEWEST: u32 = u32::MAX;

/// What lru-dict's caches hold, and their entries: neither tells the collector. Fields as in its releases 1.1.6
/// to 1.4.1, where `tp_name` has another module from 1.2.0 on.
const LRU_DICT: &[Field] = &[(16, Internal, b"entries"), (64, Internal, b"callback")];
const LRU_DICT_ENTRY: &[Field] = &[(16, Internal, b"value"), (24, Internal, b"key")];

/// Beside `tp_members`, which are looked up, and `__dict__`, whose place each type tells.
const KNOWN: [Fields; 20] = [
    Fields {
        type_name: b"function",
        versions: (OLDEST, 9),
        fields: &[
            (16, Attribute, b"__code__"),
            (24, Attribute, b"__globals__"),
            (32, Attribute, b"__defaults__"),
            (40, Attribute, b"__kwdefaults__"),
            (48, Attribute, b"__closure__"),
            (56, Attribute, b"__doc__"),
            (64, Attribute, b"__name__"),
            (88, Attribute, b"__module__"),
            (96, Attribute, b"__annotations__"),
            (104, Attribute, b"__qualname__"),
        ],
    },
    Fields {
        type_name: b"function",
        versions: (10, NEWEST),
        fields: &[
            (16, Attribute, b"__globals__"),
            (24, Attribute, b"__builtins__"),
            (32, Attribute, b"__name__"),
            (40, Attribute, b"__qualname__"),
            (48, Attribute, b"__code__"),
            (56, Attribute, b"__defaults__"),
            (64, Attribute, b"__kwdefaults__"),
            (72, Attribute, b"__closure__"),
            (80, Attribute, b"__doc__"),
            (104, Attribute, b"__module__"),
            (112, Attribute, b"__annotations__"),
        ],
    },
    Fields {
        type_name: b"function",
        versions: (12, 13),
        fields: &[(120, Attribute, b"__type_params__")],
    },
    Fields {
        type_name: b"function",
        versions: (14, NEWEST),
        fields: &[
            (120, Attribute, b"__annotate__"),
            (128, Attribute, b"__type_params__"),
        ],
    },
    Fields {
        type_name: b"cell",
        versions: (OLDEST, NEWEST),
        fields: &[(16, Attribute, b"cell_contents")],
    },
    Fields {
        type_name: b"builtin_function_or_method",
        versions: (OLDEST, NEWEST),
        fields: &[(24, Attribute, b"__self__")],
    },
    Fields {
        type_name: b"method",
        versions: (OLDEST, NEWEST),
        fields: &[(16, Attribute, b"__func__"), (24, Attribute, b"__self__")],
    },
    Fields {
        type_name: b"mappingproxy",
        versions: (OLDEST, NEWEST),
        fields: &[(16, Internal, b"mapping")],
    },
    Fields {
        type_name: b"traceback",
        versions: (OLDEST, NEWEST),
        fields: &[(16, Attribute, b"tb_next"), (24, Attribute, b"tb_frame")],
    },
    Fields {
        type_name: b"weakref",
        versions: (OLDEST, 14),
        fields: &[(24, Attribute, b"__callback__")],
    },
    Fields {
        type_name: b"weakref.ReferenceType",
        versions: (OLDEST, NEWEST),
        fields: &[(24, Attribute, b"__callback__")],
    },
    Fields {
        type_name: b"list_iterator",
        versions: (OLDEST, NEWEST),
        fields: &[(24, Internal, b"sequence")],
    },
    Fields {
        type_name: b"tuple_iterator",
        versions: (OLDEST, NEWEST),
        fields: &[(24, Internal, b"sequence")],
    },
    Fields {
        type_name: b"BaseException",
        versions: (OLDEST, 10),
        fields: &[
            (24, Attribute, b"args"),
            (32, Attribute, b"__traceback__"),
            (40, Attribute, b"__context__"),
            (48, Attribute, b"__cause__"),
        ],
    },
    Fields {
        type_name: b"BaseException",
        versions: (11, NEWEST),
        fields: &[
            (24, Attribute, b"args"),
            (32, Attribute, b"__notes__"),
            (40, Attribute, b"__traceback__"),
            (48, Attribute, b"__context__"),
            (56, Attribute, b"__cause__"),
        ],
    },
    Fields {
        type_name: b"_lru.LRU",
        versions: (OLDEST, NEWEST),
        fields: LRU_DICT,
    },
    Fields {
        type_name: b"lru.LRU",
        versions: (OLDEST, NEWEST),
        fields: LRU_DICT,
    },
    Fields {
        type_name: b"_lru.Node",
        versions: (OLDEST, NEWEST),
        fields: LRU_DICT_ENTRY,
    },
    Fields {
        type_name: b"lru.Node",
        versions: (OLDEST, NEWEST),
        fields: LRU_DICT_ENTRY,
    },
    Fields {
        type_name: b"type",
        versions: (OLDEST, NEWEST),
        fields: &[
            (264, Attribute, b"__dict__"),
            (336, Attribute, b"__bases__"),
            (344, Attribute, b"__mro__"),
            (352, Internal, b"cache"),
        ],
    },
];

/// The fields of a C type in one version.
pub(crate) fn of(minor: u32, type_name: &[u8]) -> impl Iterator<Item = &'static Field> {
    KNOWN
        .iter()
        .filter(move |known| {
            let (first, last) = known.versions;
            known.type_name == type_name && (first..=last).contains(&minor)
        })
        .flat_map(|known| known.fields)
}
