//! The tables of a run.
//!
//! Times are nanoseconds of the virtual clock since the start of the run, whatever a meter's own
//! clock shows. Bins are half open: `bin_start_ns` belongs to the bin, its end to the next one.

use super::{Hex, table};

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

table! {
    /// One row per link medium, direction, protocol, message type, author and time bin with traffic.
    pub table "traffic" => TrafficRow, TrafficColumns {
        /// Medium of the link; `network` for what remote attackers exchange with the head-end.
        medium: String = Identifier,
        /// `up` or `down`.
        direction: &'static str = Identifier,
        /// `pana`, `c1222` or another protocol of the datagram.
        protocol: &'static str = Identifier,
        /// Message type or service in the protocol's own words.
        message_type: &'static str = Identifier,
        /// Attacker that made the datagrams: ground truth; missing for the fleet's own traffic.
        attacker: Option<String> = Identifier,
        /// Start of the bin.
        bin_start_ns: i64 = Nanoseconds,
        /// Width of the bin.
        bin_ns: i64 = Nanoseconds,
        /// Frames offered to the link, dropped ones included.
        frames: u64 = Count,
        /// Octets of those frames on the link, with UDP, IP and link headers.
        bytes: u64 = Bytes,
        /// Octets of those frames above UDP.
        payload_bytes: u64 = Bytes,
        /// Frames that repeat an earlier message.
        retransmissions: u64 = Count,
        /// Frames lost on the link.
        drops_loss: u64 = Count,
        /// Frames a full queue dropped.
        drops_queue: u64 = Count,
        /// Time that those frames occupied the medium, with acknowledgements and repetitions.
        airtime_ns: i64 = Nanoseconds,
        /// `airtime_ns` over the bin, averaged over all lanes or collision domains of the medium.
        utilisation: f64 = Ratio,
    }
}

table! {
    /// One row per application message, all or a sample of them, in order of its end.
    pub table "messages" => MessageRow, MessageColumns {
        /// Meter at one end of the message.
        meter: u32 = Identifier,
        /// `up` or `down`.
        direction: &'static str = Identifier,
        /// C12.22 service or application message type.
        service: &'static str = Identifier,
        /// When the application handed the message over.
        sent_ns: i64 = Nanoseconds,
        /// When the other application accepted the message; missing if it never did.
        delivered_ns: Option<i64> = Nanoseconds,
        /// `delivered_ns` - `sent_ns`; missing if never delivered.
        latency_ns: Option<i64> = Nanoseconds,
        /// Octets of the C12.22 APDU.
        apdu_bytes: u32 = Bytes,
        /// `cleartext`, `authenticated` or `encrypted`.
        security_mode: &'static str = Identifier,
        /// C12.22 key id; missing in cleartext.
        key_id: Option<u32> = Identifier,
        /// `success`, `lost`, `rejected`, `timeout` or `closed`.
        outcome: &'static str = Identifier,
        /// Why the message was not delivered; missing on success.
        cause: Option<&'static str> = Identifier,
    }
}

table! {
    /// One row per interval read that fell due, in order of its end.
    pub table "reads" => ReadRow, ReadColumns {
        /// Meter read.
        meter: u32 = Identifier,
        /// End of the interval, which is when the read falls due.
        due_ns: i64 = Nanoseconds,
        /// When the head-end accepted the read; missing if it never did.
        delivered_ns: Option<i64> = Nanoseconds,
        /// `delivered_ns` - `due_ns`; missing if never delivered.
        latency_ns: Option<i64> = Nanoseconds,
        /// Energy of the interval.
        interval_wh: u32 = WattHours,
    }
}

