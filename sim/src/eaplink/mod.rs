//! EAPLINK/1: an EAP peer or server that other programs talk to.
//!
//! The EAP machines of the firmware, without PANA and without a simulation: a test harness, or a
//! bridge to RADIUS, lets them converse with other implementations of the same method. Frames go
//! over standard input and output or over one TCP connection; one connection serves many
//! conversations, one after another.
//!
//! | kind | name | direction | body |
//! |---|---|---|---|
//! | 1 | EAP | both | one complete EAP packet |
//! | 2 | RESULT | from the program | `outcome=success` or `outcome=failure`, then `key=value` |
//! | 3 | START | to the program | a server answers with its first Request, a peer starts over |
//! | 4 | DISCARD | from the program | why the packet just received was silently discarded |
//! | 5 | NOTE | from the program | a remark, may be ignored |
//! | 7 | TIMEOUT | to the program | a server repeats its outstanding Request |

mod frame;
mod peer;
mod server;
#[cfg(test)]
mod tests;
mod users;

use std::fmt::Write as _;
use std::io::{self, BufWriter, Read, Write};
use std::time::Instant;

use firmware::crypto::Work;
use firmware::eap::Keys;
use firmware::{Duration, Env};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

pub use peer::PeerEnd;
pub use server::ServerEnd;
pub use users::{Users, UsersError, parse_psk};

use frame::{Input, Kind};

/// The only method so far, as RESULT names it.
const METHOD: &str = "psk";

/// One end of EAP conversations.
pub trait End {
    /// Begins a conversation, whatever became of the one before; appends the first packet, if any.
    fn start(&mut self, out: &mut Vec<u8>, env: &mut Env<'_>) -> Reaction;

    /// Takes a packet; appends the answer, if any.
    fn packet(&mut self, packet: &[u8], out: &mut Vec<u8>, env: &mut Env<'_>) -> Reaction;

    /// The retransmission timer fired; appends what is to be repeated.
    fn timeout(&mut self, out: &mut Vec<u8>) -> Reaction;
}

/// What happened beside the packet that goes out.
#[derive(Debug)]
pub enum Reaction {
    /// Nothing to be told.
    Silent,
    /// The packet was silently discarded (RFC 3748 §4), for this cause.
    Discarded(&'static str),
    /// The input means nothing to this end now.
    Ignored(&'static str),
    /// The conversation is over.
    Ended(Outcome),
}

/// How a conversation ended.
#[derive(Debug)]
pub enum Outcome {
    /// Both ends are authenticated.
    Success {
        /// What the method exported.
        keys: Box<Keys>,
        /// The peer's identity within the method.
        peer_id: Vec<u8>,
        /// The server's identity within the method.
        server_id: Vec<u8>,
    },
    /// They are not.
    Failure {
        /// Why, in snake case.
        cause: &'static str,
    },
}

impl Outcome {
    /// The body of RESULT.
    fn text(&self) -> String {
        let mut text = String::new();
        match self {
            Self::Success {
                keys,
                peer_id,
                server_id,
            } => {
                text.push_str("outcome=success");
                for (key, value) in [
                    ("msk", keys.msk.expose().as_slice()),
                    ("emsk", keys.emsk.expose().as_slice()),
                    ("session_id", keys.session_id.as_bytes()),
                    ("peer_id", peer_id),
                    ("server_id", server_id),
                ] {
                    let _ = write!(text, " {key}=");
                    for octet in value {
                        let _ = write!(text, "{octet:02x}");
                    }
                }
                let _ = write!(text, " method={METHOD}");
            }
            Self::Failure { cause } => {
                let _ = write!(text, "outcome=failure method={METHOD} cause={cause}");
            }
        }
        text
    }
}

/// The generator of nonces and challenges: reproducible with a seed, else from the system.
///
/// # Errors
///
/// The system has no random numbers.
pub fn generator(seed: Option<u64>) -> io::Result<ChaCha20Rng> {
    if let Some(seed) = seed {
        return Ok(ChaCha20Rng::seed_from_u64(seed));
    }
    let mut entropy = [0; 32];
    getrandom::fill(&mut entropy).map_err(io::Error::from)?;
    Ok(ChaCha20Rng::from_seed(entropy))
}

/// Serves conversations until the input ends.
///
/// # Errors
///
/// The input ends inside a frame or breaks the framing, or input or output fail.
pub fn serve(
    end: &mut dyn End,
    mut rng: ChaCha20Rng,
    input: &mut dyn Read,
    output: &mut dyn Write,
) -> io::Result<()> {
    let mut output = BufWriter::new(output);
    let (mut buffer, mut packet) = (Vec::new(), Vec::new());
    let epoch = Instant::now();
    let mut work = Work::default();
    while let Some(input) = frame::read(input, &mut buffer)? {
        let elapsed = u64::try_from(epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let now = firmware::Instant::ZERO + Duration::from_nanos(elapsed);
        let mut env = Env::new(now, &mut rng, &mut work);
        packet.clear();
        let reaction = match input {
            Input::Packet(octets) => end.packet(octets, &mut packet, &mut env),
            Input::Start => end.start(&mut packet, &mut env),
            Input::Timeout => end.timeout(&mut packet),
            // Answering would keep two programs that talk to each other busy for ever.
            Input::Report => Reaction::Silent,
            Input::Unknown(kind) => {
                let note = format!("there are no frames of kind {kind}");
                frame::write(&mut output, Kind::Note, note.as_bytes())?;
                Reaction::Silent
            }
        };
        if !packet.is_empty() {
            frame::write(&mut output, Kind::Packet, &packet)?;
        }
        match reaction {
            Reaction::Silent => {}
            Reaction::Discarded(cause) => {
                frame::write(&mut output, Kind::Discard, cause.as_bytes())?;
            }
            Reaction::Ignored(why) => frame::write(&mut output, Kind::Note, why.as_bytes())?,
            Reaction::Ended(outcome) => {
                frame::write(&mut output, Kind::Result, outcome.text().as_bytes())?;
            }
        }
        output.flush()?;
    }
    Ok(())
}
