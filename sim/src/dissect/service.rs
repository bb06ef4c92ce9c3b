//! PSEM services as trees (IEEE 1703-2012 §5.3.2.4.12).

use firmware::c1219::procedure::{Initiate, Outcome};
use firmware::c1219::switch::{self, SwitchCommand, SwitchTable};
use firmware::c1222::ApTitle;
use firmware::c1222::interval::{self, Block};
use firmware::c1222::service::{
    Blocks, Feature, Identification, Read, Register, Registered, Request, Response, ResponseCode,
    Selector, TableId, Trace, Write, resolved,
};
use firmware::wire::Error;

use super::tables;
use super::tree::{Node, Verdict, hex, octets, offset, text};

/// What a request asked for, to read its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Identification,
    Logon,
    Read { table: TableId, whole: bool },
    Register,
    Resolve,
    Trace,
    Other,
}

/// Dissects a request that starts at octet `at`: its tree, a few words, and what it asks for.
pub(super) fn request(service: &[u8], at: usize) -> (Node, String, Asked) {
    let request = match Request::parse(service) {
        Ok(request) => request,
        Err(error) => {
            let code = service.first().copied().unwrap_or_default();
            let name = format!("Service {code:#04x}");
            let words = format!("{name} malformed: {error}");
            return (Node::problem(name, at, error), words, Asked::Other);
        }
    };
    let plain = |name: &str| (Node::new(name, "").at(at), name.to_owned());
    let named = |name: &str, text: String| {
        let words = format!("{name} {text}");
        (Node::new(name, text).at(at), words)
    };
    let ((node, words), asked) = match request {
        Request::Identification => (plain("Identification"), Asked::Identification),
        Request::Terminate => (plain("Terminate"), Asked::Other),
        Request::Disconnect => (plain("Disconnect"), Asked::Other),
        Request::Deregister(title) => (named("Deregister", name(title)), Asked::Other),
        Request::Resolve(title) => (named("Resolve", name(title)), Asked::Resolve),
        Request::Trace(title) => (named("Trace", name(title)), Asked::Trace),
        Request::Register(register) => (register_node(&register, at), Asked::Register),
        Request::Read(read) => {
            let asked = Asked::Read {
                table: read.table,
                whole: matches!(read.selector, Selector::Full),
            };
            (named("Read", read_text(&read)), asked)
        }
        Request::Write(write) => (write_node(service, &write, at), Asked::Other),
        Request::Logon(logon) => {
            let timeout = match logon.idle_timeout_s {
                Some(seconds) => format!(", idle timeout {seconds} s"),
                None => String::new(),
            };
            let user = text(logon.user.trim_ascii_end());
            let logon = format!("user {} \"{user}\"{timeout}", logon.user_id);
            (named("Logon", logon), Asked::Logon)
        }
        Request::Security(password) => {
            let user = password.user_id.map(|user| format!(", user {user}"));
            let given = service.get(1..21).unwrap_or_default();
            let given = text(given.trim_ascii_end());
            let given = format!("password \"{given}\"{}", user.unwrap_or_default());
            (named("Security", given), Asked::Other)
        }
        Request::Logoff => (plain("Logoff"), Asked::Other),
        Request::Wait(seconds) => (named("Wait", format!("{seconds} s")), Asked::Other),
        Request::Unknown { code, data } => {
            let name = format!("Service {code:#04x}");
            let node = Node::new(name.clone(), hex(data)).at(at);
            ((node.judged(Verdict::Unsound), name), Asked::Other)
        }
    };
    (node, words, asked)
}

fn name(title: ApTitle<'_>) -> String {
    match title {
        ApTitle::Relative([]) => "(unassigned)".to_owned(),
        title => title.to_string(),
    }
}

fn register_node(register: &Register<'_>, at: usize) -> (Node, String) {
    let period = match register.period_s {
        Register::NO_PREFERENCE_S => "no preference".to_owned(),
        seconds => format!("{seconds} s"),
    };
    let mut fields = vec![
        Node::new("node type", format!("{:#04x}", register.node_type.0)),
        Node::new(
            "connection type",
            format!("{:#04x}", register.connection_type.0),
        ),
        Node::new("device class", text(&register.device_class)),
        Node::new("ApTitle", name(register.ap_title)),
        Node::new("serial number", ApTitle::Relative(register.serial_number)),
        Node::new("native address", native_address(register.native_address)),
        Node::new("registration period", period),
    ];
    if let Some(pattern) = register.my_domain {
        fields.push(Node::new("my domain", hex(pattern)));
    }
    let words = format!("Register {}", name(register.ap_title));
    (Node::new("Register", "").at(at).with(fields), words)
}

