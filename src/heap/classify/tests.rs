use leakhunt_wire::TypeFlags;

use super::*;
use crate::snapshot::{Label, LabelName, Objects, Root, RootKind, Snapshot, Type, TypeId};

/// A heap made by hand. Addresses are multiples of 16, from 16 on.
struct Heap(Snapshot);

/// What a reference is for: a name, the place of an item, or a place in a `dict`.
#[derive(Clone, Copy)]
enum For {
    Attribute(&'static str),
    Local(&'static str),
    Item(u32),
    Key(u32),
    Value(u32),
    Type,
}

const PYTHON: u32 = TypeFlags::PYTHON | TypeFlags::HEAP_TYPE;
const TRACKED: u32 = 7;

impl Heap {
    fn new(python: &str) -> Self {
        let mut snapshot = Snapshot::default();
        snapshot.capture.python = python.to_owned();
        snapshot.references.first.push(0);
        Self(snapshot)
    }

    fn class(&mut self, module: &str, name: &str, flags: u32) -> TypeId {
        self.0.types.push(Type {
            address: 1 << 40 | self.0.types.len() as u64,
            module: module.to_owned(),
            qualname: name.to_owned(),
            name: name.to_owned(),
            flags,
            basic_size: if name == "dict" { 48 } else { 16 },
            base: 0,
        });
        TypeId(self.0.types.len() as u32 - 1)
    }

    /// One that the collector does not track if it is of 16 bytes.
    fn object(&mut self, of: TypeId, size_bytes: u64, references: &[(For, u32)]) -> u32 {
        let id = self.0.objects.address.len() as u32;
        let objects = &mut self.0.objects;
        objects.address.push(16 * (u64::from(id) + 1));
        objects.type_id.push(of);
        objects.size_bytes.push(size_bytes);
        objects.reference_count.push(1);
        objects.birth_place.push(if size_bytes == 16 {
            Objects::UNTRACKED
        } else {
            TRACKED
        });
        for &(what, target) in references {
            let name = match what {
                For::Attribute(text) => LabelName::Attribute(self.0.strings.add(text)),
                For::Local(text) => LabelName::Local(self.0.strings.add(text)),
                For::Item(place) => LabelName::Item(place),
                For::Key(place) => LabelName::Key(place),
                For::Value(place) => LabelName::Value(place),
                For::Type => LabelName::Type,
            };
            self.0.references.label.push(Label::new(name));
            self.0.references.target.push(ObjId(target));
        }
        let n_references = self.0.references.target.len() as u64;
        self.0.references.first.push(n_references);
        id
    }

    fn root(&mut self, kind: RootKind, object: u32) {
        self.0.roots.push(Root {
            kind,
            object: ObjId(object),
            thread: 0,
            text: String::new(),
        });
    }

    fn key_text(&mut self, object: u32, text: &str) {
        let text = self.0.strings.add(text);
        self.0.key_texts.push((ObjId(object), text));
        self.0.key_texts.sort();
    }

    fn table(&self, by: &str, virtual_dicts: bool) -> KindTable {
        let scope = Scope {
            is_counted: &|_| true,
            is_seen: &|_| true,
            virtual_dicts,
            time_made: 12.5,
        };
        kind_table(&self.0, &by.parse().unwrap(), scope)
    }

    /// Objects, bytes and name of each row.
    fn rows(&self, by: &str) -> Vec<String> {
        lines(&self.table(by, false))
    }

    fn rows_with_virtual_dicts(&self, by: &str) -> Vec<String> {
        lines(&self.table(by, true))
    }
}

fn lines(table: &KindTable) -> Vec<String> {
    let rows = table.rows.iter();
    rows.map(|row| format!("{} {} {}", row.n_objects, row.size_bytes, row.kind))
        .collect()
}

/// An instance with a `__dict__`, a module, a class and a `dict` that nothing owns.
fn owners(python: &str) -> Heap {
    let mut heap = Heap::new(python);
    let dict = heap.class("", "dict", TypeFlags::DICT);
    let foo = heap.class("shop", "Foo", PYTHON);
    let module = heap.class("", "module", 0);
    let meta = heap.class("abc", "ABCMeta", TypeFlags::TYPE);
    let metatype = heap.class("", "type", TypeFlags::TYPE);
    let sub = heap.class("shop", "Sub", PYTHON | TypeFlags::DICT);
    for of in [foo, module, meta] {
        let id = heap.0.objects.len() as u32;
        let own = For::Attribute("__dict__");
        heap.object(of, 48, &[(own, id + 1)]);
        heap.object(dict, 100, &[]);
    }
    let id = heap.object(metatype, 16, &[(For::Attribute("__dict__"), 7)]);
    assert_eq!(id, 6);
    heap.object(dict, 200, &[]);
    heap.object(dict, 300, &[]);
    heap.object(sub, 400, &[]);
    heap
}

#[test]
fn a_dict_is_of_the_type_of_its_owner() {
    let heap = owners("3.11.7");
    assert_eq!(
        heap.rows("clodo"),
        [
            "1 400 shop.Sub",
            "1 300 dict (no owner)",
            "1 200 dict of type",
            "1 100 dict of abc.ABCMeta",
            "1 100 dict of module",
            "1 100 dict of shop.Foo",
            "1 48 abc.ABCMeta",
            "1 48 module",
            "1 48 shop.Foo",
            "1 16 type",
        ]
    );
    assert_eq!(heap.rows("type")[0], "5 800 dict");
}

#[test]
fn dicts_of_static_types_have_no_owner_from_3_12_on() {
    let rows = owners("3.12.1").rows("clodo");
    assert_eq!(rows[0], "2 500 dict (no owner)");
    assert!(rows.contains(&"1 100 dict of abc.ABCMeta".to_owned()));
}

#[test]
fn of_several_owners_that_at_the_lowest_address_counts() {
    let mut heap = Heap::new("3.11.7");
    let dict = heap.class("", "dict", TypeFlags::DICT);
    let (first, second) = (
        heap.class("a", "First", PYTHON),
        heap.class("a", "Second", PYTHON),
    );
    heap.object(dict, 100, &[]);
    heap.object(second, 48, &[(For::Attribute("__dict__"), 0)]);
    heap.object(first, 48, &[(For::Attribute("__dict__"), 0)]);
    assert_eq!(heap.rows("clodo")[0], "1 100 dict of a.Second");
}

/// A list and a tuple hold a row; a root, a frame and a `dict` hold the list.
fn held() -> Heap {
    let mut heap = Heap::new("3.13.0");
    let row = heap.class("shop", "Row", PYTHON);
    let list = heap.class("", "list", TypeFlags::LIST);
    let tuple = heap.class("", "tuple", TypeFlags::TUPLE);
    let frame = heap.class("", "frame", TypeFlags::FRAME);
    let dict = heap.class("", "dict", TypeFlags::DICT);
    let text = heap.class("", "str", TypeFlags::STR);
    heap.object(row, 40, &[]);
    heap.object(list, 80, &[(For::Item(0), 0), (For::Item(1), 0)]);
    heap.object(tuple, 50, &[(For::Item(0), 0)]);
    heap.object(frame, 0, &[(For::Local("rows"), 1)]);
    heap.object(text, 60, &[]);
    heap.object(dict, 90, &[(For::Key(0), 4), (For::Value(0), 1)]);
    heap.root(RootKind::Modules, 1);
    heap.root(RootKind::Frame, 3);
    heap
}

#[test]
fn referrers_are_the_set_of_their_kinds() {
    let heap = held();
    let table = heap.table("rcs", false);
    assert_eq!(
        table.kind_header,
        "Referrers by Kind (class / dict of class)"
    );
    assert_eq!(
        lines(&table),
        [
            "3 200 <Nothing>",
            "1 80 dict (no owner), guppy.heapy.heapyc.RootStateType, types.FrameType",
            "1 40 list, tuple",
        ]
    );
    let both = heap.table("clodo&rcs", false);
    assert_eq!(
        both.kind_header,
        "Kind (class / dict of class) & {Referrers by Kind (class / dict of class)}"
    );
    assert!(lines(&both).contains(&"1 50 tuple & {}".to_owned()));
    assert!(lines(&both).contains(&"1 40 shop.Row & {list, tuple}".to_owned()));
}

#[test]
fn running_frames_refer_but_do_not_count() {
    let heap = held();
    assert!(!heap.rows("clodo").iter().any(|row| row.contains("rame")));
    assert!(
        heap.rows("rcs")
            .iter()
            .any(|row| row.contains("types.FrameType"))
    );
    assert_eq!(heap.table("id", false).rows.len(), 5);
}

#[test]
fn what_is_not_seen_is_no_referrer() {
    let heap = held();
    let scope = Scope {
        is_counted: &|object| object.0 < 2,
        is_seen: &|object| object.0 != 2,
        virtual_dicts: false,
        time_made: 1.0,
    };
    let table = kind_table(&heap.0, &"rcs".parse().unwrap(), scope);
    assert_eq!(lines(&table)[1], "1 40 list");
    assert_eq!((table.n_objects, table.size_bytes), (2, 120));
}

#[test]
fn keys_count_as_held_only_where_one_is_no_text() {
    let mut heap = held();
    heap.object(
        TypeId(4),
        90,
        &[
            (For::Key(0), 4),
            (For::Value(0), 0),
            (For::Key(1), 2),
            (For::Value(1), 0),
        ],
    );
    assert!(
        heap.rows("rcs")
            .contains(&"2 110 dict (no owner)".to_owned())
    );
}

#[test]
fn a_class_is_no_referrer_of_its_metaclass() {
    let mut heap = Heap::new("3.11.7");
    let metatype = heap.class("", "type", TypeFlags::TYPE);
    let meta = heap.class("shop", "Meta", PYTHON | TypeFlags::TYPE);
    let made = heap.class("shop", "Made", PYTHON);
    heap.object(metatype, 900, &[]);
    heap.object(meta, 1000, &[(For::Type, 0)]);
    heap.object(made, 48, &[(For::Type, 1)]);
    let rows = heap.rows("rcs");
    assert_eq!(rows, ["1 1000 shop.Made", "2 948 <Nothing>"]);
}

#[test]
fn garbage_and_mere_keys_are_not_visible() {
    let heap = held();
    let visible = visible(&heap.0);
    let seen: Vec<_> = heap.0.ids().filter(|&object| visible.has(object)).collect();
    assert_eq!(seen, [ObjId(0), ObjId(1), ObjId(3)]);
    assert!(!visible.has(ObjId(1000)));
}

/// Three instances of a class with room for 5 attributes: without a `__dict__`, with one that shares
/// its values, and with one of its own keys. Each has an attribute; that of the second and third is
/// in the `dict`.
fn lazy(python: &str) -> Heap {
    let mut heap = Heap::new(python);
    let dict = heap.class("", "dict", TypeFlags::DICT);
    let flags = PYTHON | 5 << TypeFlags::SHARED_KEYS_SHIFT;
    let foo = heap.class("shop", "Foo", flags);
    let part = heap.class("shop", "Part", PYTHON);
    let metatype = heap.class("", "type", TypeFlags::TYPE);
    heap.object(part, 10, &[]);
    heap.object(part, 20, &[]);
    heap.object(part, 30, &[]);
    heap.object(metatype, 1000, &[]);
    heap.object(foo, 48, &[(For::Type, 3), (For::Attribute("part"), 0)]);
    let own = For::Attribute("__dict__");
    heap.object(foo, 48, &[(For::Type, 3), (own, 6)]);
    heap.object(dict, 104, &[(For::Value(0), 1)]);
    heap.object(foo, 48, &[(For::Type, 3), (own, 8)]);
    heap.object(dict, 184, &[(For::Value(0), 2)]);
    heap
}

#[test]
fn the_dict_that_an_instance_would_make_counts_when_asked_for() {
    let heap = lazy("3.11.7");
    assert_eq!(heap.rows("clodo")[1], "2 288 dict of shop.Foo");
    // 64 bytes, and 8 for each of the five attributes.
    assert_eq!(
        heap.rows_with_virtual_dicts("clodo")[1],
        "3 392 dict of shop.Foo"
    );
    assert_eq!(heap.rows_with_virtual_dicts("type")[1], "3 392 dict");
    assert!(
        heap.rows_with_virtual_dicts("type&size")
            .contains(&"2 208 dict & 104".to_owned())
    );
    assert!(
        heap.rows_with_virtual_dicts("clodo&rcs")
            .contains(&"3 392 dict of shop.Foo & {shop.Foo}".to_owned())
    );
    let ids = heap.table("id", true);
    assert_eq!(ids.rows.len(), 10);
    assert!(lines(&ids).contains(&"1 104 dict of shop.Foo: 0x50".to_owned()));
}

#[test]
fn instances_of_subclasses_of_c_types_have_no_virtual_dict_up_to_3_12() {
    for (python, n_rows) in [("3.12.1", 1), ("3.13.0", 2)] {
        let mut heap = Heap::new(python);
        let list = heap.class("", "list", TypeFlags::LIST);
        let flags = PYTHON | TypeFlags::LIST | 5 << TypeFlags::SHARED_KEYS_SHIFT;
        let sub = heap.class("shop", "Sub", flags);
        heap.0.types[1].base = heap.0.types[list.0 as usize].address;
        heap.object(sub, 80, &[]);
        assert_eq!(
            heap.rows_with_virtual_dicts("clodo").len(),
            n_rows,
            "{python}"
        );
    }
}

#[test]
fn a_virtual_dict_has_its_instance_as_its_only_referrer() {
    let mut heap = Heap::new("3.13.0");
    let flags = PYTHON | 5 << TypeFlags::SHARED_KEYS_SHIFT;
    let foo = heap.class("shop", "Foo", flags);
    heap.object(foo, 48, &[]);
    assert_eq!(
        heap.rows_with_virtual_dicts("rcs"),
        ["1 104 shop.Foo", "1 48 <Nothing>"]
    );
    assert_eq!(
        heap.rows_with_virtual_dicts("type"),
        ["1 104 dict", "1 48 shop.Foo"]
    );
}

#[test]
fn attributes_are_held_by_the_dict_alone_up_to_3_12() {
    let parts = |rows: Vec<String>| -> Vec<String> {
        let parts = rows.into_iter().filter_map(|row| {
            let (_, referrers) = row.split_once("shop.Part & ")?;
            Some(referrers.to_owned())
        });
        parts.collect()
    };
    for python in ["3.11.7", "3.12.1"] {
        let heap = lazy(python);
        assert_eq!(
            parts(heap.rows_with_virtual_dicts("clodo&rcs")),
            ["{dict of shop.Foo}"]
        );
        assert_eq!(
            parts(heap.rows("clodo&rcs")),
            ["{dict of shop.Foo}", "{shop.Foo}"]
        );
    }
    let heap = lazy("3.13.0");
    assert_eq!(
        parts(heap.rows_with_virtual_dicts("clodo&rcs")),
        ["{dict of shop.Foo, shop.Foo}", "{dict of shop.Foo}"]
    );
    let rows = heap.rows_with_virtual_dicts("rcs");
    assert!(rows.contains(&"2 30 dict of shop.Foo, shop.Foo".to_owned()));
    // The class: instances refer to it, their dicts do not.
    assert!(rows.contains(&"4 1392 shop.Foo".to_owned()), "{rows:?}");
}

#[test]
fn it_does_not_matter_which_of_the_two_shows_shared_attributes() {
    let mut heap = lazy("3.13.0");
    let foo = TypeId(1);
    let id = heap.0.objects.len() as u32;
    let own = For::Attribute("__dict__");
    let references = [
        (For::Type, 3),
        (own, id + 1),
        (For::Attribute("part"), id + 2),
    ];
    heap.object(foo, 48, &references);
    heap.object(TypeId(0), 104, &[]);
    heap.object(TypeId(2), 777, &[]);
    let rows = heap.rows("clodo&rcs");
    assert!(
        rows.contains(&"2 797 shop.Part & {dict of shop.Foo, shop.Foo}".to_owned()),
        "{rows:?}"
    );
}

#[test]
fn two_classes_of_one_name_are_two_rows() {
    let mut heap = Heap::new("3.11.7");
    for size_bytes in [20, 30] {
        let same = heap.class("shop", "Same", PYTHON);
        heap.object(same, size_bytes, &[]);
    }
    let table = heap.table("clodo", false);
    assert_eq!(lines(&table), ["1 30 shop.Same", "1 20 shop.Same"]);
    assert!(crate::hpy::write(&table).contains(".r: 2 50 shop.Same\n"));
    assert!(crate::hpy::write_split(&table).contains(".numrows: 2\n"));
}

#[test]
fn sizes_and_unity_are_as_guppy_writes_them() {
    let heap = held();
    let sizes = heap.table("size", false);
    assert_eq!(sizes.kind_header, "Individual Size");
    assert_eq!(lines(&sizes)[0], "1 90        90");
    assert_eq!(lines(&heap.table("unity", false)), ["5 320 <Anything>"]);
    let table = heap.table("Type & Size", false);
    assert_eq!(table.kind_header, "Type & Individual Size");
    assert_eq!(lines(&table)[0], "1 90 dict & 90");
    assert_eq!(table.time_made, 12.5);
}

#[test]
fn modules_are_called_by_their_names_where_these_are_known() {
    let mut heap = Heap::new("3.11.7");
    let module = heap.class("", "module", 0);
    let dict = heap.class("", "dict", TypeFlags::DICT);
    let text = heap.class("", "str", TypeFlags::STR);
    for (index, key) in ["__name__", "posixpath", "os.path", "sys"]
        .iter()
        .enumerate()
    {
        heap.object(text, 50, &[]);
        heap.key_text(index as u32, key);
    }
    let own = For::Attribute("__dict__");
    heap.object(module, 72, &[(own, 5)]);
    heap.object(dict, 100, &[(For::Key(0), 0), (For::Value(0), 1)]);
    heap.object(module, 73, &[]);
    heap.object(module, 74, &[]);
    heap.object(
        dict,
        100,
        &[
            (For::Key(0), 2),
            (For::Value(0), 4),
            (For::Key(1), 3),
            (For::Value(1), 6),
            (For::Key(2), 1),
            (For::Value(2), 6),
        ],
    );
    heap.root(RootKind::Modules, 8);
    assert_eq!(
        heap.rows("module"),
        ["6 400 ~module", "1 74 0x80", "1 73 sys", "1 72 posixpath"]
    );
}

#[test]
fn objects_by_themselves_show_addresses() {
    let mut heap = held();
    let table = heap.table("id", false);
    assert_eq!(table.format, crate::KindTableFormat::Id);
    assert_eq!(
        (table.kind_name.as_str(), table.kind_header.as_str()),
        ("<mixed>", "Brief")
    );
    assert_eq!(
        lines(&table),
        [
            "1 90 dict (no owner): 0x60*1",
            "1 80 list: 0x20*2",
            "1 60 str: 0x50",
            "1 50 tuple: 0x30*1",
            "1 40 shop.Row: 0x10",
        ]
    );
    heap.0.types[0].name = "Only".to_owned();
    let scope = Scope {
        is_counted: &|object| object.0 == 0,
        is_seen: &|_| true,
        virtual_dicts: false,
        time_made: 1.0,
    };
    let table = kind_table(&heap.0, &By::Id, scope);
    assert_eq!(
        (table.kind_name.as_str(), table.kind_header.as_str()),
        ("<shop.Only>", "Address")
    );
    assert_eq!(lines(&table), ["1 40 0x10"]);
}

#[test]
fn an_empty_heap_has_tables() {
    let heap = Heap::new("");
    for by in [
        "clodo",
        "type",
        "rcs",
        "module",
        "size",
        "unity",
        "id",
        "clodo&rcs",
    ] {
        let table = heap.table(by, true);
        assert_eq!((table.rows.len(), table.n_objects), (0, 0), "{by}");
    }
}
