//! How many TCP clients there may be, and who has to go when there are too many.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

const MIN_CLIENTS_PER_ADDRESS: usize = 10;
const CLIENTS_PER_ADDRESS_SHARE: usize = 4;
/// One host can use any address of its /64, so IPv6 clients are counted by that.
const IPV6_HOST_MASK: u128 = !(u64::MAX as u128);

/// Limits of TCP.
#[derive(Clone, Copy, Debug)]
pub struct TcpSettings {
    /// `tcp-clients`; one address may hold a quarter of it, and 10 in any case.
    pub clients: usize,
    /// Runs until a new client's first message is there.
    pub initial_timeout: Duration,
    /// Runs between messages, over the arrival of one message from its first octet, and over a stall of a
    /// client that does not read.
    pub idle_timeout: Duration,
}

impl TcpSettings {
    /// How many connections one address (IPv6: one /64) may hold.
    fn clients_per_address(&self) -> usize {
        self.clients.min(MIN_CLIENTS_PER_ADDRESS.max(self.clients / CLIENTS_PER_ADDRESS_SHARE))
    }
}

/// Returns what connections from `address` are counted by.
pub fn client_group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() & IPV6_HOST_MASK).into(),
        four => four,
    }
}

/// All TCP connections, by how long they have been quiet. Connections are numbers here.
#[derive(Default)]
pub struct ConnectionTable {
    /// When each was heard of last (a count, not a time), and its group.
    known: HashMap<u64, (u64, IpAddr)>,
    by_age: BTreeSet<(u64, u64)>,
    by_group: HashMap<IpAddr, BTreeSet<(u64, u64)>>,
    turn: u64,
    high_water: usize,
}

/// What stands in the way of one more connection.
#[derive(Debug, PartialEq, Eq)]
pub enum Room {
    /// Nothing.
    Free,
    /// This idle one, which has to end.
    After(u64),
    /// All are busy; the reason, for the log.
    None(String),
}

impl ConnectionTable {
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// The most that there have been.
    pub fn high_water(&self) -> usize {
        self.high_water
    }

    /// Returns whether there is room for one more connection of `group`, if need be by ending an idle one: the
    /// one that was quiet for longest. Ask again when that one is gone.
    pub fn room(&self, group: IpAddr, settings: &TcpSettings, is_idle: impl Fn(u64) -> bool) -> Room {
        let oldest = |connections: &BTreeSet<(u64, u64)>| {
            connections.iter().map(|&(_, number)| number).find(|&number| is_idle(number))
        };
        if let Some(own) = self.by_group.get(&group)
            && own.len() >= settings.clients_per_address()
        {
            return match oldest(own) {
                Some(victim) => Room::After(victim),
                None => Room::None(format!(
                    "its {} TCP connections are the limit for one address, and all are busy",
                    own.len()
                )),
            };
        }
        if self.known.len() >= settings.clients {
            return match oldest(&self.by_age) {
                Some(victim) => Room::After(victim),
                None => Room::None(format!("all {} TCP clients (tcp-clients) are busy", self.known.len())),
            };
        }
        Room::Free
    }

    /// Counts a connection.
    pub fn add(&mut self, number: u64, group: IpAddr) {
        self.turn += 1;
        self.known.insert(number, (self.turn, group));
        self.high_water = self.high_water.max(self.known.len());
        self.by_age.insert((self.turn, number));
        self.by_group.entry(group).or_default().insert((self.turn, number));
    }

    /// Notes that it has just sent a message.
    pub fn touch(&mut self, number: u64) {
        if let Some(group) = self.remove(number) {
            self.add(number, group);
        }
    }

    /// Forgets it; does nothing when it is not here.
    pub fn remove(&mut self, number: u64) -> Option<IpAddr> {
        let (turn, group) = self.known.remove(&number)?;
        self.by_age.remove(&(turn, number));
        if let Some(own) = self.by_group.get_mut(&group) {
            own.remove(&(turn, number));
            if own.is_empty() {
                self.by_group.remove(&group);
            }
        }
        Some(group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(clients: usize) -> TcpSettings {
        let second = Duration::from_secs(1);
        TcpSettings { clients, initial_timeout: second, idle_timeout: second }
    }

    fn address(text: &str) -> IpAddr {
        client_group(text.parse().unwrap())
    }

    #[test]
    fn groups() {
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:2"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
    }

    #[test]
    fn the_quietest_idle_one_makes_room() {
        let mut table = ConnectionTable::default();
        for number in 0..4 {
            table.add(number, address(&format!("192.0.2.{number}")));
        }
        table.touch(0);
        let newcomer = address("198.51.100.1");
        assert_eq!(table.room(newcomer, &settings(5), |_| true), Room::Free);
        assert_eq!(table.room(newcomer, &settings(4), |_| true), Room::After(1));
        assert_eq!(table.room(newcomer, &settings(4), |number| number != 1), Room::After(2));
        assert!(matches!(table.room(newcomer, &settings(4), |_| false), Room::None(_)));
        assert!(table.remove(1).is_some() && table.remove(1).is_none());
        assert_eq!((table.room(newcomer, &settings(4), |_| false), table.len()), (Room::Free, 3));
    }

    #[test]
    fn one_address_has_its_share() {
        let mut table = ConnectionTable::default();
        let greedy = address("192.0.2.1");
        for number in 0..25 {
            assert_eq!(table.room(greedy, &settings(100), |_| false), Room::Free);
            table.add(number, greedy);
        }
        assert!(matches!(table.room(greedy, &settings(100), |_| false), Room::None(_)));
        assert_eq!(table.room(greedy, &settings(100), |_| true), Room::After(0));
        assert_eq!(table.room(address("192.0.2.2"), &settings(100), |_| false), Room::Free);
        assert_eq!(settings(8).clients_per_address(), 8);
    }
}
