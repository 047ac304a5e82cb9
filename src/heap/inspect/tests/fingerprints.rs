use super::*;
use crate::paths::Paths;

/// What the fingerprint of the path to an object is, and which steps are suspects.
fn of(heap: &Snapshot, object: ObjId) -> (String, std::ops::Range<usize>) {
    let path = Paths::find(heap).to(heap, object).expect("it is held");
    let stretch = suspect_stretch(&path, &inspect(heap));
    let fingerprint = fingerprint(heap, &path, stretch.clone());
    (fingerprint.to_string(), stretch)
}

/// `shop.CACHE`, an instance with an attribute `entries`, a dict with one more entry than `n_before`.
struct Cache {
    module: &'static str,
    attribute: &'static str,
    is_in_dict: bool,
    n_before: u32,
}

const CACHE: Cache = Cache {
    module: "shop.cache",
    attribute: "entries",
    is_in_dict: true,
    n_before: 0,
};

fn fingerprint_of(cache: &Cache) -> String {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.object("dict");
    heap.root(RootKind::Modules, modules);
    for index in 0..cache.n_before {
        heap.skip(4096);
        heap.module(modules, &format!("other{index}"));
    }
    let shop = heap.module(modules, cache.module);
    let instance = heap.tracked("shop.cache.Cache");
    heap.attribute(shop, "CACHE", instance);
    let entries = heap.tracked("dict");
    if cache.is_in_dict {
        heap.attribute(instance, cache.attribute, entries);
    } else {
        heap.reference(instance, Via::Attribute(cache.attribute), entries);
    }
    for index in 0..cache.n_before {
        let entry = heap.object("shop.Entry");
        heap.entry(entries, &format!("user-{index}"), entry);
    }
    let entry = heap.object("shop.Entry");
    heap.entry(entries, &format!("user-{}", cache.n_before), entry);
    of(&heap.finish(), entry).0
}

#[test]
fn a_fingerprint_is_the_same_for_the_same_names() {
    let plain = fingerprint_of(&CACHE);
    assert_eq!(plain.len(), 16);
    // It is compared with those that files of accepted findings have.
    assert_eq!(plain, "d126fbf2772a141f");
    let inline = Cache {
        is_in_dict: false,
        ..CACHE
    };
    assert_eq!(fingerprint_of(&inline), plain);
    let larger = Cache {
        n_before: 70,
        ..CACHE
    };
    assert_eq!(fingerprint_of(&larger), plain);
}

#[test]
fn a_fingerprint_is_another_for_other_names() {
    let plain = fingerprint_of(&CACHE);
    let other_module = Cache {
        module: "shop.pages",
        ..CACHE
    };
    assert_ne!(fingerprint_of(&other_module), plain);
    let other_attribute = Cache {
        attribute: "misses",
        ..CACHE
    };
    assert_ne!(fingerprint_of(&other_attribute), plain);
}

#[test]
fn numbers_in_names_do_not_count() {
    let named = |attribute| Cache { attribute, ..CACHE };
    let first = fingerprint_of(&named("shard_1"));
    assert_eq!(first, fingerprint_of(&named("shard_207")));
    assert_ne!(first, fingerprint_of(&named("shard_")));
}

#[test]
fn a_list_of_links_has_one_fingerprint_however_long() {
    let chain = |n_links| {
        let mut shop = Shop::new();
        let mut last = shop.heap.tracked("shop.Link");
        shop.heap.attribute(shop.shop, "HEAD", last);
        for _ in 0..n_links {
            // Two steps a link.
            let (holder, next) = (shop.heap.tracked("list"), shop.heap.tracked("shop.Link"));
            shop.heap.reference(last, Via::Attribute("next"), holder);
            shop.heap.reference(holder, Via::Item(0), next);
            last = next;
        }
        of(&shop.heap.finish(), last).0
    };
    assert_eq!(chain(1), chain(2));
    assert_eq!(chain(1), chain(500));
    assert_ne!(chain(0), chain(1));
}

