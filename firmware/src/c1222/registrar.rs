//! The registrar of a master relay or head-end: who is registered, and until when.
//!
//! A registration lasts for the granted period and has to be renewed before it ends (IEEE 1703
//! §5.3.4). The registrar keeps titles and expiry; addresses and policy are the host's.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use super::aptitle::{ApTitle, Title};
use super::service::{Register, Registered};
use crate::time::{Duration, Instant};
use crate::wire::Error;

/// What a registrar grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Longest registration period in seconds (24 bits); also for nodes without a preference.
    pub period_max_s: u32,
    /// Upper bound of the random delay before registering after power-up, in seconds.
    pub delay_s: u16,
    /// Flags of the response.
    pub info: u8,
}

impl Default for Grant {
    /// One hour, 30 s, acceptance window, playback rejection and connectionless mode.
    fn default() -> Self {
        Self {
            period_max_s: 3600,
            delay_s: 30,
            info: 0x16,
        }
    }
}

/// A registered node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registration {
    /// When it first registered without interruption.
    pub since: Instant,
    /// When it ends unless renewed.
    pub expiry: Instant,
}

/// The table of registrations, by absolute title.
#[derive(Debug)]
pub struct Registrar {
    grant: Grant,
    base: Title,
    /// Expired registrations stay until renewed or removed; they do not count.
    registrations: BTreeMap<Box<[u8]>, Registration>,
}

impl Registrar {
    /// An empty registrar of the network below `base`, given as an absolute title.
    pub const fn new(base: Title, grant: Grant) -> Self {
        Self {
            grant,
            base,
            registrations: BTreeMap::new(),
        }
    }

    /// Registers or renews; `assigned` is the title for a node that has none.
    ///
    /// The response carries the title in force.
    pub fn register<'a>(
        &mut self,
        request: &Register<'a>,
        assigned: Option<ApTitle<'a>>,
        now: Instant,
    ) -> Result<Registered<'a>, Error> {
        let title = match request.ap_title {
            ApTitle::UNASSIGNED => assigned.ok_or(Error::Malformed("ApTitle"))?,
            title => title,
        };
        let period_s = if request.period_s == 0 {
            self.grant.period_max_s
        } else {
            request.period_s.min(self.grant.period_max_s)
        };
        let expiry = now + Duration::from_secs(u64::from(period_s));
        let key = self.key(title)?;
        self.registrations
            .entry(key)
            .and_modify(|registration| {
                if registration.expiry <= now {
                    registration.since = now;
                }
                registration.expiry = expiry;
            })
            .or_insert(Registration { since: now, expiry });
        Ok(Registered {
            ap_title: title,
            delay_s: self.grant.delay_s,
            period_s,
            info: self.grant.info,
        })
    }

    /// Withdraws a registration; returns whether there was one in force.
    pub fn deregister(&mut self, title: ApTitle<'_>, now: Instant) -> bool {
        self.key(title)
            .ok()
            .and_then(|key| self.registrations.remove(&key))
            .is_some_and(|registration| now < registration.expiry)
    }

    /// The registration of a title, if it is in force.
    pub fn lookup(&self, title: ApTitle<'_>, now: Instant) -> Option<Registration> {
        let key = self.key(title).ok()?;
        self.registrations
            .get(&key)
            .copied()
            .filter(|registration| now < registration.expiry)
    }

    /// Removes registrations that are over; returns how many.
    pub fn expire(&mut self, now: Instant) -> usize {
        let before = self.registrations.len();
        self.registrations
            .retain(|_, registration| now < registration.expiry);
        before - self.registrations.len()
    }

    /// Registrations, including those that are over but not removed.
    pub fn len(&self) -> usize {
        self.registrations.len()
    }

    /// Whether there is no registration.
    pub fn is_empty(&self) -> bool {
        self.registrations.is_empty()
    }

    fn key(&self, title: ApTitle<'_>) -> Result<Box<[u8]>, Error> {
        let base = self.base.get();
        let absolute = Title::new(title)?.to_absolute(base.content())?;
        Ok(absolute.get().content().into())
    }
}
