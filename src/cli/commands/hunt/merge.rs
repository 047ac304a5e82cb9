//! One leak seen in several processes is one.

use leakhunt_heap::hunt::Finding;

use crate::render::hunt::TreeFinding;

/// The findings of each process, each once, the most bytes a second in all
/// processes first, accepted ones last. Those of one kind and fingerprint are one; where the program
/// differs a little, those of one kind and place. No two of one process are.
pub(super) fn merged<'a>(processes: &[&'a [Finding]]) -> Vec<TreeFinding<'a>> {
    let mut found: Vec<TreeFinding<'a>> = Vec::new();
    for (index, findings) in processes.iter().enumerate() {
        for finding in *findings {
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

#[cfg(test)]
mod tests {
    use leakhunt_heap::Fingerprint;
    use leakhunt_heap::hunt::trend::trend;
    use leakhunt_heap::hunt::{FindingKind, Rate};

    use super::*;

    fn finding(place: &str, fingerprint: u64, bytes_per_second: f64) -> Finding {
        let seconds = [0.0, 1.0, 2.0, 3.0];
        let trend = trend(&seconds, &seconds.map(|at| at * bytes_per_second));
        Finding {
            bytes_rate: Rate::of(&trend),
            fingerprint: Fingerprint(fingerprint),
            ..Finding::beside_places(FindingKind::Place, place.into(), &trend, "")
        }
    }

    /// The places, with the processes that have them.
    fn told(processes: &[Vec<Finding>]) -> Vec<(String, Vec<usize>)> {
        let processes: Vec<&[Finding]> = processes.iter().map(Vec::as_slice).collect();
        merged(&processes)
            .iter()
            .map(|one| {
                let indices = one.seen.iter().map(|seen| seen.0).collect();
                (one.fastest().1.place.clone(), indices)
            })
            .collect()
    }

    #[test]
    fn the_same_leak_is_one_where_it_grows_fastest_first() {
        let processes = [
            vec![finding("shop.A", 1, 10.0)],
            vec![finding("shop.B", 2, 25.0), finding("shop.A", 1, 12.0)],
            vec![finding("shop.A", 1, 11.0)],
        ];
        let expected = [("shop.A".into(), vec![1, 2, 0]), ("shop.B".into(), vec![1])];
        assert_eq!(told(&processes), expected);
    }

    #[test]
    fn another_name_of_the_same_fingerprint_and_another_fingerprint_of_the_same_name_are_the_same()
    {
        let processes = [
            vec![finding("shop.worker_1.A", 1, 10.0)],
            vec![finding("shop.worker_2.A", 1, 9.0)],
            vec![finding("shop.worker_1.A", 7, 8.0)],
        ];
        let expected = [("shop.worker_1.A".into(), vec![0, 1, 2])];
        assert_eq!(told(&processes), expected);
    }

    #[test]
    fn two_leaks_of_one_process_stay_two() {
        let two = |low, high| {
            vec![
                finding("shop.handlers[0]", 1, high),
                finding("shop.handlers[1]", 1, low),
            ]
        };
        let mut other = two(3.0, 4.0);
        other.reverse();
        let expected = [
            ("shop.handlers[0]".into(), vec![0, 1]),
            ("shop.handlers[1]".into(), vec![1, 0]),
        ];
        assert_eq!(told(&[two(1.0, 5.0), other]), expected);
    }

    #[test]
    fn garbage_is_no_place_and_what_is_accepted_comes_last() {
        let garbage = Finding {
            kind: FindingKind::Garbage,
            ..finding("shop.A", 1, 20.0)
        };
        let accepted = Finding {
            is_accepted: true,
            ..finding("shop.B", 2, 99.0)
        };
        let expected = [
            ("shop.A".into(), vec![1]),
            ("shop.A".into(), vec![0]),
            ("shop.B".into(), vec![0]),
        ];
        let processes = [vec![finding("shop.A", 1, 10.0), accepted], vec![garbage]];
        assert_eq!(told(&processes), expected);
    }
}