table! {
    /// One row per head-end instance and time bin.
    pub table "headend" => HeadendRow, HeadendColumns {
        /// Head-end instance.
        instance: u32 = Identifier,
        /// Start of the bin.
        bin_start_ns: i64 = Nanoseconds,
        /// Width of the bin.
        bin_ns: i64 = Nanoseconds,
        /// Datagrams that arrived.
        arrivals: u64 = Count,
        /// Datagrams served to the end.
        served: u64 = Count,
        /// Datagrams a full receive buffer dropped.
        dropped: u64 = Count,
        /// Longest queue.
        queue_max: u32 = Count,
        /// Queue length averaged over time.
        queue_mean: f64 = Count,
        /// Busy time over available core time.
        utilisation: f64 = Ratio,
        /// Authentications completed with success.
        auth_completed: u64 = Count,
        /// Datagrams and messages rejected, by any layer.
        rejects: u64 = Count,
        /// Median service time; missing in a bin that served nothing.
        service_p50_ns: Option<i64> = Nanoseconds,
        /// 99th percentile of the service time; missing in a bin that served nothing.
        service_p99_ns: Option<i64> = Nanoseconds,
        /// 99th percentile of the time in the queue; missing in a bin that served nothing.
        wait_p99_ns: Option<i64> = Nanoseconds,
        /// PANA sessions established, at the end of the bin.
        sessions: u32 = Count,
        /// PANA sessions not yet established, at the end of the bin.
        half_open: u32 = Count,
    }
}

table! {
    /// One row per node, protocol, cause and time bin in which the node discarded something.
    pub table "rejects" => RejectRow, RejectColumns {
        /// Kind of node: `meter`, `concentrator`, `headend` or `home_device`.
        node: &'static str = Identifier,
        /// Index of the node among those of its kind; of devices in homes that of their meter.
        node_id: u32 = Identifier,
        /// Protocol whose rules ordered the discard.
        protocol: &'static str = Identifier,
        /// Cause, as the firmware names its reject.
        cause: &'static str = Identifier,
        /// Start of the bin.
        bin_start_ns: i64 = Nanoseconds,
        /// Width of the bin.
        bin_ns: i64 = Nanoseconds,
        /// Datagrams and messages discarded.
        count: u64 = Count,
    }
}

table! {
    /// One row per action of an attacker: ground truth, in order of the time at which it was known.
    pub table "attacks" => AttackRow, AttackColumns {
        /// Attacker of the scenario.
        attacker: String = Identifier,
        /// Kind of attack: `flood`, `replay`, `eavesdrop`, …
        attack: &'static str = Identifier,
        /// What was tried: `initiate`, `authenticate`, `read_with_psk`, a message type, …
        action: &'static str = Identifier,
        /// Label of the datagram sent or altered; 0 for an action without one.
        label: u64 = Identifier,
        /// Head-end instance whose meters the action is about.
        instance: u32 = Identifier,
        /// Victim; missing if the action is not about one meter.
        meter: Option<u32> = Identifier,
        /// Arrival of a forged datagram, departure of an altered or dropped one, time of a leak.
        time_ns: i64 = Nanoseconds,
        /// When the receiver judged it or the effect ended; missing if neither happened.
        end_ns: Option<i64> = Nanoseconds,
        /// Messages read or recorded, guesses made; 1 for a datagram.
        count: u64 = Count,
        /// Octets concerned.
        bytes: u64 = Bytes,
        /// `accepted`, `repeated` (the last answer was sent again), `rejected`, `ignored` (never
        /// judged) or `dropped` (by the attacker).
        outcome: &'static str = Identifier,
        /// Why, as the firmware names its reject; missing on acceptance.
        cause: Option<&'static str> = Identifier,
    }
}