/// A native address of RFC 6142 §2: an address of IPv4, then port and protocol if present.
fn native_address(address: &[u8]) -> String {
    match address {
        [] => "none".to_owned(),
        [a, b, c, d, rest @ ..] if rest.len() <= 3 => {
            let mut text = format!("{a}.{b}.{c}.{d}");
            if let [high, low, ..] = rest {
                text = format!("{text}:{}", u16::from_be_bytes([*high, *low]));
            }
            if let [_, _, protocol] = rest {
                text = format!("{text}, protocol {protocol}");
            }
            text
        }
        other => hex(other),
    }
}

fn part(selector: &Selector<'_>) -> String {
    match selector {
        Selector::Full => String::new(),
        Selector::Default => ", default".to_owned(),
        Selector::Indices(indices, count) => {
            let indices: Vec<String> = indices.iter().map(|index| index.to_string()).collect();
            format!(", {count} elements from index {}", indices.join("."))
        }
        Selector::Offset(offset, count) => {
            format!(", {} at offset {offset}", octets(usize::from(*count)))
        }
    }
}

fn read_text(read: &Read<'_>) -> String {
    format!("{}{}", tables::name(read.table), part(&read.selector))
}

fn write_node(service: &[u8], write: &Write<'_>, at: usize) -> (Node, String) {
    let table = tables::name(write.table);
    let text = match write.selector {
        Selector::Full => format!("{table}, {}", octets(write.data.len())),
        ref selector => format!("{table}{}", part(selector)),
    };
    let data_at = at + offset(service, write.data);
    let mut node = Node::new("Write", &text).at(at);
    let mut words = format!("Write {text}");
    let content = if write.table == interval::TABLE && !matches!(write.selector, Selector::Full) {
        intervals(write)
    } else if matches!(write.selector, Selector::Full) {
        let content = content(write.table, write.data);
        if let (TableId(7), Some(Ok(procedure))) = (write.table, &content) {
            words = format!("{words}: {}", procedure.text);
        }
        content
    } else {
        None
    };
    node.push(table_data(write.data, content, data_at));
    (node, words)
}

/// The octets of a table, read where their layout is known.
fn table_data(data: &[u8], content: Option<Result<Node, Error>>, at: usize) -> Node {
    match content {
        Some(Ok(content)) => content.at(at),
        // A foreign meter may have another layout.
        Some(Err(_)) | None => Node::new("Data", hex(data)).at(at),
    }
}

/// A whole table with a layout that is known here.
fn content(table: TableId, data: &[u8]) -> Option<Result<Node, Error>> {
    match table {
        TableId(7) => Some(Initiate::parse(data).map(|initiate| {
            let procedure = initiate.procedure;
            let mut name = tables::procedure(procedure);
            if procedure.procedure() == switch::PROCEDURE.procedure()
                && let Ok(command) = SwitchCommand::parse(initiate.parameters)
            {
                let (action, window) = (command.action.name(), command.window_s);
                name = format!("{name}: {action} within {window} s");
            }
            let mut node = Node::new("Procedure", name);
            node.push(Node::new("sequence number", initiate.sequence));
            node.push(Node::new("parameters", hex(initiate.parameters)));
            node
        })),
        TableId(8) => Some(Outcome::parse(data).map(|outcome| {
            let result = outcome.result.name();
            let text = format!("{}: {result}", tables::procedure(outcome.procedure));
            let mut node = Node::new("Procedure", text);
            node.push(Node::new("sequence number", outcome.sequence));
            node.push(Node::new("response data", hex(outcome.data)));
            node
        })),
        switch::TABLE => Some(SwitchTable::parse(data).map(|table| {
            let text = format!("{:?}, limit {} %", table.state, table.level_percent);
            Node::new("Switch", text)
        })),
        _ => None,
    }
}

fn intervals(write: &Write<'_>) -> Option<Result<Node, Error>> {
    let block = Block::from_write(write);
    Some(block.map(|(_, block)| {
        let end = block.end;
        let text = format!(
            "{} intervals to 20{:02}-{:02}-{:02} {:02}:{:02}",
            block.len(),
            end.year,
            end.month,
            end.day,
            end.hour,
            end.minute
        );
        let rows = block.intervals().map(|interval| {
            let values: Vec<String> = interval.values.iter().map(u16::to_string).collect();
            let valid = if interval.valid { "" } else { ", invalid" };
            let status = hex(&interval.status);
            let text = format!("{}, status {status}{valid}", values.join(" "));
            Node::new("Interval", text)
        });
        Node::new("Load profile", text).with(rows.collect())
    }))
}

