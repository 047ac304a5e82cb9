//! Whether a number grows, and how fast.

/// What a series of numbers does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Course {
    /// It grows, and chance is no likely reason.
    Grows,
    /// It grew, but ever slower: a cache that fills, or a leak whose cause fades.
    Slows,
    /// It grew, but too little or too unevenly to tell.
    Unclear,
    /// It does not grow.
    Flat,
}

/// How a number changed over time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// What it does.
    pub course: Course,
    /// The median of the slopes between all pairs of points, a second (Theil 1950, Sen 1968).
    pub per_second: f64,
    /// Its 95 % interval, by the variance of Kendall's statistic.
    pub low: f64,
    /// See [`Trend::low`].
    pub high: f64,
    /// In how many of the intervals between looks it rose.
    pub n_rises: usize,
    /// Number of intervals.
    pub n_intervals: usize,
}

/// Fewer looks than this show no growth, however even it is.
pub const FEWEST_LOOKS: usize = 4;
/// How likely chance may be for growth that also falls.
const MOST_CHANCE: f64 = 0.002;
/// Growth whose second half is this much slower than its first is no leak yet.
const SLOWING: f64 = 0.25;
/// Of a 95 % interval, in standard deviations.
const Z: f64 = 1.96;

/// The trend of `values` at `seconds`, which ascend. `O(n²)`.
///
/// It grows if it never fell and rose in three of four intervals, one of the last two among them (in all,
/// where there are fewer than six), or if it fell at times but Mann and Kendall's test leaves chance less
/// than one in 500 and the last third is above the first.
pub fn trend(seconds: &[f64], values: &[f64]) -> Trend {
    let n = seconds.len().min(values.len());
    let rises: Vec<f64> = values[..n]
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .collect();
    let (per_second, low, high) = slopes(&seconds[..n], &values[..n]);
    Trend {
        course: course(&seconds[..n], &values[..n], &rises, low),
        per_second,
        low,
        high,
        n_rises: rises.iter().filter(|&&rise| rise > 0.0).count(),
        n_intervals: rises.len(),
    }
}

fn course(seconds: &[f64], values: &[f64], rises: &[f64], low: f64) -> Course {
    let total: f64 = rises.iter().sum();
    if total <= 0.0 || rises.is_empty() {
        return Course::Flat;
    }
    let n_rises = rises.iter().filter(|&&rise| rise > 0.0).count();
    let is_recent = rises.iter().rev().take(2).any(|&rise| rise > 0.0);
    let never_falls = rises.iter().all(|&rise| rise >= 0.0);
    let n_needed = match rises.len() {
        n if n < 6 => n,
        n => (n * 3).div_ceil(4),
    };
    let is_steady = never_falls && n_rises >= n_needed && is_recent;
    if values.len() < FEWEST_LOOKS || !(is_steady || is_above_noise(values, low)) {
        // Rose once and stayed: a table that was made, a module that was imported.
        let has_settled = never_falls && !is_recent && values.len() >= FEWEST_LOOKS;
        return match has_settled {
            true => Course::Flat,
            false => Course::Unclear,
        };
    }
    match slows(seconds, values) {
        true => Course::Slows,
        false => Course::Grows,
    }
}

fn is_above_noise(values: &[f64], low: f64) -> bool {
    let third = values.len() / 3;
    if third == 0 || low <= 0.0 {
        return false;
    }
    let highest_first = values[..third].iter().copied().fold(f64::MIN, f64::max);
    let last = &values[values.len() - third..];
    let mean_last = last.iter().sum::<f64>() / third as f64;
    chance(values) < MOST_CHANCE && mean_last > highest_first
}

/// How likely it is by chance that pairs are in order as often as here (Mann 1945). Exact; ties count
/// against growth.
fn chance(values: &[f64]) -> f64 {
    let n = values.len();
    let n_pairs = n * (n - 1) / 2;
    let n_inverted = pairs(n)
        .filter(|&(first, second)| values[second] <= values[first])
        .count();
    // How many orders of k things have so many inversions, as a part of all orders.
    let mut parts = vec![0.0; n_pairs + 1];
    parts[0] = 1.0;
    for k in 2..=n {
        let mut next = vec![0.0; n_pairs + 1];
        for (n_before, &part) in parts.iter().enumerate().filter(|(_, part)| **part > 0.0) {
            for more in 0..k.min(n_pairs + 1 - n_before) {
                next[n_before + more] += part / k as f64;
            }
        }
        parts = next;
    }
    parts[..=n_inverted].iter().sum()
}

fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(move |first| (first + 1..n).map(move |second| (first, second)))
}

