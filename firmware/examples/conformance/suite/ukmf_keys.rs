//! `ukmf.json`, the C12.22 part: keys, key ids, names and check values of each authentication.

use firmware::crypto::{Secret, Work};
use firmware::ukmf::hierarchy::{self, KeyContext, RootKey};
use firmware::ukmf::{ArrayLength, KeyStore, Policy, Purpose, Role};
use firmware::{Duration, Env, Instant};
use serde_json::Value;

use super::c1222::title;
use super::json::{self, expect_number, expect_octets};
use super::report::Report;
use super::rng::ScriptedRng;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    for derivation in document.get("derivations")?.as_array()? {
        let session = derivation.get("from_session").and_then(Value::as_str);
        let authentication = derivation.get("authentication").and_then(Value::as_u64);
        let keys = derivation.get("keys").and_then(Value::as_array);
        let name = format!(
            "{}-{}",
            session.unwrap_or("unnamed"),
            authentication.unwrap_or_default()
        );
        report.case(&format!("{name}-hierarchy"), || check_hierarchy(derivation));
        for (index, key) in keys.into_iter().flatten().enumerate() {
            report.case(&format!("{name}-key-{index}"), || {
                check_key(derivation, key)
            });
        }
    }
    Some(())
}

/// The inputs of a derivation.
struct Inputs {
    emsk: Secret<64>,
    session_id: Vec<u8>,
    kid32: u32,
    ap_title: Vec<u8>,
}

impl Inputs {
    fn of(derivation: &Value) -> Result<Self, String> {
        let kid32 = json::number(derivation, "pana_key_id")?;
        Ok(Self {
            emsk: Secret::new(json::array(derivation, "EMSK")?),
            session_id: json::octets(derivation, "eap_session_id")?,
            kid32: u32::try_from(kid32).map_err(|error| error.to_string())?,
            ap_title: json::octets(derivation, "aptitle")?,
        })
    }
}

fn check_hierarchy(derivation: &Value) -> Result<(), String> {
    let inputs = Inputs::of(derivation)?;
    let mut work = Work::default();
    let text = json::text(derivation, "aptitle_oid")?;
    expect_octets(derivation, "aptitle", title(text)?.get().content())?;
    let root = RootKey::derive(&inputs.emsk, &inputs.session_id, &mut work);
    expect_octets(derivation, "UKMF_RK", root.expose())?;
    let name = hierarchy::root_name(&inputs.session_id, &mut work);
    expect_octets(derivation, "UKMF_RK_name", &name)?;
    let name = hierarchy::emsk_name(&inputs.session_id, &mut work);
    expect_octets(derivation, "EMSKname", &name)
}

fn check_key(derivation: &Value, key: &Value) -> Result<(), String> {
    json::only(
        key,
        &[
            "array_len",
            "index",
            "purpose",
            "c1222_key_id",
            "optional_data",
            "key",
            "key_name",
            "kcv",
        ],
    )?;
    let inputs = Inputs::of(derivation)?;
    let mut work = Work::default();
    let small = |key: &Value, member: &str| {
        u8::try_from(json::number(key, member)?).map_err(|error| format!("{member}: {error}"))
    };
    let length = ArrayLength::new(small(key, "array_len")?).ok_or("array_len: not a divisor")?;
    let index = u16::from(small(key, "index")?);
    let purpose = Purpose::from(small(key, "purpose")?);
    let key_id = hierarchy::key_id(inputs.kid32, length.get(), index);
    expect_number(key, "c1222_key_id", key_id.into())?;
    let context = KeyContext {
        purpose,
        index,
        key_id,
        ap_title: &inputs.ap_title,
    };
    let [high, low] = index.to_be_bytes();
    let title_len = inputs.ap_title.len() as u8;
    let fixed = [purpose.into(), high, low, key_id, title_len];
    expect_octets(
        key,
        "optional_data",
        &[&fixed[..], &inputs.ap_title].concat(),
    )?;
    let root = RootKey::derive(&inputs.emsk, &inputs.session_id, &mut work);
    let derived = root.key(&context, &mut work);
    expect_octets(key, "key", derived.expose())?;
    let name = context.name(&inputs.session_id, &mut work);
    expect_octets(key, "key_name", &name)?;
    let check = hierarchy::check_value(&derived, &mut work);
    expect_octets(key, "kcv", &check)?;
    if index == 0 {
        check_store(&inputs, length, purpose, key)?;
    }
    Ok(())
}

/// A key store arrives at the same key id and name.
fn check_store(
    inputs: &Inputs,
    array_length: ArrayLength,
    purpose: Purpose,
    key: &Value,
) -> Result<(), String> {
    let policy = Policy {
        array_length,
        purpose,
        ..Policy::default()
    };
    let mut store = KeyStore::new(Role::Meter, policy);
    let mut rng = ScriptedRng::default();
    let mut work = Work::default();
    let mut env = Env::new(Instant::ZERO, &mut rng, &mut work);
    let hour = Duration::from_secs(3600);
    let (kid32, title) = (inputs.kid32, &inputs.ap_title);
    store
        .install(
            &inputs.emsk,
            &inputs.session_id,
            kid32,
            title,
            hour,
            &mut env,
        )
        .map_err(|error| format!("{error:?}"))?;
    store.activate(kid32, &mut env);
    let current = store.current_key().ok_or("no current key")?;
    expect_number(key, "c1222_key_id", current.key_id.into())?;
    expect_octets(key, "key_name", &current.name)
}
