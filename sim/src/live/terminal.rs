//! A pseudo-terminal that stands for an optical head, and its name in a folder.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{
    BaudRate, FlushArg, SetArg, cfmakeraw, cfsetspeed, tcflush, tcgetattr, tcsetattr,
};

/// What is to be heard at a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// So many octets.
    Octets(usize),
    /// Nothing at present.
    Nothing,
    /// The last program has closed its end, or none has opened it.
    HungUp,
}

/// Our end of a pseudo-terminal.
///
/// The speed that a program sets at the other end is accepted and means nothing; what C12.18
/// negotiates counts.
#[derive(Debug)]
pub(super) struct Terminal {
    master: PtyMaster,
    device: PathBuf,
}

impl Terminal {
    /// Opens a new one.
    ///
    /// # Errors
    ///
    /// The system has no more of them, or no more files for this process.
    pub(super) fn open() -> io::Result<Self> {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let device = ptsname_r(&master)?.into();
        let terminal = Self { master, device };
        terminal.refresh()?;
        Ok(terminal)
    }

    /// The device that programs open.
    pub(super) fn device(&self) -> &Path {
        &self.device
    }

    /// Makes the other end as it was at first: raw, at 9600 baud, with nothing to be read.
    ///
    /// Settings and octets that nobody has read outlive the program that they were for.
    pub(super) fn refresh(&self) -> io::Result<()> {
        let device = self.drain()?;
        let mut settings = tcgetattr(&device)?;
        cfmakeraw(&mut settings);
        cfsetspeed(&mut settings, BaudRate::B9600)?;
        tcsetattr(&device, SetArg::TCSANOW, &settings)?;
        Ok(())
    }

    /// Discards what the program has not read; returns its end, open.
    pub(super) fn drain(&self) -> io::Result<File> {
        let mut options = File::options();
        let options = options.read(true).write(true);
        let options = options.custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK);
        let device = options.open(&self.device)?;
        tcflush(&device, FlushArg::TCIFLUSH)?;
        Ok(device)
    }

    /// Takes octets that the program has sent.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<Heard> {
        match (&self.master).read(buffer) {
            Ok(0) => Ok(Heard::HungUp),
            Ok(len) => Ok(Heard::Octets(len)),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => Ok(Heard::Nothing),
                _ if error.raw_os_error() == Some(Errno::EIO as i32) => Ok(Heard::HungUp),
                _ => Err(error),
            },
        }
    }

    /// Hands octets to the program; returns how many the terminal has taken.
    pub(super) fn write(&self, octets: &[u8]) -> io::Result<usize> {
        match (&self.master).write(octets) {
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Ok(0)
            }
            written => written,
        }
    }
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }
}

/// A symbolic link, which goes when it is dropped.
#[derive(Debug)]
pub(super) struct Link {
    path: PathBuf,
    target: PathBuf,
}

impl Link {
    /// Makes a link at `path`; one that leads nowhere, or any if `force`, is replaced.
    ///
    /// # Errors
    ///
    /// Something else is there, or the file system refuses.
    pub(super) fn make(path: PathBuf, target: &Path, force: bool) -> io::Result<Self> {
        let is_link = fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
        if is_link && (force || !path.exists()) {
            fs::remove_file(&path)?;
        }
        symlink(target, &path)?;
        Ok(Self {
            path,
            target: target.to_owned(),
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Somebody else may have replaced it meanwhile.
        if fs::read_link(&self.path).is_ok_and(|target| target == self.target) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
    use std::time::{Duration, Instant};

    /// Reads until something other than nothing is heard.
    fn hear(terminal: &Terminal, buffer: &mut [u8]) -> Heard {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            match terminal.read(buffer).expect("the terminal works") {
                Heard::Nothing => std::thread::sleep(Duration::from_millis(1)),
                heard => return heard,
            }
        }
        panic!("nothing is heard");
    }

    /// Waits until octets have arrived at the program's end, which then treats them by its settings.
    fn await_input(program: &File) {
        let epoll = Epoll::new(EpollCreateFlags::empty()).expect("a poll");
        let event = EpollEvent::new(EpollFlags::EPOLLIN, 0);
        epoll.add(program, event).expect("it is watched");
        let ready = epoll.wait(&mut [event], 10_000_u16).expect("a wait");
        assert_eq!(ready, 1, "nothing arrives");
    }

    fn program(terminal: &Terminal) -> File {
        let mut options = File::options();
        options.read(true).write(true);
        options.custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK);
        options.open(terminal.device()).expect("the device opens")
    }

    #[test]
    fn octets_pass_unchanged_and_the_next_program_finds_none_of_the_last() {
        let terminal = Terminal::open().expect("a pseudo-terminal");
        let mut buffer = [0; 512];
        let all: Vec<u8> = (0..=255).collect();
        let mut first = program(&terminal);
        first.write_all(&all).expect("octets are written");
        assert_eq!(hear(&terminal, &mut buffer), Heard::Octets(256));
        assert_eq!(buffer[..256], all);
        assert_eq!(terminal.write(b"\x03\x06\n\x15").expect("written"), 4);
        await_input(&first);
        // Settings that a program leaves behind do not last either.
        let mut settings = tcgetattr(&first).expect("settings");
        settings.local_flags |= nix::sys::termios::LocalFlags::ECHO;
        cfsetspeed(&mut settings, BaudRate::B57600).expect("a speed");
        tcsetattr(&first, SetArg::TCSANOW, &settings).expect("they are accepted");
        drop(first);
        assert_eq!(hear(&terminal, &mut buffer), Heard::HungUp);

        terminal.refresh().expect("it is as at first");
        let mut second = program(&terminal);
        let nothing = second.read(&mut buffer).map_err(|error| error.kind());
        assert_eq!(nothing, Err(ErrorKind::WouldBlock));
        second.write_all(b"\xEE").expect("an octet is written");
        assert_eq!(hear(&terminal, &mut buffer), Heard::Octets(1));
        let nothing = second.read(&mut buffer).map_err(|error| error.kind());
        assert_eq!(nothing, Err(ErrorKind::WouldBlock), "there is no echo");
    }

    #[test]
    fn links_replace_only_what_leads_nowhere() {
        let folder = std::env::temp_dir().join(format!("meterstorm-link-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("meter");
        symlink(folder.join("nothing"), &path).expect("a link that leads nowhere");
        let link = Link::make(path.clone(), &folder, false).expect("it is replaced");
        let taken = Link::make(path.clone(), &folder, false).map_err(|error| error.kind());
        assert_eq!(taken.err(), Some(ErrorKind::AlreadyExists));
        drop(link);
        assert!(fs::symlink_metadata(&path).is_err(), "the link is gone");
        fs::write(&path, "a file").expect("a file");
        let taken = Link::make(path.clone(), &folder, true).map_err(|error| error.kind());
        assert_eq!(taken.err(), Some(ErrorKind::AlreadyExists));
        fs::remove_dir_all(&folder).expect("the folder goes");
    }
}
