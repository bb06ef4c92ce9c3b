//! All keys that one end shares with one peer.
//!
//! | step | server | meter |
//! |---|---|---|
//! | [`install`](KeyStore::install) | when PAR\[C\] success is sent | when PAR\[C\] is verified |
//! | [`activate`](KeyStore::activate) | on a valid PAN\[C\], or by itself on the first valid message | right after PAN\[C\] is sent |
//! | previous key | receive-only for the overlap | same |
//! | end | lifetime + grace (receiving only) | lifetime |
//! | [`erase_all`](KeyStore::erase_all) | PTR/PTA, failure, rejection, session timeout | same |
//!
//! No message is sent under an expired or receive-only key: without a key for sending, C12.22
//! stops. Static keys are never touched by any of this.

use alloc::boxed::Box;

use super::epoch::{self, EndReason, Epoch, KeyArray, KeyEvent, KeySummary, Phase, Unreported};
use super::hierarchy::{self, AP_TITLE_LEN_MAX, KeyContext, RootKey};
use super::index::Index;
use super::policy::{InstallError, KeyReject, Policy, Role};
use super::replay::{Freshness, ReplayWindow};
use crate::Env;
use crate::crypto::eax_prime::EaxPrimeKey;
use crate::crypto::{Secret, Work};
use crate::memory::Visitor;
use crate::time::{Duration, Instant};

/// Most derived keys alive at once: two arrays in overlap, a retired key and one in reserve.
const LIVE_MAX: usize = 6;
/// Slots for derived keys; those beyond [`LIVE_MAX`] hold erased keys not yet reported.
const SLOTS: usize = 8;
/// Static keys at most.
const STATIC_MAX: usize = 4;
/// Erased key ids that are still told apart from unknown ones.
const ENDED_MAX: usize = 4;

/// The keys of one association: current, previous and pending ones.
pub struct KeyStore {
    role: Role,
    policy: Policy,
    epochs: [Option<Box<Epoch>>; SLOTS],
    /// Kept in line with `epochs` by whatever changes them.
    index: Index<SLOTS>,
    statics: [Option<Box<Epoch>>; STATIC_MAX],
    /// Latest erased keys, the newest first.
    ended: [Option<(u8, EndReason)>; ENDED_MAX],
    serial: u32,
}

impl KeyStore {
    /// A store without keys.
    pub const fn new(role: Role, policy: Policy) -> Self {
        Self {
            role,
            policy,
            epochs: [const { None }; SLOTS],
            index: Index::EMPTY,
            statics: [const { None }; STATIC_MAX],
            ended: [None; ENDED_MAX],
            serial: 0,
        }
    }

    /// Derives the keys of one authentication; valid for receiving at once. Returns the key id.
    ///
    /// `ap_title` is the content of the meter's absolute ApTitle. The caller drops the EMSK.
    pub fn install(
        &mut self,
        emsk: &Secret<64>,
        session_id: &[u8],
        kid32: u32,
        ap_title: &[u8],
        lifetime: Duration,
        env: &mut Env<'_>,
    ) -> Result<u8, InstallError> {
        let root = RootKey::derive(emsk, session_id, env.work);
        self.install_below(root, session_id, kid32, ap_title, lifetime, env)
    }

    /// Does the same below a root key that serves other purposes as well.
    pub fn install_below(
        &mut self,
        root: RootKey,
        session_id: &[u8],
        kid32: u32,
        ap_title: &[u8],
        lifetime: Duration,
        env: &mut Env<'_>,
    ) -> Result<u8, InstallError> {
        if ap_title.is_empty() || ap_title.len() > AP_TITLE_LEN_MAX {
            return Err(InstallError::ApTitleLength);
        }
        let key_id = hierarchy::key_id(kid32, self.policy.array_length.get(), 0);
        let context = KeyContext {
            purpose: self.policy.purpose,
            index: 0,
            key_id,
            ap_title,
        };
        let (key, name) = epoch::expand(&root, session_id, &context, env.work);
        let array = (self.policy.array_length.get() > 1).then(|| {
            Box::new(KeyArray {
                root,
                session_id: session_id.into(),
                ap_title: ap_title.into(),
            })
        });
        let summary = self.summary(kid32, key_id, 0, name, env.now);
        self.insert(key, summary, lifetime, env.now + lifetime, array);
        Ok(key_id)
    }

