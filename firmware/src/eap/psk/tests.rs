//! EAP-PSK conversations.

use std::sync::Arc;
use std::vec::Vec;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::*;
use crate::crypto::Work;
use crate::eap::{AuthOutcome, Authenticator, AuthenticatorConfig, MTU, Peer, PeerOutcome};
use crate::wire::Writer;
use crate::{Env, Instant};

const PSK: [u8; 16] = [0x42; 16];
const ID_P: &[u8] = b"meter-000001@ami.example";
const ID_S: &[u8] = b"headend@utility.example";

struct OnePeer;

impl Credentials for OnePeer {
    fn keys(&self, id_p: &[u8], work: &mut Work) -> Option<LongTermKeys> {
        (id_p == ID_P).then(|| LongTermKeys::from_psk(&PSK, work))
    }
}

#[test]
fn conversation_costs_42_blocks_at_each_end() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut setup = Work::NONE;
    let keys = LongTermKeys::from_psk(&PSK, &mut setup);
    assert_eq!(setup.aes_blocks, 3);
    let mut peer = Peer::new(PskPeer::new(ID_P, Some(Arc::from(ID_S)), keys));
    let mut server = Authenticator::new(PskServer::new(ID_S), AuthenticatorConfig::default());
    let (mut peer_work, mut server_work) = (Work::NONE, Work::NONE);
    let mut request = [0xA5; MTU];
    let mut out = Writer::new(&mut request);
    server
        .start(
            &mut out,
            &mut Env::new(Instant::ZERO, &mut rng, &mut server_work),
        )
        .unwrap();
    let mut packet: Vec<u8> = out.written().to_vec();
    loop {
        let mut buffer = [0xA5; MTU];
        let mut out = Writer::new(&mut buffer);
        let outcome = peer
            .handle(
                &packet,
                &mut out,
                &mut Env::new(Instant::ZERO, &mut rng, &mut peer_work),
            )
            .unwrap();
        if outcome != PeerOutcome::Response {
            assert_eq!(outcome, PeerOutcome::Success);
            break;
        }
        packet = out.written().to_vec();
        let mut buffer = [0xA5; MTU];
        let mut out = Writer::new(&mut buffer);
        let outcome = server
            .handle(
                &packet,
                &OnePeer,
                &mut out,
                &mut Env::new(Instant::ZERO, &mut rng, &mut server_work),
            )
            .unwrap();
        assert_ne!(outcome, AuthOutcome::Failure);
        packet = out.written().to_vec();
    }
    assert_eq!(peer_work.aes_blocks, 42);
    assert_eq!(
        server_work.aes_blocks,
        42 + 3,
        "the server sets the key up as well"
    );
    assert_eq!(server.peer_identity(), Some(ID_P));
    let keys = peer.take_keys().unwrap();
    assert_eq!(keys, server.take_keys().unwrap());
    assert_eq!(keys.session_id.as_bytes().len(), 33);
}
