//! Reading tables in parts, because a response with the whole of one would be too large.
//!
//! ```text
//! Read table                            rstl: whatever else the message asked for is answered
//! Security, Read 0..n                   ok: one part after the other, in messages of their own
//! Security, Read n..2n                  rstl again: half as many octets, down to a floor
//! ...
//! Security, Read k..k+n                 onp, iar: the table ends within these octets
//! Security, Read k..k+m, k+m..k+2m, ... a sixteenth each: those up to the end are answered
//! ```
//!
//! A part has as many octets as the meter says that it has room for (the parameter of rstl), at
//! most as many as fit a message of 2,048 octets. No service tells how long a table is, so its end
//! is where the meter refuses to read on; a shorter answer than was asked for is the end as well.
//! Passwords of the message go with each part, since outside a session they hold for one message.
//! The parts are not of the same moment: a table that changes meanwhile may not fit together.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::active::Verdict;
use super::request::RequestOutcome;
use super::task::{Call, Message, Part};
use crate::c1222::epsem::put_service;
use crate::c1222::service::{Blocks, Read, Request, Response, ResponseCode, Selector, TableId};
use crate::wire::{Error, Writer};

/// Octets of a part at most: what a response of 2,048 octets has room for, with a password.
const PART_MAX: u16 = 1_400;
/// Octets of a part at least: with less room a table cannot be read.
const PART_MIN: u16 = 8;
/// Parts in one message at most while the end of a table is looked for.
const PROBES: u16 = 16;
/// Octets of a response with a part beyond its data, at most.
const PART_OVERHEAD: u16 = 8;
/// Octets of the longest table that is read: selectors could ask for more, no meter has it.
const TABLE_MAX: usize = 1 << 20;

/// Whether `response` says that the whole table of `call` is too large for it.
pub(super) fn is_too_large(call: &Call, response: &Response<'_>) -> bool {
    matches!(call, Call::Read(_, Part::Full)) && response.code == ResponseCode::Rstl
}

/// Tables of one message that are read in parts.
#[derive(Debug)]
pub(super) struct PartRead {
    tables: VecDeque<Table>,
}

/// One of them.
#[derive(Debug)]
struct Table {
    id: TableId,
    /// What has been read so far.
    octets: Vec<u8>,
    /// Octets of a part.
    size: u16,
    /// How many octets may be missing at most, once the meter has refused to read on.
    missing_max: Option<u16>,
}

/// What the responses to a message with parts mean.
#[derive(Debug)]
pub(super) struct Progress {
    /// What they mean for the request.
    pub(super) verdict: Verdict,
    /// Parts that were read.
    pub(super) parts: u32,
    /// A table that is complete.
    pub(super) complete: Option<(TableId, Vec<u8>)>,
}

