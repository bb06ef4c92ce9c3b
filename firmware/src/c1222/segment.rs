//! Segmentation of APDUs that exceed a datagram (IEEE 1703 draft of January 2008).
//!
//! ```text
//! segment = 60 L [A1][A2] A3 L 02 l total-length [A6][A7] A8 BE L 28 L 02 l offset 81 L chunk
//! ```
//!
//! A1, A2, A6, A7 and A8 are those of the complete APDU; A4, 8B and AC travel inside the chunks
//! only. Segment headers are not authenticated: only the reassembled APDU is. Whether the final
//! standard has the same layout is uncertain.

use alloc::vec::Vec;

use super::acse::{Elements, Frame, Header, Measured};
use super::aptitle::{ApTitle, NETWORK_ROOT};
use super::ber;
use crate::time::{Duration, Instant};
use crate::wire::{Error, Reader, Writer};

/// Element A3, the length of the complete APDU.
const SEGMENTED: u8 = 0xA3;
/// Gaps of one partly received APDU at most.
const RUNS_MAX: usize = 32;

/// One segment over borrowed octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The copied elements; its segmented length is that of the complete APDU.
    pub header: Header<'a>,
    /// Octets of the complete APDU.
    pub total: u32,
    /// Where the chunk belongs.
    pub offset: u32,
    /// Octets of the complete APDU.
    pub chunk: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Parses a segment; `None` if the octets are a complete APDU.
    pub fn parse(octets: &'a [u8]) -> Result<Option<Self>, Error> {
        let frame = Frame::locate(octets)?;
        let header = Elements::parse(&octets[frame.elements..frame.user_information])?.header;
        let Some(total) = header.segmented_len else {
            return Ok(None);
        };
        if header.called_invocation.is_some()
            || header.mechanism.is_some()
            || header.authentication.is_some()
        {
            return Err(Error::Malformed("segment element"));
        }
        let offset = frame.integer.ok_or(Error::Malformed("segment offset"))?;
        let chunk = &octets[frame.user..];
        let end = u64::from(offset) + chunk.len() as u64;
        if chunk.is_empty() || end > u64::from(total) {
            return Err(Error::Malformed("segment length"));
        }
        Ok(Some(Self {
            header,
            total,
            offset,
            chunk,
        }))
    }
}

/// Whether `octets` look like a segment, without a look at anything behind the title.
///
/// Complete APDUs are the rule: they need not be parsed twice.
pub fn is_segment(octets: &[u8]) -> bool {
    let mut reader = Reader::new(octets);
    let mut announced = || -> Result<bool, Error> {
        reader.u8()?;
        ber::read_len(&mut reader)?;
        loop {
            let tag = reader.u8()?;
            if !matches!(tag, 0xA1 | 0xA2) {
                return Ok(tag == SEGMENTED);
            }
            let len = ber::read_len(&mut reader)?;
            reader.take(len)?;
        }
    };
    announced().unwrap_or(false)
}

/// Cuts an APDU into segments.
#[derive(Clone, Debug)]
pub struct Segmenter<'a> {
    apdu: &'a [u8],
    header: Header<'a>,
    chunk_len: usize,
    offset: usize,
}

impl<'a> Segmenter<'a> {
    /// Segments of `apdu` with at most `chunk_len` octets of it each.
    pub fn new(apdu: &'a [u8], chunk_len: usize) -> Result<Self, Error> {
        if chunk_len == 0 {
            return Err(Error::Malformed("chunk length"));
        }
        let total = u32::try_from(apdu.len()).map_err(|_| Error::Malformed("APDU length"))?;
        let frame = Frame::locate(apdu)?;
        let header = Elements::parse(&apdu[frame.elements..frame.user_information])?.header;
        Ok(Self {
            apdu,
            header: Header {
                segmented_len: Some(total),
                called_invocation: None,
                mechanism: None,
                authentication: None,
                ..header
            },
            chunk_len,
            offset: 0,
        })
    }

    /// Segments of at most `datagram_len` octets each.
    pub fn fitting(apdu: &'a [u8], datagram_len: usize) -> Result<Self, Error> {
        let mut segmenter = Self::new(apdu, 1)?;
        let last = Some(apdu.len() as u32);
        let overhead = Measured::new(&segmenter.header).prefix_len(last, datagram_len);
        segmenter.chunk_len = datagram_len
            .checked_sub(overhead)
            .filter(|chunk_len| *chunk_len > 0)
            .ok_or(Error::Truncated {
                need: overhead + 1,
                have: datagram_len,
            })?;
        Ok(segmenter)
    }

    /// The same, beginning with the octet at `offset`.
    #[must_use]
    pub fn from(mut self, offset: usize) -> Self {
        self.offset = offset.min(self.apdu.len());
        self
    }

