//! Who opens and closes terminals.
//!
//! A terminal tells that its last program has closed it, but not if the next one has opened it
//! before somebody looks. The file system tells every opening and closing.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// Watches over terminals, each of which has an index.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: Inotify,
    indices: HashMap<WatchDescriptor, usize>,
    /// How many programs have each terminal open.
    users: Vec<u32>,
}

impl Watch {
    /// Watches over nothing.
    ///
    /// # Errors
    ///
    /// The system has too many watchers.
    pub(super) fn new() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        Ok(Self {
            inotify,
            indices: HashMap::new(),
            users: Vec::new(),
        })
    }

    /// Watches over `device`, which nobody has open; it gets the next index.
    pub(super) fn add(&mut self, device: &Path) -> io::Result<()> {
        let flags = AddWatchFlags::IN_OPEN | AddWatchFlags::IN_CLOSE;
        let watch = self.inotify.add_watch(device, flags)?;
        self.indices.insert(watch, self.users.len());
        self.users.push(0);
        Ok(())
    }

    /// Calls `opened` with the index of each terminal that a program has opened which had been
    /// closed by all.
    pub(super) fn poll(&mut self, mut opened: impl FnMut(usize)) -> io::Result<()> {
        loop {
            let events = match self.inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            for event in events {
                let Some(&index) = self.indices.get(&event.wd) else {
                    continue;
                };
                let users = &mut self.users[index];
                if event.mask.contains(AddWatchFlags::IN_OPEN) {
                    if *users == 0 {
                        opened(index);
                    }
                    *users += 1;
                } else {
                    *users = users.saturating_sub(1);
                }
            }
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::terminal::Terminal;
    use std::fs::File;

    #[test]
    fn only_the_first_of_several_programs_opens_a_terminal() {
        let terminals = [(); 2].map(|()| Terminal::open().expect("a pseudo-terminal"));
        let mut watch = Watch::new().expect("a watch");
        for terminal in &terminals {
            watch.add(terminal.device()).expect("it is watched");
        }
        let mut opened = Vec::new();
        let mut look = |watch: &mut Watch| {
            watch.poll(|index| opened.push(index)).expect("it works");
            std::mem::take(&mut opened)
        };
        let open = || File::open(terminals[1].device()).expect("it opens");
        let first = open();
        assert_eq!(look(&mut watch), [1]);
        let second = open();
        drop(first);
        assert_eq!(look(&mut watch), [0; 0], "the second is still there");
        drop(second);
        let third = open();
        assert_eq!(look(&mut watch), [1], "however short the pause");
        drop(third);
    }
}
