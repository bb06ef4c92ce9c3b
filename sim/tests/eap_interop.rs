//! EAP-PSK against other people's code: the EAP server of hostapd and the peer of wpa_supplicant.
//!
//! Needs the Debian packages `hostapd` and `eapoltest`. Without them the tests say that they were
//! skipped, unless the environment has `CI=true`: there they fail.

mod radius;
#[path = "common/tool.rs"]
mod tool;

use std::fs;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use radius::Packet;

const SECRET: &[u8] = b"on this machine only";
const PSK: &str = "30313233343536373839616263646566";
const WRONG: &str = "30313233343536373839616263646567";

const EAP: u8 = 1;
const RESULT: u8 = 2;
const START: u8 = 3;
const DISCARD: u8 = 4;

/// The program `name`, if it is installed.
fn tool(name: &str) -> Option<PathBuf> {
    tool::tool(name, "EAP-PSK was not tried against it")
}

fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// One end of EAP that runs as a program of its own.
struct End {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl End {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_meterstorm"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let input = child.stdin.take().expect("a pipe");
        let output = child.stdout.take().expect("a pipe");
        Self {
            child,
            input,
            output,
        }
    }

    fn send(&mut self, kind: u8, body: &[u8]) {
        let len = (body.len() + 1) as u16;
        let frame = [&len.to_be_bytes(), [kind].as_slice(), body].concat();
        self.input.write_all(&frame).expect("the program listens");
    }

    fn receive(&mut self) -> (u8, Vec<u8>) {
        let mut len = [0; 2];
        self.output.read_exact(&mut len).expect("a frame");
        let mut frame = vec![0; usize::from(u16::from_be_bytes(len))];
        self.output.read_exact(&mut frame).expect("a whole frame");
        (frame[0], frame.split_off(1))
    }

    fn receive_text(&mut self, kind: u8) -> String {
        let (received, body) = self.receive();
        let text = String::from_utf8(body).expect("UTF-8");
        assert_eq!(received, kind, "{text}");
        text
    }

    fn receive_packet(&mut self) -> Vec<u8> {
        let (kind, body) = self.receive();
        assert_eq!(kind, EAP, "{}", String::from_utf8_lossy(&body));
        body
    }

    /// Ends the input: the program has to end as well, and without complaint.
    fn end(mut self) {
        drop(self.input);
        assert!(self.child.wait().expect("a status").success());
    }
}

