//! Application process titles: the addresses of C12.22 nodes.
//!
//! ```text
//! absolute = 06 len OID             first octet 40*a+b, then base-128 arcs
//! relative = 80 len arcs            every arc base-128, below the base OID of the network
//! ```
//!
//! In text a leading dot marks a relative title: `.2.100`. `80 00` is the title of a node that has
//! none yet. IEEE 1703-2012 §5.3.2; RFC 6142 §2.

use core::fmt;
use core::str::FromStr;

use super::ber;
use crate::wire::{Error, Reader, Writer};

/// Root of relative titles, 2.16.124.113620.1.22.0 as OID content.
pub const NETWORK_ROOT: [u8; 8] = [0x60, 0x7C, 0x86, 0xF7, 0x54, 0x01, 0x16, 0x00];
/// Application context of C12.22, 2.16.124.113620.1.22 as OID content.
pub const APPLICATION_CONTEXT: [u8; 7] = [0x60, 0x7C, 0x86, 0xF7, 0x54, 0x01, 0x16];

/// Longest content of a title that [`Title`] holds, in octets.
pub const TITLE_LEN_MAX: usize = 30;

const ABSOLUTE: u8 = 0x06;
const RELATIVE: u8 = 0x80;

/// A borrowed title. Its content is a sequence of complete base-128 arcs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApTitle<'a> {
    /// The content of an absolute OID.
    Absolute(&'a [u8]),
    /// Arcs below the base OID; empty for a node without a title.
    Relative(&'a [u8]),
}

impl<'a> ApTitle<'a> {
    /// The title of a node that has none yet.
    pub const UNASSIGNED: Self = Self::Relative(&[]);

    /// Reads tag, length and content.
    pub fn parse(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let tag = reader.u8()?;
        let len = ber::read_len(reader)?;
        let content = reader.take(len)?;
        check_arcs(content)?;
        match tag {
            ABSOLUTE if content.is_empty() => Err(Error::Malformed("ApTitle")),
            ABSOLUTE => Ok(Self::Absolute(content)),
            RELATIVE => Ok(Self::Relative(content)),
            _ => Err(Error::Malformed("ApTitle")),
        }
    }

    /// Writes tag, length and content.
    pub fn emit(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let (tag, content) = match self {
            Self::Absolute(content) => (ABSOLUTE, content),
            Self::Relative(content) => (RELATIVE, content),
        };
        ber::write_header(writer, tag, content.len())?;
        writer.put(content)
    }

    /// Octets that [`emit`](Self::emit) writes.
    pub const fn encoded_len(&self) -> usize {
        ber::element_len(self.content().len())
    }

    /// The content octets.
    pub const fn content(&self) -> &'a [u8] {
        match self {
            Self::Absolute(content) | Self::Relative(content) => content,
        }
    }

    /// The content of the absolute form in two parts, below `base` if the title is relative.
    pub const fn absolute<'b>(&self, base: &'b [u8]) -> (&'b [u8], &'a [u8]) {
        match self {
            Self::Absolute(content) => (&[], content),
            Self::Relative(content) => (base, content),
        }
    }

    /// The arcs below `root`, relative titles being below `base`; `None` for a title elsewhere.
    pub fn arcs_below(
        self,
        base: &[u8],
        root: &[u8],
    ) -> Option<impl Iterator<Item = u64> + use<'a>> {
        let arcs = match self {
            Self::Absolute(content) => content.strip_prefix(root)?,
            Self::Relative(content) if base == root => content,
            Self::Relative(_) => return None,
        };
        Some(Arcs(arcs))
    }

    /// Whether both titles name the same node below `base`.
    pub fn same(&self, other: &ApTitle<'_>, base: &[u8]) -> bool {
        let (prefix, content) = self.absolute(base);
        let (other_prefix, other_content) = other.absolute(base);
        if prefix.len() == other_prefix.len() {
            content == other_content
        } else if prefix.is_empty() {
            content.strip_prefix(base) == Some(other_content)
        } else {
            other_content.strip_prefix(base) == Some(content)
        }
    }

    /// Whether the last arc is 0, which addresses every node below the other arcs.
    ///
    /// Some networks use such titles for single devices; whether the rule holds is theirs.
    pub fn is_broadcast(&self) -> bool {
        match self.content() {
            [.., previous, 0] => previous & 0x80 == 0,
            [0] => true,
            _ => false,
        }
    }

    /// A number that two titles of one node share and those of two nodes almost never do.
    ///
    /// FNV-1a over the absolute content.
    pub fn fingerprint(&self, base: &[u8]) -> u64 {
        let (prefix, content) = self.absolute(base);
        prefix
            .iter()
            .chain(content)
            .fold(0xCBF2_9CE4_8422_2325, |hash: u64, octet| {
                (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01B3)
            })
    }
}

