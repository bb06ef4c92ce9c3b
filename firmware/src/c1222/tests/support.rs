//! Reading vector files.

use std::string::String;
use std::vec::Vec;

use serde_json::Value;

use crate::c1222::acse::{Authentication, Header, Qualifier};
use crate::c1222::aptitle::Title;
use crate::crypto::Work;
use crate::crypto::eax_prime::EaxPrimeKey;

pub(super) fn load(name: &str) -> Value {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors-metering/");
    let path = String::from(root) + name;
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub(super) fn octets(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

pub(super) fn optional(value: &Value) -> Option<u32> {
    value.as_u64().map(|number| u32::try_from(number).unwrap())
}

pub(super) fn title(value: &Value) -> Option<Title> {
    value.as_str().map(|text| text.parse().unwrap())
}

pub(super) fn key(value: &Value) -> EaxPrimeKey {
    EaxPrimeKey::new(&octets(value).try_into().unwrap(), &mut Work::NONE.clone())
}

/// The fields of one APDU case, owned.
pub(super) struct Fields {
    called: Option<Title>,
    calling: Option<Title>,
    context: Option<Title>,
    called_invocation: Option<u32>,
    invocation: u32,
    qualifier: Option<Qualifier>,
    pub(super) authentication: Option<Authentication>,
    in_header: bool,
}

impl Fields {
    pub(super) fn of(case: &Value) -> Self {
        let authentication = case["iv"].as_str().map(|_| Authentication {
            key_id: Some(u8::try_from(case["key_id"].as_u64().unwrap()).unwrap()),
            iv: octets(&case["iv"]).try_into().unwrap(),
        });
        let in_header = case["auth_element_present"].as_bool();
        Self {
            called: title(&case["called_ap_title"]),
            calling: title(&case["calling_ap_title"]),
            context: case.get("application_context").and_then(title),
            called_invocation: optional(&case["called_ap_invocation_id"]),
            invocation: optional(&case["calling_ap_invocation_id"]).unwrap(),
            qualifier: case
                .get("calling_ae_qualifier")
                .and_then(optional)
                .map(|flags| Qualifier(flags as u8)),
            in_header: in_header.unwrap_or(authentication.is_some()),
            authentication,
        }
    }

    pub(super) fn header(&self) -> Header<'_> {
        Header {
            context: self.context.as_ref().map(|oid| oid.get().content()),
            called: self.called.as_ref().map(Title::get),
            called_invocation: self.called_invocation,
            calling: self.calling.as_ref().map(Title::get),
            qualifier: self.qualifier,
            invocation: self.invocation,
            authentication: self.authentication.filter(|_| self.in_header),
            ..Header::default()
        }
    }

    /// Key id and IV in force, from the session if the APDU has none.
    pub(super) fn session(&self) -> Authentication {
        self.authentication.unwrap_or(Authentication {
            key_id: None,
            iv: [0; 4],
        })
    }
}