    /// Installs a static key, which never expires and which only the caller selects for sending.
    ///
    /// Replaces a static key with the same id.
    pub fn install_static(
        &mut self,
        key_id: u8,
        key: &Secret<16>,
        env: &mut Env<'_>,
    ) -> Result<(), InstallError> {
        if key_id >= hierarchy::STATIC_LEN {
            return Err(InstallError::StaticKeyId);
        }
        let slot = self
            .statics
            .iter()
            .position(|slot| slot.as_ref().is_some_and(|key| key.key_id() == key_id))
            .or_else(|| self.statics.iter().position(Option::is_none))
            .ok_or(InstallError::Full)?;
        let mut summary = self.summary(0, key_id, 0, [0; 8], env.now);
        summary.activated = Some(env.now);
        self.serial = self.serial.saturating_add(1);
        self.statics[slot] = Some(Box::new(Epoch {
            key: Some(EaxPrimeKey::new(key.expose(), env.work)),
            summary,
            phase: Phase::Current,
            serial: self.serial,
            lifetime: Duration::MAX,
            expiry: Instant::FAR_FUTURE,
            deadline: Instant::FAR_FUTURE,
            invocation: 0,
            freshness: Freshness::Recent(Box::default()),
            array: None,
            unreported: Unreported::default(),
        }));
        Ok(())
    }

    /// Begins to send under the key of the authentication `kid32`; its lifetime starts now.
    ///
    /// Returns whether there was such a key that had not been activated yet.
    pub fn activate(&mut self, kid32: u32, env: &mut Env<'_>) -> bool {
        let pending = self.epochs.iter().position(|slot| {
            slot.as_ref().is_some_and(|epoch| {
                epoch.phase == Phase::Pending
                    && epoch.summary.kid32 == kid32
                    && epoch.summary.index == 0
            })
        });
        let Some(slot) = pending else {
            return false;
        };
        self.activate_slot(slot, env);
        true
    }

    /// The key to send under: never an expired one, never a receive-only one, never a static one.
    pub fn sending(&mut self, env: &mut Env<'_>) -> Option<&mut Epoch> {
        let slot = self.current()?;
        if self.moves_on(slot, env.now) {
            let (kid32, index) = self.epochs[slot]
                .as_ref()
                .map(|epoch| (epoch.summary.kid32, epoch.summary.index))?;
            if let Some(next) = self.pending(kid32, index + 1) {
                self.activate_slot(next, env);
            }
        }
        let slot = self.current()?;
        self.epochs[slot]
            .as_deref_mut()
            .filter(|epoch| env.now < epoch.expiry)
    }

    /// Whether `key_id` is the current key or a static one, and has not expired.
    pub fn may_send_under(&self, key_id: u8, now: Instant) -> bool {
        self.epochs
            .iter()
            .chain(&self.statics)
            .flatten()
            .any(|epoch| {
                epoch.key_id() == key_id && epoch.phase == Phase::Current && now < epoch.expiry
            })
    }

    /// The key with id `key_id` if it may be sent under: the current key or a static one.
    pub fn sending_under(&mut self, key_id: u8, now: Instant) -> Option<&mut Epoch> {
        self.epochs
            .iter_mut()
            .chain(&mut self.statics)
            .filter_map(Option::as_deref_mut)
            .find(|epoch| epoch.key_id() == key_id && epoch.phase == Phase::Current)
            .filter(|epoch| now < epoch.expiry)
    }

    /// The key that a message with `key_id` was protected with.
    ///
    /// Call [`accept`](Self::accept) once the message turned out to be authentic and fresh.
    pub fn receiving(&mut self, key_id: u8, now: Instant) -> Result<&mut Epoch, KeyReject> {
        match self.find(key_id) {
            Some(Place::Static(slot)) => {
                self.statics[slot].as_deref_mut().ok_or(KeyReject::Unknown)
            }
            Some(Place::Derived(slot)) => {
                self.end_if_due(slot, now);
                self.epochs[slot]
                    .as_deref_mut()
                    .filter(|epoch| epoch.phase != Phase::Erased)
                    .ok_or(KeyReject::Expired)
            }
            None => Err(self.ended_as(key_id)),
        }
    }

