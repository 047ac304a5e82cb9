//! A row of numbers as a row of bars.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The last `max_len` numbers, the lowest as the lowest bar and the highest as the highest.
pub(super) fn sparkline(numbers: &[u64], max_len: usize) -> String {
    let shown = &numbers[numbers.len().saturating_sub(max_len)..];
    let low = shown.iter().copied().min().unwrap_or(0);
    let span = shown.iter().copied().max().unwrap_or(0) - low;
    let bar = |number: u64| match span {
        0 => BARS[0],
        _ => {
            let height = u128::from(number - low) * (BARS.len() as u128 - 1) / u128::from(span);
            BARS[height as usize]
        }
    };
    shown.iter().map(|&number| bar(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_rise_with_the_numbers() {
        assert_eq!(sparkline(&[0, 1, 2, 3, 4, 5, 6, 7], 8), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[9, 100, 110], 2), "▁█");
        assert_eq!(sparkline(&[5, 5], 8), "▁▁");
        assert_eq!(sparkline(&[], 8), "");
        assert_eq!(sparkline(&[0, u64::MAX], 8), "▁█");
    }
}
