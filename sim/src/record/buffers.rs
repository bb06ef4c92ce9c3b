//! Records between two synchronisation points.

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

    /// Keeps room for `records` of each kind that may be many, and gives back the rest.
    pub(super) fn keep(&mut self, records: usize) {
        self.auth.shrink_to(records);
        self.keys.shrink_to(records);
        self.messages.shrink_to(records);
        self.reads.shrink_to(records);
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
