//! The PaC in the (re-)authentication phase (RFC 5191 §4.1, §4.3).

use alloc::vec::Vec;

use super::{Pac, PacEvent, PacState};
use crate::eap::{self, PeerOutcome};
use crate::pana::avp::{Avps, Code};
use crate::pana::exchange::authenticate;
use crate::pana::header::{Flags, MessageType};
use crate::pana::key::{AES128_CTR, Association, KeyInputs, Sender, Suite};
use crate::pana::message::{Message, ResultCode};
use crate::pana::session::{CloseCause, Deadlines};
use crate::pana::{EAP_FAILURE, EAP_SUCCESS, Reject, is_eap_request};
use crate::wire::Writer;
use crate::{Duration, Env};

impl<M: eap::PeerMethod> Pac<M> {
    /// The first PAR of a session settles the algorithms (RFC 5191 §4.1).
    pub(super) fn on_start(
        &mut self,
        message: &Message<'_>,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        match self.state {
            PacState::Idle | PacState::Discovering => {}
            PacState::Authenticating if self.exchange.is_repeated(message) => {
                self.exchange.repeat_answer();
                return Ok(());
            }
            // Until the second PAR the PaC repeats its PCI, and a PAA that restarted meanwhile
            // answers with another session.
            PacState::Authenticating if self.exchange.is_initiating() => {}
            _ => return Err(Reject::MessageUnexpected),
        }
        authenticate(message, None, env.work)?;
        let (prf, integrity) = self
            .config
            .algorithms
            .select(message.prf, message.integrity)
            .ok_or(Reject::AlgorithmUnacceptable)?;
        let suite = Suite {
            prf,
            integrity,
            encryption: self.config.encryption && message.encryption.has_aes_ctr(),
        };
        self.peer.restart();
        let mut buffer = [0; eap::MTU];
        let mut response = Writer::new(&mut buffer);
        if let Some(packet) = message.eap {
            if !is_eap_request(packet) {
                return Err(Reject::EapMisplaced);
            }
            self.peer
                .handle(packet, &mut response, env)
                .map_err(Reject::Eap)?;
            // Only a PAA that keeps state sends EAP this early, and it repeats PAR[S] itself.
            self.exchange.settle();
        }
        self.session_id = message.header.session_id;
        self.reconfigure = message.header.flags.contains(Flags::IP_RECONFIGURATION);
        self.security.nonces.clear();
        self.security.suite = Some(suite);
        self.deadlines.authentication = Some(env.now + self.config.failed_session_timeout);
        self.state = PacState::Authenticating;

