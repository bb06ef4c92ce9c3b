//! MT3 to MT6 and manufacturer procedure 1: firmware images, which arrive in blocks.
//!
//! ```text
//! MT3  status    state | running version (2) | version of the image (2) | blocks (2)
//!                | blocks received (2) | activation (6)
//! MT4  manifest  version (2) | size (4) | block length (2) | SHA-256 of the image (32) | tag (16)
//! MT5  blocks    a bit for each block, the least significant first, set once the block is there
//! MT6  data      the image: written by offset, whole blocks alone; nobody reads it
//! parameters     version (2) | random window s (2) | start (6)
//! response       state | start (6)
//! ```
//!
//! The tag is AES-CMAC (RFC 4493) over the 40 octets before it, under a key that the vendor shares
//! with its meters. It stands for a signature where no certificates are to be had: whoever takes
//! the key out of one meter can sign for all of them. A version only ever replaces an older one.
//! These layouts are this project's own (see the [module](super) documentation).

use super::procedure::ProcedureId;
use super::types::{self, DateTime};
use crate::c1222::service::TableId;
use crate::crypto::{CmacKey, Work, equal};
use crate::wire::{Error, Reader, Writer};

/// MT3.
pub const STATUS: TableId = TableId::manufacturer(3);
/// MT4.
pub const MANIFEST: TableId = TableId::manufacturer(4);
/// MT5.
pub const BLOCKS: TableId = TableId::manufacturer(5);
/// MT6.
pub const DATA: TableId = TableId::manufacturer(6);
/// The procedure that activates an image.
pub const ACTIVATE: ProcedureId = ProcedureId::manufacturer(1);
/// Octets of the tag.
const TAG_LEN: usize = 16;

/// IMAGE_STATE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImageState {
    /// There is no image but the one that runs (0).
    #[default]
    Empty,
    /// Blocks are missing (1).
    Receiving,
    /// All blocks are there, and they have the digest of the manifest (2).
    Verified,
    /// All blocks were there, but the digest is another one; they are gone (3).
    Faulty,
    /// A verified image waits for its activation (4).
    Scheduled,
    /// Any other value.
    Unknown(u8),
}

impl From<u8> for ImageState {
    fn from(code: u8) -> Self {
        match code {
            0 => Self::Empty,
            1 => Self::Receiving,
            2 => Self::Verified,
            3 => Self::Faulty,
            4 => Self::Scheduled,
            _ => Self::Unknown(code),
        }
    }
}

impl From<ImageState> for u8 {
    fn from(state: ImageState) -> Self {
        match state {
            ImageState::Empty => 0,
            ImageState::Receiving => 1,
            ImageState::Verified => 2,
            ImageState::Faulty => 3,
            ImageState::Scheduled => 4,
            ImageState::Unknown(code) => code,
        }
    }
}

/// MT3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageStatus {
    /// IMAGE_STATE.
    pub state: ImageState,
    /// Version of the firmware that runs.
    pub running: u16,
    /// Version of the image that is received or waits; 0 without one.
    pub version: u16,
    /// Blocks that it has.
    pub blocks: u16,
    /// Of these, blocks that are there.
    pub received: u16,
    /// When it is activated.
    pub activation: Option<DateTime>,
}

impl ImageStatus {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many, or the date is none.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        let status = Self {
            state: reader.u8()?.into(),
            running: types::u16(&mut reader)?,
            version: types::u16(&mut reader)?,
            blocks: types::u16(&mut reader)?,
            received: types::u16(&mut reader)?,
            activation: DateTime::parse(&mut reader)?,
        };
        types::end(&reader)?;
        Ok(status)
    }

    /// Writes the table.
    ///
    /// # Errors
    ///
    /// The buffer is full.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        writer.u8(self.state.into())?;
        for value in [self.running, self.version, self.blocks, self.received] {
            writer.put(&value.to_le_bytes())?;
        }
        DateTime::emit(self.activation, writer)
    }
}

/// MT4: what an image is, as its vendor has signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Version; major in the upper octet, minor in the lower.
    pub version: u16,
    /// Octets of the image.
    pub size: u32,
    /// Octets of a block; the last one may be shorter.
    pub block_len: u16,
    /// SHA-256 of the image.
    pub digest: [u8; 32],
    /// AES-CMAC of what is before it.
    pub tag: [u8; TAG_LEN],
}

impl Manifest {
    /// Octets of the table.
    pub const LEN: usize = Self::SIGNED_LEN + TAG_LEN;
    /// Octets that the tag covers.
    const SIGNED_LEN: usize = 40;
    /// Octets of a block: what a message of 2,048 octets has room for.
    pub const BLOCK_LEN: core::ops::RangeInclusive<u16> = 64..=1_024;
    /// Blocks at most: MT5 fits into one response.
    pub const BLOCKS_MAX: u32 = 12_000;

    /// A manifest signed with `key`.
    pub fn signed(
        version: u16,
        size: u32,
        block_len: u16,
        digest: [u8; 32],
        key: &CmacKey,
        work: &mut Work,
    ) -> Self {
        let unsigned = Self {
            version,
            size,
            block_len,
            digest,
            tag: [0; TAG_LEN],
        };
        let tag = key.tag(&[&unsigned.signed_octets()], work);
        Self { tag, ..unsigned }
    }

    /// Whether the vendor has signed it.
    pub fn verify(&self, key: &CmacKey, work: &mut Work) -> bool {
        equal(&key.tag(&[&self.signed_octets()], work), &self.tag)
    }

