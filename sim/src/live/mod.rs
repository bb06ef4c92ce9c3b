//! The same entities on the sockets of this machine, by its clock.
//!
//! ```text
//!   meters  --datagram--> outbox --at its time--> socket ===> network ===> socket --event--> head-end
//!   (domain)                                                                                (domain)
//! ```
//!
//! Nothing of the models is different. A live run divides the fleet so that meters and head-end
//! are apart, and stands in for the engine: what one part sends to another leaves through a
//! socket when it is due, and what arrives at a socket becomes an event of now. So meters converse
//! with a head-end in the same process, in another one, or with one of another make.

#[cfg(target_os = "linux")]
mod clock;
#[cfg(target_os = "linux")]
mod connections;
#[cfg(target_os = "linux")]
mod driver;
mod figures;
#[cfg(target_os = "linux")]
mod limiter;
#[cfg(target_os = "linux")]
mod line;
#[cfg(target_os = "linux")]
mod optical;
#[cfg(target_os = "linux")]
mod outbox;
#[cfg(target_os = "linux")]
mod plan;
#[cfg(target_os = "linux")]
mod ports;
#[cfg(target_os = "linux")]
mod tcp;
#[cfg(target_os = "linux")]
mod terminal;
#[cfg(target_os = "linux")]
mod udp;
mod visits;
#[cfg(target_os = "linux")]
mod watch;

use std::io;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use models::time::Time;

use crate::run::{Report, RunError};
use crate::scenario::Loaded;

pub use figures::{ConnectionFigures, Figures, Lag, PortFigures, Sides};
pub use visits::Visits;

/// How a live run is to be made.
#[derive(Debug, Default)]
pub struct LiveOptions {
    /// Where the results go; a new folder below `results` if absent.
    pub folder: Option<PathBuf>,
    /// Whether an existing results folder is replaced.
    pub force: bool,
    /// Where a packet capture goes; if absent, into the results folder if the scenario wants one.
    pub pcap: Option<PathBuf>,
    /// Where optical ports get their names; in the folder `optical` of the results if absent.
    pub optical_folder: Option<PathBuf>,
    /// Told the folder and the number of the optical ports as soon as they are there.
    pub announce: Option<fn(&Path, usize)>,
    /// Set from outside to end the run, in order.
    pub interrupt: Arc<AtomicBool>,
}

impl LiveOptions {
    /// Where optical ports get their names if `results` is the results folder.
    pub fn optical_path(&self, results: &Path) -> PathBuf {
        let wanted = self.optical_folder.clone();
        wanted.unwrap_or_else(|| results.join("optical"))
    }
}

/// How far a live run has got.
#[derive(Clone, Copy, Debug)]
pub struct LiveProgress {
    /// Virtual time reached.
    pub time: Time,
    /// Virtual time at which the run ends.
    pub end: Time,
    /// Events so far.
    pub events: u64,
    /// Datagrams received so far.
    pub received: u64,
    /// Datagrams sent so far.
    pub sent: u64,
    /// Datagrams refused or dropped so far, before a node saw them.
    pub refused: u64,
    /// The lag that 99 % of the events since the last progress did not exceed, in seconds.
    pub lag_p99_s: f64,
    /// The largest lag since the last progress, in seconds.
    pub lag_max_s: f64,
}

/// Why a live run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// Attackers act on modelled links only.
    #[error("attackers act on modelled links; a live run has none of them: use --set attackers=[]")]
    Attackers,
    /// There are not so many loopback addresses.
    #[error("{field}: {count} addresses do not fit the loopback network 127.0.0.0/8")]
    Room {
        /// The field of the scenario.
        field: &'static str,
        /// How many are needed.
        count: u64,
    },
    /// The clock of the machine stands before 1970.
    #[error("the clock of this machine stands before 1970")]
    Clock,
    /// The system has no random numbers.
    #[error("the system provides no random numbers")]
    Randomness,
    /// A socket cannot be opened.
    #[error("cannot open {protocol} {address}: {source}{}", open_hint(source))]
    Open {
        /// UDP or TCP.
        protocol: &'static str,
        /// Where.
        address: SocketAddrV4,
        /// Why not.
        source: io::Error,
    },
    /// An optical port cannot be made.
    #[error("cannot make the optical port {}: {source}{}", path.display(), name_hint(source))]
    Optical {
        /// Its name, or the folder of names.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The process may not have so many files open.
    #[error(
        "all connections together take {needed} files, and this process may have {hard} open: \
         raise the hard limit (ulimit -Hn), or allow fewer, as in \
         --set live.limits.connections=100, and run fewer meters over TCP"
    )]
    Files {
        /// How many there would be.
        needed: u64,
        /// The hard limit.
        hard: u64,
    },
    /// The system does not let the program wait or receive.
    #[error("the sockets do not work any more: {0}")]
    Sockets(#[from] io::Error),
    /// There are no such sockets here.
    #[error("live endpoints need Linux")]
    System,
}

fn open_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need a privilege, others do not: --pana-port 7160 --c1222-port 11153"
        }
        io::ErrorKind::AddrInUse => "; another program is there, perhaps another meterstorm",
        io::ErrorKind::AddrNotAvailable => "; this machine does not have the address",
        _ => "",
    }
}

fn name_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            "; perhaps another meterstorm is at it: choose another folder, or replace it by --force"
        }
        _ => "",
    }
}

/// Runs the scenario by the wall clock on real sockets, calling `progress` several times a second.
///
/// # Errors
///
/// See [`RunError`]; what was recorded before stays readable.
#[cfg(target_os = "linux")]
pub fn live(
    loaded: &Loaded,
    options: &LiveOptions,
    progress: impl FnMut(&LiveProgress),
) -> Result<Report, RunError> {
    driver::run(loaded, options, progress)
}

/// Says that this system has no live endpoints.
///
/// # Errors
///
/// Always [`LiveError::System`].
#[cfg(not(target_os = "linux"))]
pub fn live(
    _loaded: &Loaded,
    _options: &LiveOptions,
    _progress: impl FnMut(&LiveProgress),
) -> Result<Report, RunError> {
    Err(LiveError::System.into())
}
