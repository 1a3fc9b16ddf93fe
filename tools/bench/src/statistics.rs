//! Median and spread.

use serde::{Deserialize, Serialize};

/// A summary of repeated measurements.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    /// The lower quartile.
    pub(crate) low: f64,
    /// The upper quartile.
    pub(crate) high: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Summarizes at least one value.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let position = share * sorted.len().saturating_sub(1) as f64;
            let (below, above) = (position.floor() as usize, position.ceil() as usize);
            match (sorted.get(below), sorted.get(above)) {
                (Some(below), Some(above)) => below + (above - below) * position.fract(),
                _ => f64::NAN,
            }
        };
        Self {
            median: at(0.5),
            low: at(0.25),
            high: at(0.75),
            least: at(0.0),
            most: at(1.0),
        }
    }

    /// Returns the spread of the measurements, as a share of the median.
    pub(crate) fn width(&self) -> f64 {
        if self.median == 0.0 {
            0.0
        } else {
            (self.most - self.least) / self.median
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_spread_of_measurements_is_that_of_their_order() {
        let spread = Spread::of(&[3.0, 1.0, 2.0, 5.0, 4.0]);
        assert_eq!(
            (
                spread.least,
                spread.low,
                spread.median,
                spread.high,
                spread.most
            ),
            (1.0, 2.0, 3.0, 4.0, 5.0)
        );
        assert!((spread.width() - 4.0 / 3.0).abs() < 1e-9);
    }
}