    /// Octets of the APDU that have been cut off.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Writes the next segment to `out` and returns its length; `None` after the last.
    pub fn next(&mut self, out: &mut [u8]) -> Result<Option<usize>, Error> {
        if self.offset == self.apdu.len() {
            return Ok(None);
        }
        let end = self.apdu.len().min(self.offset + self.chunk_len);
        let chunk = &self.apdu[self.offset..end];
        let mut writer = Writer::new(out);
        let offset = Some(self.offset as u32);
        Measured::new(&self.header).emit_prefix(offset, chunk.len(), &mut writer)?;
        writer.put(chunk)?;
        self.offset = end;
        Ok(Some(writer.len()))
    }
}

/// Bounds of a reassembler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest APDU in octets.
    pub apdu_len_max: usize,
    /// APDUs in reassembly at a time; the oldest gives way.
    pub apdus_max: usize,
    /// How long after its latest segment an incomplete APDU is kept.
    pub timeout: Duration,
}

impl Default for Limits {
    /// 64 KiB, four APDUs, 30 s.
    fn default() -> Self {
        Self {
            apdu_len_max: 65_536,
            apdus_max: 4,
            timeout: Duration::from_secs(30),
        }
    }
}

/// One APDU of which segments have arrived.
#[derive(Debug)]
struct Partial {
    sender: u64,
    invocation: u32,
    total: usize,
    octets: Vec<u8>,
    /// Received ranges, disjoint, not adjacent, in order.
    runs: Vec<(usize, usize)>,
    deadline: Instant,
}

/// Puts segments together, by calling title and invocation id.
///
/// Segments may arrive in any order, repeatedly and overlapping; the latest octets win, the MAC of
/// the complete APDU decides. Memory grows with received octets only, never with announced ones.
#[derive(Debug)]
pub struct Reassembler {
    limits: Limits,
    partials: Vec<Partial>,
    complete: Vec<u8>,
    /// Incomplete APDUs that were given up since the host last asked.
    dropped: u32,
}

impl Reassembler {
    /// An empty reassembler.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            partials: Vec::new(),
            complete: Vec::new(),
            dropped: 0,
        }
    }

    /// Adds a segment; returns the complete APDU, ready for opening in place, with its last one.
    pub fn insert(
        &mut self,
        segment: &Segment<'_>,
        now: Instant,
    ) -> Result<Option<&mut [u8]>, Error> {
        let total = segment.total as usize;
        if total > self.limits.apdu_len_max {
            return Err(Error::Malformed("APDU length"));
        }
        self.handle_timeout(now);
        let base = segment.header.context.unwrap_or(&NETWORK_ROOT);
        let calling = segment.header.calling.unwrap_or(ApTitle::UNASSIGNED);
        let (sender, invocation) = (calling.fingerprint(base), segment.header.invocation);
        let at = self.partial(sender, invocation, total);
        let partial = &mut self.partials[at];
        if partial.total != total {
            return Err(Error::Malformed("APDU length"));
        }
        partial.add(segment.offset as usize, segment.chunk)?;
        partial.deadline = now + self.limits.timeout;
        if partial.runs[..] != [(0, total)] {
            return Ok(None);
        }
        self.complete = self.partials.swap_remove(at).octets;
        Ok(Some(&mut self.complete))
    }

    /// Drops incomplete APDUs whose time is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        let before = self.partials.len();
        self.partials.retain(|partial| now < partial.deadline);
        self.dropped += (before - self.partials.len()) as u32;
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.partials.iter().map(|partial| partial.deadline).min()
    }

    /// How many incomplete APDUs were given up since the last call, late or crowded out.
    pub const fn take_dropped(&mut self) -> u32 {
        core::mem::replace(&mut self.dropped, 0)
    }

    /// APDUs in reassembly.
    pub const fn pending(&self) -> usize {
        self.partials.len()
    }

    fn partial(&mut self, sender: u64, invocation: u32, total: usize) -> usize {
        let found = self
            .partials
            .iter()
            .position(|partial| partial.sender == sender && partial.invocation == invocation);
        if let Some(at) = found {
            return at;
        }
        if self.partials.len() >= self.limits.apdus_max.max(1) {
            let oldest = (0..self.partials.len()).min_by_key(|at| self.partials[*at].deadline);
            if let Some(oldest) = oldest {
                self.partials.swap_remove(oldest);
                self.dropped += 1;
            }
        }
        self.partials.push(Partial {
            sender,
            invocation,
            total,
            octets: Vec::new(),
            runs: Vec::new(),
            deadline: Instant::FAR_FUTURE,
        });
        self.partials.len() - 1
    }
}

impl Partial {
    fn add(&mut self, start: usize, chunk: &[u8]) -> Result<(), Error> {
        let end = start + chunk.len();
        // Everything that touches the new range merges with it.
        let first = self.runs.partition_point(|run| run.1 < start);
        let last = self.runs.partition_point(|run| run.0 <= end);
        let mut merged = (start, end);
        for run in &self.runs[first..last] {
            merged = (merged.0.min(run.0), merged.1.max(run.1));
        }
        if first == last && self.runs.len() >= RUNS_MAX {
            return Err(Error::Malformed("segment gaps"));
        }
        self.runs.splice(first..last, [merged]);
        if self.octets.len() < end {
            self.octets.resize(end, 0);
        }
        self.octets[start..end].copy_from_slice(chunk);
        Ok(())
    }
}
