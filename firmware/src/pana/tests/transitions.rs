//! Which message each state takes: a table of states against messages.
//!
//! Every message is valid in itself: right session, next sequence number, AUTH where there is a
//! key. Only the state decides (RFC 5191 §5.5, RFC 5609 §5, §6).

use std::string::String;

use super::*;

const MESSAGES: [(&str, MessageType, Flags); 9] = [
    ("PCI", MessageType::ClientInitiation, Flags::NONE),
    (
        "PAR[S]",
        MessageType::Auth,
        Flags::REQUEST.with(Flags::START),
    ),
    ("PAR", MessageType::Auth, Flags::REQUEST),
    (
        "PNR[A]",
        MessageType::Notification,
        Flags::REQUEST.with(Flags::REAUTHENTICATION),
    ),
    (
        "PNR[P]",
        MessageType::Notification,
        Flags::REQUEST.with(Flags::PING),
    ),
    ("PTR", MessageType::Termination, Flags::REQUEST),
    ("PAN", MessageType::Auth, Flags::NONE),
    ("PNA[P]", MessageType::Notification, Flags::PING),
    ("PTA", MessageType::Termination, Flags::NONE),
];

/// The message of `kind` that the peer of `to` could send next.
fn craft(pair: &Pair, to: To, kind: MessageType, flags: Flags) -> Vec<u8> {
    let request = flags.contains(Flags::REQUEST);
    let numbered = |to: To| {
        pair.sent
            .iter()
            .filter(|sent| sent.to == to && sent.octets[4] & 0x80 != 0)
            .filter_map(|sent| Header::parse(&sent.octets).ok())
            .next_back()
            .map(|header| header.sequence)
    };
    let to_receiver = to;
    let to_peer = if to == To::Pac { To::Paa } else { To::Pac };
    let sequence = match (kind, request) {
        (MessageType::ClientInitiation, _) => 0,
        (_, true) => numbered(to_receiver).map_or(0, |last| last.wrapping_add(1)),
        (_, false) => numbered(to_peer).unwrap_or_default(),
    };
    let session_id = if kind == MessageType::ClientInitiation {
        0
    } else {
        pair.pac.session_id()
    };
    let mut octets = vec![];
    let mut message = Emitter::new(&mut octets, kind, flags, session_id, sequence);
    if kind == MessageType::Termination && request {
        message.number(avp::Code::TerminationCause, 4);
    }
    if flags.contains(Flags::START) {
        message.number(avp::Code::PrfAlgorithm, 2);
        message.number(avp::Code::IntegrityAlgorithm, 7);
    } else if kind == MessageType::Auth && request {
        message.avp(avp::Code::EapPayload, &[1, 200, 0, 5, 1]);
        if pair.pac.state() != PacState::Authenticating {
            message.avp(avp::Code::Nonce, &[7; 16]);
        }
    }
    let key = pair.pac.association().map(|association| association.auth());
    let signs = kind != MessageType::ClientInitiation && !flags.contains(Flags::START);
    message.finish(key.filter(|_| signs), &mut Work::default());
    octets
}

/// A state by name, and how to get there.
type Stage = (&'static str, fn() -> Pair);

/// One paragraph per state: what it makes of every message.
fn table(to: To, stages: &[Stage]) -> String {
    let mut lines = String::new();
    for (name, stage) in stages {
        lines.push_str(name);
        lines.push(':');
        for (message, kind, flags) in MESSAGES {
            let mut pair = stage();
            let octets = craft(&pair, to, kind, flags);
            let verdict = match pair.deliver(to, pac_address(), &octets) {
                Ok(()) => "taken",
                Err(reject) => reject.name(),
            };
            lines.push_str(&std::format!("\n  {message} {verdict}"));
        }
        lines.push('\n');
    }
    lines
}

fn fresh() -> Pair {
    Pair::new(&config(&[SHA1], true, 16), true)
}

fn discovering() -> Pair {
    let mut pair = fresh();
    pair.start();
    pair
}

fn open() -> Pair {
    fresh().authenticated()
}

fn authenticating() -> Pair {
    let mut pair = fresh();
    pair.start();
    pair.run_for(Duration::from_millis(85));
    assert_eq!(pair.pac.state(), PacState::Authenticating);
    assert_eq!(pair.paa_state(), PaaState::Authenticating);
    pair
}

fn terminating() -> Pair {
    let mut pair = open();
    pair.pac_terminate();
    pair
}

fn revoking() -> Pair {
    let mut pair = open();
    pair.paa_terminate();
    pair
}

fn awaiting_reauthentication() -> Pair {
    let mut pair = open();
    pair.pac_reauthenticate();
    pair
}

fn reauthenticating() -> Pair {
    let mut pair = open();
    pair.paa_reauthenticate();
    pair
}

fn closed() -> Pair {
    let mut pair = terminating();
    pair.run_for(Duration::from_secs(1));
    assert_eq!(pair.pac.state(), PacState::Closed);
    pair
}

#[test]
fn rfc5609_5_what_a_pac_takes() {
    let table = table(
        To::Pac,
        &[
            ("Idle", fresh),
            ("Discovering", discovering),
            ("Authenticating", authenticating),
            ("Open", open),
            ("AwaitingReauthentication", awaiting_reauthentication),
            ("Terminating", terminating),
            ("Closed", closed),
        ],
    );
    assert_eq!(table, include_str!("pac_transitions.txt"));
}

#[test]
fn rfc5609_6_what_a_paa_takes() {
    let table = table(
        To::Paa,
        &[
            ("none", fresh),
            ("Authenticating", authenticating),
            ("Open", open),
            ("Reauthenticating", reauthenticating),
            ("Terminating", revoking),
            ("Closed", closed),
        ],
    );
    assert_eq!(table, include_str!("paa_transitions.txt"));
}
