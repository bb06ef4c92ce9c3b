//! Optical ports of meters on pseudo-terminals.
//!
//! ```text
//!   program <==> /dev/pts/N <==> terminal -- at the speed of the line --> optical port of a meter
//! ```
//!
//! Octets go to the firmware's port on the clock of the run, and its answers come back. A program
//! that closes the terminal has taken its probe off: whoever opens it next finds a port in its base
//! state.

use std::fs;
use std::path::PathBuf;

use models::fleet::Fleet;
use models::meter::Said;
use models::time::Time;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::LiveError;
use super::line::Line;
use super::outbox::Desk;
use super::terminal::{Heard, Link, Terminal};
use super::visits::Visits;
use super::watch::Watch;
use crate::run::FleetDomain;
use crate::scenario::live::LiveOptical;

/// What tells a terminal from a socket in the data of an epoll event.
const MARK: u64 = 1 << 40;
/// The index of the watch over all terminals.
const WATCH: u64 = MARK - 1;
/// Portions taken from one terminal before the others have their turn.
const TURNS: usize = 8;
/// Octets taken from a terminal at once.
const BUFFER: usize = 4_096;

/// Where optical ports are to be.
#[derive(Clone, Debug)]
pub(super) struct OpticalFolder {
    /// The folder with their names.
    pub(super) path: PathBuf,
    /// Whether links that are in use are replaced.
    pub(super) force: bool,
}

/// The port of one meter.
#[derive(Debug)]
struct Port {
    meter: u32,
    domain: usize,
    terminal: Terminal,
    line: Line,
    /// Whether the terminal may have octets.
    readable: bool,
    /// Whether a program has said something and not closed.
    attached: bool,
    /// Whether another program has taken the place of that one.
    replaced: bool,
    /// Whether the meter may have something to say.
    expecting: bool,
    _link: Link,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct OpticalPorts {
    ports: Vec<Port>,
    watch: Option<Watch>,
    /// Whether the watch has something to tell.
    stirred: bool,
    folder: Option<PathBuf>,
    visits: Visits,
    said: Said,
}

impl OpticalPorts {
    /// Opens the ports that `plan` wants.
    ///
    /// # Errors
    ///
    /// There are no terminals, or no place for their names.
    pub(super) fn open(
        fleet: &Fleet,
        plan: &LiveOptical,
        folder: &OpticalFolder,
        epoll: &Epoll,
    ) -> Result<Self, LiveError> {
        let meters = plan.numbers();
        if meters.is_empty() {
            return Ok(Self::default());
        }
        let at = |path: &PathBuf| {
            let path = path.clone();
            move |source| LiveError::Optical { path, source }
        };
        fs::create_dir_all(&folder.path).map_err(at(&folder.path))?;
        let mut ports = Vec::new();
        let mut watch = Watch::new().map_err(at(&folder.path))?;
        let event = EpollEvent::new(EpollFlags::EPOLLIN, MARK | WATCH);
        let watched = epoll.add(&watch, event);
        watched.map_err(|error| at(&folder.path)(error.into()))?;
        for (index, meter) in (0..).zip(meters) {
            let path = folder.path.join(format!("meter-{meter:06}"));
            let terminal = Terminal::open().map_err(at(&path))?;
            watch.add(terminal.device()).map_err(at(&path))?;
            let link = Link::make(path.clone(), terminal.device(), folder.force);
            // Edges, because a terminal that nobody has opened is hung up all the time.
            let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
            epoll
                .add(&terminal, EpollEvent::new(flags, MARK | index))
                .map_err(|error| at(&path)(error.into()))?;
            ports.push(Port {
                meter,
                domain: fleet.domain_of_meter(meter),
                terminal,
                line: Line::new(plan.paced),
                readable: false,
                attached: false,
                replaced: false,
                expecting: false,
                _link: link.map_err(at(&path))?,
            });
        }
        Ok(Self {
            visits: Visits {
                ports: ports.len() as u64,
                ..Visits::default()
            },
            ports,
            watch: Some(watch),
            stirred: false,
            folder: Some(folder.path.clone()),
            said: Said::default(),
        })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ports.len()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }

    /// Takes note of an event of epoll; returns whether it was about a terminal.
    pub(super) fn note(&mut self, data: u64) -> bool {
        if data & MARK == 0 {
            return false;
        }
        let index = data & !MARK;
        if index == WATCH {
            self.stirred = true;
        } else if let Some(port) = self.ports.get_mut(index as usize) {
            port.readable = true;
        }
        true
    }

    /// Hands over everything that is due, both ways; all events before `now` have been handled.
    pub(super) fn advance(
        &mut self,
        now: Time,
        domains: &mut [Option<FleetDomain>],
        desk: &mut Desk<'_>,
    ) -> Result<(), LiveError> {
        let Self {
            ports,
            watch,
            stirred,
            visits,
            said,
            ..
        } = self;
        for index in 0..ports.len() {
            // Whose octets they are must be known before they are read.
            if (std::mem::take(stirred) || ports[index].readable)
                && let Some(watch) = watch
            {
                let replaced = |index: usize| ports[index].replaced = ports[index].attached;
                watch.poll(replaced).map_err(LiveError::Sockets)?;
            }
            let port = &mut ports[index];
            if let Some(domain) = &mut domains[port.domain] {
                let mut turn = Turn {
                    port,
                    visits,
                    said,
                    domain,
                    now,
                };
                turn.take(desk)?;
            }
        }
        Ok(())
    }

