//! What `overhead` counts.

use anyrt_bench::{Backend, Row};

use super::probe::Probe;

/// The representative rows for short runs: one of those that take the same way through anyrt. Left
/// out are other sizes of a round trip, rows in which another thread takes part, and combinations
/// of these.
const STANDING_FOR_THE_REST: [Row; 10] = [
    Row::Spawn,
    Row::SpawnJoin,
    Row::Abort,
    Row::Wake,
    Row::Sleep,
    Row::TimeoutPending,
    Row::Interval,
    Row::TcpConnect,
    Row::Tcp1K,
    Row::Udp1K,
];

/// What is counted, and what becomes of the figures.
pub(super) struct Selection {
    pub(super) backends: Vec<Backend>,
    pub(super) named_rows: Vec<Row>,
    pub(super) check: bool,
    pub(super) quick: bool,
    pub(super) peers: bool,
    pub(super) time: bool,
    pub(super) write: bool,
    pub(super) bless: bool,
}

impl Selection {
    pub(super) fn rows(&self) -> &[Row] {
        match &self.named_rows[..] {
            [] => &Row::ALL,
            named => named,
        }
    }

    /// Returns the rows to measure for each program.
    pub(super) fn jobs(&self, plan: &[Probe]) -> Vec<(Probe, Row)> {
        let rows_of = |probe: Probe| {
            let is_short = self.quick && self.check && self.named_rows.is_empty();
            match is_short && !probe.native_is_exact() {
                true => &STANDING_FOR_THE_REST,
                false => self.rows(),
            }
        };
        plan.iter()
            .flat_map(|&probe| rows_of(probe).iter().map(move |&row| (probe, row)))
            .collect()
    }
}
