//! `meterstorm eap-peer` and `meterstorm eap-server`: EAP alone, for other implementations.

use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use firmware::eap::psk::ID_LEN_MAX;

use super::{Exit, Failure};
use crate::eaplink::{self, End, PeerEnd, ServerEnd, Users, parse_psk};

/// Authentication methods.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Method {
    /// EAP-PSK (RFC 4764)
    Psk,
}

/// How the other program is reached, and where random numbers come from.
#[derive(Args, Clone, Debug)]
struct LinkArgs {
    /// Authentication method
    #[arg(long, value_enum, default_value_t = Method::Psk)]
    method: Method,
    /// Wait for one TCP connection here instead of using standard input and output
    #[arg(long, value_name = "ADDRESS", conflicts_with = "connect")]
    listen: Option<SocketAddr>,
    /// Connect to this TCP address instead of using standard input and output
    #[arg(long, value_name = "ADDRESS")]
    connect: Option<SocketAddr>,
    /// Make nonces and challenges reproducible (never in the field)
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

impl LinkArgs {
    /// Serves `end` over the link until the other program is done.
    fn serve(&self, end: &mut dyn End, out: &mut dyn Write) -> Result<Exit, Failure> {
        let rng = eaplink::generator(self.seed)?;
        let stream = match (self.listen, self.connect) {
            (Some(address), _) => Some(accept(address)?),
            (None, Some(address)) => Some(
                TcpStream::connect(address)
                    .map_err(|error| Failure::Usage(format!("cannot reach {address}: {error}")))?,
            ),
            (None, None) => None,
        };
        match stream {
            Some(stream) => {
                stream.set_nodelay(true)?;
                let mut input = io::BufReader::new(stream.try_clone()?);
                eaplink::serve(end, rng, &mut input, &mut &stream)?;
            }
            None => eaplink::serve(end, rng, &mut io::stdin().lock(), out)?,
        }
        Ok(Exit::Success)
    }
}

/// Waits for one connection; says where on standard error, for port 0.
fn accept(address: SocketAddr) -> Result<TcpStream, Failure> {
    let refused = |error| Failure::Usage(format!("cannot listen on {address}: {error}"));
    let listener = TcpListener::bind(address).map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    writeln!(io::stderr(), "listening on {bound}")?;
    Ok(listener.accept()?.0)
}

/// Is an EAP peer for another program, over EAPLINK/1 frames
///
/// A frame is a length of 2 octets (big-endian, counts what follows), a kind (1 EAP, 2 RESULT,
/// 3 START, 4 DISCARD, 5 NOTE, 7 TIMEOUT) and a body.
#[derive(Args, Clone, Debug)]
pub(super) struct EapPeerArgs {
    #[command(flatten)]
    link: LinkArgs,
    /// Identity of the peer, ID_P
    #[arg(long, value_parser = identity)]
    identity: String,
    /// Pre-shared key: 32 hexadecimal digits
    #[arg(long, value_name = "HEX", value_parser = parse_psk)]
    psk: [u8; 16],
    /// The only server to answer, ID_S; any if absent
    #[arg(long, value_name = "ID", value_parser = identity)]
    server_id: Option<String>,
}

impl EapPeerArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let server = self.server_id.as_deref().map(str::as_bytes);
        let Method::Psk = self.link.method;
        let mut end = PeerEnd::new(self.identity.as_bytes(), server, &self.psk);
        self.link.serve(&mut end, out)
    }
}

/// Is an EAP server for another program, over EAPLINK/1 frames
///
/// A frame is a length of 2 octets (big-endian, counts what follows), a kind (1 EAP, 2 RESULT,
/// 3 START, 4 DISCARD, 5 NOTE, 7 TIMEOUT) and a body.
#[derive(Args, Clone, Debug)]
pub(super) struct EapServerArgs {
    #[command(flatten)]
    link: LinkArgs,
    /// Identity of the server, ID_S
    #[arg(long, value_name = "ID", value_parser = identity)]
    server_id: String,
    /// File with a line `identity psk-hex` for every user
    #[arg(long, value_name = "FILE")]
    users: PathBuf,
    /// The invalid message of a conversation that ends it with Failure; 0: none does
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    discard_limit: u8,
}

impl EapServerArgs {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let path = self.users.display();
        let text = fs::read_to_string(&self.users)
            .map_err(|error| Failure::Usage(format!("cannot read {path}: {error}")))?;
        let users = Users::parse(&text)
            .map_err(|error| Failure::Usage(format!("{path}:{}: {}", error.line, error.problem)))?;
        let Method::Psk = self.link.method;
        let mut end = ServerEnd::new(self.server_id.as_bytes(), users, self.discard_limit);
        self.link.serve(&mut end, out)
    }
}

/// An identity that fits a message of EAP-PSK.
fn identity(text: &str) -> Result<String, String> {
    if text.len() > ID_LEN_MAX {
        return Err(format!("an identity has at most {ID_LEN_MAX} octets"));
    }
    Ok(text.to_owned())
}