impl PartRead {
    /// Begins to read the tables of `message` that are too large for `responses` to it.
    pub(super) fn begin(message: &Message, responses: &[Response<'_>]) -> Option<Self> {
        // What others in the message have taken of the room is free in a message of its own.
        let alone = message.calls.iter().filter(|call| !is_proof(call)).count() == 1;
        let mut left = responses;
        let mut tables = VecDeque::new();
        for call in &message.calls {
            let Some((own, rest)) = left.split_at_checked(call.services()) else {
                break;
            };
            left = rest;
            if let (Call::Read(id, Part::Full), [response]) = (call, own)
                && is_too_large(call, response)
            {
                let told = response.size_max().filter(|_| alone);
                tables.push_back(Table {
                    id: *id,
                    octets: Vec::new(),
                    size: told.and_then(part_size).unwrap_or(PART_MAX),
                    missing_max: None,
                });
            }
        }
        (!tables.is_empty()).then_some(Self { tables })
    }

    /// Whether everything has been read.
    pub(super) fn is_done(&self) -> bool {
        self.tables.is_empty()
    }

    /// Writes the services of the message at hand, which stands for a part of `message`.
    pub(super) fn put(&self, message: &Message, writer: &mut Writer<'_>) -> Result<(), Error> {
        let table = self.tables.front().ok_or(Error::Malformed("parts"))?;
        for proof in message.calls.iter().filter(|call| is_proof(call)) {
            if let Call::Security(password) = proof {
                put_service(writer, |writer| Request::Security(*password).emit(writer))?;
            }
        }
        for (offset, count) in table.parts() {
            let selector = Selector::Offset(offset, count);
            let table = table.id;
            let request = Request::Read(Read { table, selector });
            put_service(writer, |writer| request.emit(writer))?;
        }
        Ok(())
    }

    /// Takes the responses to the message at hand.
    pub(super) fn take(
        &mut self,
        message: &Message,
        responses: &[Response<'_>],
        tolerant: bool,
    ) -> Result<Progress, Error> {
        const COUNT: Error = Error::Malformed("service list");
        let proofs = message.calls.iter().filter(|call| is_proof(call)).count();
        let (proofs, read) = responses.split_at_checked(proofs).ok_or(COUNT)?;
        let table = self.tables.front_mut().ok_or(COUNT)?;
        let asked: Vec<(u32, u16)> = table.parts().collect();
        if read.is_empty() || read.len() > asked.len() {
            return Err(COUNT);
        }
        let refused = |response: &&Response<'_>| response.code != ResponseCode::Ok;
        let mut progress = Progress {
            verdict: Verdict::Done,
            parts: 0,
            complete: None,
        };
        let code = match proofs.iter().find(refused) {
            Some(proof) => Some(proof.code),
            None => table.take(&asked, read, &mut progress.parts)?,
        };
        let full = code.is_none() && table.missing_max == Some(0);
        if full && let Some(table) = self.tables.pop_front() {
            progress.complete = Some((table.id, table.octets));
        }
        if let Some(code) = code {
            progress.verdict = match code {
                ResponseCode::Bsy | ResponseCode::Dnr | ResponseCode::Dlk => Verdict::Again(code),
                _ if tolerant => {
                    self.tables.pop_front();
                    Verdict::Done
                }
                _ => Verdict::Ended(RequestOutcome::Denied(code)),
            };
        }
        Ok(progress)
    }
}

impl Table {
    /// Offsets and counts of the parts that are asked for next.
    fn parts(&self) -> impl Iterator<Item = (u32, u16)> + use<> {
        let most = self.missing_max.unwrap_or(self.size);
        // Before anything was read nobody knows what there is room for.
        let room = if self.octets.is_empty() { 0 } else { self.size };
        let probes = (room / (2 * PART_OVERHEAD)).clamp(2, PROBES);
        let step = match self.missing_max {
            None => self.size,
            Some(missing) => missing.div_ceil(probes).clamp(1, self.size),
        };
        // All of them have to fit where one of `size` does.
        let count = (room + PART_OVERHEAD) / (step + PART_OVERHEAD);
        let from = self.octets.len() as u32;
        (0..most)
            .step_by(step.into())
            .take(count.max(1).into())
            .map(move |at| (from + u32::from(at), step.min(most - at)))
    }

    /// Takes the responses to the parts `asked` for; adds to `parts` how many were read.
    ///
    /// Returns why the meter does not let it read on, if that is neither size nor end.
    fn take(
        &mut self,
        asked: &[(u32, u16)],
        responses: &[Response<'_>],
        parts: &mut u32,
    ) -> Result<Option<ResponseCode>, Error> {
        let before = self.octets.len();
        for ((_, count), response) in asked.iter().zip(responses) {
            match response.code {
                ResponseCode::Ok => {
                    let data = Blocks::new(response.data).single()?;
                    if data.len() > usize::from(*count) {
                        return Err(Error::Malformed("data length"));
                    }
                    if self.octets.len() + data.len() > TABLE_MAX {
                        return Ok(Some(ResponseCode::Rstl));
                    }
                    if self.octets.is_empty() {
                        // Refusals at the end say nothing about room; this answer does.
                        self.size = *count;
                    }
                    self.octets.extend_from_slice(data);
                    *parts += 1;
                    if data.len() < usize::from(*count) {
                        self.missing_max = Some(0);
                        return Ok(None);
                    }
                    if let Some(missing) = &mut self.missing_max {
                        *missing = missing.saturating_sub(*count);
                    }
                }
                // Not all of these octets exist.
                code @ (ResponseCode::Onp | ResponseCode::Iar) => {
                    self.missing_max = Some(count - 1);
                    let nothing = *count == 1 && self.octets.is_empty();
                    return Ok(nothing.then_some(code));
                }
                // The parts before it have taken the room.
                ResponseCode::Rstl if self.octets.len() > before => return Ok(None),
                ResponseCode::Rstl => {
                    let told = response.size_max().and_then(part_size);
                    let told = told.filter(|size| size < count);
                    self.size = told.unwrap_or(count / 2);
                    let too_small = self.size < PART_MIN.min(*count);
                    return Ok(too_small.then_some(ResponseCode::Rstl));
                }
                code => return Ok(Some(code)),
            }
        }
        Ok(None)
    }
}

/// Whether a call gives rights that reading may need.
const fn is_proof(call: &Call) -> bool {
    matches!(call, Call::Security(_))
}

/// How many octets of a table are asked for if there is room for `told`.
fn part_size(told: u32) -> Option<u16> {
    let size = u16::try_from(told).unwrap_or(PART_MAX).min(PART_MAX);
    (size >= PART_MIN).then_some(size)
}

#[cfg(test)]
mod tests {
    use std::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::c1222::epsem::{Control, Payload};
    use crate::c1222::service::{Password, put_read_data};

    const TABLE: TableId = TableId::standard(64);

    /// A meter with one table.
    struct Meter {
        table: Vec<u8>,
        /// Octets of the services of a response at most.
        room: usize,
        /// Whether it says how much room there is.
        tells: bool,
        /// What it says to a read beyond the end.
        beyond: ResponseCode,
        /// Whether such a read brings what there is instead.
        short: bool,
    }

    impl Meter {
        fn read(&self, read: &Read<'_>, writer: &mut Writer<'_>) -> Result<(), Error> {
            let (from, count) = match read.selector {
                Selector::Full => (0, self.table.len()),
                Selector::Offset(offset, count) => (offset as usize, usize::from(count)),
                _ => panic!("by offset"),
            };
            let rest = self.table.get(from..).unwrap_or_default();
            let room = writer.remaining().saturating_sub(8);
            let data = match rest.get(..count) {
                Some(data) => data,
                None if self.short => rest,
                None => return Response::of(self.beyond).emit(writer),
            };
            if data.len() <= room {
                Response::OK.emit(writer)?;
                return put_read_data(writer, data);
            }
            writer.u8(ResponseCode::Rstl.into())?;
            if self.tells {
                writer.u32(room as u32)?;
            }
            Ok(())
        }

        /// The services of its response; panics if they do not fit.
        fn answer(&self, asked: &[u8]) -> Vec<u8> {
            let mut answered = vec![0; self.room];
            let mut writer = Writer::new(&mut answered);
            let payload = Payload::parse(Control::CLEAR, asked).unwrap();
            for service in payload.services() {
                put_service(&mut writer, |writer| {
                    match Request::parse(service.unwrap()).unwrap() {
                        Request::Read(read) => self.read(&read, writer),
                        _ => Response::OK.emit(writer),
                    }
                })
                .expect("room for a refusal");
            }
            writer.written().to_vec()
        }
    }

    fn responses(answered: &[u8]) -> Vec<Response<'_>> {
        let payload = Payload::parse(Control::CLEAR, answered).unwrap();
        let services = payload.services();
        services
            .map(|service| Response::parse(service.unwrap()).unwrap())
            .collect()
    }

    fn message(proven: bool) -> Message {
        let password = Password::new(b"MASTER", Some(4));
        let proof = proven.then_some(Call::Security(password));
        let calls = proof.into_iter().chain([Call::Read(TABLE, Part::Full)]);
        Message::new(calls.collect())
    }

    /// Reads the table in parts: how it ended, what was read, and in how many messages.
    fn read(meter: &Meter, proven: bool) -> (Verdict, Vec<u8>, u32) {
        let message = message(proven);
        let mut parameter = (meter.room as u32 - 8).to_be_bytes().to_vec();
        parameter.truncate(if meter.tells { 4 } else { 0 });
        let mut first = vec![Response::OK; usize::from(proven)];
        first.push(Response {
            code: ResponseCode::Rstl,
            data: &parameter,
        });
        let mut read = PartRead::begin(&message, &first).expect("it is too large");
        for count in 1.. {
            let mut asked = [0; 512];
            let mut writer = Writer::new(&mut asked);
            read.put(&message, &mut writer).unwrap();
            let answered = meter.answer(writer.written());
            let progress = read.take(&message, &responses(&answered), false).unwrap();
            if let Some((table, octets)) = progress.complete {
                assert_eq!(table, TABLE);
                assert!(read.is_done());
                return (progress.verdict, octets, count);
            }
            if !matches!(progress.verdict, Verdict::Done) {
                return (progress.verdict, Vec::new(), count);
            }
            assert!(count < 10_000, "it comes to an end");
        }
        unreachable!()
    }

    fn table(len: usize) -> Vec<u8> {
        (0..len).map(|at| (at ^ at >> 8) as u8).collect()
    }

    proptest! {
        #[test]
        fn every_table_is_read_as_it_is_whatever_the_room(
            len in 1..5_000_usize,
            room in 48..2_000_usize,
            (tells, short, proven) in any::<(bool, bool, bool)>(),
            beyond in prop_oneof![Just(ResponseCode::Onp), Just(ResponseCode::Iar)],
        ) {
            let table = table(len);
            let meter = Meter { table, room, tells, beyond, short };
            let (verdict, octets, messages) = read(&meter, proven);
            prop_assert!(matches!(verdict, Verdict::Done), "{:?}", verdict);
            prop_assert_eq!(&octets, &meter.table);
            // Parts of at least half of what fits, the search for the size, that for the end.
            let part = (room - 16).min(usize::from(PART_MAX)).div_ceil(2);
            prop_assert!(messages as usize <= len / part + 26, "{} messages", messages);
        }
    }

    #[test]
    fn parts_are_as_long_as_the_meter_says_and_the_end_is_found_in_few_messages() {
        let meter = Meter {
            table: table(32_910),
            room: 1_952,
            tells: true,
            beyond: ResponseCode::Onp,
            short: false,
        };
        let (verdict, octets, messages) = read(&meter, true);
        assert!(matches!(verdict, Verdict::Done));
        assert_eq!(octets, meter.table);
        // 23 parts of 1,400 octets, one in vain, and three to find the end.
        assert_eq!(messages, 27);
    }

    #[test]
    fn a_meter_that_refuses_all_parts_has_refused() {
        let denied = |verdict: &Verdict, expected: ResponseCode| matches!(verdict, Verdict::Ended(RequestOutcome::Denied(code)) if *code == expected);
        let mut meter = Meter {
            table: Vec::new(),
            room: 500,
            tells: true,
            beyond: ResponseCode::Iar,
            short: false,
        };
        let (verdict, ..) = read(&meter, false);
        assert!(denied(&verdict, ResponseCode::Iar), "{verdict:?}");
        // Room for a refusal, and for hardly an octet of data.
        (meter.table, meter.room) = (table(5_000), 12);
        let (verdict, ..) = read(&meter, false);
        assert!(denied(&verdict, ResponseCode::Rstl), "{verdict:?}");
    }

    #[test]
    fn nonsense_is_an_error_and_what_was_answered_is_not_read_again() {
        let message = Message::new(vec![
            Call::Read(TableId::standard(1), Part::Full),
            Call::Read(TABLE, Part::Full),
            Call::Read(TABLE, Part::Offset(0, 9)),
        ]);
        let too_large = Response::of(ResponseCode::Rstl);
        let mut read = PartRead::begin(&message, &[Response::OK, too_large, too_large]).unwrap();
        assert_eq!(read.tables.len(), 1);
        assert_eq!(read.tables[0].id, TABLE);
        assert!(PartRead::begin(&message, &[Response::OK; 3]).is_none());
        assert!(read.take(&message, &[], false).is_err());
        assert!(read.take(&message, &[Response::OK; 2], false).is_err());
        let busy = [Response::of(ResponseCode::Bsy)];
        let progress = read.take(&message, &busy, true).unwrap();
        assert!(matches!(
            progress.verdict,
            Verdict::Again(ResponseCode::Bsy)
        ));
        let denied = [Response::of(ResponseCode::Isc)];
        let progress = read.take(&message, &denied, true).unwrap();
        assert!(matches!(progress.verdict, Verdict::Done));
        assert!(read.is_done(), "whoever tolerates refusals goes on");
    }
}
