//! Which branches of a tree are shown: steps between forks in one row, the heaviest rows.

use std::collections::BinaryHeap;

use leakhunt_heap::Branch;

/// A row: the steps from one fork to the next.
#[derive(Debug)]
pub(super) struct Row<'b> {
    /// The labels of the steps; `…` after one that repeats.
    pub(super) path: String,
    /// Of what the last step leads to.
    pub(super) type_name: &'b str,
    pub(super) n_objects: u64,
    pub(super) size_bytes: u64,
    /// Rows above it.
    pub(super) depth: usize,
    children: Vec<usize>,
    is_shown: bool,
}

/// What is printed.
#[derive(Debug)]
pub(super) enum Line<'r> {
    /// A row.
    Branch(&'r Row<'r>),
    /// Rows that are left out, with what is below them not counted.
    Rest {
        depth: usize,
        n_branches: u64,
        n_objects: u64,
        size_bytes: u64,
    },
}

/// All rows of a tree.
#[derive(Debug)]
pub(super) struct Rows<'b> {
    rows: Vec<Row<'b>>,
    roots: Vec<usize>,
}

impl<'b> Rows<'b> {
    /// The heaviest `limit` rows, at most `depth` one below the other; 0: all.
    pub(super) fn of(roots: &'b [Branch], limit: usize, depth: usize) -> Self {
        let mut rows = Self {
            rows: Vec::new(),
            roots: Vec::new(),
        };
        rows.roots = roots.iter().map(|root| rows.add(root, 0)).collect();
        rows.choose(limit, depth);
        rows
    }

    /// In the order of the tree.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let mut lines = Vec::new();
        self.lines_of(&self.roots, 0, &mut lines);
        lines.into_iter()
    }

    fn lines_of<'r>(&'r self, of: &[usize], depth: usize, lines: &mut Vec<Line<'r>>) {
        let (mut n_branches, mut n_objects, mut size_bytes) = (0, 0, 0_u64);
        for row in of.iter().map(|&index| &self.rows[index]) {
            if row.is_shown {
                lines.push(Line::Branch(row));
                self.lines_of(&row.children, depth + 1, lines);
            } else {
                n_branches += 1;
                n_objects += row.n_objects;
                size_bytes = size_bytes.saturating_add(row.size_bytes);
            }
        }
        if n_branches > 0 {
            lines.push(Line::Rest {
                depth,
                n_branches,
                n_objects,
                size_bytes,
            });
        }
    }

    fn add(&mut self, branch: &'b Branch, depth: usize) -> usize {
        let mut last = branch;
        let mut path = label(branch);
        while let ([next], 0) = (&*last.children, last.n_ending) {
            path.push_str(&label(next));
            last = next;
        }
        let index = self.rows.len();
        self.rows.push(Row {
            path,
            type_name: &last.type_name,
            n_objects: last.n_objects,
            size_bytes: last.size_bytes,
            depth,
            children: Vec::new(),
            is_shown: false,
        });
        let children = last.children.iter();
        let children = children.map(|child| self.add(child, depth + 1)).collect();
        self.rows[index].children = children;
        index
    }

    /// The heaviest first: a row is as heavy as all below it, so none is shown without those above.
    fn choose(&mut self, limit: usize, depth: usize) {
        let key = |rows: &[Row<'_>], index: usize| {
            let row = &rows[index];
            (row.size_bytes, row.n_objects, std::cmp::Reverse(index))
        };
        let roots = self.roots.iter().map(|&root| key(&self.rows, root));
        let mut to_come: BinaryHeap<_> = roots.collect();
        let mut n_shown = 0;
        while let Some((.., std::cmp::Reverse(index))) = to_come.pop() {
            if limit > 0 && n_shown == limit {
                return;
            }
            n_shown += 1;
            self.rows[index].is_shown = true;
            if depth == 0 || self.rows[index].depth + 1 < depth {
                let children = self.rows[index].children.iter();
                to_come.extend(children.map(|&child| key(&self.rows, child)));
            }
        }
    }
}

fn label(branch: &Branch) -> String {
    match branch.repeats {
        true => format!("{}…", branch.label),
        false => branch.label.clone(),
    }
}
