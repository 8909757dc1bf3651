//! Networks, and where a login comes from.

use core::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// Where a login comes from, as far as it can be told. Addresses are numeric and canonical: an
/// IPv4 address that is mapped into IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// No remote side was named: PAM_RHOST is not set. So is sudo within a session of sshd.
    Local,
    /// A numeric address.
    Address(IpAddr),
    /// A remote side that cannot be told by number, such as a host name.
    Unknown,
}

impl Source {
    /// What SSH_CONNECTION (client address, client port, …) and PAM_RHOST say. sshd sets both, and
    /// with `UseDNS` the latter is a name of the client's choosing: the address of the former counts
    /// then. Where PAM_RHOST is not set or another address, it was not sshd that set the former, as
    /// when pam_env reads a user's own file, and neither is believed.
    #[must_use]
    pub fn of(ssh_connection: Option<&str>, rhost: Option<&str>) -> Self {
        let connection = ssh_connection.unwrap_or_default();
        let address = Self::named(connection.split(' ').next().unwrap_or_default());
        match (connection, rhost.unwrap_or_default()) {
            ("", "") => Self::Local,
            ("", host) => Self::named(host),
            (_, "") => Self::Unknown,
            (_, host) => match Self::named(host) {
                Self::Address(other) if address != Self::Address(other) => Self::Unknown,
                _ => address,
            },
        }
    }

    /// An address, which may have a zone (`fe80::1%eth0`); anything else is unknown.
    #[must_use]
    pub fn named(text: &str) -> Self {
        let (address, zone) = text.split_once('%').map_or((text, None), |(a, z)| (a, Some(z)));
        match address.parse::<IpAddr>() {
            Ok(address) if zone.is_none() || address.is_ipv6() => {
                Self::Address(address.to_canonical())
            }
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Address(address) => address.fmt(f),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// A network in CIDR notation, or a single address. `::ffff:0:0/96` and what is in it are IPv4;
/// no other network of IPv6 holds an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not an address, or the prefix is none of its family.
    #[error(
        "allowed are \"local\", an address and a network, such as \"192.0.2.7\", \"10.0.0.0/8\" and \"2001:db8::/32\""
    )]
    Form,
    /// Bits behind the prefix are set.
    #[error(
        "{address} has bits behind /{prefix}: the network is {network}, this host alone is {address}"
    )]
    HostBits {
        /// The address as it was given.
        address: IpAddr,
        /// The prefix as it was given.
        prefix: u8,
        /// The network that holds it.
        network: Network,
    },
}

impl Network {
    /// Whether the address is one of the network's.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.address.is_ipv4() == address.is_ipv4()
            && leading(address, self.prefix) == leading(self.address, self.prefix)
    }

    /// Whether every address of `other` is one of this network's.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.address)
    }

    /// Whether some address is in both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let given: IpAddr = address.parse().map_err(|_| NetworkError::Form)?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let given_prefix = match prefix {
            None => width(given),
            Some(prefix) if digits(prefix) => prefix.parse().map_err(|_| NetworkError::Form)?,
            Some(_) => return Err(NetworkError::Form),
        };
        if given_prefix > width(given) {
            return Err(NetworkError::Form);
        }
        let masked = masked(given, given_prefix);
        if masked != given {
            let network = Self { address: masked, prefix: given_prefix };
            return Err(NetworkError::HostBits { address: given, prefix: given_prefix, network });
        }
        let address = given.to_canonical();
        let prefix = given_prefix - (width(given) - width(address));
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == width(self.address) {
            self.address.fmt(f)
        } else {
            write!(f, "{}/{}", self.address, self.prefix)
        }
    }
}

/// Bits of an address.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first `prefix` bits of an address, as a number.
fn leading(address: IpAddr, prefix: u8) -> u128 {
    let bits = match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    bits.checked_shr(u32::from(width(address).saturating_sub(prefix))).unwrap_or_default()
}

