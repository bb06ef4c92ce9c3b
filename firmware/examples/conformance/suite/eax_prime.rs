//! `eax_prime.json`: EAX′ vectors, forgeries and attacks.
//!
//! The intermediate values come from a reference that is written here from the definition, on the
//! bare block cipher; it must agree with the implementation, and also yields the erroneous variant
//! of the first print.

use firmware::crypto::eax_prime::{EaxPrimeKey, Failure, Rule};
use firmware::crypto::{AesKey, Work};
use serde_json::Value;

use super::json::{self, expect_number, expect_octets};
use super::report::Report;

/// Runs one case.
type Check = fn(&Value) -> Result<(), String>;

pub(super) fn run(document: &Value, report: &mut Report) -> Option<()> {
    let sections: [(&str, Check); 6] = [
        ("published", check_published),
        ("intermediate", check_intermediate),
        ("generated", check_generated),
        ("short_cleartext", check_short),
        ("negative", check_negative),
        ("attacks", check_attack),
    ];
    document
        .get("intermediate")?
        .as_array()?
        .first()?
        .get("N_mac")?;
    for (section, check) in sections {
        let vectors = document.get(section).and_then(Value::as_array);
        for (index, vector) in vectors.into_iter().flatten().enumerate() {
            let name = match vector.get("id").and_then(Value::as_str) {
                Some(id) => id.to_owned(),
                None => format!("{section}-{index}"),
            };
            report.case(&name, || check(vector));
        }
    }
    Some(())
}

/// A key with the operations under test.
struct Key(EaxPrimeKey);

impl Key {
    fn of(vector: &Value) -> Result<Self, String> {
        let key = json::array(vector, "key")?;
        Ok(Self(EaxPrimeKey::new(&key, &mut Work::default())))
    }

    fn seal(
        &self,
        cleartext: &[u8],
        plaintext: &[u8],
        rule: Rule,
    ) -> Result<(Vec<u8>, [u8; 4]), Failure> {
        let mut buffer = plaintext.to_vec();
        let work = &mut Work::default();
        let tag = self.0.seal(&[cleartext], &mut buffer, rule, work)?;
        Ok((buffer, tag))
    }

    fn open(
        &self,
        cleartext: &[u8],
        ciphertext: &[u8],
        mac: &[u8; 4],
        rule: Rule,
    ) -> Result<Vec<u8>, Failure> {
        let mut buffer = ciphertext.to_vec();
        let work = &mut Work::default();
        self.0.open(&[cleartext], &mut buffer, mac, rule, work)?;
        Ok(buffer)
    }
}

/// Seals and opens, and compares with the members `ciphertext` and `mac`.
fn check_both_ways(vector: &Value, rule: Rule) -> Result<(), String> {
    let key = Key::of(vector)?;
    let cleartext = json::octets(vector, "cleartext")?;
    let plaintext = json::octets(vector, "plaintext")?;
    let (ciphertext, mac) = key
        .seal(&cleartext, &plaintext, rule)
        .map_err(|failure| format!("not sealed: {failure:?}"))?;
    expect_octets(vector, "ciphertext", &ciphertext)?;
    expect_octets(vector, "mac", &mac)?;
    let opened = key
        .open(&cleartext, &ciphertext, &mac, rule)
        .map_err(|failure| format!("not opened: {failure:?}"))?;
    expect_octets(vector, "plaintext", &opened)
}

fn check_published(vector: &Value) -> Result<(), String> {
    json::only(
        vector,
        &[
            "id",
            "source",
            "variant",
            "key",
            "cleartext",
            "plaintext",
            "ciphertext",
            "mac",
            "apdu",
            "corrected_ciphertext",
            "corrected_mac",
        ],
    )?;
    match json::text(vector, "variant")? {
        "corrected" => check_both_ways(vector, Rule::RejectShortCleartext)?,
        "print2008" => check_first_print(vector)?,
        other => return Err(format!("variant: unknown variant {other}")),
    }
    if vector.get("apdu").is_some() {
        // The APDU carries ciphertext and tag at its end.
        let apdu = json::octets(vector, "apdu")?;
        let tail = [
            json::octets(vector, "ciphertext")?,
            json::octets(vector, "mac")?,
        ]
        .concat();
        if !apdu.ends_with(&tail) {
            return Err("apdu: does not end with ciphertext and mac".into());
        }
        let announced = apdu.get(1).copied().map(usize::from);
        if apdu.first() != Some(&0x60) || announced != Some(apdu.len() - 2) {
            return Err("apdu: not one complete APDU".into());
        }
    }
    Ok(())
}

