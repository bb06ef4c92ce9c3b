//! The contract between the EAP machines and an authentication method (RFC 4137 §4.2, §5.2).
//!
//! A method writes complete packets, header included, because a method may authenticate the
//! header (EAP-PSK does). It writes only after everything that it received has been verified.

use super::{Keys, MethodType, Packet, Reject};
use crate::env::Env;
use crate::wire::{self, Writer};

/// methodState of the peer (RFC 4137 §4.2), as it is after a Response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MethodState {
    /// The method expects another Request; no result is acceptable yet.
    Cont,
    /// The method can go on, or end here.
    MayCont,
    /// The method expects only a result.
    Done,
}

/// decision of the peer (RFC 4137 §4.2): what a result packet would mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Success is not acceptable.
    Fail,
    /// Success is acceptable, and so is Failure.
    CondSucc,
    /// Success was indicated both ways; Failure is not acceptable.
    UncondSucc,
}

/// The verdict of a peer method on a Request that it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerStep {
    /// Whether more Requests are expected.
    pub state: MethodState,
    /// What a result would mean now.
    pub decision: Decision,
}

/// The peer end of an authentication method.
pub trait PeerMethod {
    /// The Type of its packets.
    fn kind(&self) -> MethodType;

    /// What the peer answers to an Identity Request; empty if unknown (RFC 3748 §5.1).
    fn identity(&self) -> &[u8];

    /// Whether Notifications are answered while the method runs (RFC 3748 §5.2).
    fn allows_notifications(&self) -> bool;

    /// Forgets the conversation and its keys.
    fn restart(&mut self);

    /// Verifies `request` and appends the complete Response to `response`.
    ///
    /// After an error nothing has been appended and the method is as it was before.
    fn process(
        &mut self,
        request: &Packet<'_>,
        response: &mut Writer<'_>,
        env: &mut Env<'_>,
    ) -> Result<PeerStep, Reject>;

    /// The keys, once the method has ended successfully.
    fn keys(&self) -> Option<&Keys>;

    /// Moves the keys out.
    fn take_keys(&mut self) -> Option<Keys>;
}

/// The verdict of a server method on a Response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerStep {
    /// Another Request follows.
    Continue,
    /// The peer is authenticated and the method has exported its keys.
    Success,
    /// The method has failed.
    Failure,
}

/// The server end of an authentication method.
pub trait ServerMethod {
    /// What the server looks peers up in; lent for each call.
    type Credentials: ?Sized;

    /// The Type of its packets.
    fn kind(&self) -> MethodType;

    /// Forgets the conversation and its keys.
    fn restart(&mut self);

    /// Appends the complete next Request, which carries `identifier`.
    fn request(
        &mut self,
        identifier: u8,
        out: &mut Writer<'_>,
        env: &mut Env<'_>,
    ) -> Result<(), wire::Error>;

    /// Verifies `response`. After an error the method is as it was before.
    fn process(
        &mut self,
        response: &Packet<'_>,
        credentials: &Self::Credentials,
        env: &mut Env<'_>,
    ) -> Result<ServerStep, Reject>;

    /// The identity of the peer, once it is authenticated.
    fn peer_identity(&self) -> Option<&[u8]>;

    /// The keys, once the method has ended successfully.
    fn keys(&self) -> Option<&Keys>;

    /// Moves the keys out.
    fn take_keys(&mut self) -> Option<Keys>;
}
