//! ANSI C12.18: the optical port, both its ends (C12.18-2006).
//!
//! ```text
//! session   BASE -- identification --> ID -- logon --> SESSION: security, read, write, ...
//! packet    EE identity control sequence length(2) data crc(2)      answered by 06 or 15
//! line      9600 baud, 8 data bits, no parity, 1 stop bit, half duplex
//! ```
//!
//! | module | content |
//! |---|---|
//! | [`crc`], [`packet`] | the frame check sequence; one packet |
//! | [`line`](mod@line) | speeds, sizes and times, and what may be negotiated of them |
//! | [`link`] | packets that get through: acknowledgements, repetitions, messages of many packets |
//! | [`service`] | requests that exist on such a line only; the others are those of C12.22 |
//! | [`server`] | the meter's end: states, passwords, lock-out |
//! | [`client`] | the end of whoever reads the meter |
//! | [`reject`] | what is discarded, and why |
//!
//! Octets go in as they arrive, in any pieces; what is to be sent comes out packet by packet with
//! the speed that it takes. A pseudo-terminal or a simulated line spends the time of the
//! characters itself; deadlines here already count it.
//!
//! The text of the standard is not public: layouts and times follow published clients, which were
//! tried against this implementation. C12.21 authentication and timing setup are not supported, and
//! are answered so.

pub mod client;
pub mod crc;
pub mod line;
pub mod link;
pub mod packet;
mod receiver;
pub mod reject;
pub mod server;
pub mod service;
#[cfg(test)]
mod tests;

pub use client::{Client, ClientEvent};
pub use line::{Baud, Limits, Parameters, Timing};
pub use link::{Link, LinkEvent, Transmit};
pub use packet::Packet;
pub use reject::Reject;
pub use server::{Contact, Ending, Lockout, Policy, Server, ServerEvent, Tables};
