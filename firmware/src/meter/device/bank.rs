//! The second bank of program memory: an image arrives in blocks, is verified and takes over.
//!
//! ```text
//!            manifest, signed           last block, digest is right        procedure
//!   empty ---------------------> receiving ---------------> verified ---------------> scheduled
//!     ^                            ^   |                                                  |
//!     |            manifest anew   |   | last block, digest is another one                |
//!     |                            |   v                                                  |
//!     |                           faulty                                                  |
//!     +------------------------- the firmware starts anew <-----------------------------+
//! ```
//!
//! All of it survives a loss of power: whoever goes on later asks in MT5 what is missing. Blocks
//! may come in any order; those that the running digest has passed are in program memory, which
//! is the host's and not modelled here, those that are ahead of it wait in a few buffers.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;

use super::tables::Context;
use super::{Device, Session, settings};
use crate::Env;
use crate::c1219::DateTime;
use crate::c1219::image::{self, Activation, ImageState, ImageStatus, Manifest};
use crate::c1219::log::EventCode;
use crate::c1219::procedure::{Initiate, ResultCode};
use crate::c1219::types::{contains, put_element};
use crate::c1222::service::{ResponseCode, Selector, Write};
use crate::crypto::{CmacKey, Digest, Work, equal};
use crate::time::{Duration, Instant};
use crate::wire::Error;

/// Version of the firmware that the factory installs: 2.3.
pub(super) const FACTORY_VERSION: u16 = 0x0203;
/// Blocks that may be ahead of the first missing one.
const PARKED_MAX: usize = 16;
/// How long before the firmware starts anew at the earliest: the last response leaves first.
const RESTART: Duration = Duration::from_secs(1);

/// What has become of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageStep {
    /// Its manifest was accepted; blocks are welcome.
    Offered,
    /// Its manifest is not signed by the vendor.
    Unsigned,
    /// Its manifest is signed, but it is not newer than what runs.
    Outdated,
    /// All blocks are there, and so is the right digest.
    Verified,
    /// All blocks were there, with another digest.
    Faulty,
    /// It runs.
    Activated,
}

impl ImageStep {
    /// The step in snake case, for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Unsigned => "unsigned",
            Self::Outdated => "outdated",
            Self::Verified => "verified",
            Self::Faulty => "faulty",
            Self::Activated => "activated",
        }
    }
}

/// What the meter's host learns of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageEvent {
    /// Its version.
    pub version: u16,
    /// What has become of it.
    pub step: ImageStep,
    /// Octets of it that were written so far, those written again included.
    pub octets: u32,
}

/// An image that arrives, or waits.
#[derive(Clone, Debug)]
struct Transfer {
    manifest: Manifest,
    state: ImageState,
    /// MT5.
    received: Vec<u8>,
    count: u16,
    /// Blocks from the beginning that the digest has passed.
    passed: u16,
    digest: Digest,
    /// Blocks that are ahead of it.
    parked: BTreeMap<u16, Vec<u8>>,
    /// Octets that were written.
    written: u32,
    activation: Option<(Instant, u32)>,
}

/// The bank.
#[derive(Debug)]
pub(super) struct Bank {
    running: u16,
    transfer: Option<Transfer>,
    /// Where the next random delay starts.
    random: u64,
    events: VecDeque<ImageEvent>,
}

impl Transfer {
    fn new(manifest: Manifest) -> Self {
        Self {
            received: vec![0; usize::from(manifest.blocks()).div_ceil(8)],
            manifest,
            state: ImageState::Receiving,
            count: 0,
            passed: 0,
            digest: Digest::new(),
            parked: BTreeMap::new(),
            written: 0,
            activation: None,
        }
    }

    /// Takes one block, which has the right length.
    fn take(&mut self, index: u16, octets: &[u8], work: &mut Work) -> Result<(), ResponseCode> {
        if contains(&self.received, index) {
            return Ok(());
        }
        if index == self.passed {
            self.digest.update(octets, work);
            self.passed += 1;
            while let Some(parked) = self.parked.remove(&self.passed) {
                self.digest.update(&parked, work);
                self.passed += 1;
            }
        } else if self.parked.len() < PARKED_MAX {
            self.parked.insert(index, octets.into());
        } else {
            return Err(ResponseCode::Onp);
        }
        put_element(&mut self.received, index, true);
        self.count += 1;
        Ok(())
    }

