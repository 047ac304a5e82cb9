//! Whether something grows from look to look.

/// Something that grew at all but every fourth look and never fell.
#[derive(Clone, Debug, PartialEq)]
pub struct Steady {
    /// At each look.
    pub counts: Vec<u64>,
    /// How many more at the last look than at the first.
    pub total: u64,
    /// The same for a second.
    pub per_second: f64,
}

/// Less is chance.
const LEAST_RISE: u64 = 3;

/// `None` for what does not grow steadily: it must never fall, rise between three of four neighbours,
/// the last two or the two before them among these, and by at least three in all. `looks` are seconds
/// and counts, at least three, in order.
pub fn steady(looks: &[(f64, u64)]) -> Option<Steady> {
    let [first, .., last] = looks else {
        return None;
    };
    if looks.len() < 3 || looks.windows(2).any(|pair| pair[1].1 < pair[0].1) {
        return None;
    }
    let rises: Vec<bool> = looks.windows(2).map(|pair| pair[1].1 > pair[0].1).collect();
    let n_rises = rises.iter().filter(|&&rises| rises).count();
    let is_recent = rises.iter().rev().take(2).any(|&rises| rises);
    let total = last.1 - first.1;
    let seconds = last.0 - first.0;
    let grows = n_rises * 4 >= rises.len() * 3 && is_recent && total >= LEAST_RISE;
    (grows && seconds > 0.0).then(|| Steady {
        counts: looks.iter().map(|&(_, count)| count).collect(),
        total,
        per_second: total as f64 / seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[u64]) -> Option<Steady> {
        let looks: Vec<(f64, u64)> = (0..)
            .map(|n| f64::from(n) * 2.0)
            .zip(counts.iter().copied())
            .collect();
        steady(&looks)
    }

    #[test]
    fn what_rises_at_most_looks_and_never_falls_grows() {
        let grown = of(&[10, 12, 12, 14, 16]).unwrap();
        assert_eq!((grown.total, grown.per_second), (6, 0.75));
        assert_eq!(grown.counts, [10, 12, 12, 14, 16]);
    }

    #[test]
    fn what_falls_stops_or_hardly_rises_does_not_grow() {
        for counts in [
            &[1, 100][..],
            &[1, 9, 8, 20],
            &[1, 50, 50, 90, 90],
            &[1, 10, 20, 30, 40, 50, 60, 60, 60],
            &[1, 2, 3],
            &[7, 7, 7, 7],
            &[],
        ] {
            assert_eq!(of(counts), None, "{counts:?}");
        }
    }
}
