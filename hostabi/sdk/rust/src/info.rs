use std::borrow::Cow;

use crate::wire::{fields, low, text, Malformed};
use crate::Property;

/// The type of a device's socket, by its number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketType(pub u32);

#[allow(missing_docs)]
impl SocketType {
    pub const TCP: SocketType = SocketType(0);
    pub const SSL: SocketType = SocketType(1);
    pub const UDP: SocketType = SocketType(2);
    pub const DTLS: SocketType = SocketType(3);
}

/// One end of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address<'a> {
    /// An IP address, IPv6 without brackets.
    pub host: Cow<'a, str>,
    /// The port.
    pub port: u32,
}

/// The subject of a device's certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateInfo<'a> {
    /// The common name.
    pub cn: Cow<'a, str>,
    /// The distinguished name, in the form of RFC 4514.
    pub dn: Cow<'a, str>,
}

/// Describes a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnInfo<'a> {
    /// The type of the socket.
    pub socket_type: SocketType,
    /// The device's end.
    pub peer: Address<'a>,
    /// The gateway's end.
    pub local: Address<'a>,
    /// None if the device has not presented a certificate.
    pub peer_cert: Option<CertificateInfo<'a>>,
    /// What else the listener knows, such as the path of a WebSocket.
    pub properties: Vec<Property<'a>>,
}

impl<'a> ConnInfo<'a> {
    /// The value of the first property with this name.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|p| p.name == name).map(|p| p.value.as_ref())
    }

    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut info = ConnInfo::default();
        for field in fields(body) {
            let field = field?;
            match field.number {
                1 => info.socket_type = SocketType(low(field.value)),
                2 => info.peer = Address::parse(field.bytes)?,
                3 => info.local = Address::parse(field.bytes)?,
                4 => info.peer_cert = Some(CertificateInfo::parse(field.bytes)?),
                5 => info.properties.push(Property::parse(field.bytes)?),
                _ => {}
            }
        }
        Ok(info)
    }
}

impl<'a> Address<'a> {
    fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut address = Address::default();
        for field in fields(body) {
            let field = field?;
            match field.number {
                1 => address.host = text(field.bytes),
                2 => address.port = low(field.value),
                _ => {}
            }
        }
        Ok(address)
    }
}

impl<'a> CertificateInfo<'a> {
    fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut cert = CertificateInfo::default();
        for field in fields(body) {
            let field = field?;
            match field.number {
                1 => cert.cn = text(field.bytes),
                2 => cert.dn = text(field.bytes),
                _ => {}
            }
        }
        Ok(cert)
    }
}
