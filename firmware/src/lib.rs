//! Protocol code of a smart meter and of its head-end, free of any operating system.
//!
//! Everything here is `no_std` and sans-IO: a state machine is handed datagrams and the time, and
//! hands back datagrams, deadlines and events. It owns no clock, no socket and no random number
//! generator; what it needs for one call it borrows through [`Env`]. The same code therefore runs
//! inside a simulated meter, behind a real socket, in a unit test and under a fuzzer.
//!
//! | module | content | source |
//! |---|---|---|
//! | [`wire`] | bounded readers and writers | - |
//! | [`crypto`] | AES-CMAC, EAX, EAX′, HMAC, prf+, key derivation, secrets | RFC 4493, RFC 7296, RFC 5295 |
//! | [`eap`] | EAP peer and authenticator, EAP-PSK | RFC 3748, RFC 4137, RFC 4764 |
//! | [`pana`] | PANA client and authentication agent | RFC 5191, RFC 5609 |
//! | [`ukmf`] | C12.22 keys derived from every authentication | RFC 5295 |
//! | [`c1218`] | ANSI C12.18 optical port, both ends | C12.18-2006 |
//! | [`c1219`] | ANSI C12.19 tables and procedures | IEEE 1377 |
//! | [`c1222`] | ANSI C12.22 APDUs, services and EAX′ security | IEEE 1703, RFC 6142 |
//! | [`han`] | home area network: coordinator, display, energy management | IEEE 802.15.4-2006 |
//! | [`metrology`] | registers, tariff, demand, load profile, clock | IEEE 1377 decades 2, 5 and 6 |
//! | [`meter`] | the composition that a meter runs | - |
//! | [`headend`] | the composition that a head-end instance runs | - |
//! | [`memory`] | what a host may fetch ahead for a node | - |
//!
//! # Calling order
//!
//! After any input (`handle_datagram`, `handle_timeout`, a command) the host drains the outputs
//! until they are empty: events first, so that new keys are installed before the datagram that
//! announces them leaves, then datagrams, then it asks for the next deadline with `poll_timeout`.
//! Time never runs backwards between calls.
//!
//! # Discarded datagrams
//!
//! A datagram that a protocol orders to discard silently is not an error of the program: it is
//! returned as a [`Reject`], a value that the host counts.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod c1218;
pub mod c1219;
pub mod c1222;
pub mod crypto;
pub mod eap;
mod env;
pub mod han;
pub mod headend;
pub mod memory;
pub mod meter;
pub mod metrology;
pub mod pana;
mod reject;
mod time;
pub mod ukmf;
pub mod wire;

pub use env::Env;
pub use rand_core::Rng;
pub use reject::Reject;
pub use time::{Duration, Instant};
