//! Who waits for whom.

use std::collections::{HashMap, HashSet};

use super::Task;
use super::groups::task_group;

/// How deep a tree is followed: a line for each step further to the right is of no use.
const MAX_DEPTH: usize = 100;
/// So many of one group, under one task, are shown when there are more than [`FOLDED`].
const SHOWN: usize = 3;
const FOLDED: usize = 6;

/// Tasks that are not finished, each under the tasks that wait for it.
#[derive(Debug, Default)]
pub(crate) struct Forest {
    /// Depth first, as lines from top to bottom.
    pub(crate) branches: Vec<Branch>,
    /// Tasks, as places in the list, that wait for each other in a ring: none of them will ever go on.
    pub(crate) rings: Vec<Vec<usize>>,
}

/// A line of the tree.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Branch {
    pub(crate) what: What,
    /// By what the task above waits for it; empty at the top.
    pub(crate) via: String,
    /// For each level from the top: whether this is, or is under, the last of its siblings.
    pub(crate) is_last: Vec<bool>,
}

/// What a line shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum What {
    /// A task, by its place in the list.
    Task(usize),
    /// A task that stands further up with all that is under it.
    Again(usize),
    /// So many tasks like this one, that wait for no task.
    More { like: usize, n: usize },
    /// The tree goes on.
    Deeper,
}

/// Whether tasks that are alike are counted instead of shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fold {
    Yes,
    No,
}

impl Forest {
    /// `O(tasks + edges)`.
    pub(crate) fn of(tasks: &[&Task], fold: Fold) -> Self {
        let edges = Edges::of(tasks);
        let mut walk = Walk {
            tasks,
            edges: &edges,
            fold,
            seen: HashSet::new(),
            branches: Vec::new(),
        };
        let tops =
            (0..tasks.len()).filter(|&one| is_shown(tasks[one]) && edges.above[one].is_empty());
        walk.down(tops.map(|one| (one, String::new())).collect());
        let mut rings = Vec::new();
        for start in (0..tasks.len()).filter(|&one| is_shown(tasks[one])) {
            if walk.seen.contains(&start) {
                continue;
            }
            let ring = edges.ring_above(start);
            walk.down(vec![(ring[0], String::new())]);
            rings.push(ring);
        }
        let mut branches = walk.branches;
        let last_top = branches.iter().rposition(|one| one.is_last.len() == 1);
        for (index, branch) in branches.iter_mut().enumerate() {
            // What is under the last top comes after it.
            branch.is_last[0] = last_top.is_some_and(|last| index >= last);
        }
        Self { branches, rings }
    }
}

fn is_shown(task: &Task) -> bool {
    !task.state.is_final()
}

/// Who waits for whom, by places in the list.
struct Edges {
    /// The tasks that each waits for, and by what.
    below: Vec<Vec<(usize, String)>>,
    /// The tasks that wait for each.
    above: Vec<Vec<usize>>,
}

impl Edges {
    fn of(tasks: &[&Task]) -> Self {
        let by_address: HashMap<u64, usize> = (0..)
            .zip(tasks)
            .map(|(index, task)| (task.address, index))
            .collect();
        let mut edges = Self {
            below: vec![Vec::new(); tasks.len()],
            above: vec![Vec::new(); tasks.len()],
        };
        for (awaited, task) in tasks.iter().enumerate().filter(|(_, task)| is_shown(task)) {
            for waiter in &task.awaited_by {
                let Some(&by) = by_address.get(&waiter.task) else {
                    continue;
                };
                if is_shown(tasks[by]) {
                    edges.below[by].push((awaited, waiter.via.clone()));
                    edges.above[awaited].push(by);
                }
            }
        }
        edges
    }

    /// A ring that waits for `start`, or that it is in. Each task on the way up has one above it.
    fn ring_above(&self, start: usize) -> Vec<usize> {
        let mut way = vec![start];
        let mut places = HashMap::from([(start, 0)]);
        loop {
            let next = self.above[way[way.len() - 1]][0];
            if let Some(&from) = places.get(&next) {
                let mut ring = way.split_off(from);
                // From who waits to who is waited for.
                ring.reverse();
                return ring;
            }
            places.insert(next, way.len());
            way.push(next);
        }
    }
}

struct Walk<'a> {
    tasks: &'a [&'a Task],
    edges: &'a Edges,
    fold: Fold,
    seen: HashSet<usize>,
    branches: Vec<Branch>,
}

impl Walk<'_> {
    /// Writes the lines of `tops` and of all under them.
    fn down(&mut self, tops: Vec<(usize, String)>) {
        let mut open: Vec<Branch> = Vec::new();
        self.push_level(&mut open, tops, &[]);
        while let Some(mut branch) = open.pop() {
            if let What::Task(task) = branch.what {
                if !self.seen.insert(task) {
                    branch.what = What::Again(task);
                } else if !self.edges.below[task].is_empty() {
                    if branch.is_last.len() < MAX_DEPTH {
                        let below = self.edges.below[task].clone();
                        self.push_level(&mut open, below, &branch.is_last);
                    } else {
                        self.pass_over(task);
                        let mut is_last = branch.is_last.clone();
                        is_last.push(true);
                        let via = String::new();
                        open.push(Branch {
                            what: What::Deeper,
                            via,
                            is_last,
                        });
                    }
                }
            }
            self.branches.push(branch);
        }
    }

    /// Puts siblings on the stack, the first on top; those that are alike become one line.
    fn push_level(&mut self, open: &mut Vec<Branch>, level: Vec<(usize, String)>, above: &[bool]) {
        let mut lines = Vec::new();
        let mut groups: HashMap<(String, String), Vec<usize>> = HashMap::new();
        if self.fold == Fold::Yes {
            for (task, via) in &level {
                if self.edges.below[*task].is_empty() {
                    let group = (via.clone(), task_group(self.tasks[*task]));
                    groups.entry(group).or_default().push(*task);
                }
            }
        }
        for (task, via) in level {
            let group = (via, task_group(self.tasks[task]));
            let alike = match groups.get(&group) {
                Some(alike) if self.edges.below[task].is_empty() && alike.len() > FOLDED => alike,
                _ => {
                    lines.push((What::Task(task), group.0));
                    continue;
                }
            };
            if alike[..SHOWN].contains(&task) {
                lines.push((What::Task(task), group.0));
            } else if task == alike[SHOWN] {
                let n = alike.len() - SHOWN;
                self.seen.extend(&alike[SHOWN..]);
                lines.push((What::More { like: task, n }, group.0));
            }
        }
        let n_lines = lines.len();
        for (index, (what, via)) in lines.into_iter().enumerate().rev() {
            let mut is_last = above.to_vec();
            is_last.push(index + 1 == n_lines);
            open.push(Branch { what, via, is_last });
        }
    }

    /// Counts all that is under a task as shown.
    fn pass_over(&mut self, task: usize) {
        let mut open = vec![task];
        while let Some(one) = open.pop() {
            for &(next, _) in &self.edges.below[one] {
                if self.seen.insert(next) {
                    open.push(next);
                }
            }
        }
    }
}
