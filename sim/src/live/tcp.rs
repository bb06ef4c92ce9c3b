//! TCP sockets: listening ports that are at home at many addresses, and connections with their
//! messages.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration as WallDuration;

use firmware::c1222::stream::{APDU_LEN_DEFAULT, Deframer};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, connect, listen, setsockopt,
    socket, sockopt,
};

use super::ports::Side;
use super::udp::Home;

/// Octets that wait for a peer who does not take them.
const OUTGOING_MAX: usize = 32 << 10;
/// Octets taken from one connection before others have their turn.
const TURN: usize = 16 << 10;
/// The longest time from the first octet of a message to its last one.
const MESSAGE_TIME: WallDuration = WallDuration::from_secs(30);
/// The longest time until a connection is there.
const CONNECT_TIME: WallDuration = WallDuration::from_secs(10);

/// A socket that accepts connections.
#[derive(Debug)]
pub(super) struct Listener {
    socket: TcpListener,
    pub(super) side: Side,
    loopback_only: bool,
}

impl Listener {
    /// Listens at `home` and `port`.
    ///
    /// # Errors
    ///
    /// The port is in use or needs a privilege.
    pub(super) fn open(home: Home, side: Side, port: u16) -> io::Result<Self> {
        let address = match home {
            Home::One(address) => address,
            Home::Loopback | Home::All => Ipv4Addr::UNSPECIFIED,
        };
        let address = SocketAddrV4::new(address, port);
        // Meters and head-end share the port, so the kernel does not tell whether it is taken.
        if is_taken(address) {
            return Err(Errno::EADDRINUSE.into());
        }
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        setsockopt(&socket, sockopt::ReusePort, &true)?;
        if home == Home::Loopback {
            // Where that needs a privilege, the destination of each connection decides.
            let _ = setsockopt(&socket, sockopt::BindToDevice, &"lo".into());
        }
        bind(socket.as_raw_fd(), &SockaddrIn::from(address))?;
        listen(&socket, Backlog::MAXCONN)?;
        Ok(Self {
            socket: socket.into(),
            side,
            loopback_only: home == Home::Loopback,
        })
    }

