//! Frames: length (2 octets, big-endian, counts what follows), kind (1 octet), body.

use std::io::{self, Read, Write};

/// What a frame that reaches the program asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input<'a> {
    /// Kind 1: one complete EAP packet.
    Packet(&'a [u8]),
    /// Kind 3: start a conversation, or start over.
    Start,
    /// Kind 7: the retransmission timer fired.
    Timeout,
    /// Kinds 2, 4 and 5: what another such program says.
    Report,
    /// A kind that there is not.
    Unknown(u8),
}

/// What the program says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// One complete EAP packet.
    Packet = 1,
    /// The end of a conversation.
    Result = 2,
    /// The packet just received was silently discarded.
    Discard = 4,
    /// A remark.
    Note = 5,
}

/// The next frame, or `None` at the end of the input.
///
/// # Errors
///
/// What reading meets; an input that ends inside a frame or a frame without a kind is
/// [`io::ErrorKind::UnexpectedEof`] or [`io::ErrorKind::InvalidData`].
pub(super) fn read<'a>(
    input: &mut dyn Read,
    buffer: &'a mut Vec<u8>,
) -> io::Result<Option<Input<'a>>> {
    let mut len = [0; 2];
    if input.read(&mut len[..1])? == 0 {
        return Ok(None);
    }
    input.read_exact(&mut len[1..])?;
    buffer.resize(usize::from(u16::from_be_bytes(len)), 0);
    input.read_exact(buffer)?;
    let [kind, body @ ..] = buffer.as_slice() else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a frame of length 0 has no kind",
        ));
    };
    Ok(Some(match kind {
        1 => Input::Packet(body),
        3 => Input::Start,
        7 => Input::Timeout,
        2 | 4 | 5 => Input::Report,
        other => Input::Unknown(*other),
    }))
}

/// Writes one frame, which has to fit: EAP packets and remarks are far below 65,535 octets.
pub(super) fn write(output: &mut dyn Write, kind: Kind, body: &[u8]) -> io::Result<()> {
    let len = u16::try_from(body.len() + 1)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the frame is too long"))?;
    output.write_all(&len.to_be_bytes())?;
    output.write_all(&[kind as u8])?;
    output.write_all(body)
}