/// The implementation yields the corrected form, the reference also the erroneous one.
fn check_first_print(vector: &Value) -> Result<(), String> {
    let cleartext = json::octets(vector, "cleartext")?;
    let plaintext = json::octets(vector, "plaintext")?;
    let (ciphertext, mac) = Key::of(vector)?
        .seal(&cleartext, &plaintext, Rule::RejectShortCleartext)
        .map_err(|failure| format!("not sealed: {failure:?}"))?;
    expect_octets(vector, "corrected_ciphertext", &ciphertext)?;
    expect_octets(vector, "corrected_mac", &mac)?;
    let wrong = Reference::new(&json::array(vector, "key")?, [1, 3]).seal(&cleartext, &plaintext);
    expect_octets(vector, "ciphertext", &wrong.ciphertext)?;
    let mut mac = wrong.mac;
    mac.reverse();
    expect_octets(vector, "mac", &mac)
}

fn check_intermediate(vector: &Value) -> Result<(), String> {
    json::only(
        vector,
        &[
            "key",
            "cleartext",
            "plaintext",
            "L",
            "D",
            "Q",
            "N_mac",
            "ctr0",
            "keystream",
            "ciphertext",
            "C_mac",
            "mac",
        ],
    )?;
    check_both_ways(vector, Rule::RejectShortCleartext)?;
    let reference = Reference::new(&json::array(vector, "key")?, [12, 14]);
    let sealed = reference.seal(
        &json::octets(vector, "cleartext")?,
        &json::octets(vector, "plaintext")?,
    );
    expect_octets(vector, "L", &reference.l)?;
    expect_octets(vector, "D", &reference.d)?;
    expect_octets(vector, "Q", &reference.q)?;
    expect_octets(vector, "N_mac", &sealed.n_mac)?;
    expect_octets(vector, "ctr0", &sealed.counter)?;
    match sealed.c_mac {
        Some(c_mac) => expect_octets(vector, "C_mac", &c_mac)?,
        None if json::member(vector, "C_mac")?.is_null() => {}
        None => return Err("C_mac: there is no ciphertext".into()),
    }
    expect_octets(vector, "ciphertext", &sealed.ciphertext)?;
    expect_octets(vector, "mac", &sealed.mac)?;
    let blocks = json::list(vector, "keystream")?;
    if blocks.len() != sealed.keystream.len() {
        return Err("keystream: a different number of blocks".into());
    }
    for (expected, computed) in blocks.iter().zip(&sealed.keystream) {
        let expected = expected.as_str().and_then(json::decode);
        let expected = expected.ok_or("keystream: not hexadecimal")?;
        json::equal_octets("keystream", computed, &expected)?;
    }
    Ok(())
}

fn check_generated(vector: &Value) -> Result<(), String> {
    only_plain_members(vector)?;
    check_both_ways(vector, Rule::RejectShortCleartext)
}

/// The bare algorithm takes short cleartexts, the countermeasure refuses them.
fn check_short(vector: &Value) -> Result<(), String> {
    only_plain_members(vector)?;
    check_both_ways(vector, Rule::AcceptAnyCleartext)?;
    let key = Key::of(vector)?;
    let cleartext = json::octets(vector, "cleartext")?;
    let ciphertext = json::octets(vector, "ciphertext")?;
    let mac = json::array(vector, "mac")?;
    let plaintext = json::octets(vector, "plaintext")?;
    let rule = Rule::RejectShortCleartext;
    let refused = Failure::CleartextTooShort;
    if key.seal(&cleartext, &plaintext, rule) != Err(refused)
        || key.open(&cleartext, &ciphertext, &mac, rule) != Err(refused)
    {
        return Err("the countermeasure does not refuse the cleartext".into());
    }
    Ok(())
}

fn only_plain_members(vector: &Value) -> Result<(), String> {
    json::only(
        vector,
        &["id", "key", "cleartext", "plaintext", "ciphertext", "mac"],
    )
}

fn check_negative(vector: &Value) -> Result<(), String> {
    json::only(
        vector,
        &[
            "id",
            "tampered",
            "key",
            "cleartext",
            "ciphertext",
            "mac",
            "expect",
        ],
    )?;
    let verdict = forged(
        vector,
        "cleartext",
        "ciphertext",
        "mac",
        Rule::RejectShortCleartext,
    )?;
    match (json::text(vector, "expect")?, verdict) {
        ("reject", Err(Failure::Mac)) => Ok(()),
        (expected, verdict) => Err(format!("expect: {expected}, but {verdict:?}")),
    }
}

/// Opens the message in the named members.
fn forged(
    vector: &Value,
    cleartext: &str,
    ciphertext: &str,
    mac: &str,
    rule: Rule,
) -> Result<Result<Vec<u8>, Failure>, String> {
    Ok(Key::of(vector)?.open(
        &json::octets(vector, cleartext)?,
        &json::octets(vector, ciphertext)?,
        &json::array(vector, mac)?,
        rule,
    ))
}