table! {
    /// One row per order to a service switch, in order of the time at which it was given.
    pub table "commands" => CommandRow, CommandColumns {
        /// Meter whose switch is operated.
        meter: u32 = Identifier,
        /// Head-end instance that issued the order.
        instance: u32 = Identifier,
        /// Who ordered it: `operator`, or an attacker of the scenario.
        origin: String = Identifier,
        /// Whether it is the operator who ordered it: ground truth, which no meter can tell.
        authorised: bool = Identifier,
        /// `disconnect`, `connect` or `arm`.
        action: &'static str = Identifier,
        /// When it was put into the queue of the head-end.
        ordered_ns: i64 = Nanoseconds,
        /// When it was first sent; missing if it never was.
        issued_ns: Option<i64> = Nanoseconds,
        /// When the meter had verified it and taken it; missing if it never did.
        accepted_ns: Option<i64> = Nanoseconds,
        /// When the switch was in the position ordered; missing if it never was.
        applied_ns: Option<i64> = Nanoseconds,
        /// When the head-end had the first response; missing if none came.
        responded_ns: Option<i64> = Nanoseconds,
        /// When the head-end was done with it, or the run ended.
        ended_ns: i64 = Nanoseconds,
        /// `applied_ns` - `ordered_ns`; missing if never applied.
        latency_ns: Option<i64> = Nanoseconds,
        /// Requests sent for it: with procedure, repetitions and queries for the result.
        transmissions: u32 = Count,
        /// What the switch did: `moved`, `unmoved` (was there already), `taken_back` by a later
        /// order, or why it refused; missing if it has done nothing.
        effect: Option<&'static str> = Identifier,
        /// Mean power of the premise that was cut off or supplied again; 0 unless it moved.
        load_w: f64 = Watts,
        /// `success` (confirmed by the meter), `rejected`, `timeout` or `closed`.
        outcome: &'static str = Identifier,
        /// Why the order did not succeed; missing on success.
        cause: Option<&'static str> = Identifier,
    }
}

table! {
    /// One row per request of the head-end to a meter, in order of the time at which it ended.
    pub table "requests" => RequestRow, RequestColumns {
        /// Meter that is asked.
        meter: u32 = Identifier,
        /// Head-end instance that asks.
        instance: u32 = Identifier,
        /// Schedule that the request belongs to, or what the timeline calls it.
        name: String = Identifier,
        /// `read_registers`, `read_profile`, `read_tables`, `on_demand_read`, `set_time`,
        /// `download`, `service_test` or `firmware_update`.
        request: &'static str = Identifier,
        /// Class of RFC 8036 §4.2, `c1` to `c5`: the order in which requests that are due are made.
        class: &'static str = Identifier,
        /// When it was to be made.
        due_ns: i64 = Nanoseconds,
        /// When its first message was sent; missing if none was.
        issued_ns: Option<i64> = Nanoseconds,
        /// When the first response came; missing if none came.
        responded_ns: Option<i64> = Nanoseconds,
        /// When the head-end was done with it, or the run ended.
        ended_ns: i64 = Nanoseconds,
        /// `ended_ns` - `due_ns`; missing without success.
        latency_ns: Option<i64> = Nanoseconds,
        /// Messages sent to the meter.
        transmissions: u32 = Count,
        /// Of these, messages that repeat an earlier one.
        repetitions: u32 = Count,
        /// C12.22 messages to the meter.
        bytes_down: u64 = Bytes,
        /// C12.22 responses of the meter.
        bytes_up: u64 = Bytes,
        /// Parts of tables that were read because a response with the whole would be too large.
        parts: u32 = Count,
        /// Services that the meter refused, not those that were asked again for less.
        refused: u32 = Count,
        /// Load profile intervals that were read.
        intervals: u32 = Count,
        /// `success`, `rejected` (by the meter), `timeout`, or `closed` (the run ended first).
        outcome: &'static str = Identifier,
        /// Why the request did not succeed; missing on success.
        cause: Option<&'static str> = Identifier,
    }
}

table! {
    /// One row per loss of power of a meter that reports it, in order of the time at which it was
    /// lost.
    pub table "outages" => OutageRow, OutageColumns {
        /// Meter without power.
        meter: u32 = Identifier,
        /// When mains were lost.
        lost_ns: i64 = Nanoseconds,
        /// When the capacitor of the meter was empty; missing if mains returned before.
        dark_ns: Option<i64> = Nanoseconds,
        /// When mains returned; missing if the run ended before.
        returned_ns: Option<i64> = Nanoseconds,
        /// `sustained`, or `momentary`: over before it is long enough to be reported.
        kind: &'static str = Identifier,
        /// Last gasps that arrived at the head-end.
        last_gasps: u32 = Count,
        /// When the first of them arrived; missing if none did.
        last_gasp_ns: Option<i64> = Nanoseconds,
        /// `last_gasp_ns` - `lost_ns`; missing if none arrived.
        last_gasp_latency_ns: Option<i64> = Nanoseconds,
        /// When the message arrived that power had returned; missing if it did not.
        restoration_ns: Option<i64> = Nanoseconds,
        /// `restoration_ns` - `returned_ns`; missing if none arrived.
        restoration_latency_ns: Option<i64> = Nanoseconds,
    }
}

