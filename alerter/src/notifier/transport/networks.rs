//! Which network an address is of, and the address of version 4 that stands in one of version 6: what is reached through a
//! translator or a tunnel is of the network that it leads to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether it is of the link, or one by which clouds give credentials to their machines.
pub(super) fn is_of_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || CREDENTIALS_V4.contains(&v4),
        IpAddr::V6(v6) => {
            let cloud = CREDENTIALS.contains(&v6);
            v6.is_unicast_link_local() || cloud || inside(v6).into_iter().any(|v4| is_of_link(v4.into()))
        }
    }
}

/// Whether it is of no public network, or of no single machine.
pub(super) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => is_private_v6(v6) || inside(v6).into_iter().any(is_private_v4),
    }
}

/// Alibaba's and Oracle's, which are not within 169.254/16.
const CREDENTIALS_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];

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

/// The addresses of version 4 that one of version 6 may lead to.
fn inside(v6: Ipv6Addr) -> Vec<Ipv4Addr> {
    let v4 = |high: u16, low: u16| vec![Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))];
    match v6.segments() {
        // Loopback and the unspecified address, which are no address of version 4.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Vec::new(),
        // As compatible (RFC 4291), mapped, or translated (RFC 2765).
        [0, 0, 0, 0, 0, 0, a, b] | [0, 0, 0, 0, 0, 0xffff, a, b] | [0, 0, 0, 0, 0xffff, 0, a, b] => v4(a, b),
        // NAT64 (RFC 6052).
        [0x64, 0xff9b, 0, 0, 0, 0, a, b] => v4(a, b),
        // NAT64 of a network's own (RFC 8215).
        [0x64, 0xff9b, 1, ..] => translated(v6.octets()).to_vec(),
        // 6to4 (RFC 3056).
        [0x2002, a, b, ..] => v4(a, b),
        // Teredo (RFC 4380): the machine behind the tunnel, with its bits turned over.
        [0x2001, 0, .., a, b] => v4(!a, !b),
        // ISATAP (RFC 5214), in whatever network.
        [_, _, _, _, 0 | 0x200, 0x5efe, a, b] => v4(a, b),
        _ => Vec::new(),
    }
}

/// What a translator may read in an address, by the length of its prefix (RFC 6052, section 2.2), which nobody else knows: 48, 56, 64
/// and 96 bits. The ninth octet is left out.
fn translated(octets: [u8; 16]) -> [Ipv4Addr; 4] {
    let [_, _, _, _, _, _, a, b, _, c, d, e, f, g, h, i] = octets;
    [[a, b, c, d], [b, c, d, e], [c, d, e, f], [f, g, h, i]].map(Ipv4Addr::from)
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
            // 169.254.169.254 behind prefixes of 96, 48, 56 and 64 bits; Alibaba's behind one of 48.
            ("64:ff9b:1::a9fe:a9fe", link),
            ("64:ff9b:1:77::a9fe:a9fe", link),
            ("64:ff9b:1:a9fe:a9:fe00::", link),
            ("64:ff9b:1:a9:fe:a9fe::", link),
            ("64:ff9b:1:77:a9:fea9:fe00:0", link),
            ("64:ff9b:1:6464:64:c800::", link),
            ("64:ff9b:2::a9fe:a9fe", public),
            ("100.100.100.200", link),
            ("::ffff:100.100.100.200", link),
            ("100.100.100.201", private),
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
            ("192.0.0.192", link),
            ("192.0.0.193", private),
            ("198.18.0.1", private),
            ("240.0.0.1", private),
            ("255.255.255.255", private),
            ("192.0.2.1", public),
        ] {
            assert_eq!(of(address), want, "{address}");
        }
    }
}
