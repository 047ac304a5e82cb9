use super::*;
use crate::builder::{SnapshotBuilder, Via};
use crate::snapshot::{LabelName, RootKind};

/// A heap with the module `shop`, and enough in many places that it is not all of it.
#[derive(Clone)]
struct Shop {
    heap: SnapshotBuilder,
    module: ObjId,
}

impl Shop {
    fn new() -> Self {
        let mut heap = SnapshotBuilder::new();
        let modules = heap.object("dict");
        heap.root(RootKind::Modules, modules);
        let module = heap.module(modules, "shop");
        for at in 0..200 {
            let other = heap.module(modules, &format!("other_{at}"));
            let text = heap.object("str");
            heap.size(text, 500);
            heap.attribute(other, "TEXT", text);
        }
        Self { heap, module }
    }

    fn global(&mut self, name: &str, type_name: &str) -> ObjId {
        let object = self.heap.object(type_name);
        self.heap.attribute(self.module, name, object);
        object
    }

    /// An object of 1000 bytes in a container.
    fn item(&mut self, container: ObjId, type_name: &str) -> ObjId {
        let item = self.heap.object(type_name);
        self.heap.size(item, 1000);
        self.heap.reference(container, Via::Item(0), item);
        item
    }

    fn items(&mut self, container: ObjId, type_name: &str, n_items: usize) {
        for _ in 0..n_items {
            self.item(container, type_name);
        }
    }

    fn suspects(&self) -> Suspects {
        with_analysed(&self.heap, suspects)
    }

    fn suspects_since(&self, before: &Self) -> Suspects {
        with_analysed(&before.heap, |before| {
            with_analysed(&self.heap, |now| suspects_of_growth(now, before))
        })
    }
}

