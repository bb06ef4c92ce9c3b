//! The meter as its host sees it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;

use super::access::{Access, AccessEvent};
use super::backlog::Interval;
use super::config::{Config, Provisioning};
use super::device::{Device, ImageEvent, SwitchEvent};
use super::optical::OpticalPort;
use super::outage::Outage;
use super::reporter::{self, Reporter};
use crate::c1218::{Parameters, ServerEvent, Transmit as OpticalTransmit};
use crate::c1222::aptitle::Title;
use crate::eap::SessionId;
use crate::eap::psk::PskPeer;
use crate::han::Coordinator;
use crate::memory::Visitor;
use crate::metrology::{self, EventKind, Metrology, Quantity, Sample, Utc};
use crate::pana::{Association, CloseCause};
use crate::time::{Duration, Instant, earlier};
use crate::ukmf::{EndReason, GroupKey, KeyEvent, KeyStore, KeySummary, Role, RootKey};
use crate::{Env, Reject, c1222, eap};

/// The two UDP ports of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Network access authentication, UDP port 716.
    Pana,
    /// C12.22, UDP port 1153.
    C1222,
}

impl Channel {
    /// The name of the protocol.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pana => "pana",
            Self::C1222 => "c1222",
        }
    }
}

/// A datagram that was written to the host's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Which port it leaves from and goes to.
    pub channel: Channel,
    /// Its length.
    pub len: usize,
    /// Whether it repeats an earlier datagram.
    pub retransmission: bool,
}

/// What the host learns.
#[derive(Clone, Copy, Debug)]
pub enum MeterEvent {
    /// An authentication succeeded: access is open and a key is in force.
    Authenticated {
        /// PANA Key-Id.
        key_id: u32,
        /// The EAP Session-Id, which names the conversation (RFC 5247 §1.4).
        session_id: SessionId,
    },
    /// An authentication failed, or a session ended without one.
    AuthenticationFailed {
        /// Why.
        cause: &'static str,
    },
    /// A key was erased.
    KeyEnded(KeySummary),
    /// An order to the service switch was taken, carried out, taken back or refused.
    Switch(SwitchEvent),
    /// A firmware image was offered, refused, verified or activated.
    Image(ImageEvent),
    /// The firmware has stopped to start anew: [`Meter::restart`] comes next, once it has booted.
    Restarting,
    /// Something was discarded that no datagram at hand is to blame for.
    Discarded(Reject),
}

/// The protocol code of one meter.
#[derive(Debug)]
pub struct Meter {
    config: Arc<Config>,
    access: Access,
    keys: KeyStore,
    reporter: Reporter,
    device: Device,
    /// Where outages are reported.
    outage: Option<Box<Outage>>,
    /// Where somebody has talked to the optical port.
    optical: Option<Box<OpticalPort>>,
    /// Where there is a home area network.
    han: Option<Box<Coordinator>>,
    /// Absolute ApTitle, which the keys are bound to.
    title: Title,
    events: VecDeque<MeterEvent>,
}

impl Meter {
    /// A meter without power.
    pub fn new(config: Arc<Config>, provisioning: Provisioning) -> Self {
        let title = reporter::title(provisioning.title_arcs);
        let method = PskPeer::new(
            provisioning.identity,
            Some(Arc::clone(&config.server_identity)),
            provisioning.keys,
        );
        Self {
            access: Access::new(&config, method),
            keys: KeyStore::new(Role::Meter, config.keys),
            reporter: Reporter::new(reporter::node(title, &config)),
            device: Device::new(provisioning.switch_seed),
            outage: config.outage.map(|_| Box::default()),
            optical: None,
            han: None,
            title: reporter::absolute(&title),
            events: VecDeque::new(),
            config,
        }
    }

    /// The same meter with a measuring part; from now on [`Meter::close_interval`] is its own task.
    pub fn with_metrology(mut self, config: Arc<metrology::Config>) -> Self {
        self.device.equip(config);
        self
    }

    /// The measuring part.
    pub fn metrology(&self) -> Option<&Metrology> {
        self.device.metrology()
    }

    /// Shows `visitor` what of the image is looked at between authentications.
    pub fn visit_idle(&self, visitor: &mut impl Visitor) {
        self.access.visit_idle(visitor);
        visitor.visit(&self.keys);
        visitor.visit(&self.reporter);
        visitor.visit(&self.device);
        visitor.visit(&self.title);
        visitor.visit(&self.events);
        visitor.visit(&self.config);
    }

