//! Reading the load profile of a meter: as much as is missing, whatever its layout.
//!
//! ```text
//! 1. Read ST0, ST61, ST62, ST63          formats, layout, how far the profile has got
//! 2. Read ST63, head of a block, some of its intervals            once for every block concerned
//! ```
//!
//! What is missing follows from the end of the last interval that was read before: after a failed
//! read the next one fills the gap. The newest interval of the block under way is told by ST63 of
//! the same response, so it does not matter if an interval ends in between. Times of the profile
//! are taken for UTC, its first channel for energy delivered in Wh.

use alloc::vec;
use alloc::vec::Vec;

use super::task::Task;
use crate::c1219::Format;
use crate::c1219::blocks::{BlockLayout, ProfileData, ProfileView};
use crate::c1219::profile::{IntervalFormat, ProfileLimits, SetControl, SetStatus};
use crate::c1222::epsem::put_service;
use crate::c1222::service::{Blocks, Read, Request, Response, ResponseCode, Selector, TableId};
use crate::meter::Interval;
use crate::time::Duration;
use crate::wire::{Error, Writer};

const ST0: TableId = TableId::standard(0);
const ST61: TableId = TableId::standard(61);
const ST62: TableId = TableId::standard(62);
const ST63: TableId = TableId::standard(63);
const ST64: TableId = TableId::standard(64);
/// Octets of intervals in one response: what a message of 2,048 octets has room for.
const PART_MAX: usize = 1_400;
/// Blocks that one read asks for at most.
const BLOCKS_MAX: u32 = 64;

/// A read of the load profile under way.
#[derive(Debug)]
pub(super) struct ProfileRead {
    /// How far back it reads at most.
    depth: Duration,
    stage: Stage,
    /// What the latest response has brought, in order.
    pub(super) intervals: Vec<Interval>,
    /// End of the newest interval that it has passed, in seconds since 1970.
    pub(super) read_until_s: u32,
}

/// How far it has got.
#[derive(Debug)]
enum Stage {
    /// The layout is unknown.
    Layout,
    /// These parts are to be read, the last one first.
    Data(Layout, Vec<Piece>),
}

/// What tells how to read the blocks.
#[derive(Clone, Copy, Debug)]
struct Layout {
    limits: ProfileLimits,
    blocks: BlockLayout,
    format: Format,
}

/// Intervals of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    block: u16,
    from: u16,
    to: u16,
}

impl ProfileRead {
    /// The read that `task` wants, once the messages before it are over.
    pub(super) fn begin(task: &Task, over: bool) -> Option<Self> {
        let depth = task.profile.filter(|_| over)?;
        Some(Self {
            depth,
            stage: Stage::Layout,
            intervals: Vec::new(),
            read_until_s: 0,
        })
    }

    /// Whether everything has been read.
    pub(super) const fn is_done(&self) -> bool {
        match &self.stage {
            Stage::Layout => false,
            Stage::Data(_, pieces) => pieces.is_empty(),
        }
    }

    /// Writes the services of the message at hand.
    pub(super) fn put(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let mut read = |table, selector| {
            let request = Request::Read(Read { table, selector });
            put_service(writer, |writer| request.emit(writer))
        };
        match &self.stage {
            Stage::Layout => [ST0, ST61, ST62, ST63]
                .into_iter()
                .try_for_each(|table| read(table, Selector::Full)),
            Stage::Data(layout, pieces) => {
                let piece = pieces.last().ok_or(Error::Malformed("profile"))?;
                read(ST63, Selector::Full)?;
                for (offset, count) in layout.parts(piece) {
                    let count = u16::try_from(count).map_err(|_| Error::Malformed("profile"))?;
                    read(ST64, Selector::Offset(offset as u32, count))?;
                }
                Ok(())
            }
        }
    }

    /// Takes the responses; intervals up to `known_s` are known already.
    ///
    /// Responses of which one refuses are left to the caller.
    pub(super) fn take(
        &mut self,
        responses: &[Response<'_>],
        (known_s, utc): (u32, u32),
    ) -> Result<(), Error> {
        let refused = |response: &Response<'_>| response.code != ResponseCode::Ok;
        if responses.iter().any(refused) {
            return Ok(());
        }
        match &mut self.stage {
            Stage::Layout => {
                let [general, limits, control, status] = tables(responses)?;
                let layout = Layout::parse(general, limits, control)?;
                let status = layout.status(status)?;
                let pieces = layout.pieces(&status, self.depth, known_s, utc);
                self.stage = Stage::Data(layout, pieces);
            }
            Stage::Data(layout, pieces) => {
                let [status, head, data] = tables(responses)?;
                let piece = pieces.pop().ok_or(Error::Malformed("profile"))?;
                let status = layout.status(status)?;
                let until = layout.read(&piece, &status, head, data, &mut self.intervals)?;
                self.read_until_s = self.read_until_s.max(until);
            }
        }
        Ok(())
    }
}

/// The table data of exactly `N` responses.
fn tables<'a, const N: usize>(responses: &[Response<'a>]) -> Result<[&'a [u8]; N], Error> {
    let mut tables = [&[][..]; N];
    if responses.len() != N {
        return Err(Error::Malformed("service list"));
    }
    for (table, response) in tables.iter_mut().zip(responses) {
        *table = Blocks::new(response.data).single()?;
    }
    Ok(tables)
}

