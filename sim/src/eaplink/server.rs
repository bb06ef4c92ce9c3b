//! The server end.

use firmware::Env;
use firmware::eap::psk::PskServer;
use firmware::eap::{AuthOutcome, Authenticator, AuthenticatorConfig, FailureCause, MTU};
use firmware::wire::Writer;

use super::{End, Outcome, Reaction, Users};

/// An EAP authenticator with the server of EAP-PSK and a list of its users.
#[derive(Debug)]
pub struct ServerEnd {
    authenticator: Authenticator<PskServer>,
    server_id: Vec<u8>,
    users: Users,
    /// Whether a Request waits for its Response.
    asking: bool,
}

impl ServerEnd {
    /// A server named `server_id`; the `discard_limit`-th invalid message of a conversation ends
    /// it with Failure, with 0 none does (RFC 4764 orders to discard them silently).
    ///
    /// # Panics
    ///
    /// If `server_id` is longer than [`ID_LEN_MAX`](firmware::eap::psk::ID_LEN_MAX).
    pub fn new(server_id: &[u8], users: Users, discard_limit: u8) -> Self {
        let config = AuthenticatorConfig {
            discard_limit,
            ..AuthenticatorConfig::default()
        };
        Self {
            authenticator: Authenticator::new(PskServer::new(server_id), config),
            server_id: server_id.into(),
            users,
            asking: false,
        }
    }

    fn end(&mut self, outcome: AuthOutcome) -> Reaction {
        self.asking = outcome == AuthOutcome::Request;
        match outcome {
            AuthOutcome::Request => Reaction::Silent,
            AuthOutcome::Success => {
                let peer_id = self
                    .authenticator
                    .peer_identity()
                    .unwrap_or_default()
                    .to_vec();
                Reaction::Ended(match self.authenticator.take_keys() {
                    Some(keys) => Outcome::Success {
                        keys: Box::new(keys),
                        peer_id,
                        server_id: self.server_id.clone(),
                    },
                    None => Outcome::Failure { cause: "no_keys" },
                })
            }
            AuthOutcome::Failure => {
                let cause = self.authenticator.failure_cause();
                Reaction::Ended(Outcome::Failure {
                    cause: cause.map_or("method", FailureCause::name),
                })
            }
        }
    }
}

impl End for ServerEnd {
    fn start(&mut self, out: &mut Vec<u8>, env: &mut Env<'_>) -> Reaction {
        let mut buffer = [0; MTU];
        let mut request = Writer::new(&mut buffer);
        if self.authenticator.start(&mut request, env).is_err() {
            return Reaction::Ended(Outcome::Failure { cause: "no_buffer" });
        }
        out.extend_from_slice(request.written());
        self.asking = true;
        Reaction::Silent
    }

    fn packet(&mut self, packet: &[u8], out: &mut Vec<u8>, env: &mut Env<'_>) -> Reaction {
        let mut buffer = [0; MTU];
        let mut answer = Writer::new(&mut buffer);
        let handled = self
            .authenticator
            .handle(packet, &self.users, &mut answer, env);
        out.extend_from_slice(answer.written());
        match handled {
            Ok(outcome) => self.end(outcome),
            Err(reject) => Reaction::Discarded(reject.name()),
        }
    }

    fn timeout(&mut self, out: &mut Vec<u8>) -> Reaction {
        if !self.asking {
            return Reaction::Ignored("no Request is outstanding");
        }
        out.extend_from_slice(self.authenticator.outstanding());
        Reaction::Silent
    }
}
