//! A UDP socket that is at home at many addresses.
//!
//! A socket for each of 10,000 meters would take more descriptors than a process may have. One
//! socket is bound to all addresses instead; the kernel tells for each datagram where it went
//! (IP_PKTINFO, RFC 3542 has it for IPv6), and is told for each where it comes from.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrIn,
    bind, getsockopt, recvmsg, sendmsg, setsockopt, socket, sockopt,
};

/// Octets that the kernel is asked to buffer for a socket.
const BUFFER_OCTETS: usize = 8 << 20;

/// A datagram that has been received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// From where.
    pub(super) source: SocketAddrV4,
    /// To which address.
    pub(super) destination: Ipv4Addr,
    /// Its length.
    pub(super) len: usize,
    /// Whether it is longer than the buffer.
    pub(super) truncated: bool,
    /// Datagrams that the kernel has dropped since the socket told so last.
    pub(super) dropped: u64,
}

/// Which addresses a socket has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// One.
    One(Ipv4Addr),
    /// All loopback addresses, reachable from this machine alone.
    Loopback,
    /// All addresses.
    All,
}

/// A UDP socket.
#[derive(Debug)]
pub(super) struct UdpPort {
    socket: OwnedFd,
    control: Vec<u8>,
    /// What the kernel has said last of dropped datagrams.
    dropped: u32,
}

impl UdpPort {
    /// Opens a socket at `home` and `port`.
    ///
    /// # Errors
    ///
    /// The port is in use or needs a privilege.
    pub(super) fn open(home: Home, port: u16) -> io::Result<Self> {
        let address = match home {
            Home::One(address) => address,
            Home::Loopback | Home::All => Ipv4Addr::UNSPECIFIED,
        };
        let address = SocketAddrV4::new(address, port);
        // Meters and head-end have the same port, so sockets have to share it. What the kernel
        // would have found out is left to us: whether somebody else is at home here.
        if is_taken(address) {
            return Err(Errno::EADDRINUSE.into());
        }
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        setsockopt(&socket, sockopt::RxqOvfl, &1)?;
        if home == Home::Loopback {
            // Where that needs a privilege, the destination of each datagram decides.
            let _ = setsockopt(&socket, sockopt::BindToDevice, &"lo".into());
        }
        for forced in [true, false] {
            let granted = if forced {
                setsockopt(&socket, sockopt::RcvBufForce, &BUFFER_OCTETS).is_ok()
                    && setsockopt(&socket, sockopt::SndBufForce, &BUFFER_OCTETS).is_ok()
            } else {
                setsockopt(&socket, sockopt::RcvBuf, &BUFFER_OCTETS)?;
                setsockopt(&socket, sockopt::SndBuf, &BUFFER_OCTETS)?;
                true
            };
            if granted {
                break;
            }
        }
        bind(socket.as_raw_fd(), &SockaddrIn::from(address))?;
        Ok(Self {
            socket,
            control: cmsg_space!(libc::in_pktinfo, u32),
            dropped: 0,
        })
    }

    /// Octets that the kernel buffers on the way in.
    pub(super) fn buffer_octets(&self) -> u64 {
        getsockopt(&self.socket, sockopt::RcvBuf).unwrap_or(0) as u64
    }

    /// Datagrams that the kernel has dropped in all, if the system tells.
    ///
    /// A datagram that is received tells of those dropped before it, but nothing of those after.
    pub(super) fn kernel_drops(&self) -> Option<u64> {
        let descriptor = format!("/proc/self/fd/{}", self.socket.as_raw_fd());
        let inode = fs::metadata(descriptor).ok()?.ino().to_string();
        let table = fs::read_to_string("/proc/net/udp").ok()?;
        // Local address, remote address, state, queues, timer, retransmissions, user, timeout and
        // inode follow the number of the line; the last field is what was dropped.
        let mut lines = table.lines();
        let line = lines.find(|line| line.split_whitespace().nth(9) == Some(&inode))?;
        line.split_whitespace().next_back()?.parse().ok()
    }