    /// Shows `visitor` the key that the next message is protected with.
    pub fn visit_keys(&self, visitor: &mut impl Visitor) {
        self.keys.visit_memory(visitor);
    }

    /// Gives the meter a home area network, whose coordinator the host drives.
    ///
    /// The meter switches it on and off and hands it the link keys of each authentication.
    pub fn equip_han(&mut self, coordinator: Coordinator) {
        self.han = Some(Box::new(coordinator));
    }

    /// The coordinator of the home area network.
    pub fn han(&self) -> Option<&Coordinator> {
        self.han.as_deref()
    }

    /// The coordinator of the home area network, to be driven.
    pub fn han_mut(&mut self) -> Option<&mut Coordinator> {
        self.han.as_deref_mut()
    }

    /// The firmware starts: it looks for the head-end, unless a stored session is still valid.
    pub fn power_on(&mut self, utc: u32, env: &mut Env<'_>) {
        let utc = self.civil(utc, env.now);
        self.device.power_up(utc);
        self.end_outage(utc, env);
        self.start(utc, env);
    }

    /// The firmware starts after it has stopped by itself; power has never failed.
    pub fn restart(&mut self, utc: u32, env: &mut Env<'_>) {
        let utc = self.civil(utc, env.now);
        self.start(utc, env);
    }

    /// Mains return before the meter has gone dark: it has never stopped.
    pub fn mains_back(&mut self, utc: u32, env: &mut Env<'_>) {
        self.energise(utc, env.now);
        let utc = self.civil(utc, env.now);
        self.device.power_up(utc);
        self.end_outage(utc, env);
    }

    /// Mains return: the measuring part works before the rest of the firmware has started.
    pub fn energise(&mut self, utc: u32, now: Instant) {
        let time = self.device.tick(uncorrected(utc, now), now);
        if let Some(metrology) = self.device.metrology_mut() {
            metrology.power_on(time);
        }
    }

    /// What the sensors have measured since the last time.
    ///
    /// The host then takes the events of the measuring part, until there are none.
    pub fn measure(&mut self, sample: &Sample, utc: u32, now: Instant) {
        let time = self.device.tick(uncorrected(utc, now), now);
        if let Some(metrology) = self.device.metrology_mut() {
            metrology.measure(time, sample);
        }
    }

    /// The oldest event of the measuring part, after it has taken its effect.
    ///
    /// A closed interval waits for the next report; a limit that was exceeded opens the switch;
    /// the event log takes note of the rest.
    pub fn poll_metrology_event(&mut self, utc: u32, now: Instant) -> Option<metrology::Event> {
        let utc = self.civil(utc, now);
        let metrology = self.device.metrology_mut()?;
        let event = metrology.poll_event()?;
        match &event.kind {
            EventKind::Interval(closed) => {
                let config = &metrology.config().profile;
                let mut channels = config.quantities().zip(closed.counts);
                let delivered = channels.find(|(of, _)| *of == Quantity::Delivered);
                self.reporter.push(Interval {
                    end_utc_s: closed.end_utc_s,
                    watt_hours: delivered.map_or(0, |(_, count)| u32::from(count)),
                    status: closed.status.octets(1)[0],
                });
            }
            EventKind::LimitExceeded => self.device.enforce_limit(&self.config.device, utc, now),
            _ => self.device.note_metrology(&event),
        }
        Some(event)
    }

    /// Power is lost at once: what is not in non-volatile memory is gone.
    pub fn power_off(&mut self, utc: u32, env: &mut Env<'_>) {
        self.mains_lost(utc, env);
        self.halt(env);
    }

    /// Mains are lost: nothing is measured any more, and the meter has what its capacitor holds to
    /// say so.
    ///
    /// [`Meter::halt`] or [`Meter::mains_back`] comes next.
    pub fn mains_lost(&mut self, utc: u32, env: &mut Env<'_>) {
        let time = self.device.tick(uncorrected(utc, env.now), env.now);
        if let Some(metrology) = self.device.metrology_mut() {
            metrology.power_off(time);
        }
        self.device.power_down(time.as_secs());
        if let (Some(outage), Some(policy)) = (&mut self.outage, &self.config.outage) {
            outage.begin(policy, time.as_secs(), env);
        }
    }

    /// The meter goes dark: what is not in non-volatile memory is gone.
    pub fn halt(&mut self, env: &mut Env<'_>) {
        if let Some(outage) = &mut self.outage {
            outage.halt();
        }
        self.stop(env);
    }