    /// When something is due.
    pub(super) fn next_time(&self, now: Time) -> Option<Time> {
        let due = |port: &Port| {
            let readable = port.readable && port.line.is_silent();
            let line = port.line.next_time(now);
            if readable { Some(now) } else { line }
        };
        self.ports.iter().filter_map(due).min()
    }

    /// Takes all probes off, and the ports out of the file system.
    pub(super) fn close(
        mut self,
        now: Time,
        domains: &mut [Option<FleetDomain>],
        desk: &mut Desk<'_>,
    ) -> Visits {
        for port in &mut self.ports {
            if let Some(domain) = &mut domains[port.domain] {
                let mut turn = Turn {
                    port,
                    visits: &mut self.visits,
                    said: &mut self.said,
                    domain,
                    now,
                };
                turn.hang_up(desk);
            }
        }
        std::mem::take(&mut self.visits)
    }
}

impl Drop for OpticalPorts {
    fn drop(&mut self) {
        // The links first; a folder with something else in it stays.
        self.ports.clear();
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// One port that has its turn.
struct Turn<'a> {
    port: &'a mut Port,
    visits: &'a mut Visits,
    said: &'a mut Said,
    domain: &'a mut FleetDomain,
    now: Time,
}

impl Turn<'_> {
    fn take(&mut self, desk: &mut Desk<'_>) -> Result<(), LiveError> {
        if self.port.replaced {
            self.depart(desk);
            self.port.terminal.drain().map_err(LiveError::Sockets)?;
        }
        for _ in 0..TURNS {
            if let Some(octets) = self.port.line.arrived(self.now) {
                self.hear(&octets, desk);
            } else if !self.port.readable || !self.listen(desk)? {
                break;
            }
        }
        if self.port.expecting {
            self.say(desk);
        }
        self.write()
    }

    /// Looks for octets from the program; returns whether there is more to do.
    fn listen(&mut self, desk: &mut Desk<'_>) -> Result<bool, LiveError> {
        let (meter, now) = (self.port.meter, self.now);
        let world = self.domain.world_mut();
        let Ok(parameters) = world.visit(meter, now, desk, |host| host.optical_parameters());
        let room = self.port.line.room(parameters.baud).min(BUFFER);
        if room == 0 {
            return Ok(false);
        }
        let mut buffer = [0; BUFFER];
        let heard = self.port.terminal.read(&mut buffer[..room]);
        match heard.map_err(LiveError::Sockets)? {
            Heard::Octets(len) => {
                self.visits.probes += u64::from(!self.port.attached);
                self.port.attached = true;
                let octets = &buffer[..len];
                let line = &mut self.port.line;
                line.take_in(octets, len == room, parameters.baud, now);
                Ok(true)
            }
            Heard::Nothing => {
                self.port.readable = false;
                Ok(false)
            }
            Heard::HungUp => {
                self.port.readable = false;
                if self.port.attached {
                    self.depart(desk);
                    self.port.terminal.refresh().map_err(LiveError::Sockets)?;
                }
                Ok(false)
            }
        }
    }

    fn hear(&mut self, octets: &[u8], desk: &mut Desk<'_>) {
        self.visits.received_octets += octets.len() as u64;
        let world = self.domain.world_mut();
        let visit = world.visit(self.port.meter, self.now, desk, |host| {
            host.hear_optical(octets)
        });
        let Ok(heard) = visit;
        if heard {
            self.port.expecting = true;
            self.say(desk);
        } else {
            self.visits.unpowered_octets += octets.len() as u64;
        }
    }

    /// Takes what the meter has to say.
    fn say(&mut self, desk: &mut Desk<'_>) {
        let world = self.domain.world_mut();
        let Ok(()) = world.visit(self.port.meter, self.now, desk, |host| {
            host.take_optical(self.said);
        });
        self.port.expecting = self.said.expecting;
        for event in &self.said.events {
            self.visits.count(event);
        }
        for transmit in self.said.transmits.drain(..) {
            let len = transmit.octets.len() as u64;
            self.visits.sent(&transmit.octets, transmit.retransmission);
            if !(self.port.attached && self.port.line.put(transmit, self.now)) {
                self.visits.unread_octets += len;
            }
        }
    }

    /// Hands octets to the program.
    fn write(&mut self) -> Result<(), LiveError> {
        let Port { line, terminal, .. } = &mut *self.port;
        while let Some(octets) = line.due(self.now) {
            let written = match terminal.write(octets) {
                Ok(written) => written,
                // The program has just closed it; what is read next says so, too.
                Err(_) => octets.len(),
            };
            if written == 0 {
                break;
            }
            line.wrote(written, self.now);
        }
        Ok(())
    }

    /// The program has closed the terminal.
    fn depart(&mut self, desk: &mut Desk<'_>) {
        self.hang_up(desk);
        self.visits.departures += 1;
    }

    /// The probe is taken off.
    fn hang_up(&mut self, desk: &mut Desk<'_>) {
        let world = self.domain.world_mut();
        let Ok(()) = world.visit(self.port.meter, self.now, desk, |host| {
            host.hang_up_optical();
        });
        self.port.attached = false;
        self.port.replaced = false;
        self.say(desk);
        self.port.line.clear();
    }
}
