//! Growth of a number that has no place in the heap.

use super::trend::{Course, Trend, trend};

/// Less is chance.
const LEAST_RISE: u64 = 3;

/// The trend of `counts` at `seconds` where it is growth, by at least three in all.
pub(crate) fn rise(seconds: &[f64], counts: &[u64]) -> Option<Trend> {
    let (first, last) = (counts.first()?, counts.last()?);
    if last.checked_sub(*first)? < LEAST_RISE {
        return None;
    }
    let values: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
    Some(trend(seconds, &values)).filter(|trend| trend.course == Course::Grows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_of_less_than_three_is_none() {
        let seconds = [0.0, 1.0, 2.0, 3.0];
        assert_eq!(rise(&seconds, &[1, 2, 3, 3]), None);
        assert_eq!(rise(&seconds, &[9, 8, 7, 6]), None);
        assert_eq!(rise(&[], &[]), None);
        let told = rise(&seconds, &[1, 3, 5, 7]).unwrap();
        assert_eq!(told.per_second, 2.0);
    }
}
