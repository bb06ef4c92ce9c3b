//! Published vectors of every primitive, the work that each counts, and tampering.
//!
//! EAX′ and the RFC 5295 derivations are also run against the vector files, by the conformance
//! suite.

use std::vec;
use std::vec::Vec;

use ::cmac::Cmac;
use ::hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;

use super::eax_prime::{EaxPrimeKey, Failure, Rule};
use super::hmac::{HmacKey, Sha1, Sha256};
use super::prf::aes_cmac_key;
use super::*;

fn hex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2));
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn block(digits: &str) -> [u8; 16] {
    hex(digits).try_into().unwrap()
}

#[test]
fn rfc4493_4_cmac() {
    let message = hex(concat!(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
        "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    ));
    let mut work = Work::NONE;
    let key = CmacKey::new(&block("2b7e151628aed2a6abf7158809cf4f3c"), &mut work);
    assert_eq!(work.aes_key_schedules, 1);
    // Length, tag, block encryptions including the one of the subkey.
    for (len, tag, blocks) in [
        (0, "bb1d6929e95937287fa37d129b756746", 2),
        (16, "070a16b46b4d4144f79bdd9dd04a287c", 2),
        (40, "dfa66747de9ae63030ca32611497c827", 4),
        (64, "51f0bebf7e3b9d92fc49741779363cfe", 5),
    ] {
        let mut work = Work::NONE;
        assert_eq!(key.tag(&[&message[..len]], &mut work), block(tag), "{len}");
        assert_eq!(work.aes_blocks, blocks);
        // The split into parts does not matter.
        let (front, back) = message[..len].split_at(len / 3);
        assert_eq!(key.tag(&[front, &[], back], &mut work), block(tag), "{len}");
    }
}

/// Nonce, header, plaintext, ciphertext with tag under the key C0 to CF.
const CCM: [[&str; 4]; 4] = [
    // IEEE 802.15.4-2006 Annex C.2.1: a beacon at level 2.
    [
        "acde4800000000010000000502",
        "08d0842143010000000048deac020500000055cf000051525354",
        "",
        "223bc1ec841ab553",
    ],
    // Annex C.2.3: an association request at level 6; its identifier stays readable.
    [
        "acde4800000000010000000506",
        "2bdc842143020000000048deacffff010000000048deac060500000001",
        "ce",
        "d84fde529061f9c6f1",
    ],
    // RFC 3610 §8, packet vector 1.
    [
        "00000003020100a0a1a2a3a4a5",
        "0001020304050607",
        "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
        "588c979a61c663d2f066d0c2c0f989806d5f6b61dac38417e8d12cfdf926e0",
    ],
    // Formal specification of CCM*, IEEE 802.15-04/537r2 §2.
    [
        "a0a1a2a3a4a5a6a70302010006",
        "0001020304050607",
        "08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
        "1a55a36abb6c610d066b3375649cef10d4664ecad854a80a895cc1d8ff9469",
    ],
];

#[test]
fn ieee802_15_4_annex_c_ccm_star() {
    let mut work = Work::NONE;
    let key = CcmKey::new(&block("c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"), &mut work);
    for [nonce, header, plaintext, sealed] in CCM {
        let nonce: [u8; 13] = hex(nonce).try_into().unwrap();
        let header = hex(header);
        let mut buffer = hex(plaintext);
        let mut work = Work::NONE;
        let tag = key.seal(&nonce, &header, &mut buffer, CcmTag::Eight, &mut work);
        let blocks = 2 + (header.len() + 2).div_ceil(16) + 2 * buffer.len().div_ceil(16);
        assert_eq!(work.aes_blocks as usize, blocks);
        let octets: Vec<u8> = buffer.iter().chain(&tag[..8]).copied().collect();
        assert_eq!(octets, hex(sealed));
        key.open(&nonce, &header, &mut buffer, &tag[..8], &mut work)
            .unwrap();
        assert_eq!(buffer, hex(plaintext));
    }
}

proptest! {
    #[test]
    fn ccm_star_opens_what_it_seals_and_nothing_else(
        octets in proptest::collection::vec(any::<u8>(), 0..100),
        header in proptest::collection::vec(any::<u8>(), 0..40),
        nonce in any::<[u8; 13]>(),
        length in 0_usize..3,
        flip in any::<(usize, u8)>(),
    ) {
        let length = [CcmTag::Four, CcmTag::Eight, CcmTag::Sixteen][length];
        let mut work = Work::NONE;
        let key = CcmKey::new(&[7; 16], &mut work);
        let mut sealed = octets.clone();
        let tag = key.seal(&nonce, &header, &mut sealed, length, &mut work);
        let mut tag = tag[..length.len()].to_vec();
        let mut opened = sealed.clone();
        prop_assert!(key.open(&nonce, &header, &mut opened, &tag, &mut work).is_ok());
        prop_assert_eq!(opened, octets);
        let (at, bit) = (flip.0 % (sealed.len() + tag.len()), 1 << (flip.1 % 8));
        match at.checked_sub(sealed.len()) {
            None => sealed[at] ^= bit,
            Some(at) => tag[at] ^= bit,
        }
        prop_assert!(key.open(&nonce, &header, &mut sealed, &tag, &mut work).is_err());
        prop_assert!(key.open(&nonce, &header, &mut sealed, &tag[1..], &mut work).is_err());
    }
}

/// Key, nonce, header, plaintext, ciphertext with tag (EAX paper, Appendix G).
const EAX: [[&str; 5]; 10] = [
    [
        "233952dee4d5ed5f9b9c6d6ff80ff478",
        "62ec67f9c3a4a407fcb2a8c49031a8b3",
        "6bfb914fd07eae6b",
        "",
        "e037830e8389f27b025a2d6527e79d01",
    ],
    [
        "91945d3f4dcbee0bf45ef52255f095a4",
        "becaf043b0a23d843194ba972c66debd",
        "fa3bfd4806eb53fa",
        "f7fb",
        "19dd5c4c9331049d0bdab0277408f67967e5",
    ],
    [
        "01f74ad64077f2e704c0f60ada3dd523",
        "70c3db4f0d26368400a10ed05d2bff5e",
        "234a3463c1264ac6",
        "1a47cb4933",
        "d851d5bae03a59f238a23e39199dc9266626c40f80",
    ],
    [
        "d07cf6cbb7f313bdde66b727afd3c5e8",
        "8408dfff3c1a2b1292dc199e46b7d617",
        "33cce2eabff5a79d",
        "481c9e39b1",
        "632a9d131ad4c168a4225d8e1ff755939974a7bede",
    ],
    [
        "35b6d0580005bbc12b0587124557d2c2",
        "fdb6b06676eedc5c61d74276e1f8e816",
        "aeb96eaebe2970e9",
        "40d0c07da5e4",
        "071dfe16c675cb0677e536f73afe6a14b74ee49844dd",
    ],
    [
        "bd8e6e11475e60b268784c38c62feb22",
        "6eac5c93072d8e8513f750935e46da1b",
        "d4482d1ca78dce0f",
        "4de3b35c3fc039245bd1fb7d",
        "835bb4f15d743e350e728414abb8644fd6ccb86947c5e10590210a4f",
    ],
    [
        "7c77d6e813bed5ac98baa417477a2e7d",
        "1a8c98dcd73d38393b2bf1569deefc19",
        "65d2017990d62528",
        "8b0a79306c9ce7ed99dae4f87f8dd61636",
        "02083e3979da014812f59f11d52630da30137327d10649b0aa6e1c181db617d7f2",
    ],
    [
        "5fff20cafab119ca2fc73549e20f5b0d",
        "dde59b97d722156d4d9aff2bc7559826",
        "54b9f04e6a09189a",
        "1bda122bce8a8dbaf1877d962b8592dd2d56",
        "2ec47b2c4954a489afc7ba4897edcdae8cc33b60450599bd02c96382902aef7f832a",
    ],
    [
        "a4a4782bcffd3ec5e7ef6d8c34a56123",
        "b781fcf2f75fa5a8de97a9ca48e522ec",
        "899a175897561d7e",
        "6cf36720872b8513f6eab1a8a44438d5ef11",
        "0de18fd0fdd91e7af19f1d8ee8733938b1e8e7f6d2231618102fdb7fe55ff1991700",
    ],
    [
        "8395fcf1e95bebd697bd010bc766aac3",
        "22e7add93cfc6393c57ec0b3c17d6b44",
        "126735fcc320d25a",
        "ca40d7446e545ffaed3bd12a740a659ffbbb3ceab7",
        "cb8920f87a6c75cff39627b56e3ed197c552d295a7cfc46afc253b4652b1af3795b124ab6e",
    ],
];

#[test]
fn eax_paper_appendix_g() {
    for [key, nonce, header, plaintext, sealed] in EAX {
        let (key, nonce) = (EaxKey::new(block(key)), block(nonce));
        let (header, plaintext, sealed) = (hex(header), hex(plaintext), hex(sealed));
        let mut work = Work::NONE;
        let mut buffer = plaintext.clone();
        let tag = key.seal(&nonce, &header, &mut buffer, &mut work);
        assert_eq!([&buffer[..], &tag].concat(), sealed);
        assert_eq!(
            key.open(&nonce, &header, &mut buffer, &tag, &mut work),
            Ok(())
        );
        assert_eq!(buffer, plaintext);
    }
}

#[test]
fn eax_counts_the_blocks_of_its_four_passes() {
    // A PCHANNEL: nonce 3, header of 22 octets 4, one octet of message 3 + 1.
    let key = EaxKey::new([7; 16]);
    let mut work = Work::NONE;
    let mut buffer = [0x80];
    let tag = key.seal(&[0; 16], &[1; 22], &mut buffer, &mut work);
    assert_eq!((work.aes_blocks, work.aes_key_schedules), (11, 4));
    let mut work = Work::NONE;
    let wrong = [0; 16];
    assert_eq!(
        key.open(&[0; 16], &[1; 22], &mut buffer, &wrong, &mut work),
        Err(TagMismatch)
    );
    let counted = (work.aes_blocks, work.aes_key_schedules);
    assert_eq!(counted, (10, 3), "nothing is decrypted after a mismatch");
    key.open(&[0; 16], &[1; 22], &mut buffer, &tag, &mut work)
        .unwrap();
    assert_eq!(buffer, [0x80]);
}

#[test]
fn rfc2202_3_hmac_sha1() {
    let large: &[u8] = b"Test Using Larger Than Block-Size Key - Hash Key First";
    let cases: [(&[u8], &[u8], &str); 3] = [
        (
            &[0x0B; 20],
            b"Hi There",
            "b617318655057264e28bc0b6fb378c8ef146be00",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        ),
        (
            &[0xAA; 80],
            large,
            "aa4ae5e15272d00e95705637ce8a3b55ed402112",
        ),
    ];
    for (key, message, tag) in cases {
        let mut blocks = 0;
        let keyed = HmacKey::<Sha1>::new(key, |count| blocks += count);
        let computed: [u8; 20] = keyed.tag(&[message], |count| blocks += count);
        assert_eq!(computed.as_slice(), hex(tag));
        assert_eq!(blocks, if key.len() > 64 { 6 } else { 4 });
    }
}

#[test]
fn rfc4231_4_hmac_sha256() {
    let large: &[u8] = b"Test Using Larger Than Block-Size Key - Hash Key First";
    let cases: [(&[u8], &[u8], &str); 4] = [
        (
            &[0x0B; 20],
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            &[0xAA; 20],
            &[0xDD; 50],
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            &[0xAA; 131],
            large,
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ];
    for (key, message, tag) in cases {
        let keyed = HmacKey::<Sha256>::new(key, |_| ());
        let (front, back) = message.split_at(5);
        let computed: [u8; 32] = keyed.tag(&[front, back], |_| ());
        assert_eq!(computed.as_slice(), hex(tag));
    }
}

fn mac_key(algorithm: Integrity, octets: &[u8]) -> MacKey {
    let mut key = Secret::default();
    key.expose_mut()[..octets.len()].copy_from_slice(octets);
    MacKey::new(algorithm, key)
}

#[test]
fn integrity_algorithms_truncate_as_their_transforms_say() {
    let mut work = Work::NONE;
    // RFC 2202 case 1, RFC 4868 AUTH256-1, RFC 4494 §4 (the first 12 octets of RFC 4493).
    for (algorithm, key, message, tag) in [
        (
            Integrity::HmacSha1_160,
            &[0x0B; 20][..],
            &b"Hi There"[..],
            "b617318655057264e28bc0b6fb378c8ef146be00",
        ),
        (
            Integrity::HmacSha256_128,
            &[0x0B; 32],
            b"Hi There",
            "198a607eb44bfbc69903a0f1cf2bbdc5",
        ),
        (
            Integrity::AesCmac96,
            &block("2b7e151628aed2a6abf7158809cf4f3c"),
            &block("6bc1bee22e409f96e93d7e117393172a"),
            "070a16b46b4d4144f79bdd9d",
        ),
    ] {
        let key = mac_key(algorithm, key);
        let tag = hex(tag);
        assert_eq!(key.tag(&[message], &mut work).octets(), tag);
        assert_eq!(tag.len(), algorithm.tag_len());
        assert!(key.verify(&[message], &tag, &mut work));
        assert!(!key.verify(&[message], &tag[..tag.len() - 1], &mut work));
        let mut wrong = tag.clone();
        wrong[3] ^= 0x10;
        assert!(!key.verify(&[message], &wrong, &mut work));
        assert_eq!(Integrity::from_id(algorithm.id()), Some(algorithm));
    }
    assert_eq!(Integrity::from_id(2), None);
}

#[test]
fn rfc4615_4_aes_cmac_prf_128() {
    let message: Vec<u8> = (0..20).collect();
    for (key, output) in [
        (
            "000102030405060708090a0b0c0d0e0fedcb",
            "84a348a4a45d235babfffc0d2b4da09a",
        ),
        (
            "000102030405060708090a0b0c0d0e0f",
            "980ae87b5f4c9c5214f5b6a8455e4c2d",
        ),
        ("00010203040506070809", "290d9e112edb09ee141fcf64c0b72f3d"),
    ] {
        let mut work = Work::NONE;
        let keyed = aes_cmac_key(&hex(key), &mut work);
        assert_eq!(keyed.tag(&[&message], &mut work), block(output));
    }
}

/// prf+ written down from RFC 7296 §2.13.
fn prf_plus(prf: impl Fn(&[u8]) -> Vec<u8>, seed: &[u8], len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut previous = Vec::new();
    for counter in 1..=u8::MAX {
        previous = prf(&[&previous, seed, &[counter]].concat());
        out.extend_from_slice(&previous);
        if out.len() >= len {
            break;
        }
    }
    out.truncate(len);
    out
}

#[test]
fn rfc7296_2_13_prf_plus() {
    let key = b"a key of more than sixteen octets";
    let seed: [&[u8]; 3] = [b"IETF PANA", &[1; 40], &[2; 8]];
    let flat = seed.concat();
    for len in [1, 16, 20, 32, 64, 100] {
        for prf in [Prf::HmacSha1, Prf::HmacSha256, Prf::AesCmac] {
            let mut out = vec![0xA5; len];
            prf.plus(key, &seed, &mut out, &mut Work::default());
            let single = |message: &[u8]| match prf {
                Prf::HmacSha1 => {
                    let keyed = HmacKey::<Sha1>::new(key, |_| ());
                    keyed.tag::<20>(&[message], |_| ()).to_vec()
                }
                Prf::HmacSha256 => {
                    let keyed = HmacKey::<Sha256>::new(key, |_| ());
                    keyed.tag::<32>(&[message], |_| ()).to_vec()
                }
                Prf::AesCmac => {
                    let mut work = Work::NONE;
                    let keyed = aes_cmac_key(key, &mut work);
                    keyed.tag(&[message], &mut work).to_vec()
                }
            };
            assert_eq!(out, prf_plus(single, &flat, len), "{prf:?} {len}");
            assert_eq!(Prf::from_id(prf.id()), Some(prf));
        }
    }
    assert_eq!(Prf::from_id(7), None);
}

/// The second case of `ukmf.json`, section `rfc5295_kdf`, in one piece and in parts.
#[test]
fn rfc5295_3_1_kdf() {
    let emsk = hex(concat!(
        "c4db19f4b8af3978a31252454e901670883bc48c847ebbd4b5a7346c0a8c6940",
        "2e13c3c44fbaf3f1e9dd690f2be50eaf70a188e9e4b45bfdbcabedf2940deb0a"
    ));
    let usrk = hex(concat!(
        "414242c796c43d939008107ef4e5ac6ac34934d48f4909a23e41729194a1adbf",
        "6da6dffced326c80b5d6fb779891d57bd73f7bca43090e14d3fb927b81a676ad"
    ));
    let mut work = Work::NONE;
    let mut out = [0xA5; 64];
    kdf(&emsk, "usage1@ami.example", &[&[0x6E]], &mut out, &mut work);
    assert_eq!(out.as_slice(), usrk);
    // The pads, then one inner and one outer block for each of the two outputs.
    assert_eq!(work.sha256_blocks, 6);
    let mut out = [0xA5; 64];
    let parts: [&[u8]; 3] = [&[], &[0x6E], &[]];
    kdf(&emsk, "usage1@ami.example", &parts, &mut out, &mut work);
    assert_eq!(out.as_slice(), usrk);
}

#[test]
fn rfc6070_2_pbkdf2() {
    let long: (&[u8], &[u8]) = (
        b"passwordPASSWORDpassword",
        b"saltSALTsaltSALTsaltSALTsaltSALTsalt",
    );
    let cases: [(&[u8], &[u8], u32, &str); 4] = [
        (
            b"password",
            b"salt",
            1,
            "0c60c80f961f0e71f3a9b524af6012062fe037a6",
        ),
        (
            b"password",
            b"salt",
            2,
            "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957",
        ),
        (
            b"password",
            b"salt",
            4096,
            "4b007901b765489abead49d926f721d065a429c1",
        ),
        (
            long.0,
            long.1,
            4096,
            "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038",
        ),
    ];
    for (password, salt, iterations, expected) in cases {
        let expected = hex(expected);
        let mut out = vec![0xA5; expected.len()];
        let mut work = Work::NONE;
        pbkdf2_hmac_sha1(password, salt, iterations, &mut out, &mut work);
        assert_eq!(out, expected);
        let outputs = expected.len().div_ceil(20) as u32;
        assert_eq!(work.sha1_blocks, 2 + 2 * iterations * outputs);
    }
}

/// Any key, cleartexts of at most one block: all that the known forgeries need.
#[test]
fn short_cleartexts_are_forgeable_unless_refused() {
    for key in [[0; 16], [0x42; 16], [0xFF; 16]] {
        let mut work = Work::NONE;
        let key = EaxPrimeKey::new(&key, &mut work);
        let mut ciphertext = [0; 16];
        ciphertext[..4].copy_from_slice(b"ABC\x80");
        let forgery = ciphertext;
        let mut open = |cleartext: &[u8], rule| {
            ciphertext = forgery;
            key.open(&[cleartext], &mut ciphertext, &[0; 4], rule, &mut work)
        };
        assert_eq!(open(b"ABC", Rule::AcceptAnyCleartext), Ok(()));
        let refused = Err(Failure::CleartextTooShort);
        assert_eq!(open(b"ABC", Rule::RejectShortCleartext), refused);
        assert_eq!(open(&[1; 16], Rule::RejectShortCleartext), refused);
        assert_eq!(
            open(&[1; 17], Rule::RejectShortCleartext),
            Err(Failure::Mac)
        );
        assert_eq!(open(b"", Rule::AcceptAnyCleartext), refused);
    }
}

fn octets(len: core::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), len)
}

/// Flips the bit `bit`, counted through all of `fields`.
fn flip(fields: &mut [&mut [u8]], bit: proptest::sample::Index) {
    let bits = fields.iter().map(|field| field.len() * 8).sum();
    let mut bit = bit.index(bits);
    for field in fields {
        if bit < field.len() * 8 {
            field[bit / 8] ^= 1 << (bit % 8);
            return;
        }
        bit -= field.len() * 8;
    }
}

/// Splits `message` into three parts, some of which may be empty.
fn in_parts(message: &[u8], splits: [proptest::sample::Index; 2]) -> [&[u8]; 3] {
    let mut splits = splits.map(|split| split.index(message.len() + 1));
    splits.sort_unstable();
    let [first, second] = splits;
    [
        &message[..first],
        &message[first..second],
        &message[second..],
    ]
}

fn crate_mac<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

proptest! {
    #[test]
    fn macs_of_parts_agree_with_the_crates(
        key: [u8; 16],
        long_key in octets(0..=200),
        message in octets(0..=300),
        splits: [proptest::sample::Index; 2],
    ) {
        let mut work = Work::NONE;
        let parts = in_parts(&message, splits);
        let cmac = CmacKey::new(&key, &mut work).tag(&parts, &mut work);
        prop_assert_eq!(&cmac[..], crate_mac::<Cmac<aes::Aes128Enc>>(&key, &message));

        let [mut sha1, mut sha256] = [0; 2];
        let keyed = HmacKey::<Sha1>::new(&long_key, |blocks| sha1 += blocks);
        let tag: [u8; 20] = keyed.tag(&parts, |blocks| sha1 += blocks);
        prop_assert_eq!(&tag[..], crate_mac::<Hmac<::sha1::Sha1>>(&long_key, &message));
        let keyed = HmacKey::<Sha256>::new(&long_key, |blocks| sha256 += blocks);
        let tag: [u8; 32] = keyed.tag(&parts, |blocks| sha256 += blocks);
        prop_assert_eq!(&tag[..], crate_mac::<Hmac<::sha2::Sha256>>(&long_key, &message));
        // A key block and 9 octets of padding on each side; a long key is hashed first.
        let hashed = if long_key.len() > 64 { (long_key.len() + 9).div_ceil(64) } else { 0 };
        let expected = (hashed + 1 + (message.len() + 9).div_ceil(64) + 2) as u32;
        prop_assert_eq!([sha1, sha256], [expected; 2]);
    }

    #[test]
    fn eax_opens_what_it_sealed_and_nothing_else(
        key: [u8; 16],
        nonce: [u8; 16],
        header in octets(0..=64),
        plaintext in octets(0..=80),
        bit: proptest::sample::Index,
    ) {
        let key = EaxKey::new(key);
        let mut work = Work::NONE;
        let mut buffer = plaintext.clone();
        let tag = key.seal(&nonce, &header, &mut buffer, &mut work);
        let sealed = buffer.clone();
        prop_assert_eq!(key.open(&nonce, &header, &mut buffer, &tag, &mut work), Ok(()));
        prop_assert_eq!(&buffer, &plaintext);
        let (mut nonce, mut header, mut tag, mut buffer) = (nonce, header, tag, sealed);
        flip(&mut [&mut nonce, &mut header, &mut buffer, &mut tag], bit);
        let before = buffer.clone();
        let verdict = key.open(&nonce, &header, &mut buffer, &tag, &mut work);
        prop_assert_eq!(verdict, Err(TagMismatch));
        prop_assert_eq!(buffer, before, "untouched on a mismatch");
    }

    #[test]
    fn eax_prime_opens_what_it_sealed_and_nothing_else(
        key: [u8; 16],
        cleartext in octets(17..=90),
        plaintext in octets(0..=80),
        split: proptest::sample::Index,
        bit: proptest::sample::Index,
    ) {
        let mut work = Work::NONE;
        let key = EaxPrimeKey::new(&key, &mut work);
        let rule = Rule::RejectShortCleartext;
        let (front, back) = cleartext.split_at(split.index(cleartext.len()));
        let mut buffer = plaintext.clone();
        let tag = key.seal(&[front, back], &mut buffer, rule, &mut work).unwrap();
        let sealed = buffer.clone();
        prop_assert_eq!(key.open(&[&cleartext], &mut buffer, &tag, rule, &mut work), Ok(()));
        prop_assert_eq!(&buffer, &plaintext);
        let (mut cleartext, mut tag, mut buffer) = (cleartext, tag, sealed);
        flip(&mut [&mut cleartext, &mut buffer, &mut tag], bit);
        let before = buffer.clone();
        let verdict = key.open(&[&cleartext], &mut buffer, &tag, rule, &mut work);
        prop_assert_eq!(verdict, Err(Failure::Mac));
        prop_assert_eq!(buffer, before, "untouched on a mismatch");
    }
}