#[test]
fn a_coroutine_is_the_same_with_a_frame_object_and_without() {
    let local_of = |has_frame_object| {
        let mut shop = Shop::new();
        let coroutine = shop.with_state("coroutine", ObjectState::Suspended(31));
        let owner = if has_frame_object {
            let frame = shop.heap.tracked("frame");
            shop.heap
                .reference(coroutine, Via::Internal("frame"), frame);
            frame
        } else {
            coroutine
        };
        let rows = shop.heap.tracked("list");
        let cell = shop.heap.tracked("cell");
        shop.heap.reference(owner, Via::Local("rows"), cell);
        shop.heap
            .reference(cell, Via::Attribute("cell_contents"), rows);
        of(&shop.heap.finish(), rows).0
    };
    assert_eq!(local_of(true), local_of(false));
}

#[test]
fn a_function_is_known_by_its_own_name() {
    let local_of = |function: &str| {
        let mut shop = Shop::new();
        let frame = shop.heap.frame(function);
        let rows = shop.heap.tracked("list");
        shop.heap.reference(frame, Via::Local("rows"), rows);
        of(&shop.heap.finish(), rows).0
    };
    assert_eq!(local_of("Server.handle"), local_of("handle"));
    assert_ne!(local_of("handle"), local_of("serve"));
}

#[test]
fn suspects_are_between_the_last_in_use_and_the_first_that_should_be_gone() {
    let mut shop = Shop::new();
    let task = shop.with_state("_asyncio.Task", ObjectState::Finished);
    let result = shop.heap.tracked("list");
    shop.heap.reference(task, Via::Unnamed, result);
    let (kept, module) = (shop.kept, shop.shop);
    let heap = shop.heap.finish();
    // sys.modules, shop, its dict, KEPT, the task, its result
    assert_eq!(of(&heap, result).1, 2..5);
    assert_eq!(of(&heap, task).1, 2..5);
    assert_eq!(of(&heap, task), of(&heap, result));
    assert_eq!(of(&heap, kept).1, 2..4);
    assert_eq!(of(&heap, module).1, 2..2);
}

#[test]
fn what_is_in_use_clears_what_leads_to_it() {
    let mut shop = Shop::new();
    let task = shop.with_state("_asyncio.Task", ObjectState::Finished);
    let runs = shop.heap.tracked("coroutine");
    shop.heap.state(runs, ObjectState::Running);
    shop.heap.reference(task, Via::Unnamed, runs);
    let held = shop.heap.tracked("list");
    shop.heap.reference(runs, Via::Internal("origin"), held);
    let heap = shop.heap.finish();
    let (_, stretch) = of(&heap, held);
    assert_eq!(stretch, 6..7);
}

/// A step is fine where something in use comes at it or after it, and of no interest where something
/// that should be gone, and is not fine, comes before it. The rest are suspects.
#[test]
fn stretches_at_random_are_what_the_rule_says() {
    use Verdict::{Leaking, NotLeaking, Unknown};
    let mut random = crate::random::Random::new(11);
    for _ in 0..300 {
        let mut shop = Shop::new();
        let mut last = shop.kept;
        for _ in 0..random.below(12) {
            let next = match random.below(4) {
                0 => shop.heap.tracked("_asyncio.Task"),
                1 => shop.heap.tracked("coroutine"),
                _ => shop.heap.tracked("list"),
            };
            let state = match random.below(2) {
                0 => ObjectState::Finished,
                _ => ObjectState::Running,
            };
            shop.heap.state(next, state);
            shop.heap.reference(last, Via::Unnamed, next);
            last = next;
        }
        let heap = shop.heap.finish();
        let inspections = inspect(&heap);
        let objects: Vec<_> = inspections.iter().map(|row| row.object).collect();
        assert!(objects.is_sorted_by(|one, next| one < next));
        let path = Paths::find(&heap).to(&heap, last).expect("it is held");
        let steps = path.steps.iter();
        let verdicts: Vec<_> = steps.map(|step| inspections.verdict(step.object)).collect();
        let is_fine = |step: usize| verdicts[step..].contains(&NotLeaking);
        let is_after_a_leak =
            |step: usize| (0..step).any(|at| verdicts[at] == Leaking && !is_fine(at));
        let suspects: Vec<usize> = (0..verdicts.len())
            .filter(|&step| !is_fine(step) && !is_after_a_leak(step))
            .collect();
        let stretch: Vec<usize> = suspect_stretch(&path, &inspections).collect();
        assert_eq!(stretch, suspects, "{verdicts:?}");
        assert_eq!(inspections.verdict(heap.roots[0].object), Unknown);
    }
}
