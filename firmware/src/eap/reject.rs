//! Why an EAP packet was silently discarded.

use core::fmt;

use super::psk;

/// The cause of a discarded EAP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reject {
    /// Fewer octets than the header, or than the Length field says (RFC 3748 §4).
    Truncated,
    /// Length does not fit the Code (RFC 3748 §4.1, §4.2).
    BadLength,
    /// Code is none of 1..=4 (RFC 3748 §4).
    UnknownCode,
    /// An Expanded Type or a Nak without its fields (RFC 3748 §5.3, §5.7).
    MalformedType,
    /// The Code does not travel in this direction (RFC 3748 §4.1, §4.2).
    WrongDirection,
    /// No conversation is open, or it has ended already (RFC 4137 §4.1).
    NotRunning,
    /// A Response to another Request than the outstanding one (RFC 3748 §4.1).
    IdentifierMismatch,
    /// Success or Failure without the Identifier of the last Response (RFC 3748 §4.2).
    ResultIdentifierMismatch,
    /// Success while the method does not allow it (RFC 3748 §4.2).
    PrematureSuccess,
    /// Failure while the method runs (RFC 4137 §4.1).
    PrematureFailure,
    /// Failure after success was indicated both ways (RFC 3748 §4.2).
    FailureAfterSuccess,
    /// A Type that no Request may carry, such as Nak (RFC 3748 §5.3).
    InvalidRequestType,
    /// A Request of another Type once a method runs (RFC 3748 §2.1).
    MethodInterrupted,
    /// A new Request once the method is done (RFC 4137 §4.4).
    MethodDone,
    /// A Notification, which the running method forbids (RFC 3748 §5.2).
    NotificationForbidden,
    /// A Response of a Type that was not asked for (RFC 3748 §4.1).
    UnexpectedResponseType,
    /// A Nak after the method has started, or an Expanded Nak unasked (RFC 3748 §5.3).
    UnexpectedNak,
    /// The caller lent a buffer with less room than [`MTU`](super::MTU).
    NoBuffer,
    /// EAP-PSK discards it.
    Psk(psk::Reject),
}

impl Reject {
    /// The cause as a stable snake-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::BadLength => "bad_length",
            Self::UnknownCode => "unknown_code",
            Self::MalformedType => "malformed_type",
            Self::WrongDirection => "wrong_direction",
            Self::NotRunning => "not_running",
            Self::IdentifierMismatch => "identifier_mismatch",
            Self::ResultIdentifierMismatch => "result_identifier_mismatch",
            Self::PrematureSuccess => "premature_success",
            Self::PrematureFailure => "premature_failure",
            Self::FailureAfterSuccess => "failure_after_success",
            Self::InvalidRequestType => "invalid_request_type",
            Self::MethodInterrupted => "method_interrupted",
            Self::MethodDone => "method_done",
            Self::NotificationForbidden => "notification_forbidden",
            Self::UnexpectedResponseType => "unexpected_response_type",
            Self::UnexpectedNak => "unexpected_nak",
            Self::NoBuffer => "no_buffer",
            Self::Psk(reject) => reject.name(),
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Reject {}

impl From<psk::Reject> for Reject {
    fn from(reject: psk::Reject) -> Self {
        Self::Psk(reject)
    }
}
