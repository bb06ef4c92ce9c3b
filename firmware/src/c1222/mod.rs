//! ANSI C12.22: APDUs, services, EAX′ security, segmentation, and a node (IEEE 1703, RFC 6142).
//!
//! ```text
//! APDU      60 { called, calling, invocation ids, key id and IV, user information }
//! user inf. control [device class] { length service }* [MAC]
//! service   code, data: Read, Write, Register, ... or the response to one of them
//! ```
//!
//! | module | content |
//! |---|---|
//! | [`ber`], [`aptitle`] | lengths and integers; the addresses of nodes |
//! | [`acse`], [`epsem`], [`apdu`] | elements, services in their envelope, complete APDUs |
//! | [`service`] | typed requests and responses |
//! | [`security`] | the canonified cleartext that EAX′ authenticates |
//! | [`segment`], [`outbox`] | APDUs longer than a datagram |
//! | [`stream`] | APDUs on a TCP connection |
//! | [`node`], [`reject`] | one end of an association: keys, freshness, matching |
//! | [`session`] | what Logon opens |
//! | [`interval`], [`registrar`], [`native`] | interval data as a push; who is registered, and where |
//! | [`relay`] | forwards messages by their titles, without keys |
//!
//! The text of the standard is not public: clauses and layouts follow RFC 6142, published parsers
//! and captured traffic. All multi-octet integers are big-endian, except inside table data.
//!
//! # Example
//!
//! ```
//! use firmware::c1222::node::{Config, Kind, Node, Options};
//! use firmware::c1222::epsem::{Mode, put_service};
//! use firmware::c1222::service::{Read, Request, Response, Selector, TableId};
//! use firmware::crypto::{Secret, Work};
//! use firmware::ukmf::{KeyStore, Policy, Role};
//! use firmware::{Duration, Env, Instant};
//! # let mut rng = rand_chacha::ChaCha8Rng::from_seed([0; 32]);
//! # use rand_chacha::rand_core::SeedableRng;
//! let mut work = Work::NONE;
//! let mut env = Env::new(Instant::ZERO, &mut rng, &mut work);
//! let (meter, host) = (".2.100".parse()?, ".1.7".parse()?);
//! let [mut meter_keys, mut host_keys] = [Role::Meter, Role::Server].map(|role| {
//!     let mut keys = KeyStore::new(role, Policy::default());
//!     let emsk = Secret::new([7; 64]);
//!     let hour = Duration::from_secs(3600);
//!     keys.install(&emsk, &[0x2F; 33], 1, &[0x60, 0x02, 0x64], hour, &mut env).unwrap();
//!     keys.activate(1, &mut env);
//!     keys
//! });
//! let mut meter = (Node::new(meter, host, Config::default()), meter_keys);
//! let mut host = (Node::new(host, *meter.0.local(), Config::default()), host_keys);
//!
//! let mut datagram = [0; 512];
//! let read = Request::Read(Read { table: TableId::standard(1), selector: Selector::Full });
//! let encrypted = Options { mode: Mode::Encrypted, ..Options::default() };
//! let sent = host.0.request(&encrypted, &mut host.1, 1_700_000_000, &mut datagram, |writer| {
//!     put_service(writer, |writer| read.emit(writer))
//! }, &mut env).unwrap();
//!
//! let request = &mut datagram[..sent.len];
//! let incoming = meter.0.receive(request, &mut meter.1, 1_700_000_001, &mut env).unwrap();
//! let service = incoming.payload.services().next().unwrap()?;
//! assert_eq!(Request::parse(service)?, read);
//! assert!(matches!(incoming.kind, Kind::Request(_)));
//! # Ok::<(), firmware::wire::Error>(())
//! ```

pub mod acse;
pub mod apdu;
pub mod aptitle;
pub mod ber;
pub mod epsem;
pub mod interval;
pub mod native;
pub mod node;
pub mod notice;
pub mod outbox;
pub mod registrar;
pub mod reject;
pub mod relay;
pub mod security;
pub mod segment;
pub mod service;
pub mod session;
pub mod stream;
#[cfg(test)]
mod tests;

pub use apdu::Apdu;
pub use aptitle::{ApTitle, Title};
pub use epsem::{Mode, ResponseControl};
pub use node::Node;
pub use reject::Reject;