    /// Outages that were too short to be reported.
    pub fn momentary_outages(&self) -> u32 {
        self.outage.as_ref().map_or(0, |outage| outage.momentary())
    }

    /// The firmware starts.
    fn start(&mut self, utc: u32, env: &mut Env<'_>) {
        if !self.access.survives() {
            self.access.start(env);
        }
        if let Some(han) = &mut self.han {
            han.power_on();
        }
        self.proceed(utc, env);
    }

    /// The firmware stops: volatile memory is lost.
    fn stop(&mut self, env: &mut Env<'_>) {
        self.reporter.reset();
        if let Some(optical) = &mut self.optical {
            optical.power_off(&mut self.device, env.now);
        }
        if let Some(han) = &mut self.han {
            han.power_off();
        }
        self.reporter.end_groups(EndReason::Reboot, env.now);
        if self.config.nonvolatile_session && self.access.survives() {
            if !self.config.nonvolatile_playback {
                self.keys.forget_accepted();
            }
            self.collect_key_events();
            return;
        }
        self.access.reset();
        self.end_keys(EndReason::Reboot, env);
        self.collect_key_events();
    }

    /// Starts a re-authentication ahead of time.
    pub fn reauthenticate(&mut self, env: &mut Env<'_>) {
        self.access.reauthenticate(env);
    }

    /// Ends the session (RFC 5191 §4.4) and authenticates anew after [`Config::absence`].
    ///
    /// Without an open session nothing happens.
    pub fn terminate(&mut self, env: &mut Env<'_>) {
        self.access.terminate(env);
    }

    /// Takes the UDP payload of a datagram; `utc` is the time in seconds since 1970.
    ///
    /// C12.22 messages are decrypted in place.
    pub fn handle_datagram(
        &mut self,
        channel: Channel,
        octets: &mut [u8],
        utc: u32,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let utc = self.civil(utc, env.now);
        let result = match channel {
            Channel::Pana => self
                .access
                .handle_datagram(octets, env)
                .map_err(Reject::Pana),
            // The enforcement point: nothing but PANA before success (RFC 5191 §2).
            Channel::C1222 if !self.access.is_open() => Err(Reject::AccessClosed),
            Channel::C1222 => self
                .reporter
                .receive(
                    &self.config,
                    &mut self.device,
                    octets,
                    &mut self.keys,
                    utc,
                    env,
                )
                .map_err(Reject::C1222),
        };
        self.proceed(utc, env);
        result
    }

    /// Acts on every deadline that `env.now` has reached.
    pub fn handle_timeout(&mut self, utc: u32, env: &mut Env<'_>) {
        let utc = self.civil(utc, env.now);
        self.access.handle_timeout(&self.config, env);
        self.keys.handle_timeout(env.now);
        self.device
            .handle_timeout(&self.config.device, utc, env.now);
        self.reporter
            .handle_timeout(&self.config, &mut self.keys, utc, env);
        self.gasp(utc, env);
        if let Some(optical) = &mut self.optical {
            let config = &self.config.device;
            optical.handle_timeout((&mut self.device, config), utc, env);
        }
        if self.device.take_restart(env.now) {
            self.stop(env);
            self.events.push_back(MeterEvent::Restarting);
            return;
        }
        self.proceed(utc, env);
    }

    /// Takes octets from the optical port, in pieces of any length (C12.18).
    ///
    /// The host then takes what [`Meter::poll_optical`] and [`Meter::poll_optical_event`] have.
    pub fn handle_optical(&mut self, octets: &[u8], utc: u32, env: &mut Env<'_>) {
        let utc = self.civil(utc, env.now);
        let config = &self.config.device;
        let serial = || self.reporter.serial();
        let optical = self
            .optical
            .get_or_insert_with(|| Box::new(OpticalPort::new(config.optical, serial())));
        optical.handle_octets(octets, (&mut self.device, config), utc, env);
    }

    /// The next octets for the optical port, which they occupy from `now` on.
    pub fn poll_optical(&mut self, now: Instant) -> Option<OpticalTransmit> {
        self.optical.as_mut()?.poll_transmit(now)
    }

    /// When something is due at the optical port, where somebody is or was in the middle of a
    /// packet; [`Meter::poll_timeout`] covers it.
    pub fn poll_optical_timeout(&self) -> Option<Instant> {
        self.optical.as_ref()?.poll_timeout()
    }

    /// Sizes and speed at the optical port.
    pub fn optical_parameters(&self) -> Parameters {
        let port = self.optical.as_ref();
        port.map_or_else(Parameters::default, |port| *port.parameters())
    }

