//! A PAA session in the (re-)authentication phase (RFC 5191 §4.1, §4.3).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Authorizer, Completion, Decision, PaaEvent, PaaSession, PaaState};
use crate::eap::{self, AuthOutcome};
use crate::pana::avp::{self, Code};
use crate::pana::exchange::authenticate;
use crate::pana::header::{Flags, MessageType};
use crate::pana::key::{Association, KeyInputs, Sender, Suite};
use crate::pana::message::{Message, ResultCode};
use crate::pana::session::{CloseCause, Deadlines, encapsulate};
use crate::pana::{CONFIDENTIAL_LEN_MAX, Reject};
use crate::wire::Writer;
use crate::{Duration, Env};

impl<M: eap::ServerMethod> PaaSession<M> {
    /// A PAR with the EAP response of a PaC that does not piggyback (RFC 5191 §4.1).
    pub(super) fn on_auth_request(
        &mut self,
        message: &Message<'_>,
        credentials: &M::Credentials,
        authorizer: &mut dyn Authorizer,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let stage = message.header.flags;
        let staged = stage.contains(Flags::START) || stage.contains(Flags::COMPLETE);
        if self.state != PaaState::Authenticating || staged {
            return Err(Reject::MessageUnexpected);
        }
        authenticate(message, self.security.auth_key(), env.work)?;
        if message.nonce.is_some() {
            return Err(Reject::NonceUnexpected);
        }
        // The PAN that is still missing carries the nonce; the PaC repeats this PAR meanwhile.
        if !self.security.nonces.paa.is_empty() && !self.security.nonces.complete() {
            return Err(Reject::NonceMissing);
        }
        let packet = message.eap.ok_or(Reject::AvpMissing)?;
        let mut buffer = [0; eap::MTU];
        let mut reply = Writer::new(&mut buffer);
        let outcome = self
            .authenticator
            .handle(packet, credentials, &mut reply, env)
            .map_err(Reject::Eap)?;
        self.exchange.settle();
        self.exchange.accept(message);
        self.exchange
            .answer(&message.header)
            .finish(self.security.auth_key(), env.work);
        self.proceed(outcome, reply.written(), authorizer, env);
        Ok(())
    }

    /// PAN with S bit selects the algorithms (RFC 5191 §4.1).
    pub(super) fn on_start_answer(
        &mut self,
        message: &Message<'_>,
        credentials: &M::Credentials,
        authorizer: &mut dyn Authorizer,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        authenticate(message, None, env.work)?;
        if message.prf.is_empty() || message.integrity.is_empty() {
            return Err(Reject::AvpMissing);
        }
        let (prf, integrity) = self
            .config
            .algorithms
            .selected(message.prf, message.integrity)
            .ok_or(Reject::AlgorithmNotOffered)?;
        let encryption = message.encryption.has_aes_ctr();
        let acceptable = encryption && self.config.encryption;
        if !acceptable && !message.encryption.is_empty() {
            return Err(Reject::AlgorithmNotOffered);
        }
        let mut buffer = [0; eap::MTU];
        let mut reply = Writer::new(&mut buffer);
        let outcome = match message.eap {
            Some(packet) if self.config.optimized => {
                let handled = self
                    .authenticator
                    .handle(packet, credentials, &mut reply, env);
                Some(handled.map_err(Reject::Eap)?)
            }
            Some(_) => return Err(Reject::EapMisplaced),
            None => None,
        };
        self.security.suite = Some(Suite {
            prf,
            integrity,
            encryption,
        });
        self.security.first_messages = [self.exchange.request_octets(), message.octets]
            .concat()
            .into_boxed_slice();
        self.deadlines.authentication = Some(env.now + self.config.failed_session_timeout);
        self.state = PaaState::Authenticating;
        self.exchange.settle();
        match outcome {
            Some(outcome) => self.proceed(outcome, reply.written(), authorizer, env),
            // The EAP response follows in a PAR of the PaC.
            None if self.config.optimized => {}
            None => self.start_eap(env),
        }
        Ok(())
    }

