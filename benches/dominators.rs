//! How long it takes to read a large snapshot and to know what each object retains, and the memory for it.
//!
//! `cargo bench --bench dominators`; `LEAKHUNT_BENCH_OBJECTS=1000000` makes another size. Goals for 12
//! million objects with 26 million references: at most 8 seconds from the file to retained sizes, and at
//! most 1.5 GB of resident memory at the most.
//!
//! The heap is made up: modules with classes, caches whose entries are instances with a `__dict__` or a
//! list of rows, names that many share, values that two registries hold, and chains. A process of its
//! own reads it, so that what made it does not count.

#[expect(dead_code, reason = "there is no target here")]
mod support;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use leakhunt_heap::{
    Analysed, Dominators, ObjId, Paths, RootKind, Snapshot, SnapshotBuilder, SnapshotPart, Via,
    read_snapshot, suspects, write_snapshot,
};
use support::print;

/// Names the folder to the process that reads.
const FOLDER: &str = "LEAKHUNT_BENCH_FOLDER";

fn main() {
    if let Ok(folder) = std::env::var(FOLDER) {
        return measure(Path::new(&folder));
    }
    let n_objects = std::env::var("LEAKHUNT_BENCH_OBJECTS").ok();
    let n_objects = n_objects.and_then(|number| number.parse().ok());
    let folder = std::env::temp_dir().join(format!("leakhunt-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("there is room for the snapshot");
    write(&folder, n_objects.unwrap_or(12_000_000));
    let this = std::env::current_exe().expect("a program has a file");
    let status = Command::new(this).env(FOLDER, &folder).status();
    let _ = fs::remove_dir_all(&folder);
    assert!(status.expect("it starts").success(), "the measurement ends");
}

fn write(folder: &Path, n_objects: u32) {
    let heap = heap(n_objects);
    let create = |part: SnapshotPart| File::create(folder.join(part.file_name()));
    write_snapshot(&heap, create).expect("it can be written");
}

fn measure(folder: &Path) {
    let start = Instant::now();
    let meta = fs::read(folder.join(SnapshotPart::Meta.file_name())).expect("it was written");
    let open = |part: SnapshotPart| File::open(folder.join(part.file_name()));
    let heap: Snapshot = read_snapshot(&meta, open).expect("what was written can be read");
    let load = start.elapsed().as_secs_f64();
    let (n_objects, n_references) = (heap.n_objects(), heap.references.target.len());
    print(&format!(
        "{:.2} million objects, {:.2} million references",
        n_objects as f64 / 1e6,
        n_references as f64 / 1e6
    ));
    print(&format!(
        "  read in {load:.2} s, {:.2} GB at the most",
        peak_gb()
    ));
    let tree = Dominators::of(&heap);
    let whole = start.elapsed().as_secs_f64();
    print(&format!(
        "  dominators and retained sizes in {:.2} s",
        whole - load
    ));
    let largest = heap.ids().map(|object| tree.retained_bytes(object)).max();
    print(&format!(
        "  {:.2} million objects are reached, the largest retains {:.1} MB",
        tree.n_objects() as f64 / 1e6,
        largest.unwrap_or(0) as f64 / 1e6
    ));
    print(&format!("  in all {whole:.2} s, goal for 12 million: <= 8"));
    print(&format!("  {:.2} GB at the most, goal: <= 1.5", peak_gb()));
    tell_of_suspects(&heap, &tree);
}

/// What comes on top for `leakhunt suspects`.
fn tell_of_suspects(heap: &Snapshot, tree: &Dominators) {
    let start = Instant::now();
    let paths = Paths::find(heap);
    let find = start.elapsed().as_secs_f64();
    let found = suspects(Analysed {
        snapshot: heap,
        tree,
        paths: &paths,
    });
    print(&format!(
        "  paths in {find:.2} s, {} suspects in {:.2} s more, {:.2} GB at the most",
        found.suspects.len(),
        start.elapsed().as_secs_f64() - find,
        peak_gb()
    ));
}

/// The most memory that this process had.
fn peak_gb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("this process runs");
    let kb = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = kb.and_then(|rest| rest.trim().strip_suffix(" kB"));
    kb.and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
}

/// A heap of about so many objects, with a little over two references each. The same each time.
fn heap(n_objects: u32) -> Snapshot {
    let mut heap = Heap::new();
    let mut n_made = 0;
    while n_made < n_objects {
        n_made += match heap.random() % 10 {
            0..6 => heap.session(),
            6..8 => heap.report(),
            8 => heap.page(),
            _ => heap.chain(),
        };
    }
    heap.shuffled()
}

struct Heap {
    builder: SnapshotBuilder,
    /// What holds sessions, by name and by number.
    registries: [ObjId; 2],
    reports: ObjId,
    pages: ObjId,
    chains: ObjId,
    /// Objects that everything shares: names, small numbers, classes.
    shared: Vec<ObjId>,
    n_entries: u32,
    state: u64,
}

impl Heap {
    fn new() -> Self {
        let mut builder = SnapshotBuilder::new();
        let modules = builder.object("dict");
        builder.root(RootKind::Modules, modules);
        let shop = builder.module(modules, "shop");
        let mut global = |name: &str, of_type: &str| {
            let object = builder.object(of_type);
            builder.attribute(shop, name, object);
            object
        };
        let registries = [global("BY_NAME", "dict"), global("BY_NUMBER", "dict")];
        let [reports, pages] = [global("REPORTS", "list"), global("PAGES", "dict")];
        let chains = global("CHAINS", "list");
        let shared = (0..1000).map(|at| global(&format!("name_{at}"), "str"));
        let shared = shared.collect();
        Self {
            builder,
            registries,
            reports,
            pages,
            chains,
            shared,
            n_entries: 0,
            state: 0x9e37_79b9_7f4a_7c15,
        }
    }

    fn random(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 32) as u32
    }

    fn shared(&mut self) -> ObjId {
        let at = self.random() as usize % self.shared.len();
        self.shared[at]
    }

    fn keyed(&mut self, dict: ObjId, at: u32, key: ObjId, value: ObjId) {
        self.builder.reference(dict, Via::Key(at), key);
        self.builder.reference(dict, Via::Value(at), value);
    }

    fn held(&mut self, by: ObjId, at: u32, of_type: &str) -> ObjId {
        let object = self.builder.object(of_type);
        self.builder.reference(by, Via::Item(at), object);
        object
    }

    /// An instance with attributes that two registries hold.
    fn session(&mut self) -> u32 {
        let session = self.builder.tracked("shop.Session");
        let [name, number] = ["str", "int"].map(|of_type| self.builder.object(of_type));
        for (registry, key) in self.registries.into_iter().zip([name, number]) {
            self.keyed(registry, self.n_entries, key, session);
        }
        let attributes = self.builder.tracked("dict");
        self.builder
            .reference(session, Via::Attribute("__dict__"), attributes);
        let class = self.shared[0];
        self.builder.reference(session, Via::Type, class);
        for at in 0..3 {
            let (key, value) = (self.shared[1 + at as usize], self.builder.object("float"));
            self.keyed(attributes, at, key, value);
        }
        self.keyed(attributes, 3, self.shared[5], name);
        self.n_entries += 1;
        7
    }

    /// A list of rows.
    fn report(&mut self) -> u32 {
        self.n_entries += 1;
        let report = self.held(self.reports, self.n_entries, "list");
        for at in 0..10 {
            let row = self.held(report, at, "tuple");
            self.held(row, 0, "float");
            for at in 1..4 {
                let shared = self.shared();
                self.builder.reference(row, Via::Item(at), shared);
            }
        }
        21
    }

    /// An object that refers back to what holds it.
    fn page(&mut self) -> u32 {
        let [key, page] = ["str", "shop.Page"].map(|of_type| self.builder.tracked(of_type));
        self.n_entries += 1;
        self.keyed(self.pages, self.n_entries, key, page);
        let pages = self.pages;
        self.builder.reference(page, Via::Attribute("pages"), pages);
        let text = self.builder.object("str");
        self.builder.reference(page, Via::Attribute("text"), text);
        let class = self.shared();
        self.builder.reference(page, Via::Type, class);
        3
    }

    /// A list that is linked both ways.
    fn chain(&mut self) -> u32 {
        self.n_entries += 1;
        let mut last = self.held(self.chains, self.n_entries, "shop.Link");
        for _ in 0..20 {
            let next = self.builder.tracked("shop.Link");
            self.builder.reference(last, Via::Attribute("next"), next);
            self.builder.reference(next, Via::Attribute("last"), last);
            last = next;
        }
        21
    }

    /// The heap with addresses that tell less of what belongs together, as after hours of work: each
    /// run of 64 objects, a page of memory, is somewhere else.
    fn shuffled(mut self) -> Snapshot {
        let made = std::mem::take(&mut self.builder).finish();
        let n_objects = made.n_objects();
        let mut pages: Vec<usize> = (0..n_objects).step_by(64).collect();
        for at in (1..pages.len()).rev() {
            pages.swap(at, self.random() as usize % (at + 1));
        }
        let order = pages
            .iter()
            .flat_map(|&first| first..(first + 64).min(n_objects));
        let order: Vec<usize> = order.collect();
        let mut new_id = vec![ObjId(0); n_objects];
        for (new, &old) in (0..).map(ObjId).zip(&order) {
            new_id[old] = new;
        }
        let mut heap = made.clone();
        heap.references.first = vec![0];
        heap.references.target.clear();
        heap.references.label.clear();
        for (new, &old) in order.iter().enumerate() {
            heap.objects.type_id[new] = made.objects.type_id[old];
            heap.objects.size_bytes[new] = made.objects.size_bytes[old];
            heap.objects.reference_count[new] = made.objects.reference_count[old];
            heap.objects.birth_place[new] = made.objects.birth_place[old];
            for (label, target) in made.references_of(ObjId(old as u32)) {
                heap.references.label.push(label);
                heap.references.target.push(new_id[target.0 as usize]);
            }
            heap.references
                .first
                .push(heap.references.target.len() as u64);
        }
        for root in &mut heap.roots {
            root.object = new_id[root.object.0 as usize];
        }
        for (object, _) in &mut heap.key_texts {
            *object = new_id[object.0 as usize];
        }
        heap.key_texts.sort_unstable();
        heap
    }
}