table! {
    /// One row per device of a home area network and time bin, in order of meter and device.
    pub table "han" => HanRow, HanColumns {
        /// Meter whose home it is.
        meter: u32 = Identifier,
        /// Place of the device in the home, from 0; displays come first.
        device: u32 = Identifier,
        /// `display` or `hems`.
        kind: &'static str = Identifier,
        /// Start of the bin.
        bin_start_ns: i64 = Nanoseconds,
        /// Width of the bin.
        bin_ns: i64 = Nanoseconds,
        /// Frames of the meter to the device, each counted once.
        frames_down: u64 = Count,
        /// Frames of the device, each counted once.
        frames_up: u64 = Count,
        /// Transmissions that repeat a frame, in both directions.
        retransmissions: u64 = Count,
        /// Frames that did not come through, in both directions.
        frames_lost: u64 = Count,
        /// Octets of all transmissions (PSDU, without preambles and acknowledgements).
        bytes: u64 = Bytes,
        /// Time on the air of all transmissions, with preambles and acknowledgements.
        airtime_ns: i64 = Nanoseconds,
        /// Updates that the meter sent.
        updates_sent: u64 = Count,
        /// Updates that the device has got.
        updates_received: u64 = Count,
        /// Time with power.
        powered_ns: i64 = Nanoseconds,
        /// Of it, time in which what the device knew was older than two update periods.
        stale_ns: i64 = Nanoseconds,
        /// Times that the device has associated.
        associations: u64 = Count,
        /// Link keys that the device has taken into use.
        keys: u64 = Count,
        /// Id of the link key in use at the end of the bin; missing without one.
        key_id: Option<u32> = Identifier,
        /// Demand events that the device has answered.
        events_answered: u64 = Count,
        /// Of these, those in which it takes part.
        events_accepted: u64 = Count,
        /// Frames that the device discarded.
        rejects: u64 = Count,
        /// Power as a display shows it at the end of the bin; missing on other devices.
        shown_w: Option<f64> = Watts,
        /// Energy of the last 24 hours as a display shows it; missing on other devices.
        shown_day_wh: Option<u64> = WattHours,
    }
}

