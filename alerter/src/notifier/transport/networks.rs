//! Which network an address is of, and the address of version 4 that stands in one of version 6: what is reached through a
//! translator or a tunnel is of the network that it leads to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether it is of the link, or one by which clouds give credentials to their machines.
pub(super) fn is_of_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => {
            let cloud = CREDENTIALS.contains(&v6);
            v6.is_unicast_link_local() || cloud || inside(v6).is_some_and(|v4| is_of_link(v4.into()))
        }
    }
}

/// Whether it is of no public network, or of no single machine.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => is_private_v6(v6) || inside(v6).is_some_and(is_private_v4),
    }
}

/// Amazon's and Google's, both within `fd00::/8`.
const CREDENTIALS: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

fn is_private_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let carrier = a == 100 && (64..128).contains(&b);
    let special = (a, b, c) == (192, 0, 0) || (a == 198 && matches!(b, 18 | 19));
    let odd = a == 0 || a >= 240 || v4.is_multicast();
    v4.is_loopback() || v4.is_private() || v4.is_link_local() || carrier || special || odd
}

fn is_private_v6(v6: Ipv6Addr) -> bool {
    let [first, second, third, ..] = v6.segments();
    // What was for a site (RFC 3879), what is discarded (RFC 6666), and a network's own prefix of a translator (RFC 8215).
    let site = first & 0xffc0 == 0xfec0;
    let discarded = v6.segments()[..4] == [0x100, 0, 0, 0];
    let translated = (first, second, third) == (0x64, 0xff9b, 1);
    let odd = v6.is_unspecified() || v6.is_multicast() || site || discarded || translated;
    v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || odd
}

/// The address of version 4 that one of version 6 leads to.
fn inside(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match v6.segments() {
        // Loopback and the unspecified address, which are no address of version 4.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // As compatible (RFC 4291), mapped, or translated (RFC 2765).
        [0, 0, 0, 0, 0, 0, a, b] | [0, 0, 0, 0, 0, 0xffff, a, b] | [0, 0, 0, 0, 0xffff, 0, a, b] => v4(a, b),
        // NAT64 (RFC 6052).
        [0x64, 0xff9b, 0, 0, 0, 0, a, b] => v4(a, b),
        // 6to4 (RFC 3056).
        [0x2002, a, b, ..] => v4(a, b),
        // Teredo (RFC 4380): the machine behind the tunnel, with its bits turned over.
        [0x2001, 0, .., a, b] => v4(!a, !b),
        // ISATAP (RFC 5214), in whatever network.
        [_, _, _, _, 0 | 0x200, 0x5efe, a, b] => v4(a, b),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_the_network_that_it_leads_to() {
        let of = |address: &str| {
            let ip: IpAddr = address.parse().unwrap();
            (is_private(ip), is_of_link(ip))
        };
        let (public, private, link) = ((false, false), (true, false), (true, true));
        for prefix in ["::ffff:", "::", "::ffff:0:", "64:ff9b::", "2001:db8::5efe:", "2001:db8::200:5efe:"] {
            for (v4, want) in [
                ("203.0.113.7", public),
                ("10.1.2.3", private),
                ("127.0.0.1", private),
                ("192.168.0.1", private),
                ("100.64.0.1", private),
                ("169.254.169.254", link),
            ] {
                let address = format!("{prefix}{v4}");
                assert_eq!(of(v4), want, "{v4}");
                assert_eq!(of(&address), want, "{address}");
            }
        }
        for (address, want) in [
            ("2002:cb00:7107::1", public),
            ("2002:a01:203::1", private),
            ("2002:7f00:1::", private),
            ("2002:a9fe:a9fe::1", link),
            // Teredo by way of 203.0.113.7: to itself, and to 10.1.2.3.
            ("2001:0:cb00:7107:0:0:34ff:8ef8", public),
            ("2001:0:cb00:7107:0:0:f5fe:fdfc", private),
            ("64:ff9b:1::808:808", private),
            ("2001:4860:4860::8888", public),
            ("::", private),
            ("::1", private),
            ("fec0::1", private),
            ("100::1", private),
            ("ff02::1", private),
            ("fd00::1", private),
            ("fd00:ec2::254", link),
            ("fd20:ce::254", link),
            ("fe80::1", link),
            ("0.0.0.0", private),
            ("192.0.0.192", private),
            ("198.18.0.1", private),
            ("240.0.0.1", private),
            ("255.255.255.255", private),
            ("192.0.2.1", public),
        ] {
            assert_eq!(of(address), want, "{address}");
        }
    }
}
