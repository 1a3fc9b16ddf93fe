//! The figures of a row.

use serde::Serialize;

use super::job::Floor;
use super::measure::Figures;
use super::plan::Row;
use crate::statistics::Spread;

/// A spread above this share of the median is flagged.
const WIDE: f64 = 0.15;

/// The figures of one contender in a row.
#[derive(Debug, Serialize)]
pub(crate) struct Result {
    pub(crate) contender: String,
    pub(crate) spread: Spread,
    pub(crate) values: Vec<f64>,
    /// `true` if the spread is too wide for a meaningful median.
    pub(crate) wide: bool,
    /// The ratio to the floor: how many times as slow or as large.
    pub(crate) of_floor: Option<f64>,
}

impl Result {
    pub(crate) fn is_floor(&self) -> bool {
        Floor::is_name(&self.contender)
    }
}

/// A row with its figures.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    #[serde(flatten)]
    pub(crate) row: Row,
    pub(crate) results: Vec<Result>,
}

impl Line {
    pub(crate) fn new(row: Row, figures: &Figures) -> Self {
        let mut results: Vec<Result> = figures
            .of(&row.id)
            .iter()
            .map(|(contender, values)| {
                let spread = Spread::of(values);
                Result {
                    contender: contender.clone(),
                    spread,
                    values: values.clone(),
                    wide: spread.width() > WIDE,
                    of_floor: None,
                }
            })
            .collect();
        let floor = floor(&row, &results);
        for result in results.iter_mut().filter(|result| !result.is_floor()) {
            let times = floor.map(|floor| {
                if row.higher_is_better {
                    floor / result.spread.median
                } else {
                    result.spread.median / floor
                }
            });
            result.of_floor = times.filter(|times| times.is_finite());
        }
        Self { row, results }
    }

    /// Returns the best result of the floors.
    pub(crate) fn floor(&self) -> Option<f64> {
        floor(&self.row, &self.results)
    }

    pub(crate) fn of(&self, contender: &str) -> Option<&Result> {
        self.results
            .iter()
            .find(|result| result.contender == contender)
    }
}

fn floor(row: &Row, results: &[Result]) -> Option<f64> {
    let floors = results.iter().filter(|result| result.is_floor());
    let floors = floors.map(|result| result.spread.median);
    if row.higher_is_better {
        floors.reduce(f64::max)
    } else {
        floors.reduce(f64::min)
    }
}
