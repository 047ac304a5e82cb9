use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::identity::identify;
use crate::snapshot::RootKind;

/// A heap of a shop with two places, and what they hold.
fn shop(n_templates: u32, n_rows: u32) -> SnapshotBuilder {
    let mut heap = SnapshotBuilder::new();
    let modules = heap.tracked("dict");
    heap.root(RootKind::Modules, modules);
    let module = heap.module(modules, "shop");
    let cache = heap.tracked("dict");
    heap.attribute(module, "CACHE", cache);
    let rows = heap.tracked("list");
    heap.attribute(module, "ROWS", rows);
    heap.skip(0x1000);
    for place in 0..n_templates {
        let key = heap.tracked("tuple");
        heap.reference(cache, Via::Key(place), key);
        let template = heap.tracked("shop.Template");
        heap.reference(cache, Via::Value(place), template);
        for text in ["page", "visitor"] {
            let text_object = heap.object("str");
            heap.reference(template, Via::Attribute(text), text_object);
        }
    }
    heap.skip(0x1000_0000 - u64::from(n_templates) * 256);
    for place in 0..n_rows {
        let row = heap.tracked("shop.Row");
        heap.reference(rows, Via::Item(place), row);
    }
    heap
}

fn look(growing: &mut GrowingTypes, heap: &Snapshot) -> (Paths, Vec<GrowingType>) {
    let paths = Paths::find(heap);
    let grown = growing.observe(heap, &paths, |_| true);
    (paths, grown)
}

fn names(sources: &Sources) -> Vec<(&str, u64)> {
    let findings = sources.findings.iter();
    findings
        .map(|finding| {
            let name = finding.holder.as_ref().map_or("", |holder| &holder.name);
            (name, finding.n_objects_estimate)
        })
        .collect()
}

#[test]
fn the_place_that_gained_most_comes_first_with_all_that_it_holds() {
    let mut growing = GrowingTypes::default();
    let before = shop(50, 50).finish();
    assert_eq!(
        look(&mut growing, &before).1,
        [],
        "the first is the baseline"
    );
    let after = shop(90, 60).finish();
    let (paths, grown) = look(&mut growing, &after);
    let identities = identify(&before, &after);
    let found = sources(&after, &paths, Some(&identities), &grown, 3);
    assert_eq!(names(&found), [("shop.CACHE", 160), ("shop.ROWS", 10)]);
    let keys: Vec<_> = found.types.iter().map(|of| &*of.growth.type_key).collect();
    assert_eq!(keys, ["shop.Template", "str", "tuple", "shop.Row"]);
    let templates = &found.types[0];
    assert_eq!((templates.n_new, templates.n_sampled), (Some(40), 40));
    assert_eq!(templates.holders[0].n_held, 40);
    let paths: Vec<_> = templates
        .examples
        .iter()
        .map(|one| &*one.path.expression)
        .collect();
    let entry = |index| format!("list(sys.modules['shop'].CACHE.values())[{index}]");
    assert_eq!(
        paths,
        [entry(89), entry(88), entry(87)],
        "the youngest first"
    );
    let (_, grown) = look(&mut growing, &shop(70, 60).finish());
    assert_eq!(grown, [], "less than the peak is no growth");
}

#[test]
fn without_an_earlier_snapshot_the_newest_objects_stand_for_the_new_ones() {
    let mut growing = GrowingTypes::default();
    look(&mut growing, &shop(1, 1).finish());
    let heap = shop(40, 1).finish();
    let (paths, grown) = look(&mut growing, &heap);
    let found = sources(&heap, &paths, None, &grown, 1);
    assert_eq!(found.types[0].n_new, None);
    let source = &found.types[0].examples[0];
    assert_eq!(source.holder.as_ref().unwrap().name, "shop.CACHE");
}

#[test]
fn garbage_does_not_grow() {
    let mut growing = GrowingTypes::default();
    look(&mut growing, &shop(1, 1).finish());
    let mut heap = shop(1, 1);
    for _ in 0..9 {
        let lost = heap.tracked("shop.Template");
        heap.reference(lost, Via::Attribute("me"), lost);
    }
    let heap = heap.finish();
    let (_, grown) = look(&mut growing, &heap);
    assert_eq!(grown, []);
}

#[test]
fn lists_within_a_list_are_one_place_and_so_is_a_chain() {
    let mut heap = shop(0, 0);
    let baseline = heap.clone().finish();
    let lists = heap.tracked("list");
    let root = ObjId(1);
    heap.attribute(root, "LISTS", lists);
    for place in 0..20 {
        let inner = heap.tracked("list");
        heap.reference(lists, Via::Item(place), inner);
        for place in 0..3 {
            let row = heap.tracked("shop.Row");
            heap.reference(inner, Via::Item(place), row);
        }
    }
    let mut link = heap.tracked("shop.Link");
    heap.attribute(root, "HEAD", link);
    for _ in 0..30 {
        let next = heap.tracked("shop.Link");
        heap.reference(link, Via::Attribute("next"), next);
        let held = heap.tracked("shop.Held");
        heap.reference(link, Via::Attribute("held"), held);
        link = next;
    }
    let heap = heap.finish();
    assert_eq!(heap.type_of(root).name, "module");
    let mut growing = GrowingTypes::default();
    look(&mut growing, &baseline);
    let (paths, grown) = look(&mut growing, &heap);
    let found = sources(&heap, &paths, None, &grown, 1);
    let holder = |key: &str| {
        let of = found.types.iter().find(|of| of.growth.type_key == key);
        let share = &of.unwrap().holders[0];
        (&*share.holder.as_ref().unwrap().name, share.n_held)
    };
    assert_eq!(holder("shop.Row"), ("shop.LISTS", 60));
    let (name, n_held) = holder("shop.Held");
    assert!(name.starts_with("shop.HEAD"), "{name}");
    assert!(n_held > 20, "{n_held}");
}

#[test]
fn a_place_beyond_a_step_without_a_name_is_named() {
    let heap_of = |n_requests| {
        let mut heap = SnapshotBuilder::new();
        let modules = heap.tracked("dict");
        heap.root(RootKind::Modules, modules);
        let module = heap.module(modules, "shop");
        let native = heap.tracked("shop.Native");
        heap.attribute(module, "NATIVE", native);
        let app = heap.tracked("shop.App");
        heap.reference(native, Via::Unnamed, app);
        let history = heap.tracked("list");
        heap.attribute(app, "history", history);
        heap.skip(0x1000);
        for place in 0..n_requests {
            let request = heap.tracked("shop.Request");
            heap.reference(history, Via::Item(place), request);
        }
        heap.finish()
    };
    let mut growing = GrowingTypes::default();
    let before = heap_of(10);
    look(&mut growing, &before);
    let after = heap_of(40);
    let (paths, grown) = look(&mut growing, &after);
    let identities = identify(&before, &after);
    let found = sources(&after, &paths, Some(&identities), &grown, 1);
    let place = "shop.NATIVE->(shop.App).history";
    assert_eq!(names(&found), [(place, 30)]);
}
