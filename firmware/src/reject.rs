//! Why a datagram was discarded.

/// The cause of a discarded datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// The enforcement point is closed to everything but authentication (RFC 5191 §2).
    AccessClosed,
}
