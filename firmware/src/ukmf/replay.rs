//! Playback rejection: which messages under one key have been seen already.

use alloc::boxed::Box;

/// The number of invocation ids behind the highest one that are still told apart.
pub const WINDOW_LEN: u32 = 64;

/// What [`ReplayWindow::check`] found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// The invocation id was accepted before.
    Duplicate,
    /// The invocation id is so old that it cannot be told from a duplicate.
    TooOld,
}

/// A sliding window over the invocation ids of one sender under one key.
///
/// Holds the highest accepted id and which of the [`WINDOW_LEN`] ids up to it were accepted, so
/// that datagrams may overtake each other but none is accepted twice. An id is recorded only once
/// its message is authentic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplayWindow {
    highest: u32,
    /// Bit `n` stands for `highest - n`; no bit is set before the first message.
    seen: u64,
}

impl ReplayWindow {
    /// A window that has seen nothing.
    pub const fn new() -> Self {
        Self {
            highest: 0,
            seen: 0,
        }
    }

    /// Whether a message with `invocation` may be accepted.
    pub const fn check(&self, invocation: u32) -> Result<(), Replay> {
        if self.seen == 0 || invocation > self.highest {
            return Ok(());
        }
        let age = self.highest - invocation;
        if age >= WINDOW_LEN {
            Err(Replay::TooOld)
        } else if self.seen >> age & 1 == 1 {
            Err(Replay::Duplicate)
        } else {
            Ok(())
        }
    }

    /// Records an authentic message; call only after [`check`](Self::check) allowed it.
    pub const fn record(&mut self, invocation: u32) {
        if self.seen == 0 {
            self.highest = invocation;
            self.seen = 1;
        } else if invocation > self.highest {
            let step = invocation - self.highest;
            self.highest = invocation;
            self.seen = if step < WINDOW_LEN {
                self.seen << step | 1
            } else {
                1
            };
        } else {
            let age = self.highest - invocation;
            if age < WINDOW_LEN {
                self.seen |= 1 << age;
            }
        }
    }
}

/// The number of messages that [`RecentMessages`] tells apart.
pub const RECENT_LEN: usize = 32;

/// One remembered message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Message {
    sender: u64,
    invocation: u32,
    iv: u32,
}

/// The messages received lately under a key whose senders choose invocation ids freely.
///
/// A sessionless C12.22 client may use random invocation ids, so that no window over them helps.
/// Instead every (sender, invocation id, IV) is remembered. Once the memory is full, the oldest IV
/// is forgotten, and everything up to and including that IV is refused from then on: a message is
/// never accepted twice, however small the memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentMessages {
    messages: [Message; RECENT_LEN],
    len: usize,
    /// Messages with an IV up to this one are refused; `None` until something was forgotten.
    floor: Option<u32>,
}

impl RecentMessages {
    /// A memory of no messages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the message may be accepted.
    pub fn check(&self, sender: u64, invocation: u32, iv: u32) -> Result<(), Replay> {
        let message = Message {
            sender,
            invocation,
            iv,
        };
        if self.messages[..self.len].contains(&message) {
            Err(Replay::Duplicate)
        } else if self.floor.is_some_and(|floor| iv <= floor) {
            Err(Replay::TooOld)
        } else {
            Ok(())
        }
    }

    /// Records an authentic message; call only after [`check`](Self::check) allowed it.
    pub fn record(&mut self, sender: u64, invocation: u32, iv: u32) {
        let message = Message {
            sender,
            invocation,
            iv,
        };
        if self.len < RECENT_LEN {
            self.messages[self.len] = message;
            self.len += 1;
            return;
        }
        let oldest = (0..RECENT_LEN)
            .min_by_key(|&at| self.messages[at].iv)
            .expect("the memory is full, not empty");
        self.floor = self.floor.max(Some(self.messages[oldest].iv));
        self.messages[oldest] = message;
    }
}

/// The playback rejection of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// One sender whose invocation ids increase: keys that UKMF derives.
    Window(ReplayWindow),
    /// Senders that choose invocation ids freely: static keys.
    Recent(Box<RecentMessages>),
}

impl Freshness {
    /// Whether the message may be accepted.
    pub fn check(&self, sender: u64, invocation: u32, iv: u32) -> Result<(), Replay> {
        match self {
            Self::Window(window) => window.check(invocation),
            Self::Recent(recent) => recent.check(sender, invocation, iv),
        }
    }

    /// Records an authentic message; call only after [`check`](Self::check) allowed it.
    pub fn record(&mut self, sender: u64, invocation: u32, iv: u32) {
        match self {
            Self::Window(window) => window.record(invocation),
            Self::Recent(recent) => recent.record(sender, invocation, iv),
        }
    }

    /// Forgets every message.
    pub fn forget(&mut self) {
        match self {
            Self::Window(window) => *window = ReplayWindow::new(),
            Self::Recent(recent) => **recent = RecentMessages::new(),
        }
    }
}