    /// Compares the digest, once all blocks are there.
    fn conclude(&mut self, work: &mut Work) -> Option<ImageStep> {
        if self.passed < self.manifest.blocks() || self.state != ImageState::Receiving {
            return None;
        }
        let digest = core::mem::take(&mut self.digest).finish(work);
        if equal(&digest, &self.manifest.digest) {
            self.state = ImageState::Verified;
            return Some(ImageStep::Verified);
        }
        let written = self.written;
        *self = Self::new(self.manifest);
        (self.state, self.written) = (ImageState::Faulty, written);
        Some(ImageStep::Faulty)
    }
}

impl Bank {
    /// A bank without an image; delays start at `seed`.
    pub(super) const fn new(seed: u64) -> Self {
        Self {
            running: FACTORY_VERSION,
            transfer: None,
            // Apart from the delays of the switch, which start at the seed and its complement.
            random: seed.rotate_left(32),
            events: VecDeque::new(),
        }
    }

    /// Version of the firmware that runs.
    pub(super) const fn running(&self) -> u16 {
        self.running
    }

    /// MT3.
    pub(super) fn status(&self) -> ImageStatus {
        let none = ImageStatus {
            running: self.running,
            ..ImageStatus::default()
        };
        self.transfer.as_ref().map_or(none, |transfer| ImageStatus {
            state: transfer.state,
            running: self.running,
            version: transfer.manifest.version,
            blocks: transfer.manifest.blocks(),
            received: transfer.count,
            activation: transfer
                .activation
                .and_then(|(_, utc)| DateTime::from_utc(utc)),
        })
    }

    /// MT4; nothing without an image.
    pub(super) fn manifest(&self) -> Option<[u8; Manifest::LEN]> {
        let transfer = self.transfer.as_ref()?;
        Some(transfer.manifest.octets())
    }

    /// MT5; nothing without an image.
    pub(super) fn blocks(&self) -> &[u8] {
        self.transfer.as_ref().map_or(&[], |image| &image.received)
    }

    /// Takes a manifest: blocks of it are welcome from now on.
    ///
    /// The one that is there already changes nothing, unless its blocks were faulty.
    pub(super) fn offer(
        &mut self,
        octets: &[u8],
        key: &CmacKey,
        work: &mut Work,
    ) -> Result<(), ResponseCode> {
        let manifest = Manifest::parse(octets).map_err(|_| ResponseCode::Onp)?;
        let refused = if !manifest.verify(key, work) {
            Some((ImageStep::Unsigned, ResponseCode::Sme))
        } else if manifest.version <= self.running {
            Some((ImageStep::Outdated, ResponseCode::Iar))
        } else {
            None
        };
        if let Some((step, code)) = refused {
            self.tell(manifest.version, step, 0);
            return Err(code);
        }
        let same = self.transfer.as_ref();
        let same = same.is_some_and(|transfer| {
            transfer.manifest == manifest && transfer.state != ImageState::Faulty
        });
        if !same {
            self.transfer = Some(Transfer::new(manifest));
            self.tell(manifest.version, ImageStep::Offered, 0);
        }
        Ok(())
    }

    /// Takes whole blocks that begin at `offset`.
    pub(super) fn write(
        &mut self,
        offset: u32,
        data: &[u8],
        work: &mut Work,
    ) -> Result<(), ResponseCode> {
        let transfer = self.transfer.as_mut().ok_or(ResponseCode::Iar)?;
        let manifest = transfer.manifest;
        if transfer.state == ImageState::Faulty {
            return Err(ResponseCode::Iar);
        }
        let block_len = u32::from(manifest.block_len);
        let end = offset as usize + data.len();
        let whole = data.len().is_multiple_of(usize::from(manifest.block_len))
            || end == manifest.size as usize;
        let aligned = offset.is_multiple_of(block_len) && end <= manifest.size as usize;
        if !whole || !aligned || data.is_empty() {
            return Err(ResponseCode::Onp);
        }
        let first = u16::try_from(offset / block_len).map_err(|_| ResponseCode::Onp)?;
        transfer.written = transfer.written.saturating_add(data.len() as u32);
        for (index, block) in (first..).zip(data.chunks(usize::from(manifest.block_len))) {
            transfer.take(index, block, work)?;
        }
        if let Some(step) = transfer.conclude(work) {
            let written = transfer.written;
            self.tell(manifest.version, step, written);
        }
        Ok(())
    }

