//! Experiments: many runs of one scenario, and what they say together.
//!
//! A sweep runs every arm at every point, each replicated. Replications of one number share
//! their seed in all arms and at all points, and every stream of random numbers belongs to an
//! entity and a purpose. So two runs of a pair differ by what was changed and by nothing else:
//! differences are taken pair by pair, and vanish where nothing was changed.
//!
//! ```text
//! DIR/sweep.json                                         what is varied
//! DIR/runs.parquet                                       one row per run, all metrics
//! DIR/runs/arm=A/keys.overlap=5min/replication=0/        one results folder per run
//! ```
//!
//! The folders name columns as Hive does, so a reader of partitioned data sees one table:
//! `scan_parquet("DIR/runs/**/auth.parquet", hive_partitioning=True)`.

pub mod compare;
pub mod plan;
pub mod report;
pub mod store;
pub mod sweep;

use crate::scenario::schema::Sweep;

/// One run of a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Index of the arm.
    pub arm: usize,
    /// Index of the point.
    pub point: u64,
    /// Number of the replication, from 0.
    pub replication: u32,
}

/// All runs of a sweep in their order: by arm, point and replication.
pub fn cells(sweep: &Sweep) -> impl Iterator<Item = Cell> {
    let (points, replications) = (sweep.points(), sweep.replications);
    (0..sweep.arms.len().max(1)).flat_map(move |arm| {
        (0..points).flat_map(move |point| {
            (0..replications).map(move |replication| Cell {
                arm,
                point,
                replication,
            })
        })
    })
}
