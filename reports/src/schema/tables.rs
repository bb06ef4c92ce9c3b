//! The tables of a run.
//!
//! Times are nanoseconds of the virtual clock since the start of the run, whatever a meter's own
//! clock shows. Bins are half open: `bin_start_ns` belongs to the bin, its end to the next one.
//!
//! | module | tables |
//! |---|---|
//! | [`meters`](mod@meters) | `meters`, `auth`, `keys` |
//! | [`traffic`](mod@traffic) | `traffic`, `messages`, `headend`, `rejects`, `attacks` |
//! | [`metering`](mod@metering) | `reads`, `registers`, `demand`, `mdms` |
//! | [`orders`](mod@orders) | `commands`, `requests`, `demand_response`, `grid`, `feeders`, `firmware` |
//! | [`field`](mod@field) | `han`, `optical`, `outages` |

pub mod field;
pub mod metering;
pub mod meters;
pub mod orders;
pub mod traffic;

pub use field::*;
pub use metering::*;
pub use meters::*;
pub use orders::*;
pub use traffic::*;
