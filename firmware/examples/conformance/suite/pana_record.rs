//! A recorded PANA session, read from `pana-sessions.json`.

use std::net::SocketAddr;

use firmware::crypto::{Integrity, Prf, Work};
use firmware::eap::Packet;
use firmware::eap::psk::{LongTermKeys, Message as PskMessage, SessionKeys};
use firmware::pana::avp::Code;
use firmware::pana::{Flags, Header, Message, MessageType, relay};
use serde_json::{Value, json};

use super::json;

/// Who sends or receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Pac,
    Pre,
    Paa,
}

impl Role {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "PaC" => Ok(Self::Pac),
            "PRE" => Ok(Self::Pre),
            "PAA" => Ok(Self::Paa),
            other => Err(format!("dir: unknown role {other}")),
        }
    }
}

/// One recorded datagram.
#[derive(Clone, Debug)]
pub(super) struct Datagram {
    pub(super) time_us: u64,
    pub(super) from: Role,
    pub(super) to: Role,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) octets: Vec<u8>,
    pub(super) lost: bool,
}

impl Datagram {
    /// The PANA message, out of the PRY if there is one.
    pub(super) fn inner(&self) -> Vec<u8> {
        let message = Message::parse(&self.octets);
        match message.as_ref().map(relay::unwrap) {
            Ok(Ok((_, inner))) => inner.to_vec(),
            _ => self.octets.clone(),
        }
    }

    /// Whether it is sent by the PaC or the PAA, and not by a relay element.
    pub(super) fn is_original(&self) -> bool {
        self.from != Role::Pre
    }
}

/// The random numbers of one EAP-PSK conversation, with what follows from them.
pub(super) struct Conversation {
    pub(super) rand_s: [u8; 16],
    pub(super) rand_p: [u8; 16],
    pub(super) long_term: LongTermKeys,
    pub(super) session: SessionKeys,
}

/// A recorded session.
pub(super) struct Session<'a> {
    pub(super) value: &'a Value,
    pub(super) psk: [u8; 16],
    pub(super) peer_psk: [u8; 16],
    pub(super) id_p: Vec<u8>,
    pub(super) id_s: Vec<u8>,
    pub(super) datagrams: Vec<Datagram>,
    pub(super) conversations: Vec<Conversation>,
}

/// Seconds as microseconds.
pub(super) fn time_us(object: &Value, key: &str) -> Result<u64, String> {
    let seconds = json::member(object, key)?
        .as_f64()
        .ok_or_else(|| format!("{key}: not a time"))?;
    if !(0.0..1e9).contains(&seconds) {
        return Err(format!("{key}: out of range"));
    }
    Ok((seconds * 1e6).round() as u64)
}

pub(super) fn address(object: &Value, key: &str) -> Result<SocketAddr, String> {
    json::text(object, key)?
        .parse()
        .map_err(|_| format!("{key}: not an address"))
}

impl<'a> Session<'a> {
    pub(super) fn parse(value: &'a Value) -> Result<Self, String> {
        json::only(
            value,
            &[
                "name",
                "description",
                "prf",
                "integrity",
                "psk",
                "peer_psk",
                "id_p",
                "id_s",
                "addresses",
                "eap",
                "I_PAR",
                "I_PAN",
                "pana_keys",
                "events",
                "encryption",
                "datagrams",
            ],
        )?;
        let psk = json::array(value, "psk")?;
        let mut datagrams = Vec::new();
        for (index, datagram) in json::list(value, "datagrams")?.iter().enumerate() {
            datagrams.push(parse_datagram(datagram, index + 1)?);
        }
        let mut session = Self {
            value,
            psk,
            peer_psk: match value.get("peer_psk") {
                Some(_) => json::array(value, "peer_psk")?,
                None => psk,
            },
            id_p: json::text(value, "id_p")?.as_bytes().to_vec(),
            id_s: json::text(value, "id_s")?.as_bytes().to_vec(),
            datagrams,
            conversations: Vec::new(),
        };
        session.read_conversations()?;
        Ok(session)
    }

