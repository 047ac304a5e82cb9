//! A small heap by hand: each kind of column value is in it.

use super::*;
use crate::collector::CollectorState;

/// `shop.cache.CACHE`, a dict with one entry, a frame that uses it, and what they refer to.
pub(super) fn sample() -> Snapshot {
    let mut snapshot = Snapshot {
        capture: Capture {
            leakhunt: "0.1.0".to_owned(),
            python: "3.13.2".to_owned(),
            free_threaded: false,
            pid: 4121,
            command: "python app.py \"a b\"".to_owned(),
            taken_at_us: 1_770_091_506_000_007,
            pause_us: 2_100,
            walk_us: 41_000,
            rss_bytes: 412 << 20,
            names: "small".to_owned(),
            is_during_collection: true,
            skipped_type: "shop.Broken".to_owned(),
            n_full_collections: 3,
            collector: CollectorState {
                enabled: Some(false),
                thresholds: Some([700, 10, 10]),
                counts: Some([1, 2, 3]),
                collections: Some([90, 9, 3]),
                debug: Some(32),
                n_uncollectable: Some(4),
                long_lived: Some(5),
                long_lived_pending: Some(6),
            },
            generation_starts: [0, 0, 0],
            n_dangling: 2,
            n_violations: 1,
        },
        ..Snapshot::default()
    };
    let ty = |at: u64, module: &str, qualname: &str, flags| Type {
        address: 0x7f00_0000_0000 + at * 0x400,
        module: module.to_owned(),
        qualname: qualname.to_owned(),
        name: qualname.rsplit('.').next().unwrap().to_owned(),
        flags,
        basic_size: 16 + at,
        base: if flags & 1 == 0 { 0 } else { 0x7f00_0000_0400 },
    };
    use leakhunt_wire::TypeFlags as Flags;
    snapshot.types = vec![
        ty(0, "", "dict", Flags::COLLECTED | Flags::DICT),
        ty(1, "", "object", 0),
        ty(2, "", "str", Flags::STR),
        ty(
            3,
            "shop.cache",
            "Outer.Entry",
            Flags::HEAP_TYPE | Flags::COLLECTED | Flags::PYTHON | 30 << Flags::SHARED_KEYS_SHIFT,
        ),
        ty(4, "", "list", Flags::COLLECTED | Flags::LIST),
        ty(5, "lib", "Ünknown", Flags::HEAP_TYPE | Flags::ESTIMATE),
        ty(6, "", "frame", Flags::FRAME),
        ty(7, "", "set", Flags::COLLECTED),
    ];
    const NEVER: u32 = Objects::NEVER_FREED;
    const UNTRACKED: u32 = Objects::UNTRACKED;
    let rows: [(u64, u32, u64, u32, u32); 9] = [
        (0x5555_0000_1000, 0, 232, 3, 0),
        (0x5555_0000_1100, 2, 54, NEVER, UNTRACKED),
        (0x5555_0000_1140, 3, 48, 2, 2),
        (0x5555_0000_1180, 4, 88, 1, 1),
        (0x5555_0000_11c0, 5, 1 << 40, 1, UNTRACKED),
        (0x5555_0000_1200, 6, 0, NEVER, UNTRACKED),
        (0x5555_0000_1240, 7, 216, 1, 3),
        (0x5555_0000_1280, 2, 51, NEVER - 1, UNTRACKED),
        (0xffff_ffff_ffff_fff0, 2, 50, 1, UNTRACKED),
    ];
    for (address, ty, size_bytes, reference_count, birth_place) in rows {
        let objects = &mut snapshot.objects;
        objects.address.push(address);
        objects.type_id.push(TypeId(ty));
        objects.size_bytes.push(size_bytes);
        objects.reference_count.push(reference_count);
        objects.birth_place.push(birth_place);
    }
    let mut name = |text| snapshot.strings.add(text);
    let (next, cache, globals) = (name("Outer.Entry.next"), name("cache"), name("globals"));
    let (key, empty) = (name("front:7"), name(""));
    use LabelName as Name;
    let references: [&[(Name, u32)]; 9] = [
        &[(Name::Key(0), 1), (Name::Value(0), 2), (Name::Key(1), 7)],
        &[],
        &[(Name::Type, 3), (Name::Attribute(next), 3)],
        &[(Name::Item(0), 2), (Name::Item(Label::MAX_NUMBER), 4)],
        &[],
        &[(Name::Local(cache), 0), (Name::Internal(globals), 0)],
        &[(Name::Member(0), 7), (Name::None, 8)],
        &[],
        &[],
    ];
    snapshot.references.first.push(0);
    for of_object in references {
        for &(label, target) in of_object {
            snapshot.references.target.push(ObjId(target));
            snapshot.references.label.push(Label::new(label));
        }
        let end = snapshot.references.target.len() as u64;
        snapshot.references.first.push(end);
    }
    snapshot.key_texts = vec![(ObjId(1), key), (ObjId(7), empty)];
    let root = |kind, object, thread, text: &str| Root {
        kind,
        object: ObjId(object),
        thread,
        text: text.to_owned(),
    };
    snapshot.roots = vec![
        root(RootKind::Modules, 0, 0, ""),
        root(RootKind::Builtins, 0, 0, ""),
        root(RootKind::Frame, 5, 4121, "Outer.render"),
        root(RootKind::Interpreter, 6, 0, "sysdict"),
        root(RootKind::Thread, 3, u64::MAX, "context"),
    ];
    snapshot.states = vec![
        (ObjId(2), ObjectState::Suspended(31)),
        (ObjId(3), ObjectState::Bounded(0)),
        (ObjId(6), ObjectState::Bounded(u64::MAX)),
        (ObjId(7), ObjectState::Defaults(2)),
        (ObjId(8), ObjectState::Closed),
    ];
    snapshot
}