    /// Accepts the next connection, if there is one, with its addresses here and there.
    ///
    /// # Errors
    ///
    /// The system has no room for it, or does not let the program accept any more.
    pub(super) fn accept(&self) -> io::Result<Option<(TcpStream, SocketAddrV4, SocketAddrV4)>> {
        loop {
            let (stream, remote) = match self.socket.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                // It was gone before it was accepted.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::ConnectionAborted | ErrorKind::Interrupted
                    ) =>
                {
                    continue;
                }
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let (Ok(SocketAddr::V4(local)), SocketAddr::V4(remote)) = (stream.local_addr(), remote)
            else {
                continue;
            };
            if self.loopback_only && !local.ip().is_loopback() {
                continue;
            }
            return Ok(Some((stream, local, remote)));
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Begins a connection from the address `from`, at a port of the kernel's choice.
///
/// # Errors
///
/// The kernel does not begin it, or knows already that nobody is there.
pub(super) fn open(from: Ipv4Addr, to: SocketAddrV4) -> io::Result<(TcpStream, SocketAddrV4)> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    // The port is chosen with the connection, so a port can serve connections to several peers.
    setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
    let from = SocketAddrV4::new(from, 0);
    bind(socket.as_raw_fd(), &SockaddrIn::from(from))?;
    match connect(socket.as_raw_fd(), &SockaddrIn::from(to)) {
        Ok(()) | Err(Errno::EINPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    let SocketAddr::V4(local) = stream.local_addr()? else {
        return Err(Errno::EAFNOSUPPORT.into());
    };
    Ok((stream, local))
}

/// Why a connection has ended.
pub(super) type Cause = &'static str;

/// A connection on which C12.22 messages travel in both directions (RFC 6142 §2.5).
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    /// Who is at this end.
    pub(super) side: Side,
    /// The socket at this end.
    pub(super) local: SocketAddrV4,
    /// The socket at the other end.
    pub(super) remote: SocketAddrV4,
    /// Whether this end has opened it.
    pub(super) opened: bool,
    /// Whether the peer has spoken by datagram last, and is to be answered so.
    pub(super) by_datagram: bool,
    /// Whether it is still being established.
    connecting: bool,
    /// Whether the kernel tells when it takes octets.
    pub(super) watched: bool,
    deframer: Deframer,
    /// Messages to be sent; of the first one `written` octets are gone.
    outgoing: VecDeque<Vec<u8>>,
    outgoing_octets: usize,
    written: usize,
    /// When it began, or a complete message last went one way or the other.
    pub(super) active: WallDuration,
    /// When the message began that is not complete.
    begun: Option<WallDuration>,
}

impl Connection {
    /// A connection that was accepted, or `opened` and is not there yet.
    pub(super) fn new(
        stream: TcpStream,
        side: Side,
        (local, remote): (SocketAddrV4, SocketAddrV4),
        opened: bool,
        now: WallDuration,
    ) -> Self {
        Self {
            stream,
            side,
            local,
            remote,
            opened,
            by_datagram: false,
            connecting: opened,
            watched: opened,
            deframer: Deframer::new(APDU_LEN_DEFAULT),
            outgoing: VecDeque::new(),
            outgoing_octets: 0,
            written: 0,
            active: now,
            begun: None,
        }
    }

    /// Whether the kernel has to tell when it takes octets.
    pub(super) fn wants_to_write(&self) -> bool {
        self.connecting || !self.outgoing.is_empty()
    }

    /// Messages that the kernel has not taken.
    pub(super) fn unsent(&self) -> u64 {
        self.outgoing.len() as u64
    }

    /// Puts a message behind those that wait.
    ///
    /// # Errors
    ///
    /// The peer takes nothing, and more waits than it is worth.
    pub(super) fn put(&mut self, octets: Vec<u8>) -> Result<(), Cause> {
        if self.outgoing_octets + octets.len() > OUTGOING_MAX {
            return Err("unread");
        }
        self.outgoing_octets += octets.len();
        self.outgoing.push_back(octets);
        Ok(())
    }

    /// Writes what the kernel takes, and hands each message that is gone to `sent`.
    ///
    /// # Errors
    ///
    /// The connection has ended, or has not come about.
    pub(super) fn flush(
        &mut self,
        now: WallDuration,
        mut sent: impl FnMut(Vec<u8>),
    ) -> Result<(), Cause> {
        if self.connecting {
            match self.stream.take_error() {
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => return Err("no_connection"),
            }
            if self.stream.peer_addr().is_err() {
                return Ok(());
            }
            self.connecting = false;
            self.active = now;
        }
        while let Some(first) = self.outgoing.front() {
            match self.stream.write(&first[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err("reset"),
            }
            if self.written == first.len()
                && let Some(message) = self.outgoing.pop_front()
            {
                self.outgoing_octets -= message.len();
                self.written = 0;
                self.active = now;
                sent(message);
            }
        }
        Ok(())
    }

    /// Reads what has arrived, and hands each complete message to `message`.
    ///
    /// # Errors
    ///
    /// The connection has ended, or does not carry messages.
    pub(super) fn receive(
        &mut self,
        buffer: &mut [u8],
        now: WallDuration,
        mut message: impl FnMut(Vec<u8>),
    ) -> Result<(), Cause> {
        if self.connecting {
            return Ok(());
        }
        let mut turn = 0;
        while turn < TURN {
            let count = match self.stream.read(buffer) {
                Ok(0) if self.deframer.pending() > 0 => return Err("cut"),
                Ok(0) => return Err("closed"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return Err("reset"),
            };
            turn += count;
            let mut piece = &buffer[..count];
            while !piece.is_empty() {
                piece = &piece[self.deframer.push(piece)..];
                while let Some(apdu) = self.deframer.poll().map_err(|_| "garbage")? {
                    self.active = now;
                    self.by_datagram = false;
                    self.begun = None;
                    message(apdu.to_vec());
                }
            }
            if self.deframer.pending() > 0 {
                self.begun.get_or_insert(now);
            }
        }
        Ok(())
    }

    /// Why the connection is to be closed `now`, if its peer has been too slow or silent for
    /// `idle`.
    pub(super) fn overdue(&self, idle: WallDuration, now: WallDuration) -> Option<Cause> {
        let late = |since: WallDuration, limit| now.saturating_sub(since) > limit;
        if self.connecting {
            return late(self.active, CONNECT_TIME.min(idle)).then_some("no_connection");
        }
        if self
            .begun
            .is_some_and(|begun| late(begun, MESSAGE_TIME.min(idle)))
        {
            return Some("slow");
        }
        if !self.outgoing.is_empty() && late(self.active, MESSAGE_TIME.min(idle)) {
            return Some("unread");
        }
        late(self.active, idle).then_some("silent")
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Whether a socket listens at exactly `address`, as far as the system tells.
fn is_taken(address: SocketAddrV4) -> bool {
    const LISTEN: &str = "0A";
    let Ok(table) = fs::read_to_string("/proc/net/tcp") else {
        return false;
    };
    let host = u32::from_ne_bytes(address.ip().octets());
    let wanted = format!("{host:08X}:{:04X}", address.port());
    table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next() == Some(&wanted) && fields.nth(1) == Some(LISTEN)
    })
}
