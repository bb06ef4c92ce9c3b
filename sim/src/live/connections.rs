//! The TCP connections of a live run: who may have one, which one a message takes, when one ends.
//!
//! What peers can make this program hold is bounded: connections in total and per source, octets
//! that wait in either direction on each, the time that a message may take and the time without any.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration as WallDuration;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::figures::ConnectionFigures;
use super::ports::Side;
use super::tcp::{self, Cause, Connection, Listener};
use crate::scenario::live::LiveLimits;

/// Connections accepted at one port before others have their turn.
const ACCEPTED_AT_ONCE: usize = 256;
/// Ended connections that are remembered, so that nobody is answered at their ports.
const ENDED_MAX: usize = 1_024;
/// What the kernel calls the listener with number 0, and following.
pub(super) const LISTENERS: u64 = 1 << 32;
/// What the kernel calls the connection with number 0, and following.
pub(super) const CONNECTIONS: u64 = 1 << 33;

/// Something that has happened on a connection.
#[derive(Debug)]
pub(super) enum Happening {
    /// A message has arrived.
    Received(Passed),
    /// A message has gone.
    Sent(Passed),
    /// A connection is over, and a node has to know of it: its peer does not behave.
    Broken(Side, Ipv4Addr, Cause),
}

/// A message that has passed a socket.
#[derive(Debug)]
pub(super) struct Passed {
    /// Who is at this end.
    pub(super) side: Side,
    /// The socket at this end.
    pub(super) local: SocketAddrV4,
    /// The socket at the other end.
    pub(super) remote: SocketAddrV4,
    /// The APDU.
    pub(super) octets: Vec<u8>,
}

/// Whether peers may connect: who knows the fleet says so.
pub(super) trait Doorman {
    /// Whether somebody lives at `address` on `side`.
    fn is_home(&self, side: Side, address: Ipv4Addr) -> bool;
    /// Whether `source` is exempt from the limit of a source.
    fn is_exempt(&self, side: Side, source: Ipv4Addr) -> bool;
}

/// All connections.
#[derive(Debug)]
pub(super) struct Connections {
    listeners: Vec<Listener>,
    /// Listeners that wait until the system has room again.
    paused: Vec<usize>,
    table: BTreeMap<u64, Connection>,
    next: u64,
    /// The youngest connection of an address with a socket.
    places: BTreeMap<(Ipv4Addr, SocketAddrV4), u64>,
    /// Accepted connections that are open, by source.
    sources: BTreeMap<Ipv4Addr, u32>,
    /// Accepted connections that are open.
    accepted: u32,
    ended: VecDeque<(Ipv4Addr, SocketAddrV4)>,
    limits: LiveLimits,
    idle: WallDuration,
    pub(super) figures: ConnectionFigures,
    happenings: VecDeque<Happening>,
    unsent: BTreeMap<Cause, u64>,
    buffer: Vec<u8>,
}

impl Connections {
    /// No connections yet, but those that come by `listeners`, of which `epoll` tells.
    pub(super) fn new(
        listeners: Vec<Listener>,
        limits: &LiveLimits,
        epoll: &Epoll,
    ) -> io::Result<Self> {
        for (index, listener) in (0..).zip(&listeners) {
            epoll.add(
                listener,
                EpollEvent::new(EpollFlags::EPOLLIN, LISTENERS + index),
            )?;
        }
        Ok(Self {
            listeners,
            paused: Vec::new(),
            table: BTreeMap::new(),
            next: 0,
            places: BTreeMap::new(),
            sources: BTreeMap::new(),
            accepted: 0,
            ended: VecDeque::new(),
            idle: WallDuration::from_nanos(limits.idle.as_nanos()),
            limits: limits.clone(),
            figures: ConnectionFigures::default(),
            happenings: VecDeque::new(),
            unsent: BTreeMap::new(),
            buffer: vec![0; 4 << 10],
        })
    }

    /// The oldest thing that has happened and nobody has taken.
    pub(super) fn happened(&mut self) -> Option<Happening> {
        self.happenings.pop_front()
    }