fn check_attack(vector: &Value) -> Result<(), String> {
    match json::text(vector, "id")? {
        "forge-full-block-cleartext" | "forge-short-cleartext" => check_forgery(vector),
        "recover-short-cleartext" | "recover-full-block-cleartext" => check_recovery(vector),
        "distinguish-cpa" => check_distinguisher(vector),
        "transfer-full-full" => check_transfer(vector),
        "not-applicable-17-bytes" => check_not_applicable(vector),
        other => Err(format!("id: unknown attack {other}")),
    }
}

/// The forgery in the named members succeeds on the bare algorithm only.
fn check_accepted(
    vector: &Value,
    cleartext: &str,
    ciphertext: &str,
    mac: &str,
) -> Result<Vec<u8>, String> {
    let open = |rule| forged(vector, cleartext, ciphertext, mac, rule);
    if open(Rule::RejectShortCleartext)? != Err(Failure::CleartextTooShort) {
        return Err("the countermeasure does not refuse the forgery".into());
    }
    open(Rule::AcceptAnyCleartext)?.map_err(|failure| format!("not accepted: {failure:?}"))
}

fn check_forgery(vector: &Value) -> Result<(), String> {
    json::only(
        vector,
        &[
            "id",
            "condition",
            "queries",
            "key",
            "cleartext",
            "ciphertext",
            "mac",
            "expect",
            "released_plaintext",
        ],
    )?;
    // The forgery is made from the cleartext alone.
    expect_number(vector, "queries", 0)?;
    json::expect_text(vector, "expect", "ACCEPTED by a faithful EAX-prime")?;
    let released = check_accepted(vector, "cleartext", "ciphertext", "mac")?;
    expect_octets(vector, "released_plaintext", &released)
}

fn check_recovery(vector: &Value) -> Result<(), String> {
    json::only(
        vector,
        &[
            "id",
            "condition",
            "queries",
            "key",
            "cleartext",
            "target_ciphertext",
            "target_mac",
            "forged_ciphertext",
            "forged_mac",
            "released_plaintext",
            "keystream",
            "recovered_plaintext",
        ],
    )?;
    json::expect_text(vector, "queries", "1 decryption")?;
    let released = check_accepted(vector, "cleartext", "forged_ciphertext", "forged_mac")?;
    expect_octets(vector, "released_plaintext", &released)?;
    let keystream = xor(&released, &json::octets(vector, "forged_ciphertext")?);
    expect_octets(vector, "keystream", &keystream)?;
    let recovered = xor(&json::octets(vector, "target_ciphertext")?, &keystream);
    expect_octets(vector, "recovered_plaintext", &recovered)?;
    let target = check_accepted(vector, "cleartext", "target_ciphertext", "target_mac")?;
    json::equal_octets("the target decrypts to", &target, &recovered)
}

/// Encrypts one zero octet under growing cleartexts until the tag is zero.
fn check_distinguisher(vector: &Value) -> Result<(), String> {
    json::only(vector, &["id", "condition", "key", "queries_made", "hit"])?;
    let key = Key::of(vector)?;
    let hit = json::member(vector, "hit")?;
    json::only(hit, &["cleartext", "ciphertext", "mac"])?;
    for value in 1..=u8::MAX {
        let mut cleartext = [0; 16];
        cleartext[..2].copy_from_slice(&[value, 0x80]);
        let (ciphertext, mac) = key
            .seal(&cleartext, &[0], Rule::AcceptAnyCleartext)
            .map_err(|failure| format!("not sealed: {failure:?}"))?;
        if mac == [0; 4] {
            expect_number(vector, "queries_made", value.into())?;
            expect_octets(hit, "cleartext", &cleartext)?;
            expect_octets(hit, "ciphertext", &ciphertext)?;
            return expect_octets(hit, "mac", &mac);
        }
    }
    Err("no query hits".into())
}

fn check_transfer(vector: &Value) -> Result<(), String> {
    json::only(
        vector,
        &[
            "id",
            "condition",
            "queries_made",
            "key",
            "cleartext",
            "plaintext",
            "ciphertext_observed",
            "mac",
            "forged_cleartext",
            "forged_ciphertext",
            "expect",
        ],
    )?;
    json::expect_text(vector, "expect", "ACCEPTED")?;
    let cleartext = json::octets(vector, "cleartext")?;
    let plaintext = json::octets(vector, "plaintext")?;
    let (ciphertext, mac) = Key::of(vector)?
        .seal(&cleartext, &plaintext, Rule::AcceptAnyCleartext)
        .map_err(|failure| format!("not sealed: {failure:?}"))?;
    expect_octets(vector, "ciphertext_observed", &ciphertext)?;
    expect_octets(vector, "mac", &mac)?;
    // The forgery is the observation with its two parts exchanged and unpadded.
    expect_octets(vector, "forged_cleartext", unpadded(&ciphertext)?)?;
    expect_octets(vector, "forged_ciphertext", unpadded(&cleartext)?)?;
    check_accepted(vector, "forged_cleartext", "forged_ciphertext", "mac")?;
    Ok(())
}

