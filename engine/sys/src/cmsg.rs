//! Control messages: to which of our addresses a datagram came (`IP_PKTINFO`, `IPV6_PKTINFO`), and the same
//! turned round so that the answer leaves from there.

use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Room for one control message with a `struct in6_pktinfo`.
pub const CONTROL_OCTETS: usize = 64;

const HEAD_OCTETS: usize = size_of::<libc::cmsghdr>();
const WORD: usize = size_of::<usize>();
const V4_OCTETS: usize = 12;
const V6_OCTETS: usize = 20;

#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct Control(pub [u8; CONTROL_OCTETS]);

/// The address of ours that a datagram was sent to. `interface` is set where the address means nothing
/// without one (link-local addresses of IPv6), and 0 otherwise: routing chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAddress {
    pub address: IpAddr,
    pub interface: u32,
}

impl Control {
    pub const EMPTY: Self = Self([0; CONTROL_OCTETS]);

    /// Read the first control message of the `size` octets that the kernel wrote.
    pub fn decode(&self, size: usize) -> Option<LocalAddress> {
        let raw = self.0.get(..size)?;
        let length = usize::from_ne_bytes(raw.get(..WORD)?.try_into().ok()?);
        let level = i32::from_ne_bytes(raw.get(WORD..WORD + 4)?.try_into().ok()?);
        let kind = i32::from_ne_bytes(raw.get(WORD + 4..WORD + 8)?.try_into().ok()?);
        let data = raw.get(HEAD_OCTETS..length)?;
        match (level, kind) {
            // struct in_pktinfo: interface, our address to answer from, destination in the header
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let octets: [u8; 4] = data.get(4..8)?.try_into().ok()?;
                Some(LocalAddress { address: IpAddr::V4(Ipv4Addr::from(octets)), interface: 0 })
            }
            // struct in6_pktinfo: address, interface
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let octets: [u8; 16] = data.get(..16)?.try_into().ok()?;
                let address = Ipv6Addr::from(octets);
                let index = u32::from_ne_bytes(data.get(16..20)?.try_into().ok()?);
                let interface = if address.is_unicast_link_local() { index } else { 0 };
                Some(LocalAddress { address: IpAddr::V6(address), interface })
            }
            _ => None,
        }
    }

    /// Write the control message that makes a datagram leave from `local`; returns its size.
    pub fn encode(&mut self, local: &LocalAddress) -> usize {
        let raw = &mut self.0;
        let (level, kind, octets) = match local.address {
            IpAddr::V4(address) => {
                raw[HEAD_OCTETS..HEAD_OCTETS + V4_OCTETS].fill(0);
                raw[HEAD_OCTETS + 4..HEAD_OCTETS + 8].copy_from_slice(&address.octets());
                (libc::IPPROTO_IP, libc::IP_PKTINFO, V4_OCTETS)
            }
            IpAddr::V6(address) => {
                raw[HEAD_OCTETS..HEAD_OCTETS + 16].copy_from_slice(&address.octets());
                raw[HEAD_OCTETS + 16..HEAD_OCTETS + V6_OCTETS]
                    .copy_from_slice(&local.interface.to_ne_bytes());
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, V6_OCTETS)
            }
        };
        raw[..WORD].copy_from_slice(&(HEAD_OCTETS + octets).to_ne_bytes());
        raw[WORD..WORD + 4].copy_from_slice(&level.to_ne_bytes());
        raw[WORD + 4..WORD + 8].copy_from_slice(&kind.to_ne_bytes());
        (HEAD_OCTETS + octets).next_multiple_of(WORD)
    }
}

#[cfg(test)]
mod tests {
    use super::{Control, LocalAddress};

    #[test]
    fn round_trip() {
        for (text, interface) in [("192.0.2.1", 0), ("2001:db8::1", 0), ("fe80::1", 3)] {
            let local = LocalAddress { address: text.parse().unwrap(), interface };
            let mut control = Control::EMPTY;
            let size = control.encode(&local);
            assert_eq!(control.decode(size), Some(local));
        }
    }

    #[test]
    fn interface_of_a_global_address_is_left_to_routing() {
        let mut control = Control::EMPTY;
        let local = LocalAddress { address: "2001:db8::1".parse().unwrap(), interface: 3 };
        let size = control.encode(&local);
        assert_eq!(control.decode(size).unwrap().interface, 0);
    }

    #[test]
    fn what_is_cut_short_is_no_address() {
        let mut control = Control::EMPTY;
        let local = LocalAddress { address: "192.0.2.1".parse().unwrap(), interface: 0 };
        let size = control.encode(&local);
        for short in 0..20 {
            assert_eq!(control.decode(short.min(size)), None, "{short}");
        }
        assert_eq!(Control::EMPTY.decode(64), None);
    }
}
