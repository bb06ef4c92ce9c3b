//! Keys that a run gives away: a key log for those who read its captures.
//!
//! No key leaves protocol code. Whoever runs the simulation has provisioned the pre-shared keys,
//! and the Session-Id of an authentication holds both challenges (RFC 5247 Appendix A); from these
//! everything follows, as it does for a thief of the pre-shared key.

use firmware::crypto::{MacKey, Secret, Work};
use firmware::eap;
use firmware::eap::SessionId;
use firmware::eap::psk::{LongTermKeys, SessionKeys};
use firmware::ukmf::KeySummary;
use firmware::ukmf::hierarchy::{KeyContext, Purpose, RootKey, key_id};

use firmware::c1222::aptitle::{NETWORK_ROOT, Title};

use crate::fleet::Fleet;
use crate::spawn;
use crate::time::Time;

/// An authentication that succeeded, and what its keys follow from.
#[derive(Clone, Debug)]
pub struct Disclosure {
    /// When the meter knew.
    pub time: Time,
    /// The meter.
    pub meter: u32,
    /// PANA Key-Id.
    pub key_id: u32,
    /// The EAP Session-Id.
    pub session_id: SessionId,
    /// PANA_AUTH_KEY (RFC 5191 §5.3).
    pub auth: Option<MacKey>,
}

impl Disclosure {
    /// TEK, MSK and EMSK; none if the Session-Id is not one of EAP-PSK.
    pub fn session_keys(&self, fleet: &Fleet) -> Option<SessionKeys> {
        // The type, RAND_P and RAND_S.
        let (_, challenges) = self.session_id.as_bytes().split_first()?;
        let (rand_p, rest) = challenges.split_first_chunk()?;
        Some(session_keys(fleet, self.meter, rand_p, rest.first_chunk()?))
    }

    /// The key that `epoch` of the authentication tells of, of which `keys` came.
    pub fn key(&self, keys: &eap::Keys, epoch: &KeySummary) -> Option<Secret<16>> {
        let context = (epoch.purpose, epoch.index, epoch.key_id);
        derived_key(self.meter, keys, context)
    }
}

/// What EAP-PSK derives at both ends for `meter`.
pub(crate) fn session_keys(
    fleet: &Fleet,
    meter: u32,
    rand_p: &[u8; 16],
    rand_s: &[u8; 16],
) -> SessionKeys {
    let mut work = Work::NONE;
    let psk = spawn::pre_shared_key(fleet, meter);
    let long_term = LongTermKeys::from_psk(&psk, &mut work);
    SessionKeys::derive(&long_term.kdk, rand_p, rand_s, &mut work)
}

/// Element `index` of the key array of the authentication with PANA Key-Id `kid32`.
pub(crate) fn c1222_key(
    fleet: &Fleet,
    meter: u32,
    exported: &eap::Keys,
    (kid32, index): (u32, u16),
) -> Option<Secret<16>> {
    let length = fleet.meter_firmware.keys.array_length.get();
    let key_id = key_id(kid32, length, index);
    derived_key(meter, exported, (Purpose::C1222Unicast, index, key_id))
}

fn derived_key(
    meter: u32,
    exported: &eap::Keys,
    (purpose, index, key_id): (Purpose, u16, u8),
) -> Option<Secret<16>> {
    let mut work = Work::NONE;
    let session_id = exported.session_id.as_bytes();
    let root = RootKey::derive(&exported.emsk, session_id, &mut work);
    let title = Title::relative(&Fleet::title_arcs(meter)).ok()?;
    let title = title.to_absolute(&NETWORK_ROOT).ok()?;
    let context = KeyContext {
        purpose,
        index,
        key_id,
        ap_title: title.get().content(),
    };
    Some(root.key(&context, &mut work))
}