    /// A PAN, with the EAP response if the PaC piggybacks (RFC 5191 §4.1).
    pub(super) fn on_auth_answer(
        &mut self,
        message: &Message<'_>,
        credentials: &M::Credentials,
        authorizer: &mut dyn Authorizer,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        authenticate(message, self.security.auth_key(), env.work)?;
        let first = self.security.nonces.pac.is_empty();
        match (first, message.nonce) {
            (true, None) => return Err(Reject::NonceMissing),
            (false, Some(_)) => return Err(Reject::NonceUnexpected),
            _ => {}
        }
        let mut buffer = [0; eap::MTU];
        let mut reply = Writer::new(&mut buffer);
        let outcome = match message.eap {
            Some(packet) => {
                let handled = self
                    .authenticator
                    .handle(packet, credentials, &mut reply, env);
                Some(handled.map_err(Reject::Eap)?)
            }
            None => None,
        };
        self.exchange.settle();
        if let Some(nonce) = message.nonce {
            self.security.nonces.pac.extend_from_slice(nonce);
        }
        if let Some(outcome) = outcome {
            self.proceed(outcome, reply.written(), authorizer, env);
        }
        Ok(())
    }

    /// PAN with C bit confirms the result (RFC 5191 §4.1).
    pub(super) fn on_complete_answer(
        &mut self,
        message: &Message<'_>,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let completion = self.completion.as_ref().ok_or(Reject::MessageUnexpected)?;
        let key = match &completion.association {
            Some(association) => {
                let key_id = message.key_id.ok_or(Reject::KeyIdMissing)?;
                if key_id != association.key_id() {
                    return Err(Reject::KeyIdMismatch);
                }
                Some(association.auth())
            }
            None => self.security.auth_key(),
        };
        authenticate(message, key, env.work)?;
        let Some(completion) = self.completion.take() else {
            return Err(Reject::MessageUnexpected);
        };
        if completion.result_code != ResultCode::Success {
            self.close(CloseCause::Rejected);
            return Ok(());
        }
        let kind = self.security.authentication();
        let key_id = message.key_id.unwrap_or_default();
        self.exchange.settle();
        self.security.association = completion.association;
        self.security.nonces = Default::default();
        self.deadlines = Deadlines {
            authentication: None,
            expiry: Some(env.now + completion.lifetime),
        };
        self.state = PaaState::Open;
        self.wishes.reauthenticate = false;
        self.events.push(PaaEvent::Authenticated {
            key_id,
            lifetime: completion.lifetime,
            kind,
        });
        Ok(())
    }

    /// Starts EAP and sends its first request with a fresh nonce (RFC 5191 §4.1, §4.3).
    pub(super) fn start_eap(&mut self, env: &mut Env<'_>) {
        self.security.nonces.clear();
        let mut buffer = [0; eap::MTU];
        let mut packet = Writer::new(&mut buffer);
        if self.authenticator.start(&mut packet, env).is_ok() {
            self.send_eap_request(packet.written(), env);
        } else {
            self.close(CloseCause::EapFailed);
        }
    }

    /// Sends what EAP answered; a wish to terminate takes precedence.
    fn proceed(
        &mut self,
        outcome: AuthOutcome,
        packet: &[u8],
        authorizer: &mut dyn Authorizer,
        env: &mut Env<'_>,
    ) {
        if self.wishes.terminate.is_some() {
            return;
        }
        match outcome {
            AuthOutcome::Request => self.send_eap_request(packet, env),
            AuthOutcome::Success => self.complete(packet, authorizer, env),
            AuthOutcome::Failure => self.send_failure(packet, env),
        }
    }

    fn send_eap_request(&mut self, packet: &[u8], env: &mut Env<'_>) {
        let first = self.security.nonces.paa.is_empty();
        if first {
            self.security.nonces.paa.resize(self.config.nonce_len(), 0);
            env.rng.fill_bytes(&mut self.security.nonces.paa);
        }
        let flags = self.reconfiguration_flag();
        let mut request = self
            .exchange
            .request(MessageType::Auth, flags, self.session_id, env);
        if first {
            request.avp(Code::Nonce, &self.security.nonces.paa);
        }
        request.avp(Code::EapPayload, packet);
        request.finish(self.security.auth_key(), env.work);
        self.exchange.launch(&self.config, env);
    }

