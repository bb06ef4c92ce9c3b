//! The store of subscribers: credentials, keys and nodes of all meters of an instance.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::Hasher;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU32, Ordering};

use hashbrown::HashTable;

use super::config::{Config, Subscription};
use crate::c1222::aptitle::{ApTitle, NETWORK_ROOT, Title};
use crate::c1222::node::{self, Node};
use crate::c1222::segment::Reassembler;
use crate::crypto::Work;
use crate::eap::psk::{Credentials, LongTermKeys};
use crate::pana::{FixedHasher, SessionRef};
use crate::time::{Instant, earlier};
use crate::ukmf::{KeyStore, Role};

/// What an instance keeps about one meter.
#[derive(Debug)]
pub(super) struct Subscriber {
    identity: Box<[u8]>,
    long_term: LongTermKeys,
    /// Absolute ApTitle, which the keys are bound to.
    pub(super) title: Title,
    pub(super) keys: KeyStore,
    pub(super) node: Node,
    /// The session that grants access.
    pub(super) session: Option<SessionRef>,
    /// The address of that session's PaC.
    pub(super) place: Option<IpAddr>,
    /// Until when the meter is registered.
    pub(super) registered_until: Instant,
    /// End of the newest interval that was read from its load profile, in seconds since 1970.
    pub(super) read_until_s: u32,
    /// Messages of which segments have arrived.
    pub(super) reassembler: Option<Box<Reassembler>>,
}

impl Subscriber {
    /// Erases keys and gives up messages whose time is over.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.keys.handle_timeout(now);
        if let Some(reassembler) = &mut self.reassembler {
            reassembler.handle_timeout(now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let segments = self.reassembler.as_ref();
        let segments = segments.and_then(|segments| segments.poll_timeout());
        earlier(self.keys.poll_timeout(), segments)
    }

    /// Messages that were given up since the last call because segments were missing.
    pub(super) fn take_dropped(&mut self) -> u32 {
        let reassembler = self.reassembler.as_mut();
        reassembler.map_or(0, |reassembler| reassembler.take_dropped())
    }
}

/// All meters of an instance, found by identity or by ApTitle.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    entries: Vec<Subscriber>,
    by_identity: HashTable<u32>,
    by_title: HashTable<u32>,
    /// Look-ups of credentials since they were last asked for; counted behind a shared borrow.
    lookups: AtomicU32,
}

impl Subscribers {
    /// Adds a meter; later meters have higher ranks.
    pub(super) fn add(&mut self, config: &Config, subscription: Subscription) {
        let title = Title::relative(&subscription.title_arcs).unwrap_or(Title::UNASSIGNED);
        let rules = node::Config {
            acceptance_window_s: u32::try_from(config.acceptance_window.as_secs()).ok(),
            mode_min: config.mode_min,
            ..node::Config::default()
        };
        let rank = self.entries.len() as u32;
        let entry = Subscriber {
            identity: subscription.identity.into_boxed_slice(),
            long_term: subscription.keys,
            title: title.to_absolute(&NETWORK_ROOT).unwrap_or(title),
            keys: KeyStore::new(Role::Server, config.keys),
            node: Node::new(config.title, title, rules),
            session: None,
            place: None,
            registered_until: Instant::ZERO,
            read_until_s: 0,
            reassembler: None,
        };
        let identity = hash(&entry.identity);
        let title = hash(entry.title.get().content());
        self.entries.push(entry);
        let entries = &self.entries;
        let identity_of = |rank: &u32| hash(&entries[*rank as usize].identity);
        self.by_identity.insert_unique(identity, rank, identity_of);
        let title_of = |rank: &u32| hash(entries[*rank as usize].title.get().content());
        self.by_title.insert_unique(title, rank, title_of);
    }

    /// The meter with the EAP identity `identity`.
    pub(super) fn find_identity(&self, identity: &[u8]) -> Option<u32> {
        let entries = &self.entries;
        let is = |rank: &u32| *entries[*rank as usize].identity == *identity;
        self.by_identity.find(hash(identity), is).copied()
    }

    /// The meter with the ApTitle `title`, relative titles being below `base`.
    pub(super) fn find_title(&self, title: ApTitle<'_>, base: &[u8]) -> Option<u32> {
        let owned = Title::new(title).ok()?.to_absolute(base).ok()?;
        let absolute = owned.get();
        let entries = &self.entries;
        let is = |rank: &u32| entries[*rank as usize].title.get() == absolute;
        self.by_title.find(hash(absolute.content()), is).copied()
    }

    pub(super) fn get(&self, rank: u32) -> &Subscriber {
        &self.entries[rank as usize]
    }

    pub(super) fn get_mut(&mut self, rank: u32) -> &mut Subscriber {
        &mut self.entries[rank as usize]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Subscriber)> {
        (0..).zip(&self.entries)
    }

    /// Whether credentials were looked up since the last call.
    pub(super) fn take_lookup(&self) -> bool {
        self.lookups
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok()
    }
}

impl Credentials for Subscribers {
    fn keys(&self, id_p: &[u8], _work: &mut Work) -> Option<LongTermKeys> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let rank = self.find_identity(id_p)?;
        Some(self.get(rank).long_term.clone())
    }
}

/// The tables hold no secrets, and their order is never visible.
fn hash(octets: &[u8]) -> u64 {
    let mut hasher = FixedHasher::default();
    hasher.write(octets);
    hasher.finish()
}
