//! Records between two synchronisation points.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use models::mdms::DayRecord;
use models::telemetry::{
    AttackRecord, AuthRecord, ImageRecord, KeyRecord, MessageRecord, OpticalRecord, ReadRecord,
    RegisterRecord, RequestRecord,
};

use crate::run::FleetDomain;

/// Records of a kind whose memory is kept from one synchronisation point to the next: about what
/// an ordinary stretch yields. Fresh pages for them would take more time than to fill them.
pub(super) const KEPT_MAX: usize = 1 << 17;
/// The same of one domain, of which there may be many.
const KEPT_BY_DOMAIN_MAX: usize = 1 << 12;

/// Records of all domains since the last synchronisation point, of kinds that are few by far.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) messages: Vec<MessageRecord>,
    pub(super) registers: Vec<RegisterRecord>,
    pub(super) mdms: Vec<(u32, DayRecord)>,
    pub(super) attacks: Vec<AttackRecord>,
    pub(super) requests: Vec<RequestRecord>,
    pub(super) optical: Vec<OpticalRecord>,
    pub(super) images: Vec<ImageRecord>,
}

impl Buffers {
    /// Keeps room for `records` of each kind that may be many, and gives back the rest.
    pub(super) fn keep(&mut self, records: usize) {
        self.messages.shrink_to(records);
        self.requests.shrink_to(records);
    }
}

/// Moves records from a domain, which makes about as many again until the next time.
pub(super) fn gather<T>(all: &mut Vec<T>, own: &mut Vec<T>) {
    all.append(own);
    own.shrink_to(KEPT_BY_DOMAIN_MAX);
}

/// Moves records from a domain, which need not remember how many there once were: at midnight
/// every meter makes some.
pub(super) fn gather_rare<T>(all: &mut Vec<T>, own: &mut Vec<T>) {
    all.append(&mut std::mem::take(own));
}

/// Records of the kinds of which every meter makes some every hour, where the domains have left
/// them: together they would take as much memory again.
pub(super) struct Runs<'d> {
    pub(super) auth: Vec<&'d mut Vec<AuthRecord>>,
    pub(super) keys: Vec<&'d mut Vec<KeyRecord>>,
    pub(super) reads: Vec<&'d mut Vec<ReadRecord>>,
}

impl<'d> Runs<'d> {
    pub(super) fn of(domains: &'d mut [&mut FleetDomain]) -> Self {
        let mut runs = Self {
            auth: Vec::with_capacity(domains.len()),
            keys: Vec::with_capacity(domains.len()),
            reads: Vec::with_capacity(domains.len()),
        };
        for domain in domains {
            let telemetry = domain.world_mut().telemetry_mut();
            runs.auth.push(&mut telemetry.auth);
            runs.keys.push(&mut telemetry.keys);
            runs.reads.push(&mut telemetry.reads);
        }
        runs
    }
}

/// Takes the records of all `runs` in the order of `key` and calls `visit` with each.
///
/// Records with equal keys keep the order of the runs, and within a run their own. A run that is
/// in order already, as a domain's are but for what happens at the same time, is not moved.
pub(super) fn merge<T, K: Ord, E>(
    runs: &mut [&mut Vec<T>],
    key: impl Fn(&T) -> K,
    mut visit: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let mut drains: Vec<_> = runs
        .iter_mut()
        .map(|run| {
            run.sort_by_key(&key);
            run.drain(..)
        })
        .collect();
    let mut heads: BinaryHeap<_> = (0..)
        .zip(&drains)
        .filter_map(|(run, drain)| Some(Reverse((key(drain.as_slice().first()?), run))))
        .collect();
    while let Some(mut head) = heads.peek_mut() {
        let Reverse((next_key, run)) = &mut *head;
        let drain: &mut std::vec::Drain<'_, T> = &mut drains[*run];
        let record = drain.next();
        match drain.as_slice().first() {
            Some(next) => *next_key = key(next),
            None => drop(PeekMut::pop(head)),
        }
        record.map_or(Ok(()), &mut visit)?;
    }
    drop(drains);
    for run in runs {
        run.shrink_to(KEPT_BY_DOMAIN_MAX);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_merge_is_a_stable_sort(
            mut runs in prop::collection::vec(prop::collection::vec((0..9_u8, any::<u8>()), 0..9), 0..6),
        ) {
            let mut sorted = runs.concat();
            sorted.sort_by_key(|(key, _)| *key);
            let mut merged = Vec::new();
            let mut parts: Vec<_> = runs.iter_mut().collect();
            merge(&mut parts, |(key, _)| *key, |record| {
                merged.push(record);
                Ok::<_, ()>(())
            }).expect("no visit fails");
            prop_assert_eq!(merged, sorted);
            prop_assert!(runs.iter().all(Vec::is_empty));
        }
    }
}
