//! How long calls took: all of them, sorted.

use std::time::Duration;

/// The latencies of one measurement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Latencies(Vec<u32>);

impl Latencies {
    /// Adds a call.
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// Adds calls measured elsewhere.
    pub(crate) fn append(&mut self, mut other: Latencies) {
        self.0.append(&mut other.0);
    }

    /// How many calls there were.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// What half of the calls, and 99 of 100, took at most, in milliseconds.
    pub(crate) fn p50_p99_ms(mut self) -> (f64, f64) {
        self.0.sort_unstable();
        (self.at(50), self.at(99))
    }

    fn at(&self, percent: usize) -> f64 {
        let index = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(index).map_or(0.0, |us| f64::from(*us) / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_calls_and_99_of_100_took_at_most_this() {
        let mut latencies = Latencies::default();
        (1..=200).rev().for_each(|ms| latencies.add(Duration::from_millis(ms)));
        assert_eq!(latencies.p50_p99_ms(), (100.0, 198.0));
    }

    #[test]
    fn no_calls_took_no_time() {
        assert_eq!(Latencies::default().p50_p99_ms(), (0.0, 0.0));
    }
}