    /// Messages that went down with their connections since the last call, by cause.
    pub(super) fn take_unsent(&mut self) -> BTreeMap<Cause, u64> {
        std::mem::take(&mut self.unsent)
    }

    /// Accepts what waits at listener `index`.
    pub(super) fn accept(
        &mut self,
        index: usize,
        doorman: &impl Doorman,
        epoll: &Epoll,
        now: WallDuration,
    ) {
        for _ in 0..ACCEPTED_AT_ONCE {
            let listener = &self.listeners[index];
            let side = listener.side;
            let (stream, local, remote) = match listener.accept() {
                Ok(Some(accepted)) => accepted,
                Ok(None) => return,
                Err(_) => {
                    // It would come back at once and again, so it waits for the next sweep.
                    if epoll.delete(listener).is_ok() {
                        self.paused.push(index);
                    }
                    return self.refuse("system");
                }
            };
            let source = *remote.ip();
            let from_source = self.sources.get(&source).copied().unwrap_or(0);
            let exempt = doorman.is_exempt(side, source);
            if !doorman.is_home(side, *local.ip()) {
                self.refuse("unroutable");
            } else if self.accepted >= self.limits.connections {
                self.refuse("connections_limit");
            } else if !exempt && from_source >= self.limits.connections_per_source {
                self.refuse("source_limit");
            } else {
                let connection = Connection::new(stream, side, (local, remote), false, now);
                if self.add(connection, epoll).is_some() {
                    self.figures.accepted += 1;
                    self.accepted += 1;
                    *self.sources.entry(source).or_default() += 1;
                }
            }
        }
    }

    fn refuse(&mut self, cause: Cause) {
        *self.figures.refused.entry(cause).or_default() += 1;
    }

    /// Takes in a connection, which has no messages yet.
    fn add(&mut self, connection: Connection, epoll: &Epoll) -> Option<u64> {
        let id = self.next;
        let event = EpollEvent::new(interest(&connection), CONNECTIONS + id);
        if epoll.add(&connection, event).is_err() {
            self.refuse("system");
            return None;
        }
        self.next += 1;
        let place = (*connection.local.ip(), connection.remote);
        self.places.insert(place, id);
        self.table.insert(id, connection);
        let open = self.table.len() as u64;
        self.figures.open_max = self.figures.open_max.max(open);
        Some(id)
    }

    /// The connection of `local` with exactly the socket `remote`, unless that has spoken by
    /// datagram since.
    pub(super) fn answering(&self, local: Ipv4Addr, remote: SocketAddrV4) -> Option<u64> {
        let id = *self.places.get(&(local, remote))?;
        (!self.table.get(&id)?.by_datagram).then_some(id)
    }

    /// The connection of `local` with any socket of `remote` that was of use last.
    pub(super) fn between(&self, local: Ipv4Addr, remote: Ipv4Addr) -> Option<u64> {
        let [first, last] = [0, u16::MAX].map(|port| (local, SocketAddrV4::new(remote, port)));
        let ids = self.places.range(first..=last).map(|(_, &id)| id);
        ids.max_by_key(|id| self.table.get(id).map(|connection| connection.active))
    }

    /// Whether `local` has had a connection with `remote` that is over.
    pub(super) fn is_over(&self, local: Ipv4Addr, remote: SocketAddrV4) -> bool {
        self.ended.contains(&(local, remote))
    }

    /// Notes that `remote` has sent a datagram to `local`.
    pub(super) fn spoken_by_datagram(&mut self, local: Ipv4Addr, remote: SocketAddrV4) {
        if let Some(id) = self.places.get(&(local, remote))
            && let Some(connection) = self.table.get_mut(id)
        {
            connection.by_datagram = true;
        }
    }

    /// Opens a connection from the address `from`.
    ///
    /// # Errors
    ///
    /// The cause for which it cannot be opened.
    pub(super) fn open(
        &mut self,
        side: Side,
        from: Ipv4Addr,
        to: SocketAddrV4,
        epoll: &Epoll,
        now: WallDuration,
    ) -> Result<u64, Cause> {
        let (stream, local) = tcp::open(from, to).map_err(|_| "no_connection")?;
        let connection = Connection::new(stream, side, (local, to), true, now);
        let id = self.add(connection, epoll).ok_or("no_connection")?;
        self.figures.opened += 1;
        Ok(id)
    }