table! {
    /// One row per session at the optical port of a meter, in order of its end.
    pub table "optical" => OpticalRow, OpticalColumns {
        /// Meter whose port it is.
        meter: u32 = Identifier,
        /// First octet of the session.
        start_ns: i64 = Nanoseconds,
        /// End of the session for whoever made it.
        end_ns: i64 = Nanoseconds,
        /// Number of the user in Logon; 0 if he names none.
        user_id: u32 = Identifier,
        /// Name of the user in Logon.
        user: String = Identifier,
        /// `read`, `install`, `configure`, or `guess` of an intruder.
        errand: &'static str = Identifier,
        /// Attacker of the scenario; missing for technicians.
        attacker: Option<String> = Identifier,
        /// `completed`; `refused` if the meter refused a part; `mismatch` if a table read back
        /// otherwise than written; `wrong_password`, `locked_out`, `no_answer`, `lost` (line),
        /// `out_of_time`, `occupied` (another probe is at the port), `unfinished` (end of the run).
        outcome: &'static str = Identifier,
        /// Speed that was agreed upon; 0 if nothing was said.
        baud: u32 = Count,
        /// Rights that the session had: `none` (no Logon), `guest`, `reader`, `installer`, `master`.
        access: &'static str = Identifier,
        /// Requests that the visitor made.
        requests: u64 = Count,
        /// Requests answered otherwise than with `ok`, and procedures that were not carried out.
        refused: u64 = Count,
        /// Tables read, read-backs included.
        tables_read: u64 = Count,
        /// Octets of these tables.
        bytes_read: u64 = Bytes,
        /// Tables that the meter let be written.
        tables_written: u64 = Count,
        /// Of these, those that read back as written.
        tables_verified: u64 = Count,
        /// Procedures that the meter has carried out.
        procedures: u64 = Count,
        /// Passwords that the meter has judged.
        passwords: u64 = Count,
        /// Of these, wrong ones, as the meter counts them.
        wrong_passwords: u64 = Count,
        /// Whether a wrong password locked the port.
        locked_out: bool = Identifier,
        /// Packets in both directions, repetitions included, acknowledgements not.
        packets: u64 = Count,
        /// Octets to the meter, acknowledgements included.
        bytes_to_meter: u64 = Bytes,
        /// Octets from the meter, acknowledgements included.
        bytes_from_meter: u64 = Bytes,
        /// Packets asked for again (NAK), in both directions.
        naks: u64 = Count,
        /// Packets sent again, in both directions.
        retransmissions: u64 = Count,
        /// Packets and acknowledgements damaged on the line.
        damaged: u64 = Count,
        /// What the visitor's program discarded; that of meters is in `rejects`.
        discarded: u64 = Count,
    }
}

table! {
    /// One row per second of the power system from the first movement of a switch, or the first
    /// home that follows demand response, on.
    pub table "grid" => GridRow, GridColumns {
        /// Start of the bin.
        bin_start_ns: i64 = Nanoseconds,
        /// Width of the bin.
        bin_ns: i64 = Nanoseconds,
        /// Switches open at the end of the bin.
        open_switches: u32 = Count,
        /// Load cut off at the end of the bin, of all premises that the meters stand for.
        lost_w: f64 = Watts,
        /// Homes that hold load back at the end of the bin.
        responding_homes: u32 = Count,
        /// Load held back at the end of the bin, of all premises that the meters stand for.
        held_w: f64 = Watts,
        /// Load in addition at the end of the bin, because it was held back before.
        rebound_w: f64 = Watts,
        /// Frequency at the end of the bin.
        frequency_hz: f64 = Hertz,
        /// Lowest frequency in the bin.
        frequency_min_hz: f64 = Hertz,
        /// Highest frequency in the bin.
        frequency_max_hz: f64 = Hertz,
    }
}

table! {
    /// One row per feeder and metering interval: the sum of its premises' load; in order of
    /// `bin_start_ns` and `feeder`.
    pub table "feeders" => FeederRow, FeederColumns {
        /// Start of the interval.
        bin_start_ns: i64 = Nanoseconds,
        /// Length of the interval.
        bin_ns: i64 = Nanoseconds,
        /// The feeder, from 0; a sector of the town.
        feeder: u32 = Identifier,
        /// Meters on the feeder.
        meters: u32 = Count,
        /// Energy drawn by premises, of all that the meters stand for.
        ///
        /// Meters with one register only count whole intervals, those after whose end they have power.
        drawn_wh: f64 = WattHours,
        /// Energy that premises fed into the feeder.
        fed_wh: f64 = WattHours,
        /// Mean load: drawn less fed. The interval under way at the end of a run is not complete.
        load_w: f64 = Watts,
    }
}

