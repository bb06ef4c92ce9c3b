//! Why a datagram was discarded.

use crate::c1222::service::ResponseCode;
use crate::{c1222, pana};

/// The cause of a discarded datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// The enforcement point is closed to everything but authentication (RFC 5191 §2).
    AccessClosed,
    /// A rule of C12.22 or of its security.
    C1222(c1222::Reject),
    /// A rule of PANA or of the EAP that it carries.
    Pana(pana::Reject),
    /// A relay says in clear, which proves nothing, that it could not deliver something.
    Relay(ResponseCode),
    /// No meter has the calling ApTitle, or it does not belong to the session at that address.
    TitleUnknown,
}

impl Reject {
    /// The cause in snake case, for tables and statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessClosed => "access_closed",
            Self::C1222(reject) => reject.name(),
            Self::Pana(reject) => reject.name(),
            Self::Relay(ResponseCode::Uat) => "relay_uat",
            Self::Relay(ResponseCode::Netr) => "relay_netr",
            Self::Relay(_) => "relay_error",
            Self::TitleUnknown => "title_unknown",
        }
    }
}
