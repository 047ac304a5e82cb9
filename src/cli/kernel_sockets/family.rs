//! Families of addresses.

/// The name of a family by its number, `AF_INET` and so on, in Linux and so in Python; empty for one that is
/// not spoken of here.
pub(crate) fn family_name(number: u64) -> &'static str {
    match number {
        1 => "unix",
        2 => "inet",
        10 => "inet6",
        16 => "netlink",
        17 => "packet",
        29 => "can",
        31 => "bluetooth",
        38 => "alg",
        40 => "vsock",
        _ => "",
    }
}