/// The median slope and its interval.
fn slopes(seconds: &[f64], values: &[f64]) -> (f64, f64, f64) {
    let n = values.len();
    let mut slopes: Vec<f64> = pairs(n)
        .filter(|&(first, second)| seconds[second] > seconds[first])
        .map(|(first, second)| {
            (values[second] - values[first]) / (seconds[second] - seconds[first])
        })
        .collect();
    if slopes.is_empty() {
        return (0.0, 0.0, 0.0);
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let n_slopes = slopes.len();
    let median = (slopes[(n_slopes - 1) / 2] + slopes[n_slopes / 2]) / 2.0;
    let deviation = ((n * (n - 1) * (2 * n + 5)) as f64 / 18.0).sqrt();
    let margin = Z * deviation;
    let at = |rank: f64| slopes[(rank.max(0.0) as usize).min(n_slopes - 1)];
    let low = at(((n_slopes as f64 - margin) / 2.0).floor());
    let high = at(((n_slopes as f64 + margin) / 2.0).ceil());
    (median, low, high)
}

/// Whether the second half grew much less than the first.
fn slows(seconds: &[f64], values: &[f64]) -> bool {
    let n = values.len();
    let half = n / 2;
    let slope = |from: usize, to: usize| {
        (values[to] - values[from]) / (seconds[to] - seconds[from]).max(f64::MIN_POSITIVE)
    };
    slope(half, n - 1) < slope(0, half) * SLOWING
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course_of(values: &[f64]) -> Course {
        let seconds: Vec<f64> = (0..values.len()).map(|index| index as f64 * 10.0).collect();
        trend(&seconds, values).course
    }

    #[test]
    fn what_rises_at_each_look_grows() {
        assert_eq!(course_of(&[1.0, 2.0, 3.0, 4.0]), Course::Grows);
        assert_eq!(
            course_of(&[100.0, 101.0, 130.0, 131.0, 150.0]),
            Course::Grows
        );
        assert_eq!(
            course_of(&[0.0, 5.0, 10.0, 10.0, 15.0, 20.0, 26.0]),
            Course::Grows
        );
    }

    #[test]
    fn growth_with_some_falls_grows_when_chance_is_no_reason() {
        let leak_in_churn = [50.0, 61.0, 58.0, 72.0, 80.0, 88.0, 86.0, 99.0, 110.0];
        assert_eq!(course_of(&leak_in_churn), Course::Grows);
        let queue = [3.0, 9.0, 4.0, 7.0, 2.0, 8.0, 5.0, 6.0, 9.0];
        assert_eq!(course_of(&queue), Course::Unclear);
    }

    #[test]
    fn a_cache_that_is_full_does_not_grow() {
        assert_eq!(
            course_of(&[10.0, 20.0, 30.0, 40.0, 40.0, 40.0, 40.0]),
            Course::Flat
        );
        assert_eq!(course_of(&[5.0, 5.0, 5.0, 5.0]), Course::Flat);
        assert_eq!(course_of(&[9.0, 7.0, 5.0, 3.0]), Course::Flat);
        assert_eq!(
            course_of(&[0.0, 100.0, 150.0, 175.0, 187.0, 193.0, 196.0, 198.0]),
            Course::Slows
        );
    }

    #[test]
    fn few_looks_tell_nothing() {
        assert_eq!(course_of(&[1.0]), Course::Flat);
        assert_eq!(course_of(&[1.0, 2.0]), Course::Unclear);
        assert_eq!(course_of(&[1.0, 2.0, 3.0]), Course::Unclear);
        assert_eq!(course_of(&[1.0, 2.0, 2.0, 3.0, 4.0]), Course::Unclear);
    }

    #[test]
    fn the_slope_is_not_moved_by_one_outlier_and_is_in_its_interval() {
        let seconds = [0.0, 10.0, 20.0, 30.0, 40.0, 50.0];
        let even = trend(&seconds, &[0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!((even.per_second, even.low, even.high), (2.0, 2.0, 2.0));
        let outlier = trend(&seconds, &[0.0, 20.0, 940.0, 60.0, 80.0, 100.0]);
        assert!((1.5..=2.5).contains(&outlier.per_second), "{outlier:?}");
        assert!(outlier.low <= outlier.per_second && outlier.per_second <= outlier.high);
    }

    /// By going over all orders of a few numbers.
    #[test]
    fn chance_is_the_part_of_all_orders_that_are_as_sorted() {
        let orders = permutations(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        let n_inverted = |order: &[f64]| {
            pairs(order.len())
                .filter(|&(a, b)| order[b] <= order[a])
                .count()
        };
        for order in &orders {
            let as_sorted = orders
                .iter()
                .filter(|one| n_inverted(one) <= n_inverted(order));
            let expected = as_sorted.count() as f64 / orders.len() as f64;
            assert!((chance(order) - expected).abs() < 1e-12, "{order:?}");
        }
    }

    fn permutations(values: &[f64]) -> Vec<Vec<f64>> {
        if values.len() <= 1 {
            return vec![values.to_vec()];
        }
        let mut all = Vec::new();
        for (index, &first) in values.iter().enumerate() {
            let mut rest = values.to_vec();
            rest.remove(index);
            for mut order in permutations(&rest) {
                order.insert(0, first);
                all.push(order);
            }
        }
        all
    }
}