table! {
    /// One row per local day and per demand reset of a meter with full metering, and one at the end
    /// of the run: its registers; in order of `time_ns`.
    pub table "registers" => RegisterRow, RegisterColumns {
        /// Meter whose registers these are.
        meter: u32 = Identifier,
        /// Why: `day` (a local day ended), `demand_reset` or `run_ended`.
        reason: &'static str = Identifier,
        /// When the row was made: at the next measurement after the meter's midnight.
        time_ns: i64 = Nanoseconds,
        /// Time of the registers by the meter's own clock.
        clock_ns: i64 = Nanoseconds,
        /// Energy delivered to the premise since the meter is new.
        delivered_wh: u64 = WattHours,
        /// Energy received from the premise.
        received_wh: u64 = WattHours,
        /// Delivered plus received.
        sum_wh: u64 = WattHours,
        /// Delivered minus received.
        net_wh: i64 = WattHours,
        /// Lagging reactive energy.
        lagging_varh: u64 = VarHours,
        /// Leading reactive energy.
        leading_varh: u64 = VarHours,
        /// Of the energy delivered, that at rate 0.
        rate_0_wh: u64 = WattHours,
        /// Of the energy delivered, that at rate 1.
        rate_1_wh: u64 = WattHours,
        /// Of the energy delivered, that at rate 2.
        rate_2_wh: u64 = WattHours,
        /// Of the energy delivered, that at rate 3.
        rate_3_wh: u64 = WattHours,
        /// Of the energy delivered, that at rate 4.
        rate_4_wh: u64 = WattHours,
        /// Of the energy delivered, that at rate 5.
        rate_5_wh: u64 = WattHours,
        /// Sum of all intervals of the load profile so far; missing if none records this energy.
        profile_wh: Option<u64> = WattHours,
        /// Demand resets since the meter is new; counts to 255 and starts over.
        demand_resets: u32 = Count,
    }
}

table! {
    /// One row per maximum demand of a row of `registers`, in the same order: the total in both
    /// directions, and each rate that had any.
    pub table "demand" => DemandRow, DemandColumns {
        /// Meter whose registers these are.
        meter: u32 = Identifier,
        /// Why, as in `registers`.
        reason: &'static str = Identifier,
        /// When, as in `registers`.
        time_ns: i64 = Nanoseconds,
        /// `delivered` to the premise or `received` from it.
        direction: &'static str = Identifier,
        /// The rate; missing for the maximum regardless of rates.
        rate: Option<u32> = Identifier,
        /// Highest mean power of a demand block since the last reset.
        max_w: u32 = Watts,
        /// End of that block by the meter's own clock; missing without one.
        max_at_ns: Option<i64> = Nanoseconds,
        /// Sum of the maxima of all periods before the last reset.
        cumulative_w: u32 = Watts,
    }
}

table! {
    /// One row per order of demand response, in order of when it was given.
    pub table "demand_response" => ResponseRow, ResponseColumns {
        /// Meter that the order is for.
        meter: u32 = Identifier,
        /// Head-end instance that gave it.
        instance: u32 = Identifier,
        /// Event that it begins or ends.
        event: u32 = Identifier,
        /// `limit` begins an event, `release` ends it early.
        action: &'static str = Identifier,
        /// What controllable load may draw, of what it would.
        level_ratio: f64 = Ratio,
        /// When the order was queued.
        ordered_ns: i64 = Nanoseconds,
        /// When it was first sent; missing if it never was.
        issued_ns: Option<i64> = Nanoseconds,
        /// When the meter accepted it; missing if it never did.
        received_ns: Option<i64> = Nanoseconds,
        /// When the event begins by its terms, without the random window.
        start_ns: i64 = Nanoseconds,
        /// When the meter asked the home to follow; missing if it never did, and for a release.
        acted_ns: Option<i64> = Nanoseconds,
        /// When the limit was over at the meter; missing if it was not.
        lifted_ns: Option<i64> = Nanoseconds,
        /// When the first response came; missing without one.
        responded_ns: Option<i64> = Nanoseconds,
        /// When the head-end was done with the order.
        ended_ns: i64 = Nanoseconds,
        /// How the order reached the meter first: `group` in one message to all members, or `unicast`;
        /// missing if it never did.
        delivered_by: Option<&'static str> = Identifier,
        /// Whether an order to a group was given to the meter alone in the end.
        fallback: bool = Identifier,
        /// `received_ns` - `ordered_ns`; missing if never received.
        latency_ns: Option<i64> = Nanoseconds,
        /// `acted_ns` - `start_ns`: what order, way and random window add; missing if it never acted.
        delay_ns: Option<i64> = Nanoseconds,
        /// Requests sent to the meter alone.
        transmissions: u32 = Count,
        /// Power that the home held back at first; 0 if its devices do not follow.
        held_w: f64 = Watts,
        /// Energy that the home held back.
        held_wh: f64 = WattHours,
        /// Why the limit is over: `elapsed`, `released`, `opted_out` or `superseded`; or why the meter
        /// refused it; missing if neither happened.
        effect: Option<&'static str> = Identifier,
        /// `success` (the meter has confirmed it; a member of a group that it has taken it),
        /// `rejected`, `timeout` or `closed`.
        outcome: &'static str = Identifier,
        /// Why the order did not succeed; missing on success.
        cause: Option<&'static str> = Identifier,
    }
}

