use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::snapshot::RootKind;

/// `threading._active` with threads of `shop.jobs.worker`, and sockets.
fn heap(n_workers: u64, n_sockets: usize) -> Snapshot {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    let threading = heap.module(modules, "threading");
    let jobs = heap.module(modules, "shop.jobs");
    let active = heap.tracked("dict");
    heap.attribute(threading, "_active", active);
    let (function, code, name) = (
        heap.tracked("function"),
        heap.object("code"),
        heap.object("str"),
    );
    heap.attribute(jobs, "worker", function);
    let finished = heap.clone().finish();
    let globals = crate::attributes::field(&finished, jobs, "__dict__").unwrap();
    heap.reference(function, Via::Attribute("__code__"), code);
    heap.reference(function, Via::Attribute("__globals__"), globals);
    heap.reference(code, Via::Attribute("co_name"), name);
    heap.key_text(name, "worker");
    let state = heap.object("dict");
    for (place, id) in (0..).zip(100..=100 + n_workers) {
        let class = if id == 100 {
            "threading._MainThread"
        } else {
            "threading.Thread"
        };
        let thread = heap.tracked(class);
        let key = heap.object("int");
        heap.reference(active, Via::Key(place), key);
        heap.reference(active, Via::Value(place), thread);
        if id > 100 {
            heap.reference(thread, Via::Attribute("_target"), function);
        }
        heap.named_root(RootKind::Thread, state, id, "dict");
    }
    for _ in 0..n_sockets {
        heap.object("socket.socket");
    }
    heap.finish()
}

fn kernel(n_workers: u64, descriptors: &[&str]) -> KernelView {
    let python = (100..=100 + n_workers).map(|id| (id, "python".to_owned()));
    let native = [(7, "pool-12"), (8, "pool-3")].map(|(id, name)| (id, name.to_owned()));
    KernelView {
        threads: python.chain(native).collect(),
        descriptors: descriptors.iter().map(|&link| link.to_owned()).collect(),
    }
}

fn told(groups: &[Group]) -> Vec<(&str, &str, u64)> {
    let told = groups.iter();
    told.map(|group| (group.name.as_str(), group.package.as_str(), group.n))
        .collect()
}

#[test]
fn threads_go_by_what_they_run_and_those_of_native_code_by_name() {
    let inventory = Inventory::of(&heap(3, 0), &kernel(3, &[]));
    assert_eq!(
        told(&inventory.threads),
        [
            ("native threads pool-#", "", 2),
            ("threads of class threading._MainThread", "threading", 1),
            ("threads of worker() in shop.jobs", "shop", 3),
        ]
    );
}

#[test]
fn in_another_namespace_no_thread_is_taken_for_a_native_one() {
    let view = KernelView {
        threads: vec![(4000, "python".into()), (4001, "python".into())],
        ..KernelView::default()
    };
    let inventory = Inventory::of(&heap(1, 0), &view);
    assert_eq!(inventory.threads.len(), 2);
}

#[test]
fn descriptors_go_by_kind_and_by_path_without_digits() {
    let links = [
        "/var/log/shop-1.log",
        "/var/log/shop-22.log",
        "socket:[881]",
        "socket:[882]",
        "pipe:[5]",
        "anon_inode:[eventpoll]",
        "anon_inode:[eventfd]",
        "memfd:x (deleted)",
    ];
    let inventory = Inventory::of(&Snapshot::default(), &kernel(0, &links));
    assert_eq!(
        told(&inventory.descriptors),
        [
            ("descriptors of kind eventfd", "", 1),
            ("descriptors of kind eventpoll", "", 1),
            ("descriptors of kind memfd:x (deleted)", "", 1),
            ("files /var/log/shop-#.log", "", 2),
            ("pipes", "", 1),
            ("sockets", "", 2),
        ]
    );
}

#[test]
fn groups_that_rise_grow_and_descriptors_have_an_owner_that_rises_with_them() {
    let looks = |n_objects: &dyn Fn(u64) -> usize| -> Vec<(f64, Inventory)> {
        let one = |n: u64| {
            let sockets: Vec<String> = (0..n * 10).map(|id| format!("socket:[{id}]")).collect();
            let links: Vec<&str> = sockets.iter().map(String::as_str).collect();
            (
                n as f64,
                Inventory::of(&heap(n, n_objects(n)), &kernel(n, &links)),
            )
        };
        (1..=5).map(one).collect()
    };
    let owned = looks(&|n| n as usize * 10);
    let threads = thread_growth(&owned);
    assert!(matches!(threads.as_slice(), [_]), "{threads:?}");
    assert_eq!(threads[0].group.name, "threads of worker() in shop.jobs");
    assert_eq!((threads[0].group.n, threads[0].trend.per_second), (5, 1.0));
    let descriptors = descriptor_growth(&owned);
    assert!(matches!(descriptors.as_slice(), [_]), "{descriptors:?}");
    assert_eq!(descriptors[0].group.name, "sockets");
    assert_eq!(descriptors[0].trend.per_second, 10.0);
    assert_eq!(descriptors[0].owner_type.as_deref(), Some("socket.socket"));
    assert_eq!(descriptor_growth(&looks(&|_| 3))[0].owner_type, None);
}
