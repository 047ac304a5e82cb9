//! One leak seen in several processes is one.

use leakhunt_heap::hunt::Finding;

use crate::render::hunt::{Report, TreeFinding};

/// The findings of processes that run the same program, each once, the most bytes a second in all
/// processes first, accepted ones last. Those of one kind and fingerprint are one; where the program
/// differs a little, those of one kind and place. No two of one process are.
pub(super) fn merged<'a>(processes: &[Report<'a>]) -> Vec<TreeFinding<'a>> {
    let mut found: Vec<TreeFinding<'a>> = Vec::new();
    for (index, process) in processes.iter().enumerate() {
        for finding in &process.judged.findings {
            match same(&found, index, finding) {
                Some(known) => found[known].seen.push((index, finding)),
                None => found.push(TreeFinding {
                    seen: vec![(index, finding)],
                }),
            }
        }
    }
    for one in &mut found {
        one.seen.sort_by(|(_, one), (_, other)| {
            let rank = |finding: &Finding| finding.bytes_rate.per_second;
            rank(other).total_cmp(&rank(one))
        });
    }
    found.sort_by(|one, other| {
        let is_accepted = |finding: &TreeFinding<'_>| finding.fastest().1.is_accepted;
        let in_order = is_accepted(one).cmp(&is_accepted(other));
        in_order.then(other.bytes_per_second().total_cmp(&one.bytes_per_second()))
    });
    found
}

/// The one of `found` that a finding of a process is another sight of.
fn same(found: &[TreeFinding<'_>], process: usize, finding: &Finding) -> Option<usize> {
    let is_same_place = |other: &Finding| other.place == finding.place;
    let is_known = |other: &Finding| other.fingerprint == finding.fingerprint;
    let matches: [&dyn Fn(&Finding) -> bool; 3] = [
        &|other| is_known(other) && is_same_place(other),
        &is_known,
        &is_same_place,
    ];
    matches.into_iter().find_map(|is_match| {
        found.iter().position(|one| {
            let is_free = one.seen.iter().all(|&(index, _)| index != process);
            let other = one.seen[0].1;
            is_free && other.kind == finding.kind && is_match(other)
        })
    })
}
