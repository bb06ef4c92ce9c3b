//! Labels with a fixed meaning, for the columns that list their values.
//!
//! Causes, protocols and message types are open sets: they carry the names the firmware gives its
//! rejects and messages.

/// Key or role at the meter.
pub const METER: &str = "meter";
/// Key or role at the head-end.
pub const HEADEND: &str = "headend";

/// Role at a concentrator or border router.
pub const CONCENTRATOR: &str = "concentrator";

/// From the meter to the head-end.
pub const UP: &str = "up";
/// From the head-end to the meter.
pub const DOWN: &str = "down";

/// A key between a meter and the head-end.
pub const UNICAST: &str = "unicast";
/// A key of a group of meters, and an order that came under one.
pub const GROUP: &str = "group";
/// The request by which a meter is handed the key of a group.
pub const GROUP_KEY: &str = "group_key";
/// The medium of home area networks, and the purpose of their link keys.
pub const HAN: &str = "han";
/// A device in the home of a meter.
pub const HOME_DEVICE: &str = "home_device";

/// First authentication of a PANA session (RFC 5191 §4.1).
pub const INITIAL: &str = "initial";
/// Re-authentication within a PANA session (RFC 5191 §4.3).
pub const REAUTHENTICATION: &str = "reauthentication";

/// The attempt, request or message achieved what it was for.
pub const SUCCESS: &str = "success";
/// The peer refused.
pub const REJECTED: &str = "rejected";
/// No answer came in time.
pub const TIMEOUT: &str = "timeout";
/// The session or the run ended first.
pub const CLOSED: &str = "closed";
/// The message was lost or discarded on its way.
pub const LOST: &str = "lost";

/// The receiver of an attacker's datagram took it, or an action of an attacker achieved its aim.
pub const ACCEPTED: &str = "accepted";
/// The receiver of an attacker's datagram sent its last answer again and changed nothing.
pub const REPEATED: &str = "repeated";
/// An attacker's datagram never came to the code that would have judged it.
pub const IGNORED: &str = "ignored";
/// An attacker kept a datagram from its receiver.
pub const DROPPED: &str = "dropped";

/// The key's lifetime, or its overlap after a rotation, ran out.
pub const EXPIRED: &str = "expired";
/// A newer key of the same ring slot took its place.
pub const REPLACED: &str = "replaced";
/// The PANA session expired or failed and its keys ended with it.
pub const SESSION_ENDED: &str = "session_ended";
/// One of its ends terminated the PANA session (RFC 5191 §4.4), and its keys with it.
pub const TERMINATED: &str = "terminated";
/// The meter lost its volatile memory.
pub const REBOOT: &str = "reboot";
/// The run ended while the key was alive.
pub const RUN_ENDED: &str = "run_ended";

/// C12.22 security mode 0: neither authenticated nor encrypted.
pub const CLEARTEXT: &str = "cleartext";
/// C12.22 security mode 1: authenticated cleartext.
pub const AUTHENTICATED: &str = "authenticated";
/// C12.22 security mode 2: authenticated and encrypted.
pub const ENCRYPTED: &str = "encrypted";

/// An order of the operator of the head-end.
pub const OPERATOR: &str = "operator";
/// A read that somebody waits for.
pub const ON_DEMAND_READ: &str = "on_demand_read";
/// A firmware image that is sent and activated.
pub const FIRMWARE_UPDATE: &str = "firmware_update";
/// A meter has accepted the manifest of an image.
pub const OFFERED: &str = "offered";
/// A meter has all of an image, and its digest is right.
pub const VERIFIED: &str = "verified";
/// A meter has all of an image, and its digest is another one.
pub const FAULTY: &str = "faulty";
/// A meter was not asked to take an image because the update was halted.
pub const HALTED: &str = "halted";
/// A meter was not asked to take an image because its wave still waited at the end of the run.
pub const HELD_BACK: &str = "held_back";
/// An image runs.
pub const ACTIVATED: &str = "activated";
/// A scheduled read of the current registers.
pub const READ_REGISTERS: &str = "read_registers";
/// The switch has moved as ordered.
pub const MOVED: &str = "moved";
/// The switch was where the order wants it.
pub const UNMOVED: &str = "unmoved";
/// A later order took this one back before the switch moved.
pub const TAKEN_BACK: &str = "taken_back";
/// An order to limit controllable load.
pub const LIMIT: &str = "limit";
/// The household has opted out of an event.
pub const OPTED_OUT: &str = "opted_out";
/// An order to open.
pub const DISCONNECT: &str = "disconnect";

/// An outage that is over before it is long enough to be reported.
pub const MOMENTARY: &str = "momentary";
/// An outage that is long enough to be reported.
pub const SUSTAINED: &str = "sustained";

/// A local day of the meter ended.
pub const DAY: &str = "day";
/// The demand of a meter was reset.
pub const DEMAND_RESET: &str = "demand_reset";
/// Intervals and registers agree.
pub const PASS: &str = "pass";
/// Intervals and registers do not agree.
pub const FAIL: &str = "fail";
/// Energy or demand from the grid to the premise.
pub const DELIVERED: &str = "delivered";
/// Energy or demand from the premise to the grid.
pub const RECEIVED: &str = "received";