table! {
    /// One row per meter and day of the meter data management system, in order of day and meter;
    /// empty without one. An interval belongs to the day in which it ends.
    pub table "mdms" => MdmsRow, MdmsColumns {
        /// Meter whose data these are.
        meter: u32 = Identifier,
        /// Number of the day, 0 being that of the start of the run.
        day: u32 = Identifier,
        /// Midnight at which the day begins; the first one may have begun before the run.
        day_start_ns: i64 = Nanoseconds,
        /// Intervals that the day should have, as far as it is part of the run.
        expected: u32 = Count,
        /// Intervals with an energy from the meter: on time or late.
        received: u32 = Count,
        /// Intervals that were stored by the deadline.
        on_time: u32 = Count,
        /// Intervals that were stored after it.
        late: u32 = Count,
        /// Late intervals that replaced an estimate.
        replaced: u32 = Count,
        /// Intervals in which the meter says that it measured nothing, as without power.
        unmeasured: u32 = Count,
        /// Intervals that never came.
        missing: u32 = Count,
        /// Gaps that these form.
        gaps: u32 = Count,
        /// Intervals of the longest gap.
        gap_max: u32 = Count,
        /// Missing intervals with an estimate.
        estimated: u32 = Count,
        /// Intervals that came more than once, each repetition.
        duplicates: u32 = Count,
        /// Intervals that the full buffer of the loader had no room for.
        dropped: u32 = Count,
        /// Intervals that came in the course of the day and are no interval of the run.
        misplaced: u32 = Count,
        /// Received intervals with a failure of power, as the meter says.
        power_fail: u32 = Count,
        /// Received intervals in which the meter's clock was set.
        clock_set: u32 = Count,
        /// Received intervals that were shorter or longer than others.
        partial: u32 = Count,
        /// Energy of the received intervals.
        energy_wh: u64 = WattHours,
        /// Energy of the estimates.
        estimated_wh: u64 = WattHours,
        /// Advance of the registers between the readings that were compared with the intervals;
        /// missing if none were.
        register_wh: Option<u64> = WattHours,
        /// `pass` or `fail`: whether intervals and registers agree; `unchecked` without two readings
        /// and all intervals between them.
        validation: &'static str = Identifier,
        /// Longest time from the head-end into the database.
        lag_max_ns: i64 = Nanoseconds,
    }
}

table! {
    /// One row per thing that becomes of a firmware image at a meter, in order of time.
    pub table "firmware" => FirmwareRow, FirmwareColumns {
        /// Meter that the image is for.
        meter: u32 = Identifier,
        /// When it happened.
        time_ns: i64 = Nanoseconds,
        /// Version of the image, major and minor; `activated` makes it the meter's.
        version: String = Identifier,
        /// `offered` (blocks are welcome), `verified`, `activated`; refused as `unsigned` or
        /// `outdated`; or `faulty`: all blocks were there, with another digest. Not asked at all
        /// because the update was `halted`, or its wave `held_back` until the end of the run.
        step: &'static str = Identifier,
        /// Octets of the image that were written to the meter so far, repeated ones included.
        bytes: u64 = Bytes,
    }
}