impl fmt::Display for ApTitle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut arcs = Arcs(self.content());
        if let Self::Absolute(_) = self {
            let first = arcs.next().unwrap_or_default();
            let root = (first / 40).min(2);
            write!(f, "{root}.{}", first - 40 * root)?;
        }
        arcs.try_for_each(|arc| write!(f, ".{arc}"))
    }
}

/// An owned title of at most [`TITLE_LEN_MAX`] octets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Title {
    octets: [u8; TITLE_LEN_MAX],
    len: u8,
    relative: bool,
}

impl Title {
    /// The title of a node that has none yet.
    pub const UNASSIGNED: Self = Self {
        octets: [0; TITLE_LEN_MAX],
        len: 0,
        relative: true,
    };

    /// A copy of `title`, if it is not too long.
    pub fn new(title: ApTitle<'_>) -> Result<Self, Error> {
        let content = title.content();
        let mut octets = [0; TITLE_LEN_MAX];
        octets
            .get_mut(..content.len())
            .ok_or(Error::Malformed("ApTitle length"))?
            .copy_from_slice(content);
        Ok(Self {
            octets,
            len: content.len() as u8,
            relative: matches!(title, ApTitle::Relative(_)),
        })
    }

    /// The relative title with the given arcs.
    pub fn relative(arcs: &[u32]) -> Result<Self, Error> {
        let mut title = Self::UNASSIGNED;
        arcs.iter()
            .try_for_each(|arc| title.push(u64::from(*arc)))?;
        Ok(title)
    }

    /// The title, borrowed.
    pub fn get(&self) -> ApTitle<'_> {
        let content = &self.octets[..usize::from(self.len)];
        if self.relative {
            ApTitle::Relative(content)
        } else {
            ApTitle::Absolute(content)
        }
    }

    /// The absolute form below `base`, if it is not too long.
    pub fn to_absolute(&self, base: &[u8]) -> Result<Self, Error> {
        let title = self.get();
        let (prefix, content) = title.absolute(base);
        let len = prefix.len() + content.len();
        let mut octets = [0; TITLE_LEN_MAX];
        let target = octets
            .get_mut(..len)
            .ok_or(Error::Malformed("ApTitle length"))?;
        target[..prefix.len()].copy_from_slice(prefix);
        target[prefix.len()..].copy_from_slice(content);
        Ok(Self {
            octets,
            len: len as u8,
            relative: false,
        })
    }

    fn push(&mut self, arc: u64) -> Result<(), Error> {
        let groups = (64 - arc.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let more = if group > 0 { 0x80 } else { 0 };
            let octet = (arc >> (7 * group)) as u8 & 0x7F | more;
            *self
                .octets
                .get_mut(usize::from(self.len))
                .ok_or(Error::Malformed("ApTitle length"))? = octet;
            self.len += 1;
        }
        Ok(())
    }
}

impl FromStr for Title {
    type Err = Error;

    /// Reads `.2.100` (relative) or `2.16.124.113620.1.22.0.2.100` (absolute).
    fn from_str(text: &str) -> Result<Self, Error> {
        const MALFORMED: Error = Error::Malformed("ApTitle");
        let mut title = Self::UNASSIGNED;
        if text.is_empty() || text == "." {
            return Ok(title);
        }
        let arc = |text: &str| text.parse::<u32>().map(u64::from).map_err(|_| MALFORMED);
        let arcs = match text.strip_prefix('.') {
            Some(arcs) => arcs,
            None => {
                title.relative = false;
                let (first, rest) = text.split_once('.').ok_or(MALFORMED)?;
                let (second, rest) = rest.split_once('.').unwrap_or((rest, ""));
                let (first, second) = (arc(first)?, arc(second)?);
                if first > 2 || (first < 2 && second >= 40) {
                    return Err(MALFORMED);
                }
                title.push(40 * first + second)?;
                if rest.is_empty() {
                    return Ok(title);
                }
                rest
            }
        };
        for part in arcs.split('.') {
            title.push(arc(part)?)?;
        }
        Ok(title)
    }
}

impl fmt::Debug for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Title({})", self.get())
    }
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// The values of complete base-128 arcs.
struct Arcs<'a>(&'a [u8]);

impl Iterator for Arcs<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let len = self.0.iter().position(|octet| octet & 0x80 == 0)? + 1;
        let (arc, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(
            arc.iter()
                .fold(0, |value, octet| value << 7 | u64::from(octet & 0x7F)),
        )
    }
}