    /// The probe is taken off the optical port, which only a host can tell that sees the line.
    pub fn hang_up_optical(&mut self, now: Instant) {
        if let Some(optical) = &mut self.optical {
            optical.hang_up(&mut self.device, now);
        }
    }

    /// What happened at the optical port.
    pub fn poll_optical_event(&mut self) -> Option<ServerEvent> {
        self.optical.as_mut()?.poll_event()
    }

    /// Remembers an interval that has closed.
    pub fn close_interval(&mut self, interval: Interval) {
        self.reporter.push(interval);
    }

    /// Reports the intervals that the head-end does not have, as soon as there is a key.
    pub fn report(&mut self, utc: u32, env: &mut Env<'_>) {
        let utc = self.civil(utc, env.now);
        self.reporter.report();
        self.proceed(utc, env);
    }

    /// When [`Meter::handle_timeout`] is due next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let traffic = earlier(self.keys.poll_timeout(), self.reporter.poll_timeout());
        let optical = self.optical.as_ref().and_then(|port| port.poll_timeout());
        let session = self.access.is_open();
        let outage = self.outage.as_ref();
        let outage = outage.and_then(|outage| outage.poll_timeout(session));
        let device = earlier(self.device.poll_timeout(), earlier(optical, outage));
        earlier(self.access.poll_timeout(), earlier(traffic, device))
    }

    /// The oldest event.
    pub fn poll_event(&mut self) -> Option<MeterEvent> {
        let event = self.events.pop_front();
        if event.is_some() && self.events.is_empty() {
            // Events are rare: no meter keeps memory for them.
            self.events = VecDeque::new();
        }
        let event = event.or_else(|| self.device.poll_event().map(MeterEvent::Switch));
        event.or_else(|| self.device.poll_image_event().map(MeterEvent::Image))
    }

    /// Takes note of the voltage on the load side of the open service switch.
    ///
    /// Where something feeds back, the switch does not close.
    pub fn sense_load_side(&mut self, energised: bool) {
        self.device.sense_load_side(energised);
    }

    /// The customer presses the button of an armed switch; returns whether it will close.
    pub fn press_button(&mut self, utc: u32, env: &mut Env<'_>) -> bool {
        let utc = self.civil(utc, env.now);
        self.device.press_button(&self.config.device, utc, env.now)
    }

    /// The household opts out of a demand-response event; returns whether it was at hand.
    pub fn opt_out(&mut self, event_id: u32, utc: u32) -> bool {
        self.device.opt_out(event_id, utc)
    }

    /// Writes the next datagram to `out`.
    pub fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        if let Some((len, retransmission)) = self.access.poll_transmit(out) {
            return Some(Transmit {
                channel: Channel::Pana,
                len,
                retransmission,
            });
        }
        let (len, retransmission) = self.reporter.poll_transmit(out)?;
        Some(Transmit {
            channel: Channel::C1222,
            len,
            retransmission,
        })
    }

    /// Version of the firmware that runs: major in the upper octet, minor in the lower.
    pub fn running_version(&self) -> u16 {
        self.device.running_version()
    }

    /// Whether the head-end has granted access.
    pub fn is_open(&self) -> bool {
        self.access.is_open()
    }

    /// Whether the session was terminated and the meter has not begun a new one.
    pub fn is_terminated(&self) -> bool {
        self.access.is_terminated()
    }

    /// The PANA SA, for a key log (RFC 5191 §5.3).
    pub fn association(&self) -> Option<&Association> {
        self.access.association()
    }

    /// Whether an authentication is under way.
    pub fn is_authenticating(&self) -> bool {
        self.access.is_authenticating()
    }

    /// Keys of groups in the clear, as whoever opens the meter and reads out its memory finds them.
    pub fn group_memory(&self) -> impl Iterator<Item = &GroupKey> {
        self.reporter.group_memory()
    }

    /// Keys that are not erased, for reports.
    pub fn live_keys(&self) -> impl Iterator<Item = &KeySummary> {
        self.keys.keys().chain(self.reporter.group_keys())
    }

    /// Lets new keys and the end of a session take effect, then sends what is due.
    fn proceed(&mut self, utc: u32, env: &mut Env<'_>) {
        while let Some(event) = self.access.poll_event(&self.config, env) {
            match event {
                AccessEvent::Authenticated {
                    key_id,
                    lifetime,
                    keys,
                } => {
                    self.install_keys(key_id, lifetime, &keys, env);
                    self.events.push_back(MeterEvent::Authenticated {
                        key_id,
                        session_id: keys.session_id,
                    });
                }
                AccessEvent::Rejected => self.end_keys(EndReason::AuthorizationRejected, env),
                AccessEvent::Closed(cause) => {
                    self.end_keys(end_reason(cause), env);
                    self.reporter.reset();
                    let cause = cause.name();
                    self.events
                        .push_back(MeterEvent::AuthenticationFailed { cause });
                }
            }
        }
        if self.access.is_open() {
            let outage = self.outage.as_mut();
            if let Some(notice) = outage.and_then(|outage| outage.take_restoration(env.now)) {
                self.reporter.report_restoration(notice);
            }
            self.reporter
                .proceed(&self.config, &mut self.keys, utc, env);
        }
        for _ in 0..self.reporter.take_dropped() {
            let reject = Reject::C1222(c1222::Reject::SegmentsMissing);
            self.events.push_back(MeterEvent::Discarded(reject));
        }
        self.collect_key_events();
    }

    /// Says with the last energy that power is gone; nobody hears it without a session.
    fn gasp(&mut self, utc: u32, env: &mut Env<'_>) {
        let outage = self.outage.as_mut();
        let notice = outage.and_then(|outage| outage.take_gasp(env.now));
        if let Some(notice) = notice.filter(|_| self.access.is_open()) {
            self.reporter
                .announce(&notice, &self.config, &mut self.keys, utc, env);
        }
    }

    fn end_outage(&mut self, utc: u32, env: &mut Env<'_>) {
        if let (Some(outage), Some(policy)) = (&mut self.outage, &self.config.outage) {
            outage.end(policy, utc, env);
        }
    }

    /// Derives the keys of one authentication, which both ends compute alike.
    fn install_keys(
        &mut self,
        key_id: u32,
        lifetime: Duration,
        keys: &eap::Keys,
        env: &mut Env<'_>,
    ) {
        let session = keys.session_id.as_bytes();
        let root = RootKey::derive(&keys.emsk, session, env.work);
        let title = self.title.get().content();
        let han_root = self.han.is_some().then(|| root.clone());
        let installed = self
            .keys
            .install_below(root, session, key_id, title, lifetime, env);
        // PAN[C] is queued behind this event: the head-end has had the key since PAR[C], so this
        // end may send under it at once.
        let Ok(c1222_key_id) = installed else { return };
        self.keys.activate(key_id, env);
        if let (Some(han), Some(root)) = (&mut self.han, han_root) {
            let names = (session, title);
            han.install(root, names, (key_id, c1222_key_id), lifetime, env);
        }
    }

    /// What the meter's clock shows, its corrections included, in seconds since 1970.
    fn civil(&mut self, utc: u32, now: Instant) -> u32 {
        self.device.tick(uncorrected(utc, now), now).as_secs()
    }

    fn end_keys(&mut self, reason: EndReason, env: &mut Env<'_>) {
        self.keys.erase_all(reason, env.now);
        self.reporter.end_groups(reason, env.now);
        if let Some(han) = &mut self.han {
            han.erase(reason, env.now);
        }
    }

    fn collect_key_events(&mut self) {
        while let Some(event) = self.keys.poll_event() {
            if let KeyEvent::Ended(summary) = event {
                self.events.push_back(MeterEvent::KeyEnded(summary));
            }
        }
        while let Some(summary) = self.reporter.poll_group_key() {
            self.events.push_back(MeterEvent::KeyEnded(summary));
        }
    }
}

/// What the oscillator shows: the second `utc` and the rest that it has counted since.
fn uncorrected(utc: u32, now: Instant) -> Utc {
    let rest = now.as_nanos() % 1_000_000_000;
    Utc::from_nanos(Utc::from_secs(utc).as_nanos() + rest)
}

/// Why the keys of a session end with it.
pub(crate) const fn end_reason(cause: CloseCause) -> EndReason {
    match cause {
        CloseCause::AuthenticationTimeout | CloseCause::EapFailed | CloseCause::Rejected => {
            EndReason::ReauthenticationFailed
        }
        CloseCause::SessionExpired => EndReason::SessionExpired,
        CloseCause::Reset => EndReason::Reboot,
        CloseCause::PeerUnreachable => EndReason::PeerUnreachable,
        CloseCause::Terminated | CloseCause::TerminatedByPeer(_) => EndReason::Terminated,
    }
}
