//! Extensions of the PCHANNEL (RFC 4764 §5.3, §6.2).
//!
//! Only the server starts one, in message 3; all later messages then carry the same EXT_Type. A
//! peer that does not know the type answers with an empty payload.

use super::Indication;
use crate::wire::Writer;

/// The extension field of a PCHANNEL payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// EXT_Type; 255 is experimental.
    pub kind: u8,
    /// EXT_Payload, at most 960 octets.
    pub payload: &'a [u8],
}

/// The peer end of an extension.
pub trait PeerExtension: core::fmt::Debug + Send + Sync {
    /// The EXT_Type that it handles.
    fn kind(&self) -> u8;

    /// A new conversation begins.
    fn restart(&mut self);

    /// Answers `payload`, which came with `indication`.
    ///
    /// Appends the own payload to `out` and returns the own indication.
    /// [`Indication::DoneSuccess`] counts as [`Indication::Cont`] before the server has sent it.
    fn answer(
        &mut self,
        indication: Indication,
        payload: &[u8],
        out: &mut Writer<'_>,
    ) -> Indication;
}

/// The server end of an extension.
pub trait ServerExtension: core::fmt::Debug + Send + Sync {
    /// The EXT_Type that it starts.
    fn kind(&self) -> u8;

    /// A new conversation begins.
    fn restart(&mut self);

    /// Appends the payload of message 3 and returns the indication.
    ///
    /// The payload must not be empty.
    fn open(&mut self, out: &mut Writer<'_>) -> Indication;

    /// Answers the `payload` of a peer that goes on, as [`PeerExtension::answer`] does.
    fn answer(&mut self, payload: &[u8], out: &mut Writer<'_>) -> Indication;

    /// Whether a peer that does not know the extension is admitted without it.
    fn optional(&self) -> bool;
}
