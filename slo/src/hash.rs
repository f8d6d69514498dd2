//! FNV-1a 64 over parts, each ended by byte 0xFF: chooses target partitions, spreads evaluations, names alerts.

/// Hash of the parts. Source: Fowler, Noll, Vo; <http://www.isthe.com/chongo/tech/comp/fnv/>.
pub fn fnv1a64<'a>(parts: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain(std::iter::once(0xFF)) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

/// The hash of a series: SLO name, objective, group values.
pub fn series_hash(slo: &str, objective: &str, group: &[String]) -> u64 {
    fnv1a64([slo, objective].into_iter().chain(group.iter().map(String::as_str)))
}

/// The partition of sli-tallies that owns an SLO.
pub fn target_partition(slo: &str, partitions: u32) -> u32 {
    (fnv1a64([slo]) % u64::from(partitions)) as u32
}