fn with_analysed(
    heap: &SnapshotBuilder,
    answer: impl FnOnce(Analysed<'_>) -> Suspects,
) -> Suspects {
    let snapshot = heap.clone().finish();
    let (tree, paths) = (Dominators::of(&snapshot), Paths::find(&snapshot));
    answer(Analysed {
        snapshot: &snapshot,
        tree: &tree,
        paths: &paths,
    })
}

/// The place of the only suspect, and what it holds most.
#[track_caller]
fn only(found: &Suspects) -> (&str, &Held, SuspectShape) {
    let [suspect] = &found.suspects[..] else {
        panic!("{found:#?}")
    };
    let holder = suspect.holder.as_ref().expect("it has a name");
    (&holder.name, &suspect.holds[0], suspect.shape)
}

#[test]
fn a_heap_without_anything_big_has_no_suspects() {
    let found = Shop::new().suspects();
    assert_eq!((found.suspects, found.spread.len()), (Vec::new(), 1));
    assert_eq!(found.spread[0].type_key, "str");
}

#[test]
fn the_collection_is_the_suspect_not_what_leads_to_it() {
    let mut shop = Shop::new();
    let app = shop.global("APP", "shop.App");
    let registry = shop.heap.object("dict");
    shop.heap.attribute(app, "registry", registry);
    for at in 0..300 {
        let page = shop.heap.object("shop.Page");
        shop.heap.size(page, 1000);
        shop.heap.entry(registry, &format!("page {at}"), page);
    }
    let found = shop.suspects();
    let (place, held, shape) = only(&found);
    assert_eq!((place, shape), ("shop.APP.registry", SuspectShape::Object));
    assert_eq!((&*held.type_key, held.n_objects), ("shop.Page", 300));
    assert_eq!(held.retained_bytes, 300_000);
    let suspect = &found.suspects[0];
    let path = suspect.path.as_ref().unwrap();
    assert_eq!(path.expression, "sys.modules['shop'].APP.registry");
    assert!(path.is_evaluable);
    assert_eq!(suspect.holder.as_ref().unwrap().package, "shop");
    assert!(suspect.retained_bytes > 300_000 && suspect.shallow_bytes == 64);
}

#[test]
fn values_of_a_program_are_told_before_larger_keys() {
    let mut shop = Shop::new();
    let pages = shop.global("PAGES", "dict");
    for at in 0..100 {
        let (key, page) = (shop.heap.object("str"), shop.heap.object("shop.Page"));
        shop.heap.size(key, 2000);
        shop.heap.size(page, 1000);
        shop.heap.reference(pages, Via::Key(at), key);
        shop.heap.reference(pages, Via::Value(at), page);
    }
    let config = shop.heap.object("shop.Config");
    shop.heap.entry(pages, "config", config);
    let held = &shop.suspects().suspects[0].holds;
    let types: Vec<&str> = held.iter().map(|held| &*held.type_key).collect();
    assert_eq!(types, ["shop.Page", "str", "shop.Config"]);
}

#[test]
fn an_object_with_several_large_parts_is_told_by_its_parts() {
    let mut shop = Shop::new();
    let app = shop.global("APP", "shop.App");
    for name in ["pages", "users"] {
        let list = shop.heap.object("list");
        shop.heap.attribute(app, name, list);
        shop.items(list, "shop.Row", 100);
    }
    let found = shop.suspects();
    let places = found
        .suspects
        .iter()
        .map(|suspect| &*suspect.holder.as_ref().unwrap().name);
    assert_eq!(
        places.collect::<Vec<_>>(),
        ["shop.APP.pages", "shop.APP.users"]
    );
}

#[test]
fn what_two_registries_hold_is_a_group_in_one_of_them() {
    let mut shop = Shop::new();
    let by_name = shop.global("BY_NAME", "dict");
    let others: Vec<ObjId> = (0..2)
        .map(|at| shop.global(&format!("OTHER_{at}"), "list"))
        .collect();
    for at in 0..300 {
        let session = shop.heap.object("shop.Session");
        shop.heap.size(session, 1000);
        shop.heap.reference(by_name, Via::Key(at), session);
        shop.heap.reference(by_name, Via::Value(at), session);
        shop.heap
            .reference(others[at as usize % 2], Via::Item(at), session);
    }
    let found = shop.suspects();
    let (place, held, shape) = only(&found);
    assert_eq!((place, shape), ("shop.BY_NAME", SuspectShape::Group));
    assert_eq!((&*held.type_key, held.n_objects), ("shop.Session", 300));
    let suspect = &found.suspects[0];
    assert_eq!(suspect.retained_bytes, 300_000);
    assert_eq!(suspect.sample, Some((300, 300)));
    assert_eq!(
        suspect.pattern.as_deref(),
        Some("sys.modules['shop'].BY_NAME.keys()[*]")
    );
}

#[test]
fn objects_all_over_the_heap_are_no_suspect() {
    let mut shop = Shop::new();
    let lists: Vec<ObjId> = (0..60)
        .map(|at| shop.global(&format!("LIST_{at}"), "list"))
        .collect();
    for (at, &list) in lists.iter().enumerate() {
        for _ in 0..10 {
            let row = shop.item(list, "shop.Row");
            shop.heap.reference(lists[(at + 1) % 60], Via::Item(1), row);
        }
    }
    let found = shop.suspects();
    assert_eq!(found.suspects, []);
    assert!(found.spread.iter().any(|held| held.type_key == "shop.Row"));
}

#[test]
fn what_a_program_consists_of_is_not_told_as_spread() {
    let told = |type_name: &str| {
        let mut shop = Shop::new();
        for at in 0..60 {
            let code = shop.global(&format!("code_{at}"), type_name);
            shop.heap.size(code, 1000);
        }
        let spread = shop.suspects().spread;
        spread.iter().any(|held| held.type_key == type_name)
    };
    assert!(told("shop.Row") && told("shop.function"));
    assert!(!told("function") && !told("code"));
}

#[test]
fn a_linked_list_is_told_by_its_first_link() {
    let mut shop = Shop::new();
    let mut last = shop.global("FIRST", "shop.Link");
    for _ in 0..1000 {
        let next = shop.heap.object("shop.Link");
        shop.heap.size(next, 1000);
        shop.heap.reference(last, Via::Attribute("next"), next);
        last = next;
    }
    let found = shop.suspects();
    let (place, held, shape) = only(&found);
    assert_eq!((place, shape), ("shop.FIRST", SuspectShape::Chain));
    assert_eq!(held.n_objects, 1001);
}

#[test]
fn of_two_snapshots_what_grew_is_the_suspect_not_what_is_large() {
    let mut before = Shop::new();
    let large = before.global("LARGE", "list");
    before.items(large, "shop.Row", 1000);
    let app = before.global("APP", "shop.App");
    let pages = before.heap.object("list");
    before.heap.attribute(app, "pages", pages);
    before.items(pages, "shop.Page", 10);
    let mut now = before.clone();
    now.items(pages, "shop.Page", 100);
    let found = now.suspects_since(&before);
    let (place, held, shape) = only(&found);
    assert_eq!((place, shape), ("shop.APP.pages", SuspectShape::Object));
    assert_eq!((&*held.type_key, held.n_objects), ("shop.Page", 100));
    assert_eq!(held.retained_bytes, 100_000);
    let suspect = &found.suspects[0];
    let before_bytes = suspect.retained_bytes_before.unwrap();
    assert_eq!(suspect.retained_bytes - before_bytes, 100_000);
    assert!(now.suspects_since(&now).suspects.is_empty());
}

#[test]
fn growth_in_each_of_many_objects_is_one_suspect() {
    let mut before = Shop::new();
    let users = before.global("USERS", "list");
    let mut lists = Vec::new();
    for at in 0..10 {
        let user = before.heap.object("shop.User");
        before.heap.reference(users, Via::Item(at), user);
        let rows = before.heap.object("list");
        before.heap.reference(user, Via::Attribute("rows"), rows);
        lists.push(rows);
    }
    let mut now = before.clone();
    for &rows in &lists {
        now.items(rows, "shop.Row", 20);
    }
    let found = now.suspects_since(&before);
    let (_, held, _) = only(&found);
    assert_eq!((&*held.type_key, held.n_objects), ("shop.Row", 200));
    let suspect = &found.suspects[0];
    assert_eq!((&*suspect.type_key, suspect.n_places), ("list", 10));
}

#[test]
fn growth_of_what_two_registries_hold_is_in_their_place() {
    let mut before = Shop::new();
    let registries = ["BY_NAME", "BY_NUMBER"].map(|name| before.global(name, "dict"));
    let add = |shop: &mut Shop, n_sessions: u32| {
        for at in 0..n_sessions {
            let session = shop.heap.object("shop.Session");
            shop.heap.size(session, 1000);
            for registry in registries {
                shop.heap.reference(registry, Via::Value(at), session);
            }
        }
    };
    add(&mut before, 20);
    let mut now = before.clone();
    add(&mut now, 100);
    let found = now.suspects_since(&before);
    let (place, held, shape) = only(&found);
    assert_eq!((place, shape), ("shop.BY_NAME", SuspectShape::Group));
    assert_eq!((&*held.type_key, held.n_objects), ("shop.Session", 100));
}

#[test]
fn a_growing_linked_list_is_told_by_its_first_link() {
    let mut before = Shop::new();
    let first = before.global("FIRST", "shop.Link");
    let grow = |shop: &mut Shop, n_links: usize| {
        let mut last = first;
        let finished = shop.heap.clone().finish();
        while let Some((_, next)) = finished
            .references_of(last)
            .find(|(label, _)| matches!(label.name(), LabelName::Attribute(_)))
        {
            last = next;
        }
        for _ in 0..n_links {
            let next = shop.heap.object("shop.Link");
            shop.heap.size(next, 1000);
            shop.heap.reference(last, Via::Attribute("next"), next);
            last = next;
        }
    };
    grow(&mut before, 30);
    let mut now = before.clone();
    grow(&mut now, 200);
    let found = now.suspects_since(&before);
    let (place, held, shape) = only(&found);
    assert_eq!((place, shape), ("shop.FIRST", SuspectShape::Chain));
    assert_eq!(held.n_objects, 200);
}