    /// Sends a message on a connection.
    pub(super) fn send(&mut self, id: u64, octets: Vec<u8>, epoll: &Epoll, now: WallDuration) {
        let Some(connection) = self.table.get_mut(&id) else {
            *self.unsent.entry("closed").or_default() += 1;
            return;
        };
        match connection.put(octets) {
            Ok(()) => self.work(id, false, epoll, now),
            Err(cause) => {
                *self.unsent.entry(cause).or_default() += 1;
                self.end(id, cause);
            }
        }
    }

    /// Takes in and sends what a connection is ready for.
    pub(super) fn ready(&mut self, id: u64, epoll: &Epoll, now: WallDuration) {
        self.work(id, true, epoll, now);
    }

    fn work(&mut self, id: u64, readable: bool, epoll: &Epoll, now: WallDuration) {
        let Self {
            table,
            happenings,
            buffer,
            ..
        } = self;
        let Some(connection) = table.get_mut(&id) else {
            return;
        };
        let (side, local, remote) = (connection.side, connection.local, connection.remote);
        let passed = |octets| Passed {
            side,
            local,
            remote,
            octets,
        };
        let sent = |octets| happenings.push_back(Happening::Sent(passed(octets)));
        let mut result = connection.flush(now, sent);
        if readable && result.is_ok() {
            let received = |octets| happenings.push_back(Happening::Received(passed(octets)));
            result = connection.receive(buffer, now, received);
        }
        match result {
            Ok(()) => {
                let wanted = connection.wants_to_write();
                if wanted != connection.watched {
                    connection.watched = wanted;
                    let mut event = EpollEvent::new(interest(connection), CONNECTIONS + id);
                    if epoll.modify(&*connection, &mut event).is_err() {
                        self.end(id, "system");
                    }
                }
            }
            Err(cause) => self.end(id, cause),
        }
    }

    /// Closes a connection; the kernel forgets it by itself.
    fn end(&mut self, id: u64, cause: Cause) {
        let Some(connection) = self.table.remove(&id) else {
            return;
        };
        let (local, remote) = (*connection.local.ip(), connection.remote);
        if self.places.get(&(local, remote)) == Some(&id) {
            self.places.remove(&(local, remote));
        }
        if self.ended.len() == ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back((local, remote));
        if !connection.opened {
            self.accepted -= 1;
            if let Some(count) = self.sources.get_mut(remote.ip()) {
                *count -= 1;
                if *count == 0 {
                    self.sources.remove(remote.ip());
                }
            }
        }
        *self.figures.ended.entry(cause).or_default() += 1;
        if connection.unsent() > 0 {
            *self.unsent.entry(cause).or_default() += connection.unsent();
        }
        if matches!(cause, "garbage" | "cut" | "slow" | "unread") {
            let broken = Happening::Broken(connection.side, local, cause);
            self.happenings.push_back(broken);
        }
    }

    /// Closes what has been slow or silent for too long, and listens again where that failed.
    pub(super) fn sweep(&mut self, epoll: &Epoll, now: WallDuration) {
        let idle = self.idle;
        let overdue: Vec<(u64, Cause)> = self
            .table
            .iter()
            .filter_map(|(&id, connection)| Some((id, connection.overdue(idle, now)?)))
            .collect();
        for (id, cause) in overdue {
            self.end(id, cause);
        }
        for index in std::mem::take(&mut self.paused) {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, LISTENERS + index as u64);
            if epoll.add(&self.listeners[index], event).is_err() {
                self.paused.push(index);
            }
        }
    }

    /// Closes everything: the run is over.
    pub(super) fn close(&mut self) {
        let ids: Vec<u64> = self.table.keys().copied().collect();
        for id in ids {
            self.end(id, "end_of_run");
        }
    }
}

fn interest(connection: &Connection) -> EpollFlags {
    if connection.watched {
        EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT
    } else {
        EpollFlags::EPOLLIN
    }
}
