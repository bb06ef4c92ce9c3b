//! Reading the load profile of a meter: as much as is missing, whatever its layout.
//!
//! ```text
//! 1. Read ST0, ST61, ST62, ST63          formats, layout, how far the profile has got
//! 2. Read ST63, head of a block, some of its intervals            once for every block concerned
//!    (behind the password, where meters keep intervals from those who do not prove themselves)
//! ```
//!
//! What is missing follows from the end of the last interval that was read before: after a failed
//! read the next one fills the gap. The newest interval of the block under way is told by ST63 of
//! the same response, so it does not matter if an interval ends in between. Times of the profile
//! are taken for UTC, its first channel for energy delivered in Wh. Intervals in which the meter says that
//! it measured nothing are told as well; others that are not valid are left out.

use alloc::vec;
use alloc::vec::Vec;

use super::task::{ProfileScope, Task};
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
    scope: ProfileScope,
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
        let scope = task.profile.filter(|_| over)?;
        Some(Self {
            scope,
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
        match &self.stage {
            Stage::Layout => [ST0, ST61, ST62, ST63]
                .into_iter()
                .try_for_each(|table| put_read(writer, table, Selector::Full)),
            Stage::Data(layout, pieces) => {
                let piece = pieces.last().ok_or(Error::Malformed("profile"))?;
                if let Some(password) = self.scope.password {
                    let request = Request::Security(password);
                    put_service(writer, |writer| request.emit(writer))?;
                }
                let mut read = |table, selector| put_read(writer, table, selector);
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
    /// Responses of which one refuses are left to the caller, unless it is too large: then the
    /// next messages ask for less. Tells whether they do.
    pub(super) fn take(
        &mut self,
        responses: &[Response<'_>],
        (known_s, utc): (u32, u32),
    ) -> Result<bool, Error> {
        let refused = |response: &&Response<'_>| response.code != ResponseCode::Ok;
        if let Some(response) = responses.iter().find(refused) {
            return Ok(response.code == ResponseCode::Rstl && self.halve());
        }
        match &mut self.stage {
            Stage::Layout => {
                let [general, limits, control, status] = tables(responses)?;
                let layout = Layout::parse(general, limits, control)?;
                let status = layout.status(status)?;
                let pieces = layout.pieces(&status, self.scope.depth, known_s, utc);
                self.stage = Stage::Data(layout, pieces);
            }
            Stage::Data(layout, pieces) => {
                // The password is acknowledged first.
                let proofs = usize::from(self.scope.password.is_some());
                let read = responses.get(proofs..).unwrap_or_default();
                let [status, head, data] = tables(read)?;
                let piece = pieces.pop().ok_or(Error::Malformed("profile"))?;
                let status = layout.status(status)?;
                let until = layout.read(&piece, &status, head, data, &mut self.intervals)?;
                self.read_until_s = self.read_until_s.max(until);
            }
        }
        Ok(false)
    }

    /// Cuts what is to be read into parts half as long as the next one; not what is one interval.
    fn halve(&mut self) -> bool {
        let Stage::Data(_, pieces) = &mut self.stage else {
            return false;
        };
        let longest = pieces.last().map_or(0, |piece| piece.to - piece.from);
        if longest < 2 {
            return false;
        }
        let step = longest.div_ceil(2);
        let halves = |piece: Piece| {
            let starts = (piece.from..piece.to).step_by(step.into()).rev();
            starts.map(move |from| Piece {
                from,
                to: piece.to.min(from.saturating_add(step)),
                ..piece
            })
        };
        *pieces = core::mem::take(pieces)
            .into_iter()
            .flat_map(halves)
            .collect();
        true
    }
}

fn put_read(writer: &mut Writer<'_>, table: TableId, selector: Selector<'_>) -> Result<(), Error> {
    let request = Request::Read(Read { table, selector });
    put_service(writer, |writer| request.emit(writer))
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
            let counted = view.value(0, interval, 0).integer().unwrap_or(0);
            let found = Interval {
                end_utc_s: end_of(interval),
                watt_hours: u32::try_from(counted).unwrap_or(0),
                status: view.status(0, interval, 0) << 4 | view.status(0, interval, 1),
            };
            if view.is_valid(0, interval) || !found.is_measured() {
                intervals.push(found);
            }
        }
        Ok(end_of(piece.to.min(valid).saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::c1219::blocks;
    use crate::c1219::codec::Encoder;
    use crate::c1219::number::Number;
    use crate::c1219::profile::{ChannelSelection, SetLimits, emit_control};
    use crate::c1219::readings::ListFlags;
    use crate::c1222::epsem::{Control, Payload};
    use crate::c1222::interval::EndTime;
    use crate::c1222::service::put_read_data;
    use crate::headend::{Class, Persistence};

    const UTC: u32 = 1_767_225_600;
    const LIMITS: ProfileLimits = ProfileLimits::new(
        0,
        ProfileLimits::SIMPLE_STATUS | ProfileLimits::EXTENDED_STATUS,
        2,
        &[SetLimits {
            blocks: 30,
            intervals: 96,
            channels: 1,
            interval_min: 15,
        }],
    );

    /// A meter that has recorded `count` intervals since `UTC`; interval n counted n + 1 Wh, and
    /// every tenth is not valid.
    struct Recorded {
        count: u32,
        /// Octets of table data that a response has room for.
        room: usize,
    }

    impl Recorded {
        fn of(count: u32) -> Self {
            let room = 2_000;
            Self { count, room }
        }

        fn newest_block(&self) -> u32 {
            self.count.saturating_sub(1) / 96
        }

        fn number(&self, block: u16, interval: u16) -> Option<u32> {
            // The latest lap of the ring that has reached the block.
            let newest = self.newest_block();
            let behind = (newest % 30 + 30 - u32::from(block)) % 30;
            let lap = newest.checked_sub(behind)?;
            Some(lap * 96 + u32::from(interval)).filter(|number| *number < self.count)
        }

        fn status(&self) -> SetStatus {
            SetStatus {
                flags: ListFlags(0),
                valid_blocks: (self.newest_block() + 1).min(30) as u16,
                last_block: (self.newest_block() % 30) as u16,
                last_sequence: self.newest_block(),
                unread_blocks: 0,
                valid_intervals: (self.count - 96 * self.newest_block()) as u16,
            }
        }

        fn table(&self, id: TableId) -> Vec<u8> {
            let mut octets = vec![0; 40_000];
            let mut writer = Writer::new(&mut octets);
            let mut out = Encoder::new(&mut writer);
            match id {
                ST0 => out.put(&Format::PROFILE_OCTETS),
                ST61 => LIMITS.emit(&mut out),
                ST62 => emit_control(&[ChannelSelection::default()], 2, None, &mut out),
                ST63 => self.status().emit(&mut out),
                _ => {
                    let format = IntervalFormat::Unsigned(2);
                    let layout = BlockLayout::new(&LIMITS, 0, format).unwrap();
                    blocks::emit(self, &layout, &mut out)
                }
            }
            .unwrap();
            writer.written().to_vec()
        }

        /// The services of the response to what `read` asks.
        fn answer(&self, read: &ProfileRead) -> Vec<u8> {
            let (mut asked, mut answered) = (vec![0; 256], vec![0; 4_096]);
            let mut request = Writer::new(&mut asked);
            read.put(&mut request).unwrap();
            let mut response = Writer::new(&mut answered);
            let payload = Payload::parse(Control::CLEAR, request.written()).unwrap();
            for service in payload.services() {
                let Ok(Request::Read(read)) = Request::parse(service.unwrap()) else {
                    panic!("only reads");
                };
                let table = self.table(read.table);
                let data = match read.selector {
                    Selector::Offset(offset, count) => {
                        &table[offset as usize..][..usize::from(count)]
                    }
                    _ => &table[..],
                };
                put_service(&mut response, |writer| {
                    if data.len() > self.room {
                        return Response::of(ResponseCode::Rstl).emit(writer);
                    }
                    Response::OK.emit(writer)?;
                    put_read_data(writer, data)
                })
                .unwrap();
            }
            response.written().to_vec()
        }
    }

    impl ProfileData for Recorded {
        fn end(&self, block: u16) -> Option<EndTime> {
            let last = (0..96).rev().find_map(|at| self.number(block, at))?;
            EndTime::from_utc(UTC + 900 * (last + 1))
        }

        fn end_reading(&self, _: u16, _: u8) -> Number {
            Number::default()
        }

        fn is_valid(&self, block: u16, interval: u16) -> bool {
            let number = self.number(block, interval);
            number.is_some_and(|number| number % 10 != 9)
        }

        fn status(&self, _: u16, _: u16, _: usize) -> u8 {
            0
        }

        fn value(&self, block: u16, interval: u16, _: u8) -> Number {
            let counted = self.number(block, interval).map_or(0, |number| number + 1);
            Number::Integer(counted.into())
        }
    }

    fn task(depth: Duration) -> Task {
        Task {
            class: Class::Reading,
            messages: Vec::new(),
            profile: Some(ProfileScope {
                depth,
                password: None,
            }),
            image: None,
            tolerant: false,
            persistence: Persistence {
                attempts: 1,
                timeout: depth,
                pause: depth,
                factor: 1,
                deadline: depth,
            },
        }
    }

    /// Reads what is missing of `meter` since `known_s`; counts the exchanges.
    fn read(
        meter: &mut Recorded,
        days: u64,
        known_s: u32,
        grows: u32,
    ) -> (Vec<Interval>, u32, u32) {
        let depth = Duration::from_secs(days * 86_400);
        let mut read = ProfileRead::begin(&task(depth), true).unwrap();
        let (mut intervals, mut exchanges) = (Vec::new(), 0);
        let utc = UTC + 900 * meter.count + 5;
        while !read.is_done() {
            let answered = meter.answer(&read);
            let payload = Payload::parse(Control::CLEAR, &answered).unwrap();
            let responses: Vec<Response<'_>> = payload
                .services()
                .map(|service| Response::parse(service.unwrap()).unwrap())
                .collect();
            read.take(&responses, (known_s, utc)).unwrap();
            intervals.append(&mut read.intervals);
            exchanges += 1;
            meter.count += grows;
        }
        (intervals, read.read_until_s, exchanges)
    }

    fn assert_true(intervals: &[Interval]) {
        for interval in intervals {
            let number = (interval.end_utc_s - UTC) / 900 - 1;
            assert_eq!(interval.watt_hours, number + 1, "{interval:?}");
            assert_ne!(number % 10, 9, "what is not valid is not reported");
        }
    }

    #[test]
    fn a_first_read_goes_as_far_back_as_it_may_and_later_ones_fill_the_gap() {
        let mut meter = Recorded::of(500);
        let (first, until, exchanges) = read(&mut meter, 3, 0, 0);
        assert_true(&first);
        assert_eq!(until, UTC + 900 * 500);
        assert_eq!(exchanges, 5, "the layout, 20 intervals, and three blocks");
        // 288 intervals and one to be sure, without 29 that are not valid.
        assert_eq!(first.len(), 260);
        meter.count = 516;
        let (next, newest, exchanges) = read(&mut meter, 3, until, 0);
        assert_true(&next);
        assert_eq!((newest, exchanges), (UTC + 900 * 516, 2));
        let missing: Vec<u32> = (500..516).filter(|n| n % 10 != 9).collect();
        assert!(
            missing
                .iter()
                .all(|n| next.iter().any(|i| i.watt_hours == n + 1))
        );
        assert!(next.len() <= 16);
    }

    #[test]
    fn the_ring_and_its_growth_during_the_read_do_no_harm() {
        // Each exchange ends another interval, across the border of a block and of the ring.
        for count in [96 * 30 - 2, 96 * 31 - 2, 96 * 47 + 1] {
            let mut meter = Recorded::of(count);
            let (intervals, until, _) = read(&mut meter, 2, 0, 1);
            assert_true(&intervals);
            assert!(until >= UTC + 900 * count);
            assert!(intervals.len() >= 170, "{}", intervals.len());
        }
    }

    #[test]
    fn a_meter_with_little_room_is_asked_for_less_until_it_answers() {
        let mut meter = Recorded::of(500);
        let (all, until, _) = read(&mut meter, 3, 0, 0);
        // Three octets each: 77 intervals and 39 of them are too many, 20 fit.
        meter.room = 100;
        let (parts, until_in_parts, exchanges) = read(&mut meter, 3, 0, 0);
        assert_eq!((&parts, until_in_parts), (&all, until));
        // The layout, two in vain, 77 intervals, 96, 96 and 20.
        assert_eq!(exchanges, 1 + 2 + 4 + 5 + 5 + 1);
        // There is no less than the layout: the refusal is the answer.
        let mut read = ProfileRead::begin(&task(Duration::from_secs(900)), true).unwrap();
        let refused = [Response::of(ResponseCode::Rstl); 4];
        assert_eq!(read.take(&refused, (0, UTC)), Ok(false));
    }

    #[test]
    fn nonsense_is_an_error_and_refusals_are_left_alone() {
        let meter = Recorded::of(10);
        let depth = Duration::from_secs(86_400);
        let mut read = ProfileRead::begin(&task(depth), true).unwrap();
        let refused = [Response::of(ResponseCode::Iar); 4];
        assert_eq!(read.take(&refused, (0, UTC)), Ok(false));
        assert!(!read.is_done());
        assert!(read.take(&[Response::OK; 4], (0, UTC)).is_err());
        assert!(read.take(&[], (0, UTC)).is_err());
        let mut answered = meter.answer(&read);
        // ST63 is last: a block that does not exist, but for the checksum of the table.
        let at = answered.len() - 1 - SetStatus::LEN + 3;
        answered[at] = 31;
        answered
            .last_mut()
            .map(|sum| *sum = sum.wrapping_sub(31))
            .unwrap();
        let payload = Payload::parse(Control::CLEAR, &answered).unwrap();
        let responses: Vec<Response<'_>> = payload
            .services()
            .map(|service| Response::parse(service.unwrap()).unwrap())
            .collect();
        assert_eq!(
            read.take(&responses, (0, UTC)),
            Err(Error::Malformed("profile status"))
        );
    }
}
