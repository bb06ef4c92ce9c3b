//! What goes over links and through head-ends, and what is discarded or forged.

use crate::schema::table;

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
