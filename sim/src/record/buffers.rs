//! Records between two synchronisation points.

use models::mdms::DayRecord;
use models::telemetry::{
    AttackRecord, AuthRecord, ImageRecord, KeyRecord, MessageRecord, OpticalRecord, ReadRecord,
    RegisterRecord, RequestRecord,
};

use crate::run::FleetDomain;

/// Records of a kind whose memory is kept from one synchronisation point to the next.
const KEPT_MAX: usize = 1 << 10;

/// Records of all domains since the last synchronisation point.
#[derive(Default)]
pub(super) struct Buffers {
    pub(super) auth: Vec<AuthRecord>,
    pub(super) keys: Vec<KeyRecord>,
    pub(super) messages: Vec<MessageRecord>,
    pub(super) reads: Vec<ReadRecord>,
    pub(super) registers: Vec<RegisterRecord>,
    pub(super) mdms: Vec<(u32, DayRecord)>,
    pub(super) attacks: Vec<AttackRecord>,
    pub(super) requests: Vec<RequestRecord>,
    pub(super) optical: Vec<OpticalRecord>,
    pub(super) images: Vec<ImageRecord>,
}

impl Buffers {
    /// Makes room for the records of `domains`, of the kinds that may be many, and for no more.
    pub(super) fn make_room(&mut self, domains: &mut [&mut FleetDomain]) {
        let (mut auth, mut keys, mut reads) = (0, 0, 0);
        for domain in domains {
            let telemetry = domain.world_mut().telemetry_mut();
            auth += telemetry.auth.len();
            keys += telemetry.keys.len();
            reads += telemetry.reads.len();
        }
        self.auth.reserve_exact(auth);
        self.keys.reserve_exact(keys);
        self.reads.reserve_exact(reads);
    }

    /// Gives back the memory of what has been written, but for that of ordinary moments.
    pub(super) fn shrink(&mut self) {
        self.auth.shrink_to(KEPT_MAX);
        self.keys.shrink_to(KEPT_MAX);
        self.messages.shrink_to(KEPT_MAX);
        self.reads.shrink_to(KEPT_MAX);
        self.requests.shrink_to(KEPT_MAX);
    }
}

/// Moves records from a domain, which need not remember how many there once were: at midnight
/// every meter makes some, and there may be many domains.
pub(super) fn gather<T>(all: &mut Vec<T>, own: &mut Vec<T>) {
    all.append(&mut std::mem::take(own));
}
