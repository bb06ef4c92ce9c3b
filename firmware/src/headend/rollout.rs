//! Sending a firmware image to a meter: as much as is missing, then its activation.
//!
//! ```text
//! 1. Security, Write MT4, Read MT3, Read MT5      the manifest; which blocks are missing
//! 2. Security, Write MT6 by offset                some of them, again and again
//! 3. Security, procedure 1, Read ST8              activate it at a time
//! 4. Read MT3                                     after that time: does the new version run?
//! ```
//!
//! A message is repeated until it is answered, whatever keys and sessions come and go meanwhile;
//! a request that is made anew asks again what is missing. All images of an instance share a rate.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use super::active::Verdict;
use super::request::RequestOutcome;
use super::task::{Task, put_procedure};
use crate::c1219::DateTime;
use crate::c1219::image::{self, Activation, ImageStatus, Manifest};
use crate::c1219::procedure::{Outcome, ResultCode};
use crate::c1219::types::contains;
use crate::c1222::epsem::put_service;
use crate::c1222::service::{
    Blocks, Password, Read, Request, Response, ResponseCode, Selector, TableId, Write,
};
use crate::time::{Duration, Instant};
use crate::wire::{Error, Writer};

/// How long after the end of the window the new version is looked for.
const SETTLE: Duration = Duration::from_secs(60);

/// An image on its way to many meters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// What it is.
    pub manifest: Manifest,
    /// Its octets, as many as the manifest says.
    pub octets: Arc<[u8]>,
    /// The password of who may write it.
    pub password: Password,
    /// Blocks in one message.
    pub blocks_per_message: u16,
    /// Time that an octet of a block has at the rate of the instance; zero without a limit.
    pub octet_time: Duration,
    /// When the window begins in which meters start anew, in seconds since 1970.
    pub activate_utc: u32,
    /// Width of the window in seconds.
    pub window_s: u16,
}

/// An image that is sent to one meter.
#[derive(Debug)]
pub(super) struct ImageSend {
    rollout: Arc<Rollout>,
    stage: Stage,
}

/// How far it has got.
#[derive(Debug)]
enum Stage {
    /// What is missing is unknown.
    Offer,
    /// These blocks are missing.
    Blocks(VecDeque<u16>),
    /// All blocks are there.
    Activate,
    /// The new version runs from this time on.
    Confirm(Instant),
    Done,
}

impl ImageSend {
    /// The image that `task` is for.
    pub(super) fn begin(task: &Task) -> Option<Self> {
        Some(Self {
            rollout: Arc::clone(task.image.as_ref()?),
            stage: Stage::Offer,
        })
    }

    /// Whether the new version runs.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    /// Time that the blocks of the message at hand have at the rate of the instance.
    pub(super) fn airtime(&self) -> Option<Duration> {
        let Stage::Blocks(missing) = &self.stage else {
            return None;
        };
        let (_, octets) = self.run(missing).ok()?;
        let octet_time = self.rollout.octet_time;
        (!octet_time.is_zero()).then(|| octet_time.scaled(octets.len() as u64, 1))
    }

    /// When the next message is due, unless it is at once.
    pub(super) const fn resumes_at(&self) -> Option<Instant> {
        match self.stage {
            Stage::Confirm(at) => Some(at),
            _ => None,
        }
    }

    /// Writes the services of the message at hand; `sequence` is that of a procedure.
    pub(super) fn put(&self, sequence: u8, writer: &mut Writer<'_>) -> Result<(), Error> {
        if !matches!(self.stage, Stage::Confirm(_)) {
            put(Request::Security(self.rollout.password), writer)?;
        }
        match &self.stage {
            Stage::Offer => {
                let data = &self.rollout.manifest.octets();
                write(image::MANIFEST, Selector::Full, data, writer)?;
                read(image::STATUS, writer)?;
                read(image::BLOCKS, writer)
            }
            Stage::Blocks(missing) => {
                let (offset, octets) = self.run(missing)?;
                let selector = Selector::Offset(offset, octets.len() as u16);
                write(image::DATA, selector, octets, writer)
            }
            Stage::Activate => {
                let activation = Activation {
                    version: self.rollout.manifest.version,
                    window_s: self.rollout.window_s,
                    start: DateTime::from_utc(self.rollout.activate_utc),
                };
                put_procedure(image::ACTIVATE, sequence, &activation.octets()?, writer)
            }
            Stage::Confirm(_) => read(image::STATUS, writer),
            Stage::Done => Ok(()),
        }
    }