/// The value of `key` in the body of RESULT, as octets.
fn octets_of(result: &str, key: &str) -> Vec<u8> {
    let value = result
        .split(' ')
        .find_map(|part| part.strip_prefix(key)?.strip_prefix('='))
        .unwrap_or_else(|| panic!("no {key} in {result}"));
    (0..value.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&value[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}

/// hostapd as a RADIUS server with EAP-PSK, for one test.
struct Hostapd {
    child: Child,
    port: u16,
}

impl Hostapd {
    fn start(program: &Path, folder: &Path) -> Self {
        // hostapd cannot be asked for a free port; somebody may take it in between, no one does.
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("an address").port();
        drop(socket);
        let path = |name: &str| folder.join(name).display().to_string();
        let secret = String::from_utf8_lossy(SECRET);
        fs::write(path("clients"), format!("127.0.0.1/32 {secret}\n")).expect("a file");
        fs::write(path("users"), format!("\"meter\"\tPSK\t{PSK}\n")).expect("a file");
        let config = format!(
            "driver=none\ninterface=meterstorm0\neap_server=1\nserver_id=hes\n\
             radius_server_clients={}\nradius_server_auth_port={port}\neap_user_file={}\n",
            path("clients"),
            path("users"),
        );
        fs::write(path("hostapd.conf"), config).expect("a file");
        let log = fs::File::create(path("hostapd.log")).expect("a file");
        let child = Command::new(program)
            .args(["-dd", &path("hostapd.conf")])
            .stdout(log)
            .spawn()
            .expect("hostapd starts");
        Self { child, port }
    }
}

impl Drop for Hostapd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A network access server: carries EAP packets of a peer to a RADIUS server.
struct AccessServer {
    socket: UdpSocket,
    identifier: u8,
    state: Option<Vec<u8>>,
}

impl AccessServer {
    fn new(port: u16) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.connect(("127.0.0.1", port)).expect("loopback");
        let timeout = Some(Duration::from_millis(200));
        socket.set_read_timeout(timeout).expect("a timeout");
        Self {
            socket,
            identifier: 0,
            state: None,
        }
    }

    /// Carries `packet` over; returns the answer and the authenticator of the request.
    fn carry(&mut self, packet: &[u8]) -> (Packet, [u8; 16]) {
        self.identifier += 1;
        let authenticator = [self.identifier; 16];
        let mut request = Packet::new(radius::ACCESS_REQUEST, self.identifier, authenticator);
        request.set_user(b"meter");
        request.set_eap(packet);
        if let Some(state) = self.state.take() {
            request.set_state(state);
        }
        let octets = request.emit(None, SECRET);
        let mut buffer = [0; 4096];
        // The server may still be starting: its port is closed, or nobody answers.
        for _ in 0..50 {
            if self.socket.send(&octets).is_err() {
                std::thread::sleep(Duration::from_millis(200));
                continue;
            }
            if let Ok(len) = self.socket.recv(&mut buffer) {
                let answer = Packet::parse(&buffer[..len], Some(&authenticator), SECRET);
                self.state = answer.state();
                return (answer, authenticator);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the RADIUS server does not answer");
    }
}

/// Lets `peer` authenticate; returns the last answer and the authenticator of its request.
fn authenticate(peer: &mut End, nas: &mut AccessServer) -> (Packet, [u8; 16]) {
    peer.send(START, &[]);
    let mut request = vec![1, 77, 0, 5, 1];
    loop {
        peer.send(EAP, &request);
        let (answer, authenticator) = nas.carry(&peer.receive_packet());
        request = answer.eap();
        if answer.code != radius::ACCESS_CHALLENGE {
            peer.send(EAP, &request);
            return (answer, authenticator);
        }
    }
}

#[test]
fn our_peer_and_the_server_of_hostapd_derive_the_same_msk() {
    let Some(program) = tool("hostapd") else {
        return;
    };
    let hostapd = Hostapd::start(&program, &folder("eap_hostapd"));
    let mut nas = AccessServer::new(hostapd.port);
    let mut peer = End::start(&["eap-peer", "--identity", "meter", "--psk", PSK]);
    let mut keys = Vec::new();
    for _ in 0..2 {
        let (answer, authenticator) = authenticate(&mut peer, &mut nas);
        assert_eq!(answer.code, radius::ACCESS_ACCEPT);
        let result = peer.receive_text(RESULT);
        assert!(result.starts_with("outcome=success"), "{result}");
        assert_eq!(octets_of(&result, "server_id"), b"hes");
        let msk = octets_of(&result, "msk");
        assert_eq!(msk.len(), 64);
        assert_eq!(msk, answer.msk(&authenticator, SECRET));
        keys.push(msk);
    }
    assert_ne!(keys[0], keys[1], "every conversation has fresh keys");
    peer.end();
}

#[test]
fn hostapd_rejects_our_peer_with_a_wrong_key() {
    let Some(program) = tool("hostapd") else {
        return;
    };
    let hostapd = Hostapd::start(&program, &folder("eap_hostapd_wrong"));
    let mut nas = AccessServer::new(hostapd.port);
    let mut peer = End::start(&["eap-peer", "--identity", "meter", "--psk", WRONG]);
    let (answer, _) = authenticate(&mut peer, &mut nas);
    assert_eq!(answer.code, radius::ACCESS_REJECT);
    // The method has not ended: a Failure in the clear proves nothing (RFC 3748 §4.2).
    assert_eq!(peer.receive_text(DISCARD), "premature_failure");
    peer.end();
}

/// Runs eapol_test with `psk` against our server behind a RADIUS bridge; returns what it printed
/// and the RESULT of our server.
fn supplicant(program: &Path, folder: &Path, psk: &str) -> (String, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let timeout = Some(Duration::from_secs(20));
    socket.set_read_timeout(timeout).expect("a timeout");
    let port = socket.local_addr().expect("an address").port().to_string();
    let users = folder.join("users");
    fs::write(&users, format!("meter {PSK}\n")).expect("a file");
    let config = folder.join("network.conf");
    let network = format!(
        "network={{\n key_mgmt=IEEE8021X\n eap=PSK\n identity=\"meter\"\n password={psk}\n}}\n"
    );
    fs::write(&config, network).expect("a file");
    let users = users.display().to_string();
    let server = ["eap-server", "--server-id", "hes", "--users", &users];
    let mut server = End::start(&[&server[..], &["--discard-limit", "1"]].concat());

    let secret = String::from_utf8_lossy(SECRET);
    let child = Command::new(program)
        .arg("-c")
        .arg(&config)
        .args(["-a", "127.0.0.1", "-p", &port, "-t", "15", "-s", &secret])
        .stdout(Stdio::piped())
        .spawn()
        .expect("eapol_test starts");
    let result = bridge(&socket, &mut server);
    server.end();
    let output = child.wait_with_output().expect("a status");
    (String::from_utf8_lossy(&output.stdout).into_owned(), result)
}

/// Carries one conversation between a RADIUS client and `server`; returns the server's RESULT.
fn bridge(socket: &UdpSocket, server: &mut End) -> String {
    let mut buffer = [0; 4096];
    loop {
        let (len, client) = socket.recv_from(&mut buffer).expect("an Access-Request");
        let request = Packet::parse(&buffer[..len], None, SECRET);
        // The first identity was asked for by the access server; ours asks once more.
        match request.state() {
            None => server.send(START, &[]),
            Some(_) => server.send(EAP, &request.eap()),
        }
        let packet = server.receive_packet();
        let (code, result) = match packet[0] {
            3 => (radius::ACCESS_ACCEPT, Some(server.receive_text(RESULT))),
            4 => (radius::ACCESS_REJECT, Some(server.receive_text(RESULT))),
            _ => (radius::ACCESS_CHALLENGE, None),
        };
        let mut answer = Packet::new(code, request.identifier, [0; 16]);
        answer.set_eap(&packet);
        if code == radius::ACCESS_CHALLENGE {
            answer.set_state(b"one conversation".to_vec());
        }
        if let (radius::ACCESS_ACCEPT, Some(result)) = (code, &result) {
            answer.set_msk(&octets_of(result, "msk"), &request.authenticator, SECRET);
        }
        let octets = answer.emit(Some(&request.authenticator), SECRET);
        socket.send_to(&octets, client).expect("loopback");
        if let Some(result) = result {
            return result;
        }
    }
}

#[test]
fn the_peer_of_wpa_supplicant_and_our_server_derive_the_same_msk() {
    let Some(program) = tool("eapol_test") else {
        return;
    };
    let (printed, result) = supplicant(&program, &folder("eap_supplicant"), PSK);
    assert!(result.starts_with("outcome=success"), "{result}");
    assert_eq!(octets_of(&result, "peer_id"), b"meter");
    assert!(
        printed.contains("MPPE keys OK: 1  mismatch: 0"),
        "{printed}"
    );
    assert!(printed.trim_end().ends_with("SUCCESS"), "{printed}");
}

#[test]
fn our_server_fails_the_peer_of_wpa_supplicant_with_a_wrong_key() {
    let Some(program) = tool("eapol_test") else {
        return;
    };
    let (printed, result) = supplicant(&program, &folder("eap_supplicant_wrong"), WRONG);
    assert_eq!(result, "outcome=failure method=psk cause=psk_bad_mac_p");
    assert!(printed.trim_end().ends_with("FAILURE"), "{printed}");
}