/// Complete arcs of at most nine octets (63 bits) without leading zero groups.
fn check_arcs(content: &[u8]) -> Result<(), Error> {
    let mut run = 0;
    for octet in content {
        if run == 0 && *octet == 0x80 || run == 9 {
            return Err(Error::Malformed("ApTitle"));
        }
        run = if octet & 0x80 == 0 { 0 } else { run + 1 };
    }
    if run > 0 {
        return Err(Error::Malformed("ApTitle"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::string::ToString;
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn titles_of_the_standard_example_convert_between_text_and_octets() {
        for (text, octets) in [
            (".123.8437", &[0x80, 0x03, 0x7B, 0xC1, 0x75][..]),
            (".0", &[0x80, 0x01, 0x00]),
            (
                "1.3.6.1.4.1.33507",
                &[0x06, 0x08, 0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x85, 0x63],
            ),
            (
                "2.16.124.113620.1.22.0",
                &[0x06, 0x08, 0x60, 0x7C, 0x86, 0xF7, 0x54, 0x01, 0x16, 0x00],
            ),
        ] {
            let title: Title = text.parse().unwrap();
            let mut buffer = [0xA5; 10];
            let mut writer = Writer::new(&mut buffer);
            title.get().emit(&mut writer).unwrap();
            assert_eq!(writer.written(), octets);
            assert_eq!(title.get().encoded_len(), octets.len());
            let mut reader = Reader::new(octets);
            assert_eq!(ApTitle::parse(&mut reader), Ok(title.get()));
            assert_eq!(title.to_string(), text);
        }
    }

    #[test]
    fn relative_and_absolute_forms_of_one_title_are_the_same() {
        let relative: Title = ".2.233154".parse().unwrap();
        let absolute: Title = "2.16.124.113620.1.22.0.2.233154".parse().unwrap();
        assert_eq!(relative.to_absolute(&NETWORK_ROOT), Ok(absolute));
        assert!(relative.get().same(&absolute.get(), &NETWORK_ROOT));
        assert!(absolute.get().same(&relative.get(), &NETWORK_ROOT));
        assert_eq!(
            relative.get().fingerprint(&NETWORK_ROOT),
            absolute.get().fingerprint(&NETWORK_ROOT)
        );
        assert!(!relative.get().same(&absolute.get(), &APPLICATION_CONTEXT));
        assert_eq!(Title::relative(&[2, 233_154]), Ok(relative));
    }

    #[test]
    fn arcs_are_counted_from_a_root() {
        let arcs = |text: &str, base: &[u8]| {
            let title: Title = text.parse().unwrap();
            let arcs = title.get().arcs_below(base, &NETWORK_ROOT);
            arcs.map(Iterator::collect::<Vec<u64>>)
        };
        assert_eq!(arcs(".2.233154", &NETWORK_ROOT), Some(vec![2, 233_154]));
        let absolute = "2.16.124.113620.1.22.0.2.233154";
        assert_eq!(arcs(absolute, &NETWORK_ROOT), Some(vec![2, 233_154]));
        assert_eq!(arcs(absolute, &APPLICATION_CONTEXT), Some(vec![2, 233_154]));
        assert_eq!(arcs(".2.233154", &APPLICATION_CONTEXT), None);
        assert_eq!(arcs("1.3.6.1", &NETWORK_ROOT), None);
    }

    #[test]
    fn a_last_arc_of_zero_is_a_broadcast() {
        let broadcast = |text: &str| text.parse::<Title>().unwrap().get().is_broadcast();
        assert!(broadcast(".0"));
        assert!(broadcast(".2.0"));
        assert!(!broadcast(".2.100"));
        assert!(!broadcast(".2.128"), "the last octet is 0, the arc is not");
        assert!(!ApTitle::UNASSIGNED.is_broadcast());
    }

    #[test]
    fn incomplete_and_padded_arcs_are_malformed() {
        for octets in [
            &[0x80, 0x01, 0x81][..],
            &[0x80, 0x02, 0x80, 0x01],
            &[0x06, 0x00],
            &[0x07, 0x01, 0x01],
            &[
                0x80, 0x0A, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x01,
            ],
        ] {
            assert_eq!(
                ApTitle::parse(&mut Reader::new(octets)),
                Err(Error::Malformed("ApTitle")),
                "{octets:02x?}"
            );
        }
        for text in ["1", "3.1", "1.40.2", ".a", "..1", ".4294967296"] {
            assert!(text.parse::<Title>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arcs_survive_text_and_octets(arcs in proptest::collection::vec(any::<u32>(), 0..6)) {
            let title = Title::relative(&arcs).unwrap();
            prop_assert_eq!(title.to_string().parse::<Title>(), Ok(title));
            let mut buffer = [0xA5; 40];
            let mut writer = Writer::new(&mut buffer);
            title.get().emit(&mut writer).unwrap();
            let parsed = ApTitle::parse(&mut Reader::new(writer.written())).unwrap();
            prop_assert_eq!(Title::new(parsed), Ok(title));
        }

        #[test]
        fn any_octets_parse_or_fail(octets: Vec<u8>) {
            if let Ok(title) = ApTitle::parse(&mut Reader::new(&octets)) {
                prop_assert!(title.to_string().len() < 20 * octets.len() + 2);
                let _ = title.is_broadcast();
            }
        }
    }
}