    /// Takes the next datagram into `buffer`, if there is one.
    ///
    /// # Errors
    ///
    /// The socket does not work any more.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let descriptor = self.socket.as_raw_fd();
        let control = Some(&mut self.control[..]);
        let message = match recvmsg::<SockaddrIn>(descriptor, &mut parts, control, flags) {
            Ok(message) => message,
            // What an earlier datagram of ours has met with is not this socket's failure.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED | Errno::EHOSTUNREACH) => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let Some(source) = message.address else {
            return Ok(None);
        };
        let mut received = Received {
            source: SocketAddrV4::new(source.ip(), source.port()),
            destination: Ipv4Addr::UNSPECIFIED,
            len: message.bytes,
            truncated: message.flags.contains(MsgFlags::MSG_TRUNC),
            dropped: 0,
        };
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    received.destination = Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes());
                }
                ControlMessageOwned::RxqOvfl(dropped) => {
                    received.dropped = u64::from(dropped.wrapping_sub(self.dropped));
                    self.dropped = dropped;
                }
                _ => {}
            }
        }
        Ok(Some(received))
    }

    /// Sends a datagram from `source`, one of the addresses of this socket.
    ///
    /// # Errors
    ///
    /// The kernel does not take it.
    pub(super) fn send(
        &self,
        source: Ipv4Addr,
        destination: SocketAddrV4,
        octets: &[u8],
    ) -> io::Result<()> {
        let info = libc::in_pktinfo {
            ipi_ifindex: 0,
            ipi_spec_dst: libc::in_addr {
                s_addr: u32::from_ne_bytes(source.octets()),
            },
            ipi_addr: libc::in_addr { s_addr: 0 },
        };
        let control = [ControlMessage::Ipv4PacketInfo(&info)];
        let to = SockaddrIn::from(destination);
        let flags = MsgFlags::MSG_DONTWAIT;
        let descriptor = self.socket.as_raw_fd();
        sendmsg(
            descriptor,
            &[IoSlice::new(octets)],
            &control,
            flags,
            Some(&to),
        )?;
        Ok(())
    }
}

impl AsFd for UdpPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether a socket is bound to exactly `address`, as far as the system tells.
fn is_taken(address: SocketAddrV4) -> bool {
    let Ok(table) = fs::read_to_string("/proc/net/udp") else {
        return false;
    };
    let host = u32::from_ne_bytes(address.ip().octets());
    let wanted = format!("{host:08X}:{:04X}", address.port());
    let local = |line: &str| line.split_whitespace().nth(1).map(str::to_owned);
    table.lines().filter_map(local).any(|local| local == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(port: &mut UdpPort, buffer: &mut [u8]) -> Received {
        for _ in 0..1_000 {
            if let Some(received) = port.receive(buffer).expect("the socket works") {
                return received;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        panic!("nothing arrives");
    }

    #[test]
    fn one_socket_speaks_for_every_loopback_address() {
        let number = 20_716;
        let mut many = UdpPort::open(Home::Loopback, number).expect("a socket");
        let host = Ipv4Addr::new(127, 9, 9, 9);
        let mut one = UdpPort::open(Home::One(host), number).expect("another at the same port");
        let taken = UdpPort::open(Home::One(host), number).map_err(|error| error.kind());
        assert_eq!(taken.err(), Some(io::ErrorKind::AddrInUse));

        let mut buffer = [0; 8];
        for last in [1, 2, 250] {
            let meter = Ipv4Addr::new(127, 16, 3, last);
            let there = SocketAddrV4::new(host, number);
            many.send(meter, there, b"hello").expect("it is sent");
            let received = receive(&mut one, &mut buffer);
            let source = SocketAddrV4::new(meter, number);
            assert_eq!((received.source, received.destination), (source, host));
            one.send(host, source, b"how are you?").expect("it is sent");
            let received = receive(&mut many, &mut buffer);
            assert_eq!((received.source, received.destination), (there, meter));
            assert!(received.truncated && received.len == 8);
        }
    }
}