    /// Schedules the activation of the image; tells what ST8 shows.
    pub(super) fn activate(
        &mut self,
        activation: &Activation,
        (utc, now): (u32, Instant),
    ) -> ResultCode {
        let Some(transfer) = &mut self.transfer else {
            return ResultCode::Conflict;
        };
        if transfer.manifest.version != activation.version {
            return ResultCode::InvalidParameter;
        }
        if !matches!(transfer.state, ImageState::Verified | ImageState::Scheduled) {
            return ResultCode::Conflict;
        }
        let start = activation.start.and_then(DateTime::to_utc).unwrap_or(utc);
        let pause_s = start.saturating_sub(utc);
        let window_ms = u64::from(activation.window_s) * 1_000;
        let delay_ms = super::draw(&mut self.random) % (window_ms + 1);
        let pause = Duration::from_secs(pause_s.into()) + Duration::from_millis(delay_ms);
        let at_utc = utc.saturating_add(pause_s + (delay_ms / 1_000) as u32);
        transfer.state = ImageState::Scheduled;
        transfer.activation = Some((now + pause.max(RESTART), at_utc));
        ResultCode::Accepted
    }

    /// When the image takes over.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let activation = self.transfer.as_ref()?.activation?;
        Some(activation.0)
    }

    /// Lets the image take over if it is time; the firmware then starts anew.
    pub(super) fn take_over(&mut self, now: Instant) -> bool {
        let due = self.poll_timeout().is_some_and(|at| at <= now);
        if due && let Some(transfer) = self.transfer.take() {
            self.running = transfer.manifest.version;
            self.tell(self.running, ImageStep::Activated, transfer.written);
        }
        due
    }

    /// What has become of an image.
    pub(super) fn poll_event(&mut self) -> Option<ImageEvent> {
        self.events.pop_front()
    }

    fn tell(&mut self, version: u16, step: ImageStep, octets: u32) {
        self.events.push_back(ImageEvent {
            version,
            step,
            octets,
        });
    }
}

impl Device {
    /// Takes a manifest, or blocks of an image.
    pub(super) fn write_image(
        &mut self,
        write: &Write<'_>,
        key: &CmacKey,
        session: Session,
        context: &Context<'_>,
        env: &mut Env<'_>,
    ) -> Result<(), ResponseCode> {
        match (write.table, write.selector) {
            (image::DATA, Selector::Offset(offset, _)) => {
                self.bank().write(offset, write.data, env.work)
            }
            (image::MANIFEST, Selector::Full) => {
                let offered = self.bank().offer(write.data, key, env.work);
                let result = match offered {
                    Ok(()) => ResultCode::Completed,
                    Err(_) => ResultCode::InvalidParameter,
                };
                let (event, table) = (EventCode::TABLE_WRITTEN, write.table.0);
                self.record_use(event, table, result, session, context.utc);
                offered
            }
            _ => Err(ResponseCode::Onp),
        }
    }

    /// The bank for images.
    fn bank(&mut self) -> &mut Bank {
        let seed = self.seed;
        let bank = &mut self.state().bank;
        bank.get_or_insert_with(|| Box::new(Bank::new(seed)))
    }

    /// Version of the firmware that runs.
    pub(in crate::meter) fn running_version(&self) -> u16 {
        let bank = self.state.as_ref().and_then(|state| state.bank.as_ref());
        bank.map_or(FACTORY_VERSION, |bank| bank.running())
    }

    /// What became of an image.
    pub(in crate::meter) fn poll_image_event(&mut self) -> Option<ImageEvent> {
        self.state.as_mut()?.bank.as_mut()?.poll_event()
    }

    /// Schedules the activation of an image; the response data are state and start.
    pub(super) fn activate_image(
        &mut self,
        initiate: &Initiate<'_>,
        context: &Context<'_>,
        now: Instant,
    ) -> Result<(ResultCode, Vec<u8>), Error> {
        let activation = Activation::parse(initiate.parameters)?;
        let bank = self.bank();
        let result = bank.activate(&activation, (context.utc, now));
        let status = bank.status();
        let data = settings::octets_of(|out| {
            out.u8(status.state.into())?;
            out.date_time(status.activation)
        })?;
        Ok((result, data))
    }
}