    /// Records an authentic and fresh message, `octets` long, under `key_id`.
    ///
    /// The first one under a pending key activates it: the peer has the key, its PAN\[C\] was lost.
    pub fn accept(
        &mut self,
        key_id: u8,
        sender: u64,
        invocation: u32,
        iv: u32,
        octets: usize,
        env: &mut Env<'_>,
    ) {
        let (epoch, slot) = match self.find(key_id) {
            Some(Place::Static(slot)) => (self.statics[slot].as_deref_mut(), None),
            Some(Place::Derived(slot)) => (self.epochs[slot].as_deref_mut(), Some(slot)),
            None => return,
        };
        let Some(epoch) = epoch else { return };
        epoch.freshness.record(sender, invocation, iv);
        epoch.summary.rx.record(octets, env.now);
        let pending = epoch.phase == Phase::Pending;
        if let (true, Some(slot)) = (pending, slot) {
            self.activate_slot(slot, env);
        }
    }

    /// Erases every derived key at once.
    pub fn erase_all(&mut self, reason: EndReason, now: Instant) {
        for slot in 0..SLOTS {
            self.end(slot, reason, now);
        }
    }

    /// Erases every derived key but those of the authentication `kid32`.
    ///
    /// For the server when a meter opens a new session: it has lost the keys of an older one.
    pub fn erase_others(&mut self, kid32: u32, reason: EndReason, now: Instant) {
        for slot in 0..SLOTS {
            let other = self.epochs[slot]
                .as_ref()
                .is_some_and(|epoch| epoch.summary.kid32 != kid32);
            if other {
                self.end(slot, reason, now);
            }
        }
    }

    /// Forgets which messages were accepted, as a loss of power does where they lie in volatile
    /// memory: under keys that survive it, they will be accepted once more.
    pub fn forget_accepted(&mut self) {
        let keys = self.epochs.iter_mut().chain(&mut self.statics);
        for epoch in keys.flatten() {
            epoch.freshness.forget();
        }
    }

    /// Erases the keys whose time is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        for slot in 0..SLOTS {
            self.end_if_due(slot, now);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next.
    pub const fn poll_timeout(&self) -> Option<Instant> {
        self.index.deadline
    }

    /// The next thing that happened to a derived key, the oldest key first.
    #[inline]
    pub fn poll_event(&mut self) -> Option<KeyEvent> {
        if self.index.events == 0 {
            return None;
        }
        self.next_event()
    }

    fn next_event(&mut self) -> Option<KeyEvent> {
        while self.index.events != 0 {
            let slot = (0..SLOTS)
                .filter(|slot| self.index.events & (1 << slot) != 0)
                .filter_map(|slot| self.epochs[slot].as_ref().map(|epoch| (epoch, slot)))
                .min_by_key(|(epoch, _)| epoch.serial)
                .map(|(_, slot)| slot)?;
            let epoch = self.epochs[slot].as_mut()?;
            let event = epoch.poll_event();
            if !epoch.has_events() {
                self.index.events &= !(1 << slot);
            }
            if event.is_some() {
                return event;
            }
            // Erased and reported: nothing refers to it any more.
            self.epochs[slot] = None;
            self.index.events &= !(1 << slot);
        }
        None
    }

    /// Whether the current key is the last of its array and has reached a limit of the policy.
    ///
    /// A new authentication is the only way to a fresh key then.
    pub fn is_exhausted(&self, now: Instant) -> bool {
        self.current().is_some_and(|slot| {
            self.epochs[slot].as_ref().is_some_and(|epoch| {
                epoch.summary.index + 1 == u16::from(self.policy.array_length.get())
            }) && self.reached_limit(slot, now)
        })
    }

    /// The key for sending, for reports.
    pub fn current_key(&self) -> Option<&KeySummary> {
        self.current()
            .and_then(|slot| self.epochs[slot].as_ref())
            .map(|epoch| &epoch.summary)
    }

    /// All derived keys that are not erased, in no particular order.
    pub fn keys(&self) -> impl Iterator<Item = &KeySummary> {
        self.live().map(|(_, epoch)| &epoch.summary)
    }

    /// Shows `visitor` the current key.
    pub fn visit_memory(&self, visitor: &mut impl Visitor) {
        if let Some(epoch) = self.current().and_then(|slot| self.epochs[slot].as_deref()) {
            visitor.visit(epoch);
        }
    }