    /// Takes the responses to the message at hand; `sequence` is that of the procedure in it.
    ///
    /// Returns what they mean, where their codes alone do not tell.
    pub(super) fn take(
        &mut self,
        responses: &[Response<'_>],
        sequence: u8,
        (utc, now): (u32, Instant),
    ) -> Result<Option<Verdict>, Error> {
        const COUNT: Error = Error::Malformed("service list");
        let version = self.rollout.manifest.version;
        if let (Stage::Offer, [_, offered, status, _]) = (&self.stage, responses)
            && offered.code == ResponseCode::Iar
            && status.code == ResponseCode::Ok
            && ImageStatus::parse(Blocks::new(status.data).single()?)?.running == version
        {
            // An earlier request has got that far.
            self.stage = Stage::Done;
            return Ok(Some(Verdict::Done));
        }
        if let (Stage::Blocks(_), [_, written]) = (&self.stage, responses)
            && written.code == ResponseCode::Iar
        {
            // The meter wants no blocks: the activation will tell why.
            self.stage = Stage::Activate;
            return Ok(Some(Verdict::Done));
        }
        let refused = |response: &Response<'_>| response.code != ResponseCode::Ok;
        if responses.iter().any(refused) {
            return Ok(None);
        }
        match (&mut self.stage, responses) {
            (Stage::Offer, [_, _, status, blocks]) => {
                let status = ImageStatus::parse(Blocks::new(status.data).single()?)?;
                let received = Blocks::new(blocks.data).single()?;
                let all = self.rollout.manifest.blocks();
                if status.version != version || received.len() < usize::from(all).div_ceil(8) {
                    return Err(Error::Malformed("image status"));
                }
                let missing = (0..all).filter(|index| !contains(received, *index));
                self.follow(missing.collect());
            }
            (Stage::Blocks(missing), [_, _]) => {
                let sent = self.rollout.contiguous(missing);
                let mut left = core::mem::take(missing);
                left.drain(..sent);
                self.follow(left);
            }
            (Stage::Activate, [_, _, result]) => {
                let outcome = Outcome::parse(Blocks::new(result.data).single()?)?;
                if !outcome.answers(image::ACTIVATE, sequence) {
                    // Somebody else has run a procedure in between.
                    return Ok(Some(Verdict::Again(ResponseCode::Bsy)));
                }
                if !matches!(outcome.result, ResultCode::Completed | ResultCode::Accepted) {
                    return Ok(Some(Verdict::Ended(RequestOutcome::Failed(outcome.result))));
                }
                let rest_s = self.rollout.activate_utc.saturating_sub(utc);
                let window = Duration::from_secs(u64::from(rest_s));
                let window = window + Duration::from_secs(self.rollout.window_s.into());
                self.stage = Stage::Confirm(now + window + SETTLE);
            }
            (Stage::Confirm(_), [status]) => {
                let status = ImageStatus::parse(Blocks::new(status.data).single()?)?;
                if status.running != version {
                    return Ok(Some(Verdict::Again(ResponseCode::Dnr)));
                }
                self.stage = Stage::Done;
            }
            _ => return Err(COUNT),
        }
        Ok(None)
    }

    /// What follows while these blocks are missing.
    fn follow(&mut self, missing: VecDeque<u16>) {
        self.stage = if missing.is_empty() {
            Stage::Activate
        } else {
            Stage::Blocks(missing)
        };
    }

    /// Offset and octets of the missing blocks that go with the next message.
    fn run(&self, missing: &VecDeque<u16>) -> Result<(u32, &[u8]), Error> {
        const NONE: Error = Error::Malformed("image");
        let first = *missing.front().ok_or(NONE)?;
        let manifest = &self.rollout.manifest;
        let len: usize = (first..)
            .take(self.rollout.contiguous(missing))
            .map(|index| manifest.len_of(index))
            .sum();
        let offset = usize::from(first) * usize::from(manifest.block_len);
        let octets = self.rollout.octets.get(offset..offset + len).ok_or(NONE)?;
        Ok((offset as u32, octets))
    }
}

impl Rollout {
    /// How many missing blocks, which follow each other, go with one message.
    fn contiguous(&self, missing: &VecDeque<u16>) -> usize {
        let most = usize::from(self.blocks_per_message.max(1));
        let first = missing.front().copied().unwrap_or(0);
        let run = missing.iter().zip(first..).take(most);
        run.take_while(|(index, expected)| *index == expected)
            .count()
    }
}

fn put(request: Request<'_>, writer: &mut Writer<'_>) -> Result<(), Error> {
    put_service(writer, |writer| request.emit(writer))
}

fn read(table: TableId, writer: &mut Writer<'_>) -> Result<(), Error> {
    let selector = Selector::Full;
    put(Request::Read(Read { table, selector }), writer)
}

fn write(
    table: TableId,
    selector: Selector<'_>,
    data: &[u8],
    writer: &mut Writer<'_>,
) -> Result<(), Error> {
    let write = Write {
        table,
        selector,
        data,
    };
    put(Request::Write(write), writer)
}