    /// EAP failed: no new key exists, the old one protects the message if there is one.
    fn send_failure(&mut self, packet: &[u8], env: &mut Env<'_>) {
        let result_code = ResultCode::AuthenticationRejected;
        let flags = Flags::COMPLETE.with(self.reconfiguration_flag());
        let mut request = self
            .exchange
            .request(MessageType::Auth, flags, self.session_id, env);
        request.number(Code::ResultCode, result_code.id());
        request.avp(Code::EapPayload, packet);
        request.finish(self.security.auth_key(), env.work);
        self.exchange.launch(&self.config, env);
        self.completion = Some(Box::new(Completion {
            result_code,
            lifetime: Duration::ZERO,
            association: None,
        }));
        self.state = PaaState::Completing;
        self.events.push(PaaEvent::Rejected { result_code });
    }

    /// EAP succeeded: derives the new key and announces the decision of the host under it.
    fn complete(&mut self, packet: &[u8], authorizer: &mut dyn Authorizer, env: &mut Env<'_>) {
        let identity: Box<[u8]> = self
            .authenticator
            .peer_identity()
            .unwrap_or_default()
            .into();
        let (Some(keys), Some(suite), true) = (
            self.authenticator.take_keys(),
            self.security.suite,
            self.security.nonces.complete(),
        ) else {
            self.close(CloseCause::EapFailed);
            return;
        };
        let (key_id, lifetime) = match authorizer.authorize(&identity, self.pac) {
            Decision::Grant { key_id, lifetime } => (key_id, Some(lifetime)),
            Decision::Deny { key_id } => (key_id, None),
        };
        let association = KeyInputs {
            msk: &keys.msk,
            suite,
            first_messages: &self.security.first_messages,
            pac_nonce: &self.security.nonces.pac,
            paa_nonce: &self.security.nonces.paa,
            key_id,
        }
        .derive(env.work);
        let kind = self.security.authentication();
        // Session-Lifetime has 32 bits of seconds.
        let lifetime_s =
            lifetime.map(|lifetime| u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX));
        let mut confidential = Vec::new();
        if lifetime_s.is_some() && suite.encryption {
            authorizer.confidential(&identity, &mut confidential);
        }
        self.send_result(packet, &association, lifetime_s, confidential, env);
        let result_code = match lifetime_s {
            Some(_) => ResultCode::Success,
            None => ResultCode::AuthorizationRejected,
        };
        let lifetime = Duration::from_secs(lifetime_s.unwrap_or_default().into());
        self.completion = Some(Box::new(Completion {
            result_code,
            lifetime,
            association: Some(association),
        }));
        self.events.push(if result_code == ResultCode::Success {
            PaaEvent::KeysReady {
                key_id,
                lifetime,
                keys,
                identity,
                kind,
            }
        } else {
            PaaEvent::Rejected { result_code }
        });
    }

    /// PAR with C bit and EAP-Success: a success if there is a lifetime.
    fn send_result(
        &mut self,
        packet: &[u8],
        association: &Association,
        lifetime_s: Option<u32>,
        mut confidential: Vec<u8>,
        env: &mut Env<'_>,
    ) {
        let flags = Flags::COMPLETE.with(self.reconfiguration_flag());
        let result_code = match lifetime_s {
            Some(_) => ResultCode::Success,
            None => ResultCode::AuthorizationRejected,
        };
        let mut request = self
            .exchange
            .request(MessageType::Auth, flags, self.session_id, env);
        request.number(Code::ResultCode, result_code.id());
        request.avp(Code::EapPayload, packet);
        request.number(Code::KeyId, association.key_id());
        if let Some(lifetime_s) = lifetime_s {
            if confidential.is_empty() || confidential.len() > CONFIDENTIAL_LEN_MAX {
                request.number(Code::SessionLifetime, lifetime_s);
            } else {
                let mut avps = Vec::new();
                avp::push(&mut avps, Code::SessionLifetime, &lifetime_s.to_be_bytes());
                avps.append(&mut confidential);
                encapsulate(&mut request, association, Sender::Paa, &mut avps, env);
            }
        }
        request.finish(Some(association.auth()), env.work);
        self.exchange.launch(&self.config, env);
        self.state = PaaState::Completing;
    }

    /// The I bit is set in the initial authentication only (RFC 5191 §4.1).
    fn reconfiguration_flag(&self) -> Flags {
        if self.security.association.is_none() && self.config.ip_reconfiguration {
            Flags::IP_RECONFIGURATION
        } else {
            Flags::NONE
        }
    }
}