    /// The rules of the store.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    fn live(&self) -> impl Iterator<Item = (usize, &Epoch)> {
        self.epochs
            .iter()
            .enumerate()
            .filter_map(|(slot, epoch)| epoch.as_deref().map(|epoch| (slot, epoch)))
            .filter(|(_, epoch)| epoch.phase != Phase::Erased)
    }

    fn current(&self) -> Option<usize> {
        self.index.current.map(usize::from)
    }

    fn pending(&self, kid32: u32, index: u16) -> Option<usize> {
        self.live()
            .find(|(_, epoch)| {
                epoch.phase == Phase::Pending
                    && epoch.summary.kid32 == kid32
                    && epoch.summary.index == index
            })
            .map(|(slot, _)| slot)
    }

    fn find(&self, key_id: u8) -> Option<Place> {
        if key_id < hierarchy::STATIC_LEN {
            return self
                .statics
                .iter()
                .position(|slot| slot.as_ref().is_some_and(|key| key.key_id() == key_id))
                .map(Place::Static);
        }
        self.index.slot_of(key_id).map(Place::Derived)
    }

    fn ended_as(&self, key_id: u8) -> KeyReject {
        let ended = self.ended.iter().flatten().find(|(id, _)| *id == key_id);
        match ended {
            None => KeyReject::Unknown,
            Some((_, EndReason::Expired | EndReason::Superseded)) => KeyReject::Expired,
            Some(_) => KeyReject::Erased,
        }
    }

    /// Whether the server leaves the current key for the next element of the array.
    fn moves_on(&self, slot: usize, now: Instant) -> bool {
        self.role == Role::Server && self.reached_limit(slot, now)
    }

    fn reached_limit(&self, slot: usize, now: Instant) -> bool {
        let Some(epoch) = self.epochs[slot].as_ref() else {
            return false;
        };
        let Policy {
            rekey_messages,
            rekey_interval,
            ..
        } = self.policy;
        let messages = epoch
            .summary
            .tx
            .messages
            .saturating_add(epoch.summary.rx.messages);
        let since = epoch.summary.activated.unwrap_or(epoch.summary.created);
        (rekey_messages > 0 && messages >= rekey_messages)
            || (!rekey_interval.is_zero() && now.saturating_since(since) >= rekey_interval)
    }

    fn summary(
        &self,
        kid32: u32,
        key_id: u8,
        index: u16,
        name: hierarchy::KeyName,
        now: Instant,
    ) -> KeySummary {
        KeySummary {
            kid32,
            key_id,
            purpose: self.policy.purpose,
            index,
            name,
            created: now,
            activated: None,
            superseded: None,
            ended: None,
            reason: None,
            tx: epoch::Usage::default(),
            rx: epoch::Usage::default(),
        }
    }

    /// Stores a new pending key after making room for it.
    fn insert(
        &mut self,
        key: EaxPrimeKey,
        summary: KeySummary,
        lifetime: Duration,
        expiry: Instant,
        array: Option<Box<KeyArray>>,
    ) {
        let slot = self.make_room(summary.key_id, summary.created);
        self.serial = self.serial.saturating_add(1);
        self.epochs[slot] = Some(Box::new(Epoch {
            key: Some(key),
            phase: Phase::Pending,
            serial: self.serial,
            lifetime,
            expiry,
            deadline: expiry + self.grace(),
            invocation: 0,
            freshness: Freshness::Window(ReplayWindow::new()),
            array,
            unreported: Unreported {
                derived: true,
                ..Unreported::default()
            },
            summary,
        }));
        self.index = Index::of(&self.epochs);
    }

    /// A free slot; erases a live key with the same id, and the least useful one if all are live.
    fn make_room(&mut self, key_id: u8, now: Instant) -> usize {
        if let Some(Place::Derived(slot)) = self.find(key_id) {
            self.end(slot, EndReason::SlotReused, now);
        }
        if self.live().count() >= LIVE_MAX {
            let victim = self
                .live()
                .filter(|(_, epoch)| epoch.phase != Phase::Current)
                .min_by_key(|(_, epoch)| (epoch.phase != Phase::Retired, epoch.serial))
                .map(|(slot, _)| slot);
            if let Some(slot) = victim {
                self.end(slot, EndReason::Displaced, now);
            }
        }
        let free = self.epochs.iter().position(Option::is_none);
        // A host that does not take its events loses the oldest of them.
        free.or_else(|| {
            (0..SLOTS)
                .filter_map(|slot| self.epochs[slot].as_ref().map(|epoch| (epoch, slot)))
                .filter(|(epoch, _)| epoch.phase == Phase::Erased)
                .min_by_key(|(epoch, _)| epoch.serial)
                .map(|(_, slot)| slot)
        })
        .expect("fewer keys are alive than there are slots")
    }

    fn activate_slot(&mut self, slot: usize, env: &mut Env<'_>) {
        let Some(serial) = self.epochs[slot].as_ref().map(|epoch| epoch.serial) else {
            return;
        };
        self.retire_before(serial, env.now);
        let grace = self.grace();
        let Some(epoch) = self.epochs[slot].as_mut() else {
            return;
        };
        epoch.phase = Phase::Current;
        epoch.summary.activated = Some(env.now);
        epoch.unreported.activated = true;
        if epoch.summary.index == 0 {
            epoch.expiry = env.now + epoch.lifetime;
            epoch.deadline = epoch.expiry + grace;
        }
        let (kid32, index, lifetime, expiry) = (
            epoch.summary.kid32,
            epoch.summary.index + 1,
            epoch.lifetime,
            epoch.expiry,
        );
        let array = epoch.array.take();
        self.index = Index::of(&self.epochs);
        let Some(array) = array else {
            return;
        };
        self.extend(*array, kid32, index, lifetime, expiry, env);
    }

    /// Derives element `index` of `array`, so that the peer may move on to it.
    fn extend(
        &mut self,
        array: KeyArray,
        kid32: u32,
        index: u16,
        lifetime: Duration,
        expiry: Instant,
        env: &mut Env<'_>,
    ) {
        let length = self.policy.array_length.get();
        if index >= u16::from(length) {
            return;
        }
        let key_id = hierarchy::key_id(kid32, length, index);
        let context = array.context(self.policy.purpose, index, key_id);
        let work: &mut Work = env.work;
        let (key, name) = epoch::expand(&array.root, &array.session_id, &context, work);
        let summary = self.summary(kid32, key_id, index, name, env.now);
        let array = (index + 1 < u16::from(length)).then(|| Box::new(array));
        self.insert(key, summary, lifetime, expiry, array);
    }

    /// Makes every older key receive-only, pending ones included: there is no way back to them.
    ///
    /// The caller brings the index in line.
    fn retire_before(&mut self, serial: u32, now: Instant) {
        let overlap = now + self.policy.overlap;
        for epoch in self.epochs.iter_mut().flatten().filter(|epoch| {
            epoch.serial < serial && matches!(epoch.phase, Phase::Current | Phase::Pending)
        }) {
            epoch.phase = Phase::Retired;
            epoch.array = None;
            epoch.summary.superseded = Some(now);
            epoch.deadline = epoch.deadline.min(overlap);
            epoch.unreported.retired = true;
        }
    }

    fn end_if_due(&mut self, slot: usize, now: Instant) {
        if self.index.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        let due = self.epochs[slot]
            .as_ref()
            .filter(|epoch| epoch.phase != Phase::Erased && now >= epoch.deadline);
        let Some(epoch) = due else { return };
        let reason = match epoch.summary.superseded {
            Some(since) if epoch.deadline == since + self.policy.overlap => EndReason::Superseded,
            _ => EndReason::Expired,
        };
        self.end(slot, reason, now);
    }

    fn end(&mut self, slot: usize, reason: EndReason, now: Instant) {
        let Some(epoch) = self.epochs[slot]
            .as_mut()
            .filter(|epoch| epoch.phase != Phase::Erased)
        else {
            return;
        };
        epoch.erase(reason, now);
        let key_id = epoch.key_id();
        self.index = Index::of(&self.epochs);
        self.ended.rotate_right(1);
        self.ended[0] = Some((key_id, reason));
    }

    const fn grace(&self) -> Duration {
        match self.role {
            Role::Meter => Duration::ZERO,
            Role::Server => self.policy.grace,
        }
    }
}

impl core::fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("KeyStore")
            .field("role", &self.role)
            .field("epochs", &self.epochs)
            .finish_non_exhaustive()
    }
}

/// Where a key lies.
#[derive(Clone, Copy)]
enum Place {
    Static(usize),
    Derived(usize),
}