    /// Blocks of the image.
    pub fn blocks(&self) -> u16 {
        let blocks = self.size.div_ceil(u32::from(self.block_len.max(1)));
        u16::try_from(blocks).unwrap_or(u16::MAX)
    }

    /// Octets of block `index`, which exists.
    pub fn len_of(&self, index: u16) -> usize {
        let start = u32::from(index) * u32::from(self.block_len);
        let left = self.size.saturating_sub(start);
        left.min(self.block_len.into()) as usize
    }

    /// Reads the table.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many, or sizes are out of range.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        let manifest = Self {
            version: types::u16(&mut reader)?,
            size: types::u32(&mut reader)?,
            block_len: types::u16(&mut reader)?,
            digest: reader.array()?,
            tag: reader.array()?,
        };
        types::end(&reader)?;
        let blocks = manifest.size.div_ceil(manifest.block_len.max(1).into());
        let possible = Self::BLOCK_LEN.contains(&manifest.block_len)
            && (1..=Self::BLOCKS_MAX).contains(&blocks);
        possible
            .then_some(manifest)
            .ok_or(Error::Malformed("manifest"))
    }

    /// The octets of the table.
    pub fn octets(&self) -> [u8; Self::LEN] {
        let mut octets = [0; Self::LEN];
        let (signed, tag) = octets.split_at_mut(Self::SIGNED_LEN);
        signed.copy_from_slice(&self.signed_octets());
        tag.copy_from_slice(&self.tag);
        octets
    }

    fn signed_octets(&self) -> [u8; Self::SIGNED_LEN] {
        let mut octets = [0; Self::SIGNED_LEN];
        octets[..2].copy_from_slice(&self.version.to_le_bytes());
        octets[2..6].copy_from_slice(&self.size.to_le_bytes());
        octets[6..8].copy_from_slice(&self.block_len.to_le_bytes());
        octets[8..].copy_from_slice(&self.digest);
        octets
    }
}

/// Parameters of the procedure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activation {
    /// The version that is to run.
    pub version: u16,
    /// Window in seconds within which the meter starts anew at random.
    pub window_s: u16,
    /// When the window begins; at once without a time.
    pub start: Option<DateTime>,
}

impl Activation {
    /// Octets of the parameters.
    pub const LEN: usize = 4 + DateTime::LEN;

    /// Reads the parameters.
    ///
    /// # Errors
    ///
    /// The octets are too few or too many, or the date is none.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(octets);
        let activation = Self {
            version: types::u16(&mut reader)?,
            window_s: types::u16(&mut reader)?,
            start: DateTime::parse(&mut reader)?,
        };
        types::end(&reader)?;
        Ok(activation)
    }

    /// The octets of the parameters.
    ///
    /// # Errors
    ///
    /// The date cannot be encoded.
    pub fn octets(&self) -> Result<[u8; Self::LEN], Error> {
        let mut octets = [0; Self::LEN];
        let mut writer = Writer::new(&mut octets);
        writer.put(&self.version.to_le_bytes())?;
        writer.put(&self.window_s.to_le_bytes())?;
        DateTime::emit(self.start, &mut writer)?;
        Ok(octets)
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn layouts_are_octet_by_octet_as_documented() {
        let status = ImageStatus {
            state: ImageState::Scheduled,
            running: 0x0203,
            version: 0x0300,
            blocks: 0x0102,
            received: 0x0101,
            activation: DateTime::from_utc(1_768_435_200),
        };
        let mut octets = vec![0xA5; 15];
        status.emit(&mut Writer::new(&mut octets)).unwrap();
        assert_eq!(
            octets,
            [4, 3, 2, 0, 3, 2, 1, 1, 1, 26, 1, 15, 0, 0, 0],
            "2026-01-15 00:00:00"
        );
        assert_eq!(ImageStatus::parse(&octets), Ok(status));
        assert!(ImageStatus::parse(&octets[..14]).is_err());
        let activation = Activation {
            version: 0x0300,
            window_s: 600,
            start: None,
        };
        let octets = activation.octets().unwrap();
        assert_eq!(octets, [0, 3, 0x58, 2, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Activation::parse(&octets), Ok(activation));
    }

    #[test]
    fn every_bit_of_a_manifest_is_signed() {
        let mut work = Work::default();
        let key = CmacKey::new(&[9; 16], &mut work);
        let manifest = Manifest::signed(0x0300, 100_001, 512, [7; 32], &key, &mut work);
        assert_eq!((manifest.blocks(), manifest.len_of(195)), (196, 161));
        let octets = manifest.octets();
        assert_eq!(Manifest::parse(&octets), Ok(manifest));
        let altered: Vec<_> = (0..8 * Manifest::LEN)
            .filter_map(|bit| {
                let mut altered = octets;
                altered[bit / 8] ^= 1 << (bit % 8);
                Manifest::parse(&altered).ok()
            })
            .collect();
        assert!(altered.len() > 300, "most are well-formed");
        for manifest in altered {
            assert!(!manifest.verify(&key, &mut work));
        }
        let other = CmacKey::new(&[8; 16], &mut work);
        assert!(!manifest.verify(&other, &mut work));
        assert!(manifest.verify(&key, &mut work));
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        let mut work = Work::default();
        let key = CmacKey::new(&[9; 16], &mut work);
        for (size, block_len) in [(0, 512), (1, 63), (1, 1_025), (u32::MAX, 1_024), (1, 0)] {
            let manifest = Manifest::signed(1, size, block_len, [7; 32], &key, &mut work);
            assert!(
                Manifest::parse(&manifest.octets()).is_err(),
                "{size} {block_len}"
            );
        }
    }
}