/// The address with every bit behind the prefix cleared.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let behind = u32::from(width(address).saturating_sub(prefix));
    let bits = leading(address, prefix).checked_shl(behind).unwrap_or_default();
    match address {
        // Only bits that an IPv4 address had are left.
        IpAddr::V4(_) => IpAddr::V4(u32::try_from(bits).unwrap_or_default().into()),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_and_host_bits_are_not() {
        for (text, expected) in [
            ("192.0.2.7", Ok("192.0.2.7")),
            ("192.0.2.7/32", Ok("192.0.2.7")),
            ("10.0.0.0/8", Ok("10.0.0.0/8")),
            ("0.0.0.0/0", Ok("0.0.0.0/0")),
            ("::/0", Ok("::/0")),
            ("2001:DB8::/32", Ok("2001:db8::/32")),
            ("2001:db8::1", Ok("2001:db8::1")),
            ("::ffff:192.0.2.7", Ok("192.0.2.7")),
            ("::ffff:10.0.0.0/104", Ok("10.0.0.0/8")),
            ("::ffff:0:0/96", Ok("0.0.0.0/0")),
            (
                "10.1.2.3/8",
                Err(
                    "10.1.2.3 has bits behind /8: the network is 10.0.0.0/8, this host alone is 10.1.2.3",
                ),
            ),
            (
                "10.0.0.1/0",
                Err(
                    "10.0.0.1 has bits behind /0: the network is 0.0.0.0/0, this host alone is 10.0.0.1",
                ),
            ),
            (
                "2001:db8::1/64",
                Err(
                    "2001:db8::1 has bits behind /64: the network is 2001:db8::/64, this host alone is 2001:db8::1",
                ),
            ),
            (
                "::ffff:0:0/90",
                Err(
                    "::ffff:0.0.0.0 has bits behind /90: the network is ::ffc0:0:0/90, this host alone is ::ffff:0.0.0.0",
                ),
            ),
        ] {
            let read = text.parse::<Network>();
            assert_eq!(
                read.map(|network| network.to_string()).map_err(|error| error.to_string()),
                expected.map(str::to_owned).map_err(str::to_owned),
                "{text}"
            );
        }
        for text in [
            "",
            "/",
            "/8",
            "10",
            "10.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/8 ",
            " 10.0.0.0/8",
            "10.0.0.0/8/8",
            "10.0.0.0/255.0.0.0",
            "10.0.0.*",
            "010.0.0.0/8",
            "::/129",
            "fe80::1%eth0",
            "fe80::%1/64",
            "localhost",
            "Local",
            "example.org",
            "[::1]",
            "10.0.0.0/999",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Form), "{text:?}");
        }
    }

    #[test]
    fn what_is_in_a_network_and_what_is_not() {
        for (network, address, expected) in [
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("192.0.2.128/25", "192.0.2.127", false),
            ("192.0.2.128/25", "192.0.2.128", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "192.0.2.1", false),
            ("::/0", "::ffff:192.0.2.1", false),
            ("2001:db8::/33", "2001:db8:8000::", false),
            ("2001:db8::/33", "2001:db8:7fff:ffff::", true),
        ] {
            let (network, address): (Network, IpAddr) =
                (network.parse().unwrap(), address.parse().unwrap());
            assert_eq!(network.contains(address), expected, "{network} {address}");
        }
    }

    #[test]
    fn t21_where_a_login_comes_from() {
        let address = |text: &str| Source::Address(text.parse().unwrap());
        for (connection, rhost, expected) in [
            (None, None, Source::Local),
            (Some(""), Some(""), Source::Local),
            (Some("192.0.2.7 50000 192.0.2.1 22"), Some("host.example"), address("192.0.2.7")),
            (Some("192.0.2.7 50000 192.0.2.1 22"), Some("192.0.2.7"), address("192.0.2.7")),
            (Some("::ffff:192.0.2.7 1 ::1 22"), Some("192.0.2.7"), address("192.0.2.7")),
            (Some("fe80::1%eth0 1 fe80::2 22"), Some("fe80::1%eth0"), address("fe80::1")),
            // Not as sshd sets them.
            (Some("10.0.0.1 50000 192.0.2.1 22"), Some("192.0.2.7"), Source::Unknown),
            (Some("10.0.0.1 50000 192.0.2.1 22"), None, Source::Unknown),
            (Some("10.0.0.1 50000 192.0.2.1 22"), Some(""), Source::Unknown),
            // A socket that has no address.
            (Some("UNKNOWN 65535 UNKNOWN 65535"), Some("UNKNOWN"), Source::Unknown),
            (Some("UNKNOWN 65535 UNKNOWN 65535"), Some("10.0.0.1"), Source::Unknown),
            (Some(" 10.0.0.1"), Some("host.example"), Source::Unknown),
            (None, Some("192.0.2.7"), address("192.0.2.7")),
            (None, Some("::ffff:192.0.2.7"), address("192.0.2.7")),
            (None, Some("host.example"), Source::Unknown),
            (None, Some("localhost"), Source::Unknown),
            (None, Some("10.0.0.1%eth0"), Source::Unknown),
            (None, Some("10.0.0.1 "), Source::Unknown),
            (None, Some("010.0.0.1"), Source::Unknown),
        ] {
            assert_eq!(Source::of(connection, rhost), expected, "{connection:?} {rhost:?}");
        }
    }
}