/// Dissects a response that starts at octet `at`, to what was asked if that is known.
pub(super) fn response(service: &[u8], at: usize, asked: Option<Asked>) -> (Node, String) {
    let response = match Response::parse(service) {
        Ok(response) => response,
        Err(error) => {
            let words = format!("response malformed: {error}");
            return (Node::problem("Response", at, error), words);
        }
    };
    let code = tables::response_code(response.code);
    let mut node = Node::new("Response", code).at(at);
    let mut words = code.split(' ').next().unwrap_or(code).to_owned();
    let data_at = at + offset(service, response.data);
    if response.code != ResponseCode::Ok {
        if let Some(size) = response.size_max() {
            node.push(Node::new("maximum size", octets(size as usize)).at(data_at));
        } else if let Some((offset, size)) = response.segment() {
            node.push(Node::new("segment", format!("{size} at {offset}")).at(data_at));
        } else if !response.data.is_empty() {
            node.push(Node::new("Data", hex(response.data)).at(data_at));
        }
        return (node, words);
    }
    let result = match asked {
        Some(Asked::Read { table, whole }) => {
            words = format!("{words} {}", tables::name(table));
            read_back(response.data, (table, whole), data_at, &mut node)
        }
        Some(Asked::Identification) => identification(response.data, data_at, &mut node),
        Some(Asked::Register) => registered(response.data, data_at, &mut node),
        Some(Asked::Resolve) => resolved(response.data).map(|address| {
            let text = native_address(address);
            node.push(Node::new("native address", text).at(data_at));
        }),
        Some(Asked::Trace) => Trace::new(response.data).try_for_each(|title| {
            node.push(Node::new("relay", name(title?)));
            Ok(())
        }),
        Some(Asked::Logon) if response.data.len() == 2 => {
            let seconds = u16::from_be_bytes([response.data[0], response.data[1]]);
            let text = format!("{seconds} s");
            node.push(Node::new("granted idle timeout", text).at(data_at));
            Ok(())
        }
        Some(Asked::Logon | Asked::Other) | None => {
            if !response.data.is_empty() {
                node.push(Node::new("Data", hex(response.data)).at(data_at));
            }
            Ok(())
        }
    };
    if let Err(error) = result {
        node.push(Node::problem("Data", data_at, error));
        words = format!("{words}, malformed: {error}");
    }
    (node, words)
}

fn read_back(
    data: &[u8],
    (table, whole): (TableId, bool),
    at: usize,
    node: &mut Node,
) -> Result<(), Error> {
    node.push(Node::new("Table", tables::name(table)));
    for block in Blocks::new(data) {
        let block = block?;
        let content = whole.then(|| content(table, block)).flatten();
        node.push(table_data(block, content, at + offset(data, block)));
    }
    Ok(())
}

fn identification(data: &[u8], at: usize, node: &mut Node) -> Result<(), Error> {
    let identification = Identification::parse(data)?;
    let Identification {
        standard,
        version,
        revision,
        ..
    } = identification;
    let standard = format!("{standard}, version {version}.{revision}");
    node.push(Node::new("standard", standard).at(at));
    for feature in identification.features() {
        node.push(match feature? {
            Feature::SecurityMechanism(oid) => {
                Node::new("security mechanism", ApTitle::Absolute(oid))
            }
            Feature::SessionControl {
                sessionless,
                sessions,
            } => {
                let control = format!("{sessions} sessions, sessionless {sessionless}");
                Node::new("session control", control)
            }
            Feature::DeviceClass(class) => Node::new("device class", name(class)),
            Feature::Identity { text: name, .. } => Node::new("identity", text(name)),
        });
    }
    Ok(())
}

fn registered(data: &[u8], at: usize, node: &mut Node) -> Result<(), Error> {
    let registered = Registered::parse(data)?;
    node.push(Node::new("ApTitle", name(registered.ap_title)).at(at));
    let delay = format!("{} s", registered.delay_s);
    node.push(Node::new("power-up delay", delay));
    let period = format!("{} s", registered.period_s);
    node.push(Node::new("registration period", period));
    node.push(Node::new("info", format!("{:#04x}", registered.info)));
    Ok(())
}
