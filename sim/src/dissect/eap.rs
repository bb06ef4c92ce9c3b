//! EAP packets and EAP-PSK messages as trees (RFC 3748, RFC 4764).

use firmware::crypto::Work;
use firmware::eap::psk::{self, Indication, Payload, Protected};
use firmware::eap::{Code, MTU, MethodType, Packet};

use super::Surroundings;
use super::tree::{Node, Verdict, hex, octets, offset, text};

/// Dissects the packet that starts at octet `at`; also says it in a few words.
pub(super) fn dissect(eap: &[u8], at: usize, around: &Surroundings<'_>) -> (Node, String) {
    let packet = match Packet::parse(eap) {
        Ok(packet) => packet,
        Err(reject) => {
            let node = Node::problem("EAP", at, reject.name());
            return (node, format!("EAP malformed: {}", reject.name()));
        }
    };
    let code = match packet.code {
        Code::Request => "Request",
        Code::Response => "Response",
        Code::Success => "Success",
        Code::Failure => "Failure",
    };
    let length = octets(packet.octets().len());
    let mut node = Node::new(format!("EAP {code}"), length).at(at);
    node.push(Node::new("Identifier", packet.identifier).at(at + 1));
    let padding = eap.len() - packet.octets().len();
    if padding > 0 {
        node.push(Node::new("Padding", octets(padding)).at(at + packet.octets().len()));
    }
    let Some(kind) = packet.kind else {
        return (node, format!("EAP {code}"));
    };
    let data_at = at + offset(eap, packet.data());
    let data = packet.data();
    node.push(Node::new("Type", type_name(kind)).at(at + 4));
    let words = match kind {
        MethodType::Psk => match psk::Message::parse(&packet) {
            Ok(message) => {
                let (method, words) = method(&message, &packet, (eap, at), around);
                node.push(method);
                words
            }
            Err(reject) => {
                node.push(Node::problem("EAP-PSK", data_at, reject.name()));
                format!("EAP-PSK malformed: {}", reject.name())
            }
        },
        MethodType::Identity | MethodType::Notification => {
            if !data.is_empty() {
                node.push(Node::new("Text", text(data)).at(data_at));
            }
            format!("EAP {code} {}", type_name(kind))
        }
        MethodType::Nak => {
            let wanted: Vec<String> = data.iter().map(u8::to_string).collect();
            node.push(Node::new("Wanted types", wanted.join(", ")).at(data_at));
            "EAP Nak".to_owned()
        }
        _ => {
            node.push(Node::new("Type-Data", hex(data)).at(data_at));
            format!("EAP {code} {}", type_name(kind))
        }
    };
    (node, words)
}

fn type_name(kind: MethodType) -> String {
    match kind {
        MethodType::Identity => "Identity".to_owned(),
        MethodType::Notification => "Notification".to_owned(),
        MethodType::Nak => "Nak".to_owned(),
        MethodType::Md5Challenge => "MD5-Challenge".to_owned(),
        MethodType::Psk => "EAP-PSK".to_owned(),
        MethodType::Expanded {
            vendor_id,
            vendor_type,
        } => format!("Expanded, vendor {vendor_id} type {vendor_type}"),
        MethodType::Unknown(kind) => format!("type {kind}"),
    }
}

fn method(
    message: &psk::Message<'_>,
    packet: &Packet<'_>,
    (eap, at): (&[u8], usize),
    around: &Surroundings<'_>,
) -> (Node, String) {
    let place = |part: &[u8]| at + offset(eap, part);
    let field = |name: &str, part: &[u8]| Node::new(name, hex(part)).at(place(part));
    let identity = |name: &str, part: &[u8]| Node::new(name, text(part)).at(place(part));
    let flags = packet.data().first().copied().unwrap_or_default();
    let mut fields = vec![Node::new(
        "Flags",
        format!("{flags:#04x}, T = {}", flags >> 6),
    )];
    let (number, channel) = match *message {
        psk::Message::First { rand_s, id_s } => {
            fields.extend([field("RAND_S", rand_s), identity("ID_S", id_s)]);
            ("1", None)
        }
        psk::Message::Second {
            rand_s,
            rand_p,
            mac_p,
            id_p,
        } => {
            fields.extend([field("RAND_S", rand_s), field("RAND_P", rand_p)]);
            fields.extend([field("MAC_P", mac_p), identity("ID_P", id_p)]);
            ("2", None)
        }
        psk::Message::Third {
            rand_s,
            mac_s,
            channel,
        } => {
            fields.extend([field("RAND_S", rand_s), field("MAC_S", mac_s)]);
            ("3", Some((rand_s, channel)))
        }
        psk::Message::Fourth { rand_s, channel } => {
            fields.push(field("RAND_S", rand_s));
            ("4", Some((rand_s, channel)))
        }
    };
    let mut words = format!("EAP-PSK {number}");
    if let Some((rand_s, channel)) = channel {
        let (node, result) = protected(rand_s, channel, packet, around);
        fields.push(node.at(place(channel)));
        if let Some(result) = result {
            words = format!("{words} {result}");
        }
    }
    fields[0].at = Some(place(packet.data()));
    (
        Node::new("EAP-PSK", format!("message {number}")).with(fields),
        words,
    )
}

/// The protected channel, decrypted where the key log has the TEK.
fn protected(
    rand_s: &[u8; 16],
    channel: &[u8],
    packet: &Packet<'_>,
    around: &Surroundings<'_>,
) -> (Node, Option<&'static str>) {
    let node = |text: String| Node::new("PCHANNEL", text);
    let protected = match Protected::parse(channel) {
        Ok(protected) => protected,
        Err(reject) => {
            return (
                node(reject.name().to_owned()).judged(Verdict::Unsound),
                None,
            );
        }
    };
    let fields = vec![
        Node::new("Nonce", protected.nonce),
        Node::new("Tag", hex(protected.tag)),
    ];
    let session = around.keys.session_of_challenge(rand_s);
    let Some(key) = session.and_then(|session| session.tek.as_ref()) else {
        let length = octets(protected.ciphertext.len());
        let text = format!("{length} encrypted: the log has no TEK of this conversation");
        return (node(text).with(fields), None);
    };
    let (mut buffer, mut work) = ([0; MTU], Work::NONE);
    match protected.open(key, packet, &mut buffer, &mut work) {
        Ok(payload) => {
            let (result, mut fields) = (result(payload), fields);
            fields.push(Node::new("R", result));
            if let Some(extension) = payload.extension {
                let text = format!("type {}, {}", extension.kind, hex(extension.payload));
                fields.push(Node::new("EXT", text));
            }
            let node = node("tag verified, decrypted".to_owned())
                .judged(Verdict::Sound)
                .with(fields);
            (node, Some(result))
        }
        Err(reject) => {
            let text = format!("cannot be opened: {}", reject.name());
            (node(text).judged(Verdict::Unsound).with(fields), None)
        }
    }
}

const fn result(payload: Payload<'_>) -> &'static str {
    match payload.indication {
        Indication::Cont => "CONT",
        Indication::DoneSuccess => "DONE_SUCCESS",
        Indication::DoneFailure => "DONE_FAILURE",
    }
}
