//! Vectors of the key hierarchy and the life cycle of keys.

use std::format;
use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;

use super::hierarchy::{self, KeyContext, RootKey};
use super::*;
use crate::crypto::eax_prime::{EaxPrimeKey, Rule};
use crate::crypto::{Secret, Work};
use crate::{Duration, Env, Instant};

const TITLE: &[u8] = &[0x60, 0x7C, 0x86, 0xF7, 0x54, 0x01, 0x16, 0x00, 0x02];
const SID: &[u8] = &[0x2F; 33];
const HOUR: Duration = Duration::from_secs(3600);

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/ukmf.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// One end with its clock, random numbers and work counter.
struct End {
    store: KeyStore,
    rng: ChaCha8Rng,
    work: Work,
}

impl End {
    fn new(role: Role, policy: Policy) -> Self {
        Self {
            store: KeyStore::new(role, policy),
            rng: ChaCha8Rng::seed_from_u64(0),
            work: Work::NONE,
        }
    }

    fn with<T>(&mut self, now: u64, run: impl FnOnce(&mut KeyStore, &mut Env<'_>) -> T) -> T {
        let mut env = Env::new(Instant::from_secs(now), &mut self.rng, &mut self.work);
        run(&mut self.store, &mut env)
    }

    fn install(&mut self, now: u64, kid32: u32) -> u8 {
        let emsk = Secret::new([kid32 as u8; 64]);
        self.with(now, |store, env| {
            store.install(&emsk, SID, kid32, TITLE, HOUR, env).unwrap()
        })
    }

    fn activate(&mut self, now: u64, kid32: u32) -> bool {
        self.with(now, |store, env| store.activate(kid32, env))
    }

    fn sending(&mut self, now: u64) -> Option<u8> {
        self.with(now, |store, env| {
            store.sending(env).map(|epoch| epoch.key_id())
        })
    }

    fn receiving(&mut self, now: u64, key_id: u8) -> Result<u8, KeyReject> {
        self.with(now, |store, env| {
            store.receiving(key_id, env.now).map(|epoch| epoch.key_id())
        })
    }

    fn accept(&mut self, now: u64, key_id: u8, invocation: u32) {
        self.with(now, |store, env| {
            store.accept(key_id, 0, invocation, 0, 80, env);
        });
    }

    fn events(&mut self) -> Vec<String> {
        core::iter::from_fn(|| self.store.poll_event())
            .map(|event| match event {
                KeyEvent::Derived(key) => format!("derived {:02x}", key.key_id),
                KeyEvent::Activated(key) => format!("activated {:02x}", key.key_id),
                KeyEvent::Retired(key) => format!("retired {:02x}", key.key_id),
                KeyEvent::Ended(key) => {
                    format!("{} {:02x}", key.reason.unwrap().name(), key.key_id)
                }
            })
            .collect()
    }
}

#[test]
fn rfc5295_keys_and_names_match_the_vectors() {
    let mut work = Work::NONE;
    let vectors = vectors();
    for case in vectors["derivations"].as_array().unwrap() {
        let emsk = Secret::new(hex(&case["EMSK"]).try_into().unwrap());
        let session_id = hex(&case["eap_session_id"]);
        let kid32 = number(&case["pana_key_id"]);
        let root = RootKey::derive(&emsk, &session_id, &mut work);
        assert_eq!(root.expose()[..], hex(&case["UKMF_RK"]));
        let name = hierarchy::root_name(&session_id, &mut work);
        assert_eq!(name[..], hex(&case["UKMF_RK_name"]));
        let name = hierarchy::emsk_name(&session_id, &mut work);
        assert_eq!(name[..], hex(&case["EMSKname"]));
        let title = hex(&case["aptitle"]);
        for key in case["keys"].as_array().unwrap() {
            let length = ArrayLength::new(number(&key["array_len"]) as u8).unwrap();
            let index = number(&key["index"]) as u16;
            let key_id = hierarchy::key_id(kid32, length.get(), index);
            assert_eq!(u32::from(key_id), number(&key["c1222_key_id"]));
            let context = KeyContext {
                purpose: Purpose::from(number(&key["purpose"]) as u8),
                index,
                key_id,
                ap_title: &title,
            };
            let derived = root.key(&context, &mut work);
            assert_eq!(derived.expose()[..], hex(&key["key"]));
            assert_eq!(
                context.name(&session_id, &mut work)[..],
                hex(&key["key_name"])
            );
            let check = hierarchy::check_value(&derived, &mut work);
            assert_eq!(check[..], hex(&key["kcv"]));
        }
        let extra = &case["rfc5295_extra"];
        let domain = extra["DSRK_domain"].as_str().unwrap();
        let dsrk = hierarchy::dsrk(&emsk, domain, &mut work);
        assert_eq!(dsrk.expose()[..], hex(&extra["DSRK"]));
        let mut dsusrk = [0; 64];
        let label = extra["DSUSRK_label"].as_str().unwrap();
        hierarchy::dsusrk(&dsrk, label, &[], &mut dsusrk, &mut work);
        assert_eq!(dsusrk[..], hex(&extra["DSUSRK"]));
    }
}

#[test]
fn installing_a_key_costs_eleven_hash_blocks_and_one_key_schedule() {
    // 7 for the root key and 4 for the key; the digest counts 13 because it absorbs the HMAC pads
    // of the root key twice.
    let mut end = End::new(Role::Meter, Policy::default());
    end.install(0, 1);
    assert_eq!(end.work.sha256_blocks, 11);
    assert_eq!(end.work.aes_key_schedules, 1);
    assert_eq!(end.work.aes_blocks, 1);
}

#[test]
fn a_new_key_overlaps_with_the_old_one() {
    let mut meter = End::new(Role::Meter, Policy::default());
    let first = meter.install(0, 1);
    assert_eq!(meter.sending(0), None, "pending keys do not send");
    assert_eq!(meter.receiving(0, first), Ok(first), "but they receive");
    assert!(meter.activate(1, 1));
    assert!(!meter.activate(1, 1), "once is enough");
    assert_eq!(meter.sending(2), Some(first));

    let second = meter.install(3000, 2);
    assert_eq!((first, second), (0x11, 0x12));
    assert_eq!(meter.sending(3000), Some(first));
    assert!(meter.activate(3001, 2));
    assert_eq!(meter.sending(3001), Some(second));
    assert_eq!(meter.receiving(3300, first), Ok(first));
    assert_eq!(
        meter.store.poll_timeout(),
        Some(Instant::from_secs(3301)),
        "the overlap ends"
    );
    assert_eq!(meter.receiving(3301, first), Err(KeyReject::Expired));
    assert_eq!(meter.receiving(3301, 0x13), Err(KeyReject::Unknown));
    assert_eq!(
        meter.events(),
        [
            "derived 11",
            "activated 11",
            "retired 11",
            "superseded 11",
            "derived 12",
            "activated 12"
        ]
    );
    assert_eq!(meter.receiving(3302, first), Err(KeyReject::Expired));
}

#[test]
fn the_overlap_never_outlives_the_old_key() {
    let mut meter = End::new(Role::Meter, Policy::default());
    let first = meter.install(0, 1);
    meter.activate(0, 1);
    meter.install(3500, 2);
    meter.activate(3500, 2);
    assert_eq!(meter.receiving(3599, first), Ok(first));
    meter.with(3600, |store, env| store.handle_timeout(env.now));
    assert!(meter.events().contains(&"expired 11".into()));
}

#[test]
fn an_expired_key_is_received_under_within_the_grace_of_the_server_only() {
    for (role, in_grace) in [
        (Role::Meter, Err(KeyReject::Expired)),
        (Role::Server, Ok(0x11)),
    ] {
        let mut end = End::new(role, Policy::default());
        let key = end.install(0, 1);
        end.activate(10, 1);
        assert_eq!(end.sending(3609), Some(key));
        assert_eq!(end.sending(3610), None, "never sends expired");
        assert_eq!(end.receiving(3614, key), in_grace);
        assert_eq!(end.receiving(3615, key), Err(KeyReject::Expired));
        assert_eq!(end.store.poll_timeout(), None);
        assert_eq!(end.events(), ["derived 11", "activated 11", "expired 11"]);
    }
}

#[test]
fn the_first_message_under_a_pending_key_stands_for_the_lost_answer() {
    let mut server = End::new(Role::Server, Policy::default());
    let first = server.install(0, 1);
    server.activate(0, 1);
    let second = server.install(100, 2);
    assert_eq!(server.sending(100), Some(first));
    server.accept(110, second, 0);
    assert_eq!(server.sending(110), Some(second));
    let rx = server.store.current_key().unwrap().rx;
    assert_eq!((rx.messages, rx.octets), (1, 80));
    assert_eq!(rx.first, Some(Instant::from_secs(110)));
    assert!(!server.activate(120, 2), "the late PAN[C] changes nothing");
    server.accept(130, first, 7);
    assert_eq!(
        server.sending(130),
        Some(second),
        "a retired key stays retired"
    );
}

#[test]
fn a_key_id_in_use_is_taken_from_the_older_key() {
    let policy = Policy::default();
    let mut end = End::new(Role::Meter, policy);
    let first = end.install(0, 1);
    end.activate(0, 1);
    let again = end.install(10, 1 + 224);
    assert_eq!(first, again);
    assert_eq!(end.sending(10), None);
    assert_eq!(
        end.events(),
        ["derived 11", "activated 11", "slot_reused 11", "derived 11"]
    );
    assert!(end.activate(11, 225));
    assert_eq!(end.store.current_key().unwrap().kid32, 225);
}

#[test]
fn erasure_takes_every_derived_key_and_no_static_one() {
    let mut end = End::new(Role::Server, Policy::default());
    let key = Secret::new([7; 16]);
    end.with(0, |store, env| {
        assert_eq!(
            store.install_static(0x10, &key, env),
            Err(InstallError::StaticKeyId)
        );
        store.install_static(0x02, &key, env).unwrap();
    });
    let first = end.install(0, 1);
    end.activate(0, 1);
    end.install(1, 2);
    end.with(2, |store, env| {
        store.erase_all(EndReason::Terminated, env.now);
    });
    assert_eq!(end.sending(2), None);
    assert_eq!(end.receiving(2, first), Err(KeyReject::Erased));
    assert_eq!(end.receiving(2, 0x12), Err(KeyReject::Erased));
    assert_eq!(end.receiving(2, 0x02), Ok(0x02));
    end.with(2, |store, env| {
        assert!(store.sending_under(0x02, env.now).is_some());
        assert!(store.sending_under(first, env.now).is_none());
    });
    assert_eq!(end.store.poll_timeout(), None);
}

#[test]
fn a_static_key_opens_what_an_equal_key_sealed() {
    let mut end = End::new(Role::Server, Policy::default());
    let mut work = Work::NONE;
    let sealer = EaxPrimeKey::new(&[7; 16], &mut work);
    let mut message = *b"interval data";
    let tag = sealer
        .seal(
            &[&[1; 30]],
            &mut message,
            Rule::RejectShortCleartext,
            &mut work,
        )
        .unwrap();
    end.with(0, |store, env| {
        store.install_static(2, &Secret::new([7; 16]), env).unwrap();
        let key = store.receiving(2, env.now).unwrap().key().unwrap();
        key.open(
            &[&[1; 30]],
            &mut message,
            &tag,
            Rule::RejectShortCleartext,
            &mut work,
        )
        .unwrap();
    });
    assert_eq!(&message, b"interval data");
}

#[test]
fn both_ends_walk_through_a_key_array_without_a_message() {
    let policy = Policy {
        array_length: ArrayLength::new(4).unwrap(),
        rekey_messages: 2,
        ..Policy::default()
    };
    let mut server = End::new(Role::Server, policy);
    let mut meter = End::new(Role::Meter, policy);
    for end in [&mut server, &mut meter] {
        assert_eq!(end.install(0, 1), 0x14);
        end.activate(0, 1);
    }
    let mut used = Vec::new();
    for now in 1..=10 {
        let key_id = server.sending(now).unwrap();
        server.with(now, |store, env| {
            store.sending(env).unwrap().record_sent(90, env.now);
        });
        assert_eq!(
            meter.receiving(now, key_id),
            Ok(key_id),
            "the meter is one ahead"
        );
        meter.accept(now, key_id, now as u32);
        assert_eq!(meter.sending(now), Some(key_id), "and follows");
        used.push(key_id);
    }
    assert_eq!(
        used,
        [0x14, 0x14, 0x15, 0x15, 0x16, 0x16, 0x17, 0x17, 0x17, 0x17]
    );
    assert!(server.store.is_exhausted(Instant::from_secs(10)));
    let names = |end: &End| end.store.keys().map(|key| key.name).collect::<Vec<_>>();
    assert_eq!(names(&server), names(&meter));
    assert_eq!(
        server.store.current_key().unwrap().activated,
        Some(Instant::from_secs(7))
    );
    assert_eq!(
        server.sending(3600),
        None,
        "the array ends with its authentication"
    );
}

#[test]
fn many_installations_stay_bounded_and_keep_the_current_key() {
    let mut end = End::new(Role::Server, Policy::default());
    let first = end.install(0, 1);
    end.activate(0, 1);
    for kid32 in 2..100 {
        end.install(u64::from(kid32), kid32);
        assert!(end.store.keys().count() <= 6);
    }
    assert_eq!(end.sending(100), Some(first));
    let displaced = end
        .events()
        .iter()
        .filter(|event| event.starts_with("displaced"))
        .count();
    assert!(displaced > 0);
}

#[test]
fn invocation_ids_end_instead_of_repeating() {
    let mut end = End::new(Role::Meter, Policy::default());
    end.install(0, 1);
    end.activate(0, 1);
    end.with(0, |store, env| {
        let epoch = store.sending(env).unwrap();
        assert_eq!(epoch.next_invocation(0), Some(0));
        assert_eq!(epoch.next_invocation(0), Some(1));
        assert_eq!(epoch.next_invocation(7), Some(7));
        assert_eq!(epoch.next_invocation(0), Some(8));
        assert_eq!(epoch.next_invocation(u32::MAX), None);
        epoch.invocation = u32::MAX;
        assert_eq!(epoch.next_invocation(0), None);
        assert_eq!(epoch.next_invocation(0), None);
    });
}

#[test]
fn titles_that_cannot_be_counted_are_refused() {
    let mut end = End::new(Role::Meter, Policy::default());
    let emsk = Secret::new([0; 64]);
    end.with(0, |store, env| {
        for title in [&[][..], &[1; 256]] {
            assert_eq!(
                store.install(&emsk, SID, 1, title, HOUR, env),
                Err(InstallError::ApTitleLength)
            );
        }
    });
}

#[test]
fn a_store_is_small() {
    assert!(size_of::<KeyStore>() <= 256, "{}", size_of::<KeyStore>());
    assert!(size_of::<Epoch>() <= 512, "{}", size_of::<Epoch>());
}

#[test]
fn recent_messages_forget_but_never_accept_twice() {
    let mut recent = RecentMessages::new();
    for iv in 0..200 {
        assert_eq!(recent.check(1, iv ^ 0x5A5A, iv), Ok(()));
        recent.record(1, iv ^ 0x5A5A, iv);
    }
    for iv in 0..200 {
        assert!(recent.check(1, iv ^ 0x5A5A, iv).is_err(), "{iv}");
    }
    assert_eq!(recent.check(2, 199 ^ 0x5A5A, 199), Ok(()), "another sender");
    assert_eq!(recent.check(2, 0, 0), Err(Replay::TooOld));
}

proptest! {
    #[test]
    fn the_window_accepts_each_id_once(ids in proptest::collection::vec(0u32..300, 0..400)) {
        let mut window = ReplayWindow::new();
        let mut seen = std::collections::BTreeSet::new();
        for id in ids {
            let expected = if seen.contains(&id) && seen.last().is_some_and(|top| top - id < 64) {
                Err(Replay::Duplicate)
            } else if seen.last().is_some_and(|top| *top >= id + 64) {
                Err(Replay::TooOld)
            } else {
                Ok(())
            };
            prop_assert_eq!(window.check(id), expected);
            if expected.is_ok() {
                window.record(id);
                seen.insert(id);
            }
        }
    }

    #[test]
    fn a_store_in_any_order_of_calls_keeps_its_promises(
        calls in proptest::collection::vec((0u8..6, 0u32..6, 0u64..900), 0..60),
        server: bool,
    ) {
        let role = if server { Role::Server } else { Role::Meter };
        let mut end = End::new(role, Policy::default());
        let mut now = 0;
        for (call, kid32, pause) in calls {
            now += pause;
            match call {
                0 | 1 => { end.install(now, kid32); }
                2 => { end.activate(now, kid32); }
                3 => { end.accept(now, 0x10 + kid32 as u8, pause as u32); }
                4 => end.with(now, |store, env| store.handle_timeout(env.now)),
                _ => end.with(now, |store, env| store.erase_all(EndReason::Revoked, env.now)),
            }
            if let Some(key_id) = end.sending(now) {
                let current = *end.store.current_key().unwrap();
                prop_assert_eq!(current.key_id, key_id);
                prop_assert!(current.superseded.is_none() && current.ended.is_none());
                let age = Instant::from_secs(now).saturating_since(current.activated.unwrap());
                prop_assert!(age < HOUR);
            }
            let ids: Vec<u8> = end.store.keys().map(|key| key.key_id).collect();
            let distinct: std::collections::BTreeSet<u8> = ids.iter().copied().collect();
            prop_assert_eq!(ids.len(), distinct.len(), "one live key per key id");
            if call == 5 {
                end.events();
                prop_assert!(ids.is_empty());
            }
        }
    }
}
