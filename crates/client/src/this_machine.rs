//! Addresses of this machine.

use std::net::IpAddr;

use ctxpin_model::proof::is_loopback_name;
use url::{Host, Url};

/// Returns whether an address leads to this machine, without asking a resolver. An unspecified address
/// such as `0.0.0.0` leads here, too.
pub fn leads_to_this_machine(server: &Url) -> bool {
    let is_own = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
    match server.host() {
        Some(Host::Ipv4(ip)) => is_own(ip.into()),
        Some(Host::Ipv6(ip)) => is_own(ip.to_canonical()),
        Some(Host::Domain(name)) => is_loopback_name(name),
        None => false,
    }
}
