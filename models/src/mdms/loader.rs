//! The loader: a queue of rows, written in batches by one server of fixed speed.
//!
//! A batch begins when it is full or has waited long enough, and takes its commit and its rows one
//! after the other. Nothing depends on what happens meanwhile, so no event is needed: a batch is
//! accounted for when it begins, with the time at which it will be done.

use firmware::meter::Interval;

use super::MdmsPlan;
use crate::time::Time;

/// A row to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Rank of the meter.
    pub rank: u32,
    /// Number of the interval in the history of the meter.
    pub slot: u32,
    /// The interval.
    pub interval: Interval,
    /// When the head-end had it.
    pub arrived: Time,
}

/// The queue of one instance.
#[derive(Debug, Default)]
pub struct Loader {
    /// Rows of the batch that waits to become full.
    batch: Vec<Row>,
    /// When the server has written everything before that.
    free_at: Time,
    /// Batches that have begun and are not done, with their rows: for the length of the queue.
    writing: std::collections::VecDeque<(Time, u64)>,
}

impl Loader {
    /// Queues `row`, or loses it because the buffer is full: then it returns false.
    ///
    /// Calls `store` for every row of batches that have begun, with the time at which it is there.
    pub fn offer(&mut self, plan: &MdmsPlan, row: Row, store: &mut impl FnMut(&Row, Time)) -> bool {
        let now = row.arrived;
        self.drain(plan, now, store);
        while self.writing.front().is_some_and(|(done, _)| *done <= now) {
            self.writing.pop_front();
        }
        if self.waiting() >= plan.buffer {
            return false;
        }
        self.batch.push(row);
        if self.batch.len() >= plan.batch {
            self.begin(plan, now, store);
        }
        true
    }

    /// Begins the batch at hand if it has waited long enough at `now`.
    pub fn drain(&mut self, plan: &MdmsPlan, now: Time, store: &mut impl FnMut(&Row, Time)) {
        if let Some(first) = self.batch.first() {
            let due = first.arrived + plan.batch_wait;
            if due <= now {
                self.begin(plan, due, store);
            }
        }
    }

    /// Rows that are not written.
    fn waiting(&self) -> u64 {
        let writing: u64 = self.writing.iter().map(|(_, rows)| rows).sum();
        writing + self.batch.len() as u64
    }

    fn begin(&mut self, plan: &MdmsPlan, at: Time, store: &mut impl FnMut(&Row, Time)) {
        let rows = self.batch.len() as u64;
        let done = self.free_at.max(at) + plan.commit + plan.row_time.scaled(rows, 1);
        self.free_at = done;
        self.writing.push_back((done, rows));
        for row in self.batch.drain(..) {
            store(&row, done);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdms::Rules;
    use crate::time::Duration;

    fn plan(batch: usize, buffer: u64) -> MdmsPlan {
        MdmsPlan {
            row_time: Duration::from_secs(1),
            commit: Duration::from_secs(10),
            batch,
            batch_wait: Duration::from_secs(60),
            buffer,
            deadline: Duration::from_secs(86_400),
            settle: Duration::ZERO,
            rules: Rules::default(),
            zone_s: 0,
        }
    }

    fn row(second: u64) -> Row {
        Row {
            rank: 0,
            slot: second as u32,
            interval: Interval::default(),
            arrived: Time::from_secs(second),
        }
    }

    #[test]
    fn full_batches_begin_at_once_others_wait() {
        let (plan, mut loader) = (plan(3, 100), Loader::default());
        let mut stored = Vec::new();
        let mut store = |row: &Row, at: Time| stored.push((row.slot, at.as_secs()));
        for second in [0, 1, 2, 3, 4] {
            assert!(loader.offer(&plan, row(second), &mut store));
        }
        // The first three: 2 s + commit + 3 rows. The server is free when the others have waited.
        loader.drain(&plan, Time::from_secs(62), &mut store);
        loader.drain(&plan, Time::from_secs(63), &mut store);
        assert_eq!(stored, [(0, 15), (1, 15), (2, 15), (3, 75), (4, 75)]);
    }

    #[test]
    fn batches_follow_each_other_and_a_full_buffer_loses_rows() {
        let (plan, mut loader) = (plan(2, 4), Loader::default());
        let mut stored = Vec::new();
        let mut store = |row: &Row, at: Time| stored.push((row.slot, at.as_secs()));
        let taken: Vec<bool> = [0, 0, 1, 1, 2, 12]
            .map(|second| loader.offer(&plan, row(second), &mut store))
            .into();
        // Four rows wait until the first batch is done at 12 s.
        assert_eq!(taken, [true, true, true, true, false, true]);
        loader.drain(&plan, Time::from_secs(1_000), &mut store);
        assert_eq!(stored, [(0, 12), (0, 12), (1, 24), (1, 24), (12, 83)]);
    }
}