impl Layout {
    fn parse(general: &[u8], limits: &[u8], control: &[u8]) -> Result<Self, Error> {
        const NO_SET: Error = Error::Malformed("profile set");
        let control_octets = general.first_chunk().ok_or(NO_SET)?;
        let format = Format::parse(*control_octets)?;
        let limits = ProfileLimits::parse(limits, &format)?;
        let control = SetControl::parse(control, &limits, &format)?.next();
        let interval = IntervalFormat::parse(control.ok_or(NO_SET)?.interval_format)?;
        let blocks = BlockLayout::new(&limits, 0, interval).ok_or(NO_SET)?;
        let set = blocks.set();
        if set.blocks == 0 || set.intervals == 0 || set.channels == 0 || set.interval_min == 0 {
            return Err(NO_SET);
        }
        if blocks.head_len(&format) > PART_MAX || blocks.interval_len(&format) > PART_MAX {
            return Err(NO_SET);
        }
        Ok(Self {
            limits,
            blocks,
            format,
        })
    }

    fn status(&self, octets: &[u8]) -> Result<SetStatus, Error> {
        let status = SetStatus::parse(octets, &self.limits, &self.format)?.next();
        let status = status.ok_or(Error::Malformed("profile set"))?;
        let set = self.blocks.set();
        if status.last_block >= set.blocks
            || status.valid_blocks > set.blocks
            || status.valid_intervals > set.intervals
        {
            return Err(Error::Malformed("profile status"));
        }
        Ok(status)
    }

    fn interval_s(&self) -> u32 {
        60 * u32::from(self.blocks.set().interval_min)
    }

    /// The parts to read, the newest first: what has come since `known_s`, or all within `depth`.
    fn pieces(&self, status: &SetStatus, depth: Duration, known_s: u32, utc: u32) -> Vec<Piece> {
        let set = self.blocks.set();
        let depth_s = u32::try_from(depth.as_secs()).unwrap_or(u32::MAX);
        let missing_s = utc.saturating_sub(known_s).min(depth_s);
        // One more than the time says: clocks differ.
        let mut missing = missing_s / self.interval_s() + 1;
        let per_part = (PART_MAX / self.blocks.interval_len(&self.format).max(1)) as u16;
        let (mut block, mut end) = (status.last_block, status.valid_intervals);
        let mut pieces = Vec::new();
        for _ in 0..u32::from(status.valid_blocks).min(BLOCKS_MAX) {
            let count = missing.min(u32::from(end)) as u16;
            missing -= u32::from(count);
            let first = end - count;
            while end > first {
                let from = first.max(end.saturating_sub(per_part));
                pieces.push(Piece {
                    block,
                    from,
                    to: end,
                });
                end = from;
            }
            if missing == 0 {
                break;
            }
            block = block.checked_sub(1).unwrap_or(set.blocks - 1);
            end = set.intervals;
        }
        pieces
    }

    /// Offset and count of the head of a block and of some of its intervals.
    fn parts(&self, piece: &Piece) -> [(usize, usize); 2] {
        let start = usize::from(piece.block) * self.blocks.block_len(&self.format);
        let head = self.blocks.head_len(&self.format);
        let interval = self.blocks.interval_len(&self.format);
        let count = usize::from(piece.to - piece.from) * interval;
        let offset = start + head + usize::from(piece.from) * interval;
        [(start, head), (offset, count)]
    }

    /// Reads the intervals of a piece; returns the end of the last one in seconds since 1970.
    fn read(
        &self,
        piece: &Piece,
        status: &SetStatus,
        head: &[u8],
        data: &[u8],
        intervals: &mut Vec<Interval>,
    ) -> Result<u32, Error> {
        const LENGTH: Error = Error::Malformed("profile data");
        let [(start, head_len), (offset, data_len)] = self.parts(piece);
        if head.len() != head_len || data.len() != data_len {
            return Err(LENGTH);
        }
        let mut block = vec![0; self.blocks.block_len(&self.format)];
        let at = offset - start;
        block[..head_len].copy_from_slice(head);
        block
            .get_mut(at..at + data_len)
            .ok_or(LENGTH)?
            .copy_from_slice(data);
        let view = ProfileView::parse(&block, &self.blocks, &self.format)?;
        let Some(end_s) = view.end(0).and_then(|end| end.to_utc()) else {
            return Ok(0);
        };
        let valid = if piece.block == status.last_block {
            status.valid_intervals
        } else {
            self.blocks.set().intervals
        };
        let end_of = |interval: u16| {
            let behind = u32::from(valid.saturating_sub(1).saturating_sub(interval));
            end_s.saturating_sub(behind * self.interval_s())
        };
        for interval in piece.from..piece.to.min(valid) {
            if view.is_valid(0, interval) {
                let counted = view.value(0, interval, 0).integer().unwrap_or(0);
                intervals.push(Interval {
                    end_utc_s: end_of(interval),
                    watt_hours: u32::try_from(counted).unwrap_or(0),
                });
            }
        }
        Ok(end_of(piece.to.min(valid).saturating_sub(1)))
    }
}