    /// Takes RAND_S and RAND_P out of the EAP-PSK messages 1 and 2.
    fn read_conversations(&mut self) -> Result<(), String> {
        let long_term = LongTermKeys::from_psk(&self.peer_psk, &mut Work::default());
        let mut rand_s = None;
        for datagram in self
            .datagrams
            .iter()
            .filter(|datagram| datagram.is_original())
        {
            let octets = datagram.inner();
            let Some(packet) = Message::parse(&octets).ok().and_then(|message| message.eap) else {
                continue;
            };
            let packet = Packet::parse(packet).map_err(|reject| reject.to_string())?;
            match PskMessage::parse(&packet) {
                Ok(PskMessage::First { rand_s: first, .. }) => rand_s = Some(*first),
                Ok(PskMessage::Second { rand_p, .. }) => {
                    let rand_s = rand_s.take().ok_or("EAP-PSK message 2 without message 1")?;
                    let session =
                        SessionKeys::derive(&long_term.kdk, rand_p, &rand_s, &mut Work::default());
                    self.conversations.push(Conversation {
                        rand_s,
                        rand_p: *rand_p,
                        long_term: long_term.clone(),
                        session,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Messages of the session in order, each once, with their sender.
    pub(super) fn messages(&self) -> impl Iterator<Item = (Role, Vec<u8>)> {
        self.datagrams
            .iter()
            .filter(|datagram| datagram.is_original())
            .map(|datagram| (datagram.from, datagram.inner()))
    }

    /// The first message that `which` accepts.
    pub(super) fn find(&self, which: impl Fn(&Header) -> bool) -> Option<Vec<u8>> {
        self.messages()
            .map(|(_, octets)| octets)
            .find(|octets| Header::parse(octets).is_ok_and(|header| which(&header)))
    }

    /// PAR with S bit.
    pub(super) fn first_request(&self) -> Option<Vec<u8>> {
        self.find(|header| {
            header.kind == MessageType::Auth
                && header.is_request()
                && header.flags.contains(Flags::START)
        })
    }

    /// PAN with S bit.
    pub(super) fn first_answer(&self) -> Option<Vec<u8>> {
        self.find(|header| header.kind == MessageType::Auth && header.flags == Flags::START)
    }

    /// The algorithms that the first request lists, in pairs.
    pub(super) fn offered(&self) -> Result<Vec<(Prf, Integrity)>, String> {
        let request = self.first_request().ok_or("there is no PAR[S]")?;
        let numbers = |code: Code| {
            avps(&request)
                .filter(move |avp| avp.0 == code as u16)
                .filter_map(|avp| Some(u32::from_be_bytes(avp.1.try_into().ok()?)))
        };
        let prfs: Option<Vec<Prf>> = numbers(Code::PrfAlgorithm).map(Prf::from_id).collect();
        let integrities: Option<Vec<Integrity>> = numbers(Code::IntegrityAlgorithm)
            .map(Integrity::from_id)
            .collect();
        match (prfs, integrities) {
            (Some(prfs), Some(integrities)) if prfs.len() == integrities.len() => {
                Ok(prfs.into_iter().zip(integrities).collect())
            }
            _ => Err("PAR[S] offers algorithms that we cannot offer".into()),
        }
    }
}

/// Code and value of every AVP of the IETF in a message.
pub(super) fn avps(octets: &[u8]) -> impl Iterator<Item = (u16, Vec<u8>)> {
    firmware::pana::avp::Avps::new(octets.get(16..).unwrap_or_default())
        .map_while(Result::ok)
        .filter(|avp| avp.vendor.is_none())
        .map(|avp| (avp.code, avp.value.to_vec()))
}

/// The value of the first AVP `code` of a message.
pub(super) fn avp_value(octets: &[u8], code: Code) -> Option<Vec<u8>> {
    avps(octets)
        .find(|avp| avp.0 == code as u16)
        .map(|avp| avp.1)
}

fn parse_datagram(value: &Value, number: usize) -> Result<Datagram, String> {
    let place = |why: String| format!("datagram {number}: {why}");
    let parse = || -> Result<Datagram, String> {
        json::only(
            value,
            &["n", "t", "dir", "src", "dst", "hex", "msg", "lost", "note"],
        )?;
        json::expect_number(value, "n", number as u64)?;
        let (from, to) = json::text(value, "dir")?
            .split_once("->")
            .ok_or("dir: no direction")?;
        let octets = json::octets(value, "hex")?;
        let described = describe(&octets)?;
        if json::member(value, "msg")? != &described {
            return Err(format!("msg: decoded as {described}"));
        }
        Ok(Datagram {
            time_us: time_us(value, "t")?,
            from: Role::parse(from)?,
            to: Role::parse(to)?,
            source: address(value, "src")?,
            destination: address(value, "dst")?,
            octets,
            lost: value.get("lost").is_some_and(|lost| lost == true),
        })
    };
    parse().map_err(place)
}

/// A message as the vectors describe it.
pub(super) fn describe(octets: &[u8]) -> Result<Value, String> {
    let message = Message::parse(octets).map_err(|reject| reject.name().to_owned())?;
    let header = message.header;
    let request = header.is_request();
    let base = match header.kind {
        MessageType::ClientInitiation => "PCI",
        MessageType::Auth => ["PAN", "PAR"][usize::from(request)],
        MessageType::Termination => ["PTA", "PTR"][usize::from(request)],
        MessageType::Notification => ["PNA", "PNR"][usize::from(request)],
        MessageType::Relay => "PRY",
        MessageType::Unknown(_) => return Err("unknown message type".into()),
    };
    let letters = format!("{:?}", header.flags.without(Flags::REQUEST));
    let name = if letters.is_empty() {
        base.to_owned()
    } else {
        format!("{base}[{letters}]")
    };
    let mut list = Vec::new();
    for (code, value) in avps(octets) {
        list.push(describe_avp(code, &value)?);
    }
    Ok(json!({
        "name": name,
        "type": header.kind.id(),
        "flags": format!("{:#06x}", header.flags.bits()),
        "session_id": format!("{:#010x}", header.session_id),
        "seq": format!("{:#010x}", header.sequence),
        "length": header.length,
        "avps": list,
    }))
}

fn describe_avp(code: u16, value: &[u8]) -> Result<Value, String> {
    let known = Code::from_id(code).ok_or("unknown AVP")?;
    let (name, numeric) = match known {
        Code::Auth => ("AUTH", false),
        Code::EapPayload => ("EAP-Payload", false),
        Code::IntegrityAlgorithm => ("Integrity-Algorithm", true),
        Code::KeyId => ("Key-Id", true),
        Code::Nonce => ("Nonce", false),
        Code::PrfAlgorithm => ("PRF-Algorithm", true),
        Code::ResultCode => ("Result-Code", true),
        Code::SessionLifetime => ("Session-Lifetime", true),
        Code::TerminationCause => ("Termination-Cause", true),
        Code::PacInformation => ("PaC-Information", false),
        Code::RelayedMessage => ("Relayed-Message", false),
        Code::EncryptionEncap => ("Encryption-Encap", false),
        Code::EncryptionAlgorithm => ("Encryption-Algorithm", true),
    };
    let mut avp = json!({
        "code": code,
        "name": name,
        "len": value.len(),
        "value": json::encode(value),
    });
    if numeric {
        let number = value.try_into().map_err(|_| "not four octets")?;
        avp["u32"] = u32::from_be_bytes(number).into();
    }
    if known == Code::EapPayload {
        avp["eap"] = describe_eap(value)?;
    }
    if known == Code::RelayedMessage {
        avp["inner"] = describe(value)?;
    }
    Ok(avp)
}

fn describe_eap(octets: &[u8]) -> Result<Value, String> {
    let packet = Packet::parse(octets).map_err(|reject| reject.to_string())?;
    let mut eap = json!({
        "code": format!("{:?}", packet.code),
        "id": packet.identifier,
        "length": octets.len(),
    });
    if let Some(kind) = packet.kind {
        eap["type"] = kind.value().into();
        if kind.value() == 47 {
            let flags = packet.data().first().ok_or("EAP-PSK without flags")?;
            eap["psk_T"] = (flags >> 6).into();
        }
    }
    Ok(eap)
}
