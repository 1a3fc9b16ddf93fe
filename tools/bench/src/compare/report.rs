//! The report.

use serde::Serialize;

use super::line::Line;
use super::machine::Machine;
use super::measure::Failure;
use super::summary::Answer;

/// The whole report.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) command: String,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) summary: Vec<Answer>,
    pub(crate) failures: Vec<Failure>,
    /// Facts about this machine that a reader of the figures needs.
    pub(crate) remarks: Vec<String>,
    pub(crate) lines: Vec<Line>,
}
