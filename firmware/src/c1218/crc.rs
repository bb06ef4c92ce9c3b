//! The frame check sequence of a packet: CRC-16/X-25 (C12.18-2006 §4.4.2, as HDLC has it).
//!
//! Polynomial 1021 reflected, initial value FFFF, complemented; on the line the low octet first.

/// The check sequence of `octets`.
///
/// ```
/// # use firmware::c1218::crc;
/// assert_eq!(crc::of(b"123456789"), 0x906E);
/// ```
pub fn of(octets: &[u8]) -> u16 {
    !octets.iter().fold(0xFFFF, |crc, octet| {
        crc >> 8 ^ TABLE[usize::from((crc as u8) ^ octet)]
    })
}

const TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let mut crc = octet as u16;
        let mut bit = 0;
        while bit < 8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0x8408 } else { 0 };
            bit += 1;
        }
        table[octet] = crc;
        octet += 1;
    }
    table
}