fn check_not_applicable(vector: &Value) -> Result<(), String> {
    json::only(
        vector,
        &[
            "id",
            "condition",
            "key",
            "cleartext",
            "ciphertext",
            "mac",
            "expect",
        ],
    )?;
    // The construction of `forge-short-cleartext`, one octet too long.
    let cleartext = json::octets(vector, "cleartext")?;
    expect_octets(vector, "ciphertext", &cleartext[..16.min(cleartext.len())])?;
    expect_octets(vector, "mac", &[0; 4])?;
    for rule in [Rule::RejectShortCleartext, Rule::AcceptAnyCleartext] {
        let verdict = forged(vector, "cleartext", "ciphertext", "mac", rule)?;
        match (json::text(vector, "expect")?, verdict) {
            ("reject", Err(Failure::Mac)) => {}
            (expected, verdict) => return Err(format!("expect: {expected}, but {verdict:?}")),
        }
    }
    Ok(())
}

fn unpadded(block: &[u8]) -> Result<&[u8], String> {
    let end = block.iter().rposition(|octet| *octet != 0);
    match end {
        Some(end) if block[end] == 0x80 => Ok(&block[..end]),
        _ => Err("the observation is not padded".into()),
    }
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter()
        .zip(right)
        .map(|(left, right)| left ^ right)
        .collect()
}

/// EAX′ from its definition, with every intermediate value.
struct Reference {
    aes: AesKey,
    l: [u8; 16],
    d: [u8; 16],
    q: [u8; 16],
    /// Octets of the counter start whose top bit is cleared.
    cleared: [usize; 2],
}

struct Sealed {
    n_mac: [u8; 16],
    counter: [u8; 16],
    keystream: Vec<[u8; 16]>,
    ciphertext: Vec<u8>,
    /// `None` without ciphertext.
    c_mac: Option<[u8; 16]>,
    mac: [u8; 4],
}

impl Reference {
    fn new(key: &[u8; 16], cleared: [usize; 2]) -> Self {
        let aes = AesKey::new(key, &mut Work::default());
        let l = encrypt(&aes, [0; 16]);
        let d = double(&l);
        let q = double(&d);
        Self {
            aes,
            l,
            d,
            q,
            cleared,
        }
    }

    fn seal(&self, cleartext: &[u8], plaintext: &[u8]) -> Sealed {
        let n_mac = self.mac(&self.d, cleartext);
        let mut counter = n_mac;
        for octet in self.cleared {
            counter[octet] &= 0x7F;
        }
        let start = u128::from_be_bytes(counter);
        let keystream: Vec<_> = (0..plaintext.len().div_ceil(16) as u128)
            .map(|block| encrypt(&self.aes, start.wrapping_add(block).to_be_bytes()))
            .collect();
        let ciphertext = xor(plaintext, keystream.as_flattened());
        let c_mac = (!ciphertext.is_empty()).then(|| self.mac(&self.q, &ciphertext));
        let tag = c_mac.map_or(n_mac.to_vec(), |c_mac| xor(&n_mac, &c_mac));
        Sealed {
            n_mac,
            counter,
            keystream,
            ciphertext,
            c_mac,
            mac: tag[12..].try_into().expect("four octets are left"),
        }
    }

    fn mac(&self, start: &[u8; 16], message: &[u8]) -> [u8; 16] {
        let mut padded = message.to_vec();
        let subkey = if !padded.is_empty() && padded.len().is_multiple_of(16) {
            &self.d
        } else {
            padded.push(0x80);
            padded.resize(padded.len().next_multiple_of(16), 0);
            &self.q
        };
        let last = padded.len() - 16;
        for (octet, key) in padded[last..].iter_mut().zip(subkey) {
            *octet ^= key;
        }
        padded
            .as_chunks::<16>()
            .0
            .iter()
            .fold(*start, |mut state, block| {
                for (octet, input) in state.iter_mut().zip(block) {
                    *octet ^= input;
                }
                encrypt(&self.aes, state)
            })
    }
}

fn encrypt(aes: &AesKey, mut block: [u8; 16]) -> [u8; 16] {
    aes.encrypt(&mut block, &mut Work::default());
    block
}

/// Little-endian doubling, octet by octet.
fn double(block: &[u8; 16]) -> [u8; 16] {
    let mut doubled = [0; 16];
    let mut carry = 0;
    for (output, input) in doubled.iter_mut().zip(block) {
        *output = input << 1 | carry;
        carry = input >> 7;
    }
    if carry != 0 {
        doubled[0] ^= 0x87;
    }
    doubled
}
