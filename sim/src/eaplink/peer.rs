//! The peer end.

use std::sync::Arc;

use firmware::Env;
use firmware::crypto::Work;
use firmware::eap::psk::{LongTermKeys, PskPeer};
use firmware::eap::{MTU, Peer, PeerMethod, PeerOutcome};
use firmware::wire::Writer;

use super::{End, Outcome, Reaction};

/// An EAP peer with EAP-PSK.
#[derive(Debug)]
pub struct PeerEnd {
    peer: Peer<PskPeer>,
}

impl PeerEnd {
    /// A peer that shares `psk` with `server`, or with any server if that is absent.
    ///
    /// # Panics
    ///
    /// If `identity` is longer than [`ID_LEN_MAX`](firmware::eap::psk::ID_LEN_MAX).
    pub fn new(identity: &[u8], server: Option<&[u8]>, psk: &[u8; 16]) -> Self {
        let keys = LongTermKeys::from_psk(psk, &mut Work::default());
        let method = PskPeer::new(identity, server.map(Arc::from), keys);
        Self {
            peer: Peer::new(method),
        }
    }
}

impl End for PeerEnd {
    fn start(&mut self, _out: &mut Vec<u8>, _env: &mut Env<'_>) -> Reaction {
        self.peer.restart();
        Reaction::Silent
    }

    fn packet(&mut self, packet: &[u8], out: &mut Vec<u8>, env: &mut Env<'_>) -> Reaction {
        let mut buffer = [0; MTU];
        let mut response = Writer::new(&mut buffer);
        match self.peer.handle(packet, &mut response, env) {
            Ok(PeerOutcome::Response) => {
                out.extend_from_slice(response.written());
                Reaction::Silent
            }
            Ok(PeerOutcome::Success) => {
                let method = self.peer.method();
                let (peer_id, server_id) =
                    (method.identity().into(), method.server_identity().into());
                Reaction::Ended(match self.peer.take_keys() {
                    Some(keys) => Outcome::Success {
                        keys: Box::new(keys),
                        peer_id,
                        server_id,
                    },
                    None => Outcome::Failure { cause: "no_keys" },
                })
            }
            Ok(PeerOutcome::Failure) => Reaction::Ended(Outcome::Failure {
                cause: "eap_failure",
            }),
            Err(reject) => Reaction::Discarded(reject.name()),
        }
    }

    fn timeout(&mut self, _out: &mut Vec<u8>) -> Reaction {
        Reaction::Ignored("a peer has no retransmission timer (RFC 3748 §4.3)")
    }
}
