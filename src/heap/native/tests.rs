use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::random::Random;
use crate::snapshot::RootKind;
use leakhunt_wire::TypeFlags;

fn row(look: &NativeLook, key: &str) -> NativeType {
    let row = look.types.iter().find(|row| row.of_type.key() == key);
    row.cloned().unwrap_or_default()
}

/// Some objects of a module, some that only native code holds, some that both hold.
fn heap(n_leaked: usize) -> Snapshot {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let module = heap.module(modules, "shop");
    for (name, n_outside) in [("a", 0), ("b", 5)] {
        let held = heap.tracked("fastcodec.Decoder");
        heap.attribute(module, name, held);
        heap.count(held, 1 + n_outside);
    }
    for _ in 0..n_leaked {
        let leaked = heap.tracked("fastcodec.Decoder");
        let part = heap.tracked("list");
        heap.reference(leaked, Via::Attribute("rows"), part);
        heap.size(part, 1000);
        heap.count(leaked, 2);
    }
    heap.finish()
}

#[test]
fn objects_that_native_code_alone_holds_are_told_from_those_that_python_holds_too() {
    let look = NativeLook::of(&heap(3));
    let decoders = row(&look, "fastcodec.Decoder");
    assert_eq!((decoders.n_objects, decoders.n_references), (4, 5 + 3 * 2));
    assert_eq!((decoders.n_alone, decoders.alone_bytes), (3, 3 * 1064));
    assert_eq!(row(&look, "list"), NativeType::default());
}

#[test]
fn what_is_never_freed_frames_and_free_threaded_builds_tell_nothing() {
    let mut heap = SnapshotBuilder::new();
    let immortal = heap.object("shop.Immortal");
    heap.count(immortal, Objects::NEVER_FREED);
    let frame = heap.frame("work");
    let local = heap.tracked("shop.Row");
    heap.reference(frame, Via::Local("row"), local);
    heap.count(frame, 7);
    let mut heap = heap.finish();
    assert_eq!(NativeLook::of(&heap).types, []);
    heap.objects.reference_count[local.0 as usize] += 1;
    assert_eq!(NativeLook::of(&heap).types.len(), 1);
    heap.capture.free_threaded = true;
    assert_eq!(NativeLook::of(&heap), NativeLook::default());
}

#[test]
fn surplus_is_what_brute_force_counts() {
    let mut random = Random::new(5);
    let (mut n_surplus, mut n_alone) = (0, 0);
    for _ in 0..300 {
        let heap = random.heap(20, 50);
        let count_of = |object: ObjId| heap.objects.reference_count[object.0 as usize];
        let outside = |object: ObjId| {
            let found = heap
                .ids()
                .flat_map(|from| heap.references_of(from))
                .filter(|&(_, to)| to == object)
                .count()
                + heap
                    .roots
                    .iter()
                    .filter(|root| root.object == object)
                    .count();
            match count_of(object) {
                Objects::NEVER_FREED => 0,
                count => u64::from(count).saturating_sub(found as u64),
            }
        };
        let mut alive: Vec<bool> = heap
            .ids()
            .map(|object| {
                count_of(object) == Objects::NEVER_FREED
                    || heap.roots.iter().any(|root| root.object == object)
            })
            .collect();
        for _ in heap.ids() {
            for from in heap
                .ids()
                .filter(|from| alive[from.0 as usize])
                .collect::<Vec<_>>()
            {
                for (_, to) in heap.references_of(from) {
                    alive[to.0 as usize] = true;
                }
            }
        }
        let row = row(&NativeLook::of(&heap), "list");
        let expected: u64 = heap.ids().map(outside).sum();
        assert_eq!(row.n_references, expected);
        let alone = heap
            .ids()
            .filter(|&one| outside(one) > 0 && !alive[one.0 as usize])
            .count();
        assert_eq!(row.n_alone, alone as u64);
        n_surplus += expected;
        n_alone += alone;
    }
    assert!(n_surplus > 50 && n_alone > 20, "{n_surplus} {n_alone}");
}

#[test]
fn a_type_of_which_native_code_keeps_more_at_each_look_grows() {
    let looks = |counts: &[usize]| -> Vec<(f64, NativeLook)> {
        let looks = counts.iter().map(|&count| NativeLook::of(&heap(count)));
        (0..).map(|n| f64::from(n) * 2.0).zip(looks).collect()
    };
    let growth = native_growth(&looks(&[10, 20, 30, 40]));
    assert!(matches!(growth.as_slice(), [_]), "{growth:?}");
    assert_eq!(growth[0].held.of_type.key(), "fastcodec.Decoder");
    assert_eq!(growth[0].objects.per_second, 5.0);
    assert_eq!(growth[0].bytes_delta, 30 * 1064);
    assert_eq!(native_growth(&looks(&[10, 40, 12, 40])), []);
    assert_eq!(native_growth(&looks(&[10, 10, 10, 10])), []);
}

#[test]
fn the_owner_is_the_extension_that_has_the_type_and_else_not_known() {
    let mapped = |start: u64, path: &str| Mapped {
        range: start..start + 0x1000,
        path: path.to_owned(),
    };
    let files = [
        mapped(0x1000, "/usr/bin/python3.12"),
        mapped(0x3000, "/usr/lib/x86_64-linux-gnu/libc.so.6"),
        mapped(0x5000, "/app/fastcodec.cpython-312-x86_64-linux-gnu.so"),
        mapped(
            0x7000,
            "/usr/lib/python3.12/lib-dynload/_json.cpython-312-x86_64-linux-gnu.so",
        ),
        mapped(
            0x9000,
            "/venv/lib/python3.12/site-packages/other/_speed.abi3.so",
        ),
    ];
    let of_type = |address, module: &str, flags| Type {
        address,
        module: module.to_owned(),
        flags,
        ..Type::default()
    };
    let extension = |path: &str| NativeOwner::Extension { path: path.into() };
    // A static type, by its place; one made at run time, by the name of its module.
    assert_eq!(
        native_owner(&of_type(0x5010, "", 0), &files),
        extension(&files[2].path)
    );
    let made = of_type(0xffff_0000, "other._speed", TypeFlags::HEAP_TYPE);
    assert_eq!(native_owner(&made, &files), extension(&files[4].path));
    let loaded = NativeOwner::Unknown {
        loaded: vec![
            "_speed.abi3.so".into(),
            "fastcodec.cpython-312-x86_64-linux-gnu.so".into(),
        ],
    };
    assert_eq!(native_owner(&of_type(0x1010, "", 0), &files), loaded);
    let class = of_type(
        0xffff_0000,
        "shop._speed",
        TypeFlags::HEAP_TYPE | TypeFlags::PYTHON,
    );
    assert_eq!(native_owner(&class, &files), loaded);
}

#[test]
fn a_builtin_object_that_native_code_holds_is_known_by_what_it_refers_to() {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    for _ in 0..3 {
        let parser = heap.tracked("redis.Parser");
        let method = heap.tracked("method");
        heap.reference(method, Via::Attribute("__self__"), parser);
        heap.count(method, 1);
    }
    let method = row(&NativeLook::of(&heap.finish()), "method");
    assert_eq!(method.n_alone, 3);
    let expected = [("redis.Parser".to_owned(), 3)];
    assert_eq!(method.refer_to.into_iter().collect::<Vec<_>>(), expected);
}
