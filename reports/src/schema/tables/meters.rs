//! Meters, their authentications and their keys.

use crate::schema::{Hex, table};

table! {
    /// One row per meter, written at the end of the run, in order of `meter`.
    pub table "meters" => MeterRow, MeterColumns {
        /// Index of the meter, 0 to population - 1; the other tables refer to it.
        meter: u32 = Identifier,
        /// Cohort of the scenario that the meter belongs to.
        cohort: String = Identifier,
        /// Domain (parallel partition) that simulated the meter.
        domain: u32 = Identifier,
        /// Medium that connects the meter.
        medium: String = Identifier,
        /// Head-end instance that serves the meter.
        instance: u32 = Identifier,
        /// EAP-PSK identity of the meter, ID_P (RFC 4764 §3.1).
        id_p: String = Identifier,
        /// C12.22 ApTitle in dotted form.
        ap_title: String = Identifier,
        /// Network address.
        address: String = Identifier,
        /// Hops between the meter and the head-end's network.
        hop_count: u32 = Count,
        /// Meter that forwards for this one at the end of the run; missing if none does.
        parent_meter: Option<u32> = Identifier,
        /// Concentrator or border router of the meter; missing on a link of its own.
        concentrator: Option<u32> = Identifier,
        /// Where its concentrator stands, east of the substation; missing without one.
        concentrator_x_m: Option<f64> = Metres,
        /// Where its concentrator stands, north of the substation; missing without one.
        concentrator_y_m: Option<f64> = Metres,
        /// Where the meter stands, east of the substation.
        x_m: f64 = Metres,
        /// Where the meter stands, north of the substation.
        y_m: f64 = Metres,
        /// First power-on; missing if the meter never had power.
        powered_on_ns: Option<i64> = Nanoseconds,
        /// First installation of a C12.22 key; missing if the meter never joined.
        joined_ns: Option<i64> = Nanoseconds,
        /// From first power-on to first key; missing if the meter never joined.
        time_to_join_ns: Option<i64> = Nanoseconds,
        /// Interruptions of the meter's power that ended.
        interruptions: u32 = Count,
        /// Latest return of the power; missing if it was never interrupted.
        power_returned_ns: Option<i64> = Nanoseconds,
        /// First open session since then; missing if there was none.
        rejoined_ns: Option<i64> = Nanoseconds,
        /// First read since then that the head-end accepted; missing if there was none.
        reading_again_ns: Option<i64> = Nanoseconds,
        /// Successful initial authentications.
        authentications: u32 = Count,
        /// Successful re-authentications.
        reauthentications: u32 = Count,
        /// Authentication attempts that did not succeed.
        authentication_failures: u32 = Count,
        /// C12.22 keys derived.
        keys_derived: u32 = Count,
        /// Interval reads that fell due.
        reads_due: u32 = Count,
        /// Interval reads that the head-end accepted.
        reads_delivered: u32 = Count,
        /// Datagrams the meter sent.
        datagrams_up: u64 = Count,
        /// Datagrams the meter received.
        datagrams_down: u64 = Count,
        /// Busy time of the meter's processor.
        cpu_ns: i64 = Nanoseconds,
        /// Rate error of the meter's clock; positive runs fast.
        clock_drift_ppb: i64 = PartsPerBillion,
        /// Firmware version.
        firmware: &'static str = Identifier,
    }
}

table! {
    /// One row per authentication attempt, in order of its end.
    pub table "auth" => AuthRow, AuthColumns {
        /// Meter that authenticated.
        meter: u32 = Identifier,
        /// Head-end instance that served the attempt.
        instance: u32 = Identifier,
        /// `initial` or `reauthentication`.
        kind: &'static str = Identifier,
        /// What started the attempt: `power_on`, `power_return`, `schedule`, `headend`, `retry`,
        /// `command`, `restart` (of the firmware) or `termination` (of the session before).
        trigger: &'static str = Identifier,
        /// Start of the attempt: first PANA message handed to the network.
        start_ns: i64 = Nanoseconds,
        /// End of the attempt, however it ended.
        end_ns: i64 = Nanoseconds,
        /// `end_ns` - `start_ns`.
        latency_ns: i64 = Nanoseconds,
        /// `success`, `rejected`, `timeout` or `closed`.
        outcome: &'static str = Identifier,
        /// Why the attempt failed; missing on success.
        cause: Option<&'static str> = Identifier,
        /// PANA Key-Id (RFC 5191 §8.4) the attempt established; missing unless successful.
        key_id: Option<u32> = Identifier,
        /// Datagrams from the head-end that the meter accepted.
        round_trips: u32 = Count,
        /// Datagrams the meter sent.
        datagrams_up: u32 = Count,
        /// Datagrams the meter received.
        datagrams_down: u32 = Count,
        /// PANA octets the meter sent, without UDP and IP headers.
        pana_bytes_up: u32 = Bytes,
        /// PANA octets the meter received, without UDP and IP headers.
        pana_bytes_down: u32 = Bytes,
        /// PANA messages the meter sent again (RFC 5191 §9).
        retransmissions: u32 = Count,
        /// AES block operations in the meter.
        meter_aes_blocks: u32 = Count,
        /// SHA-1 and SHA-256 compressions in the meter.
        meter_sha_blocks: u32 = Count,
        /// Busy time of the meter's processor.
        meter_cpu_ns: i64 = Nanoseconds,
    }
}

table! {
    /// One row per C12.22 key and side that held it, in order of the key's end.
    pub table "keys" => KeyRow, KeyColumns {
        /// Meter the key belongs to.
        meter: u32 = Identifier,
        /// Who held this copy of the key: `meter` or `headend`.
        side: &'static str = Identifier,
        /// PANA Key-Id of the authentication the key was derived from; the generation of a group key.
        kid32: u32 = Identifier,
        /// C12.22 key id, the slot of the UKMF ring.
        c1222_key_id: u32 = Identifier,
        /// Purpose the key is for: `unicast`, `optical`, `han`, …; a key of a `group` is not derived.
        purpose: &'static str = Identifier,
        /// Name of the key: public, equal on both sides, does not reveal the key.
        key_name: Hex<8> = Identifier,
        /// Derivation from the EMSK.
        derived_at_ns: i64 = Nanoseconds,
        /// First moment the key was allowed for sending; missing if it never was.
        activated_at_ns: Option<i64> = Nanoseconds,
        /// First message sent or accepted under the key; missing if there was none.
        first_used_at_ns: Option<i64> = Nanoseconds,
        /// Last message sent or accepted under the key; missing if there was none.
        last_used_at_ns: Option<i64> = Nanoseconds,
        /// When a newer key took over for sending; missing if none did.
        superseded_at_ns: Option<i64> = Nanoseconds,
        /// End of the key's lifetime, or of the overlap after a rotation if that is earlier, with
        /// the grace this side grants: no use after it is allowed.
        expires_at_ns: i64 = Nanoseconds,
        /// Erasure of the key; missing if it was alive when the run ended.
        ended_at_ns: Option<i64> = Nanoseconds,
        /// `expired`, `replaced`, `terminated` (PTR and PTA), `session_ended`, `reboot` or `run_ended`.
        end_reason: &'static str = Identifier,
        /// Time the key existed: to `ended_at_ns`, or to the end of the run.
        lifetime_ns: i64 = Nanoseconds,
        /// Messages protected with the key by this side.
        messages_sent: u64 = Count,
        /// Messages this side accepted under the key.
        messages_received: u64 = Count,
        /// Octets of the messages counted in the two columns before.
        bytes_protected: u64 = Bytes,
    }
}
