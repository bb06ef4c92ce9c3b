//! Fetching memory ahead of its use.
//!
//! Between two messages of one meter thousands of others are handled: with more meters than fit
//! the caches, every line of its state has to come from memory, one after the other as the
//! protocol code gets to it. Asked for together and one event ahead, the lines come while the
//! processor is busy.

use firmware::memory::Visitor;

/// Octets that memory is fetched in.
const LINE: usize = 64;

/// Asks for the memory of the objects that it sees.
pub(crate) struct Prefetch;

impl Visitor for Prefetch {
    #[inline]
    fn visit<T>(&mut self, object: &T) {
        fetch(core::ptr::from_ref(object).cast(), size_of::<T>());
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "stable Rust has no safe prefetch")]
#[inline]
fn fetch(start: *const i8, octets: usize) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    for offset in (0..octets + LINE - 1).step_by(LINE) {
        // SAFETY: a prefetch reads nothing into the program and never faults, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.wrapping_add(offset)) };
    }
}

/// Other processors have to do without.
#[cfg(not(target_arch = "x86_64"))]
fn fetch(_: *const i8, _: usize) {}
