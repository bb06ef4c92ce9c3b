//! Captures made by hand.

use sim::capture::pcapng::{Interface, Packet, RAW_IP, Writer};

/// A capture file of raw IP packets, a nanosecond apart.
pub(crate) fn pcapng(packets: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = Writer::new(&mut file, "test", Some(0)).expect("a header");
    let interface = Interface {
        name: "test",
        description: "",
        link_type: RAW_IP,
        fcs_octets: 0,
    };
    writer.interface(&interface).expect("an interface");
    for (time_ns, octets) in (0..).zip(packets) {
        let packet = Packet {
            interface: 0,
            time_ns,
            inbound: true,
            octets: &octets,
            original_octets: octets.len() as u32,
            comment: "",
        };
        writer.packet(&packet).expect("a packet");
    }
    drop(writer);
    file
}
