//! Socket addresses as the kernel writes them, read octet by octet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Room for a `sockaddr_in6`, the largest that a UDP socket gives, aligned as the kernel wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct RawAddress(pub [u8; 32]);

impl RawAddress {
    pub const EMPTY: Self = Self([0; 32]);

    /// Read it; an address of another family, which no UDP socket gives, is `0.0.0.0:0`.
    pub fn decode(&self) -> SocketAddr {
        let raw = &self.0;
        let family = i32::from(u16::from_ne_bytes([raw[0], raw[1]]));
        let port = u16::from_be_bytes([raw[2], raw[3]]);
        match family {
            libc::AF_INET => {
                let octets: [u8; 4] = raw[4..8].try_into().unwrap_or_default();
                SocketAddr::new(IpAddr::V4(Ipv4Addr::from(octets)), port)
            }
            libc::AF_INET6 => {
                let octets: [u8; 16] = raw[8..24].try_into().unwrap_or_default();
                let word = |at: usize| raw[at..at + 4].try_into().unwrap_or_default();
                let flow = u32::from_be_bytes(word(4));
                let scope = u32::from_ne_bytes(word(24));
                SocketAddr::V6(SocketAddrV6::new(Ipv6Addr::from(octets), port, flow, scope))
            }
            _ => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        }
    }

    /// Write `address`; returns how many octets of it count.
    pub fn encode(address: &SocketAddr) -> (Self, usize) {
        let mut raw = [0; 32];
        let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        raw[..2].copy_from_slice(&(family as u16).to_ne_bytes());
        raw[2..4].copy_from_slice(&address.port().to_be_bytes());
        match address {
            SocketAddr::V4(v4) => {
                raw[4..8].copy_from_slice(&v4.ip().octets());
                (Self(raw), 16)
            }
            SocketAddr::V6(v6) => {
                raw[4..8].copy_from_slice(&v6.flowinfo().to_be_bytes());
                raw[8..24].copy_from_slice(&v6.ip().octets());
                raw[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
                (Self(raw), 28)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RawAddress;

    #[test]
    fn round_trip() {
        for text in ["192.0.2.1:53", "[2001:db8::1]:5300", "[fe80::1%7]:53"] {
            let address = text.parse().unwrap();
            assert_eq!(RawAddress::encode(&address).0.decode(), address);
        }
    }
}
