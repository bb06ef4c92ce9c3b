//! Pending tables: what will replace a table at a time, or when a procedure says so.
//!
//! ```text
//! write of a table with bit 12 of its number   event (6) | octets of the table
//! event   selector: 0..3 what activates it, 4 self read first, 5 demand reset first | storage (5)
//! ```
//!
//! A table may come in parts, each of which begins where the one before has ended; only a complete
//! one is activated, and it is checked like any other write at that time. Events are told apart by
//! their six octets; two are supported: a time (0) and a procedure alone (15). That the event
//! comes before the table is known from general knowledge alone.

use alloc::vec::Vec;

use super::factory;
use crate::c1219::Format;
use crate::c1219::codec::Decoder;
use crate::c1219::identity::PendingEntry;
use crate::c1222::service::{ResponseCode, Selector};

/// Octets of an event.
pub(super) const EVENT_LEN: usize = 6;

/// A table that waits.
#[derive(Debug)]
pub(super) struct Pending {
    /// Number of the table, without bit 12.
    pub(super) table: u16,
    /// Event and octets so far.
    image: Vec<u8>,
    /// Octets of the event and of the whole table.
    len: usize,
}

impl Pending {
    /// Octets of the table, if all of them are there.
    pub(super) fn octets(&self) -> Option<&[u8]> {
        if self.image.len() == self.len {
            self.image.get(EVENT_LEN..)
        } else {
            None
        }
    }

    /// What has been written so far.
    pub(super) fn image(&self) -> &[u8] {
        &self.image
    }

    /// The six octets that name its event, if they are there.
    pub(super) fn event(&self) -> Option<[u8; EVENT_LEN]> {
        self.image.first_chunk().copied()
    }

    /// Whether a self read, and whether a demand reset is to be made with it.
    pub(super) fn first(&self) -> (bool, bool) {
        let selector = self.image.first().copied().unwrap_or(0);
        (selector & 0x10 != 0, selector & 0x20 != 0)
    }

    /// When it becomes valid, in seconds since 1970; `None` if no time has been set.
    pub(super) fn due_utc(&self) -> Option<u32> {
        let [selector, storage @ ..] = self.event()?;
        if selector & 0x0F != PendingEntry::AT_TIME {
            return None;
        }
        let time = Decoder::new(&storage, &Format::PROFILE).minute().ok()??;
        time.to_utc().filter(|_| self.octets().is_some())
    }

    /// The entry of ST4.
    pub(super) fn entry(&self) -> PendingEntry {
        let [selector, storage @ ..] = self.event().unwrap_or_default();
        PendingEntry {
            selector,
            storage,
            table: self.table,
        }
    }
}

/// The tables that wait.
#[derive(Debug, Default)]
pub(super) struct PendingTables {
    tables: Vec<Pending>,
    /// When the last one became valid.
    pub(super) activated_utc: Option<u32>,
}

impl PendingTables {
    /// No table waits.
    pub(super) const fn new() -> Self {
        Self {
            tables: Vec::new(),
            activated_utc: None,
        }
    }

    /// The tables that wait.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Pending> {
        self.tables.iter()
    }

    /// The image of a table, if it waits.
    pub(super) fn get(&self, table: u16) -> Option<&Pending> {
        self.tables.iter().find(|pending| pending.table == table)
    }

    /// Takes a write to the pending image of a table of `table_len` octets.
    pub(super) fn write(
        &mut self,
        table: u16,
        table_len: usize,
        selector: Selector<'_>,
        data: &[u8],
    ) -> Result<(), ResponseCode> {
        let len = EVENT_LEN + table_len;
        let start = match selector {
            Selector::Full if data.len() == len => 0,
            Selector::Offset(offset, _) => {
                usize::try_from(offset).map_err(|_| ResponseCode::Onp)?
            }
            _ => return Err(ResponseCode::Onp),
        };
        let known = self
            .tables
            .iter()
            .position(|pending| pending.table == table);
        let filled = known.map_or(0, |at| self.tables[at].image.len());
        if start > filled || data.len() > len.saturating_sub(start) {
            return Err(ResponseCode::Onp);
        }
        let at = match known {
            Some(at) => at,
            None if self.tables.len() == factory::PENDING_MAX => return Err(ResponseCode::Bsy),
            None => {
                self.tables.push(Pending {
                    table,
                    image: Vec::new(),
                    len,
                });
                self.tables.len() - 1
            }
        };
        // Whatever is written again makes what came after it void.
        let image = &mut self.tables[at].image;
        image.truncate(start);
        image.extend_from_slice(data);
        Ok(())
    }

    /// Takes out the complete tables that `chosen` picks, in the order in which they came.
    pub(super) fn take(&mut self, chosen: impl Fn(&Pending) -> bool) -> Vec<Pending> {
        let complete = |pending: &Pending| pending.octets().is_some() && chosen(pending);
        let mut taken = Vec::new();
        while let Some(at) = self.tables.iter().position(complete) {
            taken.push(self.tables.remove(at));
        }
        taken
    }

    /// When the next complete table becomes valid by itself, in seconds since 1970.
    pub(super) fn due_utc(&self) -> Option<u32> {
        self.tables.iter().filter_map(Pending::due_utc).min()
    }

    /// Forgets the tables that `chosen` picks; tells how many there were.
    pub(super) fn clear(&mut self, chosen: impl Fn(&Pending) -> bool) -> usize {
        let before = self.tables.len();
        self.tables.retain(|pending| !chosen(pending));
        before - self.tables.len()
    }
}