        self.exchange.accept(message);
        let piggyback = self.config.piggyback && !response.is_empty();
        let mut answer = self.exchange.answer(&message.header);
        if piggyback {
            answer.avp(Code::EapPayload, response.written());
        }
        answer.number(Code::PrfAlgorithm, suite.prf.id());
        answer.number(Code::IntegrityAlgorithm, suite.integrity.id());
        if suite.encryption {
            answer.number(Code::EncryptionAlgorithm, AES128_CTR);
        }
        answer.finish(None, env.work);
        self.security.first_messages = [message.octets, self.exchange.answer_octets()]
            .concat()
            .into_boxed_slice();
        if !piggyback && !response.is_empty() {
            self.send_response(response.written(), env);
        }
        Ok(())
    }

    /// A PAR with an EAP request (RFC 5191 §4.1), or the start of a re-authentication (§4.3).
    pub(super) fn on_auth_request(
        &mut self,
        message: &Message<'_>,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let restarts = match self.state {
            PacState::Authenticating => false,
            PacState::Open => true,
            _ => return Err(Reject::MessageUnexpected),
        };
        authenticate(message, self.security.auth_key(), env.work)?;
        let packet = message.eap.ok_or(Reject::AvpMissing)?;
        if !is_eap_request(packet) {
            return Err(Reject::EapMisplaced);
        }
        let first = restarts || self.security.nonces.paa.is_empty();
        let paa_nonce = match (first, message.nonce) {
            (true, None) => return Err(Reject::NonceMissing),
            (false, Some(_)) => return Err(Reject::NonceUnexpected),
            (_, nonce) => nonce,
        };
        if restarts {
            self.peer.restart();
        }
        let mut buffer = [0; eap::MTU];
        let mut response = Writer::new(&mut buffer);
        let outcome = self
            .peer
            .handle(packet, &mut response, env)
            .map_err(Reject::Eap)?;

        self.exchange.accept(message);
        // The PAA sends its next PAR after it has processed a PAR of the PaC, so this is an
        // answer to that, as it is to a PCI. A ping stays outstanding.
        if self.exchange.outstanding_kind() != Some(MessageType::Notification) {
            self.exchange.settle();
        }
        if restarts {
            self.begin_phase(env);
        }
        self.reconfigure |= message.header.flags.contains(Flags::IP_RECONFIGURATION);
        let piggyback = (self.config.piggyback || self.exchange.outstanding_kind().is_some())
            && !response.is_empty();
        if let Some(nonce) = paa_nonce {
            let nonces = &mut self.security.nonces;
            nonces.paa.clear();
            nonces.paa.extend_from_slice(nonce);
            nonces.pac.resize(self.config.nonce_len(), 0);
            env.rng.fill_bytes(&mut nonces.pac);
        }
        let mut answer = self.exchange.answer(&message.header);
        if first {
            answer.avp(Code::Nonce, &self.security.nonces.pac);
        }
        if piggyback {
            answer.avp(Code::EapPayload, response.written());
        }
        answer.finish(self.security.auth_key(), env.work);
        if outcome != PeerOutcome::Response {
            self.close(CloseCause::EapFailed);
        } else if !piggyback {
            self.send_response(response.written(), env);
        }
        Ok(())
    }

    /// Without piggybacking an EAP response travels in a PAR of the PaC (RFC 5191 §4.1).
    fn send_response(&mut self, packet: &[u8], env: &mut Env<'_>) {
        let mut request =
            self.exchange
                .request(MessageType::Auth, Flags::NONE, self.session_id, env);
        request.avp(Code::EapPayload, packet);
        request.finish(self.security.auth_key(), env.work);
        self.exchange.launch(&self.config, env);
    }

    /// PAR with C bit ends the phase (RFC 5191 §4.1).
    pub(super) fn on_complete(
        &mut self,
        message: &Message<'_>,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let pings = self.exchange.outstanding_kind() == Some(MessageType::Notification);
        if self.state != PacState::Authenticating || pings {
            return Err(Reject::MessageUnexpected);
        }
        if message.nonce.is_some() {
            return Err(Reject::NonceUnexpected);
        }
        match message.result_code.ok_or(Reject::AvpMissing)? {
            ResultCode::AuthenticationRejected => self.on_failure(message, env),
            result_code => self.on_success(message, result_code, env),
        }
    }

    /// EAP failed: only a re-authentication can protect that message, by the old key.
    fn on_failure(&mut self, message: &Message<'_>, env: &mut Env<'_>) -> Result<(), Reject> {
        let key = self.security.auth_key();
        if key.is_none() && !self.config.unprotected_failure {
            return Err(Reject::FailureUnprotected);
        }
        authenticate(message, key, env.work)?;
        if message.eap.is_some() && message.eap_code() != Some(EAP_FAILURE) {
            return Err(Reject::ResultContradictory);
        }
        // Result-Code alone ends a conversation that has not succeeded, whatever EAP waits for
        // (altReject of RFC 4137 §4.1). A forgery must not undo a success that EAP indicated.
        if self.peer.keys().is_some() {
            let packet = message.eap.ok_or(Reject::ResultContradictory)?;
            self.peer
                .handle(packet, &mut Writer::new(&mut [0; eap::MTU]), env)
                .map_err(Reject::Eap)?;
        }
        self.exchange.settle();
        self.exchange.accept(message);
        self.exchange
            .answer(&message.header)
            .finish(self.security.auth_key(), env.work);
        self.events.push(PacEvent::Rejected {
            result_code: ResultCode::AuthenticationRejected,
        });
        self.close(CloseCause::Rejected);
        Ok(())
    }

    /// EAP succeeded: the new key protects the message, so it is derived first.
    fn on_success(
        &mut self,
        message: &Message<'_>,
        result_code: ResultCode,
        env: &mut Env<'_>,
    ) -> Result<(), Reject> {
        let packet = message.eap.ok_or(Reject::AvpMissing)?;
        if message.eap_code() != Some(EAP_SUCCESS) {
            return Err(Reject::ResultContradictory);
        }
        let association = self.verify_success(message, env)?;
        let mut plaintext = message.encapsulated.map(Vec::from).unwrap_or_default();
        let lifetime_s = self.decrypt(&association, message, &mut plaintext, env)?;
        if result_code == ResultCode::Success && lifetime_s.is_none() {
            return Err(Reject::LifetimeMissing);
        }
        let outcome = self
            .peer
            .handle(packet, &mut Writer::new(&mut [0; eap::MTU]), env)
            .map_err(Reject::Eap)?;
        let (PeerOutcome::Success, Some(keys)) = (outcome, self.peer.take_keys()) else {
            return Err(Reject::ResultContradictory);
        };

        let kind = self.security.authentication();
        let key_id = association.key_id();
        self.exchange.settle();
        self.exchange.accept(message);
        let mut answer = self.exchange.answer(&message.header);
        answer.number(Code::KeyId, key_id);
        answer.finish(Some(association.auth()), env.work);
        let Some(lifetime_s) = lifetime_s.filter(|_| result_code == ResultCode::Success) else {
            self.events.push(PacEvent::Rejected { result_code });
            self.close(CloseCause::Rejected);
            return Ok(());
        };
        let lifetime = Duration::from_secs(lifetime_s.into());
        self.security.association = Some(association);
        self.security.nonces = Default::default();
        self.deadlines = Deadlines {
            authentication: None,
            expiry: Some(env.now + lifetime),
        };
        self.state = PacState::Open;
        self.wishes.reauthenticate = false;
        self.events.push(PacEvent::Authenticated {
            key_id,
            lifetime,
            keys,
            kind,
        });
        if !plaintext.is_empty() {
            self.events
                .push(PacEvent::Confidential(plaintext.into_boxed_slice()));
        }
        if core::mem::take(&mut self.reconfigure) {
            self.events.push(PacEvent::AddressReconfiguration);
        }
        Ok(())
    }

    /// Derives the PANA SA that `message` announces, if its AUTH proves it.
    fn verify_success(
        &mut self,
        message: &Message<'_>,
        env: &mut Env<'_>,
    ) -> Result<Association, Reject> {
        let keys = self.peer.keys().ok_or(Reject::ResultContradictory)?;
        let key_id = message.key_id.ok_or(Reject::KeyIdMissing)?;
        if message.auth.is_none() {
            return Err(Reject::AuthMissing);
        }
        if !self.security.nonces.complete() {
            return Err(Reject::NonceMissing);
        }
        let association = KeyInputs {
            msk: &keys.msk,
            suite: self.security.suite.ok_or(Reject::MessageUnexpected)?,
            first_messages: &self.security.first_messages,
            pac_nonce: &self.security.nonces.pac,
            paa_nonce: &self.security.nonces.paa,
            key_id,
        }
        .derive(env.work);
        message.verify(association.auth(), env.work)?;
        Ok(association)
    }

    /// Decrypts Encryption-Encap in place; returns Session-Lifetime from either place.
    pub(super) fn decrypt(
        &self,
        association: &Association,
        message: &Message<'_>,
        octets: &mut [u8],
        env: &mut Env<'_>,
    ) -> Result<Option<u32>, Reject> {
        let mut lifetime_s = message.lifetime_s;
        if message.encapsulated.is_none() {
            return Ok(lifetime_s);
        }
        let header = message.header;
        let decrypts = association.crypt(
            Sender::Paa,
            header.session_id,
            header.sequence,
            octets,
            env.work,
        );
        if !decrypts {
            return Err(Reject::EncapsulationInvalid);
        }
        for avp in Avps::new(octets) {
            let avp = avp.map_err(|_| Reject::EncapsulationInvalid)?;
            if avp.vendor.is_none() && avp.code == Code::SessionLifetime as u16 {
                let value = avp
                    .value
                    .try_into()
                    .map_err(|_| Reject::EncapsulationInvalid)?;
                lifetime_s = Some(u32::from_be_bytes(value));
            }
        }
        Ok(lifetime_s)
    }
}
